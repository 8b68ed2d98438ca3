//! `mayfly check`: a line for each file of a data folder, and whether a start could load it. What is read and how it is
//! repaired is in `mayfly_persistence::check`.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use mayfly_persistence::check::{self, Checked, Finding, Report};
use mayfly_persistence::{Folder, LoadError, RealDisk};

use crate::flags::CheckFlags;
use crate::{FAILED, MISCONFIGURED, complain, print};

/// Why there is nothing to print: the exit code and the line that says so.
type Refused = (u8, String);

/// Runs `mayfly check`.
pub fn run(flags: &CheckFlags) -> ExitCode {
    let path = &flags.path;
    let is_file = path.metadata().map(|metadata| metadata.is_file()).map_err(|error| error.to_string());
    let checked = match is_file {
        Err(ref problem) => Err((MISCONFIGURED, problem.clone())),
        Ok(true) if flags.repair => {
            Err((MISCONFIGURED, "--repair takes the folder, since its files belong together".into()))
        }
        Ok(true) => file(path),
        Ok(false) => folder(path, flags.repair),
    };
    let (text, is_loadable) = match checked {
        Ok(checked) => checked,
        Err((code, problem)) => return complain(code, &format!("{}: {problem}", path.display())),
    };
    let printed = print(&text);
    if is_loadable {
        return printed;
    }
    let what = match is_file {
        Ok(true) => "is damaged, or ends in the middle of what was being written",
        _ => "cannot be loaded; with --repair, what lies before the damage is kept and the rest moved aside",
    };
    complain(FAILED, &format!("{} {what}", path.display()))
}

/// Checks one file by itself.
fn file(path: &Path) -> Result<(String, bool), Refused> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| (MISCONFIGURED, "no file of a data folder has such a name".to_owned()))?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let disk = RealDisk::open(folder).map_err(|error: io::Error| (MISCONFIGURED, error.to_string()))?;
    let checked = check::check_file(&disk, name).map_err(|error| failed(&error))?;
    let is_sound = checked.finding == Finding::Sound;
    Ok((lines(&[checked]), is_sound))
}

/// Checks a folder, and repairs it if that is asked for and needed.
fn folder(path: &Path, repair: bool) -> Result<(String, bool), Refused> {
    let disk = RealDisk::open(path).map_err(|error| (MISCONFIGURED, error.to_string()))?;
    if !check::is_data_folder(&disk).map_err(|error| failed(&error))? {
        return Err((MISCONFIGURED, "there is no data of Mayfly in this folder".into()));
    }
    let opened =
        if repair { Folder::open_for_repair(disk) } else { Folder::open(disk).map(|folder| (folder, false)) };
    let (mut folder, is_restored) = opened.map_err(|error| match error {
        LoadError::Damage(_) | LoadError::Missing(_) if !repair => {
            (FAILED, format!("{error}; with --repair, it is restored from its copy"))
        }
        _ => failed(&error),
    })?;
    let report = check::check(&folder).map_err(|error| failed(&error))?;
    let mut text = String::from(if is_restored { "manifest restored from its copy\n" } else { "" });
    text += &render(&report);
    if !repair || report.is_loadable() {
        return Ok((text, report.is_loadable()));
    }
    let repaired = check::repair(&mut folder).map_err(|error| failed(&error))?;
    let aside = repaired.aside.iter().map(|file| format!("moved aside: {file}\n"));
    text.extend(aside.chain(["after the repair:\n".to_owned(), render(&repaired.report)]));
    Ok((text, repaired.report.is_loadable()))
}

fn failed(error: &impl ToString) -> Refused {
    (FAILED, error.to_string())
}

fn render(report: &Report) -> String {
    let mut text = lines(&report.files);
    text.extend(report.strays.iter().map(|file| format!("{file}  not used, the next start removes it\n")));
    text
}

fn lines(files: &[Checked]) -> String {
    let width = files.iter().map(|checked| checked.file.len()).max().unwrap_or(0);
    let line = |checked: &Checked| {
        let records = match checked.records {
            1 => "1 record".to_owned(),
            count => format!("{count} records"),
        };
        format!("{:width$}  {records:>12}  {}\n", checked.file, finding(&checked.finding))
    };
    files.iter().map(line).collect()
}

fn finding(finding: &Finding) -> String {
    match finding {
        Finding::Sound => "ok".into(),
        Finding::Torn(torn) => {
            format!("ok, but for a torn tail of {} bytes, which the next start cuts off", torn.bytes)
        }
        Finding::Damaged(damage) => format!("damaged at byte {}: {}", damage.offset, damage.what),
        Finding::Missing => "missing".into(),
        Finding::Unreachable => "of no use behind the damage".into(),
    }
}
