//! Training a part of the parameters.

use crate::saved::bytes;
use crate::{FORKS, leads, questions, run, settings, trainer, weights_of, with_weights};
use burn::tensor::Device;
use ssft_model::StoredTensors;
use ssft_model::trained::Trained;
use ssft_train::{Method, Trainer};

/// The embedding rows of the forking tokens; the model of these tests has a tied head.
fn fork_rows() -> Trained {
    Trained::Rows(leads(FORKS).concat())
}

#[test]
fn only_the_chosen_rows_change() {
    let mut trainer = trainer(Method::Ssft, 2, 1).training(fork_rows());
    let before = weights_of(trainer.model());
    let losses = run(&mut trainer, 12);
    assert!(losses[11] < losses[0], "{losses:?}");
    let after = weights_of(trainer.model());
    let Trained::Rows(rows) = fork_rows() else { unreachable!("rows") };
    for (before, after) in before.iter().zip(&after) {
        if !before.name.ends_with("embed_tokens.weight") {
            assert_eq!(before, after);
            continue;
        }
        let width = before.shape[1];
        for (row, (old, new)) in before.values.chunks(width).zip(after.values.chunks(width)).enumerate() {
            let is_trained = rows.contains(&(row as u32));
            assert_eq!(old != new, is_trained, "row {row}");
        }
    }
}

#[test]
fn a_restored_trainer_of_rows_goes_on_bit_for_bit() {
    let mut whole = trainer(Method::Ssft, 2, 1).training(fork_rows());
    let expected = run(&mut whole, 7);
    let mut first = trainer(Method::Ssft, 2, 1).training(fork_rows());
    run(&mut first, 3);
    let files = first.state_files().expect("state");
    let model = with_weights(&weights_of(first.model()), &Device::flex().autodiff());
    let mut second =
        Trainer::new(model, leads(FORKS), &questions(), settings(Method::Ssft, 2, 1)).training(fork_rows());
    let moments = StoredTensors::in_memory("moments", bytes(&files[0].1)).expect("whole");
    second.restore(&moments, &bytes(&files[1].1)).expect("restores");
    assert_eq!(run(&mut second, 4), expected[3..]);
    assert_eq!(weights_of(second.model()), weights_of(whole.model()));
}
