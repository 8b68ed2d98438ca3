//! Passing over values that are no hashes, each exactly to its end.
//!
//! ```text
//!  0 string    1 list of strings      14 list of ziplists        15, 19, 21 stream: its blocks, what it counts,
//!  7 module    2 set of strings       18 list of listpacks                  consumer groups, what they wait for
//!              3, 5 sorted set        10, 11, 12, 17, 20: one string that holds it all
//! ```

use std::io::Read;

use super::source::Source;
use crate::error::{RdbError, malformed};
use crate::hash::{self, Dialect};
use crate::input::Input;
use crate::length::Length;

const STRING: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;
const SORTED_SET_TEXT: u8 = 3;
const SORTED_SET: u8 = 5;
const MODULE: u8 = 7;
const LIST_ZIPLIST: u8 = 10;
const SET_INTSET: u8 = 11;
const SORTED_SET_ZIPLIST: u8 = 12;
const QUICKLIST: u8 = 14;
const STREAM: u8 = 15;
const SORTED_SET_LISTPACK: u8 = 17;
const QUICKLIST_2: u8 = 18;
const STREAM_2: u8 = 19;
const SET_LISTPACK: u8 = 20;
const STREAM_3: u8 = 21;

/// The type of a value as users know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ValueType {
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
    /// A type of a module.
    Module,
}

impl ValueType {
    /// All of them.
    pub const ALL: [ValueType; 7] = [
        ValueType::Hash,
        ValueType::String,
        ValueType::List,
        ValueType::Set,
        ValueType::SortedSet,
        ValueType::Stream,
        ValueType::Module,
    ];

    /// As `TYPE` calls it.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::String => "string",
            ValueType::List => "list",
            ValueType::Set => "set",
            ValueType::SortedSet => "zset",
            ValueType::Hash => "hash",
            ValueType::Stream => "stream",
            ValueType::Module => "module",
        }
    }

    /// What values of this number in the format are, if it is known.
    pub(super) fn of(dialect: Dialect, kind: u8) -> Option<ValueType> {
        Some(match kind {
            STRING => ValueType::String,
            LIST | LIST_ZIPLIST | QUICKLIST | QUICKLIST_2 => ValueType::List,
            SET | SET_INTSET | SET_LISTPACK => ValueType::Set,
            SORTED_SET_TEXT | SORTED_SET | SORTED_SET_ZIPLIST | SORTED_SET_LISTPACK => ValueType::SortedSet,
            STREAM | STREAM_2 | STREAM_3 => ValueType::Stream,
            MODULE => ValueType::Module,
            _ if hash::is_hash(dialect, kind) => ValueType::Hash,
            _ => return None,
        })
    }
}

/// Passes over a value of this number.
pub(super) fn value<R: Read>(dialect: Dialect, kind: u8, source: &mut Source<R>) -> Result<(), RdbError> {
    match (dialect, kind) {
        (Dialect::Valkey, hash::VALKEY_TTLS) => times(source, |source| {
            strings(source, 2)?;
            source.skip(8)
        }),
        (_, hash::TTLS) => {
            source.skip(8)?;
            table_with_ttls(source)
        }
        (_, hash::TTLS_PRE_RELEASE) => table_with_ttls(source),
        (_, hash::LISTPACK_TTLS) => {
            source.skip(8)?;
            string(source)
        }
        (_, hash::HASH) => times(source, |source| strings(source, 2)),
        (_, LIST | SET | QUICKLIST) => times(source, string),
        (_, SORTED_SET_TEXT) => times(source, |source| {
            string(source)?;
            text_score(source)
        }),
        (_, SORTED_SET) => times(source, |source| {
            string(source)?;
            source.skip(8)
        }),
        (_, QUICKLIST_2) => times(source, |source| {
            length(source)?;
            string(source)
        }),
        (_, STREAM) => stream(source, 1),
        (_, STREAM_2) => stream(source, 2),
        (_, STREAM_3) => stream(source, 3),
        (_, MODULE) => {
            length(source)?;
            module_value(source)
        }
        // All others are one string.
        _ => string(source),
    }
}

/// Passes over a string in any of its forms, without unfolding it.
pub(super) fn string<R: Read>(source: &mut Source<R>) -> Result<(), RdbError> {
    match Length::read(source)? {
        Length::Plain(length) => source.skip(length),
        Length::Encoded(form @ 0..=2) => source.skip(1 << form),
        Length::Encoded(3) => {
            let compressed = length(source)?;
            length(source)?;
            source.skip(compressed)
        }
        Length::Encoded(_) => malformed("a string has an unknown encoding"),
    }
}

/// Passes over what a module has written, up to its end mark.
pub(super) fn module_value<R: Read>(source: &mut Source<R>) -> Result<(), RdbError> {
    loop {
        match length(source)? {
            0 => return Ok(()),
            1 | 2 => drop(length(source)?),
            3 => source.skip(4)?,
            4 => source.skip(8)?,
            5 => string(source)?,
            _ => return malformed("a module has written what is not known"),
        }
    }
}

/// Passes over a count and that many things.
pub(super) fn times<R: Read>(
    source: &mut Source<R>,
    mut one: impl FnMut(&mut Source<R>) -> Result<(), RdbError>,
) -> Result<(), RdbError> {
    for _ in 0..length(source)? {
        one(source)?;
    }
    Ok(())
}

pub(super) fn lengths<R: Read>(source: &mut Source<R>, count: usize) -> Result<(), RdbError> {
    for _ in 0..count {
        length(source)?;
    }
    Ok(())
}

fn strings<R: Read>(source: &mut Source<R>, count: usize) -> Result<(), RdbError> {
    for _ in 0..count {
        string(source)?;
    }
    Ok(())
}

fn length<R: Read>(source: &mut Source<R>) -> Result<u64, RdbError> {
    Length::read_plain(source)
}

fn table_with_ttls<R: Read>(source: &mut Source<R>) -> Result<(), RdbError> {
    times(source, |source| {
        length(source)?;
        strings(source, 2)
    })
}

/// A score as text behind its length, which is more than 252 for what is no number.
fn text_score<R: Read>(source: &mut Source<R>) -> Result<(), RdbError> {
    match source.read_byte()? {
        253.. => Ok(()),
        length => source.skip(length.into()),
    }
}

/// A stream in one of its versions, which only ever added something.
fn stream<R: Read>(source: &mut Source<R>, version: u8) -> Result<(), RdbError> {
    const ID_BYTES: u64 = 16;
    const TIME_BYTES: u64 = 8;
    // Blocks, each behind the id it begins with; the number of entries; the last id.
    times(source, |source| strings(source, 2))?;
    lengths(source, 3)?;
    if version >= 2 {
        // The first id, the highest that was deleted, how many were added.
        lengths(source, 5)?;
    }
    times(source, |group| {
        // Its name, the last id it was given, how many it has read.
        string(group)?;
        lengths(group, if version >= 2 { 3 } else { 2 })?;
        // What it waits for: id, when it was delivered, how often.
        times(group, |group| {
            group.skip(ID_BYTES + TIME_BYTES)?;
            lengths(group, 1)
        })?;
        // Its consumers: name, when seen, when active, what each waits for.
        times(group, |consumer| {
            string(consumer)?;
            consumer.skip(if version >= 3 { 2 * TIME_BYTES } else { TIME_BYTES })?;
            times(consumer, |consumer| consumer.skip(ID_BYTES))
        })
    })
}
