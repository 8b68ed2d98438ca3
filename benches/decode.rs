//! What the wire costs: finding requests in a buffer, writing the commonest replies.
//!
//! Every decoding bench runs over one buffer again and again without taking a burst, so it measures the
//! decoder alone; time per iteration divided by the pipeline's length is the cost of one request.
//! `pieces/…` is one bulk of 16 MiB that arrives in pieces of 64 KiB: finding it must not cost more than
//! copying it into the buffer does.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mayfly_resp::{Decoded, Decoder, Protocol, ReplyWriter, RequestLimits};

const BULK_BYTES: usize = 16 << 20;
const PIECE_BYTES: usize = 64 << 10;

criterion_group!(benches, decode_pipelines, decode_pieces, write_replies);
criterion_main!(benches);

fn decode_pipelines(criterion: &mut Criterion) {
    let hsetex: &[&[u8]] =
        &[b"HSETEX", b"session:1234567", b"1800", b"user", b"0123456789abcdef0123456789abcdef"];
    let hget: &[&[u8]] = &[b"HGET", b"session:1234567", b"user"];
    for (name, words) in [("hsetex", hsetex), ("hget", hget)] {
        let mut group = criterion.benchmark_group(format!("decode/{name}"));
        for pipelined in [1, 16, 64] {
            group.throughput(Throughput::Elements(pipelined));
            group.bench_function(pipelined.to_string(), |bencher| {
                let mut buffer = encode(words).repeat(pipelined as usize);
                bencher.iter(|| decode_all(&mut buffer));
            });
        }
    }
    let mut group = criterion.benchmark_group("decode/inline");
    group.bench_function("1", |bencher| {
        let mut buffer = b"hget session:1234567 user\r\n".to_vec();
        bencher.iter(|| decode_all(&mut buffer));
    });
}

/// A new decoder for every pass: that costs one allocation, of the list of words.
fn decode_all(buffer: &mut [u8]) -> u32 {
    let mut decoder = Decoder::new(RequestLimits::default());
    let mut bytes = 0;
    while decoder.decode(black_box(buffer)) == Ok(Decoded::Request) {
        bytes += decoder.words().last().map_or(0, |word| word.length);
    }
    bytes
}

fn decode_pieces(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode/pieces");
    group.throughput(Throughput::Bytes(BULK_BYTES as u64));
    group.sample_size(10);
    let piece = vec![b'\r'; PIECE_BYTES];
    let header = format!("*2\r\n$4\r\nECHO\r\n${BULK_BYTES}\r\n");
    for (name, decoded) in [("copied only", false), ("copied and decoded", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut decoder = Decoder::new(RequestLimits::default());
                let mut buffer = BytesMut::with_capacity(header.len() + BULK_BYTES + 2);
                buffer.extend_from_slice(header.as_bytes());
                for _ in 0..BULK_BYTES / PIECE_BYTES {
                    buffer.extend_from_slice(black_box(&piece));
                    if decoded {
                        assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
                    }
                }
                buffer.extend_from_slice(b"\r\n");
                if decoded {
                    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
                }
                decoder.take_burst(&mut buffer)
            });
        });
    }
}

fn write_replies(criterion: &mut Criterion) {
    type Write = fn(&mut ReplyWriter<'_>);
    let table: [(&str, Write); 6] = [
        ("ok", |reply| black_box(reply).ok()),
        ("integer 1", |reply| reply.integer(black_box(1))),
        ("integer 1234567", |reply| reply.integer(black_box(1_234_567))),
        ("null", |reply| black_box(reply).null()),
        ("bulk of 32", |reply| reply.bulk(black_box(&[b'v'; 32]))),
        ("bulk of 1000", |reply| reply.bulk(black_box(&[b'v'; 1000]))),
    ];
    let mut group = criterion.benchmark_group("write");
    for (name, write) in table {
        group.bench_function(name, |bencher| {
            let mut out = Vec::with_capacity(2048);
            bencher.iter(|| {
                out.clear();
                write(&mut ReplyWriter::new(black_box(&mut out), Protocol::Resp3));
            });
        });
    }
}

fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut request = ReplyWriter::new(&mut bytes, Protocol::Resp2);
    request.array(words.len());
    words.iter().for_each(|word| request.bulk(word));
    bytes
}
