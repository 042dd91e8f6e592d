//! `devices`: table of all adapters, with the device that `--device auto` selects.

use crate::args::DevicesArgs;
use crate::exit::Failure;
use crate::result_file::{check_target, write_result};
use crate::table::{plain, trimmed};
use serde_json::{Value, json};
use ssft_kernels::adapters::{Adapter, adapters};
use ssft_run::device::{cpu_name, pick};
use ssft_run::settings::DeviceChoice;

pub fn devices(args: &DevicesArgs) -> Result<(), Failure> {
    check_target(args.json.as_deref())?;
    let adapters = pollster::block_on(adapters());
    if let Some(path) = &args.json {
        write_result(path, &format!("{:#}\n", file(&adapters)))?;
    }
    let auto = pick(DeviceChoice::Auto, &adapters).is_some();
    let mut table =
        plain(["device", "name", "api", "kind", "driver", "storage binding", "buffers", "workgroup"]);
    for (rank, adapter) in adapters.iter().enumerate() {
        let choice = match (rank, auto) {
            (0, true) => "wgpu (auto)",
            (0, false) => "wgpu",
            _ => "-",
        };
        table.add_row(row(choice, adapter));
    }
    let cpu = if auto { "cpu" } else { "cpu (auto)" };
    table.add_row([cpu, &cpu_name(), "-", "Cpu", "burn-flex", "-", "-", "-"]);
    println!("{}", trimmed(&table));
    if adapters.is_empty() {
        println!("no graphics adapter: install a Vulkan driver to use --device wgpu");
    }
    Ok(())
}

/// Row of an adapter; `choice` is the value of `--device` that selects it.
fn row(choice: &str, adapter: &Adapter) -> [String; 8] {
    let limits = &adapter.limits;
    let kind = if adapter.is_hardware() { format!("{:?}", adapter.kind) } else { "software".to_owned() };
    [
        choice.to_owned(),
        adapter.name.clone(),
        format!("{:?}", adapter.api),
        kind,
        adapter.driver.clone(),
        format!("{} MiB", limits.max_storage_buffer_binding_size >> 20),
        limits.max_storage_buffers_per_shader_stage.to_string(),
        format!(
            "{} x, {} KiB",
            limits.max_compute_invocations_per_workgroup,
            limits.max_compute_workgroup_storage_size >> 10
        ),
    ]
}

/// JSON of all adapters, the best first, with the name of the one that `auto` selects.
fn file(adapters: &[Adapter]) -> Value {
    let auto = pick(DeviceChoice::Auto, adapters).map(|adapter| &adapter.name);
    json!({"auto": auto, "cpu": cpu_name(), "adapters": adapters.iter().map(object).collect::<Vec<_>>()})
}

fn object(adapter: &Adapter) -> Value {
    let limits = &adapter.limits;
    let features: Vec<&str> = adapter.features.iter_names().map(|(name, _)| name).collect();
    let cooperative_matrices = adapter.cooperative_matrices.iter().map(|unit| {
        json!({
            "m": unit.m_size, "n": unit.n_size, "k": unit.k_size,
            "inputs": format!("{:?}", unit.ab_type), "sums": format!("{:?}", unit.cr_type),
        })
    });
    json!({
        "name": adapter.name,
        "api": format!("{:?}", adapter.api),
        "kind": format!("{:?}", adapter.kind),
        "hardware": adapter.is_hardware(),
        "driver": adapter.driver,
        "vendor_id": adapter.ids[0],
        "device_id": adapter.ids[1],
        "subgroup": adapter.subgroup,
        "cooperative_matrices": cooperative_matrices.collect::<Vec<_>>(),
        "features": features,
        "limits": {
            "max_buffer_size": limits.max_buffer_size,
            "max_storage_buffer_binding_size": limits.max_storage_buffer_binding_size,
            "max_uniform_buffer_binding_size": limits.max_uniform_buffer_binding_size,
            "max_storage_buffers_per_shader_stage": limits.max_storage_buffers_per_shader_stage,
            "min_storage_buffer_offset_alignment": limits.min_storage_buffer_offset_alignment,
            "max_compute_workgroup_storage_size": limits.max_compute_workgroup_storage_size,
            "max_compute_invocations_per_workgroup": limits.max_compute_invocations_per_workgroup,
            "max_compute_workgroup_size_x": limits.max_compute_workgroup_size_x,
            "max_compute_workgroup_size_y": limits.max_compute_workgroup_size_y,
            "max_compute_workgroup_size_z": limits.max_compute_workgroup_size_z,
            "max_compute_workgroups_per_dimension": limits.max_compute_workgroups_per_dimension,
        },
    })
}
