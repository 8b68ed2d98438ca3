//! TLS as clients and operators meet it: who is let in, what they can do, and certificates that change meanwhile.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CipherSuite, ClientConfig, HandshakeKind};

use crate::harness::{
    Authority, Client, Files, KEY_PASSWORD, Launch, SHARD_COUNTS, Server, TlsClient, connect_tls, encode,
    eventually, free_port, knock, launch_tls, patience,
};

const MIB: usize = 1 << 20;

#[test]
fn clients_over_tls_do_what_others_do() {
    let authority = Authority::new();
    let (own, theirs) = (authority.issue("server"), authority.issue("client"));
    for (shards, is_old) in SHARD_COUNTS.into_iter().flat_map(|shards| [(shards, false), (shards, true)]) {
        let (launch, address) = launch_tls(shards, &authority, &own);
        let server = launch.start();
        let config = authority.client(Some(&theirs), is_old);
        let mut client = connect_tls(address, &config).expect("it is let in");
        client.replay(&[("PING", "PONG"), ("HSETEX h f v 60", "(integer) 1"), ("HGET h f", "\"v\"")]);
        server.connect().replay(&[("HGET h f", "\"v\"")]);

        // Many small requests in one go.
        client.send(&b"HINCRBY h n 1\r\n".repeat(20_000));
        for number in 1..=20_000 {
            assert_eq!(client.receive().as_integer(), Some(number));
        }
        // A large request, and replies that are far larger than what fits into buffers on the way.
        let large = "x".repeat(8 * MIB);
        client.send(&encode(&["HSET", "h", "large", &large]));
        assert_eq!(client.receive().as_integer(), Some(1));
        client.send(&b"HGET h large\r\n".repeat(16));
        for _ in 0..16 {
            assert!(client.receive().as_bytes() == Some(large.as_bytes()));
        }
        client.replay(&[("QUIT", "OK")]);
        client.expect_closed();
        assert_eq!(server.scrape().sum("mayfly_tls_handshakes_total"), 1.0);
    }
}

/// Messages that are more than the buffers on the way hold, published while the subscriber reads.
fn is_told_all<S: Read + Write>(mut subscriber: Client<S>, server: &Server) {
    const MESSAGES: usize = 4_000;
    subscriber.run("SUBSCRIBE news");
    let requests: Vec<u8> = (0..MESSAGES)
        .flat_map(|number| encode(&["PUBLISH", "news", &format!("{number}:{}", "n".repeat(20_000))]))
        .collect();
    let mut publisher = server.connect();
    std::thread::scope(|scope| {
        scope.spawn(move || publisher.pipeline(&requests, MESSAGES));
        for number in 0..MESSAGES {
            let message = subscriber.receive().to_string();
            assert!(message.contains(&format!("3) \"{number}:nnn")), "message {number} is {message:.60}");
        }
    });
    subscriber.replay(&[("UNSUBSCRIBE news", "*"), ("PING", "PONG")]);
}

#[test]
fn messages_reach_subscribers_whole_and_in_order_with_tls_and_without() {
    let authority = Authority::new();
    let (own, theirs) = (authority.issue("server"), authority.issue("client"));
    for shards in SHARD_COUNTS {
        let (launch, address) = launch_tls(shards, &authority, &own);
        let server = launch.set("limits.subscriber_bytes_max", "1gb").start();
        let config = authority.client(Some(&theirs), false);
        is_told_all(connect_tls(address, &config).expect("it is let in"), &server);
        is_told_all(server.connect(), &server);
    }
}

#[test]
fn whoever_closes_its_side_gets_its_replies() {
    let authority = Authority::new();
    let (own, theirs) = (authority.issue("server"), authority.issue("client"));
    let (launch, address) = launch_tls(4, &authority, &own);
    let _server = launch.start();
    let config = authority.client(Some(&theirs), false);
    for says_goodbye in [true, false] {
        let mut client = connect_tls(address, &config).expect("it is let in");
        client.send(&b"HINCRBY h n 1\r\n".repeat(1_000));
        client.send(b"HINCRBY h cut");
        let stream = client.stream();
        if says_goodbye {
            stream.conn.send_close_notify();
            stream.flush().expect("the server reads");
        }
        stream.sock.shutdown(Shutdown::Write).expect("it is connected");
        assert_eq!(client.receive_all().len(), 1_000);
    }
}

#[test]
fn nobody_is_let_in_without_the_certificate_that_is_asked_for() {
    let (authority, other) = (Authority::new(), Authority::new());
    let own = authority.issue("server");
    let (right, wrong) = (authority.issue("client"), other.issue("client"));
    let stranger = |is_old| {
        // It shows a certificate of an authority that the server does not know.
        authority.client(Some(&wrong), is_old)
    };
    for (asked, with, wrongly, without) in
        [("yes", true, false, false), ("optional", true, false, true), ("no", true, true, true)]
    {
        let (launch, address) = launch_tls(2, &authority, &own);
        let server = launch.set("tls.auth_clients", asked).start();
        let mut refused = 0.0;
        for is_old in [false, true] {
            for (config, is_let_in) in [
                (authority.client(Some(&right), is_old), with),
                (stranger(is_old), wrongly),
                (authority.client(None, is_old), without),
            ] {
                assert_eq!(knock(address, &config).is_ok(), is_let_in, "{asked} {is_old}");
                refused += f64::from(!is_let_in);
            }
        }
        eventually("every refusal is counted", || {
            (server.scrape().sum("mayfly_tls_handshakes_failed_total") == refused).then_some(())
        });
        let warnings = server.log().matches("TLS handshakes fail").count();
        assert_eq!(warnings, usize::from(refused > 0.0), "one a minute:\n{}", server.log());
    }
}

#[test]
fn versions_that_are_not_allowed_are_refused() {
    let authority = Authority::new();
    let own = authority.issue("server");
    for (protocols, old, new) in [("TLSv1.2", true, true), ("TLSv1.3", false, true)] {
        let (launch, address) = launch_tls(1, &authority, &own);
        let launch = launch.set("tls.auth_clients", "no").set("tls.protocols", protocols);
        let mut server = launch.start();
        assert_eq!(knock(address, &authority.client(None, true)).is_ok(), old, "{protocols}");
        assert_eq!(knock(address, &authority.client(None, false)).is_ok(), new, "{protocols}");
        server.signal(Signal::TERM);
        assert_eq!(server.exit_code(), 0);
    }
}

#[test]
fn whoever_comes_again_takes_up_its_session_unless_that_is_off() {
    let authority = Authority::new();
    let (own, theirs) = (authority.issue("server"), authority.issue("client"));
    let (launch, address) = launch_tls(2, &authority, &own);
    let server = launch.start();
    for is_old in [false, true] {
        let config = authority.client(Some(&theirs), is_old);
        let kind = || {
            let mut client = knock(address, &config).expect("it is let in");
            client.stream().conn.handshake_kind().expect("it is done")
        };
        assert_eq!((kind(), kind()), (HandshakeKind::Full, HandshakeKind::Resumed));
        server.connect().replay(&[("CONFIG SET tls-session-caching no", "OK")]);
        assert_eq!((kind(), kind()), (HandshakeKind::Full, HandshakeKind::Full));
        server.connect().replay(&[("CONFIG SET tls-session-caching yes tls-session-cache-size 8", "OK")]);
        assert_eq!((kind(), kind()), (HandshakeKind::Full, HandshakeKind::Resumed));
    }
}

#[test]
fn a_slow_handshake_holds_nobody_up() {
    const SLOW: usize = 20;
    let authority = Authority::new();
    let own = authority.issue("server");
    let (launch, address) = launch_tls(1, &authority, &own);
    let launch = launch.set("tls.auth_clients", "no").set("tls.handshake_timeout_ms", 6_000);
    let server = launch.start();
    let silent = |hello: &[u8]| {
        let mut socket = TcpStream::connect(address).expect("the server accepts");
        socket.set_read_timeout(Some(patience())).expect("a timeout can be set");
        socket.write_all(hello).expect("the server reads");
        socket
    };
    let hello_begun = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01];
    let mut slow: Vec<_> = (0..SLOW).map(|number| silent(&hello_begun[..number % 7])).collect();
    eventually("they are under way", || {
        (server.scrape().sum("mayfly_tls_handshakes_under_way") == SLOW as f64).then_some(())
    });
    let config = authority.client(None, false);
    for _ in 0..10 {
        knock(address, &config).expect("it is let in at once");
    }
    for socket in &mut slow {
        // A machine that was paused interrupts a read that has a timeout.
        let ended = std::iter::repeat_with(|| socket.read(&mut [0; 64]))
            .find(|read| !read.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted));
        assert!(matches!(ended, Some(Ok(0))), "it is closed when its time is over: {ended:?}");
    }
    let scrape = server.scrape();
    assert_eq!(scrape.sum("mayfly_tls_handshakes_failed_total"), SLOW as f64);
    assert_eq!(scrape.sum("mayfly_tls_handshakes_under_way"), 0.0);
}

#[test]
fn past_the_limit_of_handshakes_others_wait_and_come_in() {
    let authority = Authority::new();
    let own = authority.issue("server");
    let (launch, address) = launch_tls(1, &authority, &own);
    let launch = launch.set("tls.auth_clients", "no").set("tls.handshakes_max", 2);
    let server = launch.start();
    let slow: Vec<_> = (0..2).map(|_| TcpStream::connect(address).expect("it accepts")).collect();
    eventually("they are under way", || {
        (server.scrape().sum("mayfly_tls_handshakes_under_way") == 2.0).then_some(())
    });
    std::thread::scope(|scope| {
        let config = authority.client(None, false);
        let waiting = scope.spawn(move || knock(address, &config).is_ok());
        server.connect().replay(&[("PING", "PONG")]);
        assert_eq!(server.scrape().sum("mayfly_tls_handshakes_total"), 0.0);
        drop(slow);
        assert!(waiting.join().expect("no panic"), "it comes in when there is room");
    });
}

#[test]
fn one_client_too_many_is_told_and_closed() {
    let authority = Authority::new();
    let own = authority.issue("server");
    let (launch, address) = launch_tls(2, &authority, &own);
    let launch = launch.set("tls.auth_clients", "no").set("server.connections_max", 1);
    let server = launch.start();
    let config = authority.client(None, false);
    let first = knock(address, &config).expect("it is let in");
    let mut turned_away = connect_tls(address, &config).expect("the handshake is done");
    assert_eq!(turned_away.receive().to_string(), "(error) ERR max number of clients reached");
    turned_away.expect_closed();
    drop(first);
    eventually("the place is free", || knock(address, &config).ok());
    assert!(server.scrape().sum("mayfly_connections_rejected_total") >= 1.0);
}

#[test]
fn a_stop_answers_what_was_received_and_says_goodbye() {
    let authority = Authority::new();
    let own = authority.issue("server");
    let (launch, address) = launch_tls(4, &authority, &own);
    let mut server = launch.set("tls.auth_clients", "no").start();
    let mut client = connect_tls(address, &authority.client(None, false)).expect("it is let in");
    // Somebody in the middle of a handshake holds up nothing.
    let _slow = TcpStream::connect(address).expect("it accepts");
    client.replay(&[("PING", "PONG")]);
    client.send(&b"HINCRBY h n 1\r\n".repeat(10_000));
    for _ in 0..10_000 {
        client.receive();
    }
    server.signal(Signal::TERM);
    client.expect_closed();
    assert_eq!(server.exit_code(), 0);
}

/// The certificate that the server shows to who connects now.
fn shown(address: SocketAddr, config: &Arc<ClientConfig>) -> CertificateDer<'static> {
    let mut client = knock(address, config).expect("it is let in");
    client.stream().conn.peer_certificates().expect("it shows one")[0].clone().into_owned()
}

fn certificate_of(files: &Files) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.certificate).expect("it was written")
}

#[test]
fn certificates_change_while_connections_live() {
    let authority = Authority::new();
    let (own, theirs) = (authority.issue("server"), authority.issue("client"));
    let (launch, address) = launch_tls(2, &authority, &own);
    let server = launch.start();
    let config = || authority.client(Some(&theirs), false);
    let mut early = connect_tls(address, &config()).expect("it is let in");
    let first = certificate_of(&own);
    assert_eq!(shown(address, &config()), first);

    // The same files with another certificate in them, and a signal.
    let renewed = certificate_of(&authority.issue("server"));
    assert!(renewed != first && shown(address, &config()) == first);
    server.signal(Signal::HUP);
    eventually("the new one is shown", || (shown(address, &config()) == renewed).then_some(()));
    early.replay(&[("HSET h f v", "*")]);

    // Files that do not go together, and files that are none: the old ones go on.
    let other = authority.issue("other");
    fs::copy(&other.key, &own.key).expect("it can be written");
    server.signal(Signal::HUP);
    server.wait_for_log("the config was not reloaded; nothing has changed");
    let problem =
        format!("tls.key_file: {}: the private key is not that of the certificate", own.key.display());
    assert!(server.log().contains(&problem), "{}", server.log());
    assert_eq!(shown(address, &config()), renewed);
    let set = |client: &mut TlsClient, pairs: &[&str]| {
        client.call(&[&["CONFIG", "SET"], pairs].concat()).to_string()
    };
    let path = |path: &std::path::Path| path.display().to_string();
    let refused = set(&mut early, &["tls-cert-file", "/nowhere.pem", "timeout", "77"]);
    assert_eq!(
        refused,
        "(error) ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - /nowhere.pem: cannot be read: \
         No such file or directory (os error 2)"
    );
    early.replay(&[("CONFIG GET timeout", "1) \"timeout\"\n2) \"0\"")]);
    assert_eq!(shown(address, &config()), renewed);

    // Other names.
    let (certificate, key) = (path(&other.certificate), path(&other.key));
    assert_eq!(set(&mut early, &["tls-cert-file", &certificate, "tls-key-file", &key]), "OK");
    assert_eq!(shown(address, &config()), certificate_of(&other));
    assert_eq!(set(&mut early, &["tls-auth-clients", "no"]), "OK");
    knock(address, &authority.client(None, false)).expect("nobody is asked any more");
    early.replay(&[("PING", "PONG")]);
    let scrape = server.scrape();
    assert_eq!(scrape.sum("mayfly_config_reloads_total"), 1.0);
    assert_eq!(scrape.sum("mayfly_config_reloads_failed_total"), 1.0);
}

#[test]
fn the_end_of_certificates_is_exported_and_renewed_with_them() {
    const JANUARY_2031: f64 = 1_924_992_000.0;
    const JANUARY_2041: f64 = 2_240_611_200.0;
    const FOUR_THOUSAND: f64 = 67_090_118_400.0;
    let authority = Authority::new();
    let own = authority.issue_until("server", 2041);
    let (launch, _) = launch_tls(1, &authority, &own);
    let server = launch.start();
    let expiry = |certificate: &str| {
        let label = format!("certificate=\"{certificate}\"");
        server.scrape().sum_where("mayfly_tls_certificate_expiry_seconds", &label)
    };
    assert_eq!((expiry("server"), expiry("authority")), (JANUARY_2041, FOUR_THOUSAND));

    // The first that ends counts, whichever it is in the file.
    let chain = [&own.certificate, &authority.issue_until("between", 2031).certificate]
        .map(|file| fs::read_to_string(file).expect("it was written"));
    fs::write(&own.certificate, chain.concat()).expect("it can be written");
    server.signal(Signal::HUP);
    server.wait_for_log("the config was reloaded");
    assert_eq!(expiry("server"), JANUARY_2031);

    let set = ["CONFIG", "SET", "tls-auth-clients", "no", "tls-ca-cert-file", ""];
    assert_eq!(server.connect().call(&set).to_string(), "OK");
    assert_eq!((expiry("server"), expiry("authority")), (JANUARY_2031, 0.0));

    let plain = Server::start(1);
    assert_eq!(plain.scrape().sum("mayfly_tls_certificate_expiry_seconds"), 0.0);
}

#[test]
fn suites_are_those_that_were_named_and_unknown_ones_are_refused() {
    let authority = Authority::new();
    let own = authority.issue("server");
    let (launch, address) = launch_tls(1, &authority, &own);
    let server =
        launch.set("tls.auth_clients", "no").set("tls.ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305").start();
    let mut admin = server.connect();
    let suite = |is_old: bool| {
        let mut client = knock(address, &authority.client(None, is_old)).expect("it is let in");
        client.stream().conn.negotiated_cipher_suite().expect("it is done").suite()
    };
    assert_eq!(suite(true), CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    for (name, expected) in [
        ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
        ("tls_chacha20_poly1305_sha256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ] {
        admin.replay(&[(&format!("CONFIG SET tls-ciphersuites {name}"), "OK")]);
        assert_eq!(suite(false), expected);
    }
    // The order is the server's if it is told so.
    let both = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
    admin.replay(&[(&format!("CONFIG SET tls-ciphers {both} tls-prefer-server-ciphers yes"), "OK")]);
    assert_eq!(suite(true), CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);

    let refused = |name: &str, problem: &str| {
        format!("(error) ERR CONFIG SET failed (possibly related to argument '{name}') - {problem}")
    };
    admin.replay(&[
        (
            "CONFIG SET tls-ciphersuites TLS_AES_128_CCM_SHA256",
            &refused(
                "tls-ciphersuites",
                "\"TLS_AES_128_CCM_SHA256\" is unknown; allowed: names with : between them, of TLS_AES_256_GCM_SHA384, \
                 TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256",
            ),
        ),
        (
            "CONFIG SET tls-ciphers ECDHE-RSA-AES128-GCM-SHA256",
            &refused(
                "tls-ciphers",
                &format!("none of them goes with the key in {}, which is of ECDSA", own.key.display()),
            ),
        ),
        ("CONFIG GET tls-ciphers", &format!("1) \"tls-ciphers\"\n2) \"{both}\"")),
        ("CONFIG GET tls-ciphersuites", "1) \"tls-ciphersuites\"\n2) \"TLS_CHACHA20_POLY1305_SHA256\""),
    ]);
    assert_eq!(suite(true), CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
}

#[test]
fn an_encrypted_key_is_opened_by_its_password_alone() {
    let authority = Authority::new();
    let own = authority.issue_locked("server");
    let launch = |password: &str| {
        let (launch, address) = launch_tls(1, &authority, &own);
        (launch.set("tls.auth_clients", "no").set("tls.key_password", password), address)
    };
    let file = own.key.display();
    for (password, problem) in [
        ("", format!("tls.key_password: is missing: the key is encrypted in {file}\n")),
        ("open", format!("tls.key_password: does not open the key in {file}\n")),
    ] {
        let finished = launch(password).0.run();
        assert!(finished.code == 1 && finished.stderr.ends_with(&problem), "{finished:?}");
    }
    let (launch, address) = launch(KEY_PASSWORD);
    let server = launch.start();
    knock(address, &authority.client(None, false)).expect("it is let in");
    let mut admin = server.connect();
    let masked = "1) \"tls-key-file-pass\"\n2) \"***\"";
    admin.replay(&[("CONFIG GET tls-key-file-pass", masked)]);
    let refused = "(error) ERR CONFIG SET failed (possibly related to argument 'tls-key-file-pass') - does not open the \
                   key in";
    assert_eq!(admin.run("CONFIG SET tls-key-file-pass open").to_string(), format!("{refused} {file}"));
    // A key that is not encrypted needs none, and one that is there does no harm.
    let plain = authority.issue("plain");
    let (certificate, key) = (plain.certificate.display(), plain.key.display());
    admin.replay(&[(&format!("CONFIG SET tls-cert-file {certificate} tls-key-file {key}"), "OK")]);
    assert_eq!(shown(address, &authority.client(None, false)), certificate_of(&plain));
}

#[test]
fn a_mistake_stops_the_start_and_is_found_by_a_check() {
    let authority = Authority::new();
    let (own, other) = (authority.issue("server"), authority.issue("other"));
    let (certificate, key) = (own.certificate.display().to_string(), own.key.display().to_string());
    let (ca, empty) = (authority.file().display().to_string(), authority.file().with_file_name("empty"));
    fs::write(&empty, "").expect("it can be written");
    let empty = empty.display().to_string();
    let key_of_another = other.key.display().to_string();
    let cases: [(&str, &str, &str, &str, String); 7] = [
        ("", &key, &ca, "cert_file", "is missing: TLS needs a certificate and its key".into()),
        (&certificate, "", &ca, "key_file", "is missing: TLS needs a certificate and its key".into()),
        (&certificate, &key, "", "ca_cert_file", "is missing: tls.auth_clients = \"yes\" needs the".into()),
        ("/nowhere", &key, &ca, "cert_file", "/nowhere: cannot be read: No such file or directory".into()),
        (&empty, &key, &ca, "cert_file", format!("{empty}: holds no certificate in PEM form")),
        (&certificate, &empty, &ca, "key_file", format!("{empty}: holds no private key in PEM form")),
        (
            &certificate,
            &key_of_another,
            &ca,
            "key_file",
            format!("{key_of_another}: the private key is not that of the certificate in {certificate}"),
        ),
    ];
    for (certificate, key, ca, directive, problem) in cases {
        let text = format!(
            "[server]\nport = 0\n[metrics]\nport = 0\n[tls]\nport = {}\ncert_file = {certificate:?}\nkey_file = \
             {key:?}\nca_cert_file = {ca:?}\n",
            free_port()
        );
        for flags in [&[][..], &["--check-config"]] {
            let launch = Launch::bare().file(&text).flags(flags);
            let line = match directive {
                "cert_file" => 7,
                "key_file" => 8,
                _ => 9,
            };
            let beginning = format!("mayfly: {}:{line}: tls.{directive}: {problem}", launch.file_path());
            let finished = launch.run();
            assert!(
                finished.code == 1 && finished.stderr.starts_with(&beginning),
                "{beginning}\n{finished:?}"
            );
            assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
        }
    }
    let (launch, _) = launch_tls(1, &authority, &own);
    assert_eq!(launch.flags(["--check-config"]).run().code, 0);
}

#[test]
fn the_collector_comes_by_tls() {
    let authority = Authority::new();
    let (own, theirs) = (authority.issue("server"), authority.issue("collector"));
    let launch = |auth: &str| {
        let (launch, _) = launch_tls(1, &authority, &own);
        launch.set("tls.metrics", "yes").set("tls.metrics_auth_clients", auth).start()
    };
    let get = |server: &Server, certificate: Option<&Files>| {
        let mut client = connect_tls(server.metrics_address(), &authority.client(certificate, false))?;
        let stream = client.stream();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    };
    let server = launch("no");
    let answer = get(&server, None).expect("it is let in");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.contains("mayfly_tls_handshakes_total"),
        "{answer}"
    );
    let mut plain = TcpStream::connect(server.metrics_address()).expect("it accepts");
    plain.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "without TLS there is nothing to see");

    let server = launch("yes");
    get(&server, None).expect_err("it shows no certificate");
    get(&server, Some(&theirs)).expect("it is let in");
}
