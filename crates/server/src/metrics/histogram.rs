//! Histograms that are fed with counts, not with one sample at a time.
//!
//! The exporter's own histograms keep every sample with its time until the next scrape: 24 bytes and a clock
//! reading each, too much for what a shard counts by the million. These add up what the shards have counted
//! already, and are written in the exporter's format behind its own text.

use std::fmt::Write;

use metrics_exporter_prometheus::formatting::{write_help_line, write_type_line};

/// One histogram, with one series per label value; or with a single one, if its label is empty.
#[derive(Debug)]
pub struct Histogram {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    bounds: &'static [f64],
    series: Vec<Series>,
}

#[derive(Debug)]
struct Series {
    label_value: String,
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    pub fn new(name: &'static str, help: &'static str, label: &'static str, bounds: &'static [f64]) -> Self {
        Histogram { name, help, label, bounds, series: Vec::new() }
    }

    /// Makes sure that the series of `label_value` is there, also while it is empty.
    pub fn ensure(&mut self, label_value: &str) {
        self.series_of(label_value);
    }

    /// Adds `count` samples of the size `value`.
    pub fn add(&mut self, label_value: &str, value: f64, count: u64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        let series = self.series_of(label_value);
        series.counts[bucket] += count;
        series.sum += value * count as f64;
    }

    /// Appends it in Prometheus' text format.
    pub fn render(&self, text: &mut String) {
        if self.series.is_empty() {
            return;
        }
        write_help_line(text, self.name, None, None, self.help);
        write_type_line(text, self.name, None, None, "histogram");
        let name = self.name;
        for Series { label_value, counts, sum } in &self.series {
            let label = self.label_of(label_value);
            let between = if label.is_empty() { "" } else { "," };
            let braced = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
            let mut total = 0;
            let bounds = self.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
            for (bound, count) in bounds.zip(counts) {
                total += count;
                line(text, format_args!("{name}_bucket{{{label}{between}le=\"{bound}\"}} {total}"));
            }
            line(text, format_args!("{name}_sum{braced} {sum}"));
            line(text, format_args!("{name}_count{braced} {total}"));
        }
        text.push('\n');
    }

    /// The label as it is written; nothing for a histogram without one.
    fn label_of(&self, value: &str) -> String {
        if self.label.is_empty() { String::new() } else { format!("{}=\"{value}\"", self.label) }
    }

    fn series_of(&mut self, label_value: &str) -> &mut Series {
        let place = self.series.iter().position(|series| series.label_value == label_value);
        let place = place.unwrap_or_else(|| {
            let counts = vec![0; self.bounds.len() + 1];
            self.series.push(Series { label_value: label_value.to_owned(), counts, sum: 0.0 });
            self.series.len() - 1
        });
        &mut self.series[place]
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{content}");
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() {
        let mut histogram = Histogram::new("lag_seconds", "Lag.", "shard", &[0.001, 0.01]);
        let mut text = String::new();
        histogram.render(&mut text);
        assert_eq!(text, "", "a histogram without series is not shown");
        histogram.add("0", 0.001, 2);
        histogram.add("0", 0.0011, 1);
        histogram.add("0", 5.0, 1);
        histogram.render(&mut text);
        assert_eq!(
            text,
            "# HELP lag_seconds Lag.\n# TYPE lag_seconds histogram\n\
             lag_seconds_bucket{shard=\"0\",le=\"0.001\"} 2\n\
             lag_seconds_bucket{shard=\"0\",le=\"0.01\"} 3\n\
             lag_seconds_bucket{shard=\"0\",le=\"+Inf\"} 4\n\
             lag_seconds_sum{shard=\"0\"} 5.0031\nlag_seconds_count{shard=\"0\"} 4\n\n"
        );
    }

    #[test]
    fn a_histogram_without_a_label_has_none_in_its_lines() {
        let mut histogram = Histogram::new("sync_seconds", "Syncs.", "", &[0.1]);
        histogram.add("", 0.05, 1);
        let mut text = String::new();
        histogram.render(&mut text);
        assert_eq!(
            text,
            "# HELP sync_seconds Syncs.\n# TYPE sync_seconds histogram\n\
             sync_seconds_bucket{le=\"0.1\"} 1\nsync_seconds_bucket{le=\"+Inf\"} 1\n\
             sync_seconds_sum 0.05\nsync_seconds_count 1\n\n"
        );
    }
}
