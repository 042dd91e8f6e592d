//! Gradients of a model of which only some parameters are trained.

mod shapes;

use burn::module::Param;
use burn::tensor::{Device, Gradients, Tensor};
use shapes::shapes;
use ssft_kernels::linear_nll;
use ssft_model::packing::{Branch, PackedTrees, Tree};
use ssft_model::parameters::{EMBEDDING, HEAD, Visit, visit};
use ssft_model::trained::{Trained, TrainedPart, freeze};
use ssft_model::{Decoder, DecoderConfig};
use std::collections::BTreeMap;

/// Rows to train; token 45 does not occur in the batch.
const ROWS: [u32; 3] = [40, 41, 45];

fn packed() -> PackedTrees {
    let branches = vec![Branch::new(&[40], &[1, 2, 41], usize::MAX), Branch::new(&[41], &[4, 5], usize::MAX)];
    PackedTrees::new(&[Tree { prompt: vec![10, 11, 12], branches }])
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32")
}

/// Gradients by name, of the trained part only.
struct Collect<'a> {
    gradients: &'a Gradients,
    trained: &'a Trained,
    found: BTreeMap<String, Vec<f32>>,
}

impl Visit for Collect<'_> {
    fn visit<const D: usize>(&mut self, name: String, parameter: &Param<Tensor<D>>) {
        if !parameter.is_require_grad() {
            return;
        }
        let gradient = parameter.val().grad(self.gradients).expect("a tracked parameter has a gradient");
        let part = self.trained.part(&name).select(gradient).expect("only trained parameters are tracked");
        self.found.insert(name, numbers(part));
    }
}

/// Gradients of the loss of a fresh model in which `frozen` is trained, reduced to `reported`.
fn gradients(config: &DecoderConfig, frozen: &Trained, reported: &Trained) -> BTreeMap<String, Vec<f32>> {
    let model = freeze(Decoder::init(config, 7, &Device::flex().autodiff()), frozen);
    let packed = packed();
    let loss = linear_nll(model.forward(&packed), model.head(), &packed.targets()).sum();
    let gradients = loss.backward();
    let mut collect = Collect { gradients: &gradients, trained: reported, found: BTreeMap::new() };
    visit(&model, &mut collect);
    collect.found
}

#[test]
fn only_trained_rows_have_gradients_and_they_equal_those_of_the_whole_model() {
    for config in shapes() {
        let rows = Trained::Rows(ROWS.to_vec());
        let all = gradients(&config, &Trained::All, &Trained::All);
        let some = gradients(&config, &rows, &rows);
        let tables: Vec<&str> =
            if config.tie_word_embeddings { vec![EMBEDDING] } else { vec![HEAD, EMBEDDING] };
        assert_eq!(some.keys().collect::<Vec<_>>(), tables);
        let width = config.hidden_size;
        for table in tables {
            let expected: Vec<f32> =
                ROWS.iter().flat_map(|&row| &all[table][row as usize * width..][..width]).copied().collect();
            assert_eq!(some[table], expected, "{table}");
            assert!(expected.iter().any(|&value| value != 0.0), "{table}");
        }
    }
}

#[test]
fn a_model_that_is_trained_whole_again_tracks_every_parameter() {
    let config = &shapes()[0];
    let model = Decoder::init(config, 7, &Device::flex().autodiff());
    let model = freeze(freeze(model, &Trained::Rows(vec![1])), &Trained::All);
    struct Tracked(usize);
    impl Visit for Tracked {
        fn visit<const D: usize>(&mut self, _name: String, parameter: &Param<Tensor<D>>) {
            self.0 += usize::from(parameter.val().is_require_grad()) * parameter.val().shape().num_elements();
        }
    }
    let mut tracked = Tracked(0);
    visit(&model, &mut tracked);
    assert_eq!(tracked.0, config.parameters());
}

#[test]
fn rows_are_selected_and_assigned() {
    let table = || Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::flex());
    let rows = [0, 2];
    let part = TrainedPart::Rows(&rows);
    let selected = part.select(table()).expect("two rows");
    assert_eq!(numbers(selected.clone()), [1.0, 2.0, 5.0, 6.0]);
    assert_eq!(numbers(part.assign(table(), selected * 10.0)), [10.0, 20.0, 3.0, 4.0, 50.0, 60.0]);
    assert!(TrainedPart::Nothing.select(table()).is_none());
}

#[test]
#[should_panic(expected = "rows to train of 50: [50]")]
fn rows_beyond_the_vocabulary_are_refused() {
    freeze(Decoder::init(&shapes()[0], 7, &Device::flex()), &Trained::Rows(vec![50]));
}
