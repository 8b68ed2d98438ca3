//! What is refused, in which words, and exactly where each limit lies.

use bytes::BytesMut;
use mayfly_resp::{Decoded, Decoder, ProtocolError, RequestLimits};

fn decode(decoder: &mut Decoder, bytes: &[u8]) -> Result<Decoded, ProtocolError> {
    decoder.decode(&mut BytesMut::from(bytes))
}

/// The text of the refusal, or what was decoded.
fn verdict(limits: RequestLimits, bytes: &[u8]) -> String {
    match decode(&mut Decoder::new(limits), bytes) {
        Ok(decoded) => format!("{decoded:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn malformed_requests_are_refused_as_redis_words_it() {
    let table: &[(&str, &str)] = &[
        ("*\r\n", "invalid multibulk length"),
        ("*x\r\n", "invalid multibulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("*01\r\n", "invalid multibulk length"),
        ("* 1\r\n", "invalid multibulk length"),
        ("*1 \r\n", "invalid multibulk length"),
        ("*1.0\r\n", "invalid multibulk length"),
        ("*-0\r\n", "invalid multibulk length"),
        ("*1048577\r\n", "invalid multibulk length"),
        ("*4294967297\r\n", "invalid multibulk length"),
        ("*20000000\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*1\r\nPING\r\n", "expected '$', got 'P'"),
        ("*1\r\n*1\r\n", "expected '$', got '*'"),
        ("*1\r\n'\r\n", "expected '$', got '''"),
        ("*1\r\n\r\n", "expected '$', got '\\x0d'"),
        ("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "expected '$', got 'f'"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$+4\r\n", "invalid bulk length"),
        ("*1\r\n$04\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n$4294967300\r\n", "invalid bulk length"),
        ("*1\r\n$9223372036854775807\r\n", "invalid bulk length"),
        ("*1\r\n$9223372036854775808\r\n", "invalid bulk length"),
        ("set k \"v\r\n", "unbalanced quotes in request"),
        ("set k 'v'x\r\n", "unbalanced quotes in request"),
        ("*-10\r\n", "Incomplete"),
        ("*-9223372036854775808\r\n", "Incomplete"),
        ("*1048576\r\n", "Incomplete"),
        ("*1\r\n$536870912\r\n", "Incomplete"),
        ("*1\r\n$0\r\n\r\n", "Request"),
    ];
    for (bytes, expected) in table {
        assert_eq!(verdict(RequestLimits::default(), bytes.as_bytes()), *expected, "{bytes:?}");
    }
}

#[test]
fn lines_that_do_not_end_are_refused() {
    let limits = RequestLimits::default();
    let line =
        |start: &str, length: usize, end: &str| format!("{start}{}{end}", "1".repeat(length)).into_bytes();
    assert_eq!(verdict(limits, &line("*", 65_535, "")), "Incomplete");
    assert_eq!(verdict(limits, &line("*", 65_536, "")), "too big mbulk count string");
    assert_eq!(verdict(limits, &line("*", 65_535, "\r\n")), "invalid multibulk length");
    assert_eq!(verdict(limits, &line("*", 65_536, "\r\n")), "too big mbulk count string");
    assert_eq!(verdict(limits, &line("*1\r\n$", 65_535, "")), "Incomplete");
    assert_eq!(verdict(limits, &line("*1\r\n$", 65_536, "")), "too big bulk count string");
    assert_eq!(verdict(limits, &line("", 65_536, "")), "Incomplete");
    assert_eq!(verdict(limits, &line("", 65_536, "\n")), "Request");
    assert_eq!(verdict(limits, &line("", 65_537, "")), "too big inline request");
    assert_eq!(verdict(limits, &line("", 65_537, "\n")), "too big inline request");
}

#[test]
fn configured_limits_hold_at_their_boundary() {
    let limits =
        RequestLimits { words_max: 2, bulk_bytes_max: 3, inline_bytes_max: 4, request_bytes_max: 25 };
    assert_eq!(verdict(limits, b"*2\r\n"), "Incomplete");
    assert_eq!(verdict(limits, b"*3\r\n"), "invalid multibulk length");
    assert_eq!(verdict(limits, b"*1\r\n$3\r\n"), "Incomplete");
    assert_eq!(verdict(limits, b"*1\r\n$4\r\n"), "invalid bulk length");
    assert_eq!(verdict(limits, b"*1\r\n$3\r\nGET\r\n"), "Request");
    assert_eq!(verdict(limits, b"*1\r\n$4\r\nPING\r\n"), "invalid bulk length");
    assert_eq!(verdict(limits, b"PING\n"), "Request");
    assert_eq!(verdict(limits, b"PING\r\n"), "too big inline request");
    // Four bytes of header, then words of 4 + n + 2 bytes: 4 + 9 + 9 = 22.
    let whole = RequestLimits { request_bytes_max: 22, ..limits };
    assert_eq!(verdict(whole, b"*2\r\n$3\r\nabc\r\n$3\r\n"), "Incomplete");
    assert_eq!(verdict(whole, b"*2\r\n$3\r\nabc\r\n$3\r\nabc\r\n"), "Request");
    let smaller = RequestLimits { request_bytes_max: 21, ..limits };
    assert_eq!(verdict(smaller, b"*2\r\n$3\r\nabc\r\n$3\r\n"), "too big request");
    assert_eq!(verdict(smaller, b"*2\r\n$3\r\nabc\r\n$3\r\nabc\r\n"), "too big request");
    assert_eq!(verdict(smaller, b"*2\r\n$3\r\nabc\r\n$2\r\n"), "Incomplete");
}

#[test]
fn request_bytes_are_counted_from_the_start_of_the_request() {
    let limits = RequestLimits { request_bytes_max: 14, ..RequestLimits::default() };
    let mut decoder = Decoder::new(limits);
    let mut buffer = BytesMut::from(&b"*0\r\n*1\r\n$4\r\nPING\r\n\r\n*1\r\n$4\r\nPI"[..]);
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
    buffer.extend_from_slice(b"NG\r\n*1\r\n$5\r\n");
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
    assert_eq!(decoder.decode(&mut buffer), Err(ProtocolError::RequestTooBig));
}

#[test]
fn clients_that_have_not_authenticated_are_held_to_less() {
    let verdict = |bytes: &str| {
        let mut decoder = Decoder::new(RequestLimits::default());
        decoder.set_authenticated(false);
        match decode(&mut decoder, bytes.as_bytes()) {
            Ok(decoded) => format!("{decoded:?}"),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(verdict("*10\r\n"), "Incomplete");
    assert_eq!(verdict("*11\r\n"), "unauthenticated multibulk length");
    assert_eq!(verdict("*1048577\r\n"), "invalid multibulk length");
    assert_eq!(verdict("*1\r\n$16384\r\n"), "Incomplete");
    assert_eq!(verdict("*1\r\n$16385\r\n"), "unauthenticated bulk length");
    assert_eq!(verdict("*1\r\n$536870913\r\n"), "invalid bulk length");
}

#[test]
fn authentication_lifts_the_limits_from_the_next_header_on() {
    let mut decoder = Decoder::new(RequestLimits::default());
    decoder.set_authenticated(false);
    let mut buffer = BytesMut::from(&b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n*11\r\n"[..]);
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Request));
    decoder.set_authenticated(true);
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
}

#[test]
fn tighter_limits_hold_from_the_next_header_on() {
    let mut decoder = Decoder::new(RequestLimits::default());
    let mut buffer = BytesMut::from(&b"*2\r\n$4\r\n"[..]);
    assert_eq!(decoder.decode(&mut buffer), Ok(Decoded::Incomplete));
    decoder.set_limits(RequestLimits { bulk_bytes_max: 3, ..RequestLimits::default() });
    buffer.extend_from_slice(b"ECHO\r\n$4\r\n");
    assert_eq!(decoder.decode(&mut buffer), Err(ProtocolError::InvalidBulkLength));
}
