//! librdkafka's own question for a topic's leaders is put without its locks.
//!
//! When OffsetForLeaderEpoch fails, librdkafka (2.12.1, its issue 5476) asks for the leaders while it
//! has the partition locked, and locks the client for that
//! (`rd_kafka_toppar_handle_OffsetForLeaderEpoch`). A broker that has just left the cluster's
//! metadata locks these two the other way round (`rd_kafka_toppar_forget_leader`). If both meet, they
//! wait for ever, and so does whoever needs the client: nothing arrives any more, and it can't be
//! destroyed. A broker that stops under a reading consumer is enough.
//!
//! So the linker gives librdkafka the function here for its own (build.rs): that place is its only
//! caller. The question is put by a thread that holds nothing. Where the linker can't, nothing calls
//! this, and librdkafka is as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use libc::{c_int, c_uchar};

use super::client::Client;
use super::fork::Held;
use super::raw;

/// How long an answer is awaited, in milliseconds. librdkafka validates anew every half second, so a
/// question without an answer is put again.
const PATIENCE: i32 = 5000;

/// What is known of a client.
struct Entry {
    client: Weak<Client>,
    /// Topics whose leaders are to be asked for; nobody asks when it is empty.
    topics: BTreeSet<String>,
}

/// By librdkafka's handle, which is never followed.
static CLIENTS: Mutex<BTreeMap<usize, Entry>> = Mutex::new(BTreeMap::new());

static ASKED: AtomicUsize = AtomicUsize::new(0);

/// How often librdkafka has wanted leaders to be asked for here, in this process, for the tests.
pub fn leader_questions() -> usize {
    ASKED.load(Ordering::Relaxed)
}

fn clients() -> MutexGuard<'static, BTreeMap<usize, Entry>> {
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For [`fork`](super::fork).
pub(super) fn hold() -> Held {
    Box::new(clients())
}

/// Leaders can be asked for from now on.
pub(super) fn begin(client: &Arc<Client>) {
    let entry = Entry { client: Arc::downgrade(client), topics: BTreeSet::new() };
    clients().insert(client.as_ptr() as usize, entry);
}

/// The client is about to be destroyed: nobody needs leaders any more.
pub(super) fn end(rk: *mut raw::rd_kafka_t) {
    clients().remove(&(rk as usize));
}

/// What librdkafka calls instead of `rd_kafka_topic_leader_query0`, with the partition locked.
///
/// # Safety
/// Called by librdkafka, with a client and a topic of it.
#[no_mangle]
pub unsafe extern "C" fn __wrap_rd_kafka_topic_leader_query0(
    rk: *mut raw::rd_kafka_t,
    topic: *mut raw::rd_kafka_topic_t,
    _lock: c_int,
    _force: c_uchar,
) {
    // SAFETY: the topic is valid through the call, and so is its name, which takes no lock to tell.
    let name = unsafe { CStr::from_ptr(raw::rd_kafka_topic_name(topic)) };
    let name = name.to_string_lossy().into_owned();
    let _ = catch_unwind(move || note(rk as usize, name));
}

fn note(rk: usize, topic: String) {
    ASKED.fetch_add(1, Ordering::Relaxed);
    let mut all = clients();
    let Some(entry) = all.get_mut(&rk) else { return };
    let asked = !entry.topics.is_empty();
    entry.topics.insert(topic);
    if asked {
        return;
    }
    let asks = std::thread::Builder::new().name("rdk-leader".to_owned());
    if asks.spawn(move || ask(rk)).is_err() {
        // With the next validation then.
        entry.topics.clear();
    }
}

/// Asks for the leaders of all topics that wait for it.
fn ask(rk: usize) {
    loop {
        let (client, topic) = {
            let mut all = clients();
            let Some(entry) = all.get_mut(&rk) else { return };
            let Some(topic) = entry.topics.first().cloned() else { return };
            (entry.client.upgrade(), topic)
        };
        // One that ends needs no leaders.
        let Some(client) = client else { return };
        // The answer reaches librdkafka's own tables; an error says that the question comes again.
        let _ = client.metadata_topic(&topic, PATIENCE);
        if let Some(entry) = clients().get_mut(&rk) {
            entry.topics.remove(&topic);
        }
    }
}
