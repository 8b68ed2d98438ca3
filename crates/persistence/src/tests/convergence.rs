//! The log over a snapshot whose keys were written at different moments is the keyspace: see [`crate::snapshot`].

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Command, Key, Model, Walk};
use crate::Journal;

/// What happens next, and how many ms after what was before.
type Step = (i64, Happening);

#[derive(Clone, Debug)]
enum Happening {
    /// Commands of one batch.
    Batch(Vec<Command>),
    /// A slice with so many fields at most.
    Slice(usize),
}

/// Few keys, fields and milliseconds, so that much happens to each.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || (0..2_u16, 0..1_u8).prop_map(|(database, name)| -> Key { (database, vec![name]) });
    let (field, value, ttl) = (|| 0..6_u8, || any::<u8>(), || 1..8_i64);
    let command = prop_oneof![
        4 => (key(), field(), value()).prop_map(|(key, field, value)| Command::Set(key, field, value)),
        4 => (key(), field(), value(), ttl())
            .prop_map(|(key, field, value, ttl)| Command::SetAndExpire(key, field, value, ttl)),
        4 => (key(), field()).prop_map(|(key, field)| Command::RemoveField(key, field)),
        3 => (key(), ttl()).prop_map(|(key, ttl)| Command::Expire(key, ttl)),
        1 => key().prop_map(Command::Persist),
        1 => key().prop_map(Command::Remove),
        1 => (key(), key()).prop_map(|(from, to)| Command::Rename(from, to)),
        1 => (0..2_u16).prop_map(Command::Flush),
    ];
    let happening = prop_oneof![
        2 => vec(command, 1..4).prop_map(Happening::Batch),
        1 => (1..3_usize).prop_map(Happening::Slice),
    ];
    vec((0..3_i64, happening), 0..60)
}

/// What is loaded and what lives, after `before` (no snapshot yet), `during` (a snapshot in slices) and `after`.
fn load_and_live(before: &[Step], during: &[Step], after: &[Step]) -> (Model, Model) {
    let (mut now, mut model, mut journal) = (1_000, Model::default(), Journal::new());
    let (mut log, mut snapshot, mut walk) = (Vec::new(), Vec::new(), Walk::default());
    for (phase, steps) in [before, during, after].into_iter().enumerate() {
        for (pause, happening) in steps {
            now += pause;
            match happening {
                Happening::Batch(commands) => {
                    journal.begin(now);
                    commands.iter().for_each(|command| model.run(command, now, &mut journal));
                    if phase > 0 && !journal.is_empty() {
                        log.push(journal.finish().to_vec());
                    }
                }
                Happening::Slice(fields) if phase == 1 => {
                    walk.slice(&model, now, *fields, &mut journal);
                    snapshot.push(journal.finish().to_vec());
                }
                Happening::Slice(_) => {}
            }
        }
        if phase == 1 {
            // The walk ends however little of it was drawn.
            loop {
                let has_more = walk.slice(&model, now, 5, &mut journal);
                snapshot.push(journal.finish().to_vec());
                if !has_more {
                    break;
                }
            }
        }
    }
    let mut loaded = Model::default();
    snapshot.iter().chain(&log).for_each(|body| loaded.apply(body));
    (loaded.seen(now), model.seen(now))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_log_over_a_snapshot_in_slices_is_what_lives(before in steps(), during in steps(), after in steps()) {
        let (loaded, lives) = load_and_live(&before, &during, &after);
        prop_assert_eq!(loaded, lives);
    }

    #[test]
    fn the_log_alone_is_what_lives(steps in steps()) {
        let (loaded, lives) = load_and_live(&[], &[], &steps);
        prop_assert_eq!(loaded, lives);
    }
}

#[test]
fn a_hash_in_pieces_keeps_the_first_where_its_deadline_was_moved() {
    let key: Key = (0, b"session".to_vec());
    let set = (0..4).map(|field| Command::SetAndExpire(key.clone(), field, 1, 5)).collect();
    let before = [(0, Happening::Batch(set))];
    let moved = Happening::Batch(vec![Command::Expire(key, 100)]);
    // The second piece is written when the first deadline would be past.
    let during = [(0, Happening::Slice(2)), (1, moved), (9, Happening::Slice(2))];
    let (loaded, lives) = load_and_live(&before, &during, &[]);
    assert_eq!(loaded, lives);
    assert_ne!(loaded, Model::default());
}
