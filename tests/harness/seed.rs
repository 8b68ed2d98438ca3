//! Random numbers that can be had again.

use fastrand::Rng;

/// The seed of a test. It is random unless `MAYFLY_TEST_SEED` gives one, and shown when the test fails.
pub struct Seed(u64);

impl Seed {
    /// The seed of this run.
    pub fn of_this_run() -> Self {
        let given = std::env::var("MAYFLY_TEST_SEED").ok();
        Seed(
            given.map_or_else(
                || fastrand::u64(..),
                |text| text.parse().expect("MAYFLY_TEST_SEED is a number"),
            ),
        )
    }

    /// Random numbers of their own for the `stream`th user of the seed.
    pub fn rng(&self, stream: u64) -> Rng {
        Rng::with_seed(self.0.wrapping_add(stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

impl Drop for Seed {
    #[allow(clippy::print_stderr, reason = "the test harness shows it where a test has failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to run with the same seed: MAYFLY_TEST_SEED={}", self.0);
        }
    }
}
