//! Not yet.
use burn_wgpu::CubeTensor;
pub fn turn(_input: CubeTensor, _angles: CubeTensor, _back: bool) -> CubeTensor {
    panic!("not yet")
}
