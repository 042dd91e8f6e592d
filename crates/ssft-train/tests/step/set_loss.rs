//! The set loss, its gradient, and the costs that lead to it.

use crate::{FORKS, leads, model, question, questions, settings, step, trainer, weights_of, with_weights};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use ssft_data::encode::{EncodedQuestion, EncodedTrace};
use ssft_kernels::{Targets, reference::linear_nll};
use ssft_model::Decoder;
use ssft_model::checkpoint::NamedTensor;
use ssft_model::packing::{PackedTrees, Tree};
use ssft_train::objective::Objective;
use ssft_train::set_loss::{Matched, SetLoss, WeightedSetLoss, matched_rows};
use ssft_train::{Assignment, Budget, CostMatrix, Method, Trainer};

/// The loss of standard fine-tuning in plain tensors: one causal row per pair, the mean over target tokens.
fn plain_loss(model: &Decoder, question: &EncodedQuestion, assignment: &Assignment) -> f64 {
    let (mut sum, mut targets) = (0.0, 0);
    for (trace, &fork) in question.traces.iter().zip(&assignment.forks) {
        let mut row = question.prompt.clone();
        row.extend(&leads(FORKS)[fork]);
        row.extend(&trace.tokens);
        let labels = &row[question.prompt.len() + 1..];
        let hidden = model.forward(&PackedTrees::new(&[Tree { prompt: row.clone(), branches: vec![] }]));
        let hidden = hidden.narrow(0, question.prompt.len(), labels.len());
        let ids: Vec<i32> = labels.iter().map(|&id| id as i32).collect();
        let nll = linear_nll(hidden, model.head(), &Targets::every_row(&ids));
        sum += f64::from(nll.sum().into_scalar::<f32>());
        targets += labels.len();
    }
    sum / targets as f64
}

fn loss_of(model: &Decoder, questions: &[&EncodedQuestion], assignments: &[Assignment]) -> f64 {
    f64::from(loss_tensor(model, questions, assignments).into_scalar::<f32>())
}

/// The set loss of one pass over all traces, as a step computes it.
fn loss_tensor(model: &Decoder, questions: &[&EncodedQuestion], assignments: &[Assignment]) -> Tensor<1> {
    let matched: Vec<Matched> = questions.iter().copied().zip(assignments).collect();
    let rows = Budget::unlimited().training_passes(&matched).concat();
    let packed = matched_rows(&matched, &rows, &leads(FORKS));
    let objective = SetLoss { step_targets: packed.target_tokens.len() };
    objective.loss(objective.terms(model, &packed))
}

#[test]
fn one_fork_and_one_trace_is_plain_fine_tuning() {
    let data = [question("a", &[1, 2, 3], &[&[4, 5, 6, 0]])];
    let one = |method| {
        let mut trainer = Trainer::new(model(), leads(1), &data, settings(method, 1, 1));
        let losses: Vec<f64> = (0..5).map(|_| step(&mut trainer, &data).loss).collect();
        (losses, weights_of(trainer.model()))
    };
    let (losses, trained) = one(Method::Ssft);
    assert_eq!(one(Method::Sft), (losses.clone(), trained), "the same numbers, bit for bit");
    let expected = plain_loss(&model(), &data[0], &Assignment { forks: vec![0] });
    assert!((losses[0] - expected).abs() < 1e-5, "{} against {expected}", losses[0]);
}

#[test]
fn the_set_loss_is_the_mean_over_separate_rows() {
    let model = model();
    for question in &questions() {
        let assignment =
            Assignment { forks: (0..question.traces.len()).map(|trace| FORKS - 1 - trace).collect() };
        let ours = loss_of(&model, &[question], std::slice::from_ref(&assignment));
        let expected = plain_loss(&model, question, &assignment);
        // Two orders of summing a dozen f32 terms of about 4.
        assert!((ours - expected).abs() < 1e-5, "{}: {ours} against {expected}", question.id);
    }
}

#[test]
fn permuting_the_traces_changes_nothing() {
    let trainer = trainer(Method::Ssft, 1, 1);
    let question = &questions()[0];
    let mut permuted = question.clone();
    permuted.traces.rotate_left(1);
    let costs = |question: &EncodedQuestion| {
        pollster::block_on(trainer.costs(&[&[question]])).expect("costs").remove(0)
    };
    let (before, after) = (costs(question), costs(&permuted));
    for fork in 0..FORKS {
        for trace in 0..3 {
            let (before, after) = (before.at(fork, (trace + 1) % 3), after.at(fork, trace));
            // A cost depends on its own pair only; where its rows stand in a matrix product may cost a rounding or two.
            assert!((before - after).abs() < 2e-6, "{before} against {after}");
        }
    }
    let (mut first, second) =
        (Assignment::optimal(&before).expect("finite"), Assignment::optimal(&after).expect("finite"));
    let loss = (
        loss_of(trainer.model(), &[question], std::slice::from_ref(&first)),
        loss_of(trainer.model(), &[&permuted], std::slice::from_ref(&second)),
    );
    first.forks.rotate_left(1);
    assert_eq!(first, second, "each trace keeps its fork");
    assert!((loss.0 - loss.1).abs() < 1e-6, "{loss:?}");
}

#[test]
fn costs_are_means_over_the_first_tokens() {
    let trainer = trainer(Method::Ssft, 1, 1);
    let question = &questions()[2];
    let costs: CostMatrix = pollster::block_on(trainer.costs(&[&[question]])).expect("costs").remove(0);
    for fork in 0..FORKS {
        for (trace, encoded) in question.traces.iter().enumerate() {
            let mut prefix = question.clone();
            // A prefix predicts what the whole trace predicts at the same places.
            prefix.traces = vec![EncodedTrace {
                source: String::new(),
                tokens: encoded.tokens[..encoded.tokens.len().min(3)].to_vec(),
            }];
            let expected = plain_loss(trainer.model(), &prefix, &Assignment { forks: vec![fork] });
            let cost = f64::from(costs.at(fork, trace));
            assert!((cost - expected).abs() < 1e-5, "fork {fork} trace {trace}: {cost} against {expected}");
        }
    }
}

/// Two passes with a shared denominator add up to one pass over all rows.
#[test]
fn the_passes_of_a_step_add_up_to_its_mean() {
    let nll = |values: &[f32]| Tensor::<1>::from_floats(values, &Device::flex());
    let set_loss = SetLoss { step_targets: 5 };
    let loss = |values: &[f32]| set_loss.loss(nll(values)).into_scalar::<f32>();
    let sum = loss(&[0.2, 0.1, 0.3]) + loss(&[0.3, 0.9]);
    assert!((sum - 0.36).abs() < 1e-6, "{sum}");
    let weights = vec![1.0, 1.0, 1.0, 0.0, 0.0];
    let some = WeightedSetLoss { set_loss, weights }.loss(nll(&[0.2, 0.1, 0.3, 0.3, 0.9]));
    assert!((some.into_scalar::<f32>() - 0.12).abs() < 1e-6, "weights keep the denominator");
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    use burn::module::{Module, ModuleVisitor, Param};
    #[derive(Default)]
    struct Slopes {
        gradients: GradientsParams,
        found: Vec<Vec<f32>>,
    }
    impl ModuleVisitor for Slopes {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.gradients.remove::<D>(param.id).expect("every parameter has a gradient");
            self.found.push(gradient.into_data().try_to_vec::<f32>().expect("f32"));
        }
    }
    // Embeddings of deviation 0.02 would bend under the first norm within one difference step.
    let mut start = weights_of(&model());
    start[0].values.iter_mut().for_each(|value| *value *= 10.0);
    let with = |weights: Vec<NamedTensor>| with_weights(&weights, &Device::flex().autodiff());
    let (model, data) = (with(start.clone()), questions());
    let batch: Vec<&EncodedQuestion> = data.iter().collect();
    let assignments: Vec<Assignment> =
        data.iter().map(|q| Assignment { forks: (0..q.traces.len()).collect() }).collect();
    let gradients = loss_tensor(&model, &batch, &assignments).backward();
    let mut slopes = Slopes { gradients: GradientsParams::from_grads(gradients, &model), found: Vec::new() };
    model.visit(&mut slopes);

    let at = |tensor: usize, index: usize, delta: f32| {
        let mut moved = start.clone();
        moved[tensor].values[index] += delta;
        loss_of(&with(moved), &batch, &assignments)
    };
    // Along a coordinate the central difference errs by about h^2 from curvature and by a few
    // eps * loss / h from rounding; h = 5e-3 keeps both near 1e-4.
    let h = 5e-3f32;
    for (tensor, gradient) in slopes.found.iter().enumerate() {
        let steepest = (0..gradient.len())
            .max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs()))
            .expect("not empty");
        for index in [steepest, gradient.len() / 2] {
            let slope = (at(tensor, index, h) - at(tensor, index, -h)) / f64::from(2.0 * h);
            let ours = f64::from(gradient[index]);
            let allowed = 5e-4 + 0.02 * slope.abs();
            assert!(
                (ours - slope).abs() < allowed,
                "{}[{index}]: {ours} against {slope}",
                start[tensor].name
            );
        }
    }
}
