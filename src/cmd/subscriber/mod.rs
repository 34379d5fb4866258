//! `$subscriber`: a member of a consumer group, or a reader of assigned partitions.

mod group;
mod stall;

use std::cell::{Cell, Ref, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cmd::core::{Core, Doorbell, Life, Plan};
use crate::cmd::encoding::Encoding;
use crate::cmd::handle::{self, Handle};
use crate::cmd::leaving::LEAVE;
use crate::cmd::pump::{PumpTask, Serve, What};
use crate::cmd::reader::{Hand, Reader};
use crate::cmd::reading::{self, Reading};
use crate::cmd::rebalance::Kind;
use crate::cmd::steer::{self, Seek};
use crate::cmd::{admin, consume, offsets, query, subscription};
use crate::error::{Error, Result};
use crate::rdk::{self, ClientError, ErrorCode, PartitionList, Queue};
use crate::tcl::command;
use crate::tcl::event::{Timer, Turn};
use crate::tcl::{Code, Interp, Obj, Object, Prefix, Row, Slot, State, Table, Task};

pub struct Subscriber {
    core: Rc<Core>,
    pub reader: Reader,
    group: Queue,
    group_bell: Arc<Doorbell>,
    pub callback: Slot,
    pub rebalance_callback: Slot,
    /// `on_error stop`: an error in the callback removes it and goes back to that message.
    pub stop_on_error: Cell<bool>,
    /// The rebalance whose callback runs.
    pub rebalance: RefCell<Option<Pending>>,
    /// When the callback's keep-alive reads next, and the timer for it.
    next_read: Cell<Option<Instant>>,
    keepalive: RefCell<Option<Timer>>,
    keepalive_every: Duration,
    /// `enable.partition.eof` is on.
    pub reports_ends: bool,
    /// Deleted: a thread of its own serves the group to the end.
    left_alone: Cell<bool>,
    /// `max.poll.interval.ms` was exceeded, and the script has not read since.
    exceeded: Cell<bool>,
    /// Partitions may lie still: see [`stall`].
    stall: stall::Stall,
    /// The seeks under way: nothing is read meanwhile.
    pub seeks: RefCell<Vec<Arc<Seek>>>,
}

/// A rebalance that its callback may still change.
pub struct Pending {
    pub kind: Kind,
    pub list: PartitionList,
    /// The callback assigned by itself.
    pub answered: bool,
}

static TABLE: Table<Subscriber> = Table::new(&[
    Row("consume", "?timeoutMS?", consume::consume, "take the next message or error"),
    Row(
        "consume_batch",
        "timeoutMS count array code",
        consume::consume_batch,
        "run code for each message, in an array",
    ),
    Row(
        "consume_list",
        "timeoutMS count ?-fields list? ?-min n?",
        consume::consume_list,
        "take many messages as a list",
    ),
    Row(
        "subscribe",
        "?topic ...?",
        subscription::subscribe,
        "join the group for topics, or list them",
    ),
    Row("unsubscribe", "", subscription::unsubscribe, "leave the group"),
    Row("assign", "?tp ...?", subscription::assign, "read these partitions without the group"),
    Row(
        "incremental_assign",
        "tp ...",
        subscription::incremental_assign,
        "read these partitions as well",
    ),
    Row(
        "incremental_unassign",
        "tp ...",
        subscription::incremental_unassign,
        "read these partitions no longer",
    ),
    Row("assignment", "", subscription::assignment, "the partitions that are read"),
    Row(
        "assignment_lost",
        "",
        subscription::assignment_lost,
        "whether the group took the partitions away already",
    ),
    Row("rebalance_protocol", "", subscription::rebalance_protocol, "none, eager or cooperative"),
    Row("member_id", "", subscription::member_id, "the id that the group gave"),
    Row("callback", "?prefix?", callback, "set who gets messages"),
    Row("rebalance_callback", "?prefix?", rebalance_callback, "set who is told of rebalances"),
    Row("on_error", "?action?", on_error, "continue or stop after an error in the callback"),
    Row(
        "offsets",
        "?-committed? ?-timeout ms? ?-command prefix? tp ...",
        offsets::offsets,
        "positions, or committed offsets",
    ),
    Row("position", "?tp ...?", offsets::position, "the offset after the last message given"),
    Row(
        "committed",
        "?-timeout ms? ?-command prefix? tp ...",
        offsets::committed,
        "committed offsets",
    ),
    Row(
        "group_metadata",
        "",
        offsets::group_metadata,
        "who the member is, for send_offsets_to_transaction",
    ),
    Row(
        "lag",
        "?-timeout ms? ?-command prefix? ?tp ...?",
        offsets::lag,
        "how many messages are still to come",
    ),
    Row(
        "watermarks",
        "?-cached? ?-timeout ms? ?-command prefix? topic partition",
        query::watermarks,
        "a partition's low and high watermark",
    ),
    Row(
        "commit",
        "?-async? ?-timeout ms? ?-command prefix? ?-message dict? ?tp ...?",
        offsets::commit,
        "commit offsets, or what counts as processed",
    ),
    Row(
        "store",
        "message|tp ?tp ...?",
        offsets::store,
        "have the next commit commit these offsets",
    ),
    Row(
        "seek",
        "?-timeout ms? ?-command prefix? beginning|end|tp ?tp ...?",
        steer::seek,
        "go on elsewhere",
    ),
    Row("pause", "tp ...", steer::pause, "stop reading partitions for a while"),
    Row("resume", "tp ...", steer::resume, "read paused partitions again"),
    Row("paused", "", steer::paused, "the paused partitions"),
    Row("name", "", handle::name, "librdkafka's name of the client"),
    Row("type", "", handle::kind, "subscriber"),
    Row("poll", "?timeoutMS?", handle::poll, "run callbacks of pending events, not of messages"),
    Row("client_config", "?key?", handle::client_config, "the client's configuration in force"),
    Row("log_level", "level", handle::log_level, "set the least severe level that is logged"),
    Row("add_brokers", "brokerList", handle::add_brokers, "add bootstrap brokers"),
    Row(
        "info topics",
        "?-timeout ms? ?-command prefix?",
        handle::info_topics,
        "the cluster's topics",
    ),
    Row(
        "info brokers",
        "?-timeout ms? ?-command prefix?",
        handle::info_brokers,
        "the cluster's brokers",
    ),
    Row(
        "info partitions",
        "topic ?-timeout ms? ?-command prefix?",
        handle::info_partitions,
        "a topic's partitions",
    ),
    Row(
        "metadata",
        "?-topic t? ?-timeout ms? ?-command prefix?",
        query::metadata,
        "brokers, topics and partitions as a dict",
    ),
    Row("cluster_id", "?-timeout ms? ?-command prefix?", query::cluster_id, "the cluster's id"),
    Row(
        "controller_id",
        "?-timeout ms? ?-command prefix?",
        query::controller_id,
        "the id of the broker that is the controller",
    ),
    Row(
        "offsets_for_times",
        "?-timeout ms? ?-command prefix? tp ...",
        query::offsets_for_times,
        "the first offset at or after a time",
    ),
    Row("fatal_error", "", query::fatal_error, "the error that ended the client, if any"),
    Row(
        "sasl_set_credentials",
        "user password",
        query::sasl_set_credentials,
        "user and password for the next authentication",
    ),
    Row("admin", "cmdName", admin::of_handle, "make an admin that shares the connection"),
    Row(
        "meta refresh",
        "?-timeout ms? ?-command prefix?",
        handle::meta_refresh,
        "fetch metadata anew",
    ),
    Row(
        "meta print",
        "?-timeout ms? ?-command prefix?",
        handle::meta_print,
        "print metadata on stdout",
    ),
    Row("error", "errno reason", error, "have the error callback called"),
    Row("error_callback", "?prefix?", handle::error_callback, "set who gets client errors"),
    Row(
        "statistics_callback",
        "?-dict? ?prefix ...?",
        handle::statistics_callback,
        "set who gets librdkafka's statistics",
    ),
    Row(
        "throttle_callback",
        "?prefix?",
        handle::throttle_callback,
        "set who is told of slowing brokers",
    ),
    Row(
        "oauthbearer_token_callback",
        "?prefix?",
        handle::token_callback,
        "set who gives SASL OAUTHBEARER tokens",
    ),
    Row("encoding", "?name?", handle::encoding, "tell or set how bytes turn into text"),
    Row(
        "close",
        "?timeoutMS? ?-timeout ms? ?-command prefix?",
        consume::close,
        "commit, leave the group, delete",
    ),
    Row("delete", "", command::delete_self, "delete; the group is left in the background"),
    Row("destroy", "", command::delete_self, "alias of delete"),
]);

impl Object for Subscriber {
    const KIND: &'static str = "subscriber";
    const AUTO: &'static str = "kafka_handle";
    const PRIVATE: &'static [&'static str] = &["sasl_set_credentials"];
    type Error = Error;

    fn table() -> &'static Table<Self> {
        &TABLE
    }

    fn id(&self) -> u64 {
        self.core.id
    }

    fn state(&self) -> &Rc<State> {
        &self.core.state
    }

    fn deleted(self: &Rc<Self>) {
        self.core.delete_children();
        self.answer_pending();
        if self.core.is_gone() {
            return;
        }
        self.callback.set(None);
        self.core.linger(self.clone());
        let open = self.core.is_open();
        self.begin_close(LEAVE);
        if open {
            self.leave_alone();
        }
        self.settle();
    }

    fn refuse(&self) -> Option<Error> {
        // librdkafka would wait for ever for the answer of a group that was left.
        let left = || !self.core.is_open() && self.core.client.closed();
        self.core
            .refuse()
            .or_else(|| left().then(|| Error::State("the object is being closed".to_owned())))
    }
}

impl Handle for Subscriber {}

/// What has to be finished after a call.
pub enum Called {
    Event,
    Message(Hand),
    MessageError,
    Rebalance,
}

impl Serve for Subscriber {
    type Called = Called;

    fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn next_call(self: &Rc<Self>, words: &mut Vec<Obj>, what: What) -> Option<Called> {
        if what == What::Group {
            self.core.drain_news();
        } else if self.core.next_event_call(words) {
            return Some(Called::Event);
        }
        if self.serve_group(words) {
            return Some(Called::Rebalance);
        }
        if what == What::All && self.may_give() {
            return self.next_message_call(words);
        }
        None
    }

    fn done(self: &Rc<Self>, called: Called, code: Code) {
        if self.core.client.forked() {
            // The callback forked: what follows from its end is the parent's.
            return;
        }
        match called {
            Called::Event => {}
            Called::MessageError => self.reader.finished(false),
            Called::Rebalance => self.complete_rebalance(),
            Called::Message(hand) => {
                let ok = code.is_ok();
                self.reader.finished(ok && self.core.is_open());
                if !ok && self.stop_on_error.get() && self.core.is_open() {
                    self.stop_at(&hand);
                }
            }
        }
    }

    fn spent(&self, took: Duration, calls: u32) {
        self.reader.adapt(took, calls);
    }

    fn settle(self: &Rc<Self>) {
        if self.core.client.forked() {
            return;
        }
        self.reader.hand_over();
        self.keep_alive();
        if let Life::Closing { .. } = self.core.life.get() {
            if self.core.client.closed() || self.core.overdue() {
                self.finish();
            }
        }
    }
}

impl Reading for Subscriber {
    fn reader(&self) -> &Reader {
        &self.reader
    }

    fn encoding(&self) -> Ref<'_, Encoding> {
        self.core.encoding.borrow()
    }

    fn is_open(&self) -> bool {
        self.core.is_open()
    }

    /// No callback or body of this object runs, nor a rebalance callback, nothing is sought, and it
    /// is open.
    fn may_give(&self) -> bool {
        self.core.is_open()
            && !self.reader.is_busy()
            && self.rebalance.borrow().is_none()
            && self.seeks_ended()
    }

    fn check_read(&self, what: &str) -> Result<()> {
        if self.rebalance.borrow().is_some() {
            return Err(Error::State(format!("{what} inside the object's rebalance callback")));
        }
        reading::check_busy(&self.reader, what)?;
        self.exceeded.set(false);
        Ok(())
    }

    fn next_error(&self) -> Option<ClientError> {
        self.core.next_message_error()
    }

    fn keep_error(&self, e: ClientError) {
        self.core.message_error_first(e);
    }

    /// A rebalance above all: the group waits for its answer.
    fn has_news(&self) -> bool {
        self.core.has_news() || self.group_bell.is_fresh()
    }
}

impl Turn for Subscriber {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        if self.core.out_of_turn() {
            return None;
        }
        Some((self.core.interp(), Box::new(PumpTask::new(self))))
    }
}

impl Subscriber {
    pub fn open(plan: Plan) -> Result<Rc<Subscriber>> {
        let client = plan.client.clone();
        let store = plan.store.clone();
        let group = client.consumer_queue()?;
        let reports_ends = client.conf().get("enable.partition.eof").as_deref() == Some("true");
        let max: u64 = client
            .conf()
            .get("max.poll.interval.ms")
            .and_then(|v| v.parse().ok())
            .unwrap_or(300_000);
        let subscriber = Rc::new_cyclic(|weak: &Weak<Subscriber>| {
            let core = Rc::new(Core::new(plan));
            let group_bell = core.open(weak.clone()).twin();
            Subscriber {
                reader: Reader::new(client, store),
                core,
                group,
                group_bell,
                callback: Slot::default(),
                rebalance_callback: Slot::default(),
                stop_on_error: Cell::new(false),
                rebalance: RefCell::default(),
                next_read: Cell::new(None),
                keepalive: RefCell::default(),
                keepalive_every: Duration::from_millis((max / 3).max(1)),
                reports_ends,
                left_alone: Cell::new(false),
                exceeded: Cell::new(false),
                stall: stall::Stall::default(),
                seeks: RefCell::default(),
            }
        });
        let bell = &subscriber.group_bell;
        subscriber.group.enable_wake(bell.clone());
        subscriber.reader.messages.enable_wake(bell.twin());
        // Nothing could ever come, and librdkafka says so of producers only.
        if subscriber.core.client.conf().get("bootstrap.servers").is_none_or(|b| b.is_empty()) {
            let detail = "no broker is known: set bootstrap.servers with config of the master, \
                          before the subscriber is made";
            let error = rdk::Error::with_detail(ErrorCode::ALL_BROKERS_DOWN, detail);
            subscriber.core.raise(ClientError { error, topic: None, partition: None });
        }
        Ok(subscriber)
    }

    /// Whether no seek is under way; one that has ended has its partitions go on there.
    pub fn seeks_ended(&self) -> bool {
        let mut seeks = self.seeks.borrow_mut();
        if seeks.is_empty() {
            return true;
        }
        let before = seeks.len();
        seeks.retain(|s| !s.ended(&self.reader));
        if seeks.len() < before {
            // Messages that came meanwhile have used their wake up.
            self.core.again();
        }
        seeks.is_empty()
    }

    fn next_message_call(&self, words: &mut Vec<Obj>) -> Option<Called> {
        let callback = self.callback.get()?;
        if let Some(error) = self.core.next_message_error() {
            callback.fill(self.error_dict(&error), words);
            return Some(self.given_error());
        }
        match self.reader.next() {
            Ok(None) => None,
            Ok(Some(held)) => {
                let m = held.message.view();
                if let Some(code) = m.error() {
                    let e = rdk::Error::with_detail(code, m.error_text());
                    let place = (Some(m.topic()), Some(m.partition()));
                    callback.fill(self.core.words.error_dict(&e, place.0, place.1), words);
                    return Some(self.given_error());
                }
                let dict = self.core.words.dict(&held, &self.core.encoding.borrow());
                self.reader.give(&held);
                callback.fill(dict, words);
                Some(Called::Message(held.hand()))
            }
            Err(e) => {
                callback.fill(self.error_dict(&e), words);
                Some(self.given_error())
            }
        }
    }

    fn given_error(&self) -> Called {
        self.reader.give_error();
        Called::MessageError
    }

    pub fn error_dict(&self, e: &ClientError) -> Obj {
        self.core.words.error_dict(&e.error, e.topic.as_deref(), e.partition)
    }

    /// `on_error stop`: the callback goes, and its partition goes back to the message.
    fn stop_at(&self, hand: &Hand) {
        self.callback.set(None);
        // What was processed before it still counts.
        self.reader.hand_over();
        let (topic, partition, offset) =
            (hand.part.topic.clone(), hand.part.partition, hand.offset);
        self.reader.restart(&topic, partition, offset);
        let done = steer::seek_one(&self.core, topic, partition, offset);
        if let Err(Error::Kafka(error)) = done {
            let topic = Some(hand.part.topic.clone());
            self.core.message_error(ClientError { error, topic, partition: Some(partition) });
        }
    }

    /// Reads at least every third of `max.poll.interval.ms` while there is a callback, so that an
    /// idle member stays in its group.
    fn keep_alive(&self) {
        if !self.core.is_open() || !self.callback.is_set() {
            let old = self.keepalive.take();
            drop(old);
            self.next_read.set(None);
            return;
        }
        let now = Instant::now();
        if self.next_read.get().is_some_and(|t| now < t) {
            return;
        }
        self.next_read.set(Some(now + self.keepalive_every));
        if let Some(source) = self.core.source() {
            let timer = Timer::new(self.keepalive_every, source.clone());
            let old = self.keepalive.replace(Some(timer));
            drop(old);
        }
    }
}

type C<'a> = crate::tcl::Call<'a, Subscriber>;
type Out = crate::tcl::Outcome<Subscriber>;

/// `callback ?prefix?`: `{}` or `#none` removes it.
fn callback(c: &C<'_>) -> Out {
    let Some(word) = c.args.get(0) else {
        return Ok(c.this.callback.get_or_set(None, "")?.into());
    };
    let prefix = if word.raw() == b"#none" { None } else { Prefix::new(word, "callback")? };
    if prefix.is_some() {
        c.this.reader.count_hands();
    }
    c.this.callback.set(prefix);
    c.this.exceeded.set(false);
    // What lies in the queue has used its wake up.
    c.this.core.again();
    Ok(crate::tcl::Flow::Empty)
}

/// `rebalance_callback ?prefix?`
fn rebalance_callback(c: &C<'_>) -> Out {
    Ok(c.this.rebalance_callback.get_or_set(c.args.get(0), "rebalance callback")?.into())
}

/// `on_error ?continue|stop?`
fn on_error(c: &C<'_>) -> Out {
    let words = ["continue", "stop"];
    let Some(word) = c.args.get(0) else {
        return Ok(Obj::text(words[usize::from(c.this.stop_on_error.get())]).into());
    };
    let name = word.str();
    let i = words
        .iter()
        .position(|w| *w == name)
        .ok_or_else(|| crate::tcl::Error::bad_word("action", &name, words))?;
    c.this.stop_on_error.set(i == 1);
    Ok(crate::tcl::Flow::Empty)
}

/// `error errno reason`: KafkaTcl's way to test an error callback.
fn error(c: &C<'_>) -> Out {
    let n = c.args.at(0)?.get_int("errno")?;
    let code = i32::try_from(n)
        .map_err(|_| Error::expected("errno", "a librdkafka error number", &n.to_string()))?;
    let error = rdk::Error::with_detail(ErrorCode(code), c.args.at(1)?.string());
    c.this.core.inject_error(ClientError { error, topic: None, partition: None });
    Ok(crate::tcl::Flow::Empty)
}
