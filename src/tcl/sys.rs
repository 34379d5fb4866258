//! The only raw Tcl FFI: Tcl's stub table, by slot, for 8.6 and 9.
//!
//! A stub table is an array of function pointers whose order is part of Tcl's ABI: a slot never
//! changes its meaning within a major version, and the slots used here mean the same in both
//! (tclDecls.h of 8.6.13 and 9.0.1), but for the few that take or give a length: `int` in 8,
//! `ptrdiff_t` in 9. Those choose at run time by [`is_tcl9`]. Nothing is linked against Tcl, so one
//! shared library loads into either, also into a statically linked tclsh.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

mod internal;
mod value;

pub use internal::{has_variable_pointers, lookup_var, ptr_set_var};
pub use value::{byte_rep, dict_rep, is_sole, list_own, list_put, list_rep, put_bytes, string};

pub const TCL_OK: c_int = 0;
pub const TCL_ERROR: c_int = 1;
pub const TCL_RETURN: c_int = 2;
pub const TCL_BREAK: c_int = 3;
pub const TCL_CONTINUE: c_int = 4;

pub const TCL_GLOBAL_ONLY: c_int = 1;
pub const TCL_LEAVE_ERR_MSG: c_int = 0x200;
/// Kinds of limits of an interpreter (Tcl_LimitTypeEnabled).
pub const TCL_LIMIT_COMMANDS: c_int = 1;
pub const TCL_LIMIT_TIME: c_int = 2;
pub const TCL_EVAL_GLOBAL: c_int = 0x20000;

pub const TCL_TRACE_UNSETS: c_int = 0x40;
pub const TCL_TRACE_DESTROYED: c_int = 0x80;

pub const TCL_SERVICE_ALL: c_int = 1;

pub const TCL_FILE_EVENTS: c_int = 1 << 3;
pub const TCL_QUEUE_TAIL: c_int = 0;

pub enum Tcl_Interp {}
pub enum Tcl_Command_ {}
pub type Tcl_Command = *mut Tcl_Command_;
pub enum Tcl_ThreadId_ {}
pub type Tcl_ThreadId = *mut Tcl_ThreadId_;
pub enum Tcl_TimerToken_ {}
pub type Tcl_TimerToken = *mut Tcl_TimerToken_;
pub enum Tcl_Namespace {}
pub enum Tcl_ObjType {}
pub enum Tcl_Encoding {}
/// A variable of Tcl's, opaque; null for none.
pub type Tcl_Var = *mut c_void;

/// `Tcl_DString`: a pointer, a length and a capacity (`int` in 8.6, `ptrdiff_t` in 9) and 200 bytes.
#[repr(C)]
pub struct Tcl_DString {
    string: *mut c_char,
    sizes: [isize; 2],
    space: [u8; 200],
}

/// The public head of `Tcl_Obj` (tcl.h): the same offsets in 8.6 and 9 on every 64-bit platform,
/// for `int` members are padded to pointer size. Only this module looks at it.
#[repr(C)]
pub struct Tcl_Obj {
    ref_count: usize,
    bytes: *const c_char,
    length: usize,
    type_ptr: *const Tcl_ObjType,
}

#[repr(C)]
pub struct Tcl_Event {
    pub proc_: Option<unsafe extern "C-unwind" fn(*mut Tcl_Event, c_int) -> c_int>,
    pub next: *mut Tcl_Event,
}

/// `Tcl_Time`: seconds and microseconds (`long` in 8.6, `long long` and `long` in 9: the same size
/// where this package runs).
#[repr(C)]
pub struct Tcl_Time {
    pub sec: i64,
    pub usec: i64,
}

/// `Tcl_CmdInfo` (tcl.h), for asking what stands behind a command's name.
#[repr(C)]
pub struct Tcl_CmdInfo {
    pub is_native: c_int,
    pub obj_proc: *const c_void,
    pub obj_client_data: *mut c_void,
    pub proc_: *const c_void,
    pub client_data: *mut c_void,
    pub delete_proc: *const c_void,
    pub delete_data: *mut c_void,
    pub namespace: *mut Tcl_Namespace,
    /// 9 only: `objProc2` and `objClientData2` follow.
    pub tail: [*mut c_void; 2],
}

/// `Tcl_DictSearch` (tcl.h): opaque to us, three words in both versions; a fourth for safety.
#[repr(C)]
pub struct Tcl_DictSearch(pub [*mut c_void; 4]);

pub type ObjCmdProc =
    unsafe extern "C-unwind" fn(*mut c_void, *mut Tcl_Interp, c_int, *const *mut Tcl_Obj) -> c_int;
pub type NRPostProc =
    unsafe extern "C-unwind" fn(*mut *mut c_void, *mut Tcl_Interp, c_int) -> c_int;
pub type DataProc = unsafe extern "C" fn(*mut c_void);
pub type EventFlagsProc = unsafe extern "C" fn(*mut c_void, c_int);
pub type TraceProc = unsafe extern "C" fn(
    *mut c_void,
    *mut Tcl_Interp,
    *const c_char,
    *const c_char,
    c_int,
) -> *mut c_char;
pub type InterpDeleteProc = unsafe extern "C" fn(*mut c_void, *mut Tcl_Interp);

#[repr(C)]
struct InterpHead {
    legacy_result: *mut c_void,
    legacy_free: *mut c_void,
    error_line: c_int,
    stubs: *const StubsHead,
}

#[repr(C)]
struct StubsHead {
    magic: c_int,
    hooks: *const Hooks,
    slots: [*const c_void; 0],
}

/// `TclStubHooks` (tclDecls.h): the tables that hang on the public one.
#[repr(C)]
struct Hooks {
    platform: *const StubsHead,
    internal: *const StubsHead,
}

const MAGIC_8: c_uint = 0xFCA3_BACF;
const MAGIC_9: c_uint = 0xFCA3_BACB + size_of::<*const c_void>() as c_uint;

static SLOTS: AtomicPtr<*const c_void> = AtomicPtr::new(ptr::null_mut());
static TCL9: AtomicBool = AtomicBool::new(false);
/// Reads the stub table from the interpreter's head and keeps it for the process.
///
/// Returns false when the interpreter is of no Tcl that this library knows.
///
/// # Safety
/// `interp` must be the live interpreter that Tcl handed to the package's init function.
pub unsafe fn init(interp: *mut Tcl_Interp) -> bool {
    // SAFETY: every Tcl since 8.1 starts its Interp with these four members (tclInt.h).
    let stubs = unsafe { (*interp.cast::<InterpHead>()).stubs };
    if stubs.is_null() {
        return false;
    }
    // SAFETY: a stub table starts with its magic number.
    let magic = unsafe { (*stubs).magic } as c_uint;
    if magic != MAGIC_8 && magic != MAGIC_9 {
        return false;
    }
    TCL9.store(magic == MAGIC_9, Ordering::Relaxed);
    // SAFETY: the slots follow the head.
    let slots = unsafe { ptr::addr_of!((*stubs).slots) };
    SLOTS.store(slots.cast_mut().cast(), Ordering::Release);
    // A later Tcl may have dropped one: better no package than a call of nothing.
    // SAFETY: the table is set, and has all that were ever in it; these two have been in each since 8.1.
    unsafe {
        if !has_all(slots.cast()) {
            let text = c"package kafka needs functions that this Tcl no longer has: use Tcl 8.6 to 9.1, or a newer kafka";
            set_result(interp, new_string(text.as_ptr(), text.count_bytes() as isize));
            return false;
        }
    }
    // SAFETY: the table is set.
    unsafe {
        value::init();
        internal::init(stubs);
    }
    true
}

/// Whether the table has every function that is called through it.
///
/// # Safety
/// `slots` are Tcl's, of at least 8.6.
unsafe fn has_all(slots: *const *const c_void) -> bool {
    let in_9: &[usize] = &[650, 651, 661, 663, 675, 3];
    let in_8: &[usize] = &[33, 41, 45, 497, 32, 3];
    let measured = if is_tcl9() { in_9 } else { in_8 };
    // SAFETY: by the contract above.
    PLAIN.iter().chain(SIZED).chain(measured).all(|n| unsafe { !(*slots.add(*n)).is_null() })
}

/// Whether the process runs Tcl 9 (else 8.6).
#[inline]
pub fn is_tcl9() -> bool {
    TCL9.load(Ordering::Relaxed)
}

#[inline]
fn slot(n: usize) -> *const c_void {
    // SAFETY: `init` ran before any other function of this module can be reached, and all the slots
    // named below exist in 8.6 and in 9.
    unsafe { *SLOTS.load(Ordering::Acquire).add(n) }
}

macro_rules! stubs {
    ($($slot:literal $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?;)*) => {
        /// The slots that hold the same function in 8.6 and 9.
        const PLAIN: &[usize] = &[$($slot),*];
    $(
        #[doc = concat!("Slot ", stringify!($slot), " of Tcl's stub table.")]
        #[inline]
        pub unsafe fn $name($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: the slot holds a function of this C signature (tclDecls.h).
            unsafe {
                transmute::<*const c_void, unsafe extern "C-unwind" fn($($ty),*) $(-> $ret)?>(
                    slot($slot),
                )($($arg),*)
            }
        }
    )*};
}

/// As `stubs`, for functions that take one length by value: `int` in 8, `ptrdiff_t` in 9.
macro_rules! sized_stubs {
    ($($slot:literal $name:ident($($before:ident: $bty:ty,)* [$len:ident] $(, $after:ident: $aty:ty)*) $(-> $ret:ty)?;)*) => {
        /// The slots whose functions take another length in 9.
        const SIZED: &[usize] = &[$($slot),*];
    $(
        #[doc = concat!("Slot ", stringify!($slot), " of Tcl's stub table; the length is an `int` in 8.6.")]
        #[inline]
        pub unsafe fn $name($($before: $bty,)* $len: isize $(, $after: $aty)*) $(-> $ret)? {
            // SAFETY: the slot holds a function of this C signature in the version that runs.
            unsafe {
                if is_tcl9() {
                    transmute::<*const c_void, unsafe extern "C-unwind" fn($($bty,)* isize $(, $aty)*) $(-> $ret)?>(
                        slot($slot),
                    )($($before,)* $len $(, $after)*)
                } else {
                    transmute::<*const c_void, unsafe extern "C-unwind" fn($($bty,)* c_int $(, $aty)*) $(-> $ret)?>(
                        slot($slot),
                    )($($before,)* $len as c_int $(, $after)*)
                }
            }
        }
    )*};
}

/// As `stubs`, for functions that give a length through a pointer; they have another slot in 9.
macro_rules! measured_stubs {
    ($($slot8:literal $slot9:literal $name:ident($($before:ident: $bty:ty,)* [$len:ident] $(, $after:ident: $aty:ty)*) -> $ret:ty;)*) => {$(
        #[doc = concat!("Slot ", stringify!($slot8), " in 8.6, ", stringify!($slot9), " in 9.")]
        #[inline]
        pub unsafe fn $name($($before: $bty,)* $len: &mut isize $(, $after: $aty)*) -> $ret {
            // SAFETY: each slot holds a function of this C signature in its version.
            unsafe {
                if is_tcl9() {
                    transmute::<*const c_void, unsafe extern "C-unwind" fn($($bty,)* *mut isize $(, $aty)*) -> $ret>(
                        slot($slot9),
                    )($($before,)* $len $(, $after)*)
                } else {
                    let mut short: c_int = 0;
                    let out = transmute::<*const c_void, unsafe extern "C-unwind" fn($($bty,)* *mut c_int $(, $aty)*) -> $ret>(
                        slot($slot8),
                    )($($before,)* &mut short $(, $after)*);
                    *$len = short as isize;
                    out
                }
            }
        }
    )*};
}

stubs! {
    0 pkg_provide(i: *mut Tcl_Interp, name: *const c_char, version: *const c_char, data: *const c_void) -> c_int;
    1 pkg_require(i: *mut Tcl_Interp, name: *const c_char, version: *const c_char, exact: c_int, data: *mut c_void) -> *const c_char;
    21 db_is_shared(o: *mut Tcl_Obj, file: *const c_char, line: c_int) -> c_int;
    29 duplicate(o: *mut Tcl_Obj) -> *mut Tcl_Obj;
    30 free_obj(o: *mut Tcl_Obj);
    42 invalidate_string(o: *mut Tcl_Obj);
    44 list_append(i: *mut Tcl_Interp, list: *mut Tcl_Obj, o: *mut Tcl_Obj) -> c_int;
    73 async_invoke(i: *mut Tcl_Interp, code: c_int) -> c_int;
    75 async_ready() -> c_int;
    92 create_event_source(setup: EventFlagsProc, check: EventFlagsProc, data: *mut c_void);
    93 create_exit_handler(f: DataProc, data: *mut c_void);
    98 create_timer(ms: c_int, f: DataProc, data: *mut c_void) -> Tcl_TimerToken;
    103 delete_command_named(i: *mut Tcl_Interp, name: *const c_char) -> c_int;
    104 delete_command(i: *mut Tcl_Interp, c: Tcl_Command) -> c_int;
    106 delete_event_source(setup: EventFlagsProc, check: EventFlagsProc, data: *mut c_void);
    112 delete_timer(t: Tcl_TimerToken);
    120 dstring_free(ds: *mut Tcl_DString);
    122 dstring_init(ds: *mut Tcl_DString);
    134 expose_command(i: *mut Tcl_Interp, token: *const c_char, name: *const c_char) -> c_int;
    150 get_assoc(i: *mut Tcl_Interp, name: *const c_char, f: *mut *const c_void) -> *mut c_void;
    164 get_parent(i: *mut Tcl_Interp) -> *mut Tcl_Interp;
    166 get_result(i: *mut Tcl_Interp) -> *mut Tcl_Obj;
    176 get_var2(i: *mut Tcl_Interp, p1: *const c_char, p2: *const c_char, flags: c_int) -> *const c_char;
    179 hide_command(i: *mut Tcl_Interp, name: *const c_char, token: *const c_char) -> c_int;
    184 interp_deleted(i: *mut Tcl_Interp) -> c_int;
    185 is_safe(i: *mut Tcl_Interp) -> c_int;
    196 set_var2(i: *mut Tcl_Interp, p1: *mut Tcl_Obj, p2: *mut Tcl_Obj, v: *mut Tcl_Obj, flags: c_int) -> *mut Tcl_Obj;
    201 preserve(p: *mut c_void);
    205 queue_event(e: *mut Tcl_Event, position: c_int);
    216 release(p: *mut c_void);
    217 reset_result(i: *mut Tcl_Interp);
    223 set_assoc(i: *mut Tcl_Interp, name: *const c_char, f: Option<InterpDeleteProc>, data: *mut c_void);
    229 set_max_block_time(t: *const Tcl_Time);
    233 set_service_mode(mode: c_int) -> c_int;
    234 set_error_code(i: *mut Tcl_Interp, o: *mut Tcl_Obj);
    235 set_result(i: *mut Tcl_Interp, o: *mut Tcl_Obj);
    248 trace_var2(i: *mut Tcl_Interp, p1: *const c_char, p2: *const c_char, flags: c_int, f: TraceProc, data: *mut c_void) -> c_int;
    254 unset_var2(i: *mut Tcl_Interp, p1: *const c_char, p2: *const c_char, flags: c_int) -> c_int;
    256 untrace_var2(i: *mut Tcl_Interp, p1: *const c_char, p2: *const c_char, flags: c_int, f: TraceProc, data: *mut c_void);
    262 var_trace_info2(i: *mut Tcl_Interp, p1: *const c_char, p2: *const c_char, flags: c_int, f: TraceProc, previous: *mut c_void) -> *mut c_void;
    279 version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int, kind: *mut c_int);
    299 free_encoding(e: *mut Tcl_Encoding);
    301 get_encoding(i: *mut Tcl_Interp, name: *const c_char) -> *mut Tcl_Encoding;
    288 create_thread_exit_handler(f: DataProc, data: *mut c_void);
    300 current_thread() -> Tcl_ThreadId;
    318 thread_alert(t: Tcl_ThreadId);
    484 command_info(c: Tcl_Command, info: *mut Tcl_CmdInfo) -> c_int;
    487 get_wide(i: *mut Tcl_Interp, o: *mut Tcl_Obj, out: *mut i64) -> c_int;
    488 new_wide(v: i64) -> *mut Tcl_Obj;
    489 set_wide(o: *mut Tcl_Obj, v: i64);
    494 dict_put(i: *mut Tcl_Interp, d: *mut Tcl_Obj, k: *mut Tcl_Obj, v: *mut Tcl_Obj) -> c_int;
    495 dict_get(i: *mut Tcl_Interp, d: *mut Tcl_Obj, k: *mut Tcl_Obj, v: *mut *mut Tcl_Obj) -> c_int;
    503 new_dict() -> *mut Tcl_Obj;
    506 create_namespace(i: *mut Tcl_Interp, name: *const c_char, data: *mut c_void, f: *const c_void) -> *mut Tcl_Namespace;
    509 export(i: *mut Tcl_Interp, ns: *mut Tcl_Namespace, pattern: *const c_char, reset: c_int) -> c_int;
    514 find_namespace(i: *mut Tcl_Interp, name: *const c_char, ctx: *mut Tcl_Namespace, flags: c_int) -> *mut Tcl_Namespace;
    515 find_command(i: *mut Tcl_Interp, name: *const c_char, ns: *mut Tcl_Namespace, flags: c_int) -> Tcl_Command;
    517 command_full_name(i: *mut Tcl_Interp, c: Tcl_Command, o: *mut Tcl_Obj);
    522 limit_ready(i: *mut Tcl_Interp) -> c_int;
    523 limit_check(i: *mut Tcl_Interp) -> c_int;
    524 limit_exceeded(i: *mut Tcl_Interp) -> c_int;
    528 limit_enabled(i: *mut Tcl_Interp, kind: c_int) -> c_int;
    533 limit_time(i: *mut Tcl_Interp, t: *mut Tcl_Time);
    534 limit_granularity(i: *mut Tcl_Interp, kind: c_int) -> c_int;
    538 set_return_options(i: *mut Tcl_Interp, o: *mut Tcl_Obj) -> c_int;
    539 get_return_options(i: *mut Tcl_Interp, code: c_int) -> *mut Tcl_Obj;
    574 append_error_info(i: *mut Tcl_Interp, o: *mut Tcl_Obj);
    581 canceled(i: *mut Tcl_Interp, flags: c_int) -> c_int;
    583 nr_create_command(i: *mut Tcl_Interp, name: *const c_char, f: ObjCmdProc, nr: ObjCmdProc, data: *mut c_void, del: Option<DataProc>) -> Tcl_Command;
    584 nr_eval_obj(i: *mut Tcl_Interp, o: *mut Tcl_Obj, flags: c_int) -> c_int;
    587 nr_add_callback(i: *mut Tcl_Interp, f: NRPostProc, d0: *mut c_void, d1: *mut c_void, d2: *mut c_void, d3: *mut c_void);
    588 nr_call_proc(i: *mut Tcl_Interp, f: ObjCmdProc, data: *mut c_void, objc: c_int, objv: *const *mut Tcl_Obj) -> c_int;
    605 error_line(i: *mut Tcl_Interp) -> c_int;
    609 background_exception(i: *mut Tcl_Interp, code: c_int);
}

sized_stubs! {
    50 new_bytes(p: *const u8, [n]) -> *mut Tcl_Obj;
    53 new_list([n], v: *const *mut Tcl_Obj) -> *mut Tcl_Obj;
    56 new_string(p: *const c_char, [n]) -> *mut Tcl_Obj;
    58 resize_bytes(o: *mut Tcl_Obj, [n]) -> *mut u8;
    296 external_to_utf_ds(e: *mut Tcl_Encoding, p: *const c_char, [n], ds: *mut Tcl_DString) -> *mut c_char;
    333 utf_to_external_ds(e: *mut Tcl_Encoding, p: *const c_char, [n], ds: *mut Tcl_DString) -> *mut c_char;
    292 eval_objv(i: *mut Tcl_Interp, [n], v: *const *mut Tcl_Obj, flags: c_int) -> c_int;
    585 nr_eval_objv(i: *mut Tcl_Interp, [n], v: *const *mut Tcl_Obj, flags: c_int) -> c_int;
}

measured_stubs! {
    41 651 get_string(o: *mut Tcl_Obj, [n]) -> *const c_char;
    45 661 list_elements(i: *mut Tcl_Interp, o: *mut Tcl_Obj, [n], v: *mut *mut *mut Tcl_Obj) -> c_int;
    497 663 dict_size(i: *mut Tcl_Interp, o: *mut Tcl_Obj, [n]) -> c_int;
}

/// The bytes of an object that is known to hold nothing above U+00FF (8.6 cuts such characters).
#[inline]
pub unsafe fn get_bytes(o: *mut Tcl_Obj, n: &mut isize) -> *const u8 {
    // SAFETY: GetBytesFromObj (650 in 9) and GetByteArrayFromObj (33 in 8.6) have these signatures.
    unsafe {
        if is_tcl9() {
            transmute::<
                *const c_void,
                unsafe extern "C" fn(*mut Tcl_Interp, *mut Tcl_Obj, *mut isize) -> *const u8,
            >(slot(650))(ptr::null_mut(), o, n)
        } else {
            let mut short: c_int = 0;
            let p = transmute::<
                *const c_void,
                unsafe extern "C" fn(*mut Tcl_Obj, *mut c_int) -> *const u8,
            >(slot(33))(o, &mut short);
            *n = short as isize;
            p
        }
    }
}

/// `Tcl_GetBooleanFromObj`: slot 32 in 8.6, which 9.1 has no more. In 9 it is a macro for `Tcl_GetBoolFromObj`
/// (slot 675), which is told the size of what it sets.
#[inline]
pub unsafe fn get_boolean(o: *mut Tcl_Obj, out: &mut c_int) -> c_int {
    // SAFETY: each slot holds a function of this signature in its version (tclDecls.h).
    unsafe {
        if is_tcl9() {
            transmute::<
                *const c_void,
                unsafe extern "C" fn(*mut Tcl_Interp, *mut Tcl_Obj, c_int, *mut c_char) -> c_int,
            >(slot(675))(
                ptr::null_mut(), o, size_of::<c_int>() as c_int, ptr::from_mut(out).cast()
            )
        } else {
            transmute::<
                *const c_void,
                unsafe extern "C" fn(*mut Tcl_Interp, *mut Tcl_Obj, *mut c_int) -> c_int,
            >(slot(32))(ptr::null_mut(), o, out)
        }
    }
}

/// `Tcl_Alloc`: `unsigned int` in 8.6, `size_t` in 9.
#[inline]
pub unsafe fn alloc(n: usize) -> *mut c_void {
    // SAFETY: as documented; both versions panic rather than return NULL.
    unsafe {
        if is_tcl9() {
            transmute::<*const c_void, unsafe extern "C" fn(usize) -> *mut c_void>(slot(3))(n)
        } else {
            transmute::<*const c_void, unsafe extern "C" fn(c_uint) -> *mut c_void>(slot(3))(
                n as c_uint,
            )
        }
    }
}

/// `Tcl_IncrRefCount`, as tcl.h's macro has it in extensions: the count is the head of a value, an
/// `int` in 8.6 and a `Tcl_Size` in 9.
#[inline]
pub unsafe fn incr(o: *mut Tcl_Obj) {
    // SAFETY: the caller holds a live value of this thread.
    unsafe {
        if is_tcl9() {
            *o.cast::<isize>() += 1;
        } else {
            *o.cast::<c_int>() += 1;
        }
    }
}

/// `Tcl_DecrRefCount`, likewise: the last reference frees the value.
#[inline]
pub unsafe fn decr(o: *mut Tcl_Obj) {
    // SAFETY: the caller owns the reference that it gives up.
    unsafe {
        let last = if is_tcl9() {
            let count = o.cast::<isize>();
            *count -= 1;
            *count <= 0
        } else {
            let count = o.cast::<c_int>();
            *count -= 1;
            *count <= 0
        };
        if last {
            free_obj(o);
        }
    }
}

type Convert = unsafe fn(*mut Tcl_Encoding, *const c_char, isize, *mut Tcl_DString) -> *mut c_char;

fn convert(f: Convert, e: *mut Tcl_Encoding, bytes: &[u8]) -> Vec<u8> {
    let mut ds = Tcl_DString { string: ptr::null_mut(), sizes: [0; 2], space: [0; 200] };
    // SAFETY: the string is initialised before use, its length read at the version's width while it
    // lives, and it is freed once.
    unsafe {
        dstring_init(&mut ds);
        f(e, bytes.as_ptr().cast::<c_char>(), bytes.len() as isize, &mut ds);
        let n = if is_tcl9() {
            ds.sizes[0] as usize
        } else {
            *ptr::addr_of!(ds.sizes).cast::<c_int>() as usize
        };
        let out = std::slice::from_raw_parts(ds.string.cast::<u8>(), n).to_vec();
        dstring_free(&mut ds);
        out
    }
}

/// Bytes of an encoding as Tcl's text. The encoding is live.
pub fn external_to_utf(e: *mut Tcl_Encoding, bytes: &[u8]) -> Vec<u8> {
    convert(external_to_utf_ds, e, bytes)
}

/// Tcl's text as bytes of an encoding. The encoding is live.
pub fn utf_to_external(e: *mut Tcl_Encoding, text: &[u8]) -> Vec<u8> {
    convert(utf_to_external_ds, e, text)
}
