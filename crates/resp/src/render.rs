//! How redis-cli shows a reply on a terminal, so that transcripts can be replayed word by word.
//!
//! ```text
//! 1) "a"            1# "name" => "x"        1~ (integer) 1
//! 2) 1) "b"         2# "list" =>            2~ (nil)
//!    2) (nil)          1) "y"
//!                      2) "z"
//! ```
//!
//! The last line carries no newline.

use std::fmt;

use crate::Value;
use crate::double::write_double;

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        render(formatter, self, 0)
    }
}

/// Shows `value`; the lines after its first are indented by `indent` blanks.
fn render(out: &mut fmt::Formatter<'_>, value: &Value, indent: usize) -> fmt::Result {
    match value {
        Value::Simple(text) => out.write_str(text),
        Value::Error(text) => write!(out, "(error) {text}"),
        Value::Integer(value) => write!(out, "(integer) {value}"),
        Value::Bulk(bytes) => quoted(out, bytes),
        Value::Null => out.write_str("(nil)"),
        Value::Array(items) if items.is_empty() => out.write_str("(empty array)"),
        Value::Set(items) if items.is_empty() => out.write_str("(empty set)"),
        Value::Push(items) if items.is_empty() => out.write_str("(empty push)"),
        Value::Map(pairs) if pairs.is_empty() => out.write_str("(empty hash)"),
        Value::Array(items) | Value::Push(items) => render_items(out, items, ')', indent),
        Value::Set(items) => render_items(out, items, '~', indent),
        Value::Map(pairs) => render_pairs(out, pairs, indent),
        Value::Double(value) => {
            let mut text = Vec::new();
            write_double(&mut text, *value);
            write!(out, "(double) {}", String::from_utf8_lossy(&text))
        }
        Value::Boolean(value) => write!(out, "({value})"),
        Value::Verbatim { text, .. } => out.write_str(&String::from_utf8_lossy(text)),
        Value::BigNumber(digits) => out.write_str(digits),
    }
}

fn render_items(out: &mut fmt::Formatter<'_>, items: &[Value], mark: char, indent: usize) -> fmt::Result {
    let width = digits(items.len());
    for (index, item) in items.iter().enumerate() {
        number(out, index, width, mark, indent)?;
        render(out, item, indent + width + 2)?;
    }
    Ok(())
}

fn render_pairs(out: &mut fmt::Formatter<'_>, pairs: &[(Value, Value)], indent: usize) -> fmt::Result {
    let width = digits(pairs.len());
    let inner = indent + width + 2;
    for (index, (key, value)) in pairs.iter().enumerate() {
        number(out, index, width, '#', indent)?;
        render(out, key, inner)?;
        out.write_str(" => ")?;
        if takes_many_lines(value) {
            write!(out, "\n{:inner$}", "")?;
        }
        render(out, value, inner)?;
    }
    Ok(())
}

/// The number before an item, counted from 1, on a line of its own unless it is the first.
fn number(
    out: &mut fmt::Formatter<'_>,
    index: usize,
    width: usize,
    mark: char,
    indent: usize,
) -> fmt::Result {
    if index > 0 {
        write!(out, "\n{:indent$}", "")?;
    }
    write!(out, "{:>width$}{mark} ", index + 1)
}

fn digits(count: usize) -> usize {
    count.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn takes_many_lines(value: &Value) -> bool {
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => match items.as_slice() {
            [] => false,
            [item] => takes_many_lines(item),
            _ => true,
        },
        Value::Map(pairs) => match pairs.as_slice() {
            [] => false,
            [(_, value)] => takes_many_lines(value),
            _ => true,
        },
        _ => false,
    }
}

/// Bytes in double quotes, with what cannot be printed escaped.
fn quoted(out: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    out.write_str("\"")?;
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => write!(out, "\\{}", char::from(byte))?,
            b'\n' => out.write_str("\\n")?,
            b'\r' => out.write_str("\\r")?,
            b'\t' => out.write_str("\\t")?,
            0x07 => out.write_str("\\a")?,
            0x08 => out.write_str("\\b")?,
            b' '..=b'~' => write!(out, "{}", char::from(byte))?,
            _ => write!(out, "\\x{byte:02x}")?,
        }
    }
    out.write_str("\"")
}
