//! What producers, consumers and subscribers have alike: a client, its events and its end.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::callbacks::Chain;
use super::encoding::Encoding;
use super::live::{End, Live, Parts};
use super::logger::Logger;
use super::record::Words;
use super::settings::Settings;
use super::store::Store;
use super::wait::Calls;
use crate::error::{Error, Result};
use crate::rdk::{
    Client, ClientError, ErrorCode, Event, MessageRef, Metadata, Queue, Reports, Topic, Wake,
};
use crate::tcl::command::{self, Name};
use crate::tcl::event::{self, Source, Timer, Turn};
use crate::tcl::{Flow, Interp, Obj, Object, Prefix, State};

/// Events other than reports that wait for a turn: statistics and errors, which come slowly.
const OTHERS: usize = 1000;

/// What a queue rings when its first event comes: it wakes the object's turns, and `fresh` tells
/// without a lock that the queue is worth a look.
pub struct Doorbell {
    source: Arc<Source>,
    fresh: AtomicBool,
}

impl Doorbell {
    pub fn new(source: Arc<Source>) -> Arc<Doorbell> {
        Arc::new(Doorbell { source, fresh: AtomicBool::new(true) })
    }

    /// A bell for another queue of the same object.
    pub fn twin(&self) -> Arc<Doorbell> {
        Doorbell::new(self.source.clone())
    }

    /// Whether the queue may have something. Asked before each look: what comes after this rings
    /// again.
    #[inline]
    pub fn look(&self) -> bool {
        self.fresh.load(Ordering::Relaxed) && self.fresh.swap(false, Ordering::AcqRel)
    }

    /// The look found something, so there may be more.
    pub fn more(&self) {
        self.fresh.store(true, Ordering::Release);
    }

    /// As [`Source::again`].
    pub fn again(&self) {
        self.source.again();
    }

    /// As [`Source::take`].
    pub fn take(&self) -> bool {
        self.source.take()
    }
}

impl Wake for Doorbell {
    fn wake(&self) {
        self.fresh.store(true, Ordering::Release);
        self.source.wake();
    }
}

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

/// Where an object is in its life.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Life {
    Open,
    /// `close` or `delete` has begun; the client finishes.
    Closing {
        deadline: Option<Instant>,
    },
    Closed,
}

pub struct Core {
    pub id: u64,
    pub state: Rc<State>,
    pub client: Arc<Client>,
    pub live: Arc<Live>,
    pub callbacks: Chain,
    pub calls: Calls,
    pub encoding: RefCell<Encoding>,
    pub logger: Arc<Logger>,
    pub log_callback: Option<Prefix>,
    pub main: Queue,
    /// What the client was made with, for listings.
    pub settings: Settings,
    /// Topic configuration for the next topics (a handle's `config`).
    pub topic_settings: RefCell<Settings>,
    /// The configuration with which this client's topics were made: librdkafka keeps the first.
    pub topics: RefCell<HashMap<String, BTreeMap<String, String>>>,
    /// Topic and queue objects, by id: deleted with the handle.
    pub children: RefCell<BTreeSet<u64>>,
    pub metadata: RefCell<Option<(Instant, Metadata)>>,
    pub life: Cell<Life>,
    /// `delivery.report.only.error` was set: kept false inside and filtered here.
    pub only_errors: bool,
    /// The most reports that wait as values, librdkafka's own bound.
    queue_limit: usize,
    pub words: Rc<Words>,
    kept: RefCell<VecDeque<Kept>>,
    /// How many of `kept` are `Report`, and how many neither reports nor batches.
    kept_reports: Cell<usize>,
    kept_others: Cell<usize>,
    /// Prefixes of `produce -command`, by the message's opaque.
    own_reports: RefCell<HashMap<u64, Prefix>>,
    next_opaque: Cell<u64>,
    doorbell: OnceCell<Arc<Doorbell>>,
    closing_timer: RefCell<Option<Timer>>,
    /// The closing's time was over once, and what was left was purged.
    pub gave_up: Cell<bool>,
    /// How many messages that purge was of.
    pub lost: Cell<usize>,
    /// Subscribers: errors that no error callback takes, for the message callback and `consume`.
    pub message_errors: Option<RefCell<VecDeque<ClientError>>>,
    /// Brokers that the script added.
    added_brokers: RefCell<String>,
}

/// What [`Core::new`] takes from the master.
pub struct Plan {
    pub id: u64,
    pub state: Rc<State>,
    pub client: Arc<Client>,
    pub callbacks: Chain,
    pub logger: Arc<Logger>,
    pub log_callback: Option<Prefix>,
    pub settings: Settings,
    pub topic_settings: Settings,
    pub encoding: Encoding,
    pub only_errors: bool,
    pub store: Arc<Store>,
    pub end: End,
}

impl Core {
    pub fn new(plan: Plan) -> Core {
        let Plan { id, state, client, callbacks, logger, log_callback, settings, .. } = plan;
        let message_errors = matches!(plan.end, End::Group(_)).then(RefCell::default);
        let live = Live::enter(Parts {
            id,
            client: client.clone(),
            store: plan.store,
            end: plan.end,
            logger: logger.clone(),
            interp: state.interp.ptr() as usize,
        });
        let limit = client.conf().get("queue.buffering.max.messages");
        Core {
            id,
            main: client.main_queue(),
            queue_limit: limit.and_then(|v| v.parse().ok()).filter(|n| *n > 0).unwrap_or(1_000_000),
            words: state.data::<Words>(),
            calls: Calls::default(),
            encoding: RefCell::new(plan.encoding),
            topic_settings: RefCell::new(plan.topic_settings),
            only_errors: plan.only_errors,
            topics: RefCell::default(),
            children: RefCell::default(),
            metadata: RefCell::default(),
            life: Cell::new(Life::Open),
            kept: RefCell::default(),
            kept_reports: Cell::new(0),
            kept_others: Cell::new(0),
            own_reports: RefCell::default(),
            next_opaque: Cell::new(1),
            doorbell: OnceCell::new(),
            closing_timer: RefCell::default(),
            gave_up: Cell::new(false),
            lost: Cell::new(0),
            message_errors,
            added_brokers: RefCell::default(),
            state,
            client,
            live,
            callbacks,
            logger,
            log_callback,
            settings,
        }
    }

    /// Gives the object its turns, and its queues the bell.
    pub fn open(&self, object: std::rc::Weak<dyn Turn>) -> Arc<Doorbell> {
        let source = event::register(self.id, object);
        let bell = Doorbell::new(source.clone());
        self.live.set_bell(source.clone());
        self.logger.set_source(source.clone());
        self.calls.set_source(source.clone());
        self.main.enable_wake(bell.clone());
        let bell = self.doorbell.get_or_init(|| bell).clone();
        // A wake that is enabled on a queue with events gives none.
        source.wake();
        bell
    }

    pub fn interp(&self) -> Interp {
        self.state.interp
    }

    pub fn source(&self) -> Option<&Arc<Source>> {
        self.doorbell.get().map(|b| &b.source)
    }

    /// Asks for another turn.
    pub fn again(&self) {
        if let Some(s) = self.source() {
            s.again();
        }
    }

    /// A callback is about to be called. What is still to be called for must be found by an event loop
    /// that the callback enters: it is out of librdkafka's queue, so nothing wakes for it.
    pub fn before_call(&self) {
        if let Some(s) = self.source().filter(|s| !s.is_ready()) {
            s.again();
        }
    }

    /// Clears the wake flag for a call that serves the object itself; tells whether it was set.
    pub fn take(&self) -> bool {
        self.source().is_some_and(|s| s.take())
    }

    pub fn refuse(&self) -> Option<Error> {
        self.client.forked().then_some(Error::Forked)
    }

    pub fn is_open(&self) -> bool {
        self.life.get() == Life::Open
    }

    /// Whether there is nothing to finish in the background: it is done already, the interpreter's
    /// end does it, or the client is another process's.
    pub fn is_gone(&self) -> bool {
        self.life.get() == Life::Closed || self.state.deleted() || self.client.forked()
    }

    /// Whether callbacks may run: not once the object is finished or its interpreter gone.
    pub fn can_call(&self) -> bool {
        self.life.get() != Life::Closed && !self.state.deleted()
    }

    // ---- delivery reports ----

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
            return;
        }
        if callback && self.callbacks.wants_all() && !self.only_errors {
            let total = reports.remaining();
            self.live.held.fetch_add(total, Ordering::AcqRel);
            self.kept.borrow_mut().push_back(Kept::Batch { reports, total });
            return;
        }
        while let Some(m) = reports.next() {
            if let Some(to) = self.route(m) {
                let report = self.words.report(m, &self.encoding.borrow());
                self.kept_reports.set(self.kept_reports.get() + 1);
                self.kept.borrow_mut().push_back(Kept::Report { report, to });
            }
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

    // ---- events to callbacks ----

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
                    (p, if dict { super::json::to_obj(&json) } else { Obj::text(&json) })
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

    // ---- the end ----

    /// Begins the end: `within` bounds it (none: no bound).
    pub fn begin_close(&self, within: Option<Duration>) {
        if self.life.get() != Life::Open {
            return;
        }
        self.life.set(Life::Closing { deadline: None });
        if let Some(d) = within {
            self.extend_close(d);
        }
        self.again();
    }

    /// Bounds the closing anew, from now on.
    pub fn extend_close(&self, within: Duration) {
        self.life.set(Life::Closing { deadline: Some(Instant::now() + within) });
        if let Some(source) = self.source() {
            let timer = Timer::new(within + Duration::from_millis(1), source.clone());
            let old = self.closing_timer.replace(Some(timer));
            drop(old);
        }
    }

    /// Makes a topic with the handle's topic configuration of now. librdkafka would keep the first
    /// configuration of a topic without a word, so another one is refused.
    pub fn make_topic(&self, name: &str) -> Result<(Topic, Settings)> {
        let settings = self.topic_settings.borrow().clone();
        let wanted = settings.fingerprint();
        if self.topics.borrow().get(name).is_some_and(|old| *old != wanted) {
            return Err(Error::kafka(
                ErrorCode::CONFLICT,
                format!("topic \"{name}\" is in use here with another configuration; librdkafka keeps the first"),
            ));
        }
        let topic = Topic::new(&self.client, name, settings.topic_conf())?;
        self.topics.borrow_mut().insert(name.to_owned(), wanted);
        Ok((topic, settings))
    }

    /// Makes the command of an object that is deleted with the handle.
    pub fn adopt<T: Object<Error = Error>>(
        &self,
        interp: Interp,
        name: Name,
        object: Rc<T>,
    ) -> Result<Flow> {
        let id = object.id();
        let made = command::create(interp, name, object, true)?;
        self.children.borrow_mut().insert(id);
        Ok(made.into())
    }

    /// Deletes the topic and queue objects of the handle.
    pub fn delete_children(&self) {
        let children = self.children.take();
        for id in children {
            if let Some(entry) = self.state.command_of(id) {
                self.interp().delete_command(entry.token);
            }
        }
    }

    /// Remembers brokers that the script added, for messages.
    pub fn note_brokers(&self, list: &str) {
        let mut added = self.added_brokers.borrow_mut();
        if !added.is_empty() {
            added.push(',');
        }
        added.push_str(list);
    }

    /// The brokers that were configured and added, for messages.
    pub fn known_brokers(&self, configured: &str) -> String {
        let added = self.added_brokers.borrow();
        match (configured.is_empty(), added.is_empty()) {
            (false, false) => format!("{configured},{added}"),
            (false, true) => configured.to_owned(),
            (true, false) => added.clone(),
            (true, true) => "any broker: set bootstrap.servers or use add_brokers".to_owned(),
        }
    }

    /// Whether the closing's time is over.
    pub fn overdue(&self) -> bool {
        match self.life.get() {
            Life::Closing { deadline } => deadline.is_some_and(|d| Instant::now() >= d),
            _ => false,
        }
    }

    /// The client is done with: nothing of it is called any more. The last Arc of the client is
    /// dropped on a thread of its own.
    pub fn finish(&self) {
        if self.life.replace(Life::Closed) == Life::Closed {
            return;
        }
        drop(self.closing_timer.take());
        self.logger.close();
        self.main.disable_wake();
        event::unregister(self.id);
        self.live.leave();
        self.state.data::<Lingering>().0.borrow_mut().remove(&self.id);
    }

    /// Keeps an object whose command is gone until its client is finished.
    pub fn linger(&self, object: Rc<dyn std::any::Any>) {
        self.state.data::<Lingering>().0.borrow_mut().insert(self.id, object);
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

/// Deleted objects whose clients finish in the background, by id.
#[derive(Default)]
pub struct Lingering(RefCell<BTreeMap<u64, Rc<dyn std::any::Any>>>);

impl Lingering {
    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Drops all of them: their clients were finished by other means.
    pub fn clear(&self) {
        let all = self.0.take();
        drop(all);
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
