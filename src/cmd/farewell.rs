//! The last words of objects that have ended: results of `-command` calls that were under way.
//!
//! An ended object gets no turns, and may be dropped with its command. What is still to be said goes
//! through one source per interpreter that outlives the objects.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::tcl::command::new_id;
use crate::tcl::event::{self, Source, Turn};
use crate::tcl::{Code, Interp, Next, Obj, Prefix, State, Task};

#[derive(Default)]
pub struct Farewell {
    source: OnceCell<Arc<Source>>,
    interp: OnceCell<Interp>,
    calls: RefCell<VecDeque<(Prefix, Obj)>>,
}

impl Farewell {
    /// Has each prefix called with its argument, when the event loop comes round.
    pub fn say(state: &State, calls: Vec<(Prefix, Obj)>) {
        if calls.is_empty() || state.deleted() {
            return;
        }
        let this = state.data::<Farewell>();
        let _ = this.interp.set(state.interp);
        this.calls.borrow_mut().extend(calls);
        this.source
            .get_or_init(|| {
                let weak = Rc::downgrade(&this);
                event::register(new_id(), weak as Weak<dyn Turn>)
            })
            .again();
    }

    fn next(&self) -> Option<(Prefix, Obj)> {
        self.calls.borrow_mut().pop_front()
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Some(source) = self.source.get() {
            event::unregister(source.id());
        }
    }
}

impl Turn for Farewell {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        let interp = self.interp.get().copied().filter(|i| !i.is_deleted())?;
        Some((interp, Box::new(Saying(self))))
    }
}

/// One turn: all that is there, for there is one call per object and request at most.
struct Saying(Rc<Farewell>);

impl Task for Saying {
    fn step(&mut self, _interp: Interp, _code: Code, words: &mut Vec<Obj>) -> Next {
        let Some((prefix, argument)) = self.0.next() else { return Next::Done(None) };
        prefix.fill(argument, words);
        // A nested event loop in the call finds the rest.
        if let Some(source) = self.0.source.get() {
            source.again();
        }
        Next::Call
    }
}
