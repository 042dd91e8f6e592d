//! Launch of a shader: its buffers, its uniform, and any number of workgroups.

use crate::launches;
use crate::source::{LaneTile, Shader, Variant};
use burn::backend::CubeDevice;
use burn::cubecl::client::Client;
use burn::cubecl::prelude::*;
use burn::cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};
use burn::cubecl::wgpu::{WgpuDevice, WgpuDeviceKind};
use burn_wgpu::{CubeTensor, KernelSource, SourceKernel, SourceTemplate};

/// Most workgroups in one dimension of a dispatch: WebGPU's default limit.
const MOST_GROUPS: usize = 65_535;

struct Source(Variant);

impl KernelSource for Source {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.0.text().as_ref())
    }

    /// Unchecked: CubeCL adds no counter to loops, which would make a software adapter six times slower. The sizes in its
    /// uniform bound the loops and the buffer accesses of every shader.
    fn id(&self) -> KernelId {
        let id = KernelId::new::<Self>().info(self.0);
        id.cube_dim(self.cube_dim().into()).mode(ExecutionMode::Unchecked)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

impl Source {
    fn cube_dim(&self) -> CubeDim {
        CubeDim::new_1d(self.0.lanes())
    }
}

/// The lane tile that suits a device, unless the environment names one. A browser does not tell the kind of its adapter;
/// it counts as a GPU.
///
/// # Panics
/// If `SSFT_LANE_TILE` has an unknown value. `Adapter::start` has checked it for its adapter.
pub fn lane_tile(device: &CubeDevice) -> LaneTile {
    if let Some(tile) = LaneTile::from_environment().unwrap_or_else(|error| panic!("{error}")) {
        return tile;
    }
    match device {
        CubeDevice::Wgpu(WgpuDevice { kind: WgpuDeviceKind::Cpu, .. }) => LaneTile::Software,
        _ => LaneTile::Gpu,
    }
}

/// The shader with the lane tile of a device.
pub fn variant(shader: Shader, device: &CubeDevice) -> Variant {
    shader.variant(lane_tile(device))
}

/// Number of workgroups in which each of `count` results has a lane of its own.
pub fn one_lane_each(variant: Variant, count: usize) -> usize {
    count.div_ceil(variant.lanes() as usize)
}

/// Starts `groups` workgroups, folded into two dimensions.
///
/// `buffers` are bound in order. Behind them a uniform is bound: the words of `shape`, each a `u32` or an `f32` given as
/// [`word`], then the number of workgroups and the width of the grid (`groups` and `groups_x` in the shader).
pub fn launch(client: &Client, variant: Variant, groups: usize, buffers: &[&Handle], shape: &[usize]) {
    let name = variant.shader.name;
    let across = groups.min(MOST_GROUPS);
    let down = groups.div_ceil(across);
    assert!(down <= MOST_GROUPS, "{name}: {groups} workgroups are more than a dispatch holds");
    let words: Vec<u32> = shape.iter().chain(&[groups, across]).map(|&word| word_of(word)).collect();
    let mut arguments = KernelArguments::new()
        .with_buffers(buffers.iter().map(|&handle| handle.clone().binding()).collect::<Vec<_>>());
    arguments.info = MetadataBindingInfo::custom(pairs(&words));
    let source = Source(variant);
    let dim = source.cube_dim();
    let count = CubeCount::Static(across as u32, down as u32, 1);
    launches::launch_as(name, || {
        client.launch(Box::new(SourceKernel::new(source, dim)), count, arguments);
    });
}

/// The bits of an `f32`, as a word of a uniform.
pub fn word(value: f32) -> usize {
    value.to_bits() as usize
}

fn word_of(size: usize) -> u32 {
    u32::try_from(size).unwrap_or_else(|_| panic!("a size of {size} does not fit WGSL's 32 bits"))
}

/// Pairs of words, the first one in the low half, which is the order of a little-endian device.
fn pairs(words: &[u32]) -> Vec<u64> {
    words
        .chunks(2)
        .map(|pair| u64::from(pair[0]) | u64::from(pair.get(1).copied().unwrap_or(0)) << 32)
        .collect()
}

/// A buffer with the given numbers.
pub fn upload<T: bytemuck::NoUninit>(client: &Client, values: &[T]) -> Handle {
    client.create_from_slice(bytemuck::cast_slice(values))
}

/// An uninitialised buffer of `count` `f32`.
pub fn room(client: &Client, count: usize) -> Handle {
    client.empty(count * size_of::<f32>())
}

/// A row-major tensor of `f32` on the device of `like`.
pub fn tensor(like: &CubeTensor, handle: Handle, dims: &[usize]) -> CubeTensor {
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), dims.into(), handle, like.dtype)
}
