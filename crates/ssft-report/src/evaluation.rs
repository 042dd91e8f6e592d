//! `eval.json` of a run, read back. No other file of this crate looks into it, but the templates do.

use serde_json::{Value, json};
use ssft_data::forks::fork_name;
use ssft_decode::measures::distinct;
use ssft_decode::score::is_strategy;
use ssft_run::store::{Asked, without_samples};
use std::collections::{BTreeMap, BTreeSet};

/// An evaluation with all its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationRecord(Value);

impl From<Value> for EvaluationRecord {
    fn from(json: Value) -> Self {
        Self(json)
    }
}

impl EvaluationRecord {
    /// Reads the content of `eval.json`.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes).map(Self)
    }

    /// Everything but the samples.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn without_samples(&self) -> serde_json::Result<Value> {
        without_samples(&self.0)
    }

    /// The first of `task`, `difficulty` and `data` that is not as in `own`.
    ///
    /// # Errors
    /// If `own` cannot be written as JSON.
    pub(crate) fn asked_other_than(&self, own: &Asked) -> serde_json::Result<Option<&'static str>> {
        let own = serde_json::to_value(own)?;
        Ok(["task", "difficulty", "data"].into_iter().find(|&key| self.0[key] != own[key]))
    }

    /// The first condition of the evaluation that is not as in `other`.
    pub(crate) fn evaluated_other_than(&self, other: &Self) -> Option<&'static str> {
        let (ours, theirs) = (&self.0, &other.0);
        [
            ("n_questions", ours["n_questions"] != theirs["n_questions"]),
            ("sampling", ours["sampling"] != theirs["sampling"]),
            ("number of answers to a question", self.answers_per_question() != other.answers_per_question()),
        ]
        .into_iter()
        .find_map(|(what, differs)| differs.then_some(what))
    }

    /// Drawn answers to a question, of all forks together.
    fn answers_per_question(&self) -> Option<u64> {
        self.0["samples_per_fork"].as_u64().map(|samples| self.forks().len() as u64 * samples)
    }

    /// Figures of each fork.
    fn forks(&self) -> &[Value] {
        self.0["forks"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The figure with this key: `chosen_pass_at_1`.
    pub fn figure(&self, key: &str) -> Option<f64> {
        self.0[key].as_f64()
    }

    /// The figure with this key at `k`: `pass_at_k`.
    pub fn figure_at(&self, key: &str, k: usize) -> Option<f64> {
        self.0[key][k.to_string()].as_f64()
    }

    /// Values of k at which there is the figure with this key.
    pub fn ks(&self, key: &str) -> BTreeSet<usize> {
        let figures = self.0[key].as_object().into_iter();
        figures.flat_map(|figures| figures.keys().filter_map(|k| k.parse().ok())).collect()
    }

    /// Names of the strategies that a task's classifier gives, `chimera` and `other` included. `null` without a classifier.
    pub(crate) fn strategies(&self) -> &Value {
        &self.0["strategies"]
    }

    /// Names of the strategies without `chimera` and `other`.
    pub fn strategy_names(&self) -> impl Iterator<Item = &str> {
        let names = self.strategies().as_array().into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| is_strategy(name))
    }

    /// Mean number of different strategies in `count` drawn answers to a question. Every fork gives the same number of answers;
    /// a remainder goes to the first forks, one answer each. `None` if a fork has too few answers.
    pub fn strategies_in_draws(&self, count: usize) -> Option<f64> {
        let forks: Vec<&Value> = self.0["forks"].as_array()?.iter().map(|fork| &fork["fork"]).collect();
        let share = |place: usize| (count / forks.len() + usize::from(place < count % forks.len())) as u64;
        if forks.is_empty() || self.0["samples_per_fork"].as_u64()? < share(0) {
            return None;
        }
        let shares: Vec<(&Value, u64)> =
            forks.iter().enumerate().map(|(place, &fork)| (fork, share(place))).collect();
        let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for sample in self.drawn()? {
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

    /// Share of right answers among the drawn answers that show this strategy.
    pub fn right_when(&self, strategy: &str) -> Option<f64> {
        let showing = self.drawn()?.filter(|sample| sample["strategy"] == strategy);
        let right: Vec<bool> = showing.map(|sample| sample["correct"].as_bool()).collect::<Option<_>>()?;
        let count = right.iter().filter(|&&right| right).count();
        (!right.is_empty()).then(|| count as f64 / right.len() as f64)
    }

    /// Samples at a temperature above 0.
    fn drawn(&self) -> Option<impl Iterator<Item = &Value>> {
        let samples = self.0["samples"].as_array()?.iter();
        Some(samples.filter(|sample| sample["greedy"] == Value::Bool(false)))
    }

    /// Greedy samples of all forks for the first questions.
    pub(crate) fn first_answers(&self, questions: usize) -> Vec<&Value> {
        let samples = self.0["samples"].as_array().into_iter().flatten();
        let forks = self.0["forks"].as_array().map_or(1, Vec::len);
        samples.filter(|sample| sample["greedy"] == true).take(questions * forks).collect()
    }

    /// How often each fork showed each strategy, as rows of a heat map: `{name, cells: [{text, share}]}`.
    pub(crate) fn strategy_heats(&self) -> Vec<Value> {
        let total = self.figure("n_questions").unwrap_or(1.0).max(1.0);
        let row = |fork: &Value| {
            let counts = fork["strategies"].as_array().into_iter().flatten();
            let cell =
                |count: &Value| json!({"text": count, "share": count.as_f64().unwrap_or_default() / total});
            let name = fork_name(fork["fork"].as_u64().unwrap_or(1).max(1) as usize - 1);
            json!({"name": name, "cells": counts.map(cell).collect::<Vec<_>>()})
        };
        self.forks().iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_in_draws_by_hand() {
        let sample = |id: &str, fork: usize, sample: usize, greedy: bool, strategy: &str| json!({"id": id, "fork": fork, "sample": sample, "greedy": greedy, "strategy": strategy});
        let evaluation = EvaluationRecord(json!({
            "forks": [{"fork": 1}, {"fork": 2}], "samples_per_fork": 2,
            "samples": [
                sample("a", 1, 0, true, "z"), sample("a", 1, 0, false, "x"), sample("a", 2, 0, false, "y"),
                sample("a", 1, 1, false, "w"), sample("b", 1, 0, false, "x"), sample("b", 2, 0, false, "chimera"),
            ],
        }));
        assert_eq!(evaluation.strategies_in_draws(2), Some(1.5));
        assert_eq!(evaluation.strategies_in_draws(4), Some(2.0));
        // Two answers of fork 1, one of fork 2. There is no third answer of a fork.
        assert_eq!(evaluation.strategies_in_draws(3), Some(2.0));
        assert_eq!(evaluation.strategies_in_draws(5), None);
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
        let evaluation = EvaluationRecord(json!({"samples": samples}));
        assert_eq!(evaluation.right_when("x"), Some(2.0 / 3.0));
        assert_eq!((evaluation.right_when("y"), evaluation.right_when("z")), (Some(0.0), None));
    }
}
