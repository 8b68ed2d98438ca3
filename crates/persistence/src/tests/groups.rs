//! Records that belong together are read all or not at all, however the log ends and however often that is tried.

use crate::check::{Finding, check, repair};
use crate::disk::memory::MemoryDisk;
use crate::{Folder, Journal, LoadError, LogOptions, LogWriter, Record, set_continued};

const FIRST: &str = "log-00000001.mayfly";

fn body(value: u8, is_continued: bool) -> Vec<u8> {
    let mut journal = Journal::new();
    journal.begin(1_000);
    journal.key(0, b"key");
    journal.set(b"field", &[value; 40]);
    journal.deadline(None);
    let mut body = journal.take();
    set_continued(&mut body, is_continued);
    body
}

/// Records 1 and 5 by themselves, 2 to 4 together; segments begin before the records that are named.
fn written(rotations: &[u8], records: u8) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut log = LogWriter::new(disk.clone(), 0, 1, LogOptions::default());
    for value in 1..=records {
        if rotations.contains(&value) {
            log.rotate().unwrap();
        }
        log.append(&body(value, (2..4).contains(&value))).unwrap();
        log.write_out().unwrap();
    }
    disk
}

/// The values of all records; what is torn is cut, as far as `cuts` of it go.
fn start(disk: &MemoryDisk, cuts: usize) -> Result<(Vec<u8>, LogWriter<MemoryDisk>), LoadError> {
    let folder = Folder::open(disk.clone())?;
    let mut reader = folder.read_log()?;
    let mut values = Vec::new();
    while let Some(entry) = reader.read()? {
        let record = Record::read(entry.body).unwrap();
        assert!(record.effects().all(|effect| effect.is_ok()));
        values.push(entry.body[entry.body.len() - 2]);
    }
    let end = reader.end();
    for torn in end.torn.iter().take(cuts) {
        torn.cut(disk).unwrap();
    }
    Ok((values, LogWriter::new(disk.clone(), end.last_segment, end.next_sequence, LogOptions::default())))
}

#[test]
fn a_group_is_read_whole_wherever_segments_begin() {
    for rotations in [&[][..], &[2], &[3], &[4], &[2, 3, 4, 5]] {
        let disk = written(rotations, 5);
        assert_eq!(start(&disk, 0).unwrap().0, [1, 2, 3, 4, 5], "{rotations:?}");
        assert!(check(&Folder::open(disk).unwrap()).unwrap().is_loadable());
    }
}

#[test]
fn a_group_whose_end_is_missing_is_torn_from_its_beginning() {
    let length_of = |records| written(&[], records).read(FIRST).unwrap().len();
    let (begin, end) = (length_of(1), length_of(4));
    for length in begin..=end {
        let disk = written(&[], 4);
        let bytes = disk.read(FIRST).unwrap();
        disk.put(FIRST, &bytes[..length]);
        let expected = if length == end { vec![1, 2, 3, 4] } else { vec![1] };
        let (values, mut log) = start(&disk, usize::MAX).unwrap();
        assert_eq!(values, expected, "cut at {length} of {begin} to {end}");
        log.append(&body(9, false)).unwrap();
        log.sync().unwrap();
        assert_eq!(start(&disk, 0).unwrap().0, [&expected[..], &[9]].concat());
    }
}

#[test]
fn a_torn_group_in_several_segments_is_cut_from_the_end_so_that_every_attempt_may_be_cut_short() {
    for rotations in [&[3][..], &[2, 3], &[2], &[3, 3]] {
        for cuts in 0..=rotations.len() + 1 {
            let disk = written(rotations, 3);
            let (values, _) = start(&disk, cuts).unwrap();
            assert_eq!(values, [1], "{rotations:?}");
            // The machine has stopped behind so many cuts.
            let (values, mut log) = start(&disk, usize::MAX).unwrap();
            assert_eq!(values, [1], "{rotations:?} after {cuts}");
            log.append(&body(9, false)).unwrap();
            log.sync().unwrap();
            assert_eq!(start(&disk, 0).unwrap().0, [1, 9]);
        }
    }
}

#[test]
fn damage_in_a_group_is_damage_where_it_was_synced_and_a_repair_drops_all_of_the_group() {
    let disk = MemoryDisk::new();
    let mut log = LogWriter::new(disk.clone(), 0, 1, LogOptions::default());
    let mut places = Vec::new();
    for value in 1..=5 {
        places.push(disk.read(FIRST).map_or(0, |bytes| bytes.len()));
        log.append(&body(value, (2..4).contains(&value))).unwrap();
        log.sync().unwrap();
    }
    let mut bytes = disk.read(FIRST).unwrap();
    bytes[places[2] + 30] ^= 1;
    disk.put(FIRST, &bytes);
    let Err(LoadError::Damage(damage)) = start(&disk, 0) else { panic!("it is damaged") };
    assert_eq!(damage.offset, places[2] as u64);
    let mut folder = Folder::open(disk.clone()).unwrap();
    let repaired = repair(&mut folder).unwrap();
    assert!(repaired.report.is_loadable());
    let torn = |finding: &Finding| matches!(finding, Finding::Torn(torn) if torn.offset == places[1] as u64);
    assert!(repaired.report.files.iter().any(|checked| torn(&checked.finding)), "{:?}", repaired.report);
    drop(folder);
    assert_eq!(start(&disk, usize::MAX).unwrap().0, [1]);
}
