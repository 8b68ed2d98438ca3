//! A start: what was recorded is done again, by every shard for the keys that are its own.
//!
//! Records of the log and of a snapshot are the same here. They are applied whatever the time: a key past its deadline
//! lies there until the end, since a later record may move the deadline. Why that converges is told in
//! `mayfly-persistence`. Nobody watches yet: there are no events, and nothing is counted.

use mayfly_command::{Router, ShardId};
use mayfly_persistence::{Effect, Record, RecordError};
use mayfly_store::{EntryId, Key, Keyspace, UnixMillis, packed_bytes};

/// Pieces of what was removed that are freed behind each record, so that what is gone does not pile up.
const FREED_PIECES: usize = 256;

/// Why a record cannot be applied. A part of it may have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It is about a database that there is none of, by the config.
    #[error("a record about database {0}, which is more than the config has databases")]
    Database(u16),
}

/// The key that effects are about, if it is one of this shard.
#[derive(Clone, Copy)]
struct Current<'a> {
    database: u16,
    key: Key<'a>,
    entry: Option<EntryId>,
}

/// Applies a record to the keys of one shard.
pub fn apply(
    record: &Record<'_>,
    keyspace: &mut Keyspace,
    router: &Router,
    shard: ShardId,
) -> Result<(), ReplayError> {
    let (now, databases) = (UnixMillis(record.now), keyspace.databases());
    let known = |number| if number < databases { Ok(number) } else { Err(ReplayError::Database(number)) };
    let mut current = None;
    for effect in record.effects() {
        match effect? {
            Effect::Key { database, key } => {
                let (key, database) = (router.key(key), known(database)?);
                let is_here = router.shard_of(key) == shard;
                current = is_here.then(|| {
                    let entry = keyspace.database(database).find_at_any_time(key);
                    Current { database, key, entry }
                });
            }
            Effect::Flush { database } => {
                keyspace.flush(known(database)?);
                current = None;
            }
            Effect::Swap { first, second } => {
                keyspace.swap_databases(known(first)?, known(second)?);
                current = None;
            }
            effect => {
                if let Some(current) = &mut current {
                    current.apply(effect, keyspace, now);
                }
            }
        }
    }
    keyspace.free_pieces(FREED_PIECES);
    Ok(())
}

impl Current<'_> {
    fn apply(&mut self, effect: Effect<'_>, keyspace: &mut Keyspace, now: UnixMillis) {
        let database = keyspace.database_mut(self.database);
        match (effect, &mut self.entry) {
            (Effect::Set { field, value }, entry) => {
                let id = entry.get_or_insert_with(|| {
                    database.begin_at(now);
                    database.create(self.key, packed_bytes(field, value), now)
                });
                database.set_field(id, field, value);
            }
            (Effect::RemoveField { field }, Some(id)) => {
                database.remove_field(id, field);
                if database.field_count(*id) == 0 {
                    database.remove(*id);
                    self.entry = None;
                }
            }
            (Effect::Deadline(deadline), Some(id)) => {
                database.set_deadline(*id, deadline.map(UnixMillis));
            }
            (Effect::Remove, Some(id)) => {
                database.remove(*id);
                self.entry = None;
            }
            // Nothing happens to a key that is absent; effects on whole databases are not for a key.
            _ => {}
        }
    }
}
