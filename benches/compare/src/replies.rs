//! What comes back: replies are counted, and an error ends the run.

use anyhow::{Result, bail};

/// The bytes of replies that have come, as far as they are not yet whole.
#[derive(Default)]
pub struct Replies {
    bytes: Vec<u8>,
}

impl Replies {
    /// Takes what came and returns how many replies became whole.
    ///
    /// # Errors
    /// A reply is an error, or of a type that no operation asks for.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize> {
        self.bytes.extend_from_slice(bytes);
        let (mut start, mut count) = (0, 0);
        while let Some(length) = whole(&self.bytes[start..])? {
            start += length;
            count += 1;
        }
        self.bytes.drain(..start);
        Ok(count)
    }
}

/// The length of the first reply, if it is whole.
fn whole(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(line) = bytes.iter().position(|&byte| byte == b'\n') else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy;
    let length = match bytes[0] {
        b'+' | b':' => line + 1,
        b'$' if bytes[1] == b'-' => line + 1,
        b'$' => match text(&bytes[1..line]).trim_end().parse::<usize>() {
            Ok(bulk) => line + 1 + bulk + 2,
            Err(_) => bail!("a bulk of the length {}", text(&bytes[1..line])),
        },
        _ => bail!("the server answered {}", text(&bytes[..line])),
    };
    Ok((bytes.len() >= length).then_some(length))
}

#[cfg(test)]
mod tests {
    use super::Replies;

    #[test]
    fn replies_count_when_they_are_whole_however_they_are_split() {
        let text = b"+PONG\r\n:1\r\n$3\r\n\r\n1\r\n$-1\r\n$0\r\n\r\n";
        for at in 0..text.len() {
            let mut replies = Replies::default();
            let (first, second) = text.split_at(at);
            assert_eq!(replies.take(first).unwrap() + replies.take(second).unwrap(), 5, "split at {at}");
        }
    }

    #[test]
    fn an_error_ends_the_run_with_its_text() {
        let error = Replies::default().take(b":1\r\n-ERR no\r\n").unwrap_err();
        assert!(error.to_string().contains("ERR no"), "{error}");
    }
}
