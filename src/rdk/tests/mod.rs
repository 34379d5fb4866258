//! The room as a whole, over the mock cluster's real sockets.

mod cluster;
mod consuming;
mod lifetime;
mod producing;
mod waking;
