//! How uneven shards are.

/// The largest of some figures of shards, divided by their mean: 1 where all are the same or zero, their number where
/// one has everything.
pub fn imbalance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut sum, mut largest) = (0.0, 0.0, 0.0_f64);
    for value in values {
        count += 1.0;
        sum += value;
        largest = largest.max(value);
    }
    if sum > 0.0 { largest * count / sum } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::imbalance;

    #[test]
    fn it_is_the_largest_to_the_mean() {
        for (values, expected) in [
            (&[][..], 1.0),
            (&[0.0, 0.0], 1.0),
            (&[7.0, 7.0], 1.0),
            (&[9.0, 0.0, 0.0], 3.0),
            (&[3.0, 1.0], 1.5),
        ] {
            assert_eq!(imbalance(values.iter().copied()), expected, "{values:?}");
        }
    }
}
