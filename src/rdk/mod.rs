//! Safe librdkafka. Knows nothing of Tcl.
//!
//! A [`Client`] is used as `Arc<Client>`; whatever librdkafka wants gone before
//! its client (topics, queues, events, messages) holds that `Arc`, so the last
//! owner to go destroys the client, and does it on a thread of its own.
#![deny(unsafe_op_in_unsafe_fn)]

mod admin;
mod again;
mod api;
mod bound;
mod client;
mod conf;
mod consumer;
mod errno;
mod event;
mod fork;
mod group;
mod hooks;
mod hurry;
mod leader;
mod message;
mod metadata;
mod mock;
mod offset;
mod partitioner;
mod partitions;
mod properties;
mod ptr;
mod query;
mod queue;
mod raw;
mod reaper;
mod registry;
mod revive;
mod sasl;
mod secrets;
mod stderr;
mod topic;
mod trust;
mod txn;
mod watch;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use admin::{
    Acl, AclFilter, Admin, Change, Cluster, ConfigEntry, Credential, Election, GroupDescription,
    GroupListing, ListedOffset, Member, Named, NewTopic, Node, Resource, ScramChange,
    TopicDescription, GROUP_STATES, GROUP_TYPES, MECHANISMS, OPERATIONS, PATTERNS, PERMISSIONS,
    RESOURCES, SPEC_EARLIEST, SPEC_LATEST, SPEC_MAX_TIMESTAMP,
};
pub use again::{commit_passes, leader_hesitates, leader_moves, CallTime, GiveUp};
pub use api::{api_key, api_name, api_names};
pub use client::{Client, Kind};
pub use conf::{Conf, TopicConf};
pub use errno::{Error, ErrorCode, Result};
pub use event::{ClientError, Event, Events, Rebalance, Reports};
pub use fork::{across as across_fork, Held};
pub use group::GroupMetadata;
pub use hooks::{live_hooks, Hooks, LogLine};
pub use hurry::Hurry;
pub use leader::leader_questions;
pub use message::{Headers, Mark, Message, MessageRef, TimestampType};
pub use metadata::{Broker, Metadata, PartitionMeta, TopicMeta};
pub use mock::{live_mocks, Mock, Request, MOST_DELAY_MS};
pub use offset::Offset;
pub use partitioner::Partitioner;
pub use partitions::{Elem, PartitionList};
pub use properties::{properties, Property};
pub use query::TopicSel;
pub use queue::{live_wakes, Queue, Wake};
pub use reaper::{live_clients, wait_destroyed};
pub use sasl::TokenSource;
pub use secrets::{is_secret, redact};
pub use stderr::{adopt_stderr, to_stderr};
pub use topic::{live_topics, Record, Topic};
pub use trust::has_default_trust;

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
