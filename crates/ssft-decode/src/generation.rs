//! One prompt, answered by several forks, with a vote.

use crate::decode::fork::{Continuation, DecodeError, Finish, Piece, Question, RowStart, Settings, decode};
use crate::decode::sample::{Sampling, row_generator};
use crate::evaluate::answer::Judge;
use crate::evaluate::vote::majority;
use serde::Serialize;
use ssft_data::encode::Encoder;
use ssft_data::record::Record;
use ssft_model::Decoder;
use std::ops::ControlFlow;

/// A prompt and how it is answered.
#[derive(Debug, Clone)]
pub struct Request {
    /// The question, as plain text.
    pub prompt: String,
    /// The forks that answer, counted from 0, in order.
    pub forks: Vec<usize>,
    /// Sampling of the tokens.
    pub sampling: Sampling,
    /// Strings that end an answer; they are not part of it.
    pub stop: Vec<String>,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Judge that extracts the answer from a text.
    pub judge: Judge,
    /// Seed of the drawn tokens.
    pub seed: u64,
}

/// All answers to a prompt and their vote; serializes to the JSON output of the command `generate`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generation {
    /// The question.
    pub prompt: String,
    /// Token ids of the prompt, up to the forking token.
    pub prompt_tokens: Vec<u32>,
    /// Answers, in the order of [`Request::forks`].
    pub forks: Vec<ForkAnswer>,
    /// The majority; `None` without answers.
    pub vote: Option<Votes>,
}

/// Answer of one fork.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForkAnswer {
    /// Fork, from 1.
    pub fork: usize,
    /// Token ids after the lead, without the end of sequence.
    pub tokens: Vec<u32>,
    /// Text of the tokens.
    pub text: String,
    /// Extracted answer.
    pub answer: Option<String>,
    /// Whether the answer is correct, if the judge can determine it from the question alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
    /// Name of the strategy, if the judge has a classifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Reason for the end.
    pub finish: Finish,
    /// Log-probability of the tokens under the model, in nats.
    pub logprob: f64,
}

/// Result of a vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Votes {
    /// The most frequent answer.
    pub answer: String,
    /// Number of forks with this answer.
    pub votes: usize,
    /// The first fork (from 1) with this answer.
    pub fork: usize,
}

/// Answers a prompt, whose token ids are `prompt_tokens`, with each fork of `request`. `listen` is awaited for every
/// token; [`ControlFlow::Break`] ends all answers.
///
/// # Errors
/// [`DecodeError`].
pub async fn generate(
    model: &Decoder,
    encoder: &Encoder,
    prompt_tokens: Vec<u32>,
    request: &Request,
    listen: impl AsyncFnMut(Piece<'_>) -> ControlFlow<()>,
) -> Result<Generation, DecodeError> {
    let row = |&fork: &usize| RowStart {
        lead: encoder.lead(fork),
        rng: row_generator(request.seed, 0, fork as u32, 0),
    };
    let question = Question { prompt: prompt_tokens.clone(), rows: request.forks.iter().map(row).collect() };
    let settings = Settings {
        sampling: request.sampling,
        eos: encoder.tokenizer().ends().to_vec(),
        stop: request.stop.clone(),
        max_tokens: request.max_tokens,
    };
    let continuations = decode(model, encoder.tokenizer(), &[question], &settings, listen).await?;
    let forks = judged(request, continuations.into_iter().flatten());
    let vote = majority(forks.iter().map(|fork| fork.answer.as_deref()));
    let vote = vote.map(|vote| Votes {
        answer: vote.answer.to_owned(),
        votes: vote.votes,
        fork: forks[vote.first].fork,
    });
    Ok(Generation { prompt: request.prompt.clone(), prompt_tokens, forks, vote })
}

/// The judged answers of the forks.
fn judged(request: &Request, continuations: impl Iterator<Item = Continuation>) -> Vec<ForkAnswer> {
    let record = Record {
        id: String::new(),
        question: Some(request.prompt.clone()),
        messages: None,
        traces: Vec::new(),
        answer: None,
    };
    // Without a reference answer only a task can judge.
    let is_judged = matches!(request.judge, Judge::Task(_));
    let answer = |(&fork, continuation): (&usize, Continuation)| {
        let judgement = request.judge.judge(&record, &continuation.text);
        ForkAnswer {
            fork: fork + 1,
            tokens: continuation.tokens,
            text: continuation.text,
            answer: judgement.answer,
            correct: is_judged.then_some(judgement.correct),
            strategy: judgement.strategy,
            finish: continuation.finish,
            logprob: continuation.logprob,
        }
    };
    request.forks.iter().zip(continuations).map(answer).collect()
}
