//! The `kafka` package for Tcl.
pub mod rdk;
pub mod tcl;
