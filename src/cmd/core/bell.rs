//! What rings when a queue of librdkafka gets its first event.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::rdk::Wake;
use crate::tcl::event::Source;

/// What a queue rings when its first event comes: it wakes the object's turns, and `fresh` tells
/// without a lock that the queue is worth a look.
pub struct Doorbell {
    pub(super) source: Arc<Source>,
    pub(super) fresh: AtomicBool,
}

impl Doorbell {
    pub fn new(source: Arc<Source>) -> Arc<Doorbell> {
        Arc::new(Doorbell { source, fresh: AtomicBool::new(true) })
    }

    /// A bell for another queue of the same object.
    pub fn twin(&self) -> Arc<Doorbell> {
        Doorbell::new(self.source.clone())
    }

    /// Whether the queue may have something. Asked before each look: what comes after this rings
    /// again.
    #[inline]
    pub fn look(&self) -> bool {
        self.fresh.load(Ordering::Relaxed) && self.fresh.swap(false, Ordering::AcqRel)
    }

    /// As `look`, and leaves it to be looked at.
    #[inline]
    pub fn is_fresh(&self) -> bool {
        self.fresh.load(Ordering::Acquire)
    }

    /// The look found something, so there may be more.
    pub fn more(&self) {
        self.fresh.store(true, Ordering::Release);
    }

    /// As [`Source::again`].
    pub fn again(&self) {
        self.source.again();
    }

    /// As [`Source::take`].
    pub fn take(&self) -> bool {
        self.source.take()
    }
}

impl Wake for Doorbell {
    fn wake(&self) {
        self.fresh.store(true, Ordering::Release);
        self.source.wake();
    }
}
