//! The rules for TTLs: what a hash may live for, whatever clients ask.
//!
//! Everything that gives a hash a deadline asks here, and nowhere else is decided about it:
//!
//! | command | what happens |
//! |---|---|
//! | `HSETEX`, `HSETEXPIRE`, `EXPIRE` and its kin | the TTL asked for is cut to `max` and shortened by `jitter` |
//! | `HSET`, `HMSET`, `HSETNX`, `HINCRBY`, `HINCRBYFLOAT`, `HSETEX` without an expiry | a hash that has no TTL gets `default`; without one `require` refuses |
//! | `PERSIST` | the same, since it would leave the hash without a TTL |
//! | `RENAME`, `RENAMENX`, `COPY`, `MOVE` | by the rules for the new name: cut to `max`; one without a TTL gets `default`, or is refused |
//! | `RESTORE`, and so `mayfly import` | as it is in the payload: data that moves keeps its deadline |
//! | `HDEL`, `HGETDEL`, `SWAPDB`, a start that reads the log | nothing: no hash is given anything |
//!
//! A deadline in the past removes a hash whatever the rules say. Without rules nothing here runs.

use mayfly_store::UnixMillis;

use crate::error::CommandError;
use crate::glob;

/// What holds for some keys. What it leaves open is as for all keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TtlRule {
    /// Which keys, as in `KEYS`.
    pub pattern: String,
    /// Only in this logical database.
    pub database: Option<u16>,
    /// What it says about them.
    pub bounds: TtlBounds,
}

/// What is said about TTLs. `None`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TtlBounds {
    /// The TTL in ms of a hash that is written without one; 0: none.
    pub default_ms: Option<i64>,
    /// The longest TTL in ms; 0: any.
    pub max_ms: Option<i64>,
    /// Whether a hash may not be without a TTL.
    pub is_required: Option<bool>,
    /// The part of a TTL that may be taken off it by chance.
    pub jitter_percent: Option<u32>,
}

impl TtlBounds {
    fn or(self, other: TtlBounds) -> TtlBounds {
        TtlBounds {
            default_ms: self.default_ms.or(other.default_ms),
            max_ms: self.max_ms.or(other.max_ms),
            is_required: self.is_required.or(other.is_required),
            jitter_percent: self.jitter_percent.or(other.jitter_percent),
        }
    }
}

/// All rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TtlRules {
    /// Of these the first that a key matches holds.
    pub rules: Vec<TtlRule>,
    /// What holds for all keys, where their rule says nothing else.
    pub for_all: TtlBounds,
}

impl TtlRules {
    /// Whether they say nothing at all.
    pub fn is_empty(&self) -> bool {
        let bounds = self.rules.iter().map(|rule| rule.bounds).chain([self.for_all]);
        let says_nothing = |bounds: TtlBounds| {
            bounds.default_ms.unwrap_or(0) == 0
                && bounds.max_ms.unwrap_or(0) == 0
                && bounds.jitter_percent.unwrap_or(0) == 0
                && !bounds.is_required.unwrap_or(false)
        };
        bounds.into_iter().all(says_nothing)
    }

    /// What holds for one key.
    pub fn of(&self, database: u16, key: &[u8]) -> KeyTtl<'_> {
        let holds = |rule: &&TtlRule| {
            rule.database.is_none_or(|number| number == database)
                && glob::matches(rule.pattern.as_bytes(), key)
        };
        let rule = self.rules.iter().find(holds);
        let bounds = rule.map_or(self.for_all, |rule| rule.bounds.or(self.for_all));
        KeyTtl { pattern: rule.map_or("*", |rule| &rule.pattern), bounds }
    }
}

/// What holds for one key.
#[derive(Clone, Copy, Debug)]
pub struct KeyTtl<'a> {
    pattern: &'a str,
    bounds: TtlBounds,
}

impl KeyTtl<'_> {
    /// A deadline that is asked for, or that a hash has, within the longest TTL.
    pub fn capped(self, deadline: UnixMillis, now: UnixMillis) -> UnixMillis {
        match self.bounds.max_ms {
            Some(max @ 1..) => deadline.min(UnixMillis(now.0.saturating_add(max))),
            _ => deadline,
        }
    }

    /// An earlier deadline by chance, so that hashes written together do not expire together. `random` gives a number
    /// up to the one it is asked with.
    pub fn spread(
        self,
        deadline: UnixMillis,
        now: UnixMillis,
        random: impl FnOnce(u64) -> u64,
    ) -> UnixMillis {
        let ttl = u64::try_from(deadline.0.saturating_sub(now.0)).unwrap_or(0);
        let percent = u128::from(self.bounds.jitter_percent.unwrap_or(0).min(99));
        match (u128::from(ttl) * percent / 100) as u64 {
            0 => deadline,
            most => UnixMillis(deadline.0 - random(most) as i64),
        }
    }

    /// The deadline of a hash that is to have none; `None`: it may.
    ///
    /// # Errors
    /// It may not.
    pub fn without(self, now: UnixMillis) -> Result<Option<UnixMillis>, CommandError> {
        match (self.bounds.default_ms, self.bounds.is_required) {
            (Some(default @ 1..), _) => Ok(Some(self.capped(UnixMillis(now.0.saturating_add(default)), now))),
            (_, Some(true)) => Err(CommandError::text(format!(
                "ERR keys like '{}' need a TTL: use HSETEX, or ask the operator about ttl.require",
                self.pattern
            ))),
            _ => Ok(None),
        }
    }

    /// The deadline that a hash has under a new name.
    ///
    /// # Errors
    /// It has none, and needs one there.
    pub fn carried(
        self,
        deadline: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Option<UnixMillis>, CommandError> {
        match deadline {
            Some(deadline) => Ok(Some(self.capped(deadline, now))),
            None => self.without(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn bounds(default_ms: i64, max_ms: i64, is_required: bool, jitter_percent: u32) -> TtlBounds {
        TtlBounds {
            default_ms: (default_ms > 0).then_some(default_ms),
            max_ms: (max_ms > 0).then_some(max_ms),
            is_required: is_required.then_some(true),
            jitter_percent: (jitter_percent > 0).then_some(jitter_percent),
        }
    }

    fn rule(pattern: &str, bounds: TtlBounds) -> TtlRule {
        TtlRule { pattern: pattern.into(), database: None, bounds }
    }

    /// Rules for `s:`, `r:`, `j:` and, in database 3, everything.
    fn fixture(shards: u16) -> Fixture {
        let mut fixture = Fixture::with_shards(shards);
        fixture.ttl_rules = Some(TtlRules {
            rules: vec![
                rule("s:*", bounds(10_000, 60_000, false, 0)),
                rule("r:*", bounds(0, 0, true, 0)),
                rule("j:*", bounds(0, 0, false, 50)),
                TtlRule { database: Some(3), ..rule("*", bounds(5_000, 0, false, 0)) },
            ],
            for_all: bounds(0, 100_000_000, false, 0),
        });
        fixture
    }

    const REFUSED: &str =
        "(error) ERR keys like 'r:*' need a TTL: use HSETEX, or ask the operator about ttl.require";

    #[test]
    fn a_hash_that_is_written_without_a_ttl_gets_the_default_once() {
        for shards in [1, 4] {
            fixture(shards).replay(&[
                ("HSET s:1 f v", "(integer) 1"),
                ("EVENTS", "new s:1, hset s:1, expire s:1"),
                ("PTTL s:1", "(integer) 10000"),
                ("WAIT 4000", ""),
                ("HSET s:1 g v", "(integer) 1"),
                ("PTTL s:1", "(integer) 6000"),
                ("EVENTS", "hset s:1"),
                ("HMSET s:2 f v", "OK"),
                ("HSETNX s:3 f v", "(integer) 1"),
                ("HINCRBY s:4 n 1", "(integer) 1"),
                ("HINCRBYFLOAT s:5 n 1", "\"1\""),
                ("HSETEX s:6 FIELDS 1 f v", "(integer) 1"),
                ("PTTL s:2", "(integer) 10000"),
                ("PTTL s:3", "(integer) 10000"),
                ("PTTL s:4", "(integer) 10000"),
                ("PTTL s:5", "(integer) 10000"),
                ("PTTL s:6", "(integer) 10000"),
                ("HSET other f v", "(integer) 1"),
                ("PTTL other", "(integer) -1"),
                ("WAIT 10000", ""),
                ("EXISTS s:1 s:2 s:3 s:4 s:5 s:6 other", "(integer) 1"),
            ]);
        }
    }

    #[test]
    fn a_ttl_that_is_too_long_is_cut() {
        for shards in [1, 4] {
            fixture(shards).replay(&[
                ("HSETEX s:1 f v 61", "(integer) 1"),
                ("PTTL s:1", "(integer) 60000"),
                ("HSETEX s:1 f v 59", "(integer) 0"),
                ("PTTL s:1", "(integer) 59000"),
                ("EXPIRE s:1 100", "(integer) 1"),
                ("PTTL s:1", "(integer) 60000"),
                // It would be as long as it is.
                ("EXPIRE s:1 100 GT", "(integer) 0"),
                ("PEXPIREAT s:1 9999999999999", "(integer) 1"),
                ("PTTL s:1", "(integer) 60000"),
                ("HSETEXPIRE s:2 100 f v", "OK"),
                ("PTTL s:2", "(integer) 60000"),
                ("HSETEX s:3 KEY EX 100 FIELDS 1 f v", "(integer) 1"),
                ("PTTL s:3", "(integer) 60000"),
                ("EXPIRE s:3 -1", "(integer) 1"),
                ("EXISTS s:3", "(integer) 0"),
                ("PERSIST s:2", "(integer) 1"),
                ("PTTL s:2", "(integer) 10000"),
                ("HSETEX other f v 1000000", "(integer) 1"),
                ("PTTL other", "(integer) 100000000"),
                ("PERSIST other", "(integer) 1"),
                ("PTTL other", "(integer) -1"),
            ]);
        }
    }

    #[test]
    fn a_hash_that_needs_a_ttl_is_not_left_without_one() {
        for shards in [1, 4] {
            fixture(shards).replay(&[
                ("HSET r:1 f v", REFUSED),
                ("HMSET r:1 f v", REFUSED),
                ("HSETNX r:1 f v", REFUSED),
                ("HINCRBY r:1 f 1", REFUSED),
                ("HINCRBYFLOAT r:1 f 1", REFUSED),
                ("HSETEX r:1 FIELDS 1 f v", REFUSED),
                ("EVENTS", ""),
                ("EXISTS r:1", "(integer) 0"),
                ("HSETEX r:1 f v 10", "(integer) 1"),
                ("HSET r:1 g v", "(integer) 1"),
                ("PERSIST r:1", REFUSED),
                ("PTTL r:1", "(integer) 10000"),
                ("HSET a f v", "(integer) 1"),
                ("RENAME a r:2", REFUSED),
                ("RENAMENX a r:2", REFUSED),
                ("COPY a r:1", "(integer) 0"),
                ("COPY a r:1 REPLACE", REFUSED),
                ("HLEN r:1", "(integer) 2"),
                ("RENAME r:1 r:2", "OK"),
                ("COPY r:2 a REPLACE", "(integer) 1"),
                ("PTTL a", "(integer) 10000"),
            ]);
        }
    }

    #[test]
    fn a_hash_under_a_new_name_obeys_the_rules_for_it() {
        for shards in [1, 4] {
            fixture(shards).replay(&[
                ("HSETEX a f v 1000", "(integer) 1"),
                ("COPY a s:1", "(integer) 1"),
                ("PTTL s:1", "(integer) 60000"),
                ("MOVE a 3", "(integer) 1"),
                ("HSET b f v", "(integer) 1"),
                ("MOVE b 3", "(integer) 1"),
                ("HSET c f v", "(integer) 1"),
                ("RENAME c s:2", "OK"),
                ("PTTL s:2", "(integer) 10000"),
                ("SELECT 3", "OK"),
                ("PTTL a", "(integer) 1000000"),
                ("PTTL b", "(integer) 5000"),
            ]);
        }
    }

    #[test]
    fn chance_makes_ttls_shorter_and_never_longer() {
        let mut fixture = fixture(1);
        let mut seen = std::collections::BTreeSet::new();
        for key in 0..200 {
            fixture.run(&format!("HSETEX j:{key} f v 100"));
            let reply = fixture.run(&format!("PTTL j:{key}"));
            let ttl: i64 = reply.strip_prefix("(integer) ").unwrap().parse().unwrap();
            assert!((50_000..=100_000).contains(&ttl), "{ttl}");
            seen.insert(ttl);
        }
        assert!(seen.len() > 150 && *seen.first().unwrap() < 55_000 && *seen.last().unwrap() > 95_000);
    }

    #[test]
    fn the_source_of_chance_is_the_callers() {
        let rules = TtlRules { rules: Vec::new(), for_all: bounds(0, 0, false, 10) };
        let key = rules.of(0, b"k");
        let spread = |take: fn(u64) -> u64| key.spread(UnixMillis(NOW.0 + 1_000), NOW, take).0 - NOW.0;
        assert_eq!((spread(|_| 0), spread(|most| most)), (1_000, 900));
        assert_eq!(key.spread(UnixMillis(NOW.0 + 5), NOW, |_| panic!("too short")).0, NOW.0 + 5);
        let far = key.spread(UnixMillis(i64::MAX), UnixMillis(-5), |most| most);
        assert!(far > NOW);
        assert!(!rules.is_empty() && TtlRules::default().is_empty());
    }
}
