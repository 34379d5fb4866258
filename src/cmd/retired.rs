//! Embedded clusters whose command is gone while clients may still have something for them.
//!
//! A namespace, an interpreter or a thread is deleted with the clients in it and the cluster that they
//! talk to, in an order that nobody chose: with the cluster gone first, a producer's messages would be
//! lost and a subscriber's commit would wait for nobody. So such a cluster stays until the clients of its
//! interpreter that end have ended. Only `$mock delete` ends it at once, which is what it says.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::core::Lingering;
use super::live;
use crate::rdk::Mock as Cluster;
use crate::tcl::command::new_id;
use crate::tcl::event::{self, Source, Turn};
use crate::tcl::{Interp, State, Task};

/// Those of an interpreter.
#[derive(Default)]
pub struct Retired {
    clusters: RefCell<Vec<Cluster>>,
    /// What gets a turn when a client has ended, or when the deletion is over that began with the
    /// cluster.
    look: RefCell<Option<(Rc<Look>, Arc<Source>)>>,
}

struct Look {
    id: u64,
    state: Weak<State>,
}

impl Turn for Look {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        if let Some(state) = self.state.upgrade() {
            if state.data::<Lingering>().count() == 0 {
                state.data::<Retired>().end();
            }
        }
        None
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        event::unregister(self.id);
    }
}

/// Takes a cluster whose command is gone.
pub fn retire(state: &Rc<State>, cluster: Cluster) {
    if !state.deleted() && !live::any_of(state.interp.ptr() as usize) {
        return;
    }
    let retired = state.data::<Retired>();
    retired.clusters.borrow_mut().push(cluster);
    if state.deleted() {
        // The interpreter's end comes next.
        return;
    }
    let mut look = retired.look.borrow_mut();
    let (_, source) = look.get_or_insert_with(|| {
        let look = Rc::new(Look { id: new_id(), state: Rc::downgrade(state) });
        let weak: Weak<Look> = Rc::downgrade(&look);
        let source = event::register(look.id, weak as Weak<dyn Turn>);
        (look, source)
    });
    source.again();
}

impl Retired {
    /// A client of the interpreter has ended.
    pub fn look(&self) {
        if let Some((_, source)) = &*self.look.borrow() {
            source.again();
        }
    }

    /// Ends them all.
    pub fn end(&self) {
        let (clusters, look) = (self.clusters.take(), self.look.take());
        drop(clusters);
        drop(look);
    }

    /// The interpreter has ended: its clusters go, unless another one is on its way out whose clients
    /// have not ended yet (the interpreter that this one was a child of).
    pub fn hand_over(&self, other: Option<Rc<State>>) {
        let clusters = self.clusters.take();
        if let Some(other) = other {
            other.data::<Retired>().clusters.borrow_mut().extend(clusters);
        }
        drop(self.look.take());
    }
}
