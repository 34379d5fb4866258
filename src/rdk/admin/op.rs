//! The operations: librdkafka's numbers, and how long it may take for each.

use crate::rdk::again::LONGEST;

/// The least time that librdkafka is given to look leaders up, in milliseconds.
const LEADERS: i32 = 10_000;

/// librdkafka's numbers of the operations (`rd_kafka_admin_op_t`).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Op {
    CreateTopics = 1,
    DeleteTopics = 2,
    CreatePartitions = 3,
    AlterConfigs = 4,
    DescribeConfigs = 5,
    DeleteRecords = 6,
    DeleteGroups = 7,
    DeleteConsumerGroupOffsets = 8,
    CreateAcls = 9,
    DescribeAcls = 10,
    DeleteAcls = 11,
    ListConsumerGroups = 12,
    DescribeConsumerGroups = 13,
    ListConsumerGroupOffsets = 14,
    AlterConsumerGroupOffsets = 15,
    IncrementalAlterConfigs = 16,
    DescribeUserScramCredentials = 17,
    AlterUserScramCredentials = 18,
    DescribeTopics = 19,
    DescribeCluster = 20,
    ListOffsets = 21,
    ElectLeaders = 22,
}

impl Op {
    /// Whether the request goes to a group's coordinator, which has to be found first.
    ///
    /// librdkafka (2.12.1) may not end such a request by itself: it goes on waiting for the
    /// coordinator, and when that comes up, be it minutes later, it uses memory that went with the
    /// request (`rd_kafka_admin_coord_request` and, after it, `rd_kafka_admin_coord_response_parse`
    /// both drop the one reference that is left). So its time limit is far away, and ours ends the
    /// wait.
    fn asks_coordinator(self) -> bool {
        use Op::*;
        matches!(
            self,
            DescribeConsumerGroups | ListConsumerGroupOffsets | AlterConsumerGroupOffsets
        )
    }

    /// Whether the leaders of partitions are looked up first.
    ///
    /// librdkafka (2.12.1) begins that look-up in the thread that asks, but its time limit ends it
    /// in librdkafka's own thread. A limit of a few milliseconds ends it while it is being begun,
    /// and both threads go on with what one of them has freed
    /// (`rd_kafka_topic_partition_list_query_leaders_async`). So the limit is never near.
    fn asks_leaders(self) -> bool {
        matches!(self, Op::DeleteRecords | Op::ListOffsets)
    }

    /// The time that librdkafka is given for the request, if the caller has `left`.
    pub(super) fn limit(self, left: i32) -> i32 {
        if self.asks_coordinator() {
            LONGEST
        } else if self.asks_leaders() {
            left.max(LEADERS)
        } else {
            left
        }
    }

    /// Whether librdkafka's time for the request may be longer than the caller's.
    pub(super) fn ends_late(self) -> bool {
        self.asks_coordinator() || self.asks_leaders()
    }

    /// Whether the broker waits for something, and is told how long.
    pub(super) fn waits_on_broker(self) -> bool {
        use Op::*;
        matches!(
            self,
            CreateTopics
                | DeleteTopics
                | CreatePartitions
                | DeleteRecords
                | ListOffsets
                | ElectLeaders
        )
    }
}
