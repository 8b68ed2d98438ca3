//! What is asked of the operating system before the server starts. None of it is needed to run; what is refused is
//! logged.

use mayfly_config::ServerConfig;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors for everything but clients: listeners, runtimes, log.
const DESCRIPTORS_BESIDE_CLIENTS: u64 = 128;

/// Prepares the process; to be called before the first thread starts.
pub fn prepare(config: &ServerConfig) {
    if !config.huge_pages
        && let Err(error) = prctl::set_thp_disable(true)
    {
        tracing::warn!(%error, "cannot turn huge pages off; growth may stall for milliseconds");
    }
    raise_descriptor_limit(config.connections_max as u64 + DESCRIPTORS_BESIDE_CLIENTS);
}

/// Raises the limit of open files so that `server.connections_max` clients fit, as far as the hard limit allows.
fn raise_descriptor_limit(needed: u64) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    if soft >= needed {
        return;
    }
    if setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard).is_err() || hard < needed {
        tracing::warn!(
            limit = soft.max(needed.min(hard)),
            needed,
            "the limit of open files is below server.connections_max"
        );
    }
}
