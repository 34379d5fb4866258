//! `send` and `send_batch` of a producer: messages by topic name, and waiting for their delivery.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use super::core::{Awaited, Core, Life, Own};
use super::info::QUERY;
use super::message::{self, Batch, Bytes, Elements, Message};
use super::outlet;
use super::partition::{self, Choice};
use super::producer::Producer;
use super::pump::{deadline, Serve, ServeTask, Verdict};
use super::wait::{self, Manner};
use crate::error::{Error, Result};
use crate::rdk::{self, ErrorCode, Hurry, Topic};
use crate::tcl::{Args, Call, Flow, Obj, Outcome, Prefix};

type C<'a> = Call<'a, Producer>;
type Out = Outcome<Producer>;

/// What a call asks for beyond queueing.
#[derive(Default)]
struct Wish {
    command: Option<Prefix>,
    wait: Option<i32>,
    block: Option<i32>,
}

impl Wish {
    fn from(args: &Args<'_>) -> Result<Wish> {
        if !args.has_options() {
            return Ok(Wish::default());
        }
        let time = |name: &str| args.opt(name).map(|w| Args::time(w, name)).transpose();
        let command = args.opt("-command").map(|w| Prefix::new(w, "-command")).transpose()?;
        let wish =
            Wish { command: command.flatten(), wait: time("-wait")?, block: time("-block")? };
        Ok(wish)
    }

    /// The same with what is left of its times.
    fn since(self, since: Instant) -> Wish {
        let left = |ms: Option<i32>| ms.map(|ms| partition::left(ms, since));
        Wish { wait: left(self.wait), block: left(self.block), command: self.command }
    }

    /// What the handle's partitioner callback of now is to choose, if there is one.
    fn choice(&self, producer: &Producer, topic: &Topic, list: bool) -> Option<Choice> {
        let callback = producer.core().partitioner.get()?;
        // The first message to a topic waits for its metadata, no longer than for its report.
        let most = self.wait.filter(|ms| (0..QUERY).contains(ms));
        let block = self.block.or(most);
        Some(Choice { callback, topic: topic.name().to_owned(), list, block })
    }
}

/// `send topic payload ?-key k? ?-partition p? ?-headers h? ?-null_headers list? ?-timestamp ms? ?-tombstone b? ?-encoding
/// e? ?-command prefix? ?-wait ms? ?-block ms?`
///
/// With `-wait` the result is the delivery report, and a failed delivery is thrown; the time includes
/// that for room in the queue, unless `-block` bounds that. With `-wait` and `-command` nobody waits:
/// prefix gets what `-wait` alone would have given, as of every call that waits.
pub fn send(c: &C<'_>) -> Out {
    let core = c.this.core();
    core.drain_news();
    let wish = Wish::from(&c.args)?;
    let message = Message::sort(&c.args, 1)?;
    let topic = c.this.outlet(c.args.at(0)?)?;
    let encoding = core.encoding.borrow();
    let bytes = message.bytes(&encoding, -1)?;
    if bytes.partition < 0 {
        if let Some(choice) = wish.choice(c.this, &topic, false) {
            let (this, since) = (c.this.clone(), Instant::now());
            return Ok(partition::choose(c.this, c.this, choice, vec![bytes], move |mut all| {
                match all.pop() {
                    Some(b) => submit(&this, topic, b, wish.since(since)),
                    None => Ok(Flow::Empty),
                }
            }));
        }
    }
    submit(c.this, topic, bytes, wish)
}

/// Queues a message whose partition is decided, and waits as it was asked to.
fn submit(producer: &Rc<Producer>, topic: Rc<Topic>, bytes: Bytes<'_>, wish: Wish) -> Result<Flow> {
    if wish.wait.is_none() {
        return queue(producer, &topic, bytes, wish.command, wish.block);
    }
    let all = VecDeque::from([bytes.into_owned()]);
    Sending::new(producer, topic, all, &wish, Shape::One).run(&wish)
}

/// Queues a message whose report goes to `command`, if that is given; where there is no room, `block`
/// has it wait for some. Only then the message is copied once more.
#[inline]
pub fn queue(
    producer: &Rc<Producer>,
    topic: &Rc<Topic>,
    mut bytes: Bytes<'_>,
    command: Option<Prefix>,
    block: Option<i32>,
) -> Result<Flow> {
    let core = producer.core();
    if let Some(prefix) = command {
        bytes.more.opaque = core.own_report(Own::Call(prefix));
    }
    match outlet::queue(core, topic, &bytes) {
        Ok(()) => Ok(Flow::Empty),
        Err(e) if e.code == ErrorCode::QUEUE_FULL && block.is_some() => {
            let wish = Wish { block, ..Wish::default() };
            let all = VecDeque::from([bytes.into_owned()]);
            Sending::new(producer, topic.clone(), all, &wish, Shape::One).run(&wish)
        }
        Err(e) => {
            core.forget_report(bytes.more.opaque);
            Err(e.into())
        }
    }
}

/// `send_batch topic messages ?-partition p? ?-command prefix? ?-wait ms? ?-block ms?`: elements
/// `{payload ?key? ?-option value ...?}`, all checked before any is queued.
///
/// With `-command` prefix gets each message's report; with `-wait` the result is the list of reports,
/// in the order of the messages; with both prefix gets that list, in one call.
pub fn send_batch(c: &C<'_>) -> Out {
    let core = c.this.core();
    core.drain_news();
    let wish = Wish::from(&c.args)?;
    let partition = c.args.opt("-partition").map_or(Ok(-1), message::partition)?;
    let batch = Batch::read(c.args.at(1)?, Elements::Send)?;
    let encoding = core.encoding.borrow();
    let all = batch.bytes(&encoding, partition)?;
    let topic = c.this.outlet(c.args.at(0)?)?;
    if all.iter().any(|b| b.partition < 0) {
        if let Some(choice) = wish.choice(c.this, &topic, true) {
            let (this, since) = (c.this.clone(), Instant::now());
            return Ok(partition::choose(c.this, c.this, choice, all, move |all| {
                submit_all(&this, topic, all, wish.since(since))
            }));
        }
    }
    submit_all(c.this, topic, all, wish)
}

/// As `submit`, of a batch.
fn submit_all(
    producer: &Rc<Producer>,
    topic: Rc<Topic>,
    mut all: Vec<Bytes<'_>>,
    wish: Wish,
) -> Result<Flow> {
    let core = producer.core();
    if wish.wait.is_some() || wish.block.is_some() {
        let all: VecDeque<Bytes<'static>> = all.into_iter().map(Bytes::into_owned).collect();
        return Sending::new(producer, topic, all, &wish, Shape::List).run(&wish);
    }
    if let Some(prefix) = &wish.command {
        for b in &mut all {
            b.more.opaque = core.own_report(Own::Call(prefix.clone()));
        }
    }
    let failed = outlet::queue_all(core, &topic, &all);
    for (i, _) in &failed {
        core.forget_report(all[*i].more.opaque);
    }
    outlet::batch_outcome(all.len(), failed)
}

/// How a call gives its reports and failures.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Shape {
    One,
    List,
}

/// A call that waits: for room, then for the reports.
struct Sending {
    producer: Rc<Producer>,
    topic: Rc<Topic>,
    shape: Shape,
    count: usize,
    /// Not queued yet.
    rest: VecDeque<Bytes<'static>>,
    refused: Vec<(usize, rdk::Error)>,
    wait: Option<Waiting>,
}

/// What `-wait` waits for.
struct Waiting {
    ms: i32,
    end: Option<Instant>,
    reports: Rc<Awaited>,
    opaques: Vec<u64>,
    topic: Rc<Topic>,
    /// What is waited for does not wait for others.
    _hurry: Option<Hurry>,
}

impl Waiting {
    /// The reports, once all are there or no more will come; those that did not come are errors.
    fn results(&self, core: &Core, over: bool) -> Option<Vec<rdk::Result<Obj>>> {
        let gone = core.life.get() == Life::Closed;
        if self.reports.left() > 0 && !over && !gone {
            return None;
        }
        let late = || {
            if gone {
                let why = "the producer was deleted meanwhile";
                return rdk::Error::with_detail(ErrorCode::DESTROY, why);
            }
            let why = format!(
                "not delivered to topic \"{}\" within {} ms; the message stays queued and its report goes to the delivery report callback",
                self.topic.name(),
                self.ms
            );
            core.explain(rdk::Error::with_detail(ErrorCode::TIMED_OUT, why))
        };
        let reports = self.reports.take().into_iter();
        Some(reports.map(|r| r.unwrap_or_else(|| Err(late()))).collect())
    }

    /// Nobody waits any more: the reports that still come go where others go.
    fn forget(&self, core: &Core) {
        for opaque in &self.opaques {
            core.forget_report(*opaque);
        }
    }
}

impl Shape {
    /// What a call of `count` messages gives, with the reports if it waited for them.
    fn result(
        self,
        count: usize,
        mut failed: Vec<(usize, rdk::Error)>,
        reports: Vec<rdk::Result<Obj>>,
    ) -> Result<Obj> {
        let mut done = Vec::with_capacity(reports.len());
        for (i, report) in reports.into_iter().enumerate() {
            match report {
                Ok(report) => done.push(report),
                Err(e) => failed.push((i, e)),
            }
        }
        if self == Shape::One {
            return match failed.pop() {
                Some((_, e)) => Err(e.into()),
                None => Ok(done.pop().unwrap_or_else(Obj::empty)),
            };
        }
        let done = Obj::list(&done);
        match outlet::batch_error(count, failed, done.clone()) {
            Some(e) => Err(e),
            None => Ok(done),
        }
    }
}

impl Sending {
    fn new(
        producer: &Rc<Producer>,
        topic: Rc<Topic>,
        mut rest: VecDeque<Bytes<'static>>,
        wish: &Wish,
        shape: Shape,
    ) -> Sending {
        let core = producer.core();
        let count = rest.len();
        let wait = wish.wait.map(|ms| {
            let reports = Awaited::new(count);
            let own = |(i, b): (usize, &mut Bytes<'static>)| {
                b.more.opaque = core.own_report(Own::Wait(reports.clone(), i));
                b.more.opaque
            };
            let opaques = rest.iter_mut().enumerate().map(own).collect();
            let topic = topic.clone();
            Waiting { ms, end: deadline(ms), reports, opaques, topic, _hurry: core.client.hurry() }
        });
        if let Some(prefix) = wish.command.as_ref().filter(|_| wait.is_none()) {
            for b in &mut rest {
                b.more.opaque = core.own_report(Own::Call(prefix.clone()));
            }
        }
        let refused = Vec::new();
        Sending { producer: producer.clone(), topic, shape, count, rest, refused, wait }
    }

    /// Queues what there is room for at once: a callback that runs while the call waits may close the
    /// producer.
    fn run(mut self, wish: &Wish) -> Result<Flow> {
        let core = self.producer.core().clone();
        // With -command nobody waits for room.
        let prefix = wish.command.clone().filter(|_| wish.wait.is_some());
        let queued = self.queue_rest(prefix.is_some());
        let left = self.wait.as_ref().map_or(0, |w| w.reports.left());
        if let Some(prefix) = prefix.filter(|_| left > 0) {
            return Ok(self.report_to(&core, prefix));
        }
        if queued && left == 0 {
            let reports = self.wait.as_ref().and_then(|w| w.results(&core, true));
            return Ok(self.result(reports.unwrap_or_default())?.into());
        }
        let timeout = if queued { wish.wait } else { wish.block.or(wish.wait) };
        let producer = self.producer.clone();
        let verdict = move |over: bool, _| self.verdict(over);
        Ok(Flow::Run(ServeTask::new(producer, timeout.unwrap_or(0), verdict)))
    }

    /// Has `prefix` told what the call would have given, once all reports are there.
    fn report_to(mut self, core: &Core, prefix: Prefix) -> Flow {
        let Some(waiting) = self.wait.take() else { return Flow::Empty };
        let (shape, count, ms) = (self.shape, self.count, waiting.ms);
        // This must not own the producer, which owns it.
        let ended = move |core: &Core, over: bool| {
            let reports = waiting.results(core, over)?;
            waiting.forget(core);
            Some(shape.result(count, Vec::new(), reports))
        };
        wait::watch(core, ms, prefix, ended)
    }

    fn verdict(&mut self, over: bool) -> Verdict {
        if !self.rest.is_empty() {
            // A producer that closes takes nothing more: it could not deliver it.
            if self.shape == Shape::One && !self.producer.core().is_open() {
                let gone = "the producer was closed while a message waited for room";
                return Verdict::Fail(Error::State(gone.to_owned()));
            }
            if !self.queue_rest(over) {
                return Verdict::Wait;
            }
            if let Some(wait) = self.wait.as_ref().filter(|w| w.reports.left() > 0) {
                return Verdict::Until(wait.end);
            }
        }
        let reports = match &self.wait {
            Some(wait) => wait.results(self.producer.core(), over),
            None => Some(Vec::new()),
        };
        let Some(reports) = reports else { return Verdict::Wait };
        match self.result(reports) {
            Ok(value) => Verdict::Done(Some(value)),
            Err(e) => Verdict::Fail(e),
        }
    }

    /// Queues what is left; false when it has to wait for room. When the time is over the rest is
    /// refused.
    fn queue_rest(&mut self, over: bool) -> bool {
        let core = self.producer.core();
        let open = core.is_open();
        while let Some(b) = self.rest.front() {
            let queued = if open {
                outlet::queue(core, &self.topic, b)
            } else {
                let gone = "the producer was closed while a message waited for room";
                Err(rdk::Error::with_detail(ErrorCode::DESTROY, gone))
            };
            match queued {
                Ok(()) => {}
                Err(e) if e.code == ErrorCode::QUEUE_FULL && !over => return false,
                Err(e) => {
                    core.forget_report(b.more.opaque);
                    let index = self.count - self.rest.len();
                    if let Some(wait) = &self.wait {
                        wait.reports.set(index, Err(e));
                    } else {
                        self.refused.push((index, e));
                    }
                }
            }
            self.rest.pop_front();
        }
        true
    }

    /// The end of the call.
    fn result(&mut self, reports: Vec<rdk::Result<Obj>>) -> Result<Obj> {
        self.shape.result(self.count, std::mem::take(&mut self.refused), reports)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let core = self.producer.core();
        // A call that was cancelled leaves what it had not queued, and nobody waits any more.
        for b in &self.rest {
            core.forget_report(b.more.opaque);
        }
        if let Some(wait) = &self.wait {
            wait.forget(core);
        }
    }
}

/// `writable ?prefix?`: whether there is room for a message. With a prefix, it is called once, with 1,
/// when there is room (again); the empty prefix takes that back.
pub fn writable(c: &C<'_>) -> Out {
    let core = c.this.core();
    match c.args.get(0) {
        Some(prefix) => {
            core.await_room(prefix)?;
            Ok(Flow::Empty)
        }
        None => {
            core.drain();
            Ok(Obj::boolean(core.is_open() && core.has_room()).into())
        }
    }
}

/// `purge ?-queue? ?-inflight?`: drops the messages that wait in the queue, those on their way to a
/// broker, or (without a flag) both. Their reports follow. It waits for librdkafka's threads: what is queued
/// afterwards is not dropped.
pub fn purge(c: &C<'_>) -> Out {
    let (queue, inflight) = (c.args.opt("-queue").is_some(), c.args.opt("-inflight").is_some());
    let both = !queue && !inflight;
    wait::call(
        c.this.core(),
        Manner::waits(QUERY),
        move |client| client.purge_and_wait(queue || both, inflight || both),
        |()| Ok(Obj::empty()),
    )
}
