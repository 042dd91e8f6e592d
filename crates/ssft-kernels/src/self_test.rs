//! Test of a device: each operation once, compared with plain tensors on the CPU.
//!
//! A browser that rejects a shader skips its launch, and a later read returns the previous content of the buffer, which can
//! look plausible (cubecl#1641). The page therefore runs this test before it uses WebGPU.

use crate::{AdamW, Forest, Moments, Node, Targets, reference};
use burn::tensor::{Device, Tensor, TensorData};
use thiserror::Error;

/// A device that failed the test.
#[derive(Debug, Error)]
pub enum SelfTestError {
    /// The result of an operation differs from its reference.
    #[error(
        "{operation} gives wrong numbers ({what} is off by {error:.1e}, at most {tolerance:.1e} would be rounding)"
    )]
    Wrong {
        /// Name of the operation.
        operation: &'static str,
        /// The result, or the gradient of one of the inputs.
        what: String,
        /// Largest difference from the reference.
        error: f32,
        /// Largest difference that rounding explains.
        tolerance: f32,
    },
    /// A result could not be read.
    #[error("{operation}: the device stopped answering: {what}")]
    Device {
        /// Name of the operation.
        operation: &'static str,
        /// Message of the device.
        what: String,
    },
}

/// An operation with flat inputs and a flat result.
type Operation = Box<dyn Fn(&[Tensor<1>]) -> Tensor<1>>;

struct Case {
    name: &'static str,
    /// Length of each input.
    sizes: Vec<usize>,
    /// True if gradients are compared as well; an optimizer's update has none.
    tracked: bool,
    ours: Operation,
    reference: Operation,
}

/// Shapes that reach the end of every tile: none is a multiple of a workgroup, a tile or a quad.
const ROWS: usize = 67;
const WIDTH: usize = 37;
const VOCAB: usize = 131;
const HEADS: usize = 4;
const KEY_HEADS: usize = 2;
const HEAD_DIM: usize = 10;

/// Runs every operation of this crate, forward and backward, on `device` and in plain tensors on the CPU.
///
/// # Errors
/// [`SelfTestError`] for the first operation that differs.
pub async fn self_test(device: &Device) -> Result<(), SelfTestError> {
    for case in cases() {
        let ours = outcome(&case, &case.ours, &device.clone().autodiff()).await?;
        let reference = outcome(&case, &case.reference, &Device::flex().autodiff()).await?;
        let missing = (String::new(), Vec::new());
        for at in 0..ours.len().max(reference.len()) {
            let (_, expected) = reference.get(at).unwrap_or(&missing);
            let (what, ours) = ours.get(at).unwrap_or(&missing);
            compare(case.name, what, ours, expected)?;
        }
    }
    Ok(())
}

/// The result, and the gradient of each input that has one, each with a name.
async fn outcome(
    case: &Case,
    operation: &Operation,
    device: &Device,
) -> Result<Vec<(String, Vec<f32>)>, SelfTestError> {
    let leaf = |(number, &size): (usize, &usize)| {
        Tensor::<1>::from_data(TensorData::new(draw(number as u32, size), [size]), device).require_grad()
    };
    let inputs: Vec<Tensor<1>> = case.sizes.iter().enumerate().map(leaf).collect();
    let result = operation(&inputs);
    let [size] = result.dims();
    if !case.tracked {
        return Ok(vec![("the result".to_owned(), read(case.name, result).await?)]);
    }
    let upstream = Tensor::from_data(TensorData::new(draw(UPSTREAM, size), [size]), device);
    let gradients = (result.clone() * upstream).sum().backward();
    let mut outcome = vec![("the result".to_owned(), read(case.name, result.inner()).await?)];
    for (number, input) in inputs.iter().enumerate() {
        if let Some(gradient) = input.grad(&gradients) {
            outcome.push((format!("gradient {}", number + 1), read(case.name, gradient).await?));
        }
    }
    Ok(outcome)
}

async fn read(operation: &'static str, tensor: Tensor<1>) -> Result<Vec<f32>, SelfTestError> {
    let failed = |what: String| SelfTestError::Device { operation, what };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.try_to_vec().map_err(|error| failed(error.to_string()))
}

/// Largest difference that counts as rounding, relative to the largest number. Sums of a few hundred terms stay far below
/// it; a wrong kernel is off by the size of the numbers.
const ROUNDING: f32 = 1e-4;

/// Lower bound of the largest number in [`ROUNDING`], for results that are 0 or nearly so.
const LEAST_SCALE: f32 = 1e-2;

fn compare(
    operation: &'static str,
    what: &str,
    ours: &[f32],
    reference: &[f32],
) -> Result<(), SelfTestError> {
    let largest = reference.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let tolerance = ROUNDING * largest.max(LEAST_SCALE);
    let error = match ours.len() == reference.len() && ours.iter().all(|value| value.is_finite()) {
        true => ours.iter().zip(reference).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
        false => f32::INFINITY,
    };
    if error <= tolerance {
        return Ok(());
    }
    Err(SelfTestError::Wrong { operation, what: what.to_owned(), error, tolerance })
}

/// Streams of [`draw`] beside those of the inputs, which count from 0.
const UPSTREAM: u32 = 99;
const ANGLES: u32 = 50;

/// Pseudorandom numbers between -1 and 1, equal on every platform: xorshift32 (Marsaglia 2003).
fn draw(stream: u32, count: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9 ^ (stream + 1).wrapping_mul(0x85eb_ca6b);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn case(
    name: &'static str,
    sizes: impl IntoIterator<Item = usize>,
    ours: impl Fn(&[Tensor<1>]) -> Tensor<1> + 'static,
    reference: impl Fn(&[Tensor<1>]) -> Tensor<1> + 'static,
) -> Case {
    Case {
        name,
        sizes: sizes.into_iter().collect(),
        tracked: true,
        ours: Box::new(ours),
        reference: Box::new(reference),
    }
}

/// A flat input as a matrix.
fn matrix(flat: &Tensor<1>, rows: usize) -> Tensor<2> {
    let [size] = flat.dims();
    flat.clone().reshape([rows, size / rows])
}

/// A flat input as `[rows, heads, HEAD_DIM]`.
fn heads(flat: &Tensor<1>, heads: usize) -> Tensor<3> {
    let [size] = flat.dims();
    flat.clone().reshape([size / heads / HEAD_DIM, heads, HEAD_DIM])
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    tensor.flatten(0, D - 1)
}

/// The case of an operation whose kernel and reference have the same name and signature.
macro_rules! case {
    ($operation:ident, $sizes:expr, |$inputs:ident| $($argument:expr),+) => {
        case(
            stringify!($operation),
            $sizes,
            move |$inputs| flat(crate::$operation($($argument),+)),
            move |$inputs| flat(reference::$operation($($argument),+)),
        )
    };
}

fn cases() -> Vec<Case> {
    let (square, weight) = (ROWS * WIDTH, VOCAB * WIDTH);
    let forest = forest();
    let (queries, keys) = sizes(&forest);
    let again = forest.clone();
    vec![
        case!(linear, [square, weight], |x| matrix(&x[0], ROWS), matrix(&x[1], VOCAB)),
        // One row, as in decoding.
        case!(linear, [WIDTH, weight], |x| matrix(&x[0], 1), matrix(&x[1], VOCAB)),
        case!(
            linear_onto,
            [square, weight, ROWS * VOCAB],
            |x| matrix(&x[0], ROWS),
            matrix(&x[1], VOCAB),
            matrix(&x[2], ROWS)
        ),
        case!(linear_nll, [square, weight], |x| matrix(&x[0], ROWS), matrix(&x[1], VOCAB), &targets()),
        case!(rms_norm, [square, WIDTH], |x| matrix(&x[0], ROWS), x[1].clone(), 1e-5),
        case!(rms_norm, [WIDTH, WIDTH], |x| matrix(&x[0], 1), x[1].clone(), 1e-5),
        case!(swiglu, [square, square], |x| matrix(&x[0], ROWS), matrix(&x[1], ROWS)),
        case!(swiglu, [WIDTH, WIDTH], |x| matrix(&x[0], 1), matrix(&x[1], 1)),
        // The angles are constants.
        case!(rotary, [ROWS * HEADS * HEAD_DIM], |x| heads(&x[0], HEADS), angles(&x[0])),
        case(
            "tree_attention",
            [queries, keys, keys],
            attention(crate::tree_attention, forest),
            attention(reference::tree_attention, again),
        ),
        decoding("tree_attention, decoding", crate::tree_attention, reference::tree_attention),
        Case {
            tracked: false,
            ..case("adamw", [square; 4], |x| updated(x, crate::adamw), |x| updated(x, reference::adamw))
        },
        Case { tracked: false, ..case!(sum_of_squares, [square], |x| x[0].clone().inner()) },
    ]
}

type Attention = fn(Tensor<3>, Tensor<3>, Tensor<3>, &Forest) -> Tensor<3>;

fn attention(operation: Attention, forest: Forest) -> impl Fn(&[Tensor<1>]) -> Tensor<1> {
    move |x| flat(operation(heads(&x[0], HEADS), heads(&x[1], KEY_HEADS), heads(&x[2], KEY_HEADS), &forest))
}

/// Lengths of the queries and of the keys of a forest.
fn sizes(forest: &Forest) -> (usize, usize) {
    (forest.queries() * HEADS * HEAD_DIM, forest.keys() * KEY_HEADS * HEAD_DIM)
}

/// A step of decoding: one new token in each of two branches, with known tokens before it.
fn decoding(name: &'static str, ours: Attention, reference: Attention) -> Case {
    let node = |parent, length, new| Node { parent, length, new };
    let forest = Forest::new(&[node(None, 21, 0), node(Some(0), 9, 1), node(Some(0), 34, 1)]);
    let (queries, keys) = sizes(&forest);
    let read = |x: &[Tensor<1>]| x.iter().map(|x| x.clone().inner()).collect::<Vec<_>>();
    let (ours, reference) = (attention(ours, forest.clone()), attention(reference, forest));
    let (ours, reference) =
        (move |x: &[Tensor<1>]| ours(&read(x)), move |x: &[Tensor<1>]| reference(&read(x)));
    Case { tracked: false, ..case(name, [queries, keys, keys], ours, reference) }
}

/// A prompt with two branches, the second of which has two branches of its own.
fn forest() -> Forest {
    let node = |parent, length| Node { parent, length, new: length };
    Forest::new(&[node(None, 21), node(Some(0), 9), node(Some(0), 13), node(Some(2), 5), node(Some(2), 1)])
}

fn targets() -> Targets {
    let rows: Vec<i32> = (0..ROWS as i32).filter(|row| row % 3 != 1).collect();
    let tokens: Vec<i32> = rows.iter().map(|row| row * 29 % VOCAB as i32).collect();
    Targets::new(&rows, &tokens)
}

fn angles(like: &Tensor<1>) -> Tensor<2> {
    let values = TensorData::new(draw(ANGLES, ROWS * HEAD_DIM), [ROWS, HEAD_DIM]);
    Tensor::from_data(values, &like.device().inner())
}

type Update = fn(Tensor<1>, Tensor<1>, Moments<1>, &AdamW) -> (Tensor<1>, Moments<1>);

/// A parameter and its moments after an update, concatenated.
fn updated(inputs: &[Tensor<1>], update: Update) -> Tensor<1> {
    let [parameter, gradient, first, second] = [0, 1, 2, 3].map(|number| inputs[number].clone().inner());
    let rule =
        AdamW { rate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, scale: 0.5, time: 3 };
    let (parameter, moments) = update(parameter, gradient, Moments { first, second: second.abs() }, &rule);
    Tensor::cat(vec![parameter, moments.first, moments.second], 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_passes() {
        pollster::block_on(self_test(&Device::flex())).expect("kernels equal their references");
    }

    #[test]
    fn the_content_of_an_unwritten_buffer_fails() {
        let zeros = compare("rotary", "the result", &[0.0, 0.0], &[0.3, -0.4]);
        let message = zeros.expect_err("a buffer that was not written").to_string();
        assert_eq!(
            message,
            "rotary gives wrong numbers (the result is off by 4.0e-1, at most 4.0e-5 would be rounding)"
        );
        assert!(compare("x", "", &[f32::NAN], &[0.3]).is_err());
        assert!(compare("x", "", &[0.3], &[0.300_001]).is_ok());
    }
}
