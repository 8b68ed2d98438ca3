//! The process as commands and metrics see it: config, clients, counters, clock, shutdown.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{
    AtomicU16, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use actix::{Handler, Message};
use mayfly_acl::{Access, Users};
use mayfly_command::{
    Begun, ClientCard, CommandFacts, CommandId, Diagnostics, Host, HostFacts, NO_ACL_FILE, Pause,
    PersistenceFacts, ShardFacts, SnapshotKind, SnapshotRefusal, Table, catalogue,
};
use mayfly_config::{
    Config, Directive, FsyncPolicy, Kind, Level, Loaded, PersistenceConfig, Place, Source, rewrite,
};
use mayfly_engine::{
    Counter, Door, ERROR_CODES, EventClasses, Pauses, SharedEventClasses, SharedMemory, ThreadCounters,
};
use mayfly_store::UnixMillis;
use tokio::sync::watch;

use crate::SetLogLevel;
use crate::access;
use crate::changes::LoadAgain;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::config_file;
use crate::durability::{self, Queue, Waiter};
use crate::inbox::{ClientAddress, ShardPeer};
use crate::monitors::Monitors;
use crate::sampler::Samples;
use crate::settings::diagnostics_options;
use crate::shard::{Answer, AskForSnapshot, Disconnect, Resume, ShardActor, UsersChanged};
use crate::tls::Tls;

/// The process that everything runs in; shared by all threads.
#[derive(Debug)]
pub struct ServerHost {
    /// The config at the start. It holds for whatever only a restart changes; the rest is in
    /// [`ServerHost::config`].
    pub loaded: Loaded,
    /// The keyspace events that are sent.
    pub events: SharedEventClasses,
    /// The shards; known before the first connection.
    pub shards: OnceLock<Vec<ShardPeer>>,
    /// The clock.
    pub clock: Clock,
    /// Who is connected.
    pub clients: Clients,
    /// Which requests are held.
    pub pauses: Pauses,
    /// Who is turned away.
    pub door: Door,
    /// The way to the disk, if there is a folder.
    pub queue: Option<Arc<Queue>>,
    /// Certificates.
    pub tls: Tls,
    /// Who monitors.
    pub monitors: Monitors,
    /// Counters of every shard's thread.
    pub counters: Vec<Arc<ThreadCounters>>,
    /// Port that clients connect to; known once it listens.
    pub port: AtomicU16,
    /// Rates and peaks.
    pub samples: Samples,
    /// How often SIGHUP was answered.
    pub reloads: Reloads,
    /// Loads the settings as at the start.
    pub load_again: Hook<LoadAgain>,
    /// Held by whoever changes settings.
    pub changing: Mutex<()>,
    /// Who may do what.
    pub access: Access,
    /// What took long.
    pub diagnostics: Diagnostics,
    config: RwLock<Arc<Config>>,
    /// How often it has changed.
    generation: AtomicU64,
    set_log_level: Hook<SetLogLevel>,
    /// What `CONFIG SET` has set, by path.
    set_since_start: Mutex<BTreeMap<&'static str, &'static Directive>>,
    /// Where the counters stood when `CONFIG RESETSTAT` was said.
    facts_at_reset: Mutex<HostFacts>,
    run_id: String,
    /// When the process started, Unix seconds.
    started_seconds: i64,
    shutdown: watch::Sender<bool>,
}

impl ServerHost {
    /// A process with `shards` shard threads.
    ///
    /// # Errors
    /// The system has no random numbers for the run id.
    pub fn new(
        loaded: Loaded,
        shards: u16,
        set_log_level: SetLogLevel,
        load_again: LoadAgain,
        users: Users,
    ) -> Result<Self, getrandom::Error> {
        let mut random = [0; 20];
        getrandom::fill(&mut random)?;
        let clock = Clock::start();
        let access = Access::new(users, catalogue());
        access.set_log_entries_max(loaded.config.access.log_entries_max);
        let diagnostics = Diagnostics::default();
        diagnostics.set_options(diagnostics_options(&loaded.config.slow));
        Ok(ServerHost {
            clients: Clients::new(loaded.config.server.connections_max),
            pauses: Pauses::default(),
            door: Door::to(SharedMemory::new(shards)),
            queue: queue(&loaded.config.persistence, shards),
            tls: Tls::default(),
            monitors: Monitors::default(),
            started_seconds: clock.now().0 / 1_000,
            clock,
            access,
            diagnostics,
            counters: (0..shards).map(|_| Arc::default()).collect(),
            port: AtomicU16::new(0),
            run_id: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            shutdown: watch::Sender::new(false),
            samples: Samples::default(),
            events: SharedEventClasses::new(event_classes(&loaded.config)),
            shards: OnceLock::new(),
            config: RwLock::new(Arc::new(loaded.config.clone())),
            generation: AtomicU64::new(0),
            set_log_level: Hook(set_log_level),
            load_again: Hook(load_again),
            reloads: Reloads::default(),
            changing: Mutex::default(),
            set_since_start: Mutex::default(),
            facts_at_reset: Mutex::default(),
            loaded,
        })
    }

    /// The config as it is now. It takes a lock for a moment, so nothing asks for it on the way of a command on
    /// data.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has these settings hold from now on, for whoever takes them anew.
    pub fn put_config(&self, config: Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        self.generation.fetch_add(1, Release);
    }

    /// Changes how much is logged.
    pub fn set_log_level(&self, level: Level) {
        (self.set_log_level)(level);
    }

    /// What `CONFIG SET` has set and no reload has undone, by path.
    pub fn set_since_start(&self) -> MutexGuard<'_, BTreeMap<&'static str, &'static Directive>> {
        self.set_since_start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the config has changed. Whoever has taken it looks here whether it is to be taken again.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Acquire)
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
    fn access(&self) -> &Access {
        &self.access
    }

    /// Who lives on which thread is known to the threads alone, so each looks at all of its own.
    fn users_changed(&self) {
        self.tell_shards(&UsersChanged);
    }

    fn load_users(&self) -> Result<(), String> {
        let config = self.config();
        if config.access.file.is_empty() {
            return Err(NO_ACL_FILE.to_owned());
        }
        let loaded =
            access::load(&config).inspect_err(|error| tracing::warn!(%error, "no users were loaded"))?;
        self.access.change(|users| users.replace(loaded));
        tracing::info!(path = config.access.file, "users were loaded");
        Ok(())
    }

    fn save_users(&self) -> Result<(), String> {
        let config = self.config();
        if config.access.file.is_empty() {
            return Err(NO_ACL_FILE.to_owned());
        }
        // Held to the end, so that nobody else saves meanwhile; users can be looked up.
        let _saving = self.set_since_start();
        let users = self.access.users().clone();
        access::save(&config.access.file, &users).map_err(|error| {
            tracing::warn!(path = config.access.file, %error, "users could not be saved");
            "There was an error trying to save the ACLs. Please check the server logs for more information"
                .to_owned()
        })?;
        tracing::info!(path = config.access.file, "users were saved");
        Ok(())
    }

    fn fill_with_random(&self, bytes: &mut [u8]) -> Result<(), String> {
        getrandom::fill(bytes).map_err(|error| format!("the system gives no random numbers: {error}"))
    }

    fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    fn is_secret_parameter(&self, name: &[u8]) -> bool {
        // What nobody knows is refused; it may be a secret that was spelt wrong.
        Directive::of_parameter(name)
            .is_none_or(|directive| matches!(directive.kind, Kind::Secret { .. } | Kind::Users { .. }))
    }

    fn client(&self, id: u64) -> Option<Arc<ClientCard>> {
        self.clients.find(id)
    }

    fn databases(&self) -> u16 {
        self.loaded.config.server.databases as u16
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.config().redis_parameters(|_| true) {
            visit(name, &value);
        }
    }

    fn set_parameters(&self, pairs: &[(&[u8], &[u8])]) -> Result<(), String> {
        self.set(pairs)
    }

    fn rewrite_config_file(&self) -> Result<(), String> {
        let Source::File(path) = &self.loaded.source else {
            return Err("The server is running without a config file".to_owned());
        };
        // Held to the end, so that nobody else rewrites the file meanwhile.
        let set = self.set_since_start();
        let mut directives: Vec<_> = set.values().copied().collect();
        let mut config = Config::clone(&self.config());
        if config.access.file.is_empty() && self.access.generation() > 1 {
            config.access.users = access::texts(&config, &self.access.users());
            directives.extend(Directive::find("access.users"));
        }
        config_file::replace(path, |text| rewrite(path, text, &config, &directives)).map_err(|error| {
            tracing::warn!(path = %path.display(), %error, "the config file could not be rewritten");
            format!("Rewriting config file: {error}")
        })?;
        for directive in directives {
            if let place @ (Place::Environment(_) | Place::Flag(_)) = self.loaded.place(directive.path) {
                let setting = directive.path;
                tracing::warn!(setting, by = %place, "rewritten in the config file, but something else overrides it");
            }
        }
        tracing::info!(path = %path.display(), "the config file was rewritten");
        Ok(())
    }

    fn pause(&self, until: UnixMillis, what: Pause) {
        self.pauses.begin(self.clock.now(), until, what);
    }

    fn unpause(&self) {
        self.pauses.end();
        self.tell_shards(&Resume);
    }

    fn reset_statistics(&self, shards: ShardFacts) {
        self.samples.resident_bytes_max.store(0, Relaxed);
        let mut at_reset = self.facts_at_reset.lock().unwrap_or_else(PoisonError::into_inner);
        *at_reset = HostFacts { shards_at_reset: shards, ..self.facts_since_start() };
    }

    fn clients(&self) -> Vec<Arc<ClientCard>> {
        self.clients.all()
    }

    /// Who lives on which thread is known to the threads alone, so each is told of all.
    fn disconnect(&self, clients: &[Arc<ClientCard>]) {
        let ids: Arc<[u64]> = clients.iter().map(|card| card.id).collect();
        clients.iter().for_each(|card| card.disconnected.store(true, Release));
        if !ids.is_empty() {
            self.tell_shards(&Disconnect(ids));
        }
    }

    fn facts(&self) -> HostFacts {
        // Locked first: counters read after those of the reset are not behind them.
        let before = self.facts_at_reset.lock().unwrap_or_else(PoisonError::into_inner);
        let mut facts = self.facts_since_start();
        facts.shards_at_reset = before.shards_at_reset;
        facts.connections_total -= before.connections_total;
        facts.connections_rejected -= before.connections_rejected;
        facts.commands_total -= before.commands_total;
        facts.input_bytes_total -= before.input_bytes_total;
        facts.output_bytes_total -= before.output_bytes_total;
        facts.errors_total -= before.errors_total;
        facts.output_overflows -= before.output_overflows;
        facts.denials = facts.denials.since(before.denials);
        facts.evicted_clients -= before.evicted_clients;
        for (now, then) in facts.errors_by_code.iter_mut().zip(&before.errors_by_code) {
            now.1 -= then.1;
        }
        for before in &before.commands {
            if let Some(command) = facts.commands.iter_mut().find(|command| command.name == before.name) {
                command.calls -= before.calls;
                command.errors -= before.errors;
                command.micros -= before.micros;
                for (now, then) in command.nanos.iter_mut().zip(&before.nanos) {
                    *now = (now.0 - then.0, now.1 - then.1);
                }
            }
        }
        facts.commands.retain(|command| command.calls > 0);
        facts
    }

    fn begin_snapshot(&self, kind: SnapshotKind, may_wait: bool) -> Result<Begun, SnapshotRefusal> {
        let queue = self.queue.as_ref().ok_or(SnapshotRefusal::NoFolder)?;
        let begun = queue.snapshots.ask(kind, may_wait)?;
        if begun == Begun::Now {
            self.ask_for_snapshot();
        }
        Ok(begun)
    }

    fn abort_shutdown(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| durability::abort_shutdown(self, queue))
    }

    fn shutdown(&self) {
        self.shutdown.send_replace(true);
    }
}

impl ServerHost {
    /// Begins a snapshot on behalf of a client that waits for it.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn begin_snapshot_for(&self, waiter: Waiter) -> Result<(), SnapshotRefusal> {
        let queue = self.queue.as_ref().ok_or(SnapshotRefusal::NoFolder)?;
        if queue.snapshots.ask_for(waiter)? == Begun::Now {
            self.ask_for_snapshot();
        }
        Ok(())
    }

    /// Changes of data that were recorded since the start.
    pub fn changes(&self) -> u64 {
        self.total(|thread| thread.changes.get())
    }

    /// Of these, those behind the beginning of the last snapshot.
    pub fn changes_since_save(&self) -> u64 {
        let saved = self.queue.as_ref().map_or(0, |queue| queue.changes_saved.load(Relaxed));
        self.changes().saturating_sub(saved)
    }

    /// Sends every shard a message, once there are some.
    pub fn tell_shards<M>(&self, message: &M)
    where
        M: Message<Result = ()> + Clone + Send + 'static,
        ShardActor: Handler<M>,
    {
        for shard in self.shards.get().into_iter().flatten() {
            shard.address.do_send(message.clone());
        }
    }

    /// Has the shards begin a snapshot.
    pub fn ask_for_snapshot(&self) {
        if let Some(first) = self.shards.get().and_then(|shards| shards.first()) {
            first.address.do_send(AskForSnapshot);
        }
    }

    /// Answers a client that waits for the process with an encoded line, or with nothing.
    pub fn answer(&self, to: ClientAddress, line: impl Into<Cow<'static, str>>) {
        let shard = self.shards.get().and_then(|shards| shards.get(to.thread.index()));
        if let Some(shard) = shard {
            shard.address.do_send(Answer { client: to.client, line: line.into() });
        }
    }

    fn facts_since_start(&self) -> HostFacts {
        let process = Process::read().unwrap_or_default();
        let cards = self.clients.all();
        let watched = || cards.iter().map(|card| card.watched_keys.load(Relaxed));
        let kilobytes = |bytes: &AtomicU64| bytes.load(Relaxed) as f64 / 1_024.0;
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
            persistence: self.persistence_facts(),
            connections_max: self.config().server.connections_max as u64,
            memory_bytes_max: self.config().memory.bytes_max,
            memory_policy: self.config().memory.policy.name(),
            connections: self.clients.connected(),
            connections_total: self.clients.accepted(),
            connections_rejected: self.clients.rejected(),
            commands_total: self.total(ThreadCounters::calls),
            commands_per_second: self.samples.commands_per_second.load(Relaxed),
            calls_imbalance: self.samples.calls_imbalance(),
            input_bytes_total: self.total(|thread| thread.input_bytes.get()),
            output_bytes_total: self.total(|thread| thread.output_bytes.get()),
            errors_total: self.total(ThreadCounters::errors),
            tracking_clients: self.clients.tracking(),
            blocked_clients: self.clients.held(),
            tracked_keys: self.total(|thread| thread.tracked_keys.get()),
            tracked_items: self.total(|thread| thread.tracked_items.get()),
            // The same on every shard.
            tracked_prefixes: self.counters.first().map_or(0, |thread| thread.tracked_prefixes.get()),
            resident_bytes,
            resident_bytes_max: resident_bytes_max.max(resident_bytes),
            machine_bytes: process.machine_bytes,
            machine_available_bytes: process.machine_available_bytes,
            system_seconds: process.system_seconds,
            user_seconds: process.user_seconds,
            shards_at_reset: ShardFacts::default(),
            input_kilobytes_per_second: kilobytes(&self.samples.input_bytes_per_second),
            output_kilobytes_per_second: kilobytes(&self.samples.output_bytes_per_second),
            listening_clients: cards.iter().filter(|card| card.subscriptions.load(Relaxed) > 0).count()
                as u64,
            watching_clients: watched().filter(|keys| *keys > 0).count() as u64,
            watched_keys: watched().sum(),
            // All shards have the same.
            channels: self.counters.first().map_or([0; 3], |thread| {
                [&thread.channels, &thread.patterns, &thread.shard_channels].map(Counter::get)
            }),
            client_bytes: cards.iter().map(|card| card.memory_bytes()).sum(),
            evicted_clients: self.clients.evicted_total(),
            output_overflows: self.total(|thread| thread.output_overflows.get())
                + self.clients.slow_closed_total(),
            denials: self.access.denials(),
            errors_by_code: ERROR_CODES
                .iter()
                .enumerate()
                .map(|(index, code)| (*code, self.total(|thread| thread.errors_by_code[index].get())))
                .collect(),
            commands: self.command_facts(),
        }
    }

    fn persistence_facts(&self) -> PersistenceFacts {
        let Some(queue) = &self.queue else {
            return PersistenceFacts {
                last_save_seconds: self.started_seconds,
                ..PersistenceFacts::default()
            };
        };
        let measures = &queue.measures;
        let began = measures.snapshot_began_nanos.get();
        PersistenceFacts {
            is_enabled: true,
            is_loading: self.door.is_loading(),
            is_sick: self.door.refuses_writes(),
            running: queue.snapshots.running(),
            scheduled: queue.snapshots.scheduled(),
            running_for: (began > 0).then(|| Duration::from_nanos(self.clock.nanos().saturating_sub(began))),
            changes_since_save: self.changes_since_save(),
            saves: measures.snapshots(SnapshotKind::Save),
            rewrites: measures.snapshots(SnapshotKind::Rewrite),
            log_bytes: measures.log_bytes.get(),
            snapshot_bytes: measures.snapshot_bytes.get(),
            waiting_bytes: queue.waiting_bytes() + measures.unsynced_bytes.get(),
            is_syncing: measures.is_syncing.load(Relaxed),
            delays: queue.delays(),
            load: measures.load.facts(),
            last_save_seconds: queue.last_save_seconds.load(Relaxed).max(self.started_seconds),
        }
    }

    /// How long the calls of a command took, over all threads.
    fn nanos(&self, command: CommandId) -> Vec<(u64, u64)> {
        let mut sums: Vec<(u64, u64)> = Vec::new();
        for thread in &self.counters {
            let snapshot = thread.command(command).nanos.snapshot();
            sums.resize(snapshot.buckets().len(), (0, 0));
            for (sum, bucket) in sums.iter_mut().zip(snapshot.buckets()) {
                *sum = (sum.0 + bucket.0, sum.1 + bucket.1);
            }
        }
        sums
    }

    fn command_facts(&self) -> Vec<CommandFacts> {
        let facts = Table::get().all().iter().map(|command| CommandFacts {
            name: command.full_name().to_owned(),
            calls: self.total(|thread| thread.command(command.id).calls.get()),
            errors: self.total(|thread| thread.command(command.id).errors.get()),
            micros: self.total(|thread| thread.command(command.id).nanos.sum()) / 1_000,
            nanos: self.nanos(command.id),
        });
        facts.filter(|command| command.calls > 0).collect()
    }
}

/// How often SIGHUP was answered.
#[derive(Debug, Default)]
pub struct Reloads {
    /// By taking the settings.
    pub done: AtomicU64,
    /// By changing nothing, since something was wrong.
    pub failed: AtomicU64,
}

/// What the binary does for the server.
pub struct Hook<F>(F);

impl<F> Deref for Hook<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.0
    }
}

impl<F> fmt::Debug for Hook<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hook")
    }
}

/// Half of what may wait for the disk waits here, the other half in the log.
fn queue(config: &PersistenceConfig, shards: u16) -> Option<Arc<Queue>> {
    let is_always = config.fsync == FsyncPolicy::Always;
    let queue = || Arc::new(Queue::new(shards, is_always, config.unsynced_bytes_max / 2));
    (!config.dir.is_empty()).then(queue)
}

/// The letters were checked when they were set.
pub fn event_classes(config: &Config) -> EventClasses {
    EventClasses::parse(&config.events.notify).unwrap_or_default()
}

/// What the system says about this process; all zero where it says nothing.
#[derive(Default)]
pub struct Process {
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Memory of the machine in bytes.
    pub machine_bytes: u64,
    /// Of that what processes can still have.
    pub machine_available_bytes: u64,
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
            machine_bytes: machine.as_ref().map_or(0, |memory| memory.mem_total),
            machine_available_bytes: machine.and_then(|memory| memory.mem_available).unwrap_or(0),
            user_seconds: stat.utime as f64 / ticks,
            system_seconds: stat.stime as f64 / ticks,
        })
    }
}
