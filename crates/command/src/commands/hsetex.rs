//! `HSETEX key field value seconds`, the reason Mayfly exists, and its keyword form.
//!
//! The two forms are told apart by the number of words alone: five are always the first form, whatever the
//! field is called; six or more are the keyword form.

use mayfly_store::UnixMillis;

use super::hset::PAIR;
use crate::argument::Argument;
use crate::changes::Class;
use crate::context::DataContext;
use crate::error::{CommandError, Outcome, shown};
use crate::expiry::TimeForm;
use crate::number;
use crate::spec::{Flags, Group, KeySpec, Run, Spec, access};
use crate::words::{WordCursor, Words, is};

pub static SPEC: Spec = Spec {
    name: "hsetex",
    summary: "Sets a field and the TTL of the whole hash in one atomic step.",
    since: "0.1.0",
    complexity: "O(1); O(N) in the keyword form, where N is the number of fields to set.",
    group: Group::Hash,
    arity: -5,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, access::UPDATE)],
    arguments: &[Argument::key("key"), Argument::one_of("form", &FORMS)],
    run: Run::Keys(run),
};

const FORMS: [Argument; 2] =
    [Argument::block("one-field", &ONE_FIELD), Argument::block("keywords", &KEYWORDS)];
const ONE_FIELD: [Argument; 3] =
    [Argument::string("field"), Argument::string("value"), Argument::integer("seconds")];
const KEYWORDS: [Argument; 5] = [
    Argument::one_of("condition", &[Argument::flag("nx", "NX"), Argument::flag("xx", "XX")]).optional(),
    Argument::one_of("field-condition", &[Argument::flag("fnx", "FNX"), Argument::flag("fxx", "FXX")])
        .optional(),
    Argument::flag("whole-key", "KEY").optional(),
    Argument::one_of(
        "expiration",
        &[
            Argument::integer("seconds").after("EX"),
            Argument::integer("milliseconds").after("PX"),
            Argument::unix_time("unix-time-seconds").after("EXAT"),
            Argument::unix_time("unix-time-milliseconds").after("PXAT"),
            Argument::flag("keepttl", "KEEPTTL"),
        ],
    )
    .optional(),
    Argument::block("fields", &[Argument::integer("numfields"), Argument::block("data", &PAIR).multiple()])
        .after("FIELDS"),
];

/// Words of the first form.
const WORDS_OF_ONE_FIELD: usize = 5;

const FIELD_TTLS: CommandError = CommandError::fixed(
    "ERR HSETEX with FIELDS and an expiry sets per-field TTLs, which are not supported; \
     add KEY to expire the whole hash",
);
const TWO_CONDITIONS: CommandError =
    CommandError::fixed("ERR Only one of NX or XX arguments can be specified");
const TWO_FIELD_CONDITIONS: CommandError =
    CommandError::fixed("ERR Only one of FXX or FNX arguments can be specified");
const TWO_EXPIRIES: CommandError =
    CommandError::fixed("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
const MISSING_TIME: CommandError = CommandError::fixed("ERR missing expire time");
const NEGATIVE_TIME: CommandError = CommandError::fixed("ERR invalid expire time, must be >= 0");
const INVALID_FIELDS: CommandError = CommandError::fixed("ERR invalid number of fields");

fn run(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    if words.len() == WORDS_OF_ONE_FIELD { set_one(context, words) } else { set_by_keywords(context, words) }
}

fn set_one(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let deadline = TimeForm::SECONDS.positive_deadline(words.integer(4)?, context.data.now)?;
    let (key, field, value) = (words.at(1), words.at(2), words.at(3));
    let deadline = context.data.deadline_for(key, deadline, context.random);
    let mut hash = context.data.open_or_create(key, [(field, value)]);
    let created = hash.set_until(field, value, deadline);
    hash.changed(Class::Hash, "hset");
    hash.changed(Class::Generic, "expire");
    context.reply.integer(i64::from(created));
    Ok(())
}

fn set_by_keywords(context: &mut DataContext<'_>, words: Words<'_>) -> Outcome {
    let now = context.data.now;
    let request = Keywords::parse(words, now)?;
    let hash = context.data.open(words.at(1));
    let allowed = request.exists.is_none_or(|exists| exists == hash.is_some())
        && request.fields_exist.is_none_or(|exist| {
            let has = |field: &[u8]| hash.as_ref().is_some_and(|hash| hash.get(field).is_some());
            request.pairs(words).all(|(field, _)| has(field) == exist)
        });
    if !allowed {
        context.reply.integer(0);
        return Ok(());
    }
    match (request.deadline, hash) {
        // A deadline that is past: the hash would be gone before anybody saw it.
        (Some(deadline), hash) if deadline <= now => {
            if let Some(mut hash) = hash {
                hash.changed(Class::Generic, "del");
                hash.remove();
            }
        }
        (asked, _) => {
            let (key, pairs) = (words.at(1), request.pairs(words));
            let deadline = asked.map(|asked| context.data.deadline_for(key, asked, context.random));
            let mut hash = match deadline {
                Some(_) => context.data.open_or_create(key, pairs),
                None => context.data.open_to_write(key, pairs, context.random)?,
            };
            for (field, value) in request.pairs(words) {
                hash.set(field, value);
            }
            hash.changed(Class::Hash, "hset");
            if deadline.is_some() {
                hash.set_deadline(deadline);
                hash.changed(Class::Generic, "expire");
            }
        }
    }
    context.reply.integer(1);
    Ok(())
}

/// What the keyword form asks for.
#[derive(Default)]
struct Keywords {
    /// `XX`: the hash must exist; `NX`: it must not.
    exists: Option<bool>,
    /// `FXX`: all fields must exist; `FNX`: none may.
    fields_exist: Option<bool>,
    whole_key: bool,
    expiry: Option<Expiry>,
    /// The deadline of the whole hash, where one is to be set.
    deadline: Option<UnixMillis>,
    first_pair: usize,
    pair_count: usize,
}

enum Expiry {
    At(UnixMillis),
    Keep,
}

impl Keywords {
    fn parse(words: Words<'_>, now: UnixMillis) -> Result<Self, CommandError> {
        let mut request = Keywords::default();
        let mut options = words.cursor(2);
        while let Some(option) = options.next() {
            request.take(option, &mut options, now)?;
        }
        if request.pair_count == 0 {
            return Err(CommandError::WrongArity);
        }
        request.deadline = match request.expiry {
            Some(Expiry::At(_)) if !request.whole_key => return Err(FIELD_TTLS),
            Some(Expiry::At(deadline)) => Some(deadline),
            Some(Expiry::Keep) | None => None,
        };
        Ok(request)
    }

    fn take(&mut self, option: &[u8], options: &mut WordCursor<'_>, now: UnixMillis) -> Result<(), CommandError> {
        if is(option, "fields") {
            self.take_fields(options)
        } else if is(option, "nx") {
            set_once(&mut self.exists, false, TWO_CONDITIONS)
        } else if is(option, "xx") {
            set_once(&mut self.exists, true, TWO_CONDITIONS)
        } else if is(option, "fnx") {
            set_once(&mut self.fields_exist, false, TWO_FIELD_CONDITIONS)
        } else if is(option, "fxx") {
            set_once(&mut self.fields_exist, true, TWO_FIELD_CONDITIONS)
        } else if is(option, "key") {
            self.whole_key = true;
            Ok(())
        } else if is(option, "keepttl") {
            set_once(&mut self.expiry, Expiry::Keep, TWO_EXPIRIES)
        } else if let Some(form) = time_form(option) {
            if self.expiry.is_some() {
                return Err(TWO_EXPIRIES);
            }
            let word = options.next().ok_or(MISSING_TIME)?;
            let amount = number::integer(word).ok_or(CommandError::NotAnInteger)?;
            if amount < 0 {
                return Err(NEGATIVE_TIME);
            }
            self.expiry = Some(Expiry::At(form.deadline(amount, now)?));
            Ok(())
        } else {
            Err(CommandError::text(format!("ERR unknown argument: {}", shown(option, usize::MAX))))
        }
    }

    fn take_fields(&mut self, options: &mut WordCursor<'_>) -> Result<(), CommandError> {
        if self.pair_count != 0 {
            return Err(CommandError::WrongArity);
        }
        let count = options.next().ok_or(CommandError::WrongArity)?;
        let count = number::integer(count).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
        let count = count.ok_or(INVALID_FIELDS)? as usize;
        if options.remaining() < 2 * count {
            return Err(CommandError::WrongArity);
        }
        (self.first_pair, self.pair_count) = (options.next_position(), count);
        options.skip_words(2 * count);
        Ok(())
    }

    fn pairs<'a>(&self, words: Words<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        words.pairs_from(self.first_pair).take(self.pair_count)
    }
}

/// The form of the time behind an option, if it is one that takes a time.
fn time_form(option: &[u8]) -> Option<TimeForm> {
    let forms = [
        ("ex", TimeForm::SECONDS),
        ("px", TimeForm::MILLIS),
        ("exat", TimeForm::UNIX_SECONDS),
        ("pxat", TimeForm::UNIX_MILLIS),
    ];
    forms.into_iter().find(|(name, _)| is(option, name)).map(|(_, form)| form)
}

fn set_once<T>(slot: &mut Option<T>, value: T, twice: CommandError) -> Result<(), CommandError> {
    if slot.is_some() {
        return Err(twice);
    }
    *slot = Some(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fixture, START, replay};

    const ARITY: &str = "(error) ERR wrong number of arguments for 'hsetex' command";
    const INVALID_TIME: &str = "(error) ERR invalid expire time in 'hsetex' command";
    const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";

    /// The transcript of the page that asked for the command. Its first `TTL` answers 60 after a call with 120:
    /// both that and "every call resets the TTL" hold if 60 seconds pass before it.
    #[test]
    fn the_seed_transcript() {
        replay(&[
            ("HSETEX myhash field1 \"value1\" 60", "(integer) 1"),
            ("HSETEX myhash field2 \"value2\" 120", "(integer) 1"),
            ("HEXISTS myhash field1", "(integer) 1"),
            ("WAIT 60000", ""),
            ("TTL myhash", "(integer) 60"),
            ("HSETEX myhash field1 \"newvalue\" 180", "(integer) 0"),
            ("TTL myhash", "(integer) 180"),
        ]);
    }

    #[test]
    fn every_call_resets_the_ttl_of_all_fields() {
        replay(&[
            ("HSETEX h a 1 100", "(integer) 1"),
            ("HSETEX h a 2 10", "(integer) 0"),
            ("TTL h", "(integer) 10"),
            ("HSETEX h b 3 1", "(integer) 1"),
            ("WAIT 999", ""),
            ("HGET h a", "\"2\""),
            ("WAIT 1", ""),
            ("HGETALL h", "(empty array)"),
            ("HSETEX h a 1 10", "(integer) 1"),
        ]);
    }

    #[test]
    fn seconds_are_strict_and_errors_change_nothing() {
        let max = i64::MAX;
        let mut fixture = Fixture::new();
        fixture.replay(&[("HSETEX h f v 60", "(integer) 1")]);
        for (seconds, expected) in [
            ("0".to_owned(), INVALID_TIME),
            ("-1".to_owned(), INVALID_TIME),
            ((max / 1000).to_string(), INVALID_TIME),
            (max.to_string(), INVALID_TIME),
            ("9223372036854775808".to_owned(), NOT_AN_INTEGER),
            ("+1".to_owned(), NOT_AN_INTEGER),
            ("01".to_owned(), NOT_AN_INTEGER),
            ("\" 1\"".to_owned(), NOT_AN_INTEGER),
            ("1.5".to_owned(), NOT_AN_INTEGER),
            ("\"\"".to_owned(), NOT_AN_INTEGER),
        ] {
            assert_eq!(fixture.run(&format!("HSETEX h f changed {seconds}")), expected, "{seconds}");
            assert_eq!(fixture.run(&format!("HSETEX new f v {seconds}")), expected, "{seconds}");
        }
        fixture.replay(&[
            ("HGET h f", "\"v\""),
            ("TTL h", "(integer) 60"),
            ("EXISTS new", "(integer) 0"),
            ("HSETEX h f v", ARITY),
        ]);
        let far = (max - START.0) / 1000;
        fixture.replay(&[
            (&format!("HSETEX h f v {far}"), "(integer) 0"),
            ("TTL h", &format!("(integer) {far}")),
            (&format!("HSETEX h f v {}", far + 1), INVALID_TIME),
        ]);
    }

    #[test]
    fn five_words_are_always_the_first_form() {
        replay(&[("HSETEX k FIELDS 1 60", "(integer) 1"), ("HGET k FIELDS", "\"1\"")]);
    }

    #[test]
    fn keyword_form_sets_fields_and_the_ttl_of_the_whole_hash() {
        replay(&[
            ("HSETEX h KEY EX 60 FIELDS 2 a 1 b 2", "(integer) 1"),
            ("TTL h", "(integer) 60"),
            ("HSETEX h FIELDS 1 c 3", "(integer) 1"),
            ("TTL h", "(integer) 60"),
            ("HSETEX h keepttl fields 1 c 4", "(integer) 1"),
            ("TTL h", "(integer) 60"),
            ("HSETEX h FIELDS 1 a 9 PX 1500 KEY", "(integer) 1"),
            ("PTTL h", "(integer) 1500"),
            ("HMGET h a b c", "1) \"9\"\n2) \"2\"\n3) \"4\""),
            ("HSETEX h KEY EXAT 1767225660 FIELDS 1 a 1", "(integer) 1"),
            ("TTL h", "(integer) 60"),
            ("HSETEX h KEY PXAT 1767225600001 FIELDS 1 a 1", "(integer) 1"),
            ("PTTL h", "(integer) 1"),
            ("HSETEX h KEY EXAT 1 FIELDS 1 a 1", "(integer) 1"),
            ("EXISTS h", "(integer) 0"),
            ("HSETEX h KEY EX 0 FIELDS 1 a 1", "(integer) 1"),
            ("EXISTS h", "(integer) 0"),
        ]);
    }

    #[test]
    fn conditions_hold_or_nothing_changes() {
        replay(&[
            ("HSETEX h XX KEY EX 60 FIELDS 1 a 1", "(integer) 0"),
            ("EXISTS h", "(integer) 0"),
            ("HSETEX h NX KEY EX 60 FIELDS 1 a 1", "(integer) 1"),
            ("HSETEX h NX FIELDS 1 a 2", "(integer) 0"),
            ("HSETEX h XX KEY EX 90 FIELDS 1 a 2", "(integer) 1"),
            ("TTL h", "(integer) 90"),
            ("HSETEX h FNX FIELDS 2 a 3 b 3", "(integer) 0"),
            ("HSETEX h FNX FIELDS 1 b 3", "(integer) 1"),
            ("HSETEX h FXX FIELDS 2 a 4 c 4", "(integer) 0"),
            ("HSETEX h FXX KEY EX 5 FIELDS 2 a 4 b 4", "(integer) 1"),
            ("HMGET h a b c", "1) \"4\"\n2) \"4\"\n3) (nil)"),
            ("HSETEX none FXX FIELDS 1 a 4", "(integer) 0"),
            ("HSETEX none FNX FIELDS 1 a 4", "(integer) 1"),
        ]);
    }

    #[test]
    fn keyword_form_refuses_loudly() {
        let field_ttls = "(error) ERR HSETEX with FIELDS and an expiry sets per-field TTLs, which are not \
                          supported; add KEY to expire the whole hash";
        replay(&[
            ("HSETEX h EX 60 FIELDS 1 a 1", field_ttls),
            ("HSETEX h EX 60 KEY a 1", "(error) ERR unknown argument: a"),
            ("HSETEX h EX 60 KEY \"a\\x00b\" 1", "(error) ERR unknown argument: a"),
            ("HSETEX h KEY EX 60 PX", "(error) ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
            ("HSETEX h KEEPTTL EX 60 FIELDS 1 a 1", "(error) ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
            ("HSETEX h FNX FXX FIELDS 1 a 1", "(error) ERR Only one of FXX or FNX arguments can be specified"),
            ("HSETEX h NX XX FIELDS 1 a 1", "(error) ERR Only one of NX or XX arguments can be specified"),
            ("HSETEX h FIELDS 1 a 1 EX", "(error) ERR missing expire time"),
            ("HSETEX h FIELDS 1 a 1 KEY EX -1", "(error) ERR invalid expire time, must be >= 0"),
            ("HSETEX h FIELDS 1 a 1 KEY EX x", NOT_AN_INTEGER),
            ("HSETEX h FIELDS 1 a 1 KEY EX 9223372036854775807", INVALID_TIME),
            ("HSETEX h FIELDS 0 a 1", "(error) ERR invalid number of fields"),
            ("HSETEX h FIELDS x a 1", "(error) ERR invalid number of fields"),
            ("HSETEX h FIELDS 2 a 1", ARITY),
            ("HSETEX h FIELDS 1 a 1 b", "(error) ERR unknown argument: b"),
            ("HSETEX h FIELDS 1 a 1 FIELDS 1 b 2", ARITY),
            ("HSETEX h KEY EX 60 NX", ARITY),
            ("EXISTS h", "(integer) 0"),
        ]);
    }
}
