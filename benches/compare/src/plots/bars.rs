//! Bars in groups, one bar of a group for each series.

use super::svg::{Anchor, HEAD, Paper, WIDTH, colours};

/// Height of a panel, its title and the names of its groups included.
const PANEL: f64 = 210.0;
const PLOT: f64 = 150.0;
const LEFT: f64 = 56.0;
const TITLE: f64 = 26.0;

/// One panel.
pub struct Bars {
    title: String,
    logarithmic: bool,
    groups: Vec<String>,
    bars: Vec<Bar>,
}

struct Bar {
    group: String,
    series: String,
    value: f64,
    rank: f64,
}

impl Bars {
    /// A panel without bars.
    pub fn new(title: &str, logarithmic: bool) -> Self {
        Bars { title: title.to_owned(), logarithmic, groups: Vec::new(), bars: Vec::new() }
    }

    /// Adds a bar. Of several in the same place the one of the highest rank stays.
    pub fn add_best(&mut self, group: &str, series: &str, value: f64, rank: f64) {
        if !self.groups.iter().any(|known| known == group) {
            self.groups.push(group.to_owned());
        }
        let bar = Bar { group: group.to_owned(), series: series.to_owned(), value, rank };
        match self.bars.iter_mut().find(|known| known.group == group && known.series == series) {
            Some(known) if known.rank < rank => *known = bar,
            Some(_) => {}
            None => self.bars.push(bar),
        }
    }

    fn draw(&self, paper: &mut Paper, top: f64, series: &[String]) {
        paper.text(8.0, top + 12.0, Anchor::Start, "title", &self.title);
        let (top, bottom) = (top + TITLE, top + TITLE + PLOT);
        let scale = Scale::of(self.bars.iter().map(|bar| bar.value), self.logarithmic);
        for tick in scale.ticks() {
            let y = bottom - scale.height(tick) * PLOT;
            paper.horizontal(LEFT, y, WIDTH - LEFT - 8.0);
            paper.text(LEFT - 6.0, y + 4.0, Anchor::End, "small", &number(tick));
        }
        let group_width = (WIDTH - LEFT - 8.0) / self.groups.len() as f64;
        let bar_width = (group_width * 0.84 / series.len() as f64).min(40.0);
        for (index, group) in self.groups.iter().enumerate() {
            let middle = LEFT + group_width * (index as f64 + 0.5);
            paper.text(middle, bottom + 16.0, Anchor::Middle, "", group);
            for bar in self.bars.iter().filter(|bar| bar.group == *group) {
                let place = series.iter().position(|name| *name == bar.series).unwrap_or_default();
                let x = middle + bar_width * (place as f64 - series.len() as f64 / 2.0);
                let height = scale.height(bar.value) * PLOT;
                let about = format!("{}: {} ({group})", bar.series, number(bar.value));
                paper.bar([x, bottom - height, bar_width - 1.0, height], colours(series)[place], &about);
                if bar_width >= 26.0 {
                    let x = x + bar_width / 2.0;
                    paper.text(
                        x,
                        (bottom - height - 3.0).max(top),
                        Anchor::Middle,
                        "small",
                        &number(bar.value),
                    );
                }
            }
        }
    }
}

/// Draws panels below each other, with one legend.
pub fn draw(panels: &[Bars]) -> String {
    let series = super::distinct(panels.iter().flat_map(|panel| &panel.bars).map(|bar| bar.series.clone()));
    let mut paper = Paper::new(HEAD - 20.0 + PANEL * panels.len() as f64);
    paper.legend(&series);
    for (index, panel) in panels.iter().enumerate() {
        panel.draw(&mut paper, HEAD - 16.0 + PANEL * index as f64, &series);
    }
    paper.finish()
}

/// From a value to the share of the height.
struct Scale {
    logarithmic: bool,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone, logarithmic: bool) -> Self {
        let high = values.clone().fold(1e-3, f64::max);
        if !logarithmic {
            return Scale { logarithmic, low: 0.0, high: high * 1.05 };
        }
        let low = values.filter(|&value| value > 0.0).fold(high, f64::min);
        Scale { logarithmic, low: 10_f64.powf((low / 2.0).log10().floor()), high: high * 1.5 }
    }

    fn height(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            value / self.high
        };
        share.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let powers = (0..20).map(|power| self.low * 10_f64.powi(power));
            return powers.take_while(|&tick| tick <= self.high).collect();
        }
        let rough = self.high / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&step| step >= rough);
        let step = step.unwrap_or(power * 10.0);
        (0..6).map(|index| f64::from(index) * step).take_while(|&tick| tick <= self.high).collect()
    }
}

/// A number with as many digits as one reads.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.995 => format!("{value:.2}"),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn heights_keep_the_order_and_stay_within_the_plot() {
        for logarithmic in [false, true] {
            let values = [0.2, 70.0, 48_300.0];
            let scale = Scale::of(values.into_iter(), logarithmic);
            let heights = values.map(|value| scale.height(value));
            assert!(heights[0] > 0.0 && heights[0] < heights[1] && heights[1] < heights[2], "{heights:?}");
            assert!(heights[2] <= 1.0);
            assert!(scale.ticks().len() >= 3 && scale.ticks().iter().all(|&tick| tick <= scale.high));
        }
    }
}
