//! Pictures of the results, as SVG that is readable on light and on dark pages.
//!
//! Plain SVG is less than a plotting library here: two kinds of pictures, and colours that follow the reader's
//! page by a media query, which such libraries do not write. [`bars`] and [`lines`] draw, [`svg`] is the paper.

mod bars;
mod lines;
mod svg;

use serde_json::Value;

use bars::Bars;
use lines::Lines;

/// All pictures that the results are enough for: file name and content.
pub fn all(results: &Value) -> Vec<(&'static str, String)> {
    let mut pictures = Vec::new();
    if let Some(rows) = results["throughput"].as_array() {
        pictures.push((
            "throughput.svg",
            by_case(rows, "operations_per_second", "thousand operations a second", 1e-3),
        ));
        pictures.push((
            "cpu.svg",
            by_case(rows, "cpu_micros_per_operation", "server CPU, µs per operation", 1.0),
        ));
    }
    if let Some(rows) = results["lag"].as_array() {
        pictures.push(("lag.svg", lag(rows)));
    }
    if let Some(rows) = results["memory"].as_array() {
        pictures.push(("memory.svg", memory(rows)));
    }
    pictures
}

/// One panel for each depth of pipelines, one group of bars for each case.
fn by_case(rows: &[Value], figure: &str, unit: &str, scale: f64) -> String {
    let connections = rows.first().map_or(&Value::Null, |row| &row["connections"]);
    let rows: Vec<&Value> = rows.iter().filter(|row| row["connections"] == *connections).collect();
    let panels: Vec<Bars> = distinct(rows.iter().map(|row| row["pipeline"].clone()))
        .into_iter()
        .map(|pipeline| {
            let title = format!("pipelines of {pipeline}, {connections} connections: {unit}");
            let mut bars = Bars::new(&title, false);
            for row in rows.iter().filter(|row| row["pipeline"] == pipeline) {
                let value = row[figure]["median"].as_f64().unwrap_or_default() * scale;
                let quickest = row["operations_per_second"]["median"].as_f64().unwrap_or_default();
                bars.add_best(text(&row["case"]), text(&row["server"]), value, quickest);
            }
            bars
        })
        .collect();
    bars::draw(&panels)
}

fn memory(rows: &[Value]) -> String {
    let mut bars = Bars::new("resident bytes a key beyond its payload", true);
    for row in rows {
        let group = match row["fields"].as_u64() {
            Some(1) => "1 field".to_owned(),
            fields => format!("{} fields", fields.unwrap_or_default()),
        };
        let value = row["resident_bytes_beyond_payload"].as_f64().unwrap_or_default();
        bars.add_best(&group, text(&row["server"]), value, 0.0);
    }
    bars::draw(&[bars])
}

fn lag(rows: &[Value]) -> String {
    let waited = rows.iter().filter_map(|row| row["waited_seconds"].as_f64()).fold(1.0, f64::max);
    let mut lines = Lines::new(
        &format!("p99.9 of the lag by number of other keys with a TTL (hollow: not within {waited} s)"),
        waited,
    );
    for row in rows {
        lines.add(text(&row["server"]), row["others"].as_u64().unwrap_or_default(), row["p999"].as_f64());
    }
    lines.draw()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Each once, in the order of their first appearance.
fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::all;

    #[test]
    fn a_picture_shows_every_server_once_and_each_by_its_quickest_way() {
        let row = |server: &str, way: &str, rate: f64| {
            json!({
                "case": "set <and> TTL", "pipeline": 16, "connections": 50, "server": server, "way": way,
                "operations_per_second": { "median": rate }, "cpu_micros_per_operation": { "median": 1e6 / rate },
            })
        };
        let rows = [row("Redis", "slow", 1e5), row("Redis", "quick", 2e5), row("Mayfly, 1 shard", "", 16e5)];
        let pictures = all(&json!({ "throughput": rows }));
        let names: Vec<_> = pictures.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["throughput.svg", "cpu.svg"]);
        let throughput = &pictures[0].1;
        assert!(throughput.contains("Redis: 200 ") && !throughput.contains("Redis: 100 "), "{throughput}");
        assert!(throughput.contains("Mayfly, 1 shard: 1600 "));
        assert!(throughput.contains("set &lt;and&gt; TTL"));
        assert!(pictures[1].1.contains("Redis: 5.00 "), "{}", pictures[1].1);
    }

    #[test]
    fn a_lag_that_nobody_measured_is_drawn_as_longer_than_the_wait() {
        let row = |server, others, p999: Option<f64>| json!({ "server": server, "others": others, "p999": p999, "waited_seconds": 30 });
        let rows = [row("Redis", 0, Some(0.1)), row("Redis", 10_000, None), row("Mayfly", 0, Some(0.002))];
        let pictures = all(&json!({ "lag": rows }));
        assert!(pictures[0].1.contains("Redis, 10 k: &gt; 30 s"), "{}", pictures[0].1);
        assert!(pictures[0].1.contains("Mayfly, 0: 2 ms"));
    }
}
