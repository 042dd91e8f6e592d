//! Every shader is valid WGSL within WebGPU's default limits, and translates for Vulkan, Metal and DX12. Needs no adapter.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "common/languages.rs"]
mod languages;

use naga::valid::Capabilities;
use naga::{AddressSpace, Module};
use ssft_wgpu::kernels::source::{HEAD_TILES, LaneTile, SHADERS, Shader};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")
}

/// The module, checked with no capability beyond core WebGPU: no subgroups, no f64, no f16.
fn validated(shader: Shader, tile: LaneTile) -> Module {
    parsed(shader, tile).module
}

fn parsed(shader: Shader, tile: LaneTile) -> languages::Shader {
    languages::Shader::new(shader.name, &shader.text_for(tile), Capabilities::empty())
}

fn all() -> impl Iterator<Item = (Shader, LaneTile)> {
    let sizes = |shader: Shader| HEAD_TILES.map(|tiles| shader.with_head_tiles(tiles));
    SHADERS.into_iter().flat_map(sizes).flat_map(|shader| LaneTile::ALL.map(|tile| (shader, tile)))
}

#[test]
fn every_file_is_a_shader_of_the_host() {
    let files =
        fs::read_dir(directory()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|name| name.ends_with(".wgsl")).collect();
    let hosted: BTreeSet<String> = SHADERS.iter().map(|shader| format!("{}.wgsl", shader.name)).collect();
    assert_eq!(files, hosted);
}

#[test]
fn every_shader_validates_and_has_one_entry_point() {
    for (shader, tile) in all() {
        let module = validated(shader, tile);
        assert_eq!(module.entry_points.len(), 1, "{}", shader.name);
        assert_eq!(module.entry_points[0].name, "main", "{}", shader.name);
    }
}

#[test]
fn the_host_knows_the_size_of_every_workgroup() {
    for (shader, tile) in all() {
        let size = validated(shader, tile).entry_points[0].workgroup_size;
        assert_eq!(size, [shader.lanes_for(tile), 1, 1], "{} for {tile:?}", shader.name);
    }
}

#[test]
fn every_shader_stays_within_default_limits() {
    for (shader, tile) in all() {
        parsed(shader, tile).assert_within_default_limits();
    }
}

#[test]
fn every_shader_translates_for_vulkan_metal_and_dx12() {
    for (shader, tile) in all() {
        parsed(shader, tile).assert_translates();
    }
}

/// Buffers come first and are writable (they may share one allocation), the shape comes last: what the host binds.
#[test]
fn bindings_are_what_the_host_binds() {
    for (shader, tile) in all() {
        let module = validated(shader, tile);
        let mut bound: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, global)| {
                global.binding.map(|binding| (binding.group, binding.binding, global.space))
            })
            .collect();
        bound.sort_by_key(|&(_, binding, _)| binding);
        let last = bound.len() - 1;
        for (index, (group, binding, space)) in bound.into_iter().enumerate() {
            assert_eq!((group, binding), (0, index as u32), "{}", shader.name);
            let writable = naga::StorageAccess::LOAD | naga::StorageAccess::STORE;
            let expected = if index == last {
                AddressSpace::Uniform
            } else {
                AddressSpace::Storage { access: writable }
            };
            assert_eq!(space, expected, "{}: binding {index}", shader.name);
        }
    }
}

#[test]
fn the_table_lists_every_shader() {
    let readme = fs::read_to_string(directory().join("README.md")).unwrap();
    for shader in SHADERS {
        assert!(
            readme.contains(&format!("| `{}.wgsl` |", shader.name)),
            "{} is not in shaders/README.md",
            shader.name
        );
    }
}
