//! What a server keeps on the disk, and where that is.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Program;

/// What a server keeps on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// Nothing.
    Without,
    /// The snapshots that are asked for. Redis and Valkey only: Mayfly keeps a log beside them.
    Snapshots,
    /// A log, on the disk before a reply leaves. Snapshots only when they are asked for, here and in what follows.
    Always,
    /// A log, brought to the disk once a second.
    Everysec,
    /// A log, brought to the disk when the system likes to.
    Never,
}

impl Persistence {
    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Persistence::Without => "none",
            Persistence::Snapshots => "snapshots",
            Persistence::Always => "always",
            Persistence::Everysec => "everysec",
            Persistence::Never => "never",
        }
    }

    /// Has Mayfly keep this in the folder.
    pub(super) fn tell_mayfly(self, command: &mut Command, folder: &Path) {
        if self == Persistence::Without {
            return;
        }
        command.arg("--dir").arg(folder.join("data"));
        command.env("MAYFLY_PERSISTENCE__FSYNC", self.name());
        command.env("MAYFLY_PERSISTENCE__LOG_GROWTH_PERCENT", "0");
    }

    /// Has Redis or Valkey keep this in the folder that it runs in.
    pub(super) fn tell_redis(self, command: &mut Command) {
        command.args(["--save", ""]);
        match self {
            Persistence::Without | Persistence::Snapshots => command.args(["--appendonly", "no"]),
            Persistence::Always | Persistence::Everysec | Persistence::Never => {
                let fsync = if self == Persistence::Never { "no" } else { self.name() };
                command.args(["--appendonly", "yes", "--appendfsync", fsync]);
                command.args(["--auto-aof-rewrite-percentage", "0"])
            }
        };
    }

    /// Refuses what a program has not.
    pub fn check(self, program: Program) -> Result<()> {
        let has = match program {
            Program::Mayfly => self != Persistence::Snapshots,
            Program::Redis | Program::Valkey => true,
            Program::Kevy | Program::Echo => self == Persistence::Without,
        };
        ensure!(has, "{} is not asked for persistence {}", program.name(), self.name());
        Ok(())
    }
}

/// Where the folders of servers are, and on which file system.
///
/// # Errors
/// They are in memory, where nothing is durable and syncing costs nothing.
pub fn place() -> Result<String> {
    let folder = std::env::temp_dir().canonicalize()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts")?;
    let kind = file_system_of(&folder, &mounts).context("no file system holds the temporary folder")?;
    let folder = folder.display();
    ensure!(
        !matches!(kind, "tmpfs" | "ramfs"),
        "{folder} is in memory ({kind}); let TMPDIR name one on a disk"
    );
    Ok(format!("{folder} on {kind}"))
}

/// The type of the file system with the longest mount point that leads to a path.
fn file_system_of<'a>(path: &Path, mounts: &'a str) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        path.starts_with(point).then_some((point.len(), kind))
    });
    // Of two at the same place the later one is seen.
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// Bytes of all files in a folder and in those below it.
pub fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { bytes_in(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{bytes_in, file_system_of};

    #[test]
    fn a_path_is_on_the_file_system_that_is_mounted_nearest_above_it() {
        let mounts = "/dev/vda / ext4 rw 0 0\nnone /tmp tmpfs rw 0 0\n/dev/vdb /tmp xfs rw 0 0\nproc /proc proc rw 0 0\n";
        assert_eq!(file_system_of(Path::new("/tmp/x"), mounts), Some("xfs"));
        assert_eq!(file_system_of(Path::new("/tmpx"), mounts), Some("ext4"));
        assert_eq!(file_system_of(Path::new("/var"), "proc /proc proc rw 0 0\n"), None);
    }

    #[test]
    fn the_bytes_of_a_folder_are_those_of_all_files_below_it() {
        let folder = std::env::temp_dir().join(format!("mayfly-compare-bytes-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("below")).unwrap();
        std::fs::write(folder.join("a"), [0; 10]).unwrap();
        std::fs::write(folder.join("below/b"), [0; 5]).unwrap();
        assert_eq!(bytes_in(&folder).unwrap(), 15);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
