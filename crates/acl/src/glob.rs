//! Patterns of `KEYS`, `SCAN MATCH`, `HSCAN MATCH`, `COMMAND LIST` and `CONFIG GET`, as Redis reads them.
//!
//! `*` any bytes, `?` one byte, `[abc]`, `[a-z]`, `[^a]` one of a set, `\x` the byte x. The work is bounded by
//! pattern × text: a `*` that fails is retried only from the last star, never recursively, so no pattern can
//! hold a shard.

/// Whether the whole of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_by(pattern, text, |byte| byte)
}

/// The same without regard to ASCII case.
pub fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    matches_by(pattern, text, |byte| byte.to_ascii_lowercase())
}

fn matches_by(pattern: &[u8], text: &[u8], fold: impl Fn(u8) -> u8 + Copy) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on if what follows the last star does not match here: behind the star, one byte later.
    let mut last_star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at_pattern) == Some(&b'*') {
            at_pattern += 1;
            last_star = Some((at_pattern, at_text));
            continue;
        }
        let step = match text.get(at_text) {
            None if at_pattern == pattern.len() => return true,
            None => return false,
            Some(&byte) => match_one(&pattern[at_pattern..], byte, fold),
        };
        match (step, last_star) {
            (Some(used), _) => {
                at_pattern += used;
                at_text += 1;
            }
            (None, Some((behind_star, from))) => {
                at_pattern = behind_star;
                at_text = from + 1;
                last_star = Some((behind_star, at_text));
            }
            (None, None) => return false,
        }
    }
}

/// Matches one byte against the first element of `pattern`; the element's length if it does.
fn match_one(pattern: &[u8], byte: u8, fold: impl Fn(u8) -> u8 + Copy) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', set @ ..] => match_set(set, byte, fold).map(|length| length + 1),
        [b'\\', literal, ..] => (fold(*literal) == fold(byte)).then_some(2),
        [literal, ..] => (fold(*literal) == fold(byte)).then_some(1),
    }
}

/// Matches one byte against a set, given from behind its `[`; the length up to and with the `]`.
fn match_set(set: &[u8], byte: u8, fold: impl Fn(u8) -> u8 + Copy) -> Option<usize> {
    let negated = set.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    let byte = fold(byte);
    loop {
        match &set[at..] {
            // A set that is never closed ends with the pattern.
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                found |= fold(*literal) == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                let (low, high) = (fold(*low), fold(*high));
                found |= (low.min(high)..=low.max(high)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= fold(*literal) == byte;
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*f", "abcde", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hbllo", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a\\", "a\\", true),
            ("[abc", "b", true),
            ("[\\]]", "]", true),
            ("**", "anything", true),
            ("Hello", "hello", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(matches_ignoring_case(b"MAX*[A-Z]", b"maxmemory"));
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_pattern_times_text() {
        let pattern = "a*".repeat(500) + "b";
        let text = "a".repeat(5_000);
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }
}
