//! Reads that subscribers, started partitions and queues have alike.

use std::cell::Ref;
use std::rc::Rc;
use std::time::Instant;

use super::encoding::Encoding;
use super::fields::Field;
use super::pump::{deadline, interruption, Serve, ServeTask, Verdict};
use super::reader::{Held, Reader};
use super::token::Asking;
use crate::error::{Error, Result};
use crate::rdk::{self, ClientError};
use crate::tcl::event::Waiter;
use crate::tcl::{Args, Code, Flow, Interp, Next, Obj, Task};

/// An object that messages are read from.
pub trait Reading: Serve {
    fn reader(&self) -> &Reader;

    fn encoding(&self) -> Ref<'_, Encoding>;

    fn is_open(&self) -> bool;

    /// Whether a message may be given: no callback or body of this object runs, and it is open.
    fn may_give(&self) -> bool;

    /// Refuses a read where it is not allowed.
    fn check_read(&self, what: &str) -> Result<()>;

    /// An error that waits to be read.
    fn next_error(&self) -> Option<ClientError>;

    /// Puts one back: the next read has it.
    fn keep_error(&self, e: ClientError);

    /// Whether there is an event that a read has to look at before it gives a message.
    fn has_news(&self) -> bool {
        self.core().has_news()
    }
}

/// Checks a read, and counts what was given before.
pub fn begin<R: Reading>(this: &R, what: &str) -> Result<()> {
    this.check_read(what)?;
    if !this.is_open() {
        return Err(Error::State(format!("{what} while the object is being closed")));
    }
    this.reader().count_hands();
    if this.reader().hand_over_soon() {
        this.again();
    }
    Ok(())
}

/// The next message, if it can be given without a look at anything else: what a loop of reads does
/// most of the time.
#[inline]
pub fn ready<R: Reading>(this: &R) -> Option<Held> {
    if this.has_news() || !this.may_give() {
        return None;
    }
    if let Some(e) = this.next_error() {
        this.keep_error(e);
        return None;
    }
    this.reader().ready()
}

/// Refuses a read while the object's message is in the script's hands.
pub fn check_busy(reader: &Reader, what: &str) -> Result<()> {
    if reader.is_busy() {
        return Err(Error::State(format!(
            "{what} while a message callback or batch body of the object runs"
        )));
    }
    Ok(())
}

/// What a read finds.
pub enum Found {
    Message(Held),
    Error(ClientError),
    /// The end of a partition.
    End(Held),
    Nothing,
}

/// The next message or error; ends of partitions are passed over.
pub fn next<R: Reading>(this: &R) -> Found {
    loop {
        match next_or_end(this) {
            Found::End(_) => {}
            other => return other,
        }
    }
}

/// The next message, error or end of a partition.
fn next_or_end<R: Reading>(this: &R) -> Found {
    if !this.may_give() {
        return Found::Nothing;
    }
    if let Some(e) = this.next_error() {
        return Found::Error(e);
    }
    let place = |error, topic, partition| Found::Error(ClientError { error, topic, partition });
    match this.reader().next_or_end() {
        Ok(None) => Found::Nothing,
        Ok(Some(held)) if held.is_end() => Found::End(held),
        Ok(Some(held)) => match held.message.error() {
            None => Found::Message(held),
            Some(code) => {
                let m = held.message.view();
                let error = rdk::Error::with_detail(code, m.error_text());
                place(error, Some(m.topic().to_owned()), Some(m.partition()))
            }
        },
        Err(e) => Found::Error(e),
    }
}

/// An error to throw, whose detail says where it belongs.
fn located(e: ClientError) -> rdk::Error {
    let ClientError { mut error, topic, partition } = e;
    if let Some(topic) = topic.filter(|t| !t.is_empty() && !error.detail.contains(t.as_str())) {
        let place = match partition.filter(|p| *p >= 0) {
            Some(p) => format!("topic \"{topic}\" partition {p}"),
            None => format!("topic \"{topic}\""),
        };
        let sep = if error.detail.is_empty() { "" } else { "; " };
        error.detail = format!("{}{sep}{place}", error.detail);
    }
    error
}

/// A count of messages.
pub fn count(word: &Obj) -> Result<usize> {
    let n = word.get_int("count")?;
    usize::try_from(n)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| Error::expected("count", "a number from 1", &word.str()))
}

/// Why a `consume` has no message.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Without {
    /// The end of a partition, with `enable.partition.eof`.
    End,
    /// Nothing came in time.
    Time,
}

/// `consume ... array`: sets the array and gives 1, or gives 0; an error is thrown. `nothing` is what
/// a read without a message comes to.
pub fn array<R: Reading>(
    this: &Rc<R>,
    interp: Interp,
    timeout: i32,
    name: &Obj,
    one: Option<Obj>,
    nothing: impl Fn(Without) -> Verdict + 'static,
) -> Result<Flow> {
    begin(&**this, "consume")?;
    if let Some(held) = ready(&**this) {
        fill_array(&**this, interp, name, held)?;
        return Ok(one.map_or(Flow::Empty, Flow::Value));
    }
    let name = name.clone();
    let reader = this.clone();
    let verdict = move |over: bool, _| match next_or_end(&*reader) {
        Found::Message(held) => match fill_array(&*reader, interp, &name, held) {
            Ok(()) => Verdict::Done(one.clone()),
            Err(e) => Verdict::Fail(e),
        },
        Found::Error(e) => Verdict::Fail(located(e).into()),
        Found::End(_) => nothing(Without::End),
        Found::Nothing if over || !reader.is_open() => nothing(Without::Time),
        Found::Nothing => Verdict::Wait,
    };
    Ok(Flow::Run(ServeTask::new(this.clone(), timeout, verdict).reading()))
}

/// Gives a message as an array; one that can't be set leaves it the first of the next read.
fn fill_array<R: Reading>(this: &R, interp: Interp, name: &Obj, held: Held) -> Result<()> {
    let words = &this.core().words;
    let record = words.record(&held, &this.encoding());
    match words.set_array(interp, name, &record, &mut None) {
        Ok(()) => {
            this.reader().hand_out(&held);
            Ok(())
        }
        Err(e) => {
            this.reader().put_back(held);
            Err(e)
        }
    }
}

/// `consume_list ... timeoutMS count ?-fields list? ?-min n?`; the words begin at `first`.
pub fn list<R: Reading>(this: &Rc<R>, args: &Args<'_>, first: usize) -> Result<Flow> {
    let timeout = Args::time(args.at(first)?, "timeoutMS")?;
    let most = count(args.at(first + 1)?)?;
    let least = match args.opt("-min") {
        Some(word) => count(word)?.min(most),
        None => 1,
    };
    let fields = match args.opt("-fields") {
        Some(word) => Some(Field::list(word)?),
        None => None,
    };
    let ends = fields.as_ref().is_some_and(|f| f.contains(&Field::End));
    begin(&**this, "consume_list")?;
    let reader = this.clone();
    let mut out: Vec<Obj> = Vec::new();
    let mut n = 0;
    let verdict = move |over: bool, _| {
        let words = &reader.core().words;
        while n < most {
            match if ends { next_or_end(&*reader) } else { next(&*reader) } {
                // It stands where a message would, and is none: nothing of it counts.
                Found::End(held) => {
                    let m = held.message.view();
                    out.extend(fields.iter().flatten().map(|f| f.of_end(words, m)));
                    n += 1;
                }
                Found::Message(held) => {
                    let m = held.message.view();
                    let encoding = reader.encoding();
                    match &fields {
                        Some(fields) => {
                            out.extend(fields.iter().map(|f| f.of(words, m, &encoding)));
                        }
                        None => out.push(words.dict(&held, &encoding)),
                    }
                    drop(encoding);
                    reader.reader().hand_out(&held);
                    n += 1;
                }
                Found::Error(e) if n == 0 => return Verdict::Fail(located(e).into()),
                Found::Error(e) => {
                    // It ends the list, and the next call throws it.
                    reader.keep_error(e);
                    return Verdict::Done(Some(Obj::list(&out)));
                }
                Found::Nothing => break,
            }
        }
        if n >= least || over || !reader.is_open() {
            Verdict::Done(Some(Obj::list(&out)))
        } else {
            Verdict::Wait
        }
    };
    Ok(Flow::Run(ServeTask::new(this.clone(), timeout, verdict).reading()))
}

/// Puts together the call for the next message.
type Fill<R> = Box<dyn Fn(&Rc<R>, &mut Vec<Obj>) -> Option<<R as Serve>::Called>>;

/// The first generation's `consume_callback ... timeoutMS prefix`: waits for a message, calls the
/// prefix for each that is there, gives their number.
pub struct TimedCallback<R: Reading> {
    this: Rc<R>,
    deadline: Option<Instant>,
    waiter: Waiter,
    asking: Asking,
    called: Option<R::Called>,
    calls: usize,
    /// Calls made before the first wait for more are the result of one look.
    fill: Fill<R>,
}

impl<R: Reading> TimedCallback<R> {
    pub fn start(
        this: &Rc<R>,
        timeout: i32,
        fill: impl Fn(&Rc<R>, &mut Vec<Obj>) -> Option<R::Called> + 'static,
    ) -> Result<Flow> {
        begin(&**this, "consume_callback")?;
        Ok(Flow::Run(Box::new(TimedCallback {
            this: this.clone(),
            deadline: deadline(timeout),
            waiter: Waiter::new(),
            asking: Asking::default(),
            called: None,
            calls: 0,
            fill: Box::new(fill),
        })))
    }
}

impl<R: Reading> Task for TimedCallback<R> {
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        self.asking.end(interp, code);
        if let Some(called) = self.called.take() {
            self.this.done(called, code);
            self.calls += 1;
        }
        if let Some(e) = self.this.core().refuse() {
            return Next::Fail(e.into());
        }
        loop {
            self.this.take();
            if self.asking.begin(self.this.core(), words) {
                return Next::Ask;
            }
            if self.this.may_give() {
                self.called = (self.fill)(&self.this, words);
                if self.called.is_some() {
                    return Next::Call;
                }
            }
            self.this.settle();
            let over = self.deadline.is_some_and(|d| Instant::now() >= d);
            if self.calls > 0 || over || !self.this.is_open() {
                self.this.again();
                return Next::Done(Some(Obj::int(self.calls as i64)));
            }
            if let Some(next) = interruption(interp) {
                return next;
            }
            self.this.core().sleep(&mut self.waiter, self.deadline);
        }
    }
}
