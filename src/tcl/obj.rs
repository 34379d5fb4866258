//! Tcl values: [`Obj`] owns one reference.

use std::borrow::Cow;
use std::ffi::c_char;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::rc::Rc;

use super::error::Error;
use super::sys::{self, Tcl_Obj};
use super::utf;

/// One reference to a Tcl value. Stays in its thread; must be gone before Tcl finalises the thread,
/// so it is never kept in a `thread_local!`.
#[repr(transparent)]
pub struct Obj(*mut Tcl_Obj, PhantomData<Rc<()>>);

impl Obj {
    /// Takes one more reference to a live value.
    ///
    /// # Safety
    /// `o` points to a live value of this thread.
    #[inline]
    pub unsafe fn borrow(o: *mut Tcl_Obj) -> Obj {
        // SAFETY: by the contract above.
        unsafe { sys::incr(o) };
        Obj(o, PhantomData)
    }

    /// Bytes, as a byte array.
    #[inline]
    pub fn bytes(b: &[u8]) -> Obj {
        // SAFETY: Tcl copies the bytes; the new value gets its first reference here.
        unsafe { Obj::borrow(sys::new_bytes(b.as_ptr(), b.len() as isize)) }
    }

    /// Bytes that are text as they stand in every version of Tcl: characters U+0001 to U+007F.
    /// None when they are not.
    #[inline]
    pub fn ascii(b: &[u8]) -> Option<Obj> {
        utf::is_plain(b).then(|| {
            // SAFETY: as for `bytes`; such bytes are Tcl's form of the text.
            unsafe { Obj::borrow(sys::new_string(b.as_ptr().cast::<c_char>(), b.len() as isize)) }
        })
    }

    /// Text.
    pub fn text(s: &str) -> Obj {
        let raw = utf::to_tcl(s, sys::is_tcl9());
        // SAFETY: as for `bytes`.
        unsafe { Obj::borrow(sys::new_string(raw.as_ptr().cast::<c_char>(), raw.len() as isize)) }
    }

    #[inline]
    pub fn int(v: i64) -> Obj {
        // SAFETY: a new value gets its first reference.
        unsafe { Obj::borrow(sys::new_wide(v)) }
    }

    pub fn boolean(v: bool) -> Obj {
        Obj::int(i64::from(v))
    }

    pub fn empty() -> Obj {
        Obj::text("")
    }

    /// A list of values.
    #[inline]
    pub fn list(items: &[Obj]) -> Obj {
        // `Obj` is one pointer, so a slice of them is Tcl's array of values.
        // SAFETY: Tcl takes a reference of its own to each element.
        unsafe {
            Obj::borrow(sys::new_list(items.len() as isize, items.as_ptr().cast::<*mut Tcl_Obj>()))
        }
    }

    pub fn texts<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Obj {
        let items: Vec<Obj> = items.into_iter().map(|s| Obj::text(s.as_ref())).collect();
        Obj::list(&items)
    }

    #[inline]
    pub fn ptr(&self) -> *mut Tcl_Obj {
        self.0
    }

    /// The value; its reference is the caller's.
    #[inline]
    pub fn into_raw(self) -> *mut Tcl_Obj {
        std::mem::ManuallyDrop::new(self).0
    }

    /// The value as text.
    pub fn str(&self) -> Cow<'_, str> {
        utf::from_tcl(self.raw())
    }

    pub fn string(&self) -> String {
        self.str().into_owned()
    }

    /// The string representation as Tcl keeps it.
    #[inline]
    pub fn raw(&self) -> &[u8] {
        // SAFETY: the value is live as long as self; its string is not changed while it is borrowed,
        // because nothing that shimmers a value frees its string representation.
        unsafe { sys::string(self.0) }
    }

    pub fn is_empty(&self) -> bool {
        if self.is_byte_array() {
            self.byte_array().is_empty()
        } else {
            self.raw().is_empty()
        }
    }

    fn is_byte_array(&self) -> bool {
        // SAFETY: the value is live.
        unsafe { sys::byte_rep(self.0) }
    }

    fn byte_array(&self) -> &[u8] {
        let mut n = 0;
        // SAFETY: the value is live and known to hold only bytes; the array stays as long as nothing
        // converts the value, which a borrow of self excludes in our code.
        unsafe {
            let p = sys::get_bytes(self.0, &mut n);
            if p.is_null() || n <= 0 {
                return &[];
            }
            std::slice::from_raw_parts(p, n as usize)
        }
    }

    /// The value as bytes; `what` names it in the error for a character above U+00FF.
    #[inline]
    pub fn get_bytes(&self, what: &str) -> Result<&[u8], Error> {
        if self.is_byte_array() {
            return Ok(self.byte_array());
        }
        let raw = self.raw();
        match utf::classify(raw) {
            utf::Bytes::Ascii => Ok(raw),
            utf::Bytes::Latin => Ok(self.byte_array()),
            utf::Bytes::Bad { ch, index } => {
                Err(Error::NotBytes { what: what.to_owned(), ch, index })
            }
        }
    }

    /// The value as a whole number; `what` names it in the error.
    #[inline]
    pub fn get_int(&self, what: &str) -> Result<i64, Error> {
        let mut v = 0;
        // SAFETY: live value, no interpreter wanted.
        if unsafe { sys::get_wide(ptr::null_mut(), self.0, &mut v) } == sys::TCL_OK {
            return Ok(v);
        }
        Err(Error::argument(what, "an integer", &self.str()))
    }

    pub fn get_bool(&self, what: &str) -> Result<bool, Error> {
        let mut v = 0;
        // SAFETY: live value, no interpreter wanted.
        if unsafe { sys::get_boolean(self.0, &mut v) } == sys::TCL_OK {
            return Ok(v != 0);
        }
        Err(Error::argument(what, "a boolean", &self.str()))
    }

    /// The elements of a list, each with a reference of its own, so that shimmering the list later
    /// cannot take them away.
    pub fn get_list(&self, what: &str) -> Result<Vec<Obj>, Error> {
        let mut n = 0;
        let mut v = ptr::null_mut();
        // SAFETY: live value; on success v holds n live elements until the list is converted, and
        // they get their own references before anything else happens.
        unsafe {
            if sys::list_elements(ptr::null_mut(), self.0, &mut n, &mut v) != sys::TCL_OK {
                return Err(Error::argument(what, "a list", &self.str()));
            }
            Ok((0..n as usize).map(|i| Obj::borrow(*v.add(i))).collect())
        }
    }

    /// The elements of a list, borrowed: for reading many elements of a value that nothing converts
    /// meanwhile (no Tcl code runs while the slice lives).
    #[inline]
    pub fn elements(&self, what: &str) -> Result<&[Obj], Error> {
        let mut n = 0;
        let mut v = ptr::null_mut();
        // SAFETY: as for `get_list`; `Obj` is one pointer wide, and a borrowed slice drops nothing.
        unsafe {
            if sys::list_elements(ptr::null_mut(), self.0, &mut n, &mut v) != sys::TCL_OK {
                return Err(Error::argument(what, "a list", &self.str()));
            }
            if n == 0 {
                return Ok(&[]);
            }
            Ok(std::slice::from_raw_parts(v.cast::<Obj>(), n as usize))
        }
    }

    /// The pairs of a dict or of a list with an even number of elements, in order.
    pub fn get_pairs(&self, what: &str) -> Result<Vec<(Obj, Obj)>, Error> {
        let words = self.get_list(what)?;
        if words.len() % 2 != 0 {
            return Err(Error::argument(what, "a list of names and values", &self.str()));
        }
        let mut words = words.into_iter();
        let mut out = Vec::with_capacity(words.len() / 2);
        while let (Some(k), Some(v)) = (words.next(), words.next()) {
            out.push((k, v));
        }
        Ok(out)
    }

    /// An element of a dict, if the value is a dict and has it.
    pub fn dict_get(&self, key: &str) -> Option<Obj> {
        let key = Obj::text(key);
        let mut v = ptr::null_mut();
        // SAFETY: live values; what is found is live and gets a reference of ours at once.
        unsafe {
            if sys::dict_get(ptr::null_mut(), self.0, key.0, &mut v) != sys::TCL_OK || v.is_null() {
                return None;
            }
            Some(Obj::borrow(v))
        }
    }

    /// A private copy of a callback prefix's words: shared with nobody, so it can't shimmer away
    /// between its check and its call.
    pub fn get_prefix(&self, what: &str) -> Result<Vec<Obj>, Error> {
        // SAFETY: live value; the copy gets its first reference.
        let copy = unsafe { Obj::borrow(sys::duplicate(self.0)) };
        copy.get_list(what)
    }
}

impl Clone for Obj {
    #[inline]
    fn clone(&self) -> Obj {
        // SAFETY: self is live.
        unsafe { Obj::borrow(self.0) }
    }
}

impl Drop for Obj {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: self owns one reference and gives it up.
        unsafe { sys::decr(self.0) }
    }
}

impl fmt::Debug for Obj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.str())
    }
}
