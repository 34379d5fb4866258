//! Questions to the cluster. All but the cached ones block up to their timeout.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use libc::c_void;

use super::client::{Client, Kind};
use super::errno::{Error, ErrorCode, Result};
use super::ptr::{cstring, string};
use super::{raw, Metadata, PartitionList, Topic};

/// How long to wait before a leader that moves is asked again.
const MOVING: Duration = Duration::from_millis(50);

/// Whether a partition's leader is being elected, or is not known to the broker yet.
fn moves(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::NOT_LEADER_FOR_PARTITION | ErrorCode::LEADER_NOT_AVAILABLE)
}

/// Which topics to ask about.
#[derive(Copy, Clone)]
pub enum TopicSel<'a> {
    /// All of the cluster.
    All,
    /// Those that this client knows.
    Known,
    /// One.
    One(&'a Topic),
}

impl Client {
    /// Asks a broker about brokers and topics (`rd_kafka_metadata`). Blocks up to
    /// `timeout_ms`. Errors: `TIMED_OUT`, `TRANSPORT` and others.
    pub fn metadata(&self, topic: TopicSel<'_>, timeout_ms: i32) -> Result<Metadata> {
        let (all, only) = match topic {
            TopicSel::All => (1, std::ptr::null_mut()),
            TopicSel::Known => (0, std::ptr::null_mut()),
            TopicSel::One(topic) => (0, topic.as_ptr()),
        };
        let mut found = std::ptr::null();
        // SAFETY: handle and topic are valid; what was found is copied, then freed once.
        unsafe {
            let code = raw::rd_kafka_metadata(self.as_ptr(), all, only, &mut found, timeout_ms);
            ErrorCode(code).ok()?;
            let copy = Metadata::from_raw(found);
            raw::rd_kafka_metadata_destroy(found);
            Ok(copy)
        }
    }

    /// [`metadata`](Client::metadata) of one topic by name.
    ///
    /// A topic that this client doesn't know yet becomes known, with the default topic
    /// configuration, for good: a later [`Topic::new`] with another one is without effect.
    pub fn metadata_topic(&self, name: &str, timeout_ms: i32) -> Result<Metadata> {
        let name = cstring(name, "topic")?;
        let mut found = std::ptr::null();
        // SAFETY: the handle is valid; null means the default configuration. The topic
        // is destroyed once, after its last use; what was found is copied, then freed.
        unsafe {
            let topic = raw::rd_kafka_topic_new(self.as_ptr(), name.as_ptr(), std::ptr::null_mut());
            if topic.is_null() {
                return Err(Error::last());
            }
            let code = raw::rd_kafka_metadata(self.as_ptr(), 0, topic, &mut found, timeout_ms);
            raw::rd_kafka_topic_destroy(topic);
            ErrorCode(code).ok()?;
            let copy = Metadata::from_raw(found);
            raw::rd_kafka_metadata_destroy(found);
            Ok(copy)
        }
    }

    /// The cluster's id, waiting up to `timeout_ms` for it (`rd_kafka_clusterid`).
    pub fn cluster_id(&self, timeout_ms: i32) -> Option<String> {
        // SAFETY: the handle is valid; the string is ours and freed once.
        unsafe {
            let id = raw::rd_kafka_clusterid(self.as_ptr(), timeout_ms);
            if id.is_null() {
                return None;
            }
            let copy = string(id);
            raw::rd_kafka_mem_free(self.as_ptr(), id.cast::<c_void>());
            Some(copy)
        }
    }

    /// The controller's broker id, waiting up to `timeout_ms` for it; -1 if it isn't
    /// known by then (`rd_kafka_controllerid`).
    pub fn controller_id(&self, timeout_ms: i32) -> i32 {
        // SAFETY: the handle is valid.
        unsafe { raw::rd_kafka_controllerid(self.as_ptr(), timeout_ms) }
    }

    /// A partition's first offset and the one behind its last, asked from its leader
    /// (`rd_kafka_query_watermark_offsets`). While the leader is being elected, or does not know it
    /// yet, it is asked again until `timeout_ms` are over, as Java's clients do.
    pub fn query_watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout_ms: i32,
    ) -> Result<(i64, i64)> {
        let topic = cstring(topic, "topic")?;
        let begun = Instant::now();
        loop {
            let left = match u64::try_from(timeout_ms) {
                Ok(ms) => Duration::from_millis(ms).saturating_sub(begun.elapsed()),
                Err(_) => Duration::MAX,
            };
            match self.watermarks(&topic, partition, i32::try_from(left.as_millis()).unwrap_or(-1))
            {
                Err(e) if moves(e.code) && left > MOVING => std::thread::sleep(MOVING),
                Err(e) => return Err(Error { retriable: e.retriable || moves(e.code), ..e }),
                found => return found,
            }
        }
    }

    fn watermarks(&self, topic: &CStr, partition: i32, timeout_ms: i32) -> Result<(i64, i64)> {
        let (mut low, mut high) = (0, 0);
        // SAFETY: handle, string and out pointers are valid through the call.
        let code = unsafe {
            raw::rd_kafka_query_watermark_offsets(
                self.as_ptr(),
                topic.as_ptr(),
                partition,
                &mut low,
                &mut high,
                timeout_ms,
            )
        };
        ErrorCode(code).ok()?;
        Ok((low, high))
    }

    /// The same as the last fetch told; -1001 (`Offset::INVALID`) for what isn't known
    /// yet. Doesn't block (`rd_kafka_get_watermark_offsets`).
    pub fn cached_watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        self.need(Kind::Consumer)?;
        let topic = cstring(topic, "topic")?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: handle, string and out pointers are valid through the call.
        let code = unsafe {
            raw::rd_kafka_get_watermark_offsets(
                self.as_ptr(),
                topic.as_ptr(),
                partition,
                &mut low,
                &mut high,
            )
        };
        ErrorCode(code).ok()?;
        Ok((low, high))
    }

    /// Replaces each element's offset, a timestamp in milliseconds, by the offset of the
    /// first message at or after it, or -1 (`rd_kafka_offsets_for_times`). Errors of
    /// single partitions are in the list.
    pub fn offsets_for_times(&self, list: &mut PartitionList, timeout_ms: i32) -> Result<()> {
        // SAFETY: handle and list are valid, and the list is borrowed exclusively.
        let code = unsafe {
            raw::rd_kafka_offsets_for_times(self.as_ptr(), list.as_mut_ptr(), timeout_ms)
        };
        ErrorCode(code).ok()
    }
}
