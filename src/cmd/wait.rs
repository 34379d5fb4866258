//! Calls that block in librdkafka: they run on a helper thread that holds the client.
//!
//! The Tcl thread waits for the result, for wakes and for cancellation on one condition, and serves
//! its client's queue meanwhile. A call that is given up ends by itself. With `-command` nobody
//! waits: the result comes as an event.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::core::Core;
use super::pump::{check_interrupt, deadline};
use crate::error::{Error, Result};
use crate::rdk::{self, Client, ErrorCode};
use crate::tcl::event::{Source, Waiter};
use crate::tcl::{Args, Flow, Obj, Prefix};

/// What librdkafka may be late beyond the timeout that it was given.
const GRACE: Duration = Duration::from_millis(500);

/// Turns a helper's result into the call's.
type Finish = Box<dyn FnOnce(Box<dyn Any + Send>) -> Result<Obj>>;

/// Results that helper threads bring, in their order.
type Inbox = Arc<Mutex<Vec<(u64, Box<dyn Any + Send>)>>>;

/// The `-command` calls of one object that are under way.
#[derive(Default)]
pub struct Calls {
    pending: RefCell<HashMap<u64, (Prefix, Finish)>>,
    inbox: Inbox,
    next: Cell<u64>,
    source: OnceCell<Arc<Source>>,
}

impl Calls {
    pub fn set_source(&self, source: Arc<Source>) {
        let _ = self.source.set(source);
    }

    /// Puts together the call that brings the next result.
    pub fn next_call(&self, words: &mut Vec<Obj>) -> bool {
        if self.pending.borrow().is_empty() {
            return false;
        }
        loop {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            if inbox.is_empty() {
                return false;
            }
            let (id, result) = inbox.remove(0);
            drop(inbox);
            let Some((prefix, finish)) = self.pending.borrow_mut().remove(&id) else { continue };
            let dict = match finish(result) {
                Ok(value) => Obj::list(&[Obj::text("result"), value]),
                Err(e) => e.call_dict(),
            };
            prefix.fill(dict, words);
            return true;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.pending.borrow().is_empty()
    }
}

/// How a call that waits was asked for.
pub struct Manner {
    pub timeout: i32,
    pub command: Option<Prefix>,
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
        Ok(Manner { timeout, command })
    }
}

/// Runs `op` on a helper thread and waits for it, or has its result come by event.
pub fn call<R: Send + 'static>(
    core: &Core,
    manner: Manner,
    op: impl FnOnce(&Arc<Client>) -> rdk::Result<R> + Send + 'static,
    finish: impl FnOnce(R) -> Result<Obj> + 'static,
) -> Result<Flow> {
    let Some(prefix) = manner.command else {
        let result = block(core, manner.timeout, op)?;
        return Ok(Flow::Value(finish(result)?));
    };
    let id = core.calls.next.get();
    core.calls.next.set(id + 1);
    let finish: Finish = Box::new(move |any| match any.downcast::<rdk::Result<R>>() {
        Ok(result) => finish((*result)?),
        Err(_) => Err(Error::kafka(ErrorCode::FAIL, "the helper thread ended without a result")),
    });
    core.calls.pending.borrow_mut().insert(id, (prefix, finish));
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
/// librdkafka keeps time itself), serving the client's queue without running Tcl.
pub fn block<R: Send + 'static>(
    core: &Core,
    timeout: i32,
    op: impl FnOnce(&Arc<Client>) -> rdk::Result<R> + Send + 'static,
) -> Result<R> {
    let (sender, receiver) = mpsc::channel();
    let mut waiter = Waiter::new();
    let signal = waiter.signal();
    let client = core.client.clone();
    spawn(move || {
        let result = op(&client);
        drop(client);
        // Nobody may be waiting any more: the call was given up.
        let _ = sender.send(result);
        signal();
    })?;
    let end = deadline(timeout).map(|d| d + GRACE);
    loop {
        match receiver.try_recv() {
            Ok(result) => return Ok(result?),
            Err(TryRecvError::Disconnected) => {
                return Err(Error::kafka(
                    ErrorCode::FAIL,
                    "the helper thread ended without a result",
                ))
            }
            Err(TryRecvError::Empty) => {}
        }
        core.drain();
        check_interrupt(core.interp())?;
        if end.is_some_and(|d| std::time::Instant::now() >= d) {
            let detail = format!("no answer within {timeout} ms");
            return Err(Error::kafka(ErrorCode::TIMED_OUT, detail));
        }
        waiter.wait(end);
    }
}

fn spawn(f: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name("kafka-call".into())
        .spawn(f)
        .map(drop)
        .map_err(|e| Error::kafka(ErrorCode::FAIL, format!("can't start a thread: {e}")))
}
