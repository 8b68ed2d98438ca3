//! What a command gets to work with: the data, the time, the client, the reply.
//!
//! A command of the session gets a [`SessionContext`], one that needs data gets a [`DataContext`]. Commands see
//! one keyspace: whether a key lives on the shard at hand or on one that travelled here for a step over several
//! shards is decided in [`Data`]. Who brings the shards together is the engine's business.

use std::sync::Arc;

use fastrand::Rng;
use mayfly_resp::{Protocol, ReplyWriter};
use mayfly_store::{
    AccessPolicy, Assembly, Database, Detached, EntryId, Fields, Key, Keyspace, UnixMillis, packed_bytes,
};

use crate::changes::{Change, Changes, Class};
use crate::client::{ClientCard, ClientState};
use crate::error::CommandError;
use crate::host::Host;
use crate::routing::{Router, ShardId};
use crate::table::Command;
use crate::ttl::{KeyTtl, TtlRules};
use crate::words::Words;

/// What a command without data works with.
pub struct SessionContext<'a> {
    /// The client that asked.
    pub client: &'a mut ClientState,
    /// The server around it.
    pub host: &'a dyn Host,
    /// The time of this burst, Unix microseconds.
    pub now_micros: i64,
    /// Where the reply goes.
    pub reply: ReplyWriter<'a>,
}

impl SessionContext<'_> {
    /// The time of this burst in milliseconds.
    pub fn now(&self) -> UnixMillis {
        UnixMillis(self.now_micros / 1_000)
    }

    /// Changes the protocol of this reply and of all that follow.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.client.set_protocol(protocol);
        self.reply.set_protocol(protocol);
    }
}

/// What a command on data works with.
pub struct DataContext<'a> {
    /// The data.
    pub data: Data<'a>,
    /// The server around it.
    pub host: &'a dyn Host,
    /// Random numbers, seeded by the shard.
    pub random: &'a mut Rng,
    /// Where the reply goes.
    pub reply: ReplyWriter<'a>,
}

/// The keyspaces at hand.
pub enum Shards<'a> {
    /// One shard's own; every key of the command lives there.
    One(&'a mut Keyspace),
    /// Those that travelled here, by number of the shard.
    Many(&'a mut [Option<Box<Keyspace>>]),
}

/// The data that a command may touch, at one frozen instant.
pub struct Data<'a> {
    shards: Shards<'a>,
    router: &'a Router,
    routed: Key<'a>,
    changes: &'a mut Changes,
    /// Whether opening a hash counts as a use of it: not for a client that said `CLIENT NO-TOUCH`.
    touches: bool,
    /// The rules for TTLs, if there are any.
    ttl: Option<&'a TtlRules>,
    /// The logical database that the client has selected.
    pub database: u16,
    /// The instant of the whole batch.
    pub now: UnixMillis,
}

impl<'a> Data<'a> {
    /// The data of one call. `routed` is the key it was routed by, whose hash is known already; `ttl` are the rules for
    /// TTLs, if there are any.
    #[allow(clippy::too_many_arguments, reason = "made in one place, for every call")]
    pub fn new(
        shards: Shards<'a>,
        router: &'a Router,
        routed: Key<'a>,
        changes: &'a mut Changes,
        touches: bool,
        database: u16,
        now: UnixMillis,
        ttl: Option<&'a TtlRules>,
    ) -> Self {
        Data { shards, router, routed, changes, touches, ttl, database, now }
    }

    /// Whether there are rules for TTLs.
    #[inline]
    pub fn has_ttl_rules(&self) -> bool {
        self.ttl.is_some()
    }

    /// What holds for the TTL of a key, where there are rules at all.
    #[inline]
    pub fn ttl_of(&self, database: u16, key: &[u8]) -> Option<KeyTtl<'a>> {
        self.ttl.map(|rules| rules.of(database, key))
    }

    /// The deadline for `key` where a client asks for this one.
    #[inline]
    pub fn deadline_for(&self, key: &[u8], asked: UnixMillis, random: &mut Rng) -> UnixMillis {
        match self.ttl {
            None => asked,
            Some(rules) => self.deadline_by(rules, key, asked, random),
        }
    }

    #[cold]
    #[inline(never)]
    fn deadline_by(&self, rules: &TtlRules, key: &[u8], asked: UnixMillis, random: &mut Rng) -> UnixMillis {
        let ttl = rules.of(self.database, key);
        ttl.spread(ttl.capped(asked, self.now), self.now, |most| random.u64(..=most))
    }

    /// As [`Data::open_or_create`], for a write that says nothing about the TTL: a hash without one gets what the
    /// rules say.
    ///
    /// # Errors
    /// The rules refuse to leave it without a TTL.
    #[inline]
    pub fn open_to_write<'p>(
        &mut self,
        key: &[u8],
        pairs: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
        random: &mut Rng,
    ) -> Result<Hash<'_>, CommandError> {
        let Some(ttl) = self.ttl_of(self.database, key) else { return Ok(self.open_or_create(key, pairs)) };
        let now = self.now;
        let has_deadline = self.open_in(self.database, key).is_some_and(|hash| hash.deadline().is_some());
        let given = if has_deadline { None } else { ttl.without(now)? };
        let mut hash = self.open_or_create(key, pairs);
        if let Some(deadline) = given {
            hash.set_deadline(Some(ttl.spread(deadline, now, |most| random.u64(..=most))));
            hash.is_given_ttl = true;
        }
        Ok(hash)
    }

    /// Opens a hash to read it; counts a hit or a miss, and a use of the hash.
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<Hash<'_>> {
        self.look_up(key, self.touches)
    }

    /// Opens a hash to look at it from outside: counts a hit or a miss, but no use.
    #[inline]
    pub fn peek(&mut self, key: &[u8]) -> Option<Hash<'_>> {
        self.look_up(key, false)
    }

    /// Counts a use of a hash, whatever the client has said; false if there is none.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        self.look_up(key, true).is_some()
    }

    #[inline]
    fn look_up(&mut self, key: &[u8], touches: bool) -> Option<Hash<'_>> {
        let (routed, number, now) = (self.key(key), self.database, self.now);
        let keyspace = self.shards.keyspace_of(self.router, routed);
        let found = keyspace.database_mut(number).find_and_touch(routed, now, touches);
        let stats = keyspace.stats_mut();
        match found {
            Some(_) => stats.hits += 1,
            None => {
                stats.misses += 1;
                self.changes.report(number, Class::Miss, "keymiss", key);
            }
        }
        let changes = &mut *self.changes;
        found.map(|id| Hash {
            database: keyspace.database_mut(number),
            id,
            number,
            changes,
            is_given_ttl: false,
        })
    }

    /// Opens a hash to change or remove it; counts a use of it.
    pub fn open(&mut self, key: &[u8]) -> Option<Hash<'_>> {
        self.open_with(self.database, key, self.touches)
    }

    /// Opens a hash of any logical database to change or remove it; counts no use.
    pub fn open_in(&mut self, number: u16, key: &[u8]) -> Option<Hash<'_>> {
        self.open_with(number, key, false)
    }

    #[inline]
    fn open_with(&mut self, number: u16, key: &[u8], touches: bool) -> Option<Hash<'_>> {
        let (key, now) = (self.key(key), self.now);
        let database = self.shards.keyspace_of(self.router, key).database_mut(number);
        let changes = &mut *self.changes;
        let found = database.find_and_touch(key, now, touches);
        found.map(|id| Hash { database, id, number, changes, is_given_ttl: false })
    }

    /// Opens a hash to set fields in it; creates it where there is none. A created hash is empty: the caller
    /// sets a field before it does anything else. `pairs` are the fields and values that it is about to set.
    #[inline]
    pub fn open_or_create<'p>(
        &mut self,
        key: &[u8],
        pairs: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
    ) -> Hash<'_> {
        let (routed, number, now) = (self.key(key), self.database, self.now);
        let database = self.shards.keyspace_of(self.router, routed).database_mut(number);
        let id = match database.find_and_touch(routed, now, self.touches) {
            Some(id) => id,
            None => {
                let room = pairs.into_iter().map(|(field, value)| packed_bytes(field, value)).sum();
                self.changes.report(number, Class::New, "new", key);
                if let Some(recorder) = &mut self.changes.recorder {
                    recorder.renew(number, key);
                }
                database.create(routed, room, now)
            }
        };
        Hash { database, id, number, changes: self.changes, is_given_ttl: false }
    }

    /// Begins a hash for `key` aside; [`Data::attach_in`] puts it there once it is whole.
    pub fn assemble_for(&mut self, key: &[u8]) -> Assembly {
        let (key, number, now) = (self.key(key), self.database, self.now);
        self.shards.keyspace_of(self.router, key).database_mut(number).assemble(now)
    }

    /// Puts a hash at `key` of a logical database, replacing what is there.
    pub fn attach_in(&mut self, number: u16, key: &[u8], hash: Detached) {
        if let Some(replaced) = self.open_in(number, key) {
            replaced.remove();
        }
        let routed = self.key(key);
        let database = self.shards.keyspace_of(self.router, routed).database_mut(number);
        let id = database.attach(routed, hash);
        if let Some(recorder) = &mut self.changes.recorder {
            recorder.renew(number, key);
            recorder.whole(number, database, id);
        }
        self.changes.report(number, Class::New, "new", key);
    }

    /// Reports an event on a key of a logical database; see [`Hash::changed`] for one at hand.
    pub fn changed_in(&mut self, number: u16, key: &[u8], class: Class, event: &'static str) {
        self.changes.report(number, class, event, key);
    }

    /// Removes all keys of a logical database.
    pub fn flush(&mut self, number: u16) {
        let mut keys = 0;
        self.keyspaces().for_each(|keyspace| {
            keys += keyspace.database(number).len() as u64;
            keyspace.flush(number);
        });
        if let Some(recorder) = &mut self.changes.recorder {
            recorder.flush(number, keys);
        }
        self.changes.report_whole(Change::Flushed { database: number });
    }

    /// Lets two logical databases change places.
    pub fn swap(&mut self, first: u16, second: u16) {
        self.keyspaces().for_each(|keyspace| keyspace.swap_databases(first, second));
        if first != second {
            if let Some(recorder) = &mut self.changes.recorder {
                recorder.swap(first, second);
            }
            self.changes.report_whole(Change::Swapped { first, second });
        }
    }

    /// Whether `key` exists in a logical database.
    pub fn exists_in(&mut self, database: u16, key: &[u8]) -> bool {
        self.open_in(database, key).is_some()
    }

    /// Every keyspace at hand, in the order of the shards.
    pub fn keyspaces(&mut self) -> impl Iterator<Item = &mut Keyspace> {
        let (one, many) = match &mut self.shards {
            Shards::One(keyspace) => (Some(&mut **keyspace), None),
            Shards::Many(keyspaces) => (None, Some(keyspaces.iter_mut().flatten().map(|boxed| &mut **boxed))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The keyspace of one shard. It must be at hand, which the route of the command ensures.
    pub fn keyspace(&mut self, shard: ShardId) -> &mut Keyspace {
        match &mut self.shards {
            Shards::One(keyspace) => keyspace,
            Shards::Many(keyspaces) => {
                keyspaces[shard.index()].as_mut().expect("a step holds every shard it was routed to")
            }
        }
    }

    /// Number of shards of the server.
    pub fn shard_count(&self) -> u16 {
        self.router.shards()
    }

    /// What is kept of the use of a hash.
    pub fn access_policy(&mut self) -> AccessPolicy {
        self.keyspaces().next().map_or_else(AccessPolicy::default, |keyspace| keyspace.access_policy())
    }

    /// Number of logical databases.
    pub fn database_count(&mut self) -> u16 {
        self.keyspaces().next().map_or(0, |keyspace| keyspace.databases())
    }

    #[inline]
    fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        if std::ptr::eq(bytes, self.routed.bytes) {
            return Key { bytes, hash: self.routed.hash };
        }
        self.router.key(bytes)
    }
}

impl Shards<'_> {
    #[inline]
    fn keyspace_of(&mut self, router: &Router, key: Key<'_>) -> &mut Keyspace {
        match self {
            Shards::One(keyspace) => keyspace,
            Shards::Many(keyspaces) => keyspaces[router.shard_of(key).index()]
                .as_mut()
                .expect("a step holds every shard it was routed to"),
        }
    }
}

/// A hash that exists, opened for one command.
pub struct Hash<'a> {
    database: &'a mut Database,
    id: EntryId,
    number: u16,
    changes: &'a mut Changes,
    /// It was given a TTL by the rules, of which nobody has heard.
    is_given_ttl: bool,
}

impl<'a> Hash<'a> {
    /// Number of fields.
    pub fn len(&self) -> usize {
        self.database.field_count(self.id)
    }

    /// Whether it has no field: only between its creation and its first field, or after its last.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.database.field(self.id, field)
    }

    /// Sets a field; true if it is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let is_new = self.database.set_field(&mut self.id, field, value);
        self.record_set(field, value);
        is_new
    }

    /// Sets a field, and when the whole hash expires; true if the field is new.
    #[inline]
    pub fn set_until(&mut self, field: &[u8], value: &[u8], deadline: UnixMillis) -> bool {
        let is_new = self.database.set_field_until(&mut self.id, field, value, deadline);
        self.record_set(field, value);
        is_new
    }

    #[inline]
    fn record_set(&mut self, field: &[u8], value: &[u8]) {
        if let Some(recorder) = &mut self.changes.recorder {
            recorder.set(self.number, self.database, self.id, field, value);
        }
    }

    /// Removes a field; true if it was there. The caller ends with [`Hash::remove_if_empty`].
    pub fn remove_field(&mut self, field: &[u8]) -> bool {
        let was_there = self.database.remove_field(&mut self.id, field);
        if let (true, Some(recorder)) = (was_there, &mut self.changes.recorder) {
            recorder.remove_field(self.number, self.database, self.id, field);
        }
        was_there
    }

    /// All fields with their values, in no particular order.
    pub fn fields(&self) -> Fields<'_> {
        self.database.fields(self.id)
    }

    /// A field chosen by a random number.
    pub fn field_at_random(&self, random: u64) -> Option<(&[u8], &[u8])> {
        self.database.field_at_random(self.id, random)
    }

    /// A step of `HSCAN`: visits about `count` fields and returns the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        self.database.scan_fields(self.id, cursor, count, visit)
    }

    /// When it expires.
    pub fn deadline(&self) -> Option<UnixMillis> {
        self.database.deadline(self.id)
    }

    /// Sets, moves or cancels its deadline.
    #[inline]
    pub fn set_deadline(&mut self, deadline: Option<UnixMillis>) {
        self.database.set_deadline(self.id, deadline);
        if let Some(recorder) = &mut self.changes.recorder {
            recorder.deadline(self.number, self.database, self.id);
        }
    }

    /// Whether it is held in one packed allocation.
    pub fn is_packed(&self) -> bool {
        self.database.is_packed(self.id)
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        self.database.entry_bytes(self.id)
    }

    /// A copy of its fields and its deadline.
    pub fn copy(&self, now: UnixMillis) -> Detached {
        self.database.copy(self.id, now)
    }

    /// Seconds since its last use, where that is kept.
    pub fn idle_seconds(&self, now: UnixMillis) -> u64 {
        self.database.idle_seconds(self.id, now)
    }

    /// How often it is used, where that is kept.
    pub fn frequency(&self, now: UnixMillis) -> u8 {
        self.database.frequency(self.id, now)
    }

    /// Takes it out of the keyspace, with its deadline and without its key.
    pub fn detach(mut self) -> Detached {
        self.record_remove();
        self.database.detach(self.id)
    }

    /// Removes it.
    pub fn remove(mut self) {
        self.record_remove();
        self.database.remove(self.id);
    }

    #[inline]
    fn record_remove(&mut self) {
        if let Some(recorder) = &mut self.changes.recorder {
            recorder.remove(self.number, self.database.key(self.id));
        }
    }

    /// Removes it if its last field is gone, and reports that; true if so.
    pub fn remove_if_empty(mut self) -> bool {
        let empty = self.is_empty();
        if empty {
            self.changed(Class::Generic, "del");
            self.remove();
        }
        empty
    }

    /// Reports an event on it.
    #[inline]
    pub fn changed(&mut self, class: Class, event: &'static str) {
        if self.changes.is_watched() {
            self.changes.report(self.number, class, event, self.database.key(self.id));
            if std::mem::take(&mut self.is_given_ttl) {
                self.changes.report(self.number, Class::Generic, "expire", self.database.key(self.id));
            }
        }
    }
}

impl SessionContext<'_> {
    /// Every connected client.
    pub fn clients(&self) -> Vec<Arc<ClientCard>> {
        self.host.clients()
    }

    /// Runs a command of the session; true if it answered an error.
    pub fn run(
        &mut self,
        command: &'static Command,
        run: fn(&mut SessionContext<'_>, Words<'_>) -> crate::Outcome,
        words: Words<'_>,
    ) -> bool {
        let start = self.reply.position();
        let outcome = run(self, words);
        finish(&mut self.reply, start, command, outcome)
    }
}

impl DataContext<'_> {
    /// Runs a command on data; true if it answered an error.
    #[inline]
    pub fn run(
        &mut self,
        command: &'static Command,
        run: fn(&mut DataContext<'_>, Words<'_>) -> crate::Outcome,
        words: Words<'_>,
    ) -> bool {
        let start = self.reply.position();
        let outcome = run(self, words);
        finish(&mut self.reply, start, command, outcome)
    }
}

/// Makes the outcome of a command one whole reply.
#[inline]
fn finish(
    reply: &mut ReplyWriter<'_>,
    start: usize,
    command: &'static Command,
    outcome: crate::Outcome,
) -> bool {
    match outcome {
        Ok(()) => false,
        Err(error) => {
            reply.truncate(start);
            reply.error(&error.line(command.full_name()));
            true
        }
    }
}
