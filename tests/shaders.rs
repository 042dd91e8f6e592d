//! Every composed shader is valid WGSL within WebGPU's default limits, and translates for Vulkan, Metal and DX12. No adapter
//! is needed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "common/languages.rs"]
mod languages;

use naga::valid::Capabilities;
use naga::{AddressSpace, Module};
use ssft_wgpu::kernels::source::{FILES, File, HEAD_TILES, LaneTile, SHADERS, Variant, compose};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folder of the parts, within the folder of the shaders.
const PARTS: &str = "parts/";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")
}

/// Paths of the WGSL files in a folder of the shaders, `""` or [`PARTS`].
fn files_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".wgsl")).map(|name| format!("{folder}{name}")).collect()
}

/// Every shader, for every lane tile and every number of head tiles.
fn variants() -> impl Iterator<Item = Variant> {
    let tiles = LaneTile::ALL.into_iter().flat_map(|tile| HEAD_TILES.map(|heads| (tile, heads)));
    SHADERS.into_iter().flat_map(move |shader| {
        tiles.clone().map(move |(tile, heads)| shader.variant(tile).with_head_tiles(heads))
    })
}

/// The shader, checked with no capability beyond core WebGPU: no subgroups, no f64, no f16.
fn parsed(variant: Variant) -> languages::Shader {
    languages::Shader::new(&variant.shader.file(), &variant.text(), Capabilities::empty())
}

fn module(variant: Variant) -> Module {
    parsed(variant).module
}

#[test]
fn every_file_is_a_shader_or_a_part() {
    let shaders: BTreeSet<String> = SHADERS.iter().map(|shader| shader.file()).collect();
    assert_eq!(files_in(""), shaders);
    let known: BTreeSet<String> = FILES.iter().map(|file| file.path.to_owned()).collect();
    assert_eq!(known, shaders.union(&files_in(PARTS)).cloned().collect());
}

#[test]
fn every_part_is_imported() {
    for part in files_in(PARTS) {
        let import = format!("#import \"{part}\"");
        assert!(FILES.iter().any(|file| file.text.lines().any(|line| line == import)), "{part}");
    }
}

#[test]
fn every_define_is_used() {
    for variant in variants() {
        let text = variant.text();
        let code: Vec<&str> = text.lines().filter_map(|line| line.split("//").next()).collect();
        let words = |line: &str| -> Vec<String> {
            line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
        };
        for (name, value) in variant.defines() {
            let declaration = format!("const {name} = {value}u;");
            assert_eq!(code.iter().filter(|&&line| line == declaration).count(), 1, "{name}");
            let is_use =
                |line: &&str| line.trim() != declaration && words(line).iter().any(|word| word == name);
            assert!(code.iter().any(is_use), "{} does not use {name}", variant.shader.name);
        }
    }
}

#[test]
fn a_text_is_composed_once() {
    for variant in variants() {
        assert!(Arc::ptr_eq(&variant.text(), &variant.text()), "{}", variant.shader.name);
    }
}

#[test]
fn an_error_names_the_line_of_the_composed_text() {
    let files = [
        File { path: "shader.wgsl", text: "// A shader.\n#import \"parts/part.wgsl\"\nfn main() {}\n" },
        File { path: "parts/part.wgsl", text: "// A part.\nfn part() -> f32 {\n    return unknown;\n}\n" },
    ];
    let text = compose(&files, "shader.wgsl", &[("LANES", 64)]);
    let broken = 1 + text.lines().position(|line| line.contains("unknown")).unwrap();
    let message = languages::Shader::parse("shader.wgsl", &text, Capabilities::empty()).err().unwrap();
    assert!(message.contains(&format!("shader.wgsl:{broken}:12")), "{message}");
    assert!(message.contains(&format!("{broken} │     return unknown;")), "{message}");
}

#[test]
fn every_shader_validates_and_has_one_entry_point() {
    for variant in variants() {
        let module = module(variant);
        assert_eq!(module.entry_points.len(), 1, "{}", variant.shader.name);
        assert_eq!(module.entry_points[0].name, "main", "{}", variant.shader.name);
    }
}

#[test]
fn workgroups_have_the_size_that_the_host_starts() {
    for variant in variants() {
        let size = module(variant).entry_points[0].workgroup_size;
        assert_eq!(size, [variant.lanes(), 1, 1], "{variant:?}");
    }
}

#[test]
fn every_shader_stays_within_default_limits() {
    for variant in variants() {
        parsed(variant).assert_within_default_limits();
    }
}

#[test]
fn every_shader_translates_for_vulkan_metal_and_dx12() {
    for variant in variants() {
        parsed(variant).assert_translates();
    }
}

/// The host binds the buffers first, all of them writable, because they can be parts of one allocation, and the uniform last.
#[test]
fn bindings_are_in_the_order_of_the_host() {
    for variant in variants() {
        let (module, name) = (module(variant), variant.shader.name);
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
            assert_eq!((group, binding), (0, index as u32), "{name}");
            let writable = naga::StorageAccess::LOAD | naga::StorageAccess::STORE;
            let expected = if index == last {
                AddressSpace::Uniform
            } else {
                AddressSpace::Storage { access: writable }
            };
            assert_eq!(space, expected, "{name}: binding {index}");
        }
    }
}

#[test]
fn the_tables_of_the_readme_list_every_file() {
    let readme = fs::read_to_string(directory().join("README.md")).unwrap();
    for File { path, .. } in FILES {
        assert!(readme.contains(&format!("| `{path}` |")), "{path} is not in shaders/README.md");
    }
}
