//! What a cluster says about itself, as plain data.

use super::errno::ErrorCode;
use super::ptr::string;
use super::raw;

/// An answer to a metadata request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The cluster's brokers.
    pub brokers: Vec<Broker>,
    /// The topics asked about.
    pub topics: Vec<TopicMeta>,
    /// Who answered.
    pub orig_broker_id: i32,
    /// The name of who answered.
    pub orig_broker_name: String,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Where it listens.
    pub host: String,
    /// Where it listens.
    pub port: i32,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMeta {
    /// Its name.
    pub name: String,
    /// Why the broker has nothing to say about it.
    pub error: Option<ErrorCode>,
    /// Its partitions.
    pub partitions: Vec<PartitionMeta>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMeta {
    /// Its number.
    pub id: i32,
    /// The leader's broker id, -1 for none.
    pub leader: i32,
    /// The broker ids of all replicas.
    pub replicas: Vec<i32>,
    /// The broker ids of those in sync.
    pub isrs: Vec<i32>,
    /// The broker's error.
    pub error: Option<ErrorCode>,
}

/// A C array; a count that is not positive is an empty one.
///
/// # Safety
/// `items` holds `count` elements that live for `'a`, or `count` is not positive.
unsafe fn slice<'a, T>(items: *const T, count: i32) -> &'a [T] {
    match usize::try_from(count) {
        // SAFETY: by this function's contract.
        Ok(count) if count > 0 && !items.is_null() => unsafe {
            std::slice::from_raw_parts(items, count)
        },
        _ => &[],
    }
}

impl Metadata {
    /// Copies what librdkafka returned.
    ///
    /// # Safety
    /// `found` is valid, as `rd_kafka_metadata` gave it.
    pub(super) unsafe fn from_raw(found: *const raw::metadata) -> Metadata {
        // SAFETY: valid by this function's contract, so its counts, arrays and strings
        // are; all are copied.
        unsafe {
            let found = &*found;
            Metadata {
                brokers: slice(found.brokers, found.broker_cnt)
                    .iter()
                    .map(|broker| Broker {
                        id: broker.id,
                        host: string(broker.host),
                        port: broker.port,
                    })
                    .collect(),
                topics: slice(found.topics, found.topic_cnt)
                    .iter()
                    .map(|topic| TopicMeta {
                        name: string(topic.topic),
                        error: ErrorCode(topic.err).error(),
                        partitions: slice(topic.partitions, topic.partition_cnt)
                            .iter()
                            .map(|partition| PartitionMeta {
                                id: partition.id,
                                leader: partition.leader,
                                replicas: slice(partition.replicas, partition.replica_cnt).to_vec(),
                                isrs: slice(partition.isrs, partition.isr_cnt).to_vec(),
                                error: ErrorCode(partition.err).error(),
                            })
                            .collect(),
                    })
                    .collect(),
                orig_broker_id: found.orig_broker_id,
                orig_broker_name: string(found.orig_broker_name),
            }
        }
    }
}
