//! Changing settings while the server runs, on one way: by `CONFIG SET`, and by SIGHUP, which has the config file read
//! again. All changes or nothing does, and no connection is closed for it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard};

use mayfly_config::{Change, Config, ConfigError, Directive, Loaded, SetError};
use tokio::signal::unix::Signal;

use crate::durability::Order;
use crate::host::{ServerHost, event_classes};
use crate::settings::diagnostics_options;
use crate::shard::{KeepWithin, WatchIdleness};
use crate::supervisor;
use crate::system;

/// Loads the settings as at the start: file, environment, flags.
pub type LoadAgain = Box<dyn Fn() -> Result<Loaded, ConfigError> + Send + Sync>;

/// Why settings were not changed.
struct Refused {
    /// The directive, `section.key`.
    path: &'static str,
    problem: String,
}

impl ServerHost {
    /// `CONFIG SET`.
    ///
    /// # Errors
    /// Why nothing was changed, in Redis' words where it has some.
    pub fn set(&self, pairs: &[(&[u8], &[u8])]) -> Result<(), String> {
        let _changing = self.changing();
        let now = self.config();
        let mut changed = Config::clone(&now);
        let directives = changed.set_redis_parameters(pairs).map_err(|error| error.to_string())?;
        let renews_tls = directives.iter().any(|directive| directive.section == "tls");
        self.apply(&now, changed, renews_tls).map_err(|Refused { path, problem }| {
            let name = Directive::find(path).map_or(path, Directive::parameter);
            SetError::Refused(name.to_owned(), problem).to_string()
        })?;
        self.set_since_start().extend(directives.into_iter().map(|directive| (directive.path, directive)));
        Ok(())
    }

    /// Reads everything again and takes what differs. What came of it is logged, directive by directive.
    ///
    /// # Errors
    /// Why nothing was changed, in one line.
    pub fn reload(&self) -> Result<(), String> {
        let loaded = (self.load_again)().map_err(|error| error.to_string())?;
        let _changing = self.changing();
        let now = self.config();
        let reload = now.reload(&loaded).map_err(|error| error.to_string())?;
        self.apply(&now, reload.config, true)
            .map_err(|Refused { path, problem }| format!("{}: {path}: {problem}", loaded.place(path)))?;
        // The file says what holds.
        self.set_since_start().clear();
        for Change { directive, from, to } in &reload.changes {
            tracing::info!(setting = directive.path, from, to, "changed");
        }
        for Change { directive, from, to } in &reload.restarts {
            tracing::warn!(setting = directive.path, from, to, "stays as it is until a restart");
        }
        let (changed, restart) = (reload.changes.len(), reload.restarts.len());
        tracing::info!(changed, restart, config = %loaded.source, "the config was reloaded");
        Ok(())
    }

    /// Whoever changes settings holds this to the end.
    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `changed` hold instead of `now`: everything that can fail comes before the first change. `renews_tls` has
    /// the files of certificates read again, also those whose names stay.
    fn apply(&self, now: &Config, changed: Config, renews_tls: bool) -> Result<(), Refused> {
        let certificates = match renews_tls {
            true => self
                .tls
                .prepare(&changed.tls)
                .map_err(|mistake| Refused { path: mistake.path, problem: mistake.problem })?,
            false => None,
        };
        let clients = changed.server.connections_max;
        if clients > now.server.connections_max
            && let Err(fits) = system::make_room_for(clients)
        {
            let problem = format!(
                "The operating system is not able to handle the specified number of clients, try with {fits}"
            );
            return Err(Refused { path: "server.connections_max", problem });
        }
        if let Some(certificates) = certificates {
            self.tls.set(certificates);
            tracing::info!("the certificates were read again");
        }
        let timeout_changes = now.server.idle_timeout_seconds != changed.server.idle_timeout_seconds;
        let password_changes = now.server.password != changed.server.password;
        let memory_changes = now.memory != changed.memory;
        let save_changes = now.persistence.save != changed.persistence.save;
        self.clients.set_connections_max(clients);
        self.events.set(event_classes(&changed));
        if changed.log.level != now.log.level {
            self.set_log_level(changed.log.level);
        }
        self.access.set_log_entries_max(changed.access.log_entries_max);
        self.diagnostics.set_options(diagnostics_options(&changed.slow));
        if password_changes {
            self.access.change(|users| users.set_default_password(changed.server.password.reveal()));
        }
        self.put_config(Arc::new(changed));
        if let Some(queue) = self.queue.as_ref().filter(|_| save_changes) {
            queue.order(Order::Look);
        }
        if memory_changes {
            self.tell_shards(&KeepWithin);
        }
        if timeout_changes {
            self.tell_shards(&WatchIdleness);
        }
        Ok(())
    }
}

/// Reloads whenever the signal comes.
pub async fn reload_on(mut hang_up: Signal, host: Arc<ServerHost>) {
    while hang_up.recv().await.is_some() {
        tracing::info!("reloading the config");
        supervisor::reloading();
        let outcome = host.reload();
        match &outcome {
            Ok(()) => host.reloads.done.fetch_add(1, Relaxed),
            Err(problem) => {
                tracing::error!(problem, "the config was not reloaded; nothing has changed");
                host.reloads.failed.fetch_add(1, Relaxed)
            }
        };
        supervisor::reloaded(outcome);
    }
}
