//! What comes back: replies are counted, not kept, and one that says that something is wrong ends the run.

use anyhow::{Result, bail};

/// How far one connection's replies have come.
#[derive(Default)]
pub struct Replies {
    /// Values that the reply under way still lacks; 0 between two replies.
    values: usize,
    /// Bytes of a value that have not come, its end included.
    skip: usize,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
}

impl Replies {
    /// Takes what came and returns how many replies became whole.
    ///
    /// # Errors
    /// A reply is an error or holds one, lacks a value, or is of a type that no operation asks for.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize> {
        let (mut at, mut count) = (0, 0);
        while at < bytes.len() {
            let rest = &bytes[at..];
            if self.skip > 0 {
                let skipped = self.skip.min(rest.len());
                self.skip -= skipped;
                at += skipped;
                count += usize::from(self.skip == 0 && self.value_ended());
                continue;
            }
            let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                self.line.extend_from_slice(rest);
                break;
            };
            at += end + 1;
            let whole = if self.line.is_empty() {
                self.line_ended(&rest[..end])?
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&rest[..end]);
                self.line_ended(&line)?
            };
            count += usize::from(whole);
        }
        Ok(count)
    }

    /// Takes a line without its `\n`; true if a reply is whole with it.
    #[inline]
    fn line_ended(&mut self, line: &[u8]) -> Result<bool> {
        match line {
            [b'+' | b':', ..] => Ok(self.value_ended()),
            [b'$', digits @ .., b'\r'] => {
                self.skip = number(digits)? + 2;
                Ok(false)
            }
            [b'*', digits @ .., b'\r'] => {
                self.values = self.values.max(1) + number(digits)?;
                Ok(self.value_ended())
            }
            _ => bail!("the server answered {}", String::from_utf8_lossy(line)),
        }
    }

    /// True if it was the last of its reply.
    #[inline]
    fn value_ended(&mut self) -> bool {
        self.values = self.values.saturating_sub(1);
        self.values == 0
    }
}

#[inline]
fn number(digits: &[u8]) -> Result<usize> {
    let mut number = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            bail!("a reply lacks a value or has a wrong length: {}", String::from_utf8_lossy(digits));
        }
        number = number * 10 + usize::from(digit - b'0');
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::Replies;

    #[test]
    fn replies_count_when_they_are_whole_however_they_are_split() {
        let text = b"+PONG\r\n:1\r\n$3\r\n\r\n1\r\n$0\r\n\r\n*2\r\n:1\r\n*1\r\n$2\r\n*9\r\n*0\r\n:2\r\n";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut replies = Replies::default();
                let parts = [&text[..first], &text[first..second], &text[second..]];
                let count: usize = parts.iter().map(|part| replies.take(part).unwrap()).sum();
                assert_eq!(count, 7, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_reply_counts_with_its_last_byte_and_not_before() {
        let text = b"*2\r\n$1\r\na\r\n$10\r\n0123456789\r\n";
        let mut replies = Replies::default();
        assert_eq!(replies.take(&text[..text.len() - 1]).unwrap(), 0);
        assert_eq!(replies.take(&text[text.len() - 1..]).unwrap(), 1);
    }

    #[test]
    fn an_error_ends_the_run_with_its_text_also_within_a_transaction() {
        for text in [&b":1\r\n-ERR no\r\n"[..], b"*2\r\n:1\r\n-ERR no\r\n"] {
            let error = Replies::default().take(text).unwrap_err();
            assert!(error.to_string().contains("ERR no"), "{error}");
        }
    }

    #[test]
    fn a_value_that_is_missing_ends_the_run() {
        for text in [&b"$-1\r\n"[..], b"*-1\r\n", b"*2\r\n$1\r\na\r\n$-1\r\n"] {
            assert!(Replies::default().take(text).is_err());
        }
    }
}
