//! What both programs share: lines of TAP, the Test Anything Protocol.

use std::fmt::Debug;
use std::time::Duration;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Counts what was expected and prints it.
#[derive(Default)]
pub struct Report {
    about: String,
    count: usize,
}

impl Report {
    /// Begins a chapter: what follows is about this client.
    pub fn about(&mut self, client: &str) {
        client.clone_into(&mut self.about);
    }

    /// Prints whether `got` is what was expected.
    pub fn expect<T: PartialEq + Debug>(&mut self, what: &str, expected: T, got: T) {
        self.count += 1;
        let Self { about, count } = self;
        if expected == got {
            println!("ok {count} - {about}: {what}");
        } else {
            println!("not ok {count} - {about}: {what}\n# expected {expected:?}, got {got:?}");
        }
    }

    /// Prints how many there were, without which the program counts as broken off.
    pub fn end(&self) {
        println!("1..{}", self.count);
    }
}
