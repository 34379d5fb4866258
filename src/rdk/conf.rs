//! Configurations of clients and of topics.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::ptr::NonNull;

use libc::c_char;

use super::errno::{Error, ErrorCode, Result};
use super::ptr::{cstring, string, ErrBuf};
use super::{raw, secrets, Partitioner};

/// Alias and canonical name of client properties, as in rdkafka_conf.c.
const CLIENT_ALIASES: &[(&str, &str)] = &[
    ("bootstrap.servers", "metadata.broker.list"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("sasl.mechanism", "sasl.mechanisms"),
    ("sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id"),
    ("sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("retries", "message.send.max.retries"),
    ("compression.type", "compression.codec"),
    // These two are topic properties; a client configuration passes them on.
    ("acks", "request.required.acks"),
    ("delivery.timeout.ms", "message.timeout.ms"),
];

/// The same of topic properties. `enable.auto.commit` is an alias here only.
const TOPIC_ALIASES: &[(&str, &str)] = &[
    ("acks", "request.required.acks"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("compression.type", "compression.codec"),
    ("enable.auto.commit", "auto.commit.enable"),
];

/// librdkafka takes `topic.acks` for the topic property `acks`, but has client
/// properties of its own that start so.
fn without_prefix(key: &str) -> &str {
    match key.strip_prefix("topic.") {
        Some(rest) if !rest.starts_with("metadata.") && rest != "blacklist" => rest,
        _ => key,
    }
}

fn canonical<'a>(key: &'a str, aliases: &[(&'static str, &'static str)]) -> &'a str {
    let key = without_prefix(key);
    aliases.iter().find(|(alias, _)| *alias == key).map_or(key, |(_, name)| name)
}

/// Rows of a dump that are pointers of librdkafka's or ours: no setting of anybody's.
fn is_internal(key: &str) -> bool {
    key.ends_with("_cb")
        || matches!(
            key,
            "opaque"
                | "default_topic_conf"
                | "interceptors"
                | "msg_order_cmp"
                | "ssl_key"
                | "ssl_certificate"
                | "ssl_ca"
                | "ssl_engine_callback_data"
                | "ut_handle_ProduceResponse"
        )
}

/// Copies a dump's pairs and frees it.
///
/// # Safety
/// `rows` holds `count` strings, as `rd_kafka_conf_dump` returned them.
unsafe fn take_dump(rows: *mut *const c_char, count: usize) -> Vec<(String, String)> {
    // SAFETY: `count` valid strings by this function's contract, freed once, after
    // they were copied.
    unsafe {
        let pairs = std::slice::from_raw_parts(rows, count)
            .chunks_exact(2)
            .map(|pair| (string(pair[0]), string(pair[1])))
            .filter(|(key, _)| !is_internal(key))
            .collect();
        raw::rd_kafka_conf_dump_free(rows, count);
        pairs
    }
}

/// Asks twice: for the size, then for the value.
fn get_with(ask: impl Fn(*mut c_char, *mut usize) -> raw::rd_kafka_conf_res_t) -> Option<String> {
    let mut size = 0;
    if ask(std::ptr::null_mut(), &mut size) != raw::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
        return None;
    }
    let mut buffer = vec![0u8; size.max(1)];
    let mut size = buffer.len();
    if ask(buffer.as_mut_ptr().cast(), &mut size) != raw::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
        return None;
    }
    let text = CStr::from_bytes_until_nul(&buffer).ok()?;
    Some(text.to_string_lossy().into_owned())
}

fn set_result(result: raw::rd_kafka_conf_res_t, text: &ErrBuf) -> Result<()> {
    match result {
        raw::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
        _ => Err(Error::with_detail(ErrorCode::INVALID_ARG, text.text())),
    }
}

/// A client configuration (`rd_kafka_conf_t`). Cloning copies it.
pub struct Conf {
    ptr: NonNull<raw::rd_kafka_conf_t>,
    set: BTreeSet<String>,
}

// SAFETY: plain data that belongs to no thread; `&self` methods only read it.
unsafe impl Send for Conf {}
// SAFETY: as above.
unsafe impl Sync for Conf {}

impl Default for Conf {
    fn default() -> Conf {
        Conf::new()
    }
}

impl Conf {
    /// librdkafka's defaults (`rd_kafka_conf_new`).
    pub fn new() -> Conf {
        // SAFETY: no arguments. librdkafka aborts when memory is out.
        let ptr = unsafe { raw::rd_kafka_conf_new() };
        Conf {
            ptr: NonNull::new(ptr).unwrap_or_else(|| std::process::abort()),
            set: BTreeSet::new(),
        }
    }

    pub(super) fn as_ptr(&self) -> *mut raw::rd_kafka_conf_t {
        self.ptr.as_ptr()
    }

    /// Gives the object up to librdkafka.
    pub(super) fn into_raw(self) -> *mut raw::rd_kafka_conf_t {
        let mut this = std::mem::ManuallyDrop::new(self);
        drop(std::mem::take(&mut this.set));
        this.as_ptr()
    }

    /// Sets a property (`rd_kafka_conf_set`). Topic properties set the default topic
    /// configuration. Errors: `INVALID_ARG` with librdkafka's text as detail.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let name = cstring(key, "configuration property")?;
        let text = cstring(value, "configuration value")?;
        let mut error = ErrBuf::new();
        // SAFETY: all pointers are valid through the call, which copies what it keeps.
        let result = unsafe {
            raw::rd_kafka_conf_set(
                self.as_ptr(),
                name.as_ptr(),
                text.as_ptr(),
                error.as_mut_ptr(),
                error.len(),
            )
        };
        set_result(result, &error)?;
        self.set.insert(canonical(key, CLIENT_ALIASES).to_owned());
        Ok(())
    }

    /// A property's value, also of the default topic configuration's; `None` when
    /// there is no such property or it has no value (`rd_kafka_conf_get`).
    pub fn get(&self, key: &str) -> Option<String> {
        let key = cstring(without_prefix(key), "").ok()?;
        get_with(|buffer, size| {
            // SAFETY: `buffer` is null or has `*size` bytes, by `get_with`.
            unsafe { raw::rd_kafka_conf_get(self.as_ptr(), key.as_ptr(), buffer, size) }
        })
    }

    /// Whether librdkafka has a property of that name (in the client or topic scope).
    pub fn is_known(key: &str) -> bool {
        let Ok(name) = cstring(key, "") else {
            return false;
        };
        let scratch = Conf::new();
        let mut error = ErrBuf::new();
        // SAFETY: valid pointers; a null value means the default.
        let result = unsafe {
            raw::rd_kafka_conf_set(
                scratch.as_ptr(),
                name.as_ptr(),
                std::ptr::null(),
                error.as_mut_ptr(),
                error.len(),
            )
        };
        result != raw::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN
    }

    /// All client properties that have a value, by canonical name; secrets in clear
    /// (`rd_kafka_conf_dump`, without its pointers).
    pub fn dump(&self) -> Vec<(String, String)> {
        let mut count = 0;
        // SAFETY: the configuration is valid and only read.
        unsafe {
            let rows = raw::rd_kafka_conf_dump(self.as_ptr(), &mut count);
            take_dump(rows, count)
        }
    }

    /// The default topic configuration: a copy, or librdkafka's defaults if none is set.
    pub fn default_topic_conf(&self) -> TopicConf {
        // SAFETY: the configuration is valid; the topic configuration belongs to it and
        // is copied while it is borrowed.
        unsafe {
            let inner = raw::rd_kafka_conf_get_default_topic_conf(self.as_ptr());
            match NonNull::new(inner) {
                Some(inner) => TopicConf {
                    ptr: NonNull::new(raw::rd_kafka_topic_conf_dup(inner.as_ptr()))
                        .unwrap_or_else(|| std::process::abort()),
                    set: BTreeSet::new(),
                },
                None => TopicConf::new(),
            }
        }
    }

    /// Makes `topic` the default topic configuration, replacing what topic properties
    /// were set before (`rd_kafka_conf_set_default_topic_conf`).
    pub fn set_default_topic_conf(&mut self, topic: TopicConf) {
        let mut topic = topic;
        self.set.append(&mut topic.set);
        // SAFETY: both are valid; the topic configuration changes its owner.
        unsafe { raw::rd_kafka_conf_set_default_topic_conf(self.as_ptr(), topic.into_raw()) }
    }

    /// The canonical names of all properties that were set.
    pub fn set_keys(&self) -> &BTreeSet<String> {
        &self.set
    }

    /// Whether the property was set, by this name or an alias of it.
    pub fn is_configured(&self, key: &str) -> bool {
        self.set.contains(canonical(key, CLIENT_ALIASES))
    }

    /// The values that must not show up in texts (see [`redact`](super::redact)).
    pub fn secrets(&self) -> Vec<String> {
        let mut values: Vec<String> = secrets::hidden_in_texts()
            .filter_map(|key| self.get(key))
            .filter(|value| !value.is_empty())
            .collect();
        values.sort();
        values.dedup();
        values
    }
}

impl Clone for Conf {
    fn clone(&self) -> Conf {
        // SAFETY: the source is valid and only read (`rd_kafka_conf_dup`).
        let ptr = unsafe { raw::rd_kafka_conf_dup(self.as_ptr()) };
        Conf {
            ptr: NonNull::new(ptr).unwrap_or_else(|| std::process::abort()),
            set: self.set.clone(),
        }
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: valid, ours, and not used again.
        unsafe { raw::rd_kafka_conf_destroy(self.as_ptr()) }
    }
}

/// A topic configuration (`rd_kafka_topic_conf_t`). Cloning copies it.
pub struct TopicConf {
    ptr: NonNull<raw::rd_kafka_topic_conf_t>,
    set: BTreeSet<String>,
}

// SAFETY: plain data that belongs to no thread; `&self` methods only read it.
unsafe impl Send for TopicConf {}
// SAFETY: as above.
unsafe impl Sync for TopicConf {}

impl Default for TopicConf {
    fn default() -> TopicConf {
        TopicConf::new()
    }
}

impl TopicConf {
    /// librdkafka's defaults (`rd_kafka_topic_conf_new`).
    pub fn new() -> TopicConf {
        // SAFETY: no arguments. librdkafka aborts when memory is out.
        let ptr = unsafe { raw::rd_kafka_topic_conf_new() };
        TopicConf {
            ptr: NonNull::new(ptr).unwrap_or_else(|| std::process::abort()),
            set: BTreeSet::new(),
        }
    }

    fn as_ptr(&self) -> *mut raw::rd_kafka_topic_conf_t {
        self.ptr.as_ptr()
    }

    /// Gives the object up to librdkafka.
    pub(super) fn into_raw(self) -> *mut raw::rd_kafka_topic_conf_t {
        let mut this = std::mem::ManuallyDrop::new(self);
        drop(std::mem::take(&mut this.set));
        this.as_ptr()
    }

    /// Sets a property (`rd_kafka_topic_conf_set`). Errors: as [`Conf::set`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let name = cstring(key, "configuration property")?;
        let text = cstring(value, "configuration value")?;
        let mut error = ErrBuf::new();
        // SAFETY: all pointers are valid through the call, which copies what it keeps.
        let result = unsafe {
            raw::rd_kafka_topic_conf_set(
                self.as_ptr(),
                name.as_ptr(),
                text.as_ptr(),
                error.as_mut_ptr(),
                error.len(),
            )
        };
        set_result(result, &error)?;
        self.set.insert(canonical(key, TOPIC_ALIASES).to_owned());
        Ok(())
    }

    /// A property's value (`rd_kafka_topic_conf_get`).
    pub fn get(&self, key: &str) -> Option<String> {
        let key = cstring(without_prefix(key), "").ok()?;
        get_with(|buffer, size| {
            // SAFETY: `buffer` is null or has `*size` bytes, by `get_with`.
            unsafe { raw::rd_kafka_topic_conf_get(self.as_ptr(), key.as_ptr(), buffer, size) }
        })
    }

    /// Whether librdkafka has a topic property of that name.
    pub fn is_known(key: &str) -> bool {
        let Ok(name) = cstring(key, "") else {
            return false;
        };
        let scratch = TopicConf::new();
        let mut error = ErrBuf::new();
        // SAFETY: valid pointers; a null value means the default.
        let result = unsafe {
            raw::rd_kafka_topic_conf_set(
                scratch.as_ptr(),
                name.as_ptr(),
                std::ptr::null(),
                error.as_mut_ptr(),
                error.len(),
            )
        };
        result != raw::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN
    }

    /// All properties that have a value, by canonical name (`rd_kafka_topic_conf_dump`).
    pub fn dump(&self) -> Vec<(String, String)> {
        let mut count = 0;
        // SAFETY: the configuration is valid and only read.
        unsafe {
            let rows = raw::rd_kafka_topic_conf_dump(self.as_ptr(), &mut count);
            take_dump(rows, count)
        }
    }

    /// The canonical names of all properties that were set.
    pub fn set_keys(&self) -> &BTreeSet<String> {
        &self.set
    }

    /// Whether the property was set, by this name or an alias of it.
    pub fn is_configured(&self, key: &str) -> bool {
        self.set.contains(canonical(key, TOPIC_ALIASES))
    }

    /// Chooses one of librdkafka's partitioners: the property `partitioner`, which
    /// names the same functions as `rd_kafka_topic_conf_set_partitioner_cb` takes and,
    /// unlike a callback, shows in listings and can be set again.
    pub fn set_partitioner(&mut self, partitioner: Partitioner) {
        // The names are librdkafka's own; a test sets them all.
        let _ = self.set("partitioner", partitioner.name());
    }
}

impl Clone for TopicConf {
    fn clone(&self) -> TopicConf {
        // SAFETY: the source is valid and only read (`rd_kafka_topic_conf_dup`).
        let ptr = unsafe { raw::rd_kafka_topic_conf_dup(self.as_ptr()) };
        TopicConf {
            ptr: NonNull::new(ptr).unwrap_or_else(|| std::process::abort()),
            set: self.set.clone(),
        }
    }
}

impl Drop for TopicConf {
    fn drop(&mut self) {
        // SAFETY: valid, ours, and not used again.
        unsafe { raw::rd_kafka_topic_conf_destroy(self.as_ptr()) }
    }
}

#[cfg(test)]
#[path = "conf_tests.rs"]
mod tests;
