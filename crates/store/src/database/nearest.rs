//! The key whose deadline is nearest, exactly: what `volatile-ttl` evicts next.
//!
//! The wheel knows to the millisecond what is due soon, and what is far to its slot only: a slot of the last level holds
//! twelve days of deadlines in no order. So some thousand nearest keys are searched through its lists, in slices, and
//! kept in order. Which key it is says the hash of its name, since the number of an entry changes with its size; every
//! one is looked at again before it goes, so that a key that has gone meanwhile, or whose deadline has moved later,
//! does no harm. One that moves earlier, or comes, is noted ([`Database::set_deadline`]): that is all it costs, and only
//! while something is kept.
//!
//! Invariant: every key whose deadline is before `bound` is in `kept`, under its deadline or an earlier instant.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::database::Database;
use crate::entry::EntryId;
use crate::wheel::{ListPlace, Timers};

/// Of all keys with a deadline one in so many is kept in order at a time: each search looks at all at most.
const KEYS_A_PLACE: usize = 16;
/// Bounds of how many are kept; 1 MiB at most.
const KEPT_MIN: usize = 1024;
const KEPT_MAX: usize = 65_536;

/// A deadline, and the hash of the key that has it.
type Place = (u64, u64);

/// The keys that are nearest to their deadlines.
#[derive(Debug, Default)]
pub(crate) struct Nearest {
    /// Nearest first, once the search is over.
    kept: BinaryHeap<Reverse<Place>>,
    bound: u64,
    search: Option<Search>,
}

/// A search that is under way.
#[derive(Debug)]
struct Search {
    found: Vec<Place>,
    /// The nearest of them.
    smallest: u64,
    /// The list that is being walked; before the first there is none.
    list: Option<ListPlace>,
    /// The hash of the entry to go on with; without one it is the first of the list.
    next: Option<u64>,
}

/// What [`Database::nearest`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nearness {
    /// No key has a deadline.
    Nothing,
    /// It takes more steps.
    Searching,
    /// This one, with its deadline.
    Found(u64, EntryId),
}

impl Nearest {
    /// Whether deadlines that are set have to be noted.
    #[inline]
    pub(crate) fn is_kept(&self) -> bool {
        self.search.is_some() || !self.kept.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        let found = self.search.as_ref().map_or(0, |search| search.found.capacity());
        (self.kept.capacity() + found) * size_of::<Place>()
    }

    /// A deadline was set that may be nearer than those kept.
    fn note(&mut self, place: Place) {
        if place.0 > self.bound {
            return;
        }
        if let Some(search) = &mut self.search {
            return search.note(place, &mut self.bound, KEPT_MAX);
        }
        self.kept.push(Reverse(place));
        if self.kept.len() >= 2 * KEPT_MAX {
            let mut places: Vec<_> =
                std::mem::take(&mut self.kept).into_iter().map(|place| place.0).collect();
            self.bound = cut(&mut places, KEPT_MAX);
            self.kept = places.into_iter().map(Reverse).collect();
        }
    }
}

impl Search {
    fn note(&mut self, place: Place, bound: &mut u64, kept_max: usize) {
        self.smallest = self.smallest.min(place.0);
        self.found.push(place);
        if self.found.len() >= 2 * kept_max {
            *bound = cut(&mut self.found, kept_max);
        }
    }
}

/// Leaves so many of the nearest; gives the deadline of the last of them.
fn cut(places: &mut Vec<Place>, kept: usize) -> u64 {
    let (_, last, _) = places.select_nth_unstable(kept - 1);
    let bound = last.0;
    places.truncate(kept);
    bound
}

impl Database {
    /// The key whose deadline is nearest; each look at an entry is one of `steps`.
    pub(crate) fn nearest(&mut self, steps: &mut usize) -> Nearness {
        if self.len_with_deadline() == 0 {
            self.forget_nearest();
            return Nearness::Nothing;
        }
        loop {
            if self.nearest.kept.is_empty() && !self.search(steps) {
                return Nearness::Searching;
            }
            while let Some(&Reverse((deadline, hash))) = self.nearest.kept.peek() {
                let number = self.entry_of(hash);
                let actual = number.and_then(|number| Some((number, self.entries.deadline(number)?.ticks())));
                match actual {
                    Some((number, actual)) if actual == deadline => {
                        return Nearness::Found(deadline, EntryId(number));
                    }
                    _ if *steps == 0 => return Nearness::Searching,
                    Some((_, actual)) if actual <= self.nearest.bound => {
                        self.nearest.kept.pop();
                        self.nearest.kept.push(Reverse((actual, hash)));
                    }
                    _ => _ = self.nearest.kept.pop(),
                }
                *steps -= 1;
            }
        }
    }

    /// Keeps nothing in order any more.
    pub(crate) fn forget_nearest(&mut self) {
        if self.nearest.is_kept() || self.nearest.kept.capacity() > 0 {
            self.nearest = Nearest::default();
        }
    }

    /// A deadline of an entry was written down.
    #[cold]
    pub(super) fn note_deadline(&mut self, number: u32, deadline: u64) {
        if deadline <= self.nearest.bound {
            self.nearest.note((deadline, self.hasher.hash(self.entries.key(number))));
        }
    }

    /// The hash of the key of an entry.
    pub(crate) fn hash_of(&self, id: EntryId) -> u64 {
        self.hasher.hash(self.entries.key(id.0))
    }

    /// The entry whose key has this hash.
    pub(crate) fn entry_of(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |number| self.hasher.hash(self.entries.key(number)) == hash)
    }

    /// Searches on; true at the end, with at least one key kept.
    fn search(&mut self, steps: &mut usize) -> bool {
        let kept_max = (self.deadlines / KEYS_A_PLACE).clamp(KEPT_MIN, KEPT_MAX);
        let mut bound = if self.nearest.search.is_some() { self.nearest.bound } else { u64::MAX };
        let mut search = self.nearest.search.take().unwrap_or_else(|| Search {
            found: Vec::new(),
            smallest: u64::MAX,
            list: None,
            next: None,
        });
        let is_over = loop {
            if !self.walk_list(&mut search, &mut bound, kept_max, steps) {
                break false;
            }
            let next = self.wheel.list_behind(search.list);
            match next {
                // An entry of a list comes due with it or later.
                Some(list) if search.found.is_empty() || list.starts_at() <= search.smallest => {
                    search.list = Some(list);
                }
                next => {
                    bound = next.map_or(bound, |list| bound.min(list.starts_at()));
                    break true;
                }
            }
        };
        self.nearest.bound = bound;
        if is_over {
            if search.found.len() > kept_max {
                self.nearest.bound = bound.min(cut(&mut search.found, kept_max));
            }
            let bound = self.nearest.bound;
            search.found.retain(|place| place.0 <= bound);
            self.nearest.kept = search.found.into_iter().map(Reverse).collect();
        } else {
            self.nearest.search = Some(search);
        }
        is_over
    }

    /// Walks the list of a search to its end; false if the steps did not suffice.
    fn walk_list(&self, search: &mut Search, bound: &mut u64, kept_max: usize, steps: &mut usize) -> bool {
        let Some(list) = search.list else { return true };
        let left = search.next.take().and_then(|hash| self.entry_of(hash));
        // One that has left the list meanwhile says no more where it was: the list is walked anew.
        let left = left.filter(|&number| list.holds(self.entries.links(number)));
        let mut next = left.or_else(|| self.wheel.first_of(list));
        while let Some(number) = next {
            if *steps == 0 {
                search.next = Some(self.hasher.hash(self.entries.key(number)));
                return false;
            }
            *steps -= 1;
            let links = self.entries.links(number);
            let deadline = Timers::deadline(&self.entries, number, links);
            if deadline <= *bound {
                search.note((deadline, self.hasher.hash(self.entries.key(number))), bound, kept_max);
            }
            next = self.wheel.next_of(&self.entries, links);
        }
        true
    }
}
