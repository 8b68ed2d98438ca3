//! Figures, found in the results.

use serde_json::Value;

/// How long a shard was away from its mailbox.
pub const AWAY: &str = "away_from_mailbox_seconds_at_most";

/// From the results and the name of a server.
pub type Figure = Box<dyn Fn(&Value, &str) -> Option<f64>>;

/// Which rows of a case without pipelines.
#[derive(Clone, Copy)]
pub enum Connections {
    /// The number that all cases were run with.
    Most,
    /// A single one.
    One,
}

/// Throughput against a peer in the way in which that is quickest.
pub fn throughput(case: &'static str, pipeline: u64, peer: &'static str) -> Figure {
    Box::new(move |results, server| {
        let row = row(results, server, case, pipeline, Connections::Most)?;
        row["ratio_to_best_of"][peer]["throughput"]["median"].as_f64()
    })
}

/// Server CPU per operation against it.
pub fn cpu(case: &'static str, pipeline: u64, peer: &'static str) -> Figure {
    Box::new(move |results, server| {
        let row = row(results, server, case, pipeline, Connections::Most)?;
        row["ratio_to_best_of"][peer]["cpu"]["median"].as_f64()
    })
}

/// Latency without pipelines against Redis.
pub fn latency(case: &'static str, connections: Connections, quantile: &'static str) -> Figure {
    Box::new(move |results, server| {
        let row = row(results, server, case, 1, connections)?;
        row["ratio_to_best_of"]["Redis"]["latency"][quantile].as_f64()
    })
}

fn row<'a>(
    results: &'a Value,
    server: &str,
    case: &str,
    pipeline: u64,
    connections: Connections,
) -> Option<&'a Value> {
    let wanted = match connections {
        Connections::One => 1,
        Connections::Most => results["throughput"][0]["connections"].as_u64()?,
    };
    rows(results, "throughput").find(|row| {
        row["server"] == server
            && row["case"] == case
            && row["pipeline"] == pipeline
            && row["connections"] == wanted
    })
}

/// A figure of a question with one row for each server.
pub fn of(question: &'static str, key: &'static str, scale: f64) -> Figure {
    Box::new(move |results, server| {
        Some(rows(results, question).find(|row| row["server"] == server)?[key].as_f64()? * scale)
    })
}

/// The row of hashes of so many fields, in a server or a peer.
pub fn memory<'a>(results: &'a Value, name: &str, fields: u64) -> Option<&'a Value> {
    let is_it = |row: &&Value| row["fields"] == fields && (row["server"] == name || row["program"] == name);
    rows(results, "memory").find(is_it)
}

/// The row of what removed a large hash.
pub fn large<'a>(results: &'a Value, server: &str, by: &str) -> Option<&'a Value> {
    rows(results, "large").find(|row| row["server"] == server && row["removed_by"] == by)
}

/// The rows of a question.
pub fn rows<'a>(results: &'a Value, question: &str) -> impl Iterator<Item = &'a Value> {
    results[question].as_array().into_iter().flatten()
}
