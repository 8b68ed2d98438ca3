//! What commands did to keys, for those who watch: keyspace events, `WATCH`, client-side caching.
//!
//! A command reports each change where it makes it. While nobody watches, a report is one branch; who watches is
//! the engine's business. Beside it, what they did to the data, where that is recorded ([`Recorder`]).

use mayfly_store::UnixMillis;

use crate::recorder::Recorder;

/// The class of an event, with its letter in `notify-keyspace-events`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// `g`: commands on keys whatever they hold.
    Generic,
    /// `h`: commands on hashes.
    Hash,
    /// `x`: the key's time had come.
    Expired,
    /// `e`: the key was evicted for the memory it took.
    Evicted,
    /// `n`: the key is new.
    New,
    /// `m`: a key to be read was not there. The only event that is no change.
    Miss,
}

/// One thing that happened to a key or to a whole database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Something happened to one key.
    Key {
        /// The logical database.
        database: u16,
        /// The class of the event.
        class: Class,
        /// Its name, as subscribers see it.
        event: &'static str,
        /// The key.
        key: Vec<u8>,
    },
    /// All keys of a database were removed.
    Flushed {
        /// The logical database.
        database: u16,
    },
    /// Two databases changed places.
    Swapped {
        /// The one.
        first: u16,
        /// The other.
        second: u16,
    },
}

/// The changes of one call, in order.
#[derive(Debug, Default)]
pub struct Changes {
    watched: bool,
    /// Whether anybody watches or effects are recorded: what a call asks once at its end.
    is_followed: bool,
    list: Vec<Change>,
    pub(crate) recorder: Option<Box<Recorder>>,
}

impl Changes {
    /// Says whether anybody watches; changes are kept only then.
    pub fn set_watched(&mut self, watched: bool) {
        self.watched = watched;
        self.is_followed = watched || self.recorder.is_some();
    }

    /// Has the effects on the data recorded from now on, or no more.
    pub fn set_recorder(&mut self, recorder: Option<Box<Recorder>>) {
        self.recorder = recorder;
        self.set_watched(self.watched);
    }

    /// A key is about to be evicted: those who watch hear of it, and the log.
    pub fn evict(&mut self, database: u16, key: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.remove(database, key);
        }
        self.report(database, Class::Evicted, "evicted", key);
    }

    /// Whether the effects on the data are recorded.
    #[inline]
    pub fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }

    /// Changes that were recorded so far.
    #[inline]
    pub fn recorded(&self) -> u64 {
        self.recorder.as_ref().map_or(0, |recorder| recorder.changes())
    }

    /// Begins a record, if effects are recorded.
    #[inline]
    pub fn begin_record(&mut self, now: UnixMillis) {
        if let Some(recorder) = &mut self.recorder {
            recorder.begin(now);
        }
    }

    /// Here a record may end.
    pub fn may_split_record(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.may_split();
        }
    }

    /// The bodies of the records since the last beginning.
    pub fn take_records(&mut self) -> impl Iterator<Item = Vec<u8>> {
        self.recorder.iter_mut().flat_map(|recorder| recorder.take())
    }

    /// Whether anybody watches, or effects are recorded.
    #[inline]
    pub fn is_followed(&self) -> bool {
        self.is_followed
    }

    /// Whether anybody watches.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// Reports an event on a key.
    #[inline]
    pub fn report(&mut self, database: u16, class: Class, event: &'static str, key: &[u8]) {
        if self.watched {
            self.list.push(Change::Key { database, class, event, key: key.to_vec() });
        }
    }

    /// Reports a change of whole databases.
    pub fn report_whole(&mut self, change: Change) {
        if self.watched {
            self.list.push(change);
        }
    }

    /// Hands out what was reported.
    pub fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.list)
    }

    /// Whether nothing was reported.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn every_command_reports_what_it_changes_in_order() {
        replay(&[
            ("HSET h a 1 b 2", "(integer) 2"),
            ("EVENTS", "new h, hset h"),
            ("HSETEX h a 1 60", "(integer) 0"),
            ("EVENTS", "hset h, expire h"),
            ("HSETEX h KEY EX 60 FIELDS 1 a 1", "(integer) 1"),
            ("EVENTS", "hset h, expire h"),
            ("HSETEX h FIELDS 1 a 1", "(integer) 1"),
            ("EVENTS", "hset h"),
            ("HSETEX h NX FIELDS 1 a 1", "(integer) 0"),
            ("EVENTS", ""),
            ("HSETEXPIRE h 60 a 1", "OK"),
            ("EVENTS", "hset h, expire h"),
            ("HMSET h a 1", "OK"),
            ("HSETNX h a 1", "(integer) 0"),
            ("HSETNX h c 1", "(integer) 1"),
            ("EVENTS", "hset h, hset h"),
            ("HINCRBY h a 1", "(integer) 2"),
            ("HINCRBYFLOAT h a 0.5", "\"2.5\""),
            ("EVENTS", "hincrby h, hincrbyfloat h"),
            ("HINCRBY h a x", "*"),
            ("HSET h a", "*"),
            ("EVENTS", ""),
            ("EXPIRE h 10 NX", "(integer) 0"),
            ("EXPIRE h 10", "(integer) 1"),
            ("PERSIST h", "(integer) 1"),
            ("PERSIST h", "(integer) 0"),
            ("EVENTS", "expire h, persist h"),
            ("HDEL h a x", "(integer) 1"),
            ("HDEL h x", "(integer) 0"),
            ("EVENTS", "hdel h"),
            ("HGETDEL h FIELDS 2 b c", "*"),
            ("EVENTS", "hdel h, del h"),
            ("HSET h a 1", "(integer) 1"),
            ("HSETEX h KEY EX 0 FIELDS 1 a 1", "(integer) 1"),
            ("EVENTS", "new h, hset h, del h"),
        ]);
    }

    #[test]
    fn commands_on_whole_keys_report_both_ends() {
        replay(&[
            ("HSET a f 1", "(integer) 1"),
            ("EVENTS", "*"),
            ("COPY a b", "(integer) 1"),
            ("EVENTS", "new b, copy_to b"),
            ("RENAME a b", "OK"),
            ("EVENTS", "rename_from a, new b, rename_to b"),
            ("RENAMENX b b", "(integer) 0"),
            ("EVENTS", ""),
            ("MOVE b 3", "(integer) 1"),
            ("EVENTS", "move_from b, new b@3, move_to b@3"),
            ("HGET b f", "(nil)"),
            ("EVENTS", "keymiss b"),
            ("SWAPDB 0 3", "OK"),
            ("EVENTS", "swapped @0 @3"),
            ("SWAPDB 0 0", "OK"),
            ("EVENTS", ""),
            ("EXPIRE b -1", "(integer) 1"),
            ("EVENTS", "del b"),
            ("HSET b f 1", "(integer) 1"),
            ("EVENTS", "*"),
            ("DEL b b", "(integer) 1"),
            ("UNLINK b", "(integer) 0"),
            ("EVENTS", "del b"),
            ("FLUSHDB", "OK"),
            ("EVENTS", "flushed @0"),
        ]);
    }
}
