//! How far the goals are reached: each is a figure of the results, a bound, and what Mayfly came to.

mod figures;
mod goals;

use serde_json::Value;

use crate::report;
use figures::Figure;

/// A figure that has to be on one side of a bound.
struct Goal {
    text: String,
    bound: Bound,
    figure: Figure,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// Prints every goal for which there are results, for every Mayfly.
pub fn print(results: &Value) {
    let servers = servers(results);
    let mut rows = Vec::new();
    for goal in goals::all() {
        let reached: Vec<_> = servers.iter().map(|server| (goal.figure)(results, server)).collect();
        if reached.iter().all(Option::is_none) {
            continue;
        }
        let bound = match goal.bound {
            Bound::AtLeast(bound) => format!("≥ {bound}"),
            Bound::AtMost(bound) => format!("≤ {bound}"),
        };
        let shown =
            reached.into_iter().map(|figure| figure.map_or_else(String::new, |figure| goal.shown(figure)));
        rows.push([goal.text.clone(), bound].into_iter().chain(shown).collect());
    }
    if !rows.is_empty() {
        let head: Vec<&str> =
            ["goal", "bound"].into_iter().chain(servers.iter().map(String::as_str)).collect();
        report::table(&head, &rows);
    }
}

impl Goal {
    fn shown(&self, figure: f64) -> String {
        let met = match self.bound {
            Bound::AtLeast(bound) => figure >= bound,
            Bound::AtMost(bound) => figure <= bound,
        };
        let digits = if figure.abs() < 10.0 { 3 } else { 0 };
        format!("{figure:.digits$} {}", if met { "yes" } else { "NO" })
    }
}

/// Every Mayfly in the results.
fn servers(results: &Value) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let rows = results.as_object().into_iter().flat_map(|questions| questions.values());
    for row in rows.filter_map(Value::as_array).flatten() {
        let name = row["server"].as_str().filter(|_| row["program"] == "Mayfly");
        if let Some(name) = name.filter(|name| !names.iter().any(|known| known == name)) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use serde_json::{Value, json};

    use super::{Bound, Goal, goals, servers};
    use crate::cases::Case;

    /// What a whole run writes, as far as goals look at it.
    fn results() -> Value {
        let both = json!({ "throughput": { "median": 2.0 }, "cpu": { "median": 0.5 }, "latency": { "p50": 1, "p99": 1 } });
        let ratios = json!({ "Redis": both, "Valkey": both, "bare echo": both });
        let row = |case: &Case, pipeline, connections| {
            json!({ "server": "Mayfly, 1 shard", "program": "Mayfly", "case": case.name(), "pipeline": pipeline,
                    "connections": connections, "ratio_to_best_of": ratios })
        };
        let depths = [(1, 50), (16, 50), (64, 50), (1, 1)];
        let cases = Case::value_variants().iter();
        let throughput: Vec<_> =
            cases.flat_map(|case| depths.map(|(depth, by)| row(case, depth, by))).collect();
        let of = |rows: Vec<Value>, figures: Value| -> Vec<Value> {
            rows.into_iter()
                .map(|mut row| {
                    let all = row.as_object_mut().expect("an object");
                    all.extend(figures.as_object().expect("an object").clone());
                    row
                })
                .collect()
        };
        let own = json!({ "server": "Mayfly, 1 shard", "program": "Mayfly", "away_from_mailbox_seconds_at_most": 0.001,
                          "light_client_seconds": { "max": 0.002 }, "keys_a_second_and_shard": 1e6,
                          "light_client_p99_ratio": 1.0, "share_of_a_core": 0.001, "p999": 0.003,
                          "resident_bytes_beyond_payload": 40, "accounted_bytes_beyond_payload": 30,
                          "resident_bytes": { "full": 10, "written_after_expiry": 10, "written_after_deletion": 11 } });
        let redis = json!({ "server": "Redis 8.2.3", "program": "Redis", "resident_bytes_beyond_payload": 80,
                            "accounted_bytes_beyond_payload": 60 });
        let shapes: Vec<_> = [1, 5, 50, 1_000].map(|fields| json!({ "fields": fields })).into();
        let memory = [of(shapes.clone(), own.clone()), of(shapes, redis)].concat();
        let others = [0, 10_000, 100_000, 1_000_000, 10_000_000].map(|others| json!({ "others": others }));
        let removals = ["nothing", "DEL", "UNLINK", "its deadline"].map(|by| json!({ "removed_by": by }));
        json!({
            "throughput": throughput,
            "memory": memory,
            "lag": of(others.into(), own.clone()),
            "large": of(removals.into(), own.clone()),
            "storm": [own],
            "growth": [own, own],
            "idle": [own],
        })
    }

    #[test]
    fn every_goal_finds_its_figure() {
        let results = results();
        assert_eq!(servers(&results), ["Mayfly, 1 shard"]);
        for goal in goals::all() {
            assert!((goal.figure)(&results, "Mayfly, 1 shard").is_some(), "{}", goal.text);
            assert!((goal.figure)(&results, "Mayfly, 9 shards").is_none(), "{}", goal.text);
        }
    }

    #[test]
    fn a_goal_is_met_at_its_bound_and_not_beyond() {
        let goal = |bound| Goal { text: String::new(), bound, figure: Box::new(|_, _| None) };
        assert_eq!(goal(Bound::AtLeast(8.0)).shown(8.0), "8.000 yes");
        assert_eq!(goal(Bound::AtLeast(8.0)).shown(7.99), "7.990 NO");
        assert_eq!(goal(Bound::AtMost(0.5)).shown(0.501), "0.501 NO");
        assert_eq!(goal(Bound::AtMost(10.0)).shown(f64::INFINITY), "inf NO");
    }
}
