//! Files that Redis 7.0.15, Redis 8.2.3 and Valkey 9.1.2 have saved, with a key of every encoding in them:
//! `files/make.py` says what is in there.

use std::collections::BTreeMap;

use mayfly_rdb::{FieldTtls, FileError, FileReader, ValueType};

const REDIS_7: &[u8] = include_bytes!("files/redis-7.0.rdb");
const REDIS_8: &[u8] = include_bytes!("files/redis-8.2.rdb");
const VALKEY_9: &[u8] = include_bytes!("files/valkey-9.1.rdb");

/// The deadline that keys with one have, in 2100.
const FAR: i64 = 4_102_444_800_000;

type Hash = BTreeMap<String, String>;

/// What was found in a file.
#[derive(Default)]
struct Found {
    hashes: BTreeMap<(u64, String), (Option<i64>, Hash)>,
    types: BTreeMap<ValueType, u32>,
    field_ttls: FieldTtls,
}

#[test]
fn every_hash_is_read_and_everything_else_passed_over_and_counted() {
    for (file, server, version, with_field_ttls) in [
        (REDIS_7, "Redis 7.0.15", 10, false),
        (REDIS_8, "Redis 8.2.3", 12, true),
        (VALKEY_9, "Valkey 9.1.2", 80, true),
    ] {
        let (found, reader) = read(file, 0).expect(server);
        assert_eq!((reader.server(), reader.version()), (Some(server), version));
        assert_eq!(found.hashes.get(&(0, "hash".into())), Some(&(None, small())), "{server}");
        assert_eq!(found.hashes.get(&(0, "table".into())), Some(&(None, table())), "{server}");
        let expiring = (Some(FAR), hash(&[("f", "v")]));
        assert_eq!(found.hashes.get(&(0, "expiring".into())), Some(&expiring), "{server}");
        let elsewhere = (Some(FAR + 1), hash(&[("f", &"v".repeat(100))]));
        assert_eq!(found.hashes.get(&(3, "elsewhere".into())), Some(&elsewhere), "{server}");
        if with_field_ttls {
            let mut fields = hash(&[("stays", "1"), ("later", "2"), ("also", "3")]);
            assert_eq!(found.hashes[&(0, "field-ttls".into())], (None, fields.clone()), "{server}");
            fields.extend((0..20).map(|number| (format!("word:{number}"), "0".to_owned())));
            assert_eq!(found.hashes[&(0, "field-ttls-table".into())], (None, fields), "{server}");
            assert_eq!(found.field_ttls, FieldTtls { dropped: 2, expired: 0 });
        }
        let hashes = if with_field_ttls { 6 } else { 4 };
        let expected = [
            (ValueType::String, 5),
            (ValueType::List, 2),
            (ValueType::Set, 3),
            (ValueType::SortedSet, 2),
            (ValueType::Hash, hashes),
            (ValueType::Stream, 1),
        ];
        assert_eq!(found.types, BTreeMap::from(expected), "{server}");
    }
}

#[test]
fn fields_past_their_ttl_are_left_out() {
    for file in [REDIS_8, VALKEY_9] {
        let (found, _) = read(file, FAR).expect("it is whole");
        assert_eq!(found.hashes[&(0, "field-ttls".into())].1, hash(&[("stays", "1"), ("also", "3")]));
        assert_eq!(found.field_ttls, FieldTtls { dropped: 0, expired: 2 });
    }
}

#[test]
fn a_file_cut_anywhere_or_with_a_byte_changed_is_refused() {
    for file in [REDIS_7, REDIS_8, VALKEY_9] {
        for length in (0..file.len()).step_by(7) {
            assert!(read(&file[..length], 0).is_err(), "cut to {length}");
        }
        for at in (0..file.len()).step_by(3) {
            let mut changed = file.to_vec();
            changed[at] ^= 0x55;
            assert!(read(&changed, 0).is_err(), "changed at {at}");
        }
    }
}

fn read(file: &[u8], now: i64) -> Result<(Found, FileReader<&[u8]>), FileError> {
    let mut reader = FileReader::new(file)?;
    let mut found = Found::default();
    while let Some(head) = reader.next_key()? {
        *found.types.entry(head.value_type).or_default() += 1;
        if head.value_type != ValueType::Hash {
            continue;
        }
        let mut fields = Hash::new();
        let counts = reader.read_hash(now, |field, value| {
            fields.insert(text(field), text(value));
            Ok::<(), FileError>(())
        })?;
        found.field_ttls.dropped += counts.dropped;
        found.field_ttls.expired += counts.expired;
        found.hashes.insert((head.database, text(&head.key)), (head.deadline, fields));
    }
    Ok((found, reader))
}

fn small() -> Hash {
    hash(&[("name", "Ada"), ("visits", "1"), ("negative", "-70000")])
}

fn table() -> Hash {
    (0..20).map(|number| (format!("word:{number}"), number.to_string())).collect()
}

fn hash(fields: &[(&str, &str)]) -> Hash {
    fields.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
