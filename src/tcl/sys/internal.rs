//! Two functions of Tcl's internal stub table, in the releases that were looked at.

use std::ffi::{c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::{version, StubsHead, Tcl_Interp, Tcl_Obj, Tcl_Var};

/// Slots of Tcl's internal stub table, where they are known to mean what [`lookup_var`] and
/// [`ptr_set_var`] say.
static INTERNAL: AtomicPtr<*const c_void> = AtomicPtr::new(ptr::null_mut());

/// Keeps the internal table if this Tcl's is known.
///
/// # Safety
/// `stubs` is Tcl's stub table, and is set.
pub unsafe fn init(stubs: *const StubsHead) {
    // SAFETY: by the contract above.
    INTERNAL.store(unsafe { internal_slots(stubs) }, Ordering::Release);
}

/// The internal stub table's slots; null where Tcl is none of the releases whose tclInt.decls have
/// been read: internal functions may change with a minor version.
///
/// # Safety
/// `stubs` is Tcl's stub table, and `SLOTS` is set.
unsafe fn internal_slots(stubs: *const StubsHead) -> *mut *const c_void {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three numbers to fill, the fourth is not wanted; a table's hooks are null or those
    // that tclDecls.h says, and every table starts with the magic number.
    unsafe {
        version(&mut major, &mut minor, &mut patch, ptr::null_mut());
        // 8.6.13 is the oldest release that was tried.
        let known = matches!((major, minor), (8, 6) if patch >= 13) || (major, minor) == (9, 0);
        let hooks = (*stubs).hooks;
        if !known || hooks.is_null() || (*hooks).internal.is_null() {
            return ptr::null_mut();
        }
        let table = (*hooks).internal;
        if (*table).magic != (*stubs).magic {
            return ptr::null_mut();
        }
        ptr::addr_of!((*table).slots).cast_mut().cast()
    }
}

/// Whether [`lookup_var`] and [`ptr_set_var`] may be called.
#[inline]
pub fn has_variable_pointers() -> bool {
    !INTERNAL.load(Ordering::Acquire).is_null()
}

/// `TclLookupVar`, slot 58 of the internal table: the variable of a name, and its array's.
///
/// # Safety
/// As Tcl's; only where [`has_variable_pointers`].
#[allow(clippy::too_many_arguments)] // Tcl's own.
pub unsafe fn lookup_var(
    i: *mut Tcl_Interp,
    p1: *const c_char,
    p2: *const c_char,
    flags: c_int,
    message: *const c_char,
    create1: c_int,
    create2: c_int,
    array: *mut Tcl_Var,
) -> Tcl_Var {
    type Function = unsafe extern "C-unwind" fn(
        *mut Tcl_Interp,
        *const c_char,
        *const c_char,
        c_int,
        *const c_char,
        c_int,
        c_int,
        *mut Tcl_Var,
    ) -> Tcl_Var;
    // SAFETY: the slot holds a function of this signature in the releases that are let in.
    unsafe {
        transmute::<*const c_void, Function>(*INTERNAL.load(Ordering::Acquire).add(58))(
            i, p1, p2, flags, message, create1, create2, array,
        )
    }
}

/// `TclPtrSetVar`, slot 253 of the internal table: sets a variable, as `Tcl_ObjSetVar2` does for one
/// that it has looked up by its name.
///
/// # Safety
/// As Tcl's: variable and array are alive; only where [`has_variable_pointers`].
#[inline]
pub unsafe fn ptr_set_var(
    i: *mut Tcl_Interp,
    var: Tcl_Var,
    array: Tcl_Var,
    p1: *mut Tcl_Obj,
    p2: *mut Tcl_Obj,
    value: *mut Tcl_Obj,
    flags: c_int,
) -> *mut Tcl_Obj {
    type Function = unsafe extern "C-unwind" fn(
        *mut Tcl_Interp,
        Tcl_Var,
        Tcl_Var,
        *mut Tcl_Obj,
        *mut Tcl_Obj,
        *mut Tcl_Obj,
        c_int,
    ) -> *mut Tcl_Obj;
    // SAFETY: the slot holds a function of this signature in the releases that are let in.
    unsafe {
        transmute::<*const c_void, Function>(*INTERNAL.load(Ordering::Acquire).add(253))(
            i, var, array, p1, p2, value, flags,
        )
    }
}
