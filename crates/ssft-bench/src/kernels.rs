//! Time and memory of kernels, each compared with the plain tensors that it replaces.

use crate::clock::{self, Times};
use crate::inputs::{Inputs, Variant};
use crate::kernel::{Kernel, Shape};
use crate::memory;
use crate::origin::Origin;
use crate::room::Room;
use serde_json::{Value, json};
use ssft_run::device::NamedDevice;

/// Kernels to measure, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Shapes, each with the kernels that are measured at it.
    pub shapes: Vec<(Shape, Vec<Kernel>)>,
    /// Timed runs of each variant.
    pub runs: usize,
    /// Seed of the inputs.
    pub seed: u64,
}

/// Result of one kernel at one shape.
#[derive(Debug, Clone)]
pub struct Case {
    /// The kernel.
    pub kernel: Kernel,
    /// The shape.
    pub shape: Shape,
    /// Measurement of each variant, in the order of [`Variant::ALL`], or why the variant was not run.
    pub outcomes: [Result<Measured, String>; 2],
}

/// Time and memory of one variant.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Times of the runs.
    pub times: Times,
    /// Largest number of bytes at a time in addition to the inputs; results included.
    pub peak_bytes: u64,
    /// Bytes of the results.
    pub result_bytes: u64,
}

impl Measured {
    /// Peak bytes in addition to inputs and results.
    pub fn extra_bytes(&self) -> u64 {
        self.peak_bytes.saturating_sub(self.result_bytes)
    }
}

impl Plan {
    /// `kernels` at every combination of the three lists `[rows, width, vocab]`; kernels without a vocabulary at every
    /// combination of the first two.
    ///
    /// ```
    /// use ssft_bench::kernel::Kernel;
    /// use ssft_bench::kernels::Plan;
    ///
    /// let kernels = [Kernel::LinearNll, Kernel::Swiglu];
    /// let plan = Plan::new(&kernels, [&[64, 128], &[32], &[100, 200, 300]], 5, 1);
    /// assert_eq!(plan.cases(), 2 * 3 + 2);
    /// ```
    pub fn new(kernels: &[Kernel], [rows, widths, vocabs]: [&[usize]; 3], runs: usize, seed: u64) -> Self {
        let (heads, others): (Vec<Kernel>, Vec<Kernel>) =
            kernels.iter().partition(|kernel| kernel.has_head());
        let mut shapes = Vec::new();
        for &rows in rows {
            for &width in widths {
                shapes.extend(vocabs.iter().map(|&vocab| (Shape { rows, width, vocab }, heads.clone())));
                shapes.push((Shape { rows, width, vocab: 1 }, others.clone()));
            }
        }
        shapes.retain(|(_, kernels)| !kernels.is_empty());
        Self { shapes, runs, seed }
    }

    /// Number of cases.
    pub fn cases(&self) -> usize {
        self.shapes.iter().map(|(_, kernels)| kernels.len()).sum()
    }

    /// Measures every case on `device`, and calls `begins` before each.
    pub fn measure(&self, device: &NamedDevice, mut begins: impl FnMut(Kernel, Shape)) -> Vec<Case> {
        let room = Room::of(device);
        let mut cases = Vec::with_capacity(self.cases());
        for &(shape, ref kernels) in &self.shapes {
            for &kernel in kernels {
                begins(kernel, shape);
                let outcomes = match room.refuses_inputs(kernel, shape) {
                    None => {
                        let inputs = Inputs::draw(kernel, shape, self.seed, &device.device);
                        self.outcomes(kernel, shape, &inputs, &room)
                    }
                    Some(reason) => [Err(reason.clone()), Err(reason)],
                };
                cases.push(Case { kernel, shape, outcomes });
            }
        }
        cases
    }

    fn outcomes(
        &self,
        kernel: Kernel,
        shape: Shape,
        inputs: &Inputs,
        room: &Room,
    ) -> [Result<Measured, String>; 2] {
        // The reference is the last variant: without it, the kernel is the only one.
        let refusal = room.refuses_reference(kernel, shape);
        let variants = if refusal.is_some() { &[Variant::Fused][..] } else { &Variant::ALL };
        let run = |variant| inputs.run(variant).wait();
        let times = clock::take_turns(self.runs, variants, |&variant| run(variant));
        let mut measured = variants.iter().zip(times).map(|(&variant, times)| {
            let peak_bytes = memory::peak_bytes(&room.device, || run(variant));
            Measured { times, peak_bytes, result_bytes: kernel.result_bytes(shape) }
        });
        Variant::ALL.map(|_| measured.next().ok_or_else(|| refusal.clone().unwrap_or_default()))
    }
}

impl Case {
    /// Rows of a JSON file, one for each variant.
    pub fn rows(&self, origin: &Origin) -> Vec<Value> {
        let variants = Variant::ALL.into_iter().zip(&self.outcomes);
        variants.map(|(variant, outcome)| self.row(variant, outcome, origin)).collect()
    }

    fn row(&self, variant: Variant, outcome: &Result<Measured, String>, origin: &Origin) -> Value {
        let measured = outcome.as_ref().ok();
        let mut row = json!({
            "name": self.kernel.name(),
            "device": origin.device,
            "variant": variant.name(),
            "shape": {
                "rows": self.shape.rows,
                "width": self.shape.width,
                "vocab": self.kernel.has_head().then_some(self.shape.vocab),
            },
            "median_ms": measured.map(|measured| measured.times.median_ms),
            "min_ms": measured.map(|measured| measured.times.min_ms),
            "runs": measured.map_or(0, |measured| measured.times.runs),
            "peak_bytes": measured.map(|measured| measured.peak_bytes),
            "result_bytes": measured.map(|measured| measured.result_bytes),
        });
        if let Err(reason) = outcome {
            row["refused"] = json!(reason);
        }
        row
    }
}
