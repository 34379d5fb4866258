//! Events: what librdkafka tells through its queues.

use std::ptr::NonNull;
use std::sync::Arc;

use libc::c_int;

use super::client::Client;
use super::errno::{Error, ErrorCode};
use super::ptr::string;
use super::{raw, MessageRef, PartitionList};

/// Which events a client is to send (`rd_kafka_conf_set_events`).
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Events(c_int);

impl Events {
    /// None.
    pub const NONE: Events = Events(0);
    /// Delivery reports.
    pub const DR: Events = Events(1);
    /// Errors that no call returns.
    pub const ERROR: Events = Events(8);
    /// The group's rebalances; each has to be answered by an assign or unassign.
    pub const REBALANCE: Events = Events(16);
    /// Results of asynchronous and automatic commits.
    pub const OFFSET_COMMIT: Events = Events(32);
    /// Statistics, every `statistics.interval.ms`.
    pub const STATS: Events = Events(64);
    /// A token is wanted.
    pub const OAUTHBEARER: Events = Events(256);

    /// librdkafka's flags.
    pub fn bits(self) -> i32 {
        self.0
    }

    /// Whether all of `other` are among them.
    pub fn contains(self, other: Events) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Events {
    type Output = Events;
    fn bitor(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Events {
    fn bitor_assign(&mut self, other: Events) {
        self.0 |= other.0;
    }
}

/// An event.
pub enum Event {
    /// Reports about produced messages.
    Delivery(Reports),
    /// An error that no call returned.
    Error(ClientError),
    /// Statistics as JSON.
    Stats(String),
    /// The group assigns or revokes partitions.
    Rebalance(Rebalance),
    /// The result of a commit.
    OffsetCommit {
        /// Why it failed; `NO_OFFSET` when there was nothing to commit.
        error: Option<Error>,
        /// What was committed, with an error each.
        partitions: PartitionList,
    },
    /// A token is wanted; `config` is the value of `sasl.oauthbearer.config`.
    TokenRefresh {
        /// What the configuration says.
        config: String,
    },
    /// Another event, dropped: its number (`rd_kafka_event_type`). Messages are such
    /// (2) when polled from a queue that they are not batched from.
    Other(i32),
}

/// An error event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// What went wrong. A fatal one has the code behind `FATAL`, and `fatal` set.
    pub error: Error,
    /// The topic it is about.
    pub topic: Option<String>,
    /// The partition it is about.
    pub partition: Option<i32>,
}

impl ClientError {
    /// An error whose detail begins with `TOPIC [PARTITION]: `, as librdkafka puts it.
    pub(super) fn placed(error: Error) -> ClientError {
        let place = error.detail.split_once("]: ").and_then(|(head, _)| {
            let (topic, partition) = head.rsplit_once(" [")?;
            Some((topic.to_owned(), partition.parse().ok()?))
        });
        let (topic, partition) = place.unzip();
        ClientError { error, topic, partition }
    }
}

/// A rebalance event.
#[derive(Clone, Debug)]
pub struct Rebalance {
    /// `ASSIGN_PARTITIONS`, `REVOKE_PARTITIONS`, or what went wrong.
    pub code: ErrorCode,
    /// What is assigned or revoked.
    pub partitions: PartitionList,
}

/// An event that we own.
pub(super) struct RawEvent {
    ptr: NonNull<raw::rd_kafka_event_t>,
    client: Arc<Client>,
}

// SAFETY: an event may be read and destroyed in any thread, by one at a time.
unsafe impl Send for RawEvent {}

impl RawEvent {
    /// # Safety
    /// `ptr` came from polling a queue of `client`, and is the caller's.
    pub(super) unsafe fn new(
        client: &Arc<Client>,
        ptr: NonNull<raw::rd_kafka_event_t>,
    ) -> RawEvent {
        RawEvent { ptr, client: Arc::clone(client) }
    }

    pub(super) fn parse(self) -> Event {
        let ptr = self.ptr.as_ptr();
        // SAFETY: the event is valid until `self` is dropped, and each accessor is only
        // used on the type it is for; what they return is copied.
        unsafe {
            match raw::rd_kafka_event_type(ptr) {
                raw_type::DR => Event::Delivery(Reports(self)),
                // A mark of a partition whose messages come to no reader (marks.c).
                raw_type::ERROR if raw::rd_kafka_event_error(ptr) == ErrorCode::NOOP.0 => {
                    Event::Other(raw_type::ERROR)
                }
                raw_type::ERROR => Event::Error(self.error()),
                raw_type::STATS => Event::Stats(string(raw::rd_kafka_event_stats(ptr))),
                raw_type::REBALANCE => Event::Rebalance(Rebalance {
                    code: ErrorCode(raw::rd_kafka_event_error(ptr)),
                    partitions: PartitionList::copy_raw(raw::rd_kafka_event_topic_partition_list(
                        ptr,
                    )),
                }),
                raw_type::OFFSET_COMMIT => Event::OffsetCommit {
                    error: ErrorCode(raw::rd_kafka_event_error(ptr)).error().map(Error::new),
                    partitions: PartitionList::copy_raw(raw::rd_kafka_event_topic_partition_list(
                        ptr,
                    )),
                },
                raw_type::OAUTHBEARER => {
                    Event::TokenRefresh { config: string(raw::rd_kafka_event_config_string(ptr)) }
                }
                other => Event::Other(other),
            }
        }
    }

    fn error(&self) -> ClientError {
        let ptr = self.ptr.as_ptr();
        // SAFETY: a valid error event; strings are copied, the partition object is ours
        // and destroyed once.
        let (code, text, fatal, place) = unsafe {
            let place = raw::rd_kafka_event_topic_partition(ptr);
            let named = (!place.is_null()).then(|| {
                let named = (string((*place).topic), (*place).partition);
                raw::rd_kafka_topic_partition_destroy(place);
                named
            });
            (
                ErrorCode(raw::rd_kafka_event_error(ptr)),
                string(raw::rd_kafka_event_error_string(ptr)),
                raw::rd_kafka_event_error_is_fatal(ptr) != 0,
                named,
            )
        };
        // The event has the code behind `FATAL` already: librdkafka looks it up.
        // It may quote what a broker said, who knows what that quotes.
        let mut error = Error::with_detail(code, self.client.without_secrets(&text));
        error.fatal |= fatal;
        let (topic, partition) = place.unzip();
        ClientError { error, topic, partition }
    }
}

impl Drop for RawEvent {
    fn drop(&mut self) {
        if self.client.forked() {
            return;
        }
        // SAFETY: valid, ours, and not used again; the client is still there.
        unsafe { raw::rd_kafka_event_destroy(self.ptr.as_ptr()) }
    }
}

pub(super) mod raw_type {
    pub const DR: i32 = 1;
    pub const ERROR: i32 = 8;
    pub const REBALANCE: i32 = 16;
    pub const OFFSET_COMMIT: i32 = 32;
    pub const STATS: i32 = 64;
    pub const OAUTHBEARER: i32 = 256;
}

/// A batch of delivery reports, kept as librdkafka's event and walked at leisure.
/// Dropping it frees what was not walked.
pub struct Reports(RawEvent);

impl Reports {
    /// The next report (`rd_kafka_event_message_next`).
    #[allow(clippy::should_implement_trait)] // What it returns borrows from it.
    #[inline]
    pub fn next(&mut self) -> Option<MessageRef<'_>> {
        // SAFETY: a valid delivery report event, borrowed exclusively; the message
        // belongs to it and lives until it is destroyed.
        unsafe {
            let message = raw::rd_kafka_event_message_next(self.0.ptr.as_ptr());
            message.as_ref().map(|message| MessageRef::produced(message))
        }
    }

    /// How many are left (`rd_kafka_event_message_count`).
    #[inline]
    pub fn remaining(&self) -> usize {
        // SAFETY: a valid event.
        unsafe { raw::rd_kafka_event_message_count(self.0.ptr.as_ptr()) }
    }
}
