//! How payloads, keys and header values turn from text to bytes and back.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::tcl::{self, Obj};

/// Bytes as they are (KafkaTcl's way), UTF-8, or another of Tcl's encodings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Binary,
    Utf8,
    Named(tcl::text::Encoding),
}

impl Encoding {
    /// An encoding by the name that Tcl's `encoding names` has for it.
    pub fn parse(word: &Obj) -> Result<Encoding> {
        let name = word.str();
        match &*name {
            "binary" => Ok(Encoding::Binary),
            "utf-8" => Ok(Encoding::Utf8),
            other => tcl::text::Encoding::find(other).map(Encoding::Named).ok_or_else(|| {
                Error::expected("encoding", "binary, utf-8 or one of [encoding names]", other)
            }),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Encoding::Binary => "binary",
            Encoding::Utf8 => "utf-8",
            Encoding::Named(e) => e.name(),
        }
    }

    /// A value's bytes; `what` names it in the error.
    #[inline]
    pub fn encode<'a>(&self, value: &'a Obj, what: &str) -> Result<Cow<'a, [u8]>> {
        match self {
            Encoding::Binary => Ok(Cow::Borrowed(value.get_bytes(what)?)),
            Encoding::Utf8 => match value.str() {
                // The text of a lone surrogate would come back as another.
                s if s.contains('\u{FFFD}') && !tcl::text::is_whole(value) => {
                    Err(self.refuse(what))
                }
                Cow::Borrowed(s) => Ok(Cow::Borrowed(s.as_bytes())),
                Cow::Owned(s) => Ok(Cow::Owned(s.into_bytes())),
            },
            Encoding::Named(e) => match e.encode(value) {
                Some(bytes) => Ok(Cow::Owned(bytes)),
                None => Err(self.refuse(what)),
            },
        }
    }

    fn refuse(&self, what: &str) -> Error {
        Error::Words(tcl::Error::NotEncodable {
            what: what.to_owned(),
            encoding: self.name().to_owned(),
        })
    }

    /// Bytes as a value, and whether they could not be decoded: then the value is the bytes.
    #[inline]
    pub fn decode(&self, bytes: &[u8]) -> (Obj, bool) {
        match self {
            Encoding::Binary => (Obj::bytes(bytes), false),
            Encoding::Utf8 => {
                if let Some(o) = Obj::ascii(bytes) {
                    return (o, false);
                }
                match std::str::from_utf8(bytes) {
                    Ok(s) => (Obj::text(s), false),
                    Err(_) => (Obj::bytes(bytes), true),
                }
            }
            Encoding::Named(e) => match e.decode(bytes) {
                Some(o) => (o, false),
                None => (Obj::bytes(bytes), true),
            },
        }
    }
}
