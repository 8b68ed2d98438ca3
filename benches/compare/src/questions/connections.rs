//! What an idle connection costs the server in memory.
//!
//! Each connection has asked once, so that whatever a server keeps for one is there. What the kernel holds for
//! the sockets is not counted; it is the same for all.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::Common;
use crate::report::Findings;
use crate::servers::process::allow_connections;
use crate::servers::{Asker, Recipe, Server};

/// Flags of the measurement.
#[derive(Args, Clone)]
pub struct Options {
    /// Connections to open.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    connections: usize,
    /// Seconds until memory is read: Redis shrinks its buffers after a while.
    #[arg(long, value_name = "S", default_value_t = 5)]
    settle: u64,
}

/// Runs the measurement and prints its table.
pub fn run(common: &Common, options: &Options) -> Result<Value> {
    let mut options = options.clone();
    if common.quick {
        options = Options { connections: 200, settle: 0 };
    }
    allow_connections(options.connections)?;
    let mut findings = Findings::default();
    for recipe in common.lineup.servers()? {
        eprintln!("connections: {}", recipe.label());
        measure(&recipe, &options, &mut findings)?;
    }
    println!("{} idle connections, each of which has asked once", options.connections);
    Ok(findings.table(&["server", "resident before", "with them", "KiB a connection"]))
}

fn measure(recipe: &Recipe, options: &Options, findings: &mut Findings) -> Result<()> {
    let server = Server::start(recipe)?;
    let before = server.resident_bytes()?;
    let mut connections = Vec::new();
    for _ in 0..options.connections {
        let mut asker = Asker::connect(server.address)?;
        asker.ask(&["PING"])?;
        connections.push(asker);
    }
    std::thread::sleep(Duration::from_secs(options.settle));
    let with = server.resident_bytes()?;
    let each = with.saturating_sub(before) as f64 / options.connections as f64 / 1024.0;
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let row = vec![server.name.clone(), mebibytes(before), mebibytes(with), format!("{each:.1}")];
    let result = json!({
        "server": server.name,
        "program": server.program.name(),
        "connections": options.connections,
        "resident_bytes_before": before,
        "resident_bytes_with": with,
        "kibibytes_a_connection": each,
    });
    findings.add(row, result);
    Ok(())
}
