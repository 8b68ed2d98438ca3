//! What is evicted, against simple models: the nearest deadline exactly, the others by numbers with a fixed seed.

use std::collections::{BTreeMap, BTreeSet};

use mayfly_store::{
    AccessPolicy, Eviction, EvictionPolicy, Key, KeyHasher, Keyspace, StoreOptions, UnixMillis, packed_bytes,
};

const START: i64 = 1_767_225_600_000;
const LFU: AccessPolicy = AccessPolicy::Frequency { log_factor: 10, decay_minutes: 1 };

/// A keyspace with a seed of its own for everything random.
struct Fixture {
    keyspace: Keyspace,
    hasher: KeyHasher,
    random: u64,
    now: UnixMillis,
}

impl Fixture {
    fn new(access: AccessPolicy) -> Self {
        let hasher = KeyHasher::from_seed(7);
        let options = StoreOptions { databases: 4, access, ..StoreOptions::default() };
        Fixture {
            keyspace: Keyspace::new(options, hasher.clone()),
            hasher,
            random: 99,
            now: UnixMillis(START),
        }
    }

    /// splitmix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random() % limit
    }

    fn set(&mut self, database: u16, key: u64, value: &[u8], deadline: Option<i64>) {
        let name = key.to_string();
        let key = Key { bytes: name.as_bytes(), hash: self.hasher.hash(name.as_bytes()) };
        let database = self.keyspace.database_mut(database);
        let (mut id, _) = database.find_or_create(key, || packed_bytes(b"f", value), self.now);
        database.set_field(&mut id, b"f", value);
        database.touch(id, self.now);
        database.set_deadline(id, deadline.map(UnixMillis));
    }

    fn remove(&mut self, database: u16, key: u64) {
        let name = key.to_string();
        let key = Key { bytes: name.as_bytes(), hash: self.hasher.hash(name.as_bytes()) };
        let database = self.keyspace.database_mut(database);
        if let Some(id) = database.find(key, self.now) {
            database.remove(id);
        }
    }

    /// Evicts one key; `None` if there is none to evict.
    fn evict(&mut self, policy: EvictionPolicy) -> Option<(u16, u64)> {
        for _ in 0..100_000 {
            let (random, mut steps, mut evicted) = (self.random(), 100, None);
            let mut note = |database, key: &[u8]| {
                evicted = Some((database, std::str::from_utf8(key).unwrap().parse().unwrap()));
            };
            match self.keyspace.evict(policy, 5, self.now, random, &mut steps, &mut note) {
                Eviction::Evicted => return evicted,
                Eviction::Nothing => return None,
                Eviction::Searching => assert_eq!((steps, evicted), (0, None)),
            }
        }
        panic!("a search takes for ever");
    }
}

#[test]
fn the_nearest_deadline_goes_first_exactly_whatever_happens_meanwhile() {
    let mut fixture = Fixture::new(AccessPolicy::Recency);
    let mut model: BTreeMap<(u16, u64), i64> = BTreeMap::new();
    let mut evicted = 0;
    for round in 0..60_000 {
        let place = (fixture.below(2) as u16, fixture.below(3_000));
        match fixture.below(20) {
            0..12 => {
                let span = [50, 5_000, 500_000, 100_000_000, 100_000_000_000][fixture.below(5) as usize];
                let deadline = fixture.now.0 + 1 + fixture.below(span) as i64;
                let value = vec![b'x'; fixture.below(200) as usize];
                fixture.set(place.0, place.1, &value, Some(deadline));
                model.insert(place, deadline);
            }
            12 => {
                fixture.set(place.0, place.1, b"for ever", None);
                model.remove(&place);
            }
            13 => {
                fixture.remove(place.0, place.1);
                model.remove(&place);
            }
            14 if round % 7 == 0 => {
                fixture.now.0 += fixture.below(2_000) as i64;
                let now = fixture.now;
                while fixture.keyspace.reclaim(now, 64, &mut |_, _, _| {}).more {}
                model.retain(|_, deadline| *deadline > now.0);
            }
            15.. => {
                let nearest = model.values().min().copied();
                let gone = fixture.evict(EvictionPolicy::VolatileTtl);
                assert_eq!(gone.map(|place| model[&place]), nearest, "round {round}");
                if let Some(place) = gone {
                    model.remove(&place);
                    evicted += 1;
                }
            }
            _ => {}
        }
        if round % 5_000 == 0 {
            fixture.keyspace.check();
        }
    }
    assert!(evicted > 5_000 && fixture.keyspace.stats().evicted == evicted, "{evicted}");
    fixture.keyspace.check();
}

#[test]
fn a_search_through_many_keys_comes_in_slices_and_misses_none_that_moves_meanwhile() {
    let mut fixture = Fixture::new(AccessPolicy::Recency);
    let mut deadlines = BTreeSet::new();
    for key in 0..200_000 {
        // All in few lists of the wheel.
        let deadline = START + 10_000_000_000 + fixture.below(1_000_000_000) as i64;
        fixture.set(0, key, b"v", Some(deadline));
        deadlines.insert((deadline, key));
    }
    let mut searched = 0;
    for round in 0..30_000 {
        let (random, mut steps, mut gone) = (fixture.random(), 1_000, 0);
        let mut note = |_, key: &[u8]| gone = std::str::from_utf8(key).unwrap().parse().unwrap();
        let now = fixture.now;
        match fixture.keyspace.evict(EvictionPolicy::VolatileTtl, 5, now, random, &mut steps, &mut note) {
            Eviction::Evicted => {
                let (nearest, _) = *deadlines.first().unwrap();
                assert!(deadlines.remove(&(nearest, gone)), "round {round}: not {gone}");
            }
            outcome => {
                assert_eq!(outcome, Eviction::Searching);
                searched += 1;
            }
        }
        let (key, deadline) =
            (fixture.below(200_000), START + 9_999_000_000 + fixture.below(2_000_000) as i64);
        if round % 500 != 0 {
            continue;
        }
        if let Some(before) = deadlines.iter().find(|(_, other)| *other == key).copied() {
            deadlines.remove(&before);
            deadlines.insert((deadline, key));
            fixture.set(0, key, b"v", Some(deadline));
        }
    }
    assert!((100..5_000).contains(&searched), "{searched} slices");
}

/// The mean of the keys that are left, of which the first half was evicted, as a part of the mean that a perfect order
/// would leave.
fn quality(policy: EvictionPolicy, access: AccessPolicy, mut use_key: impl FnMut(&mut Fixture, u64)) -> f64 {
    const KEYS: u64 = 10_000;
    let mut fixture = Fixture::new(access);
    for key in 0..KEYS {
        use_key(&mut fixture, key);
    }
    let mut left: BTreeSet<u64> = (0..KEYS).collect();
    for _ in 0..KEYS / 2 {
        let (_, key) = fixture.evict(policy).unwrap();
        assert!(left.remove(&key));
    }
    fixture.keyspace.check();
    let mean = left.iter().sum::<u64>() as f64 / left.len() as f64;
    mean / (KEYS as f64 * 0.75)
}

#[test]
fn what_was_used_lately_stays() {
    for policy in [EvictionPolicy::AllkeysLru, EvictionPolicy::VolatileLru] {
        let quality = quality(policy, AccessPolicy::Recency, |fixture, key| {
            fixture.now.0 += 1_000;
            fixture.set(0, key, b"v", Some(i64::MAX));
        });
        assert!(quality > 0.95, "{policy:?}: {quality}");
    }
}

#[test]
fn what_is_used_often_stays() {
    for policy in [EvictionPolicy::AllkeysLfu, EvictionPolicy::VolatileLfu] {
        let quality = quality(policy, LFU, |fixture, key| {
            for _ in 0..=key / 100 {
                fixture.set((key % 3) as u16, key, b"v", Some(i64::MAX));
            }
        });
        assert!(quality > 0.85, "{policy:?}: {quality}");
    }
}

#[test]
fn chance_prefers_nothing() {
    for policy in [EvictionPolicy::AllkeysRandom, EvictionPolicy::VolatileRandom] {
        let quality = quality(policy, AccessPolicy::Recency, |fixture, key| {
            fixture.now.0 += 1_000;
            fixture.set((key % 2) as u16, key, b"v", Some(i64::MAX));
        });
        assert!((0.63..0.70).contains(&quality), "{policy:?}: {quality}, chance is 0.667");
    }
}

#[test]
fn keys_without_a_deadline_are_safe_from_volatile_policies() {
    use EvictionPolicy::*;
    for (policy, access) in [
        (VolatileTtl, AccessPolicy::Recency),
        (VolatileLru, AccessPolicy::Recency),
        (VolatileRandom, AccessPolicy::Recency),
        (VolatileLfu, LFU),
    ] {
        let mut fixture = Fixture::new(access);
        for key in 0..5_000 {
            let deadline = (key % 500 == 7).then_some(START + 1_000_000 + key as i64);
            fixture.set((key % 3) as u16, key, b"v", deadline);
        }
        assert_eq!(fixture.keyspace.evictable(policy), 10);
        for _ in 0..10 {
            let (_, key) = fixture.evict(policy).unwrap_or_else(|| panic!("{policy:?}: one has a deadline"));
            assert_eq!(key % 500, 7, "{policy:?}");
        }
        assert_eq!(fixture.evict(policy), None, "{policy:?}");
        assert_eq!(fixture.evict(Noeviction), None);
    }
}

#[test]
fn used_bytes_fall_with_every_key_and_large_hashes_go_in_pieces() {
    let mut fixture = Fixture::new(AccessPolicy::Recency);
    for key in 0..20_000 {
        fixture.set(0, key, &[b'x'; 100], None);
    }
    let full = fixture.keyspace.used_bytes();
    for _ in 0..10_000 {
        fixture.evict(EvictionPolicy::AllkeysRandom);
    }
    let half = fixture.keyspace.used_bytes();
    assert!((full * 45 / 100..full * 55 / 100).contains(&half), "{half} of {full} bytes");
    assert!(fixture.keyspace.bytes() >= half);
    let mut fixture = Fixture::new(AccessPolicy::Recency);
    let hasher = fixture.hasher.clone();
    let database = fixture.keyspace.database_mut(0);
    let key = Key { bytes: b"1", hash: hasher.hash(b"1") };
    let (mut id, _) = database.find_or_create(key, || 0, UnixMillis(START));
    for field in 0..50_000_u32 {
        database.set_field(&mut id, &field.to_le_bytes(), &[b'x'; 100]);
    }
    let full = fixture.keyspace.used_bytes();
    assert_eq!(fixture.evict(EvictionPolicy::AllkeysRandom), Some((0, 1)));
    assert!(fixture.keyspace.used_bytes() > full / 2, "it is freed in pieces");
    while fixture.keyspace.free_pieces(1) > 0 {}
    assert!(fixture.keyspace.used_bytes() < 10_000);
}

#[test]
fn what_is_due_expires_before_anything_is_evicted() {
    let mut fixture = Fixture::new(AccessPolicy::Recency);
    fixture.set(0, 1, b"v", Some(START + 10));
    fixture.set(3, 2, b"v", None);
    let mut expired = Vec::new();
    let mut note = |database: u16, key: &[u8], _| expired.push((database, key.to_vec()));
    assert!(!fixture.keyspace.expire_one(UnixMillis(START + 9), &mut note));
    assert!(fixture.keyspace.expire_one(UnixMillis(START + 10), &mut note));
    assert!(!fixture.keyspace.expire_one(UnixMillis(START + 11), &mut note));
    assert_eq!(expired, [(0, b"1".to_vec())]);
    assert_eq!(fixture.keyspace.stats().expired_by_wheel, 1);
}
