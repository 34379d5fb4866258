//! Legacy topic handles: producing, and consuming without a group.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use libc::{c_int, c_void};

use super::client::{Client, Kind};
use super::errno::{Error, ErrorCode, Result};
use super::ptr::cstring;
use super::{raw, Queue, TopicConf};

/// Instead of a timestamp of 0, which librdkafka would take for "now" (stamp.c).
const ZERO: i64 = if cfg!(target_vendor = "apple") { 0 } else { i64::MIN };

/// A topic of a client (`rd_kafka_topic_t`).
pub struct Topic {
    ptr: NonNull<raw::rd_kafka_topic_t>,
    client: Arc<Client>,
    name: Box<str>,
}

// SAFETY: librdkafka's topics may be used and destroyed in any thread, and lock for
// themselves; the `Arc` keeps their client.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

/// A message of [`Topic::produce_batch`].
#[derive(Copy, Clone, Debug)]
pub struct Record<'a> {
    /// The value; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// A number that comes back with the delivery report.
    pub opaque: u64,
}

/// Pointer and length of a value. An empty one has a pointer too: null would be "none".
#[inline]
fn parts(value: Option<&[u8]>) -> (*mut c_void, usize) {
    match value {
        // A slice's pointer is never null. librdkafka only reads through it, as it is
        // told to copy.
        Some(value) => (value.as_ptr() as *mut c_void, value.len()),
        None => (std::ptr::null_mut(), 0),
    }
}

#[inline]
fn opaque_ptr(opaque: u64) -> *mut c_void {
    opaque as usize as *mut c_void
}

impl Topic {
    /// Makes a topic handle (`rd_kafka_topic_new`). For a topic that the client knows
    /// already, `conf` is silently ignored. Errors: `INVALID_ARG` for a bad name or
    /// configuration (what about it goes to the log).
    pub fn new(client: &Arc<Client>, name: &str, conf: TopicConf) -> Result<Topic> {
        Topic::make(client, name, conf.into_raw())
    }

    /// The same with the client's default topic configuration.
    pub fn with_default_conf(client: &Arc<Client>, name: &str) -> Result<Topic> {
        Topic::make(client, name, std::ptr::null_mut())
    }

    fn make(
        client: &Arc<Client>,
        name: &str,
        conf: *mut raw::rd_kafka_topic_conf_t,
    ) -> Result<Topic> {
        let text = match cstring(name, "topic") {
            Ok(text) => text,
            Err(error) => {
                if !conf.is_null() {
                    // SAFETY: ours, and not passed on.
                    unsafe { raw::rd_kafka_topic_conf_destroy(conf) };
                }
                return Err(error);
            }
        };
        // SAFETY: handle and name are valid; the configuration is taken over also when
        // this fails; null means the default one.
        let ptr = unsafe { raw::rd_kafka_topic_new(client.as_ptr(), text.as_ptr(), conf) };
        let ptr = NonNull::new(ptr).ok_or_else(Error::last)?;
        LIVE.fetch_add(1, Ordering::Relaxed);
        Ok(Topic { ptr, client: Arc::clone(client), name: name.into() })
    }

    pub(super) fn as_ptr(&self) -> *mut raw::rd_kafka_topic_t {
        self.ptr.as_ptr()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its client.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// A number that [`topic_id`](super::MessageRef::topic_id) of its produced messages
    /// equals.
    pub fn id(&self) -> usize {
        // SAFETY: not used but as a number.
        self.ptr.as_ptr() as usize
    }

    /// Queues a message; librdkafka copies it (`rd_kafka_produce`). Partition -1 lets
    /// the partitioner choose; a `payload` of `None` is a tombstone. Errors: `QUEUE_FULL`,
    /// `MSG_SIZE_TOO_LARGE`, `UNKNOWN_PARTITION`, `UNKNOWN_TOPIC`, `FATAL` and others.
    #[inline]
    pub fn produce(
        &self,
        partition: i32,
        payload: Option<&[u8]>,
        key: Option<&[u8]>,
        opaque: u64,
    ) -> Result<()> {
        let (value, value_len) = parts(payload);
        let (key, key_len) = parts(key);
        // SAFETY: the topic is valid; value and key are readable through the call, which
        // copies them.
        let result = unsafe {
            raw::rd_kafka_produce(
                self.as_ptr(),
                partition,
                raw::MSG_F_COPY,
                value,
                value_len,
                key,
                key_len,
                opaque_ptr(opaque),
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(Error::last())
        }
    }

    /// The same with headers (name and value, which may be `None`) and a timestamp in
    /// milliseconds since 1970, `None` for now (`rd_kafka_produceva`). Errors: those of `produce`, and
    /// `INVALID_ARG` for a header's name with a NUL.
    pub fn produce_full(
        &self,
        partition: i32,
        payload: Option<&[u8]>,
        key: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
        timestamp: Option<i64>,
        opaque: u64,
    ) -> Result<()> {
        use raw::{rd_kafka_vtype_t as V, rd_kafka_vu_s as Vu, rd_kafka_vu_s__bindgen_ty_1 as U};
        let mem = |value| {
            let (ptr, size) = parts(value);
            U { mem: raw::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size } }
        };
        let headers = Headers::build(headers)?;
        let timestamp = match timestamp {
            None => 0,
            Some(0) => ZERO,
            Some(ms) => ms,
        };
        let row = |vtype, u| Vu { vtype, u };
        let rows = [
            row(V::RD_KAFKA_VTYPE_RKT, U { rkt: self.as_ptr() }),
            row(V::RD_KAFKA_VTYPE_PARTITION, U { i32_: partition }),
            row(V::RD_KAFKA_VTYPE_MSGFLAGS, U { i: raw::MSG_F_COPY }),
            row(V::RD_KAFKA_VTYPE_VALUE, mem(payload)),
            row(V::RD_KAFKA_VTYPE_KEY, mem(key)),
            row(V::RD_KAFKA_VTYPE_TIMESTAMP, U { i64_: timestamp }),
            row(V::RD_KAFKA_VTYPE_OPAQUE, U { ptr: opaque_ptr(opaque) }),
            row(V::RD_KAFKA_VTYPE_HEADERS, U { headers: headers.as_ptr() }),
        ];
        // The headers stand last: without any the row is left out.
        let count = rows.len() - usize::from(headers.as_ptr().is_null());
        // SAFETY: handle and topic are valid; value and key are readable through the
        // call, which copies them. The headers change their owner if it succeeds.
        let result = unsafe {
            Error::take(raw::rd_kafka_produceva(self.client.as_ptr(), rows.as_ptr(), count))
        };
        match result {
            Ok(()) => {
                headers.give_up();
                Ok(())
            }
            Err(mut error) => {
                // "Failed to produce message: Local: Queue full" says no more than the code.
                if error.detail.ends_with(&error.code.text()) {
                    error.detail.clear();
                }
                Err(error)
            }
        }
    }

    /// Queues plain messages with one lock for all (`rd_kafka_produce_batch`). Returns
    /// the indexes of those that failed, in order, and why. After the first that found
    /// the queue full, none is taken.
    pub fn produce_batch(&self, partition: i32, records: &[Record<'_>]) -> Vec<(usize, ErrorCode)> {
        let mut messages: Vec<raw::message_t> = records
            .iter()
            .map(|record| {
                let (payload, len) = parts(record.payload);
                let (key, key_len) = parts(record.key);
                raw::message_t {
                    err: 0,
                    rkt: std::ptr::null_mut(),
                    partition,
                    payload,
                    len,
                    key,
                    key_len,
                    offset: 0,
                    _private: opaque_ptr(record.opaque),
                }
            })
            .collect();
        let mut failed = Vec::new();
        let mut full = false;
        // librdkafka counts in a C int.
        for (chunk_index, chunk) in messages.chunks_mut(CHUNK).enumerate() {
            let good = if full {
                // Room may have come up in between, but order is promised.
                for message in chunk.iter_mut() {
                    message.err = ErrorCode::QUEUE_FULL.0;
                }
                0
            } else {
                // SAFETY: the topic is valid, the chunk has as many messages as said, and
                // their payloads and keys are readable through the call, which copies them.
                unsafe {
                    raw::rd_kafka_produce_batch(
                        self.as_ptr(),
                        partition,
                        raw::MSG_F_COPY,
                        chunk.as_mut_ptr(),
                        chunk.len() as c_int,
                    )
                }
            };
            if usize::try_from(good) == Ok(chunk.len()) {
                continue;
            }
            for (index, message) in chunk.iter().enumerate() {
                if let Some(code) = ErrorCode(message.err).error() {
                    full |= code == ErrorCode::QUEUE_FULL;
                    failed.push((chunk_index * CHUNK + index, code));
                }
            }
        }
        failed
    }

    /// Starts to fetch a partition into its own queue, read by
    /// [`Client::partition_queue`] (`rd_kafka_consume_start`). `offset` is as librdkafka
    /// numbers it.
    pub fn consume_start(&self, partition: i32, offset: i64) -> Result<()> {
        self.client.need(Kind::Consumer)?;
        // SAFETY: the topic is valid, and its client a consumer.
        legacy(unsafe { raw::rd_kafka_consume_start(self.as_ptr(), partition, offset) })
    }

    /// Starts to fetch a partition into `queue` (`rd_kafka_consume_start_queue`).
    pub fn consume_start_queue(&self, partition: i32, offset: i64, queue: &Queue) -> Result<()> {
        self.client.need(Kind::Consumer)?;
        queue.need_client(&self.client)?;
        // SAFETY: topic and queue are valid and of the same client, a consumer.
        legacy(unsafe {
            raw::rd_kafka_consume_start_queue(self.as_ptr(), partition, offset, queue.as_ptr())
        })
    }

    /// Stops to fetch a partition. Blocks without limit until the fetcher has stopped
    /// and stored offsets are committed (`rd_kafka_consume_stop`).
    pub fn consume_stop(&self, partition: i32) -> Result<()> {
        self.client.need(Kind::Consumer)?;
        // SAFETY: as for `consume_start`.
        legacy(unsafe { raw::rd_kafka_consume_stop(self.as_ptr(), partition) })
    }

    /// Goes on from another offset, waiting up to `timeout_ms`; 0 doesn't wait
    /// (`rd_kafka_seek`).
    pub fn seek(&self, partition: i32, offset: i64, timeout_ms: i32) -> Result<()> {
        self.client.need(Kind::Consumer)?;
        // SAFETY: as for `consume_start`.
        let code = unsafe { raw::rd_kafka_seek(self.as_ptr(), partition, offset, timeout_ms) };
        ErrorCode(code).ok()
    }

    /// Stores `offset` + 1 for the next commit (`rd_kafka_offset_store`).
    pub fn offset_store(&self, partition: i32, offset: i64) -> Result<()> {
        self.client.need(Kind::Consumer)?;
        // SAFETY: as for `consume_start`.
        let code = unsafe { raw::rd_kafka_offset_store(self.as_ptr(), partition, offset) };
        ErrorCode(code).ok()
    }
}

const CHUNK: usize = 1 << 20;

fn legacy(result: c_int) -> Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(Error::last())
    }
}

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// How many topics exist, for the tests of leaks.
pub fn live_topics() -> usize {
    LIVE.load(Ordering::Relaxed)
}

impl Drop for Topic {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
        if self.client.forked() {
            return;
        }
        // SAFETY: valid, ours, and not used again; the client is still there.
        unsafe { raw::rd_kafka_topic_destroy(self.as_ptr()) }
    }
}

/// Headers on their way to librdkafka; freed unless they were given up.
struct Headers(*mut raw::rd_kafka_headers_t);

impl Headers {
    fn build(pairs: &[(&str, Option<&[u8]>)]) -> Result<Headers> {
        if pairs.is_empty() {
            return Ok(Headers(std::ptr::null_mut()));
        }
        // SAFETY: no preconditions.
        let headers = Headers(unsafe { raw::rd_kafka_headers_new(pairs.len()) });
        for (name, value) in pairs {
            // librdkafka hands names out as C strings, so one with a NUL would come back
            // cut short. Names are given with their length, which saves a copy here.
            if name.as_bytes().contains(&0) {
                return Err(Error::with_detail(
                    ErrorCode::INVALID_ARG,
                    "header name has a NUL character",
                ));
            }
            let (value, len) = parts(*value);
            // SAFETY: the headers are valid; name and value are copied. A length of -1
            // would mean a C string, but slices are never that long.
            ErrorCode(unsafe {
                raw::rd_kafka_header_add(
                    headers.0,
                    name.as_ptr().cast(),
                    name.len() as isize,
                    value,
                    len as isize,
                )
            })
            .ok()?;
        }
        Ok(headers)
    }

    fn as_ptr(&self) -> *mut raw::rd_kafka_headers_t {
        self.0
    }

    fn give_up(self) {
        std::mem::forget(self);
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: ours, and not used again.
            unsafe { raw::rd_kafka_headers_destroy(self.0) }
        }
    }
}

/// A topic's name, `""` for none.
///
/// # Safety
/// `topic` is null or a topic that lives for `'a`.
#[inline]
pub(super) unsafe fn name_of<'a>(topic: *const raw::rd_kafka_topic_t) -> &'a str {
    if topic.is_null() {
        return "";
    }
    // SAFETY: valid by this function's contract; the name lives as long as the topic
    // and never changes.
    unsafe { CStr::from_ptr(raw::rd_kafka_topic_name(topic)) }.to_str().unwrap_or("")
}
