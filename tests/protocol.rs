//! What the bytes of a client mean: pieces, inline requests, wrong requests. Sizes are in `limits`, depth in
//! `pipelines`.

use mayfly_resp::Value;

use crate::harness::{SHARD_COUNTS, Server, encode, encode_line, eventually};

/// Requests of every form with the number of replies they get.
fn conversation() -> Vec<(Vec<u8>, usize)> {
    let mut long_value = vec![b'x'; 300];
    long_value[17] = b'\r';
    long_value[18] = b'\n';
    vec![
        (b"PING\r\n".to_vec(), 1),
        (encode_line("FLUSHALL"), 1),
        (encode_line("HSETEX h f v 1000"), 1),
        (b"\r\n".to_vec(), 0),
        (b"*0\r\n".to_vec(), 0),
        (b"  hset h \"two words\" 'it\\'s' \n".to_vec(), 1),
        (b"*-1\r\n".to_vec(), 0),
        (encode(&[b"HSET".as_slice(), b"h", b"\r\n$3\r\n", b"\0\xff"]), 1),
        (encode(&[b"HSET".as_slice(), b"long", b"", &long_value]), 1),
        (encode_line("HGETALL h"), 1),
        (encode_line("NONSENSE a b"), 1),
        (encode_line("DEL h long other"), 1),
        (encode_line("HGET long"), 1),
        (b"ECHO \"\\x41\\n\"\r\n".to_vec(), 1),
    ]
}

fn conversation_bytes() -> Vec<u8> {
    conversation().into_iter().flat_map(|(bytes, _)| bytes).collect()
}

#[test]
fn a_conversation_cut_at_any_byte_gets_the_same_replies() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let bytes = conversation_bytes();
        let count = conversation().iter().map(|(_, replies)| replies).sum();
        let whole = server.connect().pipeline(&bytes, count);
        for cut in 1..bytes.len() {
            let mut client = server.connect();
            client.send(&bytes[..cut]);
            // The replies that are due say that the server has seen the first piece; then comes the second.
            let mut replies: Vec<Value> = (0..replies_due(cut)).map(|_| client.receive()).collect();
            client.send(&bytes[cut..]);
            replies.extend((replies.len()..count).map(|_| client.receive()));
            assert_eq!(replies, whole, "cut behind byte {cut}");
        }
    }
}

/// Replies to the requests that lie within the first `length` bytes.
fn replies_due(length: usize) -> usize {
    let mut end = 0;
    let mut within = |(bytes, _): &(Vec<u8>, usize)| {
        end += bytes.len();
        end <= length
    };
    conversation().iter().take_while(|request| within(request)).map(|(_, replies)| replies).sum()
}

#[test]
fn a_conversation_byte_by_byte_gets_the_same_replies() {
    let server = Server::start(4);
    let bytes = conversation_bytes();
    let count = conversation().iter().map(|(_, replies)| replies).sum();
    let whole = server.connect().pipeline(&bytes, count);
    let mut client = server.connect();
    for byte in &bytes {
        client.send(&[*byte]);
    }
    let replies: Vec<Value> = (0..count).map(|_| client.receive()).collect();
    assert_eq!(replies, whole);
}

#[test]
fn inline_requests_are_words_with_quotes() {
    let server = Server::start(1);
    let mut client = server.connect();
    let cases = [
        ("PING\r\n", "PONG"),
        ("ping\n", "PONG"),
        ("  ECHO\t hello \r\n", "\"hello\""),
        ("ECHO \"a b\\x21\"\r\n", "\"a b!\""),
        ("ECHO 'a \"b'\r\n", "\"a \\\"b\""),
        ("ECHO \"\"\r\n", "\"\""),
        ("HSETEX h f v 60\r\n", "(integer) 1"),
        ("HGET h f\r\n", "\"v\""),
    ];
    for (line, shown) in cases {
        client.send(line.as_bytes());
        assert_eq!(client.receive().to_string(), shown, "{line:?}");
    }
}

#[test]
fn a_request_that_is_none_is_answered_and_ends_the_connection() {
    let long = |prefix: &str| format!("{prefix}{}", "1".repeat(70_000));
    let cases = [
        ("*1\r\nPING\r\n".into(), "expected '$', got 'P'"),
        ("*1\r\n:4\r\nPING\r\n".into(), "expected '$', got ':'"),
        ("*2\r\n$4\r\nPING\r\n\x01".into(), "expected '$', got '\\x01'"),
        ("*x\r\n".into(), "invalid multibulk length"),
        ("*1x\r\n".into(), "invalid multibulk length"),
        ("*1048577\r\n".into(), "invalid multibulk length"),
        ("*9223372036854775808\r\n".into(), "invalid multibulk length"),
        ("*1\r\n$x\r\n".into(), "invalid bulk length"),
        ("*1\r\n$\r\n".into(), "invalid bulk length"),
        ("*1\r\n$-1\r\n".into(), "invalid bulk length"),
        ("*1\r\n$536870913\r\n".into(), "invalid bulk length"),
        ("*2\r\n$4\r\nECHO\r\n$99999999999999999999\r\n".into(), "invalid bulk length"),
        ("ECHO \"a\r\n".into(), "unbalanced quotes in request"),
        ("ECHO 'a'b\r\n".into(), "unbalanced quotes in request"),
        (long("ECHO "), "too big inline request"),
        (long("*"), "too big mbulk count string"),
        (long("*1\r\n$"), "too big bulk count string"),
    ];
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        for (wrong, text) in &cases {
            let mut client = server.connect();
            let before =
                ["PING", "HSET before f v", "HSET other f v", "DEL before other"].map(encode_line).concat();
            let after = encode_line("HSET after f v");
            client.send_to_deaf_ears(&[&before, wrong.as_bytes(), &after].concat());
            let shown: Vec<_> = client.receive_all().iter().map(ToString::to_string).collect();
            let error = format!("(error) ERR Protocol error: {text}");
            assert_eq!(shown, ["PONG", "(integer) 1", "(integer) 1", "(integer) 2", &error], "{wrong:.40?}");
        }
        server.connect().replay(&[("EXISTS after", "(integer) 0")]);
        assert_eq!(server.scrape().sum("mayfly_protocol_errors_total"), cases.len() as f64);
    }
}

#[test]
fn a_wrong_command_is_answered_and_the_connection_lives() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        server.connect().replay(&[
            ("FOO bar baz", "(error) ERR unknown command 'FOO', with args beginning with: 'bar' 'baz' "),
            ("FOO", "(error) ERR unknown command 'FOO', with args beginning with: "),
            ("CLIENT NONSENSE", "(error) ERR unknown subcommand 'NONSENSE'. Try CLIENT HELP."),
            ("HSET", "(error) ERR wrong number of arguments for 'hset' command"),
            ("HSET k f", "(error) ERR wrong number of arguments for 'hset' command"),
            ("HSETEX k f v", "(error) ERR wrong number of arguments for 'hsetex' command"),
            ("HSETEX k f v 0", "(error) ERR invalid expire time in 'hsetex' command"),
            ("HSETEX k f v soon", "(error) ERR value is not an integer or out of range"),
            ("HSET k f notanumber", "(integer) 1"),
            ("HINCRBY k f 1", "(error) ERR hash value is not an integer"),
            ("GET k", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("GET nothing", "(nil)"),
            ("RENAME nothing k", "(error) ERR no such key"),
            ("SELECT 16", "(error) ERR DB index is out of range"),
            ("HELLO 9", "(error) NOPROTO unsupported protocol version"),
            ("HGET k f", "\"notanumber\""),
            ("DBSIZE", "(integer) 1"),
        ]);
    }
}

#[test]
fn an_error_in_a_pipeline_takes_its_place_among_the_replies() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let lines = ["HSET a f 1", "NONSENSE", "HINCRBY a f x", "HINCRBY a f 1", "HSET", "HGET a f"];
        let replies = server.connect().pipeline(&lines.map(encode_line).concat(), lines.len());
        let shown: Vec<_> = replies.iter().map(ToString::to_string).collect();
        let expected = [
            "(integer) 1",
            "(error) ERR unknown command 'NONSENSE', with args beginning with: ",
            "(error) ERR value is not an integer or out of range",
            "(integer) 2",
            "(error) ERR wrong number of arguments for 'hset' command",
            "\"2\"",
        ];
        assert_eq!(shown, expected);
    }
}

#[test]
fn resp3_is_spoken_once_it_is_asked_for() {
    let server = Server::start(4);
    let mut client = server.connect();
    client.replay(&[
        ("HSET h f v", "(integer) 1"),
        ("HGETALL h", "1) \"f\"\n2) \"v\""),
        ("HELLO 3", "*"),
        ("HGETALL h", "1# \"f\" => \"v\""),
        ("HELLO 2", "*"),
        ("HGETALL h", "1) \"f\"\n2) \"v\""),
    ]);
    client.send(&encode_line("HELLO 3"));
    let Value::Map(facts) = client.receive() else { panic!("HELLO 3 answers a map") };
    let fact = |name: &str| facts.iter().find(|(key, _)| *key == Value::bulk(name)).map(|(_, value)| value);
    assert_eq!(fact("proto"), Some(&Value::Integer(3)));
    client.send(&encode_line("HGET h nothing"));
    client.send(&encode_line("ECHO x"));
    assert_eq!((client.receive(), client.receive()), (Value::Null, Value::bulk("x")));
}

#[test]
fn quit_is_answered_and_nothing_behind_it() {
    for shards in SHARD_COUNTS {
        let server = Server::start(shards);
        let mut client = server.connect();
        client.send(&["HSET a f v", "HSET b f v", "QUIT", "HSET late f v"].map(encode_line).concat());
        let shown: Vec<_> = client.receive_all().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["(integer) 1", "(integer) 1", "OK"]);
        eventually("the server forgets the client", || {
            (server.scrape().sum("mayfly_connections") == 0.0).then_some(())
        });
        server.connect().replay(&[("EXISTS a b late", "(integer) 2")]);
    }
}
