//! Medians and how sure they are.
//!
//! Ratios are paired: a round's slice of one server over the same round's slice of another, neighbours in time on
//! the same machine. The 95 % interval is a bootstrap in two steps: processes are drawn with replacement, then
//! rounds within each. One process differs from the next by more than its rounds differ among themselves, so an
//! interval over all rounds alone would be too narrow.

use fastrand::Rng;

/// How many times the values are drawn again.
const RESAMPLES: usize = 1_000;
/// What the interval leaves out, half of it on either side.
const OUTSIDE: f64 = 0.05;

/// The median and an interval that holds the true one with a probability of about 95 %.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// The median over all rounds of all processes.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Values by process and round.
pub type Rounds = Vec<Vec<f64>>;

impl Estimate {
    /// The median of values by process, at least one in each. The seed makes the interval the same every time.
    pub fn of(processes: &Rounds, seed: u64) -> Self {
        assert!(
            !processes.is_empty() && processes.iter().all(|rounds| !rounds.is_empty()),
            "nothing to estimate"
        );
        let value = median(&mut processes.concat());
        let mut random = Rng::with_seed(seed);
        let mut drawn = Vec::with_capacity(processes.iter().map(Vec::len).sum());
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                drawn.clear();
                for _ in processes {
                    let rounds = &processes[random.usize(..processes.len())];
                    drawn.extend((0..rounds.len()).map(|_| rounds[random.usize(..rounds.len())]));
                }
                median(&mut drawn)
            })
            .collect();
        medians.sort_unstable_by(f64::total_cmp);
        let cut = (RESAMPLES as f64 * OUTSIDE / 2.0) as usize;
        Estimate { value, low: medians[cut], high: medians[RESAMPLES - 1 - cut] }
    }

    /// The median of the ratios within each round.
    pub fn of_ratios(own: &Rounds, other: &Rounds, seed: u64) -> Self {
        assert_eq!(own.len(), other.len(), "as many processes on either side");
        let ratios = own.iter().zip(other).map(|(own, other)| {
            assert_eq!(own.len(), other.len(), "as many rounds on either side");
            own.iter().zip(other).map(|(own, other)| own / other).collect()
        });
        Estimate::of(&ratios.collect(), seed)
    }
}

/// The middle of some values, at least one, which are put in another order.
pub fn median(values: &mut [f64]) -> f64 {
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if odd {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + upper) / 2.0
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::{Estimate, Rounds, median};

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&mut [3.0]), 3.0);
        assert_eq!(median(&mut [9.0, 1.0, 4.0]), 4.0);
        assert_eq!(median(&mut [9.0, 1.0, 2.0, 4.0]), 3.0);
    }

    #[test]
    fn what_disturbs_both_of_a_pair_does_not_disturb_their_ratio() {
        let mut random = Rng::with_seed(1);
        let other: Rounds = (0..3).map(|_| (0..20).map(|_| 1.0 + random.f64()).collect()).collect();
        let own = other.iter().map(|rounds| rounds.iter().map(|rate| rate * 2.5).collect()).collect();
        let ratio = Estimate::of_ratios(&own, &other, 7);
        assert_eq!(ratio, Estimate { value: 2.5, low: 2.5, high: 2.5 });
        let mut shifted = own;
        shifted.iter_mut().for_each(|rounds| rounds.rotate_left(1));
        let ratio = Estimate::of_ratios(&shifted, &other, 7);
        assert!(ratio.high - ratio.low > 0.1, "rounds that do not belong together: {ratio:?}");
    }

    #[test]
    fn the_interval_holds_the_true_median_about_as_often_as_it_says() {
        let mut random = Rng::with_seed(2);
        let mut held = 0;
        for seed in 0..200 {
            let rounds = (0..60).map(|_| random.f64() + random.f64()).collect();
            let estimate = Estimate::of(&vec![rounds], seed);
            held += usize::from(estimate.low <= 1.0 && 1.0 <= estimate.high);
        }
        assert!((184..=198).contains(&held), "{held} of 200");
    }

    #[test]
    fn processes_that_differ_make_the_interval_as_wide_as_they_differ() {
        let process = |level: f64| (0..100).map(|round| level + f64::from(round % 10) / 1e3).collect();
        let estimate = Estimate::of(&vec![process(1.0), process(1.1), process(1.2)], 3);
        assert!(estimate.low < 1.02 && estimate.high > 1.19, "{estimate:?}");
        assert_eq!(estimate, Estimate::of(&vec![process(1.0), process(1.1), process(1.2)], 3));
    }
}
