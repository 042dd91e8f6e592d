//! Settings of an import.

use crate::layout::Layout;
use ssft_data::dataset::Limits;
use ssft_data::template::ThoughtForm;

/// Settings of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportSettings {
    /// Layout of all files; `None` detects the layout of each file from its columns.
    pub layout: Option<Layout>,
    /// Most traces per question, of which the first are kept; `None` for no limit.
    pub max_traces: Option<usize>,
    /// Fewest traces of a question that is kept; 0 counts as 1.
    pub min_traces: usize,
    /// How reasoning and answer of a trace are joined.
    pub thoughts: ThoughtForm,
    /// Bounds on the reading of JSONL files.
    pub limits: Limits,
}

impl Default for ImportSettings {
    fn default() -> Self {
        let (thoughts, limits) = (ThoughtForm::default(), Limits::default());
        Self { layout: None, max_traces: None, min_traces: 1, thoughts, limits }
    }
}
