//! What is asked of librdkafka's own handlers, read before they see it.
//!
//! They trust what a request says: a string that is null where none may be, one of megabytes, or a record
//! batch that is none ends the process (librdkafka 2.12.1, rdkafka_mock_handlers.c). Kafka's broker closes
//! the connection of whoever sends what can't be read, and so it is done here.

use std::ffi::c_int;

use super::cluster::{Call, Cluster};
use super::serve::{code, In};
use super::wire::{Malformed, Read, Reader, Uuid, Writer};

/// Reads a request of this version to see whether it can be read.
pub(super) type Check = fn(i16, &mut Reader<'_>) -> Read<()>;

/// Reads it, and has librdkafka's handler answer it.
pub(super) fn pass(
    check: Check,
    call: &Call,
    cluster: &mut Cluster,
    r: &mut Reader<'_>,
) -> Read<c_int> {
    check(call.version(), r)?;
    Ok(call.original(cluster))
}

pub(super) fn list_offsets(version: i16, r: &mut Reader<'_>) -> Read<()> {
    r.i32()?;
    if version >= 2 {
        r.i8()?;
    }
    r.list(|r| {
        r.string()?;
        r.list(|r| {
            r.i32()?;
            if version >= 4 {
                r.i32()?;
            }
            r.i64()?;
            if version == 0 {
                r.i32()?;
            }
            r.tags()
        })?;
        r.tags()
    })?;
    Ok(())
}

pub(super) fn find_coordinator(version: i16, r: &mut Reader<'_>) -> Read<()> {
    r.string()?;
    if version >= 1 {
        r.i8()?;
    }
    Ok(())
}

/// Of members of classic groups.
pub(super) fn heartbeat(version: i16, r: &mut Reader<'_>) -> Read<()> {
    r.string()?;
    r.i32()?;
    r.string()?;
    if version >= 3 {
        r.nullable()?;
    }
    Ok(())
}

pub(super) fn add_partitions_to_txn(_: i16, r: &mut Reader<'_>) -> Read<()> {
    producer(r)?;
    r.list(|r| {
        r.string()?;
        r.list(Reader::i32)
    })?;
    Ok(())
}

pub(super) fn add_offsets_to_txn(_: i16, r: &mut Reader<'_>) -> Read<()> {
    producer(r)?;
    r.string()?;
    Ok(())
}

pub(super) fn end_txn(_: i16, r: &mut Reader<'_>) -> Read<()> {
    producer(r)?;
    r.bool()?;
    Ok(())
}

/// A transactional id, and a producer's id and epoch.
fn producer(r: &mut Reader<'_>) -> Read<()> {
    r.string()?;
    r.i64()?;
    r.i16()?;
    Ok(())
}

pub(super) fn txn_offset_commit(version: i16, r: &mut Reader<'_>) -> Read<()> {
    r.string()?;
    r.string()?;
    r.i64()?;
    r.i16()?;
    if version >= 3 {
        r.i32()?;
        r.string()?;
        r.nullable()?;
    }
    r.list(|r| {
        r.string()?;
        r.list(|r| {
            r.i32()?;
            r.i64()?;
            if version >= 2 {
                r.i32()?;
            }
            r.nullable()?;
            r.tags()
        })?;
        r.tags()
    })?;
    Ok(())
}

pub(super) fn offset_for_leader_epoch(_: i16, r: &mut Reader<'_>) -> Read<()> {
    r.list(|r| {
        r.string()?;
        r.list(|r| {
            r.i32()?;
            r.i32()?;
            r.i32()
        })
    })?;
    Ok(())
}

pub(super) fn get_telemetry_subscriptions(_: i16, r: &mut Reader<'_>) -> Read<()> {
    r.uuid()?;
    Ok(())
}

/// PushTelemetry: nobody reads it. librdkafka's handler asserts that it can decode what it is sent.
pub(super) fn push_telemetry(
    _: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    r.uuid()?;
    r.i32()?;
    r.bool()?;
    r.i8()?;
    r.bytes()?;
    w.i32(0);
    w.i16(input.error);
    Ok(())
}

/// InitProducerId. A producer without a transactional id always gets a new id from Kafka
/// (`TransactionCoordinator.handleInitProducerId`), whatever it says that it has.
pub(super) fn init_producer_id(
    call: &Call,
    cluster: &mut Cluster,
    r: &mut Reader<'_>,
) -> Read<c_int> {
    let id = r.nullable()?;
    let timeout = r.i32()?;
    if call.version() >= 3 {
        r.i64()?;
        r.i16()?;
    }
    if id.is_some() || call.version() < 3 {
        return Ok(call.original(cluster));
    }
    let mut w = Writer::new(call.flexible());
    w.nullable(None);
    w.i32(timeout);
    w.i64(-1);
    w.i16(-1);
    w.tags();
    Ok(call.original_with(cluster, &w.finish()))
}

/// What the thread of a cluster has of its stack for the names of topics, and what a name takes beyond its bytes.
const STACK_FOR_NAMES: usize = 32_768;
const STACK_PER_NAME: usize = 64;
const STACK_ELSE: usize = 1_048_576;

/// Metadata. librdkafka's handler copies all names to its stack.
pub(super) fn metadata(call: &Call, cluster: &mut Cluster, r: &mut Reader<'_>) -> Read<c_int> {
    let version = call.version();
    let names = r.nullable_list(|r| {
        let name = match version {
            10.. => {
                r.uuid()?;
                r.nullable()?
            }
            _ => Some(r.string()?),
        };
        r.tags()?;
        Ok(name.map_or(0, |name| name.len()) + STACK_PER_NAME)
    })?;
    if version >= 4 {
        r.bool()?;
    }
    if (8..=10).contains(&version) {
        r.bool()?;
    }
    if version >= 8 {
        r.bool()?;
    }
    match names.unwrap_or_default().into_iter().sum() {
        0..=STACK_FOR_NAMES => Ok(call.original(cluster)),
        bytes => Ok(call.original_on_stack(cluster, bytes + STACK_ELSE)),
    }
}

/// The bytes of a record batch before its first record.
const BATCH_HEADER: usize = 61;

/// Produce. With the answer that a broker no longer leads a partition, librdkafka's handler says from version 10 on who
/// does, also of a partition that does not exist.
pub(super) fn produce(call: &Call, cluster: &mut Cluster, r: &mut Reader<'_>) -> Read<c_int> {
    if call.version() >= 3 {
        r.nullable()?;
    }
    r.i16()?;
    r.i32()?;
    let mut absent = false;
    r.list(|r| {
        let topic = r.string()?;
        r.list(|r| {
            absent |= cluster.partition(&topic, r.i32()?).is_none();
            let records = r.nullable_bytes()?;
            r.tags()?;
            records.filter(|records| records.len() >= BATCH_HEADER).map(drop).ok_or(Malformed)
        })?;
        r.tags()
    })?;
    Ok(match call.version() {
        10.. if absent => call.original_as(cluster, 9),
        _ => call.original(cluster),
    })
}

/// A partition that a fetch wants, whether it is there, and where it begins and ends.
type Wanted = (i32, Option<(i64, i64)>);

/// Fetch. From version 12 on the same as of Produce; what is answered then has no messages.
pub(super) fn fetch(call: &Call, cluster: &mut Cluster, r: &mut Reader<'_>) -> Read<c_int> {
    let version = call.version();
    if version <= 14 {
        r.i32()?;
    }
    for _ in ["wait", "least"] {
        r.i32()?;
    }
    if version >= 3 {
        r.i32()?;
    }
    if version >= 4 {
        r.i8()?;
    }
    let mut session = 0;
    if version >= 7 {
        session = r.i32()?;
        r.i32()?;
    }
    let topics = r.list(|r| {
        let (name, id) = topic_of(version, r)?;
        let there = match version {
            13.. => cluster.topic_of_id(id),
            _ => cluster.topic(&name),
        };
        let partitions = r.list(|r| {
            let n = r.i32()?;
            if version >= 9 {
                r.i32()?;
            }
            r.i64()?;
            if version >= 12 {
                r.i32()?;
            }
            if version >= 5 {
                r.i64()?;
            }
            r.i32()?;
            r.tags()?;
            Ok((n, there.and_then(|t| t.partition(n)).map(|p| (p.start(), p.end()))))
        })?;
        r.tags()?;
        // By an id that is not there librdkafka answers as it ought to.
        Ok((name, id, there.is_none() && version >= 13, partitions))
    })?;
    if version >= 7 {
        r.list(|r| {
            topic_of(version, r)?;
            r.list(Reader::i32)?;
            r.tags()
        })?;
    }
    if version >= 11 {
        r.string()?;
    }
    let absent = |partitions: &[Wanted]| partitions.iter().any(|(_, there)| there.is_none());
    if version < 12 || !topics.iter().any(|(.., unknown, places)| !unknown && absent(places)) {
        return Ok(call.original(cluster));
    }
    Ok(call.answer(|error| {
        let mut w = Writer::new(true);
        w.i32(0);
        w.i16(error);
        w.i32(session);
        w.list(topics, |w, (name, id, unknown, partitions)| {
            match version {
                13.. => w.uuid(id),
                _ => w.string(&name),
            }
            w.list(partitions, |w, (n, there)| {
                let (start, end) = there.unwrap_or((-1, -1));
                w.i32(n);
                w.i16(match (error, there) {
                    (code::NONE, None) if unknown => code::UNKNOWN_TOPIC_ID,
                    (code::NONE, None) => code::UNKNOWN_TOPIC_OR_PARTITION,
                    (error, _) => error,
                });
                w.i64(end);
                w.i64(end);
                w.i64(start);
                w.count(0);
                w.i32(-1);
                w.bytes(&[]);
                w.tags();
            });
            w.tags();
        });
        w.tags();
        Some(w.finish())
    }))
}

/// A topic's name, or from version 13 of Fetch on its id.
fn topic_of(version: i16, r: &mut Reader<'_>) -> Read<(String, Uuid)> {
    match version {
        13.. => Ok((String::new(), r.uuid()?)),
        _ => Ok((r.string()?, [0; 2])),
    }
}
