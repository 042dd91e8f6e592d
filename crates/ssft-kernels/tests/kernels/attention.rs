//! `tree_attention`, forward and backward.

use super::yardstick::{Case, ROUNDING, check_tracking, run, wide};
use super::{devices, draw, numbers, vector};
use burn::tensor::{Device, Tensor};
use ssft_kernels::{Forest, Node, reference, tree_attention};

type Operation = fn(Tensor<3>, Tensor<3>, Tensor<3>, &Forest) -> Tensor<3>;

/// Query heads, key heads, numbers of a head.
type Heads = [usize; 3];

fn node(parent: Option<usize>, length: usize, new: usize) -> Node {
    Node { parent, length, new }
}

fn flat<'a>(
    operation: Operation,
    forest: &'a Forest,
    [heads, kv_heads, head_dim]: Heads,
) -> impl Fn([Tensor<1>; 3]) -> Tensor<1> + 'a {
    move |[query, key, value]| {
        let query = query.reshape([forest.queries(), heads, head_dim]);
        let [key, value] = [key, value].map(|tensor| tensor.reshape([forest.keys(), kv_heads, head_dim]));
        operation(query, key, value, forest).reshape([forest.queries() * heads * head_dim])
    }
}

/// Query, key, value and the upstream gradient.
fn inputs(forest: &Forest, [heads, kv_heads, head_dim]: Heads) -> [Vec<f32>; 4] {
    let (queries, keys) = (forest.queries() * heads * head_dim, forest.keys() * kv_heads * head_dim);
    // Scores of a few units, so that the weights differ.
    let query = draw(1, queries).iter().map(|x| 3.0 * x).collect();
    [query, draw(2, keys), draw(3, keys), draw(4, queries)]
}

/// The keys that each query sees.
fn visible(forest: &Forest) -> Vec<Vec<usize>> {
    let mut of_queries = Vec::new();
    for (index, run) in forest.runs().iter().enumerate() {
        for token in run.length - run.new..run.length {
            let mut keys: Vec<usize> = (run.key_start..=run.key_start + token).collect();
            let mut above = forest.runs()[index].parent;
            while let Some(parent) = above {
                let run = forest.runs()[parent];
                keys.extend(run.key_start..run.key_start + run.length);
                above = run.parent;
            }
            of_queries.push(keys);
        }
    }
    of_queries
}

/// A sum, and the sum of its terms' magnitudes.
#[derive(Clone, Copy, Default)]
struct Sum(f64, f64);

impl Sum {
    fn add(&mut self, term: f64, magnitude: f64) {
        self.0 += term;
        self.1 += magnitude;
    }
}

struct Exact {
    /// Results, then gradients of query, key and value.
    parts: [Vec<Sum>; 4],
    /// Largest sum of `|q_k k_k|` over all scores. The rounding error of a score is relative to it.
    largest_dot: f64,
}

fn exact(forest: &Forest, [heads, kv_heads, d]: Heads, inputs: &[Vec<f32>; 4]) -> Exact {
    let [query, key, value, upstream] = inputs.each_ref().map(|input| wide(input));
    let scale = 1.0 / (d as f64).sqrt();
    let sums = |like: &Vec<f64>| vec![Sum::default(); like.len()];
    let mut parts = [sums(&query), sums(&query), sums(&key), sums(&value)];
    let mut largest_dot = 0.0f64;
    for (q, keys) in visible(forest).into_iter().enumerate() {
        for head in 0..heads {
            let at = (q * heads + head) * d;
            let key_at = |key: usize| (key * kv_heads + head / (heads / kv_heads)) * d;
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let (row, of_row) = (&query[at..at + d], &upstream[at..at + d]);
            let scores: Vec<f64> =
                keys.iter().map(|&k| scale * dot(row, &key[key_at(k)..key_at(k) + d])).collect();
            for &k in &keys {
                let magnitudes = row.iter().zip(&key[key_at(k)..]).map(|(a, b)| (a * b).abs());
                largest_dot = largest_dot.max(scale * magnitudes.sum::<f64>());
            }
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - top).exp()).sum();
            let weights: Vec<f64> = scores.iter().map(|score| (score - top).exp() / total).collect();
            let slopes: Vec<f64> =
                keys.iter().map(|&k| dot(of_row, &value[key_at(k)..key_at(k) + d])).collect();
            let delta = dot(&weights, &slopes);
            for ((&k, &p), slope) in keys.iter().zip(&weights).zip(slopes) {
                let (s, size) = (p * (slope - delta) * scale, p * (slope.abs() + delta.abs()) * scale);
                for i in 0..d {
                    let (a, b) = (at + i, key_at(k) + i);
                    parts[0][a].add(p * value[b], p * value[b].abs());
                    parts[1][a].add(s * key[b], size * key[b].abs());
                    parts[2][b].add(s * query[a], size * query[a].abs());
                    parts[3][b].add(p * upstream[a], p * upstream[a].abs());
                }
            }
        }
    }
    Exact { parts, largest_dot }
}

fn check_inputs(name: &str, forest: &Forest, heads: Heads, inputs: &[Vec<f32>; 4]) {
    let Exact { parts, largest_dot } = exact(forest, heads, inputs);
    let [query, key, value, upstream] = inputs;
    let case = Case {
        name: format!("{name}, heads {heads:?}"),
        inputs: [query, key, value],
        upstream,
        cancels: parts.iter().map(|part| part.iter().map(|sum| sum.1).fold(0.0, f64::max)).collect(),
        exact: parts.iter().map(|part| part.iter().map(|sum| sum.0).collect()).collect(),
        // An error of a score or of the log-sum-exp is a relative error of a weight: four roundings of the largest
        // magnitude in a score, as in `linear_nll`, and of the logarithm of the number of keys. The sums of weights round a
        // few times more, in another order.
        tolerance: 4.0 * ROUNDING * (largest_dot + (forest.keys() as f64).ln() + 2.0),
    };
    case.check(flat(tree_attention, forest, heads), flat(reference::tree_attention, forest, heads));
}

fn check(name: &str, nodes: &[Node], heads: Heads) {
    let forest = Forest::new(nodes);
    check_inputs(name, &forest, heads, &inputs(&forest, heads));
}

/// A prompt, two forks and three traces, as in training.
fn small_tree() -> Vec<Node> {
    vec![
        node(None, 9, 9),
        node(Some(0), 2, 2),
        node(Some(1), 7, 7),
        node(Some(1), 5, 5),
        node(Some(0), 1, 1),
        node(Some(4), 11, 11),
    ]
}

#[test]
fn heads_of_many_sizes() {
    for head_dim in [2, 4, 6, 8, 32, 64, 80, 128, 256] {
        check("a small tree", &small_tree(), [2, 1, head_dim]);
    }
}

#[test]
fn heads_that_share_keys() {
    for heads in [[1, 1, 8], [3, 3, 8], [4, 2, 8], [3, 1, 8], [6, 2, 4], [9, 3, 6], [40, 1, 4]] {
        check("a small tree", &small_tree(), heads);
    }
}

#[test]
fn lengths_around_every_tile() {
    for length in [1, 2, 31, 32, 33, 63, 64, 65, 127, 131, 300] {
        check(&format!("one run of {length}"), &[node(None, length, length)], [2, 2, 8]);
        let below = [node(None, length, length), node(Some(0), 3, 3)];
        check(&format!("{length} and 3 below"), &below, [2, 1, 4]);
        let above = [node(None, 3, 3), node(Some(0), length, length), node(Some(0), 2, 2)];
        check(&format!("3 and {length} below"), &above, [2, 1, 4]);
    }
}

#[test]
fn several_trees() {
    let mut nodes = small_tree();
    nodes.push(node(None, 1, 1));
    nodes.extend([node(None, 70, 70), node(Some(7), 1, 1), node(Some(7), 40, 40), node(Some(8), 35, 35)]);
    nodes.extend([node(None, 4, 4), node(Some(11), 1, 1)]);
    check("five trees", &nodes, [4, 2, 16]);
}

#[test]
fn chains_and_runs_of_one_token() {
    let chain: Vec<_> = [20, 1, 33, 5].into_iter().enumerate().collect();
    let of = |&(at, length): &(usize, usize)| node(at.checked_sub(1), length, length);
    check("a chain of 4", &chain.iter().map(of).collect::<Vec<_>>(), [2, 1, 12]);
    let singles: Vec<_> = (0..70).map(|at: usize| node(at.checked_sub(1), 1, 1)).collect();
    check("a chain of 70 single tokens", &singles, [2, 1, 4]);
    let star: Vec<_> = (0..70).map(|at| node((at > 0).then_some(0), 1, 1)).collect();
    check("69 single tokens below one", &star, [2, 1, 4]);
}

#[test]
fn tokens_known_from_an_earlier_pass() {
    let decoding = [
        node(None, 90, 0),
        node(Some(0), 3, 0),
        node(Some(1), 40, 1),
        node(Some(1), 7, 1),
        node(Some(0), 1, 1),
        node(None, 5, 0),
        node(Some(5), 2, 2),
    ];
    check("decoding", &decoding, [4, 2, 16]);
    let partly = [node(None, 100, 35), node(Some(0), 40, 3), node(Some(0), 70, 66), node(Some(2), 3, 0)];
    check("partly known", &partly, [3, 1, 8]);
    // No query sees the keys of the last run.
    let unseen = [node(None, 4, 4), node(Some(0), 50, 0)];
    check("a run without a query", &unseen, [2, 1, 8]);
}

#[test]
fn unseen_keys_get_no_gradient() {
    for (name, device) in devices() {
        let forest = Forest::new(&[node(None, 4, 4), node(Some(0), 50, 0), node(None, 3, 2)]);
        let (heads, [query, key, value, upstream]) = ([2, 1, 8], inputs(&forest, [2, 1, 8]));
        let found = run(flat(tree_attention, &forest, heads), [&query, &key, &value], &upstream, &device);
        for gradient in &found[2..] {
            assert!(gradient[4 * 8..54 * 8].iter().all(|&value| value == 0.0), "{name}");
            assert!(gradient[..4 * 8].iter().all(|&value| value != 0.0), "{name}");
        }
    }
}

#[test]
fn planted_large_scores() {
    for (planted, sign) in [(0, 1.0), (8, 1.0), (40, 1.0), (8, -1.0)] {
        let forest = Forest::new(&[node(None, 30, 30), node(Some(0), 70, 70), node(Some(0), 3, 3)]);
        let heads = [2, 1, 16];
        let mut inputs = inputs(&forest, heads);
        inputs[0].fill(50.0);
        inputs[1][planted * 16..][..16].fill(50.0 * sign); // a score of 10,000
        check_inputs(&format!("a score of {sign} e4 at key {planted}"), &forest, heads, &inputs);
    }
}

#[test]
fn a_nan_does_not_reach_another_tree_or_branch() {
    for (name, device) in devices() {
        let mut nodes = small_tree();
        nodes.push(node(None, 40, 40));
        nodes.push(node(Some(6), 3, 3));
        let (forest, heads) = (Forest::new(&nodes), [2, 1, 8]);
        let [query, mut key, value, upstream] = inputs(&forest, heads);
        let runs = forest.runs().to_vec();
        // The first key of run 1, which the runs 1, 2 and 3 see. The runs 6 and 7 are another tree.
        key[runs[1].key_start * 8] = f32::NAN;
        let found = run(flat(tree_attention, &forest, heads), [&query, &key, &value], &upstream, &device);
        let is_nan = |values: &[f32]| values.iter().all(|value| value.is_nan());
        let is_finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        for (index, run) in runs.iter().enumerate() {
            for part in &found[..2] {
                let values = &part[run.query_start * 16..(run.query_start + run.new) * 16];
                let sees_nan = (1..4).contains(&index);
                assert!(if sees_nan { is_nan(values) } else { is_finite(values) }, "{name}: run {index}");
            }
            for part in &found[2..] {
                let values = &part[run.key_start * 8..(run.key_start + run.length) * 8];
                match index {
                    // Ancestors sum the gradients of the branch with the NaN.
                    0..4 => assert!(is_nan(values), "{name}: keys of run {index}"),
                    _ => assert!(is_finite(values), "{name}: keys of run {index}"),
                }
            }
        }
        let mut far = value.clone();
        far[runs[6].key_start * 8 + 3] = f32::NAN;
        let [query, key, _, upstream] = inputs(&forest, heads);
        let found = run(flat(tree_attention, &forest, heads), [&query, &key, &far], &upstream, &device);
        let first_tree = runs[6].query_start * 16;
        assert!(is_finite(&found[0][..first_tree]) && is_finite(&found[1][..first_tree]), "{name}");
        assert!(found[0][first_tree..].iter().any(|value| value.is_nan()), "{name}");
    }
}

#[test]
fn gradients_flow_to_tracked_inputs_only() {
    let (forest, heads) = (Forest::new(&small_tree()), [4, 2, 6]);
    let [query, key, value, upstream] = inputs(&forest, heads);
    check_tracking(flat(tree_attention, &forest, heads), [&query, &key, &value], &upstream);
}

#[test]
fn views_give_the_same_bits_and_bits_repeat() {
    for (name, device) in devices() {
        let (forest, [heads, kv_heads, d]) = (Forest::new(&small_tree()), [2, 1, 12]);
        let [query, key, value, upstream] = inputs(&forest, [heads, kv_heads, d]);
        let shaped = |values: &[f32], heads: usize| {
            vector(values, &device).reshape([values.len() / heads / d, heads, d])
        };
        let (query_tensor, key_tensor, value_tensor) =
            (shaped(&query, heads), shaped(&key, kv_heads), shaped(&value, kv_heads));
        let plain = |query, key, value| numbers(tree_attention(query, key, value, &forest));
        let straight = plain(query_tensor.clone(), key_tensor.clone(), value_tensor.clone());
        // Three parts of one tensor, the result of a fused projection.
        let fused = Tensor::cat(vec![query_tensor.clone(), key_tensor, value_tensor], 1);
        let cut = |from, count| fused.clone().narrow(1, from, count);
        assert_eq!(plain(cut(0, 2), cut(2, 1), cut(3, 1)), straight, "{name}");
        let turned = query_tensor.swap_dims(0, 1).mul_scalar(1.0).swap_dims(0, 1);
        assert_eq!(plain(turned, cut(2, 1), cut(3, 1)), straight, "{name}");

        let again = |forest: &Forest| {
            let operation = flat(tree_attention, forest, [heads, kv_heads, d]);
            run(operation, [&query, &key, &value], &upstream, &device)
        };
        assert_eq!(again(&forest), again(&forest), "{name}");
        assert_eq!(again(&forest), again(&Forest::new(&small_tree())), "{name}: another upload");
    }
}

/// The plan of a forest on a device depends on the heads.
#[test]
fn one_forest_serves_layers_with_other_heads() {
    let forest = Forest::new(&small_tree());
    for heads in [[4, 2, 8], [4, 1, 8], [2, 2, 4], [4, 2, 8]] {
        check_inputs("one forest", &forest, heads, &inputs(&forest, heads));
    }
}

/// A cache has room behind its runs, whose content is not read.
#[test]
fn keys_with_gaps_between_them_equal_keys_without() {
    let nodes =
        [node(None, 90, 0), node(Some(0), 40, 1), node(Some(0), 7, 2), node(None, 5, 0), node(Some(3), 1, 1)];
    let (together, apart) = (Forest::new(&nodes), Forest::placed(&nodes, [10, 130, 100, 0, 180]));
    let [heads, kv_heads, d] = [4, 2, 16];
    for (name, device) in devices() {
        let [query, key, value, _] = inputs(&together, [heads, kv_heads, d]);
        let spread = |values: &[f32]| {
            let mut rows = vec![f32::NAN; 200 * kv_heads * d];
            for (from, to) in together.runs().iter().zip(apart.runs()) {
                let (from, to, count) =
                    (from.key_start * kv_heads * d, to.key_start * kv_heads * d, from.length * kv_heads * d);
                rows[to..to + count].copy_from_slice(&values[from..from + count]);
            }
            rows
        };
        let shaped = |values: &[f32], heads: usize| {
            vector(values, &device).reshape([values.len() / heads / d, heads, d])
        };
        let of = |key: &[f32], value: &[f32], forest| {
            numbers(tree_attention(
                shaped(&query, heads),
                shaped(key, kv_heads),
                shaped(value, kv_heads),
                forest,
            ))
        };
        assert_eq!(of(&spread(&key), &spread(&value), &apart), of(&key, &value, &together), "{name}");
        let plain = |key: &[f32], value: &[f32], forest| {
            let [key, value] = [key, value].map(|values| shaped(values, kv_heads));
            numbers(reference::tree_attention(shaped(&query, heads), key, value, forest))
        };
        let zeros = |values: Vec<f32>| -> Vec<f32> {
            values.into_iter().map(|value| if value.is_nan() { 0.0 } else { value }).collect()
        };
        // Plain tensors multiply unseen rows by 0, so these have to be finite.
        let placed = plain(&zeros(spread(&key)), &zeros(spread(&value)), &apart);
        for (a, b) in placed.iter().zip(&plain(&key, &value, &together)) {
            assert!((a - b).abs() <= 1e-5, "{name}: {a} against {b}"); // 98 terms of size 1 in another order
        }
    }
}

#[test]
#[should_panic(expected = "tree_attention: a gradient takes keys tree by tree, and no others")]
fn keys_with_gaps_have_no_gradient() {
    let forest = Forest::placed(&[node(None, 2, 0), node(Some(0), 1, 1)], [0, 3]);
    let tracked = vector(&draw(1, 16), &Device::flex().autodiff()).require_grad().reshape([4, 1, 4]);
    tree_attention(tracked.clone().narrow(0, 0, 1), tracked.clone(), tracked, &forest);
}

fn shaped(dims: [usize; 3]) -> Tensor<3> {
    vector(&draw(1, dims.iter().product()), &Device::flex()).reshape(dims)
}

#[test]
#[should_panic(
    expected = "tree_attention: query [3, 2, 4], key [4, 1, 4] and value [4, 1, 4] against 4 queries and 4 keys"
)]
fn other_numbers_of_tokens_are_refused() {
    let forest = Forest::new(&[node(None, 4, 4)]);
    tree_attention(shaped([3, 2, 4]), shaped([4, 1, 4]), shaped([4, 1, 4]), &forest);
}

#[test]
#[should_panic(expected = "tree_attention: 3 heads of 4 against 2 of 4")]
fn heads_that_cannot_be_shared_are_refused() {
    let forest = Forest::new(&[node(None, 4, 4)]);
    tree_attention(shaped([4, 3, 4]), shaped([4, 2, 4]), shaped([4, 2, 4]), &forest);
}
