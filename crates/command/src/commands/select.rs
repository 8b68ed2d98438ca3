//! `SELECT index`

use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "select",
    summary: "Changes the selected database.",
    group: Group::Connection,
    arity: 2,
    flags: Flags::FAST.and(Flags::LOADING).and(Flags::STALE),
    arguments: &[Argument::integer("index")],
    run: Run::Session(run),
    ..Spec::BLANK
};

const NOT_32_BITS: CommandError =
    CommandError::fixed("ERR value is out of range, value must between -2147483648 and 2147483647");

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let index = i32::try_from(words.integer(1)?).map_err(|_| NOT_32_BITS)?;
    let index = u16::try_from(index).map_err(|_| CommandError::DatabaseOutOfRange)?;
    if index >= context.host.databases() {
        return Err(CommandError::DatabaseOutOfRange);
    }
    context.client.set_database(index);
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        replay(&[
            ("HSET h f v", "(integer) 1"),
            ("SELECT 15", "OK"),
            ("HGET h f", "(nil)"),
            ("SELECT 16", "(error) ERR DB index is out of range"),
            ("SELECT -1", "(error) ERR DB index is out of range"),
            ("SELECT 70000", "(error) ERR DB index is out of range"),
            (
                "SELECT 2147483648",
                "(error) ERR value is out of range, value must between -2147483648 and 2147483647",
            ),
            ("SELECT 01", "(error) ERR value is not an integer or out of range"),
            ("SELECT x", "(error) ERR value is not an integer or out of range"),
            ("SELECT", "(error) ERR wrong number of arguments for 'select' command"),
            ("HGET h f", "(nil)"),
            ("SELECT 0", "OK"),
            ("HGET h f", "\"v\""),
        ]);
    }
}
