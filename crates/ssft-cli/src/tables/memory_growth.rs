//! The table of `bench memory`.

use super::three_digits;
use crate::table::{align_figures, plain, trimmed};
use ssft_bench::memory::mebibytes;
use ssft_bench::memory_growth::Point;

/// Table with a line for each point.
pub fn table(points: &[Point]) -> String {
    let mut table = plain(["steps", "reserved MiB", "ms per step"]);
    for point in points {
        table.add_row([point.steps.to_string(), mebibytes(point.bytes), three_digits(point.step_ms)]);
    }
    align_figures(&mut table);
    trimmed(&table)
}
