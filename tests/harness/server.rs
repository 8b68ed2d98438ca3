//! The real binary as a process of its own, on ports that the system chose.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use super::starts::spawn;
use super::{Client, Scrape, eventually, patience};

/// A server about to be started.
pub struct Launch {
    command: Command,
    files: Vec<PathBuf>,
    passed: VecDeque<OwnedFd>,
}

impl Launch {
    /// The binary with nothing set: no flag, no variable of whoever runs the tests.
    pub fn bare() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mayfly"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAYFLY_"))
        {
            command.env_remove(name);
        }
        Launch { command, files: Vec::new(), passed: VecDeque::new() }
    }

    /// A server with `shards` shards on free ports.
    pub fn with_shards(shards: usize) -> Self {
        let shards = shards.to_string();
        Self::bare().flags(["--port", "0", "--metrics-port", "0", "--shards", &shards])
    }

    /// Adds words to the command line.
    pub fn flags<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.command.args(words);
        self
    }

    /// Sets a setting, `section.key`, by its environment variable.
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        let name = format!("MAYFLY_{}", key.replace('.', "__").to_ascii_uppercase());
        self.command.env(name, format!("{value}"));
        self
    }

    /// Sets a variable that is not one of the settings.
    pub fn variable(mut self, name: &str, value: impl Display) -> Self {
        self.command.env(name, format!("{value}"));
        self
    }

    /// Passes one or two listening sockets under these names, as systemd does: from the third descriptor on, with the
    /// number of the process that they are for. A shell makes both, and becomes the server.
    pub fn pass<const N: usize>(mut self, sockets: [(&str, OwnedFd); N]) -> Self {
        let names: Vec<_> = sockets.iter().map(|(name, _)| *name).collect();
        let script = match N {
            1 => "exec 3<&0 </dev/null; LISTEN_PID=$$ exec \"$0\" \"$@\"",
            _ => "exec 3<&0 4<&1 </dev/null >/dev/null; LISTEN_PID=$$ exec \"$0\" \"$@\"",
        };
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.env("LISTEN_FDS", N.to_string()).env("LISTEN_FDNAMES", names.join(":"));
        self.command = shell;
        self.passed = sockets.into_iter().map(|(_, socket)| socket).collect();
        assert!((1..=2).contains(&N), "the shell has two descriptors to give");
        self
    }

    /// Gives it a config file with this content; the file is gone after the test.
    pub fn file(mut self, text: &str) -> Self {
        let path = temporary_file(text);
        self.command.arg("--config").arg(&path);
        self.files.push(path);
        self
    }

    /// The path of the config file.
    pub fn file_path(&self) -> String {
        self.files.first().expect("a file was given").display().to_string()
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> Server {
        let mut server = self.begin();
        server.log.wait_for("mayfly_server: ready");
        server.metrics_address = server.log.address_after("serving /metrics");
        server
    }

    /// Starts one that listens at no port for clients that speak no TLS, and waits until it is ready; its address says
    /// nothing.
    pub fn start_without_port(self) -> Server {
        let mut server = self.spawn();
        server.log.wait_for("mayfly_server: ready");
        server.metrics_address = server.log.address_after("serving /metrics");
        server
    }

    /// Starts it and waits until it listens; it may be loading.
    pub fn begin(self) -> Server {
        let mut server = self.spawn();
        server.log.wait_for("listening for clients");
        server.address = server.log.address_after("listening for clients").expect("it listens");
        server
    }

    fn spawn(mut self) -> Server {
        let stdin = self.passed.pop_front().map_or_else(Stdio::null, Stdio::from);
        let stdout = self.passed.pop_front().map_or_else(Stdio::null, Stdio::from);
        self.command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        let mut child = spawn(&mut self.command);
        let log = Log::default();
        let stderr = child.stderr.take().expect("stderr is piped");
        let writer = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writer.push(line);
            }
            writer.end();
        });
        Server {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            metrics_address: None,
            child,
            log,
            _files: Files(self.files),
        }
    }

    /// Runs it to its end, for what ends by itself.
    pub fn run(mut self) -> Finished {
        let stdin = self.passed.pop_front().map_or_else(Stdio::null, Stdio::from);
        self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut self.command);
        let code = exit_code(&mut child);
        let mut finished = Finished { code, stdout: String::new(), stderr: String::new() };
        let _ = child.stdout.take().expect("piped").read_to_string(&mut finished.stdout);
        let _ = child.stderr.take().expect("piped").read_to_string(&mut finished.stderr);
        drop(Files(self.files));
        finished
    }
}

/// What a run that ended by itself left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code.
    pub code: i32,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

/// A running server. Dropped it is killed; when its test has failed, its log is shown.
pub struct Server {
    /// Where clients connect.
    pub address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    child: Child,
    log: Log,
    _files: Files,
}

impl Server {
    /// A server with `shards` shards and otherwise defaults.
    pub fn start(shards: usize) -> Self {
        Launch::with_shards(shards).start()
    }

    /// A new client.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server is running");
    }

    /// Waits for it to end by itself and returns its exit code.
    pub fn exit_code(&mut self) -> i32 {
        exit_code(&mut self.child)
    }

    /// Waits until a line of the log contains `text`.
    pub fn wait_for_log(&self, text: &str) {
        self.log.wait_for(text);
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lines().join("\n")
    }

    /// What it exports now.
    pub fn scrape(&self) -> Scrape {
        let (status, body) = self.http_get("/metrics");
        assert_eq!(status, "HTTP/1.1 200 OK");
        Scrape::new(body)
    }

    /// The status line and the body of an answer of the endpoint for operators.
    pub fn http_get(&self, path: &str) -> (String, String) {
        let address = self.metrics_address.expect("the endpoint is enabled");
        let mut stream = TcpStream::connect(address).expect("the endpoint accepts");
        stream.set_read_timeout(Some(patience())).expect("a timeout can be set");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
    }

    /// Where the endpoint for operators listens.
    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics_address.expect("the endpoint is enabled")
    }

    /// Bytes of memory that the process holds now.
    pub fn resident_bytes(&self) -> usize {
        self.status_bytes("VmRSS:")
    }

    /// The most bytes of memory that the process has held.
    pub fn resident_bytes_max(&self) -> usize {
        self.status_bytes("VmHWM:")
    }

    /// Files and sockets that the process has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("the server is running").count()
    }

    fn status_bytes(&self, name: &str) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the server is running");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells");
        let kilobytes = line.trim().trim_end_matches("kB").trim();
        kilobytes.parse::<usize>().expect("a number") * 1024
    }
}

impl Drop for Server {
    #[allow(clippy::print_stderr, reason = "the test harness shows it where a test has failed")]
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let status = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the log of the server ({status:?}) ---\n{}\n---", self.log());
        }
    }
}

/// Waits with a bound, so that a server that does not stop fails the test instead of hanging it.
fn exit_code(child: &mut Child) -> i32 {
    let status = eventually("the process ends", || child.try_wait().expect("it can be waited for"));
    status.code().unwrap_or_else(|| panic!("ended by a signal: {status}"))
}

/// The lines that a server wrote so far.
#[derive(Clone, Default)]
struct Log(Arc<(Mutex<LogState>, Condvar)>);

#[derive(Default)]
struct LogState {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    fn push(&self, line: String) {
        self.state().lines.push(line);
        self.0.1.notify_all();
    }

    fn end(&self) {
        self.state().ended = true;
        self.0.1.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    fn wait_for(&self, text: &str) {
        let waiting =
            |state: &mut LogState| !state.ended && !state.lines.iter().any(|line| line.contains(text));
        let (state, _) = self
            .0
            .1
            .wait_timeout_while(self.state(), patience(), waiting)
            .unwrap_or_else(PoisonError::into_inner);
        let seen = state.lines.iter().any(|line| line.contains(text));
        let lines = state.lines.join("\n");
        drop(state);
        assert!(seen, "the log does not say {text:?}:\n{lines}");
    }

    fn address_after(&self, text: &str) -> Option<SocketAddr> {
        let lines = self.lines();
        let line = lines.iter().find(|line| line.contains(text))?;
        let (_, address) = line.split_once("address=")?;
        Some(address.trim().parse().expect("an address"))
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new file with this content, in the directory that cargo keeps for the tests' files.
pub fn temporary_file(text: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}.toml", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the temporary directory can be written");
    path
}

/// Files that go with their owner.
struct Files(Vec<PathBuf>);

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            // Somebody may have cleaned up already.
            let _ = std::fs::remove_file(path);
        }
    }
}
