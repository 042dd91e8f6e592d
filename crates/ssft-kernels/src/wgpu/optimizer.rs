//! Not yet.
use crate::optimizer::Coefficients;
use burn_wgpu::CubeTensor;
pub fn adamw(
    _parameter: CubeTensor,
    _gradient: CubeTensor,
    _first: CubeTensor,
    _second: CubeTensor,
    _by: Coefficients,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    panic!("not yet")
}
pub fn sum_of_squares(_tensor: CubeTensor) -> CubeTensor {
    panic!("not yet")
}
