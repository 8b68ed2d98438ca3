//! `EXPIRE key seconds [NX | XX | GT | LT]`, and what `PEXPIRE`, `EXPIREAT` and `PEXPIREAT` share with it.

use mayfly_store::UnixMillis;

use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome, shown};
use crate::expiry::TimeForm;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::{Words, is};

pub static SPEC: Spec = Spec {
    name: "expire",
    summary: "Sets the expiration time of a key in seconds.",
    since: "1.0.0",
    complexity: "O(1)",
    group: Group::Generic,
    arity: -3,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[Argument::key("key"), Argument::integer("seconds"), CONDITION],
    run: Run::Keys(run),
};

/// `[NX | XX | GT | LT]`
pub(super) const CONDITION: Argument = Argument::one_of("condition", &CONDITIONS).optional();
const CONDITIONS: [Argument; 4] = [
    Argument::flag("nx", "NX"),
    Argument::flag("xx", "XX"),
    Argument::flag("gt", "GT"),
    Argument::flag("lt", "LT"),
];

const NX_WITH_OTHERS: CommandError =
    CommandError::fixed("ERR NX and XX, GT or LT options at the same time are not compatible");
const GT_WITH_LT: CommandError =
    CommandError::fixed("ERR GT and LT options at the same time are not compatible");
/// Bytes of an unsupported option that the error repeats.
const OPTION_BYTES_MAX: usize = 128;

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    set_expiry(context, words, TimeForm::SECONDS)
}

/// Gives the key at position 1 the deadline that the number at position 2 means, under the conditions behind it.
/// A deadline that is past removes the key. Answers 1, or 0 where there is no key or a condition fails.
pub(super) fn set_expiry(context: &mut DataContext<'_>, words: Words<'_>, form: TimeForm) -> Outcome {
    let conditions = Conditions::parse(words)?;
    let now = context.data.now;
    let deadline = form.deadline(words.integer(2)?, now)?;
    let ttl = context.data.ttl_of(context.data.database, words.at(1));
    let mut deadline = ttl.map_or(deadline, |ttl| ttl.capped(deadline, now));
    let hash = context.data.open(words.at(1)).filter(|hash| conditions.allow(hash.deadline(), deadline));
    let is_set = hash.is_some();
    match hash {
        Some(mut hash) if deadline <= now => {
            hash.changed(Class::Generic, "del");
            hash.remove();
        }
        Some(mut hash) => {
            // A TTL that only may become longer is not made shorter by chance.
            if let (Some(ttl), false) = (ttl, conditions.gt) {
                deadline = ttl.spread(deadline, now, |most| context.random.u64(..=most));
            }
            hash.set_deadline(Some(deadline));
            hash.changed(Class::Generic, "expire");
        }
        None => {}
    }
    context.reply.boolean_as_integer(is_set);
    Ok(())
}

/// What must hold for the deadline to be set.
#[derive(Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    /// Reads the options from position 3 on; an option may be repeated, as in Redis.
    fn parse(words: Words<'_>) -> Result<Self, CommandError> {
        let mut conditions = Conditions::default();
        for option in words.from(3) {
            *conditions.named(option)? = true;
        }
        let Conditions { nx, xx, gt, lt } = conditions;
        if nx && (xx || gt || lt) {
            return Err(NX_WITH_OTHERS);
        }
        if gt && lt {
            return Err(GT_WITH_LT);
        }
        Ok(conditions)
    }

    fn named(&mut self, option: &[u8]) -> Result<&mut bool, CommandError> {
        if is(option, "nx") {
            Ok(&mut self.nx)
        } else if is(option, "xx") {
            Ok(&mut self.xx)
        } else if is(option, "gt") {
            Ok(&mut self.gt)
        } else if is(option, "lt") {
            Ok(&mut self.lt)
        } else {
            let word = shown(option, OPTION_BYTES_MAX);
            Err(CommandError::text(format!("ERR Unsupported option {word}")))
        }
    }

    /// Whether `deadline` may replace `current`. No deadline counts as one that never comes: none is later, each
    /// is earlier.
    fn allow(&self, current: Option<UnixMillis>, deadline: UnixMillis) -> bool {
        let is_later = current.is_some_and(|current| deadline > current);
        let is_earlier = current.is_none_or(|current| deadline < current);
        (!self.nx || current.is_none())
            && (!self.xx || current.is_some())
            && (!self.gt || is_later)
            && (!self.lt || is_earlier)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, START, replay};

    const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";
    const NX_WITH_OTHERS: &str =
        "(error) ERR NX and XX, GT or LT options at the same time are not compatible";
    const GT_WITH_LT: &str = "(error) ERR GT and LT options at the same time are not compatible";

    /// The four commands, and what they are given for a deadline `millis` after the start.
    fn forms(millis: i64) -> [(&'static str, i64); 4] {
        let deadline = START.0 + millis;
        [
            ("EXPIRE", millis / 1_000),
            ("PEXPIRE", millis),
            ("EXPIREAT", deadline / 1_000),
            ("PEXPIREAT", deadline),
        ]
    }

    #[test]
    fn each_form_sets_the_same_deadline() {
        for (name, amount) in forms(5_000) {
            replay(&[
                (&format!("{name} h {amount}"), "(integer) 0"),
                ("HSET h f v", "(integer) 1"),
                (&format!("{name} h {amount}"), "(integer) 1"),
                ("PTTL h", "(integer) 5000"),
                ("WAIT 4999", ""),
                ("HGET h f", "\"v\""),
                ("WAIT 1", ""),
                ("HGET h f", "(nil)"),
                (&format!("{name} h 9999999999"), "(integer) 0"),
            ]);
        }
    }

    #[test]
    fn a_past_deadline_removes_the_key() {
        for millis in [0, -1_000] {
            for (name, amount) in forms(millis) {
                replay(&[
                    ("HSETEX h f v 60", "(integer) 1"),
                    (&format!("{name} h {amount}"), "(integer) 1"),
                    ("EXISTS h", "(integer) 0"),
                    (&format!("{name} h {amount}"), "(integer) 0"),
                    ("HSET h f v", "(integer) 1"),
                    ("TTL h", "(integer) -1"),
                ]);
            }
        }
    }

    #[test]
    fn conditions_hold_or_nothing_changes() {
        replay(&[
            ("EXPIRE h 10 NX", "(integer) 0"),
            ("HSET h f v", "(integer) 1"),
            // No deadline is one that never comes.
            ("EXPIRE h 10 XX", "(integer) 0"),
            ("EXPIRE h -1 XX", "(integer) 0"),
            ("EXPIRE h 10 GT", "(integer) 0"),
            ("EXPIRE h 10 XX LT", "(integer) 0"),
            ("TTL h", "(integer) -1"),
            ("EXPIRE h 10 lt", "(integer) 1"),
            ("EXPIRE h 20 NX", "(integer) 0"),
            ("EXPIRE h 10 GT", "(integer) 0"),
            ("EXPIRE h 10 LT", "(integer) 0"),
            ("EXPIRE h 11 LT", "(integer) 0"),
            ("TTL h", "(integer) 10"),
            ("EXPIRE h 11 GT", "(integer) 1"),
            ("TTL h", "(integer) 11"),
            ("EXPIRE h 5 XX LT LT", "(integer) 1"),
            ("EXPIRE h 6 XX GT", "(integer) 1"),
            ("EXPIRE h 3 XX", "(integer) 1"),
            ("TTL h", "(integer) 3"),
            ("EXPIRE h -1 GT", "(integer) 0"),
            ("EXPIRE h -1 LT", "(integer) 1"),
            ("EXISTS h", "(integer) 0"),
            ("HSET h f v", "(integer) 1"),
            ("EXPIRE h 10 NX", "(integer) 1"),
            ("TTL h", "(integer) 10"),
        ]);
    }

    #[test]
    fn wrong_words_are_refused_and_change_nothing() {
        for name in ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"] {
            let lower = name.to_ascii_lowercase();
            let arity = format!("(error) ERR wrong number of arguments for '{lower}' command");
            replay(&[
                ("HSETEX h f v 60", "(integer) 1"),
                (&format!("{name} h"), &arity),
                (&format!("{name} h x"), NOT_AN_INTEGER),
                (&format!("{name} h 1.5"), NOT_AN_INTEGER),
                (&format!("{name} h +1"), NOT_AN_INTEGER),
                (&format!("{name} h \"\""), NOT_AN_INTEGER),
                (&format!("{name} h 9223372036854775808"), NOT_AN_INTEGER),
                (&format!("{name} h 10 Foo"), "(error) ERR Unsupported option Foo"),
                (&format!("{name} h x NX XX Foo"), "(error) ERR Unsupported option Foo"),
                (&format!("{name} h x NX XX"), NX_WITH_OTHERS),
                (&format!("{name} h 10 GT NX"), NX_WITH_OTHERS),
                (&format!("{name} h 10 nx lt"), NX_WITH_OTHERS),
                (&format!("{name} h 10 GT LT"), GT_WITH_LT),
                (&format!("{name} h 10 XX GT LT"), GT_WITH_LT),
                (&format!("{name} missing x"), NOT_AN_INTEGER),
                ("TTL h", "(integer) 60"),
            ]);
        }
    }

    #[test]
    fn times_past_64_bits_of_milliseconds_are_refused() {
        let (min, max) = (i64::MIN, i64::MAX);
        for (name, amount) in [
            ("EXPIRE", max),
            ("EXPIRE", min),
            ("EXPIRE", max / 1_000),
            ("PEXPIRE", max),
            ("PEXPIRE", max - START.0 + 1),
            ("EXPIREAT", max),
            ("EXPIREAT", min),
            ("EXPIREAT", max / 1_000 + 1),
        ] {
            let lower = name.to_ascii_lowercase();
            let refused = format!("(error) ERR invalid expire time in '{lower}' command");
            replay(&[
                ("HSETEX h f v 60", "(integer) 1"),
                (&format!("{name} h {amount}"), &refused),
                (&format!("{name} missing {amount}"), &refused),
                ("TTL h", "(integer) 60"),
            ]);
        }
        replay(&[
            ("HSET h f v", "(integer) 1"),
            (&format!("PEXPIREAT h {max}"), "(integer) 1"),
            ("PEXPIRETIME h", &format!("(integer) {max}")),
            (&format!("PEXPIRE h {}", max - START.0), "(integer) 1"),
            ("PEXPIRETIME h", &format!("(integer) {max}")),
            (&format!("PEXPIREAT h {min}"), "(integer) 1"),
            ("EXISTS h", "(integer) 0"),
        ]);
    }

    #[test]
    fn a_key_whose_deadline_moved_later_lives_on() {
        let mut fixture = Fixture::new();
        fixture.replay(&[
            ("HSETEX h f v 1", "(integer) 1"),
            ("EXPIRE h 100", "(integer) 1"),
            ("WAIT 50000", ""),
            ("RECLAIM", ""),
            ("TTL h", "(integer) 50"),
            ("WAIT 50000", ""),
            ("EXPIRE h 100", "(integer) 0"),
            ("RECLAIM", ""),
            ("EXISTS h", "(integer) 0"),
        ]);
    }
}
