//! `LATENCY DOCTOR`: what the events say, in words, and what to do about it.

use std::fmt::Write as _;

use crate::diagnostics::{Diagnostics, Event};

/// What to do about each kind of event.
const ADVICE: &[(&[&str], &str)] = &[
    (
        &["command", "fast-command"],
        "SLOWLOG GET shows the calls that were slow. A call waits for nobody else on its shard, so it is slow by what it \
         does (large hashes, KEYS, HGETALL) or because the machine gave the shard no processor.",
    ),
    (
        &["command"],
        "Read large hashes in pieces (HSCAN, HMGET), keys by SCAN, and remove large hashes by UNLINK.",
    ),
    (
        &["fast-command"],
        "Calls that are fast by nature were slow: look for other processes on its processors, for swapping and for a \
         hypervisor that takes time away. server.shards should be no more than there are processors.",
    ),
    (
        &["expire-cycle"],
        "Expiry works in slices between calls: a smaller expiry.slice_entries_max makes them shorter. Where many keys fall \
         due at once, ttl.jitter_percent spreads them; the forecast in /metrics shows storms ahead.",
    ),
    (
        &["eviction-cycle"],
        "Writes had to make room first: raise maxmemory, give keys shorter TTLs, or look at fewer candidates \
         (maxmemory-samples).",
    ),
    (
        &["aof-write", "aof-fsync"],
        "The disk of the data folder is slow or busy. With appendfsync everysec no call waits for a sync; with always all \
         do. A disk that only Mayfly uses helps most.",
    ),
];

/// The report.
pub(super) fn report(diagnostics: &Diagnostics) -> String {
    let threshold = diagnostics.latency_millis_min();
    let events: Vec<(&str, Event)> =
        diagnostics.latency().iter().map(|(name, event)| (name, event.clone())).collect();
    if events.is_empty() && threshold == 0 {
        return "Events of latency are not collected. \"CONFIG SET latency-monitor-threshold <milliseconds>\" has \
                everything noted that takes as long. LATENCY HISTOGRAM shows how long commands take in any case.\n"
            .to_owned();
    }
    if events.is_empty() {
        return format!("Nothing has taken {threshold} ms or longer since that is looked at.\n");
    }
    let mut text = String::from("These kinds of work took long:\n\n");
    for (number, (name, event)) in (1..).zip(&events) {
        let _ = writeln!(text, "{number}. {name}: {}.", summary(event));
    }
    text.push_str("\nWhat helps:\n\n");
    let is_there = |wanted: &str| events.iter().any(|(name, _)| *name == wanted);
    let is_call = is_there("command") || is_there("fast-command");
    match diagnostics.slow_call_micros_min() {
        Some(micros) if is_call && micros > threshold * 1_000 && threshold > 0 => {
            let _ = writeln!(
                text,
                "- SLOWLOG keeps only calls from {micros} us on; \"CONFIG SET slowlog-log-slower-than {}\" has it keep all \
                 that are events.",
                threshold * 1_000
            );
        }
        None if is_call => text.push_str(
            "- SLOWLOG is off; \"CONFIG SET slowlog-log-slower-than 10000\" has it keep calls from 10 ms on.\n",
        ),
        _ => {}
    }
    for (_, advice) in ADVICE.iter().filter(|(names, _)| names.iter().any(|name| is_there(name))) {
        let _ = writeln!(text, "- {advice}");
    }
    text
}

/// Number, mean, spread and rhythm of the samples.
fn summary(event: &Event) -> String {
    let samples: Vec<_> = event.samples().collect();
    let count = samples.len() as f64;
    let mean = samples.iter().map(|(_, millis)| *millis as f64).sum::<f64>() / count;
    let deviation = samples.iter().map(|(_, millis)| (*millis as f64 - mean).abs()).sum::<f64>() / count;
    let highest = event.highest_ms;
    let seconds = match &samples[..] {
        [(first, _), .., (last, _)] => last - first,
        _ => 0,
    };
    let spread = format!("mean {mean:.0} ms, mean deviation {deviation:.0} ms, longest ever {highest} ms");
    match samples.len() {
        1 => format!("1 sample, {} ms, longest ever {highest} ms", samples[0].1),
        many => format!("{many} samples, {spread}, one every {:.1} s", seconds as f64 / (count - 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use mayfly_store::UnixMillis;

    use super::*;
    use crate::diagnostics::DiagnosticsOptions;

    #[test]
    fn advice_fits_what_happened() {
        let diagnostics = Diagnostics::default();
        let set = |slow_micros: Option<u64>, latency_millis_min| {
            diagnostics.set_options(DiagnosticsOptions {
                slow_call_nanos_min: slow_micros.map(|micros| micros * 1_000),
                slow_log_entries_max: 1,
                latency_millis_min,
            });
        };
        assert!(report(&diagnostics).contains("latency-monitor-threshold"));
        set(Some(10_000), 5);
        assert_eq!(report(&diagnostics), "Nothing has taken 5 ms or longer since that is looked at.\n");
        for (event, millis, second) in
            [("expire-cycle", 6, 1), ("command", 100, 10), ("command", 300, 12), ("command", 200, 14)]
        {
            diagnostics.took(event, millis * 1_000_000, UnixMillis(second * 1_000));
        }
        let text = report(&diagnostics);
        let lines = [
            "1. command: 3 samples, mean 200 ms, mean deviation 67 ms, longest ever 300 ms, one every 2.0 s.",
            "2. expire-cycle: 1 sample, 6 ms, longest ever 6 ms.",
        ];
        for line in lines {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        for (advice, is_given) in [
            ("CONFIG SET slowlog-log-slower-than 5000", true),
            ("HSCAN", true),
            ("expiry.slice_entries_max", true),
            ("hypervisor", false),
            ("appendfsync", false),
            ("maxmemory", false),
        ] {
            assert_eq!(text.contains(advice), is_given, "{advice}: {text}");
        }
        set(None, 5);
        assert!(report(&diagnostics).contains("SLOWLOG is off"));
        set(Some(0), 0);
        assert!(!report(&diagnostics).contains("SLOWLOG is off"));
    }
}
