//! A cost matrix with its matching, as an SVG picture for documents.

use std::fmt::Write as _;

/// A cost matrix, its matching and names.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixPicture<'a> {
    /// `[forks][traces]`: costs in nats a token.
    pub costs: &'a [Vec<f32>],
    /// Name of each fork.
    pub forks: &'a [String],
    /// Name of each trace.
    pub traces: &'a [String],
    /// Fork of each trace, from 0.
    pub matching: &'a [usize],
    /// Lines under the matrix.
    pub caption: &'a [String],
}

/// Sizes in pixels of the picture's own scale.
const CELL_WIDTH: usize = 104;
const CELL_HEIGHT: usize = 38;
const LEFT: usize = 92;
const TOP: usize = 40;
const LINE: usize = 22;
/// Width of a picture with few traces, so that a caption has room.
const LEAST_WIDTH: usize = 516;
/// Width of a character, rounded up: a text that does not fit is cut.
const CHARACTER: usize = 8;
/// Colours for light and dark pages; a darker cell is a lower cost.
const STYLE: &str = "<style>:root{color-scheme:light dark}text{font:15px system-ui,sans-serif;fill:#1b1f24}.soft{fill:#57606a}\
.cell{fill:#1565c0}.ring{fill:none;stroke:#b45309;stroke-width:3}\
@media(prefers-color-scheme:dark){text{fill:#e6e9ed}.soft{fill:#9aa4af}.cell{fill:#6db3ff}.ring{stroke:#f5a35c}}</style>";
/// Opacity of the lowest cost's cell; the highest has none, so that numbers stay readable.
const DARKEST: f32 = 0.55;

impl MatrixPicture<'_> {
    /// The picture. Matched cells have a ring.
    ///
    /// ```
    /// use ssft_report::matrix::MatrixPicture;
    /// let names = |prefix: &str| (1..=2).map(|n| format!("{prefix} {n}")).collect::<Vec<_>>();
    /// let picture = MatrixPicture {
    ///     costs: &[vec![0.1, 2.0], vec![1.5, 0.2]],
    ///     forks: &names("fork"),
    ///     traces: &names("trace"),
    ///     matching: &[0, 1],
    ///     caption: &["costs in nats a token".to_owned()],
    /// };
    /// assert_eq!(picture.svg().matches("class=\"ring\"").count(), 2);
    /// ```
    pub fn svg(&self) -> String {
        let (forks, traces) = (self.costs.len(), self.traces.len());
        let width = (LEFT + traces * CELL_WIDTH + 8).max(LEAST_WIDTH);
        let (matrix_end, padding) = (TOP + forks * CELL_HEIGHT, 12);
        let height = matrix_end + self.caption.len() * LINE + padding;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">{STYLE}\n"
        );
        for (trace, name) in self.traces.iter().enumerate() {
            let (x, y) = (LEFT + trace * CELL_WIDTH + CELL_WIDTH / 2, TOP - 14);
            line(&mut svg, x, y, "middle", "soft", &fitted(name, CELL_WIDTH));
        }
        for (fork, name) in self.forks.iter().enumerate() {
            let y = TOP + fork * CELL_HEIGHT + CELL_HEIGHT / 2 + 5;
            line(&mut svg, LEFT - 10, y, "end", "soft", &fitted(name, LEFT));
            (0..traces).for_each(|trace| self.cell(&mut svg, fork, trace));
        }
        for (trace, &fork) in self.matching.iter().enumerate() {
            let (x, y) = corner(fork, trace);
            rectangle(&mut svg, x, y, "ring", 1.0);
        }
        for (number, text) in self.caption.iter().enumerate() {
            let y = matrix_end + (number + 1) * LINE;
            line(&mut svg, padding, y, "start", "soft", &fitted(text, width - padding));
        }
        svg + "</svg>\n"
    }

    fn cell(&self, svg: &mut String, fork: usize, trace: usize) {
        let (x, y) = corner(fork, trace);
        let all = || self.costs.iter().flatten().copied();
        let (least, most) = (all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max));
        let cost = self.costs[fork][trace];
        // Costs span orders of magnitude: a logarithm tells the small ones apart. Equal costs have no order: 0/0.
        let below_most = |cost: f32| (most / cost.max(f32::MIN_POSITIVE)).ln();
        let share = below_most(cost) / below_most(least);
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        rectangle(svg, x, y, "cell", DARKEST * share);
        line(svg, x + CELL_WIDTH / 2 - 2, y + CELL_HEIGHT / 2 + 3, "middle", "value", &format!("{cost:.2}"));
    }
}

/// `text`, or its beginning with two dots if it needs more than `width` pixels.
fn fitted(text: &str, width: usize) -> String {
    let most = width / CHARACTER;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(2)).chain("..".chars()).collect()
}

fn corner(fork: usize, trace: usize) -> (usize, usize) {
    (LEFT + trace * CELL_WIDTH + 2, TOP + fork * CELL_HEIGHT + 2)
}

fn rectangle(svg: &mut String, x: usize, y: usize, class: &str, opacity: f32) {
    let (width, height) = (CELL_WIDTH - 4, CELL_HEIGHT - 4);
    // Writing to a String cannot fail.
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" class=\"{class}\" opacity=\"{opacity:.3}\"/>"
    );
}

fn line(svg: &mut String, x: usize, y: usize, anchor: &str, class: &str, text: &str) {
    // Control characters are not allowed in XML.
    let text =
        text.replace(char::is_control, " ").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ =
        writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_the_lowest_cost_is_darkest() {
        let picture = MatrixPicture {
            costs: &[vec![0.01], vec![3.0]],
            forks: &["<think1>".to_owned(), "<think2>".to_owned()],
            traces: &["a & b".to_owned()],
            matching: &[0],
            caption: &[],
        };
        let svg = picture.svg();
        assert!(svg.contains("&lt;think1&gt;") && svg.contains("a &amp; b"), "{svg}");
        let cells: Vec<&str> = svg.lines().filter(|line| line.contains("class=\"cell\"")).collect();
        assert!(cells[0].contains("opacity=\"0.550\"") && cells[1].contains("opacity=\"0.000\""), "{svg}");
    }

    #[test]
    fn long_texts_are_cut_and_equal_costs_have_one_shade() {
        let picture = MatrixPicture {
            costs: &[vec![0.5, 0.5]],
            forks: &["<think1>".to_owned()],
            traces: &["s".repeat(40), "b".to_owned()],
            matching: &[0],
            caption: &["q".repeat(300)],
        };
        let svg = picture.svg();
        assert!(svg.contains(&format!(">{}..<", "s".repeat(11))), "{svg}");
        assert!(svg.contains(&format!(">{}..<", "q".repeat(61))), "{svg}");
        assert_eq!(svg.matches("class=\"cell\" opacity=\"0.000\"").count(), 2, "{svg}");
    }
}
