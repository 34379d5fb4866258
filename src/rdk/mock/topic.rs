//! Topics, partitions and committed offsets of the mock cluster.

use std::ffi::c_int;

use super::sys::*;
use super::wire::Uuid;

// What these point to is valid as long as the cluster is borrowed.
impl<'a> Topic<'a> {
    pub(super) fn name(self) -> String {
        // SAFETY: the topic is valid, and so is its name.
        unsafe { copy(mock_topic_name(self)) }.unwrap_or_default()
    }

    pub(super) fn id(self) -> Uuid {
        let mut id = [0; 2];
        // SAFETY: the topic is valid; two numbers are written.
        unsafe { mock_topic_id(self, id.as_mut_ptr()) };
        id
    }

    pub(super) fn count(self) -> i32 {
        // SAFETY: the topic is valid.
        unsafe { mock_topic_partitions(self) }
    }

    pub(super) fn partition(self, partition: i32) -> Option<Partition<'a>> {
        // SAFETY: the topic is valid; librdkafka checks the number.
        unsafe { mock_partition(self, partition) }
    }

    pub(super) fn partitions(self) -> impl Iterator<Item = (i32, Partition<'a>)> {
        (0..self.count()).filter_map(move |n| Some((n, self.partition(n)?)))
    }
}

impl<'a> Partition<'a> {
    /// The leader's id; -1 for none.
    pub(super) fn leader(self) -> i32 {
        // SAFETY: the partition is valid, here and below.
        unsafe { mock_partition_leader(self) }
    }

    pub(super) fn epoch(self) -> i32 {
        // SAFETY: as above.
        unsafe { mock_partition_epoch(self) }
    }

    pub(super) fn replicas(self) -> i32 {
        // SAFETY: as above.
        unsafe { mock_partition_replicas(self) }
    }

    pub(super) fn start(self) -> i64 {
        // SAFETY: as above.
        unsafe { mock_partition_start(self) }
    }

    pub(super) fn end(self) -> i64 {
        // SAFETY: as above.
        unsafe { mock_partition_end(self) }
    }

    /// Places it on these brokers, which the cluster has and which are not none; the first leads.
    pub(super) fn place(self, brokers: &[i32]) {
        if !brokers.is_empty() {
            // SAFETY: as above; the array has so many ids, and is copied.
            unsafe { mock_partition_place(self, brokers.as_ptr(), brokers.len() as c_int) };
        }
    }

    fn commits(self) -> impl Iterator<Item = Commit<'a>> {
        // SAFETY: the one before is in the partition's list.
        chain(move |before| unsafe { mock_commit_next(self, before) })
    }

    pub(super) fn commit(self, group: &str) -> Option<Commit<'a>> {
        self.commits().find(|commit| commit.group() == group)
    }

    /// The groups that have committed an offset.
    pub(super) fn groups(self) -> impl Iterator<Item = String> + use<'a> {
        self.commits().map(Commit::group)
    }

    pub(super) fn store(self, group: &str, offset: i64, metadata: Option<&str>) {
        let (text, size) = metadata.map_or((group.as_ptr(), -1), |m| (m.as_ptr(), length(m)));
        // SAFETY: as above; the strings have so many bytes, and are copied.
        unsafe { mock_commit_store(self, group.as_ptr(), length(group), offset, text, size) }
    }
}

impl Commit<'_> {
    fn group(self) -> String {
        // SAFETY: the commit is valid, and so is its string.
        unsafe { copy(mock_commit_group(self)) }.unwrap_or_default()
    }

    pub(super) fn offset(self) -> i64 {
        // SAFETY: as above.
        unsafe { mock_commit_offset(self) }
    }

    pub(super) fn metadata(self) -> Option<String> {
        let mut bytes = std::ptr::null();
        // SAFETY: as above; the bytes are as many as said.
        unsafe {
            let size = mock_commit_metadata(self, &mut bytes);
            copy_bytes(bytes, size).map(text)
        }
    }
}
