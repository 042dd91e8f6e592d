//! Supported layouts: names and meaning of the columns of a dataset.

use crate::reading::{NoReading, Prompt, Reading};
use crate::row::Row;
use crate::{chat, openr1, openthoughts, s1k};

/// Names and meaning of the columns of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// simplescaling/s1K and s1K-1.1: `question`, `solution`, and `thinking_trajectories` with `attempt` or, for each
    /// teacher, `<teacher>_thinking_trajectory`, `<teacher>_attempt` and `<teacher>_grade`.
    S1k,
    /// open-r1/OpenR1-Math-220k: `problem`, `answer`, `generations` and lists of verdicts on them.
    OpenR1,
    /// open-thoughts/OpenThoughts-114k and OpenThoughts3-1.2M: `conversations`, or in the config `metadata`
    /// `problem`, `deepseek_reasoning` and `deepseek_solution`.
    OpenThoughts,
    /// Plain chats: `messages` with `role` and `content`, or `conversations` with `from` and `value`. The last reply is
    /// the trace.
    Chat,
}

/// The columns to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Columns of the prompt.
    Prompt,
    /// All columns of a record.
    Record,
}

/// Columns that may contain an id; the first one with content counts.
pub(super) const IDS: [&str; 2] = ["id", "uuid"];

impl Layout {
    /// Every layout.
    pub fn all() -> [Self; 4] {
        [Self::S1k, Self::OpenR1, Self::OpenThoughts, Self::Chat]
    }

    /// Name of the layout, the value of the setting `layout`.
    pub fn name(self) -> &'static str {
        match self {
            Self::S1k => "s1k",
            Self::OpenR1 => "openr1",
            Self::OpenThoughts => "openthoughts",
            Self::Chat => "chat",
        }
    }

    /// The layout of a file with these columns, if it is a supported one.
    pub(super) fn detect(columns: &[String]) -> Option<Self> {
        let has = |column: &str| columns.iter().any(|name| name == column);
        let taught = has(s1k::LIST) || columns.iter().any(|column| s1k::teacher(column).is_some());
        // Rows of OpenR1 also have `messages`, so plain chats are tested last.
        if has("question") && taught {
            Some(Self::S1k)
        } else if has("problem") && has(openr1::GENERATIONS) {
            Some(Self::OpenR1)
        } else if has("problem") && has(openthoughts::REASONING) || has("conversations") && has(chat::SYSTEM)
        {
            Some(Self::OpenThoughts)
        } else {
            chat::TURNS.into_iter().any(has).then_some(Self::Chat)
        }
    }

    /// Whether `column` is read in `scope`; other columns are not decoded.
    pub(super) fn wants(self, column: &str, scope: Scope) -> bool {
        let is = |names: &[&str]| names.contains(&column);
        let turns = || is(&chat::TURNS) || is(&[chat::SYSTEM]);
        let prompt = match self {
            Self::S1k => is(&["question"]),
            Self::OpenR1 => is(&["problem"]),
            Self::OpenThoughts => is(&["problem"]) || turns(),
            Self::Chat => turns(),
        };
        prompt || scope == Scope::Record && (is(&IDS) || self.wants_for_traces(column))
    }

    fn wants_for_traces(self, column: &str) -> bool {
        let is = |names: &[&str]| names.contains(&column);
        match self {
            Self::S1k => {
                let endings = [s1k::THINKING, s1k::ATTEMPT, s1k::GRADE];
                is(&["solution", s1k::LIST, "attempt"]) || endings.iter().any(|end| column.ends_with(end))
            }
            Self::OpenR1 => is(&["answer", openr1::GENERATIONS, openr1::COMPLETE]) || is(&openr1::CORRECT),
            Self::OpenThoughts => is(&[openthoughts::REASONING, openthoughts::SOLUTION, openthoughts::TRUTH]),
            Self::Chat => false,
        }
    }

    /// The prompt of a row with at least the columns of [`Scope::Prompt`].
    pub(super) fn prompt(self, row: &mut Row) -> Result<Prompt, NoReading> {
        match self {
            Self::S1k => s1k::prompt(row),
            Self::OpenR1 => openr1::prompt(row),
            Self::OpenThoughts => openthoughts::prompt(row),
            Self::Chat => chat::reading(row).map(|reading| reading.prompt),
        }
    }

    /// The complete content of a row with the columns of [`Scope::Record`].
    pub(super) fn reading(self, row: &mut Row) -> Result<Reading, NoReading> {
        match self {
            Self::S1k => s1k::reading(row),
            Self::OpenR1 => openr1::reading(row),
            Self::OpenThoughts => openthoughts::reading(row),
            Self::Chat => chat::reading(row),
        }
    }
}
