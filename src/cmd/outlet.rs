//! Where a producer's messages go into librdkafka: one, or a batch, with what a full queue asks for.

use super::core::Core;
use super::message::Bytes;
use crate::error::Error;
use crate::rdk::{self, ErrorCode, Record, Topic};
use crate::tcl::Obj;

/// Queues a message; a full queue is drained of its reports and tried once more.
#[inline]
pub fn queue(core: &Core, topic: &Topic, b: &Bytes<'_>) -> rdk::Result<()> {
    let (payload, key, more) = (b.payload.as_deref(), b.key.as_deref(), &b.more);
    let attempt = || {
        if more.is_plain() {
            topic.produce(b.partition, payload, key, more.opaque)
        } else {
            let headers: Vec<(&str, Option<&[u8]>)> =
                more.headers.iter().map(|(n, v)| (n.as_str(), Some(&v[..]))).collect();
            topic.produce_full(b.partition, payload, key, &headers, more.timestamp, more.opaque)
        }
    };
    match attempt() {
        Ok(()) => Ok(()),
        Err(e) if e.code == ErrorCode::QUEUE_FULL => {
            core.drain();
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
    let mut failed: Vec<(usize, rdk::Error)> = Vec::new();
    // Once one is refused for want of room, so are all after it: room may come up in between, but
    // a script that sends the refused ones again must find them in order.
    let mut full = None;
    let mut queue_one = |i: usize| {
        if let Some(e) = &full {
            return Err(Clone::clone(e));
        }
        queue(core, topic, &all[i]).inspect_err(|e| {
            if e.code == ErrorCode::QUEUE_FULL {
                full = Some(e.clone());
            }
        })
    };
    for (i, code) in topic.produce_batch(partition, &records) {
        let result = match code {
            ErrorCode::QUEUE_FULL => queue_one(i),
            code => Err(explain(core, topic, rdk::Error::new(code))),
        };
        if let Err(e) = result {
            failed.push((i, e));
        }
    }
    for i in plain..all.len() {
        if let Err(e) = queue_one(i) {
            failed.push((i, e));
        }
    }
    failed
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
