//! redis-rs, blocking and asyncio, in RESP2 and RESP3. Reports in TAP.

// A blocking client waits by blocking its thread; what must not is the server.
#![allow(clippy::disallowed_methods)]

use std::env;
use std::error::Error;

use redis::Client;

use report::Report;

mod redis_rs_asyncio;
mod redis_rs_blocking;
mod report;

const EXPIRED: &str = "__keyevent@0__:expired";

fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).ok_or("the port is missing")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = Report::default();
    for (resp, protocol) in [("2", ""), ("3", "?protocol=resp3")] {
        let client = Client::open(format!("redis://127.0.0.1:{port}/{protocol}"))?;
        report.about(&format!("blocking, RESP{resp}"));
        redis_rs_blocking::run(&mut report, &client, resp)?;
        report.about(&format!("asyncio, RESP{resp}"));
        runtime.block_on(redis_rs_asyncio::run(&mut report, &client, resp))?;
    }
    report.end();
    Ok(())
}
