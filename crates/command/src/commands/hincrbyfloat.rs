//! `HINCRBYFLOAT key field increment`

use super::hincrby::change_value;
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::long_double::LongDouble;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "hincrbyfloat",
    summary: "Adds to the floating-point number in a field of a hash, 0 if it is new; the hash's TTL stays.",
    since: "2.6.0",
    complexity: "O(1)",
    group: Group::Hash,
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, access::READ_UPDATE)],
    arguments: &[Argument::key("key"), Argument::string("field"), Argument::double("increment")],
    run: Run::Keys(run),
};

const INFINITE_INCREMENT: CommandError = CommandError::fixed("ERR value is NaN or Infinity");
const VALUE_NOT_A_FLOAT: CommandError = CommandError::fixed("ERR hash value is not a float");
const INFINITE_SUM: CommandError = CommandError::fixed("ERR increment would produce NaN or Infinity");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let increment = LongDouble::parse(words.at(3)).ok_or(CommandError::NotAFloat)?;
    if !increment.is_finite() {
        return Err(INFINITE_INCREMENT);
    }
    let sum = change_value(context, words, "hincrbyfloat", |value| {
        let value = value.map_or(Some(LongDouble::ZERO), LongDouble::parse).ok_or(VALUE_NOT_A_FLOAT)?;
        let sum = value + increment;
        if sum.is_finite() { Ok(sum.print()) } else { Err(INFINITE_SUM) }
    })?;
    // A string in both protocols, as in Redis: a double would round it.
    context.reply.bulk(&sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    const NOT_A_FLOAT: &str = "(error) ERR value is not a valid float";
    const VALUE_NOT_A_FLOAT: &str = "(error) ERR hash value is not a float";
    const INFINITE_INCREMENT: &str = "(error) ERR value is NaN or Infinity";
    const INFINITE_SUM: &str = "(error) ERR increment would produce NaN or Infinity";

    #[test]
    fn cases() {
        replay(&[
            ("HINCRBYFLOAT h f 0.1", "\"0.1\""),
            ("HINCRBYFLOAT h f 0.2", "\"0.3\""),
            ("HGET h f", "\"0.3\""),
            ("HINCRBYFLOAT h f -0.3", "\"0\""),
            ("HINCRBYFLOAT h f 1e17", "\"100000000000000000\""),
            ("HELLO 3", "*"),
            ("HINCRBYFLOAT h f 0.5", "\"100000000000000000.5\""),
            ("HINCRBYFLOAT h f", "(error) ERR wrong number of arguments for 'hincrbyfloat' command"),
        ]);
        let mut fixture = Fixture::new();
        fixture.run("HELLO 3");
        assert_eq!(fixture.run_raw("HINCRBYFLOAT h f 1.5"), b"$3\r\n1.5\r\n");
    }

    #[test]
    fn errors_change_nothing() {
        let mut fixture = Fixture::new();
        for (increment, expected) in [
            ("x", NOT_A_FLOAT),
            ("\"\"", NOT_A_FLOAT),
            ("\" 1\"", NOT_A_FLOAT),
            ("\"1\\x00\"", NOT_A_FLOAT),
            ("nan", NOT_A_FLOAT),
            ("1e5000", NOT_A_FLOAT),
            ("1e-5000", NOT_A_FLOAT),
            ("inf", INFINITE_INCREMENT),
            ("-Infinity", INFINITE_INCREMENT),
        ] {
            assert_eq!(fixture.run(&format!("HINCRBYFLOAT new f {increment}")), expected, "{increment}");
        }
        fixture.replay(&[("EXISTS new", "(integer) 0")]);
        for (value, expected) in [
            ("x", VALUE_NOT_A_FLOAT),
            ("\"\"", VALUE_NOT_A_FLOAT),
            ("\"1 \"", VALUE_NOT_A_FLOAT),
            ("nan", VALUE_NOT_A_FLOAT),
            ("inf", INFINITE_SUM),
            ("-inf", INFINITE_SUM),
            ("1.1e4932", INFINITE_SUM),
        ] {
            fixture.run(&format!("HSET h f {value}"));
            assert_eq!(fixture.run("HINCRBYFLOAT h f 1.1e4932"), expected, "{value}");
            assert_eq!(fixture.run("HINCRBYFLOAT h f y"), NOT_A_FLOAT, "{value}");
        }
        fixture.replay(&[("HGET h f", "\"1.1e4932\"")]);
    }

    #[test]
    fn the_ttl_stays() {
        replay(&[
            ("HSETEX h f 1 10", "(integer) 1"),
            ("HINCRBYFLOAT h f 1", "\"2\""),
            ("TTL h", "(integer) 10"),
            ("WAIT 10000", ""),
            ("HINCRBYFLOAT h f 1", "\"1\""),
            ("TTL h", "(integer) -1"),
        ]);
    }
}
