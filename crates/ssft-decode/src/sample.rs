//! From the logits of a row to its next token, with randomness that lives on the host.

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How the next token is drawn. Applied in the order of the fields, as `transformers` does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Tokens that the row holds already, prompt included, have a positive logit divided and a negative one multiplied
    /// by this; 1 for no difference. Source: arXiv 1909.05858.
    pub repetition_penalty: f64,
    /// What logits are divided by; 0 takes the most likely token, and what follows is without effect.
    pub temperature: f64,
    /// Only so many of the most likely tokens; 0 for all.
    pub top_k: usize,
    /// Only the fewest tokens whose probabilities together reach this; 1 for all. Source: arXiv 1904.09751.
    pub top_p: f64,
    /// Only tokens at least this times as likely as the most likely one; 0 for all. Source: arXiv 2407.01082.
    pub min_p: f64,
}

impl Sampling {
    /// The most likely token, always.
    pub const GREEDY: Self =
        Self { repetition_penalty: 1.0, temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0 };
    /// What arXiv 2510.05132 samples its figures with.
    pub const PAPER: Self =
        Self { repetition_penalty: 1.0, temperature: 0.7, top_k: 0, top_p: 0.95, min_p: 0.0 };

    /// True if no random number is ever drawn.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// What is out of range, in words; `None` if nothing is.
    pub fn problem(&self) -> Option<String> {
        let Self { repetition_penalty, temperature, top_p, min_p, .. } = *self;
        let range = |name: &str, value: f64, holds: bool, wanted: &str| {
            (!holds).then(|| format!("{name} is {value}; give {wanted}"))
        };
        range("temperature", temperature, (0.0..=100.0).contains(&temperature), "0 to 100")
            .or_else(|| range("top-p", top_p, top_p > 0.0 && top_p <= 1.0, "more than 0, at most 1"))
            .or_else(|| range("min-p", min_p, (0.0..1.0).contains(&min_p), "0 or more, below 1"))
            .or_else(|| {
                let fits = (0.01..=100.0).contains(&repetition_penalty);
                range("repetition-penalty", repetition_penalty, fits, "0.01 to 100")
            })
    }
}

/// The chosen token of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Its id.
    pub token: u32,
    /// Its log-probability under the model itself, before anything of [`Sampling`], in nats.
    pub logprob: f64,
}

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The tokens of a row: of a question, a fork, a sample.
    Row = 0,
    /// Which forks give one more answer to a vote: of a question, a number of answers.
    Split = 1,
    /// A draw of the questions.
    Bootstrap = 2,
}

/// The random numbers of one row: a function of where it stands, so that neither the batch nor the other rows matter.
pub fn row_generator(seed: u64, question: u64, fork: u32, sample: u32) -> ChaCha8Rng {
    generator(Purpose::Row, seed, question, fork, sample)
}

/// The generator for one purpose and place.
pub fn generator(purpose: Purpose, seed: u64, major: u64, minor: u32, index: u32) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&major.to_le_bytes());
    key[16..20].copy_from_slice(&minor.to_le_bytes());
    key[20..24].copy_from_slice(&index.to_le_bytes());
    key[24] = purpose as u8;
    ChaCha8Rng::from_seed(key)
}

/// The next token of a row with these `logits`, one a token of the vocabulary; `seen` are the tokens that it holds.
/// `None` if a logit is not a number or all are minus infinity: the weights are damaged.
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
        // Of equal maxima `max_by` keeps the last, so the walk goes from high ids to low.
        (0..logits.len()).rev().max_by(|&a, &b| score(a).total_cmp(&score(b)))?
    } else {
        draw(&candidates((0..logits.len()).map(score), sampling), rng)
    };
    Some(Choice { token: token as u32, logprob: f64::from(logits[token]) - normalizer })
}

fn log_sum_exp(logits: &[f32]) -> Option<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - f64::from(top)).exp()).sum();
    let value = f64::from(top) + sum.ln();
    value.is_finite().then_some(value)
}

/// A token that may be drawn, and its weight relative to the most likely one's 1.
type Candidate = (usize, f64);

/// The tokens that the filters leave: all in order of their ids, or the most likely first.
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
        // Tokens below (1 - p) / V of the mass have less than 1 - p of it together, so none of them is needed to reach
        // p, and a large vocabulary need not be sorted whole.
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

/// One of the candidates by their weights. There is one at least: the most likely token passes every filter.
fn draw(candidates: &[Candidate], rng: &mut ChaCha8Rng) -> usize {
    let mass: f64 = candidates.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random::<f64>() * mass;
    let chosen = candidates.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    // Rounding may leave a crumb behind the last one.
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
