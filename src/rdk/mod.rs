//! Safe librdkafka. Knows nothing of Tcl.
//!
//! A [`Client`] is used as `Arc<Client>`; whatever librdkafka wants gone before
//! its client (topics, queues, events, messages) holds that `Arc`, so the last
//! owner to go destroys the client, and does it on a thread of its own.
#![deny(unsafe_op_in_unsafe_fn)]

mod api;
mod client;
mod conf;
mod consumer;
mod errno;
mod event;
mod fork;
mod group;
mod hooks;
mod message;
mod metadata;
mod mock;
mod offset;
mod partitioner;
mod partitions;
mod ptr;
mod query;
mod queue;
mod raw;
mod reaper;
mod registry;
mod sasl;
mod secrets;
mod topic;
mod txn;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use api::{api_key, api_name, api_names};
pub use client::{Client, Kind};
pub use conf::{Conf, TopicConf};
pub use errno::{Error, ErrorCode, Result};
pub use event::{ClientError, Event, Events, Rebalance, Reports};
pub use group::GroupMetadata;
pub use hooks::{Hooks, LogLine};
pub use message::{Headers, Message, MessageRef, TimestampType};
pub use metadata::{Broker, Metadata, PartitionMeta, TopicMeta};
pub use mock::{live_mocks, Mock, Request};
pub use offset::Offset;
pub use partitioner::Partitioner;
pub use partitions::{Elem, PartitionList};
pub use query::TopicSel;
pub use queue::{Queue, Wake};
pub use reaper::{live_clients, wait_destroyed};
pub use secrets::{is_secret, redact};
pub use topic::{Record, Topic};

/// librdkafka's version, such as `2.12.1` (`rd_kafka_version_str`).
pub fn version() -> String {
    // SAFETY: returns a pointer to a static string.
    unsafe { ptr::string(raw::rd_kafka_version_str()) }
}

/// What librdkafka was built with, such as `ssl` and `zstd` (the property
/// `builtin.features`).
pub fn features() -> Vec<String> {
    Conf::new()
        .get("builtin.features")
        .map(|list| list.split(',').map(|word| word.trim().to_owned()).collect())
        .unwrap_or_default()
}
