//! Work that evaluates Tcl on its way, as a state machine on the heap.
//!
//! Tcl code that we start may yield (a batch body in a coroutine), may never come back
//! (`thread::exit` unwinds the C stack by force) and may delete whatever it likes. So no frame of
//! ours that owns anything is ever below an evaluation: a [`Task`] says what to evaluate next, a
//! driver that holds plain data only has Tcl do it, and calls the task again with the outcome.
//! There are two drivers: [`drive`] for commands (through Tcl's non-recursive engine) and
//! [`run_from_event`] for event procs.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::guard::guard;
use super::interp::Interp;
use super::obj::Obj;
use super::repeats;
use super::sys::{self, Tcl_Interp, Tcl_Obj};

/// How an evaluation ended: Tcl's return code.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Code(pub c_int);

impl Code {
    pub const OK: Code = Code(sys::TCL_OK);
    pub const ERROR: Code = Code(sys::TCL_ERROR);
    pub const BREAK: Code = Code(sys::TCL_BREAK);
    pub const CONTINUE: Code = Code(sys::TCL_CONTINUE);

    pub fn is_ok(self) -> bool {
        self == Code::OK
    }
}

/// An error that knows how to become an interpreter's result; the return code is TCL_ERROR.
pub trait Raise {
    fn raise(&self, interp: Interp);
}

impl<E: Raise + 'static> From<E> for Box<dyn Raise> {
    fn from(e: E) -> Self {
        Box::new(e)
    }
}

/// What a task wants next.
pub enum Next {
    /// Call the words that the task put together, at global level. An error goes to the background
    /// error handler ([`repeats`]); the task learns the code only.
    Call,
    /// As `Call`, for a callback that is asked something: its result or its error stays in the
    /// interpreter, and the task reads it at its next step.
    Ask,
    /// Evaluate a script in the caller's frame. The code comes back, the result stays in the
    /// interpreter.
    Body(Obj),
    /// Have Tcl see to what it lets wait while no script runs: signals and other asynchronous handlers
    /// (Tcl_AsyncInvoke), and limits (Tcl_LimitCheck). Only what these throw ends the task.
    Attend,
    /// The end, with a result.
    Done(Option<Obj>),
    /// The end, with an error.
    Fail(Box<dyn Raise>),
    /// The end; code and result are those that the body left in the interpreter.
    Leave(Code),
}

/// A piece of work that evaluates Tcl on its way.
pub trait Task {
    /// Goes on to the next evaluation or to the end. `code` is how the last evaluation ended
    /// (TCL_OK at the first step). For [`Next::Call`] and [`Next::Ask`] the words go into `words`,
    /// which is empty.
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next;
}

/// A task with what its current evaluation needs, at a fixed place.
pub struct Frame {
    task: Box<dyn Task>,
    words: Vec<Obj>,
    body: Option<Obj>,
    calling: bool,
    attending: bool,
}

/// What a driver has Tcl do; plain data.
#[derive(Copy, Clone)]
enum Plan {
    Finish(c_int),
    Call { objc: isize, objv: *const *mut Tcl_Obj },
    Body(*mut Tcl_Obj),
    Attend,
}

impl Frame {
    pub fn new(task: Box<dyn Task>) -> *mut Frame {
        Box::into_raw(Box::new(Frame {
            task,
            words: Vec::new(),
            body: None,
            calling: false,
            attending: false,
        }))
    }

    fn step(&mut self, interp: Interp, code: Code) -> Plan {
        if std::mem::take(&mut self.attending) {
            if !code.is_ok() {
                return Plan::Finish(code.0);
            }
            if interp.is_deleted() {
                return Plan::Finish(sys::TCL_ERROR);
            }
        }
        if self.calling {
            self.calling = false;
            if !code.is_ok() && !interp.is_deleted() {
                repeats::report(interp, code, &self.words);
            }
        }
        self.words.clear();
        self.body = None;
        if interp.is_deleted() && !code.is_ok() {
            return Plan::Finish(code.0);
        }
        match self.task.step(interp, code, &mut self.words) {
            Next::Call | Next::Ask if interp.is_deleted() => Plan::Finish(sys::TCL_ERROR),
            next @ (Next::Call | Next::Ask) => {
                self.calling = matches!(next, Next::Call);
                Plan::Call {
                    objc: self.words.len() as isize,
                    objv: self.words.as_ptr().cast::<*mut Tcl_Obj>(),
                }
            }
            Next::Body(script) => {
                let p = script.ptr();
                self.body = Some(script);
                Plan::Body(p)
            }
            Next::Done(value) => {
                match value {
                    Some(v) => interp.set_result(&v),
                    None => interp.reset_result(),
                }
                Plan::Finish(sys::TCL_OK)
            }
            Next::Attend => {
                self.attending = true;
                Plan::Attend
            }
            Next::Fail(e) => {
                e.raise(interp);
                Plan::Finish(sys::TCL_ERROR)
            }
            Next::Leave(code) => Plan::Finish(code.0),
        }
    }
}

/// One guarded step. Frees the frame when it was the last.
///
/// # Safety
/// `frame` comes from [`Frame::new`], is live and used by one driver only; `interp` is live.
unsafe fn step(interp: *mut Tcl_Interp, frame: *mut Frame, code: c_int) -> Plan {
    let plan = guard(|| {
        // SAFETY: by the contract above.
        unsafe { (*frame).step(Interp::from_ptr(interp), Code(code)) }
    });
    let plan = plan.unwrap_or_else(|panic| {
        // SAFETY: `interp` is live.
        let interp = unsafe { Interp::from_ptr(interp) };
        let _ = guard(|| raise_panic(interp, &panic));
        Plan::Finish(sys::TCL_ERROR)
    });
    if let Plan::Finish(_) = plan {
        // SAFETY: from Box::into_raw, and no driver goes on after Finish.
        let frame = unsafe { Box::from_raw(frame) };
        let _ = guard(move || drop(frame));
    }
    plan
}

/// Turns a caught panic into the interpreter's result.
pub fn raise_panic(interp: Interp, panic: &str) {
    let text = format!("kafka error: internal error ({panic}); please report it");
    interp.set_error(&text, &Obj::texts(["KAFKA", "INTERNAL", "internal error", panic, ""]));
}

/// Runs a command's task through Tcl's non-recursive engine: between its steps no frame of ours is
/// on the C stack.
///
/// # Safety
/// As for `step`; called as the last thing of an NR command procedure or of an NR callback.
pub unsafe extern "C-unwind" fn drive(
    interp: *mut Tcl_Interp,
    frame: *mut Frame,
    mut code: c_int,
) -> c_int {
    // Plain data only from here on: Tcl may unwind this frame by force.
    let plan = loop {
        // SAFETY: by the contract above.
        match unsafe { step(interp, frame, code) } {
            // SAFETY: as above.
            Plan::Attend => code = unsafe { attend(interp) },
            plan => break plan,
        }
    };
    match plan {
        Plan::Finish(code) => code,
        Plan::Attend => sys::TCL_ERROR,
        // SAFETY: the frame keeps the words alive until the next step; Tcl calls `resume` once the
        // evaluation ended, whatever way it ended.
        Plan::Call { objc, objv } => unsafe {
            sys::nr_add_callback(
                interp,
                resume,
                frame.cast::<c_void>(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
            sys::nr_eval_objv(interp, objc, objv, sys::TCL_EVAL_GLOBAL)
        },
        // SAFETY: as above; the frame keeps the script.
        Plan::Body(script) => unsafe {
            sys::nr_add_callback(
                interp,
                resume,
                frame.cast::<c_void>(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
            sys::nr_eval_obj(interp, script, 0)
        },
    }
}

/// Runs asynchronous handlers, and checks the interpreter's limits, whose handlers run, too. What fails leaves
/// its message as the result.
///
/// # Safety
/// `interp` is live. No frame that owns anything is below: handlers run Tcl code.
unsafe fn attend(interp: *mut Tcl_Interp) -> c_int {
    // SAFETY: by the contract above; preserved, the memory stays until the release.
    unsafe {
        sys::preserve(interp.cast::<c_void>());
        sys::reset_result(interp);
        let mut code = sys::TCL_OK;
        if sys::async_ready() != 0 {
            code = sys::async_invoke(interp, sys::TCL_OK);
        }
        if code == sys::TCL_OK && sys::interp_deleted(interp) == 0 {
            code = check_limits(interp);
        }
        sys::release(interp.cast::<c_void>());
        code
    }
}

/// # Safety
/// As for `attend`.
unsafe fn check_limits(interp: *mut Tcl_Interp) -> c_int {
    // SAFETY: by the contract above.
    unsafe {
        if !Interp::from_ptr(interp).is_past_limit() {
            return sys::TCL_OK;
        }
        // Tcl looks at a limit each so many commands only, and counts these questions.
        let most = sys::limit_granularity(interp, sys::TCL_LIMIT_COMMANDS)
            .max(sys::limit_granularity(interp, sys::TCL_LIMIT_TIME));
        for _ in 0..most {
            if sys::limit_ready(interp) != 0 && sys::limit_check(interp) != sys::TCL_OK {
                return sys::TCL_ERROR;
            }
        }
        // A handler may have set the limit further off.
        if sys::interp_deleted(interp) != 0 || !Interp::from_ptr(interp).is_past_limit() {
            return sys::TCL_OK;
        }
        let text = c"limit exceeded";
        sys::set_result(interp, sys::new_string(text.as_ptr(), text.count_bytes() as isize));
        sys::TCL_ERROR
    }
}

unsafe extern "C-unwind" fn resume(
    data: *mut *mut c_void,
    interp: *mut Tcl_Interp,
    code: c_int,
) -> c_int {
    // SAFETY: data[0] is the frame that `drive` registered; the interpreter is live.
    unsafe { drive(interp, (*data).cast::<Frame>(), code) }
}

/// Runs a task from an event proc, where no Tcl code of ours is below us.
///
/// # Safety
/// As for `step`.
pub unsafe extern "C-unwind" fn run_from_event(interp: *mut Tcl_Interp, frame: *mut Frame) {
    // Plain data only: `thread::exit` in a callback unwinds this frame by force.
    let mut code = sys::TCL_OK;
    // SAFETY: the interpreter is live now; preserved, its memory stays until the release.
    unsafe { sys::preserve(interp.cast::<c_void>()) };
    loop {
        // SAFETY: by the contract above.
        match unsafe { step(interp, frame, code) } {
            Plan::Finish(_) => break,
            // SAFETY: the frame keeps the words alive until the next step.
            Plan::Call { objc, objv } => unsafe {
                code = sys::eval_objv(interp, objc, objv, sys::TCL_EVAL_GLOBAL);
            },
            // A body has no caller's frame here, and nothing blocks: no task of an event asks.
            Plan::Body(_) | Plan::Attend => code = sys::TCL_ERROR,
        }
    }
    // SAFETY: pairs with the preserve above.
    unsafe { sys::release(interp.cast::<c_void>()) };
}
