//! The exact line an operator reads for each mistake.

use std::fs;
use std::path::PathBuf;

use mayfly_config::load;

#[test]
fn mistakes_in_a_file_are_named_with_their_line() {
    let cases = [
        ("[server]\nprot = 1", "2: server.prot: unknown key; did you mean server.port?"),
        (
            "\n\n[server]\nbind = [\"::1\"]\nmax_connections = 1",
            "5: server.max_connections: unknown key; did you mean server.connections_max?",
        ),
        ("[server]\nlevel = 1", "2: server.level: unknown key; did you mean log.level?"),
        (
            "[metrics]\ncolour = 1",
            "2: metrics.colour: unknown key; [metrics] has enabled, bind, port, status_page, status_page_keys",
        ),
        ("[sever]\nport = 1", "1: [sever]: unknown section; did you mean [server]?"),
        (
            "[kitchen]",
            "1: [kitchen]: unknown section; sections are server, tls, limits, hash, memory, expiry, ttl, persistence, access, slow, events, metrics, hot_keys, log",
        ),
        ("port = 1", "1: port: unknown key; did you mean server.port?"),
        (
            "colour = 1",
            "1: colour: unknown key; sections are server, tls, limits, hash, memory, expiry, ttl, persistence, access, slow, events, metrics, hot_keys, log",
        ),
        ("server = 1", "1: server: expected a section such as [server], found an integer"),
        ("[[server]]\nport = 1", "1: server: expected a section such as [server], found an array of tables"),
        ("server.port = 65536", "1: server.port: 65536 is out of range; allowed: 0 to 65535"),
        ("server = { port = -1 }", "1: server.port: -1 is out of range; allowed: 0 to 65535"),
        (
            "[server]\nunix_socket_permissions = \"rwx\"",
            "2: server.unix_socket_permissions: \"rwx\" is none; allowed: octal digits such as 770",
        ),
        (
            "[server]\nunix_socket_permissions = 770",
            "2: server.unix_socket_permissions: expected a string, found an integer; allowed: octal digits such as 770",
        ),
        (
            "[tls]\nciphersuites = \"TLS_AES_128_GCM_SHA256:AES\"",
            "2: tls.ciphersuites: \"AES\" is unknown; allowed: names with : between them, of TLS_AES_256_GCM_SHA384, \
             TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256",
        ),
        (
            "[tls]\nciphers = \"ecdhe-rsa-aes128-gcm-sha256:ECDHE-RSA-AES128-GCM-SHA256\"",
            "2: tls.ciphers: ECDHE-RSA-AES128-GCM-SHA256 is given twice",
        ),
        (
            "[tls]\nauth_clients = \"perhaps\"",
            "2: tls.auth_clients: \"perhaps\" is unknown; allowed: yes, no or optional",
        ),
        ("[server]\nport = \"6379\"", "2: server.port: expected a port, found a string; allowed: 0 to 65535"),
        (
            "[server]\nshards = 1.5",
            "2: server.shards: expected an integer, found a float; allowed: 0 to 256 shards",
        ),
        (
            "[server]\nshutdown_grace_ms = 600001",
            "2: server.shutdown_grace_ms: 600001 is out of range; allowed: 0 to 600000 ms",
        ),
        ("[server]\nbind = []", "2: server.bind: 0 addresses are given; allowed: 1 to 16 IP addresses"),
        (
            "[server]\nbind = [1]",
            "2: server.bind: expected a list of strings, found an array; allowed: 1 to 16 IP addresses",
        ),
        (
            "[server]\nbind = [\"localhost\"]",
            "2: server.bind: \"localhost\" is not an IP address such as 127.0.0.1 or ::1; allowed: 1 to 16 IP addresses",
        ),
        ("[server]\nbind = [\"::1\", \"::1\"]", "2: server.bind: ::1 is given twice"),
        (
            "[server]\npassword = 1234",
            "2: server.password: expected a string, found an integer; allowed: text of up to 512 bytes",
        ),
        (
            "[server]\npassword = \"***\"",
            "2: server.password: \"***\" only stands for a secret that was not shown; give the secret itself",
        ),
        (
            "[limits]\nread_bytes_max = \"64 Kb/s\"",
            "2: limits.read_bytes_max: \"64 Kb/s\" is not a size such as 65536 or \"64KiB\"; allowed: 1KiB to 16MiB",
        ),
        (
            "[limits]\nread_bytes_max = \"1GiB\"",
            "2: limits.read_bytes_max: 1GiB is out of range; allowed: 1KiB to 16MiB",
        ),
        (
            "[limits]\nread_bytes_max = true",
            "2: limits.read_bytes_max: expected a size such as 65536 or \"64KiB\", found a boolean; allowed: 1KiB to 16MiB",
        ),
        (
            "[metrics]\nenabled = \"yes\"",
            "2: metrics.enabled: expected true or false without quotes, found a string; allowed: true or false",
        ),
        (
            "[log]\nlevel = \"loud\"",
            "2: log.level: \"loud\" is unknown; allowed: error, warn, info, debug or trace",
        ),
        ("[server]\nport = 1\nport = 2", "3: port: given twice"),
        ("[server]\n[log]\n[server]", "3: server: given twice"),
        ("[server]\nport 1", "2: key with no value, expected `=`"),
        ("[server]\nport = ", "2: port: a value is missing"),
        ("[server]\nport = 99999999999999999999", "2: port: integer number overflowed"),
        ("[server\nport = 1", "1: unclosed table, expected `]`"),
        ("[log]\nlevel = info", "2: level: text has to stand in quotes"),
        ("[server]\npassword = \"hunter2", "2: password: invalid basic string, expected `\"`"),
        (
            "[metrics]\nport = 6379",
            "2: metrics.port: port 6379 at 127.0.0.1 is already that of server.port; choose another",
        ),
        (
            "[tls]\nport = 9121",
            "2: metrics.port: port 9121 at 127.0.0.1 is already that of tls.port; choose another",
        ),
        ("[tls]\nport = 6379", "2: tls.port: port 6379 is already that of server.port; choose another"),
        (
            "[server]\nport = 9121\nbind = [\"::\"]",
            "2: metrics.port: port 9121 at :: is already that of server.port; choose another",
        ),
        (
            "[limits]\nrequest_bytes_max = \"1MiB\"",
            "2: limits.bulk_bytes_max: 512MiB is more than limits.request_bytes_max allows (1MiB)",
        ),
        (
            "[limits]\nbulk_bytes_max = \"1MiB\"\nrequest_bytes_max = 16384\ninline_bytes_max = 1024",
            "2: limits.bulk_bytes_max: 1MiB is more than limits.request_bytes_max allows (16KiB)",
        ),
        (
            "[limits]\nbulk_bytes_max = \"1KiB\"\nrequest_bytes_max = 16384",
            "3: limits.inline_bytes_max: 64KiB is more than limits.request_bytes_max allows (16KiB)",
        ),
        (
            "[limits]\noutput_bytes_pause = \"512mb\"",
            "2: limits.output_bytes_pause: 512MiB is more than limits.output_bytes_max allows (256MiB)",
        ),
    ];
    let path = temporary("mistakes");
    for (text, line) in cases {
        fs::write(&path, text).expect("the temporary directory can be written");
        let error = load(Some(&path), [], &[]).expect_err(text).to_string();
        assert_eq!(error, format!("{}:{line}", path.display()), "{text}");
    }
}

#[test]
fn mistakes_in_the_environment_are_named_by_variable() {
    let cases = [
        ("MAYFLY_SERVER__PRT", "1", "unknown key; did you mean MAYFLY_SERVER__PORT?"),
        ("MAYFLY_SEVER__PORT", "1", "unknown key; did you mean MAYFLY_SERVER__PORT?"),
        (
            "MAYFLY_METRICS__COLOUR",
            "1",
            "unknown key; [metrics] has enabled, bind, port, status_page, status_page_keys",
        ),
        (
            "MAYFLY_KITCHEN__SINK",
            "1",
            "unknown key; sections are server, tls, limits, hash, memory, expiry, ttl, persistence, access, slow, events, metrics, hot_keys, log",
        ),
        ("MAYFLY_SERVER__PORT", "", "\"\" is not a port; allowed: 0 to 65535"),
        ("MAYFLY_SERVER__PORT", "http", "\"http\" is not a port; allowed: 0 to 65535"),
        ("MAYFLY_SERVER__SHARDS", "257", "257 is out of range; allowed: 0 to 256 shards"),
        ("MAYFLY_METRICS__ENABLED", "maybe", "\"maybe\" is neither true nor false; allowed: true or false"),
        (
            "MAYFLY_METRICS__PORT",
            "6379",
            "metrics.port: port 6379 at 127.0.0.1 is already that of server.port; choose another",
        ),
    ];
    for (name, text, problem) in cases {
        let error = load(None, [(name.to_owned(), text.to_owned())], &[]).expect_err(name);
        assert_eq!(error.to_string(), format!("environment {name}: {problem}"));
    }
    let harmless = ["MAYFLY_CONFIG", "MAYFLY", "mayfly_server__port", "OTHER__PORT"];
    let harmless = harmless.map(|name| (name.to_owned(), "?".to_owned()));
    assert!(load(None, harmless, &[]).is_ok());
}

#[test]
fn mistakes_in_overrides_are_named_by_flag() {
    let cases = [
        ("server.port", "70000", "flag --port: 70000 is out of range; allowed: 0 to 65535"),
        (
            "metrics.port",
            "6379",
            "flag --metrics-port: metrics.port: port 6379 at 127.0.0.1 is already that of server.port; choose another",
        ),
        (
            "log.level",
            "loud",
            "override log.level: \"loud\" is unknown; allowed: error, warn, info, debug or trace",
        ),
        ("log.levle", "info", "override log.levle: unknown key; did you mean log.level?"),
    ];
    for (path, text, line) in cases {
        assert_eq!(load(None, [], &[(path, text)]).expect_err(path).to_string(), line);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let path = temporary("nowhere");
    let error = load(Some(&path), [], &[]).expect_err("there is no such file").to_string();
    assert_eq!(error, format!("{}: cannot be read: No such file or directory (os error 2)", path.display()));
}

fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"))
}
