//! What is asked of the operating system before the server starts. None of it is needed to run; what is refused is
//! logged.

use mayfly_config::ServerConfig;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::huge_pages::HugePages;

/// Descriptors for everything but clients: listeners, runtimes, log.
const DESCRIPTORS_BESIDE_CLIENTS: u64 = 128;

/// Prepares the process; to be called before the first thread starts. What it gives is to be kept while the server
/// runs.
pub fn prepare(config: &ServerConfig) -> Option<HugePages> {
    if !config.huge_pages
        && let Err(error) = prctl::set_thp_disable(true)
    {
        tracing::warn!(%error, "cannot turn huge pages off; growth may stall for milliseconds");
    }
    if let Err(fits) = make_room_for(config.connections_max) {
        let connections_max = config.connections_max;
        tracing::warn!(fits, connections_max, "the limit of open files is below server.connections_max");
    }
    if !config.huge_pages {
        return None;
    }
    let started = HugePages::start();
    started.inspect_err(|error| tracing::warn!(%error, "memory stays in small pages")).ok()
}

/// Raises the limit of open files so that so many clients fit, as far as the hard limit allows.
///
/// # Errors
/// How many clients fit, if not all of them do.
pub fn make_room_for(clients: usize) -> Result<(), u64> {
    let needed = clients as u64 + DESCRIPTORS_BESIDE_CLIENTS;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return Ok(());
    };
    if soft >= needed {
        return Ok(());
    }
    let raised = setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard).is_ok();
    let limit = if raised { needed.min(hard) } else { soft };
    if limit >= needed { Ok(()) } else { Err(limit.saturating_sub(DESCRIPTORS_BESIDE_CLIENTS)) }
}
