//! What an import is told.

use crate::layout::Layout;
use ssft_data::dataset::Limits;

/// What to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportSettings {
    /// The layout of every file; nothing stands for the one that a file's columns say.
    pub layout: Option<Layout>,
    /// Most traces of a question, the first ones; nothing stands for all.
    pub max_traces: Option<usize>,
    /// Fewest traces of a question that is kept; at least 1.
    pub min_traces: usize,
    /// How long a line may be.
    pub limits: Limits,
}

impl Default for ImportSettings {
    fn default() -> Self {
        Self { layout: None, max_traces: None, min_traces: 1, limits: Limits::default() }
    }
}
