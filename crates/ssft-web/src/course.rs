//! A training under way.

use crate::error::SessionError;
use crate::options::TrainOptions;
use serde::Serialize;
use ssft_data::dataset::{Limits, check_forks, parse_records};
use ssft_data::encode::{EncodedQuestion, Encoder};
use ssft_data::forks::CoverageGraph;
use ssft_data::record::Record;
use ssft_decode::Evaluation;
use ssft_decode::evaluate::{Protocol, evaluate};
use ssft_model::Decoder;
use ssft_train::{Probe, StepReport, Trainer};
use std::collections::VecDeque;
use web_time::Instant;

/// Rows decoded together in an evaluation.
const DECODE_ROWS: usize = 96;

/// A model in training, with what it learns from.
pub struct Course {
    /// Its settings.
    pub options: TrainOptions,
    /// Weights and optimizer.
    pub trainer: Trainer,
    /// What it learns from.
    pub questions: Vec<EncodedQuestion>,
    /// What it does not.
    pub held_out: Vec<Record>,
    /// Forks, from 0, and sources that were matched lately, question by question.
    recent: VecDeque<Vec<(usize, String)>>,
}

/// Questions whose matches are shown as they come.
const RECENT: usize = 64;

impl Course {
    /// A training of `model`, tracked, from its weights as they are.
    ///
    /// # Errors
    /// [`SessionError::Argument`] for options out of range, [`SessionError::Data`] for questions that cannot be used.
    pub fn new(options: TrainOptions, encoder: &Encoder, model: Decoder) -> Result<Self, SessionError> {
        options.check()?;
        let (records, held_out) = questions(&options)?;
        let forks = encoder.tokenizer().forks().len();
        check_forks(&records, forks)?;
        let questions = encode("startTraining", encoder, &records)?;
        encode("startTraining", encoder, &held_out)?;
        let leads = (0..forks).map(|fork| encoder.lead(fork)).collect();
        let trainer = Trainer::new(model, leads, &questions, options.settings());
        Ok(Self { options, trainer, questions, held_out, recent: VecDeque::new() })
    }

    /// One step on `batch`, or on what comes next; with the cost matrices of its questions, if `looks`.
    ///
    /// # Errors
    /// [`SessionError::Train`]; the weights are then what they were.
    pub async fn step(
        &mut self,
        batch: Option<&[EncodedQuestion]>,
        looks: bool,
    ) -> Result<StepLine, SessionError> {
        let (trainer, questions) = (&mut self.trainer, &self.questions);
        let asked: Vec<&EncodedQuestion> = match batch {
            Some(batch) => batch.iter().collect(),
            None => trainer.upcoming().into_iter().map(|index| &questions[index]).collect(),
        };
        let probe = if looks { Some(trainer.probe(&asked).await?) } else { None };
        let started = Instant::now();
        let clock = move || started.elapsed().as_secs_f64() * 1e3;
        let batches: Vec<&[&EncodedQuestion]> = asked.chunks(self.options.batch_questions).collect();
        let report = trainer.step_on(&batches, &clock).await?;
        for (question, matched) in asked.iter().zip(&report.matches) {
            let sources = question.traces.iter().map(|trace| trace.source.clone());
            self.recent.push_back(matched.forks.iter().map(|fork| fork - 1).zip(sources).collect());
        }
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
        Ok(StepLine { report, probe, recent: self.recent() })
    }

    /// Asks every fork at most so many held-out questions, and scores the answers.
    ///
    /// # Errors
    /// [`SessionError::NothingHeldOut`] for a training on data of one's own; [`SessionError::Decode`].
    pub async fn evaluate(&self, encoder: &Encoder, most: usize) -> Result<Evaluation, SessionError> {
        let asked = &self.held_out[..self.held_out.len().min(most)];
        if asked.is_empty() {
            return Err(SessionError::NothingHeldOut);
        }
        let (coverage, judge, seed) = (self.trainer.coverage(), self.options.judge()?, self.options.seed);
        let protocol = Protocol::greedy(coverage, &self.questions, encoder, DECODE_ROWS, judge, seed);
        Ok(evaluate(&self.trainer.for_reading(), encoder, asked, &protocol, |_| ()).await?)
    }

    /// What was matched with what lately.
    fn recent(&self) -> CoverageGraph {
        let mut graph = CoverageGraph::new(self.trainer.coverage().counts.len());
        for (fork, source) in self.recent.iter().flatten() {
            graph.record(*fork, source);
        }
        graph
    }
}

/// A line of `metrics.jsonl`, with more to look at.
#[derive(Debug, Serialize)]
pub struct StepLine {
    #[serde(flatten)]
    report: StepReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<Vec<Probe>>,
    recent: CoverageGraph,
}

/// Questions as a trainer takes them.
///
/// # Errors
/// [`SessionError::Data`]; [`SessionError::Argument`] of `call` for chats that nothing says how to render.
pub fn encode(
    call: &'static str,
    encoder: &Encoder,
    records: &[Record],
) -> Result<Vec<EncodedQuestion>, SessionError> {
    // Joined without roles they would be something else than what the native program learns from.
    if encoder.template().is_plain() && records.iter().any(|record| record.messages.is_some()) {
        let what = "the model has no chat template, but there are chats (\"messages\"); give questions as plain text";
        return Err(SessionError::Argument { call, what: what.to_owned() });
    }
    Ok(encoder.encode_all(records)?)
}

/// Questions to learn from and those held out.
fn questions(asked: &TrainOptions) -> Result<(Vec<Record>, Vec<Record>), SessionError> {
    if let Some(data) = &asked.data {
        let records = parse_records("data", data.as_bytes(), &Limits::default())?;
        return Ok((records, Vec::new()));
    }
    let made = asked.task().make("startTraining")?;
    Ok((made.train, made.test))
}
