//! Values with names that are not settings of a run.

use clap::ValueEnum;
use ssft_import::Layout;

/// `--layout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LayoutName {
    /// s1K and s1K-1.1: a trajectory and an attempt of each teacher
    S1k,
    /// OpenR1-Math: a list of generations, with lists of verdicts
    #[value(name = "openr1")]
    OpenR1,
    /// OpenThoughts: the same question in several rows
    #[value(name = "openthoughts")]
    OpenThoughts,
    /// `messages` or `conversations`: the last answer is the trace
    Chat,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::S1k => Self::S1k,
            LayoutName::OpenR1 => Self::OpenR1,
            LayoutName::OpenThoughts => Self::OpenThoughts,
            LayoutName::Chat => Self::Chat,
        }
    }
}
