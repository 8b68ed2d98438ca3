//! The timer wheel: which entry is due next, in constant time whatever their number.
//!
//! Holds neither a clock nor the entries: `now` and the entries ([`Timers`]) are arguments. Entries of a slot
//! are a doubly linked list through the entries themselves ([`Links`]), so that one can leave from anywhere.
//!
//! ```text
//!  level  a slot spans    64 slots reach       a slot's list: head, length
//!    0      1 ms             64 ms             due at exactly this millisecond
//!    1     32 ms              2 s      ┐
//!    2      1 s              65 s      │
//!    3     33 s              35 min    ├─      placed again, lower, in the span before the slot's own
//!    4     17 min            19 h      │
//!    5      9 h              25 days   │
//!    6     12 days            2.2 years┘       what is later waits in the last slot and is placed again
//!   and one list of entries that were due already when they were placed
//! ```
//!
//! A slot spans 32 slots of the level below, which has 64. So a level reaches over the next slot of the level
//! above as well, and that slot can be emptied while the one before it is still running: ahead of time, in
//! slices, after everything that is due. In a wheel whose levels meet exactly, a slot with a million entries is
//! placed again in the millisecond in which its first entries are due, and these are late.
//!
//! A deadline that moves later is only written down: when the entry's old slot comes due, it is placed again
//! (a session that is touched a hundred times a minute is relinked once). One that moves before its slot is
//! relinked at once.
//!
//! Work is done one entry a [`turn`](Wheel::turn), so that the caller can stop anywhere. The list that is being
//! emptied stays where it is: nothing new can be placed in a slot whose time has come.

mod forecast;
mod links;
#[cfg(test)]
mod tests;

pub use self::links::Links;
pub(crate) use self::links::{FAR, LINKS_BYTES, NEVER};

use self::links::UNLINKED;

/// Levels of the wheel.
const LEVELS: usize = 7;
/// Slots of a level, one bit each in a `u64`.
const SLOTS: usize = 64;
/// A slot spans 2^5 slots of the level below.
const SPAN_BITS: u32 = 5;
/// The list of what was due already when it was placed; the slots of the levels come before it.
const DUE: u16 = (LEVELS * SLOTS) as u16;
/// No entry.
const NONE: u32 = u32::MAX;

/// The entries, as the wheel needs them. Numbers are those of the caller's slab.
pub trait Timers {
    /// The wheel's part of an entry.
    fn links(&self, number: u32) -> Links;
    /// The deadline of an entry that has one, in ms; `links` are its.
    fn deadline(&self, number: u32, links: Links) -> u64;
    /// Prefetches the entry.
    fn prefetch(&self, _number: u32) {}
}

/// The entries, for a wheel that moves them.
pub trait TimersMut: Timers {
    /// Changes the wheel's part of an entry.
    fn set_links(&mut self, number: u32, links: Links);
}

fn update(timers: &mut impl TimersMut, number: u32, change: impl FnOnce(&mut Links)) {
    let mut links = timers.links(number);
    change(&mut links);
    timers.set_links(number, links);
}

/// What a turn of the wheel did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Nothing: there is nothing to do at this time.
    Idle,
    /// An entry was placed again.
    Placed,
    /// This entry is due. It is in no list any more.
    Due(u32),
}

/// A list of entries.
#[derive(Clone, Copy, Debug)]
struct Slot {
    head: u32,
    len: u32,
}

/// A list of a wheel, in the order in which lists come due: of two at the same time the coarser first, since its
/// entries may be placed again in the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ListPlace {
    start: u64,
    fineness: u16,
    slot: u16,
}

impl ListPlace {
    /// When it comes due: no entry in it has an earlier deadline, except for those due when they were placed.
    pub(crate) fn starts_at(self) -> u64 {
        self.start
    }

    /// Whether an entry with these links is in it.
    pub(crate) fn holds(self, links: Links) -> bool {
        links.slot() == self.slot
    }
}

/// A wheel. Empty, it allocates nothing; with its first entry it takes 3.5 KiB.
#[derive(Clone, Debug)]
pub struct Wheel {
    /// The slots of all levels and the list of due ones; empty until the first entry.
    slots: Box<[Slot]>,
    /// Bit n: slot n of the level has entries.
    occupied: [u64; LEVELS],
    /// The time that the wheel has reached: every slot before it is empty.
    reached: u64,
    /// The slot that is being emptied, if there is one.
    emptying: u16,
    len: usize,
}

impl Default for Wheel {
    fn default() -> Self {
        Wheel { slots: Box::default(), occupied: [0; LEVELS], reached: 0, emptying: UNLINKED, len: 0 }
    }
}

impl Wheel {
    /// Places an entry that is in no list, by its deadline.
    pub fn schedule(&mut self, timers: &mut impl TimersMut, number: u32) {
        let links = timers.links(number);
        debug_assert!(!links.is_linked(), "S3: an entry is in one list at most");
        if self.slots.is_empty() {
            self.slots = vec![Slot { head: NONE, len: 0 }; usize::from(DUE) + 1].into();
        }
        let slot = self.slot_for(timers.deadline(number, links));
        self.link(timers, number, links, slot);
        self.len += 1;
    }

    /// Whether the list that an entry is in comes due early enough for this deadline, so that it can stay there.
    #[inline]
    pub fn suits(&self, links: Links, deadline: u64) -> bool {
        let slot = links.slot();
        slot == DUE || slot != UNLINKED && self.start(slot) <= deadline
    }

    /// Follows a deadline that has changed; the entry may be in no list yet. True if it had to be linked.
    pub fn reschedule(&mut self, timers: &mut impl TimersMut, number: u32) -> bool {
        let links = timers.links(number);
        if !links.is_linked() {
            self.schedule(timers, number);
            return true;
        }
        let deadline = timers.deadline(number, links);
        if self.suits(links, deadline) {
            return false;
        }
        self.unlink(timers, links);
        let slot = self.slot_for(deadline);
        self.link(timers, number, links, slot);
        true
    }

    /// Takes an entry out, wherever it is; one that is in no list is left alone.
    pub fn cancel(&mut self, timers: &mut impl TimersMut, number: u32) {
        let links = timers.links(number);
        if links.is_linked() {
            self.unlink(timers, links);
            timers.set_links(number, links.unlinked());
            self.len -= 1;
        }
    }

    /// Tells the neighbours of an entry that it has this number now; its links came along.
    pub fn renumber(&mut self, timers: &mut impl TimersMut, number: u32) {
        let links = timers.links(number);
        if !links.is_linked() {
            return;
        }
        if links.next != NONE {
            update(timers, links.next, |next| next.previous = number);
        }
        match links.previous {
            NONE => self.slots[usize::from(links.slot())].head = number,
            previous => update(timers, previous, |previous| previous.next = number),
        }
    }

    /// Does the most urgent thing that there is to do at `now`, which is a matter of one entry. Time does not
    /// go backwards: an earlier `now` than before counts as that.
    pub fn turn(&mut self, timers: &mut impl TimersMut, now: u64) -> Turn {
        let now = now.max(self.reached);
        let Some(slot) = self.next_slot(now) else { return Turn::Idle };
        let number = self.slots[usize::from(slot)].head;
        let links = timers.links(number);
        self.look_ahead(timers, links.next);
        self.unlink(timers, links);
        let deadline = timers.deadline(number, links);
        if deadline <= now {
            timers.set_links(number, links.unlinked());
            self.len -= 1;
            return Turn::Due(number);
        }
        let slot = self.slot_for(deadline);
        self.link(timers, number, links, slot);
        Turn::Placed
    }

    /// Sets the time of a wheel without entries, so that it does not have to catch up.
    pub fn start_at(&mut self, now: u64) {
        if self.len == 0 {
            self.reached = self.reached.max(now);
        }
    }

    /// Whether it has reached a later time than this.
    pub fn is_ahead_of(&self, now: u64) -> bool {
        self.reached > now
    }

    /// The earliest time at which [`turn`](Wheel::turn) has something to do, `None` without entries.
    pub fn next_turn(&self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        if self.len_of(DUE) > 0 {
            return Some(self.reached);
        }
        let early = |(level, slot): (usize, u16)| {
            let span = if level == 0 { 0 } else { 1 << (SPAN_BITS * level as u32) };
            self.start(slot).saturating_sub(span).max(self.reached)
        };
        self.first_slots().map(early).min()
    }

    /// Entries that are due at `now` and still here. Counted by slots: the entries of a slot that has come due
    /// but whose deadline has moved later since are counted as well.
    pub fn backlog(&self, now: u64) -> usize {
        if self.len == 0 {
            return 0;
        }
        let slots = (0..DUE).filter(|&slot| self.len_of(slot) > 0 && self.start(slot) <= now);
        slots.map(|slot| self.len_of(slot)).sum::<usize>() + self.len_of(DUE)
    }

    /// Entries whose deadline has come at `now`, exactly: looks at every entry of the [`backlog`](Wheel::backlog).
    pub fn due(&self, timers: &impl Timers, now: u64) -> usize {
        if self.len == 0 {
            return 0;
        }
        let slots = (0..DUE).filter(|&slot| self.len_of(slot) > 0 && self.start(slot) <= now);
        let mut due = 0;
        for slot in slots.chain([DUE]) {
            let mut number = self.slots[usize::from(slot)].head;
            while number != NONE {
                let links = timers.links(number);
                due += usize::from(timers.deadline(number, links) <= now);
                number = links.next;
            }
        }
        due
    }

    /// The first list with entries that comes due behind this one.
    pub(crate) fn list_behind(&self, place: Option<ListPlace>) -> Option<ListPlace> {
        let levels = (0..LEVELS).flat_map(|level| {
            let slots = (0..SLOTS).filter(move |slot| self.occupied[level] >> slot & 1 == 1);
            slots.map(move |slot| (level * SLOTS + slot) as u16)
        });
        let places = levels.map(|slot| {
            let fineness = (LEVELS - level(slot)) as u16;
            ListPlace { start: self.start(slot), fineness, slot }
        });
        let due =
            (self.len > 0 && self.len_of(DUE) > 0).then_some(ListPlace { start: 0, fineness: 0, slot: DUE });
        places.chain(due).filter(|candidate| place.is_none_or(|place| *candidate > place)).min()
    }

    /// The first entry of a list.
    pub(crate) fn first_of(&self, place: ListPlace) -> Option<u32> {
        self.slots.get(usize::from(place.slot)).map(|slot| slot.head).filter(|head| *head != NONE)
    }

    /// The entry behind one with these links.
    pub(crate) fn next_of(&self, timers: &impl Timers, links: Links) -> Option<u32> {
        if links.next == NONE {
            return None;
        }
        self.look_ahead(timers, links.next);
        Some(links.next)
    }

    /// An entry somewhere in the lists: which list goes by their lengths, the place in it is among the first `walk_max`.
    pub(crate) fn somewhere(&self, timers: &impl Timers, random: u64, walk_max: usize) -> Option<u32> {
        let mut place = ((u128::from(random) * self.len as u128) >> 64) as usize;
        let list = self.slots.iter().find(|list| {
            let is_in = place < list.len as usize;
            if !is_in {
                place -= list.len as usize;
            }
            is_in
        })?;
        let mut number = list.head;
        for _ in 0..place.min(walk_max) {
            number = timers.links(number).next;
        }
        Some(number)
    }

    /// Entries in all lists.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no entry is scheduled.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>()
    }

    /// Asserts S3 and S4.
    pub fn check(&self, timers: &impl Timers) {
        let mut len = 0;
        for (slot, list) in self.slots.iter().enumerate() {
            let slot = slot as u16;
            let (mut number, mut previous, mut count) = (list.head, NONE, 0);
            while number != NONE {
                let links = timers.links(number);
                assert_eq!(links.slot(), slot, "S3: an entry knows its slot");
                assert_eq!(links.previous, previous, "S3: a slot's list is linked both ways");
                let is_early = slot == DUE || self.start(slot) <= timers.deadline(number, links);
                assert!(is_early, "S4: entry {number} comes due before or at its deadline");
                (previous, number, count) = (number, links.next, count + 1);
            }
            assert_eq!(list.len, count, "S3: length of slot {slot}");
            if slot < DUE {
                let is_occupied = self.occupied[level(slot)] >> (slot % SLOTS as u16) & 1 == 1;
                assert_eq!(is_occupied, count > 0, "S3: occupancy of slot {slot}");
            }
            len += count as usize;
        }
        assert_eq!(self.len, len, "S3: entries of all slots");
    }

    /// The slot to take the next entry from, if something can be done at `now`. Order: what was due when it
    /// came; slots whose time has come, earliest first; slots that are to be emptied ahead of time.
    fn next_slot(&mut self, now: u64) -> Option<u16> {
        if self.len == 0 {
            self.reached = now;
            return None;
        }
        if self.len_of(DUE) > 0 {
            return Some(DUE);
        }
        let emptying = self.emptying;
        if emptying != UNLINKED && (self.reached >= now || self.start(emptying) <= self.reached) {
            return Some(emptying);
        }
        self.emptying = UNLINKED;
        let first = self.first_slots().map(|(_, slot)| (self.start(slot), slot)).min();
        if let Some((start, slot)) = first
            && start <= now
        {
            self.reached = self.reached.max(start);
            self.emptying = slot;
            return Some(slot);
        }
        self.reached = now;
        let ahead = self.first_slots().find(|&(level, slot)| level > 0 && self.distance(slot) <= 1);
        self.emptying = ahead.map(|(_, slot)| slot)?;
        Some(self.emptying)
    }

    /// Asks for the memory of the entry behind the next one of a list, which was asked for before.
    fn look_ahead(&self, timers: &impl Timers, next: u32) {
        if next != NONE {
            let second = timers.links(next).next;
            if second != NONE {
                timers.prefetch(second);
            }
        }
    }

    /// The first occupied slot of every level that has one.
    fn first_slots(&self) -> impl Iterator<Item = (usize, u16)> {
        (0..LEVELS).filter(|&level| self.occupied[level] != 0).map(|level| {
            let current = self.block(level) as u32 % SLOTS as u32;
            let distance = self.occupied[level].rotate_right(current).trailing_zeros();
            (level, (level * SLOTS) as u16 + ((current + distance) % SLOTS as u32) as u16)
        })
    }

    /// Where an entry with this deadline belongs: the lowest level that reaches it.
    fn slot_for(&self, deadline: u64) -> u16 {
        if deadline <= self.reached {
            return DUE;
        }
        // 64 slots reach 2^(6 + 5 level) ms, less what has passed of the current one.
        let bits = u64::BITS - (deadline - self.reached).leading_zeros();
        let mut level = bits.saturating_sub(6).div_ceil(SPAN_BITS) as usize;
        if level < LEVELS && (deadline >> (SPAN_BITS * level as u32)) - self.block(level) >= SLOTS as u64 {
            level += 1;
        }
        let block = if level < LEVELS {
            deadline >> (SPAN_BITS * level as u32)
        } else {
            level = LEVELS - 1;
            self.block(level) + SLOTS as u64 - 1
        };
        (level * SLOTS) as u16 + (block % SLOTS as u64) as u16
    }

    /// When the time of a slot that has entries begins, in ms.
    fn start(&self, slot: u16) -> u64 {
        let level = level(slot);
        (self.block(level) + self.distance(slot)) << (SPAN_BITS * level as u32)
    }

    /// Slots from the current one of its level to this one.
    fn distance(&self, slot: u16) -> u64 {
        u64::from(slot).wrapping_sub(self.block(level(slot))) % SLOTS as u64
    }

    /// The number of the current slot of a level, counted from the epoch.
    fn block(&self, level: usize) -> u64 {
        self.reached >> (SPAN_BITS * level as u32)
    }

    fn len_of(&self, slot: u16) -> usize {
        self.slots[usize::from(slot)].len as usize
    }

    /// Puts an entry with these links at the head of a slot's list.
    fn link(&mut self, timers: &mut impl TimersMut, number: u32, mut links: Links, slot: u16) {
        let list = &mut self.slots[usize::from(slot)];
        let next = std::mem::replace(&mut list.head, number);
        list.len += 1;
        if next != NONE {
            update(timers, next, |links| links.previous = number);
        }
        (links.previous, links.next) = (NONE, next);
        links.set_slot(slot);
        timers.set_links(number, links);
        if slot != DUE {
            self.occupied[level(slot)] |= 1 << (slot % SLOTS as u16);
        }
    }

    /// Takes the entry with these links out of its list. Its own links the caller writes.
    fn unlink(&mut self, timers: &mut impl TimersMut, links: Links) {
        let (slot, previous, next) = (links.slot(), links.previous, links.next);
        if next != NONE {
            update(timers, next, |links| links.previous = previous);
        }
        let list = &mut self.slots[usize::from(slot)];
        list.len -= 1;
        if previous != NONE {
            update(timers, previous, |links| links.next = next);
        } else {
            list.head = next;
        }
        if list.len == 0 && slot != DUE {
            self.occupied[level(slot)] &= !(1 << (slot % SLOTS as u16));
            if self.emptying == slot {
                self.emptying = UNLINKED;
            }
        }
    }
}

fn level(slot: u16) -> usize {
    usize::from(slot) / SLOTS
}
