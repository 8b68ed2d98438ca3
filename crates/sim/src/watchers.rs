//! Who watches which keys, and whether they have changed: what `EXEC` must make of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::model::Change;

/// All watches that no `EXEC` has used up.
#[derive(Debug, Default)]
pub struct Watchers {
    all: Vec<Watcher>,
}

/// The keys that are watched for one transaction, which their flag stands for.
#[derive(Debug)]
struct Watcher {
    flag: Arc<AtomicBool>,
    keys: Vec<(usize, Vec<u8>)>,
    state: State,
}

/// Whether watched keys have changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// None has.
    Same,
    /// One has.
    Changed,
}

impl Watchers {
    /// `WATCH` was carried out.
    pub fn watch(&mut self, flag: &Arc<AtomicBool>, database: usize, keys: &[&[u8]]) {
        // Flags that nobody else holds were given up by UNWATCH or the like.
        self.all.retain(|watcher| Arc::strong_count(&watcher.flag) > 1);
        let keys = keys.iter().map(|key| (database, key.to_vec()));
        match self.all.iter_mut().find(|watcher| Arc::ptr_eq(&watcher.flag, flag)) {
            Some(watcher) => watcher.keys.extend(keys),
            None => {
                self.all.push(Watcher { flag: Arc::clone(flag), keys: keys.collect(), state: State::Same });
            }
        }
    }

    /// `EXEC` uses up what its flag stands for.
    pub fn take(&mut self, flag: &Arc<AtomicBool>) -> State {
        let place = self.all.iter().position(|watcher| Arc::ptr_eq(&watcher.flag, flag));
        place.map_or(State::Same, |place| self.all.swap_remove(place).state)
    }

    /// Something has changed.
    pub fn changed(&mut self, change: &Change) {
        for watcher in &mut self.all {
            for (database, key) in &watcher.keys {
                let is_there = |keys: &[Vec<u8>]| keys.contains(key);
                let state = match change {
                    Change::Key { database: number, key: changed, .. } | Change::Due(number, changed)
                        if number == database && changed == key =>
                    {
                        State::Changed
                    }
                    Change::Flushed(number, keys) if number == database && is_there(keys) => State::Changed,
                    Change::Swapped(pair)
                        if pair.iter().any(|(number, _)| number == database)
                            && pair.iter().any(|(_, keys)| is_there(keys)) =>
                    {
                        State::Changed
                    }
                    _ => State::Same,
                };
                watcher.state = watcher.state.max(state);
            }
        }
    }
}
