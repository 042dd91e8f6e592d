//! Reports of runs: a self-contained HTML page of one run, and pages that compare several.
//!
//! ```text
//! run directory ──> RunRecord ──> run_page ──────────────────────────> report.html
//!                       └──────> Comparison (arms, Summary) ──> comparison_page
//! ```
//!
//! A [`RunRecord`] is what a run directory holds. [`compare`] groups runs by task and method ([`Comparison`]), and
//! [`statistics`] gives the mean over seeds with its interval. [`chart`] computes curves as SVG coordinates; the templates in
//! `templates/` draw them.
//!
//! ```
//! use ssft_report::chart::{Scale, chart};
//! use ssft_report::statistics::Summary;
//!
//! // Pass@1 of two seeds: mean 70 %, and an interval of Student's t with one degree of freedom.
//! let summary = Summary::of(vec![Some(0.68), Some(0.72)]).expect("two values");
//! assert!((summary.mean - 0.7).abs() < 1e-12);
//! let [low, high] = summary.ci95.expect("more than one value");
//! assert!((high - low - 2.0 * 12.706 * 0.02).abs() < 1e-9);
//!
//! // A curve of two points, 640 units wide and 180 high.
//! let loss = [(String::new(), vec![(1.0, 4.0), (2.0, 2.0)])];
//! let chart = chart("loss", Scale::Linear, &loss).expect("points");
//! assert_eq!(chart.lines[0].points, "320.0,0.0 640.0,90.0");
//! ```

mod arms;
pub mod chart;
mod comparable;
pub mod comparison;
mod comparison_page;
pub mod error;
pub mod evaluation;
pub mod matrix;
pub mod measures;
mod probes;
pub mod record;
mod run_page;
pub mod statistics;
mod templates;

pub use comparable::check_comparable;
pub use comparison::{Comparison, compare};
pub use comparison_page::comparison_page;
pub use error::ReportError;
pub use record::RunRecord;
pub use run_page::run_page;
