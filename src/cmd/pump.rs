//! Events and messages to callbacks, within a budget: the tasks that turns and blocking calls run.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::core::Core;
use super::token::Asking;
use crate::error::Error;
use crate::tcl::event::{async_pending, Waiter};
use crate::tcl::{Code, Interp, Next, Obj, Task};

/// What one turn may take before timers and files get theirs.
const BUDGET: Duration = Duration::from_millis(2);

/// What up to eight calls together may have taken for the next seven to go unwatched.
const SHORT: Duration = Duration::from_micros(100);

/// What may be called for.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum What {
    /// Events and messages: a turn of the event loop.
    All,
    /// Events: the blocking calls that say so.
    Events,
    /// Rebalances only: a subscriber's reads, which would wait for ever for a group that waits for
    /// its answer.
    Group,
}

/// An object whose events and messages become calls.
pub trait Serve: Sized + 'static {
    /// What has to be finished after a call.
    type Called: 'static;

    fn core(&self) -> &Rc<Core>;

    /// Puts the next call together; none when there is nothing to call.
    fn next_call(self: &Rc<Self>, words: &mut Vec<Obj>, what: What) -> Option<Self::Called>;

    /// A call has ended.
    fn done(self: &Rc<Self>, called: Self::Called, code: Code);

    /// So many calls took so long, all together: the next batch is sized by it.
    fn spent(&self, _took: Duration, _calls: u32) {}

    /// The end of a turn or of a blocking call.
    fn settle(self: &Rc<Self>);

    /// Asks for another turn.
    fn again(&self) {
        self.core().again();
    }

    /// Clears the wake flag, for a call that serves the object itself.
    fn take(&self) -> bool {
        self.core().take()
    }
}

/// One turn from the event loop.
pub struct PumpTask<S: Serve> {
    object: Rc<S>,
    called: Option<S::Called>,
    asking: Asking,
    since: Option<Instant>,
    /// When the clock was read last.
    looked: Option<Instant>,
    /// Calls before it is read again.
    unwatched: u32,
    calls: u32,
}

impl<S: Serve> PumpTask<S> {
    pub fn new(object: Rc<S>) -> PumpTask<S> {
        PumpTask {
            object,
            called: None,
            asking: Asking::default(),
            since: None,
            looked: None,
            unwatched: 0,
            calls: 0,
        }
    }
}

impl<S: Serve> PumpTask<S> {
    /// Whether the turn has had its time. The clock costs as much as a tenth of a short callback, so
    /// it is read before every eighth call while the last eight were short.
    fn is_over(&mut self) -> bool {
        if self.unwatched > 0 {
            self.unwatched -= 1;
            return false;
        }
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let last = self.looked.replace(now).unwrap_or(since);
        if now - last < SHORT && self.calls > 0 {
            self.unwatched = 7;
        }
        now - since >= BUDGET
    }

    fn end(&mut self) -> Next {
        if let Some(since) = self.since.filter(|_| self.calls > 0) {
            self.object.spent(since.elapsed(), self.calls);
        }
        self.object.settle();
        self.object.core().look_for_answer();
        Next::Done(None)
    }
}

impl<S: Serve> Task for PumpTask<S> {
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        self.asking.end(interp, code);
        if let Some(called) = self.called.take() {
            self.calls += 1;
            self.object.done(called, code);
        }
        if !self.object.core().can_call() {
            return self.end();
        }
        if self.is_over() {
            let end = self.end();
            self.object.again();
            return end;
        }
        if self.asking.begin(self.object.core(), words) {
            return Next::Ask;
        }
        self.called = self.object.next_call(words, What::All);
        if self.called.is_none() {
            return self.end();
        }
        self.object.core().before_call();
        Next::Call
    }
}

/// How a blocking call that runs callbacks goes on.
pub enum Verdict {
    Wait,
    /// As `Wait`, with another end of the time from now on (none: no end).
    Until(Option<Instant>),
    Done(Option<Obj>),
    Fail(Error),
    /// Ends with a code of its own.
    Leave(Code),
}

/// A blocking call that serves its own client: `poll`, `flush`, `close`, `-block`, `consume`.
pub struct ServeTask<S: Serve> {
    object: Rc<S>,
    called: Option<S::Called>,
    asking: Asking,
    deadline: Option<Instant>,
    waiter: Waiter,
    served: usize,
    what: What,
    /// The object's wake was taken, so a turn has to be asked for at the end: what this call leaves
    /// alone (messages, above all) wakes nobody again.
    took: bool,
    /// Asked whenever there is nothing to call; told whether the time is over and how many callbacks
    /// were called.
    verdict: Box<dyn FnMut(bool, usize) -> Verdict>,
}

impl<S: Serve> ServeTask<S> {
    /// `timeout` in milliseconds, -1 for no limit.
    pub fn new(
        object: Rc<S>,
        timeout: i32,
        verdict: impl FnMut(bool, usize) -> Verdict + 'static,
    ) -> Box<ServeTask<S>> {
        Box::new(ServeTask {
            object,
            called: None,
            asking: Asking::default(),
            deadline: deadline(timeout),
            waiter: Waiter::new(),
            served: 0,
            what: What::Events,
            took: false,
            verdict: Box::new(verdict),
        })
    }

    /// As a read: of the object's callbacks only those of rebalances and tokens run.
    pub fn reading(mut self: Box<Self>) -> Box<ServeTask<S>> {
        self.what = What::Group;
        self
    }
}

/// When a timeout ends; none for -1.
pub fn deadline(timeout: i32) -> Option<Instant> {
    u64::try_from(timeout).ok().map(|ms| Instant::now() + Duration::from_millis(ms))
}

/// What a task that waits has to do first: it ends when the script was cancelled, and has signals and
/// limits seen to.
pub fn interruption(interp: Interp) -> Option<Next> {
    if let Err(e) = interp.check_canceled() {
        return Some(Next::Fail(Error::from(e).into()));
    }
    (async_pending() || interp.is_past_limit()).then_some(Next::Attend)
}

impl<S: Serve> Task for ServeTask<S> {
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        if self.asking.end(interp, code) {
            self.served += 1;
        }
        if let Some(called) = self.called.take() {
            self.object.done(called, code);
            self.served += 1;
        }
        let core = self.object.core().clone();
        if let Some(e) = core.refuse() {
            // The callback forked, and this is the child.
            return Next::Fail(e.into());
        }
        loop {
            self.took |= self.object.take();
            if self.asking.begin(&core, words) {
                return Next::Ask;
            }
            if core.can_call() {
                self.called = self.object.next_call(words, self.what);
                if self.called.is_some() {
                    core.before_call();
                    return Next::Call;
                }
            }
            self.object.settle();
            let over = self.deadline.is_some_and(|d| Instant::now() >= d);
            match (self.verdict)(over, self.served) {
                Verdict::Done(value) => return Next::Done(value),
                Verdict::Fail(e) => return Next::Fail(e.into()),
                Verdict::Leave(code) => return Next::Leave(code),
                Verdict::Until(deadline) => self.deadline = deadline,
                Verdict::Wait => {}
            }
            if let Some(next) = interruption(interp) {
                return next;
            }
            core.sleep(&mut self.waiter, self.deadline);
        }
    }
}

impl<S: Serve> Drop for ServeTask<S> {
    fn drop(&mut self) {
        if self.took {
            self.object.again();
        }
    }
}
