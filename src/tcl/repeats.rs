//! Failures of callbacks, which go to the interpreter's background error handler.
//!
//! A callback that fails for one message fails for the next thousand, too. The first failure is told in full; those of the
//! same command with the same message that follow are counted, and every five seconds the handler is told how many
//! they were. Nothing is left out that differs.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command::new_id;
use super::event::{self, Source, Timer, Turn};
use super::interp::{Interp, State};
use super::obj::Obj;
use super::sys;
use super::task::{Code, Next, Task};

/// How long failures are counted before they are told.
const WINDOW: Duration = Duration::from_secs(5);

/// How many failures are known at a time. More differ too much for counting to help.
const MOST: usize = 16;

/// A failure that was told, and how often it came since.
struct Known {
    command: String,
    message: String,
    code: Obj,
    told: Instant,
    more: u64,
}

/// Per interpreter.
#[derive(Default)]
struct Repeats {
    known: RefCell<Vec<Known>>,
    interp: Cell<Option<Interp>>,
    source: OnceCell<Arc<Source>>,
    /// Asks for the turn that tells what was counted.
    timer: RefCell<Option<Timer>>,
}

/// Hands the failure of a call, whose words these were, to the background error handler, or counts it.
pub fn report(interp: Interp, code: Code, words: &[Obj]) {
    if code != Code::ERROR {
        interp.background_error(code.0);
        return;
    }
    let state = interp.state();
    let repeats = state.data::<Repeats>();
    let command = words.first().map(Obj::string).unwrap_or_default();
    let message = interp.result().string();
    let mut known = repeats.known.borrow_mut();
    let same = |k: &&mut Known| k.command == command && k.message == message;
    if let Some(k) = known.iter_mut().find(same).filter(|k| k.more > 0 || k.told.elapsed() < WINDOW)
    {
        k.more += 1;
        let left = WINDOW.saturating_sub(k.told.elapsed());
        drop(known);
        interp.reset_result();
        repeats.wake_after(&state, left);
        return;
    }
    known.retain(|k| k.more > 0 || k.told.elapsed() < WINDOW);
    if known.len() < MOST {
        let code = interp.error_code();
        known.push(Known { command, message, code, told: Instant::now(), more: 0 });
    }
    drop(known);
    interp.background_error(code.0);
}

/// What was counted and not told yet, in words; it counts as told.
pub fn untold(state: &State) -> Vec<String> {
    let mut known = state.data::<Repeats>().known.take();
    known.retain(|k| k.more > 0);
    known.iter().map(Known::text).collect()
}

impl Known {
    fn text(&self) -> String {
        format!("{} (and {} more like it)", self.message, grouped(self.more))
    }
}

/// A number with a comma before each three digits.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Repeats {
    fn wake_after(self: &Rc<Self>, state: &State, left: Duration) {
        if self.timer.borrow().is_some() {
            return;
        }
        self.interp.set(Some(state.interp));
        let source = self.source.get_or_init(|| {
            state.on_delete(|state| {
                let repeats = state.data::<Repeats>();
                repeats.timer.take();
                if let Some(source) = repeats.source.get() {
                    event::unregister(source.id());
                }
            });
            let turn: Rc<dyn Turn> = self.clone();
            event::register(new_id(), Rc::downgrade(&turn))
        });
        let timer = Timer::new(left + Duration::from_millis(1), source.clone());
        *self.timer.borrow_mut() = Some(timer);
    }
}

impl Turn for Repeats {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        self.timer.take();
        Some((self.interp.get()?, Box::new(Telling(self))))
    }
}

/// Tells what was counted.
struct Telling(Rc<Repeats>);

impl Task for Telling {
    fn step(&mut self, interp: Interp, _code: Code, _words: &mut Vec<Obj>) -> Next {
        let mut next = None;
        for k in self.0.known.borrow_mut().iter_mut().filter(|k| k.more > 0) {
            let left = WINDOW.saturating_sub(k.told.elapsed());
            if !left.is_zero() {
                next = Some(next.map_or(left, |n: Duration| n.min(left)));
                continue;
            }
            interp.set_error(&k.text(), &k.code);
            // The trace of another error may still be there.
            interp.hide_words();
            interp.background_error(sys::TCL_ERROR);
            k.more = 0;
            k.told = Instant::now();
        }
        if let Some(left) = next {
            self.0.wake_after(&interp.state(), left);
        }
        Next::Done(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_groups() {
        for (n, want) in [(7, "7"), (999, "999"), (1234, "1,234"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), want);
        }
    }
}
