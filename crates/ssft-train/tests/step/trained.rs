//! Training a part of the parameters.

use crate::{FORKS, leads, model, questions, settings, step, weights_of, with_weights};
use burn::tensor::Device;
use ssft_model::StoredTensors;
use ssft_model::trained::Trained;
use ssft_train::{AdamWSettings, Method, Settings, Trainer};

/// Token ids of the forking tokens in [`leads`].
fn forking_rows() -> Trained {
    Trained::Rows((30..30 + FORKS as u32).collect())
}

fn trainer(trained: Trained) -> Trainer {
    let adamw = AdamWSettings { clip_norm: 0.0, ..AdamWSettings::default() };
    let settings = Settings { trained, adamw, ..settings(Method::Ssft, 4, 1) };
    Trainer::new(model(), leads(FORKS), &questions(), settings)
}

#[test]
fn trained_rows_move_as_in_full_training_and_nothing_else_does() {
    let (mut rows, mut all) = (trainer(forking_rows()), trainer(Trained::All));
    let (of_rows, of_all) = (step(&mut rows, &questions()), step(&mut all, &questions()));
    assert_eq!(of_rows.loss, of_all.loss);
    assert!(of_rows.grad_norm < of_all.grad_norm, "the norm is that of the trained rows");
    let before = weights_of(&model());
    let (rows, all) = (weights_of(rows.model()), weights_of(all.model()));
    for ((found, expected), before) in rows.iter().zip(&all).zip(&before) {
        let width = *before.shape.last().expect("a shape");
        for (row, values) in found.values.chunks(width).enumerate() {
            let at = row * width..(row + 1) * width;
            // The model is tied: the embedding comes first and is the head as well.
            let trained = found.name == before.name && before.name == rows[0].name && (30..34).contains(&row);
            let expected = if trained { &expected.values[at.clone()] } else { &before.values[at.clone()] };
            assert_eq!(values, expected, "{} row {row}", found.name);
            assert_eq!(trained, values != &before.values[at], "{} row {row}", found.name);
        }
    }
}

#[test]
fn a_run_on_some_rows_resumes_bit_for_bit() {
    let mut whole = trainer(forking_rows());
    let losses: Vec<f64> = (0..4).map(|_| step(&mut whole, &questions()).loss).collect();
    let mut first = trainer(forking_rows());
    (0..2).for_each(|_| drop(step(&mut first, &questions())));
    let files = first.state_files().expect("state");
    let model = with_weights(&weights_of(first.model()), &Device::flex().autodiff());
    let settings = Settings {
        trained: forking_rows(),
        adamw: AdamWSettings { clip_norm: 0.0, ..AdamWSettings::default() },
        ..settings(Method::Ssft, 4, 1)
    };
    let mut second = Trainer::new(model, leads(FORKS), &questions(), settings);
    let moments = StoredTensors::in_memory("moments", crate::saved::bytes(&files[0].1)).expect("whole");
    second.restore(&moments, &crate::saved::bytes(&files[1].1)).expect("restores");
    let resumed: Vec<f64> = (0..2).map(|_| step(&mut second, &questions()).loss).collect();
    assert_eq!(resumed, losses[2..]);
    assert_eq!(weights_of(second.model()), weights_of(whole.model()));
    let error = trainer(Trained::All).restore(&moments, &crate::saved::bytes(&files[1].1));
    let error = error.expect_err("moments of rows only").to_string();
    assert!(error.starts_with("trainer state: optimizer.safetensors has no exp_avg of "), "{error}");
}
