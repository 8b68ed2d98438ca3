//! What Mayfly says about itself: its `/metrics`, added up over all shards.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};

/// The text of one scrape.
pub struct Scrape(String);

impl Scrape {
    /// Asks for `/metrics`.
    pub fn take(address: SocketAddr) -> Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes())?;
        let mut text = String::new();
        socket.read_to_string(&mut text)?;
        ensure!(text.starts_with("HTTP/1.1 200"), "/metrics answered {:?}", text.lines().next());
        Ok(Scrape(text))
    }

    /// Bytes of the answer, its head included.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// All series of a metric: their labels and values.
    fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
            let own = labels.is_empty() || labels.starts_with('{');
            own.then_some((labels, value.parse().ok()?))
        })
    }

    /// The sum over all series.
    pub fn sum(&self, name: &str) -> f64 {
        self.series(name).map(|(_, value)| value).sum()
    }

    /// The cumulative counts of a histogram by bucket, with the upper bound of each.
    pub fn buckets(&self, name: &str) -> Result<Vec<(f64, f64)>> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (labels, count) in self.series(&format!("{name}_bucket")) {
            let bound = labels.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
            let bound = bound.and_then(|bound| bound.trim_start_matches('+').parse::<f64>().ok());
            let bound = bound.with_context(|| format!("a bucket of {name} has no bound: {labels}"))?;
            match buckets.iter_mut().find(|bucket| bucket.0 == bound) {
                Some(bucket) => bucket.1 += count,
                None => buckets.push((bound, count)),
            }
        }
        ensure!(!buckets.is_empty(), "/metrics has no {name}");
        Ok(buckets)
    }
}

/// The bound of the bucket that a quantile of what came between two scrapes falls into.
pub fn quantile_bound(before: &[(f64, f64)], after: &[(f64, f64)], quantile: f64) -> f64 {
    let earlier = |bound: f64| before.iter().find(|bucket| bucket.0 == bound).map_or(0.0, |bucket| bucket.1);
    let came: Vec<(f64, f64)> = after.iter().map(|&(bound, count)| (bound, count - earlier(bound))).collect();
    let total = came.iter().map(|bucket| bucket.1).fold(0.0, f64::max);
    let wanted = (total * quantile).ceil();
    came.iter().find(|bucket| bucket.1 >= wanted).map_or(f64::INFINITY, |bucket| bucket.0)
}

#[cfg(test)]
mod tests {
    use super::{Scrape, quantile_bound};

    #[test]
    fn series_of_all_shards_are_added_up_and_others_are_not() {
        let scrape = Scrape(
            "# HELP keys x\nkeys{shard=\"0\"} 3\nkeys{shard=\"1\"} 4\nkeys_with_ttl{shard=\"0\"} 9\n\
             lag_bucket{shard=\"0\",le=\"0.001\"} 1\nlag_bucket{shard=\"0\",le=\"+Inf\"} 2\n\
             lag_bucket{shard=\"1\",le=\"0.001\"} 7\nlag_bucket{shard=\"1\",le=\"+Inf\"} 8\n"
                .to_owned(),
        );
        assert_eq!(scrape.sum("keys"), 7.0);
        let buckets = scrape.buckets("lag").unwrap();
        assert_eq!(buckets, [(0.001, 8.0), (f64::INFINITY, 10.0)]);
        assert_eq!(quantile_bound(&[], &buckets, 0.8), 0.001);
        assert_eq!(quantile_bound(&[], &buckets, 0.81), f64::INFINITY);
        assert_eq!(quantile_bound(&[(0.001, 8.0), (f64::INFINITY, 9.0)], &buckets, 0.5), f64::INFINITY);
    }
}
