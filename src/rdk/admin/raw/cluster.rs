//! Declarations for topics, configuration, records, offsets, elections and the cluster.

use libc::{c_char, c_int};

use super::*;

extern "C" {
    pub fn rd_kafka_NewTopic_new(
        topic: *const c_char,
        num_partitions: c_int,
        replication_factor: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> *mut NewTopic;
    pub fn rd_kafka_NewTopic_destroy(new_topic: *mut NewTopic);
    pub fn rd_kafka_NewTopic_set_replica_assignment(
        new_topic: *mut NewTopic,
        partition: i32,
        broker_ids: *mut i32,
        broker_id_cnt: usize,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> c_int;
    pub fn rd_kafka_NewTopic_set_config(
        new_topic: *mut NewTopic,
        name: *const c_char,
        value: *const c_char,
    ) -> c_int;
    pub fn rd_kafka_CreateTopics(
        rk: *mut rd_kafka_t,
        new_topics: *mut *mut NewTopic,
        new_topic_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_CreateTopics_result_topics(
        result: *const CreateTopics_result,
        cntp: *mut usize,
    ) -> *mut *const topic_result;
    pub fn rd_kafka_DeleteTopic_new(topic: *const c_char) -> *mut DeleteTopic;
    pub fn rd_kafka_DeleteTopic_destroy(del_topic: *mut DeleteTopic);
    pub fn rd_kafka_DeleteTopics(
        rk: *mut rd_kafka_t,
        del_topics: *mut *mut DeleteTopic,
        del_topic_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DeleteTopics_result_topics(
        result: *const DeleteTopics_result,
        cntp: *mut usize,
    ) -> *mut *const topic_result;
    pub fn rd_kafka_NewPartitions_new(
        topic: *const c_char,
        new_total_cnt: usize,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> *mut NewPartitions;
    pub fn rd_kafka_NewPartitions_destroy(new_parts: *mut NewPartitions);
    pub fn rd_kafka_NewPartitions_set_replica_assignment(
        new_parts: *mut NewPartitions,
        new_partition_idx: i32,
        broker_ids: *mut i32,
        broker_id_cnt: usize,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> c_int;
    pub fn rd_kafka_CreatePartitions(
        rk: *mut rd_kafka_t,
        new_parts: *mut *mut NewPartitions,
        new_parts_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_CreatePartitions_result_topics(
        result: *const CreatePartitions_result,
        cntp: *mut usize,
    ) -> *mut *const topic_result;
    pub fn rd_kafka_ConfigEntry_name(entry: *const ConfigEntry) -> *const c_char;
    pub fn rd_kafka_ConfigEntry_value(entry: *const ConfigEntry) -> *const c_char;
    pub fn rd_kafka_ConfigEntry_source(entry: *const ConfigEntry) -> c_int;
    pub fn rd_kafka_ConfigEntry_is_read_only(entry: *const ConfigEntry) -> c_int;
    pub fn rd_kafka_ConfigEntry_is_default(entry: *const ConfigEntry) -> c_int;
    pub fn rd_kafka_ConfigEntry_is_sensitive(entry: *const ConfigEntry) -> c_int;
    pub fn rd_kafka_ConfigEntry_synonyms(
        entry: *const ConfigEntry,
        cntp: *mut usize,
    ) -> *mut *const ConfigEntry;
    pub fn rd_kafka_ConfigResource_new(
        restype: c_int,
        resname: *const c_char,
    ) -> *mut ConfigResource;
    pub fn rd_kafka_ConfigResource_destroy(config: *mut ConfigResource);
    pub fn rd_kafka_ConfigResource_set_config(
        config: *mut ConfigResource,
        name: *const c_char,
        value: *const c_char,
    ) -> c_int;
    pub fn rd_kafka_ConfigResource_add_incremental_config(
        config: *mut ConfigResource,
        name: *const c_char,
        op_type: c_int,
        value: *const c_char,
    ) -> *mut rd_kafka_error_t;
    pub fn rd_kafka_ConfigResource_configs(
        config: *const ConfigResource,
        cntp: *mut usize,
    ) -> *mut *const ConfigEntry;
    pub fn rd_kafka_ConfigResource_name(config: *const ConfigResource) -> *const c_char;
    pub fn rd_kafka_ConfigResource_error(config: *const ConfigResource) -> c_int;
    pub fn rd_kafka_ConfigResource_error_string(config: *const ConfigResource) -> *const c_char;
    pub fn rd_kafka_AlterConfigs(
        rk: *mut rd_kafka_t,
        configs: *mut *mut ConfigResource,
        config_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_AlterConfigs_result_resources(
        result: *const AlterConfigs_result,
        cntp: *mut usize,
    ) -> *mut *const ConfigResource;
    pub fn rd_kafka_IncrementalAlterConfigs(
        rk: *mut rd_kafka_t,
        configs: *mut *mut ConfigResource,
        config_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_IncrementalAlterConfigs_result_resources(
        result: *const IncrementalAlterConfigs_result,
        cntp: *mut usize,
    ) -> *mut *const ConfigResource;
    pub fn rd_kafka_DescribeConfigs(
        rk: *mut rd_kafka_t,
        configs: *mut *mut ConfigResource,
        config_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DescribeConfigs_result_resources(
        result: *const DescribeConfigs_result,
        cntp: *mut usize,
    ) -> *mut *const ConfigResource;
    pub fn rd_kafka_DeleteRecords_new(before_offsets: *const list_t) -> *mut DeleteRecords;
    pub fn rd_kafka_DeleteRecords_destroy(del_records: *mut DeleteRecords);
    pub fn rd_kafka_DeleteRecords(
        rk: *mut rd_kafka_t,
        del_records: *mut *mut DeleteRecords,
        del_record_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DeleteRecords_result_offsets(
        result: *const DeleteRecords_result,
    ) -> *const list_t;
    pub fn rd_kafka_TopicCollection_of_topic_names(
        topics: *mut *const c_char,
        topics_cnt: usize,
    ) -> *mut TopicCollection;
    pub fn rd_kafka_TopicCollection_destroy(topics: *mut TopicCollection);
    pub fn rd_kafka_DescribeTopics(
        rk: *mut rd_kafka_t,
        topics: *const TopicCollection,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DescribeTopics_result_topics(
        result: *const DescribeTopics_result,
        cntp: *mut usize,
    ) -> *mut *const TopicDescription;
    pub fn rd_kafka_TopicDescription_partitions(
        topicdesc: *const TopicDescription,
        cntp: *mut usize,
    ) -> *mut *const TopicPartitionInfo;
    pub fn rd_kafka_TopicPartitionInfo_partition(partition: *const TopicPartitionInfo) -> c_int;
    pub fn rd_kafka_TopicPartitionInfo_leader(partition: *const TopicPartitionInfo) -> *const Node;
    pub fn rd_kafka_TopicPartitionInfo_isr(
        partition: *const TopicPartitionInfo,
        cntp: *mut usize,
    ) -> *mut *const Node;
    pub fn rd_kafka_TopicPartitionInfo_replicas(
        partition: *const TopicPartitionInfo,
        cntp: *mut usize,
    ) -> *mut *const Node;
    pub fn rd_kafka_TopicDescription_authorized_operations(
        topicdesc: *const TopicDescription,
        cntp: *mut usize,
    ) -> *const c_int;
    pub fn rd_kafka_TopicDescription_name(topicdesc: *const TopicDescription) -> *const c_char;
    pub fn rd_kafka_TopicDescription_topic_id(topicdesc: *const TopicDescription) -> *const Uuid;
    pub fn rd_kafka_TopicDescription_is_internal(topicdesc: *const TopicDescription) -> c_int;
    pub fn rd_kafka_TopicDescription_error(
        topicdesc: *const TopicDescription,
    ) -> *const rd_kafka_error_t;
    pub fn rd_kafka_DescribeCluster(
        rk: *mut rd_kafka_t,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DescribeCluster_result_nodes(
        result: *const DescribeCluster_result,
        cntp: *mut usize,
    ) -> *mut *const Node;
    pub fn rd_kafka_DescribeCluster_result_authorized_operations(
        result: *const DescribeCluster_result,
        cntp: *mut usize,
    ) -> *const c_int;
    pub fn rd_kafka_DescribeCluster_result_controller(
        result: *const DescribeCluster_result,
    ) -> *const Node;
    pub fn rd_kafka_DescribeCluster_result_cluster_id(
        result: *const DescribeCluster_result,
    ) -> *const c_char;
    pub fn rd_kafka_Node_id(node: *const Node) -> c_int;
    pub fn rd_kafka_Node_host(node: *const Node) -> *const c_char;
    pub fn rd_kafka_Node_port(node: *const Node) -> u16;
    pub fn rd_kafka_Node_rack(node: *const Node) -> *const c_char;
    pub fn rd_kafka_Uuid_base64str(uuid: *const Uuid) -> *const c_char;
    pub fn rd_kafka_ListOffsetsResultInfo_topic_partition(
        result_info: *const ListOffsetsResultInfo,
    ) -> *const topic_partition_t;
    pub fn rd_kafka_ListOffsetsResultInfo_timestamp(
        result_info: *const ListOffsetsResultInfo,
    ) -> i64;
    pub fn rd_kafka_ListOffsets_result_infos(
        result: *const ListOffsets_result,
        cntp: *mut usize,
    ) -> *mut *const ListOffsetsResultInfo;
    pub fn rd_kafka_ListOffsets(
        rk: *mut rd_kafka_t,
        topic_partitions: *mut list_t,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_ElectLeaders_new(
        election_type: c_int,
        partitions: *mut list_t,
    ) -> *mut ElectLeaders;
    pub fn rd_kafka_ElectLeaders_destroy(elect_leaders: *mut ElectLeaders);
    pub fn rd_kafka_ElectLeaders(
        rk: *mut rd_kafka_t,
        elect_leaders: *mut ElectLeaders,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_ElectLeaders_result_partitions(
        result: *const ElectLeaders_result,
        cntp: *mut usize,
    ) -> *mut *const topic_partition_result;
    pub fn rd_kafka_event_CreateTopics_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const CreateTopics_result;
    pub fn rd_kafka_event_DeleteTopics_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DeleteTopics_result;
    pub fn rd_kafka_event_CreatePartitions_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const CreatePartitions_result;
    pub fn rd_kafka_event_AlterConfigs_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const AlterConfigs_result;
    pub fn rd_kafka_event_IncrementalAlterConfigs_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const IncrementalAlterConfigs_result;
    pub fn rd_kafka_event_DescribeConfigs_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DescribeConfigs_result;
    pub fn rd_kafka_event_DeleteRecords_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DeleteRecords_result;
    pub fn rd_kafka_event_DescribeTopics_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DescribeTopics_result;
    pub fn rd_kafka_event_DescribeCluster_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DescribeCluster_result;
    pub fn rd_kafka_event_ListOffsets_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const ListOffsets_result;
    pub fn rd_kafka_event_ElectLeaders_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const ElectLeaders_result;
}
