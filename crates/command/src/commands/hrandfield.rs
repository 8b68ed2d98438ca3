//! `HRANDFIELD key [count [WITHVALUES]]`
//!
//! A count from 0 on asks for that many different fields, a negative one for fields that may repeat.

use fastrand::Rng;
use hashbrown::HashSet;
use mayfly_resp::{Protocol, ReplyWriter};

use crate::argument::Argument;
use crate::context::{DataContext, Hash};
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "hrandfield",
    summary: "Returns one or more random fields of a hash.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of fields returned.",
    group: Group::Hash,
    arity: -2,
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key"), Argument::block("options", &OPTIONS).optional()],
    run: Run::Keys(run),
};

const OPTIONS: [Argument; 2] =
    [Argument::integer("count"), Argument::flag("withvalues", "WITHVALUES").optional()];

/// The most words of a request.
const WORDS_MAX: usize = 4;

/// The most bytes of a reply with repeats: a hash of one field would else fill the memory on request.
const REPEATS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of the shortest string in a reply.
const BULK_BYTES_MIN: usize = b"$0\r\n\r\n".len();

/// Below this share of a hash, different fields are found by drawing until they differ.
const DRAWN_SHARE: usize = 3;

const COUNT_MIN: i64 = -i64::MAX;
const COUNT_OUT_OF_RANGE: CommandError = CommandError::fixed(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const DOUBLE_COUNT_OUT_OF_RANGE: CommandError = CommandError::fixed("ERR value is out of range");
const TOO_MANY_REPEATS: CommandError =
    CommandError::fixed("ERR value is out of range, the reply would exceed 64 megabytes");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    if words.len() == 2 {
        return one(context, words);
    }
    let request = Request::parse(words, context.reply.protocol())?;
    let Some(hash) = context.data.read(words.at(1)) else {
        context.reply.array(0);
        return Ok(());
    };
    match usize::try_from(request.count) {
        Ok(count) => {
            request.different(&hash, count, context.random, &mut context.reply);
            Ok(())
        }
        Err(_) => request.repeats(&hash, context.random, &mut context.reply),
    }
}

fn one(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let random = context.random.u64(..);
    let hash = context.data.read(words.at(1));
    match hash.as_ref().and_then(|hash| hash.field_at_random(random)) {
        Some((field, _)) => context.reply.bulk(field),
        None => context.reply.null(),
    }
    Ok(())
}

/// How many fields are asked for and what they are to look like.
struct Request {
    count: i64,
    with_values: bool,
    /// Whether a field and its value are an array of their own.
    paired: bool,
}

impl Request {
    fn parse(words: Words<'_>, protocol: Protocol) -> Result<Self, CommandError> {
        let count = words.integer(2)?;
        if count < COUNT_MIN {
            return Err(COUNT_OUT_OF_RANGE);
        }
        let with_values = words.get(3).is_some_and(|option| is(option, "withvalues"));
        if words.len() > WORDS_MAX || (words.len() == WORDS_MAX && !with_values) {
            return Err(CommandError::Syntax);
        }
        if with_values && count.abs() > i64::MAX / 2 {
            return Err(DOUBLE_COUNT_OUT_OF_RANGE);
        }
        Ok(Request { count, with_values, paired: with_values && protocol == Protocol::Resp3 })
    }

    /// Answers fields drawn one by one.
    fn repeats(&self, hash: &Hash<'_>, random: &mut Rng, reply: &mut ReplyWriter<'_>) -> Outcome {
        let count = usize::try_from(self.count.unsigned_abs()).unwrap_or(usize::MAX);
        if count > REPEATS_BYTES_MAX / BULK_BYTES_MIN {
            return Err(TOO_MANY_REPEATS);
        }
        let start = reply.position();
        self.write_header(count, reply);
        // A packed hash is small, but would be walked through for every draw.
        let packed: Vec<_> = if hash.is_packed() { hash.fields().collect() } else { Vec::new() };
        for _ in 0..count {
            let drawn = random.choice(&packed).copied().or_else(|| hash.field_at_random(random.u64(..)));
            if let Some(drawn) = drawn {
                self.write(drawn, reply);
            }
            if reply.position() - start > REPEATS_BYTES_MAX {
                return Err(TOO_MANY_REPEATS);
            }
        }
        Ok(())
    }

    /// Answers `count` different fields, or all where there are fewer.
    fn different(&self, hash: &Hash<'_>, count: usize, random: &mut Rng, reply: &mut ReplyWriter<'_>) {
        let count = count.min(hash.len());
        self.write_header(count, reply);
        if hash.is_packed() || count > hash.len() / DRAWN_SHARE {
            self.select(hash, count, random, reply);
        } else {
            self.draw(hash, count, random, reply);
        }
    }

    /// Goes through the fields once; each is taken with the chance (still wanted / still to come).
    fn select(&self, hash: &Hash<'_>, mut wanted: usize, random: &mut Rng, reply: &mut ReplyWriter<'_>) {
        let mut coming = hash.len();
        for drawn in hash.fields() {
            if wanted == 0 {
                break;
            }
            if random.usize(..coming) < wanted {
                self.write(drawn, reply);
                wanted -= 1;
            }
            coming -= 1;
        }
    }

    /// Draws until `count` fields differ: few of many.
    fn draw(&self, hash: &Hash<'_>, count: usize, random: &mut Rng, reply: &mut ReplyWriter<'_>) {
        let mut seen = HashSet::with_capacity(count);
        while seen.len() < count {
            let Some(drawn) = hash.field_at_random(random.u64(..)) else { break };
            if seen.insert(drawn.0) {
                self.write(drawn, reply);
            }
        }
    }

    fn write_header(&self, count: usize, reply: &mut ReplyWriter<'_>) {
        reply.array(if self.with_values && !self.paired { count * 2 } else { count });
    }

    fn write(&self, (field, value): (&[u8], &[u8]), reply: &mut ReplyWriter<'_>) {
        if self.paired {
            reply.array(2);
        }
        reply.bulk(field);
        if self.with_values {
            reply.bulk(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::testing::{Fixture, replay};

    const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";
    const SYNTAX: &str = "(error) ERR syntax error";
    const TOO_MANY: &str = "(error) ERR value is out of range, the reply would exceed 64 megabytes";

    #[test]
    fn cases() {
        replay(&[
            ("HRANDFIELD h", "(nil)"),
            ("HRANDFIELD h 3", "(empty array)"),
            ("HRANDFIELD h -3", "(empty array)"),
            ("HRANDFIELD h 3 WITHVALUES", "(empty array)"),
            ("HSET h a 1", "(integer) 1"),
            ("HRANDFIELD h", "\"a\""),
            ("HRANDFIELD h 0", "(empty array)"),
            ("HRANDFIELD h 9223372036854775807", "1) \"a\""),
            ("HRANDFIELD h -2", "1) \"a\"\n2) \"a\""),
            ("HRANDFIELD h -2 withvalues", "1) \"a\"\n2) \"1\"\n3) \"a\"\n4) \"1\""),
            ("HRANDFIELD h 5 WITHVALUES", "1) \"a\"\n2) \"1\""),
            ("HELLO 3", "*"),
            ("HRANDFIELD h", "\"a\""),
            ("HRANDFIELD h -2 WITHVALUES", "1) 1) \"a\"\n   2) \"1\"\n2) 1) \"a\"\n   2) \"1\""),
            ("HRANDFIELD h 5 WITHVALUES", "1) 1) \"a\"\n   2) \"1\""),
            ("HRANDFIELD missing", "(nil)"),
            ("PEXPIRE h 10", "(integer) 1"),
            ("WAIT 10", ""),
            ("HRANDFIELD h", "(nil)"),
            ("HRANDFIELD h 1", "(empty array)"),
        ]);
    }

    #[test]
    fn counts_are_checked_whether_or_not_the_hash_exists() {
        let mut fixture = Fixture::new();
        fixture.run("HSET h f v");
        let out_of_range = "(error) ERR value is out of range, value must between -9223372036854775807 and \
                            9223372036854775807";
        for key in ["h", "missing"] {
            for (rest, expected) in [
                ("x", NOT_AN_INTEGER),
                ("x y", NOT_AN_INTEGER),
                ("9223372036854775808", NOT_AN_INTEGER),
                ("-9223372036854775808", out_of_range),
                ("1 y", SYNTAX),
                ("1 WITHVALUES x", SYNTAX),
                ("4611686018427387904 WITHVALUES", "(error) ERR value is out of range"),
                ("-4611686018427387904 WITHVALUES", "(error) ERR value is out of range"),
            ] {
                assert_eq!(fixture.run(&format!("HRANDFIELD {key} {rest}")), expected, "{key} {rest}");
            }
        }
        fixture.replay(&[
            ("HRANDFIELD", "(error) ERR wrong number of arguments for 'hrandfield' command"),
            ("HRANDFIELD h 4611686018427387903 WITHVALUES", "1) \"f\"\n2) \"v\""),
        ]);
    }

    #[test]
    fn repeats_are_bounded_by_the_bytes_of_the_reply() {
        let mut fixture = Fixture::new();
        fixture.run(&format!("HSET h f {}", "v".repeat(60_000)));
        fixture.replay(&[
            ("HRANDFIELD h -9223372036854775807", TOO_MANY),
            ("HRANDFIELD h -4611686018427387903 WITHVALUES", TOO_MANY),
            ("HRANDFIELD h -2000 WITHVALUES", TOO_MANY),
        ]);
        assert_eq!(fixture.run("HRANDFIELD h -1000").lines().count(), 1_000);
    }

    #[test]
    fn different_fields_differ_and_each_has_its_turn() {
        // Packed and not; few of many and many of few.
        for (fields, count) in [(10, 3), (10, 9), (3_000, 1), (3_000, 10), (3_000, 900), (3_000, 2_999)] {
            let mut fixture = Fixture::new();
            for n in 0..fields {
                fixture.run(&format!("HSET h {n} {n}"));
            }
            let mut turns: BTreeMap<String, usize> = BTreeMap::new();
            let rounds = if fields > 10 { 20 } else { 1_000 };
            for _ in 0..rounds {
                let reply = fixture.run(&format!("HRANDFIELD h {count} WITHVALUES"));
                let words: Vec<_> = reply.split('"').skip(1).step_by(2).collect();
                assert!(words.chunks(2).all(|pair| pair[0] == pair[1]));
                let mut drawn: Vec<_> = words.iter().step_by(2).collect();
                drawn.sort_unstable();
                drawn.dedup();
                assert_eq!(drawn.len(), count);
                for field in drawn {
                    *turns.entry((*field).to_owned()).or_default() += 1;
                }
            }
            if fields == 10 {
                let expected = rounds * count / fields;
                assert!(turns.values().all(|&turns| turns.abs_diff(expected) < 70), "{turns:?}");
            }
        }
    }
}
