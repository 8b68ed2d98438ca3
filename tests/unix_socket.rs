//! A Unix socket beside the port: who may connect, what is in the way, what is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Client, Launch, SHARD_COUNTS, patience};

fn connect(path: &Path) -> Client<UnixStream> {
    let stream = UnixStream::connect(path).expect("the server accepts");
    stream.set_read_timeout(Some(patience())).expect("a timeout can be set");
    Client::over(stream)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary directory can be written")
}

#[test]
fn clients_of_the_socket_and_of_the_port_share_the_data() {
    for shards in SHARD_COUNTS {
        let folder = folder();
        let path = folder.path().join("mayfly.sock");
        let launch = Launch::with_shards(shards).set("server.unix_socket", path.display());
        let mut server = launch.set("server.unix_socket_permissions", "750").start();
        let mode = fs::metadata(&path).expect("there is a file").permissions().mode();
        assert_eq!(mode & 0o7777, 0o750);

        let (mut local, mut remote) = (connect(&path), server.connect());
        local.replay(&[
            ("HSETEX h f v 60", "(integer) 1"),
            ("CONFIG GET unixsocketperm", "1) \"unixsocketperm\"\n2) \"750\""),
        ]);
        remote.replay(&[("HGET h f", "\"v\"")]);
        let requests = b"HSET h f v\r\nHGET h f\r\n".repeat(10_000);
        local.send(&requests);
        for _ in 0..10_000 {
            assert_eq!(
                (local.receive().to_string().as_str(), local.receive().to_string().as_str()),
                ("(integer) 0", "\"v\"")
            );
        }

        let called = format!(" addr={0}:0 laddr={0}:0 ", path.display());
        let list = remote.run("CLIENT LIST").to_string();
        assert!(list.contains(&called) && list.contains(" flags=U "), "{list}");
        let info = local.run("CLIENT INFO").to_string();
        assert!(info.contains(&called), "{info}");
        local.replay(&[("QUIT", "OK")]);
        local.expect_closed();

        let mut half = connect(&path);
        half.send(b"HGET h f\r\nHGET h g\r\n");
        half.stream().shutdown(std::net::Shutdown::Write).expect("it is connected");
        assert_eq!(
            half.receive_all().iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["\"v\"", "(nil)"]
        );

        server.signal(Signal::TERM);
        assert_eq!(server.exit_code(), 0);
        assert!(!path.exists(), "the file is removed at the end");
    }
}

#[test]
fn what_a_crash_has_left_is_replaced() {
    let folder = folder();
    let path = folder.path().join("mayfly.sock");
    let launch = || Launch::with_shards(1).set("server.unix_socket", path.display());
    // It is killed, and cannot clean up.
    drop(launch().start());
    assert!(path.exists());
    let _server = launch().start();
    connect(&path).replay(&[("PING", "PONG")]);
}

#[test]
fn what_is_in_the_way_stays_and_is_one_line() {
    let folder = folder();
    let (file, used) = (folder.path().join("file"), folder.path().join("used"));
    fs::write(&file, "precious").expect("it can be written");
    let _listener = UnixListener::bind(&used).expect("nobody listens there");
    let missing = folder.path().join("nowhere/mayfly.sock");
    for (path, problem) in [
        (&file, "there is a file that is no socket"),
        (&used, "another process listens there"),
        (&missing, "No such file or directory"),
    ] {
        let refused = Launch::with_shards(1).set("server.unix_socket", path.display()).run();
        let beginning = format!(
            "mayfly: environment MAYFLY_SERVER__UNIX_SOCKET: server.unix_socket: cannot listen on {}: {problem}",
            path.display()
        );
        assert!(refused.code == 1 && refused.stderr.starts_with(&beginning), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
    assert_eq!(fs::read_to_string(&file).expect("it is still there"), "precious");
    UnixStream::connect(&used).expect("the other process was left alone");
}

#[test]
fn one_client_too_many_is_told_there_too() {
    let folder = folder();
    let path = folder.path().join("mayfly.sock");
    let launch = Launch::with_shards(1).set("server.unix_socket", path.display());
    let server = launch.set("server.connections_max", 1).start();
    let mut first = server.connect();
    first.replay(&[("PING", "PONG")]);
    let mut turned_away = connect(&path);
    assert_eq!(turned_away.receive().to_string(), "(error) ERR max number of clients reached");
    turned_away.expect_closed();
}
