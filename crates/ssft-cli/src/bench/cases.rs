//! What is measured: kernels, their inputs, and what comes out.

use burn::tensor::{Device, Tensor, TensorData};
use clap::ValueEnum;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use ssft_kernels::{AdamW, Forest, Moments, Node, Targets, reference};
use std::fmt;
use std::hint::black_box;

/// An operation, with the gradients that are asked of it: none, or as in training all that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[allow(missing_docs)] // named as the operations of ssft_kernels
pub enum Kernel {
    LinearNll,
    LinearNllHiddenGradient,
    LinearNllWeightGradient,
    LinearNllGradients,
    Linear,
    LinearGradients,
    LinearOnto,
    LinearOntoGradients,
    RmsNorm,
    RmsNormGradients,
    Rotary,
    RotaryGradients,
    Swiglu,
    SwigluGradients,
    TreeAttention,
    TreeAttentionGradients,
    Adamw,
    SumOfSquares,
}

/// How an operation is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The kernel.
    Fused,
    /// Plain tensors, [`ssft_kernels::reference`].
    Reference,
}

/// Sizes of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Tokens: hidden states, rows of whatever is computed.
    pub rows: usize,
    /// Numbers of a token.
    pub width: usize,
    /// Rows of the weight of `linear_nll`; 1 for everything else.
    pub vocab: usize,
}

/// What an operation is, whatever gradients are asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    LinearNll,
    Linear,
    LinearOnto,
    RmsNorm,
    Rotary,
    Swiglu,
    TreeAttention,
    Adamw,
    SumOfSquares,
}

/// Most numbers of an attention head.
const HEAD: usize = 32;

impl Kernel {
    /// All of them.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Its name in tables and files.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// True if its inputs include a vocabulary.
    pub fn has_head(self) -> bool {
        self.parts().0 == Operation::LinearNll
    }

    /// True if gradients are computed.
    pub fn has_gradients(self) -> bool {
        self.parts().1.contains(&true)
    }

    /// The operation, and which gradients are computed, in the order of its inputs.
    fn parts(self) -> (Operation, &'static [bool]) {
        use Operation as Op;
        match self {
            Self::LinearNll => (Op::LinearNll, &[false, false]),
            Self::LinearNllHiddenGradient => (Op::LinearNll, &[true, false]),
            Self::LinearNllWeightGradient => (Op::LinearNll, &[false, true]),
            Self::LinearNllGradients => (Op::LinearNll, &[true, true]),
            Self::Linear => (Op::Linear, &[false, false]),
            Self::LinearGradients => (Op::Linear, &[true, true]),
            Self::LinearOnto => (Op::LinearOnto, &[false, false, false]),
            Self::LinearOntoGradients => (Op::LinearOnto, &[true, true, true]),
            Self::RmsNorm => (Op::RmsNorm, &[false, false]),
            Self::RmsNormGradients => (Op::RmsNorm, &[true, true]),
            Self::Rotary => (Op::Rotary, &[false, false]),
            Self::RotaryGradients => (Op::Rotary, &[true, false]),
            Self::Swiglu => (Op::Swiglu, &[false, false]),
            Self::SwigluGradients => (Op::Swiglu, &[true, true]),
            Self::TreeAttention => (Op::TreeAttention, &[false, false, false]),
            Self::TreeAttentionGradients => (Op::TreeAttention, &[true, true, true]),
            Self::Adamw => (Op::Adamw, &[false, false, false, false]),
            Self::SumOfSquares => (Op::SumOfSquares, &[false]),
        }
    }

    /// Bytes of each of its inputs.
    pub fn input_bytes(self, shape: Shape) -> Vec<u64> {
        self.parts().0.inputs(shape).into_iter().map(|[rows, columns]| f32_bytes(rows, columns)).collect()
    }

    /// What the reference stores in one piece where the kernel does not, and its bytes: logits, or scores of every query
    /// and key.
    pub fn stored_by_reference(self, shape: Shape) -> Option<(&'static str, u64)> {
        let Shape { rows, width, .. } = shape;
        match self.parts().0 {
            Operation::LinearNll => Some(("logits", shape.logits_bytes())),
            Operation::TreeAttention => {
                Some(("scores", f32_bytes(rows, rows) * (width / head_dim(width)) as u64))
            }
            _ => None,
        }
    }

    /// Bytes of what it returns, gradients included.
    pub fn result_bytes(self, shape: Shape) -> u64 {
        let (operation, wanted) = self.parts();
        let gradients = operation.inputs(shape).into_iter().zip(wanted).filter(|(_, wanted)| **wanted);
        let outputs = operation.outputs(shape).into_iter();
        outputs.chain(gradients.map(|(dims, _)| dims)).map(|[rows, columns]| f32_bytes(rows, columns)).sum()
    }
}

impl Operation {
    /// Shapes of the inputs that are numbers.
    fn inputs(self, shape: Shape) -> Vec<[usize; 2]> {
        let Shape { rows, width, vocab } = shape;
        let (tokens, square) = ([rows, width], [width, width]);
        match self {
            Self::LinearNll => vec![tokens, [vocab, width]],
            Self::Linear => vec![tokens, square],
            Self::LinearOnto => vec![tokens, square, tokens],
            Self::RmsNorm => vec![tokens, [1, width]],
            Self::Rotary => vec![tokens, [rows, head_dim(width)]],
            Self::Swiglu => vec![tokens; 2],
            Self::TreeAttention => vec![tokens; 3],
            Self::Adamw => vec![tokens; 4],
            Self::SumOfSquares => vec![tokens],
        }
    }

    /// True for the input that is a weight.
    fn is_weight(self, index: usize) -> bool {
        index == 1 && matches!(self, Self::LinearNll | Self::Linear | Self::LinearOnto)
    }

    /// Shapes of the outputs.
    fn outputs(self, shape: Shape) -> Vec<[usize; 2]> {
        let Shape { rows, width, .. } = shape;
        match self {
            Self::LinearNll => vec![[rows, 1]],
            Self::SumOfSquares => vec![[1, 1]],
            Self::Adamw => vec![[rows, width]; 3],
            _ => vec![[rows, width]],
        }
    }
}

/// Numbers of a head of a token of `width` numbers, which is even.
fn head_dim(width: usize) -> usize {
    (1..=HEAD / 2).rev().map(|half| 2 * half).find(|&size| width.is_multiple_of(size)).unwrap_or(width)
}

impl Variant {
    /// Both, in the order of every table.
    pub const ALL: [Self; 2] = [Self::Fused, Self::Reference];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Reference => "reference",
        }
    }
}

/// Calls an operation of `ssft_kernels`, or its reference.
macro_rules! call {
    ($variant:expr, $operation:ident($($argument:expr),*)) => {
        match $variant {
            Variant::Fused => ssft_kernels::$operation($($argument),*),
            Variant::Reference => reference::$operation($($argument),*),
        }
    };
}

impl Shape {
    /// Bytes of a matrix of f32 with one number for each row and token.
    pub fn logits_bytes(self) -> u64 {
        f32_bytes(self.rows, self.vocab)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x {}", self.rows, self.width, self.vocab)
    }
}

fn f32_bytes(rows: usize, columns: usize) -> u64 {
    rows as u64 * columns as u64 * size_of::<f32>() as u64
}

/// What a kernel reads. It stays on the device from run to run, so that what works in place copies it first.
#[derive(Debug)]
pub struct Inputs {
    kernel: Kernel,
    width: usize,
    /// As [`Operation::inputs`] has them: normal, tokens with variance 1 and weights with variance 1 / width.
    tensors: Vec<Tensor<2>>,
    /// One for every row, uniform over the vocabulary.
    targets: Targets,
    /// A prompt of a quarter of the tokens, and up to three traces that continue it.
    forest: Forest,
}

impl Inputs {
    /// Draws the inputs of `kernel`; the same seed gives the same numbers on every device.
    pub fn draw(kernel: Kernel, shape: Shape, seed: u64, device: &Device) -> Self {
        let generator = &mut ChaCha8Rng::seed_from_u64(seed);
        let Shape { rows, width, vocab } = shape;
        let (operation, _) = kernel.parts();
        let draw = |(index, dims): (usize, [usize; 2])| {
            let spread = if operation.is_weight(index) { 1.0 / (width as f32).sqrt() } else { 1.0 };
            Tensor::from_data(TensorData::new(normal(dims[0] * dims[1], spread, generator), dims), device)
        };
        let tensors = operation.inputs(shape).into_iter().enumerate().map(draw).collect();
        let tokens: Vec<i32> = (0..rows).map(|_| generator.random_range(0..vocab as i32)).collect();
        Self { kernel, width, tensors, targets: Targets::every_row(&tokens), forest: forest(rows) }
    }

    /// Runs one variant.
    pub fn run(&self, variant: Variant) -> Results {
        let (operation, wanted) = self.kernel.parts();
        if !self.kernel.has_gradients() {
            return Results(self.forward(operation, variant, &self.tensors));
        }
        let tracked = self.tensors.iter().zip(wanted);
        let tracked: Vec<Tensor<2>> =
            tracked.map(|(tensor, &wanted)| tensor.clone().autodiff().set_require_grad(wanted)).collect();
        let output = self.forward(operation, variant, &tracked).remove(0);
        let mut gradients = output.clone().mean().backward();
        let gradients = tracked.iter().filter_map(|input| input.grad_remove(&mut gradients));
        Results([output.inner()].into_iter().chain(gradients).collect())
    }

    fn forward(&self, operation: Operation, variant: Variant, inputs: &[Tensor<2>]) -> Vec<Tensor<2>> {
        let input = |index: usize| inputs[index].clone();
        let heads = |index: usize| {
            let [rows, width] = inputs[index].dims();
            input(index).reshape([rows, width / head_dim(self.width), head_dim(self.width)])
        };
        let flat = |tensor: Tensor<3>| {
            let [rows, heads, head_dim] = tensor.dims();
            tensor.reshape([rows, heads * head_dim])
        };
        let output = match operation {
            Operation::LinearNll => {
                call!(variant, linear_nll(input(0), input(1), &self.targets)).unsqueeze_dim(1)
            }
            Operation::Linear => call!(variant, linear(input(0), input(1))),
            Operation::LinearOnto => call!(variant, linear_onto(input(0), input(1), input(2))),
            Operation::RmsNorm => call!(variant, rms_norm(input(0), input(1).reshape([self.width]), 1e-6)),
            Operation::Rotary => flat(call!(variant, rotary(heads(0), input(1)))),
            Operation::Swiglu => call!(variant, swiglu(input(0), input(1))),
            Operation::TreeAttention => {
                flat(call!(variant, tree_attention(heads(0), heads(1), heads(2), &self.forest)))
            }
            Operation::Adamw => {
                let moments = Moments { first: input(2), second: input(3).square() };
                let (parameter, moments) = call!(variant, adamw(input(0), input(1), moments, &RULE));
                return vec![parameter, moments.first, moments.second];
            }
            Operation::SumOfSquares => call!(variant, sum_of_squares(input(0))).unsqueeze_dim(1),
        };
        vec![output]
    }
}

const RULE: AdamW =
    AdamW { rate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01, scale: 1.0, time: 10 };

/// A prompt of a quarter of the tokens, and up to three traces behind it.
fn forest(rows: usize) -> Forest {
    let run = |parent: Option<usize>, length: usize| Node { parent, length, new: length };
    let prompt = rows.div_ceil(4);
    let trace = (rows - prompt).div_ceil(3).max(1);
    let traces = (prompt..rows).step_by(trace).map(|start| run(Some(0), trace.min(rows - start)));
    Forest::new(&[run(None, prompt)].into_iter().chain(traces).collect::<Vec<_>>())
}

/// Normal numbers of deviation `spread`; the same generator gives the same on every device.
pub fn normal(count: usize, spread: f32, generator: &mut ChaCha8Rng) -> Vec<f32> {
    let draw = |_| {
        let value: f32 = StandardNormal.sample(generator);
        value * spread
    };
    (0..count).map(draw).collect()
}

/// What a run leaves behind: outputs, and gradients.
#[derive(Debug)]
pub struct Results(Vec<Tensor<2>>);

impl Results {
    /// Waits until all of the work is done: one number of each result is read back.
    pub fn wait(self) {
        for result in self.0 {
            // Until somebody looks at a number, data of a GPU is only a promise.
            for value in result.slice([0..1, 0..1]).into_data().iter::<f32>() {
                black_box(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(results: &Results) -> u64 {
        results.0.iter().map(|result| f32_bytes(result.dims()[0], result.dims()[1])).sum()
    }

    #[test]
    fn each_kernel_leaves_the_results_that_it_is_charged_for() {
        let device = Device::flex();
        for shape in [Shape { rows: 17, width: 6, vocab: 5 }, Shape { rows: 1, width: 64, vocab: 1 }] {
            for &kernel in Kernel::all() {
                let inputs = Inputs::draw(kernel, shape, 1, &device);
                for variant in Variant::ALL {
                    let results = inputs.run(variant);
                    assert_eq!(bytes(&results), kernel.result_bytes(shape), "{kernel:?}");
                    results.wait();
                }
            }
        }
        let shape = Shape { rows: 17, width: 6, vocab: 5 };
        assert_eq!(Kernel::LinearNllGradients.result_bytes(shape), 4 * (17 + 17 * 6 + 5 * 6));
        assert_eq!(Kernel::RmsNormGradients.result_bytes(shape), 4 * (17 * 6 + 17 * 6 + 6));
        assert_eq!(Kernel::Adamw.result_bytes(shape), 4 * 3 * 17 * 6);
    }

    #[test]
    fn both_variants_compute_the_same() {
        let (shape, device) = (Shape { rows: 19, width: 64, vocab: 7 }, Device::flex());
        for &kernel in Kernel::all() {
            let inputs = Inputs::draw(kernel, shape, 2, &device);
            let [fused, reference] = Variant::ALL.map(|variant| inputs.run(variant).0);
            for (fused, reference) in fused.into_iter().zip(reference) {
                let apart = (fused - reference.clone()).abs().max().into_scalar::<f32>();
                let most = reference.abs().max().into_scalar::<f32>();
                assert!(apart <= 1e-4 * most.max(1e-3), "{kernel:?}: {apart} of {most}");
            }
        }
    }

    #[test]
    fn a_forest_has_every_row_once() {
        for rows in 1..30 {
            let forest = forest(rows);
            assert_eq!((forest.queries(), forest.keys()), (rows, rows));
        }
    }
}
