//! `$topic` of a producer. `produce` is the hot path of the producing side.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use super::core::Core;
use super::encoding::Encoding;
use super::message::{self, Batch, Bytes, Elements, Message};
use super::outlet;
use super::partition::{self, Choice};
use super::producer::Producer;
use super::pump::Serve;
use super::send;
use super::settings::Settings;
use super::topic::{self, TopicObject};
use crate::error::{Error, Result};
use crate::rdk::Topic;
use crate::tcl::command::{self, new_id};
use crate::tcl::{Args, Call, Flow, Obj, Object, Outcome, Prefix, Row, State, Table};

pub struct TopicProducer {
    id: u64,
    producer: Rc<Producer>,
    topic: Rc<Topic>,
    settings: Settings,
    encoding: RefCell<Encoding>,
    /// The partitioner callback that the handle had when the topic was made.
    partitioner: Option<Prefix>,
}

const PRODUCING: &[Row<TopicProducer>] = &[
    Row(
        "produce",
        "partition payload ?key? ?-key k? ?-headers h? ?-null_headers list? ?-timestamp ms? ?-tombstone b? ?-encoding e? ?-command prefix? ?-block ms?",
        produce,
        "queue one message",
    ),
    Row("produce_batch", "partition list", produce_batch, "queue a list of messages"),
];

const QUEUED: &[Row<TopicProducer>] = &[Row(
    "info output_queue_length",
    "",
    topic::info_outq,
    "messages of the handle not delivered yet",
)];

const END: &[Row<TopicProducer>] = &[
    Row("encoding", "?name?", topic::encoding, "tell or set how text turns into bytes"),
    Row("delete", "", command::delete_self, "delete the object"),
    Row("destroy", "", command::delete_self, "alias of delete"),
];

static TABLE: Table<TopicProducer> =
    Table::grouped(&[PRODUCING, TopicProducer::INFO, QUEUED, TopicProducer::MADE, END]);

impl Object for TopicProducer {
    const KIND: &'static str = "topic_producer";
    const AUTO: &'static str = "kafka_topic";
    type Error = Error;

    fn table() -> &'static Table<Self> {
        &TABLE
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn state(&self) -> &Rc<State> {
        &self.core().state
    }

    fn deleted(self: &Rc<Self>) {
        self.core().children.borrow_mut().remove(&self.id);
    }

    /// `produce partition payload ?key?` of bytes as they stand. What librdkafka refuses is tried once
    /// more by [`produce`], which says why.
    #[inline]
    fn quick(self: &Rc<Self>, words: &[Obj]) -> bool {
        let (partition, payload, key) = match words {
            [_, _, partition, payload] => (partition, payload, None),
            [_, _, partition, payload, key] => (partition, payload, Some(key)),
            _ => return false,
        };
        let core = self.core();
        let plain = words[1].raw() == b"produce"
            && self.partitioner.is_none()
            && *self.encoding.borrow() == Encoding::Binary
            && core.refuse().is_none();
        if !plain {
            return false;
        }
        core.drain_news();
        let Ok(partition) = message::partition(partition) else { return false };
        let Ok(payload) = payload.get_bytes("payload") else { return false };
        let Ok(key) = key.map(|k| k.get_bytes("key")).transpose() else { return false };
        // What looks like an option may lack its value.
        if key.is_some_and(|k| k.starts_with(b"-")) {
            return false;
        }
        self.topic.produce(partition, Some(payload), key, 0).is_ok()
    }

    fn refuse(&self) -> Option<Error> {
        self.core().refuse()
    }
}

impl TopicObject for TopicProducer {
    type Creator = Producer;

    fn creator(&self) -> &Rc<Producer> {
        &self.producer
    }

    fn core(&self) -> &Rc<Core> {
        self.producer.core()
    }

    fn topic(&self) -> &Topic {
        &self.topic
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn encoding(&self) -> &RefCell<Encoding> {
        &self.encoding
    }
}

impl TopicProducer {
    pub fn new(producer: Rc<Producer>, topic: Topic, settings: Settings) -> TopicProducer {
        let encoding = RefCell::new(producer.core().encoding.borrow().clone());
        let partitioner = producer.core().partitioner.get();
        let topic = Rc::new(topic);
        TopicProducer { id: new_id(), producer, topic, settings, encoding, partitioner }
    }

    /// What the partitioner callback is to choose for messages to `partition`, if it is asked.
    #[inline]
    fn choice(&self, partition: i32, list: bool, block: Option<i32>) -> Option<Choice> {
        let callback = self.partitioner.as_ref().filter(|_| partition < 0)?.clone();
        Some(Choice { callback, topic: self.topic.name().to_owned(), list, block })
    }
}

type C<'a> = Call<'a, TopicProducer>;
type Out = Outcome<TopicProducer>;

/// `produce partition payload ?key? ?-key k? ?-headers h? ?-null_headers list? ?-timestamp ms? ?-tombstone b? ?-encoding
/// e? ?-command prefix? ?-block ms?`
fn produce(c: &C<'_>) -> Out {
    let topic = c.this;
    let core = topic.core();
    core.drain_news();
    let partition = message::partition(c.args.at(0)?)?;
    let message = Message::sort(&c.args, 1)?;
    let (mut command, mut block) = (None, None);
    if c.args.has_options() {
        if let Some(word) = c.args.opt("-command") {
            command = Prefix::new(word, "-command")?;
        }
        if let Some(word) = c.args.opt("-block") {
            block = Some(Args::time(word, "-block")?);
        }
    }
    let encoding = topic.encoding.borrow();
    let bytes = message.bytes(&encoding, partition)?;
    if let Some(choice) = topic.choice(partition, false, block) {
        let (this, since) = (topic.clone(), Instant::now());
        return Ok(partition::choose(topic, &topic.producer, choice, vec![bytes], move |all| {
            let block = block.map(|ms| partition::left(ms, since));
            all.into_iter().try_fold(Flow::Empty, |_, b| {
                send::queue(&this.producer, &this.topic, b, command.clone(), block)
            })
        }));
    }
    send::queue(&topic.producer, &topic.topic, bytes, command, block)
}

/// `produce_batch partition list`: elements `{payload ?key? ?-option value ...?}`, all checked before
/// any is queued.
fn produce_batch(c: &C<'_>) -> Out {
    let topic = c.this;
    let core = topic.core();
    core.drain_news();
    let partition = message::partition(c.args.at(0)?)?;
    let batch = Batch::read(c.args.at(1)?, Elements::Produce)?;
    let encoding = topic.encoding.borrow();
    if topic.partitioner.is_none() && *encoding == Encoding::Binary {
        if let Some(records) = batch.plain() {
            let failed = outlet::queue_records(core, &topic.topic, partition, &records);
            return outlet::batch_outcome(records.len(), failed);
        }
    }
    let all = batch.bytes(&encoding, partition)?;
    if let Some(choice) = topic.choice(partition, true, None) {
        let this = topic.clone();
        return Ok(partition::choose(topic, &topic.producer, choice, all, move |all| {
            submit_all(&this, &all)
        }));
    }
    submit_all(topic, &all)
}

fn submit_all(topic: &TopicProducer, all: &[Bytes<'_>]) -> Result<Flow> {
    let failed = outlet::queue_all(topic.core(), &topic.topic, all);
    outlet::batch_outcome(all.len(), failed)
}
