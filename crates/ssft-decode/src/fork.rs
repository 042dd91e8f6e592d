//! Forked decoding: the prompt is prefilled once, and every fork continues from the same cache.

use crate::sample::{Choice, greedy};
use serde::Serialize;
use ssft_data::pack::{PackedTrees, Tree};
use ssft_model::Decoder;
use ssft_model::cache::{Growth, TreeCache};
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
}

/// Why a continuation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model said so.
    Eos,
    /// There was no room for more.
    Length,
}

/// What one fork said.
#[derive(Debug, Clone, PartialEq)]
pub struct Continuation {
    /// Tokens after the lead, without the end-of-sequence token.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
    /// Log-probability of the tokens, the end included, in nats.
    pub logprob: f64,
}

/// When a continuation ends.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// The end-of-sequence token.
    pub eos: u32,
    /// Most tokens after the lead, the end included.
    pub max_tokens: usize,
}

/// Greedy continuations of every prompt under every fork: `[question][fork]`.
///
/// The forks of all questions grow in step; a fork that has ended is fed its end again and its further
/// output dropped. `leads` have one length.
///
/// # Errors
/// [`DecodeError`].
///
/// # Panics
/// If a prompt is empty or the leads differ in length.
pub async fn decode_forks(
    model: &Decoder,
    prompts: &[Vec<u32>],
    leads: &[Vec<u32>],
    stop: Stop,
) -> Result<Vec<Vec<Continuation>>, DecodeError> {
    let trees: Vec<Tree> =
        prompts.iter().map(|prompt| Tree { prompt: prompt.clone(), branches: Vec::new() }).collect();
    let (_, mut cache) = model.prefill(&PackedTrees::new(&trees));
    let lead = leads.first().map_or(0, Vec::len);
    assert!(leads.iter().all(|other| other.len() == lead), "leads of different lengths");
    // The runs of the prompts are numbered first, then those of the forks, question by question.
    let mut at: Vec<Growth> =
        (0..prompts.len()).flat_map(|prompt| leads.iter().map(move |_| Growth::From(prompt))).collect();
    let mut next: Vec<Vec<u32>> = prompts.iter().flat_map(|_| leads.iter().cloned()).collect();
    let mut rows = vec![Row::default(); prompts.len() * leads.len()];
    for _ in 0..stop.max_tokens {
        let growth: Vec<(Growth, &[u32])> = at.iter().copied().zip(next.iter().map(Vec::as_slice)).collect();
        let choices = forward(model, &growth, &mut cache).await?;
        for (row, choice) in rows.iter_mut().zip(&choices) {
            row.take(choice, stop.eos);
        }
        if rows.iter().all(|row| row.finished) {
            break;
        }
        at = (prompts.len()..cache.runs()).map(Growth::On).collect();
        next = rows.iter().map(|row| vec![row.last]).collect();
    }
    let finished: Vec<Continuation> = rows.into_iter().map(Row::finish).collect();
    Ok(finished.chunks(leads.len()).map(<[Continuation]>::to_vec).collect())
}

/// Feeds every fork the same number of tokens and chooses what follows the last of them.
async fn forward(
    model: &Decoder,
    growth: &[(Growth, &[u32])],
    cache: &mut TreeCache,
) -> Result<Vec<Choice>, DecodeError> {
    let hidden = model.extend(growth, cache);
    let [tokens, width] = hidden.dims();
    let new = tokens / growth.len();
    let last = hidden.reshape([growth.len(), new, width]).narrow(1, new - 1, 1);
    greedy(last.reshape([growth.len(), width]), model.head()).await
}

/// One fork of one question as it grows.
#[derive(Debug, Clone, Default)]
struct Row {
    tokens: Vec<u32>,
    last: u32,
    logprob: f64,
    finished: bool,
}

impl Row {
    fn take(&mut self, choice: &Choice, eos: u32) {
        if self.finished {
            return;
        }
        self.logprob += f64::from(choice.logprob);
        self.last = choice.token;
        self.finished = choice.token == eos;
        if !self.finished {
            self.tokens.push(choice.token);
        }
    }

    fn finish(self) -> Continuation {
        let finish = if self.finished { Finish::Eos } else { Finish::Length };
        Continuation { tokens: self.tokens, finish, logprob: self.logprob }
    }
}
