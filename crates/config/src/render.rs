//! The settings as text: the commented file, `--print-config` and the README's tables, all from the table of
//! `directives.rs`. Reading the file back is `file.rs`.

use std::fmt::Write as _;

use crate::directive::{Directive, Kind, Section, Value};
use crate::values::MASK;
use crate::{Config, DIRECTIVES, SECTIONS, size};

const HEADER: &str = "\
# The settings of Mayfly. Every key stands here with its default; a file needs only what it changes.
#
# A flag wins over the environment, the environment over the file, the file over the defaults.
# The environment variable of server.port is MAYFLY_SERVER__PORT, and so on; lists are separated by commas.
# Sizes are integers in bytes or text with a unit: 65536, \"64KiB\", \"512MiB\", \"1GiB\".
# Check a file with: mayfly --config FILE --check-config
";

/// The settings as a file, with a remark wherever a value is not the default. Of the defaults it is
/// `config/mayfly.toml`. A password is shown as `***`, which [`crate::load`] refuses.
pub fn render_toml(config: &Config) -> String {
    render(config, |_| "Not the default.".into())
}

/// Every directive as Markdown, one table a section.
pub fn render_markdown() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let _ = write!(text, "### `[{}]`\n\n{}\n\n", section.name, join(section.doc));
        text += "| key | default | allowed | Redis name | change by | what it does |\n|---|---|---|---|---|---|\n";
        for directive in directives_of(section) {
            let default = directive.default_text();
            let redis = directive.redis.map_or(String::new(), |name| format!("`{name}`"));
            let allowed = directive.kind.allowed();
            let summary = directive.summary().replace('|', "\\|");
            let (key, change) = (directive.key, directive.change());
            let _ = writeln!(text, "| `{key}` | `{default}` | {allowed} | {redis} | {change} | {summary} |");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len() + 1);
    text
}

/// The file, with `remark` under the description of each directive whose value is not the default.
pub(crate) fn render(config: &Config, remark: impl Fn(&Directive) -> String) -> String {
    let defaults = Config::default();
    let mut text = HEADER.to_owned();
    for section in SECTIONS {
        text.push('\n');
        comment(&mut text, section.doc);
        let _ = writeln!(text, "[{}]", section.name);
        for directive in directives_of(section) {
            let (value, default) = (directive.get(config), directive.get(&defaults));
            text.push('\n');
            comment(&mut text, directive.doc);
            let _ = writeln!(text, "# {}", facts(directive));
            if value != default {
                let _ = writeln!(text, "# {}", remark(directive));
            }
            let _ = writeln!(text, "{} = {}", directive.key, literal(&directive.kind, &value));
        }
    }
    text
}

/// Default, range, Redis name and what it takes to change it, in one line.
fn facts(directive: &Directive) -> String {
    let default = directive.default_text();
    let redis = directive.redis.map_or(String::new(), |name| format!("; Redis: {name}"));
    format!("Default {default}; {}{redis}; change by {}.", directive.kind.allowed(), directive.change())
}

/// A value as TOML writes it. Words and addresses are plain, secrets masked, and
/// paths without control characters: quoted by Rust they are quoted for TOML.
pub(crate) fn literal(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Bytes { .. }, Value::Integer(bytes)) => match size::format(*bytes) {
            text if text.ends_with('B') => format!("{text:?}"),
            number => number,
        },
        (_, Value::Integer(number)) => number.to_string(),
        (_, Value::Threshold(number)) => number.map_or_else(|| "-1".into(), |number| number.to_string()),
        (_, Value::Flag(flag)) => flag.to_string(),
        (_, Value::Word(word)) => format!("{word:?}"),
        (_, Value::Text(text)) => format!("{text:?}"),
        (_, Value::Secret(secret)) => format!("{:?}", if secret.is_set() { MASK } else { "" }),
        (_, Value::Texts(texts)) => {
            format!("[{}]", texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", "))
        }
        (Kind::Addresses { .. }, Value::Addresses(addresses)) => {
            format!(
                "[{}]",
                addresses.iter().map(|address| format!("\"{address}\"")).collect::<Vec<_>>().join(", ")
            )
        }
        (_, Value::Addresses(addresses)) => {
            addresses.iter().map(|address| format!("\"{address}\"")).collect()
        }
    }
}

fn directives_of(section: &Section) -> impl Iterator<Item = &'static Directive> {
    DIRECTIVES.iter().filter(move |directive| directive.section == section.name)
}

fn comment(text: &mut String, lines: &[&str]) {
    for line in lines {
        let _ = writeln!(text, "#{line}");
    }
}

fn join(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
