//! What `CONFIG GET` answers: the directives by their Redis names, or as `section.key` where they have none; other
//! names of the same settings; and fixed answers for settings that Mayfly does not have but clients and tools ask
//! for. The glob is the caller's. `CONFIG SET` is `set.rs`.

use crate::directive::{Directive, Kind, Value};
use crate::output_limits::{self, OUTPUT_LIMITS};
use crate::values::{FsyncPolicy, Level, MASK, Setting};
use crate::{Config, DIRECTIVES};

/// Redis' other names for a directive: name, path, reason.
pub(crate) const ALIASES: &[(&str, &str, &str)] = &[
    ("hash-max-ziplist-entries", "hash.packed_fields_max", "the name before Redis 7"),
    ("hash-max-listpack-value", "hash.packed_bytes_max", "no value longer than this is packed"),
    ("hash-max-ziplist-value", "hash.packed_bytes_max", "the name before Redis 7"),
];

/// Settings that Mayfly does not have: name, answer, reason.
pub(crate) const FIXED: &[(&str, &str, &str)] = &[
    ("cluster-enabled", "no", "a process is not part of a cluster"),
    ("io-threads", "1", "shards do their own reading and writing"),
    ("replica-read-only", "yes", "StackExchange.Redis asks on connect; there are no replicas"),
    ("slave-read-only", "yes", "the name before Redis 5, which StackExchange.Redis also asks"),
    ("rdbcompression", "yes", "Redis' default; RDB files are written by `mayfly export` alone"),
    ("activedefrag", "no", "the allocator is not defragmented"),
    ("latency-tracking", "yes", "INFO latencystats and LATENCY HISTOGRAM are always there"),
    ("enable-debug-command", "no", "DEBUG is refused"),
    ("daemonize", "no", "the process stays in the foreground"),
    ("supervised", "auto", "whoever has set NOTIFY_SOCKET is told that the process is ready"),
    ("acl-pubsub-default", "resetchannels", "a new user has no channels"),
];

/// Redis' switch of its log. Mayfly's is the folder.
pub(crate) const LOG: &str = "appendonly";

/// Whether there is a log, in Redis' words.
pub(crate) fn log_text(config: &Config) -> &'static str {
    if config.persistence.dir.is_empty() { "no" } else { "yes" }
}

impl Config {
    /// The parameters of `CONFIG GET` whose name `matches`: name and text as Redis writes it. A password is `***`.
    pub fn redis_parameters(&self, matches: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
        let named = DIRECTIVES.iter().map(|directive| (directive.parameter(), directive));
        let aliases = ALIASES.iter().filter_map(|(name, path, _)| Some((*name, Directive::find(path)?)));
        let settings = named.chain(aliases).filter(|(name, _)| matches(name));
        let fixed = FIXED.iter().filter(|(name, ..)| matches(name));
        let settings = settings.map(|(name, directive)| (name, redis_text(directive, self)));
        let output = matches(OUTPUT_LIMITS).then(|| (OUTPUT_LIMITS, output_limits::text(self)));
        let log = matches(LOG).then(|| (LOG, log_text(self).to_owned()));
        settings
            .chain(output)
            .chain(log)
            .chain(fixed.map(|(name, answer, _)| (*name, (*answer).to_owned())))
            .collect()
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
        Value::Threshold(number) => number.map_or_else(|| "-1".into(), |number| number.to_string()),
        Value::Flag(flag) => (if flag { "yes" } else { "no" }).into(),
        Value::Word(word) => redis_word(word).into(),
        Value::Text(text) => match directive.kind {
            Kind::Letters { .. } => redis_letters(&text),
            Kind::Permissions if text.is_empty() => "0".into(),
            _ => text,
        },
        Value::Texts(texts) => texts.join("\n"),
        Value::Secret(secret) => (if secret.is_set() { MASK } else { "" }).into(),
        Value::Addresses(addresses) => {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
    }
}

fn redis_word(word: &'static str) -> &'static str {
    let level = Level::from_value(Value::Word(word)).map(Level::redis_name);
    let policy = || FsyncPolicy::from_value(Value::Word(word)).map(FsyncPolicy::redis_name);
    level.or_else(policy).unwrap_or(word)
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
        config.persistence.fsync = FsyncPolicy::Never;
        config.server.password = Secret::new("hunter2");
        let cases = [
            ("save", ""),
            ("appendonly", "no"),
            ("dir", ""),
            ("appendfsync", "no"),
            ("timeout", "0"),
            ("databases", "16"),
            ("maxmemory", "0"),
            ("maxmemory-policy", "noeviction"),
            ("bind", "127.0.0.1 ::1"),
            ("loglevel", "warning"),
            ("proto-max-bulk-len", "536870912"),
            ("hash-max-listpack-entries", "128"),
            ("hash-max-ziplist-entries", "128"),
            ("requirepass", "***"),
            ("expiry.slice_entries_max", "256"),
            ("client-output-buffer-limit", "normal 268435456 0 0 slave 0 0 0 pubsub 33554432 8388608 60"),
        ];
        for (name, text) in cases {
            assert_eq!(get(&config, name), [(name, text.to_owned())]);
        }
        assert_eq!(get(&config, "nonsense"), []);
        config.persistence.dir = "/data".into();
        assert_eq!(get(&config, "appendonly"), [("appendonly", "yes".to_owned())]);
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
        assert_eq!(all.len(), DIRECTIVES.len() + ALIASES.len() + FIXED.len() + 2);
        assert!(ALIASES.iter().chain(FIXED).all(|(.., reason)| !reason.is_empty()));
    }
}
