//! The table of `bench matmul`.

use super::three_digits;
use crate::table::{align_figures, plain, trimmed};
use ssft_bench::matmul::{Case, LinearShape};

/// Table with a line for each product of each shape.
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
