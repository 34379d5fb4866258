//! `$topic` of a producer. `produce` is the hot path of the producing side.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::OnceLock;

use super::core::Core;
use super::encoding::Encoding;
use super::producer::Producer;
use super::pump::{Serve, ServeTask, Verdict};
use super::settings::Settings;
use super::topic::{self, TopicObject};
use crate::error::{Error, Result};
use crate::rdk::{self, ErrorCode, Record, Topic};
use crate::tcl::command::{self, new_id};
use crate::tcl::usage::Usage;
use crate::tcl::{Args, Call, Flow, Obj, Object, Outcome, Prefix, Row, State, Table};

pub struct TopicProducer {
    id: u64,
    producer: Rc<Producer>,
    topic: Rc<Topic>,
    settings: Settings,
    encoding: RefCell<Encoding>,
}

static TABLE: Table<TopicProducer> = Table::new(&[
    Row(
        "produce",
        "partition payload ?key? ?-key k? ?-headers h? ?-timestamp ms? ?-tombstone b? ?-encoding e? ?-command prefix? ?-block ms?",
        produce,
        "queue one message",
    ),
    Row("produce_batch", "partition list", produce_batch, "queue a list of messages"),
    Row("info name", "", topic::info_name, "the topic's name"),
    Row("info topic", "", topic::info_name, "alias of info name"),
    Row("info partitions", "?-timeout ms?", topic::info_partitions, "how many partitions the topic has"),
    Row(
        "info consistent_partition",
        "key ?-timeout ms?",
        topic::info_consistent,
        "the partition that the consistent partitioner has for a key",
    ),
    Row("info output_queue_length", "", topic::info_outq, "messages of the handle not delivered yet"),
    Row("creator", "subcommand ?arg ...?", topic::creator, "call the handle that made the topic"),
    Row("config", "?key?", topic::config, "the topic's configuration, fixed once it exists"),
    Row("encoding", "?name?", topic::encoding, "tell or set how text turns into bytes"),
    Row("delete", "", command::delete_self, "delete the object"),
    Row("destroy", "", command::delete_self, "alias of delete"),
]);

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
        TopicProducer { id: new_id(), producer, topic: Rc::new(topic), settings, encoding }
    }

    /// Queues a message; a full queue is drained of its reports and tried once more.
    #[inline]
    fn queue(
        &self,
        partition: i32,
        payload: Option<&[u8]>,
        key: Option<&[u8]>,
        more: &More,
    ) -> rdk::Result<()> {
        let attempt = || {
            if more.is_plain() {
                self.topic.produce(partition, payload, key, more.opaque)
            } else {
                let headers: Vec<(&str, Option<&[u8]>)> =
                    more.headers.iter().map(|(n, v)| (n.as_str(), Some(&v[..]))).collect();
                let stamp = more.timestamp;
                self.topic.produce_full(partition, payload, key, &headers, stamp, more.opaque)
            }
        };
        match attempt() {
            Err(e) if e.code == ErrorCode::QUEUE_FULL => {
                self.core().drain();
                attempt().map_err(|e| self.explain(e))
            }
            Err(e) => Err(self.explain(e)),
            Ok(()) => Ok(()),
        }
    }

    fn explain(&self, mut e: rdk::Error) -> rdk::Error {
        if e.detail.is_empty() {
            e.detail = format!("topic \"{}\"", self.topic.name());
        }
        e
    }
}

/// What a message may have beyond partition, payload and key.
#[derive(Default)]
struct More {
    headers: Vec<(String, Vec<u8>)>,
    timestamp: i64,
    opaque: u64,
}

impl More {
    #[inline]
    fn is_plain(&self) -> bool {
        self.headers.is_empty() && self.timestamp == 0
    }
}

/// The words of one message, checked; bytes are taken from them last, for reading a value as a list
/// or a number may move its bytes.
struct Message<'a> {
    payload: &'a Obj,
    key: Option<&'a Obj>,
    tombstone: bool,
    headers: Vec<(Obj, Obj)>,
    timestamp: i64,
    encoding: Option<Encoding>,
}

impl<'a> Message<'a> {
    /// From sorted words, whose payload and key are at `first` and after it.
    fn sort(args: &Args<'a>, first: usize) -> Result<Message<'a>> {
        let key = args.get(first + 1);
        let mut m = Message {
            payload: args.at(first)?,
            key,
            tombstone: false,
            headers: Vec::new(),
            timestamp: 0,
            encoding: None,
        };
        if !args.has_options() {
            return Ok(m);
        }
        if let Some(k) = args.opt("-key") {
            if key.is_some() {
                return Err(Error::argument("the key is given twice: as a word and with -key"));
            }
            m.key = Some(k);
        }
        if let Some(h) = args.opt("-headers") {
            m.headers = h.get_pairs("-headers")?;
        }
        if let Some(t) = args.opt("-timestamp") {
            m.timestamp = t.get_int("-timestamp")?;
            if m.timestamp <= 0 {
                return Err(Error::expected("-timestamp", "milliseconds since 1970", &t.str()));
            }
        }
        if let Some(b) = args.opt("-tombstone") {
            m.tombstone = b.get_bool("-tombstone")?;
            if m.tombstone && !m.payload.is_empty() {
                return Err(Error::argument("a tombstone has no payload: give an empty one"));
            }
        }
        if let Some(e) = args.opt("-encoding") {
            m.encoding = Some(Encoding::parse(e)?);
        }
        Ok(m)
    }

    fn bytes(&self, default: &Encoding) -> Result<Bytes<'a>> {
        let encoding = self.encoding.as_ref().unwrap_or(default);
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let name = name.string();
            if name.contains('\0') {
                return Err(Error::expected("header name", "a name without NUL", &name));
            }
            headers.push((name, encoding.encode(value, "header value")?.into_owned()));
        }
        let payload = encoding.encode(self.payload, "payload")?;
        Ok(Bytes {
            payload: (!self.tombstone).then_some(payload),
            key: self.key.map(|k| encoding.encode(k, "key")).transpose()?,
            more: More { headers, timestamp: self.timestamp, opaque: 0 },
        })
    }
}

struct Bytes<'a> {
    payload: Option<Cow<'a, [u8]>>,
    key: Option<Cow<'a, [u8]>>,
    more: More,
}

type C<'a> = Call<'a, TopicProducer>;
type Out = Outcome<TopicProducer>;

/// A partition to produce to; -1 leaves the choice to the partitioner.
fn partition(word: &Obj) -> Result<i32> {
    let n = word.get_int("partition")?;
    i32::try_from(n).ok().filter(|p| *p >= -1).ok_or_else(|| {
        Error::expected("partition", "a number from 0 to 2147483647, or -1 for any", &word.str())
    })
}

/// `produce partition payload ?key? ?-key k? ?-headers h? ?-timestamp ms? ?-tombstone b? ?-encoding
/// e? ?-command prefix? ?-block ms?`
fn produce(c: &C<'_>) -> Out {
    let topic = c.this;
    topic.core().drain_news();
    let partition = partition(c.args.at(0)?)?;
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
    let mut bytes = message.bytes(&encoding)?;
    if let Some(prefix) = command {
        bytes.more.opaque = topic.core().own_report(prefix);
    }
    let Bytes { payload, key, more } = bytes;
    match topic.queue(partition, payload.as_deref(), key.as_deref(), &more) {
        Ok(()) => Ok(Flow::Empty),
        Err(e) if e.code == ErrorCode::QUEUE_FULL && block.is_some() => {
            let payload = payload.map(Cow::into_owned);
            let key = key.map(Cow::into_owned);
            Ok(wait_for_room(topic, block.unwrap_or(0), partition, payload, key, more))
        }
        Err(e) => {
            topic.core().forget_report(more.opaque);
            Err(e.into())
        }
    }
}

/// Serves events until there is room for a message, and queues it then.
fn wait_for_room(
    topic: &Rc<TopicProducer>,
    block: i32,
    partition: i32,
    payload: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    more: More,
) -> Flow {
    let this = topic.clone();
    let verdict =
        move |over: bool, _| match this.queue(partition, payload.as_deref(), key.as_deref(), &more)
        {
            Ok(()) => Verdict::Done(None),
            Err(e) if e.code == ErrorCode::QUEUE_FULL && !over && this.core().is_open() => {
                Verdict::Wait
            }
            Err(e) => {
                this.core().forget_report(more.opaque);
                Verdict::Fail(e.into())
            }
        };
    Flow::Run(ServeTask::new(topic.producer.clone(), block, verdict))
}

/// The signature of a batch's elements.
fn element_usage() -> Result<&'static Usage> {
    static USAGE: OnceLock<std::result::Result<Usage, String>> = OnceLock::new();
    USAGE
        .get_or_init(|| {
            Usage::parse(
                "payload ?key? ?-key k? ?-headers h? ?-timestamp ms? ?-tombstone b? ?-encoding e?",
            )
        })
        .as_ref()
        .map_err(|e| Error::argument(e.clone()))
}

/// `produce_batch partition list`: elements `{payload ?key? ?-option value ...?}`, all checked before
/// any is queued.
fn produce_batch(c: &C<'_>) -> Out {
    let topic = c.this;
    topic.core().drain_news();
    let partition = partition(c.args.at(0)?)?;
    let usage = element_usage()?;
    // First all lists, then all bytes: see `Message`.
    let elements = c.args.at(1)?.get_list("list of messages")?;
    let rows = elements
        .iter()
        .enumerate()
        .map(|(i, e)| e.get_list(&format!("message {i}")))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let mut messages = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        let at = |e: Error| in_message(i, e);
        let args = usage.sort(&|| String::from("message"), row).map_err(|e| at(e.into()))?;
        messages.push(Message::sort(&args, 0).map_err(at)?);
    }
    let encoding = topic.encoding.borrow();
    let mut all = Vec::with_capacity(messages.len());
    for (i, m) in messages.iter().enumerate() {
        all.push(m.bytes(&encoding).map_err(|e| in_message(i, e))?);
    }
    let failed = queue_all(topic, partition, &all);
    batch_outcome(all.len(), failed)
}

/// Says which message of a batch a fault is in.
fn in_message(i: usize, e: Error) -> Error {
    match e {
        Error::Words(crate::tcl::Error::NotBytes { what, ch, index }) => {
            let what = format!("{what} of message {i}");
            Error::Words(crate::tcl::Error::NotBytes { what, ch, index })
        }
        Error::Words(w) => Error::argument(format!("message {i}: {}", w.message())),
        other => other,
    }
}

/// Plain messages go in one call; from the first with more on, one by one, so that they stay in
/// order. What a full queue refuses is tried once more after a drain.
fn queue_all(topic: &TopicProducer, partition: i32, all: &[Bytes<'_>]) -> Vec<(usize, rdk::Error)> {
    let plain = all.iter().position(|b| !b.more.is_plain()).unwrap_or(all.len());
    let records: Vec<Record<'_>> = all[..plain]
        .iter()
        .map(|b| Record { payload: b.payload.as_deref(), key: b.key.as_deref(), opaque: 0 })
        .collect();
    let mut failed: Vec<(usize, rdk::Error)> = Vec::new();
    // Once one is refused for want of room, so are all after it: room may come up in between, but
    // a script that sends the refused ones again must find them in order.
    let mut full = None;
    let mut queue = |i: usize| {
        if let Some(e) = &full {
            return Err(Clone::clone(e));
        }
        let b = &all[i];
        let done = topic.queue(partition, b.payload.as_deref(), b.key.as_deref(), &b.more);
        done.inspect_err(|e| {
            if e.code == ErrorCode::QUEUE_FULL {
                full = Some(e.clone());
            }
        })
    };
    for (i, code) in topic.topic.produce_batch(partition, &records) {
        let result = match code {
            ErrorCode::QUEUE_FULL => queue(i),
            code => Err(topic.explain(rdk::Error::new(code))),
        };
        if let Err(e) = result {
            failed.push((i, e));
        }
    }
    for i in plain..all.len() {
        if let Err(e) = queue(i) {
            failed.push((i, e));
        }
    }
    failed
}

/// Nothing, or which messages were refused and why.
fn batch_outcome(count: usize, failed: Vec<(usize, rdk::Error)>) -> Out {
    let Some((_, first)) = failed.first() else { return Ok(Flow::Empty) };
    if failed.len() == count && failed.iter().all(|(_, e)| e.code == first.code) {
        return Err(Error::Kafka(first.clone()));
    }
    Err(Error::Partial {
        ok: count - failed.len(),
        failed: failed.into_iter().map(|(i, e)| (Obj::int(i as i64), e)).collect(),
        done: Obj::empty(),
    })
}
