//! The end of an object: closing within a bound, and lingering once its command is gone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Core;
use crate::cmd::retired::Retired;
use crate::tcl::event::{self, Timer};

/// Where an object is in its life.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Life {
    Open,
    /// `close` or `delete` has begun; the client finishes.
    Closing {
        deadline: Option<Instant>,
    },
    Closed,
}

impl Core {
    /// Begins the end: `within` bounds it (none: no bound).
    pub fn begin_close(&self, within: Option<Duration>) {
        match self.life.get() {
            Life::Open => self.life.set(Life::Closing { deadline: None }),
            Life::Closed => return,
            // A `close` was given up, and now the object is deleted: the sooner end counts.
            Life::Closing { deadline } => {
                let later = |d: Duration| deadline.is_none_or(|old| old > Instant::now() + d);
                if !within.is_some_and(later) {
                    return;
                }
            }
        }
        if let Some(d) = within {
            self.extend_close(d);
        }
        self.again();
    }

    /// Bounds the closing anew, from now on.
    pub fn extend_close(&self, within: Duration) {
        self.life.set(Life::Closing { deadline: Some(Instant::now() + within) });
        if let Some(source) = self.source() {
            let timer = Timer::new(within + Duration::from_millis(1), source.clone());
            let old = self.closing_timer.replace(Some(timer));
            drop(old);
        }
    }

    /// A callback that the closing had to wait for took that long: its time does not count.
    pub fn pause_close(&self, took: Duration) {
        if let Life::Closing { deadline: Some(deadline) } = self.life.get() {
            self.extend_close((deadline + took).saturating_duration_since(Instant::now()));
        }
    }

    /// Whether the closing's time is over.
    pub fn overdue(&self) -> bool {
        match self.life.get() {
            Life::Closing { deadline } => deadline.is_some_and(|d| Instant::now() >= d),
            _ => false,
        }
    }

    /// The client is done with: nothing of it is called any more. The last Arc of the client is
    /// dropped on a thread of its own.
    pub fn finish(&self) {
        if self.life.replace(Life::Closed) == Life::Closed {
            return;
        }
        drop(self.closing_timer.take());
        self.hope.end();
        self.logger.close();
        self.main.disable_wake();
        self.tokens.close();
        event::unregister(self.id);
        self.live.leave();
        self.calls.end(self, &self.state);
        self.state.data::<Lingering>().0.borrow_mut().remove(&self.id);
        self.state.data::<Retired>().look();
    }

    /// Keeps an object whose command is gone until its client is finished.
    pub fn linger(&self, object: Rc<dyn std::any::Any>) {
        self.state.data::<Lingering>().0.borrow_mut().insert(self.id, object);
    }
}

/// Deleted objects whose clients finish in the background, by id.
#[derive(Default)]
pub struct Lingering(RefCell<BTreeMap<u64, Rc<dyn std::any::Any>>>);

impl Lingering {
    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Drops all of them: their clients were finished by other means.
    pub fn clear(&self) {
        let all = self.0.take();
        drop(all);
    }
}
