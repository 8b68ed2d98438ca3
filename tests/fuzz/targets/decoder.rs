//! Bytes from a client: whatever they are, the decoder neither panics nor decodes otherwise for how they are cut.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mayfly_resp::{Decoded, Decoder, RequestLimits};

/// Small, so that inputs of a few hundred bytes reach them.
const LIMITS: RequestLimits =
    RequestLimits { words_max: 64, bulk_bytes_max: 512, inline_bytes_max: 128, request_bytes_max: 2_048 };

fuzz_target!(|data: &[u8]| {
    let Some((&piece, bytes)) = data.split_first() else { return };
    let whole = requests(bytes, bytes.len());
    assert_eq!(whole, requests(bytes, usize::from(piece).max(1)), "cut into pieces of {piece} bytes");
});

/// The words of each request, and what is wrong with the rest.
fn requests(bytes: &[u8], piece: usize) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    let mut decoder = Decoder::new(LIMITS);
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Decoded::Request) => {
                    let word = |span: &mayfly_resp::Span| {
                        let start = span.start as usize;
                        buffer[start..start + span.length as usize].to_vec()
                    };
                    found.push(decoder.words().iter().map(word).collect());
                }
                Ok(_) => break,
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }
    (found, None)
}
