//! The wait for a helper thread, alone or as a task: tokens that are wanted meanwhile come from the
//! script's callback, without which the helper would wait in vain.

use std::rc::Rc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use super::core::Core;
use super::pump::{deadline, interruption};
use super::token::Asking;
use super::wait::late_error;
use crate::error::{Error, Result};
use crate::rdk::{self, ErrorCode};
use crate::tcl::event::Waiter;
use crate::tcl::{Code, Interp, Next, Obj, Task};

/// What librdkafka may be late beyond the timeout that it was given.
pub const GRACE: Duration = Duration::from_millis(500);

/// The wait for one result.
pub struct Wait<R> {
    receiver: Receiver<rdk::Result<R>>,
    waiter: Waiter,
    timeout: i32,
    /// When the time is over; the wait is a little longer, for librdkafka keeps time itself.
    end: Option<Instant>,
    /// Empties the client's queue meanwhile.
    drain: fn(&Core),
}

impl<R> Wait<R> {
    pub fn new(
        timeout: i32,
        drain: fn(&Core),
        waiter: Waiter,
        receiver: Receiver<rdk::Result<R>>,
    ) -> Wait<R> {
        Wait { receiver, waiter, timeout, end: deadline(timeout), drain }
    }

    /// How the wait ends, if it does.
    pub fn look(&self, core: &Core) -> Option<Result<R>> {
        match self.receiver.try_recv() {
            Ok(Ok(value)) => return Some(Ok(value)),
            Ok(Err(e)) => {
                core.drain_news();
                return Some(Err(core.explain(e).into()));
            }
            Err(TryRecvError::Disconnected) => {
                let detail = "the helper thread ended without a result";
                return Some(Err(Error::kafka(ErrorCode::FAIL, detail)));
            }
            Err(TryRecvError::Empty) => {}
        }
        (self.drain)(core);
        let over = self.end.is_some_and(|d| Instant::now() >= d + GRACE);
        over.then(|| Err(core.explain_error(late_error(self.timeout))))
    }

    /// Waits for news.
    pub fn sleep(&mut self, core: &Core) {
        core.sleep(&mut self.waiter, self.end.map(|d| d + GRACE));
    }
}

/// The wait as a task.
pub struct WaitTask<R> {
    core: Rc<Core>,
    wait: Wait<R>,
    asking: Asking,
    finish: Option<Box<dyn FnOnce(R) -> Result<Obj>>>,
}

impl<R: 'static> WaitTask<R> {
    pub fn new(
        core: &Rc<Core>,
        wait: Wait<R>,
        finish: impl FnOnce(R) -> Result<Obj> + 'static,
    ) -> Box<WaitTask<R>> {
        let finish = Some(Box::new(finish) as _);
        Box::new(WaitTask { core: core.clone(), wait, asking: Asking::default(), finish })
    }

    fn end(&mut self, result: Result<R>) -> Next {
        let value = match (result, self.finish.take()) {
            (Ok(value), Some(finish)) => finish(value).map_err(|e| self.core.explain_error(e)),
            (Ok(_), None) => return Next::Done(None),
            (Err(e), _) => Err(e),
        };
        match value {
            Ok(value) => Next::Done(Some(value)),
            Err(e) => Next::Fail(e.into()),
        }
    }
}

impl<R: 'static> Task for WaitTask<R> {
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        self.asking.end(interp, code);
        if let Some(e) = self.core.refuse() {
            // A callback or a signal's handler forked, and this is the child.
            return Next::Fail(e.into());
        }
        loop {
            if self.asking.begin(&self.core, words) {
                return Next::Ask;
            }
            if let Some(result) = self.wait.look(&self.core) {
                return self.end(result);
            }
            if let Some(next) = interruption(interp) {
                return next;
            }
            if let Some(e) = self.core.tokens.hopeless(self.wait.end) {
                return Next::Fail(e.into());
            }
            self.wait.sleep(&self.core);
        }
    }
}
