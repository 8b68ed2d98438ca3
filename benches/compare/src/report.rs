//! Tables for people, the same figures for programs, and what machine they were taken on.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Prints a Markdown table with columns as wide as they need to be.
pub fn table(head: &[&str], rows: &[Vec<String>]) {
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, title)| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .chain([title.chars().count()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<_> = cells.zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        println!("| {} |", padded.join(" | "));
    };
    println!();
    line(&mut head.iter().copied());
    println!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|"));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}

/// A time in nanoseconds, for people.
pub fn time(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{:.1} µs", nanos as f64 / 1e3),
        10_000..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{:.2} ms", nanos as f64 / 1e6),
        _ => format!("{:.2} s", nanos as f64 / 1e9),
    }
}

/// Median, p99, p99.9 and maximum, for people.
pub fn quantiles(times: &Histogram<u64>) -> [String; 4] {
    [0.5, 0.99, 0.999, 1.0].map(|quantile| time(times.value_at_quantile(quantile)))
}

/// The same, for programs, in seconds.
pub fn quantiles_json(times: &Histogram<u64>) -> Value {
    let seconds = |quantile| times.value_at_quantile(quantile) as f64 / 1e9;
    json!({
        "count": times.len(),
        "p50": seconds(0.5),
        "p99": seconds(0.99),
        "p999": seconds(0.999),
        "max": seconds(1.0),
    })
}

/// Rows of a table for people, each with the same for programs.
#[derive(Default)]
pub struct Findings {
    rows: Vec<Vec<String>>,
    results: Vec<Value>,
}

impl Findings {
    /// Adds a row.
    pub fn add(&mut self, row: Vec<String>, result: Value) {
        self.rows.push(row);
        self.results.push(result);
    }

    /// Prints the table; returns what programs get.
    pub fn table(self, head: &[&str]) -> Value {
        table(head, &self.rows);
        Value::Array(self.results)
    }
}

/// What the figures were taken on.
pub fn machine() -> Value {
    let first = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    json!({
        "processor": first("/proc/cpuinfo", "model name"),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": first("/proc/meminfo", "MemTotal"),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
    })
}
