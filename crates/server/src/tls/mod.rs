//! TLS: the certificates that hold now, and what is counted of handshakes.
//!
//! Here: what the process knows of TLS. Reading the files is `certificates` (their dates `expiry`, an encrypted key
//! `private_key`), cipher suites `ciphers`, the handshake `handshakes`, what follows it `socket/tls.rs`.

pub mod certificates;
mod ciphers;
mod expiry;
pub mod handshakes;
mod private_key;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use mayfly_config::TlsConfig;
use rustls::ServerConfig;

use certificates::{Certificates, Mistake};
use expiry::Expiry;

/// Failed handshakes are warned about once in this time; with `log.level` debug each is told.
const WARNING_EVERY_MS: i64 = 60_000;

/// What the process knows of TLS.
#[derive(Debug, Default)]
pub struct Tls {
    certificates: RwLock<Option<Arc<Certificates>>>,
    /// Handshakes that were done.
    pub done: AtomicU64,
    /// Handshakes that failed or took too long.
    pub failed: AtomicU64,
    /// Handshakes under way.
    pub under_way: AtomicU64,
    /// When a failure was warned about last, Unix milliseconds.
    warned_at: AtomicI64,
    /// Failures at that time.
    failed_before: AtomicU64,
}

/// Who is to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Clients of the data.
    Clients,
    /// The collector of metrics.
    Metrics,
}

impl Tls {
    /// Takes these certificates for all handshakes that begin from now on.
    pub fn set(&self, certificates: Certificates) {
        let certificates = Some(Arc::new(certificates));
        *self.certificates.write().unwrap_or_else(PoisonError::into_inner) = certificates;
    }

    /// Whether there are any.
    pub fn is_used(&self) -> bool {
        self.certificates.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// When those that hold now expire; all 0 where there are none.
    pub fn expiry(&self) -> Expiry {
        let certificates = self.certificates.read().unwrap_or_else(PoisonError::into_inner);
        certificates.as_ref().map_or_else(Expiry::default, |certificates| certificates.expiry)
    }

    /// Those that hold now, if the files of `config` are right: to be [set](Tls::set) when all else is right too.
    /// Nothing where no TLS is spoken.
    ///
    /// # Errors
    /// What is wrong, and which directive names it.
    pub fn prepare(&self, config: &TlsConfig) -> Result<Option<Certificates>, Mistake> {
        if self.is_used() { Certificates::load(config).map(Some) } else { Ok(None) }
    }

    /// What a handshake that begins now goes by.
    fn config(&self, purpose: Purpose) -> Option<Arc<ServerConfig>> {
        let certificates = self.certificates.read().unwrap_or_else(PoisonError::into_inner);
        let certificates = certificates.as_ref()?;
        Some(Arc::clone(match purpose {
            Purpose::Clients => &certificates.clients,
            Purpose::Metrics => &certificates.metrics,
        }))
    }

    /// Counts a handshake that has failed, and says so.
    fn has_failed(&self, client: &str, problem: &str, now: i64) {
        let failed = self.failed.fetch_add(1, Relaxed) + 1;
        tracing::debug!(client, problem, "a TLS handshake has failed");
        let warned_at = self.warned_at.load(Relaxed);
        if now.saturating_sub(warned_at) < WARNING_EVERY_MS && warned_at != 0 {
            return;
        }
        self.warned_at.store(now, Relaxed);
        let count = failed - self.failed_before.swap(failed, Relaxed);
        tracing::warn!(count, client, problem, "TLS handshakes fail; this is the last of them");
    }
}
