//! What is measured: kernels, their inputs, and what comes out.

use burn::tensor::{Device, Tensor, TensorData};
use clap::ValueEnum;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use ssft_kernels::{Targets, reference};
use std::fmt;
use std::hint::black_box;

/// Values in a segment of `segment_mean`; the last one may have fewer.
const SEGMENT: usize = 16;

/// An operation, with the gradients that are asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kernel {
    /// `linear_nll` without gradients.
    LinearNll,
    /// With the gradient of the hidden states.
    LinearNllHiddenGradient,
    /// With the gradient of the weight.
    LinearNllWeightGradient,
    /// With both gradients, as in training.
    LinearNllGradients,
    /// `segment_mean` without gradients.
    SegmentMean,
}

/// How an operation is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The kernel.
    Fused,
    /// Plain tensors, [`ssft_kernels::reference`].
    Reference,
}

/// Sizes of the inputs. `segment_mean` has rows only; its width and vocabulary are 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Hidden states, each with a target; or values in segments.
    pub rows: usize,
    /// Numbers in a hidden state.
    pub width: usize,
    /// Rows of the weight.
    pub vocab: usize,
}

impl Kernel {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::LinearNll,
        Self::LinearNllHiddenGradient,
        Self::LinearNllWeightGradient,
        Self::LinearNllGradients,
        Self::SegmentMean,
    ];

    /// Its name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::LinearNll => "linear_nll",
            Self::LinearNllHiddenGradient => "linear_nll_hidden_gradient",
            Self::LinearNllWeightGradient => "linear_nll_weight_gradient",
            Self::LinearNllGradients => "linear_nll_gradients",
            Self::SegmentMean => "segment_mean",
        }
    }

    /// True if it works on hidden states and a weight.
    pub fn has_head(self) -> bool {
        self != Self::SegmentMean
    }

    /// Which gradients are computed: of the hidden states, of the weight.
    pub fn wanted(self) -> [bool; 2] {
        match self {
            Self::LinearNll | Self::SegmentMean => [false, false],
            Self::LinearNllHiddenGradient => [true, false],
            Self::LinearNllWeightGradient => [false, true],
            Self::LinearNllGradients => [true, true],
        }
    }

    /// Bytes of what it returns: one number a row or segment, and the gradients.
    pub fn result_bytes(self, shape: Shape) -> u64 {
        let [hidden, weight] = self.wanted();
        let numbers = if self.has_head() { shape.rows } else { shape.rows.div_ceil(SEGMENT) };
        f32_bytes(numbers, 1)
            + if hidden { shape.hidden_bytes() } else { 0 }
            + if weight { shape.weight_bytes() } else { 0 }
    }
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

    fn linear_nll(self, hidden: Tensor<2>, weight: Tensor<2>, targets: &Targets) -> Tensor<1> {
        match self {
            Self::Fused => ssft_kernels::linear_nll(hidden, weight, targets),
            Self::Reference => reference::linear_nll(hidden, weight, targets),
        }
    }

    fn segment_mean(self, values: Tensor<1>, lengths: &[usize]) -> Tensor<1> {
        match self {
            Self::Fused => ssft_kernels::segment_mean(values, lengths),
            Self::Reference => reference::segment_mean(values, lengths),
        }
    }
}

impl Shape {
    /// Bytes of a matrix of f32 with one number for each row and token.
    pub fn logits_bytes(self) -> u64 {
        f32_bytes(self.rows, self.vocab)
    }

    /// Bytes of the weight.
    pub fn weight_bytes(self) -> u64 {
        f32_bytes(self.vocab, self.width)
    }

    /// Bytes of the hidden states.
    pub fn hidden_bytes(self) -> u64 {
        f32_bytes(self.rows, self.width)
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

/// What a kernel reads. It stays on the device from run to run.
#[derive(Debug)]
pub enum Inputs {
    /// Of `linear_nll`.
    Head(Box<Head>),
    /// Of `segment_mean`.
    Segments(Box<Segments>),
}

/// Hidden states that have to predict.
#[derive(Debug)]
pub struct Head {
    /// `[rows, width]`, standard normal.
    hidden: Tensor<2>,
    /// `[vocab, width]`, normal with variance 1 / width: the logits are then about as large as 1.
    weight: Tensor<2>,
    /// One for every row, uniform over the vocabulary.
    targets: Targets,
}

/// Values in runs.
#[derive(Debug)]
pub struct Segments {
    /// Standard normal.
    values: Tensor<1>,
    lengths: Vec<usize>,
}

impl Inputs {
    /// Draws the inputs of `kernel`; the same seed gives the same numbers on every device.
    pub fn draw(kernel: Kernel, shape: Shape, seed: u64, device: &Device) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        match kernel.has_head() {
            true => Self::Head(Box::new(Head::draw(shape, &mut generator, device))),
            false => Self::Segments(Box::new(Segments::draw(shape.rows, &mut generator, device))),
        }
    }

    /// Runs one variant of `kernel`, which is one that these inputs were drawn for.
    pub fn run(&self, kernel: Kernel, variant: Variant) -> Results {
        match self {
            Self::Head(head) => head.run(variant, kernel.wanted()),
            Self::Segments(segments) => segments.run(variant),
        }
    }
}

impl Head {
    fn draw(shape: Shape, generator: &mut ChaCha8Rng, device: &Device) -> Self {
        let Shape { rows, width, vocab } = shape;
        let hidden = TensorData::new(normal(rows * width, 1.0, generator), [rows, width]);
        let spread = 1.0 / (width as f32).sqrt();
        let weight = TensorData::new(normal(vocab * width, spread, generator), [vocab, width]);
        let tokens: Vec<i32> = (0..rows).map(|_| generator.random_range(0..vocab as i32)).collect();
        Self {
            hidden: Tensor::from_data(hidden, device),
            weight: Tensor::from_data(weight, device),
            targets: Targets::every_row(&tokens),
        }
    }

    fn run(&self, variant: Variant, wanted: [bool; 2]) -> Results {
        let (hidden, weight) = (self.hidden.clone(), self.weight.clone());
        if wanted == [false, false] {
            let vector = variant.linear_nll(hidden, weight, &self.targets);
            return Results { vector, gradients: Vec::new() };
        }
        let hidden = hidden.autodiff().set_require_grad(wanted[0]);
        let weight = weight.autodiff().set_require_grad(wanted[1]);
        let nll = variant.linear_nll(hidden.clone(), weight.clone(), &self.targets);
        let mut gradients = nll.clone().mean().backward();
        let inputs = [hidden, weight];
        let gradients = inputs.iter().filter_map(|input| input.grad_remove(&mut gradients)).collect();
        Results { vector: nll.inner(), gradients }
    }
}

impl Segments {
    fn draw(rows: usize, generator: &mut ChaCha8Rng, device: &Device) -> Self {
        let values = TensorData::new(normal(rows, 1.0, generator), [rows]);
        let lengths = (0..rows).step_by(SEGMENT).map(|start| SEGMENT.min(rows - start)).collect();
        Self { values: Tensor::from_data(values, device), lengths }
    }

    fn run(&self, variant: Variant) -> Results {
        let vector = variant.segment_mean(self.values.clone(), &self.lengths);
        Results { vector, gradients: Vec::new() }
    }
}

fn normal(count: usize, spread: f32, generator: &mut ChaCha8Rng) -> Vec<f32> {
    let draw = |_| {
        let value: f32 = StandardNormal.sample(generator);
        value * spread
    };
    (0..count).map(draw).collect()
}

/// What a run leaves behind.
#[derive(Debug)]
pub struct Results {
    vector: Tensor<1>,
    gradients: Vec<Tensor<2>>,
}

impl Results {
    /// Waits until all of the work is done: one number of each gradient is read back, or the whole vector.
    pub fn wait(self) {
        if self.gradients.is_empty() {
            read(self.vector);
        }
        for gradient in self.gradients {
            read(gradient.slice([0..1, 0..1]));
        }
    }
}

/// Looks at every number: until somebody does, data of a GPU is only a promise.
fn read<const D: usize>(tensor: Tensor<D>) {
    for value in tensor.into_data().iter::<f32>() {
        black_box(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(results: &Results) -> u64 {
        let gradients = results.gradients.iter().map(|gradient| gradient.dims().iter().product::<usize>());
        f32_bytes(results.vector.dims()[0] + gradients.sum::<usize>(), 1)
    }

    #[test]
    fn each_kernel_leaves_the_results_that_it_is_charged_for() {
        let (shape, device) = (Shape { rows: 17, width: 3, vocab: 5 }, Device::flex());
        for kernel in Kernel::ALL {
            let inputs = Inputs::draw(kernel, shape, 1, &device);
            for variant in Variant::ALL {
                let results = inputs.run(kernel, variant);
                assert_eq!(bytes(&results), kernel.result_bytes(shape), "{kernel:?}");
                results.wait();
            }
        }
        assert_eq!(Kernel::LinearNllGradients.result_bytes(shape), 4 * (17 + 17 * 3 + 5 * 3));
        assert_eq!(Kernel::SegmentMean.result_bytes(shape), 4 * 2, "16 values and 1");
    }
}
