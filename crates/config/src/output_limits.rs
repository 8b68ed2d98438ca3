//! `client-output-buffer-limit`: one parameter of Redis for two directives.
//!
//! Redis has a hard limit for each class of clients, and a soft one that holds for some seconds. Mayfly has the hard
//! ones of clients and of subscribers; there are no replicas to be limited.

use crate::directive::{Directive, Kind, Value};
use crate::{Config, size};

/// The parameter.
pub(crate) const OUTPUT_LIMITS: &str = "client-output-buffer-limit";

const NORMAL: &str = "limits.output_bytes_max";
const SUBSCRIBER: &str = "limits.subscriber_bytes_max";

/// As Redis writes it.
pub(crate) fn text(config: &Config) -> String {
    let limits = &config.limits;
    format!("normal {} 0 0 slave 0 0 0 pubsub {} 0 0", limits.output_bytes_max, limits.subscriber_bytes_max)
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
        let path = match class[0].to_ascii_lowercase().as_str() {
            "normal" => Some(NORMAL),
            "pubsub" => Some(SUBSCRIBER),
            "slave" | "replica" => None,
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let numbers = (size::parse(class[1]), size::parse(class[2]), class[3].parse::<u32>().ok());
        let (Some(hard), Some(soft), Some(_)) = numbers else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".into());
        };
        let Some(directive) = path.and_then(Directive::find) else { continue };
        if soft != 0 {
            return Err(format!("there are no soft limits: give {} {hard} 0 0", class[0]));
        }
        match directive.kind {
            Kind::Bytes { min, max } if !(min..=max).contains(&hard) => {
                return Err(format!(
                    "the hard limit of {} must be between {min} and {max} inclusive",
                    class[0]
                ));
            }
            _ => set.push((directive, Value::Integer(hard))),
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
    fn classes_are_the_two_limits() {
        for (text, expected) in [
            ("normal 1mb 0 0", "output_bytes_max Integer(1048576) "),
            (
                "Normal 1mb 0 60 pubsub 65536 0 0",
                "output_bytes_max Integer(1048576) subscriber_bytes_max Integer(65536) ",
            ),
            ("slave 256mb 64mb 60 replica 0 0 0", ""),
            ("normal 1mb 0", "Wrong number of arguments in buffer limit configuration."),
            ("", "Wrong number of arguments in buffer limit configuration."),
            ("foo 0 0 0", "Invalid client class specified in buffer limit configuration."),
            ("normal x 0 0", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
            ("pubsub 32mb 8mb 60", "there are no soft limits: give pubsub 33554432 0 0"),
            ("normal 0 0 0", "the hard limit of normal must be between 65536 and 17179869184 inclusive"),
        ] {
            assert_eq!(outcome(text), expected, "{text}");
        }
    }
}
