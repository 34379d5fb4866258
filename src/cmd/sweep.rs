//! Reports that are done with, freed by a thread of their own.
//!
//! Freeing a message takes as long as queueing one, for its memory has left this thread's caches. A
//! client without delivery reports has librdkafka's threads do it; here every report comes by the
//! script's thread, which keeps what somebody wants and hands the rest on.
//!
//! librdkafka counts a message until it is freed. Whoever asks for that number waits until all that
//! was handed on is freed ([`Sweep::wait`]), so nobody sees the difference.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::rdk::{ErrorCode, MessageRef, Reports, Wake};

/// The smallest batch that is worth waking a thread for.
pub const WORTH: usize = 64;

/// Failed deliveries that nobody takes.
#[derive(Default)]
pub struct Unheard {
    pub count: usize,
    /// The topic and the reason of the first.
    pub first: Option<(String, ErrorCode)>,
}

impl Unheard {
    /// Counts a message, if its delivery has failed.
    #[inline]
    pub fn add(&mut self, m: MessageRef<'_>) {
        if let Some(code) = m.error() {
            self.count += 1;
            self.first.get_or_insert_with(|| (m.topic().to_owned(), code));
        }
    }

    /// What the log says of them, and why the first failed; none if there are none.
    pub fn text(&self) -> Option<(String, ErrorCode)> {
        let (topic, code) = self.first.as_ref()?;
        let (count, reason) = (self.count, code.text());
        let text = format!("{count} message(s) for topic {topic} were not delivered: {reason}");
        Some((text, *code))
    }
}

/// A client's sweeper. Its thread begins with the first batch and ends with the client.
#[derive(Default)]
pub struct Sweep {
    to: Mutex<Option<Sender<Job>>>,
    state: Arc<State>,
}

struct Job {
    reports: Reports,
    /// Rung for failed deliveries.
    bell: Option<Arc<dyn Wake>>,
}

#[derive(Default)]
struct State {
    /// Batches that are not freed yet.
    pending: AtomicUsize,
    /// Held by who waits and by who has freed the last batch, so that no end is missed.
    ending: Mutex<()>,
    ended: Condvar,
    unheard: Mutex<Unheard>,
    some: AtomicBool,
}

impl Sweep {
    /// Has a batch freed; `bell` is rung if there are failures among what nobody walked. Small batches
    /// are not taken, and none where no thread can be made.
    pub fn take(&self, reports: Reports, total: usize, bell: Option<Arc<dyn Wake>>) {
        if total < WORTH {
            return self.state.free(Job { reports, bell });
        }
        let mut to = lock(&self.to);
        if to.is_none() {
            *to = self.begin();
        }
        self.state.pending.fetch_add(1, Ordering::AcqRel);
        let job = Job { reports, bell };
        let refused = match &*to {
            Some(to) => to.send(job).map_err(|e| e.0),
            None => Err(job),
        };
        if let Err(job) = refused {
            self.state.free(job);
            self.state.end();
        }
    }

    fn begin(&self) -> Option<Sender<Job>> {
        let (to, jobs) = channel();
        let state = self.state.clone();
        let work = move || state.run(&jobs);
        std::thread::Builder::new().name("kafka-sweep".into()).spawn(work).ok().map(|_| to)
    }

    /// Waits until all that was handed on is freed. Not for a forked child, which has no such thread.
    pub fn wait(&self) {
        if self.state.pending.load(Ordering::Acquire) == 0 {
            return;
        }
        let busy = |_: &mut ()| self.state.pending.load(Ordering::Acquire) > 0;
        let done = self.state.ended.wait_while(lock(&self.state.ending), busy);
        drop(done.unwrap_or_else(PoisonError::into_inner));
    }

    /// The failures that came up since they were asked for last.
    pub fn unheard(&self) -> Option<Unheard> {
        let state = &self.state;
        if !state.some.load(Ordering::Relaxed) || !state.some.swap(false, Ordering::AcqRel) {
            return None;
        }
        Some(std::mem::take(&mut *lock(&state.unheard)))
    }
}

impl State {
    fn run(&self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            self.free(job);
            self.end();
        }
    }

    fn free(&self, job: Job) {
        let Job { mut reports, bell } = job;
        let mut bad = Unheard::default();
        while let Some(m) = reports.next() {
            bad.add(m);
        }
        drop(reports);
        if bad.count == 0 {
            return;
        }
        let mut unheard = lock(&self.unheard);
        unheard.count += bad.count;
        unheard.first = unheard.first.take().or(bad.first);
        drop(unheard);
        self.some.store(true, Ordering::Release);
        if let Some(bell) = bell {
            bell.wake();
        }
    }

    fn end(&self) {
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            drop(lock(&self.ending));
            self.ended.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
