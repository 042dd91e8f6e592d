//! Kernels that a piece of work launches on a GPU: their number, and the time of each.

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
    /// File name of a shader of this crate, or type name of a kernel of CubeCL.
    pub name: String,
    /// Number of launches.
    pub launches: u64,
    /// Total time of these launches, in milliseconds.
    pub ms: f64,
}

/// Times of kernels, from [`profile`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// All kernels, by descending time.
    pub kernels: Vec<KernelTime>,
    /// Number of launches; more than in `kernels` if some could not be timed.
    pub launched: u64,
    /// Number of launches timed by the device's clock. The others are timed by the host's, which includes submission and
    /// waiting.
    pub by_device_clock: u64,
}

struct Counter {
    thread: ThreadId,
    launches: AtomicU64,
}

impl LaunchObserver for Counter {
    fn launched(&self, _kernel: &'static str) {
        // One observer serves the whole process; launches of other threads do not belong to the work.
        if thread::current().id() == self.thread {
            self.launches.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Number of launches that `work` issues from the calling thread; 0 on the CPU. Copies between buffers do not count.
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
    /// The results so far; `None` on a thread other than that of the work.
    fn found(&self) -> Option<MutexGuard<'_, Found>> {
        let is_thread_of_work = thread::current().id() == self.thread;
        is_thread_of_work.then(|| self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LaunchObserver for Timer {
    fn launched(&self, _kernel: &'static str) {
        if let Some(mut found) = self.found() {
            found.launched += 1;
        }
    }

    /// Each launch is timed and read before the next one starts, so that the times do not overlap. Metal holds at most 28
    /// unread times, and a training step has thousands of launches.
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

/// Short form of a type name, for example `KernelBinop | AddOp`. Of a type with many parameters, such as a matrix product,
/// only the first word.
fn name_of(kernel: &str) -> String {
    const MOST_WORDS: usize = 3;
    let name = type_name_format(kernel, TypeNameFormatLevel::Balanced);
    match name.split(" | ").count() > MOST_WORDS {
        true => type_name_format(kernel, TypeNameFormatLevel::Short),
        false => name,
    }
}

/// Times of all kernels that `work` launches from the calling thread; empty on the CPU. Kernels run one at a time, so
/// `work` takes longer than without profiling.
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
    /// The shader of this crate that the thread is launching. For CubeCL all of them have the same type name.
    static SHADER: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Calls `start`, which launches `shader`.
pub(crate) fn launch_as(shader: &'static str, start: impl FnOnce()) {
    SHADER.set(Some(shader));
    start();
    SHADER.set(None);
}
