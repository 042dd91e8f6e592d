//! Packed trees and caches give the same hidden states as separate rows.

mod shapes;

use burn::tensor::{Device, Tensor};
use shapes::shapes;
use ssft_model::Decoder;
use ssft_model::cache::Growth;
use ssft_model::packing::{Branch, PackedTrees, Tree};

fn trees() -> Vec<Tree> {
    let branch = |lead: &[u32], trace: &[u32]| Branch::new(lead, trace, usize::MAX);
    vec![
        Tree {
            prompt: vec![1, 2, 3, 4, 5],
            branches: vec![
                branch(&[40, 9], &[6, 7, 8]),
                branch(&[41, 9], &[8, 7, 6, 5, 4, 3]),
                branch(&[42, 9], &[1]),
            ],
        },
        Tree { prompt: vec![11], branches: vec![branch(&[42, 9], &[12, 13])] },
        Tree {
            prompt: vec![3, 1],
            branches: vec![branch(&[40, 9], &[20, 21, 22]), branch(&[43, 9], &[20, 21, 23])],
        },
    ]
}

fn rows(tensor: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, width] = tensor.dims();
    tensor.into_data().try_to_vec::<f32>().expect("f32").chunks(width).map(<[f32]>::to_vec).collect()
}

/// Hidden states of prompt and branch as one causal sequence, without packing.
fn alone(model: &Decoder, prompt: &[u32], branch: &[u32]) -> Vec<Vec<f32>> {
    let row = Tree { prompt: [prompt, branch].concat(), branches: Vec::new() };
    rows(model.forward(&PackedTrees::new(&[row])))
}

/// Tolerance for two orders of summation of f32 numbers of magnitude 1, over at most 11 keys.
const TOLERANCE: f32 = 2e-5;

fn assert_close(ours: &[f32], expected: &[f32], what: &str) {
    for (a, b) in ours.iter().zip(expected) {
        assert!((a - b).abs() <= TOLERANCE, "{what}: {a} against {b}");
    }
}

#[test]
fn packed_trees_equal_separate_rows() {
    for config in shapes() {
        let model = Decoder::init(&config, 7, &Device::flex());
        let trees = trees();
        let packed = PackedTrees::new(&trees);
        let hidden = rows(model.forward(&packed));
        let mut start = 0;
        for tree in &trees {
            let mut branch_start = start + tree.prompt.len();
            for branch in &tree.branches {
                let expected = alone(&model, &tree.prompt, &branch.tokens);
                for (offset, state) in expected.iter().enumerate() {
                    let row = match offset.checked_sub(tree.prompt.len()) {
                        None => start + offset,
                        Some(offset) => branch_start + offset,
                    };
                    assert_close(&hidden[row], state, &format!("{config:?} row {row}"));
                }
                branch_start += branch.tokens.len();
            }
            start = branch_start;
        }
    }
}

#[test]
fn cached_forks_equal_separate_rows() {
    let forks = [vec![40u32, 9, 6, 7], vec![41, 9, 8, 1], vec![42, 9, 3, 3]];
    let prompts = [vec![1u32, 2, 3, 4, 5], vec![11], vec![3, 1]];
    for config in shapes() {
        let model = Decoder::init(&config, 7, &Device::flex());
        let trees: Vec<Tree> =
            prompts.iter().map(|prompt| Tree { prompt: prompt.clone(), branches: vec![] }).collect();
        let (_, mut cache) = model.prefill(&PackedTrees::new(&trees));
        // Both tokens of the lead in the first pass, then one token per pass.
        let mut states = vec![Vec::new(); 9];
        for chunk in [0..2, 2..3, 3..4] {
            let at = |row: usize| if chunk.start == 0 { Growth::From(row / 3) } else { Growth::On(3 + row) };
            let growth: Vec<(Growth, &[u32])> =
                (0..9).map(|row| (at(row), &forks[row % 3][chunk.clone()])).collect();
            let hidden = rows(model.extend(&growth, &mut cache));
            for (row, state) in hidden.into_iter().enumerate() {
                states[row / chunk.len()].push(state);
            }
        }
        for (question, prompt) in prompts.iter().enumerate() {
            for (fork, tokens) in forks.iter().enumerate() {
                let expected = &alone(&model, prompt, tokens)[prompt.len()..];
                for (ours, state) in states[question * 3 + fork].iter().zip(expected) {
                    assert_close(ours, state, &format!("{config:?} question {question} fork {fork}"));
                }
            }
        }
    }
}

#[test]
fn the_prompts_cache_is_held_once() {
    let config = &shapes()[0];
    let model = Decoder::init(config, 7, &Device::flex());
    let (_, mut cache) = model.prefill(&PackedTrees::new(&[Tree { prompt: vec![1; 10], branches: vec![] }]));
    let token = 2 * 4 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim;
    assert_eq!(cache.bytes(), 10 * token);
    let forks: Vec<[u32; 1]> = (1..=6).map(|token| [token]).collect();
    let growth: Vec<(Growth, &[u32])> = forks.iter().map(|fork| (Growth::From(0), &fork[..])).collect();
    model.extend(&growth, &mut cache);
    assert_eq!(cache.bytes(), 10 * token + 6 * token);
}
