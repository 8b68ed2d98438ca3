//! THE table: every directive with its text, type, default, range and names. One entry here is all a
//! new directive takes; the macro and the meaning of the columns are in `directive.rs`.
//!
//! ```text
//! /// What it does and why one would change it: 1-4 lines, shown in the file, the help and the README.
//! key: Type = default, kind with range, redis "its-redis-name", flag "its-flag", live;
//! ```
//!
//! `live` marks what `CONFIG SET` changes while the server runs. Whoever writes it sees to it that the server
//! looks at the new value.

use std::net::{IpAddr, Ipv4Addr};

use crate::directive::{Directive, Kind, Section, directives};
use crate::save_points::SavePoints;
use crate::size::{GIB, KIB, MIB};
use crate::ttl_rules::{JITTER_MAX, SECONDS_MAX};
use crate::values::{
    AuthClients, FsyncPolicy, Level, LogFormat, MemoryPolicy, Secret, Setting, TLS12_CIPHERS,
    TLS13_CIPHERSUITES, TlsProtocols,
};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

directives! {
    /// Where clients connect, and how many of them.
    server: ServerConfig {
        /// The addresses to listen on for clients. The default is reachable from this machine only; add
        /// "0.0.0.0" or "::" for every interface, and set a password before doing so.
        bind: Vec<IpAddr> = vec![LOCALHOST], Kind::Addresses { max: 16 }, redis "bind", flag "bind";
        /// The TCP port for clients. 0 takes any free one; the log names it.
        port: u16 = 6379, Kind::Port, redis "port", flag "port";
        /// How many threads share the data; each owns its part of the keys. 0 is one per core, but one where there
        /// are two: handing over between two threads mostly costs more there than the second brings. Fewer leave
        /// cores to other programs.
        shards: usize = 0, Kind::Integer { min: 0, max: 256, unit: "shards" }, flag "shards";
        /// How many numbered databases SELECT knows.
        databases: usize = 16, Kind::Integer { min: 1, max: 256, unit: "databases" }, redis "databases";
        /// How many clients may be connected at once; one more is told so and closed. Keep it below the limit of
        /// open files of the process.
        connections_max: usize = 10_000, Kind::Integer { min: 1, max: 1_000_000, unit: "connections" },
            redis "maxclients", live;
        /// Closes a client that has sent nothing for so long. 0 never does.
        idle_timeout_seconds: u64 = 0, Kind::Integer { min: 0, max: 31_536_000, unit: "seconds" },
            redis "timeout", live;
        /// The silence after which the system probes whether a client is still there, so that vanished ones are
        /// closed. 0 never probes. 32767 is the most that Linux takes.
        tcp_keepalive_seconds: u64 = 300, Kind::Integer { min: 0, max: 32_767, unit: "seconds" },
            redis "tcp-keepalive", live;
        /// How many connections may wait to be accepted. More help when many clients connect at once; the system
        /// caps it (Linux: net.core.somaxconn).
        tcp_backlog: usize = 511, Kind::Integer { min: 1, max: 65_535, unit: "connections" },
            redis "tcp-backlog";
        /// The file of a Unix socket to listen on for clients too. What a crash has left there is replaced. Empty
        /// listens on none.
        unix_socket: String = String::new(), Kind::Path { bytes_max: 107 }, redis "unixsocket";
        /// Who may connect there: the permissions of the file in octal, such as "770". Empty leaves them to the umask
        /// of the process.
        unix_socket_permissions: String = String::new(), Kind::Permissions, redis "unixsocketperm";
        /// Whether memory that is in full use moves to huge pages (Linux 6.1 or later). They spare look-ups in large
        /// keyspaces page walks; who needs a range of 2 MiB while it moves waits for half a millisecond. Where
        /// /sys/kernel/mm/transparent_hugepage/enabled says always, the first touch of memory brings huge pages,
        /// too: each can hold a shard for milliseconds then, and more memory stays resident.
        huge_pages: bool = false, Kind::Flag;
        /// How long a shutdown waits for calls in flight and for replies to be written before it closes what is
        /// left. Keep it below the time that the supervisor of the process allows.
        shutdown_grace_ms: u64 = 10_000, Kind::Integer { min: 0, max: 600_000, unit: "ms" }, live;
        /// What clients have to send with AUTH before anything else. Empty asks for nothing. Never shown; better
        /// given as MAYFLY_SERVER__PASSWORD than written in a file that others read. One given by CONFIG SET is
        /// written into the file by CONFIG REWRITE, as Redis does.
        password: Secret = Secret::default(), Kind::Secret { bytes_max: 512 }, redis "requirepass", live;
    }

    /// TLS for clients, on a port of its own, and for the collector. Certificates and keys are files in PEM form; they
    /// are read at the start, when CONFIG SET names one of them, and on SIGHUP. A wrong one changes nothing.
    tls: TlsConfig {
        /// The TCP port for clients that speak TLS, on the addresses of server.bind. 0 listens on none.
        port: u16 = 0, Kind::Port, redis "tls-port";
        /// The certificate that the server shows, and behind it those of the authorities between it and the root.
        cert_file: String = String::new(), Kind::Path { bytes_max: 4_096 }, redis "tls-cert-file", live;
        /// The private key of this certificate. Nobody else should be able to read the file.
        key_file: String = String::new(), Kind::Path { bytes_max: 4_096 }, redis "tls-key-file", live;
        /// What opens the key if it is encrypted (BEGIN ENCRYPTED PRIVATE KEY, which is PKCS #8; OpenSSL writes it by
        /// default). Never shown; better given as MAYFLY_TLS__KEY_PASSWORD than written in a file that others read.
        key_password: Secret = Secret::default(), Kind::Secret { bytes_max: 512 }, redis "tls-key-file-pass", live;
        /// The certificates of the authorities whose clients are let in.
        ca_cert_file: String = String::new(), Kind::Path { bytes_max: 4_096 }, redis "tls-ca-cert-file", live;
        /// Whether clients show a certificate: yes lets nobody in without one, optional checks one that is shown, no
        /// asks for none.
        auth_clients: AuthClients = AuthClients::Yes, Kind::Word(&AuthClients::NAMES), redis "tls-auth-clients", live;
        /// The versions of TLS that are spoken.
        protocols: TlsProtocols = TlsProtocols::Both, Kind::Word(&TlsProtocols::NAMES), redis "tls-protocols", live;
        /// The cipher suites of TLS 1.2, the preferred one first. Empty: all.
        ciphers: String = String::new(), Kind::Names(&TLS12_CIPHERS), redis "tls-ciphers", live;
        /// The cipher suites of TLS 1.3, the preferred one first. Empty: all.
        ciphersuites: String = String::new(), Kind::Names(&TLS13_CIPHERSUITES), redis "tls-ciphersuites", live;
        /// Whether the server chooses the cipher suite by its own order, and not by that of the client.
        prefer_server_ciphers: bool = false, Kind::Flag, redis "tls-prefer-server-ciphers", live;
        /// Whether a client that comes again may take up its last session, which spares both sides the certificates.
        session_caching: bool = true, Kind::Flag, redis "tls-session-caching", live;
        /// How many sessions are kept for that; the oldest go. New certificates forget all of them.
        session_cache_size: usize = 20_480, Kind::Integer { min: 1, max: 1_048_576, unit: "sessions" },
            redis "tls-session-cache-size", live;
        /// How long a client may take from connecting to the end of the handshake; then it is closed.
        handshake_timeout_ms: u64 = 10_000, Kind::Integer { min: 100, max: 600_000, unit: "ms" }, live;
        /// How many handshakes may be under way at an address; more clients wait. Each may hold 64 KiB of what its
        /// client has sent, until it is done or its time is over.
        handshakes_max: usize = 256, Kind::Integer { min: 1, max: 65_536, unit: "handshakes" }, live;
        /// Whether the endpoint for Prometheus speaks TLS, with the same certificate.
        metrics: bool = false, Kind::Flag;
        /// Whether the collector shows a certificate. No is for probes and collectors that have none.
        metrics_auth_clients: AuthClients = AuthClients::No, Kind::Word(&AuthClients::NAMES), live;
    }

    /// What one client may ask for, hold and leave unread. Each bound is what keeps memory finite.
    limits: LimitsConfig {
        /// How many words one request may have; a longer one is a protocol error.
        request_words_max: usize = 1_048_576, Kind::Integer { min: 16, max: 16_777_216, unit: "words" }, live;
        /// How long one word of a request may be, so also a key, a field and a value.
        bulk_bytes_max: usize = (512 * MIB) as usize, Kind::Bytes { min: KIB, max: GIB },
            redis "proto-max-bulk-len", live;
        /// How long a request typed by hand may be, one line without lengths.
        inline_bytes_max: usize = (64 * KIB) as usize, Kind::Bytes { min: 64, max: MIB }, live;
        /// How long a whole request may be. At least limits.bulk_bytes_max.
        request_bytes_max: usize = GIB as usize, Kind::Bytes { min: 4 * KIB, max: 2 * GIB },
            redis "client-query-buffer-limit", live;
        /// How many calls of one connection may be in flight before it is read no further. More feed deeper
        /// pipelines, fewer keep one client from filling the shards' queues.
        pipeline_window: usize = 1_024, Kind::Integer { min: 1, max: 65_536, unit: "calls" }, live;
        /// How much may wait for a client that does not read its replies; past it the client is closed.
        output_bytes_max: usize = (256 * MIB) as usize, Kind::Bytes { min: 64 * KIB, max: 16 * GIB }, live;
        /// How much may wait for a client before its further requests are left unread. At most
        /// limits.output_bytes_max.
        output_bytes_pause: usize = MIB as usize, Kind::Bytes { min: 4 * KIB, max: GIB }, live;
        /// How much may wait for a subscriber that does not read its messages, or for a client in MONITOR; past it
        /// the client is closed.
        subscriber_bytes_max: usize = (32 * MIB) as usize, Kind::Bytes { min: 64 * KIB, max: 16 * GIB }, live;
        /// How much may wait for a client for so long as limits.output_soft_seconds; past both the client is closed. 0
        /// is no such limit.
        output_bytes_soft: usize = 0, Kind::Bytes { min: 0, max: 16 * GIB }, live;
        /// For how long more than limits.output_bytes_soft may wait.
        output_soft_seconds: u64 = 0, Kind::Integer { min: 0, max: 86_400, unit: "seconds" }, live;
        /// How much may wait for a subscriber or a client in MONITOR for so long as limits.subscriber_soft_seconds; past
        /// both the client is closed. 0 is no such limit.
        subscriber_bytes_soft: usize = (8 * MIB) as usize, Kind::Bytes { min: 0, max: 16 * GIB }, live;
        /// For how long more than limits.subscriber_bytes_soft may wait.
        subscriber_soft_seconds: u64 = 60, Kind::Integer { min: 0, max: 86_400, unit: "seconds" }, live;
        /// How much all clients may hold together, of requests not carried out and replies not sent; past it the largest
        /// are closed, but none that has said CLIENT NO-EVICT on. It is looked at ten times a second. 0 is no limit.
        clients_bytes_max: usize = 0, Kind::Bytes { min: 0, max: 1024 * GIB }, redis "maxmemory-clients", live;
        /// How many commands one transaction may queue; a longer one is refused.
        transaction_calls_max: usize = 65_536, Kind::Integer { min: 1, max: 1_048_576, unit: "commands" }, live;
        /// How much the queued commands of one transaction may hold together; a larger one is refused.
        transaction_bytes_max: usize = (64 * MIB) as usize, Kind::Bytes { min: KIB, max: GIB }, live;
        /// How many keys one client may watch for its next transaction.
        watched_keys_max: usize = 1_024, Kind::Integer { min: 1, max: 1_048_576, unit: "keys" }, live;
        /// How many keys are remembered for clients that cache them (CLIENT TRACKING). Past it some key is forgotten,
        /// and its clients are told as if it had changed.
        tracked_keys_max: usize = 1_000_000, Kind::Integer { min: 1_000, max: 1_000_000_000, unit: "keys" },
            redis "tracking-table-max-keys";
        /// How many prefixes of keys one client may be told of (CLIENT TRACKING … BCAST).
        tracked_prefixes_max: usize = 1_024, Kind::Integer { min: 1, max: 65_536, unit: "prefixes" }, live;
        /// How much is read from one connection before the others get their turn. More suit few clients with deep
        /// pipelines, fewer suit many clients.
        read_bytes_max: usize = (64 * KIB) as usize, Kind::Bytes { min: KIB, max: 16 * MIB }, live;
    }

    /// How hashes are kept in memory.
    hash: HashConfig {
        /// Up to so many fields a hash is one packed block, the smallest form; a larger one becomes a table. More
        /// save memory and make each look-up longer. 0 packs none.
        packed_fields_max: usize = 128, Kind::Integer { min: 0, max: 4_096, unit: "fields" },
            redis "hash-max-listpack-entries", live;
        /// Up to so many bytes of fields and values a hash is one packed block; a larger one becomes a table.
        packed_bytes_max: usize = (4 * KIB) as usize, Kind::Bytes { min: 64, max: 64 * KIB }, live;
    }

    /// How much memory hashes may use, and which of them go when it is used up.
    memory: MemoryConfig {
        /// How much keys and values may use over all shards, with their index and timers (INFO used_memory); 0 is no
        /// limit. At the limit hashes are evicted by the policy, and where it lets none go, writes are refused with
        /// OOM. Leave the process a third more than this: memory of clients is not in it, nor room that entries of
        /// other sizes have left.
        bytes_max: u64 = 0, Kind::Bytes { min: 0, max: 65_536 * GIB }, redis "maxmemory", flag "maxmemory", live;
        /// What goes at the limit: volatile-* takes hashes with a TTL only, allkeys-* any; ttl the nearest deadline,
        /// lru what was used last the longest ago (OBJECT IDLETIME), lfu what is used least often (OBJECT FREQ), random
        /// any. noeviction takes none. Also without a limit it says which use of a hash is kept.
        policy: MemoryPolicy = MemoryPolicy::Noeviction, Kind::Word(&MemoryPolicy::NAMES),
            redis "maxmemory-policy", live;
        /// How many hashes lru and lfu look at before one goes. More choose better and take longer.
        samples: usize = 5, Kind::Integer { min: 1, max: 64, unit: "hashes" }, redis "maxmemory-samples", live;
        /// With lfu, how many uses it takes to raise the counter of a hash, which ends at 255: the more, the larger
        /// this is. 0 counts every use; with 10, about a million reach the end.
        lfu_log_factor: u32 = 10, Kind::Integer { min: 0, max: 2_147_483_647, unit: "steps" },
            redis "lfu-log-factor", live;
        /// With lfu, how long a hash goes unused before its counter falls by one. 0: it never falls.
        lfu_decay_minutes: u32 = 1, Kind::Integer { min: 0, max: 2_147_483_647, unit: "minutes" },
            redis "lfu-decay-time", live;
    }

    /// How hashes whose time has come are given back. They are absent for clients at once in any case.
    expiry: ExpiryConfig {
        /// How many hashes a shard reclaims before it looks at its clients again (130 to 180 ns each). More reclaim
        /// a storm sooner, fewer make calls wait less behind it.
        slice_entries_max: usize = 256, Kind::Integer { min: 1, max: 65_536, unit: "hashes" }, live;
    }

    /// How long hashes may live, whatever clients ask for. RESTORE and what is read back at a start keep the TTLs that
    /// were recorded.
    ttl: TtlConfig {
        /// The TTL of a hash that is written without one (HSET and the like, PERSIST, a RENAME or COPY of such a hash).
        /// One that has a TTL keeps it. 0 gives none.
        default_seconds: u64 = 0, Kind::Integer { min: 0, max: SECONDS_MAX, unit: "seconds" }, live;
        /// The longest TTL: a longer one is cut to it, and the reply is as if it were not. It does not touch hashes
        /// without a TTL. 0 is any.
        max_seconds: u64 = 0, Kind::Integer { min: 0, max: SECONDS_MAX, unit: "seconds" }, live;
        /// Whether a write that would leave a hash without a TTL is refused, where there is no default.
        require: bool = false, Kind::Flag, live;
        /// How much of a TTL may be taken off it by chance, so that hashes written together do not expire together. It
        /// only ever gets shorter.
        jitter_percent: u32 = 0, Kind::Integer { min: 0, max: JITTER_MAX, unit: "percent" }, live;
        /// The same for keys by their names: "session:* default=1800 max=86400 jitter=10; db=2 require". Patterns are
        /// those of KEYS; the first rule that a key matches holds, and what it leaves open is as above; optional takes
        /// require back.
        rules: String = String::new(), Kind::TtlRules, live;
    }

    /// What outlives the process. Without a folder nothing is written, and a stop forgets everything.
    persistence: PersistenceConfig {
        /// The folder that every change is written to and read back from at the next start; it is made where there is
        /// none, and one process has it for itself. Empty writes nothing.
        dir: String = String::new(), Kind::Path { bytes_max: 4_096 }, redis "dir", flag "dir";
        /// When a change is brought to the disk: always before its reply leaves, everysec at least once a second, never
        /// when the system likes to. Without always, a crash of the process alone loses the last 10 ms.
        fsync: FsyncPolicy = FsyncPolicy::Everysec, Kind::Word(&FsyncPolicy::NAMES), redis "appendfsync";
        /// How much may wait for the disk, in memory. Past it clients are read no further until the disk has caught up.
        /// In tests the process took 1.0 to 1.7 times this for it, with what 20 clients had sent meanwhile.
        unsynced_bytes_max: usize = (64 * MIB) as usize, Kind::Bytes { min: MIB, max: 4 * GIB };
        /// A snapshot is begun by itself when the log behind the last one has grown to this part of it. Less makes
        /// a start shorter and the disk busier. 0 never does.
        log_growth_percent: u64 = 100, Kind::Integer { min: 0, max: 100_000, unit: "percent" },
            redis "auto-aof-rewrite-percentage";
        /// A log smaller than this is not worth a snapshot by itself.
        log_bytes_min: u64 = 64 * MIB, Kind::Bytes { min: 64 * KIB, max: 1024 * GIB }, redis "auto-aof-rewrite-min-size";
        /// Begins a snapshot by itself also by time: pairs of seconds and changes such as "3600 1 300 100", reached when
        /// the last snapshot is longer ago and so much has changed since. The log keeps every change in any case; a
        /// snapshot makes the next start shorter. Empty: none.
        save: SavePoints = SavePoints::default(), Kind::SavePoints, redis "save", live;
        /// How much of its keys a shard hands out for a snapshot before it looks at its clients again: 64 KiB take it
        /// about 100 us. More make a snapshot shorter, less make calls wait less behind a slice. A field is never cut.
        snapshot_slice_bytes_max: usize = (64 * KIB) as usize, Kind::Bytes { min: 4 * KIB, max: 16 * MIB }, live;
        /// How long a shard is its clients' alone between two slices of a snapshot. 0: it goes on as soon as nobody
        /// waits.
        snapshot_rest_ms: u64 = 1, Kind::Integer { min: 0, max: 1_000, unit: "ms" }, live;
    }

    /// Who may do what, as in Redis' access control lists.
    access: AccessConfig {
        /// Users, one a text: the name and then rules, as ACL SETUSER takes them. "default" is who has not logged in.
        /// Give hashes (#...) rather than passwords (>...). In the environment a line holds a user.
        users: Vec<String> = Vec::new(), Kind::Users { max: 1_024, bytes_max: 65_536 };
        /// The file that users are read from at the start and by ACL LOAD, and written to by ACL SAVE. A line
        /// is "user", the name and rules. What it says of the user default goes before server.password.
        file: String = String::new(), Kind::Path { bytes_max: 4_096 }, redis "aclfile";
        /// How many entries ACL LOG keeps of what was denied last.
        log_entries_max: usize = 128, Kind::Integer { min: 0, max: 100_000, unit: "entries" }, redis "acllog-max-len",
            live;
        /// Whether only clients of this machine are let in while the user default needs no password, whatever
        /// server.bind says.
        protected_mode: bool = true, Kind::Flag, redis "protected-mode", live;
    }

    /// What took long: SLOWLOG and LATENCY.
    slow: SlowConfig {
        /// Calls that take so long are kept for SLOWLOG; 0 keeps all, -1 none. A call is measured from its look-up
        /// to its reply. Below 1000 every call has its own reading of the clock, which costs throughput.
        log_micros_min: Option<u64> = Some(10_000), Kind::Threshold { max: 3_600_000_000, unit: "microseconds" },
            redis "slowlog-log-slower-than", live;
        /// How many slow calls are kept.
        log_entries_max: usize = 128, Kind::Integer { min: 0, max: 100_000, unit: "entries" }, redis "slowlog-max-len",
            live;
        /// Calls, slices of expiry, evictions and writes to the disk that take so long are events for LATENCY.
        /// 0: none are.
        latency_ms: u64 = 0, Kind::Integer { min: 0, max: 3_600_000, unit: "ms" },
            redis "latency-monitor-threshold", live;
    }

    /// What subscribers are told of keys.
    events: EventsConfig {
        /// Which keyspace events are published, in Redis' letters: K to channels named by key, E to channels named
        /// by event; g generic, h hash, x expired, n new key, m miss, A for all but n and m. Empty publishes none.
        notify: String = String::new(), Kind::Letters { of: "KEg$lshzxetdnmA" }, redis "notify-keyspace-events",
            live;
    }

    /// The endpoint for Prometheus, GET /metrics.
    metrics: MetricsConfig {
        /// Whether there is an endpoint.
        enabled: bool = true, Kind::Flag;
        /// The address to listen on for the collector.
        bind: IpAddr = LOCALHOST, Kind::Address;
        /// The TCP port for the collector. 0 takes any free one; the log names it.
        port: u16 = 9121, Kind::Port, flag "metrics-port";
        /// Whether GET / shows a page that draws the metrics in a browser. It only reads.
        status_page: bool = true, Kind::Flag;
        /// Whether that page names hot and big keys. Keys may be secrets, such as the tokens of sessions, and this port
        /// asks nobody for a password: say yes where only operators reach it. HOTKEYS and BIGKEYS name them in any case,
        /// to users that may.
        status_page_keys: bool = false, Kind::Flag;
    }

    /// Which keys are called most, for HOTKEYS.
    hot_keys: HotKeysConfig {
        /// How many calls there are for each one that is looked at to find hot keys. Fewer see more and cost more.
        /// 0 looks at none.
        sample_calls: u32 = 256, Kind::Integer { min: 0, max: 1_048_576, unit: "calls" }, live;
    }

    /// What is written to standard error.
    log: LogConfig {
        /// How much is logged. debug and trace cost throughput.
        level: Level = Level::Info, Kind::Word(&["error", "warn", "info", "debug", "trace"]), redis "loglevel",
            live;
        /// The form of a line: text for people, json for collectors.
        format: LogFormat = LogFormat::Text, Kind::Word(&["text", "json"]);
    }
}
