//! The entries of a database: a hash with its key and its deadline, in one block of bytes.
//!
//! ```text
//!   0                      16        19
//!   ├── deadline and slot ─┼ access ─┼ key and fields, packed ────┼ unused ┤
//!       wheel::Links                 └ or the number of a table, 4 bytes
//! ```
//!
//! The spare bits of the links say which of the two it is, and how many bytes behind it are unused. An entry has
//! the number of its block; it gets another when its hash grows or shrinks.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::access::{ACCESS_BYTES, Access};
use crate::blocks::{Blocks, fill};
use crate::index::Hashes;
use crate::key::KeyHasher;
use crate::large::LargeTables;
use crate::packed::{
    Packed, PackedLimits, Plan, field_parts, key_of, key_parts, starts_with_key, value_parts,
};
use crate::slab::{Slab, Slot};
use crate::table::Table;
use crate::time::UnixMillis;
use crate::wheel::{FAR, LINKS_BYTES, Links, NEVER, Timers, TimersMut};

/// The handle of a live entry, valid in its database until that entry is removed or detached; what changes the
/// size of its hash gives it a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct EntryId(pub(crate) u32);

/// Where the content of an entry starts.
const CONTENT: usize = LINKS_BYTES + ACCESS_BYTES;
/// The spare bit that says: the content is the number of a table.
const IS_TABLE: u8 = 1 << 6;
/// The other spare bits: unused bytes. This many or more stand in the last bytes of the block instead.
const UNUSED_MANY: u8 = IS_TABLE - 1;
/// Bytes of a table's number, and of a written number of unused bytes.
const NUMBER_BYTES: usize = 4;

/// The fields of a hash, with its key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    Packed(Packed<'a>),
    Table(&'a Table),
}

impl<'a> Body<'a> {
    pub(crate) fn key(self) -> &'a [u8] {
        match self {
            Body::Packed(packed) => packed.key(),
            Body::Table(table) => table.key(),
        }
    }
}

/// What stands before the content of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    links: Links,
    pub(crate) access: Access,
}

impl Head {
    #[inline]
    fn read(block: &[u8]) -> Self {
        let bytes: &[u8; CONTENT] = block.first_chunk().expect("a block holds its head");
        let [.., first, second, third] = *bytes;
        Head { links: links(bytes), access: Access::read([first, second, third]) }
    }

    /// Whether this alone says that the deadline, if there is one, has not come.
    #[inline]
    pub(crate) fn is_early(self, now: UnixMillis) -> bool {
        self.links.deadline() > now.ticks()
    }
}

/// A slot for a table.
#[derive(Debug)]
enum TableSlot {
    Table(Box<Table>),
    Vacant(u32),
}

impl Slot for TableSlot {
    fn vacant(next: u32) -> Self {
        TableSlot::Vacant(next)
    }

    fn next_vacant(&self) -> Option<u32> {
        match self {
            TableSlot::Table(_) => None,
            TableSlot::Vacant(next) => Some(*next),
        }
    }
}

/// All entries of a database, with the deadlines that an entry cannot hold.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    blocks: Blocks,
    tables: Slab<TableSlot>,
    /// Bytes of all tables.
    tables_bytes: usize,
    /// Which of them are large.
    large: LargeTables,
    /// Deadlines from the year 10889 on. A tree, because it never moves all of its content at once.
    far: BTreeMap<u32, UnixMillis>,
}

/// Bytes that an item of the tree of far deadlines takes, about: 12 of its own in nodes two thirds full.
const FAR_BYTES: usize = 24;

impl Entries {
    /// Keeps a small hash that has no deadline; `fields` are as [`Packed::fields_block`] gave them, and `room` bytes
    /// more will follow.
    pub(crate) fn insert_packed(&mut self, key: &[u8], fields: &[u8], room: usize, access: Access) -> u32 {
        key_parts(key, fields, |parts| self.insert(parts, room, access, 0))
    }

    /// Keeps a large hash that has no deadline.
    pub(crate) fn insert_table(&mut self, table: Box<Table>, access: Access) -> u32 {
        let place = self.keep_table(table);
        self.insert(&[&place], 0, access, IS_TABLE)
    }

    fn insert(&mut self, content: &[&[u8]], room: usize, access: Access, kind: u8) -> u32 {
        let used = CONTENT + content.iter().map(|part| part.len()).sum::<usize>();
        let number = self.blocks.allocate(used + room);
        let block = self.blocks.block_mut(number);
        block[LINKS_BYTES..CONTENT].copy_from_slice(&access.bytes());
        fill(&mut block[CONTENT..used], content);
        write_unused(block, Links::default(), used, kind);
        number
    }

    fn keep_table(&mut self, table: Box<Table>) -> [u8; NUMBER_BYTES] {
        let bytes = table.bytes();
        self.tables_bytes += bytes;
        let number = self.tables.insert(TableSlot::Table(table));
        self.large.changed(number, 0, bytes);
        number.to_le_bytes()
    }

    /// Takes an entry out that the wheel does not know any more; gives its table if it has one.
    pub(crate) fn remove(&mut self, number: u32) -> Option<Box<Table>> {
        let links = self.links(number);
        assert!(!links.is_linked(), "S3: entry {number} has left the wheel before it goes");
        if links.deadline() == FAR {
            self.far.remove(&number);
        }
        let table = (links.spare() & IS_TABLE != 0).then(|| {
            let at = self.table_number(number);
            let TableSlot::Table(table) = self.tables.remove(at) else {
                unreachable!("S1: the table of an entry is there");
            };
            self.tables_bytes -= table.bytes();
            self.large.changed(at, table.bytes(), 0);
            table
        });
        self.blocks.free(number);
        table
    }

    /// Sets a field; true if it is new. A hash past the packed limits becomes a table, and stays one.
    pub(crate) fn set(
        &mut self,
        number: &mut u32,
        field: &[u8],
        value: &[u8],
        limits: PackedLimits,
        hasher: &KeyHasher,
    ) -> bool {
        // What happens most often needs no plan.
        let block = self.blocks.block_mut(*number);
        if let Some(place) = place_to_overwrite(block, field, value) {
            block[place].copy_from_slice(value);
            return false;
        }
        self.set_by_plan(number, field, value, limits, hasher)
    }

    fn set_by_plan(
        &mut self,
        number: &mut u32,
        field: &[u8],
        value: &[u8],
        limits: PackedLimits,
        hasher: &KeyHasher,
    ) -> bool {
        let packed = match self.body(*number) {
            Body::Table(_) => return self.with_table(*number, |table| table.set(field, value)),
            Body::Packed(packed) => packed,
        };
        let length = packed.0.len();
        match packed.plan(field, value, limits) {
            Plan::Overwrite(place) => {
                self.blocks.block_mut(*number)[CONTENT..][place].copy_from_slice(value);
                false
            }
            Plan::Resize(old) => {
                *number = value_parts(value, |parts| self.splice(*number, old, parts, 0));
                false
            }
            Plan::Append => {
                *number = field_parts(field, value, |parts| self.splice(*number, length..length, parts, 0));
                true
            }
            Plan::TooLarge => {
                let mut table = Box::new(Table::from_packed(packed, hasher));
                let is_new = table.set(field, value);
                let place = self.keep_table(table);
                *number = self.splice(*number, 0..length, &[&place], IS_TABLE);
                is_new
            }
        }
    }

    /// Overwrites the value of a packed hash with one as long and moves the deadline, if that changes nothing else
    /// and `suits` the wheel; gives the deadline before, `None` if nothing was done.
    #[inline]
    pub(crate) fn overwrite_until(
        &mut self,
        number: u32,
        field: &[u8],
        value: &[u8],
        deadline: UnixMillis,
        suits: impl FnOnce(Links) -> bool,
    ) -> Option<UnixMillis> {
        let block = self.blocks.block_mut(number);
        let place = place_to_overwrite(block, field, value)?;
        let before = move_deadline(block, deadline, suits)?;
        block[place].copy_from_slice(value);
        Some(before)
    }

    /// Removes a field; false if there is none of this name.
    pub(crate) fn remove_field(&mut self, number: &mut u32, field: &[u8]) -> bool {
        let place = match self.body(*number) {
            Body::Table(_) => return self.with_table(*number, |table| table.remove(field)),
            Body::Packed(packed) => packed.place_of(field),
        };
        let was_there = place.is_some();
        if let Some(place) = place {
            *number = self.splice(*number, place, &[], 0);
        }
        was_there
    }

    /// Puts `parts` in the place of `old` in the content; gives the number that the entry has from now on.
    fn splice(&mut self, number: u32, old: Range<usize>, parts: &[&[u8]], kind: u8) -> u32 {
        let (links, used) = (self.links(number), used(self.blocks.block(number)));
        let length = used - old.len() + parts.iter().map(|part| part.len()).sum::<usize>();
        let moved = self.blocks.splice(number, used, CONTENT + old.start..CONTENT + old.end, parts);
        write_unused(self.blocks.block_mut(moved), links, length, kind);
        if links.deadline() == FAR && moved != number {
            let deadline = self.far.remove(&number).expect("S7: a far deadline is kept aside");
            self.far.insert(moved, deadline);
        }
        moved
    }

    #[inline]
    pub(crate) fn body(&self, number: u32) -> Body<'_> {
        let block = self.blocks.block(number);
        if is_table(block) {
            return Body::Table(self.table(number));
        }
        Body::Packed(Packed(&block[CONTENT..used(block)]))
    }

    /// What stands before the content of an entry, if it is the entry of this key.
    #[inline]
    pub(crate) fn head_of(&self, number: u32, key: &[u8]) -> Option<Head> {
        let block = self.blocks.block(number);
        let is_it = if is_table(block) {
            self.is_table_of(number, key)
        } else {
            starts_with_key(&block[CONTENT..], key)
        };
        is_it.then(|| Head::read(block))
    }

    #[inline(never)]
    fn is_table_of(&self, number: u32, key: &[u8]) -> bool {
        self.table(number).key() == key
    }

    #[inline]
    pub(crate) fn key(&self, number: u32) -> &[u8] {
        let block = self.blocks.block(number);
        if is_table(block) { self.table(number).key() } else { key_of(&block[CONTENT..]) }
    }

    /// What is kept of the use of a hash.
    #[inline]
    pub(crate) fn access(&self, number: u32) -> Access {
        let bytes = self.blocks.block(number)[LINKS_BYTES..].first_chunk();
        Access::read(*bytes.expect("an entry has a word for its use"))
    }

    /// Keeps something else of it.
    #[inline]
    pub(crate) fn write_access(&mut self, number: u32, access: Access) {
        self.blocks.block_mut(number)[LINKS_BYTES..CONTENT].copy_from_slice(&access.bytes());
    }

    /// Bytes of an entry and what it points to.
    pub(crate) fn bytes_of(&self, number: u32) -> usize {
        let table = match self.body(number) {
            Body::Packed(_) => 0,
            Body::Table(table) => size_of::<TableSlot>() + table.bytes(),
        };
        self.blocks.size(number) + table
    }

    #[inline]
    pub(crate) fn deadline(&self, number: u32) -> Option<UnixMillis> {
        match self.links(number).deadline() {
            NEVER => None,
            FAR => Some(self.far_deadline(number)),
            deadline => Some(UnixMillis::from_ticks(deadline)),
        }
    }

    #[inline(never)]
    fn far_deadline(&self, number: u32) -> UnixMillis {
        *self.far.get(&number).expect("S7: a far deadline is kept aside")
    }

    /// Writes a deadline down, without telling the wheel.
    pub(crate) fn write_deadline(&mut self, number: u32, deadline: Option<UnixMillis>) {
        let mut links = self.links(number);
        if links.deadline() == FAR {
            self.far.remove(&number);
        }
        match deadline {
            None => links.set_deadline(NEVER),
            Some(deadline) if deadline.ticks() < FAR => links.set_deadline(deadline.ticks()),
            Some(deadline) => {
                links.set_deadline(FAR);
                self.far.insert(number, deadline);
            }
        }
        self.set_links(number, links);
    }

    /// Moves a deadline if there is one and its links say that nothing else has to change; gives the one before,
    /// `None` if nothing was done.
    #[inline]
    pub(crate) fn move_deadline(
        &mut self,
        number: u32,
        deadline: UnixMillis,
        suits: impl FnOnce(Links) -> bool,
    ) -> Option<UnixMillis> {
        move_deadline(self.blocks.block_mut(number), deadline, suits)
    }

    /// Frees a piece of entries that nobody uses any more, and gives a table if it found one; `None` when only a
    /// small rest is left to drop.
    pub(crate) fn take_apart(&mut self) -> Option<Option<Box<Table>>> {
        if let Some(slot) = self.tables.take_apart() {
            let TableSlot::Table(table) = slot else { return Some(None) };
            self.tables_bytes -= table.bytes();
            return Some(Some(table));
        }
        let has_taken = self.blocks.take_apart() || self.far.pop_first().is_some() || self.large.take_apart();
        has_taken.then_some(None)
    }

    /// Entries.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Far deadlines.
    pub(crate) fn far_len(&self) -> usize {
        self.far.len()
    }

    /// Tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter_map(|(_, slot)| match slot {
            TableSlot::Table(table) => Some(&**table),
            TableSlot::Vacant(_) => None,
        })
    }

    /// The keys of the large tables with the powers of two of their sizes, the largest first.
    pub(crate) fn large_keys(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.large.iter().filter_map(|(class, number)| match &self.tables[number] {
            TableSlot::Table(table) => Some((class, table.key())),
            TableSlot::Vacant(_) => None,
        })
    }

    /// Bytes allocated.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.bytes()
            + self.tables.bytes()
            + self.tables_bytes
            + self.far.len() * FAR_BYTES
            + self.large.bytes()
    }

    /// Bytes allocated in which no entry is: room for the next ones.
    #[inline]
    pub(crate) fn vacant_bytes(&self) -> usize {
        self.blocks.vacant_bytes()
    }

    /// Asks for the memory of an entry.
    #[inline]
    pub(crate) fn prefetch(&self, number: u32) {
        self.blocks.prefetch(number);
    }

    /// Asserts S6, S9 and S10 for what keeps the entries.
    pub(crate) fn check(&self) {
        self.blocks.check();
        self.tables.check();
        let bytes: usize = self.tables().map(Table::bytes).sum();
        assert_eq!(self.tables_bytes, bytes, "S6: bytes of all tables");
        self.large.check(self.tables.iter().filter_map(|(number, slot)| match slot {
            TableSlot::Table(table) => Some((number, table.bytes())),
            TableSlot::Vacant(_) => None,
        }));
    }

    fn with_table(&mut self, number: u32, change: impl FnOnce(&mut Table) -> bool) -> bool {
        let at = self.table_number(number);
        let TableSlot::Table(table) = &mut self.tables[at] else {
            unreachable!("S1: the table of an entry is there");
        };
        let before = table.bytes();
        let done = change(table);
        let after = table.bytes();
        self.tables_bytes = self.tables_bytes + after - before;
        self.large.changed(at, before, after);
        done
    }

    fn table_number(&self, number: u32) -> u32 {
        read_number(&self.blocks.block(number)[CONTENT..])
    }

    fn table(&self, number: u32) -> &Table {
        match &self.tables[self.table_number(number)] {
            TableSlot::Table(table) => table,
            TableSlot::Vacant(_) => unreachable!("S1: the table of an entry is there"),
        }
    }
}

#[inline]
fn links(block: &[u8]) -> Links {
    Links::read(block.first_chunk().expect("a block holds its links"))
}

#[inline]
fn is_table(block: &[u8]) -> bool {
    links(block).spare() & IS_TABLE != 0
}

/// Bytes of a block that are in use.
#[inline]
fn used(block: &[u8]) -> usize {
    match links(block).spare() & UNUSED_MANY {
        UNUSED_MANY => block.len() - read_number(&block[block.len() - NUMBER_BYTES..]) as usize,
        unused => block.len() - usize::from(unused),
    }
}

/// Where a value of this length overwrites that of a field of a packed hash; `None` if it cannot.
#[inline]
fn place_to_overwrite(block: &[u8], field: &[u8], value: &[u8]) -> Option<Range<usize>> {
    if is_table(block) {
        return None;
    }
    let place = Packed(&block[CONTENT..used(block)]).place_of_value(field)?;
    (place.len() == value.len()).then_some(CONTENT + place.start..CONTENT + place.end)
}

/// See [`Entries::move_deadline`].
#[inline]
fn move_deadline(
    block: &mut [u8],
    deadline: UnixMillis,
    suits: impl FnOnce(Links) -> bool,
) -> Option<UnixMillis> {
    let place = block.first_chunk_mut().expect("a block holds its links");
    let mut links = Links::read(place);
    let before = links.deadline();
    if before >= FAR || deadline.ticks() >= FAR || !suits(links) {
        return None;
    }
    links.set_deadline(deadline.ticks());
    links.write(place);
    Some(UnixMillis::from_ticks(before))
}

/// Writes the links of a block, and how much of it is in use.
#[inline]
fn write_unused(block: &mut [u8], mut links: Links, used: usize, kind: u8) {
    let unused = block.len() - used;
    if unused >= usize::from(UNUSED_MANY) {
        let at = block.len() - NUMBER_BYTES;
        block[at..].copy_from_slice(&(unused as u32).to_le_bytes());
    }
    links.set_spare(kind | unused.min(usize::from(UNUSED_MANY)) as u8);
    links.write(block.first_chunk_mut().expect("a block holds its links"));
}

#[inline]
fn read_number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(*bytes.first_chunk().expect("a number has four bytes"))
}

impl Timers for Entries {
    #[inline]
    fn links(&self, number: u32) -> Links {
        links(self.blocks.block(number))
    }

    #[inline]
    fn deadline(&self, number: u32, links: Links) -> u64 {
        match links.deadline() {
            FAR => self.far_deadline(number).ticks(),
            deadline => deadline,
        }
    }

    #[inline]
    fn prefetch(&self, number: u32) {
        self.blocks.prefetch(number);
    }
}

impl TimersMut for Entries {
    #[inline]
    fn set_links(&mut self, number: u32, links: Links) {
        links.write(self.blocks.block_mut(number).first_chunk_mut().expect("a block holds its links"));
    }
}

/// How the index of a database hashes its keys again.
pub(crate) struct Keys<'a> {
    pub(crate) entries: &'a Entries,
    pub(crate) hasher: &'a KeyHasher,
}

impl Hashes for Keys<'_> {
    fn hash(&self, reference: u32) -> u64 {
        self.hasher.hash(self.entries.key(reference))
    }

    fn prefetch(&self, reference: u32) {
        self.entries.prefetch(reference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_19_bytes_and_the_lengths_of_its_parts() {
        let mut entries = Entries::default();
        let fields = field_parts(&[b'f'; 8], &[b'v'; 32], |parts| parts.concat());
        let number =
            entries.insert_packed(&[b'k'; 18], &fields, 0, Access::with_idle_seconds(0, UnixMillis(0)));
        assert_eq!(entries.blocks.size(number), 19 + (1 + 18) + (1 + 8) + (1 + 32));
    }

    #[test]
    fn what_is_unused_is_known_however_much_it_is() {
        for unused in [0, 1, 62, 63, 64, 5_000] {
            for kind in [0, IS_TABLE] {
                let mut block = vec![0xff; 30 + unused];
                write_unused(&mut block, Links::default(), 30, kind);
                assert_eq!((used(&block), is_table(&block)), (30, kind == IS_TABLE));
            }
        }
    }
}
