//! Host side of `segment_mean.wgsl`.

use super::launch::{lane_tile, launch, room, tensor, upload};
use crate::source::SEGMENT_MEAN;
use burn_wgpu::{CubeTensor, into_contiguous};

/// Mean of each run of `values`; returns `[segments.len()]`.
pub fn segment_mean(values: CubeTensor, segments: &[[u32; 2]]) -> CubeTensor {
    let values = into_contiguous(values);
    let client = &values.client;
    let means = room(client, segments.len());
    let buffers = [&values.handle, &upload(client, segments), &means];
    launch(client, (SEGMENT_MEAN, lane_tile(&values.device)), segments.len(), &buffers, &[]);
    tensor(&values, means, &[segments.len()])
}
