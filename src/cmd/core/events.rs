//! A client's events on their way to callbacks: reports, errors, statistics, log lines, results.

use std::sync::atomic::Ordering;

use super::Core;
use crate::rdk::{ClientError, Event, MessageRef, Reports};
use crate::tcl::{Obj, Prefix};

/// Events other than reports that wait for a turn: statistics and errors, which come slowly.
const OTHERS: usize = 1000;

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
}

impl Core {
    /// An opaque for a message whose report goes to `prefix`.
    pub fn own_report(&self, prefix: Prefix) -> u64 {
        let opaque = self.next_opaque.get();
        self.next_opaque.set(opaque + 1);
        self.own_reports.borrow_mut().insert(opaque, prefix);
        opaque
    }

    /// The message was not accepted after all.
    pub fn forget_report(&self, opaque: u64) {
        if opaque != 0 {
            self.own_reports.borrow_mut().remove(&opaque);
        }
    }

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
        let mut some = false;
        loop {
            if self.kept_reports.get() >= self.queue_limit || self.kept_others.get() >= OTHERS {
                // What is left has used its ring up.
                if let Some(bell) = self.doorbell.get() {
                    bell.more();
                }
                break;
            }
            let Some(event) = self.main.poll(0) else { break };
            some = true;
            self.keep(event);
        }
        if some && !self.kept.borrow().is_empty() {
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
        match event {
            Event::Delivery(reports) => self.keep_reports(reports),
            Event::Error(e) if self.callbacks.error().is_some() => self.keep_other(Kept::Error(e)),
            Event::Stats(json) if self.callbacks.statistics().is_some() => {
                self.keep_other(Kept::Statistics(json));
            }
            Event::Error(e) => self.message_error(e),
            _ => {}
        }
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

    fn keep_other(&self, kept: Kept) {
        self.kept_others.set(self.kept_others.get() + 1);
        self.kept.borrow_mut().push_back(kept);
    }

    fn keep_reports(&self, mut reports: Reports) {
        let callback = self.callbacks.delivery().is_some();
        if !callback && self.own_reports.borrow().is_empty() {
            self.say_failed(reports);
            return;
        }
        if callback && self.callbacks.wants_all() && !self.only_errors {
            let total = reports.remaining();
            self.live.held.fetch_add(total, Ordering::AcqRel);
            self.kept.borrow_mut().push_back(Kept::Batch { reports, total });
            return;
        }
        while let Some(m) = reports.next() {
            if let Some(to) = self.route(m).filter(|to| callback || to.is_some()) {
                let report = self.words.report(m, &self.encoding.borrow());
                self.kept_reports.set(self.kept_reports.get() + 1);
                self.kept.borrow_mut().push_back(Kept::Report { report, to });
            }
        }
    }

    /// Nobody takes reports. Those of failed deliveries are counted in the log, for what was accepted
    /// must not be lost without a word.
    fn say_failed(&self, mut reports: Reports) {
        let mut failed = 0;
        let mut first = None;
        while let Some(m) = reports.next() {
            if let Some(code) = m.error() {
                failed += 1;
                first.get_or_insert_with(|| (m.topic().to_owned(), code));
            }
        }
        if let Some((topic, code)) = first {
            let text = format!(
                "{failed} message(s) for topic {topic} were not delivered: {} (no delivery report callback is set)",
                code.text()
            );
            self.logger.say(3, "DELIVERY", &self.live.name, text);
        }
    }

    /// Where a report goes: a prefix of its own, the callback (none given here, for it is looked up
    /// when it is called), or nowhere.
    fn route(&self, m: MessageRef<'_>) -> Option<Option<Prefix>> {
        let opaque = m.opaque();
        if opaque != 0 {
            let own = self.own_reports.borrow_mut().remove(&opaque);
            if let Some(own) = own {
                return Some(Some(own));
            }
        }
        let wanted = if m.error().is_some() {
            true
        } else {
            !self.only_errors && self.callbacks.wants_success()
        };
        wanted.then_some(None)
    }

    /// Puts together the next call of an event callback; false when there is no event.
    pub fn next_event_call(&self, words: &mut Vec<Obj>) -> bool {
        loop {
            if self.calls.next_call(words)
                || self.next_log_call(words)
                || self.next_kept_call(words)
            {
                return true;
            }
            let Some(bell) = self.doorbell.get().filter(|b| b.look()) else { return false };
            let Some(event) = self.main.poll(0) else { return false };
            bell.more();
            self.keep(event);
        }
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
            if let Kept::Batch { reports, total } = first {
                let call = reports.next().and_then(|m| {
                    let prefix = self.route(m)?.or_else(|| self.callbacks.delivery())?;
                    Some((prefix, self.words.report(m, &self.encoding.borrow())))
                });
                if reports.remaining() == 0 {
                    let total = *total;
                    let done = kept.pop_front();
                    drop(kept);
                    drop(done);
                    self.live.held.fetch_sub(total, Ordering::AcqRel);
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
            Kept::Statistics(json) => {
                self.kept_others.set(self.kept_others.get() - 1);
                self.callbacks.statistics().map(|(p, dict)| {
                    (p, if dict { crate::cmd::json::to_obj(&json) } else { Obj::text(&json) })
                })
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
    }
}

/// `err reason error code message fatal`.
fn client_error(e: &ClientError) -> Obj {
    let [err, reason, error, code, message, fatal] =
        ["err", "reason", "error", "code", "message", "fatal"].map(Obj::text);
    let detail = Obj::text(&e.error.detail);
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
