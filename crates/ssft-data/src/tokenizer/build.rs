//! New tokenizers: plain bytes, and byte-level BPE trained on given texts.

use super::{END_OF_TEXT, Roles, Tokenizer, broken, failed, special_tokens};
use crate::error::DataError;
use crate::forks::fork_name;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{PreTokenizerWrapper, TokenizerImpl};

/// Special tokens in order of their ids; the forking tokens follow them.
const MARKERS: [&str; 3] = [END_OF_TEXT, "<|im_start|>", "<|im_end|>"];

/// Number of different bytes.
const BYTES: usize = 256;

/// Fewest occurrences of a pair of tokens that BPE merges.
const LEAST_OCCURRENCES: u64 = 2;

/// Whether text is split into words before BPE merges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WordSplit {
    Gpt2,
    None,
}

impl Tokenizer {
    /// A tokenizer with one token per byte, whose id is the byte, followed by `<|endoftext|>` (256, end of sequence and
    /// padding), `<|im_start|>` (257), `<|im_end|>` (258) and `<think1>` .. `<thinkN>` (259 ..) with N = `forks`.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library reports an error, which the tests rule out.
    pub fn bytes(forks: usize) -> Result<Self, DataError> {
        let vocabulary = (0..=u8::MAX).map(|byte| (byte_char(byte).to_string(), u32::from(byte)));
        let vocabulary: tokenizers::models::bpe::Vocab = vocabulary.collect();
        let model =
            BPE::builder().vocab_and_merges(vocabulary, vec![]).build().map_err(failed("be built"))?;
        let mut tokenizer = tokenizers::Tokenizer::new(model);
        // A split into words only matters for merges.
        tokenizer.with_pre_tokenizer(Some(byte_level(WordSplit::None)));
        finish(tokenizer, forks)
    }

    /// A byte-level BPE tokenizer trained on `texts`, deterministic for the same texts in the same order.
    ///
    /// `vocab_size` bounds the number of tokens, including the 256 bytes, the special tokens of [`Tokenizer::bytes`] and
    /// `forks` forking tokens; there are fewer if `texts` have too few repeated pairs. A digit is never merged.
    ///
    /// # Errors
    /// [`DataError::VocabularyTooSmall`] if `vocab_size` is less than the number of bytes and special tokens;
    /// [`DataError::Tokenizer`] if the library reports an error.
    pub fn train_bytes<S: AsRef<str> + Send + Sync>(
        texts: &[S],
        vocab_size: usize,
        forks: usize,
    ) -> Result<Self, DataError> {
        let least = BYTES + MARKERS.len() + forks;
        if vocab_size < least {
            return Err(DataError::VocabularyTooSmall { asked: vocab_size, forks, least });
        }
        let mut trainer = BpeTrainer::builder()
            .vocab_size(vocab_size - MARKERS.len() - forks)
            .min_frequency(LEAST_OCCURRENCES)
            .initial_alphabet((0..=u8::MAX).map(byte_char).collect())
            .show_progress(false)
            .build();
        let mut tokenizer =
            TokenizerImpl::<BPE, NoNormalizer, Sequence, ByteLevel, ByteLevel>::new(BPE::default());
        tokenizer.with_pre_tokenizer(Some(words()));
        tokenizer.train(&mut trainer, texts.iter().map(AsRef::as_ref)).map_err(failed("be trained"))?;
        let mut trained = tokenizers::Tokenizer::new(tokenizer.get_model().clone());
        trained.with_pre_tokenizer(Some(words()));
        finish(trained, forks)
    }
}

type NoNormalizer = tokenizers::NormalizerWrapper;

/// Split of text into words before merges: GPT-2's rule with single digits, so that every digit of a number is a token.
fn words() -> Sequence {
    Sequence::new(vec![
        PreTokenizerWrapper::Digits(Digits::new(true)),
        PreTokenizerWrapper::ByteLevel(byte_level(WordSplit::Gpt2)),
    ])
}

fn byte_level(split: WordSplit) -> ByteLevel {
    ByteLevel::default().add_prefix_space(false).use_regex(split == WordSplit::Gpt2)
}

/// Adds the decoder and the special tokens.
fn finish(mut tokenizer: tokenizers::Tokenizer, forks: usize) -> Result<Tokenizer, DataError> {
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let names = MARKERS.map(str::to_owned).into_iter().chain((0..forks).map(fork_name));
    tokenizer.add_special_tokens(special_tokens(names)).map_err(failed("add its special tokens"))?;
    let json = serde_json::to_value(&tokenizer).map_err(|e| broken(e.to_string()))?;
    let end = Some(END_OF_TEXT.to_owned());
    Tokenizer::assemble(json, Roles { eos: end.clone(), pad: end, ..Roles::default() })
}

/// The printable character that represents a byte in a byte-level vocabulary.
///
/// `!`..`~`, `¡`..`¬` and `®`..`ÿ` represent themselves; the n-th other byte (from 0) is character 256 + n.
/// Source: `bytes_to_unicode` of GPT-2 (<https://github.com/openai/gpt-2/blob/master/src/encoder.py>).
fn byte_char(byte: u8) -> char {
    let visible = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if visible(byte) {
        return char::from(byte);
    }
    let rank = (0..byte).filter(|&other| !visible(other)).count() as u32;
    // There are 68 such bytes, and every number below 256 + 68 is a valid character.
    char::from_u32(256 + rank).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_those_of_the_library() {
        let ours: std::collections::BTreeSet<char> = (0..=u8::MAX).map(byte_char).collect();
        assert_eq!(ours, ByteLevel::alphabet().into_iter().collect());
        let known = [(b' ', 'Ġ'), (b'\n', 'Ċ'), (b'a', 'a'), (0, 'Ā'), (0xAD, 'Ń'), (0xFF, 'ÿ')];
        for (byte, stand_in) in known {
            assert_eq!(byte_char(byte), stand_in, "{byte}");
        }
    }
}
