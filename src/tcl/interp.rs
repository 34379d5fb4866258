//! An interpreter, and what the package keeps for it.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{c_char, c_void, CStr, CString};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::Error;
use super::guard::guard;
use super::obj::Obj;
use super::sys::{self, Tcl_Command, Tcl_Interp};

/// An interpreter of this thread. A copy does not keep it alive: whoever holds one past a call asks
/// [`State::deleted`] first.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Interp(*mut Tcl_Interp);

/// A command of an interpreter, as Tcl names it to us; only ever kept while the command lives.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Token(Tcl_Command);

impl Token {
    /// # Safety
    /// `token` is of a live command, and the value is dropped or forgotten when that goes.
    pub unsafe fn new(token: Tcl_Command) -> Token {
        Token(token)
    }
}

/// One of the package's commands that is alive.
#[derive(Clone, Copy)]
pub struct Entry {
    pub kind: &'static str,
    pub token: Token,
}

/// What the package keeps for one interpreter, until that is deleted.
pub struct State {
    pub interp: Interp,
    deleted: Cell<bool>,
    /// The commands of objects, by object id.
    pub commands: RefCell<BTreeMap<u64, Entry>>,
    data: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
    on_delete: RefCell<Vec<fn(&State)>>,
}

/// The name of the state among what extensions keep in an interpreter. Two copies of this library
/// that were loaded from two files (a newer one, beside the old one that is in use) each have their
/// own: the memory of one means nothing to the other.
fn key() -> *const c_char {
    static KEY: OnceLock<CString> = OnceLock::new();
    KEY.get_or_init(|| {
        let here = std::ptr::addr_of!(KEY) as usize;
        CString::new(format!("kafka::state {here:x}")).unwrap_or_default()
    })
    .as_ptr()
}

impl Interp {
    /// # Safety
    /// `p` is a live interpreter of the calling thread.
    pub unsafe fn from_ptr(p: *mut Tcl_Interp) -> Interp {
        Interp(p)
    }

    #[inline]
    pub fn ptr(self) -> *mut Tcl_Interp {
        self.0
    }

    /// Whether the interpreter is being deleted.
    pub fn is_deleted(self) -> bool {
        // SAFETY: live, or preserved by whoever runs our code.
        unsafe { sys::interp_deleted(self.0) != 0 }
    }

    /// The interpreter that this one is a child of, and is deleted with.
    pub fn parent(self) -> Option<Interp> {
        // SAFETY: live; a child has its parent as long as it lives itself.
        let parent = unsafe { sys::get_parent(self.0) };
        (!parent.is_null()).then_some(Interp(parent))
    }

    pub fn is_safe(self) -> bool {
        // SAFETY: live.
        unsafe { sys::is_safe(self.0) != 0 }
    }

    #[inline]
    pub fn set_result(self, o: &Obj) {
        // SAFETY: live interpreter and value; Tcl takes its own reference.
        unsafe { sys::set_result(self.0, o.ptr()) }
    }

    pub fn result(self) -> Obj {
        // SAFETY: the result is a live value.
        unsafe { Obj::borrow(sys::get_result(self.0)) }
    }

    /// The errorCode of the error that was just thrown.
    pub fn error_code(self) -> Obj {
        // SAFETY: live interpreter; the options are ours once they have a reference of ours.
        let options = unsafe { Obj::borrow(sys::get_return_options(self.0, sys::TCL_ERROR)) };
        options.dict_get("-errorcode").unwrap_or_else(|| Obj::text("NONE"))
    }

    pub fn reset_result(self) {
        // SAFETY: live.
        unsafe { sys::reset_result(self.0) }
    }

    /// Sets message and errorCode for a return of TCL_ERROR.
    pub fn set_error(self, message: &str, code: &Obj) {
        self.set_result(&Obj::text(message));
        // SAFETY: live; Tcl takes its own reference.
        unsafe { sys::set_error_code(self.0, code.ptr()) }
    }

    /// Of the error that was just set: keeps the words of the call out of -errorinfo and
    /// -errorstack. Tcl adds them once the command has returned, but not where both are there.
    pub fn hide_words(self) {
        // SAFETY: live interpreter; the options are ours once they have a reference of ours, a copy
        // that nobody else has is changed, and Tcl takes what it keeps.
        unsafe {
            let found = Obj::borrow(sys::get_return_options(self.0, sys::TCL_ERROR));
            let options = Obj::borrow(sys::duplicate(found.ptr()));
            let (info, stack) = (Obj::text("-errorinfo"), Obj::text("-errorstack"));
            sys::dict_put(std::ptr::null_mut(), options.ptr(), info.ptr(), self.result().ptr());
            sys::dict_put(std::ptr::null_mut(), options.ptr(), stack.ptr(), Obj::empty().ptr());
            sys::set_return_options(self.0, options.ptr());
        }
    }

    /// The line of the body whose evaluation has just failed (Tcl_GetErrorLine).
    pub fn error_line(self) -> i32 {
        // SAFETY: live.
        unsafe { sys::error_line(self.0) }
    }

    pub fn add_error_info(self, text: &str) {
        let o = Obj::text(text);
        // SAFETY: live; the value is read only.
        unsafe { sys::append_error_info(self.0, o.ptr()) }
    }

    /// Hands an error of a callback to the interpreter's background error handler.
    pub fn background_error(self, code: i32) {
        // SAFETY: live.
        unsafe { sys::background_exception(self.0, code) }
    }

    /// Whether the script was cancelled (`interp cancel`); its message is then the result.
    pub fn check_canceled(self) -> Result<(), Error> {
        // SAFETY: live.
        if unsafe { sys::canceled(self.0, sys::TCL_LEAVE_ERR_MSG) } == sys::TCL_OK {
            Ok(())
        } else {
            Err(Error::Canceled)
        }
    }

    /// Whether a limit of the interpreter (`interp limit`) is passed.
    pub fn is_past_limit(self) -> bool {
        // SAFETY: live; the time is ours.
        unsafe {
            if sys::limit_exceeded(self.0) != 0 {
                return true;
            }
            if sys::limit_enabled(self.0, sys::TCL_LIMIT_TIME) == 0 {
                return false;
            }
            let mut limit = sys::Tcl_Time { sec: 0, usec: 0 };
            sys::limit_time(self.0, &mut limit);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now = (now.as_secs().cast_signed(), i64::from(now.subsec_micros()));
            // Tcl compares so, too (Tcl_LimitCheck).
            (limit.sec, limit.usec) < now
        }
    }

    /// Sets `name(element)`. The value's reference is ours until the variable has its own.
    #[inline]
    pub fn set_element(self, array: &Obj, element: &Obj, value: &Obj) -> bool {
        // SAFETY: live values with references held by the caller.
        unsafe {
            !sys::set_var2(self.0, array.ptr(), element.ptr(), value.ptr(), sys::TCL_LEAVE_ERR_MSG)
                .is_null()
        }
    }

    /// Unsets `name(element)` if it is there.
    pub fn unset_element(self, array: &Obj, element: &Obj) {
        // A string representation ends with a NUL and has none inside (Tcl_GetStringFromObj's
        // manual page), so it is a C string as it stands.
        let (a, e) = (array.raw().as_ptr().cast(), element.raw().as_ptr().cast());
        // SAFETY: live interpreter, NUL-terminated names of values that the caller holds; a missing
        // element is no fault.
        unsafe {
            sys::unset_var2(self.0, a, e, 0);
        }
    }

    /// The command that a name stands for at global level, if any.
    pub fn find_command(self, name: &str) -> Option<Token> {
        let name = CString::new(super::utf::to_tcl(name, sys::is_tcl9())).ok()?;
        // SAFETY: live interpreter; TCL_GLOBAL_ONLY looks from the global namespace.
        let t = unsafe {
            sys::find_command(self.0, name.as_ptr(), std::ptr::null_mut(), sys::TCL_GLOBAL_ONLY)
        };
        (!t.is_null()).then_some(Token(t))
    }

    /// A command's qualified name.
    pub fn command_name(self, token: Token) -> Obj {
        let o = Obj::empty();
        // SAFETY: the token is of a live command; the value is new and ours alone.
        unsafe { sys::command_full_name(self.0, token.0, o.ptr()) };
        o
    }

    /// The client data of a command.
    pub fn command_data(self, token: Token) -> Option<*mut c_void> {
        self.command_info(token).map(|info| info.obj_client_data)
    }

    fn command_info(self, token: Token) -> Option<sys::Tcl_CmdInfo> {
        let mut info = std::mem::MaybeUninit::<sys::Tcl_CmdInfo>::zeroed();
        // SAFETY: the token is of a live command; zeroes are a valid Tcl_CmdInfo, which Tcl fills.
        unsafe {
            let found = sys::command_info(token.0, info.as_mut_ptr());
            (found != 0).then(|| info.assume_init())
        }
    }

    pub fn delete_command(self, token: Token) {
        // SAFETY: the token is of a live command.
        unsafe {
            sys::delete_command(self.0, token.0);
        }
    }

    /// Makes a namespace, unless it is there, and has it export `names`.
    pub fn namespace(self, name: &CStr, exports: &[&CStr]) {
        // SAFETY: live interpreter, static strings.
        unsafe {
            let mut ns = sys::find_namespace(
                self.0,
                name.as_ptr(),
                std::ptr::null_mut(),
                sys::TCL_GLOBAL_ONLY,
            );
            if ns.is_null() {
                ns = sys::create_namespace(
                    self.0,
                    name.as_ptr(),
                    std::ptr::null_mut(),
                    std::ptr::null(),
                );
            }
            for export in exports {
                sys::export(self.0, ns, export.as_ptr(), 0);
            }
        }
    }

    pub fn require_tcl(self) -> bool {
        // SAFETY: live interpreter, static strings.
        unsafe {
            !sys::pkg_require(self.0, c"Tcl".as_ptr(), c"8.6-".as_ptr(), 0, std::ptr::null_mut())
                .is_null()
        }
    }

    /// Whether this Tcl has threads: its own word for that is an element of `tcl_platform`, which
    /// Tcl 9 has no more, for it always has them.
    pub fn has_threads(self) -> bool {
        if sys::is_tcl9() {
            return true;
        }
        // SAFETY: live interpreter, static strings; the value is a string that is read at once.
        unsafe {
            let (array, element) = (c"tcl_platform".as_ptr(), c"threaded".as_ptr());
            let value = sys::get_var2(self.0, array, element, sys::TCL_GLOBAL_ONLY);
            !value.is_null() && CStr::from_ptr(value) != c"0"
        }
    }

    /// Puts a global command out of sight, under a name that only `interp invokehidden` knows. It
    /// takes the place of one that has the name.
    pub fn hide(self, name: &CStr, hidden: &CStr) -> bool {
        // SAFETY: live interpreter, NUL-terminated strings.
        unsafe {
            if sys::hide_command(self.0, name.as_ptr(), hidden.as_ptr()) == sys::TCL_OK {
                return true;
            }
            let old = c"kafka:replaced".as_ptr();
            if sys::expose_command(self.0, hidden.as_ptr(), old) == sys::TCL_OK {
                sys::delete_command_named(self.0, old);
            }
            self.reset_result();
            sys::hide_command(self.0, name.as_ptr(), hidden.as_ptr()) == sys::TCL_OK
        }
    }

    pub fn provide(self, name: &CStr, version: &CStr) -> bool {
        // SAFETY: live interpreter, static strings.
        unsafe {
            sys::pkg_provide(self.0, name.as_ptr(), version.as_ptr(), std::ptr::null())
                == sys::TCL_OK
        }
    }

    /// Refuses with a plain message, before there is any state.
    pub fn refuse(self, message: &str) {
        self.set_error(message, &Obj::texts(["KAFKA", "STATE", message, "", ""]));
    }

    /// What the package keeps for this interpreter; made at the first call.
    pub fn state(self) -> Rc<State> {
        // SAFETY: live interpreter; the data is the box that this function put there.
        unsafe {
            let p = sys::get_assoc(self.0, key(), std::ptr::null_mut());
            if !p.is_null() {
                return (*p.cast::<Rc<State>>()).clone();
            }
            let state = Rc::new(State {
                interp: self,
                deleted: Cell::new(false),
                commands: RefCell::default(),
                data: RefCell::default(),
                on_delete: RefCell::default(),
            });
            let boxed = Box::into_raw(Box::new(state.clone()));
            sys::set_assoc(self.0, key(), Some(interp_deleted), boxed.cast::<c_void>());
            state
        }
    }
}

impl State {
    /// Whether the interpreter is gone or going.
    pub fn deleted(&self) -> bool {
        self.deleted.get() || self.interp.is_deleted()
    }

    /// Whether the interpreter is being deleted, and its commands' or children's turn it is still.
    pub fn dying(&self) -> bool {
        // The flag first: once it is set the interpreter's memory may be gone.
        !self.deleted.get() && self.interp.is_deleted()
    }

    /// Data of one type, made at the first call.
    pub fn data<T: Default + 'static>(&self) -> Rc<T> {
        let mut data = self.data.borrow_mut();
        let any = data.entry(TypeId::of::<T>()).or_insert_with(|| Rc::new(T::default())).clone();
        any.downcast::<T>().unwrap_or_default()
    }

    /// Has `f` called once when the interpreter is deleted, after its commands are gone.
    pub fn on_delete(&self, f: fn(&State)) {
        self.on_delete.borrow_mut().push(f);
    }

    /// The interpreter's thread ends and leaves it undeleted, as `thread::exit` does: what its deletion
    /// would do. Its commands go, and with them what they hold.
    pub fn end(&self) {
        if self.deleted() {
            return;
        }
        self.deleted.set(true);
        let tokens: Vec<Token> = self.commands.borrow().values().map(|e| e.token).collect();
        for token in tokens {
            // A delete trace may have deleted another.
            if self.commands.borrow().values().any(|e| e.token == token) {
                self.interp.delete_command(token);
            }
        }
        let hooks = self.on_delete.take();
        for hook in hooks {
            hook(self);
        }
    }

    /// The command of an object, while it lives.
    pub fn command_of(&self, id: u64) -> Option<Entry> {
        self.commands.borrow().get(&id).copied()
    }
}

unsafe extern "C" fn interp_deleted(data: *mut c_void, _interp: *mut Tcl_Interp) {
    // SAFETY: the box made in `state`; Tcl calls this once.
    let state = unsafe { Box::from_raw(data.cast::<Rc<State>>()) };
    let _ = guard(|| {
        let hooks = state.on_delete.take();
        for hook in hooks {
            hook(&state);
        }
        state.deleted.set(true);
    });
}

/// A C string for Tcl, or none when the text has a NUL.
pub fn c_text(s: &str) -> Option<CString> {
    CString::new(&*super::utf::to_tcl(s, sys::is_tcl9())).ok()
}

/// The bytes of a C string of Tcl's as text.
///
/// # Safety
/// `p` points to a NUL-terminated string.
pub unsafe fn from_c(p: *const c_char) -> String {
    // SAFETY: by the contract above.
    super::utf::from_tcl(unsafe { CStr::from_ptr(p) }.to_bytes()).into_owned()
}
