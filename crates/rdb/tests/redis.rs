//! Payloads as Redis 7.0.15 and 8.2.3 answered them to `DUMP`, and what `HGETALL` answered for the same hash.

use std::collections::BTreeMap;

use mayfly_rdb::{RdbError, read_payload};

type Hash = BTreeMap<Vec<u8>, Vec<u8>>;

/// Values at the edges of every integer encoding, and some that only look like integers; field `fN` holds the Nth.
const INTEGERS: [&str; 20] = [
    "0",
    "127",
    "128",
    "-1",
    "4095",
    "-4096",
    "4096",
    "32767",
    "-32768",
    "8388607",
    "-8388608",
    "8388608",
    "2147483647",
    "-2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "01",
    "+1",
    "-0",
    "",
];

#[test]
fn small_hashes_in_listpacks() {
    let expected = hash(&[("name", "Ada"), ("visits", "1")]);
    for payload in [
        "101c1c0000000400846e616d6505834164610486766973697473070101ff0a0067d678d0b0c7b23f",
        "101c1c0000000400846e616d6505834164610486766973697473070101ff0c00aca04c104aed2c76",
    ] {
        assert_eq!(read(payload), Ok(expected.clone()));
    }
}

#[test]
fn integers_in_compressed_listpacks() {
    for payload in [
        "10c340ae40bb10bb0000002800826630030001826631037f20050a3203c0800282663303dfff2006023403cf4006033503d000200d\
         0c3603f100100382663703f1ff7f20070038200f008020070f3903f2ffff7f048366313004f20000804009023104f3200901000520\
         14033204f3ff201f400a00334015010080400a023404f420154000017f092024023504f4201940000080400e053604823031032017\
         033704822b6008043804822d3040110439048001ff0a001d3e1be96a134b10",
        "10c340ae40bb10bb0000002800826630030001826631037f20050a3203c0800282663303dfff2006023403cf4006033503d000200d\
         0c3603f100100382663703f1ff7f20070038200f008020070f3903f2ffff7f048366313004f20000804009023104f3200901000520\
         14033204f3ff201f400a00334015010080400a023404f420154000017f092024023504f4201940000080400e053604823031032017\
         033704822b6008043804822d3040110439048001ff0c00d6482f299039d559",
    ] {
        assert_eq!(read(payload), Ok(integers()));
    }
}

#[test]
fn integers_in_tables() {
    for payload in [
        "041403663134133932323333373230333638353437373538303703663130c2000080ff026632c1800003663133c200000080036631\
         35142d39323233333732303336383534373735383038026633c0ff026636c10010036631390003663136023031026638c100800266\
         31c07f03663132c2ffffff7f026639c2ffff7f0003663138022d3003663131c200008000026634c1ff0f026630c000026637c1ff7f\
         03663137022b31026635c100f00a002b453a185326b8fc",
        "04140366313900026637c1ff7f03663136023031026632c18000026634c1ff0f026631c07f03663132c2ffffff7f026633c0ff0366\
         3130c2000080ff026636c10010026635c100f003663133c200000080026638c1008003663131c200008000026630c0000366313702\
         2b3103663138022d30026639c2ffff7f0003663134133932323333373230333638353437373538303703663135142d393232333337\
         323033363835343737353830380c00ef0c3fc10442067d",
    ] {
        assert_eq!(read(payload), Ok(integers()));
    }
}

#[test]
fn compressed_strings_in_tables() {
    let expected = hash(&[("lorem", &"lorem ipsum ".repeat(40)), (&"a".repeat(30), &"b".repeat(300))]);
    for payload in [
        "0402056c6f72656dc31741e00c6c6f72656d20697073756d206ce0ff0be1c007016d20c3091e016161e01100016161c30c412c0162\
         62e0ff00e017000162620a0020b9a8d06af03d3c",
        "0402c3091e016161e01100016161c30c412c016262e0ff00e01700016262056c6f72656dc31741e00c6c6f72656d20697073756d20\
         6ce0ff0be1c007016d200c005c0c33dd0740575f",
    ] {
        assert_eq!(read(payload), Ok(expected.clone()));
    }
}

#[test]
fn strings_of_every_length_in_listpacks() {
    let expected = hash(&[("s", &"s".repeat(63)), ("m", &"m".repeat(300)), ("l", &"ab".repeat(3_000))]);
    for payload in [
        "10c3407358f80af81800000600817302bf73e035000640816d02e12c6de0ff00e01a000b02ae816c02f0701700006162e0\
         ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff\
         01e0ff01e0ff01e0ff01e0ff01e0ff01e0b501022ef5ff0a00830a0540e436a9b7",
        "10c3407358f80af81800000600817302bf73e035000640816d02e12c6de0ff00e01a000b02ae816c02f0701700006162e0\
         ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff01e0ff\
         01e0ff01e0ff01e0ff01e0ff01e0ff01e0b501022ef5ff0c00487c31801e1c37fe",
    ] {
        assert_eq!(read(payload), Ok(expected.clone()));
    }
}

#[test]
fn fields_that_lost_their_ttl_are_read() {
    let payload = "19e4775f04a2010000181800000006008162028374776f04000181610201010001ff0c00da362c5944289555";
    assert_eq!(read(payload), Ok(hash(&[("a", "1"), ("b", "two")])));
}

#[test]
fn fields_with_a_ttl_are_refused() {
    for payload in [
        "19e4775f04a2010000202000000006008161020101f4e4775f04a2010000098162028374776f040001ff0c000ade36c967424267",
        "18e4775f04a201000002010161c0010001620374776f0c00eaea8fd210551591",
    ] {
        assert_eq!(read(payload), Err(RdbError::FieldTtl));
    }
}

#[test]
fn other_types_are_refused() {
    assert_eq!(read("00c0010c00ed0ed3762b2b8fb5"), Err(RdbError::NotAHash(0)));
}

fn integers() -> Hash {
    let fields = INTEGERS.iter().enumerate();
    fields.map(|(position, value)| (format!("f{position}").into_bytes(), value.as_bytes().to_vec())).collect()
}

fn hash(fields: &[(&str, &str)]) -> Hash {
    fields.iter().map(|(field, value)| (field.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn read(hex: &str) -> Result<Hash, RdbError> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).expect("a hexadecimal digit") as u8;
    let payload: Vec<u8> =
        hex.as_bytes().chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect();
    let mut read = Hash::new();
    read_payload(&payload, &mut |field, value| read.insert(field.to_vec(), value.to_vec()).is_none())?;
    Ok(read)
}
