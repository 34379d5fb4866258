//! Clients that have lost all their brokers get back those that they began with.
//!
//! A broker that is coming up or going down may list no broker at all in its metadata, as a cluster
//! of one does. librdkafka (2.12.1, its issue 5301) then drops every broker it knows. It plans to
//! begin anew with `bootstrap.servers` when the last one is down, but the end of the same answer
//! calls that off if it comes later, for good: such a client has nobody to connect to and never
//! gets anything again. So each client's brokers are watched from here. A broker of librdkafka's is
//! `DOWN` for a moment only, and then waits to connect again; one that stays so is gone.
//!
//! The watch is librdkafka's own (`on_broker_state_change`), in its own threads: it needs no event
//! to be served, so also a script that computes, or ends, keeps its brokers.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use libc::{c_char, c_int, c_void};

use super::client::Client;
use super::fork::Held;
use super::registry::Registry;
use super::{raw, Conf};

/// How long a client may be without a broker before it gets them back: librdkafka does so itself,
/// unless it has forgotten to.
const PATIENCE: Duration = Duration::from_secs(1);

/// librdkafka's name for what is watched.
const NAME: &CStr = c"kafka-revive";

/// A client's brokers.
#[derive(Default)]
struct Brokers {
    /// Those that are there, connected or not: id, host and port.
    here: BTreeSet<(i32, CString, c_int)>,
    /// Somebody waits for them to come back.
    watched: bool,
    client: Weak<Client>,
    /// librdkafka has begun to make the client.
    begun: bool,
}

static CLIENTS: Registry<Mutex<Brokers>> = Registry::new();

fn lock(brokers: &Mutex<Brokers>) -> MutexGuard<'_, Brokers> {
    brokers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For [`fork`](super::fork).
pub(super) fn hold() -> Held {
    CLIENTS.hold()
}

/// Has the brokers of the client that this configuration becomes watched; the number is the watch's.
pub(super) fn install(conf: &mut Conf) -> usize {
    let id = CLIENTS.add(Arc::default());
    // SAFETY: the configuration is valid and ours; the callback stays in memory since the library is
    // never unloaded; the opaque is a number and never followed.
    unsafe {
        raw::rd_kafka_conf_interceptor_add_on_new(
            conf.as_ptr(),
            NAME.as_ptr(),
            Some(on_new),
            id as *mut c_void,
        );
    }
    id
}

/// Whether librdkafka has begun to make the client.
pub(super) fn begun(id: usize) -> bool {
    CLIENTS.get(id).is_some_and(|brokers| lock(&brokers).begun)
}

/// Names the client.
pub(super) fn begin(id: usize, client: &Arc<Client>) {
    if let Some(brokers) = CLIENTS.get(id) {
        lock(&brokers).client = Arc::downgrade(client);
    }
}

/// Ends the watch, before the client is destroyed.
pub(super) fn end(id: usize) {
    drop(CLIENTS.remove(id));
}

unsafe extern "C" fn on_new(
    rk: *mut raw::rd_kafka_t,
    _conf: *const raw::rd_kafka_conf_t,
    opaque: *mut c_void,
    _text: *mut c_char,
    _size: usize,
) -> c_int {
    let _ = catch_unwind(|| {
        if let Some(brokers) = CLIENTS.get(opaque as usize) {
            lock(&brokers).begun = true;
        }
    });
    // SAFETY: the handle is being made, and none of its threads looks yet; else as for `install`.
    unsafe {
        raw::rd_kafka_interceptor_add_on_broker_state_change(
            rk,
            NAME.as_ptr(),
            Some(on_broker_state_change),
            opaque,
        )
    }
}

/// Called with locks of librdkafka's held: it only notes.
unsafe extern "C" fn on_broker_state_change(
    _rk: *mut raw::rd_kafka_t,
    id: i32,
    _protocol: *const c_char,
    host: *const c_char,
    port: c_int,
    state: *const c_char,
    opaque: *mut c_void,
) -> c_int {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // The group's coordinator, say, which is one of the others.
        if port == 0 {
            return;
        }
        // SAFETY: the strings live through the call.
        let (host, down) = unsafe { (CStr::from_ptr(host), CStr::from_ptr(state) == c"DOWN") };
        note(opaque as usize, (id, host.to_owned(), port), down);
    }));
    0
}

fn note(client: usize, broker: (i32, CString, c_int), down: bool) {
    let Some(brokers) = CLIENTS.get(client) else { return };
    let mut now = lock(&brokers);
    if !down {
        now.here.insert(broker);
        return;
    }
    now.here.remove(&broker);
    if !now.here.is_empty() || now.watched {
        return;
    }
    let waits = std::thread::Builder::new().name("rdk-revive".to_owned());
    now.watched = waits.spawn(move || watch(client)).is_ok();
}

/// Waits until the client has brokers, or is no more.
fn watch(client: usize) {
    loop {
        std::thread::sleep(PATIENCE);
        let Some(brokers) = CLIENTS.get(client) else { return };
        let found = {
            let mut now = lock(&brokers);
            now.watched = now.here.is_empty();
            if !now.watched {
                return;
            }
            now.client.upgrade()
        };
        // One that is still being made has no brokers to lose.
        if let Some(client) = found {
            client.begin_anew();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(id: usize) -> bool {
        lock(&CLIENTS.get(id).unwrap()).watched
    }

    #[test]
    fn only_a_client_without_brokers_is_waited_for() {
        let id = CLIENTS.add(Arc::default());
        let broker = |n| (n, c"localhost".to_owned(), 9092);
        note(id, broker(-1), false);
        note(id, broker(1), false);
        note(id, broker(-1), true);
        assert!(!watched(id));
        note(id, broker(1), true);
        assert!(watched(id));
        // As librdkafka does it in a plain outage.
        note(id, broker(1), false);
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while watched(id) && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!watched(id));
        end_of(id);
    }

    fn end_of(id: usize) {
        end(id);
        assert!(CLIENTS.get(id).is_none());
        note(id, (1, c"localhost".to_owned(), 9092), true);
    }
}
