//! Set Supervised Fine-Tuning with global forking tokens, for any GPU (arXiv 2510.05132).
//!
//! A facade over the crates of this workspace; `docs/architecture.md` shows how they fit together.

pub use ssft_bench as bench;
pub use ssft_cli as cli;
pub use ssft_data as data;
pub use ssft_decode as decode;
pub use ssft_import as import;
pub use ssft_kernels as kernels;
pub use ssft_model as model;
pub use ssft_report as report;
pub use ssft_run as run;
pub use ssft_tasks as tasks;
pub use ssft_train as train;
