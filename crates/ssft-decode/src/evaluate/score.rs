//! Scoring: from the answers of all forks to an [`Evaluation`].
//!
//! The samples and the seed determine every figure.

pub use super::evaluation::{Evaluation, Figures, ForkScore, Sample};

use super::bootstrap::{Bootstrap, Estimate};
use super::measures::{agreement, consensus, distinct, fair_split, mutual_information, pass_at_k};
use ssft_data::random::{Stream, generator};

/// All answers to one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// `[forks]`: greedy answers.
    pub greedy: Vec<Sample>,
    /// `[forks][samples]`: drawn answers; empty if none were drawn.
    pub drawn: Vec<Vec<Sample>>,
}

impl Answers {
    /// The answers of a fork on which accuracy is measured: the drawn ones or, without any, the greedy one.
    fn main(&self, fork: usize) -> &[Sample] {
        match self.drawn.get(fork) {
            Some(drawn) if !drawn.is_empty() => drawn,
            _ => std::slice::from_ref(&self.greedy[fork]),
        }
    }

    /// The first of the [`main`](Self::main) answers of each fork.
    fn native(&self) -> impl Iterator<Item = &Sample> {
        (0..self.greedy.len()).map(|fork| &self.main(fork)[0])
    }
}

/// Parameters of scoring.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The evaluated forks, from 1, in the order of the answers.
    pub forks: Vec<usize>,
    /// The fork (from 1) chosen by the coverage rule.
    pub chosen_fork: Option<usize>,
    /// Strategy names, the last two `chimera` and `other`; empty without a classifier.
    pub strategies: Vec<String>,
    /// Values of k of Pass@k and Cons@k; those above the number of answers per question are ignored.
    pub ks: Vec<usize>,
    /// Seed of the intervals, and of the choice of forks in votes of fewer answers.
    pub seed: u64,
}

/// Computes all figures of `answers [questions]`.
///
/// # Panics
/// If the number of answers differs between forks or questions.
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

/// Whether `name` is that of a strategy, not `chimera` or `other`. Only strategies count as diversity.
pub fn is_strategy(name: &str) -> bool {
    name != "chimera" && name != "other"
}

/// Answers, rules and resampled questions.
struct Table<'a> {
    answers: &'a [Answers],
    rules: &'a Rules,
    bootstrap: Bootstrap,
}

impl Table<'_> {
    fn forks(&self) -> usize {
        self.rules.forks.len()
    }

    /// The scores of the fork at index `fork`.
    fn fork(&self, fork: usize) -> ForkScore {
        let Estimate { value, ci95 } = self.pass_at_1(fork);
        let strategies = self.strategy_counts(fork, 0..self.answers.len());
        ForkScore { fork: self.rules.forks[fork], pass_at_1: value, ci95, strategies }
    }

    /// Number of greedy answers of a fork with each strategy, over some questions.
    fn strategy_counts(&self, fork: usize, questions: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut counts = vec![0; self.rules.strategies.len()];
        for question in questions {
            let shown = self.answers[question].greedy[fork].strategy.as_ref();
            let column = self.rules.strategies.iter().position(|name| Some(name) == shown);
            column.into_iter().for_each(|column| counts[column] += 1);
        }
        counts
    }

    /// The mean over the questions of one number per question.
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
            let mut rng = generator(self.rules.seed, Stream::Vote { question: question as u64, k: k as u32 });
            let split = fair_split(k, self.forks(), &mut rng);
            let asked = split.iter().enumerate().flat_map(|(fork, &count)| &answers.main(fork)[..count]);
            f64::from(consensus(asked.map(vote)))
        })
    }

    /// All figures; `samples_per_fork` is the number of [`Answers::main`] answers.
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
            native_cons_at_n: self.mean(|_, answers| f64::from(consensus(answers.native().map(vote)))),
            any_correct: self.mean(|_, answers| f64::from(answers.native().any(|sample| sample.correct))),
            distinct_answers: self.distinct(|sample| sample.answer.as_deref()),
            distinct_traces: self.distinct(|sample| Some(&sample.text)),
            distinct_strategies: classified
                .then(|| self.distinct(|sample| sample.strategy.as_deref().filter(|name| is_strategy(name)))),
            mutual_information: classified.then(|| self.mutual_information()),
        }
    }

    /// The mean number of different values of `of` among the greedy answers.
    fn distinct(&self, of: impl Fn(&Sample) -> Option<&str>) -> Estimate {
        self.mean(|_, answers| distinct(answers.greedy.iter().filter_map(&of)) as f64)
    }

    fn mutual_information(&self) -> Estimate {
        let columns: Vec<usize> = (0..self.rules.strategies.len())
            .filter(|&column| is_strategy(&self.rules.strategies[column]))
            .collect();
        // `[questions][forks]`: column of the strategy, computed once for all resamplings.
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

/// Number of correct samples.
fn correct(samples: &[Sample]) -> usize {
    samples.iter().filter(|sample| sample.correct).count()
}

/// The pair that [`consensus`] counts.
fn vote(sample: &Sample) -> (Option<&str>, bool) {
    (sample.answer.as_deref(), sample.correct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::continuation::Finish;

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
        // lsb and msb on both questions; a chimera does not count.
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

    /// With k = 1 and two forks one of them votes, drawn for each question.
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
