//! Text of a growing row, and its stop strings.

use super::continuation::Finish;
use ssft_data::error::DataError;
use ssft_data::tokenizer::{Tokenizer, stream::TextStream};

/// Text of a row so far.
pub(crate) struct GrowingText<'a> {
    tokenizer: &'a Tokenizer,
    lead: Vec<u32>,
    stream: TextStream<'a>,
    stops: &'a [String],
    text: String,
    /// Number of bytes that [`news`](Self::news) has returned.
    told: usize,
}

impl<'a> GrowingText<'a> {
    /// An empty text behind the tokens `lead` that ends at the first of the strings `stops`.
    pub fn new(tokenizer: &'a Tokenizer, lead: &[u32], stops: &'a [String]) -> Result<Self, DataError> {
        let (stream, text) = (tokenizer.stream(lead)?, String::new());
        Ok(Self { tokenizer, lead: lead.to_vec(), stream, stops, text, told: 0 })
    }

    /// Appends a token. Returns whether the text now contains a stop string; the text is then cut before it.
    pub fn push(&mut self, token: u32) -> Result<bool, DataError> {
        let Some(news) = self.stream.push(token)? else { return Ok(false) };
        let known = self.text.len();
        self.text += &news;
        // A stop string that ends in the new text starts at most its own length before it.
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

    /// Completes the text of `tokens`, all tokens of the row. Unless a stop string ended it, incomplete characters become
    /// U+FFFD, and the text is searched for stop strings that contain such characters.
    pub fn finish(&mut self, tokens: &[u32], finish: Finish) -> Result<(), DataError> {
        if finish != Finish::Stop {
            self.text = self.tokenizer.decode_behind(&self.lead, tokens)?;
            let end = self.stops.iter().filter_map(|stop| self.text.find(stop.as_str())).min();
            end.into_iter().for_each(|end| self.text.truncate(end));
        }
        Ok(())
    }

    /// The text not returned before, without an end that may be the start of a stop string. All of it once the row has
    /// ended.
    pub fn news(&mut self, finish: Option<Finish>) -> &str {
        let held = |stop: &String| {
            (1..stop.len()).rev().find(|&length| {
                stop.is_char_boundary(length) && self.text[self.told..].ends_with(&stop[..length])
            })
        };
        let held = match finish {
            Some(_) => 0,
            None => self.stops.iter().filter_map(held).max().unwrap_or(0),
        };
        let (from, to) = (floor_boundary(&self.text, self.told), self.text.len() - held);
        self.told = to;
        &self.text[from..to]
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// The largest character boundary of `text` up to `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of text, token by token, and the whole text.
    fn heard(text: &str, stops: &[&str]) -> (Vec<String>, String) {
        let tokenizer = Tokenizer::bytes(2).expect("a tokenizer of bytes");
        let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
        let mut growing = GrowingText::new(&tokenizer, &[], &stops).expect("an empty text");
        let tokens = tokenizer.encode_text(text).expect("tokens");
        let mut heard = Vec::new();
        let mut finish = None;
        for &token in &tokens {
            finish = growing.push(token).expect("decodes").then_some(Finish::Stop);
            heard.push(growing.news(finish).to_owned());
            if finish.is_some() {
                break;
            }
        }
        let finish = finish.unwrap_or(Finish::Eos);
        growing.finish(&tokens, finish).expect("decodes");
        heard.push(growing.news(Some(finish)).to_owned());
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
        // Text that may start a stop string is held back.
        assert_eq!(heard("a#b", &["##"]), (vec!["a".into(), "#b".into()], "a#b".into()));
        assert_eq!(heard("a#", &["##"]), (vec!["a".into(), "#".into()], "a#".into()));
        // The first stop string in the text counts; one may start within the text held back for another.
        assert_eq!(heard("xaaab", &["aab", "b"]), (vec!["x".into(), "a".into()], "xa".into()));
        assert_eq!(heard("x€y", &["€"]), (vec!["x".into()], "x".into()));
    }

    #[test]
    fn broken_bytes_show_at_the_end() {
        let tokenizer = Tokenizer::bytes(2).expect("a tokenizer of bytes");
        let whole = tokenizer.encode_text("a€").expect("tokens");
        let mut growing = GrowingText::new(&tokenizer, &[], &[]).expect("an empty text");
        for &token in &whole[..3] {
            assert!(!growing.push(token).expect("decodes"));
        }
        assert_eq!(growing.news(None), "a");
        growing.finish(&whole[..3], Finish::Length).expect("decodes");
        assert_eq!(growing.news(Some(Finish::Length)), "\u{fffd}");
    }
}
