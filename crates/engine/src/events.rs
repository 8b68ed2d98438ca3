//! Which keyspace events are sent: `notify-keyspace-events`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use mayfly_command::Class;

/// A set of event classes, and the channels they are sent to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct EventClasses(u32);

const BY_KEY: u32 = 1;
const BY_EVENT: u32 = 1 << 1;
const GENERIC: u32 = 1 << 2;
const HASH: u32 = 1 << 3;
const EXPIRED: u32 = 1 << 4;
const NEW: u32 = 1 << 5;
const MISS: u32 = 1 << 6;
const EVICTED: u32 = 1 << 13;
/// Classes of what Mayfly does not have: strings, lists, sets, sorted sets, streams, modules. They are remembered,
/// so that a client reads back what it set.
const OTHERS: [(char, u32); 6] =
    [('$', 1 << 7), ('l', 1 << 8), ('s', 1 << 9), ('z', 1 << 10), ('t', 1 << 11), ('d', 1 << 12)];
/// What `A` stands for: all but `n` and `m`, as in Redis.
const ALL: u32 = GENERIC | HASH | EXPIRED | (0b111_1111 << 7);

impl EventClasses {
    /// Reads Redis' letters; `None` if one of them is none.
    pub fn parse(letters: &str) -> Option<Self> {
        let class = |letter| {
            Some(match letter {
                'K' => BY_KEY,
                'E' => BY_EVENT,
                'g' => GENERIC,
                'h' => HASH,
                'x' => EXPIRED,
                'e' => EVICTED,
                'n' => NEW,
                'm' => MISS,
                'A' => ALL,
                other => OTHERS.iter().find(|(letter, _)| *letter == other)?.1,
            })
        };
        letters.chars().try_fold(0, |set, letter| Some(set | class(letter)?)).map(EventClasses)
    }

    /// Whether any event is sent at all.
    #[inline]
    pub fn is_any(self) -> bool {
        self.0 & (BY_KEY | BY_EVENT) != 0 && self.0 & !(BY_KEY | BY_EVENT) != 0
    }

    /// Whether events of a class are sent.
    #[inline]
    pub fn has(self, class: Class) -> bool {
        let bit = match class {
            Class::Generic => GENERIC,
            Class::Hash => HASH,
            Class::Expired => EXPIRED,
            Class::Evicted => EVICTED,
            Class::New => NEW,
            Class::Miss => MISS,
        };
        self.0 & bit != 0
    }

    /// Whether they are sent to `__keyspace@N__:key`.
    pub fn by_key(self) -> bool {
        self.0 & BY_KEY != 0
    }

    /// Whether they are sent to `__keyevent@N__:event`.
    pub fn by_event(self) -> bool {
        self.0 & BY_EVENT != 0
    }
}

/// The event classes of a process, seen by all its shards, changed while they run. Whoever changes them and
/// then sends a message has its receiver see the change: the mailbox orders the two.
#[derive(Clone, Default, Debug)]
pub struct SharedEventClasses(Arc<AtomicU32>);

impl SharedEventClasses {
    /// Classes to begin with.
    pub fn new(classes: EventClasses) -> Self {
        SharedEventClasses(Arc::new(AtomicU32::new(classes.0)))
    }

    /// The classes that hold now.
    #[inline]
    pub fn get(&self) -> EventClasses {
        EventClasses(self.0.load(Relaxed))
    }

    /// Changes them for all shards.
    pub fn set(&self, classes: EventClasses) {
        self.0.store(classes.0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_redis() {
        assert_eq!(EventClasses::parse("KEq"), None);
        assert!(!EventClasses::parse("").unwrap().is_any());
        assert!(!EventClasses::parse("Ax").unwrap().is_any(), "neither K nor E");
        assert!(!EventClasses::parse("KE").unwrap().is_any(), "no class");
        let expired = EventClasses::parse("Ex").unwrap();
        assert!(expired.is_any() && expired.has(Class::Expired) && !expired.has(Class::Hash));
        assert!(expired.by_event() && !expired.by_key());
        let all = EventClasses::parse("KA").unwrap();
        assert!(
            all.has(Class::Generic) && all.has(Class::Hash) && !all.has(Class::New) && !all.has(Class::Miss)
        );
        assert_eq!(EventClasses::parse("g$lshztdxe"), EventClasses::parse("A"));
    }
}
