//! The answer inside a text, and whether it is right.

use ssft_data::record::Record;
use ssft_data::tasks::{Strategy, Task};

/// The text after the last `####`, trimmed; `None` without such a mark or with nothing behind it.
pub fn extract(text: &str) -> Option<&str> {
    let (_, answer) = text.rsplit_once("####")?;
    Some(answer.trim()).filter(|answer| !answer.is_empty())
}

/// Who decides whether an answer is right.
#[derive(Clone, Copy)]
pub enum Judge {
    /// A built-in task, which recomputes the answer and names the strategy.
    Task(&'static dyn Task),
    /// Equality with the record's `answer`.
    Reference,
}

/// What a judge says of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The extracted answer.
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
            Self::Reference => write!(f, "Reference"),
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
            Self::Reference => {
                let answer = extract(text).map(str::to_owned);
                let correct =
                    answer.is_some() && answer.as_deref() == record.answer.as_deref().map(str::trim);
                Judgement { answer, correct, strategy: None }
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
    fn answers_by_hand() {
        for (text, answer) in [
            ("2+5=7 #### 47", Some("47")),
            ("#### 1 #### 2 ", Some("2")),
            ("no mark", None),
            ("#### ", None),
            ("", None),
        ] {
            assert_eq!(extract(text), answer, "{text:?}");
        }
    }

    #[test]
    fn a_reference_judge_wants_the_very_answer() {
        let record = Record {
            id: "q".into(),
            question: Some("?".into()),
            messages: None,
            traces: vec![],
            answer: Some(" 47".into()),
        };
        assert!(Judge::Reference.judge(&record, "so #### 47").correct);
        assert!(!Judge::Reference.judge(&record, "so 47").correct);
        assert!(!Judge::Reference.judge(&record, "so #### 48").correct);
        let silent = Record { answer: None, ..record };
        assert!(!Judge::Reference.judge(&silent, "nothing").correct);
    }
}
