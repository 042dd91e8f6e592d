//! What is saved, and what must not be.

use crate::{FORKS, leads, model, questions, run, settings, trainer, weights_of, with_weights};
use burn::module::Param;
use burn::tensor::{Device, Tensor};
use ssft_model::directory::Content;
use ssft_model::parameters::{Replace, replace};
use ssft_model::{Precision, StoredTensors, TensorFile};
use ssft_train::{Method, Settings, Trainer};

/// The bytes of a file.
pub fn bytes(content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    pollster::block_on(content.write(&mut bytes)).expect("written");
    bytes
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
    assert_eq!(says, "trainer state: the run was started with `seed` 5, not 6");
    let says = refuse(Trainer::new(model(), leads(3), &questions(), settings(Method::Ssft, 2, 1)));
    assert_eq!(says, "trainer state: the run was started with `forks` 4, not 3");
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

/// Replaces all numbers of the parameter called `name` by `value`.
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
