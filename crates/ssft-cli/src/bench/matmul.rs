//! Matrix products of burn, as linear layers need them in training: CubeCL's on a GPU, burn-flex's on the CPU.
//!
//! They are a lower bound for the time of a model's linear layers; `tests/peers/matmul.py` has the same for `torch.matmul`.

use super::cases::normal;
use super::clock::Times;
use super::memory::Room;
use super::output::{Origin, three_digits};
use crate::table::{align_figures, plain, trimmed};
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
    /// Numbers of a token before.
    pub input: usize,
    /// Numbers of a token after.
    pub output: usize,
}

/// One of the three products of a linear layer in training; `g [rows, output]` is the gradient of `y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    /// `x w^T`
    Forward,
    /// `g w`
    InputGradient,
    /// `g^T x`
    WeightGradient,
}

/// All products of one layer, with their times.
#[derive(Debug)]
pub struct Case {
    shape: LinearShape,
    measured: Vec<(Product, Times)>,
}

/// Least duration of one measurement, in ms. A shorter product is repeated within it, and the mean is taken.
const LEAST_MS: f64 = 10.0;
/// Repetitions within one measurement, at most.
const MOST_REPETITIONS: usize = 1 << 12;
/// Largest difference of one number of a result from the host's, in units of sqrt(depth): inputs are normal, so this is
/// a share of the number's own deviation, and hundreds of times what f32 rounds.
const TOLERANCE: f64 = 1e-3;

impl FromStr for LinearShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes: Option<Vec<usize>> = text.split('x').map(|size| size.parse().ok()).collect();
        let product = |sizes: &[usize]| sizes.iter().try_fold(1usize, |all, &size| all.checked_mul(size));
        match sizes.as_deref() {
            Some(&[rows, input, output]) if product(&[rows, input, output]).is_some_and(|all| all > 0) => {
                Ok(Self { rows, input, output })
            }
            _ => Err("give three numbers of at least 1 as ROWSxINxOUT, such as 1024x576x1536".to_owned()),
        }
    }
}

impl fmt::Display for LinearShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.rows, self.input, self.output)
    }
}

impl LinearShape {
    /// Why its matrices cannot be there, if so.
    pub fn refused_by(self, room: &Room) -> Option<String> {
        let Self { rows, input, output } = self;
        let sizes = [[rows, input], [output, input], [rows, output]];
        room.refuses("a matrix takes", &sizes.map(|[a, b]| a as u64 * b as u64 * size_of::<f32>() as u64))
    }
}

impl Product {
    const ALL: [Self; 3] = [Self::Forward, Self::InputGradient, Self::WeightGradient];

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::InputGradient => "input-gradient",
            Self::WeightGradient => "weight-gradient",
        }
    }
}

/// A matrix on the host and on the device.
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

/// Measures the three products of `shape`, by turns.
///
/// # Errors
/// The device's words if it fails, or what is wrong about a result.
pub fn measure(shape: LinearShape, runs: usize, seed: u64, device: &Device) -> Result<Case, String> {
    let LinearShape { rows, input, output } = shape;
    let generator = &mut ChaCha8Rng::seed_from_u64(seed);
    let [x, w, g] =
        [[rows, input], [output, input], [rows, output]].map(|dims| Matrix::draw(dims, generator, device));
    // Each factor, and what the first number of the product takes of it: a row of the left one, a column of the right one.
    let factors = |product: Product| match product {
        Product::Forward => [(x.tensor.clone(), x.row()), (w.tensor.clone().transpose(), w.row())],
        Product::InputGradient => [(g.tensor.clone(), g.row()), (w.tensor.clone(), w.column())],
        Product::WeightGradient => {
            [(g.tensor.clone().transpose(), g.column()), (x.tensor.clone(), x.column())]
        }
    };
    let mut prepared = Vec::new();
    for product in Product::ALL {
        let [(left, row), (right, column)] = factors(product);
        let exact: f64 = row.iter().zip(&column).map(|(a, b)| a * b).sum();
        check_first(product, left.clone().matmul(right.clone()), exact, row.len())?;
        let mut times = 1;
        while repeated(&left, &right, times, device)? * (times as f64) < LEAST_MS && times < MOST_REPETITIONS
        {
            times *= 2;
        }
        prepared.push((left, right, times));
    }
    let mut taken = vec![Vec::with_capacity(runs); Product::ALL.len()];
    for _ in 0..runs {
        for (taken, (left, right, times)) in taken.iter_mut().zip(&prepared) {
            taken.push(repeated(left, right, *times, device)?);
        }
    }
    let measured = Product::ALL.into_iter().zip(taken.into_iter().map(Times::of)).collect();
    Ok(Case { shape, measured })
}

/// Milliseconds of one of `times` products in a row.
fn repeated(left: &Tensor<2>, right: &Tensor<2>, times: usize, device: &Device) -> Result<f64, String> {
    let sync = || device.sync().map_err(|error| error.to_string());
    sync()?;
    let started = Instant::now();
    (0..times).for_each(|_| drop(left.clone().matmul(right.clone())));
    sync()?;
    Ok(started.elapsed().as_secs_f64() * 1e3 / times as f64)
}

/// Waiting for a device does not tell that a product failed to start; reading its result does.
fn check_first(product: Product, result: Tensor<2>, exact: f64, depth: usize) -> Result<(), String> {
    let failed = |what: String| format!("{}: {what}", product.name());
    let data = pollster::block_on(result.slice([0..1, 0..1]).into_data_async());
    let data = data.map_err(|error| failed(error.to_string()))?;
    let first = data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))?[0];
    let allowed = TOLERANCE * (depth as f64).sqrt();
    match (f64::from(first) - exact).abs() <= allowed {
        true => Ok(()),
        false => Err(failed(format!("the first number is {first}, but {exact:.6} is right"))),
    }
}

impl Case {
    /// One object per product.
    pub fn rows(&self, origin: &Origin) -> Vec<Value> {
        let LinearShape { rows, input, output } = self.shape;
        let row = |(product, times): &(Product, Times)| {
            json!({
                "name": "matmul", "device": origin.device(), "variant": product.name(),
                "shape": {"rows": rows, "in": input, "out": output}, "autotune": cfg!(feature = "autotune"),
                "median_ms": times.median_ms, "min_ms": times.min_ms, "runs": times.runs,
                "tflops": self.tflops(times),
            })
        };
        self.measured.iter().map(row).collect()
    }

    /// 10^12 multiplications and additions per second, by the median.
    fn tflops(&self, times: &Times) -> f64 {
        let LinearShape { rows, input, output } = self.shape;
        2.0 * (rows * input * output) as f64 / times.median_ms / 1e9
    }
}

/// One line per product and shape.
pub fn table(cases: &[Case]) -> String {
    let mut table = plain(["product", "rows", "in", "out", "ms", "TFLOP/s"]);
    for case in cases {
        let LinearShape { rows, input, output } = case.shape;
        for (product, times) in &case.measured {
            table.add_row([
                product.name().to_owned(),
                rows.to_string(),
                input.to_string(),
                output.to_string(),
                three_digits(times.median_ms),
                three_digits(case.tflops(times)),
            ]);
        }
    }
    align_figures(&mut table);
    trimmed(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_three_numbers() {
        assert_eq!("7x8x9".parse(), Ok(LinearShape { rows: 7, input: 8, output: 9 }));
        let huge = format!("{0}x{0}x{0}", usize::MAX);
        for wrong in ["", "7", "7x8", "7x8x9x1", "7x8x0", "7xax9", "7x8x9x", &huge] {
            assert!(wrong.parse::<LinearShape>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_product_is_not_timed() {
        let result = Tensor::from_data(TensorData::from([[3.0f32]]), &Device::flex());
        assert_eq!(check_first(Product::Forward, result.clone(), 3.0, 1), Ok(()));
        let error = check_first(Product::Forward, result, 4.0, 1).expect_err("3 is not 4");
        assert_eq!(error, "forward: the first number is 3, but 4.000000 is right");
    }
}
