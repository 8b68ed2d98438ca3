//! Whether a folder can be loaded, and how to make one loadable that cannot.
//!
//! [`check`] reads everything that a start would read, down to the last effect, and goes on behind what it finds
//! where it can. [`repair`] keeps what lies before the damage and moves the rest aside, to `*.damaged` beside it:
//! nothing is deleted. [`check_file`] looks at one file by itself, wherever it lies.

mod repair;

use crate::disk::Disk;
use crate::effect::Record;
use crate::error::{Damage, LoadError, Tried, Trouble, damage};
use crate::folder::Folder;
use crate::frame::FileHeader;
use crate::frames::{Frames, Step};
use crate::log::{self, LogReader, Torn};
use crate::names::Name;
use crate::snapshot::{self, SnapshotReader};

pub use repair::{Repaired, repair};

/// What there is in a folder.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// The files that count, in the order in which they are loaded.
    pub files: Vec<Checked>,
    /// Files of ours that do not count: the next start removes them.
    pub strays: Vec<String>,
}

/// A file that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Its name in the folder.
    pub file: String,
    /// Records of it that can be used.
    pub records: u64,
    /// What is wrong with it.
    pub finding: Finding,
}

/// What is wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Nothing.
    Sound,
    /// It ends in the middle of what was being written. A start cuts that off and goes on.
    Torn(Torn),
    /// It is damaged. A start refuses it.
    Damaged(Damage),
    /// It should be there. A start refuses to do without.
    Missing,
    /// It lies behind a damage, so that nothing of it can be used.
    Unreachable,
}

impl Report {
    /// Whether a start can load the folder; torn tails do not keep it from that.
    pub fn is_loadable(&self) -> bool {
        self.files.iter().all(|checked| matches!(checked.finding, Finding::Sound | Finding::Torn(_)))
    }
}

/// Whether there is anything of ours in a folder, so that it can be taken for one of data.
pub fn is_data_folder(disk: &impl Disk) -> Result<bool, Trouble> {
    let names = disk.list().tried("list", "the folder")?;
    Ok(names.iter().any(|name| Name::parse(name).is_some()))
}

/// Reads a folder as a start does. Changes nothing.
pub fn check<D: Disk>(folder: &Folder<D>) -> Result<Report, Trouble> {
    let mut report = Report { files: Vec::new(), strays: folder.strays()? };
    for part in &folder.manifest().snapshot {
        let generation = folder.manifest().generation;
        let file = Name::Snapshot { generation, part: part.part }.to_string();
        let mut checked = Checked { file, records: 0, finding: Finding::Sound };
        checked.finding = match folder.read_snapshot(*part) {
            Ok(mut reader) => {
                let result = read_part(&mut reader);
                checked.records = reader.records();
                finding_of(result)?
            }
            Err(error) => finding_of(Err(error))?,
        };
        report.files.push(checked);
    }
    check_log(folder, &mut report)?;
    Ok(report)
}

/// Reads one file by itself: a segment of a log or a part of a snapshot. What is cut short at its end may be a torn
/// tail, which only the folder it belongs to can tell.
pub fn check_file<D: Disk>(disk: &D, file: &str) -> Result<Checked, Trouble> {
    let mut frames = Frames::new(disk.open(file).tried("open", file)?).tried("read", file)?;
    let front = frames.file_header().tried("read", file)?;
    let mut records = 0;
    let log = FileHeader::read(&front, log::MAGIC);
    let part = FileHeader::read(&front, snapshot::MAGIC);
    let mut next = match (&log, &part) {
        (Ok(header), _) => header.second,
        (_, Ok(_)) => 1,
        (Err(what), Err(_)) => {
            let finding = Finding::Damaged(damage(file, 0, what.as_str()));
            return Ok(Checked { file: file.to_owned(), records, finding });
        }
    };
    let is_log = log.is_ok();
    let mut has_end = is_log;
    let what = loop {
        match frames.step(next).tried("read", file)? {
            Step::Frame(_) if has_end && !is_log => break Some("a record behind the end".to_owned()),
            Step::Frame(_) if !is_log && snapshot::is_end(frames.body(), records) => has_end = true,
            Step::Frame(_) => {
                if let Some(what) = wrong_in(frames.body()) {
                    break Some(what);
                }
                records += 1;
            }
            Step::End if has_end => break None,
            Step::End => break Some("the end of the snapshot is missing".to_owned()),
            Step::Bad(what) => break Some(what.to_owned()),
        }
        next += 1;
    };
    let finding = match what {
        None => Finding::Sound,
        Some(what) => Finding::Damaged(damage(file, frames.offset(), what)),
    };
    Ok(Checked { file: file.to_owned(), records, finding })
}

fn read_part<D: Disk>(reader: &mut SnapshotReader<D>) -> Result<(), LoadError> {
    while let Some(body) = reader.read()? {
        if let Some(what) = wrong_in(body) {
            return Err(reader.refuse(what).into());
        }
    }
    Ok(())
}

fn check_log<D: Disk>(folder: &Folder<D>, report: &mut Report) -> Result<(), Trouble> {
    let front = report.files.len();
    let segments = log::numbers(folder.disk(), folder.manifest().log)?;
    let names = segments.iter().map(|number| Name::Log(*number).to_string());
    report.files.extend(names.map(|file| Checked { file, records: 0, finding: Finding::Sound }));
    let files = &mut report.files;
    match read_log(folder, &mut files[front..]) {
        Ok(torn) => {
            for torn in torn {
                if let Some(checked) = files.iter_mut().find(|checked| checked.file == torn.file) {
                    checked.finding = Finding::Torn(torn);
                }
            }
        }
        Err(LoadError::Damage(damage)) => {
            let at = files.iter().position(|checked| checked.file == damage.file).unwrap_or(front);
            files[at].finding = Finding::Damaged(damage);
            files[at + 1..].iter_mut().for_each(|checked| checked.finding = Finding::Unreachable);
        }
        Err(LoadError::Missing(file)) => {
            files[front..].iter_mut().for_each(|checked| checked.finding = Finding::Unreachable);
            files.insert(front, Checked { file, records: 0, finding: Finding::Missing });
        }
        Err(LoadError::Trouble(trouble)) => return Err(trouble),
        Err(LoadError::InUse) => unreachable!("the folder is open"),
    }
    Ok(())
}

/// Reads the log to its end and counts the records of each segment.
fn read_log<D: Disk>(folder: &Folder<D>, segments: &mut [Checked]) -> Result<Vec<Torn>, LoadError> {
    let mut reader = LogReader::open(folder.disk(), folder.manifest().log)?;
    loop {
        let Some(entry) = reader.read()? else {
            return Ok(reader.end().torn);
        };
        let wrong = wrong_in(entry.body);
        let (file, offset) = reader.position();
        if let Some(what) = wrong {
            return Err(damage(file, offset, what).into());
        }
        if let Some(checked) = segments.iter_mut().find(|checked| checked.file == file) {
            checked.records += 1;
        }
    }
}

/// What is wrong with a body whose checksum is right.
fn wrong_in(body: &[u8]) -> Option<String> {
    let wrong = match Record::read(body) {
        Err(error) => Some(error),
        Ok(record) => record.effects().find_map(Result::err),
    };
    wrong.map(|error| error.to_string())
}

fn finding_of(result: Result<(), LoadError>) -> Result<Finding, Trouble> {
    match result {
        Ok(()) => Ok(Finding::Sound),
        Err(LoadError::Damage(damage)) => Ok(Finding::Damaged(damage)),
        Err(LoadError::Missing(_)) => Ok(Finding::Missing),
        Err(LoadError::Trouble(trouble)) => Err(trouble),
        Err(LoadError::InUse) => unreachable!("the folder is open"),
    }
}
