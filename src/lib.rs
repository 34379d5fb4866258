//! The `kafka` package for Tcl: the entry points that Tcl looks for when it loads the library.

pub mod cmd;
pub mod error;
pub mod rdk;
pub mod tcl;

use std::ffi::c_int;

use tcl::guard::{guard, install_hook};
use tcl::sys::{self, Tcl_Interp};
use tcl::Interp;

/// `load libkafka.so Kafka`: makes the package's commands in an interpreter.
///
/// # Safety
/// Called by Tcl with a live interpreter of the calling thread.
#[no_mangle]
pub unsafe extern "C" fn Kafka_Init(interp: *mut Tcl_Interp) -> c_int {
    install_hook();
    let done = guard(|| {
        // SAFETY: Tcl hands over a live interpreter.
        unsafe { sys::init(interp) }.then(|| {
            // SAFETY: as above.
            cmd::init(unsafe { Interp::from_ptr(interp) })
        })
    });
    if matches!(done, Ok(Some(true))) {
        sys::TCL_OK
    } else {
        sys::TCL_ERROR
    }
}

/// Safe interpreters are refused: the package opens network connections and files.
///
/// # Safety
/// As for [`Kafka_Init`].
#[no_mangle]
pub unsafe extern "C" fn Kafka_SafeInit(interp: *mut Tcl_Interp) -> c_int {
    install_hook();
    let _ = guard(|| {
        // SAFETY: Tcl hands over a live interpreter.
        if unsafe { sys::init(interp) } {
            // SAFETY: as above.
            cmd::refuse_safe(unsafe { Interp::from_ptr(interp) });
        }
    });
    sys::TCL_ERROR
}

/// There is no unload: librdkafka's threads may run as long as the process does.
///
/// # Safety
/// As for [`Kafka_Init`].
#[no_mangle]
pub unsafe extern "C" fn Kafka_Unload(interp: *mut Tcl_Interp, _flags: c_int) -> c_int {
    let _ = guard(|| {
        // SAFETY: Tcl hands over a live interpreter.
        cmd::refuse_unload(unsafe { Interp::from_ptr(interp) });
    });
    sys::TCL_ERROR
}
