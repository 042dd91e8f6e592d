//! State of a row: one continuation of a question, under one fork, while tokens are added to it.

use super::continuation::{Continuation, Finish};
use super::request::{Question, RowStart, Settings};
use super::sample::Choice;
use super::text::GrowingText;
use rand_chacha::ChaCha8Rng;
use ssft_data::error::DataError;
use ssft_data::tokenizer::Tokenizer;
use std::collections::BTreeSet;

/// A continuation of a question under one fork, while tokens are added to it. The decoder adds one token a pass to all rows.
pub(super) struct Row<'a> {
    /// Index of the question.
    pub(super) question: usize,
    /// Index of the row within its question.
    pub(super) number: usize,
    /// Run of the row in the cache; `None` before the first pass.
    pub(super) run: Option<usize>,
    /// Input of the next pass: the lead, then the newest token.
    pub(super) next: Vec<u32>,
    /// Random number generator.
    pub(super) rng: ChaCha8Rng,
    /// Tokens of the row and its prompt, for the repetition penalty; empty without one.
    pub(super) seen: BTreeSet<u32>,
    /// Text so far.
    pub(super) text: GrowingText<'a>,
    /// Reason for the end; `None` while the row grows.
    pub(super) finish: Option<Finish>,
    /// Generated tokens, without prompt and lead.
    tokens: Vec<u32>,
    /// Sum of the log-probabilities of the generated tokens, in nats.
    logprob: f64,
    /// Most generated tokens.
    room: usize,
}

/// The rows of all questions, in order, for a model with rows of at most `context` tokens.
///
/// # Errors
/// [`DataError::Tokenizer`] if the text of a lead cannot be decoded.
///
/// # Panics
/// If a lead is empty.
pub(super) fn start<'a>(
    context: usize,
    tokenizer: &'a Tokenizer,
    questions: &[Question],
    settings: &'a Settings,
) -> Result<Vec<Row<'a>>, DataError> {
    let mut rows = Vec::new();
    for (index, question) in questions.iter().enumerate() {
        for (number, start) in question.rows.iter().enumerate() {
            let place = (index, number);
            rows.push(Row::new(place, &question.prompt, start, context, tokenizer, settings)?);
        }
    }
    Ok(rows)
}

impl<'a> Row<'a> {
    fn new(
        (question, number): (usize, usize),
        prompt: &[u32],
        start: &RowStart,
        context: usize,
        tokenizer: &'a Tokenizer,
        settings: &'a Settings,
    ) -> Result<Self, DataError> {
        assert!(!start.lead.is_empty(), "a row needs a lead");
        let room = context.saturating_sub(prompt.len() + start.lead.len()).min(settings.max_tokens);
        let input = prompt.iter().chain(&start.lead).copied();
        Ok(Self {
            question,
            number,
            run: None,
            next: start.lead.clone(),
            rng: start.rng.clone(),
            seen: if settings.sampling.has_penalty() { input.collect() } else { BTreeSet::new() },
            text: GrowingText::new(tokenizer, &start.lead, &settings.stop)?,
            finish: (room == 0).then_some(Finish::Length),
            tokens: Vec::new(),
            logprob: 0.0,
            room,
        })
    }

    /// Appends the chosen token and ends the row where an end condition holds.
    pub(super) fn take(&mut self, choice: Choice, settings: &Settings) -> Result<(), DataError> {
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
        self.text.finish(&self.tokens, finish)
    }

    /// The continuation; a row without an end was cancelled.
    pub(super) fn into_continuation(mut self) -> Result<Continuation, DataError> {
        if self.finish.is_none() {
            self.end(Finish::Cancelled)?;
        }
        let finish = self.finish.unwrap_or(Finish::Cancelled);
        Ok(Continuation { tokens: self.tokens, text: self.text.into_text(), finish, logprob: self.logprob })
    }
}
