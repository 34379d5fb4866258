//! The ends that run no delete procs of ours, or too late: `exit`, a thread's end, an interpreter's.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Once;

use super::core::Lingering;
use super::live::{self, Whose};
use super::retired::Retired;
use crate::rdk;
use crate::tcl::{event, repeats, Interp, State};

thread_local! {
    static THREAD: Cell<bool> = const { Cell::new(false) };
    /// The interpreters of this thread.
    static STATES: RefCell<Vec<Weak<State>>> = const { RefCell::new(Vec::new()) };
}

/// Whether the process ends: then nothing has to be freed.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Per interpreter: whether its end is watched.
#[derive(Default)]
struct Watched(Cell<bool>);

/// Sees to the ends of the process, of this thread and of this interpreter; each once.
pub fn init(interp: Interp) {
    static PROCESS: Once = Once::new();
    PROCESS.call_once(|| {
        event::on_process_exit(|| {
            ENDING.store(true, Ordering::Release);
            STATES.with_borrow(|all| {
                all.iter().filter_map(Weak::upgrade).for_each(|s| say_untold(&s))
            });
            live::finish(&Whose::Process);
        });
        rdk::across_fork(live::hold);
        rdk::across_fork(event::hold_door);
    });
    if !THREAD.replace(true) {
        event::on_thread_exit(thread_end);
    }
    watch(interp);
    // A child's cluster may have to outlive it, if it goes with its parent.
    let mut above = interp;
    while let Some(parent) = above.parent() {
        watch(parent);
        above = parent;
    }
}

/// Sees to the end of an interpreter of this thread.
fn watch(interp: Interp) {
    let state = interp.state();
    if !state.data::<Watched>().0.replace(true) {
        state.on_delete(interp_end);
        STATES.with_borrow_mut(|all| {
            all.retain(|s| s.strong_count() > 0);
            all.push(Rc::downgrade(&state));
        });
    }
}

/// `thread::exit` does not delete the thread's interpreters. Their clients would stay, each with its
/// threads and connections, so the objects go here; but for one in whose callback or body the thread
/// ends, which the call's frame holds.
fn thread_end() {
    live::finish(&Whose::ThisThread);
    if ENDING.load(Ordering::Acquire) {
        return;
    }
    let states = STATES.take();
    for state in states.iter().filter_map(Weak::upgrade) {
        state.end();
    }
}

/// What failed in callbacks and was only counted.
fn say_untold(state: &State) {
    for text in repeats::untold(state) {
        rdk::to_stderr(format!("kafka: {text}"));
    }
}

fn interp_end(state: &State) {
    say_untold(state);
    live::finish(&Whose::Interp(state.interp.ptr() as usize));
    state.data::<Lingering>().clear();
    let dying = |s: &Rc<State>| s.dying() && s.interp != state.interp;
    let other = STATES.with_borrow(|all| all.iter().filter_map(Weak::upgrade).find(dying));
    state.data::<Retired>().hand_over(other);
}
