//! Saved state of a trainer: what a checkpoint holds besides the model, so that a resumed run equals an uninterrupted one.
//!
//! It holds the moments of the optimizer, the number of steps and the coverage graphs. The order of the questions and the
//! random assignments follow from the seed and the step.

use crate::arms::Method;
use crate::coverage::EpochCoverage;
use crate::error::TrainError;
use crate::settings::Settings;
use crate::trainer::Trainer;
use serde::{Deserialize, Serialize};
use ssft_data::random::DRAWS;
use ssft_data::words::one_line;
use ssft_model::StoredTensors;
use ssft_model::directory::{Content, Files};

/// Path of the moments inside a checkpoint.
pub const OPTIMIZER_FILE: &str = "trainer/optimizer.safetensors";
/// Path of [`TrainerState`] inside a checkpoint.
pub const STATE_FILE: &str = "trainer/state.json";

/// The content of `trainer/state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Number of optimizer steps done. With the seed it determines the next questions and all random draws.
    pub step: usize,
    /// Number of updates behind the moments.
    pub updates: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Version of the draws that follow from a seed; 0 in files without it.
    #[serde(default)]
    pub draws: u32,
    /// Arm of the run.
    pub method: Method,
    /// L of the run.
    pub match_tokens: usize,
    /// Questions per step; with `step` they give the position in the data.
    pub questions_per_step: usize,
    /// [`fingerprint`](crate::fingerprint::fingerprint) of the data.
    pub data: u64,
    /// Coverage of the current epoch and of the last complete one.
    pub coverage: EpochCoverage,
}

impl Trainer {
    /// The files that a checkpoint adds to a model directory.
    ///
    /// # Errors
    /// [`TrainError::State`] if serialization fails, which no state is known to cause.
    pub fn state_files(&self) -> Result<Files, TrainError> {
        let (moments, updates) = self.optimizer.save();
        let Settings { method, match_tokens, seed, .. } = self.settings;
        let state = TrainerState {
            step: self.step,
            updates,
            seed,
            draws: DRAWS,
            method,
            match_tokens,
            questions_per_step: self.settings.questions_per_step(),
            data: self.data_fingerprint,
            coverage: self.coverage.clone(),
        };
        let json = serde_json::to_vec_pretty(&state).map_err(|error| unusable(&error.to_string()))?;
        Ok(vec![
            (OPTIMIZER_FILE.to_owned(), Content::Tensors(moments)),
            (STATE_FILE.to_owned(), Content::Bytes(json)),
        ])
    }

    /// Continues from a checkpoint. The trainer must have been made with the model of that checkpoint.
    ///
    /// # Errors
    /// [`TrainError::State`] if the files are damaged or belong to another model or to other settings.
    pub fn restore(&mut self, optimizer: &StoredTensors, state: &[u8]) -> Result<(), TrainError> {
        let state: TrainerState = serde_json::from_slice(state)
            .map_err(|error| damaged(STATE_FILE, &one_line(&error.to_string())))?;
        self.check(&state)?;
        let device = self.model.device().inner();
        self.optimizer.restore(&self.model, optimizer, state.updates, &device)?;
        self.step = state.step;
        self.coverage = state.coverage;
        Ok(())
    }

    /// Compares what must not change between the parts of a run. The number of steps and the learning rates may.
    fn check(&self, saved: &TrainerState) -> Result<(), TrainError> {
        if saved.draws != DRAWS {
            return Err(unusable(
                "the run was started by a version in which seeds give other draws; finish it with that version, or start a new run",
            ));
        }
        let (own, forks) = (&self.settings, |state: &EpochCoverage| state.current.counts.len());
        let compared = [
            ("`seed`", saved.seed.to_string(), own.seed.to_string()),
            ("`method`", saved.method.name().to_owned(), own.method.name().to_owned()),
            ("`match-tokens`", saved.match_tokens.to_string(), own.match_tokens.to_string()),
            ("`forks`", forks(&saved.coverage).to_string(), forks(&self.coverage).to_string()),
            (
                "`batch-questions` times `accumulate`",
                saved.questions_per_step.to_string(),
                own.questions_per_step().to_string(),
            ),
        ];
        if let Some((setting, saved, own)) = compared.iter().find(|(_, saved, own)| saved != own) {
            return Err(unusable(&format!("the run was started with {setting} {saved}, not {own}")));
        }
        if saved.data != self.data_fingerprint {
            return Err(unusable(
                "the data is not what the run was started with; resume with the same file and the same `context`",
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
