//! Where results come from: machine, adapter, commit; and the JSON file that names them.

use serde_json::{Value, json};
use ssft_run::device::NamedDevice;

/// Where results come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Processor, threads and operating system: `AMD EPYC 7B13, 2 threads, linux`.
    pub machine: String,
    /// Name of the device.
    pub adapter: String,
    /// Kind of the device: `cpu` or `wgpu`.
    pub device: &'static str,
    /// Commit that the program was built from; uncommitted changes do not show.
    pub commit: String,
}

impl Origin {
    /// This machine and `device`, with the `commit` that the program was built from.
    pub fn new(device: &NamedDevice, commit: &str) -> Self {
        let kind = if device.adapter.is_some() { "wgpu" } else { "cpu" };
        Self { machine: machine(), adapter: device.name.clone(), device: kind, commit: commit.to_owned() }
    }

    /// Content of a JSON file of results.
    ///
    /// ```
    /// use serde_json::json;
    /// use ssft_bench::Origin;
    /// use ssft_run::settings::DeviceChoice;
    ///
    /// let origin = Origin::new(&DeviceChoice::Cpu.open()?, "0123456789ab");
    /// let file = origin.file(vec![json!({"name": "rms_norm"})]);
    /// assert_eq!((&file["commit"], &file["rows"][0]["name"]), (&json!("0123456789ab"), &json!("rms_norm")));
    /// # Ok::<(), ssft_run::RunError>(())
    /// ```
    pub fn file(&self, rows: Vec<Value>) -> Value {
        json!({"machine": self.machine, "adapter": self.adapter, "commit": self.commit, "rows": rows})
    }
}

/// Processor (its name on Linux, else its architecture), threads and operating system.
fn machine() -> String {
    let threads = rayon::current_num_threads();
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or(std::env::consts::ARCH, |line| line.trim_start_matches([' ', '\t', ':']));
    format!("{model}, {threads} threads, {}", std::env::consts::OS)
}
