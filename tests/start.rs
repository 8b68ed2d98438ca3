//! From the command line to a server that is ready, or to one line that says why not.

use std::fs;
use std::net::TcpListener;

use mayfly_config::{Config, render_toml};

use crate::harness::{Finished, Launch, Server, temporary_file};

#[test]
fn help_and_version_are_shown() {
    let help = Launch::bare().flags(["--help"]).run();
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for flag in [
        "--config",
        "--check-config",
        "--print-config",
        "--port",
        "--bind",
        "--shards",
        "--metrics-port",
        "--dir",
    ] {
        assert!(help.stdout.contains(flag), "{flag} in {}", help.stdout);
    }
    let version = Launch::bare().flags(["--version"]).run();
    assert_eq!((version.code, version.stdout), (0, format!("mayfly {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_printed_config_is_the_effective_one_and_can_be_read_back() {
    let defaults = Launch::bare().flags(["--print-config"]).run();
    assert_eq!((defaults.code, defaults.stdout), (0, render_toml(&Config::default())));

    let changed = Launch::bare()
        .set("limits.pipeline_window", 77)
        .set("server.bind", "127.0.0.1,::1")
        .set("log.level", "debug")
        .flags(["--print-config", "--port", "7001", "--shards", "3"])
        .run();
    for line in ["pipeline_window = 77", "bind = [\"127.0.0.1\", \"::1\"]", "port = 7001", "shards = 3"] {
        assert!(changed.stdout.lines().any(|printed| printed == line), "{line} in {}", changed.stdout);
    }
    let read_back = Launch::bare().file(&changed.stdout).flags(["--print-config"]).run();
    assert_eq!(read_back.code, 0, "{}", read_back.stderr);
    assert_eq!(settings(&read_back.stdout), settings(&changed.stdout));
}

/// The lines that set something; remarks say where a value comes from.
fn settings(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn a_right_config_is_confirmed() {
    let defaults = Launch::bare().flags(["--check-config"]).run();
    assert_eq!((defaults.code, defaults.stdout.as_str()), (0, "OK: defaults\n"));
    let launch = Launch::bare().file("[server]\nport = 7001\n").flags(["--check-config"]);
    let path = launch.file_path();
    let file = launch.run();
    assert_eq!((file.code, file.stdout, file.stderr.as_str()), (0, format!("OK: {path}\n"), ""));
}

#[test]
fn a_wrong_config_is_one_line_with_its_place() {
    let cases = [
        ("[server]\nprot = 1\n", ":2: server.prot: ", "server.port"),
        ("\n[limits]\n\noutput_bytes_max = \"1KiB\"\n", ":4: limits.output_bytes_max: ", "64KiB to 16GiB"),
        ("[server]\nshards = 1000\n", ":2: server.shards: ", "0 to 256 shards"),
        ("[server]\nbind = [\"localhost\"]\n", ":2: server.bind: ", "IP address"),
        ("[sever]\n", ":1: [sever]: ", "[server]"),
        ("[server\n", ":1: ", "unclosed table"),
        ("[metrics]\nport = 6379\n", ":2: metrics.port: ", "server.port"),
        ("[log]\nlevel = \"loud\"\n", ":2: log.level: ", "error, warn, info, debug or trace"),
    ];
    for (text, place, hint) in cases {
        for (flags, code) in [(&[][..], 2), (&["--check-config"], 1), (&["--print-config"], 2)] {
            let launch = Launch::bare().file(text).flags(flags);
            let beginning = format!("mayfly: {}{place}", launch.file_path());
            let line = refusal(launch.run(), code);
            assert!(line.starts_with(&beginning) && line.contains(hint), "{line}");
        }
    }
}

#[test]
fn a_wrong_variable_or_flag_is_one_line_with_its_name() {
    let cases = [
        (Launch::bare().set("server.prt", 1), "environment MAYFLY_SERVER__PRT: "),
        (Launch::bare().set("server.port", "http"), "environment MAYFLY_SERVER__PORT: "),
        (Launch::bare().flags(["--port", "70000"]), "flag --port: "),
        (Launch::bare().flags(["--shards", "-1"]), "flag --shards: "),
        (Launch::bare().flags(["--bind", "nowhere"]), "flag --bind: "),
        (Launch::bare().flags(["--prot", "1"]), "unexpected argument '--prot'"),
        (
            Launch::bare().flags(["--config", "/nowhere/mayfly.toml"]),
            "/nowhere/mayfly.toml: cannot be read: ",
        ),
    ];
    for (launch, beginning) in cases {
        let line = refusal(launch.run(), 2);
        assert!(line.starts_with(&format!("mayfly: {beginning}")), "{line}");
    }
}

/// The one line of a run that refused to start.
fn refusal(finished: Finished, code: i32) -> String {
    assert_eq!((finished.code, finished.stdout.as_str()), (code, ""), "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    finished.stderr
}

#[test]
fn file_environment_and_flags_each_win_over_the_one_before() {
    let file =
        "[server]\nport = 0\nshards = 3\ndatabases = 5\n[metrics]\nport = 0\n[limits]\npipeline_window = 9\n";
    let launch =
        Launch::bare().file(file).set("server.databases", 7).set("server.shards", 3).flags(["--shards", "2"]);
    let path = launch.file_path();
    let server = launch.start();
    server.wait_for_log(&format!("shards=2 config={path}"));
    let mut client = server.connect();
    client.replay(&[
        ("SELECT 6", "OK"),
        ("SELECT 7", "(error) ERR DB index is out of range"),
        ("CONFIG GET databases", "1) \"databases\"\n2) \"7\""),
    ]);
}

#[test]
fn the_file_may_be_named_by_a_variable() {
    let path = temporary_file("[server]\nport = 7002\n");
    let finished = Launch::bare().flags(["--check-config"]).variable("MAYFLY_CONFIG", path.display()).run();
    assert_eq!(finished.stdout, format!("OK: {}\n", path.display()));
    fs::remove_file(path).expect("it was written above");
}

#[test]
fn any_free_port_is_taken_and_logged() {
    let server = Server::start(1);
    assert_ne!(server.address.port(), 0);
    assert_ne!(server.metrics_address().port(), 0);
    server.connect().replay(&[("PING", "PONG")]);
    let info = server.connect().run("INFO server").to_string();
    assert!(info.contains(&format!("tcp_port:{}", server.address.port())), "{info}");
    let log = server.log();
    assert!(
        log.contains(concat!("version=\"", env!("CARGO_PKG_VERSION"), "\" shards=1 config=defaults")),
        "{log}"
    );
}

#[test]
fn a_taken_port_is_one_line_that_names_who_set_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it listens");
    let port = address.port().to_string();
    let cases = [
        (Launch::bare().flags(["--port", &port, "--metrics-port", "0"]), "flag --port: server.port: "),
        (
            Launch::bare().flags(["--metrics-port", &port, "--port", "0"]),
            "flag --metrics-port: metrics.port: ",
        ),
        (
            Launch::bare().set("server.port", &port).flags(["--metrics-port", "0"]),
            "environment MAYFLY_SERVER__PORT: server.port: ",
        ),
    ];
    for (launch, place) in cases {
        let line = refusal(launch.run(), 1);
        let beginning = format!("mayfly: {place}cannot listen on {address}: ");
        assert!(line.starts_with(&beginning) && line.contains("in use"), "{line}");
    }
    let launch = Launch::bare().file(&format!("[metrics]\nport = 0\n[server]\nport = {port}\n"));
    let beginning = format!("mayfly: {}:4: server.port: cannot listen on {address}: ", launch.file_path());
    let line = refusal(launch.run(), 1);
    assert!(line.starts_with(&beginning), "{line}");
}

#[test]
fn an_open_door_without_a_password_is_warned_about() {
    const WARNING: &str = "reachable from other machines without a password";
    let open = || Launch::with_shards(1).flags(["--bind", "0.0.0.0"]);
    open().set("access.protected_mode", "false").start().wait_for_log(WARNING);
    open().start().wait_for_log("only clients of this machine are let in");
    for server in [open().set("server.password", "sesame").start(), Server::start(1)] {
        assert!(!server.log().contains(WARNING), "{}", server.log());
    }
}
