//! Strings across the C boundary.

use std::ffi::{CStr, CString};

use libc::c_char;

use super::errno::{Error, ErrorCode, Result};

/// Copies a C string argument. `what` names it in the error for an interior NUL.
pub(super) fn cstring(text: &str, what: &str) -> Result<CString> {
    CString::new(text).map_err(|_| {
        Error::with_detail(ErrorCode::INVALID_ARG, format!("{what} has a NUL character"))
    })
}

/// Copies a C string into a `String`; bad UTF-8 is replaced, null is empty.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives through the call.
pub(super) unsafe fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: by this function's contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A C string as `&str`; null and bad UTF-8 are `""`.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives for `'a`.
pub(super) unsafe fn text<'a>(text: *const c_char) -> &'a str {
    if text.is_null() {
        return "";
    }
    // SAFETY: by this function's contract.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

/// Bytes behind a pointer; null is `None`, and an empty value is not null.
///
/// # Safety
/// `data` is null or points to `len` readable bytes that live for `'a`.
#[inline]
pub(super) unsafe fn bytes<'a>(data: *const libc::c_void, len: usize) -> Option<&'a [u8]> {
    if data.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    Some(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// A buffer for librdkafka's error texts.
pub(super) struct ErrBuf([c_char; 512]);

impl ErrBuf {
    pub(super) fn new() -> ErrBuf {
        ErrBuf([0; 512])
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut c_char {
        self.0.as_mut_ptr()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn text(&self) -> String {
        // Some of librdkafka's texts end in a newline.
        // SAFETY: zeroed at first, and librdkafka always terminates what it writes.
        unsafe { string(self.0.as_ptr()) }.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_in_an_argument_is_an_error() {
        let error = cstring("a\0b", "topic").unwrap_err();
        assert_eq!(error.code, ErrorCode::INVALID_ARG);
        assert_eq!(error.detail, "topic has a NUL character");
        assert_eq!(cstring("ab", "topic").unwrap().as_bytes(), b"ab");
    }

    #[test]
    fn null_pointers_are_empty() {
        // SAFETY: null is allowed by all three.
        unsafe {
            assert_eq!(string(std::ptr::null()), "");
            assert_eq!(text(std::ptr::null()), "");
            assert_eq!(bytes(std::ptr::null(), 3), None);
            assert_eq!(bytes(b"abc".as_ptr().cast(), 0), Some(&b""[..]));
        }
    }
}
