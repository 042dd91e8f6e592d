//! Set Supervised Fine-Tuning, one file an arrow (arXiv 2510.05132):
//!
//! ```text
//!             pairwise      search, cost       matching         set_loss         step
//! questions ──────────> Pairs ────────> CostMatrix ──────> Assignment ──────> loss ──────> StepReport
//!            N x M forward, on the      costs, or bounds   optimal map      M forward and    one AdamW
//!            device, no gradient        that prove enough  trace -> fork    backward         update
//! ```
//!
//! [`assign`] goes the whole way to the assignments, by the full matrix or lazily; [`budget`] cuts it into passes.
//! [`method`] says which arms take which arrows; [`sampler`] which questions a step sees; [`optimizer`],
//! [`schedule`] and [`state`] are what a step leaves behind; [`probe`] only looks. Randomness comes from [`rng`], always on the host.

pub mod assign;
pub mod budget;
pub mod cost;
pub mod error;
pub mod matching;
pub mod method;
pub mod optimizer;
pub mod pairwise;
pub mod probe;
pub mod report;
pub mod rng;
pub mod sampler;
pub mod schedule;
pub mod search;
pub mod set_loss;
pub mod state;
pub mod step;

pub use assign::{Matching, Search};
pub use budget::Budget;
pub use cost::CostMatrix;
pub use error::TrainError;
pub use matching::Assignment;
pub use method::Method;
pub use report::StepReport;
pub use step::Trainer;
