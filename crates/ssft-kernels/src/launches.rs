//! Which kernels a piece of work starts on a GPU, and how long each takes there.

use burn::cubecl::config::{TypeNameFormatLevel, type_name_format};
use burn::cubecl::logging::{Duration, LaunchObservation, LaunchObserver, TimingMethod, TimingRequest};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// Time of all launches of one kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelTime {
    /// A shader of ours by the name of its file, a kernel of CubeCL by the name of its type.
    pub name: String,
    /// Number of launches.
    pub launches: u64,
    /// Milliseconds of all of them together.
    pub ms: f64,
}

/// What [`profile`] found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// Every kernel, the one that took longest first.
    pub kernels: Vec<KernelTime>,
    /// Launches issued; more than those of `kernels` if some could not be timed.
    pub launched: u64,
    /// Launches timed by the device's clock. The others are timed by the host's, which includes submission and waiting.
    pub by_device_clock: u64,
}

struct Counter {
    thread: ThreadId,
    launches: AtomicU64,
}

impl LaunchObserver for Counter {
    fn launched(&self, _kernel: &'static str) {
        // There is one observer a process; what other threads start is not ours.
        if thread::current().id() == self.thread {
            self.launches.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The launches that `work` issues from the thread that it is called on; 0 on the CPU. Copies between buffers are none.
pub fn count(work: impl FnOnce()) -> u64 {
    let counter = Arc::new(Counter { thread: thread::current().id(), launches: AtomicU64::new(0) });
    let observation = LaunchObservation::new(counter.clone());
    work();
    drop(observation);
    counter.launches.load(Ordering::Relaxed)
}

struct Timer {
    thread: ThreadId,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// Launches and their time, by kernel.
    kernels: BTreeMap<String, (u64, Duration)>,
    launched: u64,
    by_device_clock: u64,
}

impl Timer {
    /// What was found so far; `None` on a thread whose launches are not ours.
    fn found(&self) -> Option<MutexGuard<'_, Found>> {
        let ours = thread::current().id() == self.thread;
        ours.then(|| self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LaunchObserver for Timer {
    fn launched(&self, _kernel: &'static str) {
        if let Some(mut found) = self.found() {
            found.launched += 1;
        }
    }

    /// One launch at a time, so that each kernel's own cost is measured. Metal holds at most 28 unread measurements,
    /// and a step has thousands of launches.
    fn timing(&self) -> TimingRequest {
        TimingRequest::Resolved
    }

    fn timed(&self, kernel: &'static str, duration: Duration, method: TimingMethod) {
        let Some(mut found) = self.found() else { return };
        let name = SHADER.get().map_or_else(|| name_of(kernel), |shader| format!("{shader}.wgsl"));
        let (launches, total) = found.kernels.entry(name).or_default();
        *launches += 1;
        *total += duration;
        found.by_device_clock += u64::from(method == TimingMethod::Device);
    }
}

/// Shortens the path of a type to `KernelBinop | AddOp`. A matrix product has dozens of type parameters, so only its first
/// word is kept.
fn name_of(kernel: &str) -> String {
    const MOST_WORDS: usize = 3;
    let name = type_name_format(kernel, TypeNameFormatLevel::Balanced);
    match name.split(" | ").count() > MOST_WORDS {
        true => type_name_format(kernel, TypeNameFormatLevel::Short),
        false => name,
    }
}

/// Times every kernel that `work` starts from the thread that it is called on; empty on the CPU. Kernels run one at a
/// time meanwhile, so `work` takes longer than it does by itself.
pub fn profile(work: impl FnOnce()) -> Profile {
    let timer = Arc::new(Timer { thread: thread::current().id(), found: Mutex::default() });
    let observation = LaunchObservation::new(timer.clone());
    work();
    drop(observation);
    let Found { kernels, launched, by_device_clock } =
        std::mem::take(&mut *timer.found.lock().unwrap_or_else(PoisonError::into_inner));
    let mut kernels: Vec<KernelTime> = kernels
        .into_iter()
        .map(|(name, (launches, total))| KernelTime { name, launches, ms: total.as_secs_f64() * 1e3 })
        .collect();
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    Profile { kernels, launched, by_device_clock }
}

thread_local! {
    /// The shader of ours that this thread is starting. CubeCL knows all of them by the one type that carries their text.
    static SHADER: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Calls `start`, which launches `shader`.
pub(crate) fn launch_as(shader: &'static str, start: impl FnOnce()) {
    SHADER.set(Some(shader));
    start();
    SHADER.set(None);
}
