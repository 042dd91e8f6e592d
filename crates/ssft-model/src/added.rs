//! Rows of the embedding and the head for tokens that a model has not seen yet.

use crate::config::DecoderConfig;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// Largest number that rows are rounded up to a multiple of; what matrix units like.
const LARGEST_MULTIPLE: usize = 128;

/// How far a new row is from the one that it is copied from: deviation of its noise, times the root mean square of that
/// row. Enough that no two forks are the same to a matching, little enough that each still means what the token meant.
const NOISE: f64 = 0.1;

/// Tokens to make rows for while a model is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedTokens {
    /// Their ids. A row that is there already, as padding of the vocabulary, is overwritten.
    pub ids: Vec<u32>,
    /// The token whose rows they start from.
    pub like: u32,
    /// Rows that the tables must have.
    pub rows: usize,
    /// Of the noise.
    pub seed: u64,
}

impl AddedTokens {
    /// Tokens `ids`, which start as `like`, in a model of this shape with a vocabulary of `tokens` afterwards.
    ///
    /// Rows are added only where the padding of the vocabulary does not suffice, and then up to the multiple that the number
    /// of rows was of: the largest power of two that divides it, at most 128.
    pub fn new(config: &DecoderConfig, ids: &[u32], like: u32, tokens: usize, seed: u64) -> Self {
        let there = config.vocab_size;
        let multiple = (1 << there.trailing_zeros()).min(LARGEST_MULTIPLE);
        let rows = if tokens <= there { there } else { tokens.next_multiple_of(multiple) };
        Self { ids: ids.to_vec(), like, rows, seed }
    }

    /// Grows a table `[rows there, width]` to `[rows, width]`: rows of the tokens from that of `like` with noise, the padding
    /// behind them from the mean of all rows there, which is as unlikely as a token is on average. Tables of different
    /// `number` have noise that is independent.
    ///
    /// # Panics
    /// If the row of `like` is not finite.
    pub(crate) fn grow(&self, table: &mut Vec<f32>, width: usize, number: u64) {
        let there = table.len() / width;
        let like = table[self.like as usize * width..][..width].to_vec();
        let mut mean = vec![0f64; width];
        for row in table.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        let mean: Vec<f32> = mean.iter().map(|sum| (sum / there as f64) as f32).collect();
        for _ in there..self.rows {
            table.extend_from_slice(&mean);
        }
        let squares: f64 = like.iter().map(|&value| f64::from(value).powi(2)).sum();
        let deviation = NOISE * (squares / width as f64).sqrt();
        let noise = Normal::new(0.0, deviation)
            .unwrap_or_else(|_| panic!("token {} has a row that is not finite", self.like));
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number);
        for &id in &self.ids {
            let row = &mut table[id as usize * width..][..width];
            row.iter_mut().zip(&like).for_each(|(new, &old)| *new = old + noise.sample(&mut rng) as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    fn shape(rows: usize) -> DecoderConfig {
        DecoderConfig { vocab_size: rows, ..DecoderConfig::preset(Preset::Tiny, 1) }
    }

    #[test]
    fn rows_keep_the_multiple_that_they_had() {
        // SmolLM2, TinyLlama, Qwen2.5 (room for more), an odd vocabulary.
        for (there, tokens, rows) in [
            (49_152, 49_158, 49_280),
            (32_000, 32_006, 32_128),
            (151_936, 151_671, 151_936),
            (32_003, 32_009, 32_009),
        ] {
            let ids: Vec<u32> = (tokens as u32 - 6..tokens as u32).collect();
            assert_eq!(AddedTokens::new(&shape(there), &ids, 0, tokens, 1).rows, rows, "{there}");
        }
    }

    #[test]
    fn new_rows_are_near_their_token_and_differ() {
        let width = 64;
        let table: Vec<f32> = (0..10 * width).map(|index| (index as f32).sin()).collect();
        let added = AddedTokens { ids: vec![9, 10], like: 3, rows: 12, seed: 5 };
        let mut grown = table.clone();
        added.grow(&mut grown, width, 0);
        let row = |index: usize| &grown[index * width..][..width];
        assert_eq!(grown[..9 * width], table[..9 * width], "other rows stay");
        assert_eq!(grown.len(), 12 * width);
        let apart = |a: &[f32], b: &[f32]| {
            (a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / width as f32).sqrt()
        };
        let size = apart(row(3), &vec![0.0; width]);
        for id in [9, 10] {
            let relative = apart(row(id), row(3)) / size;
            assert!((0.05..0.15).contains(&relative), "{relative}");
        }
        assert!(apart(row(9), row(10)) > 0.0);
        let mean: f32 = table.chunks(width).map(|row| row[0]).sum::<f32>() / 10.0;
        assert!((row(11)[0] - mean).abs() < 1e-6, "padding is the mean of the rows that were there");
        let mut again = table.clone();
        added.grow(&mut again, width, 0);
        assert_eq!(again, grown, "a seed gives the same rows");
        let mut other = table.clone();
        added.grow(&mut other, width, 1);
        assert_ne!(other[9 * width..], grown[9 * width..], "another table has noise of its own");
    }
}
