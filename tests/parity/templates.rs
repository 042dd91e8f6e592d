//! Comparison of our renderings of published chat templates with those of transformers.

use crate::peer::{Peer, notice};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ssft_wgpu::data::record::Message;
use ssft_wgpu::data::template::{Date, Template, TemplateTokens, ThoughtForm, user_message};

/// Templates that every release of TRL has; a new one may have more.
const LEAST: [&str; 6] = ["llama3", "llama3_1", "llama3_2", "qwen2_5", "qwen3", "qwen3_instruct_2507"];

/// Special tokens with and without a beginning of sequence.
const TOKENS: [TemplateTokens<'static>; 2] = [
    TemplateTokens { bos: Some("<s>"), eos: Some("</s>"), pad: Some("<pad>"), unk: Some("<unk>") },
    TemplateTokens { bos: None, eos: Some("<|im_end|>"), pad: None, unk: None },
];

/// Templates with the text before a thought and between thought and answer, for those that write thoughts in a form that continues
/// the start of the assistant's message.
const THOUGHTS: [(&str, Option<[&str; 2]>); 5] = [
    ("llama3", None),
    ("qwen2_5", None),
    ("qwen3", Some(["<think>\n", "\n</think>\n\n"])),
    ("qwen3_5_think", Some(["", "\n</think>\n\n"])),
    ("qwen3_5_nothink", None),
];

/// Differences between our renderings and those of transformers.
pub fn compare_templates(peer: &mut Peer) -> Result<Vec<String>> {
    let (mut problems, mut texts) = (Vec::new(), 0);
    for tokens in TOKENS {
        let named = json!({"bos_token": tokens.bos, "eos_token": tokens.eos, "pad_token": tokens.pad, "unk_token": tokens.unk});
        let given: Value = named
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, name)| !name.is_null())
            .map(|(key, name)| (key.clone(), name.clone()))
            .collect();
        let reply = peer.ask(&json!({"templates": json!(chats()), "tokens": given}))?;
        let templates = reply["templates"].as_array().context("no templates")?;
        for name in LEAST {
            ensure!(templates.iter().any(|template| template["name"] == name), "trl has no template {name}");
        }
        for template in templates {
            let source = template["source"].as_str().context("no source")?;
            let ours = Template::new(source)?.on(Date::new(2024, 7, 6).context("a day")?);
            let known = THOUGHTS.iter().find(|(name, _)| template["name"] == *name);
            if let Some((name, texts)) = known {
                let form = ThoughtForm::of(&ours, tokens).map(|form| form.join("T", "A"));
                let expected = texts.map(|[before, between]| format!("{before}T{between}A"));
                ensure!(form == expected, "template {name}: thoughts as {form:?}, not {expected:?}");
            }
            for (chat, theirs) in chats().iter().zip(template["texts"].as_array().into_iter().flatten()) {
                texts += 1;
                let rendered = ours.render(chat, tokens).ok();
                if json!(rendered) != *theirs {
                    problems.push(format!(
                        "template {}: {chat:?}: ours {rendered:?}, theirs {theirs}",
                        template["name"]
                    ));
                }
            }
        }
    }
    notice(&format!("{texts} renderings of published chat templates compared"));
    Ok(problems)
}

/// Chats that lead to different branches of templates: with and without a system message, in and out of order, with thoughts, with
/// white space and braces, long, empty.
fn chats() -> Vec<Vec<Message>> {
    let chat = |turns: &[(&str, &str)]| {
        turns.iter().map(|&(role, content)| Message::new(role, content)).collect::<Vec<_>>()
    };
    let thought = |text: &str, content: &str| {
        let reasoning_content = Some(text.to_owned());
        Message { reasoning_content, ..Message::new("assistant", content) }
    };
    let (user, assistant, system) = ("user", "assistant", "system");
    let long: Vec<(&str, &str)> =
        (0..41).map(|turn| if turn % 2 == 0 { (user, "and?") } else { (assistant, "so") }).collect();
    vec![
        chat(&[(user, "1+1=?")]),
        chat(&[(system, "Be brief."), (user, "hi")]),
        chat(&[(system, "s"), (user, "a"), (assistant, "b"), (user, "c")]),
        chat(&[(user, "a"), (assistant, "b"), (user, "c"), (assistant, "d")]),
        chat(&[(user, "q"), (assistant, "<think>\nhm\n</think>\n\n42"), (user, "again")]),
        chat(&[(user, "q"), (assistant, "<think>x</think>y</think>z")]),
        chat(&[
            (system, "  sys \n"),
            (user, "\n\n  both ends \t\n\n"),
            (assistant, " \n a \n "),
            (user, "\r\n crlf \r\n"),
        ]),
        chat(&[
            (user, "größe 日本 🦀 \u{2028} \u{1c}\u{85}\u{a0}"),
            (assistant, "é\u{3000}"),
            (user, "\u{200b}z\u{ad}"),
        ]),
        chat(&[(user, "{{ x }} {% if %} {# c #} <&>\"'\\ %}"), (assistant, "{\"a\": [1, 2]}"), (user, "}}")]),
        chat(&[(user, "")]),
        chat(&[(system, ""), (user, ""), (assistant, ""), (user, "x")]),
        chat(&[(user, "a"), (system, "mid"), (user, "b")]),
        chat(&[(assistant, "hello"), (user, "a")]),
        chat(&[(user, "a"), (user, "b")]),
        chat(&[(user, "<tool_response>\nx\n</tool_response>")]),
        chat(&[(user, "<|im_end|><|eot_id|></s>"), (assistant, "/think"), (user, "/no_think")]),
        chat(&[(system, "only")]),
        vec![user_message("q"), thought("hm", "42")],
        vec![user_message("q"), thought(" \n hm\n\n", "\n42"), user_message("again")],
        vec![user_message("q"), thought("", "<think>x</think>y"), thought("z", ""), user_message("r")],
        chat(&long),
        chat(&[]),
    ]
}
