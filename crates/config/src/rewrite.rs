//! `CONFIG REWRITE`: settings that changed while the server ran, written into the text of the file.
//!
//! Text goes in, text comes out: comments, order and layout stay as they are. Reading and replacing the file itself
//! is the server's business.

use std::path::Path;

use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value as TomlValue};

use crate::directive::{Directive, Value};
use crate::error::ConfigError;
use crate::{Config, SECTIONS, file, render};

/// The text of the file at `path`, `text`, with the values that these directives have in `config`. One that the file
/// sets is changed where it stands; another is added to the end of its section with its description, unless the
/// file means the same value without it.
///
/// # Errors
/// The file is none that could be loaded: somebody is editing it.
pub fn rewrite(
    path: &Path,
    text: &str,
    config: &Config,
    directives: &[&'static Directive],
) -> Result<String, ConfigError> {
    let assignments = file::read(path, text)?;
    let mut document: DocumentMut = text.parse().expect("it was read just now");
    for directive in directives {
        let value = directive.get(config);
        let given = assignments.iter().find(|assignment| assignment.directive.path == directive.path);
        let meant = given.map_or_else(|| directive.get(&Config::default()), |given| given.value.clone());
        if meant != value {
            put(document.as_table_mut(), directive, &value);
        }
    }
    let text = document.to_string();
    file::read(path, &text)?;
    Ok(text)
}

fn put(document: &mut Table, directive: &Directive, value: &Value) {
    let section = document.entry(directive.section).or_insert_with(|| Item::Table(new_section(directive)));
    let stands_apart = section.as_table().is_some_and(|table| !table.is_dotted());
    let Some(section) = section.as_table_like_mut() else {
        unreachable!("a file that was read has tables for sections");
    };
    let mut literal = literal(directive, value);
    match section.get_mut(directive.key).and_then(Item::as_value_mut) {
        Some(written) => {
            *literal.decor_mut() = written.decor().clone();
            *written = literal;
        }
        None if stands_apart => add(section, directive, literal),
        None => _ = section.insert(directive.key, Item::Value(literal)),
    }
}

/// Adds a key as the file of defaults has it: an empty line, the description, the assignment.
fn add(section: &mut dyn TableLike, directive: &Directive, literal: TomlValue) {
    let lines: String = directive.doc.iter().map(|line| format!("#{line}\n")).collect();
    let mut key = Key::new(directive.key);
    key.leaf_decor_mut().set_prefix(format!("\n{lines}"));
    section.entry_format(&key).or_insert(Item::Value(literal));
}

fn new_section(directive: &Directive) -> Table {
    let doc = SECTIONS.iter().find(|section| section.name == directive.section).map(|section| section.doc);
    let lines: String = doc.into_iter().flatten().map(|line| format!("#{line}\n")).collect();
    let mut table = Table::new();
    table.decor_mut().set_prefix(format!("\n{lines}"));
    table
}

/// A value as the file holds it; a secret in the clear.
fn literal(directive: &Directive, value: &Value) -> TomlValue {
    match value {
        Value::Secret(secret) => secret.reveal().into(),
        Value::Text(text) => text.as_str().into(),
        _ => render::literal(&directive.kind, value).parse().expect("what is rendered can be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DIRECTIVES, Secret};

    /// `text` after these settings were set; every one that can be set is looked at.
    fn rewritten(text: &str, set: impl FnOnce(&mut Config)) -> String {
        let path = Path::new("mayfly.toml");
        let mut config = Config::default();
        for assignment in file::read(path, text).expect("the file is right") {
            assignment.directive.set(&mut config, assignment.value);
        }
        set(&mut config);
        let directives: Vec<_> = DIRECTIVES.iter().collect();
        let text = rewrite(path, text, &config, &directives).expect("the file is right");
        let mut reread = Config::default();
        for assignment in file::read(path, &text).expect("what is written can be read") {
            assignment.directive.set(&mut reread, assignment.value);
        }
        assert_eq!(reread, config, "{text}");
        text
    }

    #[test]
    fn comments_order_and_layout_stay() {
        let text = "# Ours.\n\n[log] # loud\nlevel = 'debug'   # for now\n\n\n[server]\n  # many\n  \
                    connections_max=5 # until Monday\n# the end of server\n\n# events\n[events]\n# end\n";
        assert_eq!(rewritten(text, |_| ()), text);
        let changed = rewritten(text, |config| config.server.connections_max = 7);
        assert_eq!(changed, text.replace("max=5", "max=7"));
    }

    #[test]
    fn what_the_file_does_not_set_is_added_to_its_section() {
        let added = rewritten("[server]\nport = 1\n# the rest\n\n[log]\n", |config| {
            config.server.idle_timeout_seconds = 9;
            config.limits.bulk_bytes_max = 64 << 10;
        });
        let expected = "[server]\nport = 1\n\n# Closes a client that has sent nothing for so long. 0 never does.\n\
                        idle_timeout_seconds = 9\n# the rest\n\n[log]\n\n# What one client may ask for, hold and leave \
                        unread. Each bound is what keeps memory finite.\n[limits]\n\n# How long one word of a request \
                        may be, so also a key, a field and a value.\nbulk_bytes_max = \"64KiB\"\n";
        assert_eq!(added, expected);
        assert_eq!(rewritten("", |_| ()), "");
        let first = rewritten("", |config| config.events.notify = "KEA".into());
        assert!(first.ends_with("\n[events]\n\n# Which keyspace events are published, in Redis' letters: K to channels named by key, E to channels named\n# by event; g generic, h hash, x expired, n new key, m miss, A for all but n and m. Empty publishes none.\nnotify = \"KEA\"\n"), "{first}");
    }

    #[test]
    fn every_way_to_write_a_section_is_kept() {
        for (text, expected) in [
            ("server = { port = 1 }\n", "server = { port = 1 , idle_timeout_seconds = 9 }\n"),
            ("server.port = 1\n", "server.port = 1\nserver.idle_timeout_seconds = 9\n"),
            ("server = { idle_timeout_seconds = 1 } # x\n", "server = { idle_timeout_seconds = 9 } # x\n"),
            ("server.idle_timeout_seconds = 1 # x\n", "server.idle_timeout_seconds = 9 # x\n"),
        ] {
            let changed = rewritten(text, |config| config.server.idle_timeout_seconds = 9);
            assert_eq!(changed.replace("1, ", "1 , "), expected);
        }
    }

    #[test]
    fn every_setting_can_be_written() {
        let defaults = render::render_toml(&Config::default());
        rewritten(&defaults, |config| config.server.password = Secret::new("a \"b\"\\\n\u{7}ü"));
        for directive in DIRECTIVES.iter().filter(|directive| directive.path != "server.password") {
            let (_, literal) = crate::sweep::sample(directive);
            let path = Path::new("sample.toml");
            let text = format!("[{}]\n{} = {literal}\n", directive.section, directive.key);
            let sample = file::read(path, &text).expect("a sample is right").remove(0).value;
            let written = rewritten(&defaults, |config| directive.set(config, sample));
            assert_eq!(written.lines().count(), defaults.lines().count(), "{}", directive.path);
        }
    }

    #[test]
    fn a_file_that_could_not_be_loaded_is_left_alone() {
        for text in ["[server", "[server]\nprot = 1\n", "[server]\nport = 70000\n"] {
            assert!(rewrite(Path::new("f"), text, &Config::default(), &[]).is_err(), "{text}");
        }
    }
}
