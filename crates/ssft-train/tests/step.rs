//! What a training step must and must not depend on.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use ssft_data::encode::{EncodedQuestion, EncodedTrace};
use ssft_kernels::{Targets, reference::linear_nll};
use ssft_model::checkpoint::{NamedTensor, load};
use ssft_model::directory::Content;
use ssft_model::packing::{PackedTrees, Tree};
use ssft_model::parameters::{Replace, replace};
use ssft_model::{Decoder, DecoderConfig, config::Preset};
use ssft_model::{Precision, StoredTensors, TensorFile};
use ssft_train::assign::Matching;
use ssft_train::optimizer::AdamWSettings;
use ssft_train::schedule::{Schedule, Shape};
use ssft_train::set_loss::{matched_trees, set_loss};
use ssft_train::step::Settings;
use ssft_train::{Assignment, CostMatrix, Method, Trainer};

const FORKS: usize = 4;

fn shape() -> DecoderConfig {
    DecoderConfig {
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 4,
        ..DecoderConfig::preset(Preset::Tiny, 40)
    }
}

fn model() -> Decoder {
    Decoder::init(&shape(), 3, &Device::flex().autodiff())
}

fn leads(forks: usize) -> Vec<Vec<u32>> {
    (0..forks).map(|fork| vec![30 + fork as u32]).collect()
}

fn question(id: &str, prompt: &[u32], traces: &[&[u32]]) -> EncodedQuestion {
    let trace = |(index, tokens): (usize, &&[u32])| EncodedTrace {
        source: format!("s{index}"),
        tokens: tokens.to_vec(),
    };
    EncodedQuestion {
        id: id.into(),
        prompt: prompt.to_vec(),
        traces: traces.iter().enumerate().map(trace).collect(),
        answer: None,
    }
}

fn questions() -> Vec<EncodedQuestion> {
    vec![
        question("a", &[1, 2, 3], &[&[4, 5, 6, 0], &[7, 8, 0], &[9, 4, 4, 4, 4, 0]]),
        question("b", &[2], &[&[6, 0], &[5, 5, 0]]),
        question("c", &[3, 1, 1, 2, 9], &[&[4, 9, 0], &[8, 8, 8, 0], &[5, 0]]),
        question("d", &[9, 9], &[&[7, 0], &[6, 6, 6, 0], &[1, 2, 3, 0]]),
    ]
}

fn settings(method: Method, batch_questions: usize, accumulate: usize) -> Settings {
    Settings {
        method,
        match_tokens: 3,
        matching: Matching::Full,
        batch_questions,
        accumulate,
        memory_budget: 1 << 30,
        schedule: Schedule { peak: 1e-2, warmup_steps: 2, steps: 20, shape: Shape::Cosine },
        adamw: AdamWSettings { weight_decay: 0.1, ..AdamWSettings::default() },
        seed: 5,
    }
}

fn trainer(method: Method, batch_questions: usize, accumulate: usize) -> Trainer {
    Trainer::new(model(), leads(FORKS), &questions(), settings(method, batch_questions, accumulate))
}

fn run(trainer: &mut Trainer, steps: usize) -> Vec<f64> {
    let data = questions();
    (0..steps).map(|_| pollster::block_on(trainer.step(&data, &|| 0.0)).expect("a step").loss).collect()
}

fn weights_of(model: &Decoder) -> Vec<NamedTensor> {
    pollster::block_on(TensorFile::of_model(model, Precision::F32).read()).expect("readback")
}

/// A model of [`shape`] with these weights.
fn with_weights(weights: &[NamedTensor], device: &Device) -> Decoder {
    let stored = StoredTensors::of_host(weights).expect("tensors");
    load(&shape(), &stored, None, device).expect("fits")
}

/// The bytes of a file.
fn bytes(content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    pollster::block_on(content.write(&mut bytes)).expect("written");
    bytes
}

/// The loss everybody knows: one causal row a pair, the mean over target tokens, in plain tensors.
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
    let packed = matched_trees(questions, assignments, &leads(FORKS));
    f64::from(set_loss(model, &packed, packed.target_tokens.len()).into_scalar::<f32>())
}

#[test]
fn one_fork_and_one_trace_is_plain_fine_tuning() {
    let data = [question("a", &[1, 2, 3], &[&[4, 5, 6, 0]])];
    let one = |method| {
        let mut trainer = Trainer::new(model(), leads(1), &data, settings(method, 1, 1));
        let losses: Vec<f64> =
            (0..5).map(|_| pollster::block_on(trainer.step(&data, &|| 0.0)).expect("a step").loss).collect();
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
        pollster::block_on(trainer.costs(1, &[&[question]])).expect("costs").remove(0)
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
    let costs: CostMatrix = pollster::block_on(trainer.costs(1, &[&[question]])).expect("costs").remove(0);
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
    let packed = matched_trees(&batch, &assignments, &leads(FORKS));
    let gradients = set_loss(&model, &packed, packed.target_tokens.len()).backward();
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

#[test]
fn accumulation_equals_one_large_batch() {
    for method in Method::ALL {
        let mut large = trainer(method, 4, 1);
        let mut small = trainer(method, 1, 4);
        let (a, b) = (run(&mut large, 3), run(&mut small, 3));
        for (a, b) in a.iter().zip(&b) {
            assert!(
                (a - b).abs() < 1e-5,
                "{method:?}: {a} against {b}: sums of the same terms in another order"
            );
        }
    }
}

fn with(matching: Matching, memory_budget: u64) -> Trainer {
    let settings = Settings { matching, memory_budget, ..settings(Method::Ssft, 2, 2) };
    Trainer::new(model(), leads(FORKS), &questions(), settings)
}

/// Losses and matches of some steps.
fn history(mut trainer: Trainer, steps: usize) -> Vec<(f64, Vec<Vec<usize>>)> {
    let data = questions();
    let mut step = || pollster::block_on(trainer.step(&data, &|| 0.0)).expect("a step");
    (0..steps)
        .map(|_| step())
        .map(|report| (report.loss, report.matches.into_iter().map(|matched| matched.forks).collect()))
        .collect()
}

/// Every way to find the matchings and to cut a step into passes gives the same run, up to the order of sums.
#[test]
fn neither_lazy_matching_nor_a_small_budget_changes_the_run() {
    let expected = history(with(Matching::Full, 1 << 30), 30);
    // So little that every pass has one question, or one trace, or less than a question's branches.
    for budget in [1 << 30, 200_000, 40_000, 1] {
        for matching in [Matching::Full, Matching::Lazy] {
            let found = history(with(matching, budget), 30);
            for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let what = format!("{matching:?}, {budget} bytes, step {}", step + 1);
                assert_eq!(found.1, expected.1, "{what}");
                // Thirty updates pass on what one order of summation differs from another by.
                assert!((found.0 - expected.0).abs() < 1e-4, "{what}: {} against {}", found.0, expected.0);
            }
        }
    }
}

/// Traces that begin alike, two that are the same, one that is short, and enough tokens for several passes.
fn long_questions() -> Vec<EncodedQuestion> {
    let trace = |parting: usize, step: u32, length: usize| -> Vec<u32> {
        let token = |at: usize| if at < parting { 3 + at as u32 % 5 } else { (at as u32 * step) % 23 };
        (0..length).map(token).collect()
    };
    let question = |id: &str, traces: &[Vec<u32>]| {
        question(id, &[1, 2], &traces.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    vec![
        question("long", &[trace(10, 7, 90), trace(10, 5, 80), trace(0, 3, 70), trace(10, 11, 60)]),
        question("same", &[trace(4, 7, 50), trace(4, 7, 50), trace(40, 9, 64)]),
        question("prefix", &[trace(30, 7, 12), trace(30, 9, 60), vec![3]]),
    ]
}

#[test]
fn long_traces_are_matched_the_same_however_they_are_read() {
    let data = long_questions();
    let matches = |matching: Matching, memory_budget: u64| {
        let settings =
            Settings { match_tokens: 75, memory_budget, matching, ..settings(Method::Ssft, data.len(), 1) };
        let mut trainer = Trainer::new(model(), leads(4), &data, settings);
        let mut step = || pollster::block_on(trainer.step(&data, &|| 0.0)).expect("a step");
        (0..12).map(|_| step()).map(|report| (report.matches, report.cost_saved)).collect::<Vec<_>>()
    };
    let expected = matches(Matching::Full, 1 << 30);
    for budget in [1 << 30, 4_000_000, 600_000, 40_000] {
        let found = matches(Matching::Lazy, budget);
        for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found.0, expected.0, "{budget} bytes, step {}", step + 1);
        }
        let least = found.iter().filter_map(|found| found.1).fold(1.0, f64::min);
        assert!(
            budget < 1 << 30 || least > expected[0].1.expect("ssft"),
            "{least}: some branches are left unread"
        );
    }
}

#[test]
fn lazy_matching_saves_more_and_more() {
    let data = questions();
    let mut trainer = with(Matching::Lazy, 1 << 30);
    let mut saved =
        || pollster::block_on(trainer.step(&data, &|| 0.0)).expect("a step").cost_saved.expect("ssft");
    let run: Vec<f64> = (0..60).map(|_| saved()).collect();
    let mean = |run: &[f64]| run.iter().sum::<f64>() / run.len() as f64;
    assert!(mean(&run[50..]) > mean(&run[..10]), "{run:?}");
    assert!(run.iter().all(|saved| (0.0..1.0).contains(saved)), "{run:?}");
}

#[test]
fn every_arm_learns_and_tags_as_it_should() {
    for method in Method::ALL {
        let mut trainer = trainer(method, 2, 1);
        let losses = run(&mut trainer, 20);
        assert!(losses[19] < losses[0] - 0.3, "{method:?}: {losses:?}");
        let report = pollster::block_on(trainer.step(&questions(), &|| 0.0)).expect("a step");
        for matched in &report.matches {
            let question =
                questions().into_iter().find(|question| question.id == matched.id).expect("known id");
            let mut forks = matched.forks.clone();
            assert_eq!(forks.len(), method.traces(question.traces.len()));
            forks.sort_unstable();
            forks.dedup();
            match method {
                Method::Sft | Method::SftMixed => assert_eq!(forks, [1]),
                Method::Ssft | Method::SsftRandom => {
                    assert_eq!(forks.len(), matched.forks.len(), "injective")
                }
            }
        }
    }
}

#[test]
fn a_restored_trainer_goes_on_bit_for_bit() {
    for method in [Method::Ssft, Method::SsftRandom] {
        let mut whole = trainer(method, 2, 2);
        let expected = run(&mut whole, 9);
        let mut first = trainer(method, 2, 2);
        run(&mut first, 4);
        let files = first.state_files().expect("state");
        let model = with_weights(&weights_of(first.model()), &Device::flex().autodiff());
        let mut second = Trainer::new(model, leads(FORKS), &questions(), settings(method, 2, 2));
        let moments = StoredTensors::in_memory("moments", bytes(&files[0].1)).expect("whole");
        second.restore(&moments, &bytes(&files[1].1)).expect("restores");
        assert_eq!(run(&mut second, 5), expected[4..], "{method:?}");
        assert_eq!(weights_of(second.model()), weights_of(whole.model()), "{method:?}");
        assert_eq!(second.coverage(), whole.coverage());
    }
}

#[test]
fn a_state_of_another_run_is_refused() {
    let mut first = trainer(Method::Ssft, 2, 1);
    run(&mut first, 1);
    let files = first.state_files().expect("state");
    let (moments, state) = (bytes(&files[0].1), bytes(&files[1].1));
    let moments = StoredTensors::in_memory("moments", moments).expect("whole");
    let refuse = |mut other: Trainer| other.restore(&moments, &state).expect_err("refused").to_string();
    let with_seed = Settings { seed: 6, ..settings(Method::Ssft, 2, 1) };
    let says = refuse(Trainer::new(model(), leads(FORKS), &questions(), with_seed));
    assert_eq!(says, "trainer state: the run was started with --seed 5, not 6");
    let says = refuse(Trainer::new(model(), leads(3), &questions(), settings(Method::Ssft, 2, 1)));
    assert_eq!(says, "trainer state: the run was started with --forks 4, not 3");
    let says = refuse(Trainer::new(model(), leads(FORKS), &questions()[1..], settings(Method::Ssft, 2, 1)));
    assert!(says.starts_with("trainer state: the data is not what the run was started with"), "{says}");
}

#[test]
fn a_step_that_is_not_finite_stops_before_the_weights_move() {
    for method in [Method::Ssft, Method::SftMixed] {
        let mut saved = weights_of(&model());
        // Finite, but its logits are not.
        saved[0].values[5 * 16..6 * 16].fill(3e38);
        let model = with_weights(&saved, &Device::flex().autodiff());
        let mut trainer = Trainer::new(model, leads(FORKS), &questions(), settings(method, 4, 1));
        let error = pollster::block_on(trainer.step(&questions(), &|| 0.0)).expect_err("NaN").to_string();
        let expected = match method {
            Method::Ssft => "step 1: the cost of trace ",
            _ => "step 1: the loss is ",
        };
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(trainer.steps_done(), 0);
        assert_eq!(weights_of(trainer.model()), saved);
    }
}

/// Puts a number into the weight called `name`, whatever it is.
struct Spoil {
    name: &'static str,
    value: f32,
}

impl Replace for Spoil {
    fn replace<const D: usize>(&mut self, name: String, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if name != self.name {
            return parameter;
        }
        parameter.map(|weights| Tensor::full_like(&weights, self.value))
    }
}

#[test]
fn a_model_that_is_not_a_number_is_not_saved() {
    let name = "model.layers.0.self_attn.v_proj.weight";
    let refuse = |value, precision| {
        let spoilt = replace(model(), &mut Spoil { name, value });
        let file = TensorFile::of_model(&spoilt, precision);
        pollster::block_on(file.write(&mut Vec::new())).expect_err("refused").to_string()
    };
    assert_eq!(
        refuse(f32::NAN, Precision::F32),
        "model.layers.0.self_attn.v_proj.weight holds a number that is not finite; nothing was saved, try a lower `lr`"
    );
    assert_eq!(
        refuse(1e6, Precision::F16),
        "model.layers.0.self_attn.v_proj.weight holds a number that is too large for float16; nothing was saved"
    );
}
