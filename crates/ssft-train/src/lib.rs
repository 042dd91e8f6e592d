//! Set Supervised Fine-Tuning, one file an arrow (arXiv 2510.05132):
//!
//! ```text
//!             pairwise          cost            matching         set_loss         step
//! questions ──────────> PairCosts ──> CostMatrix ──────> Assignment ──────> loss ──────> StepReport
//!            N x M forward, on the      read back        optimal map        M forward and    one AdamW
//!            device, no gradient        once a step      trace -> fork      backward         update
//! ```
//!
//! [`method`] says which arms take which arrows; [`sampler`] which questions a step sees; [`optimizer`],
//! [`schedule`] and [`state`] are what a step leaves behind. Randomness comes from [`rng`], always on the host.

pub mod cost;
pub mod directory;
pub mod error;
pub mod matching;
pub mod method;
pub mod optimizer;
pub mod pairwise;
pub mod rng;
pub mod sampler;
pub mod schedule;
pub mod set_loss;
pub mod state;
pub mod step;

pub use cost::CostMatrix;
pub use error::TrainError;
pub use matching::Assignment;
pub use method::Method;
pub use step::{StepReport, Trainer};
