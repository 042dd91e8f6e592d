//! Device memory that a piece of work needs on a GPU.

use burn::backend::DispatchDevice;
use burn::cubecl::MemoryScope;
use burn::cubecl::client::Client;
use burn::tensor::Device;

/// Most bytes of device memory that `work` needs at one time, in addition to what was allocated before it. `None` on the
/// CPU, where `work` does not run; a global allocator can measure that.
///
/// `work` has to allocate from the thread that calls this function.
///
/// CubeCL's pools do not record their peak, and what they reserve depends more on their page sizes than on the work. So
/// `work` runs with all allocations in the persistent pool, which is meant for weights. A buffer there has exactly the
/// requested size, rounded up to the device's alignment (32 bytes on the software adapter, at most 256). It is reused
/// only for the same size and never returned. At the end the pool therefore holds, for each size, the most buffers that
/// were needed at one time. This is the peak if those times coincide, as they do where one size dominates, and more
/// than the peak otherwise; it is never less. A buffer counts as needed until the host has dropped it and the device has
/// started the work that uses it.
///
/// Not counted: the uniform buffers of launches, a few dozen bytes each, and the staging buffers of reads.
pub fn peak_bytes(device: &Device, work: impl FnOnce() + Send) -> Option<u64> {
    let client = client(device)?;
    device.memory_cleanup();
    let before = persistent_bytes(&client);
    client.memory_persistent_allocation((), |()| work());
    let after = persistent_bytes(&client);
    device.memory_cleanup();
    Some(after.saturating_sub(before))
}

/// Bytes of device memory that the pools of a GPU reserve now, in use or not. `None` on the CPU.
pub fn reserved_bytes(device: &Device) -> Option<u64> {
    Some(client(device)?.memory_report(MemoryScope::Device).usage().bytes_reserved)
}

fn client(device: &Device) -> Option<Client> {
    match device.as_dispatch() {
        DispatchDevice::Cube(device) => Some(device.client()),
        DispatchDevice::Autodiff(_) => client(&device.clone().inner()),
        _ => None,
    }
}

fn persistent_bytes(client: &Client) -> u64 {
    let streams = client.memory_report(MemoryScope::Device).streams;
    streams.iter().map(|stream| stream.pools.persistent.usage.bytes_reserved).sum()
}
