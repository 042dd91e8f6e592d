//! Sampling: from the logits of a row to its next token, on the host.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use ssft_data::random::{Stream, generator};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Sampling parameters, applied in the order of the fields, as in transformers.
///
/// ```
/// use ssft_decode::sample::{Sampling, choose, row_generator};
/// use std::collections::BTreeSet;
///
/// let logits = [0.25_f32, 0.5, 0.125, 0.125].map(f32::ln);
/// let mut rng = row_generator(1, 0, 0, 0);
/// let greedy = choose(&logits, &BTreeSet::new(), &Sampling::GREEDY, &mut rng).expect("finite logits");
/// assert_eq!(greedy.token, 1);
/// assert!((greedy.logprob - 0.5_f64.ln()).abs() < 1e-6);
///
/// let top_2 = Sampling { temperature: 1.0, top_k: 2, ..Sampling::GREEDY };
/// let drawn = choose(&logits, &BTreeSet::new(), &top_2, &mut rng).expect("finite logits");
/// assert!(drawn.token < 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Divisor of a positive logit, factor of a negative one, for tokens that occur in the row or its prompt; 1 for none.
    /// Source: arXiv 1909.05858.
    pub repetition_penalty: f64,
    /// Divisor of all logits. 0 selects the most likely token and ignores the following fields.
    pub temperature: f64,
    /// Number of most likely tokens kept; 0 for all.
    pub top_k: usize,
    /// Probability mass of the smallest set of most likely tokens kept; 1 for all. Source: arXiv 1904.09751.
    pub top_p: f64,
    /// Smallest kept probability, as a fraction of the largest; 0 for all. Source: arXiv 2407.01082.
    pub min_p: f64,
}

/// Valid values of [`Sampling::temperature`].
const TEMPERATURES: RangeInclusive<f64> = 0.0..=100.0;
/// Valid values of [`Sampling::repetition_penalty`].
const PENALTIES: RangeInclusive<f64> = 0.01..=100.0;

impl Sampling {
    /// Always the most likely token.
    pub const GREEDY: Self =
        Self { repetition_penalty: 1.0, temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0 };
    /// The parameters of the evaluations in arXiv 2510.05132.
    pub const PAPER: Self =
        Self { repetition_penalty: 1.0, temperature: 0.7, top_k: 0, top_p: 0.95, min_p: 0.0 };

    /// Whether the most likely token is always chosen, without random numbers.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// Whether the repetition penalty has an effect.
    pub fn has_penalty(&self) -> bool {
        self.repetition_penalty != 1.0
    }

    /// A message about the first parameter out of range; `None` if all are valid.
    pub fn problem(&self) -> Option<String> {
        let Self { repetition_penalty, temperature, top_p, min_p, .. } = *self;
        let range = |name: &str, value: f64, holds: bool, wanted: &str| {
            (!holds).then(|| format!("{name} is {value}; give {wanted}"))
        };
        range("temperature", temperature, TEMPERATURES.contains(&temperature), "0 to 100")
            .or_else(|| range("top-p", top_p, top_p > 0.0 && top_p <= 1.0, "more than 0, at most 1"))
            .or_else(|| range("min-p", min_p, (0.0..1.0).contains(&min_p), "0 or more, below 1"))
            .or_else(|| {
                let fits = PENALTIES.contains(&repetition_penalty);
                range("repetition-penalty", repetition_penalty, fits, "0.01 to 100")
            })
    }
}

/// The chosen next token of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Token id.
    pub token: u32,
    /// Log-probability of the token under the model, before [`Sampling`] is applied, in nats.
    pub logprob: f64,
}

/// The generator of one row. It depends only on its arguments, so that batch and neighboring rows have no influence.
pub fn row_generator(seed: u64, question: u64, fork: u32, sample: u32) -> ChaCha8Rng {
    generator(seed, Stream::Sample { question, fork, sample })
}

/// Chooses the next token of a row from `logits [vocab]`; `seen` has the tokens subject to the repetition penalty.
/// `None` if a logit is NaN or infinite, or all are minus infinity.
pub fn choose(
    logits: &[f32],
    seen: &BTreeSet<u32>,
    sampling: &Sampling,
    rng: &mut ChaCha8Rng,
) -> Option<Choice> {
    let normalizer = log_sum_exp(logits)?;
    let penalty = sampling.repetition_penalty;
    let score = |token: usize| {
        let logit = f64::from(logits[token]);
        match penalty != 1.0 && seen.contains(&(token as u32)) {
            true if logit > 0.0 => logit / penalty,
            true => logit * penalty,
            false => logit,
        }
    };
    let token = if sampling.is_greedy() {
        // `max_by` returns the last of equal maxima; the reversed order makes that the lowest id.
        (0..logits.len()).rev().max_by(|&a, &b| score(a).total_cmp(&score(b)))?
    } else {
        draw(&candidates((0..logits.len()).map(score), sampling), rng)
    };
    Some(Choice { token: token as u32, logprob: f64::from(logits[token]) - normalizer })
}

/// `ln sum exp(logit)`; `None` if it is not finite.
fn log_sum_exp(logits: &[f32]) -> Option<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - f64::from(top)).exp()).sum();
    let value = f64::from(top) + sum.ln();
    value.is_finite().then_some(value)
}

/// A token id and its weight; the weight of the most likely token is 1.
type Candidate = (usize, f64);

/// The tokens that pass the filters, in order of their ids without top-k and top-p, else by descending weight.
fn candidates(scores: impl Iterator<Item = f64> + Clone, sampling: &Sampling) -> Vec<Candidate> {
    let Sampling { temperature, top_k, top_p, min_p, .. } = *sampling;
    let top = scores.clone().fold(f64::NEG_INFINITY, f64::max);
    let mut kept: Vec<Candidate> =
        scores.map(|score| ((score - top) / temperature).exp()).enumerate().collect();
    let order = |a: &Candidate, b: &Candidate| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if 0 < top_k && top_k < kept.len() {
        kept.select_nth_unstable_by(top_k - 1, order);
        kept.truncate(top_k);
        kept.sort_unstable_by(order);
    }
    if top_p < 1.0 {
        // The tokens below (1 - p) / V of the mass have together less than 1 - p of it, so that none of them is needed to
        // reach p. Dropping them first avoids sorting a large vocabulary.
        let mass: f64 = kept.iter().map(|(_, weight)| weight).sum();
        let least = (1.0 - top_p) * mass / kept.len() as f64;
        kept.retain(|&(_, weight)| weight >= least);
        kept.sort_unstable_by(order);
        let mut reached = 0.0;
        let last = kept.iter().position(|(_, weight)| {
            reached += weight;
            reached >= top_p * mass
        });
        kept.truncate(last.map_or(kept.len(), |last| last + 1));
    }
    kept.retain(|&(_, weight)| weight >= min_p);
    kept
}

/// Draws a candidate in proportion to the weights. There is at least one: the most likely token passes every filter.
fn draw(candidates: &[Candidate], rng: &mut ChaCha8Rng) -> usize {
    let mass: f64 = candidates.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random::<f64>() * mass;
    let chosen = candidates.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    // Rounding errors can leave a remainder after the last candidate.
    chosen.unwrap_or(&candidates[candidates.len() - 1]).0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities 1/2, 1/4, 1/8, 1/16, 1/16 of the tokens 3, 0, 4, 1, 2.
    fn logits() -> [f32; 5] {
        [0.25f32, 0.0625, 0.0625, 0.5, 0.125].map(f32::ln)
    }

    fn kept(sampling: Sampling) -> Vec<usize> {
        let mut tokens: Vec<usize> =
            candidates(logits().into_iter().map(f64::from), &sampling).iter().map(|kept| kept.0).collect();
        tokens.sort_unstable();
        tokens
    }

    const PLAIN: Sampling =
        Sampling { repetition_penalty: 1.0, temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 };

    #[test]
    fn filters_by_hand() {
        assert_eq!(kept(PLAIN), [0, 1, 2, 3, 4]);
        assert_eq!(kept(Sampling { top_k: 1, ..PLAIN }), [3]);
        assert_eq!(kept(Sampling { top_k: 4, ..PLAIN }), [0, 1, 3, 4], "of equals the lower id");
        assert_eq!(kept(Sampling { top_k: 9, ..PLAIN }), [0, 1, 2, 3, 4]);
        assert_eq!(kept(Sampling { top_p: 0.4, ..PLAIN }), [3]);
        assert_eq!(kept(Sampling { top_p: 0.6, ..PLAIN }), [0, 3]);
        assert_eq!(kept(Sampling { top_p: 0.9, ..PLAIN }), [0, 1, 3, 4]);
        assert_eq!(kept(Sampling { min_p: 0.2, ..PLAIN }), [0, 3, 4], "1/8 is a quarter of 1/2");
        assert_eq!(kept(Sampling { min_p: 0.3, ..PLAIN }), [0, 3]);
        // Two are left by top-k, 2/3 and 1/3 of their mass.
        assert_eq!(kept(Sampling { top_k: 2, top_p: 0.6, ..PLAIN }), [3]);
        // At a temperature of 1/2 the odds are squared: 64, 16, 4, 1, 1 of 86.
        assert_eq!(kept(Sampling { temperature: 0.5, top_p: 0.9, ..PLAIN }), [0, 3]);
        assert_eq!(kept(Sampling { temperature: 0.5, min_p: 0.1, ..PLAIN }), [0, 3]);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let (mut rng, draws) = (row_generator(5, 0, 0, 0), 20_000);
        let mut counts = [0; 5];
        for _ in 0..draws {
            let choice = choose(&logits(), &BTreeSet::new(), &PLAIN, &mut rng).expect("numbers");
            assert!((choice.logprob - f64::from(logits()[choice.token as usize])).abs() < 1e-6);
            counts[choice.token as usize] += 1;
        }
        for (count, logit) in counts.into_iter().zip(logits()) {
            let p = f64::from(logit).exp();
            // Five standard deviations of a binomial count.
            let deviation = (f64::from(draws) * p * (1.0 - p)).sqrt();
            assert!((f64::from(count) - f64::from(draws) * p).abs() < 5.0 * deviation, "{counts:?}");
        }
    }

    #[test]
    fn a_generator_belongs_to_its_row_alone() {
        let first =
            |seed, question, fork, sample| row_generator(seed, question, fork, sample).random::<u64>();
        let all =
            [first(1, 0, 0, 0), first(2, 0, 0, 0), first(1, 1, 0, 0), first(1, 0, 1, 0), first(1, 0, 0, 1)];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 5);
        assert_eq!(first(1, 0, 0, 0), all[0]);
    }

    #[test]
    fn greedy_takes_the_lowest_of_equals_and_penalties_turn_it_away() {
        let rng = &mut row_generator(1, 0, 0, 0);
        let mut greedy = |logits: &[f32], seen: &[u32], repetition_penalty| {
            let sampling = Sampling { repetition_penalty, ..Sampling::GREEDY };
            choose(logits, &seen.iter().copied().collect(), &sampling, rng).map(|choice| choice.token)
        };
        assert_eq!(greedy(&[1.0, 3.0, 3.0], &[], 1.0), Some(1));
        assert_eq!(greedy(&[1.0, 3.0, 2.9], &[1], 2.0), Some(2), "3 / 2 is less than 2.9");
        assert_eq!(greedy(&[-2.0, -1.5], &[1], 2.0), Some(0), "-1.5 * 2 is less than -2");
        assert_eq!(greedy(&[1.0, f32::NAN], &[], 1.0), None);
        assert_eq!(greedy(&[f32::INFINITY, 0.0], &[], 1.0), None);
        assert_eq!(greedy(&[f32::NEG_INFINITY; 2], &[], 1.0), None);
        assert_eq!(greedy(&[f32::NEG_INFINITY, 0.0], &[], 1.0), Some(1), "a masked token is no damage");
    }

    #[test]
    fn ranges_are_checked() {
        assert_eq!(Sampling::PAPER.problem(), None);
        assert_eq!(Sampling::GREEDY.problem(), None);
        for (sampling, says) in [
            (Sampling { temperature: -1.0, ..PLAIN }, "temperature is -1; give 0 to 100"),
            (Sampling { temperature: f64::NAN, ..PLAIN }, "temperature is NaN; give 0 to 100"),
            (Sampling { top_p: 0.0, ..PLAIN }, "top-p is 0; give more than 0, at most 1"),
            (Sampling { min_p: 1.0, ..PLAIN }, "min-p is 1; give 0 or more, below 1"),
            (Sampling { repetition_penalty: 0.0, ..PLAIN }, "repetition-penalty is 0; give 0.01 to 100"),
        ] {
            assert_eq!(sampling.problem().as_deref(), Some(says));
        }
    }
}
