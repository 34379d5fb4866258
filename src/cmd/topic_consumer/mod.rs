//! `$topic` of a consumer: partitions that are started, read and stopped one by one.

mod started;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::cmd::batch;
use crate::cmd::consumer::Consumer;
use crate::cmd::core::Core;
use crate::cmd::encoding::Encoding;
use crate::cmd::info::QUERY;
use crate::cmd::kafka::Compat;
use crate::cmd::offsets::Commit;
use crate::cmd::pump::{Serve, Verdict};
use crate::cmd::queue::QueueObject;
use crate::cmd::reading::{self, TimedCallback, Without};
use crate::cmd::settings::Settings;
use crate::cmd::stream::Stream;
use crate::cmd::topic::{self, TopicObject};
use crate::cmd::tps::{self, bad_offset, parse_offset, parse_partition};
use crate::cmd::wait::{self, Manner};
use crate::error::{Error, Result};
use crate::rdk::{Client, ErrorCode, Offset, PartitionList, Topic};
use crate::tcl::command::{self, new_id};
use crate::tcl::{Args, Call, Flow, Obj, Object, Outcome, Prefix, Row, State, Table};

pub struct TopicConsumer {
    id: u64,
    consumer: Rc<Consumer>,
    topic: Arc<Topic>,
    settings: Settings,
    encoding: Rc<RefCell<Encoding>>,
    started: RefCell<BTreeMap<i32, started::Running>>,
}

const READING: &[Row<TopicConsumer>] = &[
    Row("consume", "partition timeoutMS array", consume, "take a message into an array"),
    Row(
        "consume_batch",
        "partition timeoutMS count array code",
        consume_batch,
        "run code for each message, in an array",
    ),
    Row(
        "consume_list",
        "partition timeoutMS count ?-fields list? ?-min n?",
        consume_list,
        "take many messages as a list",
    ),
    Row(
        "consume_callback",
        "partition timeoutMS prefix",
        consume_callback,
        "wait for a message and call for each that is there",
    ),
    Row("start", "partition offset ?prefix?", start, "start to read a partition"),
    Row("consume_start", "partition offset ?prefix?", start, "alias of start"),
    Row("start_queue", "partition offset queue", start_queue, "start to read into a queue"),
    Row("consume_start_queue", "partition offset queue", start_queue, "alias of start_queue"),
    Row("stop", "partition ?-timeout ms? ?-command prefix?", stop, "stop to read a partition"),
    Row("consume_stop", "partition ?-timeout ms? ?-command prefix?", stop, "alias of stop"),
    Row("seek", "partition offset ?-timeout ms?", seek, "go on elsewhere"),
    Row("pause", "partition", pause, "stop reading for a while"),
    Row("resume", "partition", resume, "read again"),
    Row(
        "store_offset",
        "partition offset ?-timeout ms? ?-command prefix?",
        store_offset,
        "name the last processed message",
    ),
    Row("started", "", started, "the partitions that are started"),
];

const QUEUED: &[Row<TopicConsumer>] =
    &[Row("info output_queue_length", "", topic::info_outq, "0: a consumer sends no messages")];

const END: &[Row<TopicConsumer>] = &[
    Row("encoding", "?name?", topic::encoding, "tell or set how bytes turn into text"),
    Row("delete", "", command::delete_self, "stop all partitions and delete the object"),
    Row("destroy", "", command::delete_self, "alias of delete"),
];

static TABLE: Table<TopicConsumer> =
    Table::grouped(&[READING, TopicConsumer::INFO, QUEUED, TopicConsumer::MADE, END]);

impl Object for TopicConsumer {
    const KIND: &'static str = "topic_consumer";
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
        if self.core().client.forked() {
            return;
        }
        let partitions: Vec<i32> = self.started.borrow().keys().copied().collect();
        for partition in partitions {
            if let Some(place) = self.release(partition) {
                self.core().live.stop_later(place);
            }
        }
    }

    fn refuse(&self) -> Option<Error> {
        self.core().refuse()
    }
}

impl TopicObject for TopicConsumer {
    type Creator = Consumer;

    fn creator(&self) -> &Rc<Consumer> {
        &self.consumer
    }

    fn core(&self) -> &Rc<Core> {
        self.consumer.core()
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

impl TopicConsumer {
    pub fn new(consumer: Rc<Consumer>, topic: Topic, settings: Settings) -> TopicConsumer {
        let encoding = Rc::new(RefCell::new(consumer.core().encoding.borrow().clone()));
        TopicConsumer {
            id: new_id(),
            consumer,
            topic: Arc::new(topic),
            settings,
            encoding,
            started: RefCell::default(),
        }
    }
}

type C<'a> = Call<'a, TopicConsumer>;
type Out = Outcome<TopicConsumer>;

/// Where to start: any offset but none.
fn start_offset(word: &Obj) -> Result<i64> {
    match parse_offset(word)? {
        Offset::INVALID => Err(bad_offset(word)),
        offset => Ok(offset),
    }
}

/// `start partition offset ?prefix?`
fn start(c: &C<'_>) -> Out {
    let partition = parse_partition(c.args.at(0)?)?;
    let offset = start_offset(c.args.at(1)?)?;
    let prefix = c.args.get(2).map_or(Ok(None), |w| Prefix::new(w, "callback"))?;
    c.this.make_room(partition)?;
    let stream = Stream::open(c.this.consumer.clone(), c.this.encoding.clone());
    if let Err(e) = c.this.begin(partition, offset, stream.clone(), None) {
        stream.close();
        return Err(e);
    }
    stream.set_callback(prefix);
    Ok(Flow::Empty)
}

/// `start_queue partition offset queue`
fn start_queue(c: &C<'_>) -> Out {
    let partition = parse_partition(c.args.at(0)?)?;
    let offset = start_offset(c.args.at(1)?)?;
    let name = c.args.at(2)?.str();
    let queue = command::object::<QueueObject>(c.interp, &name).ok_or_else(|| {
        Error::argument(format!("command name '{name}' is not a kafka queue object"))
    })?;
    if !queue.is_of(&c.this.consumer) {
        return Err(Error::argument(format!("queue '{name}' belongs to another consumer handle")));
    }
    c.this.make_room(partition)?;
    c.this.begin(partition, offset, queue.stream.clone(), Some(queue.id()))?;
    queue.add_feeder(c.this, partition);
    Ok(Flow::Empty)
}

/// `stop partition ?-timeout ms? ?-command prefix?`
fn stop(c: &C<'_>) -> Out {
    let partition = parse_partition(c.args.at(0)?)?;
    let manner = Manner::from(&c.args, QUERY)?;
    let place = c.this.release(partition).ok_or_else(|| c.this.not_started(partition))?;
    let live = c.this.core().live.clone();
    live.begin_stop(&place);
    let stop = move |_: &Arc<Client>| live.finish_stop(&place);
    wait::call(c.this.core(), manner, stop, |()| Ok(Obj::empty()))
}

/// `consume partition timeoutMS array`: 1: a message, 0: the end of the partition, or nothing in
/// time (which KafkaTcl threw).
fn consume(c: &C<'_>) -> Out {
    let stream = c.this.readable(parse_partition(c.args.at(0)?)?)?;
    let timeout = Args::time(c.args.at(1)?, "timeoutMS")?;
    let old = c.this.state().data::<Compat>().old.get();
    reading::array(&stream, c.interp, timeout, c.args.at(2)?, Some(Obj::int(1)), move |why| {
        match why {
            Without::Time if old => Verdict::Fail(Error::kafka(ErrorCode::TIMED_OUT, "")),
            _ => Verdict::Done(Some(Obj::int(0))),
        }
    })
}

/// `consume_batch partition timeoutMS count array code`
fn consume_batch(c: &C<'_>) -> Out {
    batch::start(&c.this.readable(parse_partition(c.args.at(0)?)?)?, &c.args, 1)
}

/// `consume_list partition timeoutMS count ?-fields list? ?-min n?`
fn consume_list(c: &C<'_>) -> Out {
    reading::list(&c.this.readable(parse_partition(c.args.at(0)?)?)?, &c.args, 1)
}

/// `consume_callback partition timeoutMS prefix`
fn consume_callback(c: &C<'_>) -> Out {
    let stream = c.this.readable(parse_partition(c.args.at(0)?)?)?;
    let timeout = Args::time(c.args.at(1)?, "timeoutMS")?;
    let prefix = Prefix::new(c.args.at(2)?, "callback")?
        .ok_or_else(|| Error::expected("callback", "a command prefix", ""))?;
    TimedCallback::start(&stream, timeout, move |s, words| s.fill_next(&prefix, words))
}

/// `seek partition offset ?-timeout ms?`
fn seek(c: &C<'_>) -> Out {
    let partition = parse_partition(c.args.at(0)?)?;
    let offset = start_offset(c.args.at(1)?)?;
    if offset == Offset::STORED {
        // librdkafka would stop reading before it says no.
        return Err(bad_offset(c.args.at(1)?));
    }
    let timeout = c.args.opt("-timeout").map_or(Ok(QUERY), |w| Args::time(w, "-timeout"))?;
    let stream = c.this.running(partition)?;
    let topic = c.this.topic.clone();
    wait::block(c.this.core(), timeout, move |client| {
        client.await_offset(topic.name(), partition);
        topic.seek(partition, offset, timeout)
    })?;
    stream.reader.restart(c.this.topic.name(), partition, offset);
    stream.again();
    Ok(Flow::Empty)
}

/// One partition of this topic, for librdkafka's calls that take lists.
fn only(c: &C<'_>, partition: i32) -> Result<PartitionList> {
    let mut list = PartitionList::new();
    list.add(c.this.topic.name(), partition)?;
    Ok(list)
}

/// `pause partition`
fn pause(c: &C<'_>) -> Out {
    let partition = parse_partition(c.args.at(0)?)?;
    let stream = c.this.running(partition)?;
    let mut list = only(c, partition)?;
    c.this.core().client.pause(&mut list)?;
    tps::outcome(&list, |_| Obj::empty())?;
    stream.reader.part(c.this.topic.name(), partition).set_paused(true);
    Ok(Flow::Empty)
}

/// `resume partition`
fn resume(c: &C<'_>) -> Out {
    let partition = parse_partition(c.args.at(0)?)?;
    let stream = c.this.running(partition)?;
    let mut list = only(c, partition)?;
    c.this.core().client.resume(&mut list)?;
    tps::outcome(&list, |_| Obj::empty())?;
    let part = stream.reader.part(c.this.topic.name(), partition);
    stream.reader.resume(&part);
    stream.again();
    Ok(Flow::Empty)
}

/// `store_offset partition offset ?-timeout ms? ?-command prefix?`: the last processed message;
/// offset + 1 is committed, by the commit timer for a partition started at `stored`, else at once and
/// through the group.
fn store_offset(c: &C<'_>) -> Out {
    let partition = parse_partition(c.args.at(0)?)?;
    let offset = c.args.at(1)?.get_int("offset")?;
    let next = offset.checked_add(1).filter(|n| *n > 0).ok_or_else(|| {
        Error::expected("offset", "a message's offset (0 or more)", &offset.to_string())
    })?;
    let (part, stored) = match c.this.started.borrow().get(&partition) {
        Some(r) => {
            r.stream.reader.pass_marks();
            (r.stream.reader.part(c.this.topic.name(), partition), r.stored)
        }
        None => return Err(c.this.not_started(partition)),
    };
    let next = part.behind(next);
    let mut list = PartitionList::new();
    list.add_offset(c.this.topic.name(), partition, next)?;
    let core = c.this.core();
    let manner = Manner::from(&c.args, QUERY)?;
    if stored {
        core.client.store_offsets(&mut list)?;
        let done = tps::outcome(&list, |_| Obj::empty())?;
        part.set_stored(Some(next));
        return Ok(wait::ready(core, manner.command, done));
    }
    if core.settings.get("group.id")?.is_empty() {
        return Err(Error::kafka(
            ErrorCode::UNKNOWN_GROUP,
            "offsets are committed through a group: set group.id before the handle is made",
        ));
    }
    let commit = Commit::begin(&core.client, Some(list), manner.timeout, false);
    wait::call(
        core,
        manner.kept(),
        move |client| commit?.end(client),
        |(error, partitions)| match error {
            Some(e) if partitions.iter().all(|p| p.error.is_none()) => Err(e.into()),
            _ => tps::outcome(&partitions, |_| Obj::empty()),
        },
    )
}

/// `started`
fn started(c: &C<'_>) -> Out {
    let partitions: Vec<Obj> =
        c.this.started.borrow().keys().map(|p| Obj::int((*p).into())).collect();
    Ok(Obj::list(&partitions).into())
}
