//! The process: actors, listeners, clock, metrics, shutdown. The only crate with actix and threads.
//!
//! ```text
//!  main thread                    shard thread 0                     shard thread 1 …
//!  ┌───────────────────────┐      ┌───────────────────────────┐     ┌───────────────────────────┐
//!  │ accept ── in turn ────┼─────►│ Connection  Connection …  │     │ Connection  Connection …  │
//!  │ /metrics, /healthz    │      │     │ the turn            │     │                           │
//!  │ signals, shutdown     │      │     ▼                     │     │                           │
//!  └───────────────────────┘      │ ShardActor ◄── messages ──┼─────┼─► ShardActor              │
//!                                 │ timer wheel               │     │ timer wheel               │
//!                                 └───────────────────────────┘     └───────────────────────────┘
//! ```
//!
//! * Each shard thread is an actix arbiter: one `ShardActor`, and a `Connection` actor for
//!   each of its clients. What they share is in `thread.rs`.
//! * What the connections of a thread decode in one turn of its event loop is done at the end of the turn: for the
//!   own shard by a function call, for every other shard by one message there and one back. That is in `turn.rs`.
//! * Where there is a data folder, one more thread writes to it, and shards load it before they serve: `durability`.
//! * The actors are shells: what happens to hashes, time and order is decided in `mayfly-engine`.
//!
//! A panic anywhere ends the process, which the binary sees to: a half-changed shard must not live on.

mod clients;
mod clock;
mod config_file;
mod connection;
mod durability;
mod error;
mod host;
mod http;
mod huge_pages;
mod inbox;
mod lingering;
mod listener;
mod metrics;
mod monitors;
mod sampler;
mod settings;
mod shard;
mod shutdown;
mod system;
mod thread;
mod turn;
mod wire;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use actix::Actor;
use actix_rt::{Arbiter, System};
use mayfly_command::{MAYFLY_VERSION, Router};
use mayfly_config::{Level, Loaded};
use mayfly_engine::Shard;
use mayfly_store::KeyHasher;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use durability::{Loaded as LoadedShard, SharedFolder};
pub use error::StartError;
use host::ServerHost;
use inbox::{Inbox, ShardPeer};
use listener::Turns;
use metrics::exporter::Exporter;
pub use metrics::markdown as metrics_markdown;
use shard::{Connect, Loading, ShardActor};
use thread::Thread;

/// Changes how much is logged from here on.
pub type SetLogLevel = Box<dyn Fn(Level) + Send + Sync>;

/// Runs the server until a signal or `SHUTDOWN` ends it.
///
/// # Errors
/// What keeps it from starting; see [`StartError`].
pub fn run(loaded: Loaded, set_log_level: SetLogLevel) -> Result<(), StartError> {
    let _huge_pages = system::prepare(&loaded.config.server);
    // Taken before any thread is started, so that a taken port leaves nothing behind.
    let client_listeners = listener::bind_clients(&loaded)?;
    let metrics_listener = match loaded.config.metrics.enabled {
        true => Some(listener::bind_metrics(&loaded)?),
        false => None,
    };
    let folder = durability::open_folder(&loaded)?;
    let shards = shard_count(&loaded);
    let host = Arc::new(ServerHost::new(loaded, shards, set_log_level)?);
    let hasher = KeyHasher::from_seed(getrandom::u64()?);
    let router = Router::new(hasher, shards);
    System::new().block_on(async move {
        let signals = shutdown::Signals::new().map_err(StartError::Signals)?;
        let (loaded, loads) = unbounded_channel();
        if folder.is_some() {
            host.door.begin_loading();
        }
        let (arbiters, peers) = start_shards(&host, &router, folder.as_ref(), &loaded)?;
        let turns = Arc::new(Turns::new(peers.clone()));
        let mut accepting = Vec::new();
        for listener in client_listeners {
            let address = listener.local_addr();
            let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Runtime)?;
            if let Ok(address) = address {
                host.port.store(address.port(), Relaxed);
                tracing::info!(%address, "listening for clients");
            }
            accepting.push(actix_rt::spawn(listener::accept(
                listener,
                Arc::clone(&host),
                Arc::clone(&turns),
            )));
        }
        if let Some(listener) = metrics_listener {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Runtime)?;
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "serving /metrics and /healthz");
            }
            let exporter = Arc::new(Exporter::new(Arc::clone(&host), peers.clone()));
            actix_rt::spawn(http::serve(listener, exporter));
        }
        actix_rt::spawn(sampler::sample(Arc::clone(&host)));
        warn_if_open(&host.loaded);
        let mut reason = pin!(signals.wait(&host));
        let mut disk = None;
        if let Some(folder) = folder {
            tokio::select! {
                started = durability::start(&host, folder, loads, &peers) => disk = Some(started?),
                reason = &mut reason => {
                    shutdown::shut_down(reason, &host, accepting, &peers, arbiters).await;
                    return Ok(());
                }
            }
        }
        tracing::info!(version = MAYFLY_VERSION, shards, config = %host.loaded.source, "ready");
        let reason = reason.await;
        shutdown::shut_down(reason, &host, accepting, &peers, arbiters).await;
        disk.map_or(Ok(()), durability::DiskThread::finish)
    })
}

fn shard_count(loaded: &Loaded) -> u16 {
    match loaded.config.server.shards {
        0 => match std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            // The hand-over between two threads costs more than the second brings: see the README's "Performance".
            ..=2 => 1,
            cores => cores.min(SHARDS_MAX) as u16,
        },
        shards => shards as u16,
    }
}

/// Shards that the automatic choice does not exceed; the same bound as `server.shards`.
const SHARDS_MAX: usize = 256;

/// Starts every shard on an arbiter of its own and makes them known to each other.
fn start_shards(
    host: &Arc<ServerHost>,
    router: &Router,
    folder: Option<&SharedFolder>,
    loaded: &UnboundedSender<LoadedShard>,
) -> Result<(Vec<Arbiter>, Vec<ShardPeer>), StartError> {
    let shard_options = settings::shard_options(&host.loaded.config, &host.events, host.counters.len());
    let mut arbiters = Vec::new();
    let mut peers = Vec::new();
    for id in router.all() {
        let arbiter = Arbiter::new();
        let (slot, inbox) = Inbox::new();
        let (host, router, options) = (Arc::clone(host), router.clone(), shard_options.clone());
        let loading = folder.map(|folder| Loading { folder: Arc::clone(folder), done: loaded.clone() });
        let seed = getrandom::u64()?;
        let address = ShardActor::start_in_arbiter(&arbiter.handle(), move |_| {
            let counters = Arc::clone(&host.counters[id.index()]);
            let shard = Shard::new(id, router.clone(), options, seed, Arc::clone(&counters));
            ShardActor::new(Thread::new(host, router, shard, counters, inbox), loading)
        });
        peers.push(ShardPeer { address, slot });
        arbiters.push(arbiter);
    }
    host.shards.set(peers.clone()).expect("shards are started once");
    for peer in &peers {
        peer.address.do_send(Connect(peers.clone()));
    }
    Ok((arbiters, peers))
}

/// An open door is a choice that the operator should see.
fn warn_if_open(loaded: &Loaded) {
    let server = &loaded.config.server;
    if !server.password.is_set() && server.bind.iter().any(|address| !address.is_loopback()) {
        tracing::warn!(
            "reachable from other machines without a password; set server.password or server.bind"
        );
    }
}
