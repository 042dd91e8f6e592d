//! Notes on texts that do not come back from their tokens.

use crate::encode::Encoder;
use crate::error::DataError;
use crate::note::{Note, Part, Remark};
use crate::record::Record;
use crate::words::quote;

/// Number of characters of a text that a note shows.
const SHOWN_CHARS: usize = 12;

impl Encoder {
    /// Notes on texts of `records` that do not come back from their tokens: they have characters that the vocabulary does not
    /// have, or that the tokenizer replaces, or white space that it does not keep.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library reports an error.
    pub fn unwritten<'a>(
        &'a self,
        records: impl Iterator<Item = &'a Record> + 'a,
    ) -> impl Iterator<Item = Result<Note, DataError>> + 'a {
        let notes = |record: &'a Record| {
            let question = record.question.iter().map(|text| (Part::Question, text));
            let messages = record.messages.iter().flatten().enumerate();
            let messages = messages.map(|(index, message)| (Part::Message(index + 1), &message.content));
            let asked = question.chain(messages).map(|(part, text)| (part, self.loss_of_question(text)));
            let traces = record.traces.iter().enumerate();
            let traces =
                traces.map(|(index, trace)| (Part::Trace(index + 1), self.loss_of_trace(&trace.text)));
            let losses = asked.chain(traces);
            losses.filter_map(|(part, remark)| {
                let note = |remark| Note { id: record.id.clone(), part, remark };
                remark.transpose().map(|remark| remark.map(note))
            })
        };
        records.flat_map(notes)
    }

    /// The remark on a text that stands in the middle of a template: its ends may differ in white space.
    fn loss_of_question(&self, text: &str) -> Result<Option<Remark>, DataError> {
        let tokenizer = self.tokenizer();
        let back = tokenizer.decode(&tokenizer.encode_text(text)?)?;
        Ok(loss(text.trim(), back.trim()))
    }

    /// The remark on a trace. A trace that cannot be cut from the text before it is a problem, and has none.
    fn loss_of_trace(&self, text: &str) -> Result<Option<Remark>, DataError> {
        Ok(self.trace_back(text)?.and_then(|back| loss(text, &back)))
    }
}

/// The remark on the first difference between a text and what comes back.
fn loss(text: &str, back: &str) -> Option<Remark> {
    if text == back {
        return None;
    }
    let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<Vec<_>>();
    let (text, back) = (visible(text), visible(back));
    if text == back {
        return Some(Remark::Blanks);
    }
    let same = text.iter().zip(&back).take_while(|(a, b)| a == b).count();
    let shown = |text: &[char]| quote(&text[same..].iter().take(SHOWN_CHARS).collect::<String>());
    Some(Remark::Unwritten { text: shown(&text), back: shown(&back) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forks::ForkLead;
    use crate::template::Template;
    use crate::tokenizer::{Roles, Tokenizer};

    /// Notes on a record in the vocabulary `a`, `b`, `1`, blank, line end, and `unk` for everything else.
    fn notes(unk: Option<&str>) -> Vec<String> {
        let special = |(id, name): (usize, &str)| serde_json::json!({"id": id, "content": name, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
        let json = serde_json::json!({
            "added_tokens": [special((3, "</s>")), special((4, "<unk>"))],
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "1": 2, "</s>": 3, "<unk>": 4, " ": 5, "\n": 6}, "merges": [], "unk_token": unk},
            "decoder": {"type": "Fuse"},
        });
        let roles = Roles { eos: Some("</s>".to_owned()), ..Roles::default() };
        let tokenizer = Tokenizer::from_json(json.to_string().as_bytes(), roles).unwrap();
        let encoder = Encoder::new(tokenizer, Template::plain(), &ForkLead::bare(), 64).unwrap();
        let line =
            r#"{"id":"q","question":"a b\n1","traces":[{"text":"ab"},{"text":"a é🦀b"},{"text":"a\tb"}]}"#;
        let records: [Record; 1] = [serde_json::from_str(line).unwrap()];
        encoder.unwritten(records.iter()).map(|note| note.unwrap().to_string()).collect()
    }

    #[test]
    fn texts_that_lose_characters_are_told() {
        let lost = r#"question "q", trace 2: the tokenizer cannot write "é🦀b", which comes back as "b""#;
        let blanks = r#"question "q", trace 3: the tokenizer does not keep all white space of such texts"#;
        assert_eq!(notes(None), [lost, blanks]);
        assert_eq!(notes(Some("<unk>")), [lost, blanks]);
    }
}
