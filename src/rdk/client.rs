//! A client: what every producer and consumer has.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use libc::c_int;

use super::errno::{Error, ErrorCode, Result};
use super::fork::Birth;
use super::ptr::{cstring, string, ErrBuf};
use super::queue::Queue;
use super::watch::Watch;
use super::{consumer, group, hooks, leader, raw, reaper, revive, Conf, Events, Hooks};

/// What a client is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `RD_KAFKA_PRODUCER`
    Producer,
    /// `RD_KAFKA_CONSUMER`
    Consumer,
}

/// A librdkafka handle (`rd_kafka_t`), used as `Arc<Client>`.
///
/// Dropping the last `Arc` returns at once; a thread of its own destroys the handle
/// (see [`live_clients`](super::live_clients)). A consumer is destroyed without being
/// closed, so close it first with [`close_queue`](Client::close_queue).
pub struct Client {
    rk: NonNull<raw::rd_kafka_t>,
    kind: Kind,
    conf: Conf,
    hooks: usize,
    /// The watch over its brokers.
    brokers: usize,
    /// The watch over what it waits for.
    pub(super) watch: Arc<Watch>,
    /// What `add_brokers` was given.
    added: Mutex<BTreeSet<CString>>,
    birth: Birth,
    no_consumer_close: AtomicBool,
    /// The partitions that librdkafka has paused for us.
    pub(super) paused: Mutex<BTreeSet<(String, i32)>>,
    /// Closing was begun.
    pub(super) closing: Mutex<bool>,
    /// How many commits librdkafka was given; changed with `closing` locked.
    pub(super) commits: AtomicU64,
    /// Why librdkafka did not begin closing.
    pub(super) refusal: OnceLock<Error>,
}

// SAFETY: librdkafka's handles may be used and destroyed in any thread.
unsafe impl Send for Client {}
// SAFETY: librdkafka's functions on handles lock for themselves.
unsafe impl Sync for Client {}

impl Client {
    /// Makes a client (`rd_kafka_new`) whose `events` come through its queues.
    ///
    /// `hooks` may be called before this returns. Errors: librdkafka's code, mostly
    /// `INVALID_ARG`, with its text as detail.
    pub fn new(
        kind: Kind,
        conf: Conf,
        events: Events,
        hooks: Arc<dyn Hooks>,
    ) -> Result<Arc<Client>> {
        let id = hooks::register(hooks, conf.secrets());
        let mut own = conf.clone();
        hooks::install(&mut own, id);
        let brokers = revive::install(&mut own);
        let rk_type = match kind {
            Kind::Producer => raw::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            Kind::Consumer => raw::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let own = own.into_raw();
        let mut text = ErrBuf::new();
        // SAFETY: the configuration is valid; on success librdkafka owns it, else it is
        // still ours and destroyed here, once.
        let rk = unsafe {
            raw::rd_kafka_conf_set_events(own, events.bits());
            // Tokens are asked for in a queue of their own: they must not wait behind reports.
            raw::rd_kafka_conf_enable_sasl_queue(own, 1);
            let rk = raw::rd_kafka_new(rk_type, own, text.as_mut_ptr(), text.len());
            if rk.is_null() {
                let code = raw::rd_kafka_last_error();
                if revive::begun(brokers) {
                    // The failed client has freed the lists that it shared with the configuration,
                    // which would free them once more (librdkafka 2.12.1).
                    raw::rd_kafka_conf_interceptor_ctor(raw::GLOBAL, own.cast());
                }
                raw::rd_kafka_conf_destroy(own);
                hooks::unregister(id);
                revive::end(brokers);
                let code = if code == 0 { ErrorCode::INVALID_ARG } else { ErrorCode(code) };
                return Err(Error::with_detail(code, super::redact(&text.text(), &conf.secrets())));
            }
            group::name_member(rk);
            NonNull::new_unchecked(rk)
        };
        reaper::born();
        let client = Arc::new(Client {
            rk,
            kind,
            conf,
            hooks: id,
            brokers,
            watch: Arc::new(Watch::new()),
            added: Mutex::default(),
            birth: Birth::here(),
            no_consumer_close: AtomicBool::new(true),
            paused: Mutex::default(),
            closing: Mutex::new(false),
            commits: AtomicU64::new(0),
            refusal: OnceLock::new(),
        });
        revive::begin(brokers, &client);
        leader::begin(&client);
        if kind == Kind::Consumer {
            client.watch();
        }
        Ok(client)
    }

    pub(super) fn as_ptr(&self) -> *mut raw::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// What it was made as.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Consumer calls on a producer would wait for threads that don't exist.
    pub(super) fn need(&self, kind: Kind) -> Result<()> {
        if self.kind == kind {
            return Ok(());
        }
        Err(Error::with_detail(
            ErrorCode::INVALID_ARG,
            match kind {
                Kind::Consumer => "the client is not a consumer",
                Kind::Producer => "the client is not a producer",
            },
        ))
    }

    /// librdkafka's name for it, such as `rdkafka#producer-1` (`rd_kafka_name`).
    pub fn name(&self) -> String {
        // SAFETY: the handle is valid; the name lives as long and never changes.
        unsafe { string(raw::rd_kafka_name(self.as_ptr())) }
    }

    /// What it was made with, without anything of ours.
    pub fn conf(&self) -> &Conf {
        &self.conf
    }

    /// Sets syslog's level, 0 to 7, up to which lines are logged (`rd_kafka_set_log_level`).
    pub fn set_log_level(&self, level: i32) {
        // SAFETY: the handle is valid; a plain number is stored.
        unsafe { raw::rd_kafka_set_log_level(self.as_ptr(), level) }
    }

    /// Adds brokers to start from, `host:port,...`; returns how many were understood
    /// (`rd_kafka_brokers_add`).
    pub fn add_brokers(&self, list: &str) -> usize {
        let Ok(list) = cstring(list, "") else {
            return 0;
        };
        let count = self.add(&list);
        if count > 0 {
            self.added.lock().unwrap_or_else(PoisonError::into_inner).insert(list);
        }
        count
    }

    fn add(&self, list: &CStr) -> usize {
        // SAFETY: the handle is valid; the list is copied.
        let count = unsafe { raw::rd_kafka_brokers_add(self.as_ptr(), list.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// Adds all brokers anew that it was to start from (see [`revive`]).
    pub(super) fn begin_anew(&self) {
        if self.forked() {
            return;
        }
        let first = self.conf.get("bootstrap.servers").and_then(|list| CString::new(list).ok());
        let added = self.added.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for list in first.iter().chain(&added) {
            self.add(list);
        }
    }

    /// Messages that wait to be sent or for their report to be served, and other
    /// events of the main queue (`rd_kafka_outq_len`).
    pub fn outq_len(&self) -> usize {
        // SAFETY: the handle is valid.
        let count = unsafe { raw::rd_kafka_outq_len(self.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// The fatal error that made the client unusable, if one did (`rd_kafka_fatal_error`).
    pub fn fatal_error(&self) -> Option<Error> {
        let mut text = ErrBuf::new();
        // SAFETY: the handle is valid and the buffer has the size given.
        let code =
            unsafe { raw::rd_kafka_fatal_error(self.as_ptr(), text.as_mut_ptr(), text.len()) };
        let code = ErrorCode(code).error()?;
        Some(Error { fatal: true, ..Error::with_detail(code, text.text()) })
    }

    /// Whether this process is a forked child of the one that made the client. Nothing
    /// of the client may be used then; drops of it and its parts do nothing.
    pub fn forked(&self) -> bool {
        self.birth.forked()
    }

    /// Chooses how the final destroy treats a consumer: without closing it (`true`, what
    /// it does unless told otherwise), or closing it first, which has no time limit.
    pub fn destroy_now(&self, no_consumer_close: bool) {
        self.no_consumer_close.store(no_consumer_close, Ordering::Relaxed);
    }

    /// Keeps `secret` out of the log lines from now on.
    pub fn hide(&self, secret: &str) {
        hooks::add_secret(self.hooks, secret);
    }

    /// As `hide`, for a token: those before the last few are out of use and forgotten.
    pub(super) fn hide_token(&self, token: &str) {
        hooks::add_token(self.hooks, token);
    }

    /// A text without the client's secrets.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        hooks::without_secrets(self.hooks, text)
    }

    /// The queue of reports, errors and statistics (`rd_kafka_queue_get_main`).
    pub fn main_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: the handle is valid; the reference returned is the caller's.
        unsafe { Queue::from_raw(self, raw::rd_kafka_queue_get_main(self.as_ptr())) }
            .unwrap_or_else(|| std::process::abort())
    }

    /// The queue of rebalances and, unless forwarded elsewhere, messages
    /// (`rd_kafka_queue_get_consumer`). Error: `UNKNOWN_GROUP` without a group.id.
    pub fn consumer_queue(self: &Arc<Self>) -> Result<Queue> {
        // SAFETY: as for `main_queue`; null without a group.
        unsafe { Queue::from_raw(self, raw::rd_kafka_queue_get_consumer(self.as_ptr())) }
            .ok_or_else(|| {
                Error::with_detail(
                    ErrorCode::UNKNOWN_GROUP,
                    "the client is not a consumer with a group.id",
                )
            })
    }

    /// A new queue of this client (`rd_kafka_queue_new`).
    pub fn new_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: as for `main_queue`.
        unsafe { Queue::from_raw(self, raw::rd_kafka_queue_new(self.as_ptr())) }
            .unwrap_or_else(|| std::process::abort())
    }

    /// A partition's own queue (`rd_kafka_queue_get_partition`), which is forwarded to
    /// the consumer queue whenever fetching starts. Errors: `INVALID_ARG` on a
    /// producer, `UNKNOWN_PARTITION`.
    pub fn partition_queue(self: &Arc<Self>, topic: &str, partition: i32) -> Result<Queue> {
        self.need(Kind::Consumer)?;
        let topic = cstring(topic, "topic")?;
        // SAFETY: as for `main_queue`; the name is copied.
        unsafe {
            Queue::from_raw(
                self,
                raw::rd_kafka_queue_get_partition(self.as_ptr(), topic.as_ptr(), partition),
            )
        }
        .ok_or_else(|| Error::new(ErrorCode::UNKNOWN_PARTITION))
    }

    /// Waits until all messages are delivered or failed *and their reports served by
    /// somebody else* (`rd_kafka_flush`); meanwhile `linger.ms` counts as zero.
    /// Blocks up to `timeout_ms`, -1 without limit. Error: `TIMED_OUT`.
    pub fn flush(&self, timeout_ms: i32) -> Result<()> {
        // SAFETY: the handle is valid.
        ErrorCode(unsafe { raw::rd_kafka_flush(self.as_ptr(), timeout_ms) }).ok()
    }

    /// Fails messages that wait in the queue and/or are on their way, with
    /// `PURGE_QUEUE` and `PURGE_INFLIGHT`. Doesn't wait for the broker threads that do
    /// it: the reports tell (`rd_kafka_purge` with `NON_BLOCKING`).
    pub fn purge(&self, queue: bool, inflight: bool) -> Result<()> {
        self.purge_with(queue, inflight, raw::PURGE_F_NON_BLOCKING)
    }

    /// As `purge`, and waits until each broker's thread has done it: what is queued from then on is not purged.
    /// A thread that connects or looks up a name does it when it has ended that.
    pub fn purge_and_wait(&self, queue: bool, inflight: bool) -> Result<()> {
        self.purge_with(queue, inflight, 0)
    }

    fn purge_with(&self, queue: bool, inflight: bool, mut flags: c_int) -> Result<()> {
        if !queue && !inflight {
            return Ok(());
        }
        if queue {
            flags |= raw::PURGE_F_QUEUE;
        }
        if inflight {
            flags |= raw::PURGE_F_INFLIGHT;
        }
        // SAFETY: the handle is valid.
        ErrorCode(unsafe { raw::rd_kafka_purge(self.as_ptr(), flags) }).ok()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.birth.forked() {
            // None of librdkafka's threads is here to be joined.
            return;
        }
        revive::end(self.brokers);
        leader::end(self.as_ptr());
        let rk = self.rk.as_ptr() as usize;
        let hooks = self.hooks;
        let watch = self.watch.clone();
        let flags = match self.kind {
            Kind::Consumer if self.no_consumer_close.load(Ordering::Relaxed) => {
                raw::NO_CONSUMER_CLOSE
            }
            _ => 0,
        };
        let closing = *self.closing.get_mut().unwrap_or_else(PoisonError::into_inner);
        reaper::run("rdk-destroy", move || {
            if closing {
                // SAFETY: as below.
                unsafe { consumer::serve_leave(rk as *mut raw::rd_kafka_t) };
            }
            // SAFETY: this was the last owner: topics, queues, events and messages
            // each hold an `Arc`, so none of them is left.
            unsafe { raw::rd_kafka_destroy_flags(rk as *mut raw::rd_kafka_t, flags) };
            // Not earlier: the ending threads still use it, and log.
            drop(watch);
            hooks::unregister(hooks);
            reaper::gone();
        });
    }
}
