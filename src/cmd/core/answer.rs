//! Whether any broker has answered yet, and what is said when none does.
//!
//! Behind a firewall that drops what comes, librdkafka says nothing before
//! `socket.connection.setup.timeout.ms` (30 s) is over; at a port that takes connections and is no
//! broker, nothing for 10 s. A new user has given up by then.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Core;
use crate::cmd::{faults, transactions};
use crate::error::guiding_detail;
use crate::rdk::{self, ClientError, ErrorCode};
use crate::tcl::event::{Source, Timer, Waiter};

/// How long brokers may take before it is said that none answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client may know no brokers before that is said: they may come by `add_brokers`.
const STRANGER: Duration = Duration::from_secs(3);

/// A client that is younger has no right to complain in errors.
const TOO_YOUNG: Duration = Duration::from_millis(250);

/// What a client still waits for: its first answer.
pub struct Hope {
    made: Instant,
    /// When it is said that there was none; nothing once there was one, or something else was said.
    until: Cell<Option<Instant>>,
    timer: RefCell<Option<Timer>>,
    /// It was said that no broker is left, and has not been calm since.
    dark: Cell<bool>,
}

impl Default for Hope {
    fn default() -> Hope {
        Hope {
            made: Instant::now(),
            until: Cell::new(None),
            timer: RefCell::default(),
            dark: Cell::new(false),
        }
    }
}

impl Hope {
    /// `patience`: how long nothing is said.
    fn begin(&self, patience: Duration, source: &Arc<Source>) {
        self.until.set(Some(Instant::now() + patience));
        // For scripts that only serve the event loop. It wakes the thread once, and not at all if a
        // turn before has seen an answer.
        let timer = Timer::new(patience + Duration::from_millis(1), source.clone());
        let old = self.timer.replace(Some(timer));
        drop(old);
    }

    pub(super) fn end(&self) {
        self.until.set(None);
        drop(self.timer.take());
    }
}

impl Core {
    /// Whether a broker has ever answered: the cluster's id comes with the first metadata.
    pub(super) fn answered(&self) -> bool {
        self.client.cluster_id(0).is_some()
    }

    /// Says once in the log that no broker answers, if that is so and its time has come. Gives when a
    /// call that waits has to look again.
    pub fn look_for_answer(&self) -> Option<Instant> {
        let until = self.hope.until.get()?;
        if !self.is_open() || self.out_of_turn() {
            return None;
        }
        // A broker that refuses, or can't be found, is in the log already.
        if self.logger.faults.any() || self.answered() {
            self.hope.end();
            return None;
        }
        if Instant::now() < until {
            return Some(until);
        }
        self.say_no_answer();
        None
    }

    /// Waits for news until then, or without limit; what keeps them away is said meanwhile. Every blocking call
    /// that serves its client waits here.
    pub fn sleep(&self, waiter: &mut Waiter, until: Option<Instant>) {
        let look = self.look_for_answer();
        waiter.wait(until.into_iter().chain(look).min());
    }

    /// Says once an outage that no broker is left; the single ones are in the log already. `calm`: there was no
    /// error for a while.
    pub fn say_outage(&self, e: &rdk::Error, calm: bool) {
        if calm {
            self.hope.dark.set(false);
        }
        if e.code == ErrorCode::ALL_BROKERS_DOWN && !self.hope.dark.replace(true) {
            self.hope.end();
            self.logger.say(4, "NOBROKER", &self.live.name, guiding_detail(e));
        }
    }

    /// Begins to wait for an answer, or for brokers to ask: of a new client, and anew with the first brokers of a client
    /// that knew none.
    pub fn begin_hope(&self, source: &Arc<Source>) {
        self.hope.begin(if self.knows_brokers() { PATIENCE } else { STRANGER }, source);
    }

    /// A call has ended without what it was for: it is said at once if no broker has answered. Where none is known
    /// the call's own error says so, and brokers may still be added.
    pub fn disappointed(&self) {
        let waiting = self.hope.until.get().is_some()
            && self.hope.made.elapsed() >= TOO_YOUNG
            && self.knows_brokers();
        if waiting && self.look_for_answer().is_some() {
            self.say_no_answer();
        }
    }

    fn say_no_answer(&self) {
        self.hope.end();
        // A subscriber's script hears of it where it reads: nothing could ever come.
        if self.message_errors.is_some() && !self.knows_brokers() {
            let detail = "no broker is known: set bootstrap.servers with config of the master before the subscriber \
                          is made, or use add_brokers";
            let error = rdk::Error::with_detail(ErrorCode::ALL_BROKERS_DOWN, detail);
            return self.raise(ClientError { error, topic: None, partition: None });
        }
        let e = rdk::Error::with_detail(ErrorCode::TIMED_OUT, self.no_answer());
        self.logger.say(4, "NOANSWER", &self.live.name, guiding_detail(&e));
    }

    /// Whether there is anybody to ask: brokers of the configuration, or added ones.
    pub fn knows_brokers(&self) -> bool {
        let configured = self.client.conf().get("bootstrap.servers").unwrap_or_default();
        !configured.is_empty() || !self.added_brokers.borrow().is_empty()
    }

    fn no_answer(&self) -> String {
        let brokers = self.client.conf().get("bootstrap.servers").unwrap_or_default();
        format!("no answer from {}", self.known_brokers(&brokers))
    }

    /// Says of an error what is known here and not to librdkafka: which brokers can't be reached, and
    /// why.
    pub fn explain(&self, e: rdk::Error) -> rdk::Error {
        let before = e.detail.len();
        let mut e = self.blame(e);
        if e.detail.len() != before {
            return e;
        }
        if e.detail.is_empty() {
            if matches!(e.code, ErrorCode::TIMED_OUT | ErrorCode::TRANSPORT) {
                e.detail = self.no_answer();
            }
        } else if faults::may_be_unreachable(e.code)
            && self.hope.made.elapsed() >= TOO_YOUNG
            && !self.answered()
        {
            e.detail = format!("{}; {}", e.detail, self.no_answer());
        }
        e
    }

    /// Adds what keeps the client from its brokers: their last errors, that there is no token, and that
    /// a transaction's time is over.
    fn blame(&self, e: rdk::Error) -> rdk::Error {
        transactions::overdue(self, self.tokens.explain(self.logger.faults.explain(e)))
    }
}
