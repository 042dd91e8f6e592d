//! Inputs of a kernel, and one run of the kernel or its reference on them.

use crate::kernel::{Kernel, Operation, Shape, head_dim};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use ssft_kernels::{AdamW, Forest, Moments, Node, Targets, reference};
use std::hint::black_box;

/// How an operation is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// By the kernel.
    Fused,
    /// By plain tensors, [`ssft_kernels::reference`].
    Reference,
}

impl Variant {
    /// Both variants, in the order of tables and files.
    pub const ALL: [Self; 2] = [Self::Fused, Self::Reference];

    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Reference => "reference",
        }
    }
}

/// `epsilon` of `rms_norm`.
const EPSILON: f64 = 1e-6;
/// Settings of the `adamw` update.
const RULE: AdamW =
    AdamW { rate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01, scale: 1.0, time: 10 };

/// Calls an operation of `ssft_kernels`, or its reference.
macro_rules! call {
    ($variant:expr, $operation:ident($($argument:expr),*)) => {
        match $variant {
            Variant::Fused => ssft_kernels::$operation($($argument),*),
            Variant::Reference => reference::$operation($($argument),*),
        }
    };
}

/// Inputs of a kernel. They stay on the device for all runs, so an operation that works in place copies them first.
#[derive(Debug)]
pub struct Inputs {
    kernel: Kernel,
    width: usize,
    /// Normally distributed: variance 1 / width for a weight matrix, 1 for all others.
    tensors: Vec<Tensor<2>>,
    /// One target for each row, uniform over the vocabulary.
    targets: Targets,
    /// A prompt of a quarter of the rows, and up to three traces that continue it.
    forest: Forest,
}

impl Inputs {
    /// Draws the inputs of `kernel`. A seed gives the same numbers on every device.
    pub fn draw(kernel: Kernel, shape: Shape, seed: u64, device: &Device) -> Self {
        let generator = &mut ChaCha8Rng::seed_from_u64(seed);
        let Shape { rows, width, vocab } = shape;
        let operation = kernel.operation();
        let draw = |(index, dims): (usize, [usize; 2])| {
            let spread = if operation.is_weight(index) { 1.0 / (width as f32).sqrt() } else { 1.0 };
            Tensor::from_data(TensorData::new(normal(dims[0] * dims[1], spread, generator), dims), device)
        };
        let tensors = operation.inputs(shape).into_iter().enumerate().map(draw).collect();
        let tokens: Vec<i32> = (0..rows).map(|_| generator.random_range(0..vocab as i32)).collect();
        Self { kernel, width, tensors, targets: Targets::every_row(&tokens), forest: forest(rows) }
    }

    /// Runs one variant, with the gradients of the mean of its output if the kernel has gradients.
    pub fn run(&self, variant: Variant) -> Results {
        if !self.kernel.has_gradients() {
            return Results(self.forward(variant, &self.tensors));
        }
        let with_gradient = self.kernel.gradients();
        let track = |(index, tensor): (usize, &Tensor<2>)| {
            tensor.clone().autodiff().set_require_grad(with_gradient.contains(&index))
        };
        let tracked: Vec<Tensor<2>> = self.tensors.iter().enumerate().map(track).collect();
        let output = self.forward(variant, &tracked).remove(0);
        let mut gradients = output.clone().mean().backward();
        let gradients = tracked.iter().filter_map(|input| input.grad_remove(&mut gradients));
        Results([output.inner()].into_iter().chain(gradients).collect())
    }

    fn forward(&self, variant: Variant, inputs: &[Tensor<2>]) -> Vec<Tensor<2>> {
        let input = |index: usize| inputs[index].clone();
        let heads = |index: usize| {
            let [rows, width] = inputs[index].dims();
            input(index).reshape([rows, width / head_dim(self.width), head_dim(self.width)])
        };
        let flat = |tensor: Tensor<3>| {
            let [rows, heads, head_dim] = tensor.dims();
            tensor.reshape([rows, heads * head_dim])
        };
        let output = match self.kernel.operation() {
            Operation::LinearNll => {
                call!(variant, linear_nll(input(0), input(1), &self.targets)).unsqueeze_dim(1)
            }
            Operation::Linear => call!(variant, linear(input(0), input(1))),
            Operation::LinearOnto => call!(variant, linear_onto(input(0), input(1), input(2))),
            Operation::RmsNorm => {
                call!(variant, rms_norm(input(0), input(1).reshape([self.width]), EPSILON))
            }
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

/// Outputs of a run, then its gradients.
#[derive(Debug)]
pub struct Results(Vec<Tensor<2>>);

impl Results {
    /// Waits until all of the work is done. A GPU computes a result no later than when one of its numbers is read, so one
    /// number of each result is read.
    pub fn wait(self) {
        for result in self.0 {
            for value in result.slice([0..1, 0..1]).into_data().iter::<f32>() {
                black_box(value);
            }
        }
    }
}

/// Normally distributed numbers with standard deviation `spread`. A generator gives the same numbers on every device.
pub(crate) fn normal(count: usize, spread: f32, generator: &mut ChaCha8Rng) -> Vec<f32> {
    let draw = |_| {
        let value: f32 = StandardNormal.sample(generator);
        value * spread
    };
    (0..count).map(draw).collect()
}

/// A forest has one prompt row in every four rows.
const ROWS_PER_PROMPT_ROW: usize = 4;
/// Traces of a forest that has enough rows.
const TRACES: usize = 3;

/// A prompt of a quarter of the rows, and up to three traces that continue it.
fn forest(rows: usize) -> Forest {
    let run = |parent: Option<usize>, length: usize| Node { parent, length, new: length };
    let prompt = rows.div_ceil(ROWS_PER_PROMPT_ROW);
    let trace = (rows - prompt).div_ceil(TRACES).max(1);
    let traces = (prompt..rows).step_by(trace).map(|start| run(Some(0), trace.min(rows - start)));
    Forest::new(&[run(None, prompt)].into_iter().chain(traces).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::f32_bytes;

    #[test]
    fn results_have_the_size_that_the_kernel_states() {
        let device = Device::flex();
        let bytes =
            |results: &Results| -> u64 { results.0.iter().map(|result| f32_bytes(result.dims())).sum() };
        for shape in [Shape { rows: 17, width: 6, vocab: 5 }, Shape { rows: 1, width: 64, vocab: 1 }] {
            for &kernel in Kernel::ALL {
                let inputs = Inputs::draw(kernel, shape, 1, &device);
                for variant in Variant::ALL {
                    let results = inputs.run(variant);
                    assert_eq!(bytes(&results), kernel.result_bytes(shape), "{kernel:?}");
                    results.wait();
                }
            }
        }
    }

    #[test]
    fn both_variants_compute_the_same() {
        let (shape, device) = (Shape { rows: 19, width: 64, vocab: 7 }, Device::flex());
        for &kernel in Kernel::ALL {
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
