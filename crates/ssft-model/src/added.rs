//! Initial rows of the embedding and the head for tokens that are added to a model.

use crate::config::DecoderConfig;
use rand_distr::{Distribution, Normal};
use ssft_data::random::{Stream, generator};

/// Largest multiple that the number of rows is rounded up to; larger ones gain no speed in matrix units.
const LARGEST_MULTIPLE: usize = 128;

/// Standard deviation of the noise on a new row, relative to the root mean square of the row that it is copied from. Large
/// enough that the costs of two forks differ, small enough that a new token acts like the copied one.
const NOISE: f64 = 0.1;

/// Tokens that get new rows while a model is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedTokens {
    /// Ids of the tokens. An existing row, part of the padding of the vocabulary, is overwritten.
    pub ids: Vec<u32>,
    /// Id of the token whose rows are copied.
    pub like: u32,
    /// Number of rows of both tables afterwards.
    pub rows: usize,
    /// Seed of the noise.
    pub seed: u64,
}

/// A table with one row per token. The number is the stream of random numbers that its noise is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Embedding = 0,
    Head = 1,
}

impl AddedTokens {
    /// Tokens `ids` as copies of the token `like`, in a model of shape `config` whose tokenizer has `tokens` tokens
    /// afterwards.
    ///
    /// Rows are added only if the padding of the vocabulary does not suffice. Their number is then rounded up to a multiple
    /// of the largest power of two, at most 128, that divides the current number of rows.
    pub fn new(config: &DecoderConfig, ids: &[u32], like: u32, tokens: usize, seed: u64) -> Self {
        let old_rows = config.vocab_size;
        let multiple = (1 << old_rows.trailing_zeros()).min(LARGEST_MULTIPLE);
        let rows = if tokens <= old_rows { old_rows } else { tokens.next_multiple_of(multiple) };
        Self { ids: ids.to_vec(), like, rows, seed }
    }

    /// Grows a table `[old rows, width]` to `[rows, width]`. A row of an added token is the row of `like` plus noise, which
    /// is independent for the two tables; a row of padding is the mean of the old rows, so that its logit is that of an
    /// average token.
    ///
    /// # Panics
    /// If the row of `like` is not finite.
    pub(crate) fn grow(&self, values: &mut Vec<f32>, width: usize, table: Table) {
        let like = values[self.like as usize * width..][..width].to_vec();
        let (old_rows, mean) = (values.len() / width, mean_row(values, width));
        for _ in old_rows..self.rows {
            values.extend_from_slice(&mean);
        }
        let squares: f64 = like.iter().map(|&value| f64::from(value).powi(2)).sum();
        let deviation = NOISE * (squares / width as f64).sqrt();
        let noise = Normal::new(0.0, deviation)
            .unwrap_or_else(|_| panic!("token {} has a row that is not finite", self.like));
        let mut rng = generator(self.seed, Stream::AddedRows { table: table as u32 });
        for &id in &self.ids {
            let row = &mut values[id as usize * width..][..width];
            row.iter_mut().zip(&like).for_each(|(new, &old)| *new = old + noise.sample(&mut rng) as f32);
        }
    }
}

/// Mean of all rows, summed in f64.
fn mean_row(values: &[f32], width: usize) -> Vec<f32> {
    let rows = values.len() / width;
    let mut sums = vec![0f64; width];
    for row in values.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    sums.iter().map(|sum| (sum / rows as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    fn shape(rows: usize) -> DecoderConfig {
        DecoderConfig { vocab_size: rows, ..DecoderConfig::preset(Preset::Tiny, 1) }
    }

    #[test]
    fn the_number_of_rows_keeps_its_multiple() {
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
        added.grow(&mut grown, width, Table::Embedding);
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
        assert!((row(11)[0] - mean).abs() < 1e-6, "padding is the mean of the old rows");
        let mut again = table.clone();
        added.grow(&mut again, width, Table::Embedding);
        assert_eq!(again, grown, "a seed gives the same rows");
        let mut other = table.clone();
        added.grow(&mut other, width, Table::Head);
        assert_ne!(other[9 * width..], grown[9 * width..], "the tables have different noise");
    }
}
