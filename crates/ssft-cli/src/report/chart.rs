//! Curves as SVG coordinates; the templates draw them.

use serde::Serialize;

/// Size of the drawing area, in SVG units.
pub const WIDTH: f64 = 640.0;
/// See [`WIDTH`].
pub const HEIGHT: f64 = 180.0;
/// Points of a curve: more than the eye can tell apart.
const POINTS: usize = 320;

/// How values become heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From 0 to the highest.
    Linear,
    /// From 0 to 1.
    Share,
    /// From the lowest to the highest, by their logarithms.
    Log,
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tick {
    /// SVG units from the left or from the top.
    pub at: f64,
    /// What it says.
    pub label: String,
}

/// One curve of a chart.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// What it is of; empty where there is only one.
    pub name: String,
    /// Its colour among those of the style sheet.
    pub colour: usize,
    /// The `points` of a polyline.
    pub points: String,
    /// Its last value, for people.
    pub last: String,
}

/// Curves over the steps of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Chart {
    /// What it shows, with its unit.
    pub label: String,
    /// Its curves.
    pub lines: Vec<Line>,
    /// Steps.
    pub across: Vec<Tick>,
    /// Values.
    pub up: Vec<Tick>,
}

/// Points of (step, value), and what they are of. Its place in a list is its colour, whether it has points or not.
pub type Series = (String, Vec<(f64, f64)>);

/// A chart of some series; nothing if none has a point.
pub fn chart(label: &str, scale: Scale, series: &[Series]) -> Option<Chart> {
    let thinned: Vec<Vec<(f64, f64)>> = series.iter().map(|(_, points)| thin(points)).collect();
    let all = || thinned.iter().flatten();
    let last = all().map(|&(step, _)| step).fold(f64::NEG_INFINITY, f64::max);
    let top = all().map(|&(_, value)| value).fold(f64::MIN_POSITIVE, f64::max);
    let positive = all().map(|&(_, value)| value).filter(|&value| value > 0.0);
    let (bottom, top) = match scale {
        Scale::Linear => (0.0, top),
        Scale::Share => (0.0, 1.0),
        Scale::Log => (positive.fold(top, f64::min).max(top * 1e-9), top),
    };
    let height = |value: f64| match scale {
        Scale::Log => (value.max(bottom) / bottom).ln() / (top / bottom).ln().max(f64::MIN_POSITIVE),
        _ => (value - bottom) / (top - bottom),
    };
    let x = |step: f64| WIDTH * step / last;
    let y = |value: f64| HEIGHT * (1.0 - height(value));
    let line = |colour: usize| {
        let (name, points) = &series[colour];
        let at = |&(step, value): &(f64, f64)| format!("{:.1},{:.1}", x(step), y(value));
        let last = points.last().map(|&(_, value)| significant(value));
        last.map(|last| Line {
            name: name.clone(),
            colour,
            points: thinned[colour].iter().map(at).collect::<Vec<_>>().join(" "),
            last,
        })
    };
    let ticks = |values: Vec<f64>, at: &dyn Fn(f64) -> f64| {
        values.into_iter().map(|value| Tick { at: at(value), label: significant(value) }).collect()
    };
    let values = if scale == Scale::Log { decades(bottom, top) } else { round_steps(bottom, top, 4) };
    last.is_finite().then(|| Chart {
        label: label.to_owned(),
        lines: (0..series.len()).filter_map(line).collect(),
        across: ticks(round_steps(0.0, last, 6), &x),
        up: ticks(values, &y),
    })
}

/// Averages of as many neighbours as the eye cannot tell apart.
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
    let (first, last) = ((low / step).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|multiple| multiple as f64 * step).collect()
}

/// Powers of ten between the two and, where these are few, twice and five times them.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let by: &[f64] = if last - first <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let all = (first..=last).flat_map(|power| by.iter().map(move |by| by * 10f64.powi(power)));
    all.filter(|value| (low..=high).contains(value)).collect()
}

/// A number with as many digits as people want to see.
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
