//! Lists of names and values: put together on the stack and made with their final length, and used
//! again where nobody kept them.

use std::marker::PhantomData;

use super::obj::Obj;
use super::sys::{self, Tcl_Obj};

/// Up to `N` elements of a list to be. A word that outlives it is only named: the list takes its own
/// reference when it is made, so the constant words of a record cost no counting.
pub struct ListBuilder<'a, const N: usize> {
    items: [*mut Tcl_Obj; N],
    count: usize,
    /// Bit by bit, which elements carry a reference of ours.
    owned: u64,
    words: PhantomData<&'a Obj>,
}

impl<const N: usize> Default for ListBuilder<'_, N> {
    #[inline]
    fn default() -> Self {
        const { assert!(N <= 64) };
        ListBuilder { items: [std::ptr::null_mut(); N], count: 0, owned: 0, words: PhantomData }
    }
}

impl<'a, const N: usize> ListBuilder<'a, N> {
    /// Appends a word that lives longer than this.
    ///
    /// # Panics
    /// With more than `N` elements, as `push`.
    #[inline]
    pub fn word(&mut self, o: &'a Obj) {
        self.items[self.count] = o.ptr();
        self.count += 1;
    }

    /// Appends a value.
    #[inline]
    pub fn push(&mut self, o: Obj) {
        self.items[self.count] = o.into_raw();
        self.owned |= 1 << self.count;
        self.count += 1;
    }

    /// The list.
    #[inline]
    pub fn finish(self) -> Obj {
        // SAFETY: `count` live values; Tcl takes a reference of its own to each.
        unsafe { Obj::borrow(sys::new_list(self.count as isize, self.items.as_ptr())) }
    }
}

/// A list of names and values that was handed out, and that we may use again once nobody else has it.
pub struct Again(Obj);

impl Again {
    pub fn new(list: &Obj) -> Again {
        Again(list.clone())
    }

    /// Whether nobody else has the value.
    #[inline]
    pub fn is_free(&self) -> bool {
        // SAFETY: a live value.
        unsafe { sys::is_sole(self.0.ptr()) }
    }

    /// The value with some of its pairs changed, each by the number of its pair and its name; none when
    /// somebody kept it, or made something else of it than a list or a dict.
    ///
    /// What is held here alone can be changed in place without anybody's notice: Tcl's own commands do
    /// so with values that are not shared. A script that has read the value as a dict gets a dict then,
    /// which spares it the conversion of a list; and a value in it that nobody kept keeps its memory.
    #[inline]
    pub fn with(&self, pairs: &[(usize, &Obj, New<'_>)]) -> Option<Obj> {
        let o = self.0.ptr();
        // SAFETY: a live value; the changes are made only while its one reference is ours, to the kind
        // of value that it is.
        let done = unsafe {
            if !self.is_free() {
                false
            } else if sys::dict_rep(o) {
                pairs.iter().all(|(_, name, new)| new.put_in_dict(o, name)) && {
                    sys::invalidate_string(o);
                    true
                }
            } else if sys::list_rep(o) {
                // Looked at once: an element that is changed for another leaves the memory of a list
                // that is its own where it is.
                let elements = sys::list_own(o);
                pairs.iter().all(|(i, _, new)| new.put_in_list(o, elements, 2 * i + 1))
            } else {
                false
            }
        };
        done.then(|| self.0.clone())
    }
}

/// What takes the place of a value in a list or dict that is used again.
#[derive(Copy, Clone)]
pub enum New<'a> {
    Value(&'a Obj),
    /// A byte array.
    Bytes(&'a [u8]),
    Int(i64),
}

impl New<'_> {
    /// Puts it into an old value's own memory, if nobody else has that value.
    ///
    /// # Safety
    /// A live value of a list or a dict.
    #[inline]
    unsafe fn take_place(self, old: *mut Tcl_Obj) -> bool {
        // SAFETY: by the contract above; changed only while its one reference is the list's.
        unsafe {
            match self {
                _ if !sys::is_sole(old) => false,
                New::Value(_) => false,
                New::Bytes(bytes) => sys::put_bytes(old, bytes),
                New::Int(v) => {
                    sys::set_wide(old, v);
                    true
                }
            }
        }
    }

    /// # Safety
    /// `dict` is a dict that nobody shares.
    #[inline]
    unsafe fn put_in_dict(self, dict: *mut Tcl_Obj, name: &Obj) -> bool {
        let (none, mut old) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: by the contract above; Tcl takes a reference of its own to what it is given.
        unsafe {
            sys::dict_get(none, dict, name.ptr(), &mut old) == sys::TCL_OK
                && (!old.is_null() && self.take_place(old)
                    || sys::dict_put(none, dict, name.ptr(), self.obj().ptr()) == sys::TCL_OK)
        }
    }

    /// # Safety
    /// `list` is a list that nobody shares, and `elements` are its own.
    #[inline]
    unsafe fn put_in_list(self, list: *mut Tcl_Obj, elements: &[*mut Tcl_Obj], at: usize) -> bool {
        let Some(&old) = elements.get(at) else { return false };
        // SAFETY: as for `put_in_dict`.
        unsafe { self.take_place(old) || sys::list_put(list, at, self.obj().ptr()) == sys::TCL_OK }
    }

    fn obj(self) -> Obj {
        match self {
            New::Value(o) => o.clone(),
            New::Bytes(bytes) => Obj::bytes(bytes),
            New::Int(v) => Obj::int(v),
        }
    }
}

impl<const N: usize> Drop for ListBuilder<'_, N> {
    #[inline]
    fn drop(&mut self) {
        let mut owned = self.owned;
        while owned != 0 {
            let i = owned.trailing_zeros() as usize;
            owned &= owned - 1;
            // SAFETY: the reference that `push` took over.
            unsafe { sys::decr(self.items[i]) };
        }
    }
}
