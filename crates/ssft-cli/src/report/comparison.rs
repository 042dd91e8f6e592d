//! Several runs side by side: arms of an experiment, each with several seeds.

use crate::report::record::RunRecord;
use crate::table::percent;
use serde::Serialize;
use serde_json::Value;
use ssft_decode::measures::distinct;
use ssft_decode::score::is_strategy;
use ssft_run::settings::Settings;
use ssft_train::Method;
use std::collections::{BTreeMap, BTreeSet};

/// A figure of a run, if the run has it.
type Figure = Box<dyn Fn(&RunRecord) -> Option<f64>>;

/// A figure with its name.
struct Measure {
    label: String,
    unit: Unit,
    of: Figure,
}

/// How a figure is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Of all questions.
    Share,
    /// A number.
    Number,
}

impl Unit {
    /// For people.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Share => percent(value),
            Self::Number => format!("{value:.2}"),
        }
    }
}

/// What several runs say together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Of the runs.
    pub mean: f64,
    /// Its 95 % interval over runs (Student's t); absent for a single one.
    pub ci95: Option<[f64; 2]>,
    /// Run by run.
    pub values: Vec<f64>,
}

/// Runs of one arm on one task.
#[derive(Debug, Clone, Serialize)]
pub struct Arm {
    /// The method's name, and N and L where these matter and are not those of the runs compared with.
    pub name: String,
    /// Of the runs, in order.
    pub seeds: Vec<u64>,
    /// Their names.
    pub runs: Vec<String>,
    /// Their places among all runs, at least one.
    #[serde(skip)]
    pub places: Vec<usize>,
    /// By measure, in the order of [`Comparison::measures`]; `None` where some run lacks it.
    pub figures: Vec<Option<Summary>>,
    /// The same, less those of the arm `ssft`, over the seeds that both have; `None` for that arm itself.
    pub less_ssft: Vec<Option<Summary>>,
}

/// All arms on one task.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What was learned.
    pub data: String,
    /// Labels and units of the figures.
    pub measures: Vec<(String, Unit)>,
    /// The arms there are.
    pub arms: Vec<Arm>,
}

/// A run of the arm that others are compared with: `ssft`, with the N and L that most runs have; the first without `ssft`.
fn base<'a>(runs: &[&'a RunRecord]) -> Option<&'a Settings> {
    let variant = |run: &RunRecord| (run.config.forks, run.config.match_tokens);
    let shared = |run: &RunRecord| runs.iter().filter(|other| variant(other) == variant(run)).count();
    // The first of equals: `max_by_key` takes the last.
    let ssft = runs.iter().rev().filter(|run| run.config.method == Method::Ssft);
    ssft.max_by_key(|run| shared(run)).or(runs.first()).map(|run| &run.config)
}

/// In the order of the paper: by method, and the variants of a method by name. N is nothing to a method with one fork,
/// and L to one that does not match.
fn arm_of(run: &Settings, base: &Settings) -> (usize, String) {
    const ORDER: [Method; 4] = [Method::Sft, Method::SftMixed, Method::SsftRandom, Method::Ssft];
    let mut name = run.method.name().to_owned();
    if run.forks != base.forks && matches!(run.method, Method::SsftRandom | Method::Ssft) {
        name += &format!(", N = {}", run.forks);
    }
    if run.match_tokens != base.match_tokens && run.method == Method::Ssft {
        name += &format!(", L = {}", run.match_tokens);
    }
    (ORDER.iter().position(|&method| method == run.method).unwrap_or(ORDER.len()), name)
}

/// Why runs cannot be compared, if they cannot: two are of one arm and seed, or they differ in more than arm and seed, or
/// were evaluated differently.
pub fn mismatch(runs: &[RunRecord]) -> Option<String> {
    for (at, run) in runs.iter().enumerate() {
        for other in runs[..at].iter().filter(|other| other.data() == run.data()) {
            let (ours, theirs) = (&run.config, &other.config);
            let (_, arm) = arm_of(ours, theirs);
            if (arm.as_str(), ours.seed) == (theirs.method.name(), theirs.seed) {
                return Some(format!(
                    "{} and {} are both {arm} with seed {}; give one of them",
                    other.name, run.name, ours.seed
                ));
            }
            if let Some(setting) = differing(ours, theirs) {
                return Some(format!(
                    "{} and {} differ in {setting}; compare runs that differ in method, forks, match-tokens and seed alone",
                    other.name, run.name
                ));
            }
            if let Some(what) = evaluated_differently(run, other) {
                return Some(format!(
                    "{} and {} were evaluated with another {what}; evaluate them alike",
                    other.name, run.name
                ));
            }
        }
    }
    None
}

/// The first thing that both were evaluated with, and not alike.
fn evaluated_differently(ours: &RunRecord, theirs: &RunRecord) -> Option<&'static str> {
    let (ours, theirs) = (ours.evaluation.as_ref()?, theirs.evaluation.as_ref()?);
    let draws = |evaluation: &Value| {
        let forks = evaluation["forks"].as_array().map_or(0, Vec::len) as u64;
        evaluation["samples_per_fork"].as_u64().map(|samples| forks * samples)
    };
    [
        ("n_questions", ours["n_questions"] != theirs["n_questions"]),
        ("sampling", ours["sampling"] != theirs["sampling"]),
        ("number of answers to a question", draws(ours) != draws(theirs)),
    ]
    .into_iter()
    .find_map(|(what, differs)| differs.then_some(what))
}

/// The first setting that makes a difference and differs. `sft` may take more questions a step than others: it has fewer
/// traces.
fn differing(a: &Settings, b: &Settings) -> Option<String> {
    if a.batch_questions != b.batch_questions && (a.method == Method::Sft) == (b.method == Method::Sft) {
        return Some("batch-questions".to_owned());
    }
    const FREE: [&str; 11] = [
        "method",
        "forks",
        "match-tokens",
        "seed",
        "batch-questions",
        "memory-budget",
        "device",
        "eval-every",
        "save-every",
        "keep",
        "matching",
    ];
    let table = |config: &Settings| toml::Table::try_from(config).unwrap_or_default();
    let (a, b) = (table(a), table(b));
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    keys.into_iter().find(|key| !FREE.contains(&key.as_str()) && a.get(*key) != b.get(*key)).cloned()
}

/// Runs by what they learned and how.
pub fn compare(runs: &[RunRecord]) -> Vec<Comparison> {
    let data: BTreeSet<String> = runs.iter().map(RunRecord::data).collect();
    let of = |data: String| {
        let ours: Vec<usize> = (0..runs.len()).filter(|&run| runs[run].data() == data).collect();
        let records: Vec<&RunRecord> = ours.iter().map(|&run| &runs[run]).collect();
        let measures = measures(&records);
        let mut places: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
        for (&run, record) in ours.iter().zip(&records) {
            let base = base(&records).unwrap_or(&record.config);
            places.entry(arm_of(&record.config, base)).or_default().push(run);
        }
        for arm in places.values_mut() {
            arm.sort_by_key(|&run| runs[run].config.seed);
        }
        let named = |name: &str| places.iter().find(|((_, arm), _)| arm == name);
        let ssft = named(Method::Ssft.name()).map_or(&[][..], |(_, places)| places);
        Comparison {
            arms: places.iter().map(|((_, name), places)| arm(name, places, ssft, runs, &measures)).collect(),
            measures: measures.into_iter().map(|measure| (measure.label, measure.unit)).collect(),
            data,
        }
    };
    data.into_iter().map(of).collect()
}

/// The runs at `places`, beside those of `ssft`.
fn arm(name: &str, places: &[usize], ssft: &[usize], runs: &[RunRecord], measures: &[Measure]) -> Arm {
    let ours: Vec<&RunRecord> = places.iter().map(|&place| &runs[place]).collect();
    let figures = |measure: &Measure| summary(ours.iter().map(|run| (measure.of)(run)).collect());
    let less = |measure: &Measure| {
        let other = |run: &RunRecord| {
            ssft.iter().map(|&other| &runs[other]).find(|other| other.config.seed == run.config.seed)
        };
        let pairs = ours.iter().filter_map(|run| Some((run, other(run)?)));
        let less = pairs.map(|(run, other)| Some((measure.of)(run)? - (measure.of)(other)?)).collect();
        if places == ssft { None } else { summary(less) }
    };
    Arm {
        name: name.to_owned(),
        seeds: ours.iter().map(|run| run.config.seed).collect(),
        runs: ours.iter().map(|run| run.name.clone()).collect(),
        figures: measures.iter().map(figures).collect(),
        less_ssft: measures.iter().map(less).collect(),
        places: places.to_vec(),
    }
}

/// Nothing unless there are runs and every one has the figure.
fn summary(values: Vec<Option<f64>>) -> Option<Summary> {
    let values: Vec<f64> =
        values.into_iter().collect::<Option<_>>().filter(|values: &Vec<f64>| !values.is_empty())?;
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let half = student_t(values.len()) * (variance / count).sqrt();
    Some(Summary { mean, ci95: (values.len() > 1).then_some([mean - half, mean + half]), values })
}

/// The 97.5th percentile of Student's t for the mean of so many values.
fn student_t(values: usize) -> f64 {
    // Degrees of freedom 1, 2, .. 30, and beyond that the normal distribution's, which is too narrow by less than 5 %.
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    TABLE.get(values.saturating_sub(2)).copied().unwrap_or(1.96)
}

/// What there is to compare: Pass@k and Cons@k for every k that all runs have.
fn measures(runs: &[&RunRecord]) -> Vec<Measure> {
    let ks = |key: &'static str| -> Vec<usize> {
        let of = |run: &&RunRecord| -> BTreeSet<usize> {
            let figures = run.evaluation.as_ref().and_then(|evaluation| evaluation[key].as_object());
            figures.into_iter().flat_map(|figures| figures.keys().filter_map(|k| k.parse().ok())).collect()
        };
        let all = runs.iter().map(of).reduce(|common, other| common.intersection(&other).copied().collect());
        all.unwrap_or_default().into_iter().collect()
    };
    let measure = |label: String, unit, of: Figure| Measure { label, unit, of };
    let figure = |label: &str, unit, key: &'static str| {
        measure(label.to_owned(), unit, Box::new(move |run| run.evaluation.as_ref()?[key].as_f64()))
    };
    let at_k = |label: &str, key: &'static str, k: usize| {
        let of = move |run: &RunRecord| run.evaluation.as_ref()?[key][k.to_string()].as_f64();
        measure(format!("{label}@{k}"), Unit::Share, Box::new(of))
    };
    let mut all = vec![figure("Pass@1, chosen fork", Unit::Share, "chosen_pass_at_1")];
    all.extend(ks("pass_at_k").into_iter().map(|k| at_k("Pass", "pass_at_k", k)));
    all.extend(ks("cons_at_k").into_iter().filter(|&k| k > 1).map(|k| at_k("Cons", "cons_at_k", k)));
    if let Some(forks) = base(runs).map(|base| base.forks) {
        let label = format!("strategies in {forks} draws");
        all.push(measure(label, Unit::Number, Box::new(move |run| drawn_strategies(run, forks))));
    }
    all.push(figure("strategies, greedy", Unit::Number, "distinct_strategies"));
    all.push(figure("I(fork; strategy), bits", Unit::Number, "mutual_information"));
    let strategies = runs.first().and_then(|run| run.evaluation.as_ref()?["strategies"].as_array());
    let names = strategies.into_iter().flatten().filter_map(Value::as_str).filter(|name| is_strategy(name));
    for name in names.map(str::to_owned) {
        let label = format!("right when {name}");
        all.push(measure(label, Unit::Share, Box::new(move |run| right_when(run, &name))));
    }
    all.push(measure("matching kept".to_owned(), Unit::Share, Box::new(RunRecord::final_stability)));
    all.retain(|measure| runs.iter().any(|run| (measure.of)(run).is_some()));
    all
}

/// The mean number of different strategies in `count` drawn answers to a question, split over the forks asked: evenly, and
/// what is left over one each to the first of them.
fn drawn_strategies(run: &RunRecord, count: usize) -> Option<f64> {
    let evaluation = run.evaluation.as_ref()?;
    let forks: Vec<&Value> = evaluation["forks"].as_array()?.iter().map(|fork| &fork["fork"]).collect();
    let share = |place: usize| (count / forks.len() + usize::from(place < count % forks.len())) as u64;
    if forks.is_empty() || evaluation["samples_per_fork"].as_u64()? < share(0) {
        return None;
    }
    let shares: Vec<(&Value, u64)> =
        forks.iter().enumerate().map(|(place, &fork)| (fork, share(place))).collect();
    let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sample in drawn(evaluation)? {
        let names = shown.entry(sample["id"].as_str()?).or_default();
        let strategy = sample["strategy"].as_str()?;
        let &(_, share) = shares.iter().find(|(fork, _)| **fork == sample["fork"])?;
        if sample["sample"].as_u64()? < share && is_strategy(strategy) {
            names.insert(strategy);
        }
    }
    let counts = shown.values().map(|names| distinct(names.iter().copied()) as f64);
    Some(counts.sum::<f64>() / shown.len().max(1) as f64)
}

/// The share of right ones among the drawn answers that show this strategy.
fn right_when(run: &RunRecord, strategy: &str) -> Option<f64> {
    let showing = drawn(run.evaluation.as_ref()?)?.filter(|sample| sample["strategy"] == strategy);
    let right: Vec<bool> = showing.map(|sample| sample["correct"].as_bool()).collect::<Option<_>>()?;
    let count = right.iter().filter(|&&right| right).count();
    (!right.is_empty()).then(|| count as f64 / right.len() as f64)
}

/// The answers at a temperature above 0.
fn drawn(evaluation: &Value) -> Option<impl Iterator<Item = &Value>> {
    Some(evaluation["samples"].as_array()?.iter().filter(|sample| sample["greedy"] == Value::Bool(false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(method: Method, seed: u64, evaluation: Value) -> RunRecord {
        let config = Settings { method, seed, forks: 2, ..Settings::default() };
        RunRecord {
            name: format!("{}-{seed}", method.name()),
            config,
            steps: vec![],
            evaluation: Some(evaluation),
            forks: None,
        }
    }

    #[test]
    fn arms_are_compared_seed_by_seed() {
        let share = |value: f64| json!({"chosen_pass_at_1": value, "pass_at_k": {"1": value}, "cons_at_k": {"1": value, "6": value}});
        let runs = [
            run(Method::Ssft, 2, share(0.8)),
            run(Method::Ssft, 1, share(0.6)),
            run(Method::SftMixed, 1, share(0.5)),
            run(Method::SftMixed, 2, share(0.6)),
        ];
        let compared = compare(&runs);
        assert_eq!(compared.len(), 1);
        let labels: Vec<&str> = compared[0].measures.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(labels, ["Pass@1, chosen fork", "Pass@1", "Cons@6"]);
        let [mixed, ssft] = &compared[0].arms[..] else { panic!("two arms") };
        assert_eq!((mixed.name.as_str(), ssft.seeds.as_slice()), ("sft-mixed", &[1, 2][..]));
        let summary = ssft.figures[0].as_ref().expect("figure");
        assert_eq!(summary.values, [0.6, 0.8]);
        // A deviation of 0.1414, over the root of 2, times 12.706.
        let [low, high] = summary.ci95.expect("two runs");
        assert!((summary.mean - 0.7).abs() < 1e-12 && (high - low - 2.0 * 1.2706).abs() < 1e-3);
        let less = mixed.less_ssft[0].as_ref().expect("pairs");
        assert!((less.values[0] + 0.1).abs() < 1e-12 && (less.values[1] + 0.2).abs() < 1e-12);
        assert!(ssft.less_ssft[0].is_none());
    }

    #[test]
    fn other_forks_are_an_arm_of_their_own() {
        let share = |value: f64| json!({"chosen_pass_at_1": value});
        let mut runs = [run(Method::Ssft, 1, share(0.6)), run(Method::Ssft, 1, share(0.9))];
        assert_eq!(
            mismatch(&runs).as_deref(),
            Some("ssft-1 and ssft-1 are both ssft with seed 1; give one of them")
        );
        runs[1].config.forks = 4;
        assert_eq!(mismatch(&runs), None);
        // The arm that is compared with is the one that has more in common with others, wherever it stands.
        let runs_of_three = [runs[1].clone(), run(Method::SsftRandom, 1, share(0.1)), runs[0].clone()];
        let names: Vec<String> = compare(&runs_of_three)[0].arms.iter().map(|arm| arm.name.clone()).collect();
        assert_eq!(names, ["ssft-random", "ssft", "ssft, N = 4"]);
        let compared = compare(&runs);
        let [ssft, wider] = &compared[0].arms[..] else { panic!("two arms") };
        assert_eq!((ssft.name.as_str(), wider.name.as_str()), ("ssft", "ssft, N = 4"));
        assert!(ssft.less_ssft[0].is_none());
        assert!((wider.less_ssft[0].as_ref().expect("a pair").mean - 0.3).abs() < 1e-12);
        runs[1].config.steps = Some(1);
        assert!(mismatch(&runs).is_some_and(|why| why.contains("differ in steps")));
    }

    #[test]
    fn the_order_of_runs_does_not_matter() {
        let share = |value: f64| json!({"chosen_pass_at_1": value});
        let mut runs = [run(Method::Sft, 1, share(0.5)), run(Method::Ssft, 1, share(0.6))];
        (runs[0].config.forks, runs[0].config.match_tokens) = (6, 3);
        // A seed that `ssft` does not have yet takes nothing away from the others.
        let runs = [runs.as_slice(), &[run(Method::Sft, 2, share(0.9))]].concat();
        let backwards: Vec<RunRecord> = runs.iter().rev().cloned().collect();
        for runs in [&runs, &backwards] {
            let compared = compare(runs);
            let names: Vec<&str> = compared[0].arms.iter().map(|arm| arm.name.as_str()).collect();
            assert_eq!(names, ["sft", "ssft"]);
            let less = compared[0].arms[0].less_ssft[0].as_ref().expect("a pair");
            assert_eq!((less.values.len(), less.ci95), (1, None));
            assert!((less.mean + 0.1).abs() < 1e-12);
        }
    }

    #[test]
    fn only_sft_takes_more_questions() {
        let runs = |methods: [Method; 2]| {
            let mut runs = methods.map(|method| run(method, 1, json!({})));
            runs[0].config.batch_questions *= 4;
            mismatch(&runs)
        };
        assert_eq!(runs([Method::Sft, Method::Ssft]), None);
        let why = runs([Method::SftMixed, Method::Ssft]).expect("refused");
        assert!(why.contains("differ in batch-questions"), "{why}");
    }

    #[test]
    fn runs_are_evaluated_alike() {
        let evaluation = |samples: usize, questions: usize| json!({"n_questions": questions, "samples_per_fork": samples, "forks": [{"fork": 1}], "sampling": null});
        let with =
            |other: Value| mismatch(&[run(Method::Ssft, 1, evaluation(4, 9)), run(Method::Sft, 1, other)]);
        assert_eq!(with(evaluation(4, 9)), None);
        let why = with(evaluation(0, 9)).expect("refused");
        assert_eq!(
            why,
            "ssft-1 and sft-1 were evaluated with another number of answers to a question; evaluate them alike"
        );
        assert!(with(evaluation(4, 8)).is_some_and(|why| why.contains("another n_questions")));
    }

    #[test]
    fn strategies_in_draws_by_hand() {
        let sample = |id: &str, fork: usize, sample: usize, greedy: bool, strategy: &str| json!({"id": id, "fork": fork, "sample": sample, "greedy": greedy, "strategy": strategy});
        let evaluation = json!({
            "forks": [{"fork": 1}, {"fork": 2}], "samples_per_fork": 2,
            "samples": [
                sample("a", 1, 0, true, "z"), sample("a", 1, 0, false, "x"), sample("a", 2, 0, false, "y"),
                sample("a", 1, 1, false, "w"), sample("b", 1, 0, false, "x"), sample("b", 2, 0, false, "chimera"),
            ],
        });
        assert_eq!(drawn_strategies(&run(Method::Ssft, 1, evaluation.clone()), 2), Some(1.5));
        assert_eq!(drawn_strategies(&run(Method::Ssft, 1, evaluation.clone()), 4), Some(2.0));
        // Fork 1 twice, fork 2 once; a fifth answer there is not.
        assert_eq!(drawn_strategies(&run(Method::Ssft, 1, evaluation.clone()), 3), Some(2.0));
        assert_eq!(drawn_strategies(&run(Method::Ssft, 1, evaluation), 5), None);
    }

    #[test]
    fn right_answers_of_a_strategy_by_hand() {
        let sample = |strategy: &str, greedy: bool, correct: bool| json!({"strategy": strategy, "greedy": greedy, "correct": correct});
        let samples = [
            sample("x", false, true),
            sample("x", false, false),
            sample("x", true, false),
            sample("x", false, true),
            sample("y", false, false),
        ];
        let run = run(Method::Ssft, 1, json!({"samples": samples}));
        assert_eq!(right_when(&run, "x"), Some(2.0 / 3.0));
        assert_eq!((right_when(&run, "y"), right_when(&run, "z")), (Some(0.0), None));
    }
}
