//! What a thread has used and a process keeps, for the benchmarks and the leak tests.

use std::time::Duration;

/// What the calling thread has used of the CPU (`clock_gettime` of `CLOCK_THREAD_CPUTIME_ID`).
pub fn thread_cpu() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the struct; with a known clock it does not fail.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec.unsigned_abs(), t.tv_nsec as u32)
}

/// Gives the memory that malloc keeps, but nobody uses, back to the system: what is resident then
/// is in use, and not what many clients at once needed. Does nothing where malloc is not glibc's.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
