//! What has to hold, with a map for a keyspace.

mod convergence;
mod damage;
mod faults;
mod groups;
mod model;

/// The seed of a test that draws: random unless `MAYFLY_TEST_SEED` gives one, and shown when the test fails.
struct Seed(u64);

impl Seed {
    fn of_this_run() -> Self {
        let given = std::env::var("MAYFLY_TEST_SEED").ok();
        Seed(
            given.map_or_else(
                || fastrand::u64(..),
                |text| text.parse().expect("MAYFLY_TEST_SEED is a number"),
            ),
        )
    }

    /// The random numbers of one run of many.
    fn rng(&self, run: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.0.wrapping_add(run.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
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
