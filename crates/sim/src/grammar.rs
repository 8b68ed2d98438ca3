//! How a request at random follows the grammar of its command.
//!
//! Here: which arguments are there, how often, in which order. Which words stand for them is the business of whoever
//! draws: the simulator and the differential test have samplers of their own.

use fastrand::Rng;
use mayfly_command::argument::{Argument, Kind};

/// Draws the words of a request.
pub trait Draw {
    /// A token, in capitals or not.
    fn token(&mut self, token: &str, random: &mut Rng) -> Vec<u8>;

    /// A word for an argument that is one word, behind those that stand there.
    fn word(&mut self, argument: &Argument, words: &[Vec<u8>], random: &mut Rng) -> Vec<u8>;
}

/// Writes words by the grammar of a command.
#[derive(Debug)]
pub struct Grammar<'a, D> {
    /// Who draws the words.
    pub draw: &'a mut D,
    /// Where all chance comes from.
    pub random: &'a mut Rng,
    /// The request so far.
    pub words: &'a mut Vec<Vec<u8>>,
    /// Where the number of what is repeated next stands; none at the beginning.
    pub count_at: Option<usize>,
}

impl<D: Draw> Grammar<'_, D> {
    /// Writes arguments, the optional ones by chance.
    pub fn all(&mut self, arguments: &[Argument]) {
        for argument in arguments {
            if !argument.optional || self.random.u32(..3) == 0 {
                self.one(argument);
            }
        }
    }

    fn one(&mut self, argument: &Argument) {
        if let Some(token) = argument.token {
            let token = self.draw.token(token, self.random);
            self.words.push(token);
        }
        let times =
            if argument.multiple { 1 + self.random.usize(..3).min(self.random.usize(..4)) } else { 1 };
        for _ in 0..times {
            self.body(argument);
        }
        if argument.multiple
            && let Some(at) = self.count_at.take()
            && self.random.u32(..16) > 0
        {
            self.words[at] = times.to_string().into_bytes();
        }
    }

    fn body(&mut self, argument: &Argument) {
        match argument.kind {
            Kind::PureToken => return,
            Kind::OneOf(choices) => {
                let choice = &choices[self.random.usize(..choices.len())];
                return self.one(choice);
            }
            Kind::Block(parts) => return self.all(parts),
            Kind::UnixTime | Kind::Integer if argument.name == "numfields" => {
                self.count_at = Some(self.words.len());
            }
            _ => {}
        }
        let word = self.draw.word(argument, self.words, self.random);
        self.words.push(word);
    }
}
