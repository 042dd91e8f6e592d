//! Not yet.
use crate::extension::SavedAttention;
use crate::forest::Forest;
use burn_wgpu::{CubeBackend, CubeTensor};
pub fn forward(_inputs: [CubeTensor; 3], _forest: &Forest) -> [CubeTensor; 2] {
    panic!("not yet")
}
pub fn backward(_saved: SavedAttention<CubeBackend>, _upstream: CubeTensor) -> [CubeTensor; 3] {
    panic!("not yet")
}
