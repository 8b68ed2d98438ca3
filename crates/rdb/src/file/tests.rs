//! What is written is read; what is damaged anywhere is refused, at a place that is named.

use std::collections::BTreeMap;
use std::io::{self, Read};

use proptest::prelude::*;

use super::{FileError, FileReader, FileWriter, KeyHead, ValueType};
use crate::hash::FieldTtls;

type Hash = BTreeMap<Vec<u8>, Vec<u8>>;
/// By database and key.
type Keys = BTreeMap<(u32, Vec<u8>), (Option<i64>, Hash)>;

proptest! {
    #[test]
    fn what_is_written_is_read(keys in keys(), piece in 1..50usize) {
        let file = write(&keys);
        prop_assert_eq!(read(InPieces(&file, piece)).unwrap(), keys);
    }

    #[test]
    fn keys_that_nobody_reads_are_passed_over(keys in keys()) {
        let file = write(&keys);
        let mut reader = FileReader::new(&file[..]).unwrap();
        let mut seen = Vec::new();
        while let Some(head) = reader.next_key().unwrap() {
            seen.push((head.database as u32, head.key));
        }
        prop_assert_eq!(seen, keys.keys().cloned().collect::<Vec<_>>());
        prop_assert_eq!(reader.offset(), file.len() as u64);
    }

    #[test]
    fn a_file_cut_anywhere_is_torn_where_it_was_cut(keys in keys(), cut in any::<prop::sample::Index>()) {
        let file = write(&keys);
        let length = cut.index(file.len());
        match read(&file[..length]) {
            Err(FileError::NotRdb) => prop_assert!(length < 9),
            Err(FileError::Torn { offset }) => prop_assert_eq!(offset, length as u64),
            other => prop_assert!(false, "cut to {} of {}: {:?}", length, file.len(), other),
        }
    }

    #[test]
    fn a_bit_flipped_anywhere_is_noticed(keys in keys(), flip in any::<prop::sample::Index>(), bit in 0..8) {
        let mut file = write(&keys);
        let at = flip.index(file.len());
        file[at] ^= 1u8 << bit;
        prop_assert!(read(&file[..]).is_err());
        prop_assert!(skip(&file).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..30u8) {
        for header in ["REDIS0012", "REDIS0004", "VALKEY080"] {
            let opcodes = [header.as_bytes(), &bytes].concat();
            let value = [header.as_bytes(), &[kind, 0], &bytes].concat();
            for file in [opcodes, value] {
                let _ = read(&file[..]);
                let _ = skip(&file);
            }
        }
    }
}

#[test]
fn every_opcode_is_understood_and_the_deadline_is_the_keys() {
    let head = b"REDIS0004\
        \xfa\x09redis-ver\x053.2.1\
        \xf5\x03lib\
        \xf4\x01\x02\x03\
        \xf7\x05\x02\x01\x01\x07\x02\x08\x03abcd\x04abcdefgh\x05\x01s\x00\
        \xf3\x01abcd\x05\x01m\x00\
        \xfe\x03\xfb\x02\x01";
    let keys = b"\xfd\x01\x00\x00\x00\xf9\x07\x00\x01s\xc0\x05\
        \xf8\x09\x04\x01h\x01\x01f\x01v\
        \xfc\xff\xff\xff\xff\xff\xff\xff\xff\x04\x01g\x01\x01f\x01v\xff";
    let file = [&head[..], keys].concat();
    let mut reader = FileReader::new(&file[..]).unwrap();
    let mut heads = Vec::new();
    while let Some(head) = reader.next_key().unwrap() {
        heads.push(head);
    }
    let head =
        |key: &[u8], deadline, value_type| KeyHead { database: 3, key: key.to_vec(), deadline, value_type };
    let expected = [
        head(b"s", Some(1_000), ValueType::String),
        head(b"h", None, ValueType::Hash),
        head(b"g", Some(-1), ValueType::Hash),
    ];
    assert_eq!((heads, reader.server(), reader.version()), (expected.to_vec(), Some("Redis 3.2.1"), 4));
}

/// What no server at hand writes any more.
#[test]
fn old_encodings_of_other_types_are_passed_over() {
    for value in [
        &b"\x01\x01k\x02\x01a\xc0\x05"[..],
        b"\x02\x01k\x02\x01a\xc2\x05\0\0\0",
        b"\x03\x01k\x04\x01a\x031.5\x01b\xfd\x01c\xfe\x01d\xff",
        b"\x07\x01k\x81\0\0\0\0\0\0\0\x01\x02\x05\x04abcdefgh\x00",
        b"\x0a\x01k\x03abc",
        b"\x0c\x01k\xc3\x05\x0a\x00a\xe0\x00\x00",
        b"\x0e\x01k\x02\x03abc\x01d",
        b"\x0f\x01k\x01\x02id\x05block\x01\x02\x03\x01\x05group\x01\x02\x01\
            0123456789abcdefTIMETIME\x01\x01\x08consumerTIMETIME\x010123456789abcdef",
    ] {
        let file = [b"REDIS0004", value, b"\x00\x03end\x00\xff"].concat();
        let mut reader = FileReader::new(&file[..]).unwrap();
        reader.next_key().unwrap().expect("the value");
        let behind = reader.next_key().unwrap().expect("the key behind it");
        assert_eq!(behind.key, b"end", "{}", value.escape_ascii());
        assert_eq!(reader.next_key().unwrap(), None);
    }
}

#[test]
fn fields_with_a_ttl_lose_it_and_are_counted_and_those_past_it_are_left_out() {
    let now = 1_000;
    // TTLs: none, past, now, later. Redis counts from one before the earliest of them.
    let redis = b"REDIS0012\x18\x01h\xe7\x03\0\0\0\0\0\0\x04\x00\x01a\x011\x01\x01b\x012\x02\x01c\x013\x03\x01d\x014\xff";
    let valkey = b"VALKEY080\x16\x01h\x04\
        \x01a\x011\xff\xff\xff\xff\xff\xff\xff\xff\x01b\x012\xe7\x03\0\0\0\0\0\0\
        \x01c\x013\xe8\x03\0\0\0\0\0\0\x01d\x014\xe9\x03\0\0\0\0\0\0\xff";
    for file in [&redis[..], valkey] {
        let file = [file, &[0; 8]].concat();
        let mut reader = FileReader::new(&file[..]).unwrap();
        reader.next_key().unwrap().expect("there is one");
        let mut hash = Vec::new();
        let counts = reader.read_hash(now, |field, value| {
            hash.push((field.to_vec(), value.to_vec()));
            Ok::<(), FileError>(())
        });
        assert_eq!(counts.unwrap(), FieldTtls { dropped: 1, expired: 2 });
        assert_eq!(hash, [(b"a".to_vec(), b"1".to_vec()), (b"d".to_vec(), b"4".to_vec())]);
        assert_eq!(reader.next_key().unwrap(), None);
        assert!(skip(&file).is_ok());
    }
}

#[test]
fn a_visitor_that_fails_stops_the_reading() {
    let file =
        write(&Keys::from([((0, b"k".to_vec()), (None, Hash::from([(b"f".to_vec(), b"v".to_vec())])))]));
    let mut reader = FileReader::new(&file[..]).unwrap();
    reader.next_key().unwrap().expect("there is one");
    let stopped = reader.read_hash(0, |_, _| Err(FileError::BytesBehindEnd { offset: 77 }));
    assert!(matches!(stopped, Err(FileError::BytesBehindEnd { offset: 77 })));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (file, said) in [
        (
            &b"RUBBISH, and more"[..],
            "this is no RDB file: it does not begin with REDIS or VALKEY and a version",
        ),
        (b"", "this is no RDB file: it does not begin with REDIS or VALKEY and a version"),
        (b"REDIS0015\xff", "Redis has written this file in version 15 of the format, which is not known"),
        (b"VALKEY099\xff", "Valkey has written this file in version 99 of the format, which is not known"),
        (b"REDIS0004\x63", "at byte 10: type 99 is not known"),
        (b"REDIS0004\x06\x01k", "at byte 10: type 6 is not known"),
        (b"REDIS0004\x00\x03k", "at byte 12: the file is torn: it ends here, in the middle"),
        (b"REDIS0004\x04\x01k\x82", "at byte 13: a length has an unknown form"),
        (b"REDIS0004\x04\x81\0\0\0\0\xff\xff\xff\xff", "at byte 19: a string is longer than 512 MiB"),
        (b"REDIS0004\x04\x80\x1f\xff\xff\xff", "at byte 15: the file is torn: it ends here, in the middle"),
        (b"REDIS0004\x04\x01k\x00\xff", "at byte 13: the hash has no field"),
        (
            b"REDIS0004\xff*1\r\n",
            "at byte 10: bytes follow the end; an append-only file has to be read by Redis",
        ),
        (
            b"REDIS0009\xff\x01\0\0\0\0\0\0\0",
            "at byte 10: the checksum is 0000000000000001, the bytes before make 74ad0ffbbc7aac9a: the file is damaged",
        ),
    ] {
        let error = read(file).expect_err("it is wrong");
        assert_eq!(error.to_string(), said, "{}", file.escape_ascii());
    }
}

#[test]
fn a_file_that_cannot_be_read_is_no_torn_one() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("bad sector"))
        }
    }
    let error = read((&b"REDIS0004"[..]).chain(Failing)).expect_err("it cannot be read");
    assert_eq!(error.to_string(), "at byte 9: bad sector");
}

/// Hands out its bytes a few at a time.
struct InPieces<'a>(&'a [u8], usize);

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(buffer.len());
        self.0.read(&mut buffer[..count])
    }
}

/// Keys of several databases, whose hashes are small or have a field for which they are a table.
fn keys() -> impl Strategy<Value = Keys> {
    let long = prop::collection::vec(any::<u8>(), 60..70);
    let word = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..10),
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        (-70_000..70_000i32).prop_map(|value| value.to_string().into_bytes()),
        long,
    ];
    let hash = prop::collection::btree_map(word.clone(), word, 1..6);
    let key = (0..3u32, prop::collection::vec(any::<u8>(), 0..80));
    prop::collection::btree_map(key, (any::<Option<i64>>(), hash), 0..5)
}

fn write(keys: &Keys) -> Vec<u8> {
    let mut writer = FileWriter::new(Vec::new(), &[("mayfly-ver", "0.1.0")]).unwrap();
    let mut selected = None;
    for ((database, key), (deadline, hash)) in keys {
        if selected.replace(*database) != Some(*database) {
            writer.select(*database).unwrap();
        }
        let fields = hash.iter().map(|(field, value)| (&field[..], &value[..]));
        let place = writer.hash(key, *deadline, fields).unwrap();
        assert_eq!(place.end, writer.written());
    }
    writer.finish().unwrap()
}

fn read(file: impl Read) -> Result<Keys, FileError> {
    let mut reader = FileReader::new(file)?;
    let mut keys = Keys::new();
    while let Some(head) = reader.next_key()? {
        let mut hash = Hash::new();
        if head.value_type == ValueType::Hash {
            reader.read_hash(i64::MIN, |field, value| {
                hash.insert(field.to_vec(), value.to_vec());
                Ok::<(), FileError>(())
            })?;
        }
        keys.insert((head.database as u32, head.key), (head.deadline, hash));
    }
    Ok(keys)
}

fn skip(file: &[u8]) -> Result<(), FileError> {
    let mut reader = FileReader::new(file)?;
    while reader.next_key()?.is_some() {}
    Ok(())
}
