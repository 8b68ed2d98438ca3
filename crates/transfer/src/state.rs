//! Where a live copy is, in a file that is replaced after every round, so that an interrupted one goes on.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::server_source::Position;
use crate::{Report, TransferError};

/// A larger file is none of ours.
const BYTES_MAX: u64 = 64 << 10;

const FORMAT: u64 = 1;

/// What a copy is from and to, and what it takes: a state of another copy does not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Copy {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) pattern: Option<String>,
    pub(crate) databases: Option<Vec<u64>>,
}

/// How far a copy is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct State {
    /// Which run of the source its cursor belongs to.
    pub(crate) run: String,
    pub(crate) position: Position,
    /// Keys read so far.
    pub(crate) done: u64,
    pub(crate) report: Report,
}

/// The file that keeps the state of a copy.
pub(crate) struct StateFile {
    path: PathBuf,
    copy: Copy,
}

impl StateFile {
    pub(crate) fn new(path: &Path, copy: Copy) -> Self {
        StateFile { path: path.to_owned(), copy }
    }

    /// The state that an interrupted copy has left, if there was one.
    pub(crate) fn load(&self) -> Result<Option<State>, TransferError> {
        let bytes = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TransferError::disk(&self.path)(error)),
            Ok(metadata) if metadata.len() > BYTES_MAX => return Err(self.wrong("this is no state file")),
            Ok(_) => std::fs::read(&self.path).map_err(TransferError::disk(&self.path))?,
        };
        let json: Value = serde_json::from_slice(&bytes).map_err(|_| self.wrong("this is no state file"))?;
        if json.get("format") != Some(&json!(FORMAT)) {
            return Err(self.wrong("this is no state file"));
        }
        if json.get("copy") != Some(&self.copy.to_json()) {
            return Err(self.wrong("this is the state of another copy: another source, target or selection"));
        }
        read_state(&json).map(Some).ok_or_else(|| self.wrong("the state is not whole"))
    }

    /// Replaces the file.
    pub(crate) fn save(&self, state: &State) -> Result<(), TransferError> {
        let json = json!({
            "format": FORMAT,
            "copy": self.copy.to_json(),
            "run": state.run,
            "database": state.position.database,
            "cursor": state.position.cursor,
            "done": state.done,
            "report": state.report.to_json(),
        });
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let write = || {
            let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
            file.write_all(json.to_string().as_bytes())?;
            file.persist(&self.path).map_err(|error| error.error)
        };
        write().map(|_| ()).map_err(TransferError::disk(&self.path))
    }

    /// The copy is complete: the next one begins anew.
    pub(crate) fn remove(&self) -> Result<(), TransferError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(TransferError::disk(&self.path)(error)),
            _ => Ok(()),
        }
    }

    fn wrong(&self, problem: &str) -> TransferError {
        TransferError::State { path: self.path.clone(), problem: problem.to_owned() }
    }
}

impl Copy {
    fn to_json(&self) -> Value {
        json!({
            "source": self.source,
            "target": self.target,
            "match": self.pattern,
            "databases": self.databases,
        })
    }
}

fn read_state(json: &Value) -> Option<State> {
    let number = |name: &str| json.get(name)?.as_u64();
    Some(State {
        run: json.get("run")?.as_str()?.to_owned(),
        position: Position { database: number("database")?, cursor: number("cursor")? },
        done: number("done")?,
        report: Report::from_json(json.get("report")?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(target: &str) -> Copy {
        Copy { source: "a:1".into(), target: target.into(), pattern: None, databases: Some(vec![0, 3]) }
    }

    #[test]
    fn a_state_comes_back_for_the_same_copy_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let file = StateFile::new(&path, copy("b:1"));
        assert_eq!(file.load().unwrap(), None);
        let position = Position { database: 3, cursor: u64::MAX };
        let mut state =
            State { run: "run".into(), position, done: 7, report: Report { hashes: 7, ..Report::default() } };
        file.save(&state).unwrap();
        assert_eq!(file.load().unwrap(), Some(state.clone()));
        state.done = 8;
        file.save(&state).unwrap();
        assert_eq!(file.load().unwrap(), Some(state));
        let error = StateFile::new(&path, copy("c:1")).load().unwrap_err();
        assert!(error.to_string().contains("another copy"), "{error}");
        file.remove().unwrap();
        file.remove().unwrap();
        assert_eq!(file.load().unwrap(), None);
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let file = StateFile::new(&path, copy("b:1"));
        let huge = " ".repeat(100_000);
        for text in ["", "{", "[]", "{\"format\":2}", "{\"format\":1}", &huge] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(file.load(), Err(TransferError::State { .. })), "{text}");
        }
    }
}
