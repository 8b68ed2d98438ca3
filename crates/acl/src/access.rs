//! What a process shares: all users, what was denied, and how often.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use crate::catalogue::Catalogue;
use crate::log::{Log, LogEntry, LogReason};
use crate::user::User;
use crate::users::{RulesError, Users};

/// Entries that the log keeps unless somebody says otherwise.
const LOG_ENTRIES_MAX: usize = 128;

/// The users of a process. Whoever has taken one looks at the [generation](Access::generation) whether it is to be taken
/// again; no lock is taken otherwise.
#[derive(Debug)]
pub struct Access {
    catalogue: &'static Catalogue,
    users: RwLock<Users>,
    generation: AtomicU64,
    log: Mutex<Log>,
    denied: [AtomicU64; 4],
}

/// How often something was denied since the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Denials {
    /// Log-ins.
    pub auth: u64,
    /// Commands.
    pub commands: u64,
    /// Keys.
    pub keys: u64,
    /// Channels.
    pub channels: u64,
}

impl Denials {
    /// What was denied since `before`.
    pub fn since(self, before: Denials) -> Denials {
        Denials {
            auth: self.auth - before.auth,
            commands: self.commands - before.commands,
            keys: self.keys - before.keys,
            channels: self.channels - before.channels,
        }
    }
}

impl Access {
    /// The access of a process with these users.
    pub fn new(users: Users, catalogue: &'static Catalogue) -> Self {
        Access {
            catalogue,
            users: RwLock::new(users),
            generation: AtomicU64::new(1),
            log: Mutex::new(Log::new(LOG_ENTRIES_MAX)),
            denied: Default::default(),
        }
    }

    /// The commands that rules are about.
    pub fn catalogue(&self) -> &'static Catalogue {
        self.catalogue
    }

    /// How often users have changed, from 1.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    /// The default user as it is now.
    pub fn default_user(&self) -> Arc<User> {
        Arc::clone(self.users().default_user())
    }

    /// The user of that name as it is now.
    pub fn find(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users().find(name).cloned()
    }

    /// What has become of a user; `None` if it was removed, also where another has its name now.
    pub fn now(&self, user: &User) -> Option<Arc<User>> {
        self.find(user.name()).filter(|found| found.is_same(user))
    }

    /// All users as they are now, by name.
    pub fn all(&self) -> Vec<Arc<User>> {
        self.users().all().cloned().collect()
    }

    /// The user as whom somebody logs in, if the password is right.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Arc<User>> {
        self.find(name).filter(|user| user.accepts(password))
    }

    /// All users, to be written to a file.
    pub fn users(&self) -> RwLockReadGuard<'_, Users> {
        self.users.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes users; whoever has taken one will take it again.
    pub fn change<R>(&self, change: impl FnOnce(&mut Users) -> R) -> R {
        let result = change(&mut self.users.write().unwrap_or_else(PoisonError::into_inner));
        self.generation.fetch_add(1, Release);
        result
    }

    /// `ACL SETUSER`.
    ///
    /// # Errors
    /// The first rule that is wrong; nothing has changed then.
    pub fn set(&self, name: &[u8], rules: &[&[u8]]) -> Result<(), RulesError> {
        self.change(|users| users.set(name, rules, self.catalogue))
    }

    /// Counts and notes what was denied.
    pub fn note(&self, entry: LogEntry) {
        let count = match entry.reason {
            LogReason::Auth => 0,
            LogReason::Command => 1,
            LogReason::Key => 2,
            LogReason::Channel => 3,
        };
        self.denied[count].fetch_add(1, Relaxed);
        self.log().add(entry);
    }

    /// How often something was denied since the start.
    pub fn denials(&self) -> Denials {
        let [auth, commands, keys, channels] = self.denied.each_ref().map(|count| count.load(Relaxed));
        Denials { auth, commands, keys, channels }
    }

    /// The newest entries of the log, at most so many.
    pub fn newest_entries(&self, count: usize) -> Vec<LogEntry> {
        self.log().newest(count)
    }

    /// Forgets the log.
    pub fn clear_log(&self) {
        self.log().clear();
    }

    /// Changes how many entries the log keeps.
    pub fn set_log_entries_max(&self, entries_max: usize) {
        self.log().set_entries_max(entries_max);
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
