//! `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
//!
//! The checks come in Redis' order: the key that is there before the TTL, the TTL before the payload. The payload is
//! read aside, so that the key changes only when all of it was good. A payload whose fields have TTLs of their own is
//! refused, because the fields would live for ever without.

use mayfly_rdb::{RdbError, read_payload};
use mayfly_store::{AccessPolicy, UnixMillis};

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome};
use crate::expiry::TimeForm;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::{WordCursor, Words, is};

pub static SPEC: Spec = Spec {
    name: "restore",
    summary: "Creates a hash from a payload of DUMP, from here or from a Redis.",
    since: "2.6.0",
    complexity: "O(N) where N is the size of the hash.",
    group: Group::Generic,
    arity: -4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::DANGEROUS),
    keys: &[KeySpec::at(1, access::OVERWRITE)],
    arguments: &[
        Argument::key("key"),
        Argument::integer("ttl"),
        Argument::string("serialized-value"),
        Argument::flag("replace", "REPLACE").optional(),
        Argument::flag("absttl", "ABSTTL").optional(),
        Argument::integer("seconds").after("IDLETIME").optional(),
        Argument::integer("frequency").after("FREQ").optional(),
    ],
    run: Run::Keys(run),
};

const BUSY_KEY: CommandError = CommandError::fixed("BUSYKEY Target key name already exists.");
const INVALID_TTL: CommandError = CommandError::fixed("ERR Invalid TTL value, must be >= 0");
const INVALID_IDLE_TIME: CommandError = CommandError::fixed("ERR Invalid IDLETIME value, must be >= 0");
const INVALID_FREQUENCY: CommandError =
    CommandError::fixed("ERR Invalid FREQ value, must be >= 0 and <= 255");
const BAD_ENVELOPE: CommandError = CommandError::fixed("ERR DUMP payload version or checksum are wrong");
const BAD_FORMAT: CommandError = CommandError::fixed("ERR Bad data format");
const FIELD_TTLS: CommandError =
    CommandError::fixed("ERR DUMP payload has per-field TTLs, which are not supported");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let options = Options::parse(words.cursor(4))?;
    let (key, database, now) = (words.at(1), context.data.database, context.data.now);
    if !options.replaces && context.data.exists_in(database, key) {
        return Err(BUSY_KEY);
    }
    let deadline = deadline(words.integer(2)?, options.ttl_form, now)?;
    let mut hash = context.data.assemble_for(key);
    read_payload(words.at(3), &mut |field, value| hash.set(field, value)).map_err(refusal)?;
    if deadline.is_some_and(|deadline| deadline <= now) {
        if let Some(mut replaced) = context.data.open(key) {
            replaced.changed(Class::Generic, "del");
            replaced.remove();
        }
    } else {
        let mut hash = hash.finish(deadline);
        match (context.data.access_policy(), options.idle_seconds, options.frequency) {
            (AccessPolicy::Recency, Some(seconds), _) => hash.set_idle_seconds(seconds, now),
            (AccessPolicy::Frequency { .. }, _, Some(counter)) => hash.set_frequency(counter, now),
            _ => {}
        }
        context.data.attach_in(database, key, hash);
        context.data.changed_in(database, key, Class::Generic, "restore");
    }
    context.reply.ok();
    Ok(())
}

/// When the restored hash expires: a TTL of 0 means never, in either form.
fn deadline(ttl: i64, form: TimeForm, now: UnixMillis) -> Result<Option<UnixMillis>, CommandError> {
    match ttl {
        ..0 => Err(INVALID_TTL),
        0 => Ok(None),
        _ => form.deadline(ttl, now).map(Some),
    }
}

fn refusal(error: RdbError) -> CommandError {
    match error {
        RdbError::VersionOrChecksum => BAD_ENVELOPE,
        RdbError::FieldTtl => FIELD_TTLS,
        RdbError::NotAHash(_) | RdbError::UnknownType(_) | RdbError::DuplicateField | RdbError::Malformed(_) => BAD_FORMAT,
    }
}

/// What stands behind the payload. Of idle time and frequency the one is kept that the policy is about.
struct Options {
    replaces: bool,
    ttl_form: TimeForm,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(mut words: WordCursor<'_>) -> Result<Self, CommandError> {
        let mut options =
            Options { replaces: false, ttl_form: TimeForm::MILLIS, idle_seconds: None, frequency: None };
        while let Some(option) = words.next() {
            if is(option, "replace") {
                options.replaces = true;
            } else if is(option, "absttl") {
                options.ttl_form = TimeForm::UNIX_MILLIS;
            } else if is(option, "idletime") && options.frequency.is_none() {
                let seconds = u64::try_from(words.integer()?).map_err(|_| INVALID_IDLE_TIME)?;
                options.idle_seconds = Some(seconds);
            } else if is(option, "freq") && options.idle_seconds.is_none() {
                let counter = u8::try_from(words.integer()?).map_err(|_| INVALID_FREQUENCY)?;
                options.frequency = Some(counter);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use mayfly_store::AccessPolicy;

    use crate::testing::{Fixture, START, replay};

    const OK: &str = "OK";
    const BUSY: &str = "(error) BUSYKEY Target key name already exists.";
    const SYNTAX: &str = "(error) ERR syntax error";
    const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";
    const BAD_ENVELOPE: &str = "(error) ERR DUMP payload version or checksum are wrong";
    const BAD_FORMAT: &str = "(error) ERR Bad data format";

    /// `name` = "Ada", `visits` = 1, as Redis 8.2 dumps it.
    const ADA: &str = r#""\x10\x1c\x1c\x00\x00\x00\x04\x00\x84name\x05\x83Ada\x04\x86visits\x07\x01\x01\xff\x0c\x00\xac\xa0L\x10J\xed,v""#;
    /// The string "1", as Redis 8.2 dumps it.
    const STRING: &str = r#""\x00\xc0\x01\x0c\x00\xed\x0e\xd3v++\x8f\xb5""#;
    /// `a` = "1" with a TTL, `b` = "two", as Redis 8.2 dumps it.
    const FIELD_TTL: &str = r#""\x18\xe4w_\x04\xa2\x01\x00\x00\x02\x01\x01a\xc0\x01\x00\x01b\x03two\x0c\x00\xea\xea\x8f\xd2\x10U\x15\x91""#;

    #[test]
    fn a_hash_comes_back_with_the_ttl_that_is_asked_for() {
        let later = START.0 + 5_000;
        for (words, ttl) in [
            ("0", -1),
            ("5000", 5_000),
            ("0 ABSTTL", -1),
            (&format!("{later} ABSTTL"), 5_000),
            (&format!("{later} absttl IDLETIME 0"), 5_000),
            ("5000 FREQ 255 REPLACE", 5_000),
            ("5000 IDLETIME 9223372036854775807 idletime 1", 5_000),
        ]
        .map(|(words, ttl)| {
            let (time, options) = words.split_once(' ').unwrap_or((words, ""));
            (format!("RESTORE h {time} {ADA} {options}"), ttl)
        }) {
            replay(&[
                (&words, OK),
                ("HLEN h", "(integer) 2"),
                ("HGET h name", "\"Ada\""),
                ("HGET h visits", "\"1\""),
                ("PTTL h", &format!("(integer) {ttl}")),
                ("OBJECT ENCODING h", "\"listpack\""),
            ]);
        }
    }

    #[test]
    fn idle_time_and_frequency_are_kept_where_the_policy_is_about_them() {
        let mut fixture = Fixture::new();
        fixture.replay(&[
            (&format!("RESTORE h 0 {ADA} IDLETIME 1000"), OK),
            ("OBJECT IDLETIME h", "(integer) 1000"),
            (&format!("RESTORE h 0 {ADA} FREQ 77 REPLACE"), OK),
            ("OBJECT IDLETIME h", "(integer) 0"),
        ]);
        fixture.set_access_policy(AccessPolicy::Frequency { log_factor: 10, decay_minutes: 1 });
        fixture.replay(&[
            (&format!("RESTORE h 0 {ADA} FREQ 77 REPLACE"), OK),
            ("OBJECT FREQ h", "(integer) 77"),
            (&format!("RESTORE h 0 {ADA} IDLETIME 1000 REPLACE"), OK),
            ("OBJECT FREQ h", "(integer) 5"),
        ]);
    }

    #[test]
    fn what_is_dumped_here_is_restored_here() {
        let mut fixture = Fixture::with_shards(4);
        for field in 0..1_000 {
            fixture.run(&format!("HSET large field:{field} {field}"));
        }
        fixture.run("HSET small a 1 \"\" \"\"");
        for (key, count) in [("small", 2), ("large", 1_000)] {
            let payload = fixture.run(&format!("DUMP {key}"));
            fixture.replay(&[
                (&format!("RESTORE copy 60000 {payload} REPLACE"), OK),
                ("HLEN copy", &format!("(integer) {count}")),
                ("TTL copy", "(integer) 60"),
            ]);
        }
        fixture.replay(&[
            ("HGET copy field:999", "\"999\""),
            ("OBJECT ENCODING copy", "\"hashtable\""),
            ("DEL copy", "(integer) 1"),
        ]);
    }

    #[test]
    fn a_key_that_is_there_is_replaced_only_when_told() {
        let restore = format!("RESTORE h 0 {ADA}");
        let replace = format!("RESTORE h 0 {ADA} REPLACE");
        replay(&[
            ("HSETEX h old 1 60", "(integer) 1"),
            (&restore, BUSY),
            ("HGET h old", "\"1\""),
            (&replace, OK),
            ("HGET h old", "(nil)"),
            ("HLEN h", "(integer) 2"),
            ("TTL h", "(integer) -1"),
            // A key past its deadline is not there.
            ("EXPIRE h 1", "(integer) 1"),
            ("WAIT 1000", ""),
            (&restore, OK),
            ("TTL h", "(integer) -1"),
        ]);
    }

    #[test]
    fn a_past_deadline_creates_nothing_and_removes_what_is_replaced() {
        for deadline in [1, START.0] {
            replay(&[
                (&format!("RESTORE h {deadline} {ADA} ABSTTL"), OK),
                ("EXISTS h", "(integer) 0"),
                ("HSETEX h old 1 60", "(integer) 1"),
                (&format!("RESTORE h {deadline} {ADA} ABSTTL REPLACE"), OK),
                ("EXISTS h", "(integer) 0"),
            ]);
        }
    }

    #[test]
    fn the_checks_come_in_redis_order_and_change_nothing() {
        let idle = "(error) ERR Invalid IDLETIME value, must be >= 0";
        let frequency = "(error) ERR Invalid FREQ value, must be >= 0 and <= 255";
        let ttl = "(error) ERR Invalid TTL value, must be >= 0";
        let past_64_bits = "(error) ERR invalid expire time in 'restore' command";
        let max = i64::MAX;
        for (arguments, on_a_key, on_none) in [
            ("x bad foo", SYNTAX, SYNTAX),
            ("x bad FREQ", SYNTAX, SYNTAX),
            ("x bad IDLETIME", SYNTAX, SYNTAX),
            ("x bad IDLETIME 1 FREQ 1", SYNTAX, SYNTAX),
            ("x bad FREQ 1 IDLETIME 1", SYNTAX, SYNTAX),
            ("x bad FREQ x foo", NOT_AN_INTEGER, NOT_AN_INTEGER),
            ("x bad IDLETIME -1 foo", idle, idle),
            ("x bad FREQ -1", frequency, frequency),
            ("x bad FREQ 256", frequency, frequency),
            ("x bad", BUSY, NOT_AN_INTEGER),
            ("-1 bad", BUSY, ttl),
            ("x bad REPLACE", NOT_AN_INTEGER, NOT_AN_INTEGER),
            ("-1 bad REPLACE", ttl, ttl),
            ("-1 bad REPLACE ABSTTL", ttl, ttl),
            (&format!("{max} {ADA} REPLACE"), past_64_bits, past_64_bits),
            ("1 bad REPLACE", BAD_ENVELOPE, BAD_ENVELOPE),
            ("1 \"\" REPLACE", BAD_ENVELOPE, BAD_ENVELOPE),
            ("1 bad REPLACE ABSTTL", BAD_ENVELOPE, BAD_ENVELOPE),
            (&format!("1 {STRING} REPLACE"), BAD_FORMAT, BAD_FORMAT),
        ] {
            replay(&[
                ("HSETEX h old 1 60", "(integer) 1"),
                (&format!("RESTORE h {arguments}"), on_a_key),
                (&format!("RESTORE none {arguments}"), on_none),
                ("HGETALL h", "1) \"old\"\n2) \"1\""),
                ("TTL h", "(integer) 60"),
                ("EXISTS none", "(integer) 0"),
            ]);
        }
        replay(&[("RESTORE h 0", "(error) ERR wrong number of arguments for 'restore' command")]);
    }

    #[test]
    fn fields_with_ttls_are_refused_loudly() {
        let restore = format!("RESTORE h 0 {FIELD_TTL}");
        replay(&[
            (&restore, "(error) ERR DUMP payload has per-field TTLs, which are not supported"),
            ("EXISTS h", "(integer) 0"),
        ]);
    }
}
