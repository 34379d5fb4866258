//! Calls that block in librdkafka: they run on a helper thread that holds the client.
//!
//! The Tcl thread waits for the result, for wakes and for cancellation on one condition, and serves
//! its client's queue meanwhile: [`call`] is a task that also has the token callback called
//! (`waiting`), [`block`] runs no Tcl. A call that is given up ends by itself. With `-command` nobody
//! waits: the result comes as an event.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::core::Core;
use super::farewell::Farewell;
use super::pump::deadline;
use super::waiting::{Wait, WaitTask, GRACE};
use crate::error::{Error, Result};
use crate::rdk::{self, Client, ErrorCode};
use crate::tcl::event::{Source, Timer, Waiter};
use crate::tcl::{Args, Flow, Obj, Prefix, State};

/// Turns a helper's result into the call's.
type Finish = Box<dyn FnOnce(Box<dyn Any + Send>) -> Result<Obj>>;

/// Results that helper threads bring, in their order.
type Inbox = Arc<Mutex<Vec<(u64, Box<dyn Any + Send>)>>>;

/// Asked whether a condition is there, and told whether the time is over.
type Condition = Box<dyn FnMut(&Core, bool) -> Option<Result<Obj>>>;

/// Tells how an object ended.
type Ending = Box<dyn FnOnce(&Core) -> Result<Obj>>;

/// A `-command` call that waits for a helper thread.
struct Pending {
    prefix: Prefix,
    finish: Finish,
    timeout: i32,
    end: Option<Instant>,
    kept: bool,
    /// Asks for the turn that finds the time over.
    _timer: Option<Timer>,
}

/// A `-command` call that waits for no helper thread, but until a condition is there (`flush`).
struct Watch {
    prefix: Prefix,
    end: Option<Instant>,
    condition: Condition,
    /// Asks for the turn that finds the time over.
    _timer: Option<Timer>,
}

/// The `-command` calls of one object that are under way.
///
/// What they hold must not own the object: at an interpreter's end they are dropped with it.
#[derive(Default)]
pub struct Calls {
    pending: RefCell<HashMap<u64, Pending>>,
    inbox: Inbox,
    watches: RefCell<Vec<Watch>>,
    /// `close` with `-command`.
    closers: RefCell<Vec<(Prefix, Ending)>>,
    next: Cell<u64>,
    source: OnceCell<Arc<Source>>,
}

/// What a call's prefix gets.
fn outcome(core: &Core, result: Result<Obj>) -> Obj {
    match result {
        Ok(value) => Obj::list(&[Obj::text("result"), value]),
        Err(e) => core.explain_error(e).call_dict(),
    }
}

impl Calls {
    pub fn set_source(&self, source: Arc<Source>) {
        let _ = self.source.set(source);
    }

    /// Puts together the call that brings the next result.
    pub fn next_call(&self, core: &Core, words: &mut Vec<Obj>) -> bool {
        let next = self.next_result(core).or_else(|| self.next_late(core));
        let Some((prefix, dict)) = next else { return false };
        prefix.fill(dict, words);
        true
    }

    fn next_result(&self, core: &Core) -> Option<(Prefix, Obj)> {
        if self.pending.borrow().is_empty() {
            return None;
        }
        loop {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            if inbox.is_empty() {
                return None;
            }
            let (id, result) = inbox.remove(0);
            drop(inbox);
            let Some(call) = self.pending.borrow_mut().remove(&id) else { continue };
            return Some((call.prefix, outcome(core, (call.finish)(result))));
        }
    }

    /// Gives up a call whose time is over: its helper ends by itself, and nobody listens.
    fn next_late(&self, core: &Core) -> Option<(Prefix, Obj)> {
        let mut pending = self.pending.borrow_mut();
        let now = Instant::now();
        let late = |p: &Pending| p.end.is_some_and(|d| now >= d);
        let id = pending.iter().find(|(_, p)| late(p)).map(|(id, _)| *id)?;
        let call = pending.remove(&id)?;
        drop(pending);
        Some((call.prefix, outcome(core, Err(late_error(call.timeout)))))
    }

    /// Puts together the call for a condition that is there, once there are no events left: what
    /// they brought about is reported before.
    pub fn next_watch(&self, core: &Core, words: &mut Vec<Obj>) -> bool {
        let mut watches = self.watches.borrow_mut();
        for i in 0..watches.len() {
            let watch = &mut watches[i];
            let over = watch.end.is_some_and(|d| Instant::now() >= d);
            let Some(result) = (watch.condition)(core, over) else { continue };
            let done = watches.remove(i);
            drop(watches);
            done.prefix.fill(outcome(core, result), words);
            return true;
        }
        false
    }

    /// Has `prefix` told how the object ended.
    pub fn at_end(&self, prefix: Prefix, ending: impl FnOnce(&Core) -> Result<Obj> + 'static) {
        self.closers.borrow_mut().push((prefix, Box::new(ending)));
    }

    /// The object has ended. No turn of its own will bring results any more, so what is under way is
    /// told by the interpreter's farewell: whoever waits for it would wait for ever.
    pub fn end(&self, core: &Core, state: &State) {
        let mut last = Vec::new();
        while let Some(call) = self.next_result(core) {
            last.push(call);
        }
        let gone =
            || outcome(core, Err(Error::State("the object was deleted meanwhile".to_owned())));
        last.extend(self.pending.take().into_values().map(|p| (p.prefix, gone())));
        last.extend(self.watches.take().into_iter().map(|w| (w.prefix, gone())));
        for (prefix, ending) in self.closers.take() {
            let result = ending(core);
            last.push((prefix, outcome(core, result)));
        }
        Farewell::say(state, last);
    }

    /// Whether a call is under way whose result closing has to wait for.
    pub fn has_kept(&self) -> bool {
        self.pending.borrow().values().any(|p| p.kept)
    }

    /// Whether no call is under way but those that wait for the end.
    pub fn is_empty(&self) -> bool {
        self.pending.borrow().is_empty() && self.watches.borrow().is_empty()
    }
}

/// How a call that waits was asked for.
pub struct Manner {
    pub timeout: i32,
    pub command: Option<Prefix>,
    /// With `-command`: closing waits for the result.
    kept: bool,
}

impl Manner {
    /// From `-timeout ms` and `-command prefix`; `default` is the time when none is given.
    pub fn from(args: &Args<'_>, default: i32) -> Result<Manner> {
        let timeout = match args.opt("-timeout") {
            Some(word) => Args::time(word, "-timeout")?,
            None => default,
        };
        let command = match args.opt("-command") {
            Some(word) => Some(
                Prefix::new(word, "-command")?
                    .ok_or_else(|| Error::expected("-command", "a command prefix", ""))?,
            ),
            None => None,
        };
        Ok(Manner { timeout, command, kept: false })
    }
}

impl Manner {
    /// Waits so long, in milliseconds.
    pub fn waits(timeout: i32) -> Manner {
        Manner { timeout, command: None, kept: false }
    }

    /// As `from`, for a row that also takes the time as its first, optional word.
    pub fn timed(args: &Args<'_>, default: i32) -> Result<Manner> {
        let default = args.get(0).map_or(Ok(default), |w| Args::time(w, "timeoutMS"))?;
        let manner = Manner::from(args, default)?;
        let timeout = if args.get(0).is_some() { default } else { manner.timeout };
        Ok(Manner { timeout, ..manner })
    }

    /// For what changes something in the cluster: closing the object waits for the result, within its own
    /// time, for the change may be made by then.
    pub fn kept(self) -> Manner {
        Manner { kept: true, ..self }
    }
}

/// Has `prefix` called once `condition` has a result; `timeout` in milliseconds, -1 for no limit.
pub fn watch(
    core: &Core,
    timeout: i32,
    prefix: Prefix,
    condition: impl FnMut(&Core, bool) -> Option<Result<Obj>> + 'static,
) -> Flow {
    let end = deadline(timeout);
    let watch = Watch { prefix, end, condition: Box::new(condition), _timer: timer(core, end) };
    core.calls.watches.borrow_mut().push(watch);
    core.again();
    Flow::Empty
}

/// Has the object's turn come when the time is over.
fn timer(core: &Core, end: Option<Instant>) -> Option<Timer> {
    let after = end?.saturating_duration_since(Instant::now());
    Some(Timer::new(after + Duration::from_millis(1), core.source()?.clone()))
}

pub fn late_error(timeout: i32) -> Error {
    let text = format!("no answer within {timeout} ms");
    Error::Kafka(passing(rdk::Error::with_detail(ErrorCode::TIMED_OUT, text)))
}

/// Marks an error that passes once brokers are back. librdkafka itself says so of transactions only,
/// and a script that calls again what is `retriable` would end with the first broker that is away.
fn passing(mut e: rdk::Error) -> rdk::Error {
    e.retriable |= e.code == ErrorCode::ALL_BROKERS_DOWN
        || rdk::commit_passes(e.code)
        || rdk::leader_moves(e.code);
    e
}

/// A result that is there already: given at once, or, with `-command`, by a call as ever.
pub fn ready(core: &Core, command: Option<Prefix>, value: Obj) -> Flow {
    let mut value = Some(value);
    match command {
        Some(prefix) => watch(core, -1, prefix, move |_, _| value.take().map(Ok)),
        None => value.map_or(Flow::Empty, Flow::Value),
    }
}

/// Runs `op` on a helper thread and waits for it, or has its result come by event. It may be called
/// again: what it asks is a question, or leaves things as it would have the first time.
pub fn call<R: Send + 'static>(
    core: &Rc<Core>,
    manner: Manner,
    op: impl FnOnce(&Arc<Client>) -> rdk::Result<R> + Send + 'static,
    finish: impl FnOnce(R) -> Result<Obj> + 'static,
) -> Result<Flow> {
    let finish = |value| {
        finish(value).map_err(|e| match e {
            Error::Kafka(e) => Error::Kafka(passing(e)),
            other => other,
        })
    };
    call_with(core, manner, Core::drain, |client| op(client).map_err(passing), finish)
}

/// As [`call`]; `drain` empties the client's queue while the script waits.
pub fn call_with<R: Send + 'static>(
    core: &Rc<Core>,
    manner: Manner,
    drain: fn(&Core),
    op: impl FnOnce(&Arc<Client>) -> rdk::Result<R> + Send + 'static,
    finish: impl FnOnce(R) -> Result<Obj> + 'static,
) -> Result<Flow> {
    let Some(prefix) = manner.command else {
        let (waiter, receiver) = begin(core, op)?;
        let wait = Wait::new(manner.timeout, drain, waiter, receiver);
        return Ok(Flow::Run(WaitTask::new(core, wait, finish)));
    };
    let id = core.calls.next.get();
    core.calls.next.set(id + 1);
    let finish: Finish = Box::new(move |any| match any.downcast::<rdk::Result<R>>() {
        Ok(result) => finish((*result)?),
        Err(_) => Err(Error::kafka(ErrorCode::FAIL, "the helper thread ended without a result")),
    });
    let Manner { timeout, kept, .. } = manner;
    let end = deadline(timeout).map(|d| d + GRACE);
    let pending = Pending { prefix, finish, timeout, end, kept, _timer: timer(core, end) };
    core.calls.pending.borrow_mut().insert(id, pending);
    let inbox = core.calls.inbox.clone();
    let source = core.calls.source.get().cloned();
    let client = core.client.clone();
    let started = spawn(move || {
        let result: Box<dyn Any + Send> = Box::new(op(&client));
        drop(client);
        inbox.lock().unwrap_or_else(PoisonError::into_inner).push((id, result));
        if let Some(source) = source {
            source.wake();
        }
    });
    if let Err(e) = started {
        core.calls.pending.borrow_mut().remove(&id);
        return Err(e);
    }
    Ok(Flow::Empty)
}

/// Runs `op` on a helper thread and waits for it, at most `timeout` milliseconds (and a little, for
/// librdkafka keeps time itself), serving the client's queue without running Tcl. It is for what
/// librdkafka does without asking a broker: signals and limits are seen to when the command has ended.
pub fn block<R: Send + 'static>(
    core: &Core,
    timeout: i32,
    op: impl FnOnce(&Arc<Client>) -> rdk::Result<R> + Send + 'static,
) -> Result<R> {
    let (waiter, receiver) = begin(core, op)?;
    let mut wait = Wait::new(timeout, Core::drain, waiter, receiver);
    loop {
        if let Some(result) = wait.look(core) {
            return result;
        }
        core.interp().check_canceled()?;
        wait.sleep(core);
    }
}

/// Starts `op` on a helper thread, and what waits for it.
fn begin<R: Send + 'static>(
    core: &Core,
    op: impl FnOnce(&Arc<Client>) -> rdk::Result<R> + Send + 'static,
) -> Result<(Waiter, Receiver<rdk::Result<R>>)> {
    let (sender, receiver) = mpsc::channel();
    let waiter = Waiter::new();
    let signal = waiter.signal();
    let client = core.client.clone();
    spawn(move || {
        let result = op(&client);
        drop(client);
        // Nobody may be waiting any more: the call was given up.
        let _ = sender.send(result);
        signal();
    })?;
    Ok((waiter, receiver))
}

pub fn spawn(f: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name("kafka-call".into())
        .spawn(f)
        .map(drop)
        .map_err(|e| Error::kafka(ErrorCode::FAIL, format!("can't start a thread: {e}")))
}
