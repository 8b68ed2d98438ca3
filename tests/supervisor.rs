//! Mayfly under systemd, which these tests play: they listen at the socket of notifications, and pass sockets.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Authority, Client, Launch, knock, launch_tls, patience};

/// Where a supervisor hears of its process.
struct Supervisor {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Supervisor {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("the temporary directory can be written");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("nobody listens there");
        socket.set_read_timeout(Some(patience())).expect("a timeout can be set");
        Supervisor { folder, socket }
    }

    fn launch(&self) -> Launch {
        Launch::with_shards(2).variable("NOTIFY_SOCKET", self.folder.path().join("notify").display())
    }

    fn next(&self) -> String {
        let mut text = [0; 4096];
        let count = self.socket.recv(&mut text).expect("the process tells something");
        String::from_utf8_lossy(&text[..count]).into_owned()
    }
}

#[test]
fn it_is_told_of_the_start_of_reloads_and_of_the_end() {
    let supervisor = Supervisor::new();
    let launch = supervisor.launch().file("");
    let path = launch.file_path();
    let mut server = launch.start();
    assert_eq!(supervisor.next(), "READY=1\nSTATUS=serving clients\n");
    server.connect().replay(&[("PING", "PONG")]);

    server.signal(Signal::HUP);
    let reloading = supervisor.next();
    let (begins, rest) = reloading.split_once("MONOTONIC_USEC=").expect("the time is told");
    let (micros, rest) = rest.split_once('\n').expect("there is more");
    assert_eq!((begins, rest), ("RELOADING=1\n", "STATUS=reloading the config\n"));
    assert!(micros.parse::<u64>().is_ok_and(|micros| micros > 0), "{micros}");
    assert_eq!(supervisor.next(), "READY=1\nSTATUS=serving clients\n");

    std::fs::write(&path, "[server]\nprot = 1\n").expect("it can be written");
    server.signal(Signal::HUP);
    assert!(supervisor.next().starts_with("RELOADING=1\n"));
    let failed = supervisor.next();
    let beginning =
        format!("READY=1\nSTATUS=serving clients; the config was not reloaded: {path}:2: server.prot: ");
    assert!(failed.starts_with(&beginning), "{failed}");

    server.signal(Signal::TERM);
    assert_eq!(supervisor.next(), "STOPPING=1\nSTATUS=stopping: SIGTERM\n");
    assert_eq!(server.exit_code(), 0);
}

#[test]
fn it_is_told_that_data_are_loaded_before_clients_are_served() {
    let supervisor = Supervisor::new();
    let data = supervisor.folder.path().join("data");
    let _server = supervisor.launch().set("persistence.dir", data.display()).start();
    let loading = supervisor.next();
    assert!(loading.starts_with("STATUS=loading the data folder"), "{loading}");
    assert!(loading.contains("\nEXTEND_TIMEOUT_USEC=30000000\n"), "{loading}");
    let mut next = supervisor.next();
    while next.starts_with("STATUS=loading") {
        next = supervisor.next();
    }
    assert_eq!(next, "READY=1\nSTATUS=serving clients\n");
}

#[test]
fn it_gets_signs_of_life_where_it_asks_for_them() {
    let supervisor = Supervisor::new();
    let asked = supervisor.launch().variable("WATCHDOG_USEC", 300_000).start();
    let signs = std::iter::repeat_with(|| supervisor.next()).filter(|text| text == "WATCHDOG=1\n");
    assert_eq!(signs.take(5).count(), 5);
    drop(asked);

    let supervisor = Supervisor::new();
    let _unasked = supervisor.launch().start();
    supervisor.next();
    supervisor.socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout can be set");
    supervisor.socket.recv(&mut [0; 64]).expect_err("nothing more is told");
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

#[test]
fn clients_and_the_collector_come_by_sockets_that_are_passed() {
    let (clients, metrics) = (listener(), listener());
    let address = clients.local_addr().expect("it listens");
    let metrics_address = metrics.local_addr().expect("it listens");
    // Who connects before the server is there waits for it.
    let mut early = Client::connect(address);
    early.send(b"PING\r\n");
    // The ports of the settings are not used: they are taken.
    let taken = listener();
    let port = taken.local_addr().expect("it listens").port();
    let launch =
        Launch::bare().set("server.port", port).set("metrics.port", port).set("metrics.bind", "127.0.0.2");
    let server = launch.pass([("clients", clients.into()), ("metrics", metrics.into())]).start();
    assert_eq!(early.receive().to_string(), "PONG");
    assert_eq!((server.address, server.metrics_address()), (address, metrics_address));
    assert_eq!(server.scrape().sum("mayfly_connections"), 1.0);
    let info = server.connect().run("INFO server").to_string();
    assert!(info.contains(&format!("tcp_port:{}", address.port())), "{info}");
}

#[test]
fn so_do_clients_of_tls_and_of_a_unix_socket() {
    let authority = Authority::new();
    let (own, theirs) = (authority.issue("server"), authority.issue("client"));
    let tls = listener();
    let address = tls.local_addr().expect("it listens");
    let folder = tempfile::tempdir().expect("the temporary directory can be written");
    let path = folder.path().join("passed.sock");
    let unix = UnixListener::bind(&path).expect("nobody listens there");
    let (launch, _) = launch_tls(1, &authority, &own);
    let launch = launch.set("tls.port", 0);
    // One passed for clients, be it a Unix socket, stands for the port, too.
    let mut server =
        launch.pass([("clients-tls", tls.into()), ("clients", unix.into())]).start_without_port();
    knock(address, &authority.client(Some(&theirs), false)).expect("it is let in");
    assert!(knock(address, &authority.client(None, false)).is_err(), "it shows no certificate");
    let stream = UnixStream::connect(&path).expect("the server accepts");
    Client::over(stream).replay(&[("PING", "PONG")]);
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), 0);
    assert!(path.exists(), "the file is the supervisor's");
}

#[test]
fn a_socket_that_says_not_what_it_is_for_is_one_line() {
    let connected = {
        let listener = listener();
        TcpStream::connect(listener.local_addr().expect("it listens")).expect("it accepts")
    };
    let cases: [(&str, OwnedFd, &str); 3] = [
        (
            "mayfly.socket",
            listener().into(),
            "\"mayfly.socket\" says not what the socket is for; clients, clients-tls and",
        ),
        ("clients", connected.into(), "clients: is no socket that listens for connections"),
        ("clients-tls", listener().into(), "tls.cert_file: is missing: TLS needs a certificate and its key"),
    ];
    for (name, socket, problem) in cases {
        let finished =
            Launch::bare().flags(["--port", "0", "--metrics-port", "0"]).pass([(name, socket)]).run();
        assert!(finished.code == 1 && finished.stderr.contains(problem), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    }
}
