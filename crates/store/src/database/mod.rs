//! One logical database: index, entries and wheel, and what keeps the three together.
//!
//! Here: finding, creating and removing whole keys. Beside: [`fields`] of a hash, [`expiry`], [`walk`]s over all
//! keys and the hints for batches ([`stages`]), keys to evict ([`nearest`], [`sample`]), the [`largest`], and the [`check`] of all
//! invariants.

mod check;
mod detached;
mod expiry;
mod fields;
mod largest;
mod nearest;
mod sample;
mod stages;
mod uses;
mod walk;

pub use self::detached::{Assembly, Detached};
pub use self::fields::Fields;
pub use self::largest::BigKey;

pub(crate) use self::expiry::ExpiryTurn;
pub(crate) use self::nearest::Nearness;

use self::detached::Content;
use self::nearest::Nearest;
use crate::access::{Access, AccessPolicy};
use crate::entry::{Body, Entries, EntryId, Head, Keys};
use crate::graveyard::Graveyard;
use crate::index::Index;
use crate::key::{Key, KeyHasher};
use crate::packed::PackedLimits;
use crate::table::Table;
use crate::time::UnixMillis;
use crate::wheel::Wheel;

/// A logical database. One that was never used allocates nothing.
#[derive(Debug)]
pub struct Database {
    hasher: KeyHasher,
    limits: PackedLimits,
    /// What is kept of the use of a hash, and where its random numbers are.
    access: AccessPolicy,
    random: u64,
    index: Index,
    entries: Entries,
    wheel: Wheel,
    graveyard: Graveyard,
    /// The keys that are nearest to their deadlines, where somebody has asked for them.
    nearest: Nearest,
    /// How many entries have a deadline, and the sum of these in ms.
    deadlines: usize,
    deadlines_sum: i128,
    /// Keys that an access found expired, until somebody reports them.
    expired_on_access: Vec<(Box<[u8]>, UnixMillis)>,
}

impl Database {
    pub(crate) fn new(hasher: KeyHasher, limits: PackedLimits, access: AccessPolicy) -> Self {
        Database {
            hasher,
            limits,
            access,
            random: 0,
            index: Index::default(),
            entries: Entries::default(),
            wheel: Wheel::default(),
            graveyard: Graveyard::default(),
            nearest: Nearest::default(),
            deadlines: 0,
            deadlines_sum: 0,
            expired_on_access: Vec::new(),
        }
    }

    /// The entry of a key. A key past its deadline is absent: it is removed here if the wheel has not come to
    /// it, and reported with the next [`Keyspace::take_expired_on_access`](crate::Keyspace::take_expired_on_access).
    #[inline]
    pub fn find(&mut self, key: Key<'_>, now: UnixMillis) -> Option<EntryId> {
        self.find_and_touch(key, now, false)
    }

    /// The same, and [notes a use](Database::touch) of the hash if `touches` says so.
    #[inline]
    pub fn find_and_touch(&mut self, key: Key<'_>, now: UnixMillis, touches: bool) -> Option<EntryId> {
        match self.lookup(key) {
            Some((number, head)) if self.is_live(number, head, now) => {
                if touches {
                    self.note_use(number, head.access, now);
                }
                Some(EntryId(number))
            }
            found => {
                self.find_nothing(found.map(|(number, _)| number), now);
                None
            }
        }
    }

    /// The entry of a key at whatever time, past its deadline or not. For whoever works for the disk: no client sees
    /// a key past its deadline.
    pub fn find_at_any_time(&self, key: Key<'_>) -> Option<EntryId> {
        self.lookup(key).map(|(number, _)| EntryId(number))
    }

    /// Says when what is created next comes into being, for who has not looked for it with
    /// [`find`](Database::find).
    pub fn begin_at(&mut self, now: UnixMillis) {
        self.wheel.start_at(now.ticks());
    }

    /// A look-up found no entry, or an expired one.
    #[inline(never)]
    fn find_nothing(&mut self, expired: Option<u32>, now: UnixMillis) {
        if let Some(number) = expired {
            self.expire_on_access(number);
        }
        // What is created or attached next is scheduled from this time on.
        self.wheel.start_at(now.ticks());
    }

    /// The entry of a key, created if it is absent, and whether it was; see [`create`](Database::create).
    pub fn find_or_create(
        &mut self,
        key: Key<'_>,
        room: impl FnOnce() -> usize,
        now: UnixMillis,
    ) -> (EntryId, bool) {
        if let Some(id) = self.find(key, now) {
            return (id, false);
        }
        (self.create(key, room(), now), true)
    }

    /// Creates the hash of a key that is absent: the caller has looked for it with [`find`](Database::find). It is
    /// **empty**: the caller sets a field before it does anything else, or removes the entry. `room` says how many
    /// bytes the fields will take that the caller is about to set ([`packed_bytes`](crate::packed_bytes)): a hint,
    /// which spares moving the entry.
    pub fn create(&mut self, key: Key<'_>, room: usize, now: UnixMillis) -> EntryId {
        let room = room.min(self.limits.bytes_max);
        let number = self.entries.insert_packed(key.bytes, &[], room, Access::new(self.access, now));
        self.index_entry(key, number)
    }

    /// The key of an entry.
    #[inline]
    pub fn key(&self, id: EntryId) -> &[u8] {
        self.entries.key(id.0)
    }

    /// Removes a key. A large hash is freed in pieces, by [`Keyspace::reclaim`](crate::Keyspace::reclaim).
    pub fn remove(&mut self, id: EntryId) {
        if let Some(table) = self.take(id.0) {
            self.graveyard.bury(table);
        }
    }

    /// Takes a hash with its deadline out of its key, to be attached elsewhere.
    pub fn detach(&mut self, id: EntryId) -> Detached {
        let deadline = self.deadline(id);
        let packed = match self.entries.body(id.0) {
            Body::Packed(packed) => Some(Content::packed(packed)),
            Body::Table(_) => None,
        };
        let access = self.entries.access(id.0);
        let table = self.take(id.0).map(Content::Table);
        Detached::new(packed.or(table).expect("S1: the table of an entry is there"), deadline, access)
    }

    /// A copy of a hash with its deadline, to be attached elsewhere; it counts as new.
    pub fn copy(&self, id: EntryId, now: UnixMillis) -> Detached {
        let content = Content::copy_of(self.entries.body(id.0));
        Detached::new(content, self.deadline(id), Access::new(self.access, now))
    }

    /// Begins a hash that this database could keep, without a key.
    pub fn assemble(&self, now: UnixMillis) -> Assembly {
        Assembly::new(self.limits, self.hasher.clone(), Access::new(self.access, now))
    }

    /// Gives a detached hash a key in this database. The key is absent: the caller has looked for it with
    /// [`find`](Database::find) and removed what it found.
    pub fn attach(&mut self, key: Key<'_>, hash: Detached) -> EntryId {
        assert!(self.lookup(key).is_none(), "S1: a hash is attached to a key that is absent");
        let deadline = hash.deadline();
        let access = hash.access();
        let number = match hash.into_content() {
            Content::Packed(packed) => {
                self.entries.insert_packed(key.bytes, packed.packed().fields_block(), 0, access)
            }
            Content::Table(mut table) => {
                table.set_key(key.bytes);
                self.entries.insert_table(table, access)
            }
        };
        let id = self.index_entry(key, number);
        self.set_deadline(id, deadline);
        id
    }

    /// Removes all keys at once; their memory is freed in pieces.
    pub(crate) fn flush(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        let index = std::mem::take(&mut self.index);
        self.graveyard.bury_database(entries, index);
        self.wheel = Wheel::default();
        self.forget_nearest();
        (self.deadlines, self.deadlines_sum) = (0, 0);
    }

    /// Frees one piece of what was removed; false if nothing waits.
    pub(crate) fn free_piece(&mut self) -> bool {
        self.graveyard.free_piece()
    }

    /// Whether something waits to be freed or reported.
    pub(crate) fn has_remains(&self) -> bool {
        !self.graveyard.is_empty() || !self.expired_on_access.is_empty()
    }

    pub(crate) fn set_limits(&mut self, limits: PackedLimits) {
        self.limits = limits;
    }

    /// Keys, those past their deadline that are not yet removed included.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Keys that are not expired at `now`: [`len`](Database::len) less what is due and not yet removed. Looks at
    /// the keys that have come due since the last slice of expiry, which are few.
    pub fn live_len(&self, now: UnixMillis) -> usize {
        self.len() - self.wheel.due(&self.entries, now.ticks())
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Keys with a deadline.
    pub fn len_with_deadline(&self) -> usize {
        self.deadlines
    }

    /// Bytes allocated, what waits to be freed included; the allocator's own overhead is not in it.
    pub fn bytes(&self) -> usize {
        let unreported = self.expired_on_access.iter().map(|(key, _)| key.len());
        self.index.bytes()
            + self.entries.bytes()
            + self.wheel.bytes()
            + self.graveyard.bytes()
            + self.nearest.bytes()
            + unreported.sum::<usize>()
    }

    /// Of the [`bytes`](Database::bytes) those that hold nothing: room for entries in memory that is shared by many.
    /// The next entries of their size fill it, so that they are no reason to remove anything.
    #[inline]
    pub fn vacant_bytes(&self) -> usize {
        self.entries.vacant_bytes()
    }

    /// Of the [`bytes`](Database::bytes) those of the index, which finds keys.
    pub fn index_bytes(&self) -> usize {
        self.index.bytes()
    }

    /// Of the [`bytes`](Database::bytes) those of the timer wheel, which finds keys that are due. The deadlines
    /// themselves are in the entries.
    pub fn timer_bytes(&self) -> usize {
        self.wheel.bytes()
    }

    /// Bytes that one key takes: its hash, its entry, and its share of the index (a line of 64 bytes holds 4 to
    /// 8 entries).
    pub fn entry_bytes(&self, id: EntryId) -> usize {
        let share = self.index.bytes() / self.index.len().max(1);
        self.entries.bytes_of(id.0) + share
    }

    #[inline]
    fn lookup(&self, key: Key<'_>) -> Option<(u32, Head)> {
        debug_assert_eq!(
            key.hash,
            self.hasher.hash(key.bytes),
            "S1: a key comes with the hash of all its bytes"
        );
        if let Some(number) = self.index.guess(key.hash)
            && let Some(head) = self.entries.head_of(number, key.bytes)
        {
            return Some((number, head));
        }
        self.look_everywhere(key)
    }

    /// The entry of a key that is not the first with its tag, or not in its line, or not there.
    #[inline(never)]
    fn look_everywhere(&self, key: Key<'_>) -> Option<(u32, Head)> {
        let mut head = None;
        let number = self.index.find(key.hash, |number| {
            head = self.entries.head_of(number, key.bytes);
            head.is_some()
        });
        number.zip(head)
    }

    fn index_entry(&mut self, key: Key<'_>, number: u32) -> EntryId {
        self.index.insert(key.hash, number, &Keys { entries: &self.entries, hasher: &self.hasher });
        EntryId(number)
    }

    /// Takes an entry out of everything that knows it; gives its table if it has one.
    fn take(&mut self, number: u32) -> Option<Box<Table>> {
        let deadline = self.deadline(EntryId(number));
        self.count_deadline(deadline, None);
        self.wheel.cancel(&mut self.entries, number);
        let hash = self.hasher.hash(self.entries.key(number));
        self.index.remove(hash, number);
        if self.index.is_oversized() {
            self.graveyard.bury_index(std::mem::take(&mut self.index));
        }
        self.entries.remove(number)
    }
}
