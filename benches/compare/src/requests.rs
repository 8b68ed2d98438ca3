//! What is sent: requests with a place for the number of a key.

/// How long the number of a key is, as redis-benchmark has it.
const DIGITS: usize = 12;
/// Where the number of a key stands in a template's words.
const PLACE: &str = "000000000000";

/// One operation: a request or several, encoded, with a place for the number of its key.
#[derive(Clone)]
pub struct Template {
    bytes: Vec<u8>,
    /// Where the numbers end.
    ends: Vec<usize>,
    replies: usize,
}

impl Template {
    /// Encodes requests; `{key}` in a word becomes `key:` and twelve digits.
    pub fn new(requests: &[&[&str]]) -> Self {
        let mut bytes = Vec::new();
        for words in requests {
            let words: Vec<_> =
                words.iter().map(|word| word.replace("{key}", &format!("key:{PLACE}"))).collect();
            encode(&words, &mut bytes);
        }
        let places = bytes.windows(DIGITS).enumerate().filter(|(_, window)| *window == PLACE.as_bytes());
        let ends = places.map(|(start, _)| start + DIGITS).collect();
        Template { bytes, ends, replies: requests.len() }
    }

    /// How many replies one operation has.
    pub fn replies(&self) -> usize {
        self.replies
    }

    /// Appends the operation on one key.
    pub fn append(&self, key: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        for end in &self.ends {
            let mut rest = key;
            let mut place = start + end;
            while rest > 0 {
                place -= 1;
                out[place] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}

/// Appends one request.
pub fn encode<W: AsRef<str>>(words: &[W], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn the_number_of_the_key_takes_its_place_in_every_request() {
        let template = Template::new(&[&["HSET", "{key}", "f", "v"], &["EXPIRE", "{key}", "60"]]);
        let mut out = Vec::new();
        template.append(1207, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "*4\r\n$4\r\nHSET\r\n$16\r\nkey:000000001207\r\n$1\r\nf\r\n$1\r\nv\r\n\
             *3\r\n$6\r\nEXPIRE\r\n$16\r\nkey:000000001207\r\n$2\r\n60\r\n"
        );
        assert_eq!(template.replies(), 2);
    }
}
