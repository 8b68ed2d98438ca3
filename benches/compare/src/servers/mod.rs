//! The processes that are compared: started fresh, measured from outside, ended when dropped.
//!
//! [`recipes`] says how each program is started, [`lineup`] which take part, [`process`] reads what the kernel
//! counted, [`scrape`] what Mayfly says of itself; [`persistence`] is what they keep on the disk, [`echo`] the ceiling,
//! [`asker`] a connection for questions.

mod asker;
pub mod echo;
pub mod lineup;
pub mod persistence;
pub mod process;
mod recipes;
mod scrape;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use asker::Asker;
pub use persistence::Persistence;
use process::ProcessorClock;
pub use recipes::{Program, Recipe};
pub use scrape::{Scrape, quantile_bound};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to read back what it has kept.
const LOAD_TIMEOUT: Duration = Duration::from_secs(1_200);
/// How often a port is tried that another process may have taken meanwhile.
const ATTEMPTS: usize = 5;

/// A running server.
pub struct Server {
    /// Which program it is.
    pub program: Program,
    /// How many threads it was told to use.
    pub threads: u16,
    /// What reports call it.
    pub name: String,
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where Mayfly serves `/metrics`.
    pub metrics: Option<SocketAddr>,
    clock: ProcessorClock,
    child: Child,
    directory: PathBuf,
}

impl Server {
    /// Starts a fresh process and waits until it answers.
    pub fn start(recipe: &Recipe) -> Result<Server> {
        for _ in 0..ATTEMPTS {
            let address = free_address()?;
            let directory = format!("mayfly-compare-{}-{}", std::process::id(), address.port());
            let directory = std::env::temp_dir().join(directory);
            std::fs::create_dir_all(&directory)?;
            let mut server = Server::spawn(recipe, address, directory)?;
            server.read_addresses()?;
            if server.wait_until_it_answers(START_TIMEOUT)? {
                return Ok(server);
            }
        }
        bail!("{} found no free port in {ATTEMPTS} attempts", recipe.label())
    }

    /// Stops it as an operator does, and starts it again with what it has kept; says how long it took from the start of
    /// the process until it answered, and was not loading any more.
    pub fn restart(mut self, recipe: &Recipe) -> Result<(Server, Duration)> {
        kill(self.pid()?, Signal::SIGTERM)?;
        let ended = self.child.wait()?;
        ensure!(ended.success(), "{} ended with {ended}", self.name);
        let directory = std::mem::take(&mut self.directory);
        let start = Instant::now();
        let mut server = Server::spawn(recipe, free_address()?, directory)?;
        server.read_addresses()?;
        ensure!(server.wait_until_it_answers(LOAD_TIMEOUT)?, "{} ended while it loaded", recipe.label());
        Ok((server, start.elapsed()))
    }

    fn spawn(recipe: &Recipe, address: SocketAddr, directory: PathBuf) -> Result<Server> {
        let mut command = recipe.command(address.port(), &directory)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match recipe.program {
            Program::Mayfly => command.stderr(Stdio::piped()),
            Program::Echo => command.stdout(Stdio::piped()),
            _ => &mut command,
        };
        let child = command.spawn().with_context(|| format!("cannot start {}", recipe.label()))?;
        Ok(Server {
            program: recipe.program,
            threads: recipe.threads,
            name: recipe.label(),
            address,
            metrics: None,
            clock: ProcessorClock::of(child.id())?,
            child,
            directory,
        })
    }

    /// The folder that it runs in and keeps its data in.
    pub fn folder(&self) -> &Path {
        &self.directory
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id())?))
    }

    /// Processor time that all its threads have used.
    pub fn cpu(&self) -> Result<Duration> {
        self.clock.read()
    }

    /// Memory that it holds, by the kernel's count.
    pub fn resident_bytes(&self) -> Result<u64> {
        process::resident_bytes(self.child.id())
    }

    /// Memory that its data takes, by its own count.
    pub fn accounted_bytes(&self) -> Result<u64> {
        match self.metrics {
            Some(metrics) => Ok(Scrape::take(metrics)?.sum("mayfly_shard_held_bytes") as u64),
            None => {
                let info = self.ask(&["INFO", "memory"])?;
                let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
                Ok(used.context("INFO has no used_memory")?.trim().parse()?)
            }
        }
    }

    /// Keys whose memory is not given back, also those past their deadline.
    pub fn held_keys(&self) -> Result<u64> {
        match self.metrics {
            // Its DBSIZE does not count what is past its deadline.
            Some(metrics) => Ok(Scrape::take(metrics)?.sum("mayfly_shard_keys") as u64),
            None => Asker::connect(self.address)?.ask_integer(&["DBSIZE"]),
        }
    }

    /// Sends one request and returns the reply as it comes; for small replies.
    pub fn ask(&self, words: &[&str]) -> Result<String> {
        Asker::connect(self.address)?.ask(words)
    }

    /// What Mayfly says of itself, `None` of the others.
    pub fn scrape(&self) -> Result<Option<Scrape>> {
        self.metrics.map(Scrape::take).transpose()
    }

    /// Takes what the program says about where it listens.
    fn read_addresses(&mut self) -> Result<()> {
        if let Some(mut output) = self.child.stdout.take().map(BufReader::new) {
            let mut line = String::new();
            output.read_line(&mut line)?;
            self.address = line.trim().parse().with_context(|| format!("the echo said {line:?}"))?;
        }
        let Some(mut log) = self.child.stderr.take().map(BufReader::new) else {
            return Ok(());
        };
        let mut seen = String::new();
        loop {
            let begun = seen.len();
            if log.read_line(&mut seen)? == 0 {
                bail!("{} did not start:\n{seen}", self.name);
            }
            let line = &seen[begun..];
            let address = line.split("address=").nth(1).and_then(|rest| rest.trim().parse().ok());
            match address {
                Some(address) if line.contains("for clients") => self.address = address,
                Some(address) if line.contains("/metrics") => self.metrics = Some(address),
                _ => {}
            }
            if line.contains(" ready ") {
                break;
            }
        }
        // Nobody may be kept from logging by a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(())
    }

    /// False if it ended instead.
    fn wait_until_it_answers(&mut self, timeout: Duration) -> Result<bool> {
        let start = Instant::now();
        while start.elapsed() < timeout {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            if self.ask(&["PING"]).is_ok_and(|reply| reply.starts_with(['+', ':'])) {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{}: no answer within {timeout:?}", self.name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; there is nothing of it to keep.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Without a directory it has handed that over to the process after it.
        if !self.directory.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// Not every program takes port 0.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
