//! How a question becomes the text of a prompt: a Jinja chat template, as Hugging Face tokenizers carry it.

mod bind;
mod bounds;
mod date;
mod engine;
mod json;
mod methods;
mod source;

pub use date::Date;

use crate::error::DataError;
use crate::record::{Message, Record};
use crate::words::one_line;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use source::{Fault, prepare};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The template that concatenates the contents of the messages: a plain question is its own prompt.
pub const PLAIN: &str = "{% for message in messages %}{{ message['content'] }}{% endfor %}";

/// ChatML: `<|im_start|>role`, a line end, the content, `<|im_end|>`, a line end; then the opening of the answer.
pub const CHATML: &str = concat!(
    "{% for message in messages %}",
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}",
    "{% endfor %}",
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
);

/// Budget of one rendering in units of work: about one template instruction, or 64 bytes of text. A long real
/// template (Qwen3 with ten messages) uses a few thousand.
const FUEL: u64 = 200_000;
/// What each message adds.
const FUEL_PER_MESSAGE: u64 = 2_000;
/// One more unit for so many bytes of messages: a template may go over the text some thirty times.
const BYTES_PER_FUEL: usize = 2;

/// Special tokens that a template may name. One that is absent is undefined there, as in transformers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TemplateTokens<'a> {
    /// `bos_token`.
    pub bos: Option<&'a str>,
    /// `eos_token`.
    pub eos: Option<&'a str>,
    /// `pad_token`.
    pub pad: Option<&'a str>,
    /// `unk_token`.
    pub unk: Option<&'a str>,
}

impl<'a> TemplateTokens<'a> {
    fn named(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let names = ["bos_token", "eos_token", "pad_token", "unk_token"];
        let tokens = [self.bos, self.eos, self.pad, self.unk];
        names.into_iter().zip(tokens).filter_map(|(name, token)| Some((name, token?)))
    }
}

/// A compiled chat template.
///
/// Rendered as Hugging Face transformers does: `trim_blocks`, `lstrip_blocks`, `add_generation_prompt = true`,
/// `raise_exception`, `tojson`, `break` and `continue`, `{% generation %}`, Python's methods of strings and maps;
/// `strftime_now` once [`Template::on`] gives it a day. A template that asks for anything else fails rather than
/// renders something else, and one that never ends or grows without limit is stopped.
pub struct Template {
    environment: Environment<'static>,
    source: String,
}

/// What opens a turn in ChatML.
pub const CHATML_OPENING: &str = "<|im_start|>";

impl Template {
    /// The template [`PLAIN`].
    pub fn plain() -> Self {
        Self { environment: Environment::new(), source: PLAIN.to_owned() }
    }

    /// The template [`CHATML`].
    ///
    /// # Errors
    /// None in practice: the template is part of this crate and tested.
    pub fn chatml() -> Result<Self, DataError> {
        Self::new(CHATML)
    }

    /// Compiles `source`.
    ///
    /// # Errors
    /// [`DataError::TemplateSyntax`] with the line of the mistake.
    pub fn new(source: &str) -> Result<Self, DataError> {
        if source == PLAIN {
            return Ok(Self::plain());
        }
        let mut environment = engine::environment().map_err(|error| syntax_error(&error))?;
        for bounds in [false, true] {
            let prepared = prepare(source, bounds).map_err(|fault| source_error(&fault))?;
            environment.add_template_owned(NAME, prepared).map_err(|error| syntax_error(&error))?;
        }
        Ok(Self { environment, source: source.to_owned() })
    }

    /// The same template on a fixed day, which it may ask for with `strftime_now(format)`. Without a day that
    /// function does not exist, and templates that test for it write a day of their own.
    #[must_use]
    pub fn on(mut self, date: Date) -> Self {
        engine::set_date(&mut self.environment, date);
        self
    }

    /// The Jinja text, as it belongs into `tokenizer_config.json`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether this is [`PLAIN`]: its output is text of the user only and holds no markers to recognise.
    pub fn is_plain(&self) -> bool {
        self.source == PLAIN
    }

    /// Renders `messages` and the opening of the answer.
    ///
    /// # Errors
    /// [`DataError::TemplateRender`] if the template refuses the messages or asks for something that does not
    /// exist, [`DataError::TemplateEndless`] if it does not come to an end.
    pub fn render(&self, messages: &[Message], tokens: TemplateTokens<'_>) -> Result<String, DataError> {
        if self.is_plain() {
            return Ok(messages.iter().map(|message| message.content.as_str()).collect());
        }
        let fuel = fuel_for(messages);
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(fuel));
        let template = environment.get_template(NAME);
        template
            .and_then(|template| template.render(variables(messages, tokens)))
            .map_err(|error| render_error(&error, fuel))
    }
}

/// What transformers passes to a template.
fn variables(messages: &[Message], tokens: TemplateTokens<'_>) -> Value {
    let turn = |turn: &Message| context! { role => &turn.role, content => &turn.content };
    let mut variables = BTreeMap::from([
        ("messages", messages.iter().map(turn).collect::<Value>()),
        ("add_generation_prompt", Value::from(true)),
        // None where there are none, and templates ask `is none`.
        ("tools", Value::from(())),
        ("documents", Value::from(())),
    ]);
    variables.extend(tokens.named().map(|(name, token)| (name, Value::from(token))));
    Value::from(variables)
}

fn fuel_for(messages: &[Message]) -> u64 {
    let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
    FUEL + FUEL_PER_MESSAGE * messages.len() as u64 + (bytes / BYTES_PER_FUEL) as u64
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("source", &self.source).finish_non_exhaustive()
    }
}

/// The question of `record` as a chat: its messages as given, or its text as one message of the user.
pub fn messages_of(record: &Record) -> Cow<'_, [Message]> {
    match &record.messages {
        Some(messages) => Cow::Borrowed(messages),
        None => Cow::Owned(vec![user_message(record.question.as_deref().unwrap_or_default())]),
    }
}

/// One message of the user.
pub fn user_message(text: &str) -> Message {
    Message { role: "user".to_owned(), content: text.to_owned() }
}

/// The name under which the engine reports a mistake's line.
const NAME: &str = "chat_template";

fn syntax_error(error: &Error) -> DataError {
    DataError::TemplateSyntax { reason: one_line(&error.to_string()) }
}

fn source_error(fault: &Fault) -> DataError {
    DataError::TemplateSyntax { reason: format!("{} (in {NAME}:{})", fault.reason, fault.line) }
}

fn render_error(error: &Error, fuel: u64) -> DataError {
    match error.kind() {
        ErrorKind::OutOfFuel => DataError::TemplateEndless { fuel },
        _ => DataError::TemplateRender { reason: one_line(&quotable(&error.to_string())) },
    }
}

/// A template's own message may be of any length.
fn quotable(message: &str) -> Cow<'_, str> {
    match message.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}..", &message[..end])),
        None => Cow::Borrowed(message),
    }
}

/// Longest message of a template, in characters.
const MESSAGE_CHARS: usize = 500;

#[cfg(test)]
mod tests;
