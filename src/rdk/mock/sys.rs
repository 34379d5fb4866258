//! brokers.c, cluster.c, topics.c and groups.c: pointers to librdkafka's structures and what can be asked of them.
//!
//! What lives in a cluster borrows it; whatever removes something borrows it mutably, so that nobody can
//! hold what is gone.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::cluster::Cluster;
use crate::rdk::raw;

/// A pointer to one of librdkafka's structures, valid as long as the cluster is borrowed.
macro_rules! structures {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq)]
        #[repr(transparent)]
        pub(super) struct $name<'a>(NonNull<c_void>, PhantomData<&'a Cluster>);
    )*};
}

structures! {
    /// `rd_kafka_mock_topic_t`
    Topic
    /// `rd_kafka_mock_partition_t`
    Partition
    /// `rd_kafka_mock_committed_offset_t`
    Commit
    /// `rd_kafka_mock_cgrp_classic_t`
    Classic
    /// `rd_kafka_mock_cgrp_classic_member_t`
    ClassicMember
    /// `rd_kafka_mock_cgrp_consumer_t`
    Modern
    /// `rd_kafka_mock_cgrp_consumer_member_t`
    ModernMember
}

/// `rd_kafka_mock_cluster_t`
pub(super) type Raw = NonNull<c_void>;

/// `rd_kafka_mock_connection_t`
#[derive(Copy, Clone)]
#[repr(transparent)]
pub(super) struct Conn(NonNull<c_void>);

/// `rd_kafka_buf_t`
#[derive(Copy, Clone)]
#[repr(transparent)]
pub(super) struct Buf(NonNull<c_void>);

/// What librdkafka calls for a request: 0, or -1 to close the connection.
pub(super) type Handler = unsafe extern "C" fn(Conn, Buf) -> c_int;

/// What is called after librdkafka has looked for members whose session has expired.
pub(super) type After = unsafe extern "C" fn(Classic<'static>);

pub(super) type MockCluster = *mut raw::rd_kafka_mock_cluster_t;

extern "C" {
    pub(super) fn mock_set_handler(
        c: MockCluster,
        api: i16,
        min: i16,
        max: i16,
        flexible: i16,
        h: Handler,
    );
    pub(super) fn mock_set_controller(c: MockCluster, id: i32);
    pub(super) fn mock_withhold(c: MockCluster, api: i16) -> c_int;
    pub(super) fn mock_broker_change(c: MockCluster, id: i32, up: c_int) -> c_int;
    pub(super) fn mock_original(conn: Conn, request: Buf) -> c_int;
    pub(super) fn mock_original_as(conn: Conn, request: Buf, version: i16) -> c_int;
    pub(super) fn mock_original_with(
        conn: Conn,
        request: Buf,
        body: *const u8,
        length: usize,
    ) -> c_int;

    pub(super) fn mock_api(request: Buf) -> i16;
    pub(super) fn mock_version(request: Buf) -> i16;
    pub(super) fn mock_flexible(request: Buf) -> c_int;
    pub(super) fn mock_body_length(request: Buf) -> usize;
    pub(super) fn mock_body(request: Buf) -> *const u8;
    pub(super) fn mock_body_copy(request: Buf, to: *mut u8, size: usize) -> usize;
    pub(super) fn mock_client_id(request: Buf, to: *mut u8, size: usize) -> c_int;
    pub(super) fn mock_response(conn: Conn, request: Buf, error: *mut i16) -> Buf;
    pub(super) fn mock_send(conn: Conn, response: Buf, body: *const u8, length: usize);
    pub(super) fn mock_discard(response: Buf);
    pub(super) fn mock_peer(conn: Conn, address: *mut u8);
    pub(super) fn mock_regex_valid(pattern: *const c_char) -> c_int;

    pub(super) fn mock_cluster(conn: Conn) -> Raw;
    pub(super) fn mock_broker(conn: Conn) -> i32;
    pub(super) fn mock_cluster_id(c: Raw) -> *const c_char;
    pub(super) fn mock_controller(c: Raw) -> i32;
    pub(super) fn mock_default_partitions(c: Raw) -> c_int;
    pub(super) fn mock_default_replication(c: Raw) -> c_int;
    pub(super) fn mock_broker_count(c: Raw) -> c_int;
    pub(super) fn mock_broker_at(
        c: Raw,
        index: c_int,
        id: *mut i32,
        host: *mut c_char,
        port: *mut i32,
        up: *mut c_int,
    ) -> c_int;
    pub(super) fn mock_coordinator(c: Raw, group: *const u8, length: c_int) -> i32;

    pub(super) fn mock_topic_next<'a>(c: Raw, before: Option<Topic<'a>>) -> Option<Topic<'a>>;
    pub(super) fn mock_topic_name(t: Topic<'_>) -> *const c_char;
    pub(super) fn mock_topic_partitions(t: Topic<'_>) -> c_int;
    pub(super) fn mock_topic_id(t: Topic<'_>, id: *mut i64);
    pub(super) fn mock_topic_create<'a>(
        c: Raw,
        name: *const c_char,
        partitions: c_int,
        replication: c_int,
    ) -> Topic<'a>;
    pub(super) fn mock_topic_delete(t: Topic<'_>);
    pub(super) fn mock_topic_grow(t: Topic<'_>, more: Topic<'_>);
    pub(super) fn mock_partition<'a>(t: Topic<'a>, partition: i32) -> Option<Partition<'a>>;
    pub(super) fn mock_partition_place(p: Partition<'_>, ids: *const i32, count: c_int) -> c_int;
    pub(super) fn mock_partition_leader(p: Partition<'_>) -> i32;
    pub(super) fn mock_partition_epoch(p: Partition<'_>) -> i32;
    pub(super) fn mock_partition_replicas(p: Partition<'_>) -> c_int;
    pub(super) fn mock_partition_start(p: Partition<'_>) -> i64;
    pub(super) fn mock_partition_end(p: Partition<'_>) -> i64;
    pub(super) fn mock_partition_trim(p: Partition<'_>, start: i64);

    pub(super) fn mock_commit_next<'a>(
        p: Partition<'a>,
        before: Option<Commit<'a>>,
    ) -> Option<Commit<'a>>;
    pub(super) fn mock_commit_group(commit: Commit<'_>) -> *const c_char;
    pub(super) fn mock_commit_offset(commit: Commit<'_>) -> i64;
    pub(super) fn mock_commit_metadata(commit: Commit<'_>, text: *mut *const u8) -> c_int;
    pub(super) fn mock_commit_store(
        p: Partition<'_>,
        group: *const u8,
        length: c_int,
        offset: i64,
        metadata: *const u8,
        metadata_length: c_int,
    );
    pub(super) fn mock_commit_delete(p: Partition<'_>, commit: Commit<'_>);

    pub(super) fn mock_classic_next<'a>(c: Raw, before: Option<Classic<'a>>)
        -> Option<Classic<'a>>;
    pub(super) fn mock_classic_id(g: Classic<'_>) -> *const c_char;
    pub(super) fn mock_classic_type(g: Classic<'_>) -> *const c_char;
    pub(super) fn mock_classic_protocol(g: Classic<'_>, text: *mut *const u8) -> c_int;
    pub(super) fn mock_classic_state(g: Classic<'_>) -> c_int;
    pub(super) fn mock_classic_generation(g: Classic<'_>) -> i32;
    pub(super) fn mock_classic_last_count(g: Classic<'_>) -> c_int;
    pub(super) fn mock_classic_empty(g: Classic<'_>);
    pub(super) fn mock_classic_elect(g: Classic<'_>);
    pub(super) fn mock_classic_watch(g: Classic<'_>, after: After);
    pub(super) fn mock_classic_delete(g: Classic<'_>);

    pub(super) fn mock_cmember_next<'a>(
        g: Classic<'a>,
        before: Option<ClassicMember<'a>>,
    ) -> Option<ClassicMember<'a>>;
    pub(super) fn mock_cmember_is_leader(g: Classic<'_>, m: ClassicMember<'_>) -> c_int;
    pub(super) fn mock_cmember_id(m: ClassicMember<'_>) -> *const c_char;
    pub(super) fn mock_cmember_rename(m: ClassicMember<'_>, id: *const c_char);
    pub(super) fn mock_cmember_instance(m: ClassicMember<'_>) -> *const c_char;
    pub(super) fn mock_cmember_waits(m: ClassicMember<'_>) -> c_int;
    pub(super) fn mock_cmember_waits_on(m: ClassicMember<'_>, conn: Conn) -> c_int;
    pub(super) fn mock_cmember_forget_wait(m: ClassicMember<'_>);
    pub(super) fn mock_cmember_active(g: Classic<'_>, m: ClassicMember<'_>);
    pub(super) fn mock_cmember_remove(g: Classic<'_>, m: ClassicMember<'_>);
    pub(super) fn mock_cmember_protocols(m: ClassicMember<'_>) -> c_int;
    pub(super) fn mock_cmember_protocol(
        m: ClassicMember<'_>,
        index: c_int,
        text: *mut *const u8,
    ) -> c_int;
    pub(super) fn mock_cmember_metadata(
        m: ClassicMember<'_>,
        index: c_int,
        data: *mut *const u8,
    ) -> c_int;
    pub(super) fn mock_cmember_choose(m: ClassicMember<'_>, index: c_int);

    pub(super) fn mock_modern_next<'a>(c: Raw, before: Option<Modern<'a>>) -> Option<Modern<'a>>;
    pub(super) fn mock_modern_id(g: Modern<'_>) -> *const c_char;
    pub(super) fn mock_modern_epoch(g: Modern<'_>) -> i32;
    pub(super) fn mock_modern_watch(g: Modern<'_>);
    pub(super) fn mock_modern_delete(g: Modern<'_>);
    pub(super) fn mock_modern_reassign(g: Modern<'_>);
    pub(super) fn mock_mmember_next<'a>(
        g: Modern<'a>,
        before: Option<ModernMember<'a>>,
    ) -> Option<ModernMember<'a>>;
    pub(super) fn mock_mmember_id(m: ModernMember<'_>) -> *const c_char;
    pub(super) fn mock_mmember_instance(m: ModernMember<'_>) -> *const c_char;
    pub(super) fn mock_mmember_epoch(m: ModernMember<'_>) -> i32;
    pub(super) fn mock_mmember_start_anew(m: ModernMember<'_>, joins: c_int);
    pub(super) fn mock_mmember_keep(m: ModernMember<'_>);
    pub(super) fn mock_mmember_target_epoch(m: ModernMember<'_>) -> i32;
    pub(super) fn mock_mmember_regex(m: ModernMember<'_>) -> *const c_char;
    pub(super) fn mock_mmember_topic(
        m: ModernMember<'_>,
        names: c_int,
        index: c_int,
    ) -> *const c_char;
    pub(super) fn mock_mmember_place(
        m: ModernMember<'_>,
        target: c_int,
        index: c_int,
        topic: *mut i64,
        partition: *mut i32,
    ) -> c_int;
}

/// A copy of a string of librdkafka's; `None` for null.
///
/// # Safety
/// `text` is null or ends with a NUL.
pub(super) unsafe fn copy(text: *const c_char) -> Option<String> {
    // SAFETY: as the caller promises.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// A copy of bytes of librdkafka's; `None` for a negative length.
///
/// # Safety
/// `bytes` has so many bytes, unless the length is negative or 0.
pub(super) unsafe fn copy_bytes(bytes: *const u8, length: c_int) -> Option<Vec<u8>> {
    let length = usize::try_from(length).ok()?;
    if length == 0 {
        return Some(Vec::new());
    }
    // SAFETY: as the caller promises.
    Some(unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec())
}

pub(super) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Everything that follows the first, which is `next(None)`.
pub(super) fn chain<T: Copy>(
    mut next: impl FnMut(Option<T>) -> Option<T>,
) -> impl Iterator<Item = T> {
    let mut before = None;
    std::iter::from_fn(move || {
        before = next(before);
        before
    })
}

/// A length for C.
pub(super) fn length(text: &str) -> c_int {
    // A request is smaller than that.
    c_int::try_from(text.len()).unwrap_or(c_int::MAX)
}
