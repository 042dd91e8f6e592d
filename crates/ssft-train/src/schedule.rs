//! The learning rate of every step.

use serde::{Deserialize, Serialize};

/// Course of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Half a cosine, down to a tenth of the peak.
    Cosine,
    /// A straight line, down to a tenth of the peak.
    Linear,
    /// The peak.
    Constant,
}

/// A learning-rate schedule: a linear warm-up from 0 to `peak`, then `shape`.
///
/// ```
/// use ssft_train::{Schedule, schedule::Shape};
///
/// let schedule = Schedule { peak: 1e-3, warmup_steps: 10, steps: 110, shape: Shape::Linear };
/// assert_eq!(schedule.at(5), 0.5e-3); // half of the warm-up
/// assert_eq!(schedule.at(10), 1e-3); // the peak
/// assert!((schedule.at(110) - 1e-4).abs() < 1e-12); // a tenth of the peak
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// Number of warm-up steps; 0 starts near the peak.
    pub warmup_steps: usize,
    /// Number of steps of the whole run.
    pub steps: usize,
    /// Course after the warm-up.
    pub shape: Shape,
}

/// Last learning rate of a falling schedule, as a fraction of the peak.
const FLOOR: f64 = 0.1;

impl Schedule {
    /// Learning rate of `step`, counted from 1. The warm-up ends at step `warmup_steps`, the fall at step `steps`; later steps keep the last rate.
    pub fn at(&self, step: usize) -> f64 {
        if step <= self.warmup_steps {
            return self.peak * step as f64 / self.warmup_steps as f64;
        }
        let falling = (self.steps.saturating_sub(self.warmup_steps)).max(1) as f64;
        let progress = ((step - self.warmup_steps) as f64 / falling).min(1.0);
        let left = match self.shape {
            Shape::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            Shape::Linear => 1.0 - progress,
            Shape::Constant => return self.peak,
        };
        self.peak * (FLOOR + (1.0 - FLOOR) * left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_by_hand() {
        let schedule = |shape| Schedule { peak: 1.0, warmup_steps: 4, steps: 24, shape };
        for (shape, step, expected) in [
            (Shape::Cosine, 1, 0.25),
            (Shape::Cosine, 4, 1.0),
            (Shape::Cosine, 14, 0.55),
            (Shape::Cosine, 24, 0.1),
            (Shape::Cosine, 99, 0.1),
            (Shape::Linear, 14, 0.55),
            (Shape::Linear, 9, 0.775),
            (Shape::Constant, 24, 1.0),
        ] {
            let rate = schedule(shape).at(step);
            assert!((rate - expected).abs() < 1e-12, "{shape:?} at {step}: {rate}, expected {expected}");
        }
    }

    #[test]
    fn no_warmup_starts_at_the_peak() {
        let schedule = Schedule { peak: 2.0, warmup_steps: 0, steps: 10, shape: Shape::Linear };
        assert!((schedule.at(1) - 2.0 * (0.1 + 0.9 * 0.9)).abs() < 1e-12);
    }
}
