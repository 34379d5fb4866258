//! The CPU clock of a thread, for the benchmarks.

use std::time::Duration;

/// What the calling thread has used (`clock_gettime` of `CLOCK_THREAD_CPUTIME_ID`).
pub fn thread_cpu() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the struct; with a known clock it does not fail.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec.unsigned_abs(), t.tv_nsec as u32)
}
