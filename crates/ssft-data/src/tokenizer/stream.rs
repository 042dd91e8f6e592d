//! Text of tokens that arrive one at a time.

use super::Tokenizer;
use crate::error::DataError;

/// Incremental decoder: the concatenated pieces equal [`Tokenizer::decode_behind`] of all tokens.
///
/// A character whose bytes are spread over several tokens is returned with the last of them. Unlike the library's own
/// stream it accepts bytes that are not UTF-8, which decode to U+FFFD.
#[derive(Debug)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    /// The tokens of the last piece, then the tokens without complete text. The former are decoded again with the
    /// latter, since some decoders treat the first token of a sequence differently.
    tokens: Vec<u32>,
    /// Number of tokens of the last piece.
    last_piece: usize,
}

impl Tokenizer {
    /// An incremental decoder of the tokens behind the lead `lead`.
    ///
    /// # Errors
    /// As [`Tokenizer::decode_behind`].
    pub fn stream(&self, lead: &[u32]) -> Result<TextStream<'_>, DataError> {
        let tokens = self.text_before(lead)?;
        Ok(TextStream { tokenizer: self, last_piece: tokens.len(), tokens })
    }
}

impl TextStream<'_> {
    /// The text completed by `token`; `None` if no character is complete.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library reports an error.
    pub fn push(&mut self, token: u32) -> Result<Option<String>, DataError> {
        self.tokens.push(token);
        let text = self.tokenizer.decode(&self.tokens)?;
        if text.ends_with(char::REPLACEMENT_CHARACTER) {
            return Ok(None);
        }
        let known = self.tokenizer.decode(&self.tokens[..self.last_piece])?;
        let piece = match text.strip_prefix(&known) {
            Some(piece) => piece.to_owned(),
            None => self.tokenizer.decode(&self.tokens[self.last_piece..])?,
        };
        if piece.is_empty() {
            // Else a blank, which the decoder drops at the beginning of a text.
            if self.tokenizer.is_silent(token) {
                self.tokens.pop();
            }
            return Ok(None);
        }
        self.tokens.drain(..self.last_piece);
        self.last_piece = self.tokens.len();
        Ok(Some(piece))
    }
}
