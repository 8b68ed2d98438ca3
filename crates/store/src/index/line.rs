//! One cache line of an index: ten references with their tags, and where to go on.
//!
//! ```text
//!  0                                       40                  60   62  63  64
//!  ├── references: 10 × u32 ──────────────┼── tags: 10 × u16 ──┼────┼───┼───┤
//!                                                  displaced ──┘    │   └── listed
//!                                                                   └── spilled
//! ```

/// References of a line.
pub(super) const PLACES: usize = 10;
/// A place that is free.
const FREE: u32 = u32::MAX;

/// A line. The default is empty.
#[repr(C, align(64))]
#[derive(Clone, Debug)]
pub(super) struct Line {
    references: [u32; PLACES],
    tags: [u16; PLACES],
    /// Bit n: the reference at n belongs to the line before this one.
    displaced: u16,
    /// References of this line that are in the next one.
    pub(super) spilled: u8,
    /// References of this line that are in the segment's list; 255 stands for 255 or more and stays.
    pub(super) listed: u8,
}

impl Default for Line {
    fn default() -> Self {
        Line { references: [FREE; PLACES], tags: [0; PLACES], displaced: 0, spilled: 0, listed: 0 }
    }
}

impl Line {
    /// Puts a reference at a free place; false if there is none.
    pub(super) fn put(&mut self, tag: u16, reference: u32, is_displaced: bool) -> bool {
        let Some(place) = self.references.iter().position(|&reference| reference == FREE) else {
            return false;
        };
        self.references[place] = reference;
        self.tags[place] = tag;
        self.displaced |= u16::from(is_displaced) << place;
        true
    }

    /// Removes a reference, of this line or of the one before it; false if it is not here.
    pub(super) fn take(&mut self, reference: u32, is_displaced: bool) -> bool {
        let place = self.position(reference, is_displaced);
        if let Some(place) = place {
            self.free(place);
        }
        place.is_some()
    }

    /// Puts a reference in the place of another; false if that is not here.
    pub(super) fn replace(&mut self, old: u32, new: u32, is_displaced: bool) -> bool {
        let place = self.position(old, is_displaced);
        if let Some(place) = place {
            self.references[place] = new;
        }
        place.is_some()
    }

    /// Takes any reference of the line before this one.
    pub(super) fn take_displaced(&mut self) -> Option<(u16, u32)> {
        let place = (self.displaced != 0).then(|| self.displaced.trailing_zeros() as usize)?;
        let taken = (self.tags[place], self.references[place]);
        self.free(place);
        Some(taken)
    }

    /// The first reference with this tag for which `is_it` says yes.
    #[inline]
    pub(super) fn find(&self, tag: u16, is_it: &mut impl FnMut(u32) -> bool) -> Option<u32> {
        let mut places = 0_u32;
        for place in 0..PLACES {
            places |= u32::from(self.tags[place] == tag) << place;
        }
        while places != 0 {
            let reference = self.references[places.trailing_zeros() as usize];
            if reference != FREE && is_it(reference) {
                return Some(reference);
            }
            places &= places - 1;
        }
        None
    }

    /// The references with their tags that belong to this line, or those that belong to the line before it.
    pub(super) fn iter(&self, is_displaced: bool) -> impl Iterator<Item = (u16, u32)> {
        let places = (0..PLACES)
            .filter(move |&place| self.references[place] != FREE && self.is_displaced(place) == is_displaced);
        places.map(|place| (self.tags[place], self.references[place]))
    }

    /// Gives all references with their tags, whichever line they belong to.
    #[inline]
    pub(super) fn for_each(&self, mut give: impl FnMut(u16, u32)) {
        for (&reference, &tag) in self.references.iter().zip(&self.tags) {
            if reference != FREE {
                give(tag, reference);
            }
        }
    }

    /// The reference at a place.
    pub(super) fn place(&self, place: usize) -> Option<u32> {
        Some(self.references[place]).filter(|&reference| reference != FREE)
    }

    fn position(&self, reference: u32, is_displaced: bool) -> Option<usize> {
        (0..PLACES)
            .find(|&place| self.references[place] == reference && self.is_displaced(place) == is_displaced)
    }

    fn is_displaced(&self, place: usize) -> bool {
        self.displaced >> place & 1 == 1
    }

    fn free(&mut self, place: usize) {
        self.references[place] = FREE;
        self.displaced &= !(1 << place);
    }
}
