//! Replacing the config file, and the ACL file: whoever reads it sees the old one or the new one, also after a crash.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Replaces the text of the file at `path` by what `edit` makes of it. Where `path` is a link, the file behind it is
/// replaced. A file that has been removed is made anew.
///
/// # Errors
/// Reading, editing or writing has failed; the file is as it was. The text is one line.
pub fn replace<E: ToString>(path: &Path, edit: impl FnOnce(&str) -> Result<String, E>) -> Result<(), String> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read.map_err(|error| plain(&error))?,
    };
    let edited = edit(&text).map_err(|error| error.to_string())?;
    if edited == text { Ok(()) } else { write(path, edited.as_bytes()).map_err(|error| plain(&error)) }
}

/// Replaces the file at `path` by this text; see [`replace`].
///
/// # Errors
/// Writing has failed; the file is as it was.
pub fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let (path, permissions) = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => (path.to_owned(), None),
        found => {
            let path = found?;
            let permissions = fs::metadata(&path)?.permissions();
            (path, Some(permissions))
        }
    };
    let temporary = Temporary::beside(&path);
    temporary.write(text, permissions)?;
    fs::rename(&temporary.0, &path)?;
    File::open(directory_of(&path))?.sync_all()
}

/// The new file until it takes the old one's place. What is left of it after a failure is removed.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        Temporary(path.with_file_name(name))
    }

    /// Nobody else may read it before it has the permissions of the old file: there may be a password in it.
    fn write(&self, text: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
        // What a crash has left would be in the way.
        let _ = fs::remove_file(&self.0);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0)?;
        file.write_all(text)?;
        if let Some(permissions) = permissions {
            file.set_permissions(Permissions::from_mode(permissions.mode()))?;
        }
        file.sync_all()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The system's text without the number behind it, as Redis shows it.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
