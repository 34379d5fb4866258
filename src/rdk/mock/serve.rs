//! Which requests the mock cluster answers beyond librdkafka's own, and which of those differently.
//!
//! Each cluster has a table of handlers of its own (`rd_kafka_mock_cluster_s.api_handlers`), from which it
//! also answers ApiVersions. The handlers here are put into it when a cluster starts, so that every
//! client is answered by them, also one of another process.

use std::ffi::c_int;
use std::panic::{catch_unwind, AssertUnwindSafe};

use super::cluster::{set_controller, set_handler, Call, Cluster};
use super::requests::{self, Check};
use super::sys::{Buf, Conn};
use super::wire::{Read, Reader, Writer};
use super::{configs, describe, groups, members, offsets, topics};
use crate::rdk::raw;

/// Kafka's error codes (org.apache.kafka.common.protocol.Errors).
pub(super) mod code {
    pub const NONE: i16 = 0;
    pub const OFFSET_OUT_OF_RANGE: i16 = 1;
    pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    pub const OFFSET_METADATA_TOO_LARGE: i16 = 12;
    pub const NOT_COORDINATOR: i16 = 16;
    pub const INVALID_TOPIC_EXCEPTION: i16 = 17;
    pub const ILLEGAL_GENERATION: i16 = 22;
    pub const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
    pub const INVALID_GROUP_ID: i16 = 24;
    pub const UNKNOWN_MEMBER_ID: i16 = 25;
    pub const INVALID_SESSION_TIMEOUT: i16 = 26;
    pub const REBALANCE_IN_PROGRESS: i16 = 27;
    pub const TOPIC_ALREADY_EXISTS: i16 = 36;
    pub const INVALID_PARTITIONS: i16 = 37;
    pub const INVALID_REPLICATION_FACTOR: i16 = 38;
    pub const INVALID_REPLICA_ASSIGNMENT: i16 = 39;
    pub const INVALID_CONFIG: i16 = 40;
    pub const INVALID_REQUEST: i16 = 42;
    pub const POLICY_VIOLATION: i16 = 44;
    pub const NON_EMPTY_GROUP: i16 = 68;
    pub const GROUP_ID_NOT_FOUND: i16 = 69;
    pub const GROUP_SUBSCRIBED_TO_TOPIC: i16 = 86;
    pub const UNKNOWN_TOPIC_ID: i16 = 100;
    pub const STALE_MEMBER_EPOCH: i16 = 113;
    pub const INVALID_REGULAR_EXPRESSION: i16 = 128;
}

/// Authorized operations that were not asked for.
pub(super) const NO_OPERATIONS: i32 = i32::MIN;

/// What a handler of ours is told of a request.
pub(super) struct In {
    pub(super) version: i16,
    /// The broker that has received it.
    pub(super) broker: i32,
    /// The error that a test wants for it ([`Mock::push_errors`](super::Mock::push_errors)); nothing is
    /// done then.
    pub(super) error: i16,
}

impl In {
    /// The error that a test wants, or that this broker does not coordinate the group.
    pub(super) fn refused(&self, cluster: &Cluster, group: &str) -> i16 {
        match self.error {
            code::NONE if cluster.coordinator(group) != self.broker => code::NOT_COORDINATOR,
            error => error,
        }
    }
}

/// Reads the request and writes the answer.
type Answer = fn(&mut Cluster, &In, &mut Reader<'_>, &mut Writer) -> Read<()>;

/// Does something before or after librdkafka's own handler.
type Around = fn(&Call, &mut Cluster, &mut Reader<'_>) -> Read<c_int>;

enum How {
    Answer(Answer),
    Around(Around),
    /// librdkafka's own handler serves what can be read.
    Pass(Check),
}

struct Entry {
    api: i16,
    versions: (i16, i16),
    /// The first version with tagged fields; -1: none.
    flexible: i16,
    how: How,
}

const fn answered(api: i16, last: i16, flexible: i16, answer: Answer) -> Entry {
    Entry { api, versions: (0, last), flexible, how: How::Answer(answer) }
}

const fn around(api: i16, last: i16, flexible: i16, around: Around) -> Entry {
    Entry { api, versions: (0, last), flexible, how: How::Around(around) }
}

const fn passed(api: i16, last: i16, flexible: i16, check: Check) -> Entry {
    Entry { api, versions: (0, last), flexible, how: How::Pass(check) }
}

/// The last versions are those that librdkafka's handlers can read: of later ones they read less than
/// their table says (JoinGroup 6, SyncGroup 4, LeaveGroup 3).
const ENTRIES: &[Entry] = &[
    around(0, 10, 9, requests::produce),
    around(1, 16, 12, requests::fetch),
    passed(2, 7, 6, requests::list_offsets),
    around(3, 12, 9, requests::metadata),
    answered(8, 9, 8, offsets::commit),
    answered(9, 9, 6, offsets::fetch),
    passed(10, 3, 3, requests::find_coordinator),
    around(11, 5, -1, members::join),
    passed(12, 5, 4, requests::heartbeat),
    around(13, 2, -1, members::leave),
    around(14, 3, -1, members::sync),
    answered(15, 6, 5, describe::classic),
    answered(16, 5, 3, groups::list),
    answered(19, 7, 5, topics::create),
    answered(20, 6, 4, topics::delete),
    answered(21, 2, 2, topics::delete_records),
    around(22, 4, 2, requests::init_producer_id),
    Entry {
        api: 23,
        versions: (2, 2),
        flexible: -1,
        how: How::Pass(requests::offset_for_leader_epoch),
    },
    passed(24, 1, -1, requests::add_partitions_to_txn),
    passed(25, 1, -1, requests::add_offsets_to_txn),
    passed(26, 1, -1, requests::end_txn),
    passed(28, 3, 3, requests::txn_offset_commit),
    answered(32, 4, 4, configs::describe),
    answered(33, 2, 2, configs::replace),
    answered(37, 3, 2, topics::create_partitions),
    answered(42, 2, 2, groups::delete),
    answered(44, 1, 1, configs::change),
    answered(47, 0, -1, offsets::delete),
    answered(60, 2, 0, describe::cluster),
    Entry { api: 68, versions: (1, 1), flexible: 1, how: How::Around(members::heartbeat) },
    answered(69, 1, 0, describe::modern),
    passed(71, 0, 0, requests::get_telemetry_subscriptions),
    answered(72, 0, 0, requests::push_telemetry),
];

/// Puts the handlers into a cluster's table, and names its controller.
///
/// # Safety
/// The cluster is valid, and nobody knows its ports yet: its thread reads the table at each request.
pub(super) unsafe fn install(cluster: *mut raw::rd_kafka_mock_cluster_t) {
    for entry in ENTRIES {
        // SAFETY: as the caller promises.
        unsafe { set_handler(cluster, entry.api, entry.versions, entry.flexible, handle) }
    }
    // SAFETY: as the caller promises; brokers' ids begin with 1.
    unsafe { set_controller(cluster, 1) }
}

/// What the cluster's thread calls for each request of [`ENTRIES`].
unsafe extern "C" fn handle(conn: Conn, request: Buf) -> c_int {
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: librdkafka calls this with a connection and a request of it.
        let (call, mut cluster) = unsafe { Call::new(conn, request) };
        serve(&call, &mut cluster)
    }))
    .unwrap_or(-1)
}

fn serve(call: &Call, cluster: &mut Cluster) -> c_int {
    let api = call.api();
    let Some(entry) = ENTRIES.iter().find(|entry| entry.api == api) else { return -1 };
    let body = call.body();
    let flexible = call.flexible();
    let mut reader = Reader::new(&body, flexible);
    match entry.how {
        How::Around(around) => around(call, cluster, &mut reader).unwrap_or(-1),
        How::Pass(check) => requests::pass(check, call, cluster, &mut reader).unwrap_or(-1),
        How::Answer(answer) => {
            let (version, broker) = (call.version(), call.broker());
            call.answer(|error| {
                let mut writer = Writer::new(flexible);
                let input = In { version, broker, error };
                answer(cluster, &input, &mut reader, &mut writer).ok()?;
                writer.tags();
                Some(writer.finish())
            })
        }
    }
}
