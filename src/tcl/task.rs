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

    /// Whether it says that asynchronous handlers wait (signals, `interp cancel` of another thread).
    /// They run then, and what they make of it comes before this error.
    fn interrupts(&self) -> bool {
        false
    }
}

impl<E: Raise + 'static> From<E> for Box<dyn Raise> {
    fn from(e: E) -> Self {
        Box::new(e)
    }
}

/// What a task wants next.
pub enum Next {
    /// Call the words that the task put together, at global level. An error goes to the background
    /// error handler; the task learns the code only.
    Call,
    /// As `Call`, for a callback that is asked something: its result or its error stays in the
    /// interpreter, and the task reads it at its next step.
    Ask,
    /// Evaluate a script in the caller's frame. The code comes back, the result stays in the
    /// interpreter.
    Body(Obj),
    /// The end, with a result.
    Done(Option<Obj>),
    /// The end, with an error.
    Fail(Box<dyn Raise>),
    /// The end; code and result are those that the body left in the interpreter.
    Leave(Code),
}

/// A task that only fails, for an error that lets asynchronous handlers speak first.
pub struct Failure(pub Option<Box<dyn Raise>>);

impl Task for Failure {
    fn step(&mut self, _interp: Interp, _code: Code, _words: &mut Vec<Obj>) -> Next {
        match self.0.take() {
            Some(e) => Next::Fail(e),
            None => Next::Leave(Code::ERROR),
        }
    }
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
    /// The error to raise once asynchronous handlers have run.
    interrupt: Option<Box<dyn Raise>>,
}

/// What a driver has Tcl do; plain data.
#[derive(Copy, Clone)]
enum Plan {
    Finish(c_int),
    Call {
        objc: isize,
        objv: *const *mut Tcl_Obj,
    },
    Body(*mut Tcl_Obj),
    /// Run asynchronous handlers; the frame keeps the error for when they have nothing to say.
    Async,
}

impl Frame {
    pub fn new(task: Box<dyn Task>) -> *mut Frame {
        Box::into_raw(Box::new(Frame {
            task,
            words: Vec::new(),
            body: None,
            calling: false,
            interrupt: None,
        }))
    }

    fn step(&mut self, interp: Interp, code: Code) -> Plan {
        if let Some(e) = self.interrupt.take() {
            // A handler may have failed, or have cancelled the script: both have left their message.
            if code.is_ok() && interp.check_canceled().is_ok() {
                e.raise(interp);
            }
            return Plan::Finish(sys::TCL_ERROR);
        }
        if self.calling {
            self.calling = false;
            if !code.is_ok() && !interp.is_deleted() {
                interp.background_error(code.0);
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
            Next::Fail(e) if e.interrupts() => {
                self.interrupt = Some(e);
                Plan::Async
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
    code: c_int,
) -> c_int {
    // Plain data only from here on: Tcl may unwind this frame by force.
    // SAFETY: by the contract above.
    match unsafe { step(interp, frame, code) } {
        Plan::Finish(code) => code,
        // SAFETY: handlers run Tcl code; nothing of ours is in this frame. After this plan the next
        // step is the last.
        Plan::Async => unsafe {
            sys::reset_result(interp);
            let code = sys::async_invoke(interp, sys::TCL_OK);
            drive(interp, frame, code)
        },
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
            Plan::Body(_) | Plan::Async => code = sys::TCL_ERROR,
        }
    }
    // SAFETY: pairs with the preserve above.
    unsafe { sys::release(interp.cast::<c_void>()) };
}
