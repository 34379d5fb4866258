//! Delivery reports: who wants which, and how they wait.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use super::events::Kept;
use super::Core;
use crate::cmd::sweep::Unheard;
use crate::error::Error;
use crate::rdk::{self, MessageRef, Reports, Wake};
use crate::tcl::{Obj, Prefix};

/// Who asked for the report of one message.
#[derive(Clone)]
pub enum Own {
    /// `-command prefix`.
    Call(Prefix),
    /// `-wait ms`: the call that waits, and which of its messages it is.
    Wait(Rc<Awaited>, usize),
}

/// The reports that a call waits for.
pub struct Awaited {
    reports: RefCell<Vec<Option<rdk::Result<Obj>>>>,
    left: Cell<usize>,
}

impl Awaited {
    pub fn new(count: usize) -> Rc<Awaited> {
        Rc::new(Awaited { reports: RefCell::new(vec![None; count]), left: Cell::new(count) })
    }

    /// How many have not come.
    pub fn left(&self) -> usize {
        self.left.get()
    }

    /// The report of a message; for one that was refused, the refusal.
    pub fn set(&self, index: usize, report: rdk::Result<Obj>) {
        if let Some(slot @ None) = self.reports.borrow_mut().get_mut(index) {
            *slot = Some(report);
            self.left.set(self.left.get() - 1);
        }
    }

    /// All reports, in the order of the messages; those that have not come are none.
    pub fn take(&self) -> Vec<Option<rdk::Result<Obj>>> {
        self.reports.take()
    }
}

/// Where a report goes.
enum Route {
    Own(Prefix),
    /// The delivery report callback, looked up when it is called.
    Callback,
    /// A failed delivery for which there is no callback.
    Nobody,
    /// It is dealt with.
    Done,
}

impl Core {
    /// An opaque for a message whose report goes to `own`.
    pub fn own_report(&self, own: Own) -> u64 {
        let opaque = self.next_opaque.get();
        self.next_opaque.set(opaque + 1);
        self.own_reports.borrow_mut().insert(opaque, own);
        opaque
    }

    /// The message was not accepted after all, or nobody waits for its report any more: then it
    /// goes where others go.
    pub fn forget_report(&self, opaque: u64) {
        if opaque != 0 {
            let old = self.own_reports.borrow_mut().remove(&opaque);
            drop(old);
        }
    }

    /// Messages that are neither delivered nor failed yet. The reports that came are looked at first: a
    /// script that waits for this to fall need not serve events meanwhile.
    pub fn undelivered(&self) -> usize {
        self.drain_news();
        self.live.undelivered()
    }

    /// Counts failed deliveries for the next `flush`.
    fn count_failed(&self, count: usize) {
        self.failed.set(self.failed.get() + count);
    }

    /// How many deliveries have failed since this was asked last. Reports that are being freed are
    /// waited for.
    pub fn take_failed(&self) -> usize {
        self.live.sweep.wait();
        self.say_swept();
        self.failed.take()
    }

    /// Frees the reports that nobody wants and keeps the others: a batch that the callback wants
    /// whole as it is, single ones as values.
    pub(super) fn keep_reports(&self, mut reports: Reports) {
        if self.callbacks.delivery().is_some() && self.callbacks.wants_all() && !self.only_errors {
            let total = reports.remaining();
            self.live.held.fetch_add(total, Ordering::AcqRel);
            self.kept.borrow_mut().push_back(Kept::Batch { reports, total });
            return;
        }
        if self.wants_none() {
            let total = reports.remaining();
            let bell = self.doorbell.get().cloned().map(|b| b as Arc<dyn Wake>);
            self.live.sweep.take(reports, total, bell);
            return self.say_swept();
        }
        self.keep_values(&mut reports, &mut self.kept.borrow_mut());
    }

    /// Whether there is neither a callback nor anybody who asked for a report of his own.
    fn wants_none(&self) -> bool {
        self.callbacks.delivery().is_none() && self.own_reports.borrow().is_empty()
    }

    /// Makes values of the reports of batches that were kept whole, and frees these.
    pub(super) fn unfold(&self) {
        let mut out = VecDeque::new();
        for kept in self.kept.take() {
            let Kept::Batch { mut reports, total } = kept else {
                out.push_back(kept);
                continue;
            };
            self.keep_values(&mut reports, &mut out);
            drop(reports);
            self.live.held.fetch_sub(total, Ordering::AcqRel);
        }
        self.kept.replace(out);
    }

    /// Appends the reports that somebody wants, as values.
    fn keep_values(&self, reports: &mut Reports, out: &mut VecDeque<Kept>) {
        // Without callback and askers no report has to be looked at for its way.
        let nobody = self.wants_none();
        let mut unheard = Unheard::default();
        while let Some(m) = reports.next() {
            let to = match if nobody { Route::Nobody } else { self.route(m) } {
                Route::Own(prefix) => Some(prefix),
                Route::Callback => None,
                Route::Nobody => {
                    unheard.add(m);
                    continue;
                }
                Route::Done => continue,
            };
            let report = self.report(m);
            self.kept_reports.set(self.kept_reports.get() + 1);
            out.push_back(Kept::Report { report, to });
        }
        if nobody {
            self.count_failed(unheard.count);
        }
        self.say_unheard(unheard);
    }

    /// Says the failed deliveries among the reports that were swept.
    pub(super) fn say_swept(&self) {
        if let Some(unheard) = self.live.sweep.unheard() {
            self.count_failed(unheard.count);
            self.say_unheard(unheard);
        }
    }

    /// Says failed deliveries in the log, for what was accepted must not be lost without a word.
    fn say_unheard(&self, unheard: Unheard) {
        let Some((text, code)) = unheard.text() else { return };
        let e = self.explain(rdk::Error::with_detail(code, "no delivery report callback is set"));
        self.logger.say(3, "DELIVERY", &self.live.name, format!("{text} ({})", e.detail));
    }

    /// A report as a value; a failed one says which brokers could not be reached, if that may be why.
    fn report(&self, m: MessageRef<'_>) -> Obj {
        self.words.report(m, &self.encoding.borrow(), |e| self.explain(e))
    }

    /// As `explain`, of any error.
    pub fn explain_error(&self, e: Error) -> Error {
        match e {
            Error::Kafka(e) => Error::Kafka(self.explain(e)),
            other => other,
        }
    }

    /// Where a report goes. A failure that no waiting call throws is counted.
    fn route(&self, m: MessageRef<'_>) -> Route {
        let failed = m.error().is_some();
        let opaque = m.opaque();
        if opaque != 0 {
            let own = self.own_reports.borrow_mut().remove(&opaque);
            match own {
                Some(Own::Call(prefix)) => {
                    self.count_failed(usize::from(failed));
                    return Route::Own(prefix);
                }
                Some(Own::Wait(awaited, index)) => {
                    awaited.set(index, self.outcome(m));
                    return Route::Done;
                }
                None => {}
            }
        }
        self.count_failed(usize::from(failed));
        if self.callbacks.delivery().is_none() {
            return if failed { Route::Nobody } else { Route::Done };
        }
        if failed || (!self.only_errors && self.callbacks.wants_success()) {
            Route::Callback
        } else {
            Route::Done
        }
    }

    /// A report as the result of a call.
    fn outcome(&self, m: MessageRef<'_>) -> rdk::Result<Obj> {
        match m.error() {
            Some(code) => {
                let mut e = rdk::Error::with_detail(code, m.error_text());
                if e.detail.is_empty() || e.detail == code.text() {
                    e.detail = format!("topic \"{}\"", m.topic());
                }
                Err(self.explain(e))
            }
            None => Ok(self.report(m)),
        }
    }

    /// The call for a report of a batch that was kept whole.
    pub(super) fn call_for(&self, m: MessageRef<'_>) -> Option<(Prefix, Obj)> {
        let prefix = match self.route(m) {
            Route::Own(prefix) => prefix,
            Route::Callback => self.callbacks.delivery()?,
            Route::Nobody => {
                let mut unheard = Unheard::default();
                unheard.add(m);
                self.say_unheard(unheard);
                return None;
            }
            Route::Done => return None,
        };
        Some((prefix, self.report(m)))
    }
}
