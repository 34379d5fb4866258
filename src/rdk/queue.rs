//! Queues: where events and messages are read, and who is woken for them.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libc::{c_int, c_void};

use super::client::{Client, Kind};
use super::errno::{Error, ErrorCode, Result};
use super::event::{ClientError, RawEvent};
use super::message::Owner;
use super::registry::Registry;
use super::{hooks, raw, Event, Message};

/// Is told that a queue is no longer empty.
///
/// Called in librdkafka's threads with the queue's lock held: set a flag, signal
/// another thread, and return. Calling into librdkafka from here deadlocks.
pub trait Wake: Send + Sync + 'static {
    /// The queue's length became one.
    fn wake(&self);
}

extern "C" {
    fn kafka_consume_batch_queue(
        queue: *mut raw::rd_kafka_queue_t,
        timeout_ms: c_int,
        messages: *mut *mut raw::message_t,
        size: usize,
    ) -> isize;
}

/// Wakes by number. How its lock and librdkafka's queue lock meet:
///
/// - The callback runs with the queue's lock held and takes the registry's lock for
///   reading, only while it copies an `Arc`: queue, then registry.
/// - `enable_wake` registers first, lets go of the registry's lock, and only then calls
///   librdkafka, which takes the queue's lock. Had it kept the registry's lock, it would
///   wait for the queue's while a broker thread that holds the queue's waited for ours.
/// - `disable_wake` calls librdkafka first. When that returns, no callback is running
///   (it would hold the queue's lock) and none will begin. Then the entry is removed.
///   In the other order a callback in between would only miss, but the callback might
///   also be left holding the last `Arc`, and run a stranger's drop inside the lock.
static WAKES: Registry<dyn Wake> = Registry::new();

/// How many queues wake somebody, for the tests of leaks.
pub fn live_wakes() -> usize {
    WAKES.len()
}

/// For [`fork`](super::fork).
pub(super) fn hold() -> super::fork::Held {
    WAKES.hold()
}

/// A queue (`rd_kafka_queue_t`).
pub struct Queue {
    ptr: NonNull<raw::rd_kafka_queue_t>,
    client: Arc<Client>,
    /// The wake's number, 0 for none.
    wake: AtomicUsize,
    /// Kept between batches for its memory.
    scratch: Mutex<Scratch>,
}

#[derive(Default)]
struct Scratch(Vec<*mut raw::message_t>);

// SAFETY: librdkafka's queues may be used and destroyed in any thread and lock for
// themselves; the scratch holds no pointers between calls.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// Takes a queue over; null is `None`.
    ///
    /// # Safety
    /// `ptr` is null or a reference to a queue of `client` that the caller owns.
    pub(super) unsafe fn from_raw(
        client: &Arc<Client>,
        ptr: *mut raw::rd_kafka_queue_t,
    ) -> Option<Queue> {
        NonNull::new(ptr).map(|ptr| Queue {
            ptr,
            client: Arc::clone(client),
            wake: AtomicUsize::new(0),
            scratch: Mutex::default(),
        })
    }

    pub(super) fn as_ptr(&self) -> *mut raw::rd_kafka_queue_t {
        self.ptr.as_ptr()
    }

    /// Its client.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// A queue of another client would hand its messages to the wrong owner.
    pub(super) fn need_client(&self, client: &Client) -> Result<()> {
        if std::ptr::eq(Arc::as_ptr(&self.client), client) {
            return Ok(());
        }
        Err(Error::with_detail(ErrorCode::INVALID_ARG, "the queue is another client's"))
    }

    /// The next event, waiting up to `timeout_ms` (-1 without limit) for one
    /// (`rd_kafka_queue_poll`).
    pub fn poll(&self, timeout_ms: i32) -> Option<Event> {
        // SAFETY: the queue is valid; the event returned is ours.
        unsafe {
            let event = raw::rd_kafka_queue_poll(self.as_ptr(), timeout_ms);
            Some(RawEvent::new(&self.client, NonNull::new(event)?).parse())
        }
    }

    /// How many events or messages are in it, or in the queue it is forwarded to
    /// (`rd_kafka_queue_length`).
    pub fn len(&self) -> usize {
        // SAFETY: the queue is valid.
        unsafe { raw::rd_kafka_queue_length(self.as_ptr()) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends what is and comes into this queue to another one of the same client;
    /// `None` ends that (`rd_kafka_queue_forward`). Returns whether it was done: not
    /// for a queue of another client.
    pub fn forward(&self, to: Option<&Queue>) -> bool {
        let to = match to {
            Some(queue) if queue.need_client(&self.client).is_err() => return false,
            Some(queue) => queue.as_ptr(),
            None => std::ptr::null_mut(),
        };
        // SAFETY: both queues are valid; librdkafka keeps a reference of its own.
        unsafe { raw::rd_kafka_queue_forward(self.as_ptr(), to) };
        true
    }

    /// Reads up to `max` messages into `out`; returns how many came. Waits for the
    /// whole of `timeout_ms` unless `max` are there: 0 takes what there is
    /// (`rd_kafka_consume_batch_queue`, src/rdk/position.c). Consumer errors such as
    /// `PARTITION_EOF` come as messages; errors about a whole partition go to `errors`.
    /// librdkafka's position of a partition, at which fetching goes on after a pause, is
    /// behind what came of it last.
    pub fn consume_batch(
        &self,
        max: usize,
        timeout_ms: i32,
        out: &mut VecDeque<Message>,
        errors: &mut VecDeque<ClientError>,
    ) -> Result<usize> {
        self.client.need(Kind::Consumer)?;
        if max == 0 {
            return Ok(0);
        }
        // Taken out, not locked: a read that waits must not block another thread's.
        let mut scratch =
            std::mem::take(&mut *self.scratch.lock().unwrap_or_else(PoisonError::into_inner));
        scratch.0.clear();
        scratch.0.reserve(max);
        // SAFETY: the queue is valid and the memory has room for `max` pointers.
        let count = unsafe {
            kafka_consume_batch_queue(self.as_ptr(), timeout_ms, scratch.0.as_mut_ptr(), max)
        };
        let failed = (count < 0).then(Error::last);
        errors.extend(hooks::take_errors().into_iter().map(ClientError::placed));
        if let Some(e) = failed {
            return Err(e);
        }
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: librdkafka has written `count` pointers, not more than `max`.
        unsafe { scratch.0.set_len(count) };
        out.reserve(count);
        let owner = Rc::new(Owner(Arc::clone(&self.client)));
        for message in scratch.0.drain(..).filter_map(NonNull::new) {
            // SAFETY: a message of this client, ours from here on.
            out.push_back(unsafe { Message::from_raw(&owner, message) });
        }
        *self.scratch.lock().unwrap_or_else(PoisonError::into_inner) = scratch;
        Ok(count)
    }

    /// Has `wake` called whenever the queue's length becomes one, in place of an
    /// earlier one (`rd_kafka_queue_cb_event_enable`).
    ///
    /// What is in the queue already wakes nobody: enable, then read once. The wake
    /// belongs to librdkafka's queue: two `Queue`s of one (two `main_queue`s) share it.
    pub fn enable_wake(&self, wake: Arc<dyn Wake>) {
        let id = WAKES.add(wake);
        // SAFETY: the queue is valid; the callback stays in memory since the library is
        // never unloaded; the opaque is a number and never followed.
        unsafe {
            raw::rd_kafka_queue_cb_event_enable(self.as_ptr(), Some(on_event), id as *mut c_void)
        };
        let earlier = self.wake.swap(id, Ordering::AcqRel);
        drop(WAKES.remove(earlier));
    }

    /// Ends that. When it returns, the wake is not running and will not be called.
    pub fn disable_wake(&self) {
        let id = self.wake.swap(0, Ordering::AcqRel);
        if id == 0 || self.client.forked() {
            return;
        }
        // SAFETY: the queue is valid; null for none.
        unsafe { raw::rd_kafka_queue_cb_event_enable(self.as_ptr(), None, std::ptr::null_mut()) };
        drop(WAKES.remove(id));
    }
}

unsafe extern "C" fn on_event(_rk: *mut raw::rd_kafka_t, opaque: *mut c_void) {
    // A panic must not unwind into C, which holds a lock.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if let Some(wake) = WAKES.get(opaque as usize) {
            wake.wake();
        }
    }));
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.client.forked() {
            return;
        }
        self.disable_wake();
        // SAFETY: valid, ours, and not used again; the client is still there.
        unsafe { raw::rd_kafka_queue_destroy(self.as_ptr()) }
    }
}
