//! The small language of `ttl.rules`: which TTLs hold for which keys.
//!
//! ```text
//!   session:* default=1800 max=86400 jitter=10; db=2 require; cache:* optional max=0
//! ```
//!
//! Rules are separated by `;`, their words by blanks. The first word that is no setting is the pattern, as in KEYS; without
//! one all keys are meant.

/// One rule. What it leaves open is as the other directives of `[ttl]` say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TtlRule {
    /// Which keys, as in KEYS.
    pub pattern: String,
    /// Only in this logical database.
    pub database: Option<u16>,
    /// The TTL of a hash that is written without one; 0: none.
    pub default_seconds: Option<u64>,
    /// The longest TTL; 0: any.
    pub max_seconds: Option<u64>,
    /// Whether a hash may not be without a TTL.
    pub require: Option<bool>,
    /// The part of a TTL that may be taken off it by chance.
    pub jitter_percent: Option<u32>,
}

/// Rules that there may be. Each is looked at for every write.
const RULES_MAX: usize = 64;
/// The longest text.
pub(crate) const BYTES_MAX: usize = 16 << 10;
/// The longest TTL: a hundred years.
pub(crate) const SECONDS_MAX: u64 = 100 * 365 * 86_400;
/// The most that chance may take off a TTL.
pub(crate) const JITTER_MAX: u64 = 90;

/// Reads rules; of a text that was checked they are all there.
///
/// # Errors
/// What is wrong, and in which rule.
pub fn parse_ttl_rules(text: &str) -> Result<Vec<TtlRule>, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("{} bytes are too many", text.len()));
    }
    let rules = text.split(';').map(str::trim).filter(|rule| !rule.is_empty());
    let rules = rules.map(|text| rule(text).map_err(|problem| format!("in the rule {text:?} {problem}")));
    let rules: Vec<_> = rules.collect::<Result<_, _>>()?;
    match rules.len() {
        ..=RULES_MAX => Ok(rules),
        count => Err(format!("{count} rules are too many")),
    }
}

fn rule(text: &str) -> Result<TtlRule, String> {
    let mut rule = TtlRule::default();
    for word in text.split_whitespace() {
        let is_new = match word.split_once('=') {
            Some(("db", number)) => set(&mut rule.database, integer(word, number, 255)? as u16),
            Some(("default", number)) => set(&mut rule.default_seconds, integer(word, number, SECONDS_MAX)?),
            Some(("max", number)) => set(&mut rule.max_seconds, integer(word, number, SECONDS_MAX)?),
            Some(("jitter", number)) => {
                set(&mut rule.jitter_percent, integer(word, number, JITTER_MAX)? as u32)
            }
            None if word == "require" => set(&mut rule.require, true),
            None if word == "optional" => set(&mut rule.require, false),
            _ if rule.pattern.is_empty() => {
                word.clone_into(&mut rule.pattern);
                true
            }
            _ => return Err(format!("{word:?} is none of db=, default=, max=, jitter=, require, optional")),
        };
        if !is_new {
            return Err(format!("{word:?} says something for the second time"));
        }
    }
    if rule.pattern.is_empty() {
        rule.pattern.push('*');
    }
    Ok(rule)
}

/// Fills a place; false if it was full.
fn set<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

fn integer(word: &str, number: &str, max: u64) -> Result<u64, String> {
    let is_decimal = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|number| is_decimal && *number <= max);
    number.ok_or_else(|| format!("{word:?} is not a number from 0 to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_what_their_words_say() {
        let rules =
            parse_ttl_rules(" session:* default=1800 max=86400 jitter=10; db=2 require;;k=v:* optional ");
        let expected = [
            TtlRule {
                pattern: "session:*".into(),
                default_seconds: Some(1_800),
                max_seconds: Some(86_400),
                jitter_percent: Some(10),
                ..TtlRule::default()
            },
            TtlRule { pattern: "*".into(), database: Some(2), require: Some(true), ..TtlRule::default() },
            TtlRule { pattern: "k=v:*".into(), require: Some(false), ..TtlRule::default() },
        ];
        assert_eq!(rules.as_deref(), Ok(&expected[..]));
        assert_eq!(parse_ttl_rules(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_rule() {
        for (text, problem) in [
            ("a max=x", "in the rule \"a max=x\" \"max=x\" is not a number from 0 to 3153600000"),
            ("a; b jitter=91", "in the rule \"b jitter=91\" \"jitter=91\" is not a number from 0 to 90"),
            ("a max=+1", "in the rule \"a max=+1\" \"max=+1\" is not a number from 0 to 3153600000"),
            ("a max=1 max=2", "in the rule \"a max=1 max=2\" \"max=2\" says something for the second time"),
            (
                "a require optional",
                "in the rule \"a require optional\" \"optional\" says something for the second time",
            ),
            ("a b", "in the rule \"a b\" \"b\" is none of db=, default=, max=, jitter=, require, optional"),
        ] {
            assert_eq!(parse_ttl_rules(text), Err(problem.to_owned()));
        }
        assert!(parse_ttl_rules(&"a;".repeat(65)).unwrap_err().starts_with("65 rules"));
    }
}
