//! Forked decoding: the prompt is prefilled once, and every fork continues from the same cache.

use crate::sample::{Choice, Sampling, choose};
use crate::text::GrowingText;
use burn::tensor::{Tensor, activation::log_softmax};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use ssft_data::error::DataError;
use ssft_data::tokenizer::Tokenizer;
use ssft_model::Decoder;
use ssft_model::cache::{Growth, TreeCache};
use ssft_model::packing::{PackedTrees, Tree};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use thiserror::Error;

/// Why decoding stops.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// A readback failed: the device is lost or out of memory.
    #[error("decoding: the device stopped answering: {what}")]
    Device {
        /// The device's own words.
        what: String,
    },
    /// The model's output is not a number.
    #[error("decoding: the model's probabilities are not numbers; its weights are damaged")]
    NotFinite,
    /// The tokenizer failed.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// A prompt, and the rows that are to continue it.
#[derive(Debug, Clone)]
pub struct Question {
    /// Token ids, at least one.
    pub prompt: Vec<u32>,
    /// One continuation each.
    pub rows: Vec<RowStart>,
}

/// How a row begins.
#[derive(Debug, Clone)]
pub struct RowStart {
    /// What stands between prompt and text: a forking token, and what follows it by rule. At least one token.
    pub lead: Vec<u32>,
    /// Its random numbers; see [`crate::sample::row_generator`].
    pub rng: ChaCha8Rng,
}

/// How rows grow, and when they end.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Tokens that end a row.
    pub eos: Vec<u32>,
    /// Strings that end a row, and are not part of its text.
    pub stop: Vec<String>,
    /// Most tokens after the lead, the end included. The model's longest row is another limit.
    pub max_tokens: usize,
}

/// Why a continuation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model said so.
    Eos,
    /// A stop string came up.
    Stop,
    /// There was no room for more.
    Length,
    /// The listener wanted no more.
    Cancelled,
}

/// What one row said.
#[derive(Debug, Clone, PartialEq)]
pub struct Continuation {
    /// Tokens after the lead, without an end of sequence; those of a stop string are among them.
    pub tokens: Vec<u32>,
    /// Their text, up to a stop string.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Log-probability of the tokens under the model itself, the end included, in nats.
    pub logprob: f64,
}

/// News of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece<'a> {
    /// Of which question, from 0.
    pub question: usize,
    /// Of which of its rows, from 0.
    pub row: usize,
    /// The new token.
    pub token: u32,
    /// Text that is new: often that of the token; none if a character is not whole or a stop string may come.
    pub text: &'a str,
    /// The row has ended, and this is its last piece.
    pub finish: Option<Finish>,
}

/// Continues every row of every question: `[question][row]`.
///
/// Each prompt goes through the model once, all of them in one pass, and its keys and values are held once. Rows then
/// grow in step, a token of each in every pass, until each has ended. What a row says depends on its question, its lead
/// and its generator alone. `listen` hears every token as it comes; what it awaits is awaited, and
/// [`ControlFlow::Break`] ends all rows.
///
/// # Errors
/// [`DecodeError`].
///
/// # Panics
/// If a prompt or a lead is empty.
pub async fn decode(
    model: &Decoder,
    tokenizer: &Tokenizer,
    questions: &[Question],
    settings: &Settings,
    mut listen: impl AsyncFnMut(Piece<'_>) -> ControlFlow<()>,
) -> Result<Vec<Vec<Continuation>>, DecodeError> {
    let mut rows = start(model, tokenizer, questions, settings);
    let trees: Vec<Tree> =
        questions.iter().map(|question| Tree { prompt: question.prompt.clone(), branches: vec![] }).collect();
    if !trees.is_empty() {
        let (_, mut cache) = model.prefill(&PackedTrees::new(&trees));
        grow(model, &mut rows, &mut cache, settings, &mut listen).await?;
    }
    let mut answers: Vec<Vec<Continuation>> = questions.iter().map(|_| Vec::new()).collect();
    for row in rows {
        answers[row.question].push(row.into_continuation()?);
    }
    Ok(answers)
}

/// A row as it grows.
struct Row<'a> {
    question: usize,
    number: usize,
    /// Its run in the cache, once it has one.
    run: Option<usize>,
    /// What goes through the model next: the lead, then the newest token.
    next: Vec<u32>,
    rng: ChaCha8Rng,
    tokens: Vec<u32>,
    text: GrowingText<'a>,
    logprob: f64,
    /// Tokens that it has room for.
    room: usize,
    /// What a repetition penalty counts as repeated; empty without one.
    seen: BTreeSet<u32>,
    finish: Option<Finish>,
}

fn start<'a>(
    model: &Decoder,
    tokenizer: &'a Tokenizer,
    questions: &[Question],
    settings: &'a Settings,
) -> Vec<Row<'a>> {
    let context = model.config().max_position_embeddings;
    let penalized = settings.sampling.repetition_penalty != 1.0;
    let numbered = questions.iter().enumerate().flat_map(|(at, question)| {
        question.rows.iter().enumerate().map(move |(number, row)| (at, question, number, row))
    });
    let row = |(question, Question { prompt, .. }, number, start): (_, &Question, _, &RowStart)| {
        assert!(!start.lead.is_empty(), "a row needs a lead");
        let room = context.saturating_sub(prompt.len() + start.lead.len()).min(settings.max_tokens);
        let before = prompt.iter().chain(&start.lead).copied();
        Row {
            question,
            number,
            run: None,
            next: start.lead.clone(),
            rng: start.rng.clone(),
            tokens: Vec::new(),
            text: GrowingText::new(tokenizer, &settings.stop),
            logprob: 0.0,
            room,
            seen: if penalized { before.collect() } else { BTreeSet::new() },
            finish: (room == 0).then_some(Finish::Length),
        }
    };
    numbered.map(row).collect()
}

/// Lets all rows grow until each has ended.
async fn grow(
    model: &Decoder,
    rows: &mut [Row<'_>],
    cache: &mut TreeCache,
    settings: &Settings,
    listen: &mut impl AsyncFnMut(Piece<'_>) -> ControlFlow<()>,
) -> Result<(), DecodeError> {
    loop {
        let mut growing: Vec<&mut Row> = rows.iter_mut().filter(|row| row.finish.is_none()).collect();
        if growing.is_empty() {
            return Ok(());
        }
        let logits = forward(model, &mut growing, cache);
        let choices = choose_all(logits, &mut growing, &settings.sampling).await?;
        for (row, choice) in growing.into_iter().zip(choices) {
            row.take(choice, settings)?;
            let (question, number, finish) = (row.question, row.number, row.finish);
            let text = row.text.news(finish.is_some());
            if listen(Piece { question, row: number, token: choice.token, text, finish }).await.is_break() {
                return Ok(());
            }
        }
    }
}

/// Feeds every row its next tokens; what the model expects after the last of them, `[rows, vocab]`.
fn forward(model: &Decoder, rows: &mut [&mut Row], cache: &mut TreeCache) -> Tensor<2> {
    let known = cache.runs();
    let at = |row: &&mut Row| row.run.map_or(Growth::From(row.question), Growth::On);
    let growth: Vec<(Growth, &[u32])> = rows.iter().map(|row| (at(row), row.next.as_slice())).collect();
    let hidden = model.extend(&growth, cache);
    let ends = growth.iter().scan(0, |end, (_, tokens)| {
        *end += tokens.len();
        Some(*end as i32 - 1)
    });
    let ends: Vec<i32> = ends.collect();
    let [tokens, _] = hidden.dims();
    let last = match ends.len() == tokens {
        true => hidden,
        false => hidden.clone().select(0, Tensor::from_ints(ends.as_slice(), &hidden.device())),
    };
    for (index, row) in rows.iter_mut().enumerate() {
        // All rows start in the first pass, in their order.
        row.run.get_or_insert(known + index);
    }
    model.logits(last)
}

/// The next token of every row, by one readback: of two numbers a row where nothing is drawn, of all logits otherwise.
async fn choose_all(
    logits: Tensor<2>,
    rows: &mut [&mut Row<'_>],
    sampling: &Sampling,
) -> Result<Vec<Choice>, DecodeError> {
    if sampling.is_greedy() && sampling.repetition_penalty == 1.0 {
        return greedy(logits).await;
    }
    let [_, vocab] = logits.dims();
    let values = read(logits).await?;
    let drawn = rows.iter_mut().zip(values.chunks_exact(vocab));
    drawn
        .map(|(row, logits)| choose(logits, &row.seen, sampling, &mut row.rng).ok_or(DecodeError::NotFinite))
        .collect()
}

/// The most likely token of each row of `logits [rows, vocab]`, of equals the first.
async fn greedy(logits: Tensor<2>) -> Result<Vec<Choice>, DecodeError> {
    let (best, token) = log_softmax(logits, 1).max_dim_with_indices(1);
    // Token ids below 2^24 are exact in f32, and the largest vocabularies have 2^18 entries.
    let values = read(Tensor::cat(vec![token.float(), best], 1)).await?;
    values
        .chunks_exact(2)
        .map(|pair| match pair[1].is_finite() {
            true => Ok(Choice { token: pair[0] as u32, logprob: f64::from(pair[1]) }),
            false => Err(DecodeError::NotFinite),
        })
        .collect()
}

async fn read(tensor: Tensor<2>) -> Result<Vec<f32>, DecodeError> {
    let failed = |what: String| DecodeError::Device { what };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))
}

impl Row<'_> {
    fn take(&mut self, choice: Choice, settings: &Settings) -> Result<(), DataError> {
        self.logprob += choice.logprob;
        self.next = vec![choice.token];
        if !self.seen.is_empty() {
            self.seen.insert(choice.token);
        }
        if settings.eos.contains(&choice.token) {
            return self.end(Finish::Eos);
        }
        self.tokens.push(choice.token);
        if self.text.push(choice.token)? {
            return self.end(Finish::Stop);
        }
        if self.tokens.len() == self.room {
            return self.end(Finish::Length);
        }
        Ok(())
    }

    fn end(&mut self, finish: Finish) -> Result<(), DataError> {
        self.finish = Some(finish);
        self.text.finish(&self.tokens, finish == Finish::Stop)
    }

    fn into_continuation(mut self) -> Result<Continuation, DataError> {
        if self.finish.is_none() {
            self.end(Finish::Cancelled)?;
        }
        let finish = self.finish.unwrap_or(Finish::Cancelled);
        Ok(Continuation { tokens: self.tokens, text: self.text.into_text(), finish, logprob: self.logprob })
    }
}
