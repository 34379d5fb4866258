//! Offsets of messages that count as processed, on their way to librdkafka.
//!
//! A call into librdkafka for each message would cost its locks each time, so the offsets are
//! collected per partition and handed over once per turn, before a commit and before a revoke is
//! answered. The exit handler may do that from another thread, hence atomics and no cells.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::logger::Logger;
use crate::rdk::{Client, ErrorCode, Offset, PartitionList};

const NONE: i64 = -1;

/// One partition of a consuming object.
pub struct Part {
    pub topic: String,
    pub partition: i32,
    /// Messages read under an older generation are void: they were dropped by a seek, a stop, a new
    /// assignment, a revoke or a loss.
    generation: AtomicU64,
    /// The offset after the last processed message, not handed over yet.
    pending: AtomicI64,
    /// The offset after the last message that the script was given, and after what is no message there.
    position: AtomicI64,
    /// Up to where all that the script was given counts as processed.
    counted: AtomicI64,
    /// The last offsets that are no messages and that were passed over: from the first, up to the second.
    gap: (AtomicI64, AtomicI64),
    /// The offset that the script's `assign` gave, as librdkafka numbers it.
    assigned: AtomicI64,
    /// Where it was assigned or sought to, as librdkafka numbers it: the script goes on there while
    /// it was given nothing since.
    start: AtomicI64,
    /// The offset after the last message that was read from librdkafka.
    read: AtomicI64,
    /// What librdkafka was last told to store since the partition was started.
    stored: AtomicI64,
    paused: AtomicBool,
    /// Offsets of what is processed are stored: not for partitions that a script started elsewhere
    /// than at `stored`.
    stores: AtomicBool,
    /// It is assigned.
    active: AtomicBool,
    /// It was taken away before anything was read of it: see [`Part::end`].
    haunted: AtomicBool,
    /// It was assigned: librdkafka may not have stopped it yet.
    ended: AtomicBool,
}

impl Part {
    pub fn new(topic: &str, partition: i32) -> Part {
        Part {
            topic: topic.to_owned(),
            partition,
            generation: AtomicU64::new(0),
            pending: AtomicI64::new(NONE),
            position: AtomicI64::new(NONE),
            counted: AtomicI64::new(NONE),
            gap: (AtomicI64::new(NONE), AtomicI64::new(NONE)),
            assigned: AtomicI64::new(Offset::INVALID),
            start: AtomicI64::new(Offset::INVALID),
            read: AtomicI64::new(NONE),
            stored: AtomicI64::new(NONE),
            paused: AtomicBool::new(false),
            stores: AtomicBool::new(true),
            active: AtomicBool::new(false),
            haunted: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Voids what was read and what waits to be stored. `position` is known again with the next
    /// message.
    pub fn restart(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.cancel();
        self.position.store(NONE, Ordering::Release);
        self.counted.store(NONE, Ordering::Release);
        self.gap.1.store(NONE, Ordering::Release);
        self.start.store(Offset::INVALID, Ordering::Release);
        self.read.store(NONE, Ordering::Release);
    }

    /// What was processed and not handed over yet is not stored.
    pub fn cancel(&self) {
        self.pending.store(NONE, Ordering::Release);
    }

    pub fn set_start(&self, offset: i64) {
        self.start.store(offset, Ordering::Release);
    }

    /// Where the script goes on, as librdkafka numbers it: after the last message that it was given,
    /// else where the partition was assigned or sought to.
    pub fn next(&self) -> i64 {
        self.position().unwrap_or_else(|| self.start.load(Ordering::Acquire))
    }

    pub fn set_stores(&self, on: bool) {
        self.stores.store(on, Ordering::Release);
    }

    #[inline]
    fn stores(&self) -> bool {
        self.stores.load(Ordering::Acquire)
    }

    pub fn set_assigned(&self, offset: i64) {
        self.assigned.store(offset, Ordering::Release);
    }

    pub fn assigned(&self) -> i64 {
        self.assigned.load(Ordering::Acquire)
    }

    /// A message was read from librdkafka: `next` is expected after it.
    #[inline]
    pub fn set_read(&self, next: i64) {
        self.read.store(next, Ordering::Release);
    }

    pub fn read(&self) -> Option<i64> {
        Some(self.read.load(Ordering::Acquire)).filter(|p| *p >= 0)
    }

    /// librdkafka was told to store `next`; `None`: nothing since the start.
    pub fn set_stored(&self, next: Option<i64>) {
        self.stored.store(next.unwrap_or(NONE), Ordering::Release);
    }

    pub fn stored(&self) -> Option<i64> {
        Some(self.stored.load(Ordering::Acquire)).filter(|n| *n != NONE)
    }

    #[inline]
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    pub fn set_paused(&self, on: bool) {
        self.paused.store(on, Ordering::Release);
    }

    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    pub fn set_active(&self, on: bool) {
        self.active.store(on, Ordering::Release);
    }

    /// It is no longer assigned.
    ///
    /// librdkafka may be asking a leader for the partition's beginning or end at that moment. The
    /// answer comes too late then, and it asks again (`outdated offset response`), although the
    /// partition was stopped; and so it fetches what nobody has assigned.
    pub fn end(&self) {
        if self.active.swap(false, Ordering::AcqRel) {
            self.ended.store(true, Ordering::Release);
            if self.read().is_none() {
                self.haunted.store(true, Ordering::Release);
            }
        }
        self.restart();
        self.set_paused(false);
    }

    /// Whether it was assigned before and has not been assigned anew since then; tells it once.
    pub fn take_ended(&self) -> bool {
        self.ended.swap(false, Ordering::AcqRel)
    }

    /// Whether librdkafka may be fetching it although it is not assigned; asked once.
    pub fn take_haunted(&self) -> bool {
        self.haunted.swap(false, Ordering::AcqRel)
    }

    #[inline]
    pub fn set_position(&self, next: i64) {
        self.position.store(next, Ordering::Release);
    }

    /// Passes over offsets that are no messages, up to `next`. Tells where the script stood before.
    fn pass(&self, next: i64) -> Option<i64> {
        let before = self.position();
        // Several in a row are one gap.
        if before != Some(self.gap.1.load(Ordering::Acquire)) {
            self.gap.0.store(before.unwrap_or(NONE), Ordering::Release);
        }
        self.gap.1.store(next, Ordering::Release);
        self.set_position(next);
        before
    }

    /// The place behind a message whose next offset this is: behind what is no message there, as far as that
    /// was passed over.
    pub fn behind(&self, next: i64) -> i64 {
        let (from, to) = (self.gap.0.load(Ordering::Acquire), self.gap.1.load(Ordering::Acquire));
        if from != NONE && (from..to).contains(&next) {
            to
        } else {
            next
        }
    }

    /// The offset after the last message that the script was given, if there was one, or after what is no
    /// message where it stands.
    pub fn position(&self) -> Option<i64> {
        Some(self.position.load(Ordering::Acquire)).filter(|p| *p != NONE)
    }
}

/// The offsets of one consuming object that wait to be handed over.
pub struct Store {
    /// Not set when the script configured `enable.auto.offset.store`: then librdkafka stores.
    enabled: bool,
    logger: Arc<Logger>,
    touched: Mutex<Vec<Arc<Part>>>,
}

impl Store {
    pub fn new(enabled: bool, logger: Arc<Logger>) -> Store {
        Store { enabled, logger, touched: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Part>>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The message before `next` was processed. One that was read under another generation no longer
    /// counts.
    #[inline]
    pub fn processed(&self, part: &Arc<Part>, generation: u64, next: i64) {
        if !self.enabled || !part.stores() || part.generation() != generation {
            return;
        }
        part.counted.store(next, Ordering::Release);
        self.collect(part, next);
    }

    /// The script passes over offsets that are no messages, up to `next`. If all that it was given before counts, it
    /// counts from there on; where a script stores by itself, what it stored last has to be where it stood.
    pub fn passed(&self, part: &Arc<Part>, generation: u64, next: i64) {
        if part.generation() != generation {
            return;
        }
        let before = part.pass(next);
        if !part.stores() || before.is_some_and(|b| b >= next) {
            return;
        }
        if self.enabled {
            if before.is_none_or(|b| b == part.counted.load(Ordering::Acquire)) {
                self.processed(part, generation, next);
            }
        } else if before.is_some() && part.stored() == before {
            self.collect(part, next);
        }
    }

    fn collect(&self, part: &Arc<Part>, next: i64) {
        if part.pending.swap(next, Ordering::AcqRel) == NONE {
            self.lock().push(part.clone());
        }
    }

    /// Hands the collected offsets to librdkafka, whose commit timer, `commit` and closing use them.
    pub fn hand_over(&self, client: &Client) {
        if client.forked() {
            return;
        }
        let touched = std::mem::take(&mut *self.lock());
        if touched.is_empty() {
            return;
        }
        let mut list = PartitionList::with_capacity(touched.len());
        for part in &touched {
            let next = part.pending.swap(NONE, Ordering::AcqRel);
            if next == NONE {
                continue;
            }
            part.set_stored(Some(next));
            // The name comes from librdkafka's own messages, so it has no NUL.
            let _ = list.add_offset(&part.topic, part.partition, next);
        }
        if list.is_empty() {
            return;
        }
        // A partition that was revoked meanwhile answers _STATE: its messages will be repeated to
        // whoever owns it now, which is what at-least-once means.
        let gone = |c: ErrorCode| c == ErrorCode::STATE || c == ErrorCode::UNKNOWN_PARTITION;
        let done = client.store_offsets(&mut list);
        let odd = list.iter().filter_map(|e| e.error).find(|c| !gone(*c));
        if let Some(code) = odd.or_else(|| done.err().map(|e| e.code).filter(|c| !gone(*c))) {
            let text = format!("offsets could not be stored: {}", code.text());
            self.logger.say(4, "STORE", &client.name(), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::logger::Sink;

    fn logger() -> Arc<Logger> {
        Arc::new(Logger::new(Sink::None))
    }

    #[test]
    fn a_restart_voids_what_was_read_before() {
        let store = Store::new(true, logger());
        let part = Arc::new(Part::new("t", 0));
        let before = part.generation();
        store.processed(&part, before, 5);
        assert_eq!(part.pending.load(Ordering::Relaxed), 5);
        part.restart();
        assert_eq!(part.pending.load(Ordering::Relaxed), NONE);
        store.processed(&part, before, 6);
        assert_eq!(part.pending.load(Ordering::Relaxed), NONE);
        store.processed(&part, part.generation(), 7);
        assert_eq!(part.pending.load(Ordering::Relaxed), 7);
    }

    #[test]
    fn what_is_no_message_counts_when_all_before_does() {
        let store = Store::new(true, logger());
        let part = Arc::new(Part::new("t", 0));
        let pending = || part.pending.load(Ordering::Relaxed);
        part.set_position(5);
        store.passed(&part, 0, 7);
        assert_eq!((part.position(), pending()), (Some(7), NONE));
        part.set_position(9);
        store.processed(&part, 0, 9);
        store.passed(&part, 0, 11);
        store.passed(&part, 0, 12);
        assert_eq!((part.position(), pending()), (Some(12), 12));
        assert_eq!([8, 9, 10, 11, 12, 13].map(|n| part.behind(n)), [8, 12, 12, 12, 12, 13]);
        store.passed(&part, 1, 20);
        assert_eq!(part.position(), Some(12));
        part.restart();
        assert_eq!(part.behind(9), 9);
        store.passed(&part, 1, 3);
        assert_eq!((part.position(), pending()), (Some(3), 3));
    }

    #[test]
    fn what_is_no_message_is_stored_behind_what_the_script_stored() {
        let store = Store::new(false, logger());
        let part = Arc::new(Part::new("t", 0));
        part.set_position(5);
        store.passed(&part, 0, 7);
        assert_eq!(part.pending.load(Ordering::Relaxed), NONE);
        part.set_stored(Some(7));
        store.passed(&part, 0, 8);
        assert_eq!(part.pending.load(Ordering::Relaxed), 8);
    }

    #[test]
    fn nothing_is_collected_when_librdkafka_stores() {
        let store = Store::new(false, logger());
        let part = Arc::new(Part::new("t", 0));
        store.processed(&part, part.generation(), 5);
        assert!(store.lock().is_empty());
    }
}
