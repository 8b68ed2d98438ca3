//! Which keys come most often in a stream: the Space-Saving sketch, with counts that fade.
//!
//! ```text
//!   hashes  │ counts │ entries          COUNTERS of each, in no order
//!   ────────┼────────┼──────────────────────────────────────────────────
//!   a key that is counted adds to its counter; one that is not takes the
//!   least counter over, count and all, and notes it as its error
//! ```
//!
//! Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005.
//! A key that makes up more than one in [`COUNTERS`] of the stream has a counter for certain. A count is never too
//! low, and too high by no more than its error; what is told is the count without the error, which is never too high,
//! so that in a stream without hot keys none looks like one.
//!
//! All counts halve every [`HALVING_MS`], so that what is hot now comes first; the sum of all and the time that they
//! stand for fade alike, which makes a rate of a count at any moment. What is counted (calls, bytes, time) is the
//! caller's business. No clock: `now` is an argument.

use crate::index::scramble;
use crate::key::Key;
use crate::time::UnixMillis;

/// Keys that are counted at once. With a key of the greatest length in each they take 64 KiB.
pub const COUNTERS: usize = 128;
/// Bytes of a key that are kept. A longer key is counted as itself, and shown by its beginning.
pub const KEY_BYTES_MAX: usize = 256;
/// Time after which a count has half its weight.
pub const HALVING_MS: i64 = 10_000;
/// Halvings after which nothing is left of any count.
const HALVINGS_MAX: i64 = 64;
/// A count below this is forgotten: less than one of what is counted.
const COUNT_MIN: f64 = 1.0;
/// A rate is never over less time than this.
const WINDOW_MS_MIN: f64 = 1_000.0;

/// Counts of the keys that come most often.
#[derive(Debug, Default)]
pub struct HotKeys {
    /// Of database and key together, apart from the rest: every look-up reads all of them.
    hashes: Vec<u64>,
    counts: Vec<f64>,
    entries: Vec<Entry>,
    /// The least count, as long as one from place `unsearched` on has it: those before it have a higher one. That
    /// spares looking through all counts for each key that takes one over.
    least: f64,
    unsearched: usize,
    /// Of all keys, counted or not.
    total: f64,
    /// The time before `since` that the counts stand for.
    window_ms: f64,
    /// When they were halved last; `None` before the first look at the clock.
    since: Option<UnixMillis>,
}

#[derive(Debug)]
struct Entry {
    database: u16,
    key: Vec<u8>,
    key_bytes: usize,
    /// Of the count, what may be another key's.
    error: f64,
}

/// A key that comes often.
#[derive(Clone, PartialEq, Debug)]
pub struct HotKey {
    /// The logical database in which it was asked for.
    pub database: u16,
    /// The key, or its first [`KEY_BYTES_MAX`] bytes.
    pub key: Vec<u8>,
    /// Bytes of the whole key.
    pub key_bytes: usize,
    /// What was counted for it, at least.
    pub count: f64,
}

impl HotKeys {
    /// Counts `weight` for a key.
    pub fn add(&mut self, database: u16, key: Key<'_>, weight: f64) {
        self.total += weight;
        let hash = key.hash ^ scramble(u64::from(database));
        if let Some(place) = place_of(&self.hashes, hash) {
            self.counts[place] += weight;
            return;
        }
        if self.hashes.len() < COUNTERS {
            self.hashes.push(hash);
            self.counts.push(weight);
            self.entries.push(Entry {
                database,
                key: shown(key).to_vec(),
                key_bytes: key.bytes.len(),
                error: 0.0,
            });
            return;
        }
        let (place, least) = self.take_least();
        self.hashes[place] = hash;
        self.counts[place] = least + weight;
        let entry = &mut self.entries[place];
        (entry.database, entry.key_bytes, entry.error) = (database, key.bytes.len(), least);
        entry.key.clear();
        entry.key.reserve_exact(shown(key).len());
        entry.key.extend_from_slice(shown(key));
    }

    /// The place of a least count, which is about to rise, and the count.
    fn take_least(&mut self) -> (usize, f64) {
        loop {
            let left = &self.counts[self.unsearched..];
            if let Some(further) = left.iter().position(|count| *count <= self.least) {
                let place = self.unsearched + further;
                self.unsearched = place + 1;
                return (place, self.least);
            }
            self.least = self.counts.iter().copied().fold(f64::INFINITY, f64::min);
            self.unsearched = 0;
        }
    }

    /// Lets the counts fade as the time up to `now` demands.
    pub fn cool(&mut self, now: UnixMillis) {
        let since = *self.since.get_or_insert(now);
        let halvings = now.0.saturating_sub(since.0) / HALVING_MS;
        if halvings <= 0 {
            // A clock that was set back begins a time anew.
            self.since = Some(UnixMillis(since.0.min(now.0)));
            return;
        }
        self.since = Some(UnixMillis(since.0 + halvings * HALVING_MS));
        for _ in 0..halvings.min(HALVINGS_MAX) {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.window_ms = (self.window_ms + HALVING_MS as f64) / 2.0;
        self.total /= 2.0;
        self.unsearched = COUNTERS;
        let mut place = 0;
        while place < self.counts.len() {
            self.counts[place] /= 2.0;
            self.entries[place].error /= 2.0;
            if self.counts[place] < COUNT_MIN {
                self.hashes.swap_remove(place);
                self.counts.swap_remove(place);
                self.entries.swap_remove(place);
            } else {
                place += 1;
            }
        }
    }

    /// The keys with the highest counts, at most so many, highest first.
    pub fn top(&self, count: usize) -> Vec<HotKey> {
        let mut places: Vec<_> = (0..self.counts.len()).collect();
        places.sort_by(|a, b| self.certain(*b).total_cmp(&self.certain(*a)));
        let shown = places.into_iter().take(count).map(|place| {
            let Entry { database, key_bytes, ref key, .. } = self.entries[place];
            HotKey { database, key: key.clone(), key_bytes, count: self.certain(place) }
        });
        shown.filter(|hot| hot.count > 0.0).collect()
    }

    fn certain(&self, place: usize) -> f64 {
        self.counts[place] - self.entries[place].error
    }

    /// What was counted for all keys together.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The time that the counts stand for at `now`: a count, divided by it, is a rate.
    pub fn window_seconds(&self, now: UnixMillis) -> f64 {
        let passed = self.since.map_or(0, |since| now.0.saturating_sub(since.0));
        (self.window_ms + passed as f64).max(WINDOW_MS_MIN) / 1_000.0
    }

    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        let keys: usize = self.entries.iter().map(|entry| entry.key.capacity()).sum();
        self.hashes.capacity() * size_of::<u64>()
            + self.counts.capacity() * size_of::<f64>()
            + self.entries.capacity() * size_of::<Entry>()
            + keys
    }
}

/// Where a hash stands. Blocks are compared whole, without a branch for each hash.
fn place_of(hashes: &[u64], hash: u64) -> Option<usize> {
    const BLOCK: usize = 8;
    let holds = |block: &[u64]| block.iter().fold(false, |any, known| any | (*known == hash));
    let block = hashes.chunks(BLOCK).position(holds)? * BLOCK;
    Some(block + hashes[block..].iter().position(|known| *known == hash)?)
}

fn shown<'a>(key: Key<'a>) -> &'a [u8] {
    &key.bytes[..key.bytes.len().min(KEY_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyHasher;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn add(sketch: &mut HotKeys, database: u16, name: &str, weight: f64) {
        sketch.add(database, Key::new(name.as_bytes(), &KeyHasher::from_seed(1)), weight);
    }

    fn names(sketch: &HotKeys, count: usize) -> Vec<String> {
        sketch.top(count).into_iter().map(|hot| String::from_utf8(hot.key).unwrap()).collect()
    }

    /// Ranks of a Zipf distribution over so many keys, by the inverse of its sums.
    fn zipf(keys: usize, exponent: f64, calls: usize, seed: u64) -> impl Iterator<Item = usize> {
        let mut sum = 0.0;
        let mut add = |rank: usize| {
            sum += (rank as f64).powf(-exponent);
            sum
        };
        let sums: Vec<f64> = (1..=keys).map(&mut add).collect();
        let mut random = seed;
        (0..calls).map(move |_| {
            random = scramble(random.wrapping_add(0x9E37_79B9_7F4A_7C15));
            let point = random as f64 / u64::MAX as f64 * sums[sums.len() - 1];
            sums.partition_point(|sum| *sum < point)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Those of the true top ten that are in the sketch's, in order of their counts, never counted too high.
        #[test]
        fn the_true_top_ten_of_a_zipf_stream_are_found(
            keys in 1_000_usize..50_000, exponent in 1.1_f64..1.6, seed: u64,
        ) {
            let mut sketch = HotKeys::default();
            let mut truth = vec![0.0_f64; keys];
            for rank in zipf(keys, exponent, 60_000, seed) {
                let rank = rank.min(keys - 1);
                truth[rank] += 1.0;
                add(&mut sketch, 0, &format!("key:{rank}"), 1.0);
            }
            let mut ranks: Vec<usize> = (0..keys).collect();
            ranks.sort_by(|a, b| truth[*b].total_cmp(&truth[*a]));
            let top = names(&sketch, 12);
            for rank in &ranks[..10] {
                prop_assert!(top.contains(&format!("key:{rank}")), "{rank}, {} calls: {top:?}", truth[*rank]);
            }
            for hot in sketch.top(COUNTERS) {
                let rank: usize = std::str::from_utf8(&hot.key[4..]).unwrap().parse().unwrap();
                prop_assert!(hot.count <= truth[rank], "{} > {}", hot.count, truth[rank]);
            }
            prop_assert_eq!(sketch.total(), 60_000.0);
        }

        /// However many and however long the keys, its memory ends somewhere.
        #[test]
        fn memory_is_bounded(lengths in prop::collection::vec(0_usize..2_000, 1..400)) {
            let mut sketch = HotKeys::default();
            for (number, length) in lengths.iter().enumerate() {
                add(&mut sketch, 0, &format!("{number}{}", "k".repeat(*length)), 1.0);
            }
            prop_assert!(sketch.bytes() <= 64 << 10, "{} bytes", sketch.bytes());
            prop_assert!(sketch.top(usize::MAX).len() <= COUNTERS);
        }
    }

    proptest! {
        /// What takes a counter over takes one with the least count, whatever came before.
        #[test]
        fn the_least_count_is_taken_over(
            steps in prop::collection::vec((0_u16..300, 1_u8..4, 0_u8..50), 200..1_500),
        ) {
            let (mut sketch, mut now) = (HotKeys::default(), NOW);
            for (number, weight, pause) in steps {
                if pause == 0 {
                    now.0 += HALVING_MS;
                }
                sketch.cool(now);
                let mut expected = sketch.counts.clone();
                let name = number.to_string();
                let hash = Key::new(name.as_bytes(), &KeyHasher::from_seed(1)).hash ^ scramble(0);
                let weight = f64::from(weight);
                if let Some(place) = sketch.hashes.iter().position(|known| *known == hash) {
                    expected[place] += weight;
                } else if expected.len() < COUNTERS {
                    expected.push(weight);
                } else {
                    expected.sort_by(f64::total_cmp);
                    expected[0] += weight;
                }
                add(&mut sketch, 0, &name, weight);
                let mut counts = sketch.counts.clone();
                counts.sort_by(f64::total_cmp);
                expected.sort_by(f64::total_cmp);
                prop_assert_eq!(counts, expected);
            }
        }
    }

    #[test]
    fn a_stream_without_hot_keys_shows_none() {
        let mut sketch = HotKeys::default();
        for number in 0..100_000 {
            add(&mut sketch, 0, &format!("key:{number}"), 1.0);
        }
        let highest = sketch.top(1)[0].count;
        assert!(highest <= 1.0, "{highest} for a key that came once");
    }

    #[test]
    fn a_key_of_two_databases_is_two() {
        let mut sketch = HotKeys::default();
        add(&mut sketch, 0, "a", 1.0);
        add(&mut sketch, 7, "a", 3.0);
        let top: Vec<_> = sketch.top(9).into_iter().map(|hot| (hot.database, hot.count)).collect();
        assert_eq!(top, [(7, 3.0), (0, 1.0)]);
    }

    #[test]
    fn long_keys_are_told_apart_and_shown_by_their_beginning() {
        let mut sketch = HotKeys::default();
        let long = "k".repeat(5_000);
        for ends in ["a", "b"] {
            add(&mut sketch, 0, &format!("{long}{ends}"), 1.0);
        }
        let top = sketch.top(9);
        assert_eq!(top.len(), 2);
        assert_eq!((top[0].key.len(), top[0].key_bytes), (KEY_BYTES_MAX, 5_001));
    }

    #[test]
    fn what_was_hot_cools_down_and_rates_stay_true() {
        let mut sketch = HotKeys::default();
        let second = |number: i64| UnixMillis(NOW.0 + number * 1_000);
        for number in 0..60 {
            sketch.cool(second(number));
            add(&mut sketch, 0, "old", 500.0);
            if number >= 3 {
                let rate = sketch.top(1)[0].count / sketch.window_seconds(second(number + 1));
                assert!((490.0..=510.0).contains(&rate), "{rate} calls a second after {number} s");
            }
        }
        for number in 60..75 {
            sketch.cool(second(number));
            add(&mut sketch, 0, "new", 500.0);
        }
        assert_eq!(names(&sketch, 2), ["new", "old"]);
        sketch.cool(second(75 + 3_600));
        assert_eq!(names(&sketch, 2), [""; 0]);
        assert!(sketch.total() < 1.0);
    }

    #[test]
    fn a_clock_that_is_set_back_does_no_harm() {
        let mut sketch = HotKeys::default();
        sketch.cool(NOW);
        add(&mut sketch, 0, "a", 8.0);
        sketch.cool(UnixMillis(NOW.0 - 86_400_000));
        sketch.cool(UnixMillis(NOW.0 - 86_400_000 + HALVING_MS));
        assert_eq!(sketch.top(1)[0].count, 4.0);
    }
}
