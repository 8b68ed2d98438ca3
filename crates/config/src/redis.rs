//! What `CONFIG GET` answers: the directives that have a Redis name, other names of the same settings, and fixed
//! answers for settings that Mayfly does not have but clients and tools ask for. The glob is the caller's.

use crate::directive::{Directive, Value};
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
        let settings = settings.map(|(name, directive)| (name, redis_text(directive.get(self))));
        settings.chain(fixed.map(|(name, answer, _)| (*name, (*answer).to_owned()))).collect()
    }
}

fn redis_text(value: Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Flag(flag) => (if flag { "yes" } else { "no" }).into(),
        Value::Word(word) => Level::from_value(Value::Word(word)).map_or(word, Level::redis_name).into(),
        Value::Text(text) => text,
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
