//! Time of burn's matrix products, as a linear layer needs them in training: CubeCL's on a GPU, burn-flex's on the CPU.
//!
//! They are a lower bound for the time of a model's linear layers; `tests/peers/matmul.py` measures `torch.matmul` the same way.

use crate::clock::Times;
use crate::error::BenchError;
use crate::inputs::normal;
use crate::origin::Origin;
use crate::room::Room;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;
use std::time::Instant;

/// A linear layer `y = x w^T`: `x [rows, input]`, `w [output, input]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearShape {
    /// Tokens.
    pub rows: usize,
    /// Numbers of an input token.
    pub input: usize,
    /// Numbers of an output token.
    pub output: usize,
}

/// One of the three products of a linear layer in training; `g [rows, output]` is the gradient of `y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// `x w^T`
    Forward,
    /// `g w`
    InputGradient,
    /// `g^T x`
    WeightGradient,
}

/// Times of all products of one layer.
#[derive(Debug, Clone)]
pub struct Case {
    /// The layer.
    pub shape: LinearShape,
    /// Times of one product, in the order of [`Product::ALL`].
    pub measured: Vec<(Product, Times)>,
}

/// Least duration of one measurement, in ms. A shorter product is repeated within it, and the mean is taken.
const LEAST_MS: f64 = 10.0;
/// Most repetitions within one measurement.
const MOST_REPETITIONS: usize = 1 << 12;
/// Largest accepted difference of a number of the result from the host's, in units of sqrt(depth). The inputs are normal, so
/// the number itself has the standard deviation sqrt(depth); rounding in f32 is hundreds of times smaller than this.
const TOLERANCE: f64 = 1e-3;

impl FromStr for LinearShape {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let sizes: Option<Vec<usize>> = text.split('x').map(|size| size.parse().ok()).collect();
        let product = |sizes: &[usize]| sizes.iter().try_fold(1usize, |all, &size| all.checked_mul(size));
        match sizes.as_deref() {
            Some(&[rows, input, output]) if product(&[rows, input, output]).is_some_and(|all| all > 0) => {
                Ok(Self { rows, input, output })
            }
            _ => Err(BenchError::LinearShape),
        }
    }
}

impl fmt::Display for LinearShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.rows, self.input, self.output)
    }
}

impl LinearShape {
    /// Why the layer's matrices do not fit; `None` if they do.
    pub fn refused_by(self, room: &Room) -> Option<String> {
        let Self { rows, input, output } = self;
        // The product of all three is an integer of 64 bits.
        let sizes = [rows * input, output * input, rows * output];
        let bytes = sizes.map(|numbers| (numbers as u64).saturating_mul(size_of::<f32>() as u64));
        room.refuses("a matrix takes", &bytes)
    }
}

impl Product {
    /// All products, in the order of tables and files.
    pub const ALL: [Self; 3] = [Self::Forward, Self::InputGradient, Self::WeightGradient];

    /// Name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::InputGradient => "input-gradient",
            Self::WeightGradient => "weight-gradient",
        }
    }
}

/// A matrix, row-major on the host and as a tensor on the device.
struct Matrix {
    dims: [usize; 2],
    values: Vec<f32>,
    tensor: Tensor<2>,
}

impl Matrix {
    fn draw(dims: [usize; 2], generator: &mut ChaCha8Rng, device: &Device) -> Self {
        let values = normal(dims[0] * dims[1], 1.0, generator);
        let tensor = Tensor::from_data(TensorData::new(values.clone(), dims), device);
        Self { dims, values, tensor }
    }

    /// The first row.
    fn row(&self) -> Vec<f64> {
        self.values[..self.dims[1]].iter().map(|&value| f64::from(value)).collect()
    }

    /// The first column.
    fn column(&self) -> Vec<f64> {
        self.values.iter().step_by(self.dims[1]).map(|&value| f64::from(value)).collect()
    }
}

/// Factors of a product, and its first number.
struct Factors {
    left: Tensor<2>,
    right: Tensor<2>,
    /// First number of the product, computed in f64 on the host.
    exact: f64,
    /// Products that are added up for each number.
    depth: usize,
}

impl Factors {
    /// The factors of `product` in a layer with the matrices `x`, `w` and `g`.
    fn of(product: Product, [x, w, g]: &[Matrix; 3]) -> Self {
        // The first number takes the first row of the left factor and the first column of the right factor.
        let ((left, row), (right, column)) = match product {
            Product::Forward => ((x.tensor.clone(), x.row()), (w.tensor.clone().transpose(), w.row())),
            Product::InputGradient => ((g.tensor.clone(), g.row()), (w.tensor.clone(), w.column())),
            Product::WeightGradient => {
                ((g.tensor.clone().transpose(), g.column()), (x.tensor.clone(), x.column()))
            }
        };
        let exact = row.iter().zip(&column).map(|(a, b)| a * b).sum();
        Self { left, right, exact, depth: row.len() }
    }

    /// Mean milliseconds of `times` products in a row.
    fn repeat(&self, times: usize, device: &Device) -> Result<f64, BenchError> {
        let sync = || device.sync().map_err(|error| BenchError::Device { what: error.to_string() });
        sync()?;
        let started = Instant::now();
        (0..times).for_each(|_| drop(self.left.clone().matmul(self.right.clone())));
        sync()?;
        Ok(started.elapsed().as_secs_f64() * 1e3 / times as f64)
    }

    /// Repetitions that make one measurement last at least [`LEAST_MS`].
    fn repetitions(&self, device: &Device) -> Result<usize, BenchError> {
        let mut times = 1;
        while self.repeat(times, device)? * (times as f64) < LEAST_MS && times < MOST_REPETITIONS {
            times *= 2;
        }
        Ok(times)
    }
}

/// Measures the three products of `shape` in turns, after a check of each product's first number.
///
/// # Errors
/// [`BenchError`] if the device fails or a product is wrong.
pub fn measure(shape: LinearShape, runs: usize, seed: u64, device: &Device) -> Result<Case, BenchError> {
    let LinearShape { rows, input, output } = shape;
    let generator = &mut ChaCha8Rng::seed_from_u64(seed);
    let matrices =
        [[rows, input], [output, input], [rows, output]].map(|dims| Matrix::draw(dims, generator, device));
    let mut prepared = Vec::new();
    for product in Product::ALL {
        let factors = Factors::of(product, &matrices);
        let result = factors.left.clone().matmul(factors.right.clone());
        check_first(product, result, factors.exact, factors.depth)?;
        let times = factors.repetitions(device)?;
        prepared.push((factors, times));
    }
    let mut taken = vec![Vec::with_capacity(runs); Product::ALL.len()];
    for _ in 0..runs {
        for (taken, (factors, times)) in taken.iter_mut().zip(&prepared) {
            taken.push(factors.repeat(*times, device)?);
        }
    }
    let measured = Product::ALL.into_iter().zip(taken.into_iter().map(Times::of)).collect();
    Ok(Case { shape, measured })
}

/// Reads the first number of a product and compares it. Waiting for a device does not report a product that failed to start;
/// reading its result does.
fn check_first(product: Product, result: Tensor<2>, exact: f64, depth: usize) -> Result<(), BenchError> {
    let product = product.name();
    let failed = |what: String| BenchError::Product { product, what };
    let data = pollster::block_on(result.slice([0..1, 0..1]).into_data_async());
    let data = data.map_err(|error| failed(error.to_string()))?;
    let first = data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))?[0];
    let allowed = TOLERANCE * (depth as f64).sqrt();
    match (f64::from(first) - exact).abs() <= allowed {
        true => Ok(()),
        false => Err(BenchError::WrongProduct { product, first, exact }),
    }
}

impl Case {
    /// Rows of a JSON file, one for each product.
    pub fn rows(&self, origin: &Origin) -> Vec<Value> {
        let LinearShape { rows, input, output } = self.shape;
        let row = |(product, times): &(Product, Times)| {
            json!({
                "name": "matmul", "device": origin.device, "variant": product.name(),
                "shape": {"rows": rows, "in": input, "out": output}, "autotune": cfg!(feature = "autotune"),
                "median_ms": times.median_ms, "min_ms": times.min_ms, "runs": times.runs,
                "tflops": self.tflops(times),
            })
        };
        self.measured.iter().map(row).collect()
    }

    /// 10^12 multiplications and additions per second, from the median of `times`.
    pub fn tflops(&self, times: &Times) -> f64 {
        let LinearShape { rows, input, output } = self.shape;
        2.0 * (rows * input * output) as f64 / times.median_ms / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_three_numbers() {
        let read = "7x8x9".parse::<LinearShape>().expect("three numbers");
        assert_eq!(read, LinearShape { rows: 7, input: 8, output: 9 });
        let huge = format!("{0}x{0}x{0}", usize::MAX);
        for wrong in ["", "7", "7x8", "7x8x9x1", "7x8x0", "7xax9", "7x8x9x", &huge] {
            assert!(wrong.parse::<LinearShape>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_product_is_not_timed() {
        let result = Tensor::from_data(TensorData::from([[3.0f32]]), &Device::flex());
        check_first(Product::Forward, result.clone(), 3.0, 1).expect("3 is 3");
        let error = check_first(Product::Forward, result, 4.0, 1).expect_err("3 is not 4");
        assert_eq!(error.to_string(), "forward: the first number is 3, but 4.000000 is right");
    }
}
