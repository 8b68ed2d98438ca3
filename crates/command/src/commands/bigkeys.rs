//! `BIGKEYS [COUNT count]`: the largest hashes of all databases, found without a walk over all keys.

use mayfly_store::LARGE_BYTES_MIN;

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::ranking::largest;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "bigkeys",
    summary: "Returns the hashes that take most memory, of those of 16 KiB and more.",
    complexity: "O(N log N) where N is the number of hashes looked at, at most 2048 a shard.",
    group: Group::Server,
    arity: -1,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT),
    arguments: &[Argument::integer("count").after("COUNT").optional()],
    run: Run::AllShards(run),
    ..Spec::BLANK
};

const _: () = assert!(LARGE_BYTES_MIN == 16 << 10, "the summary says from where a hash is large");

/// Hashes that are shown where nobody says how many, and the most that are.
const COUNT_DEFAULT: usize = 10;
const COUNT_MAX: usize = 128;

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let (count, now) = (count_of(words)?, context.data.now);
    let shards = (0..).zip(context.data.keyspaces());
    let found = largest(shards.map(|(shard, keyspace)| (shard, keyspace.largest(count, now))), count);
    context.reply.array(found.len());
    for (shard, big) in found {
        let reply = &mut context.reply;
        reply.map(5);
        reply.bulk(b"key");
        reply.bulk(&big.key);
        for (name, value) in [
            ("database", i64::from(big.database)),
            ("shard", i64::from(shard)),
            ("bytes", big.bytes as i64),
            ("fields", big.fields as i64),
        ] {
            reply.bulk(name.as_bytes());
            reply.integer(value);
        }
    }
    Ok(())
}

fn count_of(words: Words<'_>) -> Result<usize, CommandError> {
    let mut options = words.cursor(1);
    let mut count = COUNT_DEFAULT;
    while let Some(option) = options.next() {
        if !is(option, "count") {
            return Err(CommandError::Syntax);
        }
        count = usize::try_from(options.integer()?)
            .ok()
            .filter(|count| (1..=COUNT_MAX).contains(count))
            .ok_or_else(|| CommandError::text(format!("ERR COUNT must be between 1 and {COUNT_MAX}")))?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, replay};

    #[test]
    fn cases() {
        const COUNT: &str = "(error) ERR COUNT must be between 1 and 128";
        replay(&[
            ("BIGKEYS", "(empty array)"),
            ("HSET small f v", "(integer) 1"),
            ("BIGKEYS COUNT 128", "(empty array)"),
            ("BIGKEYS COUNT 0", COUNT),
            ("BIGKEYS COUNT 129", COUNT),
            ("BIGKEYS COUNT x", "(error) ERR value is not an integer or out of range"),
            ("BIGKEYS COUNT", "(error) ERR syntax error"),
            ("BIGKEYS 5", "(error) ERR syntax error"),
        ]);
    }

    /// The keys that are named, in their order.
    fn named(fixture: &mut Fixture, line: &str) -> Vec<String> {
        let reply = fixture.run(line);
        let mut lines = reply.lines();
        std::iter::from_fn(|| lines.by_ref().find(|line| line.ends_with("\"key\"")).and(lines.next()))
            .map(|line| line.split('"').nth(1).expect("a key in quotes").to_owned())
            .collect()
    }

    #[test]
    fn the_largest_come_first_and_are_forgotten_when_they_are_gone() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            for (key, bytes) in [("a", 20_000), ("b", 60_000), ("c", 40_000), ("d", 1_000)] {
                fixture.run(&format!("HSET {key} f {}", "x".repeat(bytes)));
            }
            fixture.replay(&[("EXPIRE c 10", "(integer) 1")]);
            assert_eq!(named(&mut fixture, "BIGKEYS"), ["b", "c", "a"]);
            assert_eq!(named(&mut fixture, "BIGKEYS COUNT 1"), ["b"]);
            let bytes = fixture.run("MEMORY USAGE b");
            let reply = fixture.run("BIGKEYS COUNT 1");
            assert!(reply.contains(&format!("\"bytes\"\n    8) {bytes}\n")), "{reply} has no {bytes}");
            fixture.replay(&[("DEL b", "(integer) 1"), ("COPY a e DB 3", "(integer) 1")]);
            assert_eq!(named(&mut fixture, "BIGKEYS COUNT 1"), ["c"]);
            fixture.replay(&[("WAIT 10000", ""), ("HSET a f small", "(integer) 0")]);
            assert_eq!(named(&mut fixture, "BIGKEYS"), ["e"], "neither what is past its time nor what shrank");
            fixture.replay(&[("RENAME a z", "OK"), ("FLUSHALL", "OK"), ("BIGKEYS", "(empty array)")]);
        }
    }
}
