//! Where a producer's messages go into librdkafka: one, or a batch, with what a full queue asks for.

use super::core::Core;
use super::message::Bytes;
use crate::error::{Error, Result};
use crate::rdk::{self, ErrorCode, Record, Topic};
use crate::tcl::{Flow, Obj};

/// Queues a message; a full queue is drained of its reports and tried once more.
#[inline]
pub fn queue(core: &Core, topic: &Topic, b: &Bytes<'_>) -> rdk::Result<()> {
    let (payload, key, more) = (b.payload.as_deref(), b.key.as_deref(), &b.more);
    if more.is_plain() {
        return queue_record(
            core,
            topic,
            b.partition,
            &Record { payload, key, opaque: more.opaque },
        );
    }
    let headers: Vec<(&str, Option<&[u8]>)> =
        more.headers.iter().map(|(n, v)| (n.as_str(), v.as_deref())).collect();
    let attempt =
        || topic.produce_full(b.partition, payload, key, &headers, more.timestamp, more.opaque);
    twice(core, topic, attempt)
}

/// As `queue`, a message that has no more than bytes.
#[inline]
fn queue_record(core: &Core, topic: &Topic, partition: i32, r: &Record<'_>) -> rdk::Result<()> {
    twice(core, topic, || topic.produce(partition, r.payload, r.key, r.opaque))
}

#[inline]
fn twice(core: &Core, topic: &Topic, attempt: impl Fn() -> rdk::Result<()>) -> rdk::Result<()> {
    match attempt() {
        Ok(()) => Ok(()),
        Err(e) if e.code == ErrorCode::QUEUE_FULL => {
            core.drain();
            core.live.sweep.wait();
            attempt().map_err(|e| {
                if e.code == ErrorCode::QUEUE_FULL {
                    core.note_full();
                }
                explain(core, topic, e)
            })
        }
        Err(e) => Err(explain(core, topic, e)),
    }
}

fn explain(core: &Core, topic: &Topic, mut e: rdk::Error) -> rdk::Error {
    if e.code == ErrorCode::UNKNOWN_PARTITION {
        // A partitioner callback would choose it again and again.
        core.counts.forget(topic.name());
    }
    if e.detail.is_empty() {
        e.detail = format!("topic \"{}\"", topic.name());
    }
    e
}

/// Queues a batch; tells which messages were refused and why. Plain messages go in one call; from
/// the first with more on, or for another partition, one by one, so that they stay in order. What a
/// full queue refuses is tried once more after a drain.
pub fn queue_all(core: &Core, topic: &Topic, all: &[Bytes<'_>]) -> Vec<(usize, rdk::Error)> {
    let Some(first) = all.first() else { return Vec::new() };
    let partition = first.partition;
    let plain = all
        .iter()
        .position(|b| b.partition != partition || !b.more.is_plain())
        .unwrap_or(all.len());
    let records: Vec<Record<'_>> = all[..plain]
        .iter()
        .map(|b| Record {
            payload: b.payload.as_deref(),
            key: b.key.as_deref(),
            opaque: b.more.opaque,
        })
        .collect();
    let mut failed = Vec::new();
    let mut room = Room::default();
    room.queue_records(core, topic, partition, &records, &mut failed);
    for (i, b) in all.iter().enumerate().skip(plain) {
        room.note(i, || queue(core, topic, b), &mut failed);
    }
    failed
}

/// As `queue_all`, messages that have no more than bytes.
pub fn queue_records(
    core: &Core,
    topic: &Topic,
    partition: i32,
    records: &[Record<'_>],
) -> Vec<(usize, rdk::Error)> {
    let mut failed = Vec::new();
    Room::default().queue_records(core, topic, partition, records, &mut failed);
    failed
}

/// Whether a batch still finds room. Once one message is refused for want of it, so are all after it:
/// room may come up in between, but a script that sends the refused ones again must find them in order.
#[derive(Default)]
struct Room {
    full: Option<rdk::Error>,
}

impl Room {
    fn queue_records(
        &mut self,
        core: &Core,
        topic: &Topic,
        partition: i32,
        records: &[Record<'_>],
        failed: &mut Vec<(usize, rdk::Error)>,
    ) {
        for (i, code) in topic.produce_batch(partition, records) {
            if code == ErrorCode::QUEUE_FULL {
                self.note(i, || queue_record(core, topic, partition, &records[i]), failed);
            } else {
                failed.push((i, explain(core, topic, rdk::Error::new(code))));
            }
        }
    }

    fn note(
        &mut self,
        i: usize,
        attempt: impl FnOnce() -> rdk::Result<()>,
        failed: &mut Vec<(usize, rdk::Error)>,
    ) {
        let result = match &self.full {
            Some(e) => Err(e.clone()),
            None => attempt(),
        };
        if let Err(e) = result {
            if e.code == ErrorCode::QUEUE_FULL {
                self.full.get_or_insert_with(|| e.clone());
            }
            failed.push((i, e));
        }
    }
}

/// What a batch's call gives: nothing, or the error of `batch_error`.
pub fn batch_outcome(count: usize, failed: Vec<(usize, rdk::Error)>) -> Result<Flow> {
    match batch_error(count, failed, Obj::empty()) {
        None => Ok(Flow::Empty),
        Some(e) => Err(e),
    }
}

/// The error of a batch of `count` messages of which `failed` failed, if any did: the one that all
/// had, or which had which. `done` is what the call gives when all succeed.
pub fn batch_error(count: usize, failed: Vec<(usize, rdk::Error)>, done: Obj) -> Option<Error> {
    let (_, first) = failed.first()?;
    if failed.len() == count && failed.iter().all(|(_, e)| e.code == first.code) {
        return Some(Error::Kafka(first.clone()));
    }
    Some(Error::Partial {
        ok: count - failed.len(),
        failed: failed.into_iter().map(|(i, e)| (Obj::int(i as i64), e)).collect(),
        done,
    })
}
