//! `CONFIG SET`: which parameters change while the server runs, and how Redis spells and refuses their values.

use std::fmt;

use crate::Config;
use crate::check;
use crate::directive::{Directive, Kind, Value};
use crate::output_limits::{self, OUTPUT_LIMITS};
use crate::redis::{ALIASES, FIXED, LOG, log_text};
use crate::values::Level;

impl Config {
    /// Sets parameters by their Redis names, or as `section.key`, while the server runs: all of them, or none.
    /// Returns which directives they are.
    ///
    /// # Errors
    /// The first parameter that does not exist, cannot change while the server runs or stands there twice; then
    /// the first whose value is wrong; then one that contradicts another setting.
    pub fn set_redis_parameters(
        &mut self,
        pairs: &[(&[u8], &[u8])],
    ) -> Result<Vec<&'static Directive>, SetError> {
        let mut parameters: Vec<(&'static str, Meaning)> = Vec::new();
        for (name, _) in pairs {
            let (name, meaning) = find(name)?;
            if parameters.iter().any(|(_, other)| *other == meaning) {
                return Err(SetError::Refused(name.into(), "duplicate parameter".into()));
            }
            parameters.push((name, meaning));
        }
        let mut changed = self.clone();
        let mut directives = Vec::new();
        for ((name, meaning), (_, text)) in parameters.iter().zip(pairs) {
            let set =
                meaning.read(text, self).map_err(|problem| SetError::Refused((*name).into(), problem))?;
            for (directive, value) in set {
                directive.set(&mut changed, value);
                directives.push(directive);
            }
        }
        if let Some(found) = check::contradiction(&changed) {
            let is_to_blame = |meaning: &Meaning| found.paths.iter().any(|path| meaning.is_about(path));
            let blamed = parameters.iter().find(|(_, meaning)| is_to_blame(meaning));
            let name = blamed.map_or(found.paths[0], |(name, _)| *name);
            return Err(SetError::Refused(name.into(), format!("{}: {}", found.paths[0], found.problem)));
        }
        *self = changed;
        Ok(directives)
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

/// What a parameter sets.
#[derive(Clone, Copy)]
enum Meaning {
    /// This directive.
    One(&'static Directive),
    /// `client-output-buffer-limit`.
    OutputLimits,
    /// `appendonly`, which is as the folder says.
    Log,
    /// Nothing: it can only be what it is.
    Fixed(&'static str),
}

impl PartialEq for Meaning {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Meaning::One(one), Meaning::One(other)) => one.path == other.path,
            (Meaning::OutputLimits, Meaning::OutputLimits) => true,
            _ => false,
        }
    }
}

impl Meaning {
    /// What a value sets.
    fn read(self, text: &[u8], config: &Config) -> Result<Vec<(&'static Directive, Value)>, String> {
        let text = str::from_utf8(text).map_err(|_| "argument must be UTF-8".to_owned())?;
        match self {
            Meaning::One(directive) => Ok(vec![(directive, value(&directive.kind, text)?)]),
            Meaning::OutputLimits => output_limits::parse(text),
            Meaning::Log if text.eq_ignore_ascii_case(log_text(config)) => Ok(Vec::new()),
            Meaning::Fixed(answer) if text.eq_ignore_ascii_case(answer) => Ok(Vec::new()),
            Meaning::Log | Meaning::Fixed(_) => Err(IMMUTABLE.into()),
        }
    }

    fn is_about(self, path: &str) -> bool {
        match self {
            Meaning::One(directive) => directive.path == path,
            Meaning::OutputLimits => path.starts_with("limits.output_bytes"),
            Meaning::Log | Meaning::Fixed(_) => false,
        }
    }
}

const IMMUTABLE: &str = "can't set immutable config";

/// What `CONFIG SET name` sets, and the name as the tables spell it.
fn find(name: &[u8]) -> Result<(&'static str, Meaning), SetError> {
    let is_it = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
    let immutable = |name: &str| SetError::Refused(name.into(), IMMUTABLE.into());
    if let Some(directive) = Directive::of_parameter(name) {
        let name = directive.parameter();
        return if directive.live { Ok((name, Meaning::One(directive))) } else { Err(immutable(name)) };
    }
    if let Some((name, path, _)) = ALIASES.iter().find(|(name, ..)| is_it(name)) {
        // Of a limit of values, Mayfly's limit of the whole hash is no more than the nearest answer.
        let directive = Directive::find(path).filter(|_| *name == SAME_UNDER_OLD_NAME);
        return Ok((name, Meaning::One(directive.ok_or_else(|| immutable(name))?)));
    }
    if is_it(OUTPUT_LIMITS) {
        return Ok((OUTPUT_LIMITS, Meaning::OutputLimits));
    }
    if is_it(LOG) {
        return Ok((LOG, Meaning::Log));
    }
    match FIXED.iter().find(|(name, ..)| is_it(name)) {
        Some((name, answer, _)) => Ok((name, Meaning::Fixed(answer))),
        None => Err(SetError::Unknown(String::from_utf8_lossy(name).into_owned())),
    }
}

const SAME_UNDER_OLD_NAME: &str = "hash-max-ziplist-entries";

/// Reads a value as Redis spells it and refuses it in Redis' words.
fn value(kind: &Kind, text: &str) -> Result<Value, String> {
    let out_of_range = |min, max| format!("argument must be between {min} and {max} inclusive");
    let one_of = |words: &str| format!("argument(s) must be one of the following: {words}");
    let whole_number = || {
        let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
        number.ok_or("argument couldn't be parsed into an integer")
    };
    match kind {
        Kind::Integer { min, max, .. } => {
            let number = whole_number()?;
            kind.parse(text).map_err(|_| match u64::try_from(number) {
                Ok(number) if (*min..=*max).contains(&number) => "argument is not allowed".to_owned(),
                _ => out_of_range(min, max),
            })
        }
        Kind::Threshold { max, .. } => {
            whole_number()?;
            kind.parse(text).map_err(|_| format!("argument must be between -1 and {max} inclusive"))
        }
        Kind::Bytes { min, max } => {
            crate::size::parse(text).ok_or("argument must be a memory value")?;
            kind.parse(text).map_err(|_| out_of_range(min, max))
        }
        Kind::Flag => kind.parse(text).map_err(|_| "argument must be 'yes' or 'no'".to_owned()),
        Kind::Word(words) if words.contains(&Level::Info.name()) => {
            let level = Level::from_redis(text).map(|level| Value::Word(level.name()));
            level.ok_or_else(|| one_of("debug, verbose, notice, warning"))
        }
        Kind::Word(words) => kind.parse(text).map_err(|_| one_of(&words.join(", "))),
        Kind::SavePoints => kind.parse(text).map_err(|_| "Invalid save parameters".to_owned()),
        Kind::Letters { .. } => {
            kind.parse(text).map_err(|_| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned())
        }
        _ => kind.parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DIRECTIVES;

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
            ("latency-tracking no", failed("latency-tracking", immutable)),
            (
                "slowlog-log-slower-than -2",
                failed("slowlog-log-slower-than", "argument must be between -1 and 3600000000 inclusive"),
            ),
            ("slowlog-log-slower-than x", failed("slowlog-log-slower-than", not_a_number)),
            ("server.shards 7", failed("server.shards", immutable)),
            ("hash-max-ziplist-value 7", failed("hash-max-ziplist-value", immutable)),
            ("TIMEOUT 7 timeout x", failed("timeout", "duplicate parameter")),
            ("timeout 7 maxclients x", failed("maxclients", not_a_number)),
            ("timeout +7", failed("timeout", not_a_number)),
            ("timeout 07", failed("timeout", not_a_number)),
            ("maxclients 0", failed("maxclients", "argument must be between 1 and 1000000 inclusive")),
            ("timeout -1", failed("timeout", "argument must be between 0 and 31536000 inclusive")),
            ("proto-max-bulk-len x", failed("proto-max-bulk-len", "argument must be a memory value")),
            (
                "proto-max-bulk-len 1",
                failed("proto-max-bulk-len", "argument must be between 1024 and 1073741824 inclusive"),
            ),
            (
                "timeout 7 proto-max-bulk-len 1gb client-query-buffer-limit 1mb",
                failed(
                    "proto-max-bulk-len",
                    "limits.bulk_bytes_max: 1GiB is more than limits.request_bytes_max allows (1MiB)",
                ),
            ),
            ("save 60", failed("save", "Invalid save parameters")),
            (
                "loglevel nothing",
                failed(
                    "loglevel",
                    "argument(s) must be one of the following: debug, verbose, notice, warning",
                ),
            ),
            (
                "hash-max-ziplist-entries 1 hash-max-listpack-entries 2",
                failed("hash-max-listpack-entries", "duplicate parameter"),
            ),
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
        assert_eq!(
            set(&mut config, "loglevel VERBOSE Expiry.Slice_Entries_Max 9 proto-max-bulk-len 1mb"),
            "OK"
        );
        assert_eq!((config.log.level, config.expiry.slice_entries_max), (Level::Debug, 9));
        assert_eq!((config.limits.bulk_bytes_max, set(&mut config, "appendonly NO")), (1 << 20, "OK".into()));
    }

    #[test]
    fn whatever_is_live_can_be_set_by_its_name() {
        for directive in DIRECTIVES.iter().filter(|directive| directive.live) {
            let name = directive.parameter();
            let (_, meaning) = find(name.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(meaning.is_about(directive.path), "{name}");
        }
    }
}
