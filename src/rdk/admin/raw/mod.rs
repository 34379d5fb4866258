//! librdkafka's admin interface, declared for the folder above.
//!
//! Not the bindings' declarations: those have Rust enums where a broker's answer may have a number
//! that this release has no name for (an error code, an operation, the source of a value). Here
//! every enum is a `c_int`, and what librdkafka keeps to itself is opaque.
#![allow(non_camel_case_types)]

mod access;
mod cluster;

use libc::{c_char, c_int};

pub use super::super::raw::{
    list_t, rd_kafka_error_code, rd_kafka_error_is_fatal, rd_kafka_error_is_retriable,
    rd_kafka_error_string, rd_kafka_error_t, rd_kafka_event_destroy, rd_kafka_event_error,
    rd_kafka_event_error_string, rd_kafka_event_t, rd_kafka_queue_poll, rd_kafka_queue_t,
    rd_kafka_t, topic_partition_t,
};
pub use access::*;
pub use cluster::*;

/// Declares types of which only pointers are used.
macro_rules! opaque {
    ($($name:ident)*) => {
        $(
            #[repr(C)]
            pub struct $name {
                _private: [u8; 0],
            }
        )*
    };
}

opaque! {
    AdminOptions
    topic_result
    group_result
    topic_partition_result
    NewTopic
    CreateTopics_result
    DeleteTopic
    DeleteTopics_result
    NewPartitions
    CreatePartitions_result
    ConfigEntry
    ConfigResource
    AlterConfigs_result
    IncrementalAlterConfigs_result
    DescribeConfigs_result
    DeleteRecords
    DeleteRecords_result
    TopicCollection
    DescribeTopics_result
    TopicDescription
    TopicPartitionInfo
    Node
    Uuid
    DescribeCluster_result
    ConsumerGroupListing
    ListConsumerGroups_result
    DescribeConsumerGroups_result
    ConsumerGroupDescription
    MemberDescription
    MemberAssignment
    DeleteGroup
    DeleteGroups_result
    ListConsumerGroupOffsets
    ListConsumerGroupOffsets_result
    AlterConsumerGroupOffsets
    AlterConsumerGroupOffsets_result
    DeleteConsumerGroupOffsets
    DeleteConsumerGroupOffsets_result
    ListOffsetsResultInfo
    ListOffsets_result
    ScramCredentialInfo
    UserScramCredentialsDescription
    DescribeUserScramCredentials_result
    UserScramCredentialAlteration
    AlterUserScramCredentials_result_response
    AlterUserScramCredentials_result
    acl_result
    AclBinding
    CreateAcls_result
    DescribeAcls_result
    DeleteAcls_result
    DeleteAcls_result_response
    ElectLeaders
    ElectLeaders_result
}

extern "C" {
    pub fn rd_kafka_AdminOptions_new(rk: *mut rd_kafka_t, for_api: c_int) -> *mut AdminOptions;
    pub fn rd_kafka_AdminOptions_destroy(options: *mut AdminOptions);
    pub fn rd_kafka_AdminOptions_set_broker(
        options: *mut AdminOptions,
        broker: i32,
        text: *mut c_char,
        size: usize,
    ) -> c_int;
    pub fn rd_kafka_AdminOptions_set_request_timeout(
        options: *mut AdminOptions,
        timeout_ms: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> c_int;
    pub fn rd_kafka_AdminOptions_set_operation_timeout(
        options: *mut AdminOptions,
        timeout_ms: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> c_int;
    pub fn rd_kafka_AdminOptions_set_validate_only(
        options: *mut AdminOptions,
        true_or_false: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> c_int;
    pub fn rd_kafka_AdminOptions_set_require_stable_offsets(
        options: *mut AdminOptions,
        true_or_false: c_int,
    ) -> *mut rd_kafka_error_t;
    pub fn rd_kafka_AdminOptions_set_include_authorized_operations(
        options: *mut AdminOptions,
        true_or_false: c_int,
    ) -> *mut rd_kafka_error_t;
    pub fn rd_kafka_AdminOptions_set_match_consumer_group_states(
        options: *mut AdminOptions,
        consumer_group_states: *const c_int,
        consumer_group_states_cnt: usize,
    ) -> *mut rd_kafka_error_t;
    pub fn rd_kafka_AdminOptions_set_match_consumer_group_types(
        options: *mut AdminOptions,
        consumer_group_types: *const c_int,
        consumer_group_types_cnt: usize,
    ) -> *mut rd_kafka_error_t;
    pub fn rd_kafka_AdminOptions_set_isolation_level(
        options: *mut AdminOptions,
        value: c_int,
    ) -> *mut rd_kafka_error_t;
    pub fn rd_kafka_topic_result_error(topicres: *const topic_result) -> c_int;
    pub fn rd_kafka_topic_result_error_string(topicres: *const topic_result) -> *const c_char;
    pub fn rd_kafka_topic_result_name(topicres: *const topic_result) -> *const c_char;
    pub fn rd_kafka_group_result_error(groupres: *const group_result) -> *const rd_kafka_error_t;
    pub fn rd_kafka_group_result_name(groupres: *const group_result) -> *const c_char;
    pub fn rd_kafka_group_result_partitions(groupres: *const group_result) -> *const list_t;
    pub fn rd_kafka_topic_partition_result_partition(
        partition_result: *const topic_partition_result,
    ) -> *const topic_partition_t;
    pub fn rd_kafka_topic_partition_result_error(
        partition_result: *const topic_partition_result,
    ) -> *const rd_kafka_error_t;
}
