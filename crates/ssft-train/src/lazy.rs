//! Lazy matching: the optimal matching from a part of the cost matrix, together with the training passes.
//!
//! For each group of questions of a micro-batch:
//!
//! ```text
//!                                ┌──── a question undecided (Extend): extend its branches
//!                                v         │
//! first losses of all pairs ─> verdicts ───┤
//!                                          ├─ all questions proven ─> training pass
//!                                          └─ at least one only likely ─> forward pass of the whole group
//!                                                       │ its losses complete its bounds
//!                                                       v
//!                                                       extend until proven
//!                                                       v
//!                                                       backward pass (weight 0 for rows under a wrong fork),
//!                                                       then a training pass of those rows under the right forks
//! ```
//!
//! # Example: 2 forks, 2 traces of 3 tokens
//!
//! The losses of the example of [`crate::extension`], with matching 1 -> 1, 2 -> 2 likely after the first token of every pair
//! (4 of 12 losses).
//!
//! - Guess right: the forward pass of the training computes the losses 0.2 0.1 0.3 of (fork 1, trace 1) and 0.3 0.3 0.3 of
//!   (fork 2, trace 2), needed for the set loss anyway. They cost 0.5 in total, every other matching at least 1.267:
//!   proven. The backward pass follows. Tokens computed for the costs alone: the prompt and the two forking tokens.
//! - Guess wrong: the last loss of (fork 1, trace 1) is 9.0. The guess costs 3.4, and two rounds of short extensions prove that
//!   1 -> 2, 2 -> 1 is optimal with 2.8. Both traces have another fork now, so their targets in the pass that was computed get
//!   weight 0, and a second training pass trains both traces under the right forks. `retrained` of the report is 2. If a
//!   question of the same pass was guessed right, its targets keep weight 1.
//!
//! The result is that of [`crate::full`], up to the order in which f32 sums are added.

use crate::budget::TrainedTrace;
use crate::error::TrainError;
use crate::extension::{Extension, Verdict};
use crate::full::CostEvaluator;
use crate::matching::{Assignment, MatchingError};
use crate::nll::read_back;
use crate::pairwise::Pairs;
use crate::set_loss::{Matched, SetLoss, WeightedSetLoss};
use crate::step::Step;
use ssft_data::encode::EncodedQuestion;

/// Tokens that a pass of later extensions is enlarged to, since a smaller pass takes nearly the same time.
const LEAST_PASS_TOKENS: usize = 60;

/// The matching of a question after a round of extensions.
#[derive(Debug, Clone, PartialEq)]
enum Decision {
    Proven(Assignment),
    /// A guess; the losses of its pairs are still wanted.
    Likely(Assignment),
}

impl Decision {
    fn assignment(&self) -> &Assignment {
        match self {
            Self::Proven(assignment) | Self::Likely(assignment) => assignment,
        }
    }

    fn is_proven(&self) -> bool {
        matches!(self, Self::Proven(_))
    }
}

/// The verdict with which extensions of a question stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopAt {
    /// Likely or proven: the caller computes the losses of a likely matching anyway.
    Likely,
    /// Proven.
    Proven,
}

/// Finds the optimal matching of every question, and trains on it. Returns the assignments in the order of the questions.
///
/// # Errors
/// [`TrainError`] if a readback fails, a cost is not finite, or a question has more traces than there are forks.
pub(crate) async fn match_and_train(
    costs: &CostEvaluator<'_>,
    batches: &[&[&EncodedQuestion]],
    step: &mut Step<'_>,
) -> Result<Vec<Assignment>, TrainError> {
    let mut assignments = Vec::new();
    for batch in batches {
        for group in costs.budget.groups(batch, costs.leads, costs.match_tokens) {
            assignments.extend(match_and_train_group(costs, &batch[group], step).await?);
        }
    }
    Ok(assignments)
}

async fn match_and_train_group(
    costs: &CostEvaluator<'_>,
    questions: &[&EncodedQuestion],
    step: &mut Step<'_>,
) -> Result<Vec<Assignment>, TrainError> {
    let start = step.now();
    // A guess is completed by the forward pass of all its traces, which must be one pass.
    let stop_at = if costs.budget.trains_at_once(questions) { StopAt::Likely } else { StopAt::Proven };
    let (mut pairs, decisions) = decide(costs, questions, stop_at).await?;
    step.counters.ms_cost += step.now() - start;
    let assignments = if decisions.iter().all(Decision::is_proven) {
        pairs.drop_cache();
        step.train(&matched(questions, decisions.iter().map(Decision::assignment)));
        decisions.iter().map(|decision| decision.assignment().clone()).collect()
    } else {
        train_and_prove(costs, questions, &mut pairs, &decisions, step).await?
    };
    step.counters.add_cost_tokens(pairs.cost_tokens());
    Ok(assignments)
}

/// Trains on likely matchings: forward pass, proof with its losses, backward pass. Traces whose proven fork is another one
/// get weight 0, and a second pass under that fork.
async fn train_and_prove<'a>(
    costs: &CostEvaluator<'a>,
    questions: &'a [&'a EncodedQuestion],
    pairs: &mut Pairs<'a>,
    decisions: &[Decision],
    step: &mut Step<'_>,
) -> Result<Vec<Assignment>, TrainError> {
    let start = step.now();
    let likely = matched(questions, decisions.iter().map(Decision::assignment));
    // One pass: `StopAt::Likely` is asked for only where all traces fit one.
    let rows = step.budget.training_passes(&likely).concat();
    let terms = step.forward(&likely, &rows);
    let losses = read_back(terms.clone().inner(), step.number).await?;
    let forward_done = step.now();
    complete_likely(pairs, questions, decisions, &rows, &losses);
    let proven = prove(costs, pairs).await?;
    let proof_done = step.now();
    let wrong = |&(question, trace): &TrainedTrace| {
        decisions[question].assignment().forks[trace] != proven[question].forks[trace]
    };
    let again: Vec<TrainedTrace> = rows.iter().filter(|row| wrong(row)).copied().collect();
    if again.is_empty() {
        let set_loss = step.set_loss;
        step.backward(&set_loss, terms);
    } else {
        let some_rows = weighted(step.set_loss, questions, &rows, wrong);
        step.backward(&some_rows, terms);
        step.train_rows(&matched(questions, &proven), &again);
        step.counters.retrained += again.len();
    }
    step.counters.ms_cost += proof_done - forward_done;
    step.counters.ms_train += step.now() - start - (proof_done - forward_done);
    Ok(proven)
}

fn matched<'a>(
    questions: &[&'a EncodedQuestion],
    assignments: impl IntoIterator<Item = &'a Assignment>,
) -> Vec<Matched<'a>> {
    questions.iter().copied().zip(assignments).collect()
}

/// Completes the bounds of the likely matchings with the losses of their training pass, row by row.
fn complete_likely(
    pairs: &mut Pairs<'_>,
    questions: &[&EncodedQuestion],
    decisions: &[Decision],
    rows: &[TrainedTrace],
    losses: &[f32],
) {
    let mut rest = losses;
    for &(question, trace) in rows {
        let (of_row, others) = rest.split_at(questions[question].traces[trace].tokens.len());
        rest = others;
        if let Decision::Likely(assignment) = &decisions[question] {
            pairs.bounds[question].replace(assignment.forks[trace], trace, of_row.iter().copied());
        }
    }
}

/// The set loss of a pass in which the targets of wrong rows have weight 0.
fn weighted(
    set_loss: SetLoss,
    questions: &[&EncodedQuestion],
    rows: &[TrainedTrace],
    wrong: impl Fn(&TrainedTrace) -> bool,
) -> WeightedSetLoss {
    let of_row = |row: &TrainedTrace| {
        let weight = if wrong(row) { 0.0f32 } else { 1.0 };
        vec![weight; questions[row.0].traces[row.1].tokens.len()]
    };
    WeightedSetLoss { set_loss, weights: rows.iter().flat_map(of_row).collect() }
}

/// First losses and extensions of a group of questions, until every one is decided.
async fn decide<'a>(
    costs: &CostEvaluator<'a>,
    questions: &'a [&'a EncodedQuestion],
    stop_at: StopAt,
) -> Result<(Pairs<'a>, Vec<Decision>), TrainError> {
    let fits = |question: &EncodedQuestion| costs.budget.fits(question, costs.leads, costs.match_tokens);
    // Where caches would not fit: the whole matrix, in passes that do.
    let all_fit = questions.iter().all(|question| fits(question));
    let mut pairs = if all_fit { costs.start(questions) } else { costs.whole(questions) };
    pairs.read(costs.step).await?;
    let decisions = extend_until(costs, &mut pairs, stop_at).await?;
    Ok((pairs, decisions))
}

/// Extends branches until every matching is proven.
async fn prove(costs: &CostEvaluator<'_>, pairs: &mut Pairs<'_>) -> Result<Vec<Assignment>, TrainError> {
    let decisions = extend_until(costs, pairs, StopAt::Proven).await?;
    Ok(decisions.iter().map(|decision| decision.assignment().clone()).collect())
}

/// Asks for the verdict of every question and extends the branches that are wanted, until nothing is.
async fn extend_until(
    costs: &CostEvaluator<'_>,
    pairs: &mut Pairs<'_>,
    stop_at: StopAt,
) -> Result<Vec<Decision>, TrainError> {
    loop {
        let (mut decisions, mut wanted) = (Vec::new(), Vec::new());
        for question in 0..pairs.bounds.len() {
            let branches = match verdict(costs, pairs, question)? {
                Verdict::Proven(assignment) => {
                    decisions.push(Decision::Proven(assignment));
                    continue;
                }
                Verdict::Likely(assignment) if stop_at == StopAt::Likely => {
                    decisions.push(Decision::Likely(assignment));
                    continue;
                }
                Verdict::Likely(assignment) => pairs.bounds[question].missing_of(&assignment),
                Verdict::Extend(branches) => branches,
            };
            wanted.extend(branches.into_iter().map(|branch| (question, branch)));
        }
        if wanted.is_empty() {
            return Ok(decisions);
        }
        enlarge(&mut wanted, pairs);
        for pass in costs.passes(&wanted) {
            pairs.extend(&wanted[pass]);
        }
        pairs.read(costs.step).await?;
    }
}

fn verdict(costs: &CostEvaluator<'_>, pairs: &Pairs<'_>, question: usize) -> Result<Verdict, TrainError> {
    let bounds = &pairs.bounds[question];
    let named =
        |error: MatchingError| error.of_question(pairs.question(question), &bounds.matrix(), costs.step);
    bounds.verdict().map_err(named)
}

/// Doubles the later extensions (those of branches with two or more known losses) until the pass has [`LEAST_PASS_TOKENS`]
/// tokens or every one of them reaches its end.
fn enlarge(wanted: &mut [(usize, Extension)], pairs: &Pairs<'_>) {
    let tokens =
        |wanted: &[(usize, Extension)]| -> usize { wanted.iter().map(|(_, branch)| branch.tokens()).sum() };
    while tokens(wanted) < LEAST_PASS_TOKENS {
        let before = tokens(wanted);
        for (question, branch) in &mut *wanted {
            *branch = pairs.bounds[*question].doubled(*branch);
        }
        if tokens(wanted) == before {
            break;
        }
    }
}
