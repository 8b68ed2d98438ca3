//! The users of the process: from the config, or from the ACL file, and back into that.

use std::path::Path;
use std::{fs, io};

use mayfly_acl::{FileMistake, Users, read_file, write_file};
use mayfly_command::catalogue;
use mayfly_config::{Config, Loaded};

use crate::config_file;
use crate::error::StartError;

/// How long an ACL file may be, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The users that a process begins with.
///
/// # Errors
/// The first mistake, with its place.
pub fn users_at_start(loaded: &Loaded) -> Result<Users, StartError> {
    let wrong = |key, problem| StartError::Users { place: loaded.place(key).clone(), key, problem };
    let config = &loaded.config;
    if !config.access.file.is_empty() {
        let path = &config.access.file;
        return match read(config) {
            Ok(Ok(users)) => Ok(users),
            Ok(Err(mistakes)) => Err(wrong("access.file", format!("{path}:{}", mistakes[0]))),
            Err(error) => Err(wrong("access.file", format!("{path} cannot be read: {error}"))),
        };
    }
    let lines: Vec<String> = config.access.users.iter().map(|user| format!("user {user}")).collect();
    read_file(lines.join("\n").as_bytes(), users_without_file(config), catalogue()).map_err(|mistakes| {
        let FileMistake { line, problem } = &mistakes[0];
        let name = config.access.users[line - 1].split(' ').next().unwrap_or_default();
        wrong("access.users", format!("user {name}: {problem}"))
    })
}

/// The users that the file would make of all, or why it makes none, as `ACL LOAD` says it.
pub fn load(config: &Config) -> Result<Users, String> {
    let path = &config.access.file;
    let users = read(config).map_err(|error| {
        format!("Error loading ACLs, opening file '{path}': {}", config_file::plain(&error))
    })?;
    users.map_err(|mistakes| {
        let lines: String = mistakes.iter().map(|mistake| format!("{path}:{mistake}. ")).collect();
        format!(
            "{lines}WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        )
    })
}

/// Replaces the file: whoever reads it sees the old one or the new one, also after a crash.
///
/// # Errors
/// The file is as it was.
pub fn save(path: &str, users: &Users) -> io::Result<()> {
    config_file::write(Path::new(path), &write_file(users))
}

/// All users as `access.users` has them. A default user that is as it would be without is left out.
pub fn texts(config: &Config, users: &Users) -> Vec<String> {
    let default = users_without_file(config).default_user().line();
    let lines = users.all().map(|user| user.line()).filter(|line| *line != default);
    lines.map(|line| String::from_utf8_lossy(&line["user ".len()..]).into_owned()).collect()
}

fn read(config: &Config) -> io::Result<Result<Users, Vec<FileMistake>>> {
    let path = &config.access.file;
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(read_file(&fs::read(path)?, users_without_file(config), catalogue()))
}

/// The default user with the password of the config.
fn users_without_file(config: &Config) -> Users {
    let mut users = Users::default();
    users.set_default_password(config.server.password.reveal());
    users
}
