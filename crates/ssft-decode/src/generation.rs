//! One prompt, answered by forks side by side, and their vote.

use crate::answer::Judge;
use crate::fork::{DecodeError, Finish, Piece, Question, RowStart, Settings, decode};
use crate::sample::{Sampling, row_generator};
use crate::vote::majority;
use serde::Serialize;
use ssft_data::encode::Encoder;
use ssft_data::record::Record;
use ssft_model::Decoder;
use std::ops::ControlFlow;

/// What is asked, and of whom.
#[derive(Debug, Clone)]
pub struct Request {
    /// The question, as plain text.
    pub prompt: String,
    /// The forks that answer, counted from 0, in order.
    pub forks: Vec<usize>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Strings that end an answer, and are not part of it.
    pub stop: Vec<String>,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Who says what the answer in a text is.
    pub judge: Judge,
    /// Of the draws.
    pub seed: u64,
}

/// What came of it: the content of `generate --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generation {
    /// The question.
    pub prompt: String,
    /// Its tokens, with everything that stands before the forking token.
    pub prompt_tokens: Vec<u32>,
    /// In the order that was asked.
    pub forks: Vec<ForkAnswer>,
    /// The answer that most forks gave, if any gave one.
    pub vote: Option<Votes>,
}

/// What one fork said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForkAnswer {
    /// From 1.
    pub fork: usize,
    /// Tokens after the lead, without an end of sequence.
    pub tokens: Vec<u32>,
    /// Their text.
    pub text: String,
    /// The answer in it.
    pub answer: Option<String>,
    /// Whether it is right, where the judge can tell from the question alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
    /// The strategy that its form shows, where the judge can name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Why it ended.
    pub finish: Finish,
    /// Log-probability of the tokens under the model itself, in nats.
    pub logprob: f64,
}

/// What a vote came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Votes {
    /// The answer given most often.
    pub answer: String,
    /// How often.
    pub votes: usize,
    /// The fork that speaks for it, from 1: the first that gave it.
    pub fork: usize,
}

/// Lets forks answer a prompt; `listen` hears every token as it comes, and may end them all.
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
        eos: vec![encoder.tokenizer().eos()],
        stop: request.stop.clone(),
        max_tokens: request.max_tokens,
    };
    let said = decode(model, encoder.tokenizer(), &[question], &settings, listen).await?;
    let record = Record {
        id: String::new(),
        question: Some(request.prompt.clone()),
        messages: None,
        traces: Vec::new(),
        answer: None,
    };
    let judged_alone = matches!(request.judge, Judge::Task(_));
    let answer = |(&fork, said): (&usize, crate::Continuation)| {
        let judged = request.judge.judge(&record, &said.text);
        ForkAnswer {
            fork: fork + 1,
            tokens: said.tokens,
            text: said.text,
            answer: judged.answer,
            correct: judged_alone.then_some(judged.correct),
            strategy: judged.strategy,
            finish: said.finish,
            logprob: said.logprob,
        }
    };
    let forks: Vec<ForkAnswer> = request.forks.iter().zip(said.into_iter().flatten()).map(answer).collect();
    let vote = majority(forks.iter().map(|fork| fork.answer.as_deref()));
    let vote = vote.map(|vote| Votes {
        answer: vote.answer.to_owned(),
        votes: vote.votes,
        fork: forks[vote.first].fork,
    });
    Ok(Generation { prompt: request.prompt.clone(), prompt_tokens, forks, vote })
}
