//! Choice of the forks that answer.

use ssft_data::forks::ForkTable;
use std::str::FromStr;
use thiserror::Error;

/// The forks of a model that answer; parses from `all`, `auto` or a number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForkChoice {
    /// All forks that training used.
    #[default]
    All,
    /// The fork chosen by the coverage rule in training.
    Auto,
    /// One fork, counted from 1.
    One(usize),
}

/// A choice that selects no fork.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ForkChoiceError {
    /// A text other than `all`, `auto` or a number from 1.
    #[error("\"{0}\" names no fork; give all, auto or a number from 1")]
    Unknown(String),
    /// A number above the number of forks.
    #[error("fork {asked} does not exist; the model has {forks}")]
    TooLarge {
        /// Requested fork, from 1.
        asked: usize,
        /// Number of forks of the model.
        forks: usize,
    },
    /// `auto` for a model without a coverage graph.
    #[error("forks.json names no chosen fork, so there is no `auto`; give a number or all")]
    NoneChosen,
}

impl FromStr for ForkChoice {
    type Err = ForkChoiceError;

    fn from_str(text: &str) -> Result<Self, ForkChoiceError> {
        match text {
            "all" => Ok(Self::All),
            "auto" => Ok(Self::Auto),
            number => match number.parse() {
                Ok(fork) if fork > 0 => Ok(Self::One(fork)),
                _ => Err(ForkChoiceError::Unknown(text.to_owned())),
            },
        }
    }
}

impl ForkChoice {
    /// The selected forks of `table`, counted from 0.
    ///
    /// # Errors
    /// [`ForkChoiceError`] if `table` has no such fork.
    pub fn forks(self, table: &ForkTable) -> Result<Vec<usize>, ForkChoiceError> {
        let forks = table.forks.len();
        match self {
            Self::All => Ok(table.trained_forks()),
            Self::Auto => Ok(vec![table.chosen_fork.ok_or(ForkChoiceError::NoneChosen)? - 1]),
            Self::One(asked) if asked > forks => Err(ForkChoiceError::TooLarge { asked, forks }),
            Self::One(fork) => Ok(vec![fork - 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssft_data::forks::{CoverageGraph, ForkLead};

    fn table(matches: &[(usize, &str)]) -> ForkTable {
        let mut coverage = CoverageGraph::new(3);
        matches.iter().for_each(|&(fork, source)| coverage.record(fork, source));
        ForkTable::new(&[7, 8, 9], ForkLead::bare(), coverage)
    }

    #[test]
    fn choices_by_hand() {
        let forks = |text: &str, table: &ForkTable| text.parse::<ForkChoice>()?.forks(table);
        // Fork 3 is joined to two sources, fork 1 to one with more matches.
        let trained = table(&[(0, "a"), (0, "a"), (0, "a"), (2, "a"), (2, "b")]);
        assert_eq!(forks("all", &trained), Ok(vec![0, 1, 2]), "fork 2 won no match");
        assert_eq!(forks("all", &table(&[(0, "a"), (0, "b")])), Ok(vec![0]), "a method with one fork");
        assert_eq!(forks("all", &table(&[])), Ok(vec![0, 1, 2]));
        assert_eq!(forks("auto", &trained), Ok(vec![2]));
        assert_eq!(forks("2", &trained), Ok(vec![1]));
        assert_eq!(forks("4", &trained), Err(ForkChoiceError::TooLarge { asked: 4, forks: 3 }));
        assert_eq!(forks("auto", &table(&[])), Err(ForkChoiceError::NoneChosen));
        for text in ["0", "-1", "", "best", "1.5"] {
            assert_eq!(forks(text, &trained), Err(ForkChoiceError::Unknown(text.into())));
        }
    }
}
