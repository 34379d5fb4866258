//! `$handle` of a consumer: topics and queues are read partition by partition, without a group.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Life, Plan};
use super::handle::{self, Handle};
use super::pump::{PumpTask, Serve, What};
use super::queue::QueueObject;
use super::store::Store;
use super::stream::Stream;
use super::topic_consumer::TopicConsumer;
use super::tps;
use super::wait::Manner;
use crate::error::{Error, Result};
use crate::rdk::ErrorCode;
use crate::tcl::command;
use crate::tcl::event::Turn;
use crate::tcl::{Call, Code, Interp, Obj, Object, Outcome, Row, State, Table, Task};

pub struct Consumer {
    core: Rc<Core>,
    pub store: Arc<Store>,
    /// Who started a partition: the id of the topic object.
    pub started: RefCell<BTreeMap<(String, i32), u64>>,
    /// What is read: partitions and queues.
    streams: RefCell<Vec<Weak<Stream>>>,
}

/// The objects that a consumer makes, and its settings.
const CONSUMING: &[Row<Consumer>] = &[
    Row("name", "", handle::name, "librdkafka's name of the client"),
    Row("type", "", handle::kind, "consumer"),
    Row("poll", "?timeoutMS?", handle::poll, "run callbacks of pending events"),
    Row("new_topic", "cmdName topic", new_topic, "make a topic object"),
    Row("create_queue", "cmdName", create_queue, "make a queue object"),
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
    Row("output_queue_length", "", handle::output_queue_length, "0: a consumer sends no messages"),
];

/// The rest, up to the object's end.
const END: &[Row<Consumer>] = &[
    Row("encoding", "?name?", handle::encoding, "tell or set how bytes turn into text"),
    Row("linger_on_close", "?ms?", handle::linger_on_close, "what stopping gets at the end"),
    Row(
        "close",
        "?timeoutMS? ?-timeout ms? ?-command prefix?",
        close,
        "stop all partitions, then delete",
    ),
    Row("delete", "", command::delete_self, "delete; partitions are stopped in the background"),
    Row("destroy", "", command::delete_self, "alias of delete"),
];

static TABLE: Table<Consumer> = Table::grouped(&[
    CONSUMING,
    Consumer::CLUSTER,
    Consumer::WATERMARKS,
    Consumer::CLIENT,
    Consumer::CALLBACKS,
    END,
]);

impl Object for Consumer {
    const KIND: &'static str = "consumer";
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
        if self.core.is_gone() {
            return;
        }
        self.core.linger(self.clone());
        self.core.begin_close(within(self.core.live.linger.load(Ordering::Relaxed)));
        self.settle();
    }

    fn refuse(&self) -> Option<Error> {
        self.core.refuse()
    }
}

impl Serve for Consumer {
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
        let done = || self.core.live.stopped() && !self.core.calls.has_kept();
        if done() || self.core.overdue() {
            self.core.finish();
        }
    }
}

impl Turn for Consumer {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        if self.core.out_of_turn() {
            return None;
        }
        Some((self.core.interp(), Box::new(PumpTask::new(self))))
    }
}

impl Handle for Consumer {}

impl Consumer {
    pub fn open(plan: Plan) -> Rc<Consumer> {
        let store = plan.store.clone();
        let core = Rc::new(Core::new(plan));
        let consumer = Rc::new(Consumer {
            core,
            store,
            started: RefCell::default(),
            streams: RefCell::default(),
        });
        let weak = Rc::downgrade(&consumer);
        consumer.core.open(weak);
        consumer
    }

    /// A stream of this consumer was opened.
    pub fn note_stream(&self, stream: &Rc<Stream>) {
        let mut streams = self.streams.borrow_mut();
        streams.retain(|s| s.strong_count() > 0);
        streams.push(Rc::downgrade(stream));
    }

    fn topic(self: &Rc<Self>, name: &str) -> Result<TopicConsumer> {
        let (topic, settings) = self.core.make_topic(name)?;
        Ok(TopicConsumer::new(self.clone(), topic, settings))
    }
}

type C<'a> = Call<'a, Consumer>;
type Out = Outcome<Consumer>;

/// `new_topic cmdName topic`
fn new_topic(c: &C<'_>) -> Out {
    let name = command::check_name::<TopicConsumer>(c.interp, c.args.at(0)?)?;
    let topic = tps::parse_topic(c.args.at(1)?)?;
    let topic = Rc::new(c.this.topic(&topic)?);
    c.this.core.adopt(c.interp, name, topic)
}

/// `create_queue cmdName`
fn create_queue(c: &C<'_>) -> Out {
    let name = command::check_name::<QueueObject>(c.interp, c.args.at(0)?)?;
    let queue = QueueObject::new(c.this.clone());
    c.this.core.adopt(c.interp, name, queue)
}

/// A time in milliseconds as a bound; -1 is none.
fn within(ms: i32) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// `close ?timeoutMS? ?-timeout ms? ?-command prefix?`
fn close(c: &C<'_>) -> Out {
    let linger = c.this.core.live.linger.load(Ordering::Relaxed);
    let Manner { timeout, command, .. } = Manner::timed(&c.args, linger)?;
    let consumer = c.this.clone();
    // What the script was given counts, as at a commit.
    for stream in consumer.streams.borrow().iter().filter_map(Weak::upgrade) {
        stream.reader.count_all();
    }
    consumer.core.delete_children();
    consumer.core.begin_close(within(timeout));
    Ok(handle::closing(consumer, command, move |core| {
        command::delete(core.interp(), core.id);
        if core.live.stopped() {
            return Ok(Obj::empty());
        }
        let detail = format!("partitions of {} did not stop within {timeout} ms", core.live.name);
        Err(Error::kafka(ErrorCode::TIMED_OUT, detail))
    }))
}
