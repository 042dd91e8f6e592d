//! Time and memory of what training and decoding consist of.
//!
//! | module | measures | compared with |
//! |---|---|---|
//! | [`kernels`] | one operation of `ssft_kernels`, forward and backward | plain tensors (`ssft_kernels::reference`) |
//! | [`steps`] | whole training steps of an [`Arm`] | the other arms on the same [`Workload`] |
//! | [`decode`] | answers of N forks from one shared prompt | N separate generations, N rows in one batch |
//! | [`matmul`] | the three matrix products of a linear layer | |
//! | [`memory_growth`] | memory that a GPU reserves during many training steps | |
//!
//! Each module has a `measure` function or method, typed results, and the results as rows of a JSON file ([`Origin::file`]).
//! Variants of one case run in turns ([`clock`]), and their peak memory is counted in a run of its own ([`memory`]).
//!
//! ```
//! use ssft_bench::kernel::Kernel;
//! use ssft_bench::kernels::Plan;
//! use ssft_run::settings::DeviceChoice;
//!
//! // `rms_norm` of 4 tokens with 8 numbers each, 2 timed runs of the kernel and of its reference. No vocabulary: 1.
//! let device = DeviceChoice::Cpu.open()?;
//! let cases = Plan::new(&[Kernel::RmsNorm], [&[4], &[8], &[1]], 2, 1).measure(&device, |_, _| ());
//! let [fused, reference] = &cases[0].outcomes;
//! let fused = fused.as_ref().expect("four tokens fit into memory");
//! assert_eq!((fused.times.runs, fused.result_bytes), (2, 4 * 8 * 4));
//! assert!(reference.is_ok());
//! # Ok::<(), ssft_run::RunError>(())
//! ```

pub mod arm;
pub mod clock;
pub mod decode;
pub mod error;
pub mod inputs;
pub mod kernel;
pub mod kernels;
pub mod matmul;
pub mod memory;
pub mod memory_growth;
pub mod origin;
pub mod room;
pub mod steps;
pub mod workload;

pub use arm::Arm;
pub use error::BenchError;
pub use origin::Origin;
pub use steps::Bench;
pub use workload::{Lengths, Workload};
