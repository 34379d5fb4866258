//! Knowing that the process forked.
//!
//! A forked child has librdkafka's memory but none of its threads: a lock that one
//! of them held stays locked, a join never ends. What was made before the fork must
//! be left alone there. Asking for the process id is a system call, too dear for
//! every message; `pthread_atfork` keeps a generation count instead.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The birth certificate of an object: which process made it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Birth(u32);

impl Birth {
    /// Of the process that calls.
    pub(super) fn here() -> Birth {
        static HANDLER: Once = Once::new();
        HANDLER.call_once(|| {
            // SAFETY: the handler only writes atomics, which is allowed between fork
            // and exec. The library is never unloaded, so it stays mapped.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        Birth(GENERATION.load(Ordering::Relaxed))
    }

    /// Whether the calling process is a forked child of the one that made it.
    #[inline]
    pub(super) fn forked(self) -> bool {
        self.0 != GENERATION.load(Ordering::Relaxed)
    }
}

unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    super::reaper::forget_all();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_knows() {
        let birth = Birth::here();
        assert!(!birth.forked());
        // SAFETY: the child only reads an atomic and ends without cleaning up.
        let status = unsafe {
            let pid = libc::fork();
            assert!(pid >= 0);
            if pid == 0 {
                let right = birth.forked() && crate::rdk::live_clients() == 0;
                libc::_exit(if right { 42 } else { 1 });
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
            status
        };
        assert_eq!(libc::WEXITSTATUS(status), 42);
        assert!(!birth.forked());
    }
}
