//! `HINCRBY key field increment`

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hincrby",
    summary: "Adds to the integer in a field of a hash, 0 if it is new; the hash's TTL stays.",
    since: "2.0.0",
    complexity: "O(1)",
    group: Group::Hash,
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ_UPDATE)],
    arguments: &[Argument::key("key"), Argument::string("field"), Argument::integer("increment")],
    run: Run::Keys(run),
};

const VALUE_NOT_AN_INTEGER: CommandError = CommandError::fixed("ERR hash value is not an integer");
const OVERFLOW: CommandError = CommandError::fixed("ERR increment or decrement would overflow");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let increment = words.integer(3)?;
    let (mut sum, mut text) = (0, itoa::Buffer::new());
    let (result, digits) = (&mut sum, &mut text);
    change_value(context, words, "hincrby", move |value| {
        let value = value.map_or(Some(0), number::integer).ok_or(VALUE_NOT_AN_INTEGER)?;
        *result = value.checked_add(increment).ok_or(OVERFLOW)?;
        Ok(digits.format(*result).as_bytes())
    })?;
    context.reply.integer(sum);
    Ok(())
}

/// Sets the field at position 2 of the hash at position 1 to what `change` makes of its value, if it has one.
/// Reports `event`. Returns the new value. An error of `change` leaves everything as it is.
pub(super) fn change_value<V: AsRef<[u8]>>(
    context: &mut DataContext<'_>,
    words: Words<'_>,
    event: &'static str,
    change: impl FnOnce(Option<&[u8]>) -> Result<V, CommandError>,
) -> Result<V, CommandError> {
    let (key, field) = (words.at(1), words.at(2));
    let has_ttl_rules = context.data.has_ttl_rules();
    let hash = context.data.open(key);
    let value = change(hash.as_ref().and_then(|hash| hash.get(field)))?;
    let mut hash = match hash {
        Some(hash) if !has_ttl_rules => hash,
        _ => context.data.open_to_write(key, [(field, value.as_ref())], context.random)?,
    };
    hash.set(field, value.as_ref());
    hash.changed(Class::Hash, event);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";
    const OVERFLOW: &str = "(error) ERR increment or decrement would overflow";

    #[test]
    fn cases() {
        replay(&[
            ("HINCRBY h n 5", "(integer) 5"),
            ("HINCRBY h n -7", "(integer) -2"),
            ("HGET h n", "\"-2\""),
            ("HINCRBY h n -9223372036854775807", OVERFLOW),
            ("HINCRBY h n -9223372036854775806", "(integer) -9223372036854775808"),
            ("HINCRBY h n -1", OVERFLOW),
            ("HINCRBY h n 9223372036854775807", "(integer) -1"),
            ("HINCRBY h m 9223372036854775807", "(integer) 9223372036854775807"),
            ("HINCRBY h m 1", OVERFLOW),
            ("HGET h m", "\"9223372036854775807\""),
            ("HINCRBY h n", "(error) ERR wrong number of arguments for 'hincrby' command"),
        ]);
    }

    #[test]
    fn integers_are_strict_on_both_sides() {
        let mut fixture = Fixture::new();
        for word in ["\" 1\"", "\"1 \"", "01", "+1", "-0", "1.0", "\"\"", "x", "9223372036854775808"] {
            assert_eq!(fixture.run(&format!("HINCRBY new n {word}")), NOT_AN_INTEGER, "{word}");
            fixture.run(&format!("HSET h n {word}"));
            assert_eq!(fixture.run("HINCRBY h n 1"), "(error) ERR hash value is not an integer", "{word}");
        }
        fixture.replay(&[
            ("HGET h n", "\"9223372036854775808\""),
            ("HINCRBY h n x", NOT_AN_INTEGER),
            ("EXISTS new", "(integer) 0"),
        ]);
    }

    #[test]
    fn the_ttl_stays() {
        replay(&[
            ("HSETEX h n 1 10", "(integer) 1"),
            ("HINCRBY h n 1", "(integer) 2"),
            ("TTL h", "(integer) 10"),
            ("WAIT 10000", ""),
            ("HINCRBY h n 1", "(integer) 1"),
            ("TTL h", "(integer) -1"),
        ]);
    }
}
