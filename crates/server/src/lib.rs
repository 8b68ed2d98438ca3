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
//! * A client comes by TCP, by TLS or by a Unix socket; from `socket` on there is no difference. Handshakes of TLS are the
//!   main thread's, what follows them the shard's.
//! * Where there is a data folder, one more thread writes to it, and shards load it before they serve: `durability`.
//! * The actors are shells: what happens to hashes, time and order is decided in `mayfly-engine`.
//!
//! A panic anywhere ends the process, which the binary sees to: a half-changed shard must not live on.

mod access;
mod changes;
mod client_memory;
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
mod passed;
mod sampler;
mod settings;
mod shard;
mod shutdown;
mod socket;
mod status;
mod supervisor;
mod system;
mod thread;
mod tls;
mod turn;
mod unix_socket;
mod wire;

use std::pin::pin;
use std::sync::Arc;

use actix::Actor;
use actix_rt::{Arbiter, System};
use mayfly_command::{MAYFLY_VERSION, Router};
use mayfly_config::{Level, Loaded};
use mayfly_engine::Shard;
use mayfly_store::KeyHasher;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

pub use changes::LoadAgain;
use durability::{Loaded as LoadedShard, SharedFolder};
pub use error::StartError;
use host::ServerHost;
use inbox::{Inbox, ShardPeer};
use listener::Turns;
use metrics::exporter::Exporter;
pub use metrics::markdown as metrics_markdown;
use shard::{Connect, Loading, ShardActor};
use thread::Thread;
use tls::Purpose;
use tls::handshakes::TlsListener;

/// Changes how much is logged from here on.
pub type SetLogLevel = Box<dyn Fn(Level) + Send + Sync>;

/// Looks at what the settings refer to beyond themselves: users and their rules, the files of certificates.
///
/// # Errors
/// The first that is wrong, with its place.
pub fn check(loaded: &Loaded) -> Result<(), StartError> {
    access::users_at_start(loaded)?;
    tls::certificates::of(loaded, false).map(|_| ())
}

/// Runs the server until a signal or `SHUTDOWN` ends it. On SIGHUP it takes the settings that `load_again` loads.
///
/// # Errors
/// What keeps it from starting; see [`StartError`].
pub fn run(loaded: Loaded, set_log_level: SetLogLevel, load_again: LoadAgain) -> Result<(), StartError> {
    let users = access::users_at_start(&loaded)?;
    let _huge_pages = system::prepare(&loaded.config.server);
    // Taken before any thread is started, so that a taken port leaves nothing behind.
    let mut passed = passed::take()?;
    let certificates = tls::certificates::of(&loaded, !passed.clients_tls.is_empty())?;
    let client_listeners = listener::bind_clients(&loaded, &mut passed)?;
    let metrics_listeners = listener::bind_metrics(&loaded, &mut passed)?;
    let folder = durability::open_folder(&loaded)?;
    let shards = shard_count(&loaded);
    let host = Arc::new(ServerHost::new(loaded, shards, set_log_level, load_again, users)?);
    if let Some(certificates) = certificates {
        host.tls.set(certificates);
    }
    let hasher = KeyHasher::from_seed(getrandom::u64()?);
    let router = Router::new(hasher, shards);
    System::new().block_on(async move {
        let signals = shutdown::Signals::new().map_err(StartError::Signals)?;
        let hang_up = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
        let (loaded, loads) = unbounded_channel();
        if folder.is_some() {
            host.door.begin_loading();
        }
        let (arbiters, peers) = start_shards(&host, &router, folder.as_ref(), &loaded)?;
        actix_rt::spawn(supervisor::give_signs_of_life(Arc::clone(&host)));
        let turns = Arc::new(Turns::new(peers.clone()));
        let mut accepting = Vec::new();
        for listener in client_listeners {
            let accept = listener.accept(Arc::clone(&host), Arc::clone(&turns));
            accepting.push(actix_rt::spawn(accept.map_err(StartError::Runtime)?));
        }
        let exporter = Arc::new(Exporter::new(Arc::clone(&host), peers.clone()));
        let has_status_page = host.loaded.config.metrics.status_page;
        for listener in metrics_listeners {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Runtime)?;
            let address = listener.local_addr().map_err(StartError::Runtime)?;
            let exporter = Arc::clone(&exporter);
            if host.loaded.config.tls.metrics {
                tracing::info!(%address, "serving /metrics and /healthz by TLS");
                let listener = TlsListener::new(listener, Arc::clone(&host), Purpose::Metrics);
                actix_rt::spawn(http::serve(listener, exporter, has_status_page));
            } else {
                tracing::info!(%address, "serving /metrics and /healthz");
                actix_rt::spawn(http::serve(listener, exporter, has_status_page));
            }
        }
        actix_rt::spawn(sampler::sample(Arc::clone(&host)));
        actix_rt::spawn(client_memory::watch(Arc::clone(&host)));
        warn_if_open(&host);
        let mut reason = pin!(signals.wait(&host));
        let mut disk = None;
        if let Some(folder) = folder {
            let loading = supervisor::loading(Arc::clone(&host));
            tokio::select! {
                started = durability::start(&host, folder, loads, &peers) => disk = Some(started?),
                reason = &mut reason => {
                    shutdown::shut_down(reason, &host, accepting, &peers, arbiters).await;
                    return Ok(());
                }
            }
            loading.abort();
        }
        actix_rt::spawn(changes::reload_on(hang_up, Arc::clone(&host)));
        supervisor::ready();
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
    let shard_options = settings::shard_options(&host.loaded.config, host);
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
fn warn_if_open(host: &ServerHost) {
    let config = &host.loaded.config;
    let is_reachable = config.server.bind.iter().any(|address| !address.is_loopback());
    if !is_reachable || !host.access.default_user().needs_no_password() {
        return;
    }
    match config.access.protected_mode {
        true => tracing::warn!(
            "only clients of this machine are let in, since there is no password; set server.password"
        ),
        false => tracing::warn!(
            "reachable from other machines without a password; set server.password or server.bind"
        ),
    }
}
