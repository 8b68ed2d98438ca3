//! Making a damaged folder loadable: what lies before the damage stays, the rest is moved aside.

use super::{Checked, Finding, Report, check};
use crate::disk::{Disk, DiskFile, read_full};
use crate::error::{Tried, Trouble};
use crate::folder::Folder;
use crate::frame::{FILE_HEADER_BYTES, FileHeader};
use crate::log::{self, LogStart};
use crate::manifest::Manifest;
use crate::names::Name;
use crate::snapshot::{self, Part};

/// How much is copied at once.
const COPY_BYTES: usize = 1 << 20;
/// How often a folder may have been repaired before.
const ASIDE_MAX: u32 = 10_000;

/// What a repair has done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repaired {
    /// The files that hold what was put aside.
    pub aside: Vec<String>,
    /// What there is now.
    pub report: Report,
}

/// Repairs what [`super::check()`] finds in a folder, until it finds nothing more. After trouble it can be repeated.
pub fn repair<D: Disk>(folder: &mut Folder<D>) -> Result<Repaired, Trouble> {
    let mut repair = Repair { disk: folder.disk().clone(), aside: Vec::new() };
    let mut report = check(folder)?;
    // What lies before a damage may be damaged too, which shows once that one is repaired.
    for _ in 0..=report.files.len() {
        if report.is_loadable() {
            break;
        }
        repair.all(folder, &report)?;
        report = check(folder)?;
    }
    Ok(Repaired { aside: repair.aside, report })
}

struct Repair<D> {
    disk: D,
    aside: Vec<String>,
}

impl<D: Disk> Repair<D> {
    fn all(&mut self, folder: &mut Folder<D>, report: &Report) -> Result<(), Trouble> {
        let old = folder.manifest().clone();
        let mut parts = Vec::new();
        for part in &old.snapshot {
            let name = Name::Snapshot { generation: old.generation, part: part.part }.to_string();
            let checked = report.files.iter().find(|checked| checked.file == name);
            parts.extend(match checked {
                Some(checked) => self.part(*part, checked)?,
                None => Some(*part),
            });
        }
        for checked in &report.files {
            if let Some(Name::Log(number)) = Name::parse(&checked.file) {
                self.segment(number, checked, old.log)?;
            }
        }
        self.disk.sync_folder().tried("sync", "the folder")?;
        if parts != old.snapshot {
            folder.replace_manifest(Manifest::new(old.generation, old.log, parts))?;
        }
        Ok(())
    }

    /// Repairs a part of the snapshot; `None` where nothing of it is left.
    fn part(&mut self, part: Part, checked: &Checked) -> Result<Option<Part>, Trouble> {
        match &checked.finding {
            Finding::Missing => Ok(None),
            Finding::Damaged(damage) if damage.offset < FILE_HEADER_BYTES as u64 => {
                self.move_aside(&checked.file)?;
                Ok(None)
            }
            Finding::Damaged(damage) => {
                self.copy_aside(&checked.file, damage.offset)?;
                snapshot::end_at(&self.disk, &checked.file, part.part, damage.offset, checked.records)
                    .map(Some)
            }
            Finding::Sound | Finding::Torn(_) | Finding::Unreachable => Ok(Some(part)),
        }
    }

    /// Repairs a segment of the log.
    fn segment(&mut self, number: u64, checked: &Checked, start: LogStart) -> Result<(), Trouble> {
        let offset = match &checked.finding {
            Finding::Sound => return Ok(()),
            Finding::Torn(torn) => torn.offset,
            Finding::Damaged(damage) => damage.offset,
            Finding::Missing | Finding::Unreachable => 0,
        };
        if offset > 0 {
            self.copy_aside(&checked.file, offset)?;
            let mut file = self.disk.open(&checked.file).tried("open", &checked.file)?;
            file.truncate(offset).tried("truncate", &checked.file)?;
            return file.sync().tried("sync", &checked.file);
        }
        if checked.finding != Finding::Missing {
            self.move_aside(&checked.file)?;
        }
        // The first one is named by the manifest: an empty one takes its place.
        if number == start.segment {
            let header = FileHeader { magic: log::MAGIC, number, second: start.sequence };
            let mut file = self.disk.create(&checked.file).tried("create", &checked.file)?;
            file.write_at(0, &header.write()).tried("write", &checked.file)?;
            file.sync().tried("sync", &checked.file)?;
        }
        Ok(())
    }

    fn move_aside(&mut self, file: &str) -> Result<(), Trouble> {
        let aside = self.name_aside(file)?;
        self.disk.rename(file, &aside).tried("rename", file)?;
        self.aside.push(aside);
        Ok(())
    }

    /// Copies what lies from `offset` on.
    fn copy_aside(&mut self, file: &str, offset: u64) -> Result<(), Trouble> {
        let from = self.disk.open(file).tried("open", file)?;
        if from.length().tried("read", file)? <= offset {
            return Ok(());
        }
        let aside = self.name_aside(file)?;
        let mut to = self.disk.create(&aside).tried("create", &aside)?;
        let mut piece = vec![0; COPY_BYTES];
        let mut copied = 0;
        loop {
            let count = read_full(&from, offset + copied, &mut piece).tried("read", file)?;
            if count == 0 {
                break;
            }
            to.write_at(copied, &piece[..count]).tried("write", &aside)?;
            copied += count as u64;
        }
        to.sync().tried("sync", &aside)?;
        self.disk.sync_folder().tried("sync", "the folder")?;
        self.aside.push(aside);
        Ok(())
    }

    /// A name for what is put aside that nothing has.
    fn name_aside(&self, file: &str) -> Result<String, Trouble> {
        let taken = self.disk.list().tried("list", "the folder")?;
        let numbered = (2..ASIDE_MAX).map(|number| format!("{file}.{number}.damaged"));
        let mut names = std::iter::once(format!("{file}.damaged")).chain(numbered);
        let free = names.find(|name| !taken.contains(name));
        free.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::AlreadyExists)).tried("put aside", file)
    }
}
