//! Redis' RDB encoding of hashes: `DUMP` payloads out, `RESTORE` payloads in, and whole files either way.
//!
//! ```text
//!  payload   ┌──────┬───────┬─────────┬──────────┐
//!            │ type │ value │ version │ checksum │      version: 2 bytes, checksum: CRC-64/Redis of all
//!            └──────┴───────┴─────────┴──────────┘      before it, 8 bytes; both little-endian
//!  value of type
//!   4        length, then (field, value) as RDB strings        ◀── what is written here
//!   9        one string that holds a zipmap                    up to Redis 2.4
//!  13        one string that holds a ziplist                   up to Redis 6.2
//!  16        one string that holds a listpack                  Redis 7.0 and later, small hashes
//!  22, 24    as 4, each field behind its TTL                   Redis 7.4 and later, where a field has or had a TTL
//!  23, 25    as 16, each value followed by its TTL             the same, small hashes
//!  22        as 4, each value followed by its TTL              Valkey 9, likewise
//! ```
//!
//! Read is every encoding of a hash that Redis has ever written. `RESTORE` takes it up to version 12 of the format
//! (Redis 7.4 to 8.2). The limit is strict because numbers of types above 21 mean other things elsewhere: Valkey 9
//! gives 22 to an encoding of its own, under version 80. Fields with a TTL of their own are refused there: without it
//! they would silently live for ever. Whoever copies from another server (`read_foreign_payload`, [`FileReader`])
//! takes Valkey's too, and is told how many fields have lost their TTL.
//!
//! Written is type 4 under version 9, whatever the size of the hash. `RESTORE` takes its own version and all below,
//! so this one payload goes into Redis 5 to 8.2 and into Valkey, which refuses Redis' 12. A listpack would neither be
//! smaller nor spare Redis work worth its code: Redis packs a small hash of type 4 while it loads. Strings are
//! written as they are: their compression would cost time of the shard for what every reader takes uncompressed.
//!
//! Here: bytes in, a visit of each field with its value out, and the other way round; nothing is allocated but
//! what a compressed string unfolds to. Every announced length is checked against the bytes at hand before it is
//! used, and no input panics. Elsewhere: keys, deadlines and where the fields go (`mayfly-command`).
//!
//! Whole files stand in `file/`.

mod error;
mod file;
mod hash;
mod input;
mod item;
mod length;
mod listpack;
mod lzf;
mod payload;
mod reader;
mod string;
#[cfg(test)]
mod tests;
mod versions;
mod ziplist;
mod zipmap;

pub use error::RdbError;
pub use file::{FILE_VERSION, FileError, FileReader, FileWriter, KeyHead, ValueType};
pub use hash::FieldTtls;
pub use payload::{READ_VERSION_MAX, WRITTEN_VERSION, read_foreign_payload, read_payload, write_payload};
