//! What producers, consumers and subscribers have alike: a client, its events and its end.

mod answer;
mod bell;
mod closing;
mod events;
mod reports;
mod room;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

pub use bell::Doorbell;
pub use closing::{Life, Lingering};
pub use events::Committed;
use events::Kept;
pub use reports::{Awaited, Own};

use crate::cmd::callbacks::Chain;
use crate::cmd::encoding::Encoding;
use crate::cmd::hooks::ClientHooks;
use crate::cmd::live::{End, Live, Parts};
use crate::cmd::logger::Logger;
use crate::cmd::partition::Counts;
use crate::cmd::record::Words;
use crate::cmd::settings::Settings;
use crate::cmd::store::Store;
use crate::cmd::token::Tokens;
use crate::cmd::wait::Calls;
use crate::error::{Error, Result};
use crate::rdk::{Client, ClientError, Metadata, Queue, TokenSource, Topic};
use crate::tcl::command::{self, Name};
use crate::tcl::event::{self, Source, Timer, Turn};
use crate::tcl::{Flow, Interp, Object, Prefix, Slot, State};

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
    /// What librdkafka tells by callback.
    hooks: Arc<ClientHooks>,
    /// Its SASL OAUTHBEARER tokens.
    pub tokens: Tokens,
    /// The partitioner callback of the next topics.
    pub partitioner: Slot,
    /// How many partitions topics have, for partitioner callbacks.
    pub counts: Counts,
    /// Topic configuration for the next topics (a handle's `config`).
    pub topic_settings: RefCell<Settings>,
    /// The configuration with which this client's topics were made: librdkafka keeps the first.
    topics: RefCell<HashMap<String, First>>,
    /// Topic and queue objects, by id: deleted with the handle.
    pub children: RefCell<BTreeSet<u64>>,
    pub metadata: RefCell<Option<(Instant, Metadata)>>,
    pub life: Cell<Life>,
    /// `delivery.report.only.error` was set: kept false inside and filtered here.
    pub only_errors: bool,
    /// The most messages that librdkafka queues, and the most reports that wait as values.
    most_queued: usize,
    queue_limit: usize,
    pub words: Rc<Words>,
    kept: RefCell<VecDeque<Kept>>,
    /// How many of `kept` are `Report`, how many `Throttle`, and how many errors or statistics.
    kept_reports: Cell<usize>,
    kept_throttles: Cell<usize>,
    kept_others: Cell<usize>,
    /// Who asked for a message's report, by the message's opaque.
    own_reports: RefCell<HashMap<u64, Own>>,
    next_opaque: Cell<u64>,
    /// How many deliveries have failed since the last `flush`, but for those whose call threw it.
    failed: Cell<usize>,
    /// When the open transaction was begun.
    pub begun: Cell<Option<Instant>>,
    /// Who waits for room, and how full the queue was when a message was last refused (0: never).
    room: Slot,
    full_at: Cell<usize>,
    doorbell: OnceCell<Arc<Doorbell>>,
    closing_timer: RefCell<Option<Timer>>,
    /// Whether a broker has answered yet.
    hope: answer::Hope,
    /// The closing's time was over once, and what was left was purged.
    pub gave_up: Cell<bool>,
    /// How many messages that purge was of.
    pub lost: Cell<usize>,
    /// Subscribers: errors that no error callback takes, for the message callback and `consume`.
    pub message_errors: Option<RefCell<VecDeque<ClientError>>>,
    /// Subscribers: what became of commits that no call waits for.
    commits: RefCell<VecDeque<Committed>>,
    /// Brokers that the script added.
    added_brokers: RefCell<String>,
}

/// The configuration that a topic was made with.
struct First {
    settings: Settings,
    fingerprint: BTreeMap<String, String>,
    /// It was said that another one is not used.
    told: bool,
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
    pub hooks: Arc<ClientHooks>,
    pub tokens: TokenSource,
    pub partitioner: Option<Prefix>,
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
        let partitioner = Slot::default();
        partitioner.set(plan.partitioner);
        // 0 is no limit.
        let limit = client.conf().get("queue.buffering.max.messages");
        let limit = limit.and_then(|v| v.parse().ok()).filter(|n| *n > 0);
        Core {
            id,
            main: client.main_queue(),
            most_queued: limit.unwrap_or(usize::MAX),
            queue_limit: limit.unwrap_or(1_000_000),
            words: state.data::<Words>(),
            calls: Calls::default(),
            hooks: plan.hooks,
            tokens: Tokens::new(plan.tokens),
            partitioner,
            counts: Counts::new(&client),
            encoding: RefCell::new(plan.encoding),
            topic_settings: RefCell::new(plan.topic_settings),
            only_errors: plan.only_errors,
            topics: RefCell::default(),
            children: RefCell::default(),
            metadata: RefCell::default(),
            life: Cell::new(Life::Open),
            kept: RefCell::default(),
            kept_reports: Cell::new(0),
            kept_throttles: Cell::new(0),
            kept_others: Cell::new(0),
            own_reports: RefCell::default(),
            next_opaque: Cell::new(1),
            failed: Cell::new(0),
            begun: Cell::new(None),
            room: Slot::default(),
            full_at: Cell::new(0),
            doorbell: OnceCell::new(),
            closing_timer: RefCell::default(),
            hope: answer::Hope::default(),
            gave_up: Cell::new(false),
            lost: Cell::new(0),
            message_errors,
            commits: RefCell::default(),
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
        self.begin_hope(&source);
        self.main.enable_wake(bell.clone());
        self.tokens.open(bell.twin());
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

    /// Whether callbacks may run: not once the object is finished or its interpreter gone, nor in a
    /// forked child.
    pub fn can_call(&self) -> bool {
        self.life.get() != Life::Closed && !self.out_of_turn()
    }

    /// Whether the object gets no turns: its interpreter is gone, or the client is another process's
    /// (what was due at the fork is due in the parent).
    pub fn out_of_turn(&self) -> bool {
        self.state.deleted() || self.client.forked()
    }

    /// Makes a topic with the handle's topic configuration of now, or with that of before: librdkafka keeps the first that
    /// a topic is made with until the client ends, whether or not anybody uses it. That another one is without effect
    /// is said once.
    pub fn make_topic(&self, name: &str) -> Result<(Topic, Settings)> {
        let settings = self.topic_settings.borrow().clone();
        let fingerprint = settings.fingerprint();
        let mut topics = self.topics.borrow_mut();
        let Some(first) = topics.get_mut(name) else {
            let topic = Topic::new(&self.client, name, settings.topic_conf())?;
            let first = First { settings: settings.clone(), fingerprint, told: false };
            topics.insert(name.to_owned(), first);
            return Ok((topic, settings));
        };
        let topic = Topic::with_default_conf(&self.client, name)?;
        if first.fingerprint != fingerprint && !first.told {
            first.told = true;
            let others = differences(&first.fingerprint, &fingerprint);
            let text = format!(
                "topic \"{name}\" keeps the configuration that it was first used with on this handle: {others}; \
                 another one needs a handle of its own"
            );
            self.logger.say(4, "TOPICCONF", &self.live.name, text);
        }
        Ok((topic, first.settings.clone()))
    }

    /// A topic with the configuration that it is in use with here; if it is not, with that of now.
    pub fn known_topic(&self, name: &str) -> Result<Topic> {
        if self.topics.borrow().contains_key(name) {
            // librdkafka ignores the configuration of a topic that it knows.
            return Ok(Topic::with_default_conf(&self.client, name)?);
        }
        Ok(self.make_topic(name)?.0)
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
}

/// Which properties differ, for the log.
fn differences(first: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> String {
    let none = String::new();
    let keys: BTreeSet<&String> = first.keys().chain(wanted.keys()).collect();
    let pairs = keys
        .into_iter()
        .map(|k| (k, first.get(k).unwrap_or(&none), wanted.get(k).unwrap_or(&none)));
    let texts: Vec<String> = pairs
        .filter(|(_, old, new)| old != new)
        .map(|(k, old, new)| format!("{k} is \"{old}\", not \"{new}\""))
        .collect();
    texts.join(", ")
}
