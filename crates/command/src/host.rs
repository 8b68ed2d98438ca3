//! What commands ask of the process around them: its config, its clients, its counters.
//!
//! The server implements it; the simulator and the tests have their own.

use std::sync::Arc;
use std::time::Duration;

use mayfly_acl::{Access, Denials};
use mayfly_store::UnixMillis;

use crate::access::open_access;
use crate::client::ClientCard;
use crate::diagnostics::{Diagnostics, blind};

/// What `ACL LOAD` and `ACL SAVE` answer where no file is named.
pub const NO_ACL_FILE: &str = "This Redis instance is not configured to use an ACL file. You may want to specify users \
                               via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
                               configuration file set) in order to store users in the Redis configuration.";

/// The process that a command runs in.
pub trait Host: Send + Sync {
    /// The users of the process.
    fn access(&self) -> &Access {
        open_access()
    }

    /// Has every connection look at once what has become of its user.
    fn users_changed(&self) {}

    /// Takes the users of the ACL file in the place of all: all of them, or none.
    ///
    /// # Errors
    /// The text that says what is wrong, without its code.
    fn load_users(&self) -> Result<(), String> {
        Err(NO_ACL_FILE.to_owned())
    }

    /// Writes all users to the ACL file.
    ///
    /// # Errors
    /// The text that says what is wrong, without its code.
    fn save_users(&self) -> Result<(), String> {
        Err(NO_ACL_FILE.to_owned())
    }

    /// Fills `bytes` with random numbers that nobody can guess.
    ///
    /// # Errors
    /// There are none; the text without its code.
    fn fill_with_random(&self, _bytes: &mut [u8]) -> Result<(), String> {
        Err("this process has no random numbers".to_owned())
    }

    /// What is known of slow work.
    fn diagnostics(&self) -> &Diagnostics {
        blind()
    }

    /// Number of logical databases.
    fn databases(&self) -> u16;

    /// All parameters that `CONFIG GET` knows, by their Redis names.
    fn parameters(&self, visit: &mut dyn FnMut(&str, &str));

    /// Sets parameters by their Redis names: all of them, or none. Every command that begins later sees them.
    ///
    /// # Errors
    /// The text that refuses them, without its code.
    fn set_parameters(&self, _: &[(&[u8], &[u8])]) -> Result<(), String> {
        Err("this process has no parameters to set".to_owned())
    }

    /// Writes into the config file what was set by [`Host::set_parameters`].
    ///
    /// # Errors
    /// Why it was not written, without its code.
    fn rewrite_config_file(&self) -> Result<(), String> {
        Err("The server is running without a config file".to_owned())
    }

    /// Counts anew from here on what [`Host::facts`] and `INFO` count since the start. `lookups` is where the
    /// shards stand.
    fn reset_statistics(&self, _lookups: ShardFacts) {}

    /// Whether a parameter of `CONFIG SET` holds a secret. A process that does not know takes all for secrets.
    fn is_secret_parameter(&self, _name: &[u8]) -> bool {
        true
    }

    /// Every connected client.
    fn clients(&self) -> Vec<Arc<ClientCard>>;

    /// The client of this number, if it is connected.
    fn client(&self, id: u64) -> Option<Arc<ClientCard>> {
        self.clients().into_iter().find(|card| card.id == id)
    }

    /// Closes these clients: nothing that they send from here on is read.
    fn disconnect(&self, _: &[Arc<ClientCard>]) {}

    /// Holds requests that are read from here on, until then. A process without clients has nothing to hold.
    fn pause(&self, _until: UnixMillis, _what: Pause) {}

    /// Ends what [`Host::pause`] has begun.
    fn unpause(&self) {}

    /// Numbers and facts for `INFO`.
    fn facts(&self) -> HostFacts;

    /// Begins a snapshot of all keys; returns at once. Where one of the other kind is under way it follows that one, if
    /// it may wait.
    ///
    /// # Errors
    /// Why it is refused.
    fn begin_snapshot(&self, _: SnapshotKind, _may_wait: bool) -> Result<Begun, SnapshotRefusal> {
        Err(SnapshotRefusal::NoFolder)
    }

    /// Takes back every shutdown that waits for its snapshot; whether there was one.
    fn abort_shutdown(&self) -> bool {
        false
    }

    /// Begins an orderly shutdown; returns at once.
    fn shutdown(&self);
}

/// Which requests are held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pause {
    /// Those that write.
    Writes,
    /// All.
    All,
}

/// What a snapshot was asked for. There is one way to take one; Redis has two, and `INFO` tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotKind {
    /// For its own sake: `SAVE`, `BGSAVE`, a `save` point.
    Save,
    /// For a log that begins anew behind it: `BGREWRITEAOF`, or the log has grown.
    Rewrite,
}

/// What came of asking for a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begun {
    /// It begins.
    Now,
    /// It follows the one under way.
    Later,
}

/// Why no snapshot is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotRefusal {
    /// There is no folder.
    NoFolder,
    /// One of the same kind is under way.
    Running,
    /// One of the other kind is under way.
    OtherRunning,
}

impl SnapshotRefusal {
    /// The line that a client reads who wants a snapshot for its own sake.
    pub const fn line(self) -> &'static str {
        match self {
            SnapshotRefusal::NoFolder => "ERR there is no data folder to save to",
            SnapshotRefusal::Running => "ERR Background save already in progress",
            SnapshotRefusal::OtherRunning => {
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                 schedule a BGSAVE whenever possible."
            }
        }
    }
}

/// What `INFO` says about the process.
#[derive(Clone, Default, Debug)]
pub struct HostFacts {
    /// Port that clients connect to.
    pub port: u16,
    /// Process number.
    pub process_id: u32,
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    /// Path of the config file; empty: embedded defaults.
    pub config_file: String,
    /// Path of the executable.
    pub executable: String,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Limit of the memory that data uses in bytes; 0: none.
    pub memory_bytes_max: u64,
    /// What is evicted at that limit.
    pub memory_policy: &'static str,
    /// What outlives the process.
    pub persistence: PersistenceFacts,
    /// Limit of connections.
    pub connections_max: u64,
    /// Open connections.
    pub connections: u64,
    /// Clients of which a request is held.
    pub blocked_clients: u64,
    /// Connections since the start.
    pub connections_total: u64,
    /// Connections refused since the start.
    pub connections_rejected: u64,
    /// Commands since the start.
    pub commands_total: u64,
    /// Commands in the last second.
    pub commands_per_second: u64,
    /// How uneven the calls of the last seconds were over the shards, see [`imbalance`](crate::imbalance).
    pub calls_imbalance: f64,
    /// Bytes received since the start.
    pub input_bytes_total: u64,
    /// Bytes sent since the start.
    pub output_bytes_total: u64,
    /// Errors answered since the start.
    pub errors_total: u64,
    /// Clients whose reads are tracked.
    pub tracking_clients: u64,
    /// Keys remembered for clients that cache them.
    pub tracked_keys: u64,
    /// Pairs of such a key and a client.
    pub tracked_items: u64,
    /// Prefixes of keys that clients are told of.
    pub tracked_prefixes: u64,
    /// Resident memory of the process in bytes.
    pub resident_bytes: u64,
    /// The most resident memory so far in bytes.
    pub resident_bytes_max: u64,
    /// Memory of the machine in bytes.
    pub machine_bytes: u64,
    /// Of that what processes can still have.
    pub machine_available_bytes: u64,
    /// Processor time of the process in system mode, seconds.
    pub system_seconds: f64,
    /// Processor time of the process in user mode, seconds.
    pub user_seconds: f64,
    /// Where the shards stood when the statistics were reset.
    pub shards_at_reset: ShardFacts,
    /// Kilobytes received in the last second, a second.
    pub input_kilobytes_per_second: f64,
    /// Kilobytes sent in the last second, a second.
    pub output_kilobytes_per_second: f64,
    /// Clients that listen to something.
    pub listening_clients: u64,
    /// Clients that watch keys.
    pub watching_clients: u64,
    /// Keys that they watch together, one that several watch each time.
    pub watched_keys: u64,
    /// Channels, patterns and shard channels that somebody listens to.
    pub channels: [u64; 3],
    /// Bytes that clients hold together.
    pub client_bytes: u64,
    /// Clients closed for the memory that all of them held.
    pub evicted_clients: u64,
    /// Clients closed because they did not read.
    pub output_overflows: u64,
    /// What users were denied.
    pub denials: Denials,
    /// Errors that were answered, by code.
    pub errors_by_code: Vec<(&'static str, u64)>,
    /// Calls, errors and microseconds of each command that was called, by full name.
    pub commands: Vec<CommandFacts>,
}

/// What `INFO` says about the way to the disk.
#[derive(Clone, Copy, Default, Debug)]
pub struct PersistenceFacts {
    /// There is a folder.
    pub is_enabled: bool,
    /// It is being loaded.
    pub is_loading: bool,
    /// The disk takes nothing at the moment.
    pub is_sick: bool,
    /// The snapshot that is under way.
    pub running: Option<SnapshotKind>,
    /// The one that follows it.
    pub scheduled: Option<SnapshotKind>,
    /// Changes behind the beginning of the last snapshot; not counted without a folder.
    pub changes_since_save: u64,
    /// How long the one under way has taken, once it has begun.
    pub running_for: Option<Duration>,
    /// Snapshots for their own sake.
    pub saves: SnapshotFacts,
    /// Snapshots for the log.
    pub rewrites: SnapshotFacts,
    /// Bytes of the log behind the last snapshot.
    pub log_bytes: u64,
    /// Bytes of the last snapshot.
    pub snapshot_bytes: u64,
    /// Bytes that wait for the disk.
    pub waiting_bytes: u64,
    /// A sync is under way.
    pub is_syncing: bool,
    /// Times that clients were read no further since too much waited for the disk.
    pub delays: u64,
    /// The start.
    pub load: LoadFacts,
    /// When the last one was finished, in Unix seconds; before the first, when the process started.
    pub last_save_seconds: i64,
}

/// What `INFO` says about the snapshots of one kind.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SnapshotFacts {
    /// Those that were finished.
    pub done: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that failed since one was finished.
    pub failed_in_a_row: u64,
    /// How long the last one took.
    pub last: Option<Duration>,
}

/// What `INFO` says about what is loaded, or was, at the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct LoadFacts {
    /// When it began, Unix seconds.
    pub began_seconds: u64,
    /// Bytes of the files.
    pub total_bytes: u64,
    /// Of these, what is read.
    pub loaded_bytes: u64,
    /// Keys that are loaded.
    pub keys: u64,
    /// Keys that were dropped, since their deadline was past.
    pub expired: u64,
}

impl LoadFacts {
    /// How much of it is read.
    pub fn loaded_percent(&self) -> f64 {
        if self.total_bytes == 0 { 100.0 } else { 100.0 * self.loaded_bytes as f64 / self.total_bytes as f64 }
    }
}

impl HostFacts {
    /// Errors of one code.
    pub fn errors_of(&self, code: &str) -> u64 {
        self.errors_by_code.iter().find(|(known, _)| *known == code).map_or(0, |(_, count)| *count)
    }
}

/// What all shards have counted together since the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ShardFacts {
    /// Look-ups to read that found their key.
    pub hits: u64,
    /// Look-ups to read that found none.
    pub misses: u64,
    /// Keys that the wheel removed at their deadline.
    pub expired_by_wheel: u64,
    /// Keys that an access found past their deadline.
    pub expired_on_access: u64,
    /// Keys that were evicted.
    pub evicted: u64,
}

/// What `INFO commandstats` says about one command.
#[derive(Clone, Default, Debug)]
pub struct CommandFacts {
    /// Full name, `config|get` for a subcommand.
    pub name: String,
    /// Calls that ran.
    pub calls: u64,
    /// Calls that answered an error.
    pub errors: u64,
    /// Microseconds of all calls together.
    pub micros: u64,
    /// How many calls took how many nanoseconds together, by their length, ascending.
    pub nanos: Vec<(u64, u64)>,
}
