//! Requests in one piece, in two, in many, and with bursts taken in between: always the same words.

use bytes::BytesMut;
use mayfly_resp::{Decoded, Decoder, ProtocolError, RequestLimits, Span};
use proptest::prelude::*;

type Request = Vec<Vec<u8>>;

/// What comes before a piece of bytes reaches the decoder.
#[derive(Clone, Copy, Debug)]
struct Piece {
    bytes: usize,
    /// Takes the burst behind every request rather than behind the piece.
    eager: bool,
    /// Takes the burst at the end of the piece.
    take: bool,
    /// Holds every request, and takes the burst before it, if there is one.
    hold: bool,
}

/// Decodes `bytes` in the given pieces (the rest in one), resolving every span in the burst it came with.
fn decode_in_pieces(bytes: &[u8], pieces: &[Piece]) -> Result<Vec<Request>, ProtocolError> {
    let mut decoder = Decoder::new(RequestLimits::default());
    let mut buffer = BytesMut::new();
    let mut requests = Vec::new();
    let mut pending: Vec<Vec<Span>> = Vec::new();
    let mut last = Vec::new();
    let mut rest = bytes;
    let end = Piece { bytes: bytes.len(), eager: false, take: true, hold: false };
    for piece in pieces.iter().chain([&end]) {
        let (head, tail) = rest.split_at(piece.bytes.min(rest.len()));
        buffer.extend_from_slice(head);
        rest = tail;
        while decoder.decode(&mut buffer)? == Decoded::Request {
            if piece.hold {
                decoder.hold();
                resolve(&mut decoder, &mut buffer, &mut pending, &mut requests);
                assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
            }
            let words: Request = decoder.words().iter().map(|word| word.of(&buffer).to_vec()).collect();
            assert!(!decoder.is_alike() || (words.len(), words.first()) == (last.len(), last.first()));
            last = words;
            pending.push(decoder.words().to_vec());
            if piece.eager {
                resolve(&mut decoder, &mut buffer, &mut pending, &mut requests);
            }
        }
        if piece.take {
            resolve(&mut decoder, &mut buffer, &mut pending, &mut requests);
        }
    }
    Ok(requests)
}

fn resolve(
    decoder: &mut Decoder,
    buffer: &mut BytesMut,
    pending: &mut Vec<Vec<Span>>,
    requests: &mut Vec<Request>,
) {
    let consumed = decoder.consumed();
    let burst = decoder.take_burst(buffer);
    assert_eq!(burst.len(), consumed);
    assert_eq!(decoder.consumed(), 0);
    requests
        .extend(pending.drain(..).map(|words| words.iter().map(|word| word.of(&burst).to_vec()).collect()));
}

fn encode(request: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for word in request {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn request(words: &[&str]) -> Request {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

#[test]
fn every_split_gives_the_same_words() {
    let long = "x".repeat(1234);
    let many: Vec<&str> = vec!["w"; 120];
    let corpus: Vec<(Vec<u8>, Vec<Request>)> = vec![
        (encode(&request(&["PING"])), vec![request(&["PING"])]),
        (
            encode(&request(&["HSETEX", "key", "60", "field", ""])),
            vec![request(&["HSETEX", "key", "60", "field", ""])],
        ),
        (encode(&request(&["SET", "k", &long])), vec![request(&["SET", "k", &long])]),
        (encode(&request(&many)), vec![request(&many)]),
        (b"PING\r\n".to_vec(), vec![request(&["PING"])]),
        (b"PING\n".to_vec(), vec![request(&["PING"])]),
        (
            b"set \"a\\x41b\" 'c d'\r\nget k\n".to_vec(),
            vec![request(&["set", "aAb", "c d"]), request(&["get", "k"])],
        ),
        (b"*0\r\n*-1\r\n\r\n \r\n*1\r\n$4\r\nPING\r\n\n*0\r\n".to_vec(), vec![request(&["PING"])]),
        (
            b"*1\r\n$4\r\nPING\r\necho hi\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n".to_vec(),
            vec![request(&["PING"]), request(&["echo", "hi"]), request(&["ECHO", ""])],
        ),
        // The two bytes behind a header or a bulk are skipped, whatever they are.
        (b"*1\r!$4\r!PING!!*1\r\n$1\r\nx\n\n".to_vec(), vec![request(&["PING"]), request(&["x"])]),
        // Bytes that look like headers inside a bulk are data.
        (b"*2\r\n$3\r\n*1\r\r\n$4\r\n\r\n$1\r\n".to_vec(), vec![request(&["*1\r", "\r\n$1"])]),
    ];
    for (bytes, expected) in corpus {
        let shown = bytes.escape_ascii().to_string();
        assert_eq!(decode_in_pieces(&bytes, &[]).unwrap(), expected, "{shown}");
        for at in 0..=bytes.len() {
            for (eager, take) in [(false, false), (false, true), (true, false)] {
                let pieces = [Piece { bytes: at, eager, take, hold: eager }];
                assert_eq!(decode_in_pieces(&bytes, &pieces).unwrap(), expected, "{shown} cut at {at}");
            }
        }
        let single_bytes = vec![Piece { bytes: 1, eager: false, take: true, hold: false }; bytes.len()];
        assert_eq!(decode_in_pieces(&bytes, &single_bytes).unwrap(), expected, "{shown} byte by byte");
    }
}

#[test]
fn burst_is_taken_without_copying_and_leaves_the_partial_request() {
    let mut decoder = Decoder::new(RequestLimits::default());
    let mut buffer = BytesMut::from(&b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nhe"[..]);
    let place = buffer.as_ptr();
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
    assert_eq!(decoder.bytes_wanted(), 5);
    let burst = decoder.take_burst(&mut buffer);
    assert_eq!((burst.as_ptr(), &burst[..]), (place, &b"*1\r\n$4\r\nPING\r\n"[..]));
    assert_eq!(&buffer[..], b"*2\r\n$4\r\nECHO\r\n$5\r\nhe");
    assert_eq!(decoder.bytes_wanted(), 5);
    assert!(decoder.take_burst(&mut buffer).is_empty());
    buffer.extend_from_slice(b"llo\r\n");
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
    let words: Vec<&[u8]> = decoder.words().iter().map(|word| word.of(&buffer)).collect();
    assert_eq!(words, [&b"ECHO"[..], b"hello"]);
    assert_eq!(decoder.bytes_wanted(), 0);
}

#[test]
fn a_request_is_alike_if_it_has_the_name_and_the_number_of_words_of_the_one_before() {
    let mut decoder = Decoder::new(RequestLimits::default());
    let requests = [["HGET", "a", "f"], ["HGET", "bb", "f"], ["hget", "a", "f"], ["hget", "a", "g"]];
    let mut buffer: BytesMut = requests.iter().flat_map(|words| encode(&request(words))).collect();
    buffer.extend_from_slice(&encode(&request(&["hget", "a"])));
    let mut alike = Vec::new();
    while decoder.decode(&mut buffer) == Ok(Decoded::Request) {
        alike.push(decoder.is_alike());
    }
    assert_eq!(alike, [false, true, false, true, false]);
    decoder.take_burst(&mut buffer);
    let next = encode(&request(&["hget", "b"]));
    buffer.extend_from_slice(&next);
    assert_eq!((decoder.decode(&mut buffer), decoder.is_alike()), (Ok(Decoded::Request), true));
    decoder.set_limits(RequestLimits { words_max: 1, ..RequestLimits::default() });
    buffer.extend_from_slice(&next);
    assert_eq!(decoder.decode(&mut buffer), Err(ProtocolError::InvalidMultibulkLength));
}

#[test]
fn an_announcement_asks_for_little_memory() {
    let mut decoder = Decoder::new(RequestLimits::default());
    let mut buffer = b"*1048576\r\n$536870912\r\nabc".to_vec();
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
    assert_eq!(decoder.bytes_wanted(), 1 << 20);
}

fn any_request() -> impl Strategy<Value = (Vec<u8>, Option<Request>)> {
    let bytes_of = |length| prop::collection::vec(any::<u8>(), length);
    let word = prop_oneof![20 => bytes_of(0..40), 1 => bytes_of(95..105), 1 => bytes_of(995..1005)];
    let alike = (prop::sample::select(vec!["HSET", "hset", "GET"]), word.clone(), word.clone())
        .prop_map(|(name, key, value)| vec![name.as_bytes().to_vec(), key, value]);
    prop_oneof![
        20 => alike.prop_map(|words| (encode(&words), Some(words))),
        8 => prop::collection::vec(word.clone(), 1..8).prop_map(|words| (encode(&words), Some(words))),
        4 => prop::collection::vec(word, 1..5).prop_map(|words| (quote(&words), Some(words))),
        1 => prop::sample::select(vec!["*0\r\n", "*-1\r\n", "\r\n", "\n", "  \n"])
            .prop_map(|bytes| (bytes.as_bytes().to_vec(), None)),
    ]
}

/// An inline request: every word in double quotes, every byte that is not a letter escaped.
fn quote(words: &[Vec<u8>]) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words {
        line.push(b'"');
        for &byte in word {
            match byte.is_ascii_alphanumeric() {
                true => line.push(byte),
                false => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            }
        }
        line.extend_from_slice(b"\" ");
    }
    // A leading blank, since an inline request must not begin with a star.
    line.insert(0, b' ');
    line.extend_from_slice(b"\r\n");
    line
}

fn any_piece() -> impl Strategy<Value = Piece> {
    (0usize..60, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(bytes, eager, take, hold)| Piece {
        bytes,
        eager,
        take,
        hold,
    })
}

proptest! {
    #[test]
    fn random_requests_survive_random_pieces(
        requests in prop::collection::vec(any_request(), 0..12),
        pieces in prop::collection::vec(any_piece(), 0..40),
    ) {
        let bytes: Vec<u8> = requests.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let expected: Vec<Request> = requests.into_iter().filter_map(|(_, words)| words).collect();
        prop_assert_eq!(decode_in_pieces(&bytes, &pieces).unwrap(), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_depend_on_the_pieces(
        bytes in prop::collection::vec(prop_oneof![
            any::<u8>(), prop::sample::select(b"*$\r\n0123-\"' \\x".to_vec()),
        ], 0..200),
        pieces in prop::collection::vec(any_piece(), 0..40),
    ) {
        prop_assert_eq!(decode_in_pieces(&bytes, &pieces), decode_in_pieces(&bytes, &[]));
    }
}
