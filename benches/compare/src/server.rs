//! The processes that are compared: started fresh, measured from outside, ended when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::Common;
use crate::requests::encode;

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Which program a server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Ours.
    Mayfly,
    /// The peer.
    Redis,
}

/// A running server.
pub struct Server {
    /// Which program it is.
    pub kind: Kind,
    /// What reports call it.
    pub name: String,
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where Mayfly serves `/metrics`.
    pub metrics: Option<SocketAddr>,
    child: Child,
}

impl Server {
    /// The Redis, then one Mayfly for each number of shards.
    pub fn start_all(common: &Common) -> Result<Vec<Server>> {
        let mayflies = common.shards.iter().map(|&shards| Server::mayfly(common, shards));
        std::iter::once(Server::redis(&common.redis)).chain(mayflies).collect()
    }

    /// Starts Mayfly on free ports.
    pub fn mayfly(common: &Common, shards: u16) -> Result<Server> {
        let path = match &common.mayfly {
            Some(path) => path.clone(),
            None => beside_this_program("mayfly")?,
        };
        let mut child = Command::new(&path)
            .args(["--port", "0", "--metrics-port", "0", "--shards", &shards.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}; give its path with --mayfly", path.display()))?;
        let log = child.stderr.take().context("the log of Mayfly was piped")?;
        let mut server = Server {
            kind: Kind::Mayfly,
            name: format!("Mayfly, {shards} shard{}", if shards == 1 { "" } else { "s" }),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            metrics: None,
            child,
        };
        let mut log = BufReader::new(log);
        server.read_addresses(&mut log)?;
        // Nobody may be kept from logging by a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(server)
    }

    /// Starts Redis on a free port, without persistence.
    pub fn redis(path: &Path) -> Result<Server> {
        // Redis takes no port 0: another process may take the free port before it does, hence the attempts.
        const ATTEMPTS: usize = 5;
        for _ in 0..ATTEMPTS {
            let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
            let child = Command::new(path)
                .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
                .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .with_context(|| format!("cannot start {}; give its path with --redis", path.display()))?;
            let mut server = Server { kind: Kind::Redis, name: String::new(), address, metrics: None, child };
            if server.wait_until_it_answers()? {
                server.name = format!("Redis {}", server.info("redis_version")?);
                return Ok(server);
            }
        }
        bail!("{} found no free port in {ATTEMPTS} attempts", path.display())
    }

    /// Processor time that all its threads have used.
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let statistics = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let used = statistics.split(' ').next().and_then(|used| used.parse::<u64>().ok());
            nanos += used.context("schedstat begins with nanoseconds on the processor")?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Sends one request and returns the reply as it comes; for small replies.
    pub fn ask(&self, words: &[&str]) -> Result<String> {
        Asker::connect(self.address)?.ask(words)
    }

    fn info(&self, field: &str) -> Result<String> {
        let info = self.ask(&["INFO", "server"])?;
        let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value.with_context(|| format!("INFO has no {field}"))?.to_owned())
    }

    fn read_addresses(&mut self, log: &mut impl BufRead) -> Result<()> {
        let mut seen = String::new();
        let mut line = String::new();
        while log.read_line(&mut line)? > 0 {
            let address = line.split("address=").nth(1).and_then(|rest| rest.trim().parse().ok());
            match address {
                Some(address) if line.contains("for clients") => self.address = address,
                Some(address) if line.contains("/metrics") => self.metrics = Some(address),
                _ => {}
            }
            if line.contains(" ready ") {
                return Ok(());
            }
            seen.push_str(&std::mem::take(&mut line));
        }
        bail!("Mayfly did not start:\n{seen}")
    }

    /// False if it ended instead.
    fn wait_until_it_answers(&mut self) -> Result<bool> {
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            if self.ask(&["PING"]).is_ok_and(|reply| reply == "+PONG\r\n") {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("no answer within {START_TIMEOUT:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; there is nothing of it to keep.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection for a question now and then.
pub struct Asker {
    socket: TcpStream,
}

impl Asker {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        Ok(Asker { socket })
    }

    /// Sends one request and returns the reply as it comes, which has to fit one read.
    pub fn ask(&mut self, words: &[&str]) -> Result<String> {
        let mut request = Vec::new();
        encode(words, &mut request);
        self.socket.write_all(&request)?;
        let mut reply = vec![0; 64 * 1024];
        let length = self.socket.read(&mut reply)?;
        Ok(String::from_utf8_lossy(&reply[..length]).into_owned())
    }

    /// The connection itself, for what is pushed on it.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Sends one request whose reply is an integer.
    pub fn ask_integer(&mut self, words: &[&str]) -> Result<u64> {
        let reply = self.ask(words)?;
        let integer = reply.strip_prefix(':').and_then(|rest| rest.trim_end().parse().ok());
        integer.with_context(|| format!("{words:?} was answered {reply:?}"))
    }
}

fn beside_this_program(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        bail!("{} is not built; build it or give --mayfly", path.display());
    }
    Ok(path)
}
