//! The text of a row as it grows, and the stop strings that end it.

use ssft_data::error::DataError;
use ssft_data::tokenizer::{TextStream, Tokenizer};

/// What a row has said so far.
pub(crate) struct GrowingText<'a> {
    tokenizer: &'a Tokenizer,
    stream: TextStream<'a>,
    stops: &'a [String],
    text: String,
    /// Bytes that the listener has heard.
    told: usize,
}

impl<'a> GrowingText<'a> {
    pub fn new(tokenizer: &'a Tokenizer, stops: &'a [String]) -> Self {
        Self { tokenizer, stream: tokenizer.stream(), stops, text: String::new(), told: 0 }
    }

    /// Takes up a token; true if a stop string is complete, which is then cut off with all behind it.
    pub fn push(&mut self, token: u32) -> Result<bool, DataError> {
        let Some(news) = self.stream.push(token)? else { return Ok(false) };
        let known = self.text.len();
        self.text += &news;
        // A stop string that ends in the news begins at most its own length before them.
        let found = |stop: &String| {
            let from = floor_boundary(&self.text, (known + 1).saturating_sub(stop.len()));
            self.text[from..].find(stop.as_str()).map(|at| from + at)
        };
        let end = self.stops.iter().filter_map(found).min();
        if let Some(end) = end {
            self.text.truncate(end);
        }
        Ok(end.is_some())
    }

    /// The text is complete: bytes that no token made a character of show as U+FFFD, unless a stop string cut them off. One
    /// that came with such bytes is found only here.
    pub fn finish(&mut self, tokens: &[u32], stopped: bool) -> Result<(), DataError> {
        if !stopped {
            self.text = self.tokenizer.decode(tokens)?;
            let end = self.stops.iter().filter_map(|stop| self.text.find(stop.as_str())).min();
            end.into_iter().for_each(|end| self.text.truncate(end));
        }
        Ok(())
    }

    /// What the listener has not heard and no stop string can take back; all of it once the text is `finished`.
    pub fn news(&mut self, finished: bool) -> &str {
        let held = |stop: &String| {
            (1..stop.len()).rev().find(|&length| {
                stop.is_char_boundary(length) && self.text[self.told..].ends_with(&stop[..length])
            })
        };
        let held = if finished { 0 } else { self.stops.iter().filter_map(held).max().unwrap_or(0) };
        let (from, to) = (floor_boundary(&self.text, self.told), self.text.len() - held);
        self.told = to;
        &self.text[from..to]
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// The next character boundary at or below `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard token by token, and the whole text.
    fn heard(text: &str, stops: &[&str]) -> (Vec<String>, String) {
        let tokenizer = Tokenizer::bytes(2).expect("a tokenizer of bytes");
        let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
        let mut growing = GrowingText::new(&tokenizer, &stops);
        let tokens = tokenizer.encode_text(text).expect("tokens");
        let mut heard = Vec::new();
        let mut stopped = false;
        for &token in &tokens {
            stopped = growing.push(token).expect("decodes");
            heard.push(growing.news(stopped).to_owned());
            if stopped {
                break;
            }
        }
        growing.finish(&tokens, stopped).expect("decodes");
        heard.push(growing.news(true).to_owned());
        heard.retain(|piece| !piece.is_empty());
        (heard, growing.into_text())
    }

    #[test]
    fn a_character_of_several_bytes_is_heard_once_it_is_whole() {
        assert_eq!(heard("aé€", &[]), (vec!["a".into(), "é".into(), "€".into()], "aé€".into()));
    }

    #[test]
    fn a_stop_string_is_never_heard_and_ends_the_text() {
        assert_eq!(heard("ab##cd", &["##"]), (vec!["a".into(), "b".into()], "ab".into()));
        // What might begin a stop string waits until it does not.
        assert_eq!(heard("a#b", &["##"]), (vec!["a".into(), "#b".into()], "a#b".into()));
        assert_eq!(heard("a#", &["##"]), (vec!["a".into(), "#".into()], "a#".into()));
        // Of several the first in the text counts; one may begin inside what was held back for another.
        assert_eq!(heard("xaaab", &["aab", "b"]), (vec!["x".into(), "a".into()], "xa".into()));
        assert_eq!(heard("x€y", &["€"]), (vec!["x".into()], "x".into()));
    }

    #[test]
    fn broken_bytes_show_at_the_end() {
        let tokenizer = Tokenizer::bytes(2).expect("a tokenizer of bytes");
        let whole = tokenizer.encode_text("a€").expect("tokens");
        let mut growing = GrowingText::new(&tokenizer, &[]);
        for &token in &whole[..3] {
            assert!(!growing.push(token).expect("decodes"));
        }
        assert_eq!(growing.news(false), "a");
        growing.finish(&whole[..3], false).expect("decodes");
        assert_eq!(growing.news(true), "\u{fffd}");
    }
}
