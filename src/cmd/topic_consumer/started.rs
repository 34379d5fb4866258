//! The partitions that a topic object has started: how each begins, is found and ends.

use std::rc::Rc;

use super::TopicConsumer;
use crate::cmd::info::QUERY;
use crate::cmd::live::Started;
use crate::cmd::store::Part;
use crate::cmd::stream::Stream;
use crate::cmd::topic::TopicObject;
use crate::cmd::wait;
use crate::error::{Error, Result};
use crate::rdk::{ErrorCode, Offset, PartitionList};

/// A started partition.
pub struct Running {
    pub stream: Rc<Stream>,
    /// The stream is a queue object's, by its id: reads go there.
    queue: Option<u64>,
    /// Started at `stored`: offsets of what is processed are committed.
    pub stored: bool,
}

impl TopicConsumer {
    fn place(&self, stream: &Stream, partition: i32) -> Started {
        let part = stream.reader.part(self.topic.name(), partition);
        Started { topic: self.topic.clone(), part }
    }

    pub(super) fn not_started(&self, partition: i32) -> Error {
        Error::kafka(
            ErrorCode::UNKNOWN_PARTITION,
            format!("partition {partition} of topic \"{}\" is not started", self.topic.name()),
        )
    }

    /// The stream of a partition that is started here.
    pub(super) fn running(&self, partition: i32) -> Result<Rc<Stream>> {
        let started = self.started.borrow();
        let running = started.get(&partition).ok_or_else(|| self.not_started(partition))?;
        Ok(running.stream.clone())
    }

    /// As `running`, for a read: a partition that feeds a queue is read there.
    pub(super) fn readable(&self, partition: i32) -> Result<Rc<Stream>> {
        let stream = self.running(partition)?;
        if self.started.borrow().get(&partition).is_some_and(|r| r.queue.is_some()) {
            return Err(Error::State(format!(
                "partition {partition} of topic \"{}\" is started on a queue: read that",
                self.topic.name()
            )));
        }
        Ok(stream)
    }

    /// Forgets a started partition; librdkafka still has to stop it. What counts as processed is
    /// handed over first.
    pub(super) fn release(&self, partition: i32) -> Option<Started> {
        let running = self.started.borrow_mut().remove(&partition)?;
        let key = (self.topic.name().to_owned(), partition);
        self.consumer.started.borrow_mut().remove(&key);
        running.stream.reader.hand_over();
        self.unpause(&running.stream, partition);
        let place = self.place(&running.stream, partition);
        match running.queue {
            Some(_) => {
                let mut list = PartitionList::new();
                // The name is librdkafka's own.
                let _ = list.add(self.topic.name(), partition);
                running.stream.reader.end(&list);
            }
            None => running.stream.close(),
        }
        Some(place)
    }

    /// librdkafka keeps a pause for the partition's next start: ours ends with the stop.
    fn unpause(&self, stream: &Stream, partition: i32) {
        let name = self.topic.name();
        if !stream.reader.find(name, partition).is_some_and(|p| p.is_paused()) {
            return;
        }
        let mut list = PartitionList::new();
        // The name is librdkafka's own; a partition that is gone needs no resuming.
        if list.add(name, partition).is_ok() {
            let _ = self.core().client.resume(&mut list);
        }
    }

    /// librdkafka keeps what was stored for a partition from start to start, and would commit it anew,
    /// over what the group may have been set to meanwhile. Nothing is to forget where this fails: the
    /// partition is not known yet, or librdkafka is configured to store by itself.
    fn forget_stored(&self, part: &Part) -> Result<()> {
        let mut list = PartitionList::new();
        list.add_offset(&part.topic, part.partition, Offset::INVALID)?;
        let _ = self.core().client.store_offsets(&mut list);
        part.set_stored(None);
        Ok(())
    }

    /// Starts a partition on a stream.
    pub(super) fn begin(
        &self,
        partition: i32,
        offset: i64,
        stream: Rc<Stream>,
        queue: Option<u64>,
    ) -> Result<()> {
        let name = self.topic.name();
        let stored = offset == Offset::STORED;
        if stored && self.core().settings.get("group.id")?.is_empty() {
            return Err(Error::kafka(
                ErrorCode::INVALID_ARG,
                "stored offsets are a group's: set group.id before the handle is made",
            ));
        }
        let part = stream.reader.part(name, partition);
        part.restart();
        part.set_stores(stored);
        self.forget_stored(&part)?;
        self.topic.consume_start_queue(partition, offset, &stream.reader.messages).map_err(
            |mut e| {
                if e.detail.is_empty() {
                    e.detail = format!("topic \"{name}\" partition {partition}");
                }
                e
            },
        )?;
        part.set_active(true);
        self.core().live.note_started(self.place(&stream, partition));
        self.consumer.started.borrow_mut().insert((name.to_owned(), partition), self.id);
        self.started.borrow_mut().insert(partition, Running { stream, queue, stored });
        Ok(())
    }

    /// A partition may be started once in a client; starting it again here begins anew.
    pub(super) fn make_room(&self, partition: i32) -> Result<()> {
        let key = (self.topic.name().to_owned(), partition);
        let owner = self.consumer.started.borrow().get(&key).copied();
        match owner {
            Some(id) if id != self.id => Err(Error::kafka(
                ErrorCode::CONFLICT,
                format!("partition {partition} of topic \"{}\" is started by another topic object of this handle", key.0),
            )),
            Some(_) => self.halt(partition),
            // A topic or queue object that was deleted may have it still stopping.
            None => {
                let live = self.core().live.clone();
                if live.is_stopping(&key.0, partition) {
                    wait::block(self.core(), QUERY, move |_| live.await_stop(&key.0, partition))?;
                }
                Ok(())
            }
        }
    }

    /// Stops a partition and waits for it.
    fn halt(&self, partition: i32) -> Result<()> {
        let place = self.release(partition).ok_or_else(|| self.not_started(partition))?;
        let live = self.core().live.clone();
        live.begin_stop(&place);
        wait::block(self.core(), QUERY, move |_| live.finish_stop(&place))
    }

    /// Whether a partition is started on this queue.
    pub fn feeds(&self, partition: i32, queue: u64) -> bool {
        self.started.borrow().get(&partition).is_some_and(|r| r.queue == Some(queue))
    }

    /// The queue that a partition feeds is being deleted.
    pub fn queue_gone(&self, partition: i32, queue: u64) {
        if self.feeds(partition, queue) {
            if let Some(place) = self.release(partition) {
                self.core().live.stop_later(place);
            }
        }
    }
}
