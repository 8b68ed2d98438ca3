//! The known and wanted differences: `differences.toml`, which is also the README's table.
//!
//! An entry may say which requests it is about: `request` is a list of patterns, one a word, with `...` for any
//! number of words; `has` and `lacks` are words of which one, or none, has to stand behind the name. With
//! `sent = false` they are kept from both servers, because their data would differ afterwards. Otherwise they are
//! sent, and a difference is explained if the replies, as redis-cli shows them, match `mayfly` and `redis`. An
//! entry without `request` is about what this program does not send or cannot see.

use std::fmt::Write;
use std::sync::LazyLock;

use mayfly_command::glob::matches_ignoring_case;
use mayfly_resp::Value;
use toml_edit::{DocumentMut, Item, Table};

use crate::request::Request;

const FILE: &str = include_str!("../differences.toml");

static ALL: LazyLock<Vec<Difference>> = LazyLock::new(|| {
    parse(FILE).unwrap_or_else(|reason| panic!("tests/differential/differences.toml: {reason}"))
});

/// One known difference.
#[derive(Debug)]
pub struct Difference {
    what: String,
    here: String,
    why: String,
    /// Patterns of the words, alternatives of which one has to match.
    requests: Vec<String>,
    has: Vec<String>,
    lacks: Vec<String>,
    is_sent: bool,
    mayfly: Option<String>,
    redis: Option<String>,
}

/// All of them, in the order of the file.
pub fn all() -> &'static [Difference] {
    &ALL
}

/// Whether a request may be sent.
pub fn allow(request: &Request) -> bool {
    !all().iter().any(|difference| !difference.is_sent && difference.is_about(request))
}

/// Whether an entry explains these replies to a request; `mayfly` and `redis` as they are shown.
pub fn explain(request: &Request, mayfly: &Value, redis: &Value) -> Option<&'static Difference> {
    let (mayfly, redis) = (mayfly.to_string(), redis.to_string());
    all().iter().find(|difference| {
        difference.is_sent
            && difference.is_about(request)
            && suits(difference.mayfly.as_deref(), &mayfly)
            && suits(difference.redis.as_deref(), &redis)
    })
}

/// The README's table.
pub fn markdown() -> String {
    let mut table = "| what | here | why |\n|---|---|---|\n".to_owned();
    for Difference { what, here, why, .. } in all() {
        writeln!(table, "| {what} | {here} | {why} |").expect("a string can be written to");
    }
    table
}

impl Difference {
    fn is_about(&self, request: &Request) -> bool {
        let stands = |word: &String| {
            request.words.iter().skip(1).any(|other| matches_ignoring_case(word.as_bytes(), other))
        };
        self.requests.iter().any(|patterns| words_match(patterns, &request.words))
            && (self.has.is_empty() || self.has.iter().any(stands))
            && !self.lacks.iter().any(stands)
    }
}

fn suits(pattern: Option<&str>, shown: &str) -> bool {
    pattern.is_none_or(|pattern| matches_ignoring_case(pattern.as_bytes(), shown.as_bytes()))
}

fn words_match(patterns: &str, words: &[Vec<u8>]) -> bool {
    let (pattern, further) = patterns.split_once(' ').unwrap_or((patterns, ""));
    match (pattern, words.split_first()) {
        ("...", _) if further.is_empty() => true,
        ("...", _) => (0..=words.len()).any(|skipped| words_match(further, &words[skipped..])),
        ("", first) => first.is_none(),
        (_, Some((first, behind))) => {
            matches_ignoring_case(pattern.as_bytes(), first) && words_match(further, behind)
        }
        (_, None) => false,
    }
}

fn parse(text: &str) -> Result<Vec<Difference>, String> {
    let document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    let entries = document.get("difference").and_then(Item::as_array_of_tables);
    entries.ok_or("there is no [[difference]]")?.iter().map(entry).collect()
}

fn entry(table: &Table) -> Result<Difference, String> {
    const KEYS: [&str; 9] = ["what", "here", "why", "request", "has", "lacks", "sent", "mayfly", "redis"];
    if let Some((key, _)) = table.iter().find(|(key, _)| !KEYS.contains(key)) {
        return Err(format!("unknown key {key}"));
    }
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(item) => item.as_str().map(|text| Some(text.to_owned())).ok_or(format!("{key} is no text")),
    };
    let list = |key: &str| match table.get(key) {
        None => Ok(Vec::new()),
        Some(item) => item
            .as_array()
            .and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect())
            .ok_or(format!("{key} is no list of texts")),
    };
    let said = |key: &str| text(key)?.ok_or(format!("{key} is missing"));
    Ok(Difference {
        what: said("what")?,
        here: said("here")?,
        why: said("why")?,
        requests: list("request")?,
        has: list("has")?,
        lacks: list("lacks")?,
        is_sent: table.get("sent").and_then(Item::as_bool).unwrap_or(true),
        mayfly: text("mayfly")?,
        redis: text("redis")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_count_words() {
        let words = |line: &str| Request::line(line).words;
        assert!(words_match("hsetex * * * *", &words("HSETEX k f v 1")));
        assert!(!words_match("hsetex * * * *", &words("HSETEX k f v")));
        assert!(!words_match("hsetex * * * *", &words("HSETEX k f v 1 2")));
        assert!(words_match("hsetex ...", &words("HSETEX")));
        assert!(words_match("hsetex ... fnx", &words("HSETEX k FNX")));
        assert!(!words_match("hsetex ... fnx", &words("HSETEX k FNX 1")));
        assert!(words_match("hrandfield * -?? ...", &words("hrandfield k -10 WITHVALUES")));
        assert!(!words_match("hrandfield * -?? ...", &words("hrandfield k 10")));
    }

    #[test]
    fn five_words_are_kept_from_redis() {
        assert!(!allow(&Request::line("HSETEX k f v 60")));
        assert!(allow(&Request::line("HSETEX k FIELDS 1 f v")));
    }

    #[test]
    fn each_entry_says_something_and_can_be_found() {
        for Difference { what, here, requests, is_sent, mayfly, redis, .. } in all() {
            assert!(!what.is_empty() && !here.is_empty());
            let says_how = !*is_sent || mayfly.is_some() || redis.is_some();
            assert_eq!(
                requests.is_empty(),
                !says_how,
                "{what}: patterns need a request, a request a pattern"
            );
        }
    }
}
