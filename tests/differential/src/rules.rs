//! When two replies are the same: where Redis leaves something open, so does the comparison.
//!
//! Everything else, above all errors, is compared byte by byte.

use mayfly_resp::Value;

use crate::request::Request;

/// How far two remaining times may be apart: a slow machine between two sends.
const TOLERANCE_MILLIS: i64 = 10_000;

/// How replies to one command are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// As they are.
    Exact,
    /// In any order.
    Unordered,
    /// Field and value by turns, pairs in any order.
    Pairs,
    /// Times that may differ by the tolerance: milliseconds in a unit.
    About(i64),
    /// Only the type, since the content is the server's own. Errors as they are.
    Kind,
    /// The type and the number of items: which ones is left to chance.
    Count,
}

/// The rule for replies to a request.
pub fn rule(request: &Request) -> Rule {
    match request.full_name().as_str() {
        "hkeys" | "hvals" | "keys" => Rule::Unordered,
        "hgetall" => Rule::Pairs,
        "ttl" | "expiretime" => Rule::About(1_000),
        "pttl" | "pexpiretime" => Rule::About(1),
        "hrandfield" => Rule::Count,
        // A walk is compared as a whole; a single call is free in where it stops.
        "scan" | "hscan" => Rule::Kind,
        "randomkey" | "dump" | "time" | "info" | "lolwut" | "role" | "hello" => Rule::Kind,
        "client|id" | "client|list" | "client|info" | "client|help" => Rule::Kind,
        "command" | "command|count" | "command|list" | "command|docs" | "command|info" | "command|help" => {
            Rule::Kind
        }
        "config|get" | "config|help" | "pubsub|help" => Rule::Kind,
        // Two servers are not idle for the same second.
        "object|encoding" | "object|idletime" | "object|help" => Rule::Kind,
        "memory|usage" | "memory|stats" | "memory|doctor" | "memory|malloc-stats" | "memory|help" => {
            Rule::Kind
        }
        "module|list" | "module|help" | "cluster|help" => Rule::Kind,
        _ => Rule::Exact,
    }
}

impl Rule {
    /// Whether the replies are the same.
    pub fn accepts(self, mayfly: &Value, redis: &Value) -> bool {
        if mayfly == redis {
            return true;
        }
        if mayfly.is_error() || redis.is_error() {
            return false;
        }
        match self {
            Rule::Exact => false,
            Rule::Kind => kind(mayfly) == kind(redis),
            Rule::Count => kind(mayfly) == kind(redis) && count(mayfly) == count(redis),
            Rule::Unordered => kind(mayfly) == kind(redis) && sorted(mayfly) == sorted(redis),
            Rule::Pairs => kind(mayfly) == kind(redis) && sorted_pairs(mayfly) == sorted_pairs(redis),
            Rule::About(unit) => match (mayfly, redis) {
                (&Value::Integer(left), &Value::Integer(right)) => {
                    left > 0 && right > 0 && left.abs_diff(right) <= (TOLERANCE_MILLIS / unit) as u64
                }
                _ => false,
            },
        }
    }
}

fn kind(value: &Value) -> std::mem::Discriminant<Value> {
    std::mem::discriminant(value)
}

fn count(value: &Value) -> usize {
    value.as_items().map_or(1, <[Value]>::len)
}

/// The items of a reply, shown, in an order of their own.
pub fn sorted(value: &Value) -> Vec<String> {
    let mut items: Vec<String> = value.as_items().unwrap_or_default().iter().map(Value::to_string).collect();
    items.sort_unstable();
    items
}

/// The pairs of a map, or of an array that stands for one, in an order of their own.
pub fn sorted_pairs(value: &Value) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = match value {
        Value::Map(pairs) => {
            pairs.iter().map(|(left, right)| (left.to_string(), right.to_string())).collect()
        }
        other => {
            let items = other.as_items().unwrap_or_default();
            items
                .chunks(2)
                .map(|pair| (pair[0].to_string(), pair.last().map(Value::to_string).unwrap_or_default()))
                .collect()
        }
    };
    pairs.sort_unstable();
    pairs
}

/// Whether everything in a reply to `HRANDFIELD` is in the reply to `HGETALL` that follows it.
pub fn are_members(chosen: &Value, with_values: bool, all: &Value) -> bool {
    let all = sorted_pairs(all);
    let has_field = |field: &Value| all.iter().any(|(name, _)| *name == field.to_string());
    let has_pair = |field: &Value, value: &Value| all.contains(&(field.to_string(), value.to_string()));
    match chosen {
        Value::Null => all.is_empty(),
        Value::Bulk(_) => has_field(chosen),
        Value::Array(items) if !with_values => items.iter().all(has_field),
        Value::Array(items) => match items.first() {
            // RESP3 nests the pairs.
            Some(Value::Array(_)) => items.iter().all(|item| match item.as_items() {
                Some([field, value]) => has_pair(field, value),
                _ => false,
            }),
            _ => items.chunks(2).all(|pair| pair.len() == 2 && has_pair(&pair[0], &pair[1])),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(items: &[&str]) -> Value {
        Value::Array(items.iter().map(Value::bulk).collect())
    }

    #[test]
    fn order_is_open_but_content_is_not() {
        assert!(Rule::Unordered.accepts(&array(&["a", "b"]), &array(&["b", "a"])));
        assert!(!Rule::Unordered.accepts(&array(&["a", "b"]), &array(&["b", "b"])));
        assert!(!Rule::Exact.accepts(&array(&["a", "b"]), &array(&["b", "a"])));
        assert!(Rule::Pairs.accepts(&array(&["a", "1", "b", "2"]), &array(&["b", "2", "a", "1"])));
        assert!(!Rule::Pairs.accepts(&array(&["a", "1", "b", "2"]), &array(&["a", "2", "b", "1"])));
    }

    #[test]
    fn times_are_about_the_same_but_their_absence_is_exact() {
        assert!(Rule::About(1).accepts(&Value::Integer(100_000), &Value::Integer(100_900)));
        assert!(!Rule::About(1).accepts(&Value::Integer(100_000), &Value::Integer(200_000)));
        assert!(!Rule::About(1).accepts(&Value::Integer(-1), &Value::Integer(1)));
        assert!(!Rule::About(1).accepts(&Value::Integer(-1), &Value::Integer(-2)));
    }

    #[test]
    fn errors_are_compared_to_the_letter_under_every_rule() {
        let (one, other) = (Value::Error("ERR a".to_owned()), Value::Error("ERR b".to_owned()));
        for rule in [Rule::Exact, Rule::Unordered, Rule::Pairs, Rule::About(1), Rule::Kind, Rule::Count] {
            assert!(rule.accepts(&one, &one.clone()));
            assert!(!rule.accepts(&one, &other));
            assert!(!rule.accepts(&one, &Value::Null));
        }
    }

    #[test]
    fn chosen_fields_have_to_be_there() {
        let all = array(&["f", "1", "g", "2"]);
        assert!(are_members(&array(&["f", "f"]), false, &all));
        assert!(!are_members(&array(&["h"]), false, &all));
        assert!(are_members(&array(&["g", "2"]), true, &all));
        assert!(!are_members(&array(&["g", "1"]), true, &all));
        assert!(!are_members(&Value::Null, false, &all));
    }
}
