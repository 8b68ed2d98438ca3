//! What a command is, as data: its name, arity, flags, key positions, arguments and documentation.
//!
//! Everything that is known about a command without running it derives from its [`Spec`]: look-up, the arity
//! check, routing, `COMMAND`, `COMMAND DOCS`, the metrics label and the README's table. The arguments'
//! grammar lives in [`crate::argument`], the list of all specs in [`crate::table`].

use mayfly_acl::KeyAccess;

use crate::argument::Argument;
use crate::context::{DataContext, SessionContext};
use crate::error::Outcome;
use crate::words::Words;

/// One command, or one subcommand of a container such as `CLIENT`.
#[derive(Debug)]
pub struct Spec {
    /// Lower-case name as clients type it; for a subcommand the second word only (`setname`).
    pub name: &'static str,
    /// One sentence for `COMMAND DOCS` and the README.
    pub summary: &'static str,
    /// The version that brought it: of Redis where the command exists there, else of Mayfly.
    pub since: &'static str,
    /// Cost, for `COMMAND DOCS`.
    pub complexity: &'static str,
    /// The chapter it belongs to.
    pub group: Group,
    /// Number of words with the name; negative: at least that many.
    pub arity: i16,
    /// What the command does and needs.
    pub flags: Flags,
    /// Where its keys stand.
    pub keys: &'static [KeySpec],
    /// What may follow the name, for `COMMAND DOCS`, hints and syntax lines.
    pub arguments: &'static [Argument],
    /// Where and how it runs.
    pub run: Run,
}

impl Spec {
    /// A spec with nothing filled in, so that a command's file names only what applies to it.
    pub const BLANK: Spec = Spec {
        name: "",
        summary: "",
        since: "1.0.0",
        complexity: "O(1)",
        group: Group::Generic,
        arity: 1,
        flags: Flags::NONE,
        keys: &[],
        arguments: &[],
        run: Run::Container(&[]),
    };

    /// Whether a request of `words` words (the name included) can be this command.
    pub fn accepts(&self, words: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity >= 0 { words == arity } else { words >= arity }
    }

    /// The positions of all keys in a request of `words` words.
    pub fn key_positions(&self, words: usize) -> impl Iterator<Item = usize> {
        self.keys.iter().flat_map(move |keys| keys.positions(words))
    }

    /// The subcommands of a container, none for any other command.
    pub fn subcommands(&self) -> &'static [&'static Spec] {
        match self.run {
            Run::Container(subcommands) => subcommands,
            _ => &[],
        }
    }

    /// The syntax line, for example `HGET key field`.
    pub fn syntax(&self) -> String {
        let mut line = self.name.to_ascii_uppercase();
        for argument in self.arguments {
            line.push(' ');
            argument.write_syntax(&mut line);
        }
        line
    }
}

/// Where a command runs, and the function that does it.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// Needs no data: answered by the session, in order.
    Session(fn(&mut SessionContext<'_>, Words<'_>) -> Outcome),
    /// Needs the shards that its keys live on.
    Keys(fn(&mut DataContext<'_>, Words<'_>) -> Outcome),
    /// Needs every shard.
    AllShards(fn(&mut DataContext<'_>, Words<'_>) -> Outcome),
    /// Needs the shard that the cursor in its second word names; see [`crate::cursor`].
    Cursor(fn(&mut DataContext<'_>, Words<'_>) -> Outcome),
    /// A step of the conversation itself: transactions, channels. The engine carries it out.
    Step(Step),
    /// Only its subcommands run.
    Container(&'static [&'static Spec]),
}

/// What the engine carries out itself, since it is about the conversation and not about data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `MULTI`: requests are queued from here on.
    Multi,
    /// `EXEC`: what was queued runs as one.
    Exec,
    /// `DISCARD`: what was queued is forgotten.
    Discard,
    /// `WATCH`: the next transaction runs only if these keys have not changed.
    Watch,
    /// `UNWATCH`: no key is watched any more.
    Unwatch,
    /// Listen to channels, patterns or shard channels.
    Subscribe(ChannelKind),
    /// Listen no more.
    Unsubscribe(ChannelKind),
    /// Send a message to those who listen to a channel or a shard channel.
    Publish(ChannelKind),
    /// The names of one kind that somebody listens to.
    ListChannels(ChannelKind),
    /// How many listen to each name of one kind.
    CountListeners(ChannelKind),
    /// How many patterns are listened to.
    CountPatterns,
    /// `CLIENT TRACKING`: be told when what was read changes, or no more.
    Track,
}

/// The three kinds of subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelKind {
    /// `SUBSCRIBE`: one channel.
    Channel,
    /// `PSUBSCRIBE`: all channels that match a pattern.
    Pattern,
    /// `SSUBSCRIBE`: one shard channel, a name space of its own.
    ShardChannel,
}

/// The chapter of the manual that a command belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Fields and whole hashes.
    Hash,
    /// Keys whatever they hold, and their expiry.
    Generic,
    /// The connection itself.
    Connection,
    /// Several commands as one.
    Transactions,
    /// Messages between clients.
    PubSub,
    /// The server as a whole.
    Server,
    /// Clusters, which Mayfly does not form.
    Cluster,
}

impl Group {
    /// The name that `COMMAND DOCS` uses.
    pub fn name(self) -> &'static str {
        match self {
            Group::Hash => "hash",
            Group::Generic => "generic",
            Group::Connection => "connection",
            Group::Transactions => "transactions",
            Group::PubSub => "pubsub",
            Group::Server => "server",
            Group::Cluster => "cluster",
        }
    }
}

/// A set of properties of a command, named as Redis names them in `COMMAND INFO`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u32);

impl Flags {
    /// No property.
    pub const NONE: Flags = Flags(0);
    /// May change data.
    pub const WRITE: Flags = Flags(1);
    /// Only reads data.
    pub const READONLY: Flags = Flags(1 << 1);
    /// May make memory grow.
    pub const DENYOOM: Flags = Flags(1 << 2);
    /// For operators.
    pub const ADMIN: Flags = Flags(1 << 3);
    /// Constant or logarithmic time.
    pub const FAST: Flags = Flags(1 << 4);
    /// Allowed before the client has authenticated.
    pub const NO_AUTH: Flags = Flags(1 << 5);
    /// Allowed while data is loading.
    pub const LOADING: Flags = Flags(1 << 6);
    /// Allowed on a stale replica.
    pub const STALE: Flags = Flags(1 << 7);
    /// Not allowed in scripts.
    pub const NOSCRIPT: Flags = Flags(1 << 8);
    /// Not allowed in a transaction.
    pub const NO_MULTI: Flags = Flags(1 << 9);
    /// Dangerous or slow on a busy server.
    pub const DANGEROUS: Flags = Flags(1 << 10);
    /// Allowed while another command blocks the server.
    pub const ALLOW_BUSY: Flags = Flags(1 << 12);

    /// About channels.
    pub const PUBSUB: Flags = Flags(1 << 13);
    /// May hold the client until something happens.
    pub const BLOCKING: Flags = Flags(1 << 14);
    /// Not allowed while a replica loads data beside what it serves.
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 15);
    /// Is not in the slow log by itself.
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 16);

    const NAMES: [(Flags, &'static str); 15] = [
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENYOOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::PUBSUB, "pubsub"),
        (Flags::NOSCRIPT, "noscript"),
        (Flags::BLOCKING, "blocking"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::ALLOW_BUSY, "allow_busy"),
    ];

    /// Both sets together.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names that `COMMAND INFO` lists, in Redis' order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

/// Where some keys of a command stand and what is done to them.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Position of the first key; the command's name is at 0.
    pub first: usize,
    /// Position of the last key; negative counts from the end of the request.
    pub last: isize,
    /// Distance between two keys.
    pub step: usize,
    /// What is done to them, in the words of `COMMAND INFO`.
    pub access: &'static [&'static str],
}

impl KeySpec {
    /// One key at `position`.
    pub const fn at(position: usize, access: &'static [&'static str]) -> Self {
        KeySpec { first: position, last: position as isize, step: 1, access }
    }

    /// Every word from `position` on.
    pub const fn all_from(position: usize, access: &'static [&'static str]) -> Self {
        KeySpec { first: position, last: -1, step: 1, access }
    }

    /// What a user must be allowed to do to them.
    pub fn rights(self) -> KeyAccess {
        self.access.iter().fold(KeyAccess::NONE, |rights, word| match *word {
            "access" => rights.and(KeyAccess::READ),
            "insert" | "update" | "delete" => rights.and(KeyAccess::WRITE),
            _ => rights,
        })
    }

    /// The positions of these keys in a request of `words` words.
    pub fn positions(self, words: usize) -> impl Iterator<Item = usize> + Clone {
        let end = if self.last < 0 { words as isize + self.last } else { self.last };
        let end = usize::try_from(end).map_or(0, |last| (last + 1).min(words));
        (self.first..end).step_by(self.step)
    }
}

/// What a command does to a key, for [`KeySpec::access`].
pub mod access {
    /// Reads the value.
    pub const READ: &[&str] = &["RO", "access"];
    /// Reads what is known of the key, not its value.
    pub const LOOK: &[&str] = &["RO"];
    /// Reads and changes the value.
    pub const READ_UPDATE: &[&str] = &["RW", "access", "update"];
    /// Changes the value or what is known of it.
    pub const UPDATE: &[&str] = &["RW", "update"];
    /// Adds without destroying.
    pub const INSERT: &[&str] = &["RW", "insert"];
    /// Deletes part of the value.
    pub const DELETE: &[&str] = &["RW", "delete"];
    /// Reads, then deletes.
    pub const READ_DELETE: &[&str] = &["RW", "access", "delete"];
    /// Deletes the key.
    pub const REMOVE: &[&str] = &["RM", "delete"];
    /// Replaces the key whatever it held.
    pub const OVERWRITE: &[&str] = &["OW", "update"];
    /// Creates the key.
    pub const CREATE: &[&str] = &["OW", "insert"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_stop_at_the_end_of_the_request() {
        let all = KeySpec::all_from(1, access::LOOK);
        assert_eq!(all.positions(4).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(all.positions(1).count(), 0);
        assert_eq!(KeySpec::at(2, access::LOOK).positions(3).collect::<Vec<_>>(), [2]);
        assert_eq!(KeySpec::at(2, access::LOOK).positions(2).count(), 0);
    }

    #[test]
    fn arity_counts_the_name() {
        let exact = Spec { arity: 2, ..Spec::BLANK };
        assert!(exact.accepts(2) && !exact.accepts(3) && !exact.accepts(1));
        let least = Spec { arity: -2, ..Spec::BLANK };
        assert!(least.accepts(2) && least.accepts(9) && !least.accepts(1));
    }
}
