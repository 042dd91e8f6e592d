//! Chat templates: from the messages of a question to the text of a prompt.
//!
//! A chat template is a Jinja program in a model's tokenizer files, written for `jinja2` as transformers configures it.
//! `minijinja` runs it here; the files below supply the differences. Reading order:
//!
//! | file | subject |
//! |---|---|
//! | `mod.rs` | [`Template`]: compile, render, errors |
//! | `engine.rs` | `minijinja` environment with the filters, tests and functions of transformers |
//! | `filters.rs` | filters that the engine lacks (`truncate`, ..) |
//! | `sort.rs` | the filter `sort` |
//! | `arguments.rs` | arguments of filters, in order or by name |
//! | `helpers.rs` | the functions `cycler` and `joiner` |
//! | `methods.rs` | Python's methods of strings (`strip`, `split`, ..) and the filters `trim` and `indent` |
//! | `padding.rs` | methods that pad (`ljust`, `zfill`, ..) |
//! | `places.rs` | methods that search (`find`, `index`, ..) |
//! | `json.rs` | the filter `tojson`: the text of Python's `json.dumps` |
//! | `date.rs` | [`Date`] and the function `strftime_now` |
//! | `source.rs` | limits on the template's source, and its translation for `minijinja` |
//! | `bind.rs` | names that a statement binds, used by `source.rs` |
//! | `bounds.rs` | limits on the size of values at run time |
//! | `thoughts.rs` | [`ThoughtForm`]: how a template writes reasoning before an answer |
//!
//! Templates are untrusted input: every loop, value and message has a limit.

mod arguments;
mod bind;
mod bounds;
mod date;
mod engine;
mod filters;
mod helpers;
mod json;
mod methods;
mod padding;
mod places;
mod sort;
mod source;
mod thoughts;

pub use date::Date;
pub use thoughts::ThoughtForm;

use crate::error::DataError;
use crate::record::{Message, Record};
use crate::words::one_line;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use source::{Fault, Rewriting, prepare};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The plain template: the concatenated contents of the messages. A plain question is its own prompt.
pub const PLAIN: &str = "{% for message in messages %}{{ message['content'] }}{% endfor %}";

/// The ChatML template: `<|im_start|>role\ncontent<|im_end|>\n` for each message, then `<|im_start|>assistant\n`.
pub const CHATML: &str = concat!(
    "{% for message in messages %}",
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}",
    "{% endfor %}",
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
);

/// Base work budget of one rendering, in units of about one template instruction or 64 bytes of text. A long real
/// template (Qwen3 with ten messages) uses a few thousand units.
const FUEL: u64 = 200_000;
/// Additional budget per message, in units.
const FUEL_PER_MESSAGE: u64 = 2_000;
/// Bytes of message text per additional unit of budget; allows about thirty passes over the text.
const BYTES_PER_FUEL: usize = 2;

/// Special tokens that a template can refer to by name. An absent one is undefined, as in transformers.
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
    /// Variable names and values of the tokens that are present.
    fn named(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let names = ["bos_token", "eos_token", "pad_token", "unk_token"];
        let tokens = [self.bos, self.eos, self.pad, self.unk];
        names.into_iter().zip(tokens).filter_map(|(name, token)| Some((name, token?)))
    }
}

/// A compiled chat template.
///
/// Supported, as in transformers: `trim_blocks`, `lstrip_blocks`, `add_generation_prompt = true`, `raise_exception`,
/// `tojson`, `break` and `continue`, `{% generation %}`, Python's methods of strings and maps, and `strftime_now` after
/// [`Template::on`]. Unsupported constructs are errors. Work and memory of a rendering are bounded.
///
/// ```
/// use ssft_data::template::{Template, TemplateTokens, user_message};
///
/// let template = Template::chatml()?;
/// let prompt = template.render(&[user_message("1+1=")], TemplateTokens::default())?;
/// assert_eq!(prompt, "<|im_start|>user\n1+1=<|im_end|>\n<|im_start|>assistant\n");
/// # Ok::<(), ssft_data::error::DataError>(())
/// ```
pub struct Template {
    environment: Environment<'static>,
    source: String,
}

/// The marker that starts a message in ChatML.
pub const CHATML_OPENING: &str = "<|im_start|>";

impl Template {
    /// The template [`PLAIN`].
    pub fn plain() -> Self {
        Self { environment: Environment::new(), source: PLAIN.to_owned() }
    }

    /// The template [`CHATML`].
    ///
    /// # Errors
    /// None in practice: the template is a tested constant.
    pub fn chatml() -> Result<Self, DataError> {
        Self::new(CHATML)
    }

    /// Compiles `source`.
    ///
    /// # Errors
    /// [`DataError::TemplateSyntax`] with the line number of the fault.
    pub fn new(source: &str) -> Result<Self, DataError> {
        if source == PLAIN {
            return Ok(Self::plain());
        }
        let mut environment = engine::environment().map_err(|error| syntax_error(&error))?;
        // The first pass reports syntax errors in the author's text; the second one replaces it.
        for rewriting in [Rewriting::Dialect, Rewriting::DialectAndBounds] {
            let prepared = prepare(source, rewriting).map_err(|fault| source_error(&fault))?;
            environment.add_template_owned(NAME, prepared).map_err(|error| syntax_error(&error))?;
        }
        Ok(Self { environment, source: source.to_owned() })
    }

    /// The same template with the function `strftime_now(format)`, which formats `date`. Without it the function is
    /// undefined; templates that test for it then use a date of their own.
    #[must_use]
    pub fn on(mut self, date: Date) -> Self {
        engine::set_date(&mut self.environment, date);
        self
    }

    /// The Jinja source, for `tokenizer_config.json`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether this is [`PLAIN`], whose output is user text without markers.
    pub fn is_plain(&self) -> bool {
        self.source == PLAIN
    }

    /// Renders `messages`, followed by the start of the assistant's message.
    ///
    /// # Errors
    /// [`DataError::TemplateRender`] if the template rejects the messages or uses an unsupported construct;
    /// [`DataError::TemplateEndless`] if it exceeds its work budget.
    pub fn render(&self, messages: &[Message], tokens: TemplateTokens<'_>) -> Result<String, DataError> {
        self.render_to(messages, tokens, End::Generation)
    }

    fn render_to(
        &self,
        messages: &[Message],
        tokens: TemplateTokens<'_>,
        end: End,
    ) -> Result<String, DataError> {
        if self.is_plain() {
            return Ok(messages.iter().map(|message| message.content.as_str()).collect());
        }
        let fuel = fuel_for(messages);
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(fuel));
        let render = || environment.get_template(NAME)?.render(variables(messages, tokens, end));
        // The engine panics in a few cases, as of `loop.cycle()` without an argument.
        let rendered = catch_unwind(AssertUnwindSafe(render))
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::InvalidOperation, "the template engine failed")));
        rendered.map_err(|error| render_error(&error, fuel))
    }
}

/// End of a rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The start of the assistant's message.
    Generation,
    /// The last message.
    LastMessage,
}

/// The variables that transformers passes to a template.
fn variables(messages: &[Message], tokens: TemplateTokens<'_>, end: End) -> Value {
    let turn = |turn: &Message| match &turn.reasoning_content {
        // Defined only if present: templates test for `is defined`.
        Some(reasoning) => {
            context! { role => &turn.role, content => &turn.content, reasoning_content => reasoning }
        }
        None => context! { role => &turn.role, content => &turn.content },
    };
    let mut variables = BTreeMap::from([
        ("messages", messages.iter().map(turn).collect::<Value>()),
        ("add_generation_prompt", Value::from(end == End::Generation)),
        // `None` rather than undefined: templates test for `is none`.
        ("tools", Value::from(())),
        ("documents", Value::from(())),
    ]);
    variables.extend(tokens.named().map(|(name, token)| (name, Value::from(token))));
    Value::from(variables)
}

/// The work budget for rendering `messages`, in units.
fn fuel_for(messages: &[Message]) -> u64 {
    let texts =
        messages.iter().flat_map(|message| [Some(&message.content), message.reasoning_content.as_ref()]);
    let bytes: usize = texts.flatten().map(String::len).sum();
    FUEL + FUEL_PER_MESSAGE * messages.len() as u64 + (bytes / BYTES_PER_FUEL) as u64
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("source", &self.source).finish_non_exhaustive()
    }
}

/// The question of `record` as a chat: its messages, or its text as one user message.
pub fn messages_of(record: &Record) -> Cow<'_, [Message]> {
    match &record.messages {
        Some(messages) => Cow::Borrowed(messages),
        None => Cow::Owned(vec![user_message(record.question.as_deref().unwrap_or_default())]),
    }
}

/// A message with the role `user`.
pub fn user_message(text: &str) -> Message {
    Message::new("user", text)
}

/// The template's name in the engine's messages.
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

/// A message cut to [`MESSAGE_CHARS`], since a template's own message can have any length.
fn quotable(message: &str) -> Cow<'_, str> {
    match message.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}..", &message[..end])),
        None => Cow::Borrowed(message),
    }
}

/// Longest reported message, in characters.
const MESSAGE_CHARS: usize = 500;

#[cfg(test)]
mod tests;
