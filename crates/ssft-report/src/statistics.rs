//! Means over seeds, with intervals of Student's t distribution.

use serde::Serialize;

/// A figure over several runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Mean over the runs.
    pub mean: f64,
    /// 95 % interval of the mean (Student's t); none for a single run.
    pub ci95: Option<[f64; 2]>,
    /// Values of the runs.
    pub values: Vec<f64>,
}

impl Summary {
    /// Summary of the runs' values; `None` without runs, or if a run lacks the value.
    pub fn of(values: Vec<Option<f64>>) -> Option<Self> {
        let values: Vec<f64> =
            values.into_iter().collect::<Option<_>>().filter(|values: &Vec<f64>| !values.is_empty())?;
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let half = student_t(values.len()) * (variance / count).sqrt();
        Some(Self { mean, ci95: (values.len() > 1).then_some([mean - half, mean + half]), values })
    }
}

/// 97.5th percentiles of Student's t distribution for 1, 2, .. 30 degrees of freedom.
const STUDENT_T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The same percentile of the normal distribution.
const NORMAL: f64 = 1.96;

/// 97.5th percentile of Student's t distribution for the mean of `values` values, which has one degree of freedom less.
///
/// Above 30 degrees of freedom this is the normal distribution's percentile, which makes an interval too narrow by less
/// than 5 %.
///
/// ```
/// use ssft_report::statistics::student_t;
/// assert_eq!((student_t(3), student_t(100)), (4.303, 1.96));
/// ```
pub fn student_t(values: usize) -> f64 {
    STUDENT_T.get(values.saturating_sub(2)).copied().unwrap_or(NORMAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_by_hand() {
        let summary = Summary::of(vec![Some(0.6), Some(0.8)]).expect("two values");
        // Standard deviation 0.1414, divided by the square root of 2, times 12.706.
        let [low, high] = summary.ci95.expect("two values");
        assert!((summary.mean - 0.7).abs() < 1e-12 && (high - low - 2.0 * 1.2706).abs() < 1e-3);
        assert_eq!(Summary::of(vec![Some(0.5)]).and_then(|summary| summary.ci95), None);
        assert_eq!((Summary::of(vec![]), Summary::of(vec![Some(0.5), None])), (None, None));
    }
}
