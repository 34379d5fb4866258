//! Knowing that the process forked, and leaving the child something to work with.
//!
//! A forked child has librdkafka's memory but none of its threads: a join never ends, and a lock that
//! one of them held stays locked. What was made before the fork must be left alone there. Asking for
//! the process id is a system call, too dear for every message; `pthread_atfork` keeps a generation
//! count instead.
//!
//! What all clients share has to be whole in the child, for new clients need it. So the forking thread
//! takes the shared locks before the fork and releases them after it, on both sides ([`across`]). The
//! same goes for a lock that isn't ours: glibc's resolver has some that it does not free in a child,
//! where the first name to be looked up would wait for ever. Hence librdkafka resolves through
//! [`Resolving`], and a fork waits for that a moment.

use std::any::Any;
use std::cell::RefCell;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, Once, PoisonError};
use std::time::Duration;

static GENERATION: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" {
    fn kafka_leave_descriptors();
}

/// A lock that the forking thread holds while it forks.
pub type Held = Box<dyn Any>;

/// What takes the locks.
static HOLDERS: Mutex<Vec<fn() -> Held>> = Mutex::new(Vec::new());

thread_local! {
    /// The locks, while this thread forks.
    static HELD: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
}

/// The birth certificate of an object: which process made it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Birth(u32);

impl Birth {
    /// Of the process that calls.
    pub(super) fn here() -> Birth {
        static HANDLER: Once = Once::new();
        HANDLER.call_once(|| {
            for holder in [
                super::hooks::hold,
                super::queue::hold,
                super::reaper::hold,
                super::revive::hold,
                super::leader::hold,
                hold_resolvers,
            ] {
                across(holder);
            }
            // SAFETY: plain functions that don't unwind. The library is never unloaded, so they stay
            // mapped.
            unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        });
        Birth(GENERATION.load(Ordering::Relaxed))
    }

    /// Whether the calling process is a forked child of the one that made it.
    #[inline]
    pub(super) fn forked(self) -> bool {
        self.0 != GENERATION.load(Ordering::Relaxed)
    }
}

/// Has `hold` take a lock before each fork of this process. The lock has to be one that is never held
/// while a foreign function is called or another of these is taken.
pub fn across(hold: fn() -> Held) {
    HOLDERS.lock().unwrap_or_else(PoisonError::into_inner).push(hold);
}

unsafe extern "C" fn before() {
    let _ = catch_unwind(|| {
        let holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Held> = holders.iter().map(|hold| hold()).collect();
        all.push(Box::new(holders));
        // A thread that is as good as gone has no place to keep them, and forks without.
        let _ = HELD.try_with(|held| held.replace(all));
    });
}

fn release() {
    let _ = catch_unwind(|| {
        let all = HELD.try_with(RefCell::take).unwrap_or_default();
        // The last taken first.
        all.into_iter().rev().for_each(drop);
    });
}

unsafe extern "C" fn in_parent() {
    release();
}

unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    super::reaper::forget_all();
    // SAFETY: no arguments; it is made for this place.
    unsafe { kafka_leave_descriptors() };
    release();
    // The threads that resolved are not here.
    *RESOLVERS.lock().unwrap_or_else(PoisonError::into_inner) = 0;
}

/// How many threads are in the resolver.
static RESOLVERS: Mutex<usize> = Mutex::new(0);
static RESOLVED: Condvar = Condvar::new();

/// What a fork waits for names to be resolved. A name server may take half a minute; `exec` forks too.
const PATIENCE: Duration = Duration::from_millis(100);

/// A thread that is in the resolver, as long as this lives. It does not come in while another forks.
pub(super) struct Resolving;

impl Resolving {
    pub(super) fn enter() -> Resolving {
        *RESOLVERS.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Resolving
    }
}

impl Drop for Resolving {
    fn drop(&mut self) {
        let mut count = RESOLVERS.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        drop(count);
        RESOLVED.notify_all();
    }
}

fn hold_resolvers() -> Held {
    let count = RESOLVERS.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, _) = RESOLVED
        .wait_timeout_while(count, PATIENCE, |n| *n > 0)
        .unwrap_or_else(PoisonError::into_inner);
    Box::new(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `child` says in a forked child; it must not clean up.
    fn in_a_child(child: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child does what the tests below ask for and ends without cleaning up.
        unsafe {
            let pid = libc::fork();
            assert!(pid >= 0);
            if pid == 0 {
                libc::_exit(if child() { 42 } else { 1 });
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
            libc::WEXITSTATUS(status) == 42
        }
    }

    #[test]
    fn a_forked_child_knows() {
        let birth = Birth::here();
        assert!(!birth.forked());
        assert!(in_a_child(|| birth.forked() && crate::rdk::live_clients() == 0));
        assert!(!birth.forked());
    }

    #[test]
    fn a_fork_waits_for_the_resolver_but_not_for_ever() {
        let _ = Birth::here();
        // Somebody resolves and does not come back: the child's count is its own all the same.
        let stuck = Resolving::enter();
        let start = std::time::Instant::now();
        assert!(in_a_child(|| *RESOLVERS.lock().unwrap() == 0));
        assert!(start.elapsed() >= PATIENCE);
        drop(stuck);
    }
}
