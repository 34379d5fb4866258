//! `consume`, `consume_batch`, `consume_list` and `close` of subscribers.

use std::time::Duration;

use super::core::Life;
use super::live::LEAVE;
use super::pump::{Serve, ServeTask, Verdict};
use super::reading::{self, Found};
use super::subscriber::{remove, Subscriber};
use crate::error::Error;
use crate::rdk::ErrorCode;
use crate::tcl::{Args, Call, Flow, Outcome};

type C<'a> = Call<'a, Subscriber>;
type Out = Outcome<Subscriber>;

/// `consume ?timeoutMS?`: a message dict, an error dict, or nothing.
pub fn consume(c: &C<'_>) -> Out {
    let timeout = c.args.get(0).map_or(Ok(0), |w| Args::time(w, "timeoutMS"))?;
    reading::begin(&**c.this, "consume")?;
    let this = c.this.clone();
    let verdict = move |over: bool, _| match reading::next(&*this) {
        Found::Message(held) => {
            let core = this.core();
            this.reader.hand_out(&held);
            Verdict::Done(Some(core.words.dict(held.message.view(), &core.encoding.borrow())))
        }
        Found::Error(e) => Verdict::Done(Some(this.error_dict(&e))),
        Found::Nothing if over || !this.core().is_open() => Verdict::Done(None),
        Found::End | Found::Nothing => Verdict::Wait,
    };
    Ok(Flow::Run(ServeTask::new(c.this.clone(), timeout, verdict).reading()))
}

/// `consume_list timeoutMS count ?-fields list? ?-min n?`
pub fn consume_list(c: &C<'_>) -> Out {
    reading::list(c.this, &c.args, 0)
}

/// `consume_batch timeoutMS count array code`
pub fn consume_batch(c: &C<'_>) -> Out {
    reading::batch(c.this, &c.args, 0)
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
