//! What a start reads of the disk: files of any content are sound or damaged, and a log that was damaged in one place is
//! read up to there and never otherwise than it was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mayfly_persistence::check::check_file;
use mayfly_persistence::disk::memory::MemoryDisk;
use mayfly_persistence::{Folder, LogOptions, LogReader, LogStart, LogWriter, Record};

const LOG: &str = "log-00000001.mayfly";

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    match choice % 3 {
        0 => file_of_any_content(data),
        1 => body_of_any_content(data),
        _ => damaged_log(data),
    }
});

fn file_of_any_content(bytes: &[u8]) {
    let disk = MemoryDisk::new();
    for name in [LOG, "snapshot-00000001-000.mayfly", "manifest"] {
        disk.put(name, bytes);
    }
    let _ = check_file(&disk, LOG).expect("the disk is well");
    if let Ok(mut reader) = LogReader::open(&disk, LogStart::FIRST) {
        while let Ok(Some(_)) = reader.read() {}
    }
    let _ = Folder::open(disk.clone());
    let _ = Folder::open_for_repair(disk);
}

fn body_of_any_content(bytes: &[u8]) {
    if let Ok(record) = Record::read(bytes) {
        let _ = record.effects().count();
    }
}

/// Two bytes say where a third damages the file; the rest are bodies, each behind its length.
fn damaged_log(data: &[u8]) {
    let Some((&[low, high, damage], mut rest)) = data.split_first_chunk() else { return };
    let disk = MemoryDisk::new();
    let mut log = LogWriter::new(disk.clone(), 0, 1, LogOptions::default());
    log.rotate().expect("the disk is well");
    let mut bodies = Vec::new();
    while let Some((&length, behind)) = rest.split_first() {
        let (body, behind) = behind.split_at(usize::from(length).min(behind.len()));
        bodies.push(body);
        log.append(body).expect("there is room");
        rest = behind;
    }
    log.sync().expect("the disk is well");
    let mut file = disk.read(LOG).expect("the log is there");
    let place = usize::from(u16::from_le_bytes([low, high])) % file.len();
    file[place] ^= damage;
    disk.put(LOG, &file);
    let _ = check_file(&disk, LOG).expect("the disk is well");
    let Ok(mut reader) = LogReader::open(&disk, LogStart::FIRST) else { return };
    let mut read = 0;
    while let Ok(Some(entry)) = reader.read() {
        assert_eq!(entry.body, bodies[read], "record {read}");
        read += 1;
    }
    assert!(damage != 0 || read == bodies.len(), "{read} of {} records of a sound log", bodies.len());
}
