//! From answers to figures: everything here can be computed again from the samples and, where votes or intervals draw,
//! the seed.

use crate::bootstrap::{Bootstrap, Estimate};
use crate::fork::Finish;
use crate::measures::{agreement, consensus, distinct, fair_split, mutual_information, pass_at_k};
use crate::sample::{Purpose, generator};
use serde::Serialize;
use std::collections::BTreeMap;

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Id of the question.
    pub id: String,
    /// The question's text, if it has one.
    pub question: Option<String>,
    /// From 1.
    pub fork: usize,
    /// Number of the answer among those of this fork to this question, from 0; greedy and drawn ones count apart.
    pub sample: usize,
    /// The most likely text, not one that was drawn.
    pub greedy: bool,
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

/// All answers to one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// `[forks]`: the most likely one of each.
    pub greedy: Vec<Sample>,
    /// `[forks][samples]`: those that were drawn; no samples where none were.
    pub drawn: Vec<Vec<Sample>>,
}

impl Answers {
    /// `[forks][samples]`: what accuracy is measured on, the drawn answers or, without any, the greedy ones.
    fn main(&self, fork: usize) -> &[Sample] {
        match self.drawn.get(fork) {
            Some(drawn) if !drawn.is_empty() => drawn,
            _ => std::slice::from_ref(&self.greedy[fork]),
        }
    }

    /// The first of those of each fork.
    fn native(&self) -> impl Iterator<Item = &Sample> {
        (0..self.greedy.len()).map(|fork| &self.main(fork)[0])
    }
}

/// What figures are made of.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The forks asked, from 1, in the order of the answers.
    pub forks: Vec<usize>,
    /// The coverage rule's choice, from 1.
    pub chosen_fork: Option<usize>,
    /// The names a strategy may have, the last two not a task's own: `chimera` and `other`; empty where nobody names any.
    pub strategies: Vec<String>,
    /// The k of Pass@k and Cons@k; those beyond the number of samples are left out.
    pub ks: Vec<usize>,
    /// Of the forks that give one more sample to a vote, and of the intervals.
    pub seed: u64,
}

/// What the forks of a model can do. Accuracy is that of the drawn answers, if there are any; what is said of
/// diversity is that of the greedy ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Questions asked.
    pub n_questions: usize,
    /// Drawn answers of each fork to each question; 0: all is of greedy ones.
    pub samples_per_fork: usize,
    /// Each fork on its own.
    pub forks: Vec<ForkScore>,
    /// The fork to use where one answer is wanted, from 1: the coverage rule's choice, if it was asked.
    pub chosen_fork: Option<usize>,
    /// All forks together.
    #[serde(flatten)]
    pub figures: Figures<f64>,
    /// 95 % intervals of the same figures, over draws of the questions. That of the mutual information lies too high where
    /// it is near 0: draws add to what few counts add already.
    pub ci95: Figures<[f64; 2]>,
    /// `[forks][forks]`: share of questions to which both give the same greedy answer.
    pub agreement: Vec<Vec<f64>>,
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
    /// Share of its answers that are correct.
    pub pass_at_1: f64,
    /// 95 % interval of it.
    pub ci95: [f64; 2],
    /// How often its greedy answers showed each strategy.
    pub strategies: Vec<usize>,
}

/// Figures of all forks together, or an interval of each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures<T> {
    /// Share of correct answers of the chosen fork.
    pub chosen_pass_at_1: Option<T>,
    /// By k: the chance that of k answers, drawn from those of all forks, one is correct.
    pub pass_at_k: BTreeMap<usize, T>,
    /// By k: share of questions whose majority over k answers, split fairly over the forks, is correct.
    pub cons_at_k: BTreeMap<usize, T>,
    /// Share of questions whose majority over one answer a fork is correct.
    pub native_cons_at_n: T,
    /// Share of questions to which at least one fork's first answer is correct: native coverage.
    pub any_correct: T,
    /// Mean number of different answers to a question.
    pub distinct_answers: T,
    /// Mean number of different texts.
    pub distinct_traces: T,
    /// Mean number of different strategies; absent where nobody can name one.
    pub distinct_strategies: Option<T>,
    /// I(fork; strategy) over the answers that show a strategy, in bits.
    pub mutual_information: Option<T>,
}

/// All figures of some answers, question by question.
///
/// # Panics
/// If a question has not the same number of answers from each fork.
pub fn score(answers: Vec<Answers>, rules: &Rules) -> Evaluation {
    let forks = rules.forks.len();
    let samples_per_fork = answers.first().and_then(|answers| answers.drawn.first()).map_or(0, Vec::len);
    let fits = |answers: &Answers| {
        let drawn = answers.drawn.iter().all(|drawn| drawn.len() == samples_per_fork);
        answers.greedy.len() == forks && drawn && (samples_per_fork == 0 || answers.drawn.len() == forks)
    };
    assert!(answers.iter().all(fits), "answers of {forks} forks, {samples_per_fork} drawn");
    let table = Table { answers: &answers, rules, bootstrap: Bootstrap::new(answers.len(), rules.seed) };
    let scores = (0..forks).map(|fork| table.fork(fork)).collect();
    let figures = table.figures(samples_per_fork.max(1));
    let said: Vec<Vec<Option<&str>>> =
        answers.iter().map(|answers| answers.greedy.iter().map(|s| s.answer.as_deref()).collect()).collect();
    let agreement = agreement(&said, forks);
    Evaluation {
        n_questions: answers.len(),
        samples_per_fork,
        forks: scores,
        chosen_fork: rules.chosen_fork.filter(|chosen| rules.forks.contains(chosen)),
        ci95: figures.map(|estimate| estimate.ci95),
        figures: figures.map(|estimate| estimate.value),
        agreement,
        strategies: rules.strategies.clone(),
        samples: answers
            .into_iter()
            .flat_map(|answers| answers.greedy.into_iter().chain(answers.drawn.into_iter().flatten()))
            .collect(),
    }
}

/// A name that a task gave, not one for what has none: a fork that only babbles must not look distinctive.
pub fn is_strategy(name: &str) -> bool {
    name != "chimera" && name != "other"
}

/// Answers on their way to figures.
struct Table<'a> {
    answers: &'a [Answers],
    rules: &'a Rules,
    bootstrap: Bootstrap,
}

impl Table<'_> {
    fn forks(&self) -> usize {
        self.rules.forks.len()
    }

    fn fork(&self, fork: usize) -> ForkScore {
        let Estimate { value, ci95 } = self.pass_at_1(fork);
        let strategies = self.strategy_counts(fork, 0..self.answers.len());
        ForkScore { fork: self.rules.forks[fork], pass_at_1: value, ci95, strategies }
    }

    /// How often the fork's greedy answers to some questions showed each strategy.
    fn strategy_counts(&self, fork: usize, questions: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut counts = vec![0; self.rules.strategies.len()];
        for question in questions {
            let shown = self.answers[question].greedy[fork].strategy.as_ref();
            let column = self.rules.strategies.iter().position(|name| Some(name) == shown);
            column.into_iter().for_each(|column| counts[column] += 1);
        }
        counts
    }

    /// The mean of one number a question.
    fn mean(&self, of: impl Fn(usize, &Answers) -> f64) -> Estimate {
        let values: Vec<f64> =
            self.answers.iter().enumerate().map(|(question, answers)| of(question, answers)).collect();
        self.bootstrap.mean(|question| values[question])
    }

    fn pass_at_1(&self, fork: usize) -> Estimate {
        self.mean(|_, answers| correct(answers.main(fork)) as f64 / answers.main(fork).len() as f64)
    }

    fn pass_at_k(&self, k: usize) -> Estimate {
        self.mean(|_, answers| {
            let main = (0..self.forks()).map(|fork| answers.main(fork));
            let (samples, right) =
                main.fold((0, 0), |(samples, right), main| (samples + main.len(), right + correct(main)));
            pass_at_k(samples, right, k)
        })
    }

    fn cons_at_k(&self, k: usize) -> Estimate {
        self.mean(|question, answers| {
            let mut rng = generator(Purpose::Split, self.rules.seed, question as u64, k as u32, 0);
            let split = fair_split(k, self.forks(), &mut rng);
            let asked = split.iter().enumerate().flat_map(|(fork, &count)| &answers.main(fork)[..count]);
            share(consensus(asked.map(vote)))
        })
    }

    fn figures(&self, samples_per_fork: usize) -> Figures<Estimate> {
        let forks = self.forks();
        let ks: Vec<usize> =
            self.rules.ks.iter().copied().filter(|&k| 0 < k && k <= forks * samples_per_fork).collect();
        let chosen = self.rules.forks.iter().position(|&fork| Some(fork) == self.rules.chosen_fork);
        let classified = !self.rules.strategies.is_empty();
        Figures {
            chosen_pass_at_1: chosen.map(|fork| self.pass_at_1(fork)),
            pass_at_k: ks.iter().map(|&k| (k, self.pass_at_k(k))).collect(),
            cons_at_k: ks.iter().map(|&k| (k, self.cons_at_k(k))).collect(),
            native_cons_at_n: self.mean(|_, answers| share(consensus(answers.native().map(vote)))),
            any_correct: self.mean(|_, answers| share(answers.native().any(|sample| sample.correct))),
            distinct_answers: self.distinct(|sample| sample.answer.as_deref()),
            distinct_traces: self.distinct(|sample| Some(&sample.text)),
            distinct_strategies: classified
                .then(|| self.distinct(|sample| sample.strategy.as_deref().filter(|name| is_strategy(name)))),
            mutual_information: classified.then(|| self.mutual_information()),
        }
    }

    /// The mean number of different greedy ones.
    fn distinct(&self, of: impl Fn(&Sample) -> Option<&str>) -> Estimate {
        self.mean(|_, answers| distinct(answers.greedy.iter().filter_map(&of)) as f64)
    }

    fn mutual_information(&self) -> Estimate {
        let columns: Vec<usize> = (0..self.rules.strategies.len())
            .filter(|&column| is_strategy(&self.rules.strategies[column]))
            .collect();
        // `[questions][forks]`: the column of what was shown, found once for all draws.
        let shown: Vec<Vec<Option<usize>>> = (self.answers.iter())
            .map(|answers| {
                let column = |sample: &Sample| {
                    columns
                        .iter()
                        .position(|&column| Some(&self.rules.strategies[column]) == sample.strategy.as_ref())
                };
                answers.greedy.iter().map(column).collect()
            })
            .collect();
        self.bootstrap.estimate(|questions| {
            let mut counts = vec![vec![0; columns.len()]; self.forks()];
            for &question in questions {
                for (row, column) in counts.iter_mut().zip(&shown[question]) {
                    column.iter().for_each(|&column| row[column] += 1);
                }
            }
            mutual_information(&counts)
        })
    }
}

fn correct(samples: &[Sample]) -> usize {
    samples.iter().filter(|sample| sample.correct).count()
}

fn vote(sample: &Sample) -> (Option<&str>, bool) {
    (sample.answer.as_deref(), sample.correct)
}

fn share(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

impl<T> Figures<T> {
    fn map<U>(&self, of: impl Fn(&T) -> U) -> Figures<U> {
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

    fn says(fork: usize, answer: Option<&str>, correct: bool, strategy: &str) -> Sample {
        Sample {
            id: "q".into(),
            question: None,
            fork,
            sample: 0,
            greedy: true,
            text: format!("{strategy} {answer:?}"),
            answer: answer.map(str::to_owned),
            correct,
            strategy: Some(strategy.into()),
            finish: Finish::Eos,
        }
    }

    fn rules(forks: usize, ks: &[usize]) -> Rules {
        Rules {
            forks: (1..=forks).collect(),
            chosen_fork: Some(2),
            strategies: ["lsb", "msb", "chimera", "other"].map(str::to_owned).into(),
            ks: ks.to_vec(),
            seed: 1,
        }
    }

    fn greedy(greedy: Vec<Sample>) -> Answers {
        Answers { greedy, drawn: Vec::new() }
    }

    #[test]
    fn two_questions_and_three_greedy_forks_by_hand() {
        let a = vec![
            says(1, Some("5"), true, "lsb"),
            says(2, Some("6"), false, "msb"),
            says(3, Some("5"), true, "lsb"),
        ];
        let b = vec![
            says(1, Some("7"), true, "lsb"),
            says(2, Some("8"), false, "msb"),
            says(3, Some("8"), false, "chimera"),
        ];
        let found = score(vec![greedy(a), greedy(b)], &rules(3, &[1, 2, 3, 4]));
        let passes: Vec<f64> = found.forks.iter().map(|fork| fork.pass_at_1).collect();
        assert_eq!(passes, [1.0, 0.0, 0.5]);
        let figures = &found.figures;
        assert_eq!(figures.chosen_pass_at_1, Some(0.0));
        // Of the first question 2 of 3 are right, of the second 1 of 3.
        assert!((figures.pass_at_k[&1] - 0.5).abs() < 1e-12);
        assert!((figures.pass_at_k[&2] - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert_eq!((figures.pass_at_k[&3], figures.pass_at_k.get(&4)), (1.0, None));
        assert_eq!((figures.native_cons_at_n, figures.cons_at_k[&3], figures.any_correct), (0.5, 0.5, 1.0));
        assert_eq!((figures.distinct_answers, figures.distinct_traces), (2.0, 2.5));
        // lsb and msb on both questions; a chimera is none.
        assert_eq!(figures.distinct_strategies, Some(2.0));
        assert_eq!(found.forks[2].strategies, [1, 0, 1, 0]);
        // Forks 1, 2, 3 show lsb 2, msb 2, lsb 1 of 5 times: H(strategy) - H(strategy | fork) = H(3/5) - 0.
        let entropy = -(0.6f64 * 0.6f64.log2() + 0.4 * 0.4f64.log2());
        assert!((figures.mutual_information.expect("classified") - entropy).abs() < 1e-12);
        assert_eq!(found.agreement, [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.5, 0.5, 1.0]]);
        assert_eq!(found.ci95.native_cons_at_n, [0.0, 1.0]);
        assert_eq!((found.n_questions, found.samples_per_fork, found.samples.len()), (2, 0, 6));
    }

    #[test]
    fn drawn_answers_by_hand() {
        let drawn = |fork, answers: [(&str, bool); 2]| {
            answers
                .map(|(answer, correct)| Sample { greedy: false, ..says(fork, Some(answer), correct, "lsb") })
                .to_vec()
        };
        let answers = Answers {
            greedy: vec![says(1, Some("0"), false, "lsb"), says(2, Some("0"), false, "lsb")],
            drawn: vec![drawn(1, [("5", true), ("6", false)]), drawn(2, [("6", false), ("6", false)])],
        };
        let found = score(vec![answers], &rules(2, &[1, 2, 3, 4]));
        assert_eq!((found.forks[0].pass_at_1, found.forks[1].pass_at_1), (0.5, 0.0));
        assert_eq!(found.figures.pass_at_k[&1], 0.25);
        // The first of each fork: 5 and 6, and the tie goes to fork 1. All four: 6 wins.
        assert_eq!(
            (found.figures.native_cons_at_n, found.figures.cons_at_k[&2], found.figures.cons_at_k[&4]),
            (1.0, 1.0, 0.0)
        );
        assert_eq!((found.figures.any_correct, found.figures.distinct_answers), (1.0, 1.0));
        assert_eq!((found.samples_per_fork, found.samples.len()), (2, 6));
    }

    /// k = 1 of two forks asks one of them, drawn question by question.
    #[test]
    fn fewer_samples_than_forks_are_a_random_subset() {
        let question = |_| greedy(vec![says(1, Some("5"), true, "lsb"), says(2, Some("6"), false, "msb")]);
        let found = score((0..400).map(question).collect(), &rules(2, &[1]));
        // Half of 400, within four standard deviations of 0.025.
        assert!((found.figures.cons_at_k[&1] - 0.5).abs() < 0.1, "{:?}", found.figures.cons_at_k);
    }

    #[test]
    fn nobody_right_and_nobody_answering() {
        let silent = vec![says(1, None, false, "other"), says(2, None, false, "other")];
        let found = score(vec![greedy(silent)], &rules(2, &[1, 2])).figures;
        assert_eq!((found.native_cons_at_n, found.any_correct, found.distinct_answers), (0.0, 0.0, 0.0));
        assert_eq!((found.pass_at_k[&2], found.cons_at_k[&2]), (0.0, 0.0));
        assert_eq!((found.distinct_strategies, found.mutual_information), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn everybody_right() {
        let right = || greedy(vec![says(1, Some("5"), true, "lsb"), says(2, Some("5"), true, "msb")]);
        let found = score(vec![right(), right(), right()], &rules(2, &[1, 2]));
        assert_eq!((found.figures.pass_at_k[&1], found.figures.cons_at_k[&2]), (1.0, 1.0));
        assert_eq!(found.ci95.pass_at_k[&2], [1.0, 1.0]);
        assert_eq!(found.figures.mutual_information, Some(1.0));
        assert_eq!(found.agreement, [[1.0, 1.0], [1.0, 1.0]]);
    }

    #[test]
    fn without_strategies_and_without_questions() {
        let rules = Rules { strategies: Vec::new(), chosen_fork: Some(9), ..rules(2, &[1]) };
        let one = greedy(vec![says(1, Some("5"), true, "lsb"), says(2, Some("5"), true, "msb")]);
        let found = score(vec![one], &rules);
        assert_eq!((found.figures.distinct_strategies, found.figures.mutual_information), (None, None));
        assert_eq!((found.chosen_fork, found.figures.chosen_pass_at_1), (None, None));
        assert_eq!(score(Vec::new(), &rules).n_questions, 0);
    }
}
