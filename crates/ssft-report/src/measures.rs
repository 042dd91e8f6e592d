//! The figures by which runs are compared.

use crate::evaluation::EvaluationRecord;
use crate::record::RunRecord;
use crate::statistics::Summary;
use serde::Serialize;
use ssft_data::words::percent;
use std::collections::BTreeSet;

/// How a figure is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A share, shown in percent.
    Share,
    /// A number, shown with two decimals.
    Number,
}

impl Unit {
    /// A value: `68.4 %`, `3.12`.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Share => percent(value),
            Self::Number => format!("{value:.2}"),
        }
    }

    /// A difference with its interval: `-3.4 [-5.1 .. -1.7]`. Shares are in percentage points.
    pub fn show_difference(self, summary: &Summary) -> String {
        let signed = |value: f64| match self {
            Self::Share => format!("{:+.1}", 100.0 * value),
            Self::Number => format!("{value:+.2}"),
        };
        let interval = summary.ci95.map(|[low, high]| format!(" [{} .. {}]", signed(low), signed(high)));
        format!("{}{}", signed(summary.mean), interval.unwrap_or_default())
    }
}

/// Computes a figure of a run; `None` if the run lacks it.
type Figure = Box<dyn Fn(&RunRecord) -> Option<f64>>;

/// A figure by which runs are compared.
pub(crate) struct Measure {
    /// Name: `Pass@1`.
    pub(crate) label: String,
    /// How it is shown.
    pub(crate) unit: Unit,
    figure: Figure,
}

impl Measure {
    fn new(
        label: impl Into<String>,
        unit: Unit,
        figure: impl Fn(&RunRecord) -> Option<f64> + 'static,
    ) -> Self {
        Self { label: label.into(), unit, figure: Box::new(figure) }
    }

    /// A figure of the evaluation.
    fn evaluated(
        label: impl Into<String>,
        unit: Unit,
        figure: impl Fn(&EvaluationRecord) -> Option<f64> + 'static,
    ) -> Self {
        Self::new(label, unit, move |run| figure(run.evaluation.as_ref()?))
    }

    /// The figure of `run`; `None` if the run lacks it.
    pub(crate) fn of(&self, run: &RunRecord) -> Option<f64> {
        (self.figure)(run)
    }
}

/// The figures that at least one run has. Pass@k and Cons@k are at every k that all runs have. `forks` is the number of draws in
/// which strategies are counted.
pub(crate) fn measures(runs: &[&RunRecord], forks: Option<usize>) -> Vec<Measure> {
    let at_k = |label: &str, key: &'static str, k: usize| {
        Measure::evaluated(format!("{label}@{k}"), Unit::Share, move |evaluation| {
            evaluation.figure_at(key, k)
        })
    };
    let figure = |label: &str, unit, key: &'static str| {
        Measure::evaluated(label, unit, move |evaluation| evaluation.figure(key))
    };
    let mut all = vec![figure("Pass@1, chosen fork", Unit::Share, "chosen_pass_at_1")];
    all.extend(common_ks(runs, "pass_at_k").into_iter().map(|k| at_k("Pass", "pass_at_k", k)));
    let cons = common_ks(runs, "cons_at_k").into_iter().filter(|&k| k > 1);
    all.extend(cons.map(|k| at_k("Cons", "cons_at_k", k)));
    all.extend(forks.map(|forks| {
        Measure::evaluated(format!("strategies in {forks} draws"), Unit::Number, move |evaluation| {
            evaluation.strategies_in_draws(forks)
        })
    }));
    all.push(figure("strategies, greedy", Unit::Number, "distinct_strategies"));
    all.push(figure("I(fork; strategy), bits", Unit::Number, "mutual_information"));
    let names = runs.first().and_then(|run| run.evaluation.as_ref());
    let names = names.into_iter().flat_map(EvaluationRecord::strategy_names).map(str::to_owned);
    all.extend(names.map(|name| {
        Measure::evaluated(format!("right when {name}"), Unit::Share, move |evaluation| {
            evaluation.right_when(&name)
        })
    }));
    all.push(Measure::new("matching kept", Unit::Share, RunRecord::final_stability));
    all.retain(|measure| runs.iter().any(|run| measure.of(run).is_some()));
    all
}

/// Values of k at which every run has the figure.
fn common_ks(runs: &[&RunRecord], key: &str) -> BTreeSet<usize> {
    let of =
        |run: &&RunRecord| run.evaluation.as_ref().map(|evaluation| evaluation.ks(key)).unwrap_or_default();
    let all = runs.iter().map(of).reduce(|common, other| common.intersection(&other).copied().collect());
    all.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_shares_are_in_percentage_points() {
        let summary = Summary { mean: -0.034, ci95: Some([-0.051, -0.017]), values: vec![] };
        assert_eq!(Unit::Share.show_difference(&summary), "-3.4 [-5.1 .. -1.7]");
        let summary = Summary { mean: 0.5, ci95: None, values: vec![0.5] };
        assert_eq!(Unit::Number.show_difference(&summary), "+0.50");
    }
}
