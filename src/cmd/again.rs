//! The library set up once more in an interpreter that has it, for `package forget` and `require`.
//!
//! `load` runs a library's Init once in an interpreter. When the script has had the package
//! forgotten, or has deleted its namespace, there has to be something left that makes the commands
//! again: a hidden command, which no namespace takes along and no list of commands shows. The package
//! index calls its `init` if `load` has not provided the package.

use std::cell::Cell;
use std::ffi::CStr;

use super::internal::Internal;
use crate::error::Error;
use crate::tcl::command::create_plain;
use crate::tcl::{Call, Flow, Interp, Outcome};

/// Per interpreter: whether it has the command.
#[derive(Default)]
struct Hidden(Cell<bool>);

/// Makes the hidden command, unless it is there. Its name has the version: a library of another
/// version in the same interpreter has its own.
pub fn hide(interp: Interp) -> bool {
    let state = interp.state();
    let hidden = state.data::<Hidden>();
    if hidden.0.get() {
        return true;
    }
    const NAME: &str = concat!("kafka:", env!("CARGO_PKG_VERSION"));
    let name =
        CStr::from_bytes_with_nul(concat!("kafka:", env!("CARGO_PKG_VERSION"), "\0").as_bytes());
    let done = create_plain(interp, NAME, Internal::new(state.clone()))
        && name.is_ok_and(|name| interp.hide(name, name));
    hidden.0.set(done);
    done
}

/// `init`
pub fn init(c: &Call<'_, Internal>) -> Outcome<Internal> {
    if super::make(c.interp) {
        Ok(Flow::Empty)
    } else {
        Err(Error::Raised)
    }
}
