//! Set Supervised Fine-Tuning (SSFT, arXiv 2510.05132).
//!
//! N forking tokens `<think1>` .. `<thinkN>` stand between a question and its traces. At every optimizer step the M traces of
//! a question are matched with M of the N forks at least cost, and the matched pairs are trained:
//!
//! ```text
//!            1. pairwise losses        2. matching         3. set loss           4. update
//! questions ───────────────────> costs ──────────> forks ────────────> gradients ─────────> weights, 5. StepReport
//!   sampler     pairwise, full           matching          set_loss       gradients  optimizer
//!   arms        (bounds, extension,                        objective                 schedule
//!               lazy: in part)
//! ```
//!
//! [`trainer`] has the step in that order. One file per subject:
//!
//! | file | subject |
//! |---|---|
//! | [`arms`] | `Method`: the rule that gives a trace its fork; every arm but `Ssft` needs no costs |
//! | [`pairwise`] | losses of traces under forks, without gradient |
//! | [`cost`], [`full`] | the whole cost matrix |
//! | [`matching`] | `Assignment`: the optimal matching and its tie rule |
//! | [`bounds`], [`extension`], [`lazy`] | the same matching from a part of the matrix |
//! | [`set_loss`], [`objective`] | what a training pass minimises |
//! | [`gradients`], [`optimizer`], [`schedule`] | from the losses of the passes to new weights |
//! | [`budget`] | pass sizes under a memory budget |
//! | [`report`], [`coverage`], [`probe`] | what was matched, what it cost |
//! | [`state`], [`fingerprint`] | saved state, and the data that it belongs to |
//! | [`sampler`] | order of the questions |
//! | [`settings`], [`step`], [`nll`], [`error`] | settings of a run, the step in progress, losses on the device, errors |
//!
//! The crate has no clock, no files and no terminal: the caller owns them.

pub mod arms;
pub mod bounds;
pub mod budget;
pub mod cost;
pub mod coverage;
pub mod error;
pub mod extension;
pub mod fingerprint;
pub mod full;
pub mod gradients;
pub mod lazy;
pub mod matching;
pub mod nll;
pub mod objective;
pub mod optimizer;
pub mod pairwise;
pub mod probe;
pub mod report;
pub mod sampler;
pub mod schedule;
pub mod set_loss;
pub mod settings;
pub mod state;
pub mod step;
pub mod trainer;

pub use arms::Method;
pub use budget::Budget;
pub use cost::CostMatrix;
pub use error::TrainError;
pub use full::CostEvaluator;
pub use matching::Assignment;
pub use optimizer::AdamWSettings;
pub use probe::Probe;
pub use report::StepReport;
pub use schedule::Schedule;
pub use settings::{Matching, Settings};
pub use step::Clock;
pub use trainer::Trainer;
