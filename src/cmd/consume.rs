//! `consume`, `consume_batch`, `consume_list` and `close` of subscribers.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::core::Life;
use super::live::LEAVE;
use super::pump::{check_interrupt, deadline, Serve, ServeTask, Verdict, What};
use super::reader::Held;
use super::record::Field;
use super::subscriber::{remove, Called, Subscriber};
use crate::error::{Error, Result};
use crate::rdk::{self, ClientError, ErrorCode};
use crate::tcl::event::Waiter;
use crate::tcl::{Args, Call, Code, Flow, Interp, Next, Obj, Outcome, Task};

type C<'a> = Call<'a, Subscriber>;
type Out = Outcome<Subscriber>;

/// What a read finds.
enum Found {
    Message(Held),
    Error(ClientError),
    Nothing,
}

fn next(this: &Subscriber) -> Found {
    if !this.may_give() {
        return Found::Nothing;
    }
    if let Some(e) = this.core().next_message_error() {
        return Found::Error(e);
    }
    let place = |error, topic, partition| Found::Error(ClientError { error, topic, partition });
    match this.reader.next() {
        Ok(None) => Found::Nothing,
        Ok(Some(held)) => match held.message.error() {
            None => Found::Message(held),
            Some(code) => {
                let m = held.message.view();
                let error = rdk::Error::with_detail(code, m.error_text());
                place(error, Some(m.topic().to_owned()), Some(m.partition()))
            }
        },
        Err(e) => place(e, None, None),
    }
}

/// `consume ?timeoutMS?`: a message dict, an error dict, or nothing.
pub fn consume(c: &C<'_>) -> Out {
    let timeout = c.args.get(0).map_or(Ok(0), |w| Args::time(w, "timeoutMS"))?;
    c.this.begin_read("consume")?;
    let this = c.this.clone();
    let verdict = move |over: bool, _| match next(&this) {
        Found::Message(held) => {
            let core = this.core();
            this.reader.hand_out(&held);
            Verdict::Done(Some(core.words.dict(held.message.view(), &core.encoding.borrow())))
        }
        Found::Error(e) => Verdict::Done(Some(this.error_dict(&e))),
        Found::Nothing if over || !this.core().is_open() => Verdict::Done(None),
        Found::Nothing => Verdict::Wait,
    };
    Ok(Flow::Run(ServeTask::new(c.this.clone(), timeout, verdict).reading()))
}

/// How many messages a call wants.
fn count(word: &Obj) -> Result<usize> {
    let n = word.get_int("count")?;
    usize::try_from(n)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| Error::expected("count", "a number from 1", &word.str()))
}

/// `consume_list timeoutMS count ?-fields list? ?-min n?`
pub fn consume_list(c: &C<'_>) -> Out {
    let timeout = Args::time(c.args.at(0)?, "timeoutMS")?;
    let most = count(c.args.at(1)?)?;
    let least = match c.args.opt("-min") {
        Some(word) => count(word)?.min(most),
        None => 1,
    };
    let fields = match c.args.opt("-fields") {
        Some(word) => {
            let words = word.get_list("-fields")?;
            if words.is_empty() {
                return Err(Error::expected("-fields", "at least one field", ""));
            }
            Some(words.iter().map(Field::parse).collect::<Result<Vec<_>>>()?)
        }
        None => None,
    };
    c.this.begin_read("consume_list")?;
    let this = c.this.clone();
    let mut out: Vec<Obj> = Vec::new();
    let mut n = 0;
    let verdict = move |over: bool, _| {
        let core = this.core();
        while n < most {
            match next(&this) {
                Found::Message(held) => {
                    let m = held.message.view();
                    let encoding = core.encoding.borrow();
                    match &fields {
                        Some(fields) => {
                            out.extend(fields.iter().map(|f| core.words.field(m, *f, &encoding)));
                        }
                        None => out.push(core.words.dict(m, &encoding)),
                    }
                    this.reader.hand_out(&held);
                    n += 1;
                }
                Found::Error(e) if n == 0 => return Verdict::Fail(e.error.into()),
                Found::Error(e) => {
                    // It ends the list, and the next call throws it.
                    core.message_error_first(e);
                    return Verdict::Done(Some(Obj::list(&out)));
                }
                Found::Nothing => break,
            }
        }
        if n >= least || over || !core.is_open() {
            Verdict::Done(Some(Obj::list(&out)))
        } else {
            Verdict::Wait
        }
    };
    Ok(Flow::Run(ServeTask::new(c.this.clone(), timeout, verdict).reading()))
}

/// `consume_batch timeoutMS count array code`
pub fn consume_batch(c: &C<'_>) -> Out {
    let timeout = Args::time(c.args.at(0)?, "timeoutMS")?;
    let most = count(c.args.at(1)?)?;
    c.this.begin_read("consume_batch")?;
    Ok(Flow::Run(Box::new(Batch {
        this: c.this.clone(),
        deadline: deadline(timeout),
        most,
        array: c.args.at(2)?.clone(),
        body: c.args.at(3)?.clone(),
        waiter: Waiter::new(),
        fields: Vec::new(),
        known: None,
        done: 0,
        at: At::Start,
    })))
}

/// Where a batch stands between steps.
enum At {
    Start,
    /// The body runs for a message.
    Message(Held, Instant),
    /// The body runs for a message error.
    Error,
    /// A rebalance callback runs.
    Call(Called),
}

struct Batch {
    this: Rc<Subscriber>,
    deadline: Option<Instant>,
    most: usize,
    array: Obj,
    body: Obj,
    waiter: Waiter,
    fields: Vec<Obj>,
    known: Option<Vec<Obj>>,
    done: usize,
    at: At,
}

impl Batch {
    fn end(&self) -> Next {
        self.this.settle();
        // A callback that was set meanwhile, or messages that came, have used their wake up.
        self.this.core().again();
        Next::Done(Some(Obj::int(self.done as i64)))
    }

    fn leave(&self, code: Code) -> Next {
        self.this.settle();
        self.this.core().again();
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
            At::Error => self.this.reader.finished(false),
            At::Message(held, since) => {
                self.this.reader.adapt(since.elapsed());
                let counts = code != Code::ERROR && self.this.core().is_open();
                self.this.reader.finished(counts);
                if code == Code::ERROR && held.still_valid() {
                    self.this.reader.put_back(held);
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
                interp.add_error_info("\n    (\"consume_batch\" body)");
                Some(self.leave(code))
            }
            other => Some(self.leave(other)),
        }
    }

    /// Puts the next message or error into the array; true when there is one.
    fn prepare(&mut self, interp: Interp) -> Result<bool> {
        let words = self.this.core().words.clone();
        let at = match next(&self.this) {
            Found::Nothing => return Ok(false),
            Found::Message(held) => {
                let encoding = self.this.core().encoding.borrow();
                self.fields.clear();
                words.fields(held.message.view(), &encoding, &mut self.fields);
                At::Message(held, Instant::now())
            }
            Found::Error(e) => {
                self.fields = words.error_fields(&e.error, e.topic.as_deref(), e.partition);
                At::Error
            }
        };
        let set = words.set_array(interp, &self.array, &self.fields, &mut self.known);
        match at {
            At::Message(held, since) if set.is_ok() => {
                self.this.reader.give(&held);
                self.at = At::Message(held, since);
            }
            At::Message(held, _) => self.this.reader.put_back(held),
            At::Error if set.is_ok() => {
                self.this.reader.give_error();
                self.at = At::Error;
            }
            _ => {}
        }
        set.map(|()| true)
    }
}

impl Task for Batch {
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        if let Some(end) = self.finish(interp, code) {
            return end;
        }
        loop {
            if self.done >= self.most || !self.this.core().is_open() {
                return self.end();
            }
            self.this.core().take();
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
            if let Err(e) = check_interrupt(interp) {
                return Next::Fail(e.into());
            }
            self.waiter.wait(self.deadline);
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // The body's coroutine was deleted, or its interpreter: the message was not processed.
        if let At::Message(..) | At::Error = self.at {
            self.this.reader.finished(false);
        }
    }
}

/// `close ?timeoutMS? ?-timeout ms?`: what the script was given counts, the message in hand too.
pub fn close(c: &C<'_>) -> Out {
    let this = c.this.clone();
    if this.rebalance.borrow().is_some() {
        return Err(Error::State("close inside the object's rebalance callback".to_owned()));
    }
    let default = i32::try_from(LEAVE.as_millis()).unwrap_or(i32::MAX);
    let timeout = match c.args.get(0).or_else(|| c.args.opt("-timeout")) {
        Some(word) => Args::time(word, "timeoutMS")?,
        None => default,
    };
    this.reader.count_all();
    this.callback.set(None);
    // Without a limit still means with one that no group needs: a day.
    let ms = u64::try_from(timeout).unwrap_or(86_400_000);
    this.begin_close(Duration::from_millis(ms));
    let object = this.clone();
    Ok(Flow::Run(ServeTask::new(object, -1, move |_, _| {
        let core = this.core();
        if core.life.get() != Life::Closed {
            return Verdict::Wait;
        }
        remove(&this);
        if core.client.closed() {
            Verdict::Done(None)
        } else {
            let detail = format!("{} did not leave its group within {timeout} ms", core.live.name);
            Verdict::Fail(Error::kafka(ErrorCode::TIMED_OUT, detail))
        }
    })))
}
