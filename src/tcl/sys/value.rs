//! What kind of value Tcl holds, and values that nobody shares changed where they are.

use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::{
    decr, get_string, incr, is_tcl9, list_elements, new_bytes, new_dict, new_list, resize_bytes,
    slot, Tcl_Interp, Tcl_Obj, Tcl_ObjType, TCL_OK,
};

static BYTEARRAY: AtomicPtr<Tcl_ObjType> = AtomicPtr::new(ptr::null_mut());
static LIST: AtomicPtr<Tcl_ObjType> = AtomicPtr::new(ptr::null_mut());
static DICT: AtomicPtr<Tcl_ObjType> = AtomicPtr::new(ptr::null_mut());

/// Learns the types. In 9 types are registered no more; there a new value tells its own.
///
/// # Safety
/// The stub table is set.
pub unsafe fn init() {
    // SAFETY: by the contract above; the values are new, and freed by `learn`.
    unsafe {
        learn(&BYTEARRAY, new_bytes(ptr::null(), 0));
        let word = new_bytes(ptr::null(), 0);
        learn(&LIST, new_list(1, &word));
        learn(&DICT, new_dict());
    }
}

/// Keeps the type of a value that nobody else has, and frees it.
///
/// # Safety
/// The stub table is set; `probe` is new.
unsafe fn learn(type_: &AtomicPtr<Tcl_ObjType>, probe: *mut Tcl_Obj) {
    // SAFETY: by the contract above.
    unsafe {
        incr(probe);
        type_.store((*probe).type_ptr.cast_mut(), Ordering::Release);
        decr(probe);
    }
}

/// Whether an object is a byte array with no string representation: then its bytes are the whole
/// truth, and asking for a string would build one for nothing. Everything else is looked at through
/// its string, so that a lossy conversion which other code made in 8.6 is not taken for its value.
#[inline]
pub unsafe fn byte_rep(o: *mut Tcl_Obj) -> bool {
    // SAFETY: the caller holds a live object; the head is public (tcl.h) and only read.
    unsafe { (*o).bytes.is_null() && ptr::eq((*o).type_ptr, BYTEARRAY.load(Ordering::Relaxed)) }
}

/// A value's string representation: where Tcl holds one it is read in place, which is what
/// `Tcl_GetStringFromObj` comes to then, or else made by that.
///
/// # Safety
/// A live value; the string stays as long as nothing changes the value.
#[inline]
pub unsafe fn string<'a>(o: *mut Tcl_Obj) -> &'a [u8] {
    // SAFETY: by the contract above; the head is public (tcl.h) and only read, the length being an
    // `int` in 8.6 and a `Tcl_Size` in 9.
    unsafe {
        let (mut p, mut n) = ((*o).bytes, 0);
        if p.is_null() {
            p = get_string(o, &mut n);
        } else if is_tcl9() {
            n = ptr::addr_of!((*o).length).cast::<isize>().read();
        } else {
            n = ptr::addr_of!((*o).length).cast::<c_int>().read() as isize;
        }
        std::slice::from_raw_parts(p.cast::<u8>(), n as usize)
    }
}

/// Whether a value is a list now, as Tcl holds it.
#[inline]
pub unsafe fn list_rep(o: *mut Tcl_Obj) -> bool {
    // SAFETY: as for `byte_rep`.
    unsafe { ptr::eq((*o).type_ptr, LIST.load(Ordering::Relaxed)) }
}

/// Whether a value is a dict now, as Tcl holds it.
#[inline]
pub unsafe fn dict_rep(o: *mut Tcl_Obj) -> bool {
    // SAFETY: as for `byte_rep`.
    unsafe { ptr::eq((*o).type_ptr, DICT.load(Ordering::Relaxed)) }
}

/// Whether a value has one reference only: then nobody sees a change of it but its holder
/// (`Tcl_IsShared`).
#[inline]
pub unsafe fn is_sole(o: *mut Tcl_Obj) -> bool {
    // SAFETY: the caller holds a live value of this thread.
    unsafe {
        if is_tcl9() {
            *o.cast::<isize>() == 1
        } else {
            *o.cast::<c_int>() == 1
        }
    }
}

/// Gives a value that nobody shares these bytes if it is a byte array, in the memory that it has.
///
/// # Safety
/// A live value with one reference, which is the caller's or its list's or dict's.
#[inline]
pub unsafe fn put_bytes(o: *mut Tcl_Obj, bytes: &[u8]) -> bool {
    // SAFETY: by the contract above; `resize_bytes` gives room for as many bytes as were asked for.
    unsafe {
        if !ptr::eq((*o).type_ptr, BYTEARRAY.load(Ordering::Relaxed)) {
            return false;
        }
        let room = resize_bytes(o, bytes.len() as isize);
        ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len());
        true
    }
}

/// `Tcl_ListObjReplace`: values in the place of `count` elements from `first` on.
///
/// # Safety
/// A list that nobody shares, with `first + count` elements or more; live values.
#[inline]
unsafe fn list_replace(
    list: *mut Tcl_Obj,
    first: usize,
    count: usize,
    values: &[*mut Tcl_Obj],
) -> c_int {
    // SAFETY: slot 48 has this signature, lengths being `int` in 8.6 and `ptrdiff_t` in 9.
    unsafe {
        if is_tcl9() {
            type Function = unsafe extern "C-unwind" fn(
                *mut Tcl_Interp,
                *mut Tcl_Obj,
                isize,
                isize,
                isize,
                *const *mut Tcl_Obj,
            ) -> c_int;
            transmute::<*const c_void, Function>(slot(48))(
                ptr::null_mut(),
                list,
                first as isize,
                count as isize,
                values.len() as isize,
                values.as_ptr(),
            )
        } else {
            type Function = unsafe extern "C-unwind" fn(
                *mut Tcl_Interp,
                *mut Tcl_Obj,
                c_int,
                c_int,
                c_int,
                *const *mut Tcl_Obj,
            ) -> c_int;
            transmute::<*const c_void, Function>(slot(48))(
                ptr::null_mut(),
                list,
                first as c_int,
                count as c_int,
                values.len() as c_int,
                values.as_ptr(),
            )
        }
    }
}

/// One element of a list by another.
///
/// # Safety
/// A list that nobody shares, with more than `at` elements.
#[inline]
pub unsafe fn list_put(list: *mut Tcl_Obj, at: usize, value: *mut Tcl_Obj) -> c_int {
    // SAFETY: by the contract above.
    unsafe { list_replace(list, at, 1, &[value]) }
}

/// A list's elements, in memory that no other value uses, and how many they are. What has one
/// reference there is the list's alone.
///
/// A list's memory is shared by values that are copies of each other, such as the copy that `foreach`
/// goes through, and copied by the first change (tclListObj.c). So this changes it: in 8.6
/// `Tcl_ListObjReplace` of nothing does, in 9 it takes an element, which is replaced by itself. The
/// list's string goes, too.
///
/// # Safety
/// A list that nobody shares.
#[inline]
pub unsafe fn list_own<'a>(list: *mut Tcl_Obj) -> &'a [*mut Tcl_Obj] {
    let (mut count, mut elements) = (0, ptr::null_mut());
    // SAFETY: by the contract above; the slice ends before the list is changed, and the first element
    // has a reference of ours while it is replaced.
    unsafe {
        let mut look = || {
            if list_elements(ptr::null_mut(), list, &mut count, &mut elements) != TCL_OK
                || count < 1
            {
                return &[][..];
            }
            std::slice::from_raw_parts(elements, count as usize)
        };
        let done = if is_tcl9() {
            let Some(&first) = look().first() else { return &[] };
            incr(first);
            let done = list_put(list, 0, first);
            decr(first);
            done
        } else {
            list_replace(list, 0, 0, &[])
        };
        if done == TCL_OK {
            look()
        } else {
            &[]
        }
    }
}
