//! Notes on texts of messages that a chat template leaves out or changes.

use crate::encode::Encoder;
use crate::note::{Note, Part, Remark, Text};
use crate::record::{Message, Record};
use crate::template::messages_of;
use std::collections::HashSet;

/// Start of a text that marks the place of a message's text in a rendering.
const MARK: &str = "ssft-text-";
/// Most searches in the whole prompt for contents of one record.
const MOST_SEARCHES: usize = 20;

impl Encoder {
    /// Notes on the prompts of records, in record order, computed lazily: texts that the chat template leaves out or changes,
    /// apart from white space at their ends.
    pub fn left_out<'a>(
        &'a self,
        records: impl Iterator<Item = &'a Record> + 'a,
    ) -> impl Iterator<Item = Note> + 'a {
        records.flat_map(|record| {
            let remarks = self.remarks(&messages_of(record)).into_iter();
            remarks.map(|(index, remark)| match record.messages {
                Some(_) => Note { id: record.id.clone(), part: Part::Message(index + 1), remark },
                None => Note { id: record.id.clone(), part: Part::Question, remark: of_question(remark) },
            })
        })
    }

    /// Remarks with the indices of their messages. A prompt that cannot be rendered has none: it is a problem.
    fn remarks(&self, messages: &[Message]) -> Vec<(usize, Remark)> {
        let Some(shown) = self.shown(messages) else { return Vec::new() };
        let mut remarks = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            for (text, words) in texts(message) {
                if !words.trim().is_empty() && !shown.contains(&(index, text)) {
                    remarks.push((index, Remark::LeftOut { text }));
                }
            }
        }
        let is_shown = |index: &usize| shown.contains(&(*index, Text::Content));
        let changed = self.changed(messages).into_iter().filter(is_shown);
        remarks.extend(changed.map(|index| (index, Remark::Changed { text: Text::Content })));
        remarks
    }

    /// The texts that the template writes: those whose marks are in a rendering of marks instead of texts.
    fn shown(&self, messages: &[Message]) -> Option<HashSet<(usize, Text)>> {
        let mark = |index: usize, text: Text| format!("{MARK}{index}-{}.", u8::from(text == Text::Reasoning));
        let marked = |(index, message): (usize, &Message)| Message {
            role: message.role.clone(),
            content: mark(index, Text::Content),
            reasoning_content: message.reasoning_content.as_ref().map(|_| mark(index, Text::Reasoning)),
        };
        let rendered = self.rendered(&messages.iter().enumerate().map(marked).collect::<Vec<_>>()).ok()?;
        let found = |behind: &str| {
            let (index, text) = behind.split_once('.')?.0.split_once('-')?;
            let text = if text == "0" { Text::Content } else { Text::Reasoning };
            Some((index.parse().ok()?, text))
        };
        Some(rendered.split(MARK).skip(1).filter_map(found).collect())
    }

    /// Indices of messages whose content is not in the prompt.
    fn changed(&self, messages: &[Message]) -> Vec<usize> {
        let Ok(rendered) = self.rendered(messages) else { return Vec::new() };
        let (mut changed, mut searches) = (Vec::new(), 0);
        // Most templates write messages in order, so that a search behind the last place is short.
        let mut behind = rendered.as_str();
        for (index, message) in messages.iter().enumerate() {
            let content = message.content.trim();
            if let Some((_, rest)) = behind.split_once(content) {
                behind = rest;
                continue;
            }
            searches += 1;
            if searches > MOST_SEARCHES {
                break;
            }
            if !rendered.contains(content) {
                changed.push(index);
            }
        }
        changed
    }
}

/// A remark on the message that a question is.
fn of_question(remark: Remark) -> Remark {
    match remark {
        Remark::LeftOut { .. } => Remark::LeftOut { text: Text::Question },
        Remark::Changed { .. } => Remark::Changed { text: Text::Question },
        other => other,
    }
}

/// The texts of a message.
fn texts(message: &Message) -> impl Iterator<Item = (Text, &str)> {
    let reasoning = message.reasoning_content.as_deref().map(|text| (Text::Reasoning, text));
    [(Text::Content, message.content.as_str())].into_iter().chain(reasoning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forks::ForkLead;
    use crate::template::{CHATML, PLAIN, Template};
    use crate::tokenizer::Tokenizer;

    /// The notes on a chat with a thought in each form, in the prompt of `template`.
    fn notes(template: &str) -> Vec<String> {
        let template = Template::new(template).unwrap();
        let encoder = Encoder::new(Tokenizer::bytes(2).unwrap(), template, &ForkLead::bare(), 64).unwrap();
        let line = r#"{"id":"q","messages":[
            {"role":"system","content":" s\n"},
            {"role":"user","content":"a"},
            {"role":"assistant","content":"<think>x</think> b","reasoning_content":"t"},
            {"role":"user","content":"d","reasoning_content":" "}],"traces":[{"text":"2"}]}"#;
        let records: [Record; 1] = [serde_json::from_str(line).unwrap()];
        encoder.left_out(records.iter()).map(|note| note.to_string()).collect()
    }

    #[test]
    fn questions_that_a_template_leaves_out() {
        let notes = |template: &str| {
            let template = Template::new(template).unwrap();
            let encoder =
                Encoder::new(Tokenizer::bytes(2).unwrap(), template, &ForkLead::bare(), 64).unwrap();
            let line = r#"{"id":"q","question":" what does </think> mean","traces":[{"text":"2"}]}"#;
            let records: [Record; 1] = [serde_json::from_str(line).unwrap()];
            encoder.left_out(records.iter()).map(|note| note.to_string()).collect::<Vec<_>>()
        };
        assert!(notes(CHATML).is_empty() && notes(PLAIN).is_empty());
        let changed =
            r#"question "q": "question" is not in the prompt as it is: the chat template changes it"#;
        assert_eq!(notes("{{ messages[0].content.split('</think>')[-1] }}"), [changed]);
        let nothing =
            r#"question "q": "question" is not part of the prompt: the chat template leaves it out"#;
        assert_eq!(notes("x"), [nothing]);
    }

    #[test]
    fn texts_that_a_template_leaves_out() {
        let reasoning = r#"question "q", message 3: "reasoning_content" is not part of the prompt: the chat template leaves it out"#;
        assert_eq!(notes(PLAIN), [reasoning]);
        assert_eq!(notes(CHATML), [reasoning]);
        let all = "{% for m in messages %}{{ m.reasoning_content }}{{ m.content | trim }}{% endfor %}";
        assert!(notes(all).is_empty(), "{:?}", notes(all));
        let stripped = "{% for m in messages %}{{ m.reasoning_content }}{{ m.content.split('</think>')[-1] }}{% endfor %}";
        let changed = r#"question "q", message 3: "content" is not in the prompt as it is: the chat template changes it"#;
        assert_eq!(notes(stripped), [changed]);
        let users = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}";
        let system = r#"question "q", message 1: "content" is not part of the prompt: the chat template leaves it out"#;
        let assistant = r#"question "q", message 3: "content" is not part of the prompt: the chat template leaves it out"#;
        assert_eq!(notes(users), [system, assistant, reasoning]);
        // A prompt that cannot be rendered is a problem.
        assert!(notes("{{ raise_exception('no') }}").is_empty());
    }
}
