//! How long a start takes with what the last run has left in the folder, and how much memory it needs meanwhile.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Findings, Recipe, Server, bytes_in, mebibytes};
use crate::report;
use crate::servers::Asker;
use crate::servers::process::resident_bytes_max;

/// Stops a server and starts it again; returns the new one.
pub fn measure(
    server: Server,
    recipe: &Recipe,
    from: &str,
    keys: u64,
    findings: &mut Findings,
) -> Result<Server> {
    eprintln!("restart: {}, from {from}", server.name);
    let (server, took) = server.restart(recipe)?;
    let most = resident_bytes_max(server.process())?;
    let held = Asker::connect(server.address)?.ask_integer(&["DBSIZE"])?;
    ensure!(held == keys, "{} has read back {held} keys of {keys}", server.name);
    let files = bytes_in(server.folder())?;
    let rate = keys as f64 / took.as_secs_f64();
    let row = vec![
        server.name.clone(),
        from.to_owned(),
        mebibytes(files),
        report::time(took.as_nanos() as u64),
        format!("{:.0} k", rate / 1e3),
        mebibytes(most),
    ];
    let result = json!({
        "server": server.name,
        "program": server.program.name(),
        "from": from,
        "keys": keys,
        "folder_bytes": files,
        "seconds": took.as_secs_f64(),
        "keys_per_second": rate,
        "resident_bytes_at_most": most,
    });
    findings.add(row, result);
    Ok(server)
}
