//! The ends that run no delete procs of ours, or too late: `exit`, a thread's end, an interpreter's.

use std::cell::Cell;
use std::sync::Once;

use super::core::Lingering;
use super::live::{self, Whose};
use crate::rdk;
use crate::tcl::{event, Interp, State};

thread_local! {
    static THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Per interpreter: whether its end is watched.
#[derive(Default)]
struct Watched(Cell<bool>);

/// Sees to the ends of the process, of this thread and of this interpreter; each once.
pub fn init(interp: Interp) {
    static PROCESS: Once = Once::new();
    PROCESS.call_once(|| {
        event::on_process_exit(|| live::finish(&Whose::Process));
        rdk::across_fork(live::hold);
        rdk::across_fork(event::hold_door);
    });
    if !THREAD.replace(true) {
        event::on_thread_exit(|| live::finish(&Whose::ThisThread));
    }
    let state = interp.state();
    if !state.data::<Watched>().0.replace(true) {
        state.on_delete(interp_end);
    }
}

fn interp_end(state: &State) {
    live::finish(&Whose::Interp(state.interp.ptr() as usize));
    state.data::<Lingering>().clear();
}
