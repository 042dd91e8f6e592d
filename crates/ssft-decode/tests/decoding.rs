//! Cached, forked, batched decoding gives the tokens of decoding each prompt alone without a cache.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use burn::tensor::{Device, Tensor};
use ssft_data::tokenizer::Tokenizer;
use ssft_decode::sample::{Sampling, choose, row_generator};
use ssft_decode::{Continuation, Finish, Piece, Question, RowStart, Settings, decode};
use ssft_kernels::adapters::adapters;
use ssft_model::packing::{PackedTrees, Tree};
use ssft_model::{Decoder, DecoderConfig, config::Preset};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

const FORKS: usize = 6;

fn tokenizer() -> Tokenizer {
    Tokenizer::bytes(FORKS).unwrap()
}

fn model(device: &Device) -> Decoder {
    let shape = DecoderConfig {
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 8,
        max_position_embeddings: 100,
        ..DecoderConfig::preset(Preset::Tiny, tokenizer().vocab_size())
    };
    Decoder::init(&shape, 11, device)
}

/// Three prompts of different lengths with all forks, one of them with repeated forks in another order; leads of one to
/// three tokens.
fn questions(seed: u64) -> Vec<Question> {
    let tokenizer = tokenizer();
    let prompts = ["abcdef", "g", "a much longer prompt than the others, of sixty bytes and more"];
    let row = |question: usize, fork: usize, sample: u32| {
        let mut lead = vec![tokenizer.forks()[fork]];
        lead.extend(tokenizer.encode_text(&"\n.\n"[..fork % 3]).unwrap());
        RowStart { lead, rng: row_generator(seed, question as u64, fork as u32, sample) }
    };
    let rows = |question: usize| match question {
        1 => [5, 0, 0, 3].into_iter().zip([0, 0, 1, 7]).map(|(fork, sample)| row(1, fork, sample)).collect(),
        _ => (0..FORKS).map(|fork| row(question, fork, 0)).collect(),
    };
    (prompts.iter().enumerate())
        .map(|(at, prompt)| Question { prompt: tokenizer.encode_text(prompt).unwrap(), rows: rows(at) })
        .collect()
}

/// Reference decoder without a cache: a forward pass over the whole row for every token.
fn without_cache(model: &Decoder, prompt: &[u32], start: &RowStart, settings: &Settings) -> Continuation {
    let mut row = [prompt, &start.lead].concat();
    let (begin, mut rng, mut logprob) = (row.len(), start.rng.clone(), 0.0);
    let room = settings.max_tokens.min(model.config().max_position_embeddings - begin);
    let tokenizer = tokenizer();
    loop {
        let said = &row[begin..];
        let text = tokenizer.decode(said).unwrap();
        let stop = settings.stop.iter().filter_map(|stop| text.find(stop)).min();
        let end = |finish, text: &str| Continuation {
            tokens: said.to_vec(),
            text: text.to_owned(),
            finish,
            logprob,
        };
        if let Some(stop) = stop {
            return end(Finish::Stop, &text[..stop]);
        }
        if said.len() == room {
            return end(Finish::Length, &text);
        }
        let hidden = model.forward(&PackedTrees::new(&[Tree { prompt: row.clone(), branches: vec![] }]));
        let logits: Tensor<2> = model.logits(hidden.narrow(0, row.len() - 1, 1));
        let logits = logits.into_data().try_to_vec::<f32>().unwrap();
        let seen: BTreeSet<u32> = row.iter().copied().collect();
        let choice = choose(&logits, &seen, &settings.sampling, &mut rng).unwrap();
        let logprob_then = logprob + choice.logprob;
        if settings.eos.contains(&choice.token) {
            return Continuation { logprob: logprob_then, ..end(Finish::Eos, &text) };
        }
        logprob = logprob_then;
        row.push(choice.token);
    }
}

fn decoded(model: &Decoder, questions: &[Question], settings: &Settings) -> Vec<Vec<Continuation>> {
    let listen = async |_: Piece<'_>| ControlFlow::Continue(());
    pollster::block_on(decode(model, &tokenizer(), questions, settings, listen)).unwrap()
}

fn greedy(max_tokens: usize) -> Settings {
    Settings { sampling: Sampling::GREEDY, eos: vec![], stop: vec![], max_tokens }
}

/// Checks that every row equals its reference; returns the finish of each row.
fn assert_equals_rows_alone(device: &Device, settings: &Settings, what: &str) -> Vec<Finish> {
    let (model, questions) = (model(device), questions(3));
    let ours = decoded(&model, &questions, settings);
    let mut finishes = Vec::new();
    for (at, question) in questions.iter().enumerate() {
        assert_eq!(ours[at].len(), question.rows.len());
        for (row, start) in question.rows.iter().enumerate() {
            let expected = without_cache(&model, &question.prompt, start, settings);
            let found = &ours[at][row];
            // Different summation order: the log-probabilities of 40 tokens differ by rounding.
            assert!(
                (found.logprob - expected.logprob).abs() < 1e-4,
                "{what}: {found:?} against {expected:?}"
            );
            let expected = Continuation { logprob: found.logprob, ..expected };
            assert_eq!(*found, expected, "{what}: question {at}, row {row}");
            finishes.push(found.finish);
        }
    }
    finishes
}

fn check_all(device: &Device, max_tokens: usize) {
    let endless = decoded(&model(device), &questions(3), &greedy(max_tokens));
    // A token that this model produces in the middle of a row.
    let eos = endless[0][0].tokens[max_tokens / 2];
    let ended =
        assert_equals_rows_alone(device, &Settings { eos: vec![eos], ..greedy(max_tokens) }, "greedy");
    assert!(ended.contains(&Finish::Eos) && ended.contains(&Finish::Length), "{ended:?}");
    let penalized = Sampling { repetition_penalty: 1.5, ..Sampling::GREEDY };
    assert_equals_rows_alone(device, &Settings { sampling: penalized, ..greedy(max_tokens) }, "penalty");
    let drawn = Settings { sampling: Sampling::PAPER, ..greedy(max_tokens) };
    let texts = decoded(&model(device), &questions(3), &drawn);
    let stop = texts[0][4].text.chars().nth(4).unwrap().to_string();
    let sampling = Sampling { top_k: 40, min_p: 0.01, ..Sampling::PAPER };
    let ended = assert_equals_rows_alone(device, &Settings { stop: vec![stop], ..drawn }, "drawn");
    assert!(ended.contains(&Finish::Stop), "{ended:?}");
    assert_equals_rows_alone(device, &Settings { sampling, ..greedy(max_tokens) }, "drawn from few");
}

#[test]
fn forks_of_a_batch_equal_rows_alone_on_the_cpu() {
    // Long enough for two reallocations of the cache, and for the longest prompt to reach the end of the context.
    check_all(&Device::flex(), 80);
}

#[test]
fn forks_of_a_batch_equal_rows_alone_on_the_adapter() {
    let adapters = pollster::block_on(adapters());
    let adapter = adapters.first().expect("no graphics adapter; `cargo xtask setup` installs a software one");
    check_all(&pollster::block_on(adapter.start()).unwrap(), 10);
}

#[test]
fn what_a_row_says_depends_on_nothing_beside_it() {
    let (model, drawn) = (model(&Device::flex()), Settings { sampling: Sampling::PAPER, ..greedy(30) });
    let questions = questions(3);
    let together = decoded(&model, &questions, &drawn);
    let texts =
        |answers: &[Continuation]| answers.iter().map(|answer| answer.text.clone()).collect::<Vec<_>>();
    for (question, together) in questions.iter().zip(&together) {
        let alone = decoded(&model, std::slice::from_ref(question), &drawn);
        assert_eq!(texts(&alone[0]), texts(together));
    }
    // Another sample of the same fork, and another seed, give other texts.
    assert_ne!(together[1][1].text, together[1][2].text);
    assert_ne!(texts(&decoded(&model, &self::questions(4), &drawn)[0]), texts(&together[0]));
}

#[test]
fn a_listener_hears_every_token_and_all_of_the_text_and_may_end_it() {
    let (model, questions) = (model(&Device::flex()), questions(3));
    let settings = Settings { sampling: Sampling::PAPER, ..greedy(25) };
    let mut heard = vec![vec![(Vec::new(), String::new(), None); FORKS]; questions.len()];
    let listen = async |piece: Piece<'_>| {
        let (tokens, text, finish) = &mut heard[piece.question][piece.row];
        assert_eq!(*finish, None, "a row speaks after its end");
        tokens.push(piece.token);
        text.push_str(piece.text);
        *finish = piece.finish;
        ControlFlow::Continue(())
    };
    let answers = pollster::block_on(decode(&model, &tokenizer(), &questions, &settings, listen)).unwrap();
    for (answers, heard) in answers.iter().zip(&heard) {
        for (answer, (tokens, text, finish)) in answers.iter().zip(heard) {
            assert_eq!((&answer.tokens, &answer.text, Some(answer.finish)), (tokens, text, *finish));
        }
    }
    let mut count = 0;
    let listen = async |_: Piece<'_>| {
        count += 1;
        if count == 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let answers = pollster::block_on(decode(&model, &tokenizer(), &questions, &settings, listen)).unwrap();
    // 16 rows have one token each, four of them a second one.
    let lengths: Vec<usize> = answers.iter().flatten().map(|answer| answer.tokens.len()).collect();
    assert_eq!((lengths.iter().sum::<usize>(), lengths.len()), (20, 16));
    assert!(answers.iter().flatten().all(|answer| answer.finish == Finish::Cancelled));
}

#[test]
fn no_room_and_nothing_to_say() {
    let model = model(&Device::flex());
    let row = |lead: usize| RowStart { lead: vec![1; lead], rng: row_generator(1, 0, 0, 0) };
    // A prompt of 97 in a context of 100: two tokens fit behind a lead of one, none behind a lead of three.
    let full = Question { prompt: vec![5; 97], rows: vec![row(3), row(1)] };
    let answers = decoded(&model, &[full, Question { prompt: vec![5], rows: vec![] }], &greedy(9));
    let lengths: Vec<Vec<_>> = (answers.iter())
        .map(|answers| answers.iter().map(|answer| (answer.tokens.len(), answer.finish)).collect())
        .collect();
    assert_eq!(lengths, [vec![(0, Finish::Length), (2, Finish::Length)], vec![]]);
    assert_eq!(decoded(&model, &[], &greedy(9)), Vec::<Vec<Continuation>>::new());
}
