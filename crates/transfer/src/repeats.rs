//! Finding what a scan has given twice, in bounded memory.
//!
//! SCAN and HSCAN of a Redis may give a key or a field more than once (when a table shrinks meanwhile), and Redis
//! refuses a file in which one occurs twice. To remember every name would take memory without bound; to ask what our
//! own SCAN guarantees would not help with a Redis. So for everything written a fingerprint and its place are noted
//! in temporary files, 32 bytes each, 64 files by fingerprint. At the end one after the other is read, a part of its
//! fingerprints at a time if it has more than fit into memory (beyond 32 million names); what occurs a second time
//! there is cut out of what was written. Usually that is nothing, and all that was spent are the temporary files.
//!
//! Fingerprints have 128 bits under random keys, so that two names share one about as often as memory fails.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::ops::Range;
use std::path::Path;

use mayfly_rdb::FileWriter;

/// Notes that are looked at together: 16 MiB of them.
const NOTES_AT_ONCE: u64 = 512 << 10;

const FILES: usize = 64;

/// What was written where.
pub(crate) struct Repeats {
    files: Vec<NoteFile>,
    keys: [RandomState; 2],
    notes_at_once: u64,
}

/// The notes of some of the fingerprints.
struct NoteFile {
    notes: BufWriter<File>,
    count: u64,
}

/// A fingerprint, and the place where its name stands.
type Note = ((u64, u64), u64, u64);

impl Repeats {
    /// Notes into files of this folder that nobody else sees.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let file = |_| Ok(NoteFile { notes: BufWriter::new(tempfile::tempfile_in(folder)?), count: 0 });
        let files = (0..FILES).map(file).collect::<io::Result<_>>()?;
        Ok(Repeats { files, keys: [RandomState::new(), RandomState::new()], notes_at_once: NOTES_AT_ONCE })
    }

    /// How much was noted.
    pub(crate) fn count(&self) -> u64 {
        self.files.iter().map(|file| file.count).sum()
    }

    /// Notes that this name was written at this place.
    pub(crate) fn note(&mut self, name: (u64, &[u8]), place: &Range<u64>) -> io::Result<()> {
        let [high, low] = [0, 1].map(|half: usize| self.keys[half].hash_one(name));
        let file = &mut self.files[low as usize % FILES];
        for number in [high, low, place.start, place.end] {
            file.notes.write_all(&number.to_le_bytes())?;
        }
        file.count += 1;
        Ok(())
    }

    /// The places where a name stands that stood before, in ascending order.
    pub(crate) fn find(mut self) -> io::Result<Vec<Range<u64>>> {
        let mut repeated = Vec::new();
        for file in &mut self.files {
            let parts = file.count.div_ceil(self.notes_at_once);
            for part in 0..parts {
                let mut notes = file.read(|fingerprint| part_of(fingerprint, parts) == part)?;
                notes.sort_unstable();
                let pairs = notes.windows(2).filter(|pair| pair[0].0 == pair[1].0);
                repeated.extend(pairs.map(|pair| pair[1].1..pair[1].2));
            }
        }
        repeated.sort_unstable_by_key(|place| place.start);
        Ok(repeated)
    }
}

impl NoteFile {
    /// The notes whose fingerprint, by its first half, is wanted.
    fn read(&mut self, wanted: impl Fn(u64) -> bool) -> io::Result<Vec<Note>> {
        self.notes.flush()?;
        let file = self.notes.get_mut();
        file.rewind()?;
        let mut reader = BufReader::new(file);
        let mut notes = Vec::new();
        for _ in 0..self.count {
            let [mut high, mut low, mut start, mut end] = [[0; 8]; 4];
            for number in [&mut high, &mut low, &mut start, &mut end] {
                reader.read_exact(number)?;
            }
            let high = u64::from_le_bytes(high);
            if wanted(high) {
                let [low, start, end] = [low, start, end].map(u64::from_le_bytes);
                notes.push(((high, low), start, end));
            }
        }
        Ok(notes)
    }
}

/// Which of `parts` equal parts of the range of fingerprints this one is in.
fn part_of(fingerprint: u64, parts: u64) -> u64 {
    ((u128::from(fingerprint) * u128::from(parts)) >> u64::BITS) as u64
}

/// Copies the bytes at `range` of a file, but for the holes, which are in ascending order.
pub(crate) fn copy_without<W: Write>(
    from: &mut File,
    range: Range<u64>,
    holes: &[Range<u64>],
    to: &mut FileWriter<W>,
) -> io::Result<()> {
    let mut start = range.start;
    let ends = holes.iter().map(|hole| (hole.start, hole.end)).chain([(range.end, range.end)]);
    for (end, next) in ends {
        copy(from, start..end, to)?;
        start = next;
    }
    Ok(())
}

fn copy<W: Write>(from: &mut File, range: Range<u64>, to: &mut FileWriter<W>) -> io::Result<()> {
    from.seek(io::SeekFrom::Start(range.start))?;
    let mut left = range.end - range.start;
    let mut buffer = vec![0; 64 << 10];
    while left > 0 {
        let piece = left.min(buffer.len() as u64) as usize;
        from.read_exact(&mut buffer[..piece])?;
        to.raw(&buffer[..piece])?;
        left -= piece as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_but_the_first_are_found(names in prop::collection::vec(0..200u8, 0..600), notes_at_once in 1..9u64) {
            let mut repeats = Repeats { notes_at_once, ..Repeats::new(&std::env::temp_dir()).unwrap() };
            let (mut seen, mut expected) = (BTreeSet::new(), Vec::new());
            for (place, name) in (0_u64..).map(|number| number * 10..number * 10 + 7).zip(&names) {
                repeats.note((u64::from(name % 2), &[*name]), &place).unwrap();
                if !seen.insert(name) {
                    expected.push(place);
                }
            }
            prop_assert_eq!(repeats.count(), names.len() as u64);
            prop_assert_eq!(repeats.find().unwrap(), expected);
        }
    }

    #[test]
    fn the_same_name_in_another_database_is_another_key() {
        let mut repeats = Repeats::new(&std::env::temp_dir()).unwrap();
        for database in 0..3 {
            repeats.note((database, b"key"), &(0..1)).unwrap();
        }
        assert_eq!(repeats.find().unwrap(), []);
    }

    #[test]
    fn what_lies_in_holes_is_not_copied() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        for (range, holes, copied) in
            [(0..10, &[][..], "0123456789"), (2..9, &[3..5, 5..6, 8..9], "267"), (0..4, &[0..2, 2..4], "")]
        {
            let mut writer = FileWriter::new(Vec::new(), &[]).unwrap();
            let head = writer.written() as usize;
            copy_without(&mut file, range, holes, &mut writer).unwrap();
            let length = writer.written() as usize;
            assert_eq!(&writer.finish().unwrap()[head..length], copied.as_bytes());
        }
    }
}
