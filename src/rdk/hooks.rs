//! Log lines, throttling and errors within batch reads: what comes by callback, for want of a usable
//! event.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::CStr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, PoisonError, RwLock};

use libc::{c_char, c_int, c_void};

use super::fork::{Held, Resolving};
use super::ptr::string;
use super::registry::Registry;
use super::secrets::redact;
use super::{raw, Conf, Error, ErrorCode};

/// A line of librdkafka's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// syslog's severity: 0 (emergency) to 7 (debug).
    pub level: i32,
    /// librdkafka's name for the place, such as `FAIL`.
    pub facility: String,
    /// The text, the client's secrets replaced by `[redacted]`.
    pub message: String,
    /// The client's name (`rd_kafka_name`); empty while it is being made.
    pub name: String,
}

/// What a client reports by callback.
///
/// Called in librdkafka's threads, and in the thread that makes the client or
/// polls a queue. An implementation must return soon, must not call into the
/// client (librdkafka may hold its locks) and must never touch Tcl.
pub trait Hooks: Send + Sync + 'static {
    /// A log line.
    fn log(&self, line: LogLine);

    /// A broker slowed this client down by `throttle_ms`. Called inside
    /// [`Queue::poll`](super::Queue::poll) of the client's main queue.
    fn throttle(&self, broker: String, id: i32, throttle_ms: i32) {
        let _ = (broker, id, throttle_ms);
    }

    /// A broker has answered a request that only a client of the right protocol gets answered. Called
    /// for each answer, with librdkafka's name of the broker.
    fn answered(&self, broker: &str) {
        let _ = broker;
    }
}

struct Entry {
    hooks: Arc<dyn Hooks>,
    secrets: RwLock<Vec<String>>,
    /// The last tokens. They change all the time, so that keeping all would never end.
    tokens: RwLock<VecDeque<String>>,
}

/// How many tokens may still turn up in a log line: a connection keeps the one that it began with.
const TOKENS: usize = 8;

impl Entry {
    /// `text` without the client's secrets.
    fn redact(&self, text: &str) -> String {
        let text = redact(text, &self.secrets.read().unwrap_or_else(PoisonError::into_inner));
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        if tokens.is_empty() {
            return text;
        }
        redact(&text, &tokens.iter().cloned().collect::<Vec<_>>())
    }
}

static ENTRIES: Registry<Entry> = Registry::new();

/// How many clients' hooks are registered, for the tests of leaks.
pub fn live_hooks() -> usize {
    ENTRIES.len()
}

/// Registers the hooks of a client with this configuration.
pub(super) fn register(hooks: Arc<dyn Hooks>, secrets: Vec<String>) -> usize {
    ENTRIES.add(Arc::new(Entry { hooks, secrets: RwLock::new(secrets), tokens: RwLock::default() }))
}

/// Forgets them, after the client's last thread has ended.
pub(super) fn unregister(id: usize) {
    drop(ENTRIES.remove(id));
}

/// For [`fork`](super::fork).
pub(super) fn hold() -> Held {
    ENTRIES.hold()
}

/// Adds to what the client's log lines must not show.
pub(super) fn add_secret(id: usize, secret: &str) {
    if secret.is_empty() {
        return;
    }
    if let Some(entry) = ENTRIES.get(id) {
        let mut secrets = entry.secrets.write().unwrap_or_else(PoisonError::into_inner);
        if !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
        }
    }
}

/// The same for a token, of which only the last few are kept.
pub(super) fn add_token(id: usize, token: &str) {
    if token.is_empty() {
        return;
    }
    if let Some(entry) = ENTRIES.get(id) {
        let mut tokens = entry.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.back().is_none_or(|last| last != token) {
            if tokens.len() == TOKENS {
                tokens.pop_front();
            }
            tokens.push_back(token.to_owned());
        }
    }
}

/// A text without the client's secrets.
pub(super) fn without_secrets(id: usize, text: &str) -> String {
    match ENTRIES.get(id) {
        Some(entry) => entry.redact(text),
        None => text.to_owned(),
    }
}

/// How many errors a thread keeps that nobody takes.
const MOST: usize = 100;

thread_local! {
    /// Errors that came by callback in this thread.
    static ERRORS: RefCell<Vec<Error>> = const { RefCell::new(Vec::new()) };
}

/// Takes the errors that a read in this thread met: a batch read gives those about a whole partition,
/// such as one that does not exist, to the callback and not as a message. Their detail begins with
/// `TOPIC [PARTITION]: `.
pub(super) fn take_errors() -> Vec<Error> {
    ERRORS.with_borrow_mut(std::mem::take)
}

/// Sets the callbacks and the number on a configuration that becomes a client's.
pub(super) fn install(conf: &mut Conf, id: usize) {
    // SAFETY: the configuration is valid and ours; the callbacks stay in memory since
    // the library is never unloaded; the opaque is a number and never followed.
    unsafe {
        raw::rd_kafka_conf_set_opaque(conf.as_ptr(), id as *mut c_void);
        raw::rd_kafka_conf_set_log_cb(conf.as_ptr(), Some(on_log));
        raw::rd_kafka_conf_set_error_cb(conf.as_ptr(), Some(on_error));
        raw::rd_kafka_conf_set_throttle_cb(conf.as_ptr(), Some(on_throttle));
        raw::rd_kafka_conf_set_resolve_cb(conf.as_ptr(), Some(on_resolve));
        raw::rd_kafka_conf_interceptor_add_on_new(
            conf.as_ptr(),
            NAME.as_ptr(),
            Some(on_new),
            id as *mut c_void,
        );
    }
}

/// librdkafka's name for who listens to answers.
const NAME: &CStr = c"kafka-hooks";

/// Requests that are answered before a client has logged in: ApiVersions, SaslHandshake and
/// SaslAuthenticate. A listener that wants SASL answers the first to anybody.
const BEFORE_LOGIN: [i16; 3] = [18, 17, 36];

unsafe extern "C" fn on_new(
    rk: *mut raw::rd_kafka_t,
    _conf: *const raw::rd_kafka_conf_t,
    opaque: *mut c_void,
    _text: *mut c_char,
    _size: usize,
) -> c_int {
    // SAFETY: the handle is being made, and none of its threads looks yet; the callback stays in
    // memory, and the opaque is a number and never followed.
    unsafe {
        raw::rd_kafka_interceptor_add_on_response_received(
            rk,
            NAME.as_ptr(),
            Some(on_response_received),
            opaque,
        )
    }
}

unsafe extern "C" fn on_response_received(
    _rk: *mut raw::rd_kafka_t,
    _socket: c_int,
    broker: *const c_char,
    _broker_id: i32,
    api: i16,
    _version: i16,
    _correlation: i32,
    size: usize,
    _rtt: i64,
    error: c_int,
    opaque: *mut c_void,
) -> c_int {
    if error != 0 || size == 0 || BEFORE_LOGIN.contains(&api) {
        return 0;
    }
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the string lives through the call.
        if let Ok(broker) = unsafe { CStr::from_ptr(broker) }.to_str() {
            if let Some(entry) = ENTRIES.get(opaque as usize) {
                entry.hooks.answered(broker);
            }
        }
    }));
    0
}

unsafe extern "C" fn on_log(
    rk: *const raw::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    message: *const c_char,
) {
    // A panic must not unwind into C. It is dropped: there is nobody to tell, and the
    // log is what one would tell it with.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if rk.is_null() {
            return;
        }
        // SAFETY: librdkafka calls with a handle whose configuration is set, opaque
        // included, and with strings that live through the call.
        let (id, facility, message, name) = unsafe {
            (
                raw::rd_kafka_opaque(rk) as usize,
                string(facility),
                string(message),
                string(raw::rd_kafka_name(rk)),
            )
        };
        let Some(entry) = ENTRIES.get(id) else {
            return;
        };
        let message = entry.redact(&message);
        entry.hooks.log(LogLine { level, facility, message, name });
    }));
}

unsafe extern "C" fn on_error(
    _rk: *mut raw::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    _opaque: *mut c_void,
) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the string lives through the call.
        let reason = unsafe { string(reason) };
        ERRORS.with_borrow_mut(|errors| {
            if errors.len() < MOST {
                errors.push(Error::with_detail(ErrorCode(code), reason));
            }
        });
    }));
}

/// `getaddrinfo`, known to be under way; without a node `freeaddrinfo`.
unsafe extern "C" fn on_resolve(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut *mut libc::addrinfo,
    _opaque: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka calls with what getaddrinfo takes, or with a result that it gave.
    unsafe {
        if node.is_null() {
            libc::freeaddrinfo(*result);
            return 0;
        }
        let _here = Resolving::enter();
        libc::getaddrinfo(node, service, hints, result)
    }
}

unsafe extern "C" fn on_throttle(
    _rk: *mut raw::rd_kafka_t,
    broker: *const c_char,
    broker_id: i32,
    throttle_ms: c_int,
    opaque: *mut c_void,
) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the string lives through the call.
        let broker = unsafe { string(broker) };
        if let Some(entry) = ENTRIES.get(opaque as usize) {
            entry.hooks.throttle(broker, broker_id, throttle_ms);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Seen(Mutex<Vec<(String, i32, i32)>>);

    impl Hooks for Seen {
        fn log(&self, _: LogLine) {}
        fn throttle(&self, broker: String, id: i32, throttle_ms: i32) {
            if throttle_ms < 0 {
                panic!("a hook may be buggy");
            }
            self.0.lock().unwrap().push((broker, id, throttle_ms));
        }
    }

    #[test]
    fn the_last_tokens_are_cut_out() {
        let id = register(Arc::new(Seen::default()), vec!["hunter2".to_owned()]);
        for n in 10..30 {
            add_token(id, &format!("token{n}"));
            add_token(id, &format!("token{n}"));
        }
        let entry = ENTRIES.get(id).unwrap();
        assert_eq!(entry.tokens.read().unwrap().len(), TOKENS);
        assert_eq!(entry.redact("hunter2 token29 token22 -"), "[redacted] [redacted] [redacted] -");
        unregister(id);
    }

    #[test]
    fn throttling_reaches_the_hook_by_number() {
        let seen = Arc::new(Seen::default());
        let id = register(seen.clone(), Vec::new());
        let broker = CString::new("b:1/1").unwrap();
        let call = |opaque: usize, ms| {
            // SAFETY: the callback doesn't use the handle.
            unsafe {
                on_throttle(std::ptr::null_mut(), broker.as_ptr(), 1, ms, opaque as *mut c_void)
            }
        };
        call(id, 20);
        call(id, -1);
        call(id + 1_000_000, 30);
        unregister(id);
        call(id, 40);
        assert_eq!(*seen.0.lock().unwrap(), [("b:1/1".to_owned(), 1, 20)]);
    }
}
