//! `consume`, `consume_batch`, `consume_list` and `close` of subscribers.

use std::time::Duration;

use super::batch;
use super::handle;
use super::leaving::LEAVE;
use super::pump::{Serve, ServeTask, Verdict};
use super::reader::Held;
use super::reading::{self, Found};
use super::subscriber::Subscriber;
use super::wait::Manner;
use crate::error::Error;
use crate::rdk::{self, ErrorCode};
use crate::tcl::{command, Args, Call, Flow, Obj, Outcome};

type C<'a> = Call<'a, Subscriber>;
type Out = Outcome<Subscriber>;

/// `consume ?timeoutMS?`: a message dict, an error dict, or nothing.
pub fn consume(c: &C<'_>) -> Out {
    let timeout = c.args.get(0).map_or(Ok(0), |w| Args::time(w, "timeoutMS"))?;
    reading::begin(&**c.this, "consume")?;
    if let Some(held) = reading::ready(&**c.this) {
        return Ok(given(c.this, &held).into());
    }
    let this = c.this.clone();
    let verdict = move |over: bool, _| match reading::next(&*this) {
        Found::Message(held) => Verdict::Done(Some(given(&this, &held))),
        Found::Error(e) => Verdict::Done(Some(this.error_dict(&e))),
        Found::Nothing if over || !this.core().is_open() => Verdict::Done(None),
        Found::End(_) | Found::Nothing => Verdict::Wait,
    };
    Ok(Flow::Run(ServeTask::new(c.this.clone(), timeout, verdict).reading()))
}

/// A message that `consume` gives.
fn given(this: &Subscriber, held: &Held) -> Obj {
    let core = this.core();
    this.reader.hand_out(held);
    core.words.dict(held, &core.encoding.borrow())
}

/// `consume_list timeoutMS count ?-fields list? ?-min n?`
pub fn consume_list(c: &C<'_>) -> Out {
    reading::list(c.this, &c.args, 0)
}

/// `consume_batch timeoutMS count array code`
pub fn consume_batch(c: &C<'_>) -> Out {
    batch::start(c.this, &c.args, 0)
}

/// `close ?timeoutMS? ?-timeout ms? ?-command prefix?`: what the script was given counts, the message
/// in hand too.
pub fn close(c: &C<'_>) -> Out {
    let this = c.this.clone();
    if this.rebalance.borrow().is_some() {
        return Err(Error::State("close inside the object's rebalance callback".to_owned()));
    }
    let default = i32::try_from(LEAVE.as_millis()).unwrap_or(i32::MAX);
    let Manner { timeout, command, .. } = Manner::timed(&c.args, default)?;
    this.reader.count_all();
    this.callback.set(None);
    // Without a limit still means with one that no group needs: a day.
    let ms = u64::try_from(timeout).unwrap_or(86_400_000);
    this.begin_close(Duration::from_millis(ms));
    Ok(handle::closing(this, command, move |core| {
        command::delete(core.interp(), core.id);
        if let Some(e) = core.client.refusal() {
            let detail = format!("{} could not commit and leave its group", core.live.name);
            return Err(rdk::Error { detail, ..e.clone() }.into());
        }
        if core.client.closed() {
            return Ok(Obj::empty());
        }
        let detail = format!("{} did not leave its group within {timeout} ms", core.live.name);
        Err(Error::kafka(ErrorCode::TIMED_OUT, detail))
    }))
}
