//! Tcl commands over Rust objects.
//!
//! A command owns one `Rc` of its object; a call works on a clone, so a method may delete its own
//! command. Names are checked before anything is made, and an object's command is found by the
//! object's id, so that a renamed command stays its object's.

use std::ffi::{c_int, c_void, CStr};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::Error;
use super::guard::guard;
use super::interp::{c_text, Entry, Interp, Token};
use super::method::{Call, Flow, Object, Outcome};
use super::obj::Obj;
use super::sys::{self, Tcl_Interp, Tcl_Obj};
use super::task::{drive, raise_panic, Frame, Raise};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A new id: unique in the process, never used again.
pub fn new_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// A name that a new command may take.
pub struct Name {
    full: String,
    replaces: Option<u64>,
}

/// Checks the name for a new object: `#auto` makes a unique one, an unqualified name is global, a
/// name of one of our objects replaces that, any other existing command is an error.
pub fn check_name<T: Object>(interp: Interp, word: &Obj) -> Result<Name, Error> {
    static COUNTERS: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    let name = word.str();
    if name == "#auto" {
        // One counter for each prefix: its bytes choose the place.
        let slot = T::AUTO.bytes().map(usize::from).sum::<usize>() % COUNTERS.len();
        loop {
            let n = COUNTERS[slot].fetch_add(1, Ordering::Relaxed);
            let name = format!("{}{n}", T::AUTO);
            if interp.find_command(&name).is_none() {
                return Ok(Name { full: name, replaces: None });
            }
        }
    }
    if name.is_empty() || name.ends_with("::") || name.contains('\0') {
        return Err(Error::argument("command name", "a name or #auto", &name));
    }
    let mut replaces = None;
    if let Some(token) = interp.find_command(&name) {
        let state = interp.state();
        let commands = state.commands.borrow();
        replaces = commands.iter().find(|(_, e)| e.token == token).map(|(id, _)| *id);
        if replaces.is_none() {
            let message = format!("command \"{name}\" already exists and is no kafka object");
            return Err(Error::Argument { message });
        }
    }
    Ok(Name { full: name.into_owned(), replaces })
}

/// Makes the command; its name as it was given comes back, or qualified when `qualify` is set.
pub fn create<T: Object>(
    interp: Interp,
    name: Name,
    object: Rc<T>,
    qualify: bool,
) -> Result<Obj, Error> {
    let state = interp.state();
    if let Some(old) = name.replaces.and_then(|id| state.command_of(id)) {
        interp.delete_command(old.token);
    }
    let c_name = c_text(&name.full)
        .ok_or_else(|| Error::argument("command name", "a name without NUL", &name.full))?;
    let id = object.id();
    let Some(token) = register(interp, &c_name, object) else {
        return Err(Error::Argument {
            message: format!(
                "can't create command \"{}\": its interpreter or namespace is being deleted",
                name.full
            ),
        });
    };
    state.commands.borrow_mut().insert(id, Entry { kind: T::KIND, token });
    if qualify {
        Ok(interp.command_name(token))
    } else {
        Ok(Obj::text(&name.full))
    }
}

/// A plain command of the package that is no object (`::kafka::kafka` itself).
pub fn create_plain<T: Object>(interp: Interp, name: &str, object: Rc<T>) -> bool {
    c_text(name).is_some_and(|name| register(interp, &name, object).is_some())
}

/// Makes a Tcl command of an object, unless its interpreter or namespace is being deleted.
fn register<T: Object>(interp: Interp, name: &CStr, object: Rc<T>) -> Option<Token> {
    let data = Box::into_raw(Box::new(object)).cast::<c_void>();
    // SAFETY: live interpreter; the box is freed by `delete_proc`, which Tcl calls once.
    let token = unsafe {
        sys::nr_create_command(
            interp.ptr(),
            name.as_ptr(),
            object_proc::<T>,
            nr_proc::<T>,
            data,
            Some(delete_proc::<T>),
        )
    };
    if token.is_null() {
        // SAFETY: Tcl did not take the box.
        drop(unsafe { Box::from_raw(data.cast::<Rc<T>>()) });
        return None;
    }
    // SAFETY: the command was just made; `delete_proc` takes its entry out of the registry.
    Some(unsafe { Token::new(token) })
}

/// The object behind a command's name, if it is one of this type.
pub fn object<T: Object>(interp: Interp, name: &str) -> Option<Rc<T>> {
    let token = interp.find_command(name)?;
    let state = interp.state();
    let commands = state.commands.borrow();
    commands.values().find(|e| e.token == token && e.kind == T::KIND)?;
    let data = interp.command_data(token)?;
    // SAFETY: a command in the registry with this type's name was made by `create::<T>`, so its data
    // is a box of `Rc<T>`, alive as long as the command.
    Some(unsafe { (*data.cast::<Rc<T>>()).clone() })
}

/// Removes an object's command, if it is still there.
pub fn delete(interp: Interp, id: u64) {
    if let Some(entry) = interp.state().command_of(id) {
        interp.delete_command(entry.token);
    }
}

/// The method `delete` of every object: removes its own command.
pub fn delete_self<T: Object>(c: &Call<'_, T>) -> Outcome<T> {
    delete(c.interp, c.this.id());
    Ok(Flow::Empty)
}

unsafe extern "C-unwind" fn object_proc<T: Object>(
    data: *mut c_void,
    interp: *mut Tcl_Interp,
    objc: c_int,
    objv: *const *mut Tcl_Obj,
) -> c_int {
    // SAFETY: Tcl calls the object proc where it has no trampoline; this gives it one.
    unsafe { sys::nr_call_proc(interp, nr_proc::<T>, data, objc, objv) }
}

unsafe extern "C-unwind" fn nr_proc<T: Object>(
    data: *mut c_void,
    interp: *mut Tcl_Interp,
    objc: c_int,
    objv: *const *mut Tcl_Obj,
) -> c_int {
    // SAFETY: the interpreter and the words are live during the call; data is the command's box.
    let outcome = guard(|| unsafe { call::<T>(data, interp, objc, objv) });
    // Plain data only from here on.
    match outcome {
        Ok(Started::Code(code)) => code,
        // SAFETY: a new frame, driven by this call only.
        Ok(Started::Frame(frame)) => unsafe { drive(interp, frame, sys::TCL_OK) },
        Err(panic) => {
            // SAFETY: live interpreter.
            let interp = unsafe { Interp::from_ptr(interp) };
            let _ = guard(move || raise_panic(interp, &panic));
            sys::TCL_ERROR
        }
    }
}

enum Started {
    Code(c_int),
    Frame(*mut Frame),
}

/// # Safety
/// As for a Tcl object command whose client data is a box of `Rc<T>`.
unsafe fn call<T: Object>(
    data: *mut c_void,
    interp: *mut Tcl_Interp,
    objc: c_int,
    objv: *const *mut Tcl_Obj,
) -> Started {
    // SAFETY: by the contract above; `Obj` is one pointer wide and the slice owns nothing.
    let (interp, this, words) = unsafe {
        let words = std::slice::from_raw_parts(objv.cast::<Obj>(), objc as usize);
        let object = &*data.cast::<Rc<T>>();
        // Evaluates nothing, so the command stays.
        if object.quick(words) {
            return Started::Code(sys::TCL_OK);
        }
        (Interp::from_ptr(interp), object.clone(), words)
    };
    match T::table().call(interp, &this, words) {
        Ok(Flow::Empty) => Started::Code(sys::TCL_OK),
        Ok(Flow::Value(v)) => {
            interp.set_result(&v);
            Started::Code(sys::TCL_OK)
        }
        Ok(Flow::Run(task)) => Started::Frame(Frame::new(task)),
        Err(e) => {
            e.raise(interp);
            let name = words.get(1).map(Obj::str).unwrap_or_default();
            if T::PRIVATE.contains(&&*name) {
                interp.hide_words();
            }
            Started::Code(sys::TCL_ERROR)
        }
    }
}

unsafe extern "C" fn delete_proc<T: Object>(data: *mut c_void) {
    // SAFETY: the box made in `create`; Tcl calls this once.
    let object = unsafe { Box::from_raw(data.cast::<Rc<T>>()) };
    let _ = guard(move || {
        object.state().commands.borrow_mut().remove(&object.id());
        object.deleted();
    });
}
