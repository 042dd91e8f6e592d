//! Whether runs can be compared.

use crate::arms::arm_of;
use crate::error::ReportError;
use crate::record::RunRecord;
use ssft_run::settings::Settings;
use ssft_train::Method;
use std::collections::BTreeSet;

/// Settings in which compared runs may differ: those of the arm, and those without an effect on what is learned.
/// `batch-questions` has a rule of its own.
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

/// Refuses runs on the same data that are of one arm and seed, that differ in more than arm and seed, or that were evaluated
/// differently.
///
/// # Errors
/// [`ReportError`] names the first such pair of runs.
pub fn check_comparable(runs: &[RunRecord]) -> Result<(), ReportError> {
    for (at, run) in runs.iter().enumerate() {
        for other in runs[..at].iter().filter(|other| other.data() == run.data()) {
            check_pair(run, other)?;
        }
    }
    Ok(())
}

fn check_pair(run: &RunRecord, other: &RunRecord) -> Result<(), ReportError> {
    let (ours, theirs) = (&run.config, &other.config);
    let (first, second) = (other.name.clone(), run.name.clone());
    let (_, arm) = arm_of(ours, theirs);
    if (arm.as_str(), ours.seed) == (theirs.method.name(), theirs.seed) {
        return Err(ReportError::SameArm { first, second, arm, seed: ours.seed });
    }
    if let Some(setting) = differing(ours, theirs) {
        return Err(ReportError::OtherSetting { first, second, setting });
    }
    if let (Some(ours), Some(theirs)) = (&run.evaluation, &other.evaluation)
        && let Some(what) = ours.evaluated_other_than(theirs)
    {
        return Err(ReportError::OtherEvaluation { first, second, what });
    }
    Ok(())
}

/// The first setting outside [`FREE`] that differs. `sft` may have more questions a step than other methods, as it uses
/// fewer traces of each.
fn differing(a: &Settings, b: &Settings) -> Option<String> {
    if a.batch_questions != b.batch_questions && (a.method == Method::Sft) == (b.method == Method::Sft) {
        return Some("batch-questions".to_owned());
    }
    let table = |config: &Settings| toml::Table::try_from(config).unwrap_or_default();
    let (a, b) = (table(a), table(b));
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    keys.into_iter().find(|key| !FREE.contains(&key.as_str()) && a.get(*key) != b.get(*key)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn run(method: Method, seed: u64, evaluation: Value) -> RunRecord {
        RunRecord::for_test(method, seed, evaluation)
    }

    fn refusal(runs: &[RunRecord]) -> Option<String> {
        check_comparable(runs).err().map(|error| error.to_string())
    }

    #[test]
    fn runs_of_one_arm_and_seed_are_refused() {
        let mut runs = [run(Method::Ssft, 1, json!({})), run(Method::Ssft, 1, json!({}))];
        let why = refusal(&runs).expect("refused");
        assert_eq!(why, "ssft-1 and ssft-1 are both ssft with seed 1; give one of them");
        runs[1].config.forks = 4;
        assert_eq!(refusal(&runs), None);
        runs[1].config.steps = Some(1);
        assert!(refusal(&runs).is_some_and(|why| why.contains("differ in steps")));
    }

    #[test]
    fn only_sft_takes_more_questions() {
        let runs = |methods: [Method; 2]| {
            let mut runs = methods.map(|method| run(method, 1, json!({})));
            runs[0].config.batch_questions *= 4;
            refusal(&runs)
        };
        assert_eq!(runs([Method::Sft, Method::Ssft]), None);
        let why = runs([Method::SftMixed, Method::Ssft]).expect("refused");
        assert!(why.contains("differ in batch-questions"), "{why}");
    }

    #[test]
    fn runs_are_evaluated_alike() {
        let evaluation = |samples: usize, questions: usize| json!({"n_questions": questions, "samples_per_fork": samples, "forks": [{"fork": 1}], "sampling": null});
        let with =
            |other: Value| refusal(&[run(Method::Ssft, 1, evaluation(4, 9)), run(Method::Sft, 1, other)]);
        assert_eq!(with(evaluation(4, 9)), None);
        assert_eq!(
            with(evaluation(0, 9)).expect("refused"),
            "ssft-1 and sft-1 were evaluated with another number of answers to a question; evaluate them alike"
        );
        assert!(with(evaluation(4, 8)).is_some_and(|why| why.contains("another n_questions")));
    }
}
