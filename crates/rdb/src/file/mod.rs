//! RDB files: what `SAVE` and `BGSAVE` write.
//!
//! ```text
//!  file    ┌──────────┬─────────────────────────────────┬──────┬──────────┐
//!          │ REDIS0012│ opcodes and keys                │ 0xff │ checksum │    CRC-64/Redis of all before it,
//!          └──────────┴─────────────────────────────────┴──────┴──────────┘    8 bytes, little-endian; 0: not made
//!  key     ┌──────────┬──────┬─────┬───────┐
//!          │ deadline │ type │ key │ value │        the deadline is an opcode of its own, if there is one
//!          └──────────┴──────┴─────┴───────┘
//!  opcode  243  a key's metadata (Redis), slots being imported (Valkey)   250  a name and a value about the file
//!          244  size of a slot                                            251  how many keys follow
//!          245  a library of functions                                    252  deadline in ms, 8 bytes
//!          247  data of a module                                          253  deadline in s, 4 bytes
//!          248  idle time    249  frequency                               254  database of what follows
//! ```
//!
//! The [`reader`](FileReader) goes through a file from front to back and holds the bytes of one string at most: a
//! field, a value, a small hash in one piece. Values of other types are skipped exactly, since nothing says how long
//! they are (`skip.rs`). The [`writer`](FileWriter) writes hashes in a version that Redis 7.0 and later and Valkey
//! load. Both count the bytes they have seen and their checksum; neither opens a file.

mod error;
mod reader;
mod skip;
mod source;
#[cfg(test)]
mod tests;
mod writer;

pub use error::FileError;
pub use reader::{FileReader, KeyHead, ValueType};
pub use writer::{FILE_VERSION, FileWriter};

const SLOT_IMPORT_OR_KEY_META: u8 = 243;
const SLOT_INFO: u8 = 244;
const FUNCTION: u8 = 245;
const MODULE_AUX: u8 = 247;
const IDLE: u8 = 248;
const FREQUENCY: u8 = 249;
const AUX: u8 = 250;
const RESIZE: u8 = 251;
const DEADLINE_MILLIS: u8 = 252;
const DEADLINE_SECONDS: u8 = 253;
const SELECT: u8 = 254;
const END: u8 = 255;
