//! Questions to librdkafka's own thread that it may never answer.
//!
//! What is asked of a group (`rd_kafka_assign`, `rd_kafka_memberid` and their like) goes to that thread,
//! and is waited for without limit. A group that has just ended drops such a question unanswered (librdkafka
//! 2.12.1, `rd_kafka_cgrp_op_serve`), so whoever asks while a consumer is being closed may wait for
//! ever: in a script's own thread that is a freeze, in another one it keeps the client.
//!
//! So the linker has librdkafka wait here (build.rs), where the wait has an end for as long as
//! a [`Bound`] lives in the thread. librdkafka is prepared for that: no answer means `_TIMED_OUT`. Where the
//! linker can't, nothing calls this, and librdkafka is as it is.

use std::cell::Cell;

use libc::{c_int, c_void};

thread_local! {
    /// Microseconds; negative: without limit.
    static LIMIT: Cell<i64> = const { Cell::new(-1) };
}

/// How long such a question waits, in microseconds: an idle thread answers within a millisecond.
const PATIENCE: i64 = 30_000_000;

/// The same of a consumer that is being closed.
const CLOSING: i64 = 1_000_000;

/// `RD_KAFKA_Q_CB_RETURN`: the caller takes what there is.
const RETURN: c_int = 2;

extern "C" {
    fn rd_kafka_q_pop_serve(
        queue: *mut c_void,
        timeout_us: i64,
        version: i32,
        how: c_int,
        callback: *mut c_void,
        opaque: *mut c_void,
    ) -> *mut c_void;
}

/// While it lives, this thread's questions have an end. It holds the limit of before.
pub(super) struct Bound(i64);

impl Bound {
    /// `closing`: the consumer is being closed.
    pub(super) fn begin(closing: bool) -> Bound {
        Bound(set(if closing { CLOSING } else { PATIENCE }))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        set(self.0);
    }
}

/// Gives the limit of before. A thread that is as good as gone waits as librdkafka does.
fn set(limit: i64) -> i64 {
    LIMIT.try_with(|l| l.replace(limit)).unwrap_or(-1)
}

/// What librdkafka calls instead of `rd_kafka_q_pop`.
///
/// # Safety
/// Called by librdkafka, with a queue.
#[no_mangle]
pub unsafe extern "C" fn __wrap_rd_kafka_q_pop(
    queue: *mut c_void,
    timeout_us: i64,
    version: i32,
) -> *mut c_void {
    let limit = LIMIT.try_with(Cell::get).unwrap_or(-1);
    let timeout_us = if timeout_us < 0 { limit } else { timeout_us };
    let none = std::ptr::null_mut();
    // SAFETY: what `rd_kafka_q_pop` itself does, but for the limit.
    unsafe { rd_kafka_q_pop_serve(queue, timeout_us, version, RETURN, none, none) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_ends_with_its_scope() {
        let limit = || LIMIT.with(Cell::get);
        assert_eq!(limit(), -1);
        {
            let _bound = Bound::begin(true);
            assert_eq!(limit(), CLOSING);
            drop(Bound::begin(false));
            assert_eq!(limit(), CLOSING);
        }
        assert_eq!(limit(), -1);
    }
}
