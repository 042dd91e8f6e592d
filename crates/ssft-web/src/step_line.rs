//! Report of a training step for a page: its line of `metrics.jsonl`, the costs of its questions, the latest matches.

use serde::Serialize;
use ssft_data::encode::EncodedQuestion;
use ssft_data::forks::CoverageGraph;
use ssft_run::Course;
use ssft_train::StepReport;
use ssft_train::probe::Probe;
use std::collections::VecDeque;

/// Number of latest questions whose matches are counted in [`StepLine`].
const RECENT: usize = 64;

/// Report of a training step.
#[derive(Debug, Serialize)]
pub struct StepLine<'a> {
    #[serde(flatten)]
    report: &'a StepReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<&'a [Probe]>,
    recent: CoverageGraph,
}

/// Matches `(fork, source)` of the latest questions, the oldest first; forks are counted from 0.
#[derive(Debug, Default)]
pub struct Recent(VecDeque<Vec<(usize, String)>>);

impl Recent {
    /// The report of a step of `course`; its matches are added to the latest ones. `batch` has the questions of a step on other
    /// questions than those of the course, else nothing.
    pub fn line<'a>(
        &mut self,
        course: &Course,
        batch: &[EncodedQuestion],
        report: &'a StepReport,
        probe: Option<&'a [Probe]>,
    ) -> StepLine<'a> {
        for matched in &report.matches {
            let mut known = batch.iter().chain(&course.questions);
            let Some(question) = known.find(|question| question.id == matched.id) else { continue };
            let sources = question.traces.iter().map(|trace| trace.source.clone());
            self.0.push_back(matched.forks.iter().map(|fork| fork - 1).zip(sources).collect());
        }
        self.0.drain(..self.0.len().saturating_sub(RECENT));
        let mut recent = CoverageGraph::new(course.trainer.coverage().counts.len());
        for (fork, source) in self.0.iter().flatten() {
            recent.record(*fork, source);
        }
        StepLine { report, probe, recent }
    }
}
