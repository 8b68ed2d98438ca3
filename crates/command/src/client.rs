//! What is known about one connection: the part that its session owns, and the card that others may read.
//!
//! [`ClientState`] belongs to the session alone. [`ClientCard`] is shared with whoever answers `CLIENT LIST`
//! on another thread; the session writes it with relaxed stores once per burst, nobody waits for anybody.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mayfly_acl::{DEFAULT_USER, User};
use mayfly_resp::Protocol;

use crate::access::open_access;
use crate::tracking::Tracking;

/// What a session knows of its client and its own standing.
#[derive(Debug)]
pub struct ClientState {
    /// The part that other sessions may read.
    pub card: Arc<ClientCard>,
    /// How replies are shaped.
    pub protocol: Protocol,
    /// The selected logical database.
    pub database: u16,
    /// Whether commands other than those flagged `no_auth` are allowed.
    pub authenticated: bool,
    /// The user as whom it asks.
    pub user: Arc<User>,
    /// Whether what it asks at the moment was queued for a transaction.
    pub is_in_transaction: bool,
    /// Whether the client wants replies: `CLIENT REPLY`.
    pub reply_mode: ReplyMode,
    /// How its reads are tracked: `CLIENT TRACKING`.
    pub tracking: Option<Tracking>,
    /// Set by `QUIT` and by errors that end the connection: nothing more is read, replies are still written.
    pub closing: bool,
    /// Set by a command that has not replied: the process does when this has come to pass.
    pub awaits: Option<Awaited>,
}

/// What the process answers a client only when it has come to pass; nothing more is read of the client meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaited {
    /// A snapshot: `SAVE`.
    Snapshot,
    /// A snapshot and then the end of the process: `SHUTDOWN SAVE`.
    Shutdown {
        /// It ends also if the snapshot fails.
        is_forced: bool,
    },
}

impl ClientState {
    /// A client that has just connected, as the default user. Which rights that has is looked up before its first
    /// request.
    pub fn new(card: Arc<ClientCard>, authenticated: bool) -> Self {
        ClientState {
            card,
            protocol: Protocol::Resp2,
            database: 0,
            authenticated,
            user: open_access().default_user(),
            is_in_transaction: false,
            reply_mode: ReplyMode::On,
            tracking: None,
            closing: false,
            awaits: None,
        }
    }

    /// Makes it ask as this user, here and on the card.
    pub fn set_user(&mut self, user: Arc<User>, authenticated: bool) {
        self.card.names().user = user.name().to_vec();
        self.user = user;
        self.authenticated = authenticated;
    }

    /// Changes the protocol here and on the card.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.card.resp3.store(protocol == Protocol::Resp3, Relaxed);
    }

    /// Changes how reads are tracked, here and on the card.
    pub fn set_tracking(&mut self, tracking: Option<Tracking>) {
        let mark = |holds: bool, mark: u8| if holds { mark } else { 0 };
        let marks = tracking.as_ref().map_or(0, |tracking| {
            TrackingMarks::ON
                | mark(tracking.broadcasts, TrackingMarks::BROADCASTS)
                | mark(tracking.is_broken, TrackingMarks::BROKEN)
        });
        let redirect = tracking.as_ref().map_or(-1, |tracking| tracking.redirect.unwrap_or(0) as i64);
        self.card.tracking.store(marks, Relaxed);
        self.card.redirect.store(redirect, Relaxed);
        self.tracking = tracking;
    }

    /// Selects a database here and on the card.
    pub fn set_database(&mut self, database: u16) {
        self.database = database;
        self.card.database.store(database, Relaxed);
    }
}

/// What a card says about tracking, as bits.
#[derive(Clone, Copy, Debug)]
pub struct TrackingMarks;

impl TrackingMarks {
    /// Its reads are tracked.
    pub const ON: u8 = 1;
    /// It is told of all keys with some prefix.
    pub const BROADCASTS: u8 = 1 << 1;
    /// Who was to get its messages has gone.
    pub const BROKEN: u8 = 1 << 2;
}

/// Whether a client wants replies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyMode {
    /// To every request.
    On,
    /// To none.
    Off,
    /// Not to the next request.
    SkipNext,
    /// Not to the request at hand.
    Skip,
}

/// What other sessions may read about a client.
#[derive(Debug)]
pub struct ClientCard {
    /// Unique and ascending since the server started, from 1.
    pub id: u64,
    /// Remote address, `host:port`.
    pub address: String,
    /// Local address, `host:port`.
    pub local_address: String,
    /// When it connected, Unix milliseconds.
    pub connected_at: i64,
    /// When it last sent something, Unix milliseconds.
    pub active_at: AtomicI64,
    /// The selected logical database.
    pub database: AtomicU16,
    /// Whether it speaks RESP3.
    pub resp3: AtomicBool,
    /// Whether it is exempt from eviction: `CLIENT NO-EVICT`.
    pub no_evict: AtomicBool,
    /// Whether its reads leave no trace in the keys: `CLIENT NO-TOUCH`.
    pub no_touch: AtomicBool,
    /// Number of its last command in the table; `u16::MAX` before the first.
    pub last_command: AtomicU16,
    /// Commands so far.
    pub calls: AtomicU64,
    /// Bytes received so far.
    pub input_bytes: AtomicU64,
    /// Bytes sent so far.
    pub output_bytes: AtomicU64,
    /// Bytes received and not yet used.
    pub input_waiting_bytes: AtomicU64,
    /// Bytes of replies not yet sent.
    pub output_waiting_bytes: AtomicU64,
    /// Channels and patterns that it listens to.
    pub subscriptions: AtomicU64,
    /// The same by kind: channels, patterns, shard channels.
    pub subscriptions_by_kind: [AtomicU64; 3],
    /// Keys that it watches.
    pub watched_keys: AtomicU64,
    /// Requests that it has queued since `MULTI`; -1: it has not said so.
    pub queued: AtomicI64,
    /// Bytes of these requests.
    pub queued_bytes: AtomicU64,
    /// Whether it reads what others ask for: `MONITOR`.
    pub is_monitor: AtomicBool,
    /// Whether and how its reads are tracked: [`TrackingMarks`].
    pub tracking: AtomicU8,
    /// The client that gets its invalidations: 0 itself, -1 without tracking.
    pub redirect: AtomicI64,
    /// Number of the thread it lives on.
    pub thread: AtomicU16,
    /// A request of it is held by `CLIENT PAUSE`.
    pub is_held: AtomicBool,
    /// Somebody has closed it: nothing more is read of it.
    pub disconnected: AtomicBool,
    names: Mutex<ClientNames>,
}

/// The names of a client: those that it gives itself, and that of its user.
#[derive(Clone, Debug)]
pub struct ClientNames {
    /// `CLIENT SETNAME`, or the `SETNAME` of `HELLO`.
    pub name: Vec<u8>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub library: Vec<u8>,
    /// `CLIENT SETINFO LIB-VER`.
    pub library_version: Vec<u8>,
    /// The user as whom it asks.
    pub user: Vec<u8>,
}

impl Default for ClientNames {
    /// Those of a client that has just connected.
    fn default() -> Self {
        let user = DEFAULT_USER.to_vec();
        ClientNames { name: Vec::new(), library: Vec::new(), library_version: Vec::new(), user }
    }
}

impl ClientCard {
    /// The card of a client that connects at `now`, in Unix milliseconds.
    pub fn new(id: u64, address: String, local_address: String, now: i64) -> Self {
        ClientCard {
            id,
            address,
            local_address,
            connected_at: now,
            active_at: AtomicI64::new(now),
            database: AtomicU16::new(0),
            resp3: AtomicBool::new(false),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            last_command: AtomicU16::new(u16::MAX),
            calls: AtomicU64::new(0),
            input_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            input_waiting_bytes: AtomicU64::new(0),
            output_waiting_bytes: AtomicU64::new(0),
            subscriptions: AtomicU64::new(0),
            subscriptions_by_kind: Default::default(),
            watched_keys: AtomicU64::new(0),
            queued: AtomicI64::new(-1),
            queued_bytes: AtomicU64::new(0),
            is_monitor: AtomicBool::new(false),
            tracking: AtomicU8::new(0),
            redirect: AtomicI64::new(-1),
            thread: AtomicU16::new(0),
            is_held: AtomicBool::new(false),
            disconnected: AtomicBool::new(false),
            names: Mutex::default(),
        }
    }

    /// Bytes that it holds: of requests that are not carried out, and of replies that are not sent.
    pub fn memory_bytes(&self) -> u64 {
        [&self.input_waiting_bytes, &self.output_waiting_bytes, &self.queued_bytes]
            .iter()
            .map(|bytes| bytes.load(Relaxed))
            .sum()
    }

    /// The client's names, to read or to change. Held for a copy at most.
    pub fn names(&self) -> MutexGuard<'_, ClientNames> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
