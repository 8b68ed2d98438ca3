//! A transaction while it is being queued: requests between `MULTI` and `EXEC`.

use mayfly_command::{Command, Words};
use mayfly_resp::Span;

use crate::pauses::is_writing;

/// Limits of one transaction, from the config.
#[derive(Clone, Copy, Debug)]
pub struct TransactionLimits {
    /// Requests that may be queued.
    pub calls_max: usize,
    /// Bytes of their words together.
    pub bytes_max: usize,
}

impl Default for TransactionLimits {
    /// What the config has unless somebody says otherwise.
    fn default() -> Self {
        TransactionLimits { calls_max: 65_536, bytes_max: 64 << 20 }
    }
}

/// The requests queued so far.
#[derive(Debug, Default)]
pub struct Transaction {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    requests: Vec<Request>,
    /// A request was refused: `EXEC` will refuse all.
    pub is_aborted: bool,
}

/// One queued request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What is asked for.
    pub command: &'static Command,
    first_word: usize,
    word_count: usize,
}

impl Transaction {
    /// Queues a request; false, and the transaction is aborted, if it would be too long then.
    pub fn queue(&mut self, command: &'static Command, words: Words<'_>, limits: TransactionLimits) -> bool {
        let bytes = self.bytes.len() + words.from(0).map(<[u8]>::len).sum::<usize>();
        if self.requests.len() >= limits.calls_max || bytes > limits.bytes_max {
            self.is_aborted = true;
            return false;
        }
        self.requests.push(Request { command, first_word: self.spans.len(), word_count: words.len() });
        for word in words.from(0) {
            self.spans.push(Span { start: self.bytes.len() as u32, length: word.len() as u32 });
            self.bytes.extend_from_slice(word);
        }
        true
    }

    /// Bytes of the words of its requests.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether one of the requests writes.
    pub fn would_write(&self) -> bool {
        self.requests.iter().any(|request| is_writing(request.command))
    }

    /// How many requests are queued.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// The requests, in order.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = Request> {
        self.requests.clone().into_iter()
    }

    /// The words of a request.
    pub fn words(&self, request: Request) -> Words<'_> {
        Words::new(&self.bytes, &self.spans[request.first_word..request.first_word + request.word_count])
    }
}
