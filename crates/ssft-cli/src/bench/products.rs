//! Plain matrix products, as burn does them: CubeCL's on a GPU, burn-flex's on the CPU. What the linear maps of a model
//! cost at best, and the figure to hold beside `torch.matmul`.

use super::clock::Times;
use super::output::{Origin, three_digits};
use crate::table::{align_figures, plain, trimmed};
use burn::tensor::{Device, Distribution, ExecutionError, Tensor};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;
use std::time::Instant;

/// A linear map: `rows` tokens of `input` numbers each become `output` numbers each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductShape {
    /// Tokens.
    pub rows: usize,
    /// Numbers of a token before.
    pub input: usize,
    /// Numbers of a token after.
    pub output: usize,
}

/// One of the three products of a linear map `y = x w^T` in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Product {
    /// `x w^T`
    Forward,
    /// `g w`
    InputGradient,
    /// `g^T x`
    WeightGradient,
}

/// All products of one shape, with their times.
#[derive(Debug)]
pub struct Case {
    shape: ProductShape,
    measured: Vec<(Product, Times)>,
}

/// Milliseconds that a measurement takes at least: products of less are repeated within it.
const LEAST_MS: f64 = 5.0;
/// Repetitions at most.
const MOST_REPETITIONS: usize = 1000;

impl FromStr for ProductShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes: Vec<usize> = text.split('x').map_while(|size| size.parse().ok()).collect();
        match sizes[..] {
            [rows, input, output] if rows * input * output > 0 && text.matches('x').count() == 2 => {
                Ok(Self { rows, input, output })
            }
            _ => Err("give three numbers of at least 1 as ROWSxINxOUT, such as 1536x576x1536".to_owned()),
        }
    }
}

impl fmt::Display for ProductShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.rows, self.input, self.output)
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

/// Measures the three products of `shape`, by turns.
///
/// # Errors
/// [`ExecutionError`] if the device fails.
pub fn measure(shape: ProductShape, runs: usize, device: &Device) -> Result<Case, ExecutionError> {
    let ProductShape { rows, input, output } = shape;
    let draw = |dims: [usize; 2]| Tensor::<2>::random(dims, Distribution::Normal(0.0, 1.0), device);
    let (x, w, g) = (draw([rows, input]), draw([output, input]), draw([rows, output]));
    let product = |which: Product| match which {
        Product::Forward => x.clone().matmul(w.clone().transpose()),
        Product::InputGradient => g.clone().matmul(w.clone()),
        Product::WeightGradient => g.clone().transpose().matmul(x.clone()),
    };
    let repeated = |which: Product, times: usize| -> Result<f64, ExecutionError> {
        device.sync()?;
        let started = Instant::now();
        (0..times).for_each(|_| drop(product(which)));
        device.sync()?;
        Ok(started.elapsed().as_secs_f64() * 1e3 / times as f64)
    };
    let mut repetitions = Vec::new();
    for which in Product::ALL {
        repeated(which, 1)?;
        let once = repeated(which, 1)?;
        repetitions.push(((LEAST_MS / once).ceil() as usize).clamp(1, MOST_REPETITIONS));
    }
    let mut taken = vec![Vec::with_capacity(runs); Product::ALL.len()];
    for _ in 0..runs {
        for (at, which) in Product::ALL.into_iter().enumerate() {
            taken[at].push(repeated(which, repetitions[at])?);
        }
    }
    let measured = Product::ALL.into_iter().zip(taken.into_iter().map(Times::of)).collect();
    Ok(Case { shape, measured })
}

impl Case {
    /// One object a product.
    pub fn rows(&self, origin: &Origin) -> Vec<Value> {
        let ProductShape { rows, input, output } = self.shape;
        let row = |(product, times): &(Product, Times)| {
            json!({
                "name": "product", "device": origin.device(), "variant": product.name(),
                "shape": {"rows": rows, "in": input, "out": output}, "autotune": cfg!(feature = "autotune"),
                "median_ms": times.median_ms, "min_ms": times.min_ms, "runs": times.runs,
                "tflops": self.tflops(times),
            })
        };
        self.measured.iter().map(row).collect()
    }

    /// 10^12 multiplications and additions a second, by the median.
    fn tflops(&self, times: &Times) -> f64 {
        let ProductShape { rows, input, output } = self.shape;
        2.0 * (rows * input * output) as f64 / times.median_ms / 1e9
    }
}

/// One line a product and shape.
pub fn table(cases: &[Case]) -> String {
    let mut table = plain(["product", "rows", "in", "out", "ms", "TFLOP/s"]);
    for case in cases {
        let ProductShape { rows, input, output } = case.shape;
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
        assert_eq!("7x8x9".parse(), Ok(ProductShape { rows: 7, input: 8, output: 9 }));
        for wrong in ["", "7", "7x8", "7x8x9x1", "7x8x0", "7xax9", "7x8x9x"] {
            assert!(wrong.parse::<ProductShape>().is_err(), "{wrong}");
        }
    }
}
