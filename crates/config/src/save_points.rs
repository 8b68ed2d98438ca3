//! `save` points: how much has to change, in how long, for a snapshot to begin by itself.

/// More of them are refused.
const POINTS_MAX: usize = 64;

/// One point: a snapshot begins when the last one is longer ago than this, and so much has changed since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct SavePoint {
    seconds: u64,
    changes: u64,
}

/// All points, in the order in which they were given.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SavePoints(Vec<SavePoint>);

impl SavePoints {
    /// Reads pairs of seconds, at least one, and changes; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words: Vec<_> = text.split_whitespace().collect();
        if !words.len().is_multiple_of(2) || words.len() / 2 > POINTS_MAX {
            return None;
        }
        let number = |word: &str| word.parse::<u32>().ok().map(u64::from);
        let points = words.chunks(2).map(|pair| {
            let (seconds, changes) = (number(pair[0])?, number(pair[1])?);
            (seconds > 0).then_some(SavePoint { seconds, changes })
        });
        points.collect::<Option<_>>().map(SavePoints)
    }

    /// As Redis writes them.
    pub(crate) fn text(&self) -> String {
        let pairs = self.0.iter().map(|point| format!("{} {}", point.seconds, point.changes));
        pairs.collect::<Vec<_>>().join(" ")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is reached, so many changes and seconds after the last snapshot.
    pub fn is_reached(&self, changes: u64, seconds: u64) -> bool {
        self.0.iter().any(|point| changes >= point.changes.max(1) && seconds > point.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_written_as_in_redis() {
        for text in ["", "3600 1 300 100 60 10000", "1 0"] {
            assert_eq!(SavePoints::parse(text).map(|points| points.text()).as_deref(), Some(text));
        }
        assert_eq!(SavePoints::parse("  60   1 ").map(|points| points.text()).as_deref(), Some("60 1"));
        let many = "1 1 ".repeat(POINTS_MAX + 1);
        for text in ["60", "60 1 30", "0 1", "-1 1", "1 -1", "x 1", "60 1.5", "60 99999999999", &many] {
            assert_eq!(SavePoints::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_point_is_reached_when_both_its_numbers_are() {
        let points = SavePoints::parse("3600 1 60 1000").expect("they are well formed");
        for (changes, seconds, expected) in
            [(0, 9_999, false), (1, 3_600, false), (1, 3_601, true), (999, 61, false), (1_000, 61, true)]
        {
            assert_eq!(points.is_reached(changes, seconds), expected, "{changes} in {seconds} s");
        }
        assert!(!SavePoints::default().is_reached(u64::MAX, u64::MAX));
        let any = SavePoints::parse("1 0").expect("they are well formed");
        assert!(!any.is_reached(0, 100), "nothing has changed: the last snapshot has it all");
    }
}
