//! Text in other encodings, by Tcl's own converters, strictly.
//!
//! Tcl's converters replace what they can't represent. A conversion is taken for exact when it comes
//! back unchanged the other way.

use std::ffi::CString;

use super::obj::Obj;
use super::sys;
use super::utf;

/// One of `encoding names`, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    name: String,
    c_name: CString,
}

impl Encoding {
    /// The encoding of this name, if Tcl has it.
    pub fn find(name: &str) -> Option<Encoding> {
        let c_name = CString::new(name).ok().filter(|_| !name.is_empty())?;
        let found = Encoding { name: name.to_owned(), c_name };
        found.with(|_| ()).map(|()| found)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn with<R>(&self, f: impl FnOnce(*mut sys::Tcl_Encoding) -> R) -> Option<R> {
        // SAFETY: no interpreter wanted; what is found is released below.
        let e = unsafe { sys::get_encoding(std::ptr::null_mut(), self.c_name.as_ptr()) };
        if e.is_null() {
            return None;
        }
        let out = f(e);
        // SAFETY: pairs with the lookup.
        unsafe { sys::free_encoding(e) };
        Some(out)
    }

    /// A value's text as bytes of this encoding; none when it has no exact form there.
    pub fn encode(&self, value: &Obj) -> Option<Vec<u8>> {
        let raw = value.raw();
        let (out, back) = self.with(|e| {
            let out = sys::utf_to_external(e, raw);
            let back = sys::external_to_utf(e, &out);
            (out, back)
        })?;
        (back == raw).then_some(out)
    }

    /// Bytes of this encoding as text; none when they are not valid there.
    pub fn decode(&self, bytes: &[u8]) -> Option<Obj> {
        let (text, back) = self.with(|e| {
            let text = sys::external_to_utf(e, bytes);
            let back = sys::utf_to_external(e, &text);
            (text, back)
        })?;
        (back == bytes).then(|| Obj::text(&utf::from_tcl(&text)))
    }
}

/// Whether every character of a value has a form in UTF-8 (a lone surrogate has none).
pub fn is_whole(value: &Obj) -> bool {
    let raw = value.raw();
    &*utf::to_tcl(&utf::from_tcl(raw), sys::is_tcl9()) == raw
}
