//! The mock cluster's state: requests, brokers, and what is removed.
//!
//! A [`Cluster`] exists only while the cluster's own thread serves a request, and that thread owns the
//! state.

use std::borrow::Cow;
use std::ffi::{c_int, CString};
use std::net::Ipv4Addr;

use super::sys::*;
use super::wire::Uuid;

/// `rd_kafka_mock_cluster_t`
pub(super) struct Cluster(Raw);

/// Serves requests of this kind; versions from `flexible` on have tagged fields (-1: none has).
///
/// # Safety
/// The cluster is valid, and nobody knows its ports yet.
pub(super) unsafe fn set_handler(
    cluster: MockCluster,
    api: i16,
    versions: (i16, i16),
    flexible: i16,
    handler: Handler,
) {
    // SAFETY: as the caller promises.
    unsafe { mock_set_handler(cluster, api, versions.0, versions.1, flexible, handler) }
}

/// # Safety
/// As for [`set_handler`].
pub(super) unsafe fn set_controller(cluster: MockCluster, id: i32) {
    // SAFETY: as the caller promises.
    unsafe { mock_set_controller(cluster, id) }
}

pub(super) fn regex_valid(pattern: &str) -> bool {
    let Ok(pattern) = CString::new(pattern) else { return false };
    // SAFETY: a string that ends with a NUL.
    unsafe { mock_regex_valid(pattern.as_ptr()) != 0 }
}

/// A request that a handler was called for, on the cluster's thread, until that call ends.
pub(super) struct Call {
    conn: Conn,
    request: Buf,
}

impl Call {
    /// # Safety
    /// What librdkafka has handed to a handler that has not returned yet; one `Call` for each.
    pub(super) unsafe fn new(conn: Conn, request: Buf) -> (Call, Cluster) {
        // SAFETY: the connection is valid, and its cluster lives as long as it does.
        let cluster = Cluster(unsafe { mock_cluster(conn) });
        (Call { conn, request }, cluster)
    }

    pub(super) fn api(&self) -> i16 {
        // SAFETY: the request is valid, here and below, as `new` was promised.
        unsafe { mock_api(self.request) }
    }

    pub(super) fn version(&self) -> i16 {
        // SAFETY: as above.
        unsafe { mock_version(self.request) }
    }

    pub(super) fn flexible(&self) -> bool {
        // SAFETY: as above.
        unsafe { mock_flexible(self.request) != 0 }
    }

    pub(super) fn body(&self) -> Cow<'_, [u8]> {
        // SAFETY: as above; there are as many bytes as said, and the request outlives the call. The buffer
        // has as many bytes as are asked for.
        unsafe {
            let length = mock_body_length(self.request);
            let bytes = mock_body(self.request);
            if !bytes.is_null() {
                return Cow::Borrowed(std::slice::from_raw_parts(bytes, length));
            }
            let mut body = vec![0; length];
            let read = mock_body_copy(self.request, body.as_mut_ptr(), body.len());
            body.truncate(read);
            Cow::Owned(body)
        }
    }

    pub(super) fn client_id(&self) -> String {
        let mut bytes = [0; 512];
        // SAFETY: as above; at most so many bytes are written.
        let length = unsafe { mock_client_id(self.request, bytes.as_mut_ptr(), bytes.len()) };
        usize::try_from(length).map_or(String::new(), |n| text(bytes[..n].to_vec()))
    }

    /// The client's address as Kafka shows it.
    pub(super) fn client_host(&self) -> String {
        let mut address = [0; 4];
        // SAFETY: the connection is valid; four bytes are written.
        unsafe { mock_peer(self.conn, address.as_mut_ptr()) };
        format!("/{}", Ipv4Addr::from(address))
    }

    /// The broker that has received the request.
    pub(super) fn broker(&self) -> i32 {
        // SAFETY: the connection is valid.
        unsafe { mock_broker(self.conn) }
    }

    /// Has librdkafka's own handler serve it; the same for what that gives.
    pub(super) fn original(&self, _: &mut Cluster) -> c_int {
        // SAFETY: connection and request are valid. The handler may remove what it likes: nobody has
        // borrowed the cluster.
        unsafe { mock_original(self.conn, self.request) }
    }

    /// The same as if the request had another version.
    pub(super) fn original_as(&self, _: &mut Cluster, version: i16) -> c_int {
        // SAFETY: as above.
        unsafe { mock_original_as(self.conn, self.request, version) }
    }

    /// The same on a thread of its own with a stack of so many bytes; this one waits for it.
    pub(super) fn original_on_stack(&self, _: &mut Cluster, bytes: usize) -> c_int {
        struct Both(Conn, Buf);
        // SAFETY: the cluster's thread, which owns both, does nothing meanwhile.
        unsafe impl Send for Both {}
        let both = Both(self.conn, self.request);
        std::thread::scope(|scope| {
            let run = move || {
                let Both(conn, request) = { both };
                // SAFETY: as above.
                unsafe { mock_original(conn, request) }
            };
            let thread = std::thread::Builder::new().stack_size(bytes).spawn_scoped(scope, run);
            thread.ok().and_then(|thread| thread.join().ok()).unwrap_or(-1)
        })
    }

    /// The same with another body.
    pub(super) fn original_with(&self, _: &mut Cluster, body: &[u8]) -> c_int {
        // SAFETY: as above; the handler copies what it keeps of the body.
        unsafe { mock_original_with(self.conn, self.request, body.as_ptr(), body.len()) }
    }

    /// Answers with what `body` gives for the error that a test wants; `None` closes the connection.
    pub(super) fn answer(&self, body: impl FnOnce(i16) -> Option<Vec<u8>>) -> c_int {
        let mut error = 0;
        // SAFETY: connection and request are valid; the response is ours until it is sent or dropped.
        unsafe {
            let response = mock_response(self.conn, self.request, &mut error);
            match body(error) {
                Some(body) => mock_send(self.conn, response, body.as_ptr(), body.len()),
                None => {
                    mock_discard(response);
                    return -1;
                }
            }
        }
        0
    }

    /// The member whose answer this connection waits for.
    pub(super) fn waiting<'a>(&self, group: Classic<'a>) -> Option<ClassicMember<'a>> {
        // SAFETY: the member is valid as long as the cluster is borrowed, the connection until the call ends.
        group.members().find(|m| unsafe { mock_cmember_waits_on(*m, self.conn) != 0 })
    }
}

/// A broker of the cluster.
pub(super) struct Broker {
    pub(super) id: i32,
    pub(super) host: String,
    pub(super) port: i32,
    pub(super) up: bool,
}

// In what follows the cluster is valid, as `Call::new` was promised, and so is whatever borrows it.
impl Cluster {
    pub(super) fn id(&self) -> String {
        // SAFETY: a string within the cluster.
        unsafe { copy(mock_cluster_id(self.0)) }.unwrap_or_default()
    }

    pub(super) fn controller(&self) -> i32 {
        // SAFETY: the cluster is valid.
        unsafe { mock_controller(self.0) }
    }

    /// Partitions and replicas of a topic that says neither.
    pub(super) fn defaults(&self) -> (i32, i32) {
        // SAFETY: the cluster is valid.
        unsafe { (mock_default_partitions(self.0), mock_default_replication(self.0)) }
    }

    pub(super) fn brokers(&self) -> Vec<Broker> {
        // SAFETY: the cluster is valid; the host has the room that is asked for, and ends with a NUL.
        let broker = |index| unsafe {
            let (mut id, mut port, mut up) = (0, 0, 0);
            let mut host = [0; 128];
            let found =
                mock_broker_at(self.0, index, &mut id, host.as_mut_ptr(), &mut port, &mut up);
            let host = copy(host.as_ptr()).unwrap_or_default();
            (found != 0).then_some(Broker { id, host, port, up: up != 0 })
        };
        // SAFETY: the cluster is valid.
        (0..unsafe { mock_broker_count(self.0) }).filter_map(broker).collect()
    }

    /// The id of the broker that coordinates a group.
    pub(super) fn coordinator(&self, group: &str) -> i32 {
        // SAFETY: the cluster is valid, the string has so many bytes.
        unsafe { mock_coordinator(self.0, group.as_ptr(), length(group)) }
    }

    pub(super) fn topic_of_id(&self, id: Uuid) -> Option<Topic<'_>> {
        self.topics().find(|topic| topic.id() == id)
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = Topic<'_>> {
        // SAFETY: the topic before is in the cluster's list.
        chain(|before| unsafe { mock_topic_next(self.0, before) })
    }

    pub(super) fn topic(&self, name: &str) -> Option<Topic<'_>> {
        self.topics().find(|topic| topic.name() == name)
    }

    pub(super) fn partition(&self, topic: &str, partition: i32) -> Option<Partition<'_>> {
        self.topic(topic)?.partition(partition)
    }

    /// Makes a topic that is not there yet.
    pub(super) fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication: i32,
    ) -> Option<Topic<'_>> {
        let c_name = CString::new(name).ok()?;
        if self.topic(name).is_some() {
            return None;
        }
        // SAFETY: no topic has this name, which librdkafka asserts; the name is copied.
        Some(unsafe { mock_topic_create(self.0, c_name.as_ptr(), partitions, replication) })
    }

    pub(super) fn delete_topic(&mut self, name: &str) {
        if let Some(topic) = self.topic(name) {
            // SAFETY: it is in the cluster's list; borrowed mutably, nobody else has it.
            unsafe { mock_topic_delete(topic) }
        }
    }

    /// Gives a topic more partitions.
    pub(super) fn grow_topic(&mut self, name: &str, partitions: i32, replication: i32) {
        // No topic can have this name: Kafka allows no space.
        const MORE: &str = "more partitions";
        if self.topic(name).is_none() || self.create_topic(MORE, partitions, replication).is_none()
        {
            return;
        }
        if let (Some(topic), Some(more)) = (self.topic(name), self.topic(MORE)) {
            // SAFETY: both are in the cluster's list, the second with more partitions than the first; borrowed
            // mutably, nobody has their partitions.
            unsafe { mock_topic_grow(topic, more) }
        }
    }

    pub(super) fn classics(&self) -> impl Iterator<Item = Classic<'_>> {
        // SAFETY: the group before is in the cluster's list.
        chain(|before| unsafe { mock_classic_next(self.0, before) })
    }

    pub(super) fn classic(&self, id: &str) -> Option<Classic<'_>> {
        self.classics().find(|group| group.id() == id)
    }

    pub(super) fn moderns(&self) -> impl Iterator<Item = Modern<'_>> {
        // SAFETY: the group before is in the cluster's list.
        chain(|before| unsafe { mock_modern_next(self.0, before) })
    }

    pub(super) fn modern(&self, id: &str) -> Option<Modern<'_>> {
        self.moderns().find(|group| group.id() == id)
    }

    /// Removes a group of either kind; its offsets stay.
    pub(super) fn delete_group(&mut self, id: &str) {
        // SAFETY: they are in the cluster's lists; borrowed mutably, nobody else has them.
        unsafe {
            if let Some(group) = self.classic(id) {
                mock_classic_delete(group);
            }
            if let Some(group) = self.modern(id) {
                mock_modern_delete(group);
            }
        }
    }

    pub(super) fn remove_member(&mut self, group: &str, member: &str) {
        let Some(group) = self.classic(group) else { return };
        if let Some(member) = group.member(member) {
            // SAFETY: it is in the group's list; borrowed mutably, nobody else has it.
            unsafe { mock_cmember_remove(group, member) }
        }
    }

    /// Removes what a group has committed for a partition.
    pub(super) fn delete_commit(&mut self, topic: &str, partition: i32, group: &str) {
        let Some(partition) = self.partition(topic, partition) else { return };
        if let Some(commit) = partition.commit(group) {
            // SAFETY: it is in the partition's list; borrowed mutably, nobody else has it.
            unsafe { mock_commit_delete(partition, commit) }
        }
    }

    /// Removes a partition's messages before an offset, which is at most its end.
    pub(super) fn trim(&mut self, topic: &str, partition: i32, start: i64) {
        if let Some(partition) = self.partition(topic, partition) {
            // SAFETY: the partition is valid; no handler keeps a batch.
            unsafe { mock_partition_trim(partition, start) }
        }
    }
}
