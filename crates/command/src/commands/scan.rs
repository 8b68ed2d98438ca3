//! `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`

use crate::argument::Argument;
use crate::context::DataContext;
use crate::cursor::Cursor;
use crate::error::{CommandError, Outcome};
use crate::glob;
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::{WordCursor, Words, is};

pub static SPEC: Spec = Spec {
    name: "scan",
    summary: "Walks over the keys, a few at a call.",
    since: "2.8.0",
    complexity: "O(1) a call, O(N) for a whole walk.",
    group: Group::Generic,
    arity: -2,
    flags: Flags::READONLY,
    arguments: &[
        Argument::integer("cursor"),
        Argument::pattern("pattern").after("MATCH").optional(),
        Argument::integer("count").after("COUNT").optional(),
        Argument::string("type").after("TYPE").optional(),
    ],
    run: Run::Cursor(run),
    ..Spec::BLANK
};

const NO_VALUES: CommandError = CommandError::fixed("ERR NOVALUES option can only be used in HSCAN");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let shards = context.data.shard_count();
    let cursor = Cursor::parse(words.at(1), shards)?;
    let mut of_hashes = true;
    let walk = WalkOptions::parse(words.cursor(2), |option, options| {
        if is(option, "type") {
            of_hashes = is(options.value()?, "hash");
            return Ok(());
        }
        Err(if is(option, "novalues") { NO_VALUES } else { CommandError::Syntax })
    })?;
    let (database, now) = (context.data.database, context.data.now);
    let database = context.data.keyspace(cursor.shard).database(database);
    let mut found = Vec::new();
    let next = database.scan(cursor.position, walk.count, now, &mut |id| found.push(id));
    found.retain(|&id| of_hashes && walk.admits(database.key(id)));
    context.reply.array(2);
    context.reply.bulk_unsigned(cursor.after(next, shards));
    context.reply.array(found.len());
    for id in found {
        context.reply.bulk(database.key(id));
    }
    Ok(())
}

/// What `SCAN` and `HSCAN` have in common: `[MATCH pattern] [COUNT count]`.
pub(super) struct WalkOptions<'a> {
    /// What names must match to be answered.
    pattern: Option<&'a [u8]>,
    /// About how many entries a call visits.
    pub(super) count: usize,
}

impl<'a> WalkOptions<'a> {
    /// Entries a call visits unless `COUNT` says otherwise, as in Redis.
    const COUNT_DEFAULT: usize = 10;

    /// Reads the options to their end. `other` takes those that only one of the commands has.
    pub(super) fn parse(
        mut options: WordCursor<'a>,
        mut other: impl FnMut(&'a [u8], &mut WordCursor<'a>) -> Outcome,
    ) -> Result<Self, CommandError> {
        let mut walk = WalkOptions { pattern: None, count: Self::COUNT_DEFAULT };
        while let Some(option) = options.next() {
            if is(option, "match") {
                walk.pattern = Some(options.value()?);
            } else if is(option, "count") {
                walk.count = match options.integer()? {
                    count @ 1.. => usize::try_from(count).unwrap_or(usize::MAX),
                    _ => return Err(CommandError::Syntax),
                };
            } else {
                other(option, &mut options)?;
            }
        }
        Ok(walk)
    }

    /// Whether a key or field of this name is to be answered.
    pub(super) fn admits(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;

    #[test]
    fn cases() {
        // On several shards the cursor would name the next shard.
        Fixture::new().replay(&[
            ("SCAN 0", "1) \"0\"\n2) (empty array)"),
            ("HSET session:1 f v", "(integer) 1"),
            ("SCAN 0 COUNT 100", "1) \"0\"\n2) 1) \"session:1\""),
            ("SCAN 0 MATCH user:* COUNT 100", "1) \"0\"\n2) (empty array)"),
            ("SCAN 0 TYPE string COUNT 100", "1) \"0\"\n2) (empty array)"),
            ("SCAN 0 TYPE HASH COUNT 100", "1) \"0\"\n2) 1) \"session:1\""),
            ("SCAN x", "(error) ERR invalid cursor"),
            ("SCAN 0 COUNT 0", "(error) ERR syntax error"),
            ("SCAN 0 COUNT x", "(error) ERR value is not an integer or out of range"),
            ("SCAN 0 MATCH", "(error) ERR syntax error"),
            ("SCAN 0 FOO 1", "(error) ERR syntax error"),
            ("SCAN 0 TYPE", "(error) ERR syntax error"),
            ("SCAN 0 NOVALUES", "(error) ERR NOVALUES option can only be used in HSCAN"),
        ]);
    }

    #[test]
    fn expired_keys_are_not_visited() {
        let mut fixture = Fixture::new();
        fixture.run("HSETEX gone f v 1");
        fixture.replay(&[("WAIT 1000", ""), ("SCAN 0 COUNT 100", "1) \"0\"\n2) (empty array)")]);
    }
}
