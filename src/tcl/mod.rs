//! Safe Tcl. Knows nothing of Kafka.
//!
//! Values ([`Obj`]), interpreters ([`Interp`]), method tables ([`method`]) and commands over Rust
//! objects ([`command`]), work that evaluates Tcl ([`task`]), callbacks and the event source. Raw
//! Tcl is in [`sys`] only.

pub mod callback;
pub mod command;
pub mod elements;
pub mod error;
pub mod event;
pub mod guard;
pub mod interp;
pub mod list;
pub mod method;
pub mod near;
pub mod obj;
pub mod repeats;
pub mod resources;
pub mod sys;
pub mod task;
pub mod text;
pub mod usage;
pub mod utf;

pub use callback::{Prefix, Slot};
pub use elements::Elements;
pub use error::Error;
pub use interp::{Interp, State};
pub use list::{Again, ListBuilder, New};
pub use method::{Call, Flow, Object, Outcome, Row, Table};
pub use obj::Obj;
pub use task::{Code, Next, Raise, Task};
pub use usage::Args;
