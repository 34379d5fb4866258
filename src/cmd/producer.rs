//! `$handle` of a producer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::core::{Core, Life, Plan};
use super::handle::{self, Handle};
use super::live;
use super::pump::{PumpTask, Serve, ServeTask, Verdict, What};
use super::send;
use super::topic_producer::TopicProducer;
use super::tps;
use super::transactions::{self, Transactions};
use super::wait::{self, Manner};
use crate::error::{Error, Result};
use crate::rdk::{self, ErrorCode, Hurry, Topic};
use crate::tcl::command;
use crate::tcl::event::Turn;
use crate::tcl::{Call, Code, Flow, Interp, Obj, Object, Outcome, Row, State, Table, Task};

/// What purged messages get for reporting their failure.
const PURGED: Duration = Duration::from_secs(1);

pub struct Producer {
    core: Rc<Core>,
    /// The topics of `send`, by name.
    outlets: RefCell<HashMap<String, Rc<Topic>>>,
    pub transactions: Rc<Transactions>,
    /// One for each future that is waited for.
    hurries: RefCell<Vec<Hurry>>,
}

/// Producing, and the objects that a producer makes.
const PRODUCING: &[Row<Producer>] = &[
    Row("name", "", handle::name, "librdkafka's name of the client"),
    Row("type", "", handle::kind, "producer"),
    Row("poll", "?timeoutMS?", handle::poll, "run callbacks of pending events"),
    Row(
        "send",
        "topic payload ?-key k? ?-partition p? ?-headers h? ?-null_headers list? ?-timestamp ms? ?-tombstone b? ?-encoding e? ?-command prefix? ?-wait ms? ?-block ms?",
        send::send,
        "queue one message; with -wait, give its delivery report",
    ),
    Row(
        "send_batch",
        "topic messages ?-partition p? ?-command prefix? ?-wait ms? ?-block ms?",
        send::send_batch,
        "queue a list of messages; with -wait, give their delivery reports",
    ),
    Row("writable", "?prefix?", send::writable, "whether there is room; call once there is"),
    Row("purge", "?-queue? ?-inflight?", send::purge, "drop messages; each is reported as failed"),
    Row(
        "flush",
        "?timeoutMS? ?-timeout ms? ?-command prefix?",
        flush,
        "wait for delivery; gives how many are queued still or have failed",
    ),
    Row(
        "init_transactions",
        "?-timeout ms? ?-command prefix?",
        transactions::init,
        "end what an earlier producer of the same transactional.id left open",
    ),
    Row("begin_transaction", "", transactions::begin, "begin a transaction"),
    Row(
        "commit_transaction",
        "?-timeout ms? ?-command prefix?",
        transactions::commit,
        "deliver what was produced and commit it",
    ),
    Row(
        "abort_transaction",
        "?-timeout ms? ?-command prefix?",
        transactions::abort,
        "drop what is queued and abort",
    ),
    Row(
        "send_offsets_to_transaction",
        "?-timeout ms? ?-command prefix? ?--? group ?tp ...?",
        transactions::send_offsets,
        "make a subscriber's offsets part of the transaction",
    ),
    Row("new_topic", "cmdName topic", new_topic, "make a topic object"),
    Row("create_queue", "cmdName", create_queue, "refused: a producer reads no messages"),
    Row(
        "config",
        "?-file path? ?key? ?value ...?",
        handle::config,
        "list, get or set the configuration of topics made from now on",
    ),
    Row("topic_config", "?-file path? ?key? ?value ...?", handle::config, "alias of config"),
    Row("client_config", "?key?", handle::client_config, "the client's configuration in force"),
    Row(
        "partitioner",
        "?name? ?prefix?",
        handle::partitioner,
        "choose the partitioner of new topics; the name callback takes a prefix",
    ),
    Row("log_level", "level", handle::log_level, "set the least severe level that is logged"),
    Row("add_brokers", "brokerList", handle::add_brokers, "add bootstrap brokers"),
    Row("output_queue_length", "", handle::output_queue_length, "messages not delivered yet"),
];

/// Who is told of deliveries.
const REPORTS: &[Row<Producer>] = &[
    Row("delivery_report callback", "?prefix?", handle::dr_callback, "set who gets reports"),
    Row("delivery_report every", "?count?", handle::dr_every, "call for each nth success only"),
    Row("delivery_report sample", "", handle::dr_sample, "call for the next report"),
    Row("delivery_report_callback", "?prefix?", handle::dr_callback, "as delivery_report callback"),
];

/// The rest, up to the object's end.
const END: &[Row<Producer>] = &[
    Row("encoding", "?name?", handle::encoding, "tell or set how text turns into bytes"),
    Row("linger_on_close", "?ms?", handle::linger_on_close, "what delivery gets at the end"),
    Row(
        "close",
        "?timeoutMS? ?-timeout ms? ?-command prefix?",
        close,
        "deliver what is queued, then delete",
    ),
    Row(
        "delete",
        "",
        command::delete_self,
        "delete; what is queued is delivered in the background",
    ),
    Row("destroy", "", command::delete_self, "alias of delete"),
];

static TABLE: Table<Producer> = Table::grouped(&[
    PRODUCING,
    Producer::CLUSTER,
    Producer::WATERMARKS,
    Producer::CLIENT,
    REPORTS,
    Producer::CALLBACKS,
    END,
]);

impl Object for Producer {
    const KIND: &'static str = "producer";
    const AUTO: &'static str = "kafka_handle";
    const PRIVATE: &'static [&'static str] = &["config", "topic_config", "sasl_set_credentials"];
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
        // With the interpreter going, the interpreter's own end finishes all clients together.
        if self.core.is_gone() {
            return;
        }
        self.core.linger(self.clone());
        self.begin_close(self.core.live.linger.load(Ordering::Relaxed));
        self.settle();
    }

    fn refuse(&self) -> Option<Error> {
        self.core.refuse()
    }
}

impl Serve for Producer {
    type Called = ();

    fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn next_call(self: &Rc<Self>, words: &mut Vec<Obj>, _what: What) -> Option<()> {
        self.core.next_event_call(words).then_some(())
    }

    fn done(self: &Rc<Self>, (): (), _code: Code) {}

    fn settle(self: &Rc<Self>) {
        let Life::Closing { .. } = self.core.life.get() else { return };
        if self.core.client.forked() {
            return;
        }
        let idle = || !self.core.has_kept() && self.core.calls.is_empty();
        if self.core.live.all_served() && idle() {
            self.core.finish();
        } else if self.core.overdue() {
            self.give_up();
        }
    }
}

impl Turn for Producer {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        if self.core.out_of_turn() {
            return None;
        }
        Some((self.core.interp(), Box::new(PumpTask::new(self))))
    }
}

impl Handle for Producer {}

impl Producer {
    pub fn open(plan: Plan) -> Rc<Producer> {
        let producer = Rc::new(Producer {
            core: Rc::new(Core::new(plan)),
            outlets: RefCell::default(),
            transactions: Rc::default(),
            hurries: RefCell::default(),
        });
        let weak = Rc::downgrade(&producer);
        producer.core.open(weak);
        producer
    }

    fn begin_close(&self, linger: i32) {
        let within = u64::try_from(linger).ok().map(Duration::from_millis);
        self.core.begin_close(within);
        if self.core.live.undelivered() > 0 {
            self.core.live.hasten(linger);
        }
    }

    /// The time is over: what is still here is dropped, each message with its report.
    fn give_up(&self) {
        if self.core.gave_up.replace(true) {
            live::say_lost(&self.core.live, self.core.live.undelivered());
            self.core.finish();
            return;
        }
        self.core.lost.set(self.core.live.undelivered());
        let _ = self.core.client.purge(true, true);
        self.core.extend_close(PURGED);
    }

    /// Says that a delivery is waited for, or that it is no more.
    pub fn hurry(&self, begins: bool) {
        if begins {
            self.hurries.borrow_mut().extend(self.core.client.hurry());
        } else {
            self.hurries.borrow_mut().pop();
        }
    }

    /// The topic that `send` names. A topic keeps the configuration that it was first used with.
    pub fn outlet(&self, name: &Obj) -> Result<Rc<Topic>> {
        let known = self.outlets.borrow().get(&*name.str()).cloned();
        if let Some(topic) = known {
            return Ok(topic);
        }
        let name = tps::parse_topic(name)?;
        let topic = Rc::new(self.core.known_topic(&name)?);
        self.outlets.borrow_mut().insert(name, topic.clone());
        Ok(topic)
    }

    /// A topic object of this producer.
    fn topic(self: &Rc<Self>, name: &str) -> Result<TopicProducer> {
        let (topic, settings) = self.core.make_topic(name)?;
        Ok(TopicProducer::new(self.clone(), topic, settings))
    }
}

type C<'a> = Call<'a, Producer>;
type Out = Outcome<Producer>;

/// How `flush` and `close` wait: a word, `-timeout`, or `linger_on_close`.
fn lingering(c: &C<'_>) -> Result<Manner> {
    Manner::timed(&c.args, c.this.core.live.linger.load(Ordering::Relaxed))
}

/// `flush ?timeoutMS? ?-timeout ms? ?-command prefix?`
fn flush(c: &C<'_>) -> Out {
    let Manner { timeout, command, .. } = lingering(c)?;
    let core = c.this.core.clone();
    if timeout != 0 && core.live.undelivered() > 0 {
        core.live.hasten(timeout);
    }
    let left = move |core: &Core, over: bool| {
        let left = core.live.undelivered();
        let end = core.live.all_served() || over || core.life.get() == Life::Closed;
        if over && left > 0 && timeout != 0 {
            core.disappointed();
        }
        end.then(|| Obj::int((left + core.take_failed()) as i64))
    };
    if let Some(prefix) = command {
        return Ok(wait::watch(&core, timeout, prefix, move |core, over| left(core, over).map(Ok)));
    }
    Ok(Flow::Run(ServeTask::new(c.this.clone(), timeout, move |over, _| {
        left(&core, over).map_or(Verdict::Wait, |n| Verdict::Done(Some(n)))
    })))
}

/// `new_topic cmdName topic`
fn new_topic(c: &C<'_>) -> Out {
    let name = command::check_name::<TopicProducer>(c.interp, c.args.at(0)?)?;
    let topic = tps::parse_topic(c.args.at(1)?)?;
    let topic = Rc::new(c.this.topic(&topic)?);
    c.this.core.adopt(c.interp, name, topic)
}

/// `create_queue cmdName`: KafkaTcl had it here too, and made a queue that nothing could come into.
fn create_queue(_c: &C<'_>) -> Out {
    Err(Error::State(
        "a producer reads no messages: make the queue with a consumer handle".to_owned(),
    ))
}

/// `close ?timeoutMS? ?-timeout ms? ?-command prefix?`
fn close(c: &C<'_>) -> Out {
    let Manner { timeout: linger, command, .. } = lingering(c)?;
    let producer = c.this.clone();
    producer.begin_close(linger);
    Ok(handle::closing(producer, command, move |core| {
        command::delete(core.interp(), core.id);
        let lost = core.lost.get();
        if lost == 0 {
            return Ok(Obj::empty());
        }
        let name = &core.live.name;
        let text = format!("{lost} message(s) of {name} were not delivered within {linger} ms");
        Err(core.explain(rdk::Error::with_detail(ErrorCode::TIMED_OUT, text)).into())
    }))
}
