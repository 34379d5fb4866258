//! Elements of an array that are set again and again, each looked up once.
//!
//! Setting an element by its name costs Tcl two look-ups in hash tables, which is more than the rest
//! of the work. Tcl's compiled code avoids them with pointers to variables, and so does this: a
//! variable is looked up by `TclLookupVar` and set by `TclPtrSetVar`, functions of Tcl's internal
//! stub table. An unset trace on each element (`Tcl_TraceVar2`, public) says when its pointer is
//! void: Tcl calls it before an element's memory goes, whatever takes it away (`unset`, the end of a
//! procedure, the interpreter's deletion). The element is then set by name, and looked up anew.
//!
//! What is not noticed is that the array's *name* comes to mean another array while the first one
//! stays: `upvar` on a name that is an `upvar` already.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::interp::Interp;
use super::obj::Obj;
use super::sys::{self, Tcl_Interp, Tcl_Var};

/// How often an element is looked up. One that comes and goes with every message is better set by
/// name than watched.
const TRIES: u8 = 4;

/// What an element's trace knows: where its variable is, until that goes.
struct Watch {
    var: Cell<Tcl_Var>,
}

static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// How many elements are watched in this process, for the tests of leaks.
pub fn watches() -> usize {
    WATCHES.load(Ordering::Relaxed)
}

impl Watch {
    fn new() -> Rc<Watch> {
        WATCHES.fetch_add(1, Ordering::Relaxed);
        Rc::new(Watch { var: Cell::new(ptr::null_mut()) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One element. `watch` is shared with the trace, which holds a count of its own.
#[derive(Default)]
struct Element {
    watch: Option<Rc<Watch>>,
    /// The array's variable, which lives while it has this element.
    array: Tcl_Var,
    tries: u8,
}

/// Up to `N` elements of an array in the frame that its name is for. Used in that frame only;
/// [`Elements::release`] takes the traces away. Dropped without it (its frame has gone), the traces
/// stay until their variables go, and do nothing.
pub struct Elements<const N: usize> {
    array: Obj,
    elements: [Element; N],
}

impl<const N: usize> Elements<N> {
    /// For an array by its name; none where Tcl's version is not one that this is known to work with.
    pub fn new(array: &Obj) -> Option<Elements<N>> {
        sys::has_variable_pointers().then(|| Elements {
            array: array.clone(),
            elements: std::array::from_fn(|_| Element::default()),
        })
    }

    /// Sets element `i`, whose name is `name`; when it could not, the interpreter's result says why.
    #[inline]
    pub fn set(&mut self, interp: Interp, i: usize, name: &Obj, value: &Obj) -> bool {
        let element = &mut self.elements[i];
        if let Some(watch) = &element.watch {
            let var = watch.var.get();
            if !var.is_null() {
                // SAFETY: the trace would have cleared the pointer if the variable had gone, and its
                // array with it; names and value are held by the caller.
                return unsafe {
                    !sys::ptr_set_var(
                        interp.ptr(),
                        var,
                        element.array,
                        self.array.ptr(),
                        name.ptr(),
                        value.ptr(),
                        sys::TCL_LEAVE_ERR_MSG,
                    )
                    .is_null()
                };
            }
        }
        interp.set_element(&self.array, name, value) && {
            self.look_up(interp, i, name);
            true
        }
    }

    /// Unsets an element, if it is there.
    pub fn unset(&mut self, interp: Interp, i: usize, name: &Obj) {
        interp.unset_element(&self.array, name);
        self.elements[i].watch = None;
    }

    fn look_up(&mut self, interp: Interp, i: usize, name: &Obj) {
        let element = &mut self.elements[i];
        element.watch = None;
        if element.tries == TRIES {
            return;
        }
        element.tries += 1;
        let watch = Watch::new();
        let data = Rc::into_raw(watch.clone()).cast_mut().cast::<c_void>();
        let (array, part) = (c_name(&self.array), c_name(name));
        // SAFETY: live interpreter and NUL-terminated names of values that are held here; the trace's
        // data is a count of the watch that the trace gives up when it ends.
        unsafe {
            if sys::trace_var2(interp.ptr(), array, part, sys::TCL_TRACE_UNSETS, gone, data)
                != sys::TCL_OK
            {
                drop(Rc::from_raw(data.cast::<Watch>()));
                return;
            }
            let var = sys::lookup_var(
                interp.ptr(),
                array,
                part,
                0,
                ptr::null(),
                0,
                0,
                &mut element.array,
            );
            watch.var.set(var);
        }
        element.watch = Some(watch);
    }

    /// Takes the traces away. To be called in the array's frame.
    pub fn release(&mut self, interp: Interp, names: &[Obj; N]) {
        for (element, name) in self.elements.iter_mut().zip(names) {
            let Some(watch) = element.watch.take() else { continue };
            if watch.var.get().is_null() || interp.is_deleted() {
                continue;
            }
            let data = Rc::as_ptr(&watch).cast_mut().cast::<c_void>();
            let (array, part) = (c_name(&self.array), c_name(name));
            // SAFETY: live interpreter and names as above. The trace's count is given up only where
            // the trace is seen to be there, for then it is removed.
            unsafe {
                let mut found = ptr::null_mut();
                loop {
                    found = sys::var_trace_info2(interp.ptr(), array, part, 0, gone, found);
                    if found.is_null() || found == data {
                        break;
                    }
                }
                if found == data {
                    sys::untrace_var2(interp.ptr(), array, part, sys::TCL_TRACE_UNSETS, gone, data);
                    drop(Rc::from_raw(data.cast::<Watch>()));
                }
            }
        }
    }
}

/// A value's string representation, which ends with a NUL and has none inside (manual page of
/// Tcl_GetStringFromObj).
fn c_name(o: &Obj) -> *const c_char {
    o.raw().as_ptr().cast()
}

/// The trace: the variable goes, or is unset, and the trace with it.
unsafe extern "C" fn gone(
    data: *mut c_void,
    _interp: *mut Tcl_Interp,
    _array: *const c_char,
    _name: *const c_char,
    flags: c_int,
) -> *mut c_char {
    // SAFETY: the count that `look_up` gave to the trace; nothing here can panic.
    unsafe {
        (*data.cast::<Watch>()).var.set(ptr::null_mut());
        if flags & sys::TCL_TRACE_DESTROYED != 0 {
            drop(Rc::from_raw(data.cast::<Watch>()));
        }
    }
    ptr::null_mut()
}
