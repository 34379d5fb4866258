//! What a client waits for is asked for again.
//!
//! watch.c says what librdkafka (2.12.1) leaves undone. Members of groups are watched from their beginning;
//! whoever else may have to wait for a coordinator calls [`Client::watch`].

use std::ptr::NonNull;

use libc::{c_char, c_int};

use super::client::Client;
use super::ptr::cstring;
use super::queue::Queue;
use super::raw;

#[repr(C)]
struct Raw {
    _private: [u8; 0],
}

extern "C" {
    fn kafka_watch_new() -> *mut Raw;
    fn kafka_watch_free(watch: *mut Raw);
    fn kafka_watch(rk: *mut raw::rd_kafka_t, watch: *mut Raw, call: c_int);
    fn kafka_forget_coordinators(rk: *mut raw::rd_kafka_t);
    fn kafka_watch_forwards(watch: *mut Raw, messages: *mut raw::rd_kafka_queue_t);
    fn kafka_await_offset(rk: *mut raw::rd_kafka_t, topic: *const c_char, partition: i32);
    fn kafka_forget_topic(rk: *mut raw::rd_kafka_t, topic: *const c_char);
}

/// A client's watch. It has to outlive the client, whose threads use it.
pub(super) struct Watch(NonNull<Raw>);

// SAFETY: only librdkafka's threads use it, and it locks its timers.
unsafe impl Send for Watch {}
// SAFETY: as above.
unsafe impl Sync for Watch {}

impl Watch {
    pub(super) fn new() -> Watch {
        // SAFETY: takes nothing; what it returns is ours.
        Watch(NonNull::new(unsafe { kafka_watch_new() }).unwrap_or_else(|| std::process::abort()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: it is ours, and its client has been destroyed.
        unsafe { kafka_watch_free(self.0.as_ptr()) }
    }
}

impl Client {
    /// Has the client look again, once a second, for what it waits for: a member of a group and a
    /// transactional producer until its end, another client until it waits for nothing. May be called
    /// again at any time.
    pub(super) fn watch(&self) {
        // SAFETY: the client is valid, and the watch outlives it.
        unsafe { kafka_watch(self.as_ptr(), self.watch.0.as_ptr(), 0) }
    }

    /// Has the client look once a second whether the partitions that it fetches are forwarded to this queue. To be
    /// called by one thread; the first queue counts.
    pub fn watch_forwards(&self, messages: &Queue) {
        // SAFETY: the watch outlives the client; the queue is valid, and the watch keeps a reference of its own.
        unsafe { kafka_watch_forwards(self.watch.0.as_ptr(), messages.as_ptr()) }
    }

    /// The same while an admin's call waits, which may be for the controller as well: to be called
    /// again and again until it ends.
    pub(super) fn watch_call(&self) {
        // SAFETY: as above.
        unsafe { kafka_watch(self.as_ptr(), self.watch.0.as_ptr(), 1) }
    }

    /// Has the client look for coordinators anew, from its next request on.
    pub(super) fn forget_coordinators(&self) {
        // SAFETY: the client is valid.
        unsafe { kafka_forget_coordinators(self.as_ptr()) }
    }

    /// Has a partition that is assigned, or is being read, take the next seek also when its offset could not be
    /// reset (`auto.offset.reset` is `error`): librdkafka refuses that as `STATE`.
    pub fn await_offset(&self, topic: &str, partition: i32) {
        // A name that librdkafka can't have is not known to it.
        let Ok(topic) = cstring(topic, "topic") else { return };
        // SAFETY: the client and the name are valid through the call.
        unsafe { kafka_await_offset(self.as_ptr(), topic.as_ptr(), partition) }
    }

    /// Has the client ask for a topic's partitions and leaders anew when it needs them next.
    pub(super) fn forget_topic(&self, name: &str) {
        // A name that librdkafka can't have is not known to it.
        let Ok(name) = cstring(name, "topic") else { return };
        // SAFETY: the client and the name are valid through the call.
        unsafe { kafka_forget_topic(self.as_ptr(), name.as_ptr()) }
    }
}
