//! A payload for `RESTORE`: what is read of it is a hash, and written again reads the same.

#![no_main]

use std::collections::BTreeMap;

use crc::{CRC_64_REDIS, Crc};
use libfuzzer_sys::fuzz_target;
use mayfly_rdb::{read_foreign_payload, read_payload, write_payload};

type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

static CHECKSUM: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);

fuzz_target!(|data: &[u8]| {
    let _ = read(data);
    // As it is, hardly any input has the right checksum, and what lies behind it would never be tried.
    let mut sealed = data.to_vec();
    sealed.extend(CHECKSUM.checksum(data).to_le_bytes());
    let _ = read_foreign_payload(&sealed, 1_700_000_000_000, &mut |_, _| true);
    if let Some(fields) = read(&sealed) {
        let written = write_payload(fields.iter().map(|(field, value)| (&**field, &**value)));
        assert_eq!(read(&written).expect("what was written can be read"), fields);
    }
});

fn read(payload: &[u8]) -> Option<Fields> {
    let mut fields = Fields::new();
    let result =
        read_payload(payload, &mut |field, value| fields.insert(field.to_vec(), value.to_vec()).is_none());
    result.ok().map(|()| fields)
}
