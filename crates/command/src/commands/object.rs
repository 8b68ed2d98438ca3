//! `OBJECT ENCODING | FREQ | IDLETIME | REFCOUNT key`, `OBJECT HELP`
//!
//! Either of `FREQ` and `IDLETIME` answers, by `memory.policy`. Looking is no use of the key.

use mayfly_store::AccessPolicy;

use crate::argument::Argument;
use crate::context::DataContext;
use crate::documentation::help_spec;
use crate::error::{CommandError, Outcome};
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "object",
    summary: "A container for object introspection commands.",
    since: "2.2.3",
    complexity: "Depends on subcommand.",
    group: Group::Generic,
    arity: -2,
    run: Run::Container(&[&ENCODING, &FREQ, &IDLETIME, &REFCOUNT, &HELP]),
    ..Spec::BLANK
};

static ENCODING: Spec = Spec {
    name: "encoding",
    summary: "Returns how a hash is held: listpack (packed) or hashtable.",
    run: Run::Keys(encoding),
    ..OF_KEY
};

static FREQ: Spec = Spec {
    name: "freq",
    summary: "Returns how often a key is used, on a logarithmic scale; needs an LFU policy.",
    since: "4.0.0",
    run: Run::Keys(frequency),
    ..OF_KEY
};

static IDLETIME: Spec = Spec {
    name: "idletime",
    summary: "Returns the seconds since a key was last used; not under an LFU policy.",
    run: Run::Keys(idle_time),
    ..OF_KEY
};

static REFCOUNT: Spec = Spec {
    name: "refcount",
    summary: "Returns the reference count of the value of a key, which is always 1.",
    run: Run::Keys(reference_count),
    ..OF_KEY
};

static HELP: Spec = Spec { since: "6.2.0", ..help_spec(Group::Generic) };

/// What the subcommands on a key have in common.
const OF_KEY: Spec = Spec {
    since: "2.2.3",
    group: Group::Generic,
    arity: 3,
    flags: Flags::READONLY,
    keys: &[KeySpec::at(2, access::LOOK)],
    arguments: &[Argument::key("key")],
    ..Spec::BLANK
};

const NOT_FREQUENCY: CommandError = CommandError::fixed(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
     between policies at runtime LRU and LFU data will take some time to adjust.",
);
const NOT_RECENCY: CommandError = CommandError::fixed(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
     policies at runtime LRU and LFU data will take some time to adjust.",
);

fn encoding(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    match context.data.peek(words.at(2)) {
        Some(hash) => context.reply.bulk(if hash.is_packed() { b"listpack" } else { b"hashtable" }),
        None => context.reply.null(),
    }
    Ok(())
}

fn frequency(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let (policy, now) = (context.data.access_policy(), context.data.now);
    match (context.data.peek(words.at(2)), policy) {
        (None, _) => context.reply.null(),
        (_, AccessPolicy::Recency) => return Err(NOT_FREQUENCY),
        (Some(hash), _) => context.reply.integer(i64::from(hash.frequency(now))),
    }
    Ok(())
}

fn idle_time(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let (policy, now) = (context.data.access_policy(), context.data.now);
    match (context.data.peek(words.at(2)), policy) {
        (None, _) => context.reply.null(),
        (_, AccessPolicy::Frequency { .. }) => return Err(NOT_RECENCY),
        (Some(hash), _) => context.reply.integer(hash.idle_seconds(now) as i64),
    }
    Ok(())
}

fn reference_count(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    match context.data.peek(words.at(2)) {
        Some(_) => context.reply.integer(1),
        None => context.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mayfly_store::AccessPolicy;

    use crate::testing::{Fixture, replay};

    const NO_IDLE_TIME: &str = "(error) ERR An LFU maxmemory policy is selected, idle time not tracked. Please note \
        that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
    const NO_FREQUENCY: &str = "(error) ERR An LFU maxmemory policy is not selected, access frequency not tracked. \
        Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";

    #[test]
    fn a_key_is_idle_until_it_is_used() {
        replay(&[
            ("OBJECT IDLETIME h", "(nil)"),
            ("OBJECT FREQ h", "(nil)"),
            ("HSET h f v", "(integer) 1"),
            ("OBJECT FREQ h", NO_FREQUENCY),
            ("WAIT 5000", ""),
            // None of these is a use.
            ("EXISTS h", "(integer) 1"),
            ("TYPE h", "hash"),
            ("TTL h", "(integer) -1"),
            ("OBJECT ENCODING h", "\"listpack\""),
            ("MEMORY USAGE h", "*"),
            ("SCAN 0", "*"),
            ("OBJECT IDLETIME h", "(integer) 5"),
            ("HGET h f", "\"v\""),
            ("OBJECT IDLETIME h", "(integer) 0"),
            ("WAIT 5000", ""),
            ("HSET h f w", "(integer) 0"),
            ("OBJECT IDLETIME h", "(integer) 0"),
            ("WAIT 5000", ""),
            ("EXPIRE h 100", "(integer) 1"),
            ("OBJECT IDLETIME h", "(integer) 0"),
            ("CLIENT NO-TOUCH on", "OK"),
            ("WAIT 7000", ""),
            ("HGETALL h", "*"),
            ("HSET h f w", "(integer) 0"),
            ("OBJECT IDLETIME h", "(integer) 7"),
            // A hash goes elsewhere with its time; a copy is new.
            ("RENAME h i", "OK"),
            ("OBJECT IDLETIME i", "(integer) 7"),
            ("COPY i j", "(integer) 1"),
            ("OBJECT IDLETIME j", "(integer) 0"),
        ]);
    }

    #[test]
    fn a_key_that_is_used_often_has_a_high_frequency() {
        for shards in [1, 4] {
            let mut fixture = Fixture::with_shards(shards);
            fixture.set_access_policy(AccessPolicy::Frequency { log_factor: 10, decay_minutes: 1 });
            fixture.replay(&[
                ("HSET h f v", "(integer) 1"),
                ("OBJECT FREQ h", "(integer) 5"),
                ("OBJECT IDLETIME h", NO_IDLE_TIME),
                ("HGET h f", "\"v\""),
                ("OBJECT FREQ h", "(integer) 6"),
                ("EXISTS h", "(integer) 1"),
                ("OBJECT FREQ h", "(integer) 6"),
            ]);
            (0..1_000).for_each(|_| drop(fixture.run("HGET h f")));
            let frequency = fixture.run("OBJECT FREQ h");
            let counter: u8 = frequency.trim_start_matches("(integer) ").parse().unwrap();
            assert!((14..=24).contains(&counter), "{frequency}");
            fixture.replay(&[
                ("WAIT 120000", ""),
                ("OBJECT FREQ h", &format!("(integer) {}", counter - 2)),
                ("WAIT 6000000", ""),
                ("OBJECT FREQ h", "(integer) 0"),
            ]);
        }
    }

    #[test]
    fn cases() {
        replay(&[
            ("OBJECT ENCODING h", "(nil)"),
            ("OBJECT REFCOUNT h", "(nil)"),
            ("HSETEX h f v 1", "(integer) 1"),
            ("OBJECT encoding h", "\"listpack\""),
            ("OBJECT REFCOUNT h", "(integer) 1"),
            ("WAIT 1000", ""),
            ("OBJECT ENCODING h", "(nil)"),
            ("OBJECT REFCOUNT h", "(nil)"),
            ("OBJECT", "(error) ERR wrong number of arguments for 'object' command"),
            ("OBJECT ENCODING", "(error) ERR wrong number of arguments for 'object|encoding' command"),
            ("OBJECT REFCOUNT a b", "(error) ERR wrong number of arguments for 'object|refcount' command"),
        ]);
    }

    #[test]
    fn a_large_hash_is_a_table() {
        let mut fixture = Fixture::new();
        for field in 0..1_000 {
            fixture.run(&format!("HSET h field:{field} {field}"));
        }
        fixture.replay(&[("OBJECT ENCODING h", "\"hashtable\"")]);
    }

    #[test]
    fn help_names_the_subcommands() {
        let help = Fixture::new().run("OBJECT HELP");
        assert!(help.starts_with(" 1) OBJECT <subcommand>"), "{help}");
        for subcommand in ["ENCODING key", "FREQ key", "IDLETIME key", "REFCOUNT key"] {
            assert!(help.contains(subcommand), "{help}");
        }
    }
}
