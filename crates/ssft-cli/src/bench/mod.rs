//! Measurements: what a kernel costs in time and memory, beside the plain tensors that it stands in for, and what whole
//! steps cost, arm beside arm, and forked decoding beside separate generations.
//!
//! [`cases`], [`steps`], [`decode`], [`matmul`] and [`memory_growth`] are what runs, [`clock`] and [`memory`] what is measured of
//! it, [`output`] and [`steps_output`] who hears of it.

pub mod cases;
pub mod clock;
pub mod decode;
pub mod matmul;
pub mod memory;
pub mod memory_growth;
pub mod output;
pub mod steps;
pub mod steps_output;

use cases::{Inputs, Kernel, Shape, Variant};
use clock::Times;
use memory::Room;
use ssft_run::device::NamedDevice;

/// What `bench kernels` measures.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Kernels by the shapes of their common inputs.
    pub shapes: Vec<(Shape, Vec<Kernel>)>,
    /// Measured runs of each variant.
    pub runs: usize,
    /// Seed of the inputs.
    pub seed: u64,
}

/// One kernel at one shape.
#[derive(Debug, Clone)]
pub struct Case {
    /// The kernel.
    pub kernel: Kernel,
    /// The shape.
    pub shape: Shape,
    /// What was found of each variant, in the order of [`Variant::ALL`], or why it was not run.
    pub outcomes: [Result<Measured, String>; 2],
}

/// Time and memory of one variant.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Times of the runs.
    pub times: Times,
    /// Most bytes at a time beyond the inputs, results included.
    pub peak_bytes: u64,
    /// Bytes of the results.
    pub result_bytes: u64,
}

impl Measured {
    /// Bytes beyond inputs and results.
    pub fn extra_bytes(&self) -> u64 {
        self.peak_bytes.saturating_sub(self.result_bytes)
    }
}

impl Plan {
    /// `kernels` at every combination of the three lists; those without a vocabulary at every one of the first two.
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

    /// Measures everything on `device`; `begins` hears what comes next.
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
        // The reference comes last: if it cannot be run, the kernel is alone.
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
