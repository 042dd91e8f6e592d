//! How a question becomes the text of a prompt: a Jinja chat template, as Hugging Face tokenizers carry it.

use crate::error::{DataError, one_line};
use crate::record::{Message, Record};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use std::borrow::Cow;
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

/// Budget of one rendering: about this many template instructions, or 64 times as many bytes. A long real
/// template (Qwen3 with ten messages) uses a few thousand.
const FUEL: u64 = 1_000_000;

/// Special tokens that a template may name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TemplateTokens<'a> {
    /// `bos_token`.
    pub bos: Option<&'a str>,
    /// `eos_token`.
    pub eos: Option<&'a str>,
}

/// A compiled chat template.
///
/// Rendered as Hugging Face does: `trim_blocks`, `lstrip_blocks`, `add_generation_prompt = true`,
/// `raise_exception`, `break` and `continue`, Python's string methods. Absent, so that a template that needs
/// them fails rather than renders something else: `tojson`, `strftime_now`, `{% generation %}`.
pub struct Template {
    environment: Environment<'static>,
    source: String,
}

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
        let mut environment = environment().map_err(|error| syntax_error(&error))?;
        environment.add_template_owned(NAME, source.to_owned()).map_err(|error| syntax_error(&error))?;
        Ok(Self { environment, source: source.to_owned() })
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
        let turn = |turn: &Message| context! { role => &turn.role, content => &turn.content };
        let context = context! {
            messages => messages.iter().map(turn).collect::<Vec<_>>(),
            add_generation_prompt => true,
            // transformers passes these two as None when it has none, and templates ask `is none`.
            tools => Value::from(()),
            documents => Value::from(()),
            bos_token => tokens.bos.unwrap_or(""),
            eos_token => tokens.eos.unwrap_or(""),
        };
        let template = self.environment.get_template(NAME);
        template.and_then(|template| template.render(context)).map_err(|error| render_error(&error))
    }
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

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", raise_exception);
    environment.set_fuel(Some(FUEL));
    Ok(environment)
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

fn syntax_error(error: &Error) -> DataError {
    DataError::TemplateSyntax { reason: one_line(&error.to_string()) }
}

fn render_error(error: &Error) -> DataError {
    match error.kind() {
        ErrorKind::OutOfFuel => DataError::TemplateEndless { fuel: FUEL },
        _ => DataError::TemplateRender { reason: one_line(&error.to_string()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, content: &str) -> Message {
        Message { role: role.to_owned(), content: content.to_owned() }
    }

    fn render(source: &str, messages: &[Message]) -> Result<String, String> {
        let tokens = TemplateTokens { bos: Some("<s>"), eos: Some("</s>") };
        Template::new(source)
            .and_then(|template| template.render(messages, tokens))
            .map_err(|e| e.to_string())
    }

    /// The built-in template, through the engine rather than the shortcut.
    fn render_by_engine(source: &str, messages: &[Message]) -> Result<String, String> {
        render(&format!("{{# #}}{source}"), messages)
    }

    #[test]
    fn plain_is_the_question_itself() {
        let question = "  12+35=<think1> {{ x }}\r\n\n";
        let messages = [user_message(question)];
        assert_eq!(render(PLAIN, &messages).unwrap(), question);
        assert_eq!(render_by_engine(PLAIN, &messages).unwrap(), question);
        let chat = [message("system", "a"), message("user", "b")];
        assert_eq!(render(PLAIN, &chat).unwrap(), "ab");
        assert_eq!(render_by_engine(PLAIN, &chat).unwrap(), "ab");
        assert!(Template::plain().is_plain() && !Template::chatml().unwrap().is_plain());
    }

    #[test]
    fn chatml_by_hand() {
        let chat = [message("system", "Be brief.\n"), message("user", "1+1?")];
        let expected = "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(render(CHATML, &chat).unwrap(), expected);
    }

    #[test]
    fn records_become_messages() {
        let mut record: Record = serde_json::from_str(r#"{"id":"q","question":"1+1=","traces":[]}"#).unwrap();
        assert_eq!(*messages_of(&record), [message("user", "1+1=")]);
        record.question = None;
        record.messages = Some(vec![message("system", "s"), message("user", "u")]);
        assert_eq!(*messages_of(&record), [message("system", "s"), message("user", "u")]);
    }

    /// Each case was rendered with jinja2 3.1 under the settings of transformers 4.57.
    #[test]
    fn hugging_face_dialect() {
        let chat = [message("user", " a</think>\nb "), message("assistant", "c")];
        let cases = [
            ("{% if true %}\n  x\n  {% endif %}\ny", "  x\ny"),
            ("{{ bos_token }}{{ messages[0].role }}{{ eos_token }}", "<s>user</s>"),
            ("{{ messages[0]['content'].split('</think>')[-1].lstrip('\\n') }}|", "b |"),
            ("{{ messages[0].content.strip().startswith('a') }}", "True"),
            (
                "{% for m in messages %}{% if loop.last %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
                "user",
            ),
            (
                "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
                "2",
            ),
            ("{% if tools is none and not x is defined %}none{% endif %}", "none"),
            ("{{ messages[::-1][0].content }}{{ messages|length }}", "c2"),
            ("{{ messages[0].tool_calls }}.", "."),
            ("<b>&{{ '<&>' }}", "<b>&<&>"),
        ];
        for (source, expected) in cases {
            assert_eq!(render(source, &chat).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn errors_are_one_line() {
        let cases = [
            (
                "{% for %}",
                "chat template: syntax error: unexpected end of block, expected in (in chat_template:1); correct the template in tokenizer_config.json",
            ),
            (
                "{{ raise_exception('Roles must\nalternate') }}",
                "chat template: invalid operation: Roles must\\nalternate (in chat_template:1); change the messages or the template in tokenizer_config.json",
            ),
            (
                "a\n{{ strftime_now('%d') }}",
                "chat template: unknown function: strftime_now is unknown (in chat_template:2); change the messages or the template in tokenizer_config.json",
            ),
            (
                "{{ messages | tojson }}",
                "chat template: unknown filter: filter tojson is unknown (in chat_template:1); change the messages or the template in tokenizer_config.json",
            ),
            (
                "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
                "chat template: stopped after 1000000 units of work, it probably never ends; correct the template in tokenizer_config.json",
            ),
            (
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "chat template: invalid operation: recursion limit exceeded (in chat_template:1); change the messages or the template in tokenizer_config.json",
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(render(source, &[user_message("q")]).unwrap_err(), expected, "{source}");
        }
    }

    #[test]
    fn long_questions_stay_within_the_budget() {
        let long = "x".repeat(4 << 20);
        let rendered = render(CHATML, &[user_message(&long)]).unwrap();
        assert_eq!(
            rendered.len(),
            long.len() + "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n".len()
        );
    }
}
