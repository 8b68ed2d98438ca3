//! Large things in small steps: storms of expiry, growth, hashes of many fields, and memory that comes back.

use std::collections::BTreeMap;

use mayfly_store::{EntryId, Key, KeyHasher, Keyspace, StoreOptions, UnixMillis, packed_bytes};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const SLICE: usize = 256;

struct Rig {
    hasher: KeyHasher,
    keyspace: Keyspace,
}

impl Rig {
    fn new() -> Self {
        let hasher = KeyHasher::from_seed(3);
        Rig { keyspace: Keyspace::new(StoreOptions::default(), hasher.clone()), hasher }
    }

    fn set(&mut self, name: &[u8], field: &[u8], value: &[u8]) -> EntryId {
        let database = self.keyspace.database_mut(0);
        let (mut id, _) =
            database.find_or_create(Key::new(name, &self.hasher), || packed_bytes(field, value), NOW);
        database.set_field(&mut id, field, value);
        id
    }

    fn find(&mut self, name: &[u8], now: UnixMillis) -> Option<EntryId> {
        self.keyspace.database_mut(0).find(Key::new(name, &self.hasher), now)
    }

    fn fields(&self, database: u16, id: EntryId) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let fields = self.keyspace.database(database).fields(id);
        fields.map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
    }

    fn fill(&mut self, count: u32, ttl_ms: impl Fn(u32) -> i64) {
        for number in 0..count {
            let id = self.set(&name(number), b"user", &[b'v'; 32]);
            self.keyspace.database_mut(0).set_deadline(id, Some(UnixMillis(NOW.0 + ttl_ms(number))));
        }
    }

    /// Slices at `now` until nothing is left to do; gives keys expired and slices.
    fn reclaim(&mut self, now: UnixMillis) -> (usize, usize) {
        let (mut expired, mut slices) = (0, 0);
        loop {
            let done = self.keyspace.reclaim(now, SLICE, &mut |_, _, deadline| assert!(deadline <= now));
            assert!(done.steps <= SLICE);
            expired += done.expired;
            slices += 1;
            if !done.more {
                return (expired, slices);
            }
        }
    }
}

fn name(number: u32) -> Vec<u8> {
    format!("session:{number:010}").into_bytes()
}

#[test]
fn a_million_keys_due_in_one_millisecond_go_in_slices() {
    let mut rig = Rig::new();
    rig.fill(1_000_000, |_| 60_000);
    assert_eq!(rig.keyspace.database(0).len_with_deadline(), 1_000_000);
    let deadline = UnixMillis(NOW.0 + 60_000);
    let held = rig.keyspace.bytes();
    // An idle server wakes a few times to place them lower, and nobody expires early.
    while rig.keyspace.next_reclaim().unwrap() < deadline {
        let next = rig.keyspace.next_reclaim().unwrap();
        assert_eq!(rig.reclaim(next).0, 0);
    }
    assert_eq!(rig.keyspace.backlog(deadline), 1_000_000);
    let done = rig.keyspace.reclaim(deadline, SLICE, &mut |_, _, _| ());
    assert_eq!((done.expired, done.more), (SLICE, true));
    assert_eq!(rig.keyspace.backlog(deadline), 1_000_000 - SLICE);
    // A key that is not reclaimed yet is absent all the same, and goes when it is looked at.
    let left = (0..1_000_000).find(|&number| {
        let before = rig.keyspace.database(0).len();
        assert!(rig.find(&name(number), deadline).is_none());
        rig.keyspace.database(0).len() < before
    });
    assert!(left.is_some());
    let (expired, slices) = rig.reclaim(deadline);
    assert_eq!(expired, 1_000_000 - SLICE - 1);
    assert!(slices >= expired / SLICE);
    assert_eq!((rig.keyspace.stats().expired_by_wheel, rig.keyspace.stats().expired_on_access), (999_999, 1));
    rig.keyspace.check();
    assert!(rig.keyspace.bytes() < held / 1_000, "{} of {held} bytes kept", rig.keyspace.bytes());
    assert_eq!(rig.keyspace.next_reclaim(), None);
}

#[test]
fn expiry_is_on_time_to_the_millisecond() {
    let mut rig = Rig::new();
    rig.fill(200_000, |number| 1 + i64::from(number) % 50_000);
    for ms in 1..=50_000 {
        let now = UnixMillis(NOW.0 + ms);
        rig.keyspace.reclaim(now, SLICE, &mut |_, _, deadline| assert_eq!(deadline, now));
    }
    let mut lags = Vec::new();
    rig.keyspace.stats_mut().expiry_lag.drain(&mut |lag, count| lags.push((lag, count)));
    assert_eq!(lags, [(0, 200_000)]);
}

#[test]
fn a_hash_of_many_fields_grows_is_walked_and_is_freed_in_pieces() {
    let mut rig = Rig::new();
    for field in 0..100_000_u32 {
        rig.set(b"large", &field.to_be_bytes(), b"value");
    }
    rig.keyspace.check();
    let id = rig.find(b"large", NOW).unwrap();
    let database = rig.keyspace.database_mut(0);
    assert!(!database.is_packed(id));
    assert_eq!((database.field_count(id), database.fields(id).len()), (100_000, 100_000));
    let (mut cursor, mut visited, mut calls) = (0, 0, 0);
    loop {
        cursor = database.scan_fields(id, cursor, 100, &mut |_, _| visited += 1);
        calls += 1;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(visited, 100_000);
    assert!(calls > 800, "{calls} calls of about 100 fields");
    database.remove(id);
    assert_eq!(database.len(), 0);
    let mut held = rig.keyspace.bytes();
    assert!(held > 2_000_000);
    // Every step frees a chunk or a segment at most.
    while rig.keyspace.reclaim(NOW, 1, &mut |_, _, _| ()).more {
        assert!(held - rig.keyspace.bytes() <= 100_000);
        held = rig.keyspace.bytes();
    }
    assert!(rig.keyspace.bytes() < 10_000, "{} bytes left", rig.keyspace.bytes());
    rig.keyspace.check();
}

#[test]
fn a_large_hash_and_its_copy_go_separate_ways() {
    let mut rig = Rig::new();
    for field in 0..20_000_u32 {
        rig.set(b"large", &field.to_be_bytes(), &vec![b'v'; field as usize % 100]);
    }
    // Holes and other sizes, so that the copy is of something worn.
    for field in (0..20_000_u32).step_by(3) {
        let mut id = rig.find(b"large", NOW).unwrap();
        rig.keyspace.database_mut(0).remove_field(&mut id, &field.to_be_bytes());
        rig.set(b"large", &(field + 1).to_be_bytes(), &[b'w'; 200]);
    }
    let id = rig.find(b"large", NOW).unwrap();
    let copy = rig.keyspace.database(0).copy(id, NOW);
    let copied = rig.keyspace.database_mut(1).attach(Key::new(b"copy", &rig.hasher), copy);
    rig.keyspace.check();
    let before = rig.fields(0, id);
    assert!(before.len() > 13_000);
    assert_eq!(rig.fields(1, copied), before);
    for field in 0..20_000_u32 {
        rig.set(b"large", &field.to_be_bytes(), b"other");
    }
    assert_eq!(rig.fields(1, copied), before);
    rig.keyspace.database_mut(0).remove(id);
    rig.reclaim(NOW);
    rig.keyspace.check();
    assert_eq!(rig.fields(1, copied), before);
}

#[test]
fn a_flushed_database_is_empty_at_once_and_freed_in_pieces() {
    let mut rig = Rig::new();
    rig.fill(100_000, |_| i64::MAX - NOW.0);
    (0..1_000_u32).for_each(|field| {
        rig.set(b"large", &field.to_be_bytes(), b"value");
    });
    let held = rig.keyspace.bytes();
    rig.keyspace.flush(0);
    assert!(rig.keyspace.database(0).is_empty() && rig.find(&name(7), NOW).is_none());
    let still_held = rig.keyspace.bytes();
    assert!(still_held > held / 2);
    // New keys and old memory do not get in each other's way.
    rig.set(b"new", b"field", b"value");
    let mut before = still_held;
    loop {
        let done = rig.keyspace.reclaim(NOW, SLICE, &mut |_, _, _| ());
        rig.keyspace.database(0).check();
        assert!(rig.keyspace.bytes() <= before);
        before = rig.keyspace.bytes();
        if !done.more {
            break;
        }
    }
    assert!(rig.keyspace.bytes() < 1_000);
    assert!(rig.find(b"new", NOW).is_some());
}

#[test]
fn a_value_of_many_megabytes_is_kept_as_it_is() {
    let mut rig = Rig::new();
    let value = vec![b'x'; 64 << 20];
    let id = rig.set(b"key", b"field", &value);
    assert!(rig.keyspace.database(0).field(id, b"field") == Some(&value[..]));
    rig.set(b"key", b"field", b"small");
    assert_eq!(rig.keyspace.database(0).field(id, b"field"), Some(&b"small"[..]));
    let long_name = vec![b'k'; 1 << 20];
    let id = rig.set(&long_name, b"field", b"value");
    assert!(rig.keyspace.database(0).key(id) == &long_name[..]);
    rig.keyspace.check();
}

#[test]
fn an_unused_database_takes_nothing_and_a_used_one_little() {
    let mut rig = Rig::new();
    assert_eq!(rig.keyspace.bytes(), 0);
    rig.set(b"key", b"field", b"value");
    assert!(rig.keyspace.bytes() < 512, "{} bytes", rig.keyspace.bytes());
    assert_eq!(rig.keyspace.next_reclaim(), None);
}

#[test]
fn the_mean_ttl_is_that_of_the_keys_with_a_deadline() {
    let mut rig = Rig::new();
    rig.set(b"without", b"field", b"value");
    assert_eq!(rig.keyspace.database(0).average_ttl_ms(NOW), 0);
    rig.fill(100, |number| 1_000 + i64::from(number % 2) * 1_000);
    assert_eq!(rig.keyspace.database(0).average_ttl_ms(NOW), 1_500);
    assert_eq!(rig.keyspace.database(0).average_ttl_ms(UnixMillis(NOW.0 + 5_000)), 0);
}

#[test]
fn a_keyspace_and_what_leaves_it_can_change_threads() {
    fn is_send<T: Send>() {}
    is_send::<Keyspace>();
    is_send::<mayfly_store::Detached>();
}
