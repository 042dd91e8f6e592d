//! Tables of measurements for a terminal, one file for each subcommand of `bench`.

pub mod decode;
pub mod kernels;
pub mod matmul;
pub mod memory_growth;
pub mod steps;

use ssft_bench::Origin;

/// Text in place of a figure that does not apply.
const NONE: &str = "-";

/// Lines above a table: machine, adapter and commit.
pub fn origin(origin: &Origin) -> String {
    format!("machine  {}\nadapter  {}\ncommit   {}", origin.machine, origin.adapter, origin.commit)
}

/// A figure with three significant digits and at most four decimals: `0.0123`, `1.23`, `123`.
fn three_digits(value: f64) -> String {
    let decimals = (2.0 - value.max(1e-9).log10().floor()).clamp(0.0, 4.0);
    format!("{value:.0$}", decimals as usize)
}

/// A count of parameters in millions, with two decimals.
fn millions(parameters: usize) -> String {
    format!("{:.2}", parameters as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.0, 0.001_234, 0.012_34, 0.1, 1.0, 99.92, 1234.4].map(three_digits);
        assert_eq!(shown, ["0.0000", "0.0012", "0.0123", "0.100", "1.00", "99.9", "1234"]);
    }
}
