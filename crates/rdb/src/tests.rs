//! What no Redis at hand writes any more, and what nobody should: old encodings, broken ones, hostile ones.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::hash::{self, FieldTtls};
use crate::listpack::own_length_bytes;
use crate::payload::{
    READ_VERSION_MAX, WRITTEN_VERSION, read_foreign_payload, read_payload, seal, write_payload,
};
use crate::{RdbError, string};

type Hash = BTreeMap<Vec<u8>, Vec<u8>>;

/// How an encoder puts a hash into the value of its type.
type Encoder = fn(&Hash) -> Vec<u8>;

/// Every type with an encoder that fits it.
const TYPES: [(u8, Encoder); 8] = [
    (hash::HASH, table),
    (hash::ZIPMAP, |fields| blob(&zipmap(fields))),
    (hash::ZIPLIST, |fields| blob(&ziplist(fields))),
    (hash::LISTPACK, |fields| blob(&listpack(fields, None))),
    (hash::TTLS_PRE_RELEASE, |fields| table_with_ttls(fields, 0)),
    (hash::LISTPACK_TTLS_PRE_RELEASE, |fields| blob(&listpack(fields, Some(0)))),
    (hash::TTLS, |fields| [&[0; 8][..], &table_with_ttls(fields, 0)].concat()),
    (hash::LISTPACK_TTLS, |fields| [&[0; 8][..], &blob(&listpack(fields, Some(0)))].concat()),
];

proptest! {
    #[test]
    fn what_is_written_is_read(fields in hashes()) {
        let payload = write(&fields);
        prop_assert_eq!(read(&payload), Ok(fields));
    }

    #[test]
    fn every_type_is_read(fields in hashes(), version in 1..=READ_VERSION_MAX) {
        for (kind, encode) in TYPES {
            let payload = sealed(kind, &encode(&fields), version);
            prop_assert_eq!(read(&payload), Ok(fields.clone()), "type {}", kind);
        }
    }

    #[test]
    fn a_value_cut_anywhere_is_refused(fields in hashes()) {
        for (kind, encode) in TYPES {
            let value = encode(&fields);
            for length in 0..value.len() {
                let cut = sealed(kind, &value[..length], 9);
                prop_assert!(read(&cut).is_err(), "type {} cut to {} of {}", kind, length, value.len());
            }
        }
    }

    #[test]
    fn a_blob_cut_anywhere_is_refused(fields in hashes()) {
        let listpack = listpack(&fields, None);
        for (kind, whole) in [(hash::ZIPMAP, zipmap(&fields)), (hash::ZIPLIST, ziplist(&fields)), (hash::LISTPACK, listpack)] {
            for length in 0..whole.len() {
                let cut = sealed(kind, &blob(&whole[..length]), 9);
                prop_assert!(read(&cut).is_err(), "type {} cut to {} of {}", kind, length, whole.len());
            }
        }
    }

    #[test]
    fn a_payload_cut_or_flipped_anywhere_is_refused(fields in hashes(), flip in any::<prop::sample::Index>(), bit in 0..8) {
        let mut payload = write(&fields);
        for length in 0..payload.len() {
            prop_assert_eq!(read(&payload[..length]), Err(RdbError::VersionOrChecksum));
        }
        let at = flip.index(payload.len());
        payload[at] ^= 1u8 << bit;
        prop_assert_eq!(read(&payload), Err(RdbError::VersionOrChecksum));
    }

    /// With the checksum made right again, flipped bits reach the decoders. They may well be another hash.
    #[test]
    fn flipped_bits_never_panic(fields in hashes(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8), 1..4)) {
        for (kind, encode) in TYPES {
            let mut value = encode(&fields);
            for (at, bit) in &flips {
                let at = at.index(value.len());
                value[at] ^= 1u8 << bit;
            }
            let _ = read(&sealed(kind, &value, 9));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(kind in any::<u8>(), value in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&sealed(kind, &value, 9));
        for (kind, version) in [(kind, 12), (kind, 80), (hash::VALKEY_TTLS, 80)] {
            let _ = read_foreign_payload(&sealed(kind, &value, version), 0, &mut |_, _| true);
        }
        for (kind, _) in TYPES {
            let _ = read(&sealed(kind, &value, 9));
            let _ = read(&sealed(kind, &blob(&value), 9));
        }
    }
}

#[test]
fn a_field_that_occurs_twice_is_refused() {
    let twice: [(&[u8], &[u8]); 2] = [(b"f", b"1"), (b"f", b"2")];
    assert_eq!(read(&write_payload(twice.into_iter())), Err(RdbError::DuplicateField));
}

#[test]
fn a_hash_without_fields_is_refused() {
    for (kind, encode) in TYPES {
        let payload = sealed(kind, &encode(&Hash::new()), 9);
        assert!(matches!(read(&payload), Err(RdbError::Malformed(_))), "type {kind}");
    }
}

#[test]
fn a_field_with_a_ttl_is_refused_in_every_type() {
    let fields = Hash::from([(b"f".to_vec(), b"v".to_vec())]);
    for (kind, value) in [
        (hash::TTLS_PRE_RELEASE, table_with_ttls(&fields, 1)),
        (hash::LISTPACK_TTLS_PRE_RELEASE, blob(&listpack(&fields, Some(1)))),
        (hash::TTLS, [&[0; 8][..], &table_with_ttls(&fields, 1)].concat()),
        (hash::LISTPACK_TTLS, [&[0; 8][..], &blob(&listpack(&fields, Some(1)))].concat()),
    ] {
        assert_eq!(read(&sealed(kind, &value, 12)), Err(RdbError::FieldTtl), "type {kind}");
    }
}

#[test]
fn a_payload_of_another_server_is_read_where_a_restore_refuses_it() {
    let fields = Hash::from([(b"f".to_vec(), b"v".to_vec())]);
    let valkey = [&table(&fields)[..], &(-1_i64).to_le_bytes()].concat();
    for (kind, value, version, dropped) in [
        (hash::TTLS_PRE_RELEASE, table_with_ttls(&fields, 5), 12, 1),
        (hash::VALKEY_TTLS, valkey, 80, 0),
        (hash::HASH, table(&fields), 13, 0),
    ] {
        let payload = sealed(kind, &value, version);
        assert!(read(&payload).is_err());
        let mut found = Hash::new();
        let counts = read_foreign_payload(&payload, 0, &mut |field, value| {
            found.insert(field.to_vec(), value.to_vec()).is_none()
        });
        assert_eq!((counts, found), (Ok(FieldTtls { dropped, expired: 0 }), fields.clone()));
    }
    for version in [15, 79, 82] {
        let payload = sealed(hash::HASH, &table(&fields), version);
        assert_eq!(read_foreign_payload(&payload, 0, &mut |_, _| true), Err(RdbError::VersionOrChecksum));
    }
}

#[test]
fn newer_versions_and_checksums_of_zero_are_refused() {
    let fields = Hash::from([(b"f".to_vec(), b"v".to_vec())]);
    let newer = sealed(hash::HASH, &table(&fields), READ_VERSION_MAX + 1);
    assert_eq!(read(&newer), Err(RdbError::VersionOrChecksum));
    let mut unsummed = write(&fields);
    let end = unsummed.len();
    unsummed[end - 8..].fill(0);
    assert_eq!(read(&unsummed), Err(RdbError::VersionOrChecksum));
}

#[test]
fn bytes_behind_the_value_are_refused() {
    let fields = Hash::from([(b"f".to_vec(), b"v".to_vec())]);
    let value = [&table(&fields)[..], b"x"].concat();
    assert!(read(&sealed(hash::HASH, &value, 9)).is_err());
}

/// Hashes with fields and values of all lengths at which an encoding changes.
fn hashes() -> impl Strategy<Value = Hash> {
    let length = prop_oneof![8 => 0..20usize, 1 => 60..70usize, 1 => 120..140usize, 1 => 250..260usize];
    let bytes = length.prop_flat_map(|length| prop::collection::vec(any::<u8>(), length));
    let digits = any::<i64>().prop_map(|value| value.to_string().into_bytes());
    let word = prop_oneof![bytes, digits];
    prop::collection::btree_map(word.clone(), word, 1..6)
}

fn write(fields: &Hash) -> Vec<u8> {
    write_payload(fields.iter().map(|(field, value)| (&field[..], &value[..])))
}

fn read(payload: &[u8]) -> Result<Hash, RdbError> {
    let mut read = Hash::new();
    read_payload(payload, &mut |field, value| read.insert(field.to_vec(), value.to_vec()).is_none())?;
    Ok(read)
}

fn sealed(kind: u8, value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = [&[kind], value].concat();
    seal(&mut payload, version);
    payload
}

fn table(fields: &Hash) -> Vec<u8> {
    let payload = write(fields);
    assert_eq!(payload[payload.len() - 10..][..2], WRITTEN_VERSION.to_le_bytes());
    payload[1..payload.len() - 10].to_vec()
}

fn table_with_ttls(fields: &Hash, ttl: u8) -> Vec<u8> {
    let mut value = vec![fields.len() as u8];
    for (field, text) in fields {
        value.push(ttl);
        string::write(&mut value, field);
        string::write(&mut value, text);
    }
    value
}

fn blob(bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    string::write(&mut value, bytes);
    value
}

fn zipmap(fields: &Hash) -> Vec<u8> {
    let length = |length: usize| match u8::try_from(length) {
        Ok(short @ 0..=253) => vec![short],
        _ => [&[254][..], &(length as u32).to_le_bytes()].concat(),
    };
    let mut map = vec![fields.len() as u8];
    for (field, value) in fields {
        map.extend(length(field.len()));
        map.extend(field);
        map.extend(length(value.len()));
        map.extend([2]);
        map.extend(value);
        map.extend(*b"??");
    }
    map.push(0xff);
    map
}

fn ziplist(fields: &Hash) -> Vec<u8> {
    let mut items = Vec::new();
    let (mut before, mut last) = (0, 10);
    for text in fields.iter().flat_map(|(field, value)| [field, value]) {
        last = 10 + items.len();
        let mut item = match before {
            0..=253 => vec![before as u8],
            _ => [&[254][..], &(before as u32).to_le_bytes()].concat(),
        };
        let integer = integer_of(text).filter(|_| text.len() < 32);
        match integer {
            Some(value @ 0..=12) => item.push(0xf1 + value as u8),
            Some(value) if i8::try_from(value).is_ok() => item.extend([0xfe, value as u8]),
            Some(value) if i16::try_from(value).is_ok() => push(&mut item, 0xc0, &value.to_le_bytes()[..2]),
            Some(value) if fits_24_bits(value) => push(&mut item, 0xf0, &value.to_le_bytes()[..3]),
            Some(value) if i32::try_from(value).is_ok() => push(&mut item, 0xd0, &value.to_le_bytes()[..4]),
            Some(value) => push(&mut item, 0xe0, &value.to_le_bytes()),
            None => {
                match text.len() {
                    0..=63 => item.push(text.len() as u8),
                    _ => item.extend((0x4000 | text.len() as u16).to_be_bytes()),
                }
                item.extend(text);
            }
        }
        before = item.len();
        items.extend(item);
    }
    let mut list = ((items.len() + 11) as u32).to_le_bytes().to_vec();
    list.extend((last as u32).to_le_bytes());
    list.extend((fields.len() as u16 * 2).to_le_bytes());
    list.extend(items);
    list.push(0xff);
    list
}

fn listpack(fields: &Hash, ttl: Option<u8>) -> Vec<u8> {
    let mut items = Vec::new();
    let mut count = 0u16;
    let mut add = |item: Vec<u8>| {
        let mut length = item.len();
        items.extend(item);
        let groups = own_length_bytes(length);
        let at = items.len();
        items.resize(at + groups, 0);
        for group in (0..groups).rev() {
            items[at + group] = (length & 0x7f) as u8 | if group > 0 { 0x80 } else { 0 };
            length >>= 7;
        }
        count += 1;
    };
    for (field, value) in fields {
        add(listpack_item(field));
        add(listpack_item(value));
        if let Some(ttl) = ttl {
            add(vec![ttl]);
        }
    }
    let mut pack = ((items.len() + 7) as u32).to_le_bytes().to_vec();
    pack.extend(count.to_le_bytes());
    pack.extend(items);
    pack.push(0xff);
    pack
}

fn listpack_item(text: &[u8]) -> Vec<u8> {
    let mut item = Vec::new();
    match integer_of(text) {
        Some(value @ 0..=127) => item.push(value as u8),
        Some(value @ -4096..=4095) => item.extend((0xc000 | value as u16 & 0x1fff).to_be_bytes()),
        Some(value) if i16::try_from(value).is_ok() => push(&mut item, 0xf1, &value.to_le_bytes()[..2]),
        Some(value) if fits_24_bits(value) => push(&mut item, 0xf2, &value.to_le_bytes()[..3]),
        Some(value) if i32::try_from(value).is_ok() => push(&mut item, 0xf3, &value.to_le_bytes()[..4]),
        Some(value) => push(&mut item, 0xf4, &value.to_le_bytes()),
        None => {
            match text.len() {
                0..=63 => item.push(0x80 | text.len() as u8),
                _ => item.extend((0xe000 | text.len() as u16).to_be_bytes()),
            }
            item.extend(text);
        }
    }
    item
}

fn push(item: &mut Vec<u8>, form: u8, content: &[u8]) {
    item.push(form);
    item.extend(content);
}

fn fits_24_bits(value: i64) -> bool {
    (-0x80_0000..=0x7f_ffff).contains(&value)
}

/// The integer that `text` spells in its one canonical way.
fn integer_of(text: &[u8]) -> Option<i64> {
    let value: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (value.to_string().as_bytes() == text).then_some(value)
}
