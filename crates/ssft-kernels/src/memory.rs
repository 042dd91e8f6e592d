//! How much memory a piece of work takes on a GPU.

use burn::backend::DispatchDevice;
use burn::cubecl::MemoryScope;
use burn::cubecl::client::Client;
use burn::tensor::Device;

/// The bytes of device memory that `work` needs at a time, beyond what was there before it: what it leaves behind and
/// what it only used. `None` on the CPU, where `work` is not run: a global allocator sees that.
///
/// CubeCL's pools do not tell. They keep no mark of the bytes that were in use at most, and what they hold says more
/// about their pages (as large as the largest allocation so far, or one of a few dozen sizes) than about the work. So
/// `work` runs with all allocations directed to the persistent pool, which was made for weights: a buffer of exactly
/// the size asked for, up to the device's alignment (32 bytes on the software adapter, at most 256), that is reused
/// only by an allocation of the same size and never returned. What that pool holds in the end is therefore, for
/// each size, the most buffers that were needed at a time. It is the peak if those happened at the same time, as
/// they do where one size outweighs the others, and more than the peak otherwise; it is never less. Host and device
/// are not in step, so a buffer counts as needed until the host let go of it and the device has started what uses it.
///
/// Not counted are the uniform buffers of the launches, a few dozen bytes each, and the staging buffers of reads.
///
/// `work` has to allocate from the thread that it is called on.
pub fn peak_bytes(device: &Device, work: impl FnOnce() + Send) -> Option<u64> {
    let client = client(device)?;
    device.memory_cleanup();
    let before = persistent_bytes(&client);
    client.memory_persistent_allocation((), |()| work());
    let after = persistent_bytes(&client);
    device.memory_cleanup();
    Some(after.saturating_sub(before))
}

/// Bytes of device memory that the pools of a GPU hold now, in use or not. `None` on the CPU.
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
