//! What a server exports, read as Prometheus would read it.

/// One scrape of `/metrics`.
pub struct Scrape {
    text: String,
}

impl Scrape {
    /// The body of an answer.
    pub fn new(text: String) -> Self {
        Scrape { text }
    }

    /// The sum of a metric's values over all its series.
    ///
    /// # Panics
    /// There is no such series.
    pub fn sum(&self, name: &str) -> f64 {
        self.sum_where(name, "")
    }

    /// The sum over the series that carry `label`, such as `reason="wheel"`; all of them if it is empty.
    ///
    /// # Panics
    /// There is no such series.
    pub fn sum_where(&self, name: &str, label: &str) -> f64 {
        let values: Vec<f64> = self.values(name, label).collect();
        assert!(!values.is_empty(), "no series of {name} with {label:?} in:\n{}", self.text);
        values.iter().sum()
    }

    /// The sum over the series that carry `label`; zero where there is none yet.
    pub fn sum_or_zero(&self, name: &str, label: &str) -> f64 {
        self.values(name, label).sum()
    }

    /// Whether there is a type line and at least one sample of the metric.
    pub fn has(&self, name: &str, kind: &str) -> bool {
        let sample = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        self.text.lines().any(|line| line == format!("# TYPE {name} {kind}"))
            && self.values(&sample, "").next().is_some()
    }

    fn values(&self, name: &str, label: &str) -> impl Iterator<Item = f64> {
        self.text.lines().filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (series_name, labels) = series.split_once('{').unwrap_or((series, ""));
            let chosen = series_name == name && labels.contains(label);
            chosen.then(|| value.parse().expect("a sample ends with a number"))
        })
    }
}
