//! A step as a page hears of it: the line of `metrics.jsonl`, the costs of its questions, and the latest matches.

use serde::Serialize;
use ssft_data::encode::EncodedQuestion;
use ssft_data::forks::CoverageGraph;
use ssft_run::Course;
use ssft_train::StepReport;
use ssft_train::probe::Probe;
use std::collections::VecDeque;

/// Questions whose matches are counted in [`StepLine::recent`].
const RECENT: usize = 64;

/// News of a step.
#[derive(Debug, Serialize)]
pub struct StepLine<'a> {
    #[serde(flatten)]
    report: &'a StepReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<&'a [Probe]>,
    recent: CoverageGraph,
}

/// Matches of the latest questions, oldest first.
#[derive(Debug, Default)]
pub struct Recent(VecDeque<Vec<(usize, String)>>);

impl Recent {
    /// The line of a step of `course`, whose matches count from now on. Sources of a batch that is not part of the course are given
    /// as `batch`.
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
