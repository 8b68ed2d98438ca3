//! The store in small: what a command does with it.

use mayfly_store::{Key, KeyHasher, Keyspace, StoreOptions, UnixMillis};

#[test]
fn a_hash_is_made_found_moved_and_expires() {
    let hasher = KeyHasher::from_seed(7);
    let mut keyspace = Keyspace::new(StoreOptions::default(), hasher.clone());
    let now = UnixMillis(1_700_000_000_000);
    let key = Key::new(b"session:1", &hasher);
    let database = keyspace.database_mut(0);
    let (mut id, created) = database.find_or_create(key, || 0, now);
    assert!(created && database.set_field(&mut id, b"user", b"alice"));
    database.set_deadline(id, Some(UnixMillis(now.0 + 60_000)));
    let detached = database.detach(id);
    assert!(database.is_empty());
    let id = keyspace.database_mut(1).attach(key, detached);
    assert_eq!(keyspace.database(1).field(id, b"user"), Some(&b"alice"[..]));
    keyspace.check();

    let mut expired = Vec::new();
    let mut now = now;
    while let Some(next) = keyspace.next_reclaim() {
        now = next.max(now);
        keyspace.reclaim(now, 256, &mut |index, key, deadline| expired.push((index, key.to_vec(), deadline)));
        keyspace.check();
    }
    assert_eq!(expired, [(1, b"session:1".to_vec(), UnixMillis(1_700_000_060_000))]);
    assert_eq!(now, UnixMillis(1_700_000_060_000));
    assert_eq!(keyspace.database(1).len(), 0);
}

#[test]
fn a_hash_is_put_together_before_it_has_a_key() {
    let hasher = KeyHasher::from_seed(7);
    let mut keyspace = Keyspace::new(StoreOptions::default(), hasher.clone());
    let (key, now) = (Key::new(b"session:1", &hasher), UnixMillis(1_700_000_000_000));
    let deadline = Some(UnixMillis(now.0 + 60_000));
    for count in [1, 1_000] {
        let database = keyspace.database_mut(0);
        let mut hash = database.assemble(now);
        for number in 0..count {
            assert!(hash.set(format!("field:{number}").as_bytes(), b"value"));
        }
        assert!(!hash.set(b"field:0", b"other"));
        assert_eq!(database.find(key, now), None);
        let id = database.attach(key, hash.finish(deadline));
        assert_eq!(database.field_count(id), count);
        assert_eq!(database.field(id, b"field:0"), Some(&b"other"[..]));
        assert_eq!((database.is_packed(id), database.deadline(id)), (count == 1, deadline));
        keyspace.check();
        keyspace.database_mut(0).remove(id);
    }
}
