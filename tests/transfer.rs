//! `mayfly import` and `mayfly export`, with files that real servers have saved and between two Mayflys. Beside real
//! servers they run in `tests/run transfer`.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::{Client, Finished, Launch, Server};

/// The deadline of keys with one in the files.
const FAR: i64 = 4_102_444_800_000;

#[test]
fn a_file_of_each_server_arrives_with_deadlines_and_databases() {
    for name in ["redis-7.0", "redis-8.2", "valkey-9.1"] {
        let server = Server::start(2);
        let report = succeeded(import(&file(name), &server, &[]));
        for line in [" keys of type string, left out", " keys of type stream, left out"] {
            assert!(report.contains(line), "{line} in {report}");
        }
        let with_field_ttls = name != "redis-7.0";
        let hashes = if with_field_ttls { 6 } else { 4 };
        assert!(report.contains(&format!("{hashes} hashes with")), "{report}");
        assert_eq!(report.contains("2 fields with a TTL of their own, which is not kept"), with_field_ttls);
        let mut client = server.connect();
        assert_eq!(client.integer("DBSIZE"), hashes - 1);
        client.replay(&[
            ("HMGET hash name visits negative", "1) \"Ada\"\n2) \"1\"\n3) \"-70000\""),
            ("HLEN table", "(integer) 20"),
            ("HGET table word:19", "\"19\""),
            ("PEXPIRETIME table", "(integer) -1"),
            ("PEXPIRETIME expiring", &format!("(integer) {FAR}")),
            ("SELECT 3", "OK"),
            ("HSTRLEN elsewhere f", "(integer) 100"),
            ("PEXPIRETIME elsewhere", &format!("(integer) {}", FAR + 1)),
        ]);
    }
}

#[test]
fn a_key_that_exists_stops_the_import_unless_told_otherwise() {
    let server = Server::start(1);
    let mut client = server.connect();
    client.run("HSET hash mine 1");
    let stopped = import(&file("redis-8.2"), &server, &[]);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (1, ""));
    let line = format!(
        "mayfly: {}: the key hash of database 0 exists; --replace or --skip-existing says what to do then\n",
        server.address
    );
    assert!(stopped.stderr.ends_with(&line), "{}", stopped.stderr);

    client.run("FLUSHALL");
    client.run("HSET hash mine 1");
    let report = succeeded(import(&file("redis-8.2"), &server, &["--skip-existing"]));
    assert!(report.contains("5 hashes with") && report.contains("1 hashes whose key existed"), "{report}");
    client.replay(&[
        ("HGET hash mine", "\"1\""),
        ("HGET hash name", "(nil)"),
        ("HLEN table", "(integer) 20"),
    ]);
    succeeded(import(&file("redis-8.2"), &server, &["--replace"]));
    client.replay(&[("HGET hash mine", "(nil)"), ("HGET hash name", "\"Ada\"")]);
}

#[test]
fn only_what_is_asked_for_is_taken() {
    let server = Server::start(1);
    let mut client = server.connect();
    let report = succeeded(import(&file("redis-8.2"), &server, &["--dry-run"]));
    assert!(report.contains("6 hashes with"), "{report}");
    assert_eq!(client.integer("DBSIZE"), 0);
    let report = succeeded(import(&file("redis-8.2"), &server, &["--match", "e*", "--databases", "0,5"]));
    assert!(report.contains("1 hashes with"), "{report}");
    client.replay(&[("EXISTS expiring", "(integer) 1"), ("DBSIZE", "(integer) 1")]);
}

#[test]
fn a_database_that_the_target_has_not_stops_the_import_and_lands_nowhere_else() {
    let server = Launch::with_shards(1).set("server.databases", 2).start();
    let stopped = import(&file("redis-8.2"), &server, &[]);
    assert_eq!(stopped.code, 1);
    assert!(stopped.stderr.contains("SELECT: ERR DB index is out of range"), "{}", stopped.stderr);
    server.connect().replay(&[("EXISTS elsewhere hash", "(integer) 1")]);
}

#[test]
fn what_cannot_be_imported_is_one_line() {
    let server = Server::start(1);
    let whole = std::fs::read(file("redis-8.2")).expect("the file is there");
    let folder = temporary();
    let torn = folder.path().join("torn.rdb");
    std::fs::write(&torn, &whole[..whole.len() - 20]).expect("it can be written");
    let mut changed = whole.clone();
    changed[20] ^= 1;
    let damaged = folder.path().join("damaged.rdb");
    std::fs::write(&damaged, changed).expect("it can be written");
    let state = torn.display().to_string();
    for (source, flags, code, said) in [
        (torn.as_path(), &[][..], 1, format!("torn.rdb: at byte {}: the file is torn", whole.len() - 20)),
        (&damaged, &["--replace"], 1, "damaged.rdb: at byte ".to_owned()),
        (Path::new("/nowhere.rdb"), &[], 1, "/nowhere.rdb: No such file".to_owned()),
        (&torn, &["--state", "x"], 2, "--state is for copies from a server".to_owned()),
        (Path::new("rediss://:sesame@cache"), &[], 2, "rediss://cache: TLS is not supported".to_owned()),
        (Path::new("redis://127.0.0.1:1"), &["--state", &state], 1, "127.0.0.1:1: ".to_owned()),
        (&torn, &["--replace", "--skip-existing"], 2, "cannot be used with".to_owned()),
    ] {
        let finished = import(source, &server, flags);
        assert_eq!((finished.code, finished.stdout.as_str()), (code, ""), "{}", finished.stderr);
        assert!(finished.stderr.contains(&said), "{said} in {}", finished.stderr);
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    }
}

#[test]
fn what_is_exported_is_what_is_imported() {
    let (source, target) = (Server::start(2), Server::start(1));
    fill(&mut source.connect());
    let folder = temporary();
    let path = folder.path().join("export.rdb");
    std::fs::write(&path, "something else").expect("it can be written");
    let report = succeeded(export(&path, &source));
    assert!(report.contains("603 hashes with"), "{report}");
    succeeded(import(&path, &target, &[]));
    assert_same(&source, &target);
}

#[test]
fn a_copy_from_a_server_goes_on_where_it_was_and_may_be_repeated() {
    let (source, target) = (Server::start(2), Server::start(1));
    fill(&mut source.connect());
    let url = format!("redis://{}", source.address);
    let folder = temporary();
    let state = folder.path().join("copy.state");
    let flags = ["--state", &state.display().to_string()];
    let first = succeeded(import(Path::new(&url), &target, &flags));
    assert!(first.contains("603 hashes with"), "{first}");
    assert!(!state.exists(), "the copy is complete");
    assert_same(&source, &target);

    // A second pass needs leave to replace what is there.
    source.connect().run("HSET small:1 changed 1");
    let refused = import(Path::new(&url), &target, &flags);
    assert!(refused.stderr.contains("database 0 is not empty"), "{}", refused.stderr);
    succeeded(import(Path::new(&url), &target, &["--replace"]));
    assert_same(&source, &target);

    // What an interrupted copy leaves is taken up: here it is one that was about to begin.
    let address = |server: &Server| server.address.to_string();
    let (from, to, run) = (address(&source), address(&target), run_id(&mut source.connect()));
    let left = format!(
        "{{\"format\":1,\"copy\":{{\"source\":\"{from}\",\"target\":\"{to}\",\"match\":null,\"databases\":null}},\
          \"run\":\"{run}\",\"database\":3,\"cursor\":0,\"done\":600,\"report\":{{\"hashes\":602,\"fields\":1,\
          \"expired\":0,\"existing\":0,\"gone\":0,\"unwanted\":0,\"field_ttls\":0,\"expired_fields\":0,\
          \"repeated\":0}}}}"
    );
    std::fs::write(&state, left).expect("it can be written");
    let report = succeeded(import(Path::new(&url), &target, &flags));
    assert!(report.contains("603 hashes with 2 fields"), "{report}");
    assert!(!state.exists(), "the copy is complete");
}

#[test]
fn a_hash_of_more_fields_than_a_request_takes_arrives_whole() {
    let (source, target) = (Server::start(1), Server::start(1));
    let mut client = source.connect();
    let value = "v".repeat(1_000);
    for start in (0..25_000).step_by(1_000) {
        let fields = (start..start + 1_000).map(|field| format!(" f{field} {value}{field}"));
        client.run(&format!("HSET large{}", fields.collect::<String>()));
    }
    client.run(&format!("PEXPIREAT large {FAR}"));
    let folder = temporary();
    let path = folder.path().join("large.rdb");
    let report = succeeded(export(&path, &source));
    assert!(report.contains("1 hashes with 25000 fields"), "{report}");
    let report = succeeded(import(&path, &target, &[]));
    assert!(report.contains("1 hashes with 25000 fields"), "{report}");
    assert_same(&source, &target);
    target.connect().run("FLUSHALL");
    succeeded(import(Path::new(&format!("redis://{}", source.address)), &target, &[]));
    assert_same(&source, &target);
    // Left out as a whole, not only its first piece.
    target.connect().run("DEL large");
    target.connect().run("HSET large mine 1");
    succeeded(import(&path, &target, &["--skip-existing"]));
    assert_eq!(target.connect().integer("HLEN large"), 1);
}

#[test]
fn a_password_is_asked_for_and_found_in_the_address_or_the_settings() {
    let server = Launch::with_shards(1).set("server.password", "sesame").start();
    let refused = import(&file("redis-7.0"), &server, &[]);
    assert_eq!(refused.code, 1);
    let source = file("redis-7.0").display().to_string();
    let address = format!("redis://:sesame@{}", server.address);
    succeeded(Launch::bare().flags(["import", &source, "--to", &address]).run());
    let port = server.address.port();
    let again = Launch::bare().set("server.password", "sesame").set("server.port", port);
    succeeded(again.flags(["import", &source, "--replace"]).run());
    let wrong = format!("redis://:mellon@{}", server.address);
    let refused = Launch::bare().flags(["import", &source, "--to", &wrong]).run();
    assert_eq!(refused.code, 1);
    assert!(!refused.stderr.contains("mellon"), "{}", refused.stderr);
}

/// 603 hashes in two databases, one in three of them with a deadline.
pub fn fill(client: &mut Client) {
    for number in 0..600 {
        client.run(&format!("HSET small:{number} number {number} name name-of-{number}"));
        if number % 3 == 0 {
            client.run(&format!("PEXPIREAT small:{number} {}", FAR + number));
        }
    }
    for field in 0..300 {
        client.run(&format!("HSET table field:{field} {field}"));
    }
    client.run(&format!("HSET wide f {}", "w".repeat(100_000)));
    client.run("SELECT 3");
    client.run("HSETEX elsewhere f v 1000000");
}

/// Both servers hold the same keys, fields and deadlines.
pub fn assert_same(left: &Server, right: &Server) {
    assert_eq!(contents(left), contents(right));
}

fn contents(server: &Server) -> Vec<String> {
    let mut client = server.connect();
    let mut lines = Vec::new();
    for database in [0, 3] {
        client.run(&format!("SELECT {database}"));
        let keys = client.run("KEYS *");
        for key in keys.to_string().lines().filter_map(|line| line.split('"').nth(1)) {
            let mut fields: Vec<_> = client
                .run(&format!("HGETALL {key}"))
                .to_string()
                .lines()
                .filter_map(|line| line.split_once(") ").map(|(_, word)| word.to_owned()))
                .collect::<Vec<_>>()
                .chunks(2)
                .map(|pair| pair.join("="))
                .collect();
            fields.sort_unstable();
            let deadline = client.integer(&format!("PEXPIRETIME {key}"));
            lines.push(format!("{database} {key} {deadline} {fields:?}"));
        }
    }
    lines.sort_unstable();
    lines
}

fn run_id(client: &mut Client) -> String {
    let info = client.run("INFO server").to_string();
    let line = info.split("run_id:").nth(1).unwrap_or_default();
    line.chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn import(source: &Path, target: &Server, flags: &[&str]) -> Finished {
    let (source, target) = (source.display().to_string(), target.address.to_string());
    Launch::bare().flags(["import", &source, "--to", &target]).flags(flags).run()
}

fn export(path: &Path, source: &Server) -> Finished {
    let (path, source) = (path.display().to_string(), source.address.to_string());
    Launch::bare().flags(["export", &path, "--from", &source]).run()
}

/// The report of a run that went well.
pub fn succeeded(finished: Finished) -> String {
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout
}

pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("crates/rdb/tests/files/{name}.rdb"))
}

/// A folder that goes with its owner.
pub fn temporary() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the temporary directory can be written")
}
