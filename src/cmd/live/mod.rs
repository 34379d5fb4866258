//! The clients that are alive, as Send data, and their end.
//!
//! `exit` runs no delete procs, a thread may end with clients open, and an interpreter may be deleted
//! with them: then all affected clients are finished in parallel under one deadline. A producer's
//! messages are delivered within its `linger_on_close`; a subscriber's offsets are committed and its
//! group left within [`LEAVE`]. What could not be delivered is counted on stderr and in the log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

mod stopping;

use super::leaving::LEAVE;
use super::logger::Logger;
use super::rebalance;
use super::store::Store;
use super::sweep::Sweep;
use crate::rdk::{self, Client, Event, Queue};
use crate::tcl::event::Source;

pub use stopping::{Started, Stopping};

/// What `linger_on_close` is until it is set, in milliseconds.
pub const LINGER: i32 = 10_000;

/// How long a helper waits before it looks whether anybody still needs it.
const SLICE: Duration = Duration::from_millis(100);

/// What a client has to do at its end.
pub enum End {
    /// A producer delivers what is queued.
    Delivery,
    /// A subscriber leaves its group; its events come through this queue.
    Group(Queue),
    /// A consumer stops its partitions: those that were started at `stored` commit then.
    Partitions(Mutex<Stopping>),
}

/// What can be known of a client from any thread.
pub struct Live {
    pub id: u64,
    pub name: String,
    pub client: Arc<Client>,
    pub main: Queue,
    pub(super) end: End,
    /// Signalled when a partition has stopped.
    stop_done: Condvar,
    /// The offsets that wait to be handed over.
    store: Arc<Store>,
    pub linger: AtomicI32,
    pub logger: Arc<Logger>,
    /// Messages whose reports are out of librdkafka's queue and not yet freed: librdkafka counts
    /// them, though they are delivered.
    pub held: AtomicUsize,
    /// Frees reports that are done with.
    pub sweep: Sweep,
    /// Set once the end has begun, so that it is begun once.
    pub finishing: AtomicBool,
    /// Set once the client is done with.
    pub(super) left: AtomicBool,
    /// Wakes the object when a partition has stopped, or its group is about to be left.
    bell: OnceLock<Arc<Source>>,
    thread: ThreadId,
    interp: usize,
}

type Table = BTreeMap<u64, Arc<Live>>;

static LIVE: Mutex<Table> = Mutex::new(BTreeMap::new());

fn table() -> MutexGuard<'static, Table> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps others out of the table while the process forks.
pub fn hold() -> rdk::Held {
    Box::new(table())
}

/// What [`Live::new`] needs to know.
pub struct Parts {
    pub id: u64,
    pub client: Arc<Client>,
    pub end: End,
    pub store: Arc<Store>,
    pub logger: Arc<Logger>,
    /// Tells interpreters apart; never used as a pointer.
    pub interp: usize,
}

impl Live {
    /// Enters a client of this thread.
    pub fn enter(parts: Parts) -> Arc<Live> {
        let Parts { id, client, end, store, logger, interp } = parts;
        let linger = match end {
            End::Delivery => LINGER,
            End::Group(_) | End::Partitions(_) => LEAVE.as_millis() as i32,
        };
        let live = Arc::new(Live {
            id,
            name: client.name(),
            main: client.main_queue(),
            client,
            end,
            stop_done: Condvar::new(),
            store,
            bell: OnceLock::new(),
            linger: AtomicI32::new(linger),
            logger,
            held: AtomicUsize::new(0),
            sweep: Sweep::default(),
            finishing: AtomicBool::new(false),
            left: AtomicBool::new(false),
            thread: std::thread::current().id(),
            interp,
        });
        table().insert(id, live.clone());
        live
    }

    /// The client is finished and about to be dropped.
    pub fn leave(&self) {
        self.swept();
        if let Some((text, _)) = self.sweep.unheard().and_then(|u| u.text()) {
            self.logger.say(3, "DELIVERY", &self.name, text);
        }
        self.left.store(true, Ordering::Release);
        table().remove(&self.id);
    }

    /// Messages that librdkafka has, those included whose reports were not freed yet. It tells their
    /// number only together with that of the main queue's events, and these come at any moment. Only
    /// the client's own thread takes some out: when as many were there before as after, none came.
    /// (But for the end of the process, of which any thread may be in charge.)
    pub fn messages(&self) -> usize {
        self.swept();
        let mut events = self.main.len();
        loop {
            let all = self.client.outq_len();
            let now = self.main.len();
            if now == events {
                return all.saturating_sub(now);
            }
            events = now;
        }
    }

    /// Waits until no report is being freed.
    fn swept(&self) {
        if !self.client.forked() {
            self.sweep.wait();
        }
    }

    /// Messages that are neither delivered nor failed yet.
    pub fn undelivered(&self) -> usize {
        self.messages().saturating_sub(self.held.load(Ordering::Acquire))
    }

    /// Whether no message is undelivered and no event unserved; for any thread.
    pub fn all_served(&self) -> bool {
        self.swept();
        self.client.outq_len() <= self.held.load(Ordering::Acquire)
    }

    fn deadline(&self, start: Instant) -> Option<Instant> {
        match self.linger.load(Ordering::Relaxed) {
            -1 => None,
            ms => Some(start + Duration::from_millis(ms.unsigned_abs().into())),
        }
    }

    /// Begins the end: a subscriber's group is left, a consumer's partitions are stopped, a
    /// producer's messages leave without waiting for `linger.ms`.
    pub fn begin_end(self: &Arc<Self>) -> rdk::Result<()> {
        if self.finishing.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.store.hand_over(&self.client);
        match &self.end {
            End::Delivery => {
                if self.undelivered() > 0 {
                    self.hasten(self.linger.load(Ordering::Relaxed));
                }
                Ok(())
            }
            End::Group(queue) => self.begin_leave(queue),
            End::Partitions(_) => {
                self.stop_all();
                Ok(())
            }
        }
    }

    pub fn set_bell(&self, source: Arc<Source>) {
        let _ = self.bell.set(source);
    }

    pub(super) fn bell(&self) -> Option<&Arc<Source>> {
        self.bell.get()
    }

    /// Has what is queued sent without waiting for `linger.ms`: `rd_kafka_flush` does that while it
    /// waits, on a thread of its own. In slices: once the client is done with, by whatever way, nobody
    /// else can end the waiting, and the thread would keep the client.
    pub fn hasten(self: &Arc<Self>, timeout: i32) {
        let live = self.clone();
        let end = u64::try_from(timeout).ok().map(|ms| Instant::now() + Duration::from_millis(ms));
        // Without the thread the messages leave a little later.
        let _ = std::thread::Builder::new().name("kafka-flush".into()).spawn(move || {
            while !live.left.load(Ordering::Acquire) {
                let slice =
                    end.map_or(SLICE, |e| SLICE.min(e.saturating_duration_since(Instant::now())));
                let flushed = live.client.flush(slice.as_millis() as i32).is_ok();
                if flushed || slice.is_zero() {
                    break;
                }
            }
        });
    }

    /// Takes an event without running Tcl; gives how many deliveries it says have failed.
    fn serve(&self, event: Event) -> usize {
        let mut failed = 0;
        match event {
            Event::Delivery(mut reports) => {
                while let Some(m) = reports.next() {
                    failed += usize::from(m.error().is_some());
                }
            }
            Event::Error(e) => {
                self.logger.faults.note_event(&e.error);
            }
            _ => {}
        }
        failed
    }

    /// Serves the end of a client without running Tcl; failed deliveries are counted. True when the
    /// client is done.
    fn serve_end(&self, failed: &mut usize) -> bool {
        while let Some(event) = self.main.poll(0) {
            *failed += self.serve(event);
        }
        let queue = match &self.end {
            End::Delivery => return self.all_served(),
            End::Partitions(_) => return self.stopped(),
            End::Group(queue) => queue,
        };
        while let Some(event) = queue.poll(0) {
            if let Event::Rebalance(r) = event {
                // A refusal means that the group has gone on without us; closing goes on too.
                let _ = rebalance::answer(&self.client, r.code, &r.partitions);
            }
        }
        self.client.closed()
    }
}

/// Which clients an end concerns.
pub enum Whose {
    Process,
    ThisThread,
    Interp(usize),
}

/// Finishes clients in parallel under one deadline and says what was lost.
pub fn finish(whose: &Whose) {
    let me = std::thread::current().id();
    let chosen = |l: &&Arc<Live>| match whose {
        Whose::Process => true,
        Whose::ThisThread => l.thread == me,
        Whose::Interp(i) => l.interp == *i,
    };
    let mut open: Vec<(Arc<Live>, usize)> =
        table().values().filter(chosen).cloned().map(|l| (l, 0)).collect();
    // A forked child's copies are dead, and what they queued is the parent's to deliver.
    open.retain(|(l, _)| !l.client.forked());
    let start = Instant::now();
    for (live, _) in &open {
        if let Err(e) = live.begin_end() {
            live.logger.say(4, "CLOSE", &live.name, e.code.text());
        }
    }
    let mut silent = true;
    while !open.is_empty() {
        let now = Instant::now();
        if silent && now >= start + SILENCE {
            silent = false;
            for (live, _) in &open {
                say_wait(live, live.deadline(start).map(|d| d.saturating_duration_since(now)));
            }
        }
        open.retain_mut(|(live, failed)| {
            let done = live.serve_end(failed);
            let over = live.deadline(start).is_some_and(|d| now >= d);
            if done || over {
                say_lost(live, *failed + if done { 0 } else { live.undelivered() });
                live.leave();
            }
            !(done || over)
        });
        if let Some((live, _)) = open.first() {
            // Waits for news of one of them; the others are looked at in 10 ms at the latest.
            let bad = live.main.poll(10).map_or(0, |event| live.serve(event));
            if let Some((_, failed)) = open.first_mut() {
                *failed += bad;
            }
        }
    }
}

/// An end that takes longer than this says what it waits for. Most take some milliseconds, and a program that says
/// something on stderr has failed, for `exec`.
const SILENCE: Duration = Duration::from_secs(1);

/// Says on stderr and in the log for how many messages an end waits, and for how long at the most.
fn say_wait(live: &Live, left: Option<Duration>) {
    let open = live.undelivered();
    // Where hardly any time is left, what is lost is said in a moment.
    if open == 0 || !matches!(live.end, End::Delivery) || left.is_some_and(|l| l < SILENCE / 4) {
        return;
    }
    let most = left.map_or("until they are delivered or have failed".to_owned(), |left| {
        format!("for {} ms at the most (linger_on_close)", left.as_millis())
    });
    say(live, 4, "END", format!("the end of {} waits for {open} message(s) {most}", live.name));
}

/// Says on stderr and in the log how many messages were lost, if any.
pub fn say_lost(live: &Live, lost: usize) {
    if lost == 0 || !matches!(live.end, End::Delivery) {
        return;
    }
    let text = format!("{lost} message(s) of {} could not be delivered before the end", live.name);
    say(live, 3, "LOST", text);
}

/// Says it, with what the brokers said last.
fn say(live: &Live, level: i32, facility: &str, mut text: String) {
    if let Some(told) = live.logger.faults.tell() {
        text += &format!("; last errors of brokers: {told}");
    } else if live.client.cluster_id(0).is_none() {
        let brokers = live.client.conf().get("bootstrap.servers").filter(|b| !b.is_empty());
        text += &format!("; no answer from {}", brokers.as_deref().unwrap_or("any broker"));
    }
    rdk::to_stderr(format!("kafka: {text}"));
    if !matches!(live.logger.sink(), super::logger::Sink::Stderr) {
        live.logger.say(level, facility, &live.name, text);
    }
}

/// Whether an interpreter has clients, deleted ones that are still ending among them.
pub fn any_of(interp: usize) -> bool {
    table().values().any(|live| live.interp == interp && !live.client.forked())
}

/// How many clients are entered, for the tests of leaks.
pub fn count() -> usize {
    table().len()
}

/// How many events wait in the main queues of all clients, for tests.
pub fn waiting() -> usize {
    table().values().filter(|live| !live.client.forked()).map(|live| live.main.len()).sum()
}
