//! The learning rate of each step.

use serde::{Deserialize, Serialize};

/// What the learning rate does after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Falls along half a cosine to a tenth of the peak.
    Cosine,
    /// Falls in a straight line to a tenth of the peak.
    Linear,
    /// Stays.
    Constant,
}

/// A learning-rate schedule: a linear warm-up from 0 to `peak`, then `shape`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// Steps until it is reached.
    pub warmup_steps: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// What follows the warm-up.
    pub shape: Shape,
}

/// Share of the peak at which a falling schedule ends.
const FLOOR: f64 = 0.1;

impl Schedule {
    /// Learning rate of `step`, counted from 1; the warm-up ends at step `warmup_steps`, the fall at step `steps`.
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
