//! What of librdkafka's C interface this room calls, in one place.
//!
//! The bindings of `rdkafka-sys` declare `rd_kafka_resp_err_t` as a Rust enum.
//! An error code comes from the network and may be one that this release of
//! librdkafka has no name for; a Rust enum holding it would be undefined
//! behaviour. Functions and structures that carry a code are therefore declared
//! here once more, with the code as `c_int`; everything else is the bindings'.
#![allow(non_camel_case_types)]

use libc::{c_char, c_int, c_void};

pub use rdkafka::bindings::{
    rd_kafka_abort_transaction, rd_kafka_assignment_lost, rd_kafka_begin_transaction,
    rd_kafka_brokers_add, rd_kafka_clusterid, rd_kafka_commit_transaction, rd_kafka_conf_destroy,
    rd_kafka_conf_dump, rd_kafka_conf_dump_free, rd_kafka_conf_dup,
    rd_kafka_conf_enable_sasl_queue, rd_kafka_conf_get, rd_kafka_conf_get_default_topic_conf,
    rd_kafka_conf_new, rd_kafka_conf_properties_show, rd_kafka_conf_res_t, rd_kafka_conf_set,
    rd_kafka_conf_set_default_topic_conf, rd_kafka_conf_set_error_cb, rd_kafka_conf_set_events,
    rd_kafka_conf_set_log_cb, rd_kafka_conf_set_opaque, rd_kafka_conf_set_throttle_cb,
    rd_kafka_conf_t, rd_kafka_consume_start, rd_kafka_consume_start_queue, rd_kafka_consume_stop,
    rd_kafka_consumer_close_queue, rd_kafka_consumer_closed, rd_kafka_consumer_group_metadata,
    rd_kafka_consumer_group_metadata_destroy, rd_kafka_consumer_group_metadata_generation_id,
    rd_kafka_consumer_group_metadata_group_id, rd_kafka_consumer_group_metadata_group_instance_id,
    rd_kafka_consumer_group_metadata_member_id, rd_kafka_consumer_group_metadata_read,
    rd_kafka_consumer_group_metadata_t, rd_kafka_consumer_group_metadata_write,
    rd_kafka_controllerid, rd_kafka_destroy_flags, rd_kafka_error_destroy, rd_kafka_error_is_fatal,
    rd_kafka_error_is_retriable, rd_kafka_error_string, rd_kafka_error_t,
    rd_kafka_error_txn_requires_abort, rd_kafka_event_config_string, rd_kafka_event_destroy,
    rd_kafka_event_error_is_fatal, rd_kafka_event_error_string, rd_kafka_event_message_count,
    rd_kafka_event_stats, rd_kafka_event_t, rd_kafka_event_type, rd_kafka_headers_destroy,
    rd_kafka_headers_new, rd_kafka_headers_t, rd_kafka_incremental_assign,
    rd_kafka_incremental_unassign, rd_kafka_init_transactions, rd_kafka_mem_free,
    rd_kafka_mem_malloc, rd_kafka_memberid, rd_kafka_mock_clear_request_errors,
    rd_kafka_mock_clear_requests, rd_kafka_mock_cluster_bootstraps, rd_kafka_mock_cluster_destroy,
    rd_kafka_mock_cluster_new, rd_kafka_mock_cluster_t, rd_kafka_mock_get_requests,
    rd_kafka_mock_group_initial_rebalance_delay_ms, rd_kafka_mock_request_api_key,
    rd_kafka_mock_request_destroy_array, rd_kafka_mock_request_id, rd_kafka_mock_request_timestamp,
    rd_kafka_mock_set_group_consumer_heartbeat_interval_ms,
    rd_kafka_mock_set_group_consumer_session_timeout_ms, rd_kafka_mock_start_request_tracking,
    rd_kafka_mock_stop_request_tracking, rd_kafka_msg_partitioner_consistent,
    rd_kafka_msg_partitioner_fnv1a, rd_kafka_msg_partitioner_murmur2, rd_kafka_name, rd_kafka_new,
    rd_kafka_opaque, rd_kafka_outq_len, rd_kafka_produce, rd_kafka_produceva,
    rd_kafka_queue_cb_event_enable, rd_kafka_queue_destroy, rd_kafka_queue_forward,
    rd_kafka_queue_get_consumer, rd_kafka_queue_get_main, rd_kafka_queue_get_partition,
    rd_kafka_queue_get_sasl, rd_kafka_queue_length, rd_kafka_queue_new, rd_kafka_queue_poll,
    rd_kafka_queue_t, rd_kafka_rebalance_protocol, rd_kafka_sasl_background_callbacks_enable,
    rd_kafka_sasl_set_credentials, rd_kafka_seek_partitions, rd_kafka_send_offsets_to_transaction,
    rd_kafka_set_log_level, rd_kafka_t, rd_kafka_topic_conf_destroy, rd_kafka_topic_conf_dump,
    rd_kafka_topic_conf_dup, rd_kafka_topic_conf_get, rd_kafka_topic_conf_new,
    rd_kafka_topic_conf_set, rd_kafka_topic_conf_t, rd_kafka_topic_destroy, rd_kafka_topic_name,
    rd_kafka_topic_new, rd_kafka_topic_t, rd_kafka_type_t, rd_kafka_version_str, rd_kafka_vtype_t,
    rd_kafka_vu_s, rd_kafka_vu_s__bindgen_ty_1, rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1,
};

/// `rd_kafka_message_t`, its code as a number.
#[repr(C)]
#[derive(Copy, Clone)]
pub struct message_t {
    pub err: c_int,
    pub rkt: *mut rd_kafka_topic_t,
    pub partition: i32,
    pub payload: *mut c_void,
    pub len: usize,
    pub key: *mut c_void,
    pub key_len: usize,
    pub offset: i64,
    pub _private: *mut c_void,
}

/// `rd_kafka_topic_partition_t`, its code as a number.
#[repr(C)]
#[derive(Copy, Clone)]
pub struct topic_partition_t {
    pub topic: *mut c_char,
    pub partition: i32,
    pub offset: i64,
    pub metadata: *mut c_void,
    pub metadata_size: usize,
    pub opaque: *mut c_void,
    pub err: c_int,
    pub _private: *mut c_void,
}

/// `rd_kafka_topic_partition_list_t` over [`topic_partition_t`].
#[repr(C)]
pub struct list_t {
    pub cnt: c_int,
    pub size: c_int,
    pub elems: *mut topic_partition_t,
}

/// The bindings' name of [`list_t`], for those of its functions used from there.
pub type bound_list_t = rdkafka::bindings::rd_kafka_topic_partition_list_t;

/// `struct rd_kafka_metadata_broker`.
#[repr(C)]
pub struct metadata_broker {
    pub id: i32,
    pub host: *mut c_char,
    pub port: c_int,
}

/// `struct rd_kafka_metadata_partition`.
#[repr(C)]
pub struct metadata_partition {
    pub id: i32,
    pub err: c_int,
    pub leader: i32,
    pub replica_cnt: c_int,
    pub replicas: *mut i32,
    pub isr_cnt: c_int,
    pub isrs: *mut i32,
}

/// `struct rd_kafka_metadata_topic`.
#[repr(C)]
pub struct metadata_topic {
    pub topic: *mut c_char,
    pub partition_cnt: c_int,
    pub partitions: *mut metadata_partition,
    pub err: c_int,
}

/// `struct rd_kafka_metadata`.
#[repr(C)]
pub struct metadata {
    pub broker_cnt: c_int,
    pub brokers: *mut metadata_broker,
    pub topic_cnt: c_int,
    pub topics: *mut metadata_topic,
    pub orig_broker_id: i32,
    pub orig_broker_name: *mut c_char,
}

/// `struct rd_kafka_err_desc`.
#[repr(C)]
pub struct err_desc {
    pub code: c_int,
    pub name: *const c_char,
    pub desc: *const c_char,
}

/// A commit's completion callback; always absent here, the event is used.
pub type commit_cb = Option<unsafe extern "C" fn(*mut rd_kafka_t, c_int, *mut list_t, *mut c_void)>;

/// `_RK_GLOBAL`
pub const GLOBAL: c_int = 1;
/// `rd_kafka_interceptor_f_on_new_t`
pub type on_new = unsafe extern "C" fn(
    rk: *mut rd_kafka_t,
    conf: *const rd_kafka_conf_t,
    opaque: *mut c_void,
    text: *mut c_char,
    size: usize,
) -> c_int;
/// `rd_kafka_interceptor_f_on_response_received_t`
pub type on_response_received = unsafe extern "C" fn(
    rk: *mut rd_kafka_t,
    socket: c_int,
    broker: *const c_char,
    broker_id: i32,
    api: i16,
    version: i16,
    correlation: i32,
    size: usize,
    rtt: i64,
    error: c_int,
    opaque: *mut c_void,
) -> c_int;
/// `rd_kafka_interceptor_f_on_broker_state_change_t`
pub type on_broker_state_change = unsafe extern "C" fn(
    rk: *mut rd_kafka_t,
    id: i32,
    protocol: *const c_char,
    name: *const c_char,
    port: c_int,
    state: *const c_char,
    opaque: *mut c_void,
) -> c_int;

extern "C" {
    pub fn rd_kafka_conf_interceptor_add_on_new(
        conf: *mut rd_kafka_conf_t,
        name: *const c_char,
        on_new: Option<on_new>,
        opaque: *mut c_void,
    ) -> c_int;
    pub fn rd_kafka_interceptor_add_on_response_received(
        rk: *mut rd_kafka_t,
        name: *const c_char,
        on_response_received: Option<on_response_received>,
        opaque: *mut c_void,
    ) -> c_int;
    pub fn rd_kafka_interceptor_add_on_broker_state_change(
        rk: *mut rd_kafka_t,
        name: *const c_char,
        on_broker_state_change: Option<on_broker_state_change>,
        opaque: *mut c_void,
    ) -> c_int;
    /// librdkafka's own: gives a configuration empty lists of interceptors, without a look at what it
    /// has; the scope is [`GLOBAL`].
    pub fn rd_kafka_conf_interceptor_ctor(scope: c_int, conf: *mut c_void);
    // The bindings leave it out.
    pub fn rd_kafka_conf_set_resolve_cb(
        conf: *mut rd_kafka_conf_t,
        resolve_cb: Option<
            unsafe extern "C" fn(
                node: *const c_char,
                service: *const c_char,
                hints: *const libc::addrinfo,
                result: *mut *mut libc::addrinfo,
                opaque: *mut c_void,
            ) -> c_int,
        >,
    );
    // OpenSSL, which librdkafka has linked in.
    pub fn X509_get_default_cert_file() -> *const c_char;
    pub fn X509_get_default_cert_dir() -> *const c_char;

    pub fn rd_kafka_get_err_descs(descs: *mut *const err_desc, cnt: *mut usize);
    pub fn rd_kafka_err2str(err: c_int) -> *const c_char;
    #[cfg(test)]
    pub fn rd_kafka_err2name(err: c_int) -> *const c_char;
    pub fn rd_kafka_last_error() -> c_int;
    pub fn rd_kafka_error_code(error: *const rd_kafka_error_t) -> c_int;
    pub fn rd_kafka_fatal_error(rk: *mut rd_kafka_t, buf: *mut c_char, size: usize) -> c_int;
    #[cfg(test)]
    pub fn rd_kafka_test_fatal_error(
        rk: *mut rd_kafka_t,
        err: c_int,
        reason: *const c_char,
    ) -> c_int;

    pub fn rd_kafka_topic_partition_list_new(size: c_int) -> *mut list_t;
    pub fn rd_kafka_topic_partition_list_destroy(list: *mut list_t);
    pub fn rd_kafka_topic_partition_list_copy(list: *const list_t) -> *mut list_t;
    pub fn rd_kafka_topic_partition_list_add(
        list: *mut list_t,
        topic: *const c_char,
        partition: i32,
    ) -> *mut topic_partition_t;
    pub fn rd_kafka_topic_partition_list_find(
        list: *const list_t,
        topic: *const c_char,
        partition: i32,
    ) -> *mut topic_partition_t;
    pub fn rd_kafka_topic_partition_list_sort(
        list: *mut list_t,
        cmp: Option<unsafe extern "C" fn(*const c_void, *const c_void, *mut c_void) -> c_int>,
        opaque: *mut c_void,
    );
    pub fn rd_kafka_topic_partition_get_leader_epoch(elem: *const topic_partition_t) -> i32;
    pub fn rd_kafka_topic_partition_set_leader_epoch(elem: *mut topic_partition_t, epoch: i32);
    pub fn rd_kafka_topic_partition_destroy(elem: *mut topic_partition_t);

    pub fn rd_kafka_header_add(
        headers: *mut rd_kafka_headers_t,
        name: *const c_char,
        name_size: isize,
        value: *const c_void,
        value_size: isize,
    ) -> c_int;
    pub fn rd_kafka_header_get_all(
        headers: *const rd_kafka_headers_t,
        index: usize,
        name: *mut *const c_char,
        value: *mut *const c_void,
        size: *mut usize,
    ) -> c_int;

    pub fn rd_kafka_message_headers(
        message: *const message_t,
        headers: *mut *mut rd_kafka_headers_t,
    ) -> c_int;
    pub fn rd_kafka_message_timestamp(message: *const message_t, kind: *mut c_int) -> i64;
    pub fn rd_kafka_message_leader_epoch(message: *const message_t) -> i32;
    pub fn rd_kafka_message_broker_id(message: *const message_t) -> i32;
    pub fn rd_kafka_message_produce_errstr(message: *const message_t) -> *const c_char;
    pub fn rd_kafka_message_destroy(message: *mut message_t);
    pub fn rd_kafka_produce_batch(
        topic: *mut rd_kafka_topic_t,
        partition: i32,
        flags: c_int,
        messages: *mut message_t,
        count: c_int,
    ) -> c_int;

    pub fn rd_kafka_event_error(event: *mut rd_kafka_event_t) -> c_int;
    pub fn rd_kafka_event_message_next(event: *mut rd_kafka_event_t) -> *const message_t;
    pub fn rd_kafka_event_topic_partition_list(event: *mut rd_kafka_event_t) -> *mut list_t;
    pub fn rd_kafka_event_topic_partition(event: *mut rd_kafka_event_t) -> *mut topic_partition_t;

    pub fn rd_kafka_flush(rk: *mut rd_kafka_t, timeout_ms: c_int) -> c_int;
    pub fn rd_kafka_purge(rk: *mut rd_kafka_t, flags: c_int) -> c_int;
    pub fn rd_kafka_metadata(
        rk: *mut rd_kafka_t,
        all_topics: c_int,
        only: *mut rd_kafka_topic_t,
        result: *mut *const metadata,
        timeout_ms: c_int,
    ) -> c_int;
    pub fn rd_kafka_metadata_destroy(metadata: *const metadata);
    pub fn rd_kafka_query_watermark_offsets(
        rk: *mut rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
        timeout_ms: c_int,
    ) -> c_int;
    pub fn rd_kafka_get_watermark_offsets(
        rk: *mut rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
    ) -> c_int;
    pub fn rd_kafka_offsets_for_times(
        rk: *mut rd_kafka_t,
        list: *mut list_t,
        timeout_ms: c_int,
    ) -> c_int;

    pub fn rd_kafka_subscribe(rk: *mut rd_kafka_t, list: *const list_t) -> c_int;
    pub fn rd_kafka_unsubscribe(rk: *mut rd_kafka_t) -> c_int;
    pub fn rd_kafka_subscription(rk: *mut rd_kafka_t, list: *mut *mut list_t) -> c_int;
    pub fn rd_kafka_assign(rk: *mut rd_kafka_t, list: *const list_t) -> c_int;
    pub fn rd_kafka_assignment(rk: *mut rd_kafka_t, list: *mut *mut list_t) -> c_int;
    pub fn rd_kafka_position(rk: *mut rd_kafka_t, list: *mut list_t) -> c_int;
    pub fn rd_kafka_committed(rk: *mut rd_kafka_t, list: *mut list_t, timeout_ms: c_int) -> c_int;
    pub fn rd_kafka_commit(rk: *mut rd_kafka_t, list: *const list_t, async_: c_int) -> c_int;
    pub fn rd_kafka_commit_queue(
        rk: *mut rd_kafka_t,
        list: *const list_t,
        queue: *mut rd_kafka_queue_t,
        cb: commit_cb,
        opaque: *mut c_void,
    ) -> c_int;
    pub fn rd_kafka_offsets_store(rk: *mut rd_kafka_t, list: *mut list_t) -> c_int;
    pub fn rd_kafka_pause_partitions(rk: *mut rd_kafka_t, list: *mut list_t) -> c_int;
    pub fn rd_kafka_resume_partitions(rk: *mut rd_kafka_t, list: *mut list_t) -> c_int;
    pub fn rd_kafka_seek(
        topic: *mut rd_kafka_topic_t,
        partition: i32,
        offset: i64,
        timeout_ms: c_int,
    ) -> c_int;
    pub fn rd_kafka_offset_store(
        topic: *mut rd_kafka_topic_t,
        partition: i32,
        offset: i64,
    ) -> c_int;

    pub fn rd_kafka_oauthbearer_set_token(
        rk: *mut rd_kafka_t,
        token: *const c_char,
        lifetime_ms: i64,
        principal: *const c_char,
        extensions: *mut *const c_char,
        extension_size: usize,
        buf: *mut c_char,
        buf_size: usize,
    ) -> c_int;
    pub fn rd_kafka_oauthbearer_set_token_failure(
        rk: *mut rd_kafka_t,
        reason: *const c_char,
    ) -> c_int;

    pub fn rd_kafka_mock_push_request_errors_array(
        cluster: *mut rd_kafka_mock_cluster_t,
        api: i16,
        count: usize,
        errors: *const c_int,
    );
    pub fn rd_kafka_mock_topic_set_error(
        cluster: *mut rd_kafka_mock_cluster_t,
        topic: *const c_char,
        err: c_int,
    );
    pub fn rd_kafka_mock_topic_create(
        cluster: *mut rd_kafka_mock_cluster_t,
        topic: *const c_char,
        partitions: c_int,
        replication: c_int,
    ) -> c_int;
    pub fn rd_kafka_mock_partition_set_leader(
        cluster: *mut rd_kafka_mock_cluster_t,
        topic: *const c_char,
        partition: i32,
        broker: i32,
    ) -> c_int;
    pub fn rd_kafka_mock_broker_set_rtt(
        cluster: *mut rd_kafka_mock_cluster_t,
        broker: i32,
        ms: c_int,
    ) -> c_int;
    pub fn rd_kafka_mock_coordinator_set(
        cluster: *mut rd_kafka_mock_cluster_t,
        kind: *const c_char,
        key: *const c_char,
        broker: i32,
    ) -> c_int;
}

pub const NO_CONSUMER_CLOSE: c_int = 8;
pub const MSG_F_COPY: c_int = 2;
pub const PURGE_F_QUEUE: c_int = 1;
pub const PURGE_F_INFLIGHT: c_int = 2;
pub const PURGE_F_NON_BLOCKING: c_int = 4;
