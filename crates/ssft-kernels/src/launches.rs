//! How many kernels a piece of work starts on a GPU.

use burn::cubecl::logging::{LaunchObservation, LaunchObserver};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ThreadId};

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
