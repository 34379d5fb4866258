//! `$subscriber`: a member of a consumer group, or a reader of assigned partitions.

mod group;
mod turns;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cmd::core::{Core, Doorbell, Plan};
use crate::cmd::handle::{self, Handle};
use crate::cmd::leaving::LEAVE;
use crate::cmd::pump::Serve;
use crate::cmd::reader::Reader;
use crate::cmd::rebalance::Kind;
use crate::cmd::steer::{self, Seek};
use crate::cmd::{consume, offsets, query, subscription};
use crate::error::{Error, Result};
use crate::rdk::{self, ClientError, ErrorCode, Event, PartitionList, Queue};
use crate::tcl::command;
use crate::tcl::event::Timer;
use crate::tcl::{Obj, Object, Prefix, Row, Slot, State, Table};

pub struct Subscriber {
    core: Rc<Core>,
    pub reader: Reader,
    group: Queue,
    group_bell: Arc<Doorbell>,
    pub callback: Slot,
    pub rebalance_callback: Slot,
    pub commit_callback: Slot,
    /// `on_error stop`: an error in the callback removes it and goes back to that message.
    pub stop_on_error: Cell<bool>,
    /// The rebalance whose callback runs.
    pub rebalance: RefCell<Option<Pending>>,
    /// Events of the group that were taken from its queue before their turn.
    early: RefCell<VecDeque<Event>>,
    /// What an eager group has assigned, as the rebalance callback was told.
    told: RefCell<PartitionList>,
    /// When the callback's keep-alive reads next, and the timer for it.
    next_read: Cell<Option<Instant>>,
    keepalive: RefCell<Option<Timer>>,
    keepalive_every: Duration,
    /// Deleted: a thread of its own serves the group to the end.
    left_alone: Cell<bool>,
    /// `max.poll.interval.ms` was exceeded, and the script has not read since.
    exceeded: Cell<bool>,
    /// The seeks under way: nothing is read meanwhile.
    pub seeks: RefCell<Vec<Arc<Seek>>>,
}

/// A rebalance that its callback may still change.
pub struct Pending {
    pub kind: Kind,
    pub list: PartitionList,
    /// The callback assigned by itself.
    pub answered: bool,
    /// The group has moved on, and does not wait for the answer.
    pub unasked: bool,
    /// When its callback began.
    pub since: Instant,
}

/// Reading, as a member of a group or without.
const READING: &[Row<Subscriber>] = &[
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
    Row(
        "commit_callback",
        "?prefix?",
        commit_callback,
        "set who is told of commits that no call waits for",
    ),
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
];

const ERROR: &[Row<Subscriber>] =
    &[Row("error", "errno reason", error, "have the error callback called")];

/// The rest, up to the object's end.
const END: &[Row<Subscriber>] = &[
    Row("encoding", "?name?", handle::encoding, "tell or set how bytes turn into text"),
    Row(
        "close",
        "?timeoutMS? ?-timeout ms? ?-command prefix?",
        consume::close,
        "commit, leave the group, delete",
    ),
    Row("delete", "", command::delete_self, "delete; the group is left in the background"),
    Row("destroy", "", command::delete_self, "alias of delete"),
];

static TABLE: Table<Subscriber> = Table::grouped(&[
    READING,
    Subscriber::CLUSTER,
    Subscriber::CLIENT,
    ERROR,
    Subscriber::CALLBACKS,
    END,
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

impl Subscriber {
    pub fn open(plan: Plan) -> Result<Rc<Subscriber>> {
        let client = plan.client.clone();
        let store = plan.store.clone();
        let group = client.consumer_queue()?;
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
                commit_callback: Slot::default(),
                stop_on_error: Cell::new(false),
                rebalance: RefCell::default(),
                early: RefCell::default(),
                told: RefCell::default(),
                next_read: Cell::new(None),
                keepalive: RefCell::default(),
                keepalive_every: Duration::from_millis((max / 3).max(1)),
                left_alone: Cell::new(false),
                exceeded: Cell::new(false),
                seeks: RefCell::default(),
            }
        });
        let bell = &subscriber.group_bell;
        subscriber.group.enable_wake(bell.clone());
        subscriber.reader.messages.enable_wake(bell.twin());
        Ok(subscriber)
    }

    pub fn error_dict(&self, e: &ClientError) -> Obj {
        self.core.words.error_dict(&e.error, e.topic.as_deref(), e.partition)
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

/// `commit_callback ?prefix?`
fn commit_callback(c: &C<'_>) -> Out {
    Ok(c.this.commit_callback.get_or_set(c.args.get(0), "commit callback")?.into())
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
