//! Which fork was matched with which trace source, epoch by epoch: the input of the coverage rule.

use crate::matching::Assignment;
use serde::{Deserialize, Serialize};
use ssft_data::encode::EncodedQuestion;
use ssft_data::forks::CoverageGraph;

/// The coverage graphs of the current epoch and of the last complete one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochCoverage {
    /// Number of the current epoch, from 0.
    pub epoch: usize,
    /// Matches of the current epoch.
    pub current: CoverageGraph,
    /// Matches of the last complete epoch; `None` during the first one.
    pub last: Option<CoverageGraph>,
}

impl EpochCoverage {
    /// No matches yet, for `forks` forks.
    pub fn new(forks: usize) -> Self {
        Self { epoch: 0, current: CoverageGraph::new(forks), last: None }
    }

    /// The last complete epoch, or the current one if none is complete.
    pub fn latest(&self) -> &CoverageGraph {
        self.last.as_ref().unwrap_or(&self.current)
    }

    /// Counts the matches of one question in the current epoch.
    pub fn record(&mut self, question: &EncodedQuestion, assignment: &Assignment) {
        for (trace, &fork) in question.traces.iter().zip(&assignment.forks) {
            self.current.record(fork, &trace.source);
        }
    }

    /// Sets the current epoch to `epoch`; if it changes, the graph so far becomes the last complete one.
    pub fn enter(&mut self, epoch: usize) {
        if epoch != self.epoch {
            let empty = CoverageGraph::new(self.current.counts.len());
            self.last = Some(std::mem::replace(&mut self.current, empty));
            self.epoch = epoch;
        }
    }
}
