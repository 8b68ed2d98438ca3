//! Users: what each may do, what it is told otherwise, and how they come and go while clients are connected.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::harness::{Client, Launch, SHARD_COUNTS, Server, encode_line, eventually, temporary_file};

const WRONG: &str = "(error) WRONGPASS invalid username-password pair or user is disabled.";
const NO_KEY: &str = "(error) NOPERM No permissions to access a key";
const NO_CHANNEL: &str = "(error) NOPERM No permissions to access a channel";

/// What `alice` is told about a command.
fn no_command(name: &str) -> String {
    format!("(error) NOPERM User alice has no permissions to run the '{name}' command")
}

/// A server with a user `alice`, and an operator's connection.
fn with_alice(shards: usize, rules: &str) -> (Server, Client) {
    let server = Server::start(shards);
    let mut operator = server.connect();
    operator.replay(&[(&format!("ACL SETUSER alice on >secret {rules}"), "OK")]);
    (server, operator)
}

/// A client that has logged in as `alice`, in RESP2 or RESP3.
fn alice(server: &Server, protocol: u8) -> Client {
    let mut client = server.connect();
    client.replay(&[(&format!("HELLO {protocol} AUTH alice secret"), "*"), ("ACL WHOAMI", "\"alice\"")]);
    client
}

#[test]
fn a_user_is_refused_what_it_may_not_do_in_both_protocols() {
    for shards in SHARD_COUNTS {
        let rules = "~mine:* %R~read:* %W~write:* &news:* +@hash -hdel +rename +del +exists +copy +publish +subscribe \
                     +psubscribe +punsubscribe +acl|whoami +select|0";
        let (server, mut operator) = with_alice(shards, rules);
        operator.replay(&[("HSET read:1 f v", "(integer) 1"), ("HSET others f v", "(integer) 1")]);
        for protocol in [2, 3] {
            let mut client = alice(&server, protocol);
            client.replay(&[
                ("HSET mine:1 f v", "*"),
                ("HGET mine:1 f", "\"v\""),
                ("HGET others f", NO_KEY),
                ("HSET others f v", NO_KEY),
                ("HDEL mine:1 f", &no_command("hdel")),
                ("CONFIG GET port", &no_command("config|get")),
                ("KEYS *", &no_command("keys")),
                ("hget read:1 f", "\"v\""),
                ("HSET read:1 f v", NO_KEY),
                ("HSET write:1 f v", "*"),
                ("HGET write:1 f", NO_KEY),
                ("DEL mine:1 others", NO_KEY),
                ("EXISTS mine:1 read:1 write:1", "(integer) 3"),
                ("RENAME read:1 mine:2", NO_KEY),
                ("COPY read:1 write:2", "(integer) 1"),
                ("COPY write:2 mine:3", NO_KEY),
                ("DEL write:2", "(integer) 1"),
                ("SELECT 0", "OK"),
                ("SELECT 1", &no_command("select")),
                ("PUBLISH news:art x", "(integer) 0"),
                ("PUBLISH weather x", NO_CHANNEL),
                ("SUBSCRIBE news:a weather", NO_CHANNEL),
                ("PSUBSCRIBE news:?", NO_CHANNEL),
                ("PSUBSCRIBE news:*", "*"),
                ("PUNSUBSCRIBE", "*"),
            ]);
        }
        operator.replay(&[("HGET others f", "\"v\""), ("DEL others read:1", "(integer) 2")]);
    }
}

#[test]
fn what_is_denied_aborts_a_transaction_and_what_was_taken_away_meanwhile_is_refused_in_it() {
    for (shards, protocol) in [(1, 2), (4, 3)] {
        let (server, mut operator) = with_alice(shards, "~* +@hash +@transaction");
        let mut client = alice_without_whoami(&server, protocol);
        client.replay(&[
            ("MULTI", "OK"),
            ("HSET h f v", "QUEUED"),
            ("DEL h", &no_command("del")),
            ("EXEC", "(error) EXECABORT Transaction discarded because of previous errors."),
            ("HGET h f", "(nil)"),
            ("MULTI", "OK"),
            ("HSET h f v", "QUEUED"),
            ("HGET h f", "QUEUED"),
            ("HLEN other", "QUEUED"),
        ]);
        operator.replay(&[("ACL SETUSER alice -hget resetkeys ~h", "OK")]);
        let changed = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. \
                       This command is no longer allowed for the following reason:";
        client.replay(&[(
            "EXEC",
            &format!(
                "1) (integer) 1\n2) (error) {changed} no permission to execute the command or subcommand\n3) (error) \
                 {changed} no permission to touch the specified keys"
            ),
        )]);
        let log = operator.run("ACL LOG 1").to_string();
        assert!(log.contains("\"multi\"") && log.contains("\"other\""), "{log}");
        operator.replay(&[("ACL SETUSER alice -exec", "OK")]);
        client.replay(&[
            ("MULTI", "OK"),
            ("HSET h f w", "QUEUED"),
            (
                "EXEC",
                "(error) EXECABORT Transaction discarded because of: NOPERM User alice has no permissions to run the \
                 'exec' command",
            ),
        ]);
        operator.replay(&[("HGET h f", "\"v\"")]);
    }
}

fn alice_without_whoami(server: &Server, protocol: u8) -> Client {
    let mut client = server.connect();
    client.replay(&[(&format!("HELLO {protocol} AUTH alice secret"), "*")]);
    client
}

#[test]
fn a_change_holds_for_the_next_request_of_clients_that_are_connected() {
    for shards in SHARD_COUNTS {
        let (server, mut operator) = with_alice(shards, "~a:* +hset +hget +acl|whoami");
        let mut clients: Vec<_> = (0..4).map(|_| alice(&server, 2)).collect();
        for round in 0..20 {
            let (rules, reply) = match round % 2 {
                0 => ("resetkeys ~b:*", NO_KEY),
                _ => ("resetkeys ~a:*", "(nil)"),
            };
            operator.replay(&[(&format!("ACL SETUSER alice {rules}"), "OK")]);
            for client in &mut clients {
                client.replay(&[("HGET a:1 f", reply)]);
            }
        }
        // Also behind it in one pipeline, and in a transaction.
        operator.replay(&[("ACL SETUSER alice +acl|setuser +@transaction", "OK")]);
        let mut pipeline = encode_line("HGET a:1 f");
        pipeline.extend(encode_line("ACL SETUSER alice -hget"));
        pipeline.extend(encode_line("HGET a:1 f"));
        let replies = clients[0].pipeline(&pipeline, 3).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(replies, ["(nil)", "OK", &no_command("hget")]);
        clients[1].replay(&[
            ("MULTI", "OK"),
            ("ACL SETUSER alice -hset", "QUEUED"),
            ("HSET a:1 f v", "QUEUED"),
            ("EXEC", "*"),
        ]);
        operator.replay(&[("HGET a:1 f", "(nil)")]);
    }
}

#[test]
fn clients_of_a_user_that_is_removed_are_disconnected() {
    for shards in SHARD_COUNTS {
        let (server, mut operator) = with_alice(shards, "~* +@all &*");
        let (mut idle, mut listening, mut own) = (alice(&server, 2), alice(&server, 3), alice(&server, 2));
        listening.run("SUBSCRIBE news");
        operator.replay(&[("ACL DELUSER alice nobody", "(integer) 1"), ("ACL USERS", "1) \"default\"")]);
        idle.expect_closed();
        listening.expect_closed();
        own.expect_closed();
        // Another of the same name is another user; who removes itself reads the reply.
        operator.replay(&[("ACL SETUSER alice on >secret ~* +@all", "OK")]);
        let mut own = alice(&server, 2);
        own.replay(&[("ACL DELUSER alice", "(integer) 1")]);
        own.expect_closed();
        operator.replay(&[("AUTH alice secret", WRONG), ("PING", "PONG")]);
    }
}

#[test]
fn subscribers_that_lose_a_channel_are_disconnected_and_others_are_not() {
    for shards in SHARD_COUNTS {
        let (server, mut operator) = with_alice(shards, "&a:* &b:* +@all ~*");
        let listener = |line: &str| {
            let mut client = alice(&server, 2);
            client.run(line);
            client
        };
        let (mut on_a, mut on_b) = (listener("SUBSCRIBE a:1"), listener("SSUBSCRIBE b:1"));
        let mut by_pattern = listener("PSUBSCRIBE b:*");
        operator.replay(&[("ACL SETUSER alice -get &c:*", "OK"), ("PUBLISH a:1 x", "(integer) 1")]);
        assert!(on_a.receive().to_string().ends_with("\"x\""));
        operator.replay(&[("ACL SETUSER alice resetchannels &a:*", "OK")]);
        on_b.expect_closed();
        by_pattern.expect_closed();
        operator.replay(&[("PUBLISH a:1 y", "(integer) 1")]);
        assert!(on_a.receive().to_string().ends_with("\"y\""));
        operator.replay(&[
            ("ACL SETUSER alice allchannels", "OK"),
            ("ACL SETUSER alice resetchannels &a:1", "OK"),
        ]);
        operator.replay(&[("PUBLISH a:1 z", "(integer) 1")]);
        assert!(on_a.receive().to_string().ends_with("\"z\""));
    }
}

#[test]
fn logging_in_by_name_and_password() {
    let (server, mut operator) = with_alice(2, ">other ~* +@all");
    let mut client = server.connect();
    client.replay(&[
        ("AUTH alice wrong", WRONG),
        ("AUTH nobody secret", WRONG),
        ("HELLO 3 AUTH alice wrong", WRONG),
        ("ACL WHOAMI", "\"default\""),
        ("AUTH alice other", "OK"),
        ("AUTH default anything", "OK"),
        ("AUTH alice secret", "OK"),
    ]);
    let line = client.run("CLIENT INFO").to_string();
    assert!(line.contains(" user=alice "), "{line}");
    operator.replay(&[
        ("ACL SETUSER alice <secret off", "OK"),
        ("AUTH alice other", WRONG),
        ("AUTH alice secret", WRONG),
    ]);
    // Who is in stays in, as in Redis.
    client.replay(&[("PING", "PONG"), ("RESET", "RESET"), ("ACL WHOAMI", "\"default\"")]);
    operator.replay(&[
        ("ACL SETUSER alice on", "OK"),
        ("AUTH alice secret", WRONG),
        ("CLIENT KILL USER nobody", "(error) ERR No such user 'nobody'"),
    ]);
    let mut killed = server.connect();
    killed.replay(&[("AUTH alice other", "OK")]);
    operator.replay(&[("CLIENT KILL USER alice", "(integer) 1")]);
    killed.expect_closed();
}

#[test]
fn the_password_of_the_config_is_that_of_the_default_user() {
    let server = Launch::with_shards(1).set("server.password", "sesame").start();
    let mut client = server.connect();
    client.replay(&[
        ("AUTH default sesame", "OK"),
        ("CONFIG SET requirepass other", "OK"),
        ("AUTH sesame", WRONG),
        ("AUTH other", "OK"),
        ("ACL SETUSER default >third", "OK"),
        ("AUTH third", "OK"),
        ("AUTH other", "OK"),
        ("CONFIG SET requirepass \"\"", "OK"),
    ]);
    client.call(&["CONFIG", "SET", "requirepass", ""]);
    server.connect().replay(&[("PING", "PONG")]);
}

fn stats(client: &mut Client) -> String {
    let reply = client.run("INFO stats");
    String::from_utf8_lossy(reply.as_bytes().expect("a text")).into_owned()
}

#[test]
fn what_was_denied_is_logged_and_counted() {
    let (server, mut operator) = with_alice(2, "~mine &news +hget +publish +acl|whoami");
    let mut client = alice(&server, 2);
    client.replay(&[
        ("HGET others f", NO_KEY),
        ("HGET others f", NO_KEY),
        ("HLEN mine", &no_command("hlen")),
        ("PUBLISH weather x", NO_CHANNEL),
        ("AUTH alice wrong", WRONG),
    ]);
    let log = operator.run("ACL LOG").to_string();
    let entries: Vec<_> = log.split("\"count\"").skip(1).collect();
    assert_eq!(entries.len(), 4, "{log}");
    for (entry, parts) in entries.iter().zip([
        ["(integer) 1", "\"auth\"", "\"AUTH\"", "\"alice\""],
        ["(integer) 1", "\"channel\"", "\"weather\"", "\"alice\""],
        ["(integer) 1", "\"command\"", "\"hlen\"", "\"alice\""],
        ["(integer) 2", "\"key\"", "\"others\"", "\"alice\""],
    ]) {
        assert!(parts.iter().all(|part| entry.contains(part)), "{parts:?} in {entry}");
        assert!(entry.contains("\"toplevel\"") && entry.contains("user=alice") && !entry.contains("wrong"));
    }
    let info = stats(&mut operator);
    for line in ["denied_auth:1", "denied_cmd:1", "denied_key:2", "denied_channel:1"] {
        assert!(info.contains(&format!("acl_access_{line}\r\n")), "{line} in {info}");
    }
    let scrape = server.scrape();
    for (name, count) in [("logins", 1.0), ("commands", 1.0), ("keys", 2.0), ("channels", 1.0)] {
        assert_eq!(scrape.sum(&format!("mayfly_denied_{name}_total")), count, "{name}");
    }
    operator.replay(&[
        ("CONFIG SET acllog-max-len 1", "OK"),
        ("CONFIG RESETSTAT", "OK"),
        ("ACL LOG RESET", "OK"),
        ("ACL LOG", "(empty array)"),
    ]);
    client.replay(&[("HGET a f", NO_KEY), ("HGET b f", NO_KEY)]);
    let log = operator.run("ACL LOG").to_string();
    assert!(log.contains("\"b\"") && !log.contains("\"a\""), "{log}");
    let info = stats(&mut operator);
    assert!(info.contains("acl_access_denied_auth:0\r\n") && info.contains("acl_access_denied_key:2\r\n"));
}

#[test]
fn users_of_the_config_file_are_there_from_the_start_and_written_back() {
    let launch = Launch::with_shards(1).file(
        "# ours\n[access]\nusers = [\n  \"alice on >secret ~session:* +@hash\",\n  \"default off nopass\",\n  \
         \"root on >master ~* &* +@all\",\n]\n",
    );
    let path = launch.file_path();
    let server = launch.start();
    let mut client = server.connect();
    client.replay(&[
        ("PING", "(error) NOAUTH Authentication required."),
        ("AUTH alice secret", "OK"),
        ("HSET session:1 f v", "(integer) 1"),
        ("HSET other f v", NO_KEY),
        ("AUTH root master", "OK"),
        ("ACL LOAD", "*"),
    ]);
    let shown = client.run("CONFIG GET *").to_string();
    assert!(!shown.contains("secret") && !shown.contains("master"), "{shown}");
    client.replay(&[("ACL SETUSER bob on nopass +ping", "OK"), ("ACL DELUSER alice", "(integer) 1")]);
    client.replay(&[("CONFIG REWRITE", "OK")]);
    let text = fs::read_to_string(&path).expect("the file is there");
    assert!(
        text.starts_with("# ours\n") && text.contains("bob on nopass") && !text.contains("alice"),
        "{text}"
    );
    let again = Launch::with_shards(1).file(&text).start();
    again.connect().replay(&[
        ("AUTH bob x", "OK"),
        ("PING", "PONG"),
        ("AUTH alice secret", WRONG),
        ("AUTH root master", "OK"),
    ]);
}

#[test]
fn the_acl_file_is_loaded_all_or_nothing_and_saved() {
    let path = temporary_file("user alice on >secret ~* +@all\n\nuser root on >master ~* &* +@all\n");
    let server = Launch::with_shards(2).set("access.file", path.display()).start();
    let mut root = server.connect();
    root.replay(&[
        ("AUTH root master", "OK"),
        ("CONFIG GET aclfile", &format!("1) \"aclfile\"\n2) \"{}\"", path.display())),
    ]);
    let mut client = alice(&server, 2);
    fs::write(&path, "user alice on >secret +nothing\nuser bob >hunter2 ~x ~* ~y\nalice\n")
        .expect("it can be written");
    let problem = root.run("ACL LOAD").to_string();
    let place = path.display();
    assert_eq!(
        problem,
        format!(
            "(error) ERR {place}:1: Error in applying operation '+nothing': Unknown command or category name in ACL. \
             {place}:2: Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have \
             any effect. Try 'resetkeys' to start with an empty list of patterns. {place}:3: should start with user \
             keyword followed by the username. WARNING: ACL errors detected, no change to the previously active ACL \
             rules was performed"
        )
    );
    client.replay(&[("PING", "PONG")]);
    assert!(!server.log().contains("hunter2"), "{}", server.log());
    fs::write(&path, "user root on >master ~* &* +@all\nuser bob on nopass +ping\n")
        .expect("it can be written");
    root.replay(&[("ACL LOAD", "OK"), ("ACL WHOAMI", "\"root\""), ("ACL SETUSER carol +hget", "OK")]);
    client.expect_closed();
    root.replay(&[("ACL SAVE", "OK")]);
    let text = fs::read_to_string(&path).expect("it is there");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "user bob on nopass sanitize-payload resetchannels -@all +ping");
    assert_eq!(lines[1], "user carol off sanitize-payload resetchannels -@all +hget");
    assert_eq!(lines[2], "user default on nopass sanitize-payload ~* &* +@all");
    assert!(lines[3].starts_with("user root on sanitize-payload #") && !text.contains("master"), "{text}");
    let again = Launch::with_shards(1).set("access.file", path.display()).start();
    again.connect().replay(&[("AUTH root master", "OK"), ("ACL USERS", "*")]);
    fs::remove_file(&path).expect("it was written above");
    root.replay(&[(
        "ACL LOAD",
        &format!("(error) ERR Error loading ACLs, opening file '{place}': No such file or directory"),
    )]);
}

#[test]
fn mistakes_in_users_stop_the_start_with_their_place() {
    let path = temporary_file("user alice on\nuser alice off\n");
    let place = path.display().to_string();
    let file = |text: &str| Launch::bare().file(text);
    let users = |list: &str| format!("[access]\nusers = [{list}]\n");
    let acl_file = |path: &str| format!("[access]\nfile = \"{path}\"\n");
    let cases = [
        (
            users(r#""a on", "b +nothing""#),
            "2: access.users: user b: Error in applying operation '+nothing': Unknown command or category name in \
             ACL"
            .to_owned(),
        ),
        (
            users(r#""a #123""#),
            "2: access.users: user a: The password hash must be exactly 64 characters and contain only lowercase \
             hexadecimal characters"
                .to_owned(),
        ),
        (
            users(r#""a (+hget""#),
            "2: access.users: user a: Unmatched parenthesis in selector definition".to_owned(),
        ),
        (
            users("\"\""),
            "2: access.users: a user without a name is given; allowed: up to 1024 users with rules of up to 65536 \
             bytes"
                .to_owned(),
        ),
        (acl_file(&place), format!("2: access.file: {place}:2: Duplicate user 'alice' found")),
        (
            acl_file("/nowhere/users.acl"),
            "2: access.file: /nowhere/users.acl cannot be read: No such file or directory (os error 2)".to_owned(),
        ),
        (
            users("\"a\"") + "file = \"x\"\n",
            "3: access.file: users stand in access.users, too; declare them in one of both".to_owned(),
        ),
    ];
    for (text, problem) in cases {
        let launch = file(&text);
        let line = format!("mayfly: {}:{problem}\n", launch.file_path());
        let finished = launch.run();
        assert!(finished.code != 0 && finished.stderr == line, "{finished:?}\nexpected {line}");
        let launch = file(&text);
        let line = format!("mayfly: {}:{problem}\n", launch.file_path());
        let finished = launch.flags(["--check-config"]).run();
        assert_eq!((finished.code, finished.stderr), (1, line));
    }
    fs::remove_file(path).expect("it was written above");
    let good = file("[access]\nusers = [\"a on >x\"]\n").flags(["--check-config"]).run();
    assert_eq!(good.code, 0, "{good:?}");
    let printed = file("[access]\nusers = [\"a on >hunter2\"]\n").flags(["--print-config"]).run();
    assert!(printed.stdout.contains("users = [\"a on #f52fbd32") && !printed.stdout.contains("hunter2"));
}

/// An address of this machine that is not of its loopback interface. Nothing is sent to find it.
fn outer_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect("192.0.2.1:9").expect("this test needs a network interface beside the loopback");
    socket.local_addr().expect("it is bound").ip()
}

#[test]
fn protected_mode_lets_in_only_this_machine_while_there_is_no_password() {
    let server = Launch::with_shards(1).flags(["--bind", "0.0.0.0"]).start();
    let port = server.address.port();
    let outside = SocketAddr::from((outer_address(), port));
    let mut inside = Client::connect(SocketAddr::from(([127, 0, 0, 1], port)));
    let mut denied = Client::connect(outside);
    let line = denied.receive().to_string();
    assert!(line.starts_with("(error) DENIED Redis is running in protected mode because"), "{line}");
    denied.expect_closed();
    inside.replay(&[("PING", "PONG"), ("CONFIG SET protected-mode no", "OK")]);
    Client::connect(outside).replay(&[("PING", "PONG")]);
    inside.replay(&[("CONFIG SET protected-mode yes", "OK"), ("CONFIG SET requirepass sesame", "OK")]);
    Client::connect(outside).replay(&[("AUTH sesame", "OK"), ("PING", "PONG")]);
    assert_eq!(server.scrape().sum("mayfly_connections_rejected_total"), 1.0);
}

#[test]
fn passwords_are_shown_nowhere() {
    let (server, mut operator) = with_alice(2, "~* +@all");
    let mut monitor = server.connect();
    monitor.replay(&[("MONITOR", "OK")]);
    let mut client = server.connect();
    client.replay(&[
        ("AUTH alice hunter2", WRONG),
        ("AUTH alice secret", "OK"),
        ("HELLO 2 AUTH alice secret", "*"),
        ("ACL SETUSER bob >hunter2", "OK"),
        ("CONFIG SET requirepass hunter2", "OK"),
        ("HELLO 2 AUTH default hunter2", "*"),
        ("PING end", "\"end\""),
    ]);
    let mut seen = String::new();
    while !seen.contains("\"end\"") {
        seen.push_str(&monitor.receive().to_string());
    }
    assert!(seen.contains("\"AUTH\" \"(redacted)\" \"(redacted)\""), "{seen}");
    let shown = ["ACL LOG", "ACL LIST", "CLIENT LIST", "CONFIG GET *", "INFO everything"]
        .map(|line| operator.run(line).to_string());
    for text in shown.iter().chain([&seen, &server.log()]) {
        assert!(!text.contains("hunter2") && !text.contains("secret"), "{text}");
    }
    eventually("the server is well", || operator.run("PING").to_string().contains("PONG").then_some(()));
}
