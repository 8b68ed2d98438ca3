//! The two servers: started fresh and ended with the run, or given by their address.

#![allow(clippy::disallowed_methods, reason = "it waits for a process to start")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::connection::Connection;
use crate::request::Request;

/// How long a Redis may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A server to compare.
pub struct Peer {
    /// What it calls itself.
    pub name: String,
    /// Where clients connect.
    pub address: SocketAddr,
    child: Option<Child>,
}

impl Peer {
    /// Mayfly, with `shards` shards if it has to be started.
    pub fn mayfly(place: &str, shards: u16) -> Result<Peer> {
        if let Ok(address) = place.parse() {
            return Peer { name: "Mayfly".to_owned(), address, child: None }.introduced();
        }
        let mut child = Command::new(place)
            .args(["--port", "0", "--metrics-port", "0", "--shards", &shards.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {place}"))?;
        let mut log = BufReader::new(child.stderr.take().context("the log of Mayfly was piped")?);
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut peer = Peer { name: "Mayfly".to_owned(), address: nowhere, child: Some(child) };
        peer.address = address_in(&mut log)?;
        // Nobody may be kept from logging by a full pipe; it is shown, since a panic would stand there.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()));
        peer.introduced()
    }

    /// Redis, without persistence if it has to be started.
    pub fn redis(place: &str) -> Result<Peer> {
        if let Ok(address) = place.parse() {
            return Peer { name: "Redis".to_owned(), address, child: None }.introduced();
        }
        // Redis takes no port 0: another process may take the free port before it does, hence the attempts.
        const ATTEMPTS: usize = 5;
        for _ in 0..ATTEMPTS {
            let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
            let child = Command::new(place)
                .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
                .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
                .args(["--sanitize-dump-payload", "yes"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .with_context(|| format!("cannot start {place}"))?;
            let mut peer = Peer { name: "Redis".to_owned(), address, child: Some(child) };
            if peer.wait_until_it_answers()? {
                return peer.introduced();
            }
        }
        bail!("{place} found no free port in {ATTEMPTS} attempts")
    }

    /// Asks for its version.
    fn introduced(mut self) -> Result<Peer> {
        let info = Connection::connect(self.address)?.ask(&Request::line("INFO server"))?;
        let info = String::from_utf8_lossy(info.as_bytes().unwrap_or_default()).into_owned();
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        self.name = format!("{} {}", self.name, version.context("INFO has no redis_version")?);
        Ok(self)
    }

    /// False if it ended instead.
    fn wait_until_it_answers(&mut self) -> Result<bool> {
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT {
            if let Some(child) = &mut self.child
                && child.try_wait()?.is_some()
            {
                return Ok(false);
            }
            if let Ok(mut connection) = Connection::connect(self.address)
                && connection.ask(&Request::line("PING")).is_ok()
            {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("no answer within {START_TIMEOUT:?}")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already; there is nothing of it to keep.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads the log until Mayfly is ready; returns where clients connect.
fn address_in(log: &mut impl BufRead) -> Result<SocketAddr> {
    let (mut seen, mut address) = (String::new(), None);
    let mut line = String::new();
    while log.read_line(&mut line)? > 0 {
        if line.contains("for clients") {
            address = line.split("address=").nth(1).and_then(|rest| rest.trim().parse().ok());
        }
        if line.contains(" ready ") {
            return address.context("Mayfly is ready and has named no address");
        }
        seen.push_str(&std::mem::take(&mut line));
    }
    bail!("Mayfly did not start:\n{seen}")
}
