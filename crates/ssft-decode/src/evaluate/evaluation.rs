//! Result of an evaluation: figures, intervals and all samples, the content of `eval.json`.

use super::by_k;
use crate::decode::continuation::Finish;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Evaluation of a model's forks. Accuracy refers to the drawn answers, if there are any, else to the greedy ones;
/// diversity refers to the greedy ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of questions.
    pub n_questions: usize,
    /// Drawn answers per fork and question; 0 if there are only greedy answers.
    pub samples_per_fork: usize,
    /// Scores of the individual forks.
    pub forks: Vec<ForkScore>,
    /// The fork (from 1) chosen by the coverage rule, if it was evaluated.
    pub chosen_fork: Option<usize>,
    /// Figures of all forks together.
    #[serde(flatten)]
    pub figures: Figures<f64>,
    /// 95 % intervals of the figures, by bootstrap over the questions. That of a mutual information near 0 is too high:
    /// resampling adds to its upward bias.
    pub ci95: Figures<[f64; 2]>,
    /// `[forks, forks]`: fraction of the questions to which both forks give the same greedy answer.
    pub agreement: Vec<Vec<f64>>,
    /// Names of the columns of [`ForkScore::strategies`].
    pub strategies: Vec<String>,
    /// All answers.
    pub samples: Vec<Sample>,
}

/// Scores of one fork.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForkScore {
    /// Fork, from 1.
    pub fork: usize,
    /// Fraction of its answers that are correct.
    pub pass_at_1: f64,
    /// 95 % interval of `pass_at_1`.
    pub ci95: [f64; 2],
    /// Number of greedy answers with each strategy.
    pub strategies: Vec<usize>,
}

/// Figures of all forks together, or an interval of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures<T> {
    /// Fraction of correct answers of the chosen fork.
    #[serde(default)]
    pub chosen_pass_at_1: Option<T>,
    /// By k: probability that at least one of k answers, drawn from those of all forks, is correct.
    #[serde(deserialize_with = "by_k::deserialize")]
    pub pass_at_k: BTreeMap<usize, T>,
    /// By k: fraction of the questions with a correct majority over k answers, split evenly over the forks.
    #[serde(deserialize_with = "by_k::deserialize")]
    pub cons_at_k: BTreeMap<usize, T>,
    /// Fraction of the questions with a correct majority over one answer per fork.
    pub native_cons_at_n: T,
    /// Fraction of the questions to which the first answer of at least one fork is correct.
    pub any_correct: T,
    /// Mean number of different answers per question.
    pub distinct_answers: T,
    /// Mean number of different texts per question.
    pub distinct_traces: T,
    /// Mean number of different strategies per question; `None` without a classifier.
    #[serde(default)]
    pub distinct_strategies: Option<T>,
    /// I(fork; strategy) over the answers with a named strategy, in bits; `None` without a classifier.
    #[serde(default)]
    pub mutual_information: Option<T>,
}

/// One answer of one fork to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Id of the question.
    pub id: String,
    /// Text of the question, if it is plain text.
    pub question: Option<String>,
    /// Fork, from 1.
    pub fork: usize,
    /// Index among the answers of this fork to this question; greedy and drawn answers are counted separately.
    pub sample: usize,
    /// Whether the text was decoded greedily.
    pub greedy: bool,
    /// Decoded text.
    pub text: String,
    /// Extracted answer.
    pub answer: Option<String>,
    /// Whether the answer is correct.
    pub correct: bool,
    /// Name of the strategy, `chimera` or `other`; `None` without a classifier.
    pub strategy: Option<String>,
    /// Reason for the end of the text.
    pub finish: Finish,
}

impl<T> Figures<T> {
    /// The figures with `of` applied to each.
    pub(super) fn map<U>(&self, of: impl Fn(&T) -> U) -> Figures<U> {
        let by_k =
            |figures: &BTreeMap<usize, T>| figures.iter().map(|(&k, figure)| (k, of(figure))).collect();
        Figures {
            chosen_pass_at_1: self.chosen_pass_at_1.as_ref().map(&of),
            pass_at_k: by_k(&self.pass_at_k),
            cons_at_k: by_k(&self.cons_at_k),
            native_cons_at_n: of(&self.native_cons_at_n),
            any_correct: of(&self.any_correct),
            distinct_answers: of(&self.distinct_answers),
            distinct_traces: of(&self.distinct_traces),
            distinct_strategies: self.distinct_strategies.as_ref().map(&of),
            mutual_information: self.mutual_information.as_ref().map(&of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures<T: Clone>(values: &[T; 4]) -> Figures<T> {
        let [a, b, c, d] = values.clone();
        Figures {
            chosen_pass_at_1: Some(a.clone()),
            pass_at_k: BTreeMap::from([(1, a.clone()), (16, b.clone())]),
            cons_at_k: BTreeMap::from([(6, c.clone())]),
            native_cons_at_n: d.clone(),
            any_correct: a,
            distinct_answers: b,
            distinct_traces: c,
            distinct_strategies: None,
            mutual_information: Some(d),
        }
    }

    /// Floats that `serde_json` rounds without its feature `float_roundtrip`, and extreme ones.
    const FLOATS: [f64; 4] = [0.958_333_333_333_333_5, 1.0 / 3.0, 5e-324, 123_456.789_012_345_67];

    fn evaluation() -> Evaluation {
        let pair = FLOATS.map(|float| [-float, float]);
        let fork = ForkScore { fork: 2, pass_at_1: FLOATS[1], ci95: pair[3], strategies: vec![1, 0] };
        let sample = Sample {
            id: "q \"1.5\"".into(),
            question: None,
            fork: 2,
            sample: 3,
            greedy: false,
            text: "é 2.5\\ \n#### 1e5".into(),
            answer: Some("1e5".into()),
            correct: true,
            strategy: Some("lsb".into()),
            finish: Finish::Length,
        };
        Evaluation {
            n_questions: 7,
            samples_per_fork: 4,
            forks: vec![fork],
            chosen_fork: Some(2),
            figures: figures(&FLOATS),
            ci95: figures(&pair),
            agreement: vec![vec![FLOATS[0], 1.0], vec![FLOATS[2], 0.0]],
            strategies: vec!["lsb".into(), "other".into()],
            samples: vec![sample],
        }
    }

    fn bits(figures: &Figures<f64>) -> impl Iterator<Item = u64> {
        let by_k = figures.pass_at_k.values().chain(figures.cons_at_k.values());
        let optional = figures.chosen_pass_at_1.iter().chain(&figures.mutual_information);
        by_k.chain(optional)
            .chain([&figures.any_correct, &figures.distinct_traces])
            .map(|value| value.to_bits())
    }

    #[test]
    fn json_is_read_back_with_every_field_and_bit() {
        let written = evaluation();
        for json in [serde_json::to_string(&written), serde_json::to_string_pretty(&written)] {
            let read =
                serde_json::from_str::<Evaluation>(&json.expect("finite floats")).expect("an evaluation");
            assert_eq!(read, written);
            assert!(bits(&read.figures).eq(bits(&written.figures)));
            // Equal text means equal bits of all floats: the shortest digits of a float are unique to it.
            let again = serde_json::to_string(&read).expect("finite floats");
            assert_eq!(again, serde_json::to_string(&written).expect("finite floats"));
        }
    }

    #[test]
    fn the_figures_are_flat_and_keys_of_k_are_strings() {
        let json = serde_json::to_value(evaluation()).expect("finite floats");
        assert_eq!(json["pass_at_k"]["16"], serde_json::json!(FLOATS[1]));
        assert_eq!(json["ci95"]["pass_at_k"]["16"], serde_json::json!([-FLOATS[1], FLOATS[1]]));
        let read: Evaluation = serde_json::from_value(json.clone()).expect("an evaluation");
        assert_eq!(read, evaluation(), "a value holds the floats themselves");
        let mut wrong = json;
        wrong["cons_at_k"] = serde_json::json!({"six": 0.5});
        assert!(serde_json::from_value::<Evaluation>(wrong).is_err());
    }
}
