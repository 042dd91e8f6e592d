//! Templates in jinja2's dialect, compared with the output of jinja2.

mod bombs;
mod dialect;
mod functions;

use super::*;

fn message(role: &str, content: &str) -> Message {
    Message::new(role, content)
}

fn render(source: &str, messages: &[Message]) -> Result<String, String> {
    let tokens = TemplateTokens { bos: Some("<s>"), eos: Some("</s>"), ..TemplateTokens::default() };
    Template::new(source).and_then(|template| template.render(messages, tokens)).map_err(|e| e.to_string())
}

/// The message of a render error on line 1.
fn render_message(reason: &str) -> String {
    format!("chat template: {reason} (in chat_template:1); change the messages, or the model's chat_template")
}

/// Renders a built-in template with the engine, without the shortcut for the plain one.
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
        ("{% for m in messages %}{% if loop.last %}{% break %}{% endif %}{{ m.role }}{% endfor %}", "user"),
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

/// Reasoning is a variable of a message only where it is present, as in transformers.
#[test]
fn reasoning_is_defined_only_if_present() {
    let source = "{% for m in messages %}{{ m.reasoning_content is defined }}{{ m.get('reasoning_content') }}{{ 'reasoning_content' in m }} {{ m | tojson }};{% endfor %}";
    let thought = Message { reasoning_content: Some("t".to_owned()), ..message("assistant", "c") };
    let expected = r#"FalseNoneFalse {"role": "user", "content": "q"};TruetTrue {"role": "assistant", "content": "c", "reasoning_content": "t"};"#;
    assert_eq!(render(source, &[message("user", "q"), thought]).as_deref(), Ok(expected));
}

#[test]
fn errors_are_one_line() {
    let cases = [
        (
            "{% for %}",
            "chat template: syntax error: unexpected end of block, expected in (in chat_template:1); correct the model's chat_template",
        ),
        (
            "{{ raise_exception('Roles must\nalternate') }}",
            "chat template: invalid operation: Roles must\\nalternate (in chat_template:1); change the messages, or the model's chat_template",
        ),
        (
            "a\n{{ strftime_now('%d') }}",
            "chat template: unknown function: strftime_now is unknown (in chat_template:2); change the messages, or the model's chat_template",
        ),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
            "chat template: stopped after 202000 units of work, it probably never ends; correct the model's chat_template",
        ),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "chat template: invalid operation: recursion limit exceeded (in chat_template:1); change the messages, or the model's chat_template",
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
    assert_eq!(rendered.len(), long.len() + "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n".len());
    let thought = Message { reasoning_content: Some(long.clone()), ..message("assistant", "") };
    assert_eq!(render("{{ messages[0].reasoning_content | trim }}", &[thought]), Ok(long));
}
