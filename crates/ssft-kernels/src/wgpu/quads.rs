//! Rows of whole quads: shaders load four numbers at a time.

use burn::backend::ops::FloatTensorOps;
use burn::tensor::Slice;
use burn_wgpu::{CubeBackend, CubeTensor, into_contiguous};

/// Numbers that a lane loads at once.
pub const QUAD: usize = 4;

/// Row-major, with zeros up to a multiple of four in the last dimension. Only an unusual width costs a copy.
pub fn in_quads(tensor: CubeTensor) -> CubeTensor {
    let dims = tensor.meta.shape().to_vec();
    let (Some(&width), last) = (dims.last(), dims.len().saturating_sub(1)) else { return tensor };
    if width % QUAD == 0 {
        return into_contiguous(tensor);
    }
    let mut padded = dims.clone();
    padded[last] = width.next_multiple_of(QUAD);
    let zeros = CubeBackend::float_zeros(padded.into(), &tensor.device, tensor.dtype.into());
    CubeBackend::float_slice_assign(zeros, &whole(&dims), tensor)
}

/// The reverse of [`in_quads`].
pub fn without_padding(tensor: CubeTensor, width: usize) -> CubeTensor {
    let mut dims = tensor.meta.shape().to_vec();
    match dims.last_mut() {
        Some(padded) if *padded != width => {
            *padded = width;
            CubeBackend::float_slice(tensor, &whole(&dims))
        }
        _ => tensor,
    }
}

fn whole(dims: &[usize]) -> Vec<Slice> {
    dims.iter().map(|&length| (0..length).into()).collect()
}
