//! Judging a text: its answer, and whether the answer is correct.

use super::format::AnswerFormat;
use ssft_data::record::Record;
use ssft_tasks::{Strategy, Task};

/// Judge of answers.
///
/// ```
/// use ssft_data::record::Record;
/// use ssft_decode::{AnswerFormat, Judge, majority, pass_at_k};
/// use ssft_tasks::arithmetic::Arithmetic;
///
/// let record = Record {
///     id: "q1".to_owned(),
///     question: Some("12+35=".to_owned()),
///     messages: None,
///     traces: Vec::new(),
///     answer: Some("47".to_owned()),
/// };
/// let texts = ["2+5=7;1+3=4 #### 47", "10+30=40;40+2+5=47 #### 47", "#### 46"];
/// let judged = texts.map(|text| Judge::Task(&Arithmetic).judge(&record, text));
/// assert_eq!(judged[1].strategy.as_deref(), Some("msb"));
///
/// let vote = majority(judged.iter().map(|judged| judged.answer.as_deref())).expect("three answers");
/// assert_eq!((vote.answer, vote.votes), ("47", 2));
/// let correct = judged.iter().filter(|judged| judged.correct).count();
/// assert!((pass_at_k(3, correct, 1) - 2.0 / 3.0).abs() < 1e-12);
///
/// assert!(Judge::Reference(AnswerFormat::Numeric).judge(&record, "so 47.0").correct);
/// ```
#[derive(Clone, Copy)]
pub enum Judge {
    /// A built-in task, which recomputes the answer and classifies the text.
    Task(&'static dyn Task),
    /// Comparison with the record's `answer` in this format.
    Reference(AnswerFormat),
}

/// Result of judging one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The extracted answer in canonical form, so that equal answers are equal strings in a vote.
    pub answer: Option<String>,
    /// Whether the answer is correct.
    pub correct: bool,
    /// Name of the strategy, `chimera` or `other`; `None` without a classifier.
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
    /// All possible values of [`Judgement::strategy`]: the task's strategies in order, then `chimera` and `other`. Empty
    /// without a classifier.
    pub fn strategies(&self) -> Vec<String> {
        let Self::Task(task) = self else { return Vec::new() };
        let named = (0..task.strategies().len()).map(Strategy::Named);
        named
            .chain([Strategy::Chimera, Strategy::Other])
            .map(|strategy| strategy_name(*task, strategy))
            .collect()
    }

    /// Judges `text` as an answer to `record`.
    pub fn judge(&self, record: &Record, text: &str) -> Judgement {
        match self {
            Self::Task(task) => {
                let question = record.question.as_deref().unwrap_or_default();
                let verdict = task.verify(question, text);
                // The answer of `x ####` is empty and does not vote.
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

/// Name of a strategy in tables: that of the task, `chimera` or `other`.
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
