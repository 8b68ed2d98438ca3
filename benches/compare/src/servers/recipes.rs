//! How each program is started: its path, its threads, what it keeps on the disk.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Persistence;

/// More connections than any question opens.
const CONNECTIONS_MAX: &str = "12000";

/// Which program a server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// Ours.
    Mayfly,
    /// The peer that every ratio is about.
    Redis,
    /// Its fork.
    Valkey,
    /// A server in Rust with a thread per core.
    Kevy,
    /// The ceiling: what a server costs that does nothing but answer.
    Echo,
}

/// A program with the settings it is to be started with.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Which program.
    pub program: Program,
    /// Shards of Mayfly, io-threads of Redis and Valkey, threads of kevy.
    pub threads: u16,
    /// Whether it tells subscribers of expired keys.
    pub events: bool,
    /// The processors it may run on, as `taskset` takes them; `None` for all.
    pub processors: Option<String>,
    /// What it keeps on the disk.
    pub persistence: Persistence,
    path: PathBuf,
    preload: Option<PathBuf>,
    version: String,
}

impl Program {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Program::Mayfly => "Mayfly",
            Program::Redis => "Redis",
            Program::Valkey => "Valkey",
            Program::Kevy => "kevy",
            Program::Echo => "bare echo",
        }
    }
}

impl Recipe {
    /// A program that answers to `--version`, with one thread.
    pub fn new(program: Program, path: &Path) -> Result<Self> {
        let asked = Command::new(path).arg("--version").stdin(Stdio::null()).output();
        let asked =
            asked.with_context(|| format!("cannot start {} for {}", path.display(), program.name()))?;
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let version = version_in(&text).with_context(|| format!("no version in {text:?}"))?.to_owned();
        Ok(Recipe {
            program,
            threads: 1,
            events: false,
            processors: None,
            persistence: Persistence::Without,
            path: path.to_owned(),
            preload: None,
            version,
        })
    }

    /// The same with another number of threads.
    pub fn with_threads(&self, threads: u16) -> Self {
        Recipe { threads, ..self.clone() }
    }

    /// The same, telling subscribers of expired keys.
    pub fn with_events(&self) -> Self {
        Recipe { events: true, ..self.clone() }
    }

    /// The same on some of the processors.
    pub fn on_processors(&self, processors: String) -> Self {
        Recipe { processors: Some(processors), ..self.clone() }
    }

    /// The same with something to keep on the disk.
    pub fn keeping(&self, persistence: Persistence) -> Self {
        Recipe { persistence, ..self.clone() }
    }

    /// The same with a library loaded before its own, which is how an allocator is changed.
    pub fn with_preload(self, library: &Path) -> Result<Self> {
        ensure!(library.exists(), "{} does not exist", library.display());
        Ok(Recipe { preload: Some(library.to_owned()), ..self })
    }

    /// What reports call it.
    pub fn label(&self) -> String {
        let Recipe { threads, version, .. } = self;
        let name = self.program.name();
        match (self.program, threads) {
            (Program::Mayfly, 1) => format!("{name}, 1 shard"),
            (Program::Mayfly, _) => format!("{name}, {threads} shards"),
            (Program::Echo, _) => name.to_owned(),
            (_, 1) => format!("{name} {version}"),
            (Program::Kevy, _) => format!("{name} {version}, {threads} threads"),
            (_, _) => format!("{name} {version}, io-threads {threads}"),
        }
    }

    /// The command that starts it on a port, Mayfly and the echo on any free one.
    pub(super) fn command(&self, port: u16, directory: &Path) -> Result<Command> {
        let mut command = match &self.processors {
            None => Command::new(&self.path),
            Some(processors) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", processors]).arg(&self.path);
                command
            }
        };
        if let Some(library) = &self.preload {
            command.env("LD_PRELOAD", library);
        }
        let threads = self.threads.to_string();
        self.persistence.check(self.program)?;
        match self.program {
            Program::Mayfly => {
                command.args(["--port", "0", "--metrics-port", "0", "--shards", &threads]);
                command.env("MAYFLY_SERVER__CONNECTIONS_MAX", CONNECTIONS_MAX);
                self.persistence.tell_mayfly(&mut command, directory);
                if self.events {
                    command.env("MAYFLY_EVENTS__NOTIFY", "Ex");
                }
            }
            Program::Redis | Program::Valkey => {
                command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
                command.args(["--maxclients", CONNECTIONS_MAX]);
                self.persistence.tell_redis(&mut command);
                command.args(["--io-threads", &threads, "--notify-keyspace-events", self.events_letters()]);
                command.current_dir(directory);
            }
            Program::Kevy => {
                // It takes events from its file alone.
                let file = directory.join("kevy.toml");
                let letters = self.events_letters();
                std::fs::write(&file, format!("[notification]\nnotify_keyspace_events = \"{letters}\"\n"))?;
                let arguments: [OsString; 4] =
                    ["--config".into(), file.into(), "--dir".into(), directory.into()];
                command.args(arguments).args(["--bind", "127.0.0.1", "--no-aof", "--threads", &threads]);
                command.args(["--port", &port.to_string()]);
            }
            Program::Echo => {
                command.arg("echo");
            }
        }
        Ok(command)
    }

    fn events_letters(&self) -> &'static str {
        if self.events { "Ex" } else { "" }
    }
}

/// The first word that looks like a version.
fn version_in(text: &str) -> Option<&str> {
    let words = text.split_whitespace().map(|word| word.trim_start_matches("v="));
    words.into_iter().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn every_program_says_its_version_in_its_own_way() {
        assert_eq!(version_in("Redis server v=8.2.3 sha=00000000:1 malloc=jemalloc-5.3.0"), Some("8.2.3"));
        assert_eq!(version_in("kevy 3.17.3\n"), Some("3.17.3"));
        assert_eq!(version_in("nothing"), None);
    }
}
