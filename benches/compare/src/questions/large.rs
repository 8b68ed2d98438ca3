//! How long others wait while a hash with very many fields is removed, by DEL, by UNLINK and by its deadline.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{Common, finite, longest_away, longest_away_shown};
use crate::load::{LightClient, Operation, fill};
use crate::report::{self, Findings};
use crate::servers::{Asker, Recipe, Server};

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Fields of the hash.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    fields: u64,
    /// Milliseconds that the light client looks on after the removal.
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    aftermath: u64,
}

/// From PEXPIRE to the deadline.
const LEAD_MS: &str = "100";

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options) -> Result<Value> {
    let mut options = options.clone();
    if common.quick {
        options = Options { fields: 10_000, aftermath: 150 };
    }
    let mut findings = Findings::default();
    for recipe in common.lineup.servers()? {
        eprintln!("large: {}", recipe.label());
        measure(&recipe, &options, &mut findings)?;
    }
    println!("A hash of {} fields is removed; beside it a light client's HGET", options.fields);
    let head = ["server", "removed by", "call took", "light p50", "p99", "p99.9", "max", "away from mailbox"];
    Ok(findings.table(&head))
}

fn measure(recipe: &Recipe, options: &Options, findings: &mut Findings) -> Result<()> {
    let fields = options.fields;
    let server = Server::start(recipe)?;
    let operation = Operation::new(&[vec!["HSET", "large", "field:{n}", "0123456789abcdef"]]);
    let removals: [&[&str]; 4] =
        [&["EXISTS", "large"], &["DEL", "large"], &["UNLINK", "large"], &["PEXPIRE", "large", LEAD_MS]];
    for words in removals {
        fill(server.address, &operation, 0..fields)?;
        let held = Asker::connect(server.address)?.ask_integer(&["HLEN", "large"])?;
        ensure!(held == fields, "{} holds {held} fields of {fields}", server.name);
        let before = server.scrape()?;
        let mut asker = Asker::connect(server.address)?;
        let (took, light) = LightClient::beside(server.address, || {
            let start = std::time::Instant::now();
            let answer = asker.ask_integer(words)?;
            ensure!(answer == 1, "{words:?} was answered {answer}");
            let took = start.elapsed();
            std::thread::sleep(Duration::from_millis(options.aftermath));
            Ok(took)
        })?;
        let away = longest_away(before.as_ref(), server.scrape()?.as_ref())?;
        let by = match words[0] {
            "EXISTS" => "nothing",
            "PEXPIRE" => "its deadline",
            by => by,
        };
        let mut row = vec![server.name.clone(), by.to_owned(), report::time(took.as_nanos() as u64)];
        row.extend(report::quantiles(&light));
        row.push(longest_away_shown(away));
        let result = json!({
            "server": server.name,
            "program": server.program.name(),
            "fields": fields,
            "removed_by": by,
            "call_seconds": took.as_secs_f64(),
            "light_client_seconds": report::quantiles_json(&light),
            "away_from_mailbox_seconds_at_most": finite(away),
        });
        findings.add(row, result);
    }
    Ok(())
}
