//! Medians with their uncertainty.

/// A median and the interval that holds the true one with a probability of about 95 %.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Median {
    /// The middle value.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Median {
    /// The median of some values, at least one. The interval is that of the order statistics: it assumes nothing
    /// about how the values are spread.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let count = values.len();
        assert!(count > 0, "a median of nothing");
        let middle = (values[(count - 1) / 2] + values[count / 2]) / 2.0;
        let reach = 1.96 * (count as f64).sqrt() / 2.0;
        let low = (count as f64 / 2.0 - reach).floor().max(0.0) as usize;
        let high = ((count as f64 / 2.0 + reach).ceil() as usize).min(count - 1);
        Median { value: middle, low: values[low], high: values[high] }
    }
}

#[cfg(test)]
mod tests {
    use super::Median;

    #[test]
    fn the_interval_holds_the_median_and_narrows_with_more_values() {
        assert_eq!(Median::of([3.0]), Median { value: 3.0, low: 3.0, high: 3.0 });
        let few = Median::of((0..10).map(f64::from));
        let many = Median::of((0..1000).map(|number| f64::from(number) / 100.0));
        assert_eq!(few.value, 4.5);
        assert!(few.low <= 2.0 && few.high >= 7.0, "{few:?}");
        assert!(many.low > 4.6 && many.low < 5.0 && many.high < 5.4, "{many:?}");
    }
}
