//! Several runs side by side: the arms of an experiment, each with several seeds.

use crate::arms::{ArmKey, arm_of, base};
use crate::measures::{Measure, Unit, measures};
use crate::record::RunRecord;
use crate::statistics::Summary;
use serde::Serialize;
use ssft_train::Method;
use std::collections::{BTreeMap, BTreeSet};

/// Runs of one arm on one task.
#[derive(Debug, Clone, Serialize)]
pub struct Arm {
    /// The method's name, and N and L where they matter and differ from those of the arm compared with: `ssft, N = 4`.
    pub name: String,
    /// Seeds of the runs, ascending.
    pub seeds: Vec<u64>,
    /// Names of the runs.
    pub runs: Vec<String>,
    /// Indices of the runs among all runs; at least one.
    #[serde(skip)]
    pub places: Vec<usize>,
    /// Figures in the order of [`Comparison::measures`]; `None` where a run lacks it.
    pub figures: Vec<Option<Summary>>,
    /// Differences to the arm `ssft` over the seeds that both have, in the same order; `None` for `ssft` itself.
    pub less_ssft: Vec<Option<Summary>>,
}

/// All arms on one task.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The task, or the file of the questions.
    pub data: String,
    /// Labels and units of the figures.
    pub measures: Vec<(String, Unit)>,
    /// The arms, in the order of the paper.
    pub arms: Vec<Arm>,
}

/// Groups runs by task, then by arm. Runs that [`check_comparable`](crate::check_comparable) refuses are not refused here.
pub fn compare(runs: &[RunRecord]) -> Vec<Comparison> {
    let data: BTreeSet<String> = runs.iter().map(RunRecord::data).collect();
    data.into_iter().map(|data| on_data(data, runs)).collect()
}

/// The runs among `runs` on `data`.
fn on_data(data: String, runs: &[RunRecord]) -> Comparison {
    let ours: Vec<usize> = (0..runs.len()).filter(|&run| runs[run].data() == data).collect();
    let records: Vec<&RunRecord> = ours.iter().map(|&run| &runs[run]).collect();
    let base = base(&records);
    let measures = measures(&records, base.map(|base| base.forks));
    let mut places: BTreeMap<ArmKey, Vec<usize>> = BTreeMap::new();
    for (&run, record) in ours.iter().zip(&records) {
        places.entry(arm_of(&record.config, base.unwrap_or(&record.config))).or_default().push(run);
    }
    for arm in places.values_mut() {
        arm.sort_by_key(|&run| runs[run].config.seed);
    }
    let ssft = places.iter().find(|((_, name), _)| name == Method::Ssft.name());
    let ssft = ssft.map_or(&[][..], |(_, places)| places);
    Comparison {
        arms: places.iter().map(|((_, name), places)| arm(name, places, ssft, runs, &measures)).collect(),
        measures: measures.into_iter().map(|measure| (measure.label, measure.unit)).collect(),
        data,
    }
}

/// The arm with the runs at `places`; those of `ssft` are at `ssft`.
fn arm(name: &str, places: &[usize], ssft: &[usize], runs: &[RunRecord], measures: &[Measure]) -> Arm {
    let ours: Vec<&RunRecord> = places.iter().map(|&place| &runs[place]).collect();
    let figures = |measure: &Measure| Summary::of(ours.iter().map(|run| measure.of(run)).collect());
    let less = |measure: &Measure| {
        let other = |run: &RunRecord| {
            ssft.iter().map(|&other| &runs[other]).find(|other| other.config.seed == run.config.seed)
        };
        let pairs = ours.iter().filter_map(|run| Some((run, other(run)?)));
        let less = pairs.map(|(run, other)| Some(measure.of(run)? - measure.of(other)?)).collect();
        if places == ssft { None } else { Summary::of(less) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn run(method: Method, seed: u64, evaluation: Value) -> RunRecord {
        RunRecord::for_test(method, seed, evaluation)
    }

    fn names(compared: &[Comparison]) -> Vec<&str> {
        compared[0].arms.iter().map(|arm| arm.name.as_str()).collect()
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
        assert_eq!(ssft.figures[0].as_ref().expect("figure").values, [0.6, 0.8]);
        let less = mixed.less_ssft[0].as_ref().expect("pairs");
        assert!((less.values[0] + 0.1).abs() < 1e-12 && (less.values[1] + 0.2).abs() < 1e-12);
        assert!(ssft.less_ssft[0].is_none());
    }

    #[test]
    fn other_forks_are_an_arm_of_their_own() {
        let share = |value: f64| json!({"chosen_pass_at_1": value});
        let mut runs = [run(Method::Ssft, 1, share(0.6)), run(Method::Ssft, 1, share(0.9))];
        runs[1].config.forks = 4;
        // The arm compared with is the one that shares N and L with most runs, at any place among them.
        let runs_of_three = [runs[1].clone(), run(Method::SsftRandom, 1, share(0.1)), runs[0].clone()];
        assert_eq!(names(&compare(&runs_of_three)), ["ssft-random", "ssft", "ssft, N = 4"]);
        let compared = compare(&runs);
        assert_eq!(names(&compared), ["ssft", "ssft, N = 4"]);
        let [ssft, wider] = &compared[0].arms[..] else { panic!("two arms") };
        assert!(ssft.less_ssft[0].is_none());
        assert!((wider.less_ssft[0].as_ref().expect("a pair").mean - 0.3).abs() < 1e-12);
    }

    #[test]
    fn the_order_of_runs_does_not_matter() {
        let share = |value: f64| json!({"chosen_pass_at_1": value});
        let mut runs = [run(Method::Sft, 1, share(0.5)), run(Method::Ssft, 1, share(0.6))];
        (runs[0].config.forks, runs[0].config.match_tokens) = (6, 3);
        // A seed without a run of `ssft` does not remove the pairs of other seeds.
        let runs = [runs.as_slice(), &[run(Method::Sft, 2, share(0.9))]].concat();
        let backwards: Vec<RunRecord> = runs.iter().rev().cloned().collect();
        for runs in [&runs, &backwards] {
            let compared = compare(runs);
            assert_eq!(names(&compared), ["sft", "ssft"]);
            let less = compared[0].arms[0].less_ssft[0].as_ref().expect("a pair");
            assert_eq!((less.values.len(), less.ci95), (1, None));
            assert!((less.mean + 0.1).abs() < 1e-12);
        }
    }
}
