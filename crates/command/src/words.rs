//! The words of one request, and a cursor over its options.
//!
//! Words are borrowed from the burst they arrived in; nothing is copied until a value is stored.

use mayfly_resp::Span;

use crate::error::CommandError;
use crate::number;

/// The words of one request: the command's name at 0, then its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    burst: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Words<'a> {
    /// The words that `spans` mark in `burst`.
    pub fn new(burst: &'a [u8], spans: &'a [Span]) -> Self {
        Words { burst, spans }
    }

    /// How many words there are, the name included.
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there is no word at all.
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The word at `position`. The caller has checked the count (by arity), so a miss is a bug.
    pub fn at(self, position: usize) -> &'a [u8] {
        self.spans[position].of(self.burst)
    }

    /// The word at `position`, if there is one.
    pub fn get(self, position: usize) -> Option<&'a [u8]> {
        self.spans.get(position).map(|span| span.of(self.burst))
    }

    /// All words from `position` on.
    pub fn from(self, position: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        let burst = self.burst;
        self.spans[position.min(self.spans.len())..].iter().map(move |span| span.of(burst))
    }

    /// The request that begins at word `position`, for commands about commands.
    pub fn after(self, position: usize) -> Words<'a> {
        Words { burst: self.burst, spans: &self.spans[position.min(self.spans.len())..] }
    }

    /// The words from `position` on, two by two. The caller has checked that they are even.
    pub fn pairs_from(self, position: usize) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone {
        let burst = self.burst;
        self.spans[position..].chunks_exact(2).map(move |pair| (pair[0].of(burst), pair[1].of(burst)))
    }

    /// The word at `position` as a strict signed 64-bit integer.
    #[inline]
    pub fn integer(self, position: usize) -> Result<i64, CommandError> {
        number::integer(self.at(position)).ok_or(CommandError::NotAnInteger)
    }

    /// A cursor that starts at `position`.
    pub fn cursor(self, position: usize) -> WordCursor<'a> {
        WordCursor { words: self, position }
    }
}

/// Reads options one after the other.
#[derive(Clone, Debug)]
pub struct WordCursor<'a> {
    words: Words<'a>,
    position: usize,
}

impl<'a> WordCursor<'a> {
    /// The next word, or a syntax error where an option lacks its value.
    pub fn value(&mut self) -> Result<&'a [u8], CommandError> {
        self.next().ok_or(CommandError::Syntax)
    }

    /// The next word as an integer: a syntax error if it is missing, a number error if it is none.
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        number::integer(self.value()?).ok_or(CommandError::NotAnInteger)
    }

    /// Position of the next word in the request.
    pub fn next_position(&self) -> usize {
        self.position
    }

    /// Number of words that are left.
    pub fn remaining(&self) -> usize {
        self.words.len().saturating_sub(self.position)
    }

    /// Jumps over `count` words.
    pub fn skip_words(&mut self, count: usize) {
        self.position += count;
    }
}

impl<'a> Iterator for WordCursor<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.words.get(self.position)?;
        self.position += 1;
        Some(word)
    }
}

/// Whether `word` is the option `name`, whatever its case.
pub fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}
