//! `DUMP key`

use mayfly_rdb::write_payload;

use crate::argument::Argument;
use crate::context::DataContext;
use crate::error::Outcome;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "dump",
    summary: "Returns a hash as a payload that RESTORE takes, here and in a Redis; its TTL is not in it.",
    since: "2.6.0",
    complexity: "O(N) where N is the size of the hash.",
    group: Group::Generic,
    arity: 2,
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, access::READ)],
    arguments: &[Argument::key("key")],
    run: Run::Keys(run),
};

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    match context.data.read(words.at(1)) {
        Some(hash) => context.reply.bulk(&write_payload(hash.fields())),
        None => context.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn cases() {
        // Type 4, one field, "a" and "1" with their lengths; version 9; the checksum.
        let payload = r#""\x04\x01\x01a\x011\t\x00~\xc4\x0c\xa4n\xfe\xbe\xa1""#;
        replay(&[
            ("DUMP h", "(nil)"),
            ("HSETEX h a 1 1", "(integer) 1"),
            ("DUMP h", payload),
            ("WAIT 1000", ""),
            ("DUMP h", "(nil)"),
            ("DUMP", "(error) ERR wrong number of arguments for 'dump' command"),
            ("DUMP a b", "(error) ERR wrong number of arguments for 'dump' command"),
        ]);
    }
}
