//! `CONFIG REWRITE`: what was set while the server ran is there when it starts again, and the file stays its owner's.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::harness::{Launch, Server, temporary_file};

const FILE: &str = "# Ours, do not touch.\n\n[server]\n# Enough for us.\nconnections_max = 50   # until Monday\n\n\n\
                    [log]\nlevel = \"info\"\n# the end\n";

/// A directory of its own, gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = temporary_file("").with_extension("directory");
        fs::create_dir(&path).expect("the temporary directory can be written");
        Directory(path)
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.0.join("mayfly.toml");
        fs::write(&path, text).expect("the directory can be written");
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("it is there");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_file(self.0.with_extension("toml"));
    }
}

fn start(path: &Path) -> Server {
    Launch::with_shards(2).flags([Path::new("--config"), path]).start()
}

#[test]
fn what_was_set_is_there_at_the_next_start() {
    let directory = Directory::new();
    let path = directory.file(FILE);
    let server = start(&path);
    server.connect().replay(&[
        ("CONFIG REWRITE", "OK"),
        ("CONFIG SET maxclients 60 timeout 7", "OK"),
        ("CONFIG SET requirepass sesame", "OK"),
    ]);
    assert_eq!(
        fs::read_to_string(&path).expect("it is there"),
        FILE,
        "nothing was set, or it was not rewritten"
    );
    server.connect().replay(&[("AUTH sesame", "OK"), ("CONFIG REWRITE", "OK")]);
    drop(server);
    let text = fs::read_to_string(&path).expect("it is there");
    for kept in [
        "# Ours, do not touch.\n\n[server]\n# Enough for us.\nconnections_max = 60   # until Monday\n",
        "never does.\nidle_timeout_seconds = 7\n",
        "\npassword = \"sesame\"\n\n\n[log]\nlevel = \"info\"\n# the end\n",
    ] {
        assert!(text.contains(kept), "{kept:?} is not in\n{text}");
    }
    assert_eq!(directory.names(), ["mayfly.toml"]);

    let server = start(&path);
    let mut client = server.connect();
    client.replay(&[
        ("PING", "(error) NOAUTH Authentication required."),
        ("AUTH sesame", "OK"),
        ("CONFIG GET timeout", "1) \"timeout\"\n2) \"7\""),
        ("CONFIG GET maxclients", "1) \"maxclients\"\n2) \"60\""),
        ("CONFIG SET maxclients 50", "OK"),
        ("CONFIG REWRITE", "OK"),
    ]);
    let text = fs::read_to_string(&path).expect("it is there");
    assert!(text.contains("connections_max = 50   # until Monday"), "{text}");
}

#[test]
fn what_the_operator_and_the_environment_say_is_left_alone() {
    let directory = Directory::new();
    let path = directory.file(FILE);
    let flags = [Path::new("--config"), &path];
    let server = Launch::with_shards(1).set("server.password", "secret").flags(flags).start();
    let edited = FILE.replace("info", "warn").replace("50", "55");
    fs::write(&path, &edited).expect("it can be written");
    server.connect().replay(&[
        ("AUTH secret", "OK"),
        ("CONFIG SET timeout 7", "OK"),
        ("CONFIG REWRITE", "OK"),
    ]);
    let text = fs::read_to_string(&path).expect("it is there");
    assert!(text.contains("max = 55 ") && text.contains("\"warn\"") && !text.contains("secret"), "{text}");
}

#[test]
fn the_file_behind_a_link_keeps_its_permissions() {
    let (directory, elsewhere) = (Directory::new(), Directory::new());
    let path = elsewhere.file(FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it can be changed");
    let link = directory.0.join("link.toml");
    symlink(&path, &link).expect("a link can be made");
    start(&link).connect().replay(&[("CONFIG SET timeout 7", "OK"), ("CONFIG REWRITE", "OK")]);
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&path).expect("it is there").contains("idle_timeout_seconds = 7"));
}

#[test]
fn failures_are_told_in_the_words_of_redis_and_leave_the_file() {
    let running = "(error) ERR The server is running without a config file";
    Server::start(1).connect().replay(&[("CONFIG SET timeout 7", "OK"), ("CONFIG REWRITE", running)]);

    let directory = Directory::new();
    let path = directory.file(FILE);
    let server = start(&path);
    let mut client = server.connect();
    client.replay(&[("CONFIG SET timeout 7", "OK")]);
    fs::write(&path, "[server]\nprot = 1\n").expect("it can be written");
    let refused = client.run("CONFIG REWRITE").to_string();
    let expected =
        format!("(error) ERR Rewriting config file: {}:2: server.prot: unknown key", path.display());
    assert!(refused.starts_with(&expected), "{refused}");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "[server]\nprot = 1\n");

    // Removed: it is made anew, for nobody else to read. Without its directory it cannot be.
    fs::remove_file(&path).expect("it is there");
    client.replay(&[("CONFIG REWRITE", "OK")]);
    assert!(fs::read_to_string(&path).expect("it is there").contains("idle_timeout_seconds = 7"));
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    fs::remove_dir_all(&directory.0).expect("it is there");
    client.replay(&[("CONFIG REWRITE", "(error) ERR Rewriting config file: No such file or directory")]);
}
