//! Lines over powers of ten, on a logarithmic scale of seconds.

use super::svg::{Anchor, HEAD, Paper, WIDTH, colours};

const PLOT: f64 = 240.0;
const LEFT: f64 = 56.0;
const TITLE: f64 = 24.0;
/// The least that is told apart.
const LOW_SECONDS: f64 = 1e-4;

/// One picture.
pub struct Lines {
    title: String,
    /// What is not known took longer than this.
    waited_seconds: f64,
    series: Vec<String>,
    places: Vec<u64>,
    points: Vec<(String, u64, Option<f64>)>,
}

impl Lines {
    /// A picture without points.
    pub fn new(title: &str, waited_seconds: f64) -> Self {
        let (series, places, points) = (Vec::new(), Vec::new(), Vec::new());
        Lines { title: title.to_owned(), waited_seconds, series, places, points }
    }

    /// Adds a point; `None` for what took longer than anybody waited.
    pub fn add(&mut self, series: &str, place: u64, seconds: Option<f64>) {
        if !self.series.iter().any(|known| known == series) {
            self.series.push(series.to_owned());
        }
        if !self.places.contains(&place) {
            self.places.push(place);
        }
        self.points.push((series.to_owned(), place, seconds));
    }

    /// The file.
    pub fn draw(&self) -> String {
        let high = (self.waited_seconds * 2.0).max(10.0);
        let (top, bottom) = (HEAD + TITLE, HEAD + TITLE + PLOT);
        let mut paper = Paper::new(bottom + 30.0);
        paper.legend(&self.series);
        paper.text(8.0, HEAD, Anchor::Start, "title", &self.title);
        let y = |seconds: f64| {
            let share = (seconds.max(LOW_SECONDS) / LOW_SECONDS).ln() / (high / LOW_SECONDS).ln();
            bottom - share.min(1.0) * (bottom - top)
        };
        for power in -4..=1 {
            let seconds = 10_f64.powi(power);
            paper.horizontal(LEFT, y(seconds), WIDTH - LEFT - 8.0);
            paper.text(LEFT - 6.0, y(seconds) + 4.0, Anchor::End, "small", &time(seconds));
        }
        let width = (WIDTH - LEFT - 8.0) / self.places.len() as f64;
        let x = |place: u64| {
            let index = self.places.iter().position(|&known| known == place).unwrap_or_default();
            LEFT + width * (index as f64 + 0.5)
        };
        for &place in &self.places {
            paper.text(x(place), bottom + 18.0, Anchor::Middle, "", &count(place));
        }
        for (series, colour) in self.series.iter().zip(colours(&self.series)) {
            let own = self.points.iter().filter(|(name, ..)| name == series);
            let points: Vec<_> = own
                .map(|&(_, place, seconds)| {
                    (place, seconds, x(place), y(seconds.unwrap_or(self.waited_seconds)))
                })
                .collect();
            paper.line(&points.iter().map(|&(.., x, y)| (x, y)).collect::<Vec<_>>(), colour);
            for (place, seconds, x, y) in points {
                let lag = seconds.map_or_else(|| format!("> {} s", self.waited_seconds), time);
                let about = format!("{series}, {}: {lag}", count(place));
                paper.dot(x, y, colour, seconds.is_none(), &about);
            }
        }
        paper.finish()
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        ..0.001 => format!("{:.1} ms", seconds * 1e3),
        0.001..0.01 if (seconds * 1e3).fract() > 0.05 => format!("{:.1} ms", seconds * 1e3),
        0.001..1.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.0} s"),
    }
}

fn count(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{} k", number / 1_000),
        _ => format!("{} M", number / 1_000_000),
    }
}
