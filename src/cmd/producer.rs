//! `$handle` of a producer.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::core::{Core, Life, Plan};
use super::handle::{self, Handle};
use super::live;
use super::pump::{PumpTask, Serve, ServeTask, Verdict, What};
use super::query;
use super::topic_producer::TopicProducer;
use super::tps;
use crate::error::{Error, Result};
use crate::rdk::ErrorCode;
use crate::tcl::command;
use crate::tcl::event::Turn;
use crate::tcl::{Args, Call, Code, Flow, Interp, Obj, Object, Outcome, Row, State, Table, Task};

/// What purged messages get for reporting their failure.
const PURGED: Duration = Duration::from_secs(1);

pub struct Producer {
    core: Rc<Core>,
}

static TABLE: Table<Producer> = Table::new(&[
    Row("name", "", handle::name, "librdkafka's name of the client"),
    Row("type", "", handle::kind, "producer"),
    Row("poll", "?timeoutMS?", handle::poll, "run callbacks of pending events"),
    Row(
        "flush",
        "?timeoutMS? ?-timeout ms?",
        flush,
        "wait for delivery; gives the number undelivered",
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
    Row("partitioner", "?name?", handle::partitioner, "choose the partitioner of new topics"),
    Row("log_level", "level", handle::log_level, "set the least severe level that is logged"),
    Row("add_brokers", "brokerList", handle::add_brokers, "add bootstrap brokers"),
    Row("output_queue_length", "", handle::output_queue_length, "messages not delivered yet"),
    Row("info topics", "?-timeout ms?", handle::info_topics, "the cluster's topics"),
    Row("info brokers", "?-timeout ms?", handle::info_brokers, "the cluster's brokers"),
    Row("info partitions", "topic ?-timeout ms?", handle::info_partitions, "a topic's partitions"),
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
        "watermarks",
        "?-cached? ?-timeout ms? ?-command prefix? topic partition",
        query::watermarks,
        "a partition's low and high watermark",
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
    Row("meta refresh", "?-timeout ms?", handle::meta_refresh, "fetch metadata anew"),
    Row("meta print", "?-timeout ms?", handle::meta_print, "print metadata on stdout"),
    Row("delivery_report callback", "?prefix?", handle::dr_callback, "set who gets reports"),
    Row("delivery_report every", "?count?", handle::dr_every, "call for each nth success only"),
    Row("delivery_report sample", "", handle::dr_sample, "call for the next report"),
    Row("delivery_report_callback", "?prefix?", handle::dr_callback, "as delivery_report callback"),
    Row("error_callback", "?prefix?", handle::error_callback, "set who gets client errors"),
    Row(
        "statistics_callback",
        "?-dict? ?prefix ...?",
        handle::statistics_callback,
        "set who gets librdkafka's statistics",
    ),
    Row("encoding", "?name?", handle::encoding, "tell or set how text turns into bytes"),
    Row("linger_on_close", "?ms?", handle::linger_on_close, "what delivery gets at the end"),
    Row("close", "?timeoutMS? ?-timeout ms?", close, "deliver what is queued, then delete"),
    Row(
        "delete",
        "",
        command::delete_self,
        "delete; what is queued is delivered in the background",
    ),
    Row("destroy", "", command::delete_self, "alias of delete"),
]);

impl Object for Producer {
    const KIND: &'static str = "producer";
    const AUTO: &'static str = "kafka_handle";
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
        let idle = || !self.core.has_kept() && self.core.calls.is_empty();
        if self.core.live.undelivered() == 0 && self.core.main.is_empty() && idle() {
            self.core.finish();
        } else if self.core.overdue() {
            self.give_up();
        }
    }
}

impl Turn for Producer {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        if self.core.state.deleted() {
            return None;
        }
        Some((self.core.interp(), Box::new(PumpTask::new(self))))
    }
}

impl Handle for Producer {}

impl Producer {
    pub fn open(plan: Plan) -> Rc<Producer> {
        let producer = Rc::new(Producer { core: Rc::new(Core::new(plan)) });
        let weak = Rc::downgrade(&producer);
        producer.core.open(weak);
        producer
    }

    fn begin_close(&self, linger: i32) {
        let within = u64::try_from(linger).ok().map(Duration::from_millis);
        self.core.begin_close(within);
        if self.core.live.undelivered() > 0 {
            live::hasten(&self.core.client, linger);
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

    /// A topic object of this producer.
    fn topic(self: &Rc<Self>, name: &str) -> Result<TopicProducer> {
        let (topic, settings) = self.core.make_topic(name)?;
        Ok(TopicProducer::new(self.clone(), topic, settings))
    }
}

type C<'a> = Call<'a, Producer>;
type Out = Outcome<Producer>;

/// The timeout of `flush` and `close`: a word, `-timeout`, or `linger_on_close`.
fn linger_time(c: &C<'_>) -> Result<i32> {
    match c.args.get(0).or_else(|| c.args.opt("-timeout")) {
        Some(word) => Ok(Args::time(word, "timeoutMS")?),
        None => Ok(c.this.core.live.linger.load(Ordering::Relaxed)),
    }
}

/// `flush ?timeoutMS? ?-timeout ms?`
fn flush(c: &C<'_>) -> Out {
    let timeout = linger_time(c)?;
    let core = c.this.core.clone();
    if timeout != 0 && core.live.undelivered() > 0 {
        live::hasten(&core.client, timeout);
    }
    Ok(Flow::Run(ServeTask::new(c.this.clone(), timeout, move |over, _| {
        let left = core.live.undelivered();
        if left == 0 || over || core.life.get() == Life::Closed {
            Verdict::Done(Some(Obj::int(left as i64)))
        } else {
            Verdict::Wait
        }
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

/// `close ?timeoutMS? ?-timeout ms?`
fn close(c: &C<'_>) -> Out {
    let linger = linger_time(c)?;
    let producer = c.this.clone();
    producer.begin_close(linger);
    let task = ServeTask::new(producer.clone(), -1, move |_, _| {
        let core = &producer.core;
        if core.life.get() != Life::Closed {
            return Verdict::Wait;
        }
        command::delete(core.interp(), core.id);
        let lost = core.lost.get();
        if lost == 0 {
            return Verdict::Done(None);
        }
        Verdict::Fail(Error::kafka(
            ErrorCode::TIMED_OUT,
            format!(
                "{lost} message(s) of {} were not delivered within {linger} ms",
                core.live.name
            ),
        ))
    });
    Ok(Flow::Run(task))
}
