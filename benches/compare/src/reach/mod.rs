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
