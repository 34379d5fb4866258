//! The admin operations: each asks the cluster and waits for the answer.
//!
//! Every request has a queue of its own, so an answer can't reach another's caller. A request
//! that nobody waits for any more (its time is over, its script was cancelled) needs nothing of
//! ours: librdkafka holds a reference to the queue until it answers, destroying our queue disables
//! it, and an answer to a disabled queue is freed. So the queue and whatever was passed in go out
//! of scope at once, and librdkafka forgets the request at its own time limit, or with the client.

mod acls;
mod cluster;
mod configs;
mod coordinator;
mod groups;
mod offsets;
mod op;
mod raw;
mod scram;
mod topics;

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

use libc::{c_char, c_int};

use super::again::{CallTime, GiveUp, LONGEST, LOOK};
use super::client::Client;
use super::errno::{Error, ErrorCode, Result};
use super::ptr::{cstring, string, ErrBuf};
use super::{Metadata, TopicSel};
use op::Op;

pub use acls::{Acl, AclFilter, OPERATIONS, PATTERNS, PERMISSIONS, RESOURCES};
pub use cluster::{Cluster, Node};
pub use configs::{Change, ConfigEntry, Resource};
pub use groups::{GroupDescription, GroupListing, Member, GROUP_STATES, GROUP_TYPES};
pub use offsets::{Election, ListedOffset, SPEC_EARLIEST, SPEC_LATEST, SPEC_MAX_TIMESTAMP};
pub use scram::{Credential, ScramChange, MECHANISMS};
pub use topics::{NewTopic, TopicDescription};

/// Results by name: of topics, groups, users.
pub type Named<T> = Vec<(String, Result<T>)>;

/// One call's way to the cluster: all its requests share its time. Its methods block; they are for
/// a thread of their own.
pub struct Admin<'a> {
    client: &'a Arc<Client>,
    time: CallTime,
}

impl<'a> Admin<'a> {
    /// For a call that has `timeout_ms` from now on, -1 without limit.
    pub fn new(client: &'a Arc<Client>, timeout_ms: i32, give_up: GiveUp) -> Admin<'a> {
        Admin { client, time: CallTime::of(timeout_ms, give_up) }
    }

    /// The same for a part of the time.
    fn within(&self, time: &CallTime) -> Admin<'a> {
        Admin { client: self.client, time: time.part(LONGEST) }
    }

    /// Metadata, within the time that is left.
    fn metadata(&self, topics: TopicSel<'_>) -> Result<Metadata> {
        self.client.metadata(topics, self.time.left()).map_err(|e| match e.code {
            ErrorCode::TIMED_OUT => self.time.late(),
            _ => e,
        })
    }

    /// Fails unless the caller may describe the cluster. The question itself is free to all.
    fn need_describe(&self) -> Result<()> {
        let may = self.describe_cluster(true)?.operations;
        if may.contains(&"describe") || may.contains(&"all") {
            return Ok(());
        }
        Err(Error::new(ErrorCode::CLUSTER_AUTHORIZATION_FAILED))
    }

    /// The ids of the cluster's brokers.
    fn brokers(&self) -> Result<Vec<i32>> {
        let mut ids: Vec<i32> =
            self.metadata(TopicSel::Known)?.brokers.iter().map(|b| b.id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Options for a request (`rd_kafka_AdminOptions_new`), with the time that is left.
    fn options(&self, op: Op) -> Result<Options> {
        // SAFETY: the client is valid; null for a number that is no operation.
        let ptr = unsafe { raw::rd_kafka_AdminOptions_new(self.client.as_ptr(), op as c_int) };
        let ptr = NonNull::new(ptr).ok_or_else(|| Error::new(ErrorCode::INVALID_ARG))?;
        let options = Options(ptr, op);
        let left = self.time.left();
        let limit = op.limit(left);
        checked(|text, size| {
            // SAFETY: the options are valid, and the buffer has the size given.
            unsafe {
                raw::rd_kafka_AdminOptions_set_request_timeout(options.ptr(), limit, text, size)
            }
        })?;
        if op.waits_on_broker() {
            // What the broker itself may take until all brokers know.
            checked(|text, size| {
                // SAFETY: as above.
                unsafe {
                    raw::rd_kafka_AdminOptions_set_operation_timeout(
                        options.ptr(),
                        left,
                        text,
                        size,
                    )
                }
            })?;
        }
        Ok(options)
    }

    /// Sends a request and waits for its answer.
    fn ask(
        &self,
        options: &Options,
        send: impl FnOnce(*mut raw::rd_kafka_t, *const raw::AdminOptions, *mut raw::rd_kafka_queue_t),
    ) -> Result<Answer> {
        if self.time.is_given_up() {
            return Err(Error::new(ErrorCode::DESTROY));
        }
        if self.time.left() == 0 {
            return Err(self.time.late());
        }
        let queue = self.client.new_queue();
        send(self.client.as_ptr(), options.0.as_ptr(), queue.as_ptr());
        loop {
            self.client.watch_call();
            // librdkafka answers at the request's time limit at the latest; it may be late by a
            // little, and an answer that is in the queue counts. Some requests have a later limit
            // there (see `Op::limit`): our clock ends these.
            let left = if options.1.ends_late() { self.time.left() } else { LONGEST };
            let wait = left.min(LOOK.as_millis() as c_int);
            // SAFETY: the queue is valid; the event returned is ours.
            let event = unsafe { raw::rd_kafka_queue_poll(queue.as_ptr(), wait) };
            if let Some(ptr) = NonNull::new(event) {
                let client = Arc::clone(self.client);
                return Answer { ptr, client, spoilt: false }.check(self, options.1);
            }
            if self.time.is_given_up() {
                return Err(Error::new(ErrorCode::DESTROY));
            }
            if left == 0 {
                return Err(self.time.late());
            }
        }
    }
}

/// A request's options.
struct Options(NonNull<raw::AdminOptions>, Op);

impl Options {
    fn ptr(&self) -> *mut raw::AdminOptions {
        self.0.as_ptr()
    }

    /// Has the cluster check only.
    fn validate_only(&self, on: bool) -> Result<()> {
        checked(|text, size| {
            // SAFETY: the options are valid, and the buffer has the size given.
            unsafe {
                raw::rd_kafka_AdminOptions_set_validate_only(self.ptr(), on.into(), text, size)
            }
        })
    }

    /// Has this broker asked.
    fn broker(&self, id: i32) -> Result<()> {
        checked(|text, size| {
            // SAFETY: the options are valid, and the buffer has the size given.
            unsafe { raw::rd_kafka_AdminOptions_set_broker(self.ptr(), id, text, size) }
        })
    }

    /// Asks what the caller may do.
    fn operations(&self, on: bool) -> Result<()> {
        // SAFETY: the options are valid; the error returned is ours.
        unsafe {
            Error::take(raw::rd_kafka_AdminOptions_set_include_authorized_operations(
                self.ptr(),
                on.into(),
            ))
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: valid, ours, and not used again; requests have copies.
        unsafe { raw::rd_kafka_AdminOptions_destroy(self.ptr()) }
    }
}

/// Calls a function that returns a code and writes a text.
fn checked(f: impl FnOnce(*mut c_char, usize) -> c_int) -> Result<()> {
    let mut text = ErrBuf::new();
    let code = f(text.as_mut_ptr(), text.len());
    match ErrorCode(code).error() {
        None => Ok(()),
        Some(code) => Err(Error::with_detail(code, text.text())),
    }
}

/// An answer's event. What accessors give lives as long.
struct Answer {
    ptr: NonNull<raw::rd_kafka_event_t>,
    client: Arc<Client>,
    /// It can't be destroyed.
    spoilt: bool,
}

impl Answer {
    /// The error of the request as a whole, if it failed.
    fn check(mut self, admin: &Admin<'_>, op: Op) -> Result<Answer> {
        // SAFETY: a valid event.
        let code = ErrorCode(unsafe { raw::rd_kafka_event_error(self.ptr.as_ptr()) });
        if op == Op::DescribeUserScramCredentials && code.0 > 0 {
            // librdkafka 2.12 has put a text into this event that is a constant or gone from its
            // stack: it can't be read, and destroying the event would free it. A few bytes are
            // lost. (Errors of librdkafka's own, which are negative, are sound.)
            self.spoilt = true;
            return Err(Error::new(code));
        }
        // SAFETY: a valid event; the text is copied.
        let text = unsafe { string(raw::rd_kafka_event_error_string(self.ptr.as_ptr())) };
        match code.error() {
            None => Ok(self),
            Some(ErrorCode::TIMED_OUT) => {
                let late = admin.time.late();
                // librdkafka says which step it was in ("while waiting for controller").
                let step = text.trim_end_matches(": Local: Timed out");
                let detail = if step == text || step.is_empty() {
                    late.detail
                } else {
                    format!("{}: {step}", late.detail)
                };
                Err(Error::with_detail(code, detail))
            }
            Some(code) => Err(Error::with_detail(code, text)),
        }
    }

    /// The result in the form that the operation has.
    fn result<T>(
        &self,
        read: unsafe extern "C" fn(*mut raw::rd_kafka_event_t) -> *const T,
    ) -> Result<*const T> {
        // SAFETY: a valid event; null when it is another operation's.
        let found = unsafe { read(self.ptr.as_ptr()) };
        if found.is_null() {
            return Err(Error::with_detail(ErrorCode::FAIL, "librdkafka gave another answer"));
        }
        Ok(found)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.spoilt || self.client.forked() {
            return;
        }
        // SAFETY: valid, ours, and not used again; the client is still there.
        unsafe { raw::rd_kafka_event_destroy(self.ptr.as_ptr()) }
    }
}

/// Objects that are passed to a request and freed after it: librdkafka copies them.
struct Bag<T> {
    items: Vec<*mut T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Bag<T> {
    fn new(free: unsafe extern "C" fn(*mut T)) -> Bag<T> {
        Bag { items: Vec::new(), free }
    }

    /// Takes an object over; null is `INVALID_ARG` with the text.
    fn add(&mut self, item: *mut T, text: impl FnOnce() -> String) -> Result<*mut T> {
        if item.is_null() {
            return Err(Error::with_detail(ErrorCode::INVALID_ARG, text()));
        }
        self.items.push(item);
        Ok(item)
    }

    fn as_mut_ptr(&mut self) -> *mut *mut T {
        self.items.as_mut_ptr()
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}

impl<T> Drop for Bag<T> {
    fn drop(&mut self) {
        for item in self.items.drain(..) {
            // SAFETY: each was made by the function that goes with `free`, is ours, and goes once.
            unsafe { (self.free)(item) }
        }
    }
}

/// C strings and the array of their addresses.
struct Names {
    addresses: Vec<*const c_char>,
    /// Keeps them where they are.
    _texts: Vec<CString>,
}

impl Names {
    fn new(names: &[String], what: &str) -> Result<Names> {
        let texts = names.iter().map(|n| cstring(n, what)).collect::<Result<Vec<CString>>>()?;
        let addresses = texts.iter().map(|t| t.as_ptr()).collect();
        Ok(Names { addresses, _texts: texts })
    }

    fn as_mut_ptr(&mut self) -> *mut *const c_char {
        self.addresses.as_mut_ptr()
    }

    fn len(&self) -> usize {
        self.addresses.len()
    }
}

/// An array that an accessor gives, and its length.
///
/// # Safety
/// `get` gives null, or an array with as many elements as it says, which live for `'a`.
unsafe fn array<'a, T>(get: impl FnOnce(*mut usize) -> *mut T) -> &'a [T] {
    let mut count = 0;
    let items = get(&mut count);
    if items.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(items, count) }
}

/// Copies an error that belongs to a result; null and "no error" are none.
///
/// # Safety
/// `error` is null or valid.
unsafe fn error_of(error: *const raw::rd_kafka_error_t) -> Option<Error> {
    if error.is_null() {
        return None;
    }
    // SAFETY: valid by this function's contract; the text is copied.
    unsafe {
        let code = ErrorCode(raw::rd_kafka_error_code(error)).error()?;
        let mut copy = Error::with_detail(code, string(raw::rd_kafka_error_string(error)));
        copy.fatal |= raw::rd_kafka_error_is_fatal(error) != 0;
        copy.retriable = raw::rd_kafka_error_is_retriable(error) != 0;
        Some(copy)
    }
}

/// The outcome for the one item that was asked about.
fn only(mut results: Named<()>) -> Result<()> {
    results.pop().map_or_else(
        || Err(Error::with_detail(ErrorCode::BAD_MSG, "the answer is empty")),
        |(_, outcome)| outcome,
    )
}

/// The word for a number of librdkafka's; words stand at their number, 0 is unknown.
pub(super) fn word(words: &'static [&'static str], number: c_int) -> &'static str {
    usize::try_from(number).ok().and_then(|n| words.get(n)).copied().unwrap_or("unknown")
}

/// The other way round.
pub(super) fn number(words: &[&str], word: &str) -> Result<c_int> {
    words
        .iter()
        .position(|w| *w == word)
        .and_then(|n| c_int::try_from(n).ok())
        .ok_or_else(|| Error::with_detail(ErrorCode::INVALID_ARG, format!("no such word: {word}")))
}
