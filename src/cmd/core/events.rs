//! A client's events on their way to callbacks: errors, statistics, log lines, results, and the
//! reports that reports.rs keeps.

use std::sync::atomic::Ordering;

use super::Core;
use crate::cmd::hooks::Throttle;
use crate::cmd::json;
use crate::cmd::transactions;
use crate::error::guiding_detail;
use crate::rdk::{ClientError, Error, ErrorCode, Event, PartitionList, Reports};
use crate::tcl::{event, Obj, Prefix};

/// Events other than reports that wait for a turn: statistics and errors, which come slowly.
const OTHERS: usize = 1000;

/// Throttlings that wait for a turn. Past this, new ones are dropped, so that a script without an event
/// loop is not stopped by what only tells how things are.
const THROTTLES: usize = 100;

/// An event that is out of librdkafka's queue and waits for its callback.
pub enum Kept {
    /// A batch of reports that all go to the callback; walked across turns.
    Batch {
        reports: Reports,
        total: usize,
    },
    /// One report of a batch, made a value because its siblings were not wanted.
    Report {
        report: Obj,
        to: Option<Prefix>,
    },
    Error(ClientError),
    Statistics(String),
    Throttle(Throttle),
}

/// The error of a commit, if it has failed, and what was committed.
pub type Committed = (Option<Error>, PartitionList);

impl Core {
    /// Whether the client has news that nobody looked at; asked by `produce` for each message.
    #[inline]
    pub fn has_news(&self) -> bool {
        self.doorbell.get().is_some_and(|b| b.fresh.load(Ordering::Acquire))
    }

    /// Empties librdkafka's queue without running Tcl: what nobody wants is freed, the rest is kept,
    /// within bounds. Unserved reports count as messages in the queue, so without this a script that
    /// never comes to the event loop would stop for ever at a full queue.
    pub fn drain(&self) {
        if let Some(bell) = self.doorbell.get() {
            bell.fresh.store(false, Ordering::Release);
        }
        self.say_swept();
        let mut some = false;
        loop {
            if self.kept_reports.get() >= self.queue_limit || self.kept_others.get() >= OTHERS {
                // What is left has used its ring up.
                if let Some(bell) = self.doorbell.get() {
                    bell.more();
                }
                break;
            }
            let event = self.main.poll(0);
            some |= self.keep_throttles();
            let Some(event) = event else { break };
            some = true;
            self.keep(event);
        }
        if some && !self.kept.borrow().is_empty() {
            self.again();
        }
    }

    /// As `drain`, for calls that end only when every report is freed (the end of a transaction waits
    /// until all messages are gone): what is wanted becomes a value, of whole batches too, and no bound
    /// stops it. There can't be more than librdkafka had in its queue.
    pub fn drain_whole(&self) {
        if let Some(bell) = self.doorbell.get() {
            bell.fresh.store(false, Ordering::Release);
        }
        self.say_swept();
        loop {
            let event = self.main.poll(0);
            self.keep_throttles();
            let Some(event) = event else { break };
            self.keep(event);
        }
        self.unfold();
        if !self.kept.borrow().is_empty() {
            self.again();
        }
    }

    /// As `drain`, if there is any news.
    #[inline]
    pub fn drain_news(&self) {
        if self.has_news() {
            self.drain();
        }
    }

    fn keep(&self, event: Event) {
        let mut passes = false;
        let event = match event {
            Event::Error(mut e) => {
                let calm = !self.logger.faults.any();
                let of_a_broker = self.logger.faults.note_event(&e.error);
                passes = self.passes_by_itself(&e.error, of_a_broker);
                e.error.retriable |= passes || e.error.code == ErrorCode::ALL_BROKERS_DOWN;
                e.error = if of_a_broker {
                    self.logger.faults.mark(e.error)
                } else {
                    self.logger.faults.explain(e.error)
                };
                e.error = transactions::overdue(self, e.error);
                if passes && self.callbacks.error().is_none() {
                    self.say_outage(&e.error, calm);
                    // Of a broker the log tells already.
                    let is_refusal = !of_a_broker && e.error.code != ErrorCode::ALL_BROKERS_DOWN;
                    if is_refusal && !self.logger.faults.said(e.error.detail.clone()) {
                        self.logger.say(4, "REFUSED", &self.live.name, e.error.detail.clone());
                    }
                }
                if !e.error.fatal && self.logger.faults.told(&e.error) {
                    return;
                }
                Event::Error(e)
            }
            other => other,
        };
        match event {
            Event::Delivery(reports) => self.keep_reports(reports),
            Event::Error(e) if self.callbacks.error().is_some() => self.keep_other(Kept::Error(e)),
            Event::Stats(json) if self.callbacks.statistics().is_some() => {
                let id = self.client.conf().get("client.id").unwrap_or_default();
                let json = json::escape_names(&json, &self.client.name(), &id);
                self.keep_other(Kept::Statistics(json));
            }
            Event::Error(e) if !passes => self.message_error(e),
            Event::OffsetCommit { error, partitions } => {
                let mut commits = self.commits.borrow_mut();
                if commits.len() == OTHERS {
                    commits.pop_front();
                }
                commits.push_back((error, partitions));
                drop(commits);
                self.again();
            }
            _ => {}
        }
    }

    /// Whether a script that reads has nothing to do about an error but to read on: a broker can't be reached,
    /// or none any more, or a partition's leader has refused for a moment what librdkafka asks again. Who may not
    /// enter, or trusts whom, does not pass by itself; and where no broker has ever answered it is more likely that
    /// none will.
    fn passes_by_itself(&self, e: &Error, of_a_broker: bool) -> bool {
        let lasting = [ErrorCode::AUTHENTICATION, ErrorCode::SSL].contains(&e.code);
        let all = e.code == ErrorCode::ALL_BROKERS_DOWN;
        let refused = crate::rdk::leader_hesitates(e);
        !e.fatal && !lasting && (of_a_broker || all && self.answered() || refused)
    }

    /// An error of our own, which the script has to act on.
    pub fn raise(&self, e: ClientError) {
        match self.callbacks.error() {
            Some(_) => self.keep_other(Kept::Error(e)),
            None => self.message_error(e),
        }
        self.again();
    }

    /// Keeps an error for whoever reads messages. A producer's errors are in the log and in its
    /// reports.
    pub fn message_error(&self, e: ClientError) {
        if let Some(errors) = &self.message_errors {
            let mut errors = errors.borrow_mut();
            if errors.len() < OTHERS {
                errors.push_back(e);
            }
        }
    }

    /// What became of the next commit that no call waits for.
    pub fn next_commit(&self) -> Option<Committed> {
        self.commits.borrow_mut().pop_front()
    }

    /// Puts one back: it comes first.
    pub fn message_error_first(&self, e: ClientError) {
        if let Some(errors) = &self.message_errors {
            errors.borrow_mut().push_front(e);
        }
    }

    /// The next of them.
    pub fn next_message_error(&self) -> Option<ClientError> {
        self.message_errors.as_ref()?.borrow_mut().pop_front()
    }

    /// Keeps what the throttle callback was told inside the last poll: throttling has no event, so it
    /// stands before the event that the poll gave.
    fn keep_throttles(&self) -> bool {
        let throttles = self.hooks.take_throttles();
        if throttles.is_empty() || self.callbacks.throttle().is_none() {
            return false;
        }
        for throttle in throttles {
            if self.kept_throttles.get() < THROTTLES {
                self.kept_throttles.set(self.kept_throttles.get() + 1);
                self.kept.borrow_mut().push_back(Kept::Throttle(throttle));
            }
        }
        true
    }

    fn keep_other(&self, kept: Kept) {
        self.kept_others.set(self.kept_others.get() + 1);
        self.kept.borrow_mut().push_back(kept);
    }

    /// Puts together the next call of an event callback; false when there is no event.
    pub fn next_event_call(&self, words: &mut Vec<Obj>) -> bool {
        loop {
            if self.next_result(words) || self.next_log_call(words) || self.next_kept_call(words) {
                return true;
            }
            if !self.next_event() {
                return self.next_room_call(words) || self.calls.next_watch(self, words);
            }
        }
    }

    /// Takes the next event out of librdkafka's queue; false when there is none.
    fn next_event(&self) -> bool {
        let Some(bell) = self.doorbell.get().filter(|b| b.look()) else { return false };
        self.say_swept();
        let event = self.main.poll(0);
        let throttled = self.keep_throttles();
        match event {
            Some(event) => {
                bell.more();
                self.keep(event);
                true
            }
            None => throttled,
        }
    }

    /// The result of a call that nobody waits for.
    fn next_result(&self, words: &mut Vec<Obj>) -> bool {
        if self.calls.is_empty() {
            return false;
        }
        // What makes a call fail may have come as an event just before.
        self.drain_news();
        self.calls.next_call(self, words)
    }

    fn next_log_call(&self, words: &mut Vec<Obj>) -> bool {
        let Some(prefix) = &self.log_callback else { return false };
        let Some(line) = self.logger.next() else { return false };
        let [level, facility, message, name] =
            ["level", "facility", "message", "name"].map(Obj::text);
        let dict = Obj::list(&[
            level,
            Obj::int(line.level.into()),
            facility,
            Obj::text(&line.facility),
            message,
            Obj::text(&line.message),
            name,
            Obj::text(&line.name),
        ]);
        prefix.fill(dict, words);
        true
    }

    fn next_kept_call(&self, words: &mut Vec<Obj>) -> bool {
        loop {
            let mut kept = self.kept.borrow_mut();
            let Some(first) = kept.front_mut() else { return false };
            if let Kept::Batch { reports, .. } = first {
                let call = reports.next().and_then(|m| self.call_for(m));
                if reports.remaining() == 0 {
                    let done = kept.pop_front();
                    drop(kept);
                    if let Some(Kept::Batch { reports, total }) = done {
                        self.live.held.fetch_sub(total, Ordering::AcqRel);
                        self.live.sweep.take(reports, total, None);
                    }
                }
                if let Some((prefix, report)) = call {
                    prefix.fill(report, words);
                    return true;
                }
                continue;
            }
            let Some(next) = kept.pop_front() else { return false };
            drop(kept);
            if self.fill_kept(next, words) {
                return true;
            }
        }
    }

    fn fill_kept(&self, kept: Kept, words: &mut Vec<Obj>) -> bool {
        let call = match kept {
            Kept::Batch { .. } => None,
            Kept::Report { report, to } => {
                self.kept_reports.set(self.kept_reports.get() - 1);
                to.or_else(|| self.callbacks.delivery()).map(|p| (p, report))
            }
            Kept::Error(e) => {
                self.kept_others.set(self.kept_others.get() - 1);
                self.callbacks.error().map(|p| (p, client_error(&e)))
            }
            Kept::Throttle(throttle) => {
                self.kept_throttles.set(self.kept_throttles.get() - 1);
                self.callbacks.throttle().map(|p| (p, throttle.dict()))
            }
            Kept::Statistics(json) => {
                self.kept_others.set(self.kept_others.get() - 1);
                self.callbacks
                    .statistics()
                    .map(|(p, dict)| (p, if dict { json::to_obj(&json) } else { Obj::text(&json) }))
            }
        };
        match call {
            Some((prefix, argument)) => {
                prefix.fill(argument, words);
                true
            }
            None => false,
        }
    }

    /// An error that the script itself raises (`error errno reason`).
    pub fn inject_error(&self, e: ClientError) {
        self.keep_other(Kept::Error(e));
        self.again();
    }

    pub fn has_kept(&self) -> bool {
        !self.kept.borrow().is_empty()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The kept reports are freed with this, so they no longer count as held.
        let held: usize = self
            .kept
            .get_mut()
            .iter()
            .map(|k| if let Kept::Batch { total, .. } = k { *total } else { 0 })
            .sum();
        self.kept.get_mut().clear();
        self.live.held.fetch_sub(held, Ordering::AcqRel);
        // An object that went with its interpreter was not finished by itself.
        event::unregister(self.id);
    }
}

/// `err reason error code message fatal`.
fn client_error(e: &ClientError) -> Obj {
    let [err, reason, error, code, message, fatal] =
        ["err", "reason", "error", "code", "message", "fatal"].map(Obj::text);
    let detail = Obj::text(&guiding_detail(&e.error));
    Obj::list(&[
        err,
        Obj::int(e.error.code.0.into()),
        reason,
        detail.clone(),
        error,
        Obj::text(&e.error.code.text()),
        code,
        Obj::text(&e.error.code.constant()),
        message,
        detail,
        fatal,
        Obj::boolean(e.error.fatal),
    ])
}
