//! The configuration file: TOML text to checked values with their line numbers. Which layer wins is decided in
//! `load.rs`; what a value may be is the directive's kind.

use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, Item, TableLike, Value as TomlValue};

use crate::directive::{Directive, Kind, Value};
use crate::error::{ConfigError, Place};
use crate::{DIRECTIVES, SECTIONS, suggest};

/// One line of the file that sets something.
pub(crate) struct Assignment {
    pub(crate) directive: &'static Directive,
    pub(crate) value: Value,
    pub(crate) line: usize,
}

/// Reads `text`, the content of the file at `path`.
///
/// # Errors
/// The first mistake: syntax, a name that does not exist, a value of the wrong type or out of range.
pub(crate) fn read(path: &Path, text: &str) -> Result<Vec<Assignment>, ConfigError> {
    File { path, text }.read()
}

/// What is wrong with a key that no section has.
pub(crate) fn unknown_key(section: &str, suggestion: Option<String>) -> String {
    if let Some(suggestion) = suggestion {
        return format!("unknown key; did you mean {suggestion}?");
    }
    let in_section = DIRECTIVES.iter().filter(|directive| directive.section == section);
    match in_section.map(|directive| directive.key).collect::<Vec<_>>()[..] {
        [] => format!("unknown key; sections are {}", section_names()),
        ref keys => format!("unknown key; [{section}] has {}", keys.join(", ")),
    }
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn read(&self) -> Result<Vec<Assignment>, ConfigError> {
        let document = Document::parse(self.text).map_err(|error| self.syntax(&error))?;
        let mut assignments = Vec::new();
        for (name, item) in document.as_table() {
            let span = key_span(document.as_table(), name);
            if !SECTIONS.iter().any(|section| section.name == name) {
                return Err(self.unknown_section(name, item, span));
            }
            let Some(section) = item.as_table_like() else {
                let problem =
                    format!("expected a section such as [{name}], found {}", with_article(item.type_name()));
                return Err(self.error(span, name, problem));
            };
            for (key, item) in section.iter() {
                assignments.push(self.assignment(name, section, key, item)?);
            }
        }
        Ok(assignments)
    }

    fn assignment(
        &self,
        name: &str,
        section: &dyn TableLike,
        key: &str,
        item: &Item,
    ) -> Result<Assignment, ConfigError> {
        let span = key_span(section, key);
        let path = format!("{name}.{key}");
        let Some(directive) = Directive::find(&path) else {
            let suggestion = suggest::directive(name, key).map(|directive| directive.path.to_owned());
            return Err(self.error(span, &path, unknown_key(name, suggestion)));
        };
        let value =
            value(&directive.kind, item).map_err(|problem| self.error(span.clone(), &path, problem))?;
        Ok(Assignment { directive, value, line: self.line(span).unwrap_or(0) })
    }

    fn unknown_section(&self, name: &str, item: &Item, span: Option<Range<usize>>) -> ConfigError {
        if item.is_table_like() {
            let problem = match suggest::section(name) {
                Some(section) => format!("unknown section; did you mean [{section}]?"),
                None => format!("unknown section; sections are {}", section_names()),
            };
            return self.error(span, &format!("[{name}]"), problem);
        }
        let suggestion = suggest::directive("", name).map(|directive| directive.path.to_owned());
        self.error(span, name, unknown_key("", suggestion))
    }

    fn syntax(&self, error: &toml_edit::TomlError) -> ConfigError {
        let at = error.span().and_then(|span| self.text.get(span)).unwrap_or_default();
        if error.message().starts_with("duplicate key") && !at.is_empty() {
            return self.error(error.span(), at, "given twice".into());
        }
        let (key, value) = self.key_and_value_at(error.span()).unwrap_or_default();
        let problem = match value.chars().next() {
            None if !key.is_empty() => "a value is missing",
            Some(letter) if letter.is_alphabetic() => "text has to stand in quotes",
            _ => error.message(),
        };
        self.error(error.span(), key, problem.to_owned())
    }

    /// The two sides of the span's line, if it is an assignment. The value may be a secret: not to be shown.
    fn key_and_value_at(&self, span: Option<Range<usize>>) -> Option<(&str, &str)> {
        let (key, value) = self.text.lines().nth(self.line(span)? - 1)?.split_once('=')?;
        let bare = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        Some((key.trim(), value.trim())).filter(|(key, _)| key.chars().all(bare))
    }

    fn error(&self, span: Option<Range<usize>>, key: &str, problem: String) -> ConfigError {
        let place = Place::File { path: self.path.to_owned(), line: self.line(span) };
        ConfigError { place, key: key.to_owned(), problem }
    }

    /// The line of the span's start, counted from 1.
    fn line(&self, span: Option<Range<usize>>) -> Option<usize> {
        let before = self.text.as_bytes().get(..span?.start)?;
        Some(before.iter().filter(|byte| **byte == b'\n').count() + 1)
    }
}

/// Checks an item of the file against the kind of its directive.
fn value(kind: &Kind, item: &Item) -> Result<Value, String> {
    let wrong_type = || {
        let expected = match kind {
            Kind::Integer { .. } => "an integer",
            Kind::Port => "a port",
            Kind::Bytes { .. } => "a size such as 65536 or \"64KiB\"",
            Kind::Flag => "true or false without quotes",
            Kind::Word(_)
            | Kind::Names(_)
            | Kind::Letters { .. }
            | Kind::Secret { .. }
            | Kind::Path { .. }
            | Kind::SavePoints
            | Kind::Permissions
            | Kind::TtlRules
            | Kind::Address => "a string",
            Kind::Users { .. } | Kind::Addresses { .. } => "a list of strings",
        };
        kind.refuse(&format!("expected {expected}, found {}", with_article(item.type_name())))
    };
    match (kind, item.as_value()) {
        (Kind::Integer { .. } | Kind::Port | Kind::Bytes { .. }, Some(TomlValue::Integer(number))) => {
            kind.integer(&number.value().to_string(), Some(i128::from(*number.value())))
        }
        (Kind::Flag, Some(TomlValue::Boolean(flag))) => Ok(Value::Flag(*flag.value())),
        (
            Kind::Bytes { .. }
            | Kind::Word(_)
            | Kind::Names(_)
            | Kind::Letters { .. }
            | Kind::Secret { .. }
            | Kind::Path { .. }
            | Kind::SavePoints
            | Kind::Permissions
            | Kind::TtlRules
            | Kind::Address
            | Kind::Addresses { .. },
            Some(TomlValue::String(text)),
        ) => kind.parse(text.value()),
        (Kind::Addresses { .. }, Some(TomlValue::Array(array))) => {
            let address = |item: &TomlValue| -> Result<IpAddr, String> {
                kind.address(item.as_str().ok_or_else(wrong_type)?)
            };
            kind.addresses(array.iter().map(address).collect::<Result<_, _>>()?)
        }
        (Kind::Users { .. }, Some(TomlValue::Array(array))) => {
            let texts: Option<Vec<&str>> = array.iter().map(TomlValue::as_str).collect();
            kind.users(texts.ok_or_else(wrong_type)?.into_iter())
        }
        _ => Err(wrong_type()),
    }
}

fn key_span(table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    let (key, item) = table.get_key_value(key)?;
    key.span().or_else(|| item.span())
}

fn section_names() -> String {
    SECTIONS.iter().map(|section| section.name).collect::<Vec<_>>().join(", ")
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
