//! The cursor of `SCAN`: which shard, and where in it.
//!
//! ```text
//!   cursor = position in the shard × number of shards + shard
//! ```
//!
//! A walk visits the shards in ascending order; the end of one is the start of the next, and the end of the
//! last is 0. The cursor holds no state of a connection: it is good on any of them, until the server restarts.

use crate::error::CommandError;
use crate::number;
use crate::routing::{Router, ShardId};

/// A place in a walk over the keyspace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The shard to go on in.
    pub shard: ShardId,
    /// The position in that shard, as its store counts.
    pub position: u64,
}

impl Cursor {
    /// Reads a cursor that a client sent.
    pub fn parse(word: &[u8], shards: u16) -> Result<Self, CommandError> {
        let value = number::cursor(word).ok_or(CommandError::InvalidCursor)?;
        let shards = u64::from(shards);
        Ok(Cursor { shard: ShardId((value % shards) as u16), position: value / shards })
    }

    /// The shard that a request with this cursor goes to; the first where the cursor is none, which then
    /// answers the error.
    pub fn shard_of(word: &[u8], router: &Router) -> ShardId {
        Cursor::parse(word, router.shards()).map_or(ShardId(0), |cursor| cursor.shard)
    }

    /// The cursor to answer when the shard's store said that `next` comes next (0: its end).
    pub fn after(self, next: u64, shards: u16) -> u64 {
        let (shard, count) = (u64::from(self.shard.0), u64::from(shards));
        match next {
            0 if shard + 1 == count => 0,
            0 => shard + 1,
            _ => next * count + shard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_goes_through_every_shard_once() {
        for shards in [1, 2, 4, 16] {
            let mut visited = Vec::new();
            let mut value = 0;
            loop {
                let cursor = Cursor::parse(value.to_string().as_bytes(), shards).unwrap();
                visited.push((cursor.shard.0, cursor.position));
                // Every shard has three steps: 0 → 5 → 9 → its end.
                let next = [(0, 5), (5, 9), (9, 0)].iter().find(|step| step.0 == cursor.position).unwrap().1;
                value = cursor.after(next, shards);
                if value == 0 {
                    break;
                }
            }
            let expected: Vec<_> =
                (0..shards).flat_map(|shard| [(shard, 0), (shard, 5), (shard, 9)]).collect();
            assert_eq!(visited, expected);
        }
    }
}
