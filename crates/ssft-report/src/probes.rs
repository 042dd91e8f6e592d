//! Cost matrices that a run recorded now and then for a few questions.

use crate::record::RunRecord;
use serde_json::{Value, json};

/// Cost matrices of each question over the run: `{id, sources, times: [{step, rows}]}`.
pub(crate) fn probes(run: &RunRecord) -> Vec<Value> {
    let mut questions: Vec<Value> = Vec::new();
    for line in run.steps.iter().filter(|line| line["probe"].is_array()) {
        for probe in line["probe"].as_array().into_iter().flatten() {
            let at =
                questions.iter().position(|question| question["id"] == probe["id"]).unwrap_or_else(|| {
                    questions.push(json!({"id": probe["id"], "sources": probe["sources"], "times": []}));
                    questions.len() - 1
                });
            if let Some(times) = questions[at]["times"].as_array_mut() {
                times.push(json!({"step": line["step"], "rows": cells(probe)}));
            }
        }
    }
    questions
}

/// Cells of a cost matrix, row by row: `{cost, share, matched}`. `share` is 1 for the lowest cost of the matrix and 0 for the
/// highest.
fn cells(probe: &Value) -> Vec<Vec<Value>> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(probe["costs"].clone()).unwrap_or_default();
    let forks: Vec<usize> = serde_json::from_value(probe["forks"].clone()).unwrap_or_default();
    let all = || rows.iter().flatten().copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let cell = |fork: usize, trace: usize, cost: f64| {
        let share = (high - cost) / (high - low).max(f64::MIN_POSITIVE);
        json!({"cost": format!("{cost:.4}"), "share": share, "matched": forks.get(trace) == Some(&(fork + 1))})
    };
    let row = |(fork, costs): (usize, &Vec<f64>)| {
        costs.iter().enumerate().map(|(trace, &cost)| cell(fork, trace, cost)).collect()
    };
    rows.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_cost_has_the_full_share() {
        // Two forks, one trace, matched with the second fork.
        let cells = cells(&json!({"costs": [[3.0], [1.0]], "forks": [2]}));
        assert_eq!(cells[0][0], json!({"cost": "3.0000", "share": 0.0, "matched": false}));
        assert_eq!(cells[1][0], json!({"cost": "1.0000", "share": 1.0, "matched": true}));
    }
}
