//! What becomes of a reader's partitions: they are assigned, sought in, paused and taken away, and what was
//! read ahead of them goes, stays or comes again.

use std::collections::HashMap;
use std::sync::Arc;

use super::Reader;
use crate::cmd::store::Part;
use crate::rdk::{Elem, Offset, PartitionList, Result, Topic};

impl Reader {
    /// Prepares partitions that are about to be assigned: what is held of them is void, and their
    /// messages come to our queue (a fetch stop clears the forward, so each time anew).
    pub fn begin(&self, list: &PartitionList) -> Result<()> {
        self.pay();
        self.client.watch_forwards(&self.messages);
        self.await_stops(list);
        for e in list.iter() {
            let part = self.part(e.topic, e.partition);
            part.restart();
            part.set_active(true);
            part.set_assigned(Offset::INVALID);
            part.set_start(e.offset);
            // librdkafka forgets with the old assignment what was stored.
            part.set_stored(None);
            let queue = self.client.partition_queue(e.topic, e.partition)?;
            queue.forward(Some(&self.messages));
        }
        Ok(())
    }

    /// Waits until librdkafka has stopped those of these partitions that were assigned before.
    ///
    /// Its main thread stops a partition that is taken away in its own time, and ends the forward to our queue then. Were
    /// that after the new forward, the new fetch's messages would lie in a queue that nobody reads until the watch
    /// finds them (watch.c). A stop that is waited for is served after all that were asked for before it, so one
    /// of them is enough.
    fn await_stops(&self, list: &PartitionList) {
        let mut was_ours = None;
        for e in list.iter() {
            let part = self.part(e.topic, e.partition);
            let ended = part.take_ended();
            if part.take_haunted() {
                // What it fetches would be read as ours until the new fetch begins, and then once
                // more, or worse: from the end, where the group never was.
                self.stop(&e);
            } else if ended {
                was_ours = Some(e);
            }
        }
        if let Some(e) = was_ours {
            self.stop(&e);
        }
    }

    /// Stops a partition, and waits until it is.
    fn stop(&self, e: &Elem<'_>) {
        let stopped = Topic::with_default_conf(&self.client, e.topic)
            .and_then(|t| t.consume_stop(e.partition));
        // A topic that has gone meanwhile is not fetched either.
        drop(stopped);
    }

    /// Partitions are no longer ours.
    pub fn end(&self, list: &PartitionList) {
        self.pay();
        for e in list.iter() {
            if let Some(part) = self.find(e.topic, e.partition) {
                part.end();
            }
        }
        self.drop_void();
    }

    /// All partitions are no longer ours.
    pub fn end_all(&self) {
        self.pay();
        for part in self.parts.borrow().values().flat_map(HashMap::values) {
            part.end();
        }
        self.drop_void();
    }

    /// A partition goes on elsewhere. What counted before still does.
    pub fn restart(&self, topic: &str, partition: i32, offset: i64) {
        self.pay();
        let part = self.part(topic, partition);
        part.restart();
        part.set_start(offset);
        self.drop_void();
    }

    /// Nothing of a partition that the script was given so far counts any more, while what was read
    /// ahead stays: a partition that is sought in may after all not go elsewhere.
    pub fn cancel(&self, topic: &str, partition: i32) {
        self.pay();
        let Some(part) = self.find(topic, partition) else { return };
        part.cancel();
        self.hands.borrow_mut().retain(|h| !Arc::ptr_eq(&h.part, &part));
        let mut current = self.current.borrow_mut();
        if current.as_ref().is_some_and(|h| Arc::ptr_eq(&h.part, &part)) {
            *current = None;
        }
    }

    fn drop_void(&self) {
        self.batch.borrow_mut().retain(|h| !h.is_void());
        self.aside.borrow_mut().retain(|h| !h.is_void());
        self.hands.borrow_mut().retain(|h| h.part.generation() == h.generation);
    }

    /// What was set aside for a partition comes first in the next read.
    pub fn resume(&self, part: &Arc<Part>) {
        part.set_paused(false);
        let aside = self.aside.take();
        let (back, still): (Vec<_>, Vec<_>) =
            aside.into_iter().partition(|h| Arc::ptr_eq(&h.part, part));
        *self.aside.borrow_mut() = still;
        let mut batch = self.batch.borrow_mut();
        for held in back.into_iter().rev() {
            batch.push_front(held);
        }
    }

    /// The partitions that are assigned, each with the offset after the last message that the script
    /// was given since it was assigned or sought in, if there was one.
    pub fn given(&self) -> Result<PartitionList> {
        self.pass_marks();
        let mut list = PartitionList::new();
        let parts = self.parts.borrow();
        for part in parts.values().flat_map(HashMap::values).filter(|p| p.is_active()) {
            if let Some(next) = part.position() {
                list.add_offset(&part.topic, part.partition, next)?;
            }
        }
        list.sort();
        Ok(list)
    }

    /// The partitions for which `wanted` holds, sorted.
    pub fn parts(&self, wanted: impl Fn(&Part) -> bool) -> Result<PartitionList> {
        let mut list = PartitionList::new();
        let parts = self.parts.borrow();
        for part in parts.values().flat_map(HashMap::values).filter(|p| wanted(p)) {
            list.add(&part.topic, part.partition)?;
        }
        list.sort();
        Ok(list)
    }

    /// Whether a partition is assigned.
    pub fn is_active(&self, topic: &str, partition: i32) -> bool {
        self.find(topic, partition).is_some_and(|p| p.is_active())
    }

    /// The offset from which a partition goes on for the script: after the last message given.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.find(topic, partition)?.position()
    }
}
