//! Questions to the cluster. All but the cached ones block up to their timeout.

use std::collections::HashSet;
use std::ffi::CStr;

use libc::{c_char, c_int, c_void};

use super::again::{ask_again, ask_each, passes, CallTime, Patience};
use super::client::{Client, Kind};
use super::errno::{Error, ErrorCode, Result};
use super::ptr::{cstring, string};
use super::{raw, Elem, Metadata, Offset, PartitionList, Topic};

extern "C" {
    /// known.c
    fn kafka_describe_topic(
        rk: *mut raw::rd_kafka_t,
        name: *const c_char,
        found: *mut *const raw::metadata,
        timeout_ms: c_int,
    ) -> c_int;
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

    /// [`metadata`](Client::metadata) of one topic by name, which makes it neither on the cluster, nor known to this
    /// client (known.c).
    pub fn describe_topic(&self, name: &str, timeout_ms: i32) -> Result<Metadata> {
        let name = cstring(name, "topic")?;
        let mut found = std::ptr::null();
        // SAFETY: handle, string and out pointer are valid through the call; what was found is copied, then freed once.
        unsafe {
            let code = kafka_describe_topic(self.as_ptr(), name.as_ptr(), &mut found, timeout_ms);
            ErrorCode(code).ok()?;
            let copy = Metadata::from_raw(found);
            raw::rd_kafka_metadata_destroy(found);
            Ok(copy)
        }
    }

    /// [`metadata`](Client::metadata) of one topic by name, for who is about to use it: a producer has the cluster make
    /// it, where the brokers do so.
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
    /// (`rd_kafka_query_watermark_offsets`), again while [the leader moves](super::leader_moves).
    pub fn query_watermarks(
        &self,
        topic: &str,
        partition: i32,
        time: &CallTime,
    ) -> Result<(i64, i64)> {
        let mut list = PartitionList::new();
        list.add(topic, partition)?;
        let topic = cstring(topic, "topic")?;
        list.set_offset(0, Offset::END);
        let (mut passes, mut patience) = (passes(self, &list), Patience::new());
        let ask = |time: &CallTime| match self.watermarks(&topic, partition, time.left()) {
            // librdkafka says the same of a topic that is missing and of a leader that is.
            Err(e) if e.code == ErrorCode::UNKNOWN_PARTITION => {
                self.offsets_of(&list, time)?.remove(0).and(Err(e))
            }
            found => found,
        };
        ask_again(time, |code| passes(0, code), || patience.attempt(time, ask))
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

    /// Replaces each element's offset, a timestamp in milliseconds or `Offset::BEGINNING` or
    /// `Offset::END`, by the offset of the first message at or after it, or -1. Partitions whose
    /// [leader moves](super::leader_moves) are asked for again. Errors of single partitions are in the list.
    pub fn list_offsets(&self, list: &mut PartitionList, time: &CallTime) -> Result<()> {
        let mut patience = Patience::new();
        let answers = ask_each(list.len(), time, passes(self, list), |open| {
            patience.attempt(time, |time| self.offsets_of(&list.select(open)?, time))
        })?;
        for (i, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(offset) => {
                    list.set_offset(i, offset);
                    list.set_error(i, None);
                }
                Err(e) => list.set_error(i, Some(e.code)),
            }
        }
        Ok(())
    }

    /// The same, once. librdkafka fails all when a leader's answer has an error for one, and knows but
    /// one answer for a partition: then each is asked for by itself.
    fn offsets_of(&self, list: &PartitionList, time: &CallTime) -> Result<Vec<Result<i64>>> {
        // Whatever is wrong with all of them is not looked for in each.
        let common = [
            ErrorCode::TIMED_OUT,
            ErrorCode::ALL_BROKERS_DOWN,
            ErrorCode::TRANSPORT,
            ErrorCode::DESTROY_BROKER,
            ErrorCode::FATAL,
        ];
        let mut found = list.clone();
        let mut seen = HashSet::with_capacity(list.len());
        let whole = if list.iter().any(|e| !seen.insert((e.topic, e.partition))) {
            Err(Error::new(ErrorCode::INVALID_ARG))
        } else {
            self.offsets_for_times(&mut found, time.left())
        };
        match whole {
            Ok(()) => Ok(found.iter().map(offset_of).collect()),
            // It knows no leader for any of them; the list says why.
            Err(Error { code: ErrorCode::UNKNOWN_PARTITION, .. })
                if found.iter().all(|e| e.error.is_some()) =>
            {
                Ok(found.iter().map(offset_of).collect())
            }
            Err(e) if common.contains(&e.code) => Err(e),
            Err(e) if list.len() == 1 => Ok(vec![Err(e)]),
            Err(_) => (0..list.len())
                .map(|i| match self.offsets_of(&list.select(&[i])?, time) {
                    Ok(mut one) => Ok(one.remove(0)),
                    Err(e) => Ok(Err(e)),
                })
                .collect(),
        }
    }

    fn offsets_for_times(&self, list: &mut PartitionList, timeout_ms: i32) -> Result<()> {
        // SAFETY: handle and list are valid, and the list is borrowed exclusively.
        let code = unsafe {
            raw::rd_kafka_offsets_for_times(self.as_ptr(), list.as_mut_ptr(), timeout_ms)
        };
        ErrorCode(code).ok()
    }
}

/// What librdkafka found for an element.
fn offset_of(e: Elem<'_>) -> Result<i64> {
    match e.error {
        None => Ok(e.offset),
        // It leaves those so whose topic it has not found.
        Some(ErrorCode::IN_PROGRESS) => Err(Error::new(ErrorCode::UNKNOWN_TOPIC_OR_PART)),
        Some(code) => Err(Error::new(code)),
    }
}
