//! `$queue`: messages of several topics and partitions in one stream.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use super::batch;
use super::consumer::Consumer;
use super::kafka::Compat;
use super::pump::{Serve, Verdict};
use super::reading::{self, TimedCallback, Without};
use super::stream::Stream;
use super::topic_consumer::TopicConsumer;
use crate::error::Error;
use crate::rdk::ErrorCode;
use crate::tcl::command::{self, new_id};
use crate::tcl::{Args, Call, Code, Flow, Obj, Object, Outcome, Prefix, Row, State, Table};

pub struct QueueObject {
    id: u64,
    consumer: Rc<Consumer>,
    pub stream: Rc<Stream>,
    /// The partitions that feed it, by their topic objects.
    feeders: RefCell<Vec<(Weak<TopicConsumer>, i32)>>,
}

static TABLE: Table<QueueObject> = Table::new(&[
    Row("consume", "timeoutMS array", consume, "take a message into an array"),
    Row(
        "consume_batch",
        "timeoutMS count array code",
        consume_batch,
        "run code for each message, in an array",
    ),
    Row(
        "consume_list",
        "timeoutMS count ?-fields list? ?-min n?",
        consume_list,
        "take many messages as a list",
    ),
    Row(
        "consume_callback",
        "?timeoutMS? ?prefix ...?",
        consume_callback,
        "set who gets messages; with a time, wait and call for those that are there",
    ),
    Row("length", "", length, "how many messages wait"),
    Row("encoding", "?name?", encoding, "tell or set how bytes turn into text"),
    Row("delete", "", command::delete_self, "delete the object"),
    Row("destroy", "", command::delete_self, "alias of delete"),
]);

impl Object for QueueObject {
    const KIND: &'static str = "queue";
    const AUTO: &'static str = "kafka_queue";
    type Error = Error;

    fn table() -> &'static Table<Self> {
        &TABLE
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn state(&self) -> &Rc<State> {
        &self.consumer.core().state
    }

    fn deleted(self: &Rc<Self>) {
        self.consumer.core().children.borrow_mut().remove(&self.id);
        if self.consumer.core().client.forked() {
            return;
        }
        for (topic, partition) in self.feeders.take() {
            if let Some(topic) = topic.upgrade() {
                topic.queue_gone(partition, self.id);
            }
        }
        self.stream.close();
    }

    fn refuse(&self) -> Option<Error> {
        self.consumer.core().refuse()
    }
}

impl QueueObject {
    pub fn new(consumer: Rc<Consumer>) -> Rc<QueueObject> {
        let encoding = consumer.core().encoding.borrow().clone();
        let stream = Stream::open(consumer.clone(), Rc::new(RefCell::new(encoding)));
        Rc::new(QueueObject { id: new_id(), consumer, stream, feeders: RefCell::default() })
    }

    /// A partition feeds it from now on. Those that were stopped or deleted are forgotten.
    pub fn add_feeder(&self, topic: &Rc<TopicConsumer>, partition: i32) {
        let mut feeders = self.feeders.borrow_mut();
        feeders.retain(|(t, p)| {
            t.upgrade().is_some_and(|t| {
                t.feeds(*p, self.id) && !(Rc::ptr_eq(&t, topic) && *p == partition)
            })
        });
        feeders.push((Rc::downgrade(topic), partition));
    }

    /// Whether the queue was made by this handle.
    pub fn is_of(&self, consumer: &Rc<Consumer>) -> bool {
        Rc::ptr_eq(&self.consumer, consumer)
    }
}

type C<'a> = Call<'a, QueueObject>;
type Out = Outcome<QueueObject>;

/// `consume timeoutMS array`: 1 or 0; KafkaTcl gave nothing for a message, broke out of a loop at the
/// end of a partition, and threw at a timeout.
fn consume(c: &C<'_>) -> Out {
    let timeout = Args::time(c.args.at(0)?, "timeoutMS")?;
    let old = c.this.state().data::<Compat>().old.get();
    let one = (!old).then(|| Obj::int(1));
    reading::array(&c.this.stream, c.interp, timeout, c.args.at(1)?, one, move |why| match why {
        Without::End if old => Verdict::Leave(Code::BREAK),
        Without::Time if old => Verdict::Fail(Error::kafka(ErrorCode::TIMED_OUT, "")),
        _ => Verdict::Done(Some(Obj::int(0))),
    })
}

/// `consume_batch timeoutMS count array code`
fn consume_batch(c: &C<'_>) -> Out {
    batch::start(&c.this.stream, &c.args, 0)
}

/// `consume_list timeoutMS count ?-fields list? ?-min n?`
fn consume_list(c: &C<'_>) -> Out {
    reading::list(&c.this.stream, &c.args, 0)
}

/// `consume_callback ?prefix?`, or the first generation's `consume_callback timeoutMS prefix`.
fn consume_callback(c: &C<'_>) -> Out {
    let stream = &c.this.stream;
    match (c.args.get(0), c.args.rest) {
        (None, _) => Ok(stream.callback.get_or_set(None, "")?.into()),
        (Some(prefix), []) => {
            stream.set_callback(Prefix::new(prefix, "callback")?);
            Ok(Flow::Empty)
        }
        (Some(time), [prefix]) => {
            let timeout = Args::time(time, "timeoutMS")?;
            let prefix = Prefix::new(prefix, "callback")?
                .ok_or_else(|| Error::expected("callback", "a command prefix", ""))?;
            TimedCallback::start(stream, timeout, move |s, words| s.fill_next(&prefix, words))
        }
        _ => Err(c.wrong_args()),
    }
}

/// `length`
fn length(c: &C<'_>) -> Out {
    Ok(Obj::int(c.this.stream.length() as i64).into())
}

/// `encoding ?name?`
fn encoding(c: &C<'_>) -> Out {
    super::master::get_or_set_encoding(&c.this.stream.encoding, c.args.get(0))
}
