//! How a double is spelt on the wire.

use std::io::Write;

/// Appends the shortest text that reads back as `value`: `3`, `0.1`, `1e20`, `inf`, `-inf`, `nan`.
pub(crate) fn write_double(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    let plain = value == 0.0 || (1e-5..1e17).contains(&magnitude);
    // Writing into a `Vec` cannot fail.
    let _ = if value.is_nan() {
        out.write_all(b"nan")
    } else if plain || value.is_infinite() {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
}
