//! `devices`: what there is, and what `auto` would take.

use crate::device::{DeviceChoice, cpu_name, pick};
use crate::exit::Failure;
use crate::table::{plain, trimmed};
use ssft_kernels::adapters::{Adapter, adapters};

pub fn devices() -> Result<(), Failure> {
    let adapters = pollster::block_on(adapters());
    let auto = pick(DeviceChoice::Auto, &adapters).is_some();
    let mut table =
        plain(["device", "name", "api", "kind", "driver", "storage binding", "buffers", "workgroup"]);
    for (rank, adapter) in adapters.iter().enumerate() {
        table.add_row(row(adapter, rank == 0, auto));
    }
    let cpu = if auto { "cpu" } else { "cpu (auto)" };
    table.add_row([cpu, &cpu_name(), "-", "Cpu", "burn-flex", "-", "-", "-"]);
    println!("{}", trimmed(&table));
    if adapters.is_empty() {
        println!("no graphics adapter: install a Vulkan driver to use --device wgpu");
    }
    Ok(())
}

fn row(adapter: &Adapter, best: bool, auto: bool) -> [String; 8] {
    let device = match (best, auto) {
        (true, true) => "wgpu (auto)",
        (true, false) => "wgpu",
        (false, _) => "-",
    };
    let limits = &adapter.limits;
    let kind = if adapter.is_hardware() { format!("{:?}", adapter.kind) } else { "software".to_owned() };
    [
        device.to_owned(),
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
