//! What a checkpoint holds beyond the model, so that a resumed run goes on as if nothing had happened.
//!
//! The optimizer's moments, the number of steps and the coverage graphs; the order of questions and the
//! random assignments follow from the seed and the step alone.

use crate::error::TrainError;
use crate::method::Method;
use crate::report::EpochCoverage;
use crate::step::{Settings, Trainer};
use serde::{Deserialize, Serialize};
use ssft_data::encode::EncodedQuestion;
use ssft_model::StoredTensors;
use ssft_model::directory::{Content, Files};

/// Where the moments are, inside a checkpoint.
pub const OPTIMIZER_FILE: &str = "trainer/optimizer.safetensors";
/// Where everything else is, inside a checkpoint.
pub const STATE_FILE: &str = "trainer/state.json";

/// The content of `trainer/state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Optimizer steps done; together with the seed this is the data cursor and the state of all randomness.
    pub step: usize,
    /// Updates the moments have seen.
    pub updates: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Arm of the run.
    pub method: Method,
    /// L of the run.
    pub match_tokens: usize,
    /// Questions a step: with `step` they make the data cursor.
    pub questions_per_step: usize,
    /// [`fingerprint`] of the data.
    pub data: u64,
    /// Coverage of the epoch under way and of the last whole one.
    pub coverage: EpochCoverage,
}

impl Trainer {
    /// The files that a checkpoint adds to a model directory.
    ///
    /// # Errors
    /// [`TrainError::State`] if the state cannot be written as JSON; it can.
    pub fn state_files(&self) -> Result<Files, TrainError> {
        let (moments, updates) = self.optimizer.save();
        let (step, seed, coverage) = (self.step, self.settings.seed, self.coverage.clone());
        let Settings { method, match_tokens, batch_questions, accumulate, .. } = self.settings;
        let questions_per_step = batch_questions * accumulate;
        let data = self.data_fingerprint;
        let state =
            TrainerState { step, updates, seed, method, match_tokens, questions_per_step, data, coverage };
        let json = serde_json::to_vec_pretty(&state).map_err(|error| unusable(&error.to_string()))?;
        Ok(vec![
            (OPTIMIZER_FILE.to_owned(), Content::Tensors(moments)),
            (STATE_FILE.to_owned(), Content::Bytes(json)),
        ])
    }

    /// Goes on from a checkpoint whose model this trainer was made with.
    ///
    /// # Errors
    /// [`TrainError::State`] if the files are damaged or belong to another seed, model or number of forks.
    pub fn restore(&mut self, optimizer: &StoredTensors, state: &[u8]) -> Result<(), TrainError> {
        let state: TrainerState =
            serde_json::from_slice(state).map_err(|error| damaged(STATE_FILE, &error))?;
        self.check(&state)?;
        let device = self.model.device().inner();
        self.optimizer.restore(&self.model, optimizer, state.updates, &device)?;
        self.step = state.step;
        self.coverage = state.coverage;
        Ok(())
    }
}

impl Trainer {
    /// What must not change between the two parts of a run; steps and learning rates may.
    fn check(&self, saved: &TrainerState) -> Result<(), TrainError> {
        let ours = &self.settings;
        let per_step = ours.batch_questions * ours.accumulate;
        let forks = (saved.coverage.current.counts.len(), self.coverage.current.counts.len());
        let pairs = [
            ("--seed", saved.seed.to_string(), ours.seed.to_string()),
            ("--method", saved.method.name().to_owned(), ours.method.name().to_owned()),
            ("--match-tokens", saved.match_tokens.to_string(), ours.match_tokens.to_string()),
            ("--forks", forks.0.to_string(), forks.1.to_string()),
            (
                "--batch-questions times --accumulate",
                saved.questions_per_step.to_string(),
                per_step.to_string(),
            ),
        ];
        if let Some((flag, saved, asked)) = pairs.iter().find(|(_, saved, asked)| saved != asked) {
            return Err(unusable(&format!("the run was started with {flag} {saved}, not {asked}")));
        }
        if saved.data != self.data_fingerprint {
            return Err(unusable(
                "the data is not what the run was started with; resume with the same file and the same --context",
            ));
        }
        Ok(())
    }
}

fn damaged(file: &str, error: &dyn std::fmt::Display) -> TrainError {
    unusable(&format!("{file} is damaged ({error}); remove this checkpoint to resume from an earlier one"))
}

fn unusable(what: &str) -> TrainError {
    TrainError::State { what: what.to_owned() }
}

/// A number that changes when any token of the data does (64-bit FNV-1a over lengths and ids).
pub fn fingerprint(data: &[EncodedQuestion]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut mix = |word: u32| {
        for byte in word.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for question in data {
        let rows = std::iter::once(&question.prompt).chain(question.traces.iter().map(|trace| &trace.tokens));
        for row in rows {
            mix(row.len() as u32);
            row.iter().for_each(|&token| mix(token));
        }
    }
    hash
}
