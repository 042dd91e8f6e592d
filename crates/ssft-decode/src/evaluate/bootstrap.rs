//! Bootstrap intervals: the questions are resampled with replacement many times (Efron 1979).

use rand::RngExt;
use ssft_data::random::{Stream, generator};

/// Number of resamplings.
const DRAWS: u64 = 1000;

/// Quantiles at the ends of a 95 % interval.
const QUANTILES: [f64; 2] = [0.025, 0.975];

/// Resamplings of the questions, the same for every figure.
#[derive(Debug)]
pub struct Bootstrap {
    /// All questions in order, then each resampling.
    draws: Vec<Vec<usize>>,
}

/// A figure with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Value over all questions.
    pub value: f64,
    /// 95 % interval: quantiles 0.025 and 0.975 over the resamplings.
    pub ci95: [f64; 2],
}

impl Bootstrap {
    /// Resamplings of `questions` questions, determined by `seed`.
    pub fn new(questions: usize, seed: u64) -> Self {
        let draw = |draw: u64| {
            let mut rng = generator(seed, Stream::Bootstrap { draw });
            (0..questions).map(|_| rng.random_range(0..questions)).collect()
        };
        Self { draws: std::iter::once((0..questions).collect()).chain((1..=DRAWS).map(draw)).collect() }
    }

    /// The estimate of `figure`, a function of a list of question indices.
    pub fn estimate(&self, figure: impl Fn(&[usize]) -> f64) -> Estimate {
        let value = figure(&self.draws[0]);
        let mut drawn: Vec<f64> = self.draws[1..].iter().map(|draw| figure(draw)).collect();
        drawn.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| drawn[(share * (drawn.len() - 1) as f64).round() as usize];
        Estimate { value, ci95: QUANTILES.map(quantile) }
    }

    /// The estimate of the mean of `of(question)`; 0 without questions.
    pub fn mean(&self, of: impl Fn(usize) -> f64) -> Estimate {
        let mean = |questions: &[usize]| {
            questions.iter().map(|&question| of(question)).sum::<f64>() / questions.len().max(1) as f64
        };
        self.estimate(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_share_is_that_of_its_normal_approximation() {
        // 400 questions, three in four right: a standard error of sqrt(0.75 * 0.25 / 400) = 0.0217.
        let right = |question: usize| f64::from(u8::from(!question.is_multiple_of(4)));
        let Estimate { value, ci95: [low, high] } = Bootstrap::new(400, 1).mean(right);
        assert_eq!(value, 0.75);
        // The percentiles of 1000 draws are uncertain by some 0.002.
        assert!((low - (0.75 - 1.96 * 0.02165)).abs() < 0.006, "{low}");
        assert!((high - (0.75 + 1.96 * 0.02165)).abs() < 0.006, "{high}");
    }

    #[test]
    fn what_is_the_same_for_all_questions_is_certain() {
        assert_eq!(Bootstrap::new(5, 1).mean(|_| 1.0), Estimate { value: 1.0, ci95: [1.0, 1.0] });
        assert_eq!(Bootstrap::new(0, 1).mean(|_| 1.0), Estimate { value: 0.0, ci95: [0.0, 0.0] });
    }

    #[test]
    fn a_seed_decides_the_draws() {
        let interval = |seed| Bootstrap::new(30, seed).mean(|question| (question as f64).sqrt()).ci95;
        assert_eq!(interval(3), interval(3));
        assert_ne!(interval(3), interval(4));
    }
}
