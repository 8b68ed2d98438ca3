//! Memory of a key beyond its payload, and whether that of removed keys is used again.
//!
//! Payload is the bytes of key, fields and values. Resident is what the kernel counts (`VmRSS`), accounted what
//! the server itself says (`used_memory`, `mayfly_shard_held_bytes`); both less what they were without keys.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::Common;
use crate::load::{Operation, fill};
use crate::report::Findings;
use crate::servers::{Recipe, Server};

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Keys of one and of five fields; a tenth of it of 50 fields, a hundredth of 1,000 fields.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// Seconds to wait until expired keys are given back.
    #[arg(long, value_name = "S", default_value_t = 60)]
    patience: u64,
    /// Milliseconds that memory may settle after the last write.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    settle: u64,
}

/// A kind of hash.
struct Shape {
    fields: usize,
    name_bytes: usize,
    value_bytes: usize,
    /// One key for so many of those asked for.
    share: u64,
}

const SHAPES: [Shape; 4] = [
    Shape { fields: 1, name_bytes: 1, value_bytes: 32, share: 1 },
    Shape { fields: 5, name_bytes: 8, value_bytes: 24, share: 1 },
    Shape { fields: 50, name_bytes: 8, value_bytes: 16, share: 10 },
    Shape { fields: 1_000, name_bytes: 8, value_bytes: 16, share: 100 },
];
/// Of `session:0000123456`.
const KEY_BYTES: usize = 18;
/// Between two looks at how many keys are left.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options) -> Result<Value> {
    let mut options = options.clone();
    if common.quick {
        options = Options { keys: 2_000, patience: 1, settle: 10 };
    }
    let mut findings = Findings::default();
    for shape in &SHAPES {
        for recipe in common.lineup.servers()? {
            eprintln!("memory: {}, {} fields", recipe.label(), shape.fields);
            measure(&recipe, shape, &options, &mut findings)?;
        }
    }
    println!(
        "Bytes a key with TTL beyond its payload; then all keys expire, others are written, are deleted, and so on"
    );
    let head = [
        "fields",
        "keys",
        "payload",
        "server",
        "accounted",
        "resident",
        "MiB full",
        "expired",
        "others written",
        "deleted",
        "others written",
    ];
    Ok(findings.table(&head))
}

impl Shape {
    fn payload_bytes(&self) -> usize {
        KEY_BYTES + self.fields * (self.name_bytes + self.value_bytes)
    }

    /// A hash and its TTL. The generation is a part of the key, which keeps its length.
    fn operation(&self, generation: u8) -> Operation {
        let key = format!("sessio{generation}:{{n}}");
        let mut words = vec!["HSET".to_owned(), key.clone()];
        for field in 0..self.fields {
            let (name, value) = (self.name_bytes, self.value_bytes);
            words.extend([format!("{field:0>name$}"), format!("{field:x>value$}")]);
        }
        Operation::new(&[words, vec!["EXPIRE".to_owned(), key, "86400".to_owned()]])
    }
}

fn measure(recipe: &Recipe, shape: &Shape, options: &Options, findings: &mut Findings) -> Result<()> {
    let keys = (options.keys / shape.share).max(1);
    let server = Server::start(recipe)?;
    let (resident, accounted) = (server.resident_bytes()?, server.accounted_bytes()?);
    let settle = Duration::from_millis(options.settle);
    let write = |generation| -> Result<u64> {
        fill(server.address, &shape.operation(generation), 0..keys)?;
        std::thread::sleep(settle);
        server.resident_bytes()
    };
    let full = write(0)?;
    let beyond = |bytes: u64, before: u64| {
        bytes.saturating_sub(before) as f64 / keys as f64 - shape.payload_bytes() as f64
    };
    let own = beyond(server.accounted_bytes()?, accounted);
    let kernel = beyond(full, resident);

    fill(server.address, &Operation::new(&[vec!["PEXPIRE", "sessio0:{n}", "1"]]), 0..keys)?;
    let left = wait_until_gone(&server, options.patience)?;
    std::thread::sleep(settle);
    let expired = server.resident_bytes()?;
    let again = write(1)?;
    fill(server.address, &Operation::new(&[vec!["DEL", "sessio1:{n}"]]), 0..keys)?;
    // What lingers of the expired ones is told above.
    wait_until_gone(&server, if left == 0 { options.patience } else { 0 })?;
    std::thread::sleep(settle);
    let deleted = server.resident_bytes()?;
    let once_more = write(2)?;

    let mebibytes = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
    let lingering = if left == 0 { String::new() } else { format!(" ({left} left)") };
    let row = vec![
        shape.fields.to_string(),
        keys.to_string(),
        shape.payload_bytes().to_string(),
        server.name.clone(),
        format!("{own:.0}"),
        format!("{kernel:.0}"),
        mebibytes(full),
        mebibytes(expired) + &lingering,
        mebibytes(again),
        mebibytes(deleted),
        mebibytes(once_more),
    ];
    let result = json!({
        "fields": shape.fields,
        "keys": keys,
        "payload_bytes": shape.payload_bytes(),
        "server": server.name,
        "program": server.program.name(),
        "accounted_bytes_beyond_payload": own,
        "resident_bytes_beyond_payload": kernel,
        "resident_bytes": {
            "empty": resident,
            "full": full,
            "expired": expired,
            "expired_keys_left": left,
            "written_after_expiry": again,
            "deleted": deleted,
            "written_after_deletion": once_more,
        },
    });
    findings.add(row, result);
    Ok(())
}

/// How many keys are left after the wait.
fn wait_until_gone(server: &Server, patience: u64) -> Result<u64> {
    let start = Instant::now();
    loop {
        let left = server.held_keys()?;
        if left == 0 || start.elapsed() >= Duration::from_secs(patience) {
            return Ok(left);
        }
        std::thread::sleep(LOOK_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::{KEY_BYTES, SHAPES};

    #[test]
    fn the_payload_is_what_is_sent_of_key_fields_and_values() {
        for shape in &SHAPES {
            let mut sent = Vec::new();
            shape.operation(1).append(123_456, &mut sent);
            let text = String::from_utf8(sent).unwrap();
            let hset = text.split("*3\r\n").next().unwrap();
            let words: Vec<_> = hset.split("\r\n").skip(2).step_by(2).collect();
            assert_eq!(words[1], "sessio1:0000123456");
            assert_eq!(words[1].len(), KEY_BYTES);
            let payload: usize = words[1..].iter().map(|word| word.len()).sum();
            assert_eq!(payload, shape.payload_bytes(), "{} fields", shape.fields);
            let mut names: Vec<_> = words[2..].iter().step_by(2).collect();
            names.dedup();
            assert_eq!(names.len(), shape.fields);
        }
    }
}
