//! Replies: what is written in either dialect, what a client reads of it, and how redis-cli shows it.

use mayfly_resp::{Protocol, ReplyError, ReplyLimits, ReplyReader, ReplyWriter, Value};
use proptest::prelude::*;

fn written(protocol: Protocol, write: impl Fn(&mut ReplyWriter<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut ReplyWriter::new(&mut out, protocol));
    String::from_utf8(out).unwrap()
}

/// What is written, in RESP2 and in RESP3.
type Case = (fn(&mut ReplyWriter<'_>), &'static str, &'static str);

fn same(write: fn(&mut ReplyWriter<'_>), text: &'static str) -> Case {
    (write, text, text)
}

#[test]
fn every_reply_has_its_shape_in_both_protocols() {
    let table: Vec<Case> = vec![
        (|reply| reply.ok(), "+OK\r\n", "+OK\r\n"),
        same(|reply| reply.simple("PONG"), "+PONG\r\n"),
        same(|reply| reply.error("ERR no\r\nway"), "-ERR no  way\r\n"),
        same(|reply| reply.integer(0), ":0\r\n"),
        same(|reply| reply.integer(7), ":7\r\n"),
        same(|reply| reply.integer(42), ":42\r\n"),
        same(|reply| reply.integer(100), ":100\r\n"),
        same(|reply| reply.integer(-1), ":-1\r\n"),
        same(|reply| reply.integer(i64::MIN), ":-9223372036854775808\r\n"),
        same(|reply| reply.integer(i64::MAX), ":9223372036854775807\r\n"),
        same(|reply| reply.boolean_as_integer(true), ":1\r\n"),
        same(|reply| reply.boolean_as_integer(false), ":0\r\n"),
        same(|reply| reply.bulk(b""), "$0\r\n\r\n"),
        same(|reply| reply.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n"),
        same(|reply| reply.bulk(b"twelve bytes"), "$12\r\ntwelve bytes\r\n"),
        same(|reply| reply.bulk_integer(-12), "$3\r\n-12\r\n"),
        same(|reply| reply.array(0), "*0\r\n"),
        same(|reply| reply.array(1_000), "*1000\r\n"),
        (|reply| reply.null(), "$-1\r\n", "_\r\n"),
        (|reply| reply.null_array(), "*-1\r\n", "_\r\n"),
        (|reply| reply.map(3), "*6\r\n", "%3\r\n"),
        (|reply| reply.set(3), "*3\r\n", "~3\r\n"),
        (|reply| reply.push(3), "*3\r\n", ">3\r\n"),
        (|reply| reply.boolean(true), ":1\r\n", "#t\r\n"),
        (|reply| reply.boolean(false), ":0\r\n", "#f\r\n"),
        (|reply| reply.double(0.5), "$3\r\n0.5\r\n", ",0.5\r\n"),
        (|reply| reply.double(-3.0), "$2\r\n-3\r\n", ",-3\r\n"),
        (|reply| reply.double(0.1 + 0.2), "$19\r\n0.30000000000000004\r\n", ",0.30000000000000004\r\n"),
        (|reply| reply.double(1e20), "$4\r\n1e20\r\n", ",1e20\r\n"),
        (|reply| reply.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n"),
        (|reply| reply.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n"),
        (|reply| reply.double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n"),
        (|reply| reply.verbatim("txt", b"some text"), "$9\r\nsome text\r\n", "=13\r\ntxt:some text\r\n"),
        (|reply| reply.verbatim("markdown", b"x"), "$1\r\nx\r\n", "=5\r\ntxt:x\r\n"),
    ];
    for (write, resp2, resp3) in table {
        assert_eq!(written(Protocol::Resp2, write), resp2);
        assert_eq!(written(Protocol::Resp3, write), resp3);
    }
}

#[test]
fn half_written_reply_can_be_undone() {
    let mut out = b"+OK\r\n".to_vec();
    let mut reply = ReplyWriter::new(&mut out, Protocol::Resp3);
    assert_eq!(reply.protocol(), Protocol::Resp3);
    let position = reply.position();
    reply.array(3);
    reply.bulk(b"first");
    reply.truncate(position);
    reply.error("ERR changed my mind");
    assert_eq!(out, b"+OK\r\n-ERR changed my mind\r\n");
}

fn read_one(bytes: &[u8]) -> Result<Option<Value>, ReplyError> {
    let mut reader = ReplyReader::default();
    reader.feed(bytes);
    reader.next_reply()
}

#[test]
fn every_type_is_read() {
    let bulk = Value::bulk;
    let table: Vec<(&[u8], Value)> = vec![
        (b"+OK\r\n", Value::Simple("OK".into())),
        (b"-ERR x\r\n", Value::Error("ERR x".into())),
        (b"!5\r\nERR\r\n\r\n", Value::Error("ERR\r\n".into())),
        (b":-42\r\n", Value::Integer(-42)),
        (b"$4\r\na\r\nb\r\n", bulk("a\r\nb")),
        (b"$-1\r\n", Value::Null),
        (b"*-1\r\n", Value::Null),
        (b"_\r\n", Value::Null),
        (b"#t\r\n", Value::Boolean(true)),
        (b",0.25\r\n", Value::Double(0.25)),
        (b",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
        (b"(-12345678901234567890\r\n", Value::BigNumber("-12345678901234567890".into())),
        (b"=5\r\ntxt:x\r\n", Value::Verbatim { format: "txt".into(), text: "x".into() }),
        (b"*0\r\n", Value::Array(vec![])),
        (
            b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
            Value::Array(vec![Value::Array(vec![Value::Integer(1)]), bulk("x")]),
        ),
        (b"%1\r\n$1\r\na\r\n~1\r\n_\r\n", Value::Map(vec![(bulk("a"), Value::Set(vec![Value::Null]))])),
        (b">1\r\n+x\r\n", Value::Push(vec![Value::Simple("x".into())])),
        (b"|1\r\n+ttl\r\n:1\r\n*1\r\n|0\r\n:2\r\n", Value::Array(vec![Value::Integer(2)])),
    ];
    for (bytes, expected) in table {
        assert_eq!(read_one(bytes), Ok(Some(expected.clone())), "{}", bytes.escape_ascii());
        let mut reader = ReplyReader::default();
        for (index, &byte) in bytes.iter().enumerate() {
            assert_eq!(reader.next_reply(), Ok(None), "{} at {index}", bytes.escape_ascii());
            reader.feed(&[byte]);
        }
        assert_eq!(reader.next_reply(), Ok(Some(expected)));
        assert!(reader.is_empty());
    }
}

#[test]
fn what_is_no_reply_is_refused() {
    let table: &[(&[u8], ReplyError)] = &[
        (b"PONG\r\n", ReplyError::UnknownType(b'P')),
        (b"\r\n", ReplyError::MalformedLine),
        (b"+OK\n", ReplyError::MalformedLine),
        (b":one\r\n", ReplyError::MalformedLine),
        (b"$-2\r\n", ReplyError::MalformedLine),
        (b"*?\r\n", ReplyError::MalformedLine),
        (b"#x\r\n", ReplyError::MalformedLine),
        (b",x\r\n", ReplyError::MalformedLine),
        (b"(1x\r\n", ReplyError::MalformedLine),
        (b"=1\r\nx\r\n", ReplyError::MalformedLine),
        (b"$1\r\nabc", ReplyError::MissingLineEnd),
        (b"*9223372036854775807\r\n", ReplyError::TooBig),
        (b"%9223372036854775807\r\n", ReplyError::TooBig),
        (b"$9223372036854775807\r\n", ReplyError::TooBig),
    ];
    for (bytes, error) in table {
        assert_eq!(read_one(bytes), Err(*error), "{}", bytes.escape_ascii());
    }
}

#[test]
fn replies_are_read_up_to_their_limits() {
    let limits = ReplyLimits { depth_max: 2, reply_bytes_max: 20 };
    let read = |bytes: &[u8]| {
        let mut reader = ReplyReader::new(limits);
        reader.feed(bytes);
        reader.next_reply()
    };
    assert!(read(b"*1\r\n*1\r\n*0\r\n").unwrap().is_some());
    assert_eq!(read(b"*1\r\n*1\r\n*1\r\n"), Err(ReplyError::TooDeep));
    assert_eq!(
        read(b"+89012345678901234\r\n+89012345678901234\r\n"),
        Ok(Some(Value::Simple("89012345678901234".into())))
    );
    assert_eq!(read(b"+890123456789012345\r\n"), Err(ReplyError::TooBig));
    assert_eq!(read(b"+89012345678901234567"), Err(ReplyError::TooBig));
    assert_eq!(read(b"*1\r\n$16\r\n"), Err(ReplyError::TooBig));
    assert_eq!(read(b"*2\r\n$4\r\nabcd\r\n:3333\r\n"), Err(ReplyError::TooBig));
}

#[test]
fn bytes_are_counted_anew_for_every_reply() {
    let mut reader = ReplyReader::new(ReplyLimits { depth_max: 1, reply_bytes_max: 5 });
    for _ in 0..3 {
        reader.feed(b"+OK\r\n");
        assert_eq!(reader.next_reply(), Ok(Some(Value::Simple("OK".into()))));
    }
}

#[test]
fn replies_look_as_in_redis_cli() {
    let table: &[(&str, &str)] = &[
        ("+OK\r\n", "OK"),
        ("-ERR unknown command\r\n", "(error) ERR unknown command"),
        (":1\r\n", "(integer) 1"),
        ("$5\r\nhello\r\n", "\"hello\""),
        ("$10\r\n\\\"\n\r\t\x07\x08\x01\u{e9}\r\n", r#""\\\"\n\r\t\a\b\x01\xc3\xa9""#),
        ("_\r\n", "(nil)"),
        ("*0\r\n", "(empty array)"),
        ("%0\r\n", "(empty hash)"),
        ("~0\r\n", "(empty set)"),
        (",1.5\r\n", "(double) 1.5"),
        ("#t\r\n", "(true)"),
        ("=7\r\ntxt:a\nb\r\n", "a\nb"),
        ("*2\r\n$1\r\na\r\n$1\r\nb\r\n", "1) \"a\"\n2) \"b\""),
        ("*2\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n_\r\n", "1) \"a\"\n2) 1) \"b\"\n   2) (nil)"),
        ("%1\r\n$1\r\na\r\n$1\r\nb\r\n", "1# \"a\" => \"b\""),
        (
            "%2\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n$1\r\nb\r\n*1\r\n:3\r\n",
            "1# \"a\" => \n   1) (integer) 1\n   2) (integer) 2\n2# \"b\" => 1) (integer) 3",
        ),
        ("~2\r\n:1\r\n:2\r\n", "1~ (integer) 1\n2~ (integer) 2"),
        (">2\r\n$1\r\na\r\n:2\r\n", "1) \"a\"\n2) (integer) 2"),
        (
            "*10\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n*2\r\n:1\r\n:2\r\n",
            " 1) (integer) 0\n 2) (integer) 0\n 3) (integer) 0\n 4) (integer) 0\n 5) (integer) 0\n 6) (integer) 0\n 7) (integer) 0\n 8) (integer) 0\n 9) (integer) 0\n10) 1) (integer) 1\n    2) (integer) 2",
        ),
    ];
    for (bytes, shown) in table {
        assert_eq!(read_one(bytes.as_bytes()).unwrap().unwrap().to_string(), *shown, "{bytes:?}");
    }
}

/// Writes a value with the writer; in RESP3 the reader must give back the same value.
fn write_value(reply: &mut ReplyWriter<'_>, value: &Value) {
    match value {
        Value::Simple(text) => reply.simple(text),
        Value::Error(text) => reply.error(text),
        Value::Integer(value) => reply.integer(*value),
        Value::Bulk(bytes) => reply.bulk(bytes),
        Value::Null | Value::BigNumber(_) => reply.null(),
        Value::Array(items) => {
            reply.array(items.len());
            items.iter().for_each(|item| write_value(reply, item));
        }
        Value::Set(items) => {
            reply.set(items.len());
            items.iter().for_each(|item| write_value(reply, item));
        }
        Value::Push(items) => {
            reply.push(items.len());
            items.iter().for_each(|item| write_value(reply, item));
        }
        Value::Map(pairs) => {
            reply.map(pairs.len());
            for (key, value) in pairs {
                write_value(reply, key);
                write_value(reply, value);
            }
        }
        Value::Double(value) => reply.double(*value),
        Value::Boolean(value) => reply.boolean(*value),
        Value::Verbatim { format, text } => reply.verbatim(format, text),
    }
}

/// The value a client of RESP2 sees instead.
fn flattened(value: Value) -> Value {
    let flat = |items: Vec<Value>| Value::Array(items.into_iter().map(flattened).collect());
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => flat(items),
        Value::Map(pairs) => flat(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
        Value::Boolean(value) => Value::Integer(value.into()),
        Value::Verbatim { text, .. } => Value::Bulk(text),
        Value::Double(value) => {
            let mut out = Vec::new();
            ReplyWriter::new(&mut out, Protocol::Resp2).double(value);
            read_one(&out).unwrap().unwrap()
        }
        other => other,
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let scalar = prop_oneof![
        "[ -~]{0,20}".prop_map(Value::Simple),
        "ERR [ -~]{0,20}".prop_map(Value::Error),
        any::<i64>().prop_map(Value::Integer),
        bytes().prop_map(Value::bulk),
        Just(Value::Null),
        any::<f64>().prop_filter("not equal to itself", |value| !value.is_nan()).prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        bytes().prop_map(|text| Value::Verbatim { format: "mkd".into(), text: text.into() }),
    ];
    scalar.prop_recursive(4, 32, 5, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..5);
        prop_oneof![
            items.clone().prop_map(Value::Array),
            items.clone().prop_map(Value::Set),
            items.prop_map(Value::Push),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(values in prop::collection::vec(any_value(), 0..5), piece in 1usize..40) {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut out = Vec::new();
            let mut reply = ReplyWriter::new(&mut out, protocol);
            values.iter().for_each(|value| write_value(&mut reply, value));
            let mut reader = ReplyReader::default();
            let mut read = Vec::new();
            for bytes in out.chunks(piece) {
                reader.feed(bytes);
                while let Some(value) = reader.next_reply().unwrap() {
                    read.push(value);
                }
            }
            prop_assert!(reader.is_empty());
            let expected: Vec<Value> = match protocol {
                Protocol::Resp2 => values.iter().cloned().map(flattened).collect(),
                Protocol::Resp3 => values.clone(),
            };
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn arbitrary_replies_never_panic(bytes in prop::collection::vec(prop_oneof![
        any::<u8>(), prop::sample::select(b"*$%~>|+-:,#_(=!\r\n0123".to_vec()),
    ], 0..200)) {
        let mut reader = ReplyReader::default();
        reader.feed(&bytes);
        while let Ok(Some(value)) = reader.next_reply() {
            let _ = value.to_string();
        }
    }
}
