//! Taking settings anew while the server runs: what changes at once, and what waits for a restart.

use crate::check;
use crate::directive::Directive;
use crate::error::ConfigError;
use crate::load::Loaded;
use crate::{Config, DIRECTIVES, render};

/// What comes of settings that were loaded again.
#[derive(Debug)]
pub struct Reload {
    /// The settings from now on.
    pub config: Config,
    /// What changes.
    pub changes: Vec<Change>,
    /// What would change, but only by a restart: it stays as it is.
    pub restarts: Vec<Change>,
}

/// A setting whose value differs. Values are as the file writes them, secrets masked.
#[derive(Debug)]
pub struct Change {
    /// The directive.
    pub directive: &'static Directive,
    /// The value that holds.
    pub from: String,
    /// The value that was loaded.
    pub to: String,
}

impl Config {
    /// What comes of `loaded`, while these settings hold. What `CONFIG SET` has set and nobody has written into the file
    /// is undone by it: file, environment and flags say what holds, as at a start.
    ///
    /// # Errors
    /// What may change would contradict what may not.
    pub fn reload(&self, loaded: &Loaded) -> Result<Reload, ConfigError> {
        let mut reload = Reload { config: self.clone(), changes: Vec::new(), restarts: Vec::new() };
        for directive in DIRECTIVES {
            let (now, then) = (directive.get(self), directive.get(&loaded.config));
            if now == then {
                continue;
            }
            let shown = |value| render::literal(&directive.kind, value);
            let change = Change { directive, from: shown(&now), to: shown(&then) };
            if directive.live {
                directive.set(&mut reload.config, then);
                reload.changes.push(change);
            } else {
                reload.restarts.push(change);
            }
        }
        match check::contradiction(&reload.config) {
            Some(found) => Err(ConfigError {
                place: loaded.place(found.paths[0]).clone(),
                key: found.paths[0].into(),
                problem: format!("{}, until a restart", found.problem),
            }),
            None => Ok(reload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn paths(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.directive.path).collect()
    }

    #[test]
    fn what_may_change_changes_and_the_rest_is_named() {
        let mut now = Config::default();
        now.server.password = Secret::new("old");
        now.limits.pipeline_window = 7;
        let mut loaded = Loaded::default();
        loaded.config.server.port = 7001;
        loaded.config.server.idle_timeout_seconds = 9;
        loaded.config.server.password = Secret::new("hunter2");
        let reload = now.reload(&loaded).expect("nothing contradicts");
        assert_eq!(
            paths(&reload.changes),
            ["server.idle_timeout_seconds", "server.password", "limits.pipeline_window"]
        );
        assert_eq!(paths(&reload.restarts), ["server.port"]);
        assert_eq!((reload.config.server.port, reload.config.server.idle_timeout_seconds), (6379, 9));
        assert_eq!(reload.config.limits, Config::default().limits);
        assert_eq!((reload.changes[0].from.as_str(), reload.changes[0].to.as_str()), ("0", "9"));
        let shown = format!("{:?}", reload.changes);
        assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(reload.config.server.password.reveal(), "hunter2");
    }

    #[test]
    fn every_setting_is_taken_or_named() {
        for directive in DIRECTIVES {
            let (text, _) = crate::sweep::sample(directive);
            let loaded = crate::load(None, [], &[(directive.path, &text)]).expect("a sample is right");
            let reload = Config::default().reload(&loaded).expect("a sample contradicts nothing");
            let (taken, named) = if directive.live { (1, 0) } else { (0, 1) };
            assert_eq!((reload.changes.len(), reload.restarts.len()), (taken, named), "{}", directive.path);
            assert_eq!(reload.config == loaded.config, directive.live, "{}", directive.path);
        }
    }
}
