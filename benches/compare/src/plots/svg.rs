//! The paper: text, lines and shapes in a frame, with colours for light and dark pages.

use std::fmt::Write;

/// Width of every picture.
pub const WIDTH: f64 = 900.0;
/// Room for the title and the legend.
pub const HEAD: f64 = 56.0;

/// Colours that stand out on white and on black, Mayfly's the warm ones.
const MAYFLY: [&str; 3] = ["#e4572e", "#f0932b", "#c23616"];
const PEERS: [&str; 4] = ["#7b8fa8", "#3d9b9b", "#9a7fc0", "#a9a9a9"];

/// A picture that grows.
pub struct Paper {
    body: String,
    height: f64,
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

impl Paper {
    /// An empty sheet.
    pub fn new(height: f64) -> Self {
        Paper { body: String::new(), height }
    }

    /// Writes a text; the class is one of the style, or empty.
    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.write(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        ));
    }

    /// Draws a line of the grid.
    pub fn horizontal(&mut self, x: f64, y: f64, width: f64) {
        self.write(format_args!("<path d=\"M{x:.1} {y:.1}h{width:.1}\" class=\"grid\"/>"));
    }

    /// A bar with a text that appears under the pointer.
    pub fn bar(&mut self, [x, y, width, height]: [f64; 4], colour: &str, about: &str) {
        let about = escape(about);
        self.write(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\">\
             <title>{about}</title></rect>"
        ));
    }

    /// A dot, hollow if what it stands for is not exact.
    pub fn dot(&mut self, x: f64, y: f64, colour: &str, hollow: bool, about: &str) {
        let (about, fill) = (escape(about), if hollow { "none" } else { colour });
        self.write(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"2\">\
             <title>{about}</title></circle>"
        ));
    }

    /// Draws a line through points.
    pub fn line(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        self.write(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        ));
    }

    /// The names of the series with their colours, in one row at the top.
    pub fn legend(&mut self, series: &[String]) {
        let mut x = 8.0;
        for (name, colour) in series.iter().zip(colours(series)) {
            self.bar([x, 8.0, 12.0, 12.0], colour, name);
            self.text(x + 17.0, 18.0, Anchor::Start, "", name);
            x += 34.0 + name.chars().count() as f64 * 6.5;
        }
    }

    /// The file.
    pub fn finish(self) -> String {
        let Paper { body, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"system-ui,sans-serif\" font-size=\"12\">\n\
             <style>text{{fill:#24292f}}.small{{font-size:10px}}.title{{font-weight:600}}.grid{{stroke:#8886}}\
             @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}}}</style>\n{body}</svg>\n"
        )
    }

    fn write(&mut self, element: std::fmt::Arguments<'_>) {
        // A String takes whatever is written to it.
        let _ = writeln!(self.body, "{element}");
    }
}

/// A colour for each series.
pub fn colours(series: &[String]) -> Vec<&'static str> {
    let (mut own, mut peers) = (MAYFLY.iter().cycle(), PEERS.iter().cycle());
    let next = |name: &String| if name.starts_with("Mayfly") { own.next() } else { peers.next() };
    series.iter().map(next).map(|colour| colour.copied().unwrap_or_default()).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
