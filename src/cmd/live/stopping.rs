//! Partitions of a consumer handle: those that are started, and how they are stopped.
//!
//! librdkafka's stop blocks until the last offset is committed, so it runs on helper threads.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{End, Live};
use crate::cmd::offsets::Commit;
use crate::cmd::store::Part;
use crate::rdk::{self, ErrorCode, Offset, PartitionList, Topic};

/// The partitions of a consumer that librdkafka reads.
#[derive(Default)]
pub struct Stopping {
    started: Vec<Started>,
    /// Those that are being stopped.
    busy: Vec<Started>,
}

/// A partition that was started.
#[derive(Clone)]
pub struct Started {
    pub topic: Arc<Topic>,
    pub part: Arc<Part>,
}

impl Started {
    fn is(&self, topic: &str, partition: i32) -> bool {
        self.part.partition == partition && self.part.topic == topic
    }

    fn is_like(&self, other: &Started) -> bool {
        self.is(&other.part.topic, other.part.partition)
    }

    /// What its stop would commit although librdkafka knows no such partition.
    ///
    /// librdkafka (2.12.1) never answers the stop then: the answer to its commit looks for the
    /// partition among those of the topic's metadata (`rd_kafka_offset_broker_commit_cb`). That it is
    /// missing there is what `rd_kafka_offset_store` says; to a known one it does nothing new.
    fn homeless(&self) -> Option<i64> {
        let next = self.part.stored()?;
        let again = self.topic.offset_store(self.part.partition, next - 1);
        again.is_err_and(|e| e.code == ErrorCode::UNKNOWN_PARTITION).then_some(next)
    }
}

impl Live {
    fn stopping(&self) -> Option<MutexGuard<'_, Stopping>> {
        match &self.end {
            End::Partitions(s) => Some(s.lock().unwrap_or_else(PoisonError::into_inner)),
            _ => None,
        }
    }

    /// A partition was started.
    pub fn note_started(&self, place: Started) {
        if let Some(mut stopping) = self.stopping() {
            stopping.started.push(place);
        }
    }

    /// A partition is about to be stopped: [`Live::finish_stop`] follows.
    pub fn begin_stop(&self, place: &Started) {
        if let Some(mut stopping) = self.stopping() {
            stopping.started.retain(|s| !s.is_like(place));
            stopping.busy.push(place.clone());
        }
    }

    /// Stops a partition; blocks as long as librdkafka does.
    pub fn finish_stop(&self, place: &Started) -> rdk::Result<()> {
        let committed = match place.homeless() {
            Some(next) => self.commit_homeless(place, next),
            None => Ok(()),
        };
        let done = place.topic.consume_stop(place.part.partition);
        self.forget_stop(place);
        done.and(committed)
    }

    /// Commits for a stop that librdkafka would not answer, and leaves it nothing to commit.
    fn commit_homeless(&self, place: &Started, next: i64) -> rdk::Result<()> {
        let mut list = PartitionList::with_capacity(1);
        list.add_offset(&place.part.topic, place.part.partition, next)?;
        let timeout = self.linger.load(Ordering::Relaxed);
        let committed = Commit::begin(&self.client, Some(list), timeout, false)
            .and_then(|c| c.end(&self.client));
        let mut none = PartitionList::with_capacity(1);
        none.add_offset(&place.part.topic, place.part.partition, Offset::INVALID)?;
        self.client.store_offsets(&mut none)?;
        let failed = match committed {
            Ok((error, list)) => {
                error.or_else(|| list.iter().find_map(|p| p.error).map(rdk::Error::from))
            }
            Err(e) => Some(e),
        };
        let Some(mut error) = failed else { return Ok(()) };
        let (topic, partition) = (&place.part.topic, place.part.partition);
        let why =
            if error.detail.is_empty() { String::new() } else { format!(": {}", error.detail) };
        error.detail = format!(
            "offset {next} of topic \"{topic}\" partition {partition} could not be committed{why}"
        );
        Err(error)
    }

    fn forget_stop(&self, place: &Started) {
        if let Some(mut stopping) = self.stopping() {
            stopping.busy.retain(|s| !s.is_like(place));
        }
        self.stop_done.notify_all();
    }

    /// Whether a partition is being stopped.
    pub fn is_stopping(&self, topic: &str, partition: i32) -> bool {
        self.stopping().is_some_and(|s| s.busy.iter().any(|b| b.is(topic, partition)))
    }

    /// Waits until a partition is no longer being stopped: a start that comes before would be
    /// stopped with it.
    pub fn await_stop(&self, topic: &str, partition: i32) -> rdk::Result<()> {
        if let Some(stopping) = self.stopping() {
            let done = self
                .stop_done
                .wait_while(stopping, |s| s.busy.iter().any(|b| b.is(topic, partition)))
                .unwrap_or_else(PoisonError::into_inner);
            drop(done);
        }
        Ok(())
    }

    /// Stops all partitions, each on a thread of its own.
    pub fn stop_all(self: &Arc<Self>) {
        let all = self.stopping().map(|s| s.started.clone()).unwrap_or_default();
        for place in all {
            self.stop_later(place);
        }
    }

    /// Stops a partition on a thread of its own.
    pub fn stop_later(self: &Arc<Self>, place: Started) {
        if self.client.forked() {
            return;
        }
        self.begin_stop(&place);
        let live = self.clone();
        let at = place.clone();
        let work = move || {
            if let Err(e) = live.finish_stop(&place) {
                let place =
                    format!("topic {} partition {}", place.part.topic, place.part.partition);
                live.logger.say(4, "STOP", &live.name, format!("{place}: {}", e.code.text()));
            }
            if let Some(bell) = live.bell.get() {
                bell.wake();
            }
        };
        let spawned = std::thread::Builder::new().name("kafka-stop".into()).spawn(work);
        if spawned.is_err() {
            // The partition stops with its client.
            self.forget_stop(&at);
        }
    }

    /// Whether no partition is being stopped any more.
    pub fn stopped(&self) -> bool {
        self.stopping().is_none_or(|s| s.busy.is_empty())
    }
}
