//! The goals, those of the issue that asked for them.

use super::Bound::{AtLeast, AtMost};
use super::Goal;
use super::figures::{AWAY, Connections, Figure, cpu, large, latency, memory, of, rows, throughput};

/// Memory that was freed is used again if the process holds no more than this with other keys in it.
const REUSED_RATIO_MAX: f64 = 1.1;

/// All of them.
pub fn all() -> Vec<Goal> {
    let mut goals = Vec::new();
    let mut add = |text: String, bound, figure: Figure| {
        goals.push(Goal { text, bound, figure });
    };
    let peers = ["Redis", "Valkey"];
    let set = "set and TTL";
    for (pipeline, rates, cpus) in
        [(64, [8.0, 5.5], [0.12, 0.18]), (16, [5.0, 3.5], [0.18, 0.27]), (1, [1.4, 1.4], [0.7, 0.7])]
    {
        for ((peer, rate), most) in peers.into_iter().zip(rates).zip(cpus) {
            add(
                format!("{set}, P = {pipeline}: throughput × {peer}"),
                AtLeast(rate),
                throughput(set, pipeline, peer),
            );
            add(format!("{set}, P = {pipeline}: CPU × {peer}"), AtMost(most), cpu(set, pipeline, peer));
        }
    }
    for (pipeline, rates) in [(64, [4.5, 2.3]), (16, [2.5, 1.5])] {
        for case in ["HSET", "HGET", "HINCRBY", "EXPIRE"] {
            for (peer, rate) in peers.into_iter().zip(rates) {
                let text = format!("{case}, P = {pipeline}: throughput × {peer}");
                add(text, AtLeast(rate), throughput(case, pipeline, peer));
            }
        }
    }
    for pipeline in [64, 16] {
        for case in ["HMGET 5", "HGETALL 5"] {
            for (peer, rate) in peers.into_iter().zip([2.5, 1.7]) {
                let text = format!("{case}, P = {pipeline}: throughput × {peer}");
                add(text, AtLeast(rate), throughput(case, pipeline, peer));
            }
        }
    }
    for case in ["PING", set, "HSET", "HGET", "HMGET 5", "HGETALL 5", "HINCRBY", "EXPIRE"] {
        add(format!("{case}, P = 1: throughput × Redis"), AtLeast(1.2), throughput(case, 1, "Redis"));
        add(format!("{case}, P = 1: CPU × Redis"), AtMost(1.0), cpu(case, 1, "Redis"));
        add(format!("{case}, P = 1: p99 × Redis"), AtMost(1.0), latency(case, Connections::Most, "p99"));
    }
    for case in ["PING", set, "HSET", "HGET"] {
        let figure = latency(case, Connections::One, "p50");
        add(format!("{case}, P = 1, one connection: p50 × Redis"), AtMost(1.1), figure);
    }
    add(format!("{set}, P = 64: CPU × bare echo"), AtMost(2.0), cpu(set, 64, "bare echo"));
    for fields in [1, 5, 50, 1_000] {
        for kind in ["resident", "accounted"] {
            let key = format!("{kind}_bytes_beyond_payload");
            let text = format!("memory, {fields} field(s): {kind} bytes beyond payload × Redis");
            add(
                text,
                AtMost(0.5),
                Box::new(move |results, server| {
                    Some(
                        memory(results, server, fields)?[&key].as_f64()?
                            / memory(results, "Redis", fields)?[&key].as_f64()?,
                    )
                }),
            );
        }
        for removal in ["expiry", "deletion"] {
            let text =
                format!("memory, {fields} field(s): resident when written again after {removal} / before");
            add(
                text,
                AtMost(REUSED_RATIO_MAX),
                Box::new(move |results, server| {
                    let resident = &memory(results, server, fields)?["resident_bytes"];
                    Some(
                        resident[&format!("written_after_{removal}")].as_f64()?
                            / resident["full"].as_f64()?,
                    )
                }),
            );
        }
    }
    for others in [0, 10_000, 100_000, 1_000_000, 10_000_000] {
        add(
            format!("lag beside {others} keys: p99.9 in ms"),
            AtMost(10.0),
            Box::new(move |results, server| {
                let row =
                    rows(results, "lag").find(|row| row["server"] == server && row["others"] == others)?;
                Some(row["p999"].as_f64().map_or(f64::INFINITY, |seconds| seconds * 1e3))
            }),
        );
    }
    add(
        "storm: keys a second and shard".to_owned(),
        AtLeast(500_000.0),
        of("storm", "keys_a_second_and_shard", 1.0),
    );
    add("storm: away from mailbox, ms at most".to_owned(), AtMost(1.0), of("storm", AWAY, 1e3));
    add(
        "storm: light p99 during / before".to_owned(),
        AtMost(1.2),
        of("storm", "light_client_p99_ratio", 1.0),
    );
    add("growth: away from mailbox, ms at most".to_owned(), AtMost(1.0), of("growth", AWAY, 1e3));
    add(
        "growth: light maximum / without growth".to_owned(),
        AtMost(1.0),
        Box::new(|results, server| {
            let rows: Vec<_> = rows(results, "growth").filter(|row| row["server"] == server).collect();
            let max = |row: usize| rows.get(row)?["light_client_seconds"]["max"].as_f64();
            Some(max(0)? / max(1)?)
        }),
    );
    for by in ["DEL", "its deadline"] {
        let text = format!("1,000,000 fields removed by {by}: away from mailbox, ms at most");
        add(
            text,
            AtMost(1.0),
            Box::new(move |results, server| Some(large(results, server, by)?[AWAY].as_f64()? * 1e3)),
        );
        let text = format!("1,000,000 fields removed by {by}: added to light maximum, ms");
        add(
            text,
            AtMost(1.0),
            Box::new(move |results, server| {
                let max = |by| large(results, server, by)?["light_client_seconds"]["max"].as_f64();
                Some((max(by)? - max("nothing")?) * 1e3)
            }),
        );
    }
    add("idle: % of a core".to_owned(), AtMost(0.5), of("idle", "share_of_a_core", 100.0));
    goals
}
