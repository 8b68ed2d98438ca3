//! `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`

use super::scan::WalkOptions;
use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::number;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "hscan",
    summary: "Walks over the fields of a hash, a few at a call.",
    since: "2.8.0",
    complexity: "O(1) a call, O(N) for a whole walk, where N is the size of the hash.",
    group: Group::Hash,
    arity: -3,
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[
        Argument::key("key"),
        Argument::integer("cursor"),
        Argument::pattern("pattern").after("MATCH").optional(),
        Argument::integer("count").after("COUNT").optional(),
        Argument::flag("novalues", "NOVALUES").optional(),
    ],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let cursor = number::cursor(words.at(2)).ok_or(CommandError::InvalidCursor)?;
    let mut with_values = true;
    let walk = WalkOptions::parse(words.cursor(3), |option, _| {
        if is(option, "novalues") {
            with_values = false;
            return Ok(());
        }
        Err(CommandError::Syntax)
    })?;
    let reply = &mut context.reply;
    reply.array(2);
    let Some(hash) = context.data.read(words.at(1)) else {
        reply.bulk_unsigned(0);
        reply.array(0);
        return Ok(());
    };
    // The number of replies stands before them: the step is made twice rather than its fields copied.
    let mut found = 0;
    let next = hash.scan(cursor, walk.count, &mut |field, _| found += usize::from(walk.admits(field)));
    reply.bulk_unsigned(next);
    reply.array(if with_values { found * 2 } else { found });
    hash.scan(cursor, walk.count, &mut |field, value| {
        if walk.admits(field) {
            reply.bulk(field);
            if with_values {
                reply.bulk(value);
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::testing::{Fixture, replay};

    const EMPTY: &str = "1) \"0\"\n2) (empty array)";
    const SYNTAX: &str = "(error) ERR syntax error";
    const INVALID_CURSOR: &str = "(error) ERR invalid cursor";

    #[test]
    fn cases() {
        replay(&[
            ("HSCAN h 0", EMPTY),
            ("HSET h apple 1 banana 2", "(integer) 2"),
            ("HSCAN h 0", "1) \"0\"\n2) 1) \"apple\"\n   2) \"1\"\n   3) \"banana\"\n   4) \"2\""),
            ("HSCAN h 0 match b* count 100", "1) \"0\"\n2) 1) \"banana\"\n   2) \"2\""),
            ("HSCAN h 0 NOVALUES", "1) \"0\"\n2) 1) \"apple\"\n   2) \"banana\""),
            ("HSCAN h 0 NOVALUES MATCH a* MATCH b*", "1) \"0\"\n2) 1) \"banana\""),
            ("HSCAN h 0 MATCH c*", EMPTY),
            ("HELLO 3", "*"),
            ("HSCAN h 0 MATCH b*", "1) \"0\"\n2) 1) \"banana\"\n   2) \"2\""),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HSCAN h 0", EMPTY),
        ]);
    }

    #[test]
    fn options_are_checked_whether_or_not_the_hash_exists() {
        let mut fixture = Fixture::new();
        fixture.run("HSET h f v");
        for key in ["h", "missing"] {
            for (rest, expected) in [
                ("x", INVALID_CURSOR),
                ("-1", INVALID_CURSOR),
                ("18446744073709551616", INVALID_CURSOR),
                ("0 COUNT 0", SYNTAX),
                ("0 COUNT -1", SYNTAX),
                ("0 COUNT", SYNTAX),
                ("0 MATCH", SYNTAX),
                ("0 TYPE hash", SYNTAX),
                ("0 FOO", SYNTAX),
                ("0 COUNT x", "(error) ERR value is not an integer or out of range"),
            ] {
                assert_eq!(fixture.run(&format!("HSCAN {key} {rest}")), expected, "{key} {rest}");
            }
        }
        fixture.replay(&[
            ("HSCAN h", "(error) ERR wrong number of arguments for 'hscan' command"),
            ("HSCAN h 0 COUNT 9223372036854775807", "1) \"0\"\n2) 1) \"f\"\n   2) \"v\""),
            ("HSCAN h 18446744073709551615", "*"),
        ]);
    }

    #[test]
    fn a_walk_returns_every_field_that_stays() {
        for fields in [1, 100, 5_000] {
            let mut fixture = Fixture::new();
            for n in 0..fields {
                fixture.run(&format!("HSET h stays:{n} {n}"));
            }
            let (mut cursor, mut found, mut calls) = ("0".to_owned(), BTreeMap::new(), 0);
            loop {
                let reply = fixture.run(&format!("HSCAN h {cursor} COUNT 7 MATCH stays:*"));
                let mut words = reply.split('"').skip(1).step_by(2).map(str::to_owned);
                cursor = words.next().expect("a cursor");
                while let (Some(field), Some(value)) = (words.next(), words.next()) {
                    found.insert(field, value);
                }
                // Others come and go meanwhile, the hash grows.
                fixture.run(&format!("HSET h comes:{calls} x"));
                fixture.run(&format!("HDEL h comes:{}", calls / 2));
                calls += 1;
                if cursor == "0" {
                    break;
                }
            }
            assert_eq!(found.len(), fields, "after {calls} calls");
            assert!(found.iter().all(|(field, value)| *field == format!("stays:{value}")));
        }
    }
}
