//! `linear_nll`, forward and backward.
//!
//! The error that a kernel may have is that of plain tensors in f32 on the CPU, which store all logits, plus four roundings
//! of the largest magnitude in its sums: it sums in another order, and WGSL allows errors of a few units in the last place
//! in `exp` and `log`. An error of the log-sum-exp is a relative error of every probability, so gradients have the same
//! tolerance, relative to the largest gradient.

use super::exact::Case;
use super::yardstick::ROUNDING;
use super::{devices, draw, error, matrix, numbers, vector};
use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ssft_kernels::{Targets, linear_nll, reference};

type Operation = fn(Tensor<2>, Tensor<2>, &Targets) -> Tensor<1>;

#[derive(Debug)]
struct Found {
    nll: Vec<f32>,
    hidden_gradient: Vec<f32>,
    weight_gradient: Vec<f32>,
}

impl Case {
    /// One row in `every` has a target.
    fn new(rows: usize, width: usize, vocab: usize, every: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64((rows * 31 + width * 7 + vocab) as u64);
        let with_target: Vec<i32> = (0..rows as i32).step_by(every).collect();
        Self {
            name: format!("{rows} rows, one in {every} with a target, width {width}, vocabulary {vocab}"),
            width,
            hidden: draw(1, rows * width),
            weight: draw(2, vocab * width),
            tokens: with_target.iter().map(|_| rng.random_range(0..vocab as i32)).collect(),
            upstream: with_target.iter().map(|_| rng.random_range(-1.0..1.0)).collect(),
            rows: with_target,
        }
    }

    fn targets(&self) -> Targets {
        Targets::new(&self.rows, &self.tokens)
    }

    fn run(&self, operation: Operation, device: &Device) -> Found {
        let device = device.clone().autodiff();
        let hidden = matrix(&self.hidden, self.width, &device).require_grad();
        let weight = matrix(&self.weight, self.width, &device).require_grad();
        let nll = operation(hidden.clone(), weight.clone(), &self.targets());
        let gradients = (nll.clone() * vector(&self.upstream, &device)).sum().backward();
        Found {
            nll: numbers(nll),
            hidden_gradient: numbers(hidden.grad(&gradients).unwrap()),
            weight_gradient: numbers(weight.grad(&gradients).unwrap()),
        }
    }

    fn check(&self, devices: &[(&str, Device)]) {
        let exact = self.exact();
        let plain = self.run(reference::linear_nll, &Device::flex());
        let vocab = self.weight.len() / self.width;
        let tolerance = 4.0 * ROUNDING * (exact.largest_dot + (vocab as f64).ln() + 1.0);
        for (name, device) in devices {
            let found = self.run(linear_nll, device);
            let check = |what: &str, ours: &[f32], plain: &[f32], exact: &[f64], size: f64| {
                let (ours, allowed) = (error(ours, exact), error(plain, exact) + tolerance * size);
                assert!(
                    ours <= allowed,
                    "{name}, {}: {what} is {ours:e} off, allowed {allowed:e}",
                    self.name
                );
            };
            check("nll", &found.nll, &plain.nll, &exact.nll, 1.0);
            for (what, ours, plain, exact) in [
                ("hidden gradient", &found.hidden_gradient, &plain.hidden_gradient, &exact.hidden_gradient),
                ("weight gradient", &found.weight_gradient, &plain.weight_gradient, &exact.weight_gradient),
            ] {
                let largest = exact.iter().copied().map(f64::abs).fold(0.0, f64::max);
                check(what, ours, plain, exact, largest);
            }
        }
    }
}

#[test]
fn shapes_that_hit_every_tail() {
    let devices = devices();
    for (rows, width, vocab) in [
        (1, 1, 1),
        (1, 1, 2),
        (1, 64, 265),
        (2, 3, 5),
        (127, 16, 127),
        (128, 16, 128),
        (129, 17, 129),
        (64, 128, 512),
        (65, 129, 513),
        (131, 31, 1009),
        (7, 20, 8191),
        (16, 8, 8192),
        (5, 12, 8193),
    ] {
        Case::new(rows, width, vocab, 1).check(&devices);
    }
}

#[test]
fn a_vocabulary_of_151936() {
    // Several spans and chunks, of which the last one is short.
    Case::new(3, 8, 151_936, 1).check(&devices());
}

#[test]
fn more_targets_than_a_backward_block() {
    Case::new(2100, 4, 700, 1).check(&devices());
}

#[test]
fn rows_without_a_target_are_not_read_and_get_no_gradient() {
    for (name, device) in devices() {
        for (rows, every) in [(300, 3), (40, 7), (2, 1)] {
            let mut case = Case::new(rows, 12, 130, every);
            case.check(&[(name, device.clone())]);
            let clean = case.run(linear_nll, &device);
            for row in (0..rows).filter(|&row| !case.rows.contains(&(row as i32))) {
                case.hidden[row * case.width..][..case.width].fill(f32::NAN);
            }
            let found = case.run(linear_nll, &device);
            assert_eq!(found.nll, clean.nll, "{name}");
            assert_eq!(found.hidden_gradient, clean.hidden_gradient, "{name}");
            assert_eq!(found.weight_gradient, clean.weight_gradient, "{name}");
            for (row, gradient) in found.hidden_gradient.chunks(case.width).enumerate() {
                if !case.rows.contains(&(row as i32)) {
                    assert!(gradient.iter().all(|&value| value == 0.0), "{name}: row {row}");
                }
            }
        }
    }
}

#[test]
fn planted_large_logits() {
    let devices = devices();
    for (planted, target) in [(900, 900), (900, 3), (0, 0), (1023, 17)] {
        let mut case = Case::new(20, 16, 1024, 1);
        case.name = format!("logit {planted} planted, target {target}");
        case.tokens.fill(target);
        case.hidden.fill(50.0);
        case.weight[planted * 16..][..16].fill(12.5); // logit 10,000
        case.weight[512 * 16..][..16].fill(-12.5);
        case.check(&devices);
    }
}

#[test]
fn a_nan_is_not_lost() {
    for (name, device) in devices() {
        let mut case = Case::new(9, 8, 300, 1);
        case.hidden[3 * 8 + 5] = f32::NAN;
        let nll = numbers(linear_nll(
            matrix(&case.hidden, 8, &device),
            matrix(&case.weight, 8, &device),
            &case.targets(),
        ));
        for (row, value) in nll.iter().enumerate() {
            assert_eq!(value.is_nan(), row == 3, "{name}: row {row} is {value}");
        }
    }
}

#[test]
fn gradients_flow_to_tracked_inputs_only() {
    for (name, device) in devices() {
        let case = Case::new(70, 24, 200, 2);
        let both = case.run(linear_nll, &device);
        let tracking = device.clone().autodiff();
        for (tracks_hidden, tracks_weight) in [(true, false), (false, true)] {
            let hidden = matrix(&case.hidden, 24, &tracking);
            let hidden = if tracks_hidden { hidden.require_grad() } else { hidden };
            let weight = matrix(&case.weight, 24, &tracking);
            let weight = if tracks_weight { weight.require_grad() } else { weight };
            let nll = linear_nll(hidden.clone(), weight.clone(), &case.targets());
            let gradients = (nll * vector(&case.upstream, &tracking)).sum().backward();
            let [hidden, weight] = [hidden.grad(&gradients), weight.grad(&gradients)].map(|g| g.map(numbers));
            assert_eq!(hidden, tracks_hidden.then(|| both.hidden_gradient.clone()), "{name}");
            assert_eq!(weight, tracks_weight.then(|| both.weight_gradient.clone()), "{name}");
        }
        let inputs = |device: &Device| (matrix(&case.hidden, 24, device), matrix(&case.weight, 24, device));
        for device in [&device, &tracking] {
            let (hidden, weight) = inputs(device);
            assert_eq!(numbers(linear_nll(hidden, weight, &case.targets())), both.nll, "{name}, untracked");
        }
    }
}

/// With tied embeddings a model uses its weight twice: in the embedding and in the head.
#[test]
fn a_tied_embedding_gets_both_gradients() {
    let (width, vocab) = (20, 150);
    let case = Case::new(vocab, width, vocab, 1);
    let run = |operation: Operation, device: &Device| {
        let device = device.clone().autodiff();
        let weight = matrix(&case.weight, width, &device).require_grad();
        let hidden = weight.clone().narrow(0, 5, 90) * 0.5;
        let nll = operation(hidden, weight.clone(), &Targets::every_row(&case.tokens[..90]));
        numbers(weight.grad(&nll.mean().backward()).unwrap())
    };
    let plain: Vec<f64> = run(reference::linear_nll, &Device::flex()).into_iter().map(f64::from).collect();
    let size = plain.iter().copied().map(f64::abs).fold(0.0, f64::max);
    for (name, device) in devices() {
        // Both sides are f32: 64 roundings of the largest gradient.
        let distance = error(&run(linear_nll, &device), &plain);
        assert!(distance <= 64.0 * ROUNDING * size, "{name}: {distance:e} of {size:e}");
    }
}

#[test]
fn views_give_the_same_bits() {
    for (name, device) in devices() {
        let case = Case::new(33, 20, 70, 1);
        let straight = case.run(linear_nll, &device);
        let wide = matrix(&[case.hidden.clone(), draw(9, 20)].concat(), 20, &device).narrow(0, 0, 33);
        let turned = matrix(&case.weight, 20, &device).transpose().mul_scalar(1.0).transpose();
        assert_eq!(numbers(linear_nll(wide, turned, &case.targets())), straight.nll, "{name}");
    }
}

#[test]
fn the_same_call_gives_the_same_bits() {
    for (name, device) in devices() {
        let case = Case::new(600, 40, 5000, 1);
        let (one, two) = (case.run(linear_nll, &device), case.run(linear_nll, &device));
        assert_eq!(one.nll, two.nll, "{name}");
        assert_eq!(one.hidden_gradient, two.hidden_gradient, "{name}");
        assert_eq!(one.weight_gradient, two.weight_gradient, "{name}");
    }
}

fn small(device: &Device) -> (Tensor<2>, Tensor<2>) {
    (matrix(&draw(1, 12), 4, device), matrix(&draw(2, 20), 4, device))
}

#[test]
#[should_panic(expected = "token 5 in a vocabulary of 5")]
fn a_token_beyond_the_vocabulary_is_refused() {
    let (hidden, weight) = small(&Device::flex());
    linear_nll(hidden, weight, &Targets::every_row(&[0, 4, 5]));
}

#[test]
#[should_panic(expected = "a target for row 3 of 3")]
fn a_row_beyond_the_hidden_states_is_refused() {
    let (hidden, weight) = small(&Device::flex());
    linear_nll(hidden, weight, &Targets::new(&[3], &[0]));
}

/// A row with several targets, as the last token of a fork before several traces, has one result per target.
#[test]
fn rows_with_several_targets_give_one_nll_each() {
    // Rows that repeat within a tile and across its end, with rows without a target between them.
    for (rows, width, vocab, repeats) in [(1, 8, 30, 3), (90, 12, 130, 4), (3, 7, 700, 200)] {
        let mut case = Case::new(rows, width, vocab, 2);
        case.rows = case.rows.iter().flat_map(|&row| vec![row; repeats]).collect();
        case.tokens = (0..case.rows.len()).map(|at| (at * 13 % vocab) as i32).collect();
        case.upstream = vec![1.0; case.rows.len()];
        let exact = case.exact();
        let run = |operation: Operation, device: &Device| {
            let (hidden, weight) = (matrix(&case.hidden, width, device), matrix(&case.weight, width, device));
            numbers(operation(hidden, weight, &case.targets()))
        };
        let plain = error(&run(reference::linear_nll, &Device::flex()), &exact.nll);
        let allowed = plain + 4.0 * ROUNDING * (exact.largest_dot + (vocab as f64).ln() + 1.0);
        for (name, device) in devices() {
            for device in [device.clone(), device.autodiff()] {
                let ours = error(&run(linear_nll, &device), &exact.nll);
                assert!(ours <= allowed, "{name}, {}: {ours:e} off, allowed {allowed:e}", case.name);
            }
        }
    }
}

#[test]
fn a_gradient_of_a_row_with_two_targets_is_refused() {
    for (name, device) in devices() {
        let (hidden, weight) = small(&device.autodiff());
        let targets = Targets::new(&[1, 1], &[0, 2]);
        let call = || linear_nll(hidden.require_grad(), weight, &targets);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap();
        assert!(message.contains("a gradient takes one target a row"), "{name}: {message}");
    }
}

#[test]
#[should_panic(expected = "rows with targets must not descend")]
fn rows_that_descend_are_refused() {
    Targets::new(&[2, 1], &[0, 2]);
}

#[test]
#[should_panic(expected = "linear_nll: no target")]
fn no_target_is_refused() {
    let (hidden, weight) = small(&Device::flex());
    linear_nll(hidden, weight, &Targets::every_row(&[]));
}

#[test]
#[should_panic(expected = "linear_nll: hidden [3, 4] against weight [4, 5]")]
fn different_widths_are_refused() {
    let (hidden, weight) = small(&Device::flex());
    linear_nll(hidden, weight.reshape([4, 5]), &Targets::every_row(&[0]));
}
