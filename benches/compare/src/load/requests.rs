//! What is sent: operations encoded once, with places for the number of a key.

/// Where the number of a key stands in a word before it is encoded.
const NUMBER: &str = "{n}";
/// How long the number of a key is.
const DIGITS: usize = 10;
/// All numbers of two digits.
static PAIRS: [[u8; 2]; 100] = pairs();

/// One operation: a request or several.
#[derive(Clone, Debug)]
pub struct Operation {
    bytes: Vec<u8>,
    /// Where the numbers begin.
    places: Vec<usize>,
    replies: usize,
}

impl Operation {
    /// Encodes requests; `{n}` in a word becomes the number of a key, in ten digits.
    pub fn new<W: AsRef<str>>(requests: &[Vec<W>]) -> Self {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for words in requests {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                let word = word.as_ref();
                let place = word.find(NUMBER);
                let word = word.replacen(NUMBER, &"0".repeat(DIGITS), 1);
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                places.extend(place.map(|place| bytes.len() + place));
                bytes.extend_from_slice(word.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
        }
        Operation { bytes, places, replies: requests.len() }
    }

    /// How many replies one operation has.
    pub fn replies(&self) -> usize {
        self.replies
    }

    /// How many bytes it has.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Appends the operation on one key.
    #[inline]
    pub fn append(&self, key: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        for place in &self.places {
            let mut rest = key;
            let place = start + place;
            for pair in out[place..place + DIGITS].as_chunks_mut::<2>().0.iter_mut().rev() {
                *pair = PAIRS[(rest % 100) as usize];
                rest /= 100;
            }
        }
    }
}

/// Appends one request.
pub fn encode(words: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(&Operation::new(&[words.to_vec()]).bytes);
}

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::Operation;

    #[test]
    fn the_number_of_the_key_takes_its_place_in_every_request() {
        let operation = Operation::new(&[vec!["HSET", "k:{n}", "f", "v"], vec!["EXPIRE", "k:{n}", "60"]]);
        let mut out = b"before".to_vec();
        operation.append(9_801_234_567, &mut out);
        operation.append(8, &mut out);
        let text = |number: &str| {
            format!(
                "*4\r\n$4\r\nHSET\r\n$12\r\nk:{number}\r\n$1\r\nf\r\n$1\r\nv\r\n\
                 *3\r\n$6\r\nEXPIRE\r\n$12\r\nk:{number}\r\n$2\r\n60\r\n"
            )
        };
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("before{}{}", text("9801234567"), text("0000000008"))
        );
        assert_eq!(operation.replies(), 2);
    }
}
