//! The forecast: how many keys, of how many bytes, fall due within some time, from the timer wheel.
//!
//! Counting them exactly would cost every write a little, or a walk over millions of keys. The wheel knows the
//! length of every slot's list at once; a bounded sample of each list says which part of it is really due in
//! time (a deadline that has moved later is only written down, see [`wheel`](crate::wheel)) and how large its
//! hashes are. Where all lists together are not longer than the sample, the forecast is exact.

use crate::database::Database;
use crate::keyspace::Keyspace;
use crate::time::UnixMillis;

/// What falls due within some time.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Forecast {
    /// Keys, about; those past their deadline that are not yet removed included.
    pub keys: f64,
    /// Bytes of their entries, see [`Database::entry_bytes`]; about.
    pub bytes: f64,
}

impl Keyspace {
    /// What falls due within each of `horizons_ms` from `now`, as long as nothing is written. Looks at about
    /// `steps_max` entries (some 100 ns each when they are not in a cache), one for every list of the wheels at least.
    pub fn forecast<const N: usize>(
        &self,
        now: UnixMillis,
        horizons_ms: [u64; N],
        steps_max: usize,
    ) -> [Forecast; N] {
        let mut forecasts = [Forecast::default(); N];
        let used = (0..self.databases()).map(|index| self.database(index));
        let used: Vec<&Database> = used.filter(|database| database.len_with_deadline() > 0).collect();
        for database in &used {
            database.forecast(now, &horizons_ms, steps_max / used.len(), &mut forecasts);
        }
        forecasts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, KeyHasher, StoreOptions};

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const HORIZONS_MS: [u64; 3] = [1_000, 60_000, 3_600_000];

    /// Keys whose deadlines were first set to one ttl, and then moved to another.
    fn keyspace(ttls_ms: impl Iterator<Item = (i64, i64)>) -> Keyspace {
        let hasher = KeyHasher::from_seed(1);
        let mut keyspace = Keyspace::new(StoreOptions::default(), hasher.clone());
        for (number, (first, then)) in ttls_ms.enumerate() {
            let name = format!("session:{number}");
            let key = Key::new(name.as_bytes(), &hasher);
            let database = keyspace.database_mut(0);
            let (mut id, _) = database.find_or_create(key, || 0, NOW);
            database.set_field(&mut id, b"f", b"value");
            database.set_deadline(id, Some(UnixMillis(NOW.0 + first)));
            database.set_deadline(id, Some(UnixMillis(NOW.0 + then)));
        }
        keyspace
    }

    fn keys(keyspace: &Keyspace, steps_max: usize) -> [f64; 3] {
        keyspace.forecast(NOW, HORIZONS_MS, steps_max).map(|forecast| forecast.keys.round())
    }

    #[test]
    fn few_keys_are_counted_one_by_one() {
        let ttls = [500, 1_000, 1_001, 59_000, 60_000, 3_599_999, 3_600_001, 86_400_000];
        let keyspace = keyspace(ttls.into_iter().map(|ttl| (ttl, ttl)));
        assert_eq!(keys(&keyspace, 1_000), [2.0, 5.0, 6.0]);
        let [_, _, hour] = keyspace.forecast(NOW, HORIZONS_MS, 1_000);
        let (each, _) = (hour.bytes / hour.keys, hour.keys);
        assert!((40.0..200.0).contains(&each), "{each} bytes a key");
    }

    #[test]
    fn a_deadline_that_has_moved_counts_where_it_is_now() {
        let keyspace = keyspace((0..100).map(|number| (500, if number < 30 { 500 } else { 1_800_000 })));
        assert_eq!(keys(&keyspace, 1_000), [30.0, 30.0, 100.0]);
    }

    #[test]
    fn many_keys_are_estimated_within_a_tenth() {
        // Even over two hours, in a random order: a half of them within the hour.
        let ttls = (0..40_000).map(|number: i64| (number * 7_919 % 40_000) * 180);
        let keyspace = keyspace(ttls.map(|ttl| (ttl, ttl)));
        let [_, minute, hour] = keys(&keyspace, 1_024);
        assert!((300.0..367.0).contains(&minute), "{minute} of 334 keys within a minute");
        assert!((18_000.0..22_000.0).contains(&hour), "{hour} of 20,000 keys within the hour");
    }

    #[test]
    fn what_is_past_its_deadline_and_still_there_counts_and_nothing_means_nothing() {
        assert_eq!(keys(&keyspace([].into_iter()), 10), [0.0; 3]);
        let keyspace = keyspace((0..10).map(|_| (10, 10)));
        let later = UnixMillis(NOW.0 + 5_000);
        assert_eq!(keyspace.forecast(later, HORIZONS_MS, 1_000).map(|forecast| forecast.keys), [10.0; 3]);
    }
}
