//! The keyspace against a plain map: random commands, every invariant swept after each of them.

use std::collections::{BTreeMap, BTreeSet};

use mayfly_store::{EntryId, Key, KeyHasher, Keyspace, StoreOptions, UnixMillis, packed_bytes};
use proptest::collection::vec;
use proptest::prelude::*;

const DATABASES: u16 = 3;
const KEYS: u16 = 400;
const START: i64 = 1_700_000_000_000;

/// Spans of time at which something changes: the levels of the wheel, 48 bits, all bits.
const SPANS: [i64; 26] = [
    0,
    1,
    2,
    31,
    32,
    33,
    63,
    64,
    65,
    1023,
    1024,
    1025,
    2047,
    2048,
    32_768,
    60_000,
    65_536,
    3_600_000,
    1 << 21,
    1 << 26,
    1 << 31,
    1 << 35,
    1 << 36,
    1 << 37,
    1 << 48,
    i64::MAX,
];

#[derive(Clone, Debug)]
enum Operation {
    Set { at: Place, field: u8, length: usize },
    SetUntil { at: Place, field: u8, value: [u8; 2], span: i64 },
    SetMany { database: u16, first: u16, count: u16 },
    SetManyFields { at: Place, count: u16 },
    RemoveField { at: Place, field: u8 },
    Remove { at: Place },
    RemoveMany { database: u16, first: u16, count: u16 },
    Rename { from: Place, to: Place },
    Copy { from: Place, to: Place },
    Expire { at: Place, span: i64 },
    ExpireAt { at: Place, deadline: i64 },
    ExpireMany { database: u16, first: u16, count: u16, span: i64 },
    Persist { at: Place },
    Advance { span: i64 },
    AdvanceToNext,
    Reclaim { steps_max: usize },
    Flush { database: u16 },
    Swap { a: u16, b: u16 },
    Scan { database: u16, count: usize },
    Random { database: u16, random: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Place {
    database: u16,
    key: u16,
}

fn place() -> impl Strategy<Value = Place> {
    // Few keys get most of the commands, so that they meet.
    let key = prop_oneof![3 => 0..8_u16, 1 => 0..KEYS];
    (0..DATABASES, key).prop_map(|(database, key)| Place { database, key })
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let range = || (0..DATABASES, 0..KEYS, 1..KEYS);
    let span = || prop_oneof![4 => proptest::sample::select(&SPANS[..16]), 1 => proptest::sample::select(&SPANS[..])];
    let length = prop_oneof![6 => 0..4_usize, 1 => 0..200_usize, 1 => Just(5_000)];
    let deadline = prop_oneof![
        Just(i64::MIN),
        Just(-1),
        Just(0),
        Just(START),
        Just((1 << 48) - 3),
        Just((1 << 48) - 2),
        Just((1 << 48) - 1),
        Just(1 << 48),
        Just(i64::MAX - 1),
        Just(i64::MAX),
    ];
    prop_oneof![
        12 => (place(), 0..12_u8, length).prop_map(|(at, field, length)| Set { at, field, length }),
        8 => (place(), 0..12_u8, any::<[u8; 2]>(), span()).prop_map(|(at, field, value, span)| {
            SetUntil { at, field, value, span }
        }),
        2 => range().prop_map(|(database, first, count)| SetMany { database, first, count }),
        1 => (place(), 1..300_u16).prop_map(|(at, count)| SetManyFields { at, count }),
        6 => (place(), 0..12_u8).prop_map(|(at, field)| RemoveField { at, field }),
        4 => place().prop_map(|at| Remove { at }),
        2 => range().prop_map(|(database, first, count)| RemoveMany { database, first, count }),
        3 => (place(), place()).prop_map(|(from, to)| Rename { from, to }),
        3 => (place(), place()).prop_map(|(from, to)| Copy { from, to }),
        12 => (place(), span()).prop_map(|(at, span)| Expire { at, span }),
        2 => (place(), deadline).prop_map(|(at, deadline)| ExpireAt { at, deadline }),
        2 => (range(), span()).prop_map(|((database, first, count), span)| {
            ExpireMany { database, first, count, span }
        }),
        4 => place().prop_map(|at| Persist { at }),
        8 => span().prop_map(|span| Advance { span }),
        3 => Just(AdvanceToNext),
        6 => prop_oneof![Just(1), Just(7), Just(256)].prop_map(|steps_max| Reclaim { steps_max }),
        1 => (0..DATABASES).prop_map(|database| Flush { database }),
        1 => (0..DATABASES, 0..DATABASES).prop_map(|(a, b)| Swap { a, b }),
        6 => (0..DATABASES, 0..20_usize).prop_map(|(database, count)| Scan { database, count }),
        3 => (0..DATABASES, any::<u64>()).prop_map(|(database, random)| Random { database, random }),
    ]
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Hash {
    fields: BTreeMap<Vec<u8>, Vec<u8>>,
    deadline: Option<i64>,
}

/// A walk that is under way: its cursor, the keys that were there all the time, and those visited.
#[derive(Default)]
struct Walk {
    cursor: u64,
    there: BTreeSet<Vec<u8>>,
    visited: BTreeSet<Vec<u8>>,
}

#[derive(Default)]
struct Model {
    live: BTreeMap<Vec<u8>, Hash>,
    /// Past their deadline, not yet reported.
    due: BTreeMap<Vec<u8>, i64>,
    walk: Option<Walk>,
}

struct World {
    hasher: KeyHasher,
    keyspace: Keyspace,
    now: i64,
    models: Vec<Model>,
}

fn key_name(key: u16) -> Vec<u8> {
    format!("session:{key}").into_bytes()
}

impl World {
    fn new() -> Self {
        let hasher = KeyHasher::from_seed(1);
        let options = StoreOptions {
            databases: DATABASES,
            packed_fields_max: 8,
            packed_bytes_max: 300,
            ..StoreOptions::default()
        };
        World {
            keyspace: Keyspace::new(options, hasher.clone()),
            hasher,
            now: START,
            models: (0..DATABASES).map(|_| Model::default()).collect(),
        }
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.now)
    }

    /// The entry of a key; the model must agree that it is there.
    fn find(&mut self, database: u16, name: &[u8]) -> Option<EntryId> {
        let now = self.now();
        let found = self.keyspace.database_mut(database).find(Key::new(name, &self.hasher), now);
        let expected = self.models[usize::from(database)].live.get(name);
        assert_eq!(found.is_some(), expected.is_some(), "{:?}", String::from_utf8_lossy(name));
        found
    }

    fn set(&mut self, database: u16, name: &[u8], field: &[u8], value: &[u8]) {
        let (key, now) = (Key::new(name, &self.hasher), self.now());
        let store = self.keyspace.database_mut(database);
        let (mut id, created) = store.find_or_create(key, || packed_bytes(field, value), now);
        let is_new = store.set_field(&mut id, field, value);
        assert_eq!(store.key(id), name);
        let live = &mut self.models[usize::from(database)].live;
        assert_eq!(created, !live.contains_key(name));
        let hash = live.entry(name.to_vec()).or_default();
        assert_eq!(is_new, hash.fields.insert(field.to_vec(), value.to_vec()).is_none());
    }

    fn set_until(&mut self, database: u16, name: &[u8], field: &[u8], value: &[u8], deadline: i64) {
        let (key, now) = (Key::new(name, &self.hasher), self.now());
        let store = self.keyspace.database_mut(database);
        let (mut id, _) = store.find_or_create(key, || packed_bytes(field, value), now);
        let is_new = store.set_field_until(&mut id, field, value, UnixMillis(deadline));
        assert_eq!((store.key(id), store.field(id, field)), (name, Some(value)));
        let hash = self.models[usize::from(database)].live.entry(name.to_vec()).or_default();
        assert_eq!(is_new, hash.fields.insert(field.to_vec(), value.to_vec()).is_none());
        hash.deadline = Some(deadline);
    }

    fn remove(&mut self, database: u16, name: &[u8]) {
        if let Some(id) = self.find(database, name) {
            self.keyspace.database_mut(database).remove(id);
            self.models[usize::from(database)].live.remove(name);
        }
    }

    fn expire(&mut self, database: u16, name: &[u8], deadline: Option<i64>) {
        if let Some(id) = self.find(database, name) {
            self.keyspace.database_mut(database).set_deadline(id, deadline.map(UnixMillis));
            let hash = self.models[usize::from(database)].live.get_mut(name).unwrap();
            hash.deadline = deadline.map(|deadline| deadline.max(0));
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Set { at, field, length } => {
                let value = vec![field.wrapping_add(length as u8); length];
                self.set(at.database, &key_name(at.key), &[field], &value);
            }
            Operation::SetUntil { at, field, value, span } => {
                // One in a few is of another length than the last.
                let value = if value[1] < 64 { &value[..1] } else { &value[..] };
                let deadline = self.now.saturating_add(span);
                self.set_until(at.database, &key_name(at.key), &[field], value, deadline);
            }
            Operation::SetMany { database, first, count } => {
                for key in first..(first + count).min(KEYS) {
                    self.set(database, &key_name(key), b"0", b"1");
                }
            }
            Operation::SetManyFields { at, count } => {
                for field in 0..count {
                    self.set(at.database, &key_name(at.key), &field.to_le_bytes(), b"value");
                }
            }
            Operation::RemoveField { at, field } => {
                let name = key_name(at.key);
                let Some(mut id) = self.find(at.database, &name) else { return };
                let store = self.keyspace.database_mut(at.database);
                let removed = store.remove_field(&mut id, &[field]);
                if store.field_count(id) == 0 {
                    store.remove(id);
                }
                let live = &mut self.models[usize::from(at.database)].live;
                let hash = live.get_mut(&name).unwrap();
                assert_eq!(removed, hash.fields.remove(&[field][..]).is_some());
                if hash.fields.is_empty() {
                    live.remove(&name);
                }
            }
            Operation::Remove { at } => self.remove(at.database, &key_name(at.key)),
            Operation::RemoveMany { database, first, count } => {
                for key in first..(first + count).min(KEYS) {
                    self.remove(database, &key_name(key));
                }
            }
            Operation::Rename { from, to } => self.put(from, to, true),
            Operation::Copy { from, to } => self.put(from, to, false),
            Operation::Expire { at, span } => {
                self.expire(at.database, &key_name(at.key), Some(self.now.saturating_add(span)));
            }
            Operation::ExpireAt { at, deadline } => {
                self.expire(at.database, &key_name(at.key), Some(deadline));
            }
            Operation::ExpireMany { database, first, count, span } => {
                for key in first..(first + count).min(KEYS) {
                    self.expire(database, &key_name(key), Some(self.now.saturating_add(span)));
                }
            }
            Operation::Persist { at } => self.expire(at.database, &key_name(at.key), None),
            Operation::Advance { span } => self.now = self.now.saturating_add(span),
            Operation::AdvanceToNext => {
                if let Some(next) = self.keyspace.next_reclaim() {
                    self.now = self.now.max(next.0);
                }
            }
            Operation::Reclaim { steps_max } => {
                self.reclaim(steps_max);
            }
            Operation::Flush { database } => {
                self.keyspace.flush(database);
                self.models[usize::from(database)] = Model::default();
            }
            Operation::Swap { a, b } => {
                self.keyspace.swap_databases(a, b);
                self.models.swap(usize::from(a), usize::from(b));
            }
            Operation::Scan { database, count } => self.scan(database, count),
            Operation::Random { database, random } => {
                let store = self.keyspace.database(database);
                let id = store.random(random, UnixMillis(self.now));
                let live = &self.models[usize::from(database)].live;
                assert_eq!(id.is_some(), !live.is_empty());
                if let Some(id) = id {
                    assert!(live.contains_key(store.key(id)));
                    let (field, value) = store.field_at_random(id, random).unwrap();
                    assert_eq!(live[store.key(id)].fields[field], value);
                }
            }
        }
    }

    fn put(&mut self, from: Place, to: Place, is_move: bool) {
        let (old, new) = (key_name(from.key), key_name(to.key));
        if (from.database, from.key) == (to.database, to.key) || self.find(from.database, &old).is_none() {
            return;
        }
        self.remove(to.database, &new);
        let (id, now) = (self.find(from.database, &old).unwrap(), self.now());
        let store = self.keyspace.database_mut(from.database);
        let detached = if is_move { store.detach(id) } else { store.copy(id, now) };
        let key = Key::new(&new, &self.hasher);
        self.keyspace.database_mut(to.database).attach(key, detached);
        let live = &mut self.models[usize::from(from.database)].live;
        let hash = if is_move { live.remove(&old).unwrap() } else { live[&old].clone() };
        self.models[usize::from(to.database)].live.insert(new, hash);
    }

    fn reclaim(&mut self, steps_max: usize) -> bool {
        let (now, models) = (self.now(), &mut self.models);
        let mut reported = 0;
        let backlog = self.keyspace.backlog(now);
        let reclaimed = self.keyspace.reclaim(now, steps_max, &mut |database, key, deadline| {
            let due = models[usize::from(database)].due.remove(key);
            assert_eq!(due, Some(deadline.0), "every key is reported once, with its deadline");
            reported += 1;
        });
        assert!(reclaimed.steps <= steps_max && reclaimed.expired == reported && reported <= backlog);
        reclaimed.more
    }

    fn scan(&mut self, database: u16, count: usize) {
        let store = self.keyspace.database(database);
        let Model { live, walk: slot, .. } = &mut self.models[usize::from(database)];
        let mut walk =
            slot.take().unwrap_or_else(|| Walk { there: live.keys().cloned().collect(), ..Walk::default() });
        walk.cursor = store.scan(walk.cursor, count, UnixMillis(self.now), &mut |id| {
            assert!(live.contains_key(store.key(id)), "only live keys are visited");
            walk.visited.insert(store.key(id).to_vec());
        });
        assert!(walk.cursor < 1 << 48);
        if walk.cursor == 0 {
            assert!(walk.there.is_subset(&walk.visited), "what was there all the time is visited");
        } else {
            *slot = Some(walk);
        }
    }

    /// After every operation: what is due in the model, and that store and model hold the same.
    fn settle(&mut self) {
        for model in &mut self.models {
            let now = self.now;
            let is_due = |hash: &Hash| hash.deadline.is_some_and(|deadline| deadline <= now);
            let due = model.live.iter().filter(|(_, hash)| is_due(hash));
            let due: Vec<_> = due.map(|(key, hash)| (key.clone(), hash.deadline.unwrap())).collect();
            for (key, deadline) in due {
                model.live.remove(&key);
                assert_eq!(model.due.insert(key, deadline), None);
            }
            if let Some(walk) = &mut model.walk {
                walk.there.retain(|key| model.live.contains_key(key));
            }
        }
        self.keyspace.check();
        for (model, index) in self.models.iter().zip(0..) {
            let store = self.keyspace.database(index);
            assert_eq!(store.len(), model.live.len() + model.due.len());
            assert_eq!(store.live_len(UnixMillis(self.now)), model.live.len());
            let mut seen = BTreeMap::new();
            let end = store.scan(0, usize::MAX, UnixMillis(self.now), &mut |id| {
                let fields = store.fields(id);
                assert_eq!(fields.len(), store.field_count(id));
                let fields: BTreeMap<_, _> = fields.map(|(f, v)| (f.to_vec(), v.to_vec())).collect();
                let deadline = store.deadline(id).map(|deadline| deadline.0);
                let mut scanned = BTreeSet::new();
                let mut cursor = 0;
                loop {
                    cursor = store.scan_fields(id, cursor, 10, &mut |field, value| {
                        assert_eq!(fields[field], value);
                        scanned.insert(field.to_vec());
                    });
                    if cursor == 0 {
                        break;
                    }
                }
                assert_eq!(scanned.len(), fields.len());
                let twice = seen.insert(store.key(id).to_vec(), Hash { fields, deadline });
                assert_eq!(twice, None, "an undisturbed walk visits a key once");
            });
            assert_eq!(end, 0);
            assert_eq!(seen, model.live);
        }
    }
}

/// Accesses report the keys that they find expired at once, as a command would.
fn report_accesses(world: &mut World) {
    let models = &mut world.models;
    world.keyspace.take_expired_on_access(&mut |database, key, deadline| {
        assert_eq!(models[usize::from(database)].due.remove(key), Some(deadline.0));
    });
}

fn run(operations: &[Operation]) {
    let mut world = World::new();
    for operation in operations {
        world.apply(operation);
        report_accesses(&mut world);
        world.settle();
    }
    // Everything that is due is reported and freed, in slices, and then there is nothing to do.
    while world.reclaim(100) {
        world.settle();
    }
    world.settle();
    assert!(world.models.iter().all(|model| model.due.is_empty()));
    assert!(world.keyspace.next_reclaim().is_none_or(|next| next > world.now()));
    let again = world.keyspace.reclaim(world.now(), 100, &mut |_, _, _| panic!("nothing is due twice"));
    assert_eq!((again.steps, again.more), (0, false));
    // The accounts return to where they began.
    for database in 0..DATABASES {
        world.keyspace.flush(database);
    }
    while world.keyspace.reclaim(world.now(), 50, &mut |_, _, _| ()).more {}
    world.keyspace.check();
    assert_eq!(world.keyspace.bytes(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keyspace_behaves_like_a_map_with_deadlines(operations in vec(operation(), 1..120)) {
        run(&operations);
    }
}
