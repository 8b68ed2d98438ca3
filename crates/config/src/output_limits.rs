//! `client-output-buffer-limit`: one parameter of Redis for six directives.
//!
//! There is a hard limit for each class of clients, and a soft one that may be passed for some seconds. Of the classes
//! there are clients and subscribers, no replicas.

use crate::directive::{Directive, Kind, Value};
use crate::{Config, size};

/// The parameter.
pub(crate) const OUTPUT_LIMITS: &str = "client-output-buffer-limit";

/// The hard limit, the soft limit and its seconds.
const NORMAL: [&str; 3] =
    ["limits.output_bytes_max", "limits.output_bytes_soft", "limits.output_soft_seconds"];
const SUBSCRIBER: [&str; 3] =
    ["limits.subscriber_bytes_max", "limits.subscriber_bytes_soft", "limits.subscriber_soft_seconds"];

/// As Redis writes it.
pub(crate) fn text(config: &Config) -> String {
    let limits = &config.limits;
    format!(
        "normal {} {} {} slave 0 0 0 pubsub {} {} {}",
        limits.output_bytes_max,
        limits.output_bytes_soft,
        limits.output_soft_seconds,
        limits.subscriber_bytes_max,
        limits.subscriber_bytes_soft,
        limits.subscriber_soft_seconds
    )
}

/// What the words of `CONFIG SET` set: classes with a hard limit, a soft limit and the seconds of the latter.
///
/// # Errors
/// What is wrong, in Redis' words where Redis refuses it too.
pub(crate) fn parse(text: &str) -> Result<Vec<(&'static Directive, Value)>, String> {
    let words: Vec<_> = text.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut set = Vec::new();
    for class in words.chunks(4) {
        let paths = match class[0].to_ascii_lowercase().as_str() {
            "normal" => Some(NORMAL),
            "pubsub" => Some(SUBSCRIBER),
            "slave" | "replica" => None,
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let numbers = (size::parse(class[1]), size::parse(class[2]), class[3].parse::<u32>().ok());
        let (Some(hard), Some(soft), Some(seconds)) = numbers else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".into());
        };
        let numbers = [hard, soft, u64::from(seconds)];
        let names = ["hard limit", "soft limit", "soft seconds"];
        for ((path, number), name) in paths.into_iter().flatten().zip(numbers).zip(names) {
            let Some(directive) = Directive::find(path) else { continue };
            match directive.kind {
                Kind::Bytes { min, max } | Kind::Integer { min, max, .. }
                    if !(min..=max).contains(&number) =>
                {
                    return Err(format!(
                        "the {name} of {} must be between {min} and {max} inclusive",
                        class[0]
                    ));
                }
                _ => set.push((directive, Value::Integer(number))),
            }
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> String {
        match parse(text) {
            Ok(set) => set.iter().map(|(directive, value)| format!("{} {value:?} ", directive.key)).collect(),
            Err(problem) => problem,
        }
    }

    #[test]
    fn each_class_has_three_limits() {
        for (text, expected) in [
            (
                "normal 1mb 0 0",
                "output_bytes_max Integer(1048576) output_bytes_soft Integer(0) output_soft_seconds Integer(0) ",
            ),
            (
                "Normal 1mb 1kb 60 pubsub 65536 0 0",
                "output_bytes_max Integer(1048576) output_bytes_soft Integer(1024) output_soft_seconds Integer(60) \
                 subscriber_bytes_max Integer(65536) subscriber_bytes_soft Integer(0) \
                 subscriber_soft_seconds Integer(0) ",
            ),
            ("slave 256mb 64mb 60 replica 0 0 0", ""),
            ("normal 1mb 0", "Wrong number of arguments in buffer limit configuration."),
            ("", "Wrong number of arguments in buffer limit configuration."),
            ("foo 0 0 0", "Invalid client class specified in buffer limit configuration."),
            ("normal x 0 0", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
            ("pubsub 32mb 8mb 86401", "the soft seconds of pubsub must be between 0 and 86400 inclusive"),
            ("pubsub 32mb 17gb 1", "the soft limit of pubsub must be between 0 and 17179869184 inclusive"),
            ("normal 0 0 0", "the hard limit of normal must be between 65536 and 17179869184 inclusive"),
        ] {
            assert_eq!(outcome(text), expected, "{text}");
        }
    }
}
