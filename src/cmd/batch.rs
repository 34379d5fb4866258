//! `consume_batch`: a body that runs for each message, whose values are in an array.

use std::rc::Rc;
use std::time::Instant;

use super::pump::{deadline, interruption, What};
use super::reader::Held;
use super::reading::{begin, count, next, Found, Reading};
use super::record::{ArrayElements, Names};
use super::token::Asking;
use crate::error::Result;
use crate::tcl::event::Waiter;
use crate::tcl::{Args, Code, Flow, Interp, Next, Obj, Task};

/// `consume_batch ... timeoutMS count array code`; the words begin at `first`.
pub fn start<R: Reading>(this: &Rc<R>, args: &Args<'_>, first: usize) -> Result<Flow> {
    let timeout = Args::time(args.at(first)?, "timeoutMS")?;
    let most = count(args.at(first + 1)?)?;
    begin(&**this, "consume_batch")?;
    Ok(Flow::Run(Box::new(Batch {
        this: this.clone(),
        deadline: deadline(timeout),
        most,
        array: args.at(first + 2)?.clone(),
        body: args.at(first + 3)?.clone(),
        waiter: Waiter::new(),
        asking: Asking::default(),
        known: None,
        elements: None,
        done: 0,
        since: None,
        at: At::Start,
    })))
}

/// A batch that may have `MANY` messages, after its first few, has its array's elements looked up for
/// the rest: setting up and taking down costs as much as some ten messages save.
const FEW: usize = 8;
const MANY: usize = 64;

/// Where a batch stands between steps.
enum At<R: Reading> {
    Start,
    /// The body runs for a message.
    Message(Held),
    /// The body runs for a message error.
    Error,
    /// A rebalance callback runs.
    Call(R::Called),
}

struct Batch<R: Reading> {
    this: Rc<R>,
    deadline: Option<Instant>,
    most: usize,
    array: Obj,
    body: Obj,
    waiter: Waiter,
    asking: Asking,
    known: Option<Names>,
    /// The array's elements, once the batch is long enough for them.
    elements: Option<ArrayElements>,
    done: usize,
    /// When the first body began.
    since: Option<Instant>,
    at: At<R>,
}

impl<R: Reading> Batch<R> {
    fn end(&self) -> Next {
        if let Some(since) = self.since {
            self.this.spent(since.elapsed(), u32::try_from(self.done).unwrap_or(u32::MAX));
        }
        self.this.settle();
        // A callback that was set meanwhile, or messages that came, have used their wake up.
        self.this.again();
        Next::Done(Some(Obj::int(self.done as i64)))
    }

    fn leave(&self, code: Code) -> Next {
        self.this.settle();
        self.this.again();
        Next::Leave(code)
    }

    /// Finishes what ran and tells how to go on: not at all, with this.
    fn finish(&mut self, interp: Interp, code: Code) -> Option<Next> {
        match std::mem::replace(&mut self.at, At::Start) {
            At::Start => return None,
            At::Call(called) => {
                self.this.done(called, code);
                return None;
            }
            At::Error => self.this.reader().finished(false),
            At::Message(held) => {
                let counts = code != Code::ERROR && self.this.is_open();
                self.this.reader().finished(counts);
                if code == Code::ERROR && held.still_valid() {
                    self.this.reader().put_back(held);
                }
            }
        }
        match code {
            Code::OK | Code::CONTINUE => {
                self.done += 1;
                None
            }
            Code::BREAK => {
                self.done += 1;
                Some(self.end())
            }
            Code::ERROR => {
                let line = interp.error_line();
                interp.add_error_info(&format!("\n    (\"consume_batch\" body line {line})"));
                Some(self.leave(code))
            }
            other => Some(self.leave(other)),
        }
    }

    /// Puts the next message or error into the array; true when there is one.
    fn prepare(&mut self, interp: Interp) -> Result<bool> {
        match next(&*self.this) {
            Found::End(_) | Found::Nothing => Ok(false),
            Found::Message(held) => {
                if let Err(e) = self.set(interp, &held) {
                    self.this.reader().put_back(held);
                    return Err(e);
                }
                self.this.reader().give(&held);
                self.since.get_or_insert_with(Instant::now);
                self.at = At::Message(held);
                Ok(true)
            }
            Found::Error(e) => {
                let words = &self.this.core().words;
                let record = words.error(&e.error, e.topic.as_deref(), e.partition);
                words.set_array(interp, &self.array, &record, &mut self.known)?;
                self.this.reader().give_error();
                self.at = At::Error;
                Ok(true)
            }
        }
    }

    /// Sets the array from a message.
    fn set(&mut self, interp: Interp, held: &Held) -> Result<()> {
        let words = &self.this.core().words;
        let encoding = self.this.encoding();
        if self.done == FEW && self.most >= MANY {
            self.elements = ArrayElements::new(&self.array);
        }
        match &mut self.elements {
            Some(elements) => {
                words.set_elements(interp, elements, held, &encoding, &mut self.known)
            }
            None => {
                let record = words.record(held, &encoding);
                words.set_array(interp, &self.array, &record, &mut self.known)
            }
        }
    }
}

impl<R: Reading> Task for Batch<R> {
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        let next = self.go_on(interp, code, words);
        if let Next::Done(_) | Next::Fail(_) | Next::Leave(_) = next {
            if let Some(mut elements) = self.elements.take() {
                self.this.core().words.release(interp, &mut elements);
            }
        }
        next
    }
}

impl<R: Reading> Batch<R> {
    fn go_on(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        self.asking.end(interp, code);
        if let Some(end) = self.finish(interp, code) {
            return end;
        }
        if let Some(e) = self.this.core().refuse() {
            // The body forked, and this is the child.
            return Next::Fail(e.into());
        }
        loop {
            if self.done >= self.most || !self.this.is_open() {
                return self.end();
            }
            self.this.take();
            if self.asking.begin(self.this.core(), words) {
                return Next::Ask;
            }
            if let Some(called) = self.this.next_call(words, What::Group) {
                self.at = At::Call(called);
                return Next::Call;
            }
            match self.prepare(interp) {
                Ok(true) => return Next::Body(self.body.clone()),
                Ok(false) => {}
                Err(e) => return Next::Fail(e.into()),
            }
            self.this.settle();
            if self.deadline.is_some_and(|d| Instant::now() >= d) {
                return self.end();
            }
            if let Some(next) = interruption(interp) {
                return next;
            }
            self.this.core().sleep(&mut self.waiter, self.deadline);
        }
    }
}

impl<R: Reading> Drop for Batch<R> {
    fn drop(&mut self) {
        // The body's coroutine was deleted, or its interpreter: the message was not processed.
        if let At::Message(..) | At::Error = self.at {
            self.this.reader().finished(false);
        }
    }
}
