//! How a shader is started: buffers, shape, and a number of workgroups of any size.

use crate::launches;
use crate::source::{LaneTile, Shader};
use burn::backend::CubeDevice;
use burn::cubecl::client::Client;
use burn::cubecl::prelude::*;
use burn::cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};
use burn::cubecl::wgpu::{WgpuDevice, WgpuDeviceKind};
use burn_wgpu::{CubeTensor, KernelSource, SourceKernel, SourceTemplate};

/// Workgroups of one dimension of a dispatch: WebGPU's default limit.
const MOST_GROUPS: usize = 65_535;

struct Source(Shader, LaneTile);

impl KernelSource for Source {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.0.text_for(self.1))
    }

    /// Unchecked: no counter in every loop (six times slower on a software adapter). Each shader bounds its own
    /// loops by its shape and guards every tail.
    fn id(&self) -> KernelId {
        let id = KernelId::new::<Self>().info((self.0, self.1));
        id.cube_dim(self.cube_dim().into()).mode(ExecutionMode::Unchecked)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

impl Source {
    fn cube_dim(&self) -> CubeDim {
        CubeDim::new_1d(self.0.lanes_for(self.1))
    }
}

/// The lane tile that suits a device, unless the environment names one. A browser does not tell what its adapter is; it
/// counts as a GPU.
///
/// # Panics
/// If `SSFT_LANE_TILE` has an unknown value; an adapter that is started by name refuses it before.
pub fn lane_tile(device: &CubeDevice) -> LaneTile {
    if let Some(tile) = LaneTile::from_environment().unwrap_or_else(|error| panic!("{error}")) {
        return tile;
    }
    match device {
        CubeDevice::Wgpu(WgpuDevice { kind: WgpuDeviceKind::Cpu, .. }) => LaneTile::Software,
        _ => LaneTile::Gpu,
    }
}

/// Starts `groups` workgroups, folded into two dimensions.
///
/// `buffers` are bound in order; after them `shape`, followed by the number of groups and of groups in a row, as
/// one uniform struct of u32, or of f32 given as a [`word`].
pub fn launch(
    client: &Client,
    shader: (Shader, LaneTile),
    groups: usize,
    buffers: &[&Handle],
    shape: &[usize],
) {
    let across = groups.min(MOST_GROUPS);
    let down = groups.div_ceil(across);
    assert!(down <= MOST_GROUPS, "{}: {groups} workgroups are more than a dispatch holds", shader.0.name);
    let words: Vec<u32> = shape.iter().chain(&[groups, across]).map(|&word| word_of(word)).collect();
    let mut arguments = KernelArguments::new()
        .with_buffers(buffers.iter().map(|&handle| handle.clone().binding()).collect::<Vec<_>>());
    arguments.info = MetadataBindingInfo::custom(pairs(&words));
    let source = Source(shader.0, shader.1);
    let dim = source.cube_dim();
    let count = CubeCount::Static(across as u32, down as u32, 1);
    launches::launch_as(shader.0.name, || {
        client.launch(Box::new(SourceKernel::new(source, dim)), count, arguments);
    });
}

/// The bits of an f32, as a word of a shape.
pub fn word(value: f32) -> usize {
    value.to_bits() as usize
}

fn word_of(size: usize) -> u32 {
    u32::try_from(size).unwrap_or_else(|_| panic!("a size of {size} does not fit WGSL's 32 bits"))
}

/// Words two by two, the first one low, as a little-endian device reads them.
fn pairs(words: &[u32]) -> Vec<u64> {
    words
        .chunks(2)
        .map(|pair| u64::from(pair[0]) | u64::from(pair.get(1).copied().unwrap_or(0)) << 32)
        .collect()
}

/// Uploads plain numbers.
pub fn upload<T: bytemuck::NoUninit>(client: &Client, values: &[T]) -> Handle {
    client.create_from_slice(bytemuck::cast_slice(values))
}

/// Room for `count` f32, not set to anything.
pub fn room(client: &Client, count: usize) -> Handle {
    client.empty(count * size_of::<f32>())
}

/// A row-major tensor of f32 on the device of `like`.
pub fn tensor(like: &CubeTensor, handle: Handle, dims: &[usize]) -> CubeTensor {
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), dims.into(), handle, like.dtype)
}
