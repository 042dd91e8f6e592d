//! Curves as SVG coordinates; the templates draw them.

use serde::Serialize;

/// Width of the drawing area, in SVG units.
pub const WIDTH: f64 = 640.0;
/// Height of the drawing area, in SVG units.
pub const HEIGHT: f64 = 180.0;
/// Most points of a curve: one for every two SVG units.
const POINTS: usize = 320;
/// About this many ticks on the axis of steps.
const TICKS_ACROSS: usize = 6;
/// About this many ticks on a linear axis of values.
const TICKS_UP: usize = 4;
/// Least ratio of the ends of a logarithmic axis.
const LEAST_RATIO: f64 = 1e-9;
/// Decades below which a logarithmic axis also has ticks at 2 and 5.
const FEW_DECADES: i32 = 3;

/// How values become heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From 0 to the largest value.
    Linear,
    /// From 0 to 1.
    Share,
    /// From the smallest to the largest value, logarithmic.
    Log,
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tick {
    /// SVG units from the left or from the top.
    pub at: f64,
    /// Text at the mark.
    pub label: String,
}

/// One curve of a chart.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Name in the legend; empty where there is only one curve.
    pub name: String,
    /// Index of its colour in the style sheet.
    pub colour: usize,
    /// Attribute `points` of an SVG polyline.
    pub points: String,
    /// Last value, as text.
    pub last: String,
}

/// Curves over the steps of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Chart {
    /// What it shows, with its unit.
    pub label: String,
    /// Its curves.
    pub lines: Vec<Line>,
    /// Ticks of the axis of steps.
    pub across: Vec<Tick>,
    /// Ticks of the axis of values.
    pub up: Vec<Tick>,
}

/// A name, and points (step, value). The index in a list of series is the index of the colour, also if a series has no points.
pub type Series = (String, Vec<(f64, f64)>);

/// A chart of some series; `None` if none of them has a point.
///
/// ```
/// use ssft_report::chart::{Scale, chart};
///
/// let share = [("ssft".to_owned(), vec![(10.0, 0.5), (20.0, 1.0)])];
/// let chart = chart("Pass@1", Scale::Share, &share).expect("points");
/// assert_eq!(chart.lines[0].points, "320.0,90.0 640.0,0.0");
/// assert_eq!(chart.up.len(), 3);
/// ```
pub fn chart(label: &str, scale: Scale, series: &[Series]) -> Option<Chart> {
    let thinned: Vec<Vec<(f64, f64)>> = series.iter().map(|(_, points)| thin(points)).collect();
    let axes = Axes::of(scale, thinned.concat())?;
    let line = |colour: usize| {
        let (name, points) = &series[colour];
        let at = |&(step, value): &(f64, f64)| format!("{:.1},{:.1}", axes.x(step), axes.y(value));
        points.last().map(|&(_, last)| Line {
            name: name.clone(),
            colour,
            points: thinned[colour].iter().map(at).collect::<Vec<_>>().join(" "),
            last: significant(last),
        })
    };
    Some(Chart {
        label: label.to_owned(),
        lines: (0..series.len()).filter_map(line).collect(),
        across: axes.ticks_across(),
        up: axes.ticks_up(),
    })
}

/// The axes of a chart: steps from 0 to `last`, values from `bottom` to `top`.
struct Axes {
    scale: Scale,
    last: f64,
    bottom: f64,
    top: f64,
}

impl Axes {
    /// Axes with room for these points; `None` if there are none.
    fn of(scale: Scale, points: Vec<(f64, f64)>) -> Option<Self> {
        let values = || points.iter().map(|&(_, value)| value);
        let last = points.iter().map(|&(step, _)| step).fold(f64::NEG_INFINITY, f64::max);
        let top = values().fold(f64::MIN_POSITIVE, f64::max);
        let (bottom, top) = match scale {
            Scale::Linear => (0.0, top),
            Scale::Share => (0.0, 1.0),
            Scale::Log => {
                let least = values().filter(|&value| value > 0.0).fold(top, f64::min);
                (least.max(top * LEAST_RATIO), top)
            }
        };
        last.is_finite().then_some(Self { scale, last, bottom, top })
    }

    fn x(&self, step: f64) -> f64 {
        WIDTH * step / self.last
    }

    fn y(&self, value: f64) -> f64 {
        let Self { bottom, top, .. } = *self;
        let height = match self.scale {
            Scale::Log => (value.max(bottom) / bottom).ln() / (top / bottom).ln().max(f64::MIN_POSITIVE),
            Scale::Linear | Scale::Share => (value - bottom) / (top - bottom),
        };
        HEIGHT * (1.0 - height)
    }

    fn ticks_across(&self) -> Vec<Tick> {
        let steps = round_steps(0.0, self.last, TICKS_ACROSS).into_iter();
        steps.map(|step| Tick { at: self.x(step), label: significant(step) }).collect()
    }

    fn ticks_up(&self) -> Vec<Tick> {
        let values = match self.scale {
            Scale::Log => decades(self.bottom, self.top),
            Scale::Linear | Scale::Share => round_steps(self.bottom, self.top, TICKS_UP),
        };
        values.into_iter().map(|value| Tick { at: self.y(value), label: significant(value) }).collect()
    }
}

/// Means of neighbouring points, at most [`POINTS`] of them.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let bucket = points.len().div_ceil(POINTS).max(1);
    let mean = |chunk: &[(f64, f64)]| {
        let count = chunk.len() as f64;
        let sum = chunk.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / count, sum.1 / count)
    };
    points.chunks(bucket).map(mean).collect()
}

/// About `count` multiples of 1, 2 or 5 times a power of ten from `low` to `high`.
pub fn round_steps(low: f64, high: f64, count: usize) -> Vec<f64> {
    let rough = (high - low) / count as f64;
    if rough <= 0.0 || !rough.is_finite() {
        return vec![low];
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|by| by * power).find(|&step| step >= rough);
    let step = step.unwrap_or(10.0 * power);
    // The tolerance keeps a last tick that rounding puts just beyond the end.
    let (first, last) = ((low / step).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|multiple| multiple as f64 * step).collect()
}

/// Powers of ten from `low` to `high`; over few decades also twice and five times them.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let by: &[f64] = if last - first <= FEW_DECADES { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let all = (first..=last).flat_map(|power| by.iter().map(move |by| by * 10f64.powi(power)));
    all.filter(|value| (low..=high).contains(value)).collect()
}

/// A number with up to four decimals, or one from 10 on: `4.0e-5`, `1.25`, `1234.5`.
pub fn significant(value: f64) -> String {
    let trimmed = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 1e-3 => format!("{value:.1e}"),
        size if size < 10.0 => trimmed(format!("{value:.4}")),
        _ => trimmed(format!("{value:.1}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(round_steps(0.0, 2000.0, 6), [0.0, 500.0, 1000.0, 1500.0, 2000.0]);
        assert_eq!(round_steps(0.0, 0.004, 4), [0.0, 0.001, 0.002, 0.003, 0.004]);
        assert_eq!(round_steps(0.0, 0.0, 4), [0.0]);
        assert_eq!(decades(0.3, 7.0), [0.5, 1.0, 2.0, 5.0]);
        assert_eq!(decades(1e-5, 2.0).len(), 6);
    }

    #[test]
    fn a_curve_fills_its_frame() {
        let series = [(String::new(), vec![(1.0, 4.0), (2.0, 2.0), (4.0, 0.0)])];
        let found = chart("loss", Scale::Linear, &series).expect("points");
        assert_eq!(found.lines[0].points, "160.0,0.0 320.0,90.0 640.0,180.0");
        assert_eq!(found.lines[0].last, "0");
        assert!(chart("nothing", Scale::Log, &[(String::new(), vec![])]).is_none());
    }

    #[test]
    fn long_series_are_thinned() {
        let series: Vec<(f64, f64)> = (1..=3200).map(|step| (f64::from(step), 1.0)).collect();
        assert_eq!(thin(&series).len(), 320);
        assert_eq!(thin(&series)[0], (5.5, 1.0));
    }

    #[test]
    fn numbers_for_people() {
        let shown = [0.0, 4e-5, 0.5, 1.25, 1234.5, 2000.0].map(significant);
        assert_eq!(shown, ["0", "4.0e-5", "0.5", "1.25", "1234.5", "2000"]);
    }
}
