//! What a start reads of the disk: files of any content are sound or damaged; of a log or a snapshot that was damaged in
//! one place nothing is read otherwise than it was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mayfly_persistence::check::check_file;
use mayfly_persistence::disk::memory::MemoryDisk;
use mayfly_persistence::{
    Folder, LogOptions, LogReader, LogStart, LogWriter, Record, SnapshotReader, SnapshotWriter,
};

const LOG: &str = "log-00000001.mayfly";
const PART: &str = "snapshot-00000001-000.mayfly";

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    match choice % 4 {
        0 => file_of_any_content(data),
        1 => body_of_any_content(data),
        2 => damaged_log(data),
        _ => damaged_snapshot(data),
    }
});

fn file_of_any_content(bytes: &[u8]) {
    let disk = MemoryDisk::new();
    for name in [LOG, PART, "manifest"] {
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

/// A sound log, and what a start reads of it once a byte has changed.
fn damaged_log(data: &[u8]) {
    let Some((damage, bodies)) = Damage::and_bodies(data) else { return };
    let disk = MemoryDisk::new();
    let mut log = LogWriter::new(disk.clone(), 0, 1, LogOptions::default());
    log.rotate().expect("the disk is well");
    for body in &bodies {
        log.append(body).expect("there is room");
    }
    log.sync().expect("the disk is well");
    damage.strike(&disk, LOG);
    let _ = check_file(&disk, LOG).expect("the disk is well");
    let Ok(mut reader) = LogReader::open(&disk, LogStart::FIRST) else { return };
    let mut read = 0;
    while let Ok(Some(entry)) = reader.read() {
        assert_eq!(entry.body, bodies[read], "record {read}");
        read += 1;
    }
    assert!(damage.change != 0 || read == bodies.len(), "{read} of {} records of a sound log", bodies.len());
}

/// The same for a part of a snapshot, of which nothing may be missing.
fn damaged_snapshot(data: &[u8]) {
    let Some((damage, bodies)) = Damage::and_bodies(data) else { return };
    let disk = MemoryDisk::new();
    let mut writer = SnapshotWriter::begin(disk.clone(), 1, 0).expect("the disk is well");
    for body in &bodies {
        writer.append(body).expect("the disk is well");
    }
    let part = writer.finish().expect("the disk is well");
    damage.strike(&disk, PART);
    let _ = check_file(&disk, PART).expect("the disk is well");
    let Ok(mut reader) = SnapshotReader::open(&disk, 1, part) else { return };
    let mut read = 0;
    let is_whole = loop {
        match reader.read() {
            Ok(Some(body)) => assert_eq!(body, bodies[read], "record {read}"),
            Ok(None) => break true,
            Err(_) => break false,
        }
        read += 1;
    };
    assert_eq!(is_whole, damage.change == 0, "{read} of {} records", bodies.len());
}

/// A byte of a file that changes.
struct Damage {
    place: usize,
    change: u8,
}

impl Damage {
    /// Two bytes say where a third damages the file; the rest are bodies, each behind its length. The first byte of a
    /// body says that it holds effects.
    fn and_bodies(data: &[u8]) -> Option<(Self, Vec<Vec<u8>>)> {
        let (&[low, high, change], mut rest) = data.split_first_chunk()?;
        let mut bodies = Vec::new();
        while let Some((&length, behind)) = rest.split_first() {
            let (body, behind) = behind.split_at(usize::from(length).min(behind.len()));
            bodies.push([&[1], body].concat());
            rest = behind;
        }
        Some((Damage { place: usize::from(u16::from_le_bytes([low, high])), change }, bodies))
    }

    fn strike(&self, disk: &MemoryDisk, name: &str) {
        let mut file = disk.read(name).expect("the file is there");
        let place = self.place % file.len();
        file[place] ^= self.change;
        disk.put(name, &file);
    }
}
