//! Rows padded to whole quads (vectors of four numbers), which is what shaders load.

use burn::backend::ops::FloatTensorOps;
use burn::tensor::Slice;
use burn_wgpu::{CubeBackend, CubeTensor, into_contiguous};

/// Numbers of a quad.
pub const QUAD: usize = 4;

/// The tensor row by row, its last dimension padded with zeros to a multiple of four. A width that is no multiple of four
/// costs a copy.
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

/// The inverse of [`in_quads`]: the first `width` numbers of the last dimension.
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

/// The slice of a tensor that has at least these dimensions.
fn whole(dims: &[usize]) -> Vec<Slice> {
    dims.iter().map(|&length| (0..length).into()).collect()
}
