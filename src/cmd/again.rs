//! The library set up once more in an interpreter that has it, for `package forget` and `require`.
//!
//! `load` runs a library's Init once in an interpreter. When the script has had the package
//! forgotten, or has deleted its namespace, there has to be something left that makes the commands
//! again: a hidden command, which no namespace takes along and no list of commands shows. The package
//! index calls it if `load` has not provided the package.

use std::cell::Cell;
use std::ffi::CStr;
use std::rc::Rc;

use crate::error::Error;
use crate::tcl::command::{create_plain, new_id};
use crate::tcl::{Call, Flow, Interp, Object, Outcome, Row, State, Table};

pub struct Again {
    id: u64,
    state: Rc<State>,
}

/// Per interpreter: whether it has the command.
#[derive(Default)]
struct Hidden(Cell<bool>);

static TABLE: Table<Again> =
    Table::new(&[Row("init", "", again, "make the package's commands again, and provide it")]);

impl Object for Again {
    const KIND: &'static str = "again";
    const AUTO: &'static str = "kafka_again";
    type Error = Error;

    fn table() -> &'static Table<Self> {
        &TABLE
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn state(&self) -> &Rc<State> {
        &self.state
    }

    fn deleted(self: &Rc<Self>) {}
}

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
    let done = create_plain(interp, NAME, Rc::new(Again { id: new_id(), state: state.clone() }))
        && name.is_ok_and(|name| interp.hide(name, name));
    hidden.0.set(done);
    done
}

/// `init`
fn again(c: &Call<'_, Again>) -> Outcome<Again> {
    if super::make(c.interp) {
        Ok(Flow::Empty)
    } else {
        Err(Error::Raised)
    }
}
