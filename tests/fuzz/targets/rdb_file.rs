//! An RDB file of anybody: it is read to its end, or to an error that names a place within it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mayfly_rdb::{FileError, FileReader, ValueType};

const NOW: i64 = 1_700_000_000_000;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, file)) = data.split_first() else { return };
    let Ok(mut reader) = FileReader::new(file) else { return };
    while let Ok(Some(head)) = reader.next_key() {
        // Some hashes are skipped, as other types are.
        let is_read = head.value_type == ValueType::Hash && choice & 1 == 0;
        if is_read && reader.read_hash::<FileError>(NOW, |_, _| Ok(())).is_err() {
            break;
        }
    }
    assert!(reader.offset() <= file.len() as u64, "{} of {} bytes", reader.offset(), file.len());
});
