//! The answer inside a text, and whether it is right.

use crate::format::AnswerFormat;
use ssft_data::record::Record;
use ssft_tasks::{Strategy, Task};

/// Who decides whether an answer is right.
#[derive(Clone, Copy)]
pub enum Judge {
    /// A built-in task, which recomputes the answer and names the strategy.
    Task(&'static dyn Task),
    /// The record's `answer`, in the given form.
    Reference(AnswerFormat),
}

/// What a judge says of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The extracted answer, in the one form in which votes count it.
    pub answer: Option<String>,
    /// It is right.
    pub correct: bool,
    /// The strategy's name, `chimera` or `other`; `None` where nobody can name one.
    pub strategy: Option<String>,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Task(task) => write!(f, "Task({})", task.name()),
            Self::Reference(format) => write!(f, "Reference({format:?})"),
        }
    }
}

impl Judge {
    /// The names that a strategy can have: those of the task in its order, then `chimera` and `other`; none
    /// where nobody can name one.
    pub fn strategies(&self) -> Vec<String> {
        let Self::Task(task) = self else { return Vec::new() };
        let named = (0..task.strategies().len()).map(Strategy::Named);
        named
            .chain([Strategy::Chimera, Strategy::Other])
            .map(|strategy| strategy_name(*task, strategy))
            .collect()
    }

    /// Judges one text as an answer to `record`.
    pub fn judge(&self, record: &Record, text: &str) -> Judgement {
        match self {
            Self::Task(task) => {
                let question = record.question.as_deref().unwrap_or_default();
                let verdict = task.verify(question, text);
                // `x ####` claims nothing, and nothing does not vote.
                let answer = verdict.answer.filter(|answer| !answer.is_empty());
                let strategy = strategy_name(*task, task.classify(question, text));
                Judgement { answer, correct: verdict.answer_correct, strategy: Some(strategy) }
            }
            Self::Reference(format) => {
                let answer = format.extract(text);
                let reference = record.answer.as_deref().map(|answer| format.canonical(answer));
                Judgement { correct: answer.is_some() && answer == reference, answer, strategy: None }
            }
        }
    }
}

/// The name of a strategy as tables show it.
pub fn strategy_name(task: &dyn Task, strategy: Strategy) -> String {
    match strategy {
        Strategy::Named(index) => task.strategies()[index],
        Strategy::Chimera => "chimera",
        Strategy::Other => "other",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_judge_compares_in_its_form() {
        let record = Record {
            id: "q".into(),
            question: Some("?".into()),
            messages: None,
            traces: vec![],
            answer: Some(" 47".into()),
        };
        let exact = Judge::Reference(AnswerFormat::Exact);
        assert!(exact.judge(&record, "so #### 47").correct);
        assert!(!exact.judge(&record, "so 47").correct);
        assert!(!exact.judge(&record, "so #### 48").correct);
        assert!(!exact.judge(&record, "so #### 47.0").correct);
        assert!(Judge::Reference(AnswerFormat::Numeric).judge(&record, "so 47.0").correct);
        let silent = Record { answer: None, ..record };
        assert!(!exact.judge(&silent, "nothing").correct);
        assert!(!exact.judge(&silent, "so #### 47").correct);
    }
}
