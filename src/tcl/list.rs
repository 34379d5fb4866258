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
    /// which spares it the conversion of a list.
    #[inline]
    pub fn with<'a>(&self, pairs: impl IntoIterator<Item = (usize, &'a Obj, Obj)>) -> Option<Obj> {
        let o = self.0.ptr();
        // SAFETY: a live value; the changes are made only while its one reference is ours, to the kind
        // of value that it is, and Tcl takes references of its own to what it is given.
        unsafe {
            if !self.is_free() {
                return None;
            }
            let dict = sys::dict_rep(o);
            if !dict && !sys::list_rep(o) {
                return None;
            }
            for (i, name, value) in pairs {
                let done = if dict {
                    sys::dict_put(std::ptr::null_mut(), o, name.ptr(), value.ptr())
                } else {
                    sys::list_put(o, 2 * i + 1, value.ptr())
                };
                if done != sys::TCL_OK {
                    return None;
                }
            }
        }
        Some(self.0.clone())
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
