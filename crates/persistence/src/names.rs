//! The names of the files in a folder.
//!
//! ```text
//!  lock                           held by the process that uses the folder
//!  manifest                       which of the others count
//!  manifest.copy                  the same once more, for a repair
//!  manifest.new                   the next one, being written
//!  log-00000007.mayfly            segment 7 of the log
//!  snapshot-00000003-001.mayfly   part 1 of snapshot 3
//!  *.damaged                      moved aside by a repair, never read
//! ```

pub(crate) const LOCK: &str = "lock";
pub(crate) const MANIFEST: &str = "manifest";
pub(crate) const MANIFEST_COPY: &str = "manifest.copy";
pub(crate) const MANIFEST_NEW: &str = "manifest.new";

/// What a file is by its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Name {
    Manifest,
    ManifestCopy,
    ManifestNew,
    Log(u64),
    Snapshot { generation: u64, part: u64 },
}

impl Name {
    /// `None`: it is not one of ours.
    pub fn parse(name: &str) -> Option<Self> {
        let parsed = match name {
            MANIFEST => Name::Manifest,
            MANIFEST_COPY => Name::ManifestCopy,
            MANIFEST_NEW => Name::ManifestNew,
            _ => {
                let stem = name.strip_suffix(".mayfly")?;
                if let Some(number) = stem.strip_prefix("log-") {
                    Name::Log(number.parse().ok()?)
                } else {
                    let (generation, part) = stem.strip_prefix("snapshot-")?.split_once('-')?;
                    Name::Snapshot { generation: generation.parse().ok()?, part: part.parse().ok()? }
                }
            }
        };
        // Only as it is written here: `log-+7.mayfly` is not ours.
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::Manifest => f.write_str(MANIFEST),
            Name::ManifestCopy => f.write_str(MANIFEST_COPY),
            Name::ManifestNew => f.write_str(MANIFEST_NEW),
            Name::Log(number) => write!(f, "log-{number:08}.mayfly"),
            Name::Snapshot { generation, part } => write!(f, "snapshot-{generation:08}-{part:03}.mayfly"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_no_others() {
        let snapshot = Name::Snapshot { generation: 3, part: 1_000 };
        let manifests = [Name::Manifest, Name::ManifestCopy, Name::ManifestNew];
        for name in manifests.into_iter().chain([Name::Log(7), Name::Log(123_456_789), snapshot]) {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for other in
            ["lock", "log-7.mayfly", "log-+0000007.mayfly", "log-00000007.mayfly.damaged", "dump.rdb"]
        {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
