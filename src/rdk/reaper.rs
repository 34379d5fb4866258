//! Destroying clients off the threads that drop them, and waiting for that.
//!
//! `rd_kafka_destroy` joins librdkafka's threads and may take without limit, so
//! every destruction gets a thread of its own: a stuck one delays no other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Kept as an atomic too, so that reading it (in a forked child, above all) needs no lock.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static CHANGE: Mutex<()> = Mutex::new(());
static CHANGED: Condvar = Condvar::new();

/// How many clients exist: created and not yet destroyed to the end.
pub fn live_clients() -> usize {
    LIVE.load(Ordering::SeqCst)
}

/// Waits until no client exists, at most until `deadline`. Returns whether none does.
pub fn wait_destroyed(deadline: Instant) -> bool {
    if live_clients() == 0 {
        return true;
    }
    let mut guard = CHANGE.lock().unwrap_or_else(PoisonError::into_inner);
    while live_clients() != 0 {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            return false;
        };
        guard = CHANGED.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    true
}

/// Counts a new client.
pub(super) fn born() {
    LIVE.fetch_add(1, Ordering::SeqCst);
}

/// Counts a destroyed client and wakes those who wait.
pub(super) fn gone() {
    // The lock closes the gap between a waiter's look at the count and its wait: were
    // the count changed without it, the notification could fall into that gap.
    let _guard = CHANGE.lock().unwrap_or_else(PoisonError::into_inner);
    LIVE.fetch_sub(1, Ordering::SeqCst);
    CHANGED.notify_all();
}

/// For [`fork`](super::fork).
pub(super) fn hold() -> super::fork::Held {
    Box::new(CHANGE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// In a forked child: the parent's clients are not this process's.
pub(super) fn forget_all() {
    LIVE.store(0, Ordering::SeqCst);
}

/// Runs `work` on a thread of its own. Without one (the system has no more) the
/// work is not done: leaking beats blocking the thread that drops.
pub(super) fn run(name: &str, work: impl FnOnce() + Send + 'static) {
    // The handle is dropped: nobody joins a thread that may take without limit.
    let _ = std::thread::Builder::new().name(name.to_owned()).spawn(work);
}
