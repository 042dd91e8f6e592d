//! What the forks of a model can do: accuracy of each, the vote, and how much they differ.

use crate::answer::Judge;
use crate::fork::{DecodeError, Finish, Stop, decode_forks};
use crate::vote::majority;
use serde::Serialize;
use ssft_data::encode::Encoder;
use ssft_data::error::DataError;
use ssft_data::record::Record;
use ssft_model::Decoder;
use std::collections::BTreeSet;
use thiserror::Error;

/// Why an evaluation stops.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// A question cannot be encoded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Decoding failed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Greedy answers of all forks to a set of questions, and what follows from them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Questions asked.
    pub n_questions: usize,
    /// Each fork on its own.
    pub forks: Vec<ForkScore>,
    /// The fork to use where one answer is wanted, from 1: the coverage rule's choice.
    pub chosen_fork: Option<usize>,
    /// Share of questions whose majority over one answer a fork is right (native Cons@N).
    pub native_cons_at_n: f64,
    /// Share of questions that at least one fork answers correctly.
    pub any_correct: f64,
    /// Mean number of different answers to a question.
    pub distinct_answers: f64,
    /// Mean number of different named strategies on a question; absent where nobody can name one.
    pub distinct_strategies: Option<f64>,
    /// I(fork; strategy) over the answers that show a named strategy, in bits.
    pub mutual_information: Option<f64>,
    /// The names behind the columns of [`ForkScore::strategies`].
    pub strategies: Vec<String>,
    /// Every answer.
    pub samples: Vec<Sample>,
}

/// One fork on its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForkScore {
    /// From 1.
    pub fork: usize,
    /// Share of correct answers.
    pub pass_at_1: f64,
    /// How often each strategy was shown.
    pub strategies: Vec<usize>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Id of the question.
    pub id: String,
    /// The question's text, if it has one.
    pub question: Option<String>,
    /// From 1.
    pub fork: usize,
    /// Number of the answer among those of this fork to this question, from 0; greedy decoding gives one.
    pub sample: usize,
    /// The decoded text.
    pub text: String,
    /// The extracted answer.
    pub answer: Option<String>,
    /// It is right.
    pub correct: bool,
    /// The strategy's name, `chimera` or `other`.
    pub strategy: Option<String>,
    /// Why the text ended.
    pub finish: Finish,
}

/// How to evaluate.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// Questions decoded together.
    pub batch: usize,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Who decides.
    pub judge: Judge,
    /// The coverage rule's choice, from 1.
    pub chosen_fork: Option<usize>,
}

/// Decodes every question greedily under every fork and scores the answers. `progress` hears how many
/// questions are done.
///
/// # Errors
/// [`EvaluateError`] if a question cannot be encoded or decoding fails.
pub async fn evaluate(
    model: &Decoder,
    encoder: &Encoder,
    records: &[Record],
    protocol: Protocol,
    mut progress: impl FnMut(usize),
) -> Result<Evaluation, EvaluateError> {
    let forks = encoder.tokenizer().forks().len();
    let leads: Vec<Vec<u32>> = (0..forks).map(|fork| encoder.lead(fork)).collect();
    let stop = Stop { eos: encoder.tokenizer().eos(), max_tokens: protocol.max_tokens };
    let mut samples = Vec::with_capacity(records.len() * forks);
    for batch in records.chunks(protocol.batch.max(1)) {
        let prompts = batch
            .iter()
            .map(|record| Ok(encoder.encode(record)?.prompt))
            .collect::<Result<Vec<_>, DataError>>()?;
        let answers = decode_forks(model, &prompts, &leads, stop).await?;
        for (record, continuations) in batch.iter().zip(answers) {
            for (fork, continuation) in continuations.into_iter().enumerate() {
                let text = encoder.tokenizer().decode(&continuation.tokens)?;
                samples.push(sample(record, fork + 1, text, continuation.finish, protocol.judge));
            }
        }
        progress(samples.len() / forks);
    }
    Ok(score(samples, forks, &protocol.judge.strategies(), protocol.chosen_fork))
}

fn sample(record: &Record, fork: usize, text: String, finish: Finish, judge: Judge) -> Sample {
    let judged = judge.judge(record, &text);
    Sample {
        id: record.id.clone(),
        question: record.question.clone(),
        fork,
        sample: 0,
        text,
        answer: judged.answer,
        correct: judged.correct,
        strategy: judged.strategy,
        finish,
    }
}

/// All figures of an evaluation from its samples, which stand question by question, fork by fork.
/// `strategies` are the names a sample may bear, in the order of the columns, `chimera` and `other` last; empty where
/// nobody names any.
pub fn score(
    samples: Vec<Sample>,
    forks: usize,
    strategies: &[String],
    chosen_fork: Option<usize>,
) -> Evaluation {
    let questions: Vec<&[Sample]> = samples.chunks(forks).collect();
    let share = |holds: &dyn Fn(&[Sample]) -> bool| {
        mean(questions.iter().map(|samples| f64::from(u8::from(holds(samples)))))
    };
    let fork_score = |fork: usize| {
        let ours: Vec<&Sample> = samples.iter().filter(|sample| sample.fork == fork).collect();
        let count =
            |name: &String| ours.iter().filter(|sample| sample.strategy.as_ref() == Some(name)).count();
        ForkScore {
            fork,
            pass_at_1: mean(ours.iter().map(|sample| f64::from(u8::from(sample.correct)))),
            strategies: strategies.iter().map(count).collect(),
        }
    };
    let scores: Vec<ForkScore> = (1..=forks).map(fork_score).collect();
    // Chimeras and the unrecognisable are no strategies: a fork that only babbles must not look distinctive.
    let columns = strategies.iter().filter(|name| is_strategy(name)).count();
    let counts: Vec<&[usize]> = scores.iter().map(|score| &score.strategies[..columns]).collect();
    let classified = !strategies.is_empty();
    Evaluation {
        n_questions: questions.len(),
        native_cons_at_n: share(&consensus_is_correct),
        any_correct: share(&|samples| samples.iter().any(|sample| sample.correct)),
        distinct_answers: mean(
            questions.iter().map(|samples| distinct(samples.iter().filter_map(|s| s.answer.as_deref()))),
        ),
        distinct_strategies: classified
            .then(|| mean(questions.iter().map(|samples| distinct(named(samples))))),
        mutual_information: classified.then(|| mutual_information(&counts)),
        chosen_fork,
        forks: scores,
        strategies: strategies.to_vec(),
        samples,
    }
}

fn consensus_is_correct(samples: &[Sample]) -> bool {
    let Some((winner, _)) = majority(samples.iter().map(|sample| sample.answer.as_deref())) else {
        return false;
    };
    samples.iter().any(|sample| sample.correct && sample.answer.as_deref() == Some(winner))
}

fn is_strategy(name: &str) -> bool {
    name != "chimera" && name != "other"
}

fn named(samples: &[Sample]) -> impl Iterator<Item = &str> {
    samples.iter().filter_map(|sample| sample.strategy.as_deref()).filter(|name| is_strategy(name))
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> f64 {
    names.collect::<BTreeSet<_>>().len() as f64
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    if count == 0 { 0.0 } else { values.sum::<f64>() / count as f64 }
}

/// `I(row; column) = sum p(r, c) log2(p(r, c) / (p(r) p(c)))` of a table of counts, in bits.
pub fn mutual_information(counts: &[&[usize]]) -> f64 {
    let total: usize = counts.iter().map(|row| row.iter().sum::<usize>()).sum();
    let row_sum = |row: usize| counts[row].iter().sum::<usize>() as f64;
    let column_sum = |column: usize| counts.iter().map(|row| row[column]).sum::<usize>() as f64;
    let mut bits = 0.0;
    for (row, cells) in counts.iter().enumerate() {
        for (column, &count) in cells.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let count = count as f64;
            bits +=
                count / total as f64 * (count * total as f64 / (row_sum(row) * column_sum(column))).log2();
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(id: &str, fork: usize, answer: Option<&str>, correct: bool, strategy: &str) -> Sample {
        Sample {
            id: id.into(),
            question: None,
            fork,
            sample: 0,
            text: String::new(),
            answer: answer.map(str::to_owned),
            correct,
            strategy: Some(strategy.into()),
            finish: Finish::Eos,
        }
    }

    #[test]
    fn two_questions_and_three_forks_by_hand() {
        let samples = vec![
            answered("a", 1, Some("5"), true, "lsb"),
            answered("a", 2, Some("6"), false, "msb"),
            answered("a", 3, Some("5"), true, "lsb"),
            answered("b", 1, Some("7"), true, "lsb"),
            answered("b", 2, Some("8"), false, "msb"),
            answered("b", 3, Some("8"), false, "chimera"),
        ];
        let names = ["lsb", "msb", "chimera", "other"].map(str::to_owned);
        let evaluation = score(samples, 3, &names, Some(1));
        let passes: Vec<f64> = evaluation.forks.iter().map(|fork| fork.pass_at_1).collect();
        assert_eq!(passes, [1.0, 0.0, 0.5]);
        assert_eq!((evaluation.native_cons_at_n, evaluation.any_correct), (0.5, 1.0));
        assert_eq!(evaluation.distinct_answers, 2.0);
        assert_eq!(evaluation.distinct_strategies, Some(2.0));
        assert_eq!(evaluation.forks[2].strategies, [1, 0, 1, 0]);
    }

    #[test]
    fn information_by_hand() {
        assert_eq!(mutual_information(&[&[4, 0], &[0, 4]]), 1.0, "a fork names its strategy");
        assert_eq!(mutual_information(&[&[2, 2], &[2, 2]]), 0.0, "a fork says nothing");
        assert_eq!(mutual_information(&[&[4, 0, 0, 0], &[0, 4, 0, 0], &[0, 0, 4, 0], &[0, 0, 0, 4]]), 2.0);
        assert_eq!(mutual_information(&[&[0, 0], &[0, 0]]), 0.0);
    }

    #[test]
    fn nobody_right_and_nobody_answering() {
        let samples = vec![answered("a", 1, None, false, "other"), answered("a", 2, None, false, "other")];
        let evaluation = score(samples, 2, &["other".to_owned()], None);
        assert_eq!(
            (evaluation.native_cons_at_n, evaluation.any_correct, evaluation.distinct_answers),
            (0.0, 0.0, 0.0)
        );
        assert_eq!(evaluation.distinct_strategies, Some(0.0));
    }
}
