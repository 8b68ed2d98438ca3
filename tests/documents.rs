//! The README's tables are those of the code. `UPDATE_README=1 cargo test --test integration documents` writes them.

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
