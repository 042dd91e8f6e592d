//! What a step takes beside the model.

#[path = "../../ssft-model/tests/heap/mod.rs"]
mod heap;

use burn::tensor::Device;
use heap::{alone, peak};
use ssft_data::encode::{EncodedQuestion, EncodedTrace};
use ssft_model::{Decoder, DecoderConfig, config::Preset};
use ssft_train::schedule::{Schedule, Shape};
use ssft_train::{AdamWSettings, Matching, Method, Settings, Trainer};

fn question() -> EncodedQuestion {
    let traces =
        (0..2).map(|n| EncodedTrace { source: format!("s{n}"), tokens: vec![4 + n, 7, 0] }).collect();
    EncodedQuestion { id: "a".into(), prompt: vec![1, 2], traces, answer: None }
}

/// A trainer of a model beside which a few tokens are nothing, and the bytes of its weights.
fn trainer(memory_budget: u64, matching: Matching) -> (Trainer, usize) {
    let config = DecoderConfig { tie_word_embeddings: false, ..DecoderConfig::preset(Preset::Small, 8192) };
    let settings = Settings {
        method: Method::Ssft,
        match_tokens: 2,
        matching,
        batch_questions: 1,
        accumulate: 1,
        memory_budget,
        schedule: Schedule { peak: 1e-3, warmup_steps: 0, steps: 9, shape: Shape::Constant },
        adamw: AdamWSettings { weight_decay: 0.1, ..AdamWSettings::default() },
        seed: 5,
    };
    let model = Decoder::init(&config, 3, &Device::flex().autodiff());
    let leads = vec![vec![30], vec![31]];
    (Trainer::new(model, leads, &[question()], settings), 4 * config.parameters())
}

fn step(trainer: &mut Trainer) -> usize {
    let data = [question()];
    let (bytes, report) = peak(|| pollster::block_on(trainer.step(&data, &|| 0.0)));
    report.expect("a step");
    bytes
}

/// Of the weights, what a step that is not the first took beyond them and the moments.
fn share(mut trainer: Trainer, weights: usize) -> f64 {
    step(&mut trainer);
    step(&mut trainer) as f64 / weights as f64
}

#[test]
fn a_step_of_one_pass_takes_a_gradient_a_weight() {
    let _alone = alone();
    let (trainer, weights) = trainer(1 << 30, Matching::Full);
    let share = share(trainer, weights);
    assert!(share < 1.2, "{share}");
}

/// The gradients of a pass are added to those of the passes before.
#[test]
fn a_step_of_several_passes_takes_two() {
    let _alone = alone();
    let (trainer, weights) = trainer(1, Matching::Full);
    let share = share(trainer, weights);
    assert!((1.8..2.2).contains(&share), "{share}");
}

#[test]
fn a_second_copy_of_the_weights_is_made_where_it_is_small() {
    let _alone = alone();
    for (copies_in_budget, copied) in [(3, false), (5, true)] {
        let bytes = trainer(0, Matching::Lazy).1;
        let (trainer, weights) = trainer((copies_in_budget * bytes) as u64, Matching::Lazy);
        let (bytes, model) = peak(|| trainer.for_reading());
        drop(model);
        assert_eq!(bytes > weights / 2, copied, "{bytes} of {weights}");
    }
}
