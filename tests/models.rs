//! Tests of pretrained models: loading, added forking tokens, training, the written model, error messages.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::{Home, IN_PARTS, WITH_FORKS, assert_model_is_whole, fixture, names, read_json, tiny, train};
use serde_json::{Value, json};
use std::fs;

/// Writes chats and plain questions with two traces each and an answer.
fn data(home: &Home) {
    let question = |n: usize| {
        let traces =
            [("up", format!("{n}+1={0} #### {0}", n + 1)), ("down", format!("1+{n} is #### {}", n + 1))];
        let traces = traces.map(|(source, text)| json!({"source": source, "text": text}));
        let mut record = json!({"id": format!("q{n}"), "traces": traces, "answer": (n + 1).to_string()});
        match n % 2 {
            0 => record["question"] = json!(format!("{n}+1=")),
            _ => record["messages"] = json!([{"role": "user", "content": format!("What is {n}+1?")}]),
        }
        record.to_string()
    };
    home.write("data.jsonl", (1..=30).map(question).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_model_without_forks_gets_some_and_works_in_all_commands() {
    let home = Home::new();
    fixture(&home, IN_PARTS);
    data(&home);
    let done = home.run(&train("--steps 4 --lr 0.001 --forks 3 --out run")).succeeded();
    let says = "forks    3 new tokens, each starting near <s>; the vocabulary grows from 320 to 384 rows";
    assert!(done.stderr.contains(says), "{done:#?}");
    let config = read_json(&home.path("run/model/config.json"));
    assert_eq!(config["vocab_size"], 384);
    // Keys of config.json are kept, also those that this program does not read.
    let original = read_json(&home.path("model/config.json"));
    for key in [
        "rope_parameters",
        "initializer_range",
        "pretraining_tp",
        "transformers_version",
        "dtype",
        "mlp_bias",
    ] {
        assert!(!original[key].is_null() && original[key] == config[key], "{key}");
    }
    assert_eq!(names(&home.path("run/model")).len(), 8, "one file of weights, and the template's own file");
    let asked = home.run("generate --model run --prompt 3+1= --max-tokens 8 --device cpu --json").succeeded();
    assert_eq!(asked.json()["forks"].as_array().unwrap().len(), 3);
    home.run("eval --model run --samples 0 --max-tokens 8 --device cpu").succeeded();
    // `--model` accepts a run too.
    home.run("train --model run --data data.jsonl --device cpu --steps 1 --eval-questions 0 --out on")
        .succeeded();
    assert_eq!(read_json(&home.path("on/model/forks.json"))["forks"].as_array().unwrap().len(), 3);
    let shown =
        home.run("inspect --model model --data data.jsonl --id q3 --forks 3 --device cpu").succeeded();
    for line in ["  <s>[INST] What is 3+1? [/INST]\n", "<s>▁[INST] What is 3+1? [/INST]<think", "[</s>]\n"]
    {
        assert!(shown.stdout.contains(line), "{line}: {}", shown.stdout);
    }
}

#[test]
fn forks_of_a_model_are_used_and_more_can_be_added() {
    let home = Home::new();
    fixture(&home, WITH_FORKS);
    data(&home);
    home.run(&train("--steps 1 --eval-questions 0 --out run")).succeeded();
    assert_eq!(read_json(&home.path("run/model/forks.json"))["forks"].as_array().unwrap().len(), 2);
    let more = home
        .run(&train("--steps 1 --eval-questions 0 --forks 4 --fork-init <|im_end|> --out more"))
        .succeeded();
    let says = "forks    2 new tokens, each starting near <|im_end|>; in spare rows of the 304 there are";
    assert!(more.stderr.contains(says), "{more:#?}");
    let long = home.run(&train("--steps 1 --context 999 --out none"));
    assert!(long.refusal().contains("--context is 999, but model has room for 256 tokens"), "{long:#?}");
    let unknown = home.run(&train("--steps 1 --forks 4 --fork-init <|no|> --out none"));
    for (arguments, says) in [
        (
            train("--fork-init <|im_end|> --out none"),
            "model: the model has its 2 forking tokens already; leave out --fork-init, or ask for more --forks",
        ),
        ("train --fork-init <|im_end|> --out none".into(), "--fork-init is for a --model; leave it out"),
        ("data check data.jsonl --forks 0".into(), "--forks is 0; give 1 to 256"),
        ("data check data.jsonl --forks 999".into(), "--forks is 999; give 1 to 256"),
        (
            "data check data.jsonl --model model --forks 1".into(),
            "model: the model has 2 forking tokens, more than the 1 of --forks; leave out --forks to use them all",
        ),
        (
            "inspect --model model --fork-init <|im_end|> --device cpu".into(),
            "model: the model has its 2 forking tokens already; leave out --fork-init, or ask for more --forks",
        ),
    ] {
        assert_eq!(home.run(&arguments).refusal(), says);
    }
    assert!(unknown.refusal().starts_with("model: the model has no token \"<|no|>\" for "), "{unknown:#?}");
    // Default after ChatML: the paper's form. Then the other forms.
    let prompt = |flags: &str| {
        let shown =
            home.run(&format!("inspect --model model --data data.jsonl --id q2 --device cpu --json {flags}"));
        shown.succeeded().json()["prompt"].as_str().unwrap().to_owned()
    };
    let chat = "<|im_start|>user\n2+1=<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(prompt(""), format!("{chat}<|im_start|>"));
    assert_eq!(prompt("--fork-lead bare"), chat);
    assert_eq!(prompt("--template plain"), "2+1=");
}

#[test]
fn the_model_is_stored_in_its_own_type_unless_another_is_given() {
    let home = Home::new();
    fixture(&home, WITH_FORKS);
    data(&home);
    for (flags, dtype, bytes) in [
        ("--out same", "bfloat16", 2),
        ("--out wide --dtype f32", "float32", 4),
        ("--out half --dtype f16", "float16", 2),
    ] {
        home.run(&train(&format!("--steps 1 --eval-questions 0 {flags}"))).succeeded();
        let run = flags.split(' ').nth(1).unwrap();
        let model = home.path(run).join("model");
        assert_eq!(read_json(&model.join("config.json"))["dtype"], dtype);
        // About 11,000 numbers, and the header.
        let length = fs::metadata(model.join("model.safetensors")).unwrap().len();
        assert!((bytes * 10_000..bytes * 13_000).contains(&length), "{run}: {length}");
        let kept = fs::read_to_string(home.path(run).join("config.toml")).unwrap();
        assert!(!kept.contains("dtype = \"auto\""), "a resumed run reads it: {kept}");
    }
}

/// Held-out questions are drawn from the run's data. After a change of the data, others would be drawn, which the run may have been
/// trained on.
#[test]
fn an_evaluation_refuses_data_that_changed() {
    let home = Home::new();
    fixture(&home, WITH_FORKS);
    data(&home);
    home.run(&train("--steps 1 --out run")).succeeded();
    let eval = "eval --model run --samples 0 --max-tokens 4 --device cpu";
    home.run(eval).succeeded();
    let text = fs::read_to_string(home.path("data.jsonl")).unwrap();
    let (first, others) = text.split_once('\n').unwrap();
    home.write("data.jsonl", format!("{others}\n{first}\n"));
    let moved = home.run(eval);
    let says = "the data has changed since the run was started, and with it the questions that it was not trained on; restore it, or give --data or another --task";
    assert_eq!(moved.refusal(), says);
    home.run(&format!("{eval} --data data.jsonl")).succeeded();
    fs::remove_dir_all(home.path("run/checkpoints")).unwrap();
    let unknown = home.run(eval).succeeded();
    let says = "the run has no checkpoint; whether its data has changed cannot be checked\n";
    assert!(unknown.stderr.contains(says), "{unknown:#?}");
}

/// A model with forks but without a template or a run: chats are rendered as ChatML in `eval` and `inspect`, as in `train`. Forty
/// turns with their roles are then too long.
#[test]
fn eval_renders_chats_as_train_does() {
    let home = Home::new();
    fixture(&home, WITH_FORKS);
    fs::remove_file(home.path("model/chat_template.jinja")).unwrap();
    let turns = vec![json!({"role": "user", "content": "1"}); 40];
    let traces = json!([{"source": "a", "text": "2"}]);
    home.write(
        "chat.jsonl",
        json!({"id": "c", "messages": turns, "traces": traces, "answer": "2"}).to_string(),
    );
    for command in ["eval --samples 0 --max-tokens 4", "inspect", "train --steps 1 --out run"] {
        let asked = home.run(&format!("{command} --model model --data chat.jsonl --device cpu"));
        assert!(asked.refusal().contains("leave no room in a context of 256"), "{asked:#?}");
    }
}

/// The trained weights are in the checkpoint, from which the model can be stored in another type.
#[test]
fn a_number_too_large_for_f16_loses_no_run() {
    let home = Home::new();
    let run = "--steps 2 --warmup-steps 0 --eval-questions 0 --lr 50000 --dtype f16 --out run";
    let done = home.run(&tiny(run));
    assert_eq!(done.code, Some(1), "{done:#?}");
    let says = "too large for float16; nothing was saved; store the model with: ssft-wgpu train --out run --resume --dtype f32; the last checkpoint is intact: run/checkpoints/step-2";
    assert!(done.stderr.contains(says), "{done:#?}");
    home.run("train --out run --resume --dtype f32").succeeded();
    assert_model_is_whole(&home.path("run/model"));
}

/// Checkpoints are f32, whatever the type of the model. In bf16, every resumption would round the weights.
#[test]
fn a_killed_run_on_a_bf16_model_resumes_bit_for_bit() {
    let home = Home::new();
    fixture(&home, WITH_FORKS);
    data(&home);
    let flags = "--steps 30 --lr 0.01 --eval-questions 0 --save-every 1 --quiet";
    home.run(&train(&format!("{flags} --out whole"))).succeeded();
    let mut running = home.start(&train(&format!("{flags} --out run")));
    common::wait_until("it has saved a few steps", || {
        home.path("run/checkpoints/step-4").exists() || !running.is_running()
    });
    assert!(running.is_running(), "the run ended before it was killed");
    running.signal("KILL");
    running.wait();
    // The original model is not needed to resume.
    fs::remove_dir_all(home.path("model")).unwrap();
    home.run("train --resume --quiet --out run").succeeded();
    assert_eq!(home.losses("run"), home.losses("whole"));
    assert_eq!(home.losses("run").len(), 30);
    assert!(home.weights("run") == home.weights("whole"), "different weights");
}

/// Added forks are in the checkpoint. Adding them again would draw other rows.
#[test]
fn a_run_that_added_forks_resumes_with_them() {
    let home = Home::new();
    fixture(&home, IN_PARTS);
    data(&home);
    let flags = "--lr 0.01 --eval-questions 0 --schedule constant --quiet --forks 3";
    home.run(&train(&format!("{flags} --steps 6 --out whole"))).succeeded();
    home.run(&train(&format!("{flags} --steps 3 --out run"))).succeeded();
    home.run("train --resume --quiet --steps 6 --out run").succeeded();
    assert_eq!(home.losses("run"), home.losses("whole"));
    assert!(home.weights("run") == home.weights("whole"), "different weights");
}

/// A template with a date shows the day of the run, also when the run is resumed or evaluated later.
#[test]
fn a_template_shows_the_day_of_the_run() {
    let home = Home::new();
    fixture(&home, IN_PARTS);
    data(&home);
    home.write("model/chat_template.jinja", "{{ strftime_now('%d %b %Y') }}: {{ messages[0].content }} ");
    home.run(&train("--steps 1 --eval-questions 0 --forks 2 --date 2024-07-06 --out run")).succeeded();
    let kept = fs::read_to_string(home.path("run/config.toml")).unwrap();
    assert!(kept.contains("date = \"2024-07-06\""), "{kept}");
    home.run("train --resume --steps 2 --quiet --out run").succeeded();
    let tokens = |flags: &str| {
        let done =
            home.run(&format!("generate --model {flags} --prompt 1+1= --max-tokens 1 --device cpu --json"));
        done.succeeded().json()["prompt_tokens"].clone()
    };
    fs::rename(home.path("run/model"), home.path("alone")).unwrap();
    let today = tokens("alone");
    fs::rename(home.path("alone"), home.path("run/model")).unwrap();
    assert_ne!(tokens("run"), today, "a model without a run shows today");
    let bad = home.run(&train("--steps 1 --date July --out bad"));
    assert!(bad.refusal().starts_with("--date is \"July\"; give a day like 2026-03-31"), "{bad:#?}");
}

#[test]
fn a_damaged_model_is_refused_and_nothing_is_written() {
    let home = Home::new();
    data(&home);
    let part = "model-00002-of-00007.safetensors";
    let index = "model.safetensors.index.json";
    let claim = br#"{"a":{"dtype":"F32","shape":[2500000000],"data_offsets":[0,10000000000]}}"#;
    let huge = [&(claim.len() as u64).to_le_bytes()[..], claim].concat();
    let traversal = json!({"weight_map": {"model.norm.weight": "../../outside.safetensors"}}).to_string();
    let set = |home: &Home, file: &str, key: &str, value: Value| {
        let name = format!("model/{file}");
        let mut content = read_json(&home.path(&name));
        content[key] = value;
        home.write(&name, content.to_string());
    };
    let config = |home: &Home, key: &str, value: Value| set(home, "config.json", key, value);
    let without_template = |home: &Home| {
        fs::remove_file(home.path("model/chat_template.jinja")).unwrap();
        set(home, "tokenizer_config.json", "chat_template", Value::Null);
    };
    type Damage<'a> = Box<dyn Fn(&Home) + 'a>;
    let write = |name: &'static str, bytes: Vec<u8>| -> Damage<'_> {
        Box::new(move |home: &Home| home.write(&format!("model/{name}"), &bytes))
    };
    let cases: Vec<(Damage<'_>, &str)> = vec![
        (Box::new(|home: &Home| {
            let path = home.path("model").join(part);
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }), "model: model-00002-of-00007.safetensors: is damaged or no safetensors file ("),
        (write(part, [&u64::MAX.to_le_bytes()[..], b"{}"].concat()), "is damaged or no safetensors file ("),
        (write(part, huge), "is damaged or no safetensors file ("),
        (Box::new(|home: &Home| {
            let path = home.path("model").join(part);
            let mut bytes = fs::read(&path).unwrap();
            let last = bytes.len() - 4;
            bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
            fs::write(path, bytes).unwrap();
        }), "weight holds a number that is not finite; fetch the model again"),
        (Box::new(|home: &Home| fs::remove_file(home.path("model").join(part)).unwrap()), "model: model-00002-of-00007.safetensors: is not there"),
        (Box::new(|home: &Home| {
            let weights = names(&home.path("model")).into_iter().filter(|name| name.contains(".safetensors"));
            weights.for_each(|name| fs::remove_file(home.path("model").join(name)).unwrap());
            home.write("model/pytorch_model.bin", "");
        }), "model: the weights are pytorch_model.bin, not .safetensors; let transformers write them: AutoModelForCausalLM.from_pretrained(\"model\").save_pretrained(\"model\")"),
        (Box::new(|home: &Home| {
            fs::create_dir_all(home.path("model/snapshots/5e1f")).unwrap();
            fs::rename(home.path("model/config.json"), home.path("model/snapshots/5e1f/config.json")).unwrap();
        }), "model: there is no config.json; it is in model/snapshots/5e1f, give that directory"),
        (write(index, traversal.into_bytes()), "model: model.safetensors.index.json: \"../../outside.safetensors\" is no name of a file beside it"),
        (Box::new(|home: &Home| config(home, "hidden_size", json!(32))), "the weights do not fit config.json: model.embed_tokens.weight has shape [320, 16], expected [320, 32]; "),
        (Box::new(|home: &Home| config(home, "attention_bias", json!(1))), "config.json: \"attention_bias\" is 1, not true or false"),
        (Box::new(|home: &Home| config(home, "hidden_act", json!(["silu"]))), "config.json: \"hidden_act\" is [\"silu\"], not a string"),
        (Box::new(|home: &Home| config(home, "num_hidden_layers", json!(3_000_000_000u32))), "3000000000 layers cannot be in 27 tensors"),
        (Box::new(|home: &Home| config(home, "vocab_size", json!(300))), "tokenizer.json has 320 tokens, but the model only 300"),
        (Box::new(|home: &Home| config(home, "rope_parameters", json!({"rope_type": "longrope"}))), "rope_parameters of type \"longrope\" is not supported"),
        (write("chat_template.jinja", b"{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}".to_vec()), "it probably never ends"),
        (write("chat_template.jinja", b"{% for %}".to_vec()), "model: chat template: syntax error"),
        (Box::new(without_template), "model: the model has no chat template, but there are chats (\"messages\"); --template plain joins their messages without roles"),
        (Box::new(|home: &Home| {
            without_template(home);
            let named = json!([{"name": "tool_use", "template": "a"}, {"name": "rag", "template": "b"}]);
            set(home, "tokenizer_config.json", "chat_template", named);
        }), "model: tokenizer_config.json: of the chat templates (tool_use, rag) none is a text called default; rename the one to train with to default"),
        (write("tokenizer.json", b"[]".to_vec()), "model: tokenizer.json: not a JSON object"),
        (write("generation_config.json", b"[]".to_vec()), "model/generation_config.json: not a JSON object; fetch or write the model again"),
        (Box::new(|home: &Home| set(home, "tokenizer_config.json", "pad_token", json!("[PAD]"))), "model: the token \"[PAD]\" is not in tokenizer.json, so that a forking token would get its number"),
        (Box::new(|home: &Home| {
            config(home, "num_attention_heads", json!(32));
            config(home, "num_key_value_heads", json!(32));
            config(home, "head_dim", Value::Null);
        }), "head_dim is 0 or odd"),
        (write("forks.json", br#"{"forks":[{"index":1,"token":"<think1>","id":9}],"chosen_fork":null}"#.to_vec()), "model: forks.json names other forking tokens than tokenizer.json"),
    ];
    // A broken template is no error with `--template plain`.
    fixture(&home, IN_PARTS);
    home.write("model/chat_template.jinja", "{% for %}");
    home.run(&train("--steps 1 --eval-questions 0 --template plain --out plain")).succeeded();
    fs::remove_dir_all(home.path("model")).unwrap();
    for (damage, says) in cases {
        fixture(&home, IN_PARTS);
        damage(&home);
        let done = home.run(&train("--steps 1 --out run"));
        assert!(done.refusal().contains(says), "{says}: {done:#?}");
        assert!(!home.path("run").exists(), "{says}");
        fs::remove_dir_all(home.path("model")).unwrap();
    }
}

/// As `generate` of transformers does with a list in `eos_token_id`.
#[test]
fn every_end_that_the_files_name_ends_an_answer() {
    let home = Home::new();
    fixture(&home, WITH_FORKS);
    let ask =
        || home.run("generate --model model --prompt 12+35= --max-tokens 12 --device cpu --json").succeeded();
    let endless: Vec<u64> = serde_json::from_value(ask().json()["forks"][0]["tokens"].clone()).unwrap();
    let first = |token: u64| endless.iter().position(|&other| other == token).unwrap();
    let end = *endless.iter().max_by_key(|&&token| first(token)).unwrap();
    for name in ["generation_config.json", "config.json"] {
        let original = fs::read(home.path("model").join(name)).unwrap();
        let mut settings = read_json(&home.path("model").join(name));
        settings["eos_token_id"] = json!([end, settings["eos_token_id"]]);
        home.write(&format!("model/{name}"), settings.to_string());
        let answer = ask().json()["forks"][0].clone();
        assert_eq!(
            (&answer["finish"], &answer["tokens"]),
            (&json!("eos"), &json!(endless[..first(end)])),
            "{name}"
        );
        home.write(&format!("model/{name}"), original);
    }
}

/// Values that this program does not read keep their spelling, also those that only Python reads.
#[test]
fn numbers_that_are_only_copied_keep_their_spelling() {
    let home = Home::new();
    fixture(&home, IN_PARTS);
    data(&home);
    let odd = r#"{"x": 5.20, "y": {"z": [-0, 0.1000000000000000055]}, "big": 1267650600228229401496703205376, "n": NaN, "i": -Infinity,"#;
    for name in ["config.json", "generation_config.json", "tokenizer_config.json"] {
        let text = fs::read_to_string(home.path("model").join(name)).unwrap();
        let text = text.replacen('{', odd, 1);
        home.write(
            &format!("model/{name}"),
            text.replace(
                "\"model_max_length\": 256",
                "\"model_max_length\": 1000000000000000019884624838656",
            ),
        );
    }
    home.run(&train("--steps 1 --eval-questions 0 --forks 2 --out run")).succeeded();
    home.run("train --model run --data data.jsonl --device cpu --steps 1 --eval-questions 0 --out on")
        .succeeded();
    for name in ["config.json", "generation_config.json", "tokenizer_config.json"] {
        let text = fs::read_to_string(home.path("on/model").join(name)).unwrap();
        for kept in [
            "\"x\": 5.20,",
            "[-0, 0.1000000000000000055]",
            "\"big\": 1267650600228229401496703205376,",
            "\"n\": NaN,",
            "\"i\": -Infinity,",
        ] {
            assert!(text.contains(kept), "{name}: {kept}: {text}");
        }
    }
    let config = fs::read_to_string(home.path("on/model/config.json")).unwrap();
    home.write(
        "model/config.json",
        config.replacen("\"rms_norm_eps\": ", "\"rms_norm_eps\": NaN, \"was\": ", 1),
    );
    let refused = home.run("inspect --model model --device cpu");
    assert_eq!(
        refused.refusal(),
        "model: config.json: \"rms_norm_eps\" is NaN, not a number; write the value that is meant"
    );
}
