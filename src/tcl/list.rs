//! A Tcl list that is put together on the stack and made with its final length.

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
