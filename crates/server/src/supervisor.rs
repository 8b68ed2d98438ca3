//! What a supervisor is told: systemd, or whoever has set `NOTIFY_SOCKET`. Nobody is told anything where nobody has.
//!
//! It is told when clients are served, what the server is at while it loads, that the settings are read again, that
//! the end has begun; and where it wants signs of life (`WATCHDOG_USEC`), it gets them as long as every shard answers.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;

use crate::host::ServerHost;
use crate::shard::AreYouThere;

/// How often a supervisor is told that the start goes on, and how much longer it is to wait for that.
const LOADING_EVERY: Duration = Duration::from_secs(1);
const LOADING_EXTENDS_MICROS: u32 = 30_000_000;

/// Signs of life in the time that the supervisor allows between two of them. A late one may not count as none.
const SIGNS_A_TIMEOUT: u32 = 3;

/// Clients are served.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving clients")]);
}

/// The settings are being read again.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status("reloading the config")]),
        Err(error) => tracing::warn!(%error, "the supervisor cannot be told of a reload"),
    }
}

/// They were read, or not.
pub fn reloaded(outcome: Result<(), String>) {
    let status = match outcome {
        Ok(()) => "serving clients".to_owned(),
        Err(problem) => format!("serving clients; the config was not reloaded: {problem}"),
    };
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// The end has begun.
pub fn stopping(reason: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(&format!("stopping: {reason}"))]);
}

/// Tells that data are loaded, now and until the task is aborted.
pub fn loading(host: Arc<ServerHost>) -> JoinHandle<()> {
    let tell_so = move || {
        let seconds = host.clock.uptime().as_secs();
        let status = format!("loading the data folder, {seconds} s so far");
        tell(&[NotifyState::Status(&status), NotifyState::ExtendTimeoutUsec(LOADING_EXTENDS_MICROS)]);
    };
    tell_so();
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(LOADING_EVERY).await;
            tell_so();
        }
    })
}

/// Gives signs of life where they are asked for. A shard that does not answer in time takes the process down with it:
/// that is what a supervisor asks for them for.
pub async fn give_signs_of_life(host: Arc<ServerHost>) {
    let Some(timeout) = sd_notify::watchdog_enabled() else { return };
    let pause = timeout / SIGNS_A_TIMEOUT;
    loop {
        let shards = host.shards.get().map_or(&[][..], Vec::as_slice);
        let asked: Vec<_> = shards.iter().map(|shard| shard.address.send(AreYouThere)).collect();
        for answer in asked {
            // One that never comes lets nothing be told, until the supervisor has had enough.
            let _ = answer.await;
        }
        tell(&[NotifyState::Watchdog]);
        tokio::time::sleep(pause).await;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the supervisor cannot be told anything");
    }
}
