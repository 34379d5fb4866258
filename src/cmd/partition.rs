//! The partitioner callback: it chooses the partition of a message that is produced to partition -1.
//!
//! librdkafka's own hook for this is called in its threads and under its locks, so the choice is made
//! here, before the message is queued. The callback is told how many partitions there are. That number
//! is asked for once for each topic of a client and kept; when it is older than `metadata.max.age.ms`
//! it is asked for anew in the background, while the old one is still in use: a topic that grows is seen,
//! and no `produce` waits for it.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::core::Core;
use super::info::QUERY;
use super::message::Bytes;
use super::producer::Producer;
use super::pump::{deadline, Serve, ServeTask, Verdict};
use super::wait::spawn;
use crate::error::{Error, Result};
use crate::rdk::{self, Client, ErrorCode};
use crate::tcl::event::Waiter;
use crate::tcl::{Code, Flow, Interp, Next, Obj, Object, Prefix, Task};

/// Between two questions for a topic that is being made.
const PAUSE: Duration = Duration::from_millis(50);

/// How many partitions a client's topics have.
#[derive(Clone)]
pub struct Counts {
    known: Arc<Mutex<HashMap<String, Count>>>,
    max_age: Duration,
}

struct Count {
    partitions: i32,
    since: Instant,
    /// It is being asked for anew.
    asking: bool,
}

impl Counts {
    pub fn new(client: &Client) -> Counts {
        let age = client.conf().get("metadata.max.age.ms").and_then(|v| v.parse().ok());
        Counts { known: Arc::default(), max_age: Duration::from_millis(age.unwrap_or(900_000)) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Count>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, topic: &str, partitions: i32) {
        let count = Count { partitions, since: Instant::now(), asking: false };
        self.lock().insert(topic.to_owned(), count);
    }

    /// Forgets a topic's number, which has turned out to be wrong.
    pub fn forget(&self, topic: &str) {
        self.lock().remove(topic);
    }

    /// The number, as far as it is known; an old one is asked for anew.
    fn get(&self, client: &Arc<Client>, topic: &str) -> Option<i32> {
        let mut known = self.lock();
        let count = known.get_mut(topic)?;
        let partitions = count.partitions;
        if count.asking || count.since.elapsed() < self.max_age {
            return Some(partitions);
        }
        count.asking = true;
        drop(known);
        let (counts, client, name) = (self.clone(), client.clone(), topic.to_owned());
        let started = spawn(move || match ask(&client, &name, QUERY) {
            Ok(n) => counts.put(&name, n),
            // The old one stays in use; asked for again after the same time.
            Err(_) => counts.postpone(&name),
        });
        if started.is_err() {
            self.postpone(topic);
        }
        Some(partitions)
    }

    fn postpone(&self, topic: &str) {
        if let Some(count) = self.lock().get_mut(topic) {
            count.since = Instant::now();
            count.asking = false;
        }
    }
}

/// Asks a broker once.
fn ask(client: &Client, topic: &str, timeout: i32) -> rdk::Result<i32> {
    let meta = client.metadata_topic(topic, timeout).map_err(|mut e| {
        if e.detail.is_empty() {
            e.detail = format!("no metadata of topic \"{topic}\"");
        }
        e
    })?;
    let fault = |code| rdk::Error::with_detail(code, format!("topic \"{topic}\""));
    match meta.topics.iter().find(|t| t.name == topic) {
        Some(t) => match t.error {
            Some(code) => Err(fault(code)),
            None => Ok(i32::try_from(t.partitions.len()).unwrap_or(i32::MAX)),
        },
        None => Err(fault(ErrorCode::UNKNOWN_TOPIC)),
    }
}

/// What the thread that asks has to say.
#[derive(Default)]
struct Answer {
    partitions: Option<rdk::Result<i32>>,
    /// Nobody waits any more.
    given_up: bool,
    /// The last error that may pass: a broker that makes topics on demand says so of a new one.
    last: Option<rdk::Error>,
}

type Answers = Arc<Mutex<Answer>>;

fn lock(answers: &Answers) -> MutexGuard<'_, Answer> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks until there is a number, on a thread.
fn ask_until(client: &Client, topic: &str, end: Option<Instant>, answers: &Answers) {
    loop {
        let left = end.map(|d| d.saturating_duration_since(Instant::now()));
        let piece =
            left.map_or(QUERY, |d| i32::try_from(d.as_millis()).unwrap_or(QUERY).min(QUERY));
        let result = ask(client, topic, piece);
        let over = end.is_some_and(|d| Instant::now() + PAUSE >= d);
        let mut answer = lock(answers);
        // What was refused says more than that the last question was late, for which there may have been a moment only.
        let result = match (result, answer.last.take()) {
            (Err(e), Some(last)) if e.code == ErrorCode::TIMED_OUT => Err(last),
            (result, _) => result,
        };
        match result {
            Err(e) if may_pass(e.code) && !over && !answer.given_up => answer.last = Some(e),
            result => {
                answer.partitions = Some(result);
                return;
            }
        }
        drop(answer);
        std::thread::sleep(PAUSE);
    }
}

fn may_pass(code: ErrorCode) -> bool {
    [ErrorCode::UNKNOWN_TOPIC_OR_PART, ErrorCode::TIMED_OUT].contains(&code)
        || rdk::leader_moves(code)
}

/// What is to be chosen.
pub struct Choice {
    pub callback: Prefix,
    pub topic: String,
    /// Whether the messages are a list's, so that errors say which.
    pub list: bool,
    /// `-block`: how long the topic's metadata may take, else as long as a query.
    pub block: Option<i32>,
}

/// What is left of so many milliseconds that began then.
pub fn left(ms: i32, since: Instant) -> i32 {
    let spent = i32::try_from(since.elapsed().as_millis()).unwrap_or(i32::MAX);
    if ms < 0 {
        ms
    } else {
        ms.saturating_sub(spent).max(0)
    }
}

/// Has the callback choose for each message that has no partition, and goes on with `then`. An error
/// ends it before anything is done, and so does the end of `object`, whose call it is, on the way.
pub fn choose<T: Object<Error = Error>>(
    object: &Rc<T>,
    producer: &Rc<Producer>,
    choice: Choice,
    all: Vec<Bytes<'_>>,
    then: impl FnOnce(Vec<Bytes<'static>>) -> Result<Flow> + 'static,
) -> Flow {
    let core = producer.core().clone();
    let count = core.counts.get(&core.client, &choice.topic);
    let stage = match count {
        Some(n) => Stage::Calls(n),
        None => match wait_for_count(producer, &choice) {
            Ok(task) => Stage::Count(task),
            Err(e) => Stage::Failed(e),
        },
    };
    let object = object.clone();
    Flow::Run(Box::new(Choosing {
        core,
        alive: Box::new(move || object.state().command_of(object.id()).is_some()),
        choice,
        stage,
        asked: false,
        // With bytes of their own: Tcl code may do to the words what it likes.
        all: all.into_iter().map(Bytes::into_owned).collect(),
        next: 0,
        then: Some(Box::new(then)),
    }))
}

/// Serves the producer's events until the number of partitions is there.
fn wait_for_count(producer: &Rc<Producer>, choice: &Choice) -> Result<Box<dyn Task>> {
    let timeout = choice.block.unwrap_or(QUERY);
    let end = deadline(timeout);
    let answers = Answers::default();
    let core = producer.core().clone();
    let signal = Waiter::new().signal();
    let (client, topic, to) = (core.client.clone(), choice.topic.clone(), answers.clone());
    let counts = core.counts.clone();
    spawn(move || {
        ask_until(&client, &topic, end, &to);
        drop(client);
        if let Some(Ok(n)) = &lock(&to).partitions {
            counts.put(&topic, *n);
        }
        signal();
    })?;
    let topic = choice.topic.clone();
    let waiting = Waiting(answers);
    let verdict = move |over: bool, _: usize| {
        if core.counts.get(&core.client, &topic).is_some() {
            return Verdict::Done(None);
        }
        let mut answer = lock(&waiting.0);
        let found = answer.partitions.take();
        let last = answer.last.clone();
        drop(answer);
        match (found, last) {
            (Some(Err(e)), _) => Verdict::Fail(core.explain_error(e.into())),
            (_, Some(e)) if over => Verdict::Fail(core.explain_error(e.into())),
            _ if over => {
                let detail = format!("no metadata of topic \"{topic}\" within {timeout} ms");
                Verdict::Fail(core.explain_error(Error::kafka(ErrorCode::TIMED_OUT, detail)))
            }
            _ => core.tokens.hopeless(end).map_or(Verdict::Wait, Verdict::Fail),
        }
    };
    Ok(ServeTask::new(producer.clone(), timeout, verdict))
}

/// Tells the thread that asks when nobody waits for it any more.
struct Waiting(Answers);

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.0).given_up = true;
    }
}

enum Stage {
    /// The number of partitions is waited for.
    Count(Box<dyn Task>),
    /// The callback is called, with this number.
    Calls(i32),
    /// What comes after the choice.
    Rest(Box<dyn Task>),
    Failed(Error),
}

type Then = Box<dyn FnOnce(Vec<Bytes<'static>>) -> Result<Flow>>;

struct Choosing {
    core: Rc<Core>,
    alive: Box<dyn Fn() -> bool>,
    choice: Choice,
    stage: Stage,
    /// The callback was called, for the next message.
    asked: bool,
    all: Vec<Bytes<'static>>,
    /// All before this one have their partition.
    next: usize,
    then: Option<Then>,
}

impl Choosing {
    /// What an error is about.
    fn place(&self) -> String {
        let topic = &self.choice.topic;
        if self.choice.list {
            format!("message {}: partitioner callback for topic \"{topic}\"", self.next)
        } else {
            format!("partitioner callback for topic \"{topic}\"")
        }
    }

    fn check_alive(&self) -> Result<()> {
        if self.core.is_open() && (self.alive)() {
            return Ok(());
        }
        Err(Error::State(format!("{}: the object was deleted meanwhile", self.place())))
    }

    /// Takes the callback's answer.
    fn take(&mut self, interp: Interp, code: Code, count: i32) -> Result<()> {
        let result = interp.result();
        if !code.is_ok() {
            interp.check_canceled()?;
        }
        // What the callback left (an error's trace, above all) is not produce's.
        interp.reset_result();
        if !code.is_ok() {
            let text = match code {
                Code::ERROR => result.string(),
                other => format!("ended with return code {}", other.0),
            };
            return Err(Error::kafka(ErrorCode::APPLICATION, format!("{}: {text}", self.place())));
        }
        let chosen = result.get_int("").ok().and_then(|n| i32::try_from(n).ok());
        let Some(n) = chosen.filter(|n| (0..count).contains(n)) else {
            let (place, most, got) = (self.place(), count - 1, result.str());
            let detail =
                format!("{place}: expected a partition from 0 to {most} but got \"{got}\"");
            return Err(Error::kafka(ErrorCode::INVALID_ARG, detail));
        };
        if let Some(b) = self.all.get_mut(self.next) {
            b.partition = n;
        }
        self.check_alive()
    }

    fn calls(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>, count: i32) -> Next {
        if std::mem::take(&mut self.asked) {
            if let Err(e) = self.take(interp, code, count) {
                return Next::Fail(e.into());
            }
        }
        let rest = self.all.iter().skip(self.next);
        self.next += rest.take_while(|b| b.partition >= 0).count();
        if let Some(b) = self.all.get(self.next) {
            let key = b.word.clone().unwrap_or_else(Obj::empty);
            let topic = Obj::text(&self.choice.topic);
            self.choice.callback.fill_all([topic, key, Obj::int(count.into())], words);
            self.asked = true;
            if self.core.has_kept() {
                self.core.before_call();
            }
            return Next::Ask;
        }
        let all = std::mem::take(&mut self.all);
        match self.then.take().map_or(Ok(Flow::Empty), |then| then(all)) {
            Ok(Flow::Empty) => Next::Done(None),
            Ok(Flow::Value(value)) => Next::Done(Some(value)),
            Ok(Flow::Run(mut task)) => {
                let next = task.step(interp, Code::OK, words);
                self.stage = Stage::Rest(task);
                next
            }
            Err(e) => Next::Fail(e.into()),
        }
    }
}

impl Task for Choosing {
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        match &mut self.stage {
            Stage::Rest(task) => task.step(interp, code, words),
            Stage::Calls(count) => {
                let count = *count;
                self.calls(interp, code, words, count)
            }
            Stage::Failed(_) => match std::mem::replace(&mut self.stage, Stage::Calls(0)) {
                Stage::Failed(e) => Next::Fail(e.into()),
                _ => Next::Done(None),
            },
            Stage::Count(task) => match task.step(interp, code, words) {
                Next::Done(_) => {
                    let count = self.core.counts.get(&self.core.client, &self.choice.topic);
                    let Some(count) = count else {
                        let detail = format!("no metadata of topic \"{}\"", self.choice.topic);
                        return Next::Fail(Error::kafka(ErrorCode::FAIL, detail).into());
                    };
                    self.stage = Stage::Calls(count);
                    if let Err(e) = self.check_alive() {
                        return Next::Fail(e.into());
                    }
                    self.calls(interp, Code::OK, words, count)
                }
                other => other,
            },
        }
    }
}
