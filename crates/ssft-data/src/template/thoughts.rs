//! How a template writes reasoning before an answer.

use super::{End, Template, TemplateTokens, user_message};
use crate::record::Message;

/// Texts that mark the places of question, reasoning and answer in a rendering. Templates leave them unchanged: they are one
/// word without markup.
const QUESTION: &str = "ssft-question-text";
const THOUGHT: &str = "ssft-thought-text";
const ANSWER: &str = "ssft-answer-text";

/// Text around the reasoning of a reply. By default a blank line between reasoning and answer.
///
/// ```
/// use ssft_data::template::ThoughtForm;
///
/// assert_eq!(ThoughtForm::default().join("2+5=7", "47"), "2+5=7\n\n47");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThoughtForm {
    /// Text before the reasoning.
    before: String,
    /// Text between reasoning and answer.
    between: String,
}

impl Default for ThoughtForm {
    fn default() -> Self {
        Self { before: String::new(), between: "\n\n".to_owned() }
    }
}

impl ThoughtForm {
    /// The form in which `template` writes `reasoning_content`, as a continuation of the start of the assistant's message:
    /// `<think>\n`, reasoning, `\n</think>\n\n`, answer for Qwen3. `None` if the template has none: it cannot render such a reply,
    /// leaves reasoning out, or starts a reply with reasoning in another way.
    pub fn of(template: &Template, tokens: TemplateTokens<'_>) -> Option<Self> {
        let reasoning_content = Some(THOUGHT.to_owned());
        let chat =
            [user_message(QUESTION), Message { reasoning_content, ..Message::new("assistant", ANSWER) }];
        let start = template.render_to(&chat[..1], tokens, End::Generation).ok()?;
        let whole = template.render_to(&chat, tokens, End::LastMessage).ok()?;
        let (before, behind) = whole.strip_prefix(&start)?.split_once(THOUGHT)?;
        let (between, _) = behind.split_once(ANSWER)?;
        Some(Self { before: before.to_owned(), between: between.to_owned() })
    }

    /// A reply of `reasoning` and `answer`, each of which may be empty.
    pub fn join(&self, reasoning: &str, answer: &str) -> String {
        let Self { before, between } = self;
        match (reasoning, answer) {
            ("", answer) => answer.to_owned(),
            (reasoning, "") => format!("{before}{reasoning}{}", between.trim_end()),
            (reasoning, answer) => format!("{before}{reasoning}{between}{answer}"),
        }
    }

    /// The reply in which `..` takes the place of reasoning and answer, for a message: `"<think>\n..\n</think>\n\n.."`.
    pub fn sample(&self) -> String {
        format!("{:?}", self.join("..", ".."))
    }
}

#[cfg(test)]
mod tests {
    use super::super::CHATML;
    use super::*;

    /// The part of Qwen3's template about the assistant, as published, without tools.
    const QWEN3: &str = r"{%- set ns = namespace(last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if message.role == 'user' %}
        {%- set ns.last_query_index = index %}
        {%- break %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if (message.role == 'user') or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {{- '<|im_start|>' + message.role + '\n<think>\n' + reasoning_content.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}";

    /// The part of the template of DeepSeek-R1-Distill about users and the assistant, as published.
    const R1_DISTILL: &str = "{{bos_token}}{%- for message in messages %}{%- if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endfor -%}{% if add_generation_prompt %}{{'<｜Assistant｜><think>\\n'}}{% endif %}";

    fn joined(source: &str) -> Option<String> {
        let tokens = TemplateTokens { bos: Some("<s>"), ..TemplateTokens::default() };
        let form = ThoughtForm::of(&Template::new(source).unwrap(), tokens);
        form.map(|form| form.join("T", "A"))
    }

    #[test]
    fn forms_of_published_templates() {
        assert_eq!(joined(QWEN3).as_deref(), Some("<think>\nT\n</think>\n\nA"));
        // The start of the assistant's message opens the thought, as in Qwen3.5 and QwQ.
        let opened =
            QWEN3.replace("'<|im_start|>assistant\\n' }}", "'<|im_start|>assistant\\n<think>\\n' }}");
        assert_eq!(joined(&opened).as_deref(), Some("T\n</think>\n\nA"));
        // The start closes an empty thought, so that a thought does not continue it.
        let closed = QWEN3.replace(
            "'<|im_start|>assistant\\n' }}",
            "'<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' }}",
        );
        for source in [closed.as_str(), R1_DISTILL, CHATML, super::super::PLAIN] {
            assert_eq!(joined(source), None, "{source}");
        }
    }

    #[test]
    fn an_answer_before_its_thought_is_no_form() {
        let swapped = "{% for m in messages %}{{ m.content }}{{ m.reasoning_content }};{% endfor %}";
        assert_eq!(joined(swapped), None);
        assert_eq!(joined("{{ raise_exception('no') if messages | length > 1 }}"), None);
    }

    #[test]
    fn parts_that_are_empty() {
        let form = ThoughtForm { before: "<t>\n".to_owned(), between: "\n</t>\n\n".to_owned() };
        assert_eq!(form.join("", "A"), "A");
        assert_eq!(form.join("T", ""), "<t>\nT\n</t>");
        assert_eq!(ThoughtForm::default().join("T", ""), "T");
        assert_eq!(form.sample(), r#""<t>\n..\n</t>\n\n..""#);
    }
}
