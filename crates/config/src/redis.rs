//! What `CONFIG GET` answers and `CONFIG SET` changes: the directives that have a Redis name, other names of the same settings, and fixed
//! answers for settings that Mayfly does not have but clients and tools ask for. The glob is the caller's.

use std::fmt;

use crate::directive::{Directive, Kind, Value};
use crate::values::{Level, MASK, Setting};
use crate::{Config, DIRECTIVES};

/// Redis' other names for a directive: name, path, reason.
const ALIASES: &[(&str, &str, &str)] = &[
    ("hash-max-ziplist-entries", "hash.packed_fields_max", "the name before Redis 7"),
    ("hash-max-listpack-value", "hash.packed_bytes_max", "no value longer than this is packed"),
    ("hash-max-ziplist-value", "hash.packed_bytes_max", "the name before Redis 7"),
];

/// Settings that Mayfly does not have: name, answer, reason.
const FIXED: &[(&str, &str, &str)] = &[
    ("save", "", "nothing is written to disk; redis-benchmark asks"),
    ("appendonly", "no", "nothing is written to disk; redis-benchmark asks"),
    ("maxmemory", "0", "there is no bound on memory; monitoring and job queues ask"),
    ("maxmemory-policy", "noeviction", "nothing is evicted; job queues refuse anything else"),
    ("slowlog-log-slower-than", "10000", "Redis' default; monitoring asks"),
    ("slowlog-max-len", "128", "Redis' default; monitoring asks"),
    ("cluster-enabled", "no", "a process is not part of a cluster"),
    ("io-threads", "1", "shards do their own reading and writing"),
    ("replica-read-only", "yes", "StackExchange.Redis asks on connect; there are no replicas"),
    ("slave-read-only", "yes", "the name before Redis 5, which StackExchange.Redis also asks"),
    ("protected-mode", "no", "the address and the password decide who gets in"),
];

impl Config {
    /// The parameters of `CONFIG GET` whose Redis name `matches`: name and text as Redis writes it. A password
    /// is `***`.
    pub fn redis_parameters(&self, matches: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
        let named = DIRECTIVES.iter().filter_map(|directive| Some((directive.redis?, directive)));
        let aliases = ALIASES.iter().filter_map(|(name, path, _)| Some((*name, Directive::find(path)?)));
        let settings = named.chain(aliases).filter(|(name, _)| matches(name));
        let fixed = FIXED.iter().filter(|(name, ..)| matches(name));
        let settings = settings.map(|(name, directive)| (name, redis_text(directive, self)));
        settings.chain(fixed.map(|(name, answer, _)| (*name, (*answer).to_owned()))).collect()
    }

    /// Sets parameters by their Redis names while the server runs: all of them, or none. Returns which they are.
    ///
    /// # Errors
    /// The first parameter that does not exist, cannot change while the server runs or stands there twice; then
    /// the first whose value is wrong.
    pub fn set_redis_parameters(
        &mut self,
        pairs: &[(&[u8], &[u8])],
    ) -> Result<Vec<&'static Directive>, SetError> {
        let mut found: Vec<(&str, &'static Directive)> = Vec::new();
        for (name, _) in pairs {
            let name = live(name)?;
            if found.iter().any(|(other, _)| *other == name.0) {
                return Err(SetError::Refused(name.0.into(), "duplicate parameter".into()));
            }
            found.push(name);
        }
        let mut changed = self.clone();
        for ((name, directive), (_, text)) in found.iter().zip(pairs) {
            let refused = |problem| SetError::Refused((*name).into(), problem);
            let value = redis_value(&directive.kind, text).map_err(refused)?;
            directive.set(&mut changed, value);
        }
        *self = changed;
        Ok(found.into_iter().map(|(_, directive)| directive).collect())
    }
}

/// Why `CONFIG SET` changed nothing, in Redis' words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetError {
    /// There is no such parameter.
    Unknown(String),
    /// A parameter, and why it is not set.
    Refused(String, String),
}

impl fmt::Display for SetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(formatter, "Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            Self::Refused(name, problem) => {
                write!(formatter, "CONFIG SET failed (possibly related to argument '{name}') - {problem}")
            }
        }
    }
}

/// The directive that `CONFIG SET name` changes, and its name as the table spells it.
fn live(name: &[u8]) -> Result<(&'static str, &'static Directive), SetError> {
    let is_it = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
    let directive = DIRECTIVES.iter().find(|directive| directive.redis.is_some_and(is_it));
    if let Some((directive, redis)) = directive.and_then(|found| Some((found, found.redis?)))
        && directive.live
    {
        return Ok((redis, directive));
    }
    let other_names = ALIASES.iter().chain(FIXED).map(|(name, ..)| *name);
    match directive.and_then(|found| found.redis).or_else(|| other_names.into_iter().find(|name| is_it(name)))
    {
        Some(name) => Err(SetError::Refused(name.into(), "can't set immutable config".into())),
        None => Err(SetError::Unknown(String::from_utf8_lossy(name).into_owned())),
    }
}

/// Reads a value as Redis spells it and refuses it in Redis' words.
fn redis_value(kind: &Kind, text: &[u8]) -> Result<Value, String> {
    let text = str::from_utf8(text).map_err(|_| "argument must be UTF-8".to_owned())?;
    match kind {
        Kind::Integer { min, max, .. } => {
            let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
            let number = number.ok_or("argument couldn't be parsed into an integer")?;
            kind.parse(text).map_err(|_| match u64::try_from(number) {
                Ok(number) if (*min..=*max).contains(&number) => "argument is not allowed".to_owned(),
                _ => format!("argument must be between {min} and {max} inclusive"),
            })
        }
        Kind::Letters { .. } => {
            kind.parse(text).map_err(|_| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned())
        }
        _ => kind.parse(text),
    }
}

/// Letters of event classes in the order in which Redis writes them; `A` stands for all of the first group.
fn redis_letters(letters: &str) -> String {
    const ALL: &str = "g$lshzxetd";
    let has = |letter| letters.contains(letter);
    let is_all = has('A') || ALL.chars().all(has);
    // Redis leaves `n` out behind `A`, although it holds.
    let classes =
        if is_all { "A".to_owned() } else { format!("{ALL}n").chars().filter(|c| has(*c)).collect() };
    classes.chars().chain("KEm".chars().filter(|letter| has(*letter))).collect()
}

fn redis_text(directive: &Directive, config: &Config) -> String {
    match directive.get(config) {
        Value::Integer(number) => number.to_string(),
        Value::Flag(flag) => (if flag { "yes" } else { "no" }).into(),
        Value::Word(word) => Level::from_value(Value::Word(word)).map_or(word, Level::redis_name).into(),
        Value::Text(text) => match directive.kind {
            Kind::Letters { .. } => redis_letters(&text),
            _ => text,
        },
        Value::Secret(secret) => (if secret.is_set() { MASK } else { "" }).into(),
        Value::Addresses(addresses) => {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Secret;

    fn get(config: &Config, name: &str) -> Vec<(&'static str, String)> {
        config.redis_parameters(|candidate| candidate == name)
    }

    #[test]
    fn clients_get_what_they_ask_on_connect() {
        let mut config = Config::default();
        config.server.bind.push("::1".parse().expect("an address"));
        config.log.level = Level::Warn;
        config.server.password = Secret::new("hunter2");
        let cases = [
            ("save", ""),
            ("appendonly", "no"),
            ("timeout", "0"),
            ("databases", "16"),
            ("maxmemory-policy", "noeviction"),
            ("bind", "127.0.0.1 ::1"),
            ("loglevel", "warning"),
            ("proto-max-bulk-len", "536870912"),
            ("hash-max-listpack-entries", "128"),
            ("hash-max-ziplist-entries", "128"),
            ("requirepass", "***"),
        ];
        for (name, text) in cases {
            assert_eq!(get(&config, name), [(name, text.to_owned())]);
        }
        assert_eq!(get(&config, "nonsense"), []);
    }

    fn set(config: &mut Config, words: &str) -> String {
        let words: Vec<_> = words.split(' ').map(str::as_bytes).collect();
        let pairs: Vec<_> = words.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        config.set_redis_parameters(&pairs).map_or_else(|error| error.to_string(), |_| "OK".into())
    }

    #[test]
    fn all_is_set_or_nothing_in_the_words_of_redis() {
        let failed = |name: &str, problem: &str| {
            format!("CONFIG SET failed (possibly related to argument '{name}') - {problem}")
        };
        let unknown = "Unknown option or number of arguments for CONFIG SET - 'nope'".to_owned();
        let (immutable, not_a_number) =
            ("can't set immutable config", "argument couldn't be parsed into an integer");
        let mut config = Config::default();
        for (words, expected) in [
            ("nope 1", unknown.clone()),
            ("timeout 7 nope 1 port 2", unknown),
            ("timeout 7 port 2 nope 1", failed("port", immutable)),
            ("Databases 7", failed("databases", immutable)),
            ("slowlog-max-len 7", failed("slowlog-max-len", immutable)),
            ("hash-max-ziplist-value 7", failed("hash-max-ziplist-value", immutable)),
            ("TIMEOUT 7 timeout x", failed("timeout", "duplicate parameter")),
            ("timeout 7 maxclients x", failed("maxclients", not_a_number)),
            ("timeout +7", failed("timeout", not_a_number)),
            ("timeout 07", failed("timeout", not_a_number)),
            ("maxclients 0", failed("maxclients", "argument must be between 1 and 1000000 inclusive")),
            ("timeout -1", failed("timeout", "argument must be between 0 and 31536000 inclusive")),
            (
                "timeout 7 notify-keyspace-events q",
                failed("notify-keyspace-events", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
            ),
        ] {
            assert_eq!(set(&mut config, words), expected, "{words}");
            assert_eq!(config, Config::default(), "{words}");
        }
        assert_eq!(set(&mut config, "Timeout 7 requirepass sesame"), "OK");
        assert_eq!((config.server.idle_timeout_seconds, config.server.password.reveal()), (7, "sesame"));
    }

    #[test]
    fn whatever_is_live_can_be_set_by_its_redis_name() {
        for directive in DIRECTIVES.iter().filter(|directive| directive.live) {
            let name = directive.redis.expect("CONFIG SET knows it by this name");
            assert!(live(name.as_bytes()).is_ok(), "{name}");
        }
    }

    #[test]
    fn event_classes_are_read_back_as_redis_orders_them() {
        for (letters, expected) in [
            ("KEA", "AKE"),
            ("Exnm", "xnEm"),
            ("KEAnm", "AKEm"),
            ("g$lshzxetdK", "AK"),
            ("hK$g", "g$hK"),
            ("", ""),
        ] {
            let mut config = Config::default();
            config.events.notify = letters.into();
            assert_eq!(get(&config, "notify-keyspace-events")[0].1, expected);
        }
    }

    #[test]
    fn every_name_is_answered_once_and_every_alias_leads_somewhere() {
        let all = Config::default().redis_parameters(|_| true);
        let names: BTreeSet<_> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), all.len());
        let redis = DIRECTIVES.iter().filter(|directive| directive.redis.is_some()).count();
        assert_eq!(all.len(), redis + ALIASES.len() + FIXED.len());
        assert!(ALIASES.iter().chain(FIXED).all(|(.., reason)| !reason.is_empty()));
    }
}
