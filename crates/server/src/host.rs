//! The process as commands and metrics see it: config, clients, counters, clock, shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use mayfly_command::{ClientCard, CommandFacts, Host, HostFacts, Table};
use mayfly_config::{Loaded, Source};
use mayfly_engine::ThreadCounters;
use tokio::sync::watch;

use crate::clients::Clients;
use crate::clock::Clock;
use crate::sampler::Samples;

/// The process that everything runs in; shared by all threads.
#[derive(Debug)]
pub struct ServerHost {
    /// The effective config.
    pub loaded: Loaded,
    /// The clock.
    pub clock: Clock,
    /// Who is connected.
    pub clients: Clients,
    /// Counters of every shard's thread.
    pub counters: Vec<Arc<ThreadCounters>>,
    /// Port that clients connect to; known once it listens.
    pub port: AtomicU16,
    /// Rates and peaks.
    pub samples: Samples,
    run_id: String,
    shutdown: watch::Sender<bool>,
}

impl ServerHost {
    /// A process with `shards` shard threads.
    ///
    /// # Errors
    /// The system has no random numbers for the run id.
    pub fn new(loaded: Loaded, shards: u16) -> Result<Self, getrandom::Error> {
        let mut random = [0; 20];
        getrandom::fill(&mut random)?;
        Ok(ServerHost {
            clients: Clients::new(loaded.config.server.connections_max),
            clock: Clock::start(),
            counters: (0..shards).map(|_| Arc::default()).collect(),
            port: AtomicU16::new(0),
            run_id: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            shutdown: watch::Sender::new(false),
            samples: Samples::default(),
            loaded,
        })
    }

    /// Resolves when a shutdown has been asked for.
    pub async fn shutdown_requested(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.shutdown.subscribe().wait_for(|requested| *requested).await;
    }

    /// Sum of a counter over all threads.
    pub fn total(&self, counter: impl Fn(&ThreadCounters) -> u64) -> u64 {
        self.counters.iter().map(|thread| counter(thread)).sum()
    }
}

impl Host for ServerHost {
    fn password(&self) -> &str {
        self.loaded.config.server.password.reveal()
    }

    fn databases(&self) -> u16 {
        self.loaded.config.server.databases as u16
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.loaded.config.redis_parameters(|_| true) {
            visit(name, &value);
        }
    }

    fn clients(&self) -> Vec<Arc<ClientCard>> {
        self.clients.all()
    }

    fn facts(&self) -> HostFacts {
        let process = Process::read().unwrap_or_default();
        let resident_bytes = process.resident_bytes;
        let resident_bytes_max = self.samples.resident_bytes_max.fetch_max(resident_bytes, Relaxed);
        HostFacts {
            port: self.port.load(Relaxed),
            process_id: std::process::id(),
            run_id: self.run_id.clone(),
            config_file: match &self.loaded.source {
                Source::Defaults => String::new(),
                Source::File(path) => path.display().to_string(),
            },
            executable: std::env::current_exe().map_or(String::new(), |path| path.display().to_string()),
            uptime_seconds: self.clock.uptime().as_secs(),
            connections_max: self.loaded.config.server.connections_max as u64,
            connections: self.clients.connected(),
            connections_total: self.clients.accepted(),
            connections_rejected: self.clients.rejected(),
            commands_total: self.total(ThreadCounters::calls),
            commands_per_second: self.samples.commands_per_second.load(Relaxed),
            input_bytes_total: self.total(|thread| thread.input_bytes.get()),
            output_bytes_total: self.total(|thread| thread.output_bytes.get()),
            errors_total: self.total(ThreadCounters::errors),
            resident_bytes,
            resident_bytes_max: resident_bytes_max.max(resident_bytes),
            machine_bytes: process.machine_bytes,
            system_seconds: process.system_seconds,
            user_seconds: process.user_seconds,
            commands: self.command_facts(),
        }
    }

    fn shutdown(&self) {
        self.shutdown.send_replace(true);
    }
}

impl ServerHost {
    fn command_facts(&self) -> Vec<CommandFacts> {
        let facts = Table::get().all().iter().map(|command| CommandFacts {
            name: command.full_name().to_owned(),
            calls: self.total(|thread| thread.command(command.id).calls.get()),
            errors: self.total(|thread| thread.command(command.id).errors.get()),
            micros: self.total(|thread| thread.command(command.id).nanos.sum()) / 1_000,
        });
        facts.filter(|command| command.calls > 0).collect()
    }
}

/// What the system says about this process; all zero where it says nothing.
#[derive(Default)]
pub struct Process {
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Memory of the machine in bytes.
    pub machine_bytes: u64,
    /// Processor time in user mode, seconds.
    pub user_seconds: f64,
    /// Processor time in system mode, seconds.
    pub system_seconds: f64,
}

impl Process {
    /// Asks the system.
    pub fn read() -> Option<Self> {
        let stat = procfs::process::Process::myself().ok()?.stat().ok()?;
        let ticks = procfs::ticks_per_second() as f64;
        let machine = <procfs::Meminfo as procfs::Current>::current().ok();
        Some(Process {
            resident_bytes: stat.rss * procfs::page_size(),
            machine_bytes: machine.map_or(0, |memory| memory.mem_total),
            user_seconds: stat.utime as f64 / ticks,
            system_seconds: stat.stime as f64 / ticks,
        })
    }
}
