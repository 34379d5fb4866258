//! The `kafka` package for Tcl: the entry points that Tcl looks for when it loads the library.

pub mod cmd;
pub mod error;
pub mod rdk;
pub mod tcl;

use std::ffi::c_int;

use tcl::guard::{guard, install_hook};
use tcl::sys::{self, Tcl_Interp};
use tcl::Interp;

/// Makes the package's commands in an interpreter, and provides the package `kafka`. It is what
/// `load libkafka.so Kafka` calls, and what a program that links the package in gives to
/// `Tcl_StaticLibrary` (`Tcl_StaticPackage` before Tcl 8.7).
///
/// # Safety
/// The interpreter is alive and belongs to the calling thread.
#[no_mangle]
pub unsafe extern "C" fn Kafka_Init(interp: *mut Tcl_Interp) -> c_int {
    install_hook();
    stay_loaded();
    remember_stderr();
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

/// The same for a safe interpreter, which is refused: the package opens network connections and
/// files.
///
/// # Safety
/// As for `Kafka_Init`.
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

/// Refuses too, for there is no unload: librdkafka's threads may run as long as the process does.
///
/// # Safety
/// As for `Kafka_Init`.
#[no_mangle]
pub unsafe extern "C" fn Kafka_Unload(interp: *mut Tcl_Interp, _flags: c_int) -> c_int {
    let _ = guard(|| {
        // SAFETY: Tcl hands over a live interpreter.
        cmd::refuse_unload(unsafe { Interp::from_ptr(interp) });
    });
    sys::TCL_ERROR
}

/// Lines go to what stderr is when the package is loaded, and nowhere else.
fn remember_stderr() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(rdk::adopt_stderr);
}

/// Keeps the library mapped until the process is gone. A Tcl that finalises all it has (a program
/// that embeds it, `TCL_FINALIZE_ON_EXIT`) closes its libraries without asking `Kafka_Unload`, and
/// clients that were deleted a moment ago may still be ending on threads of their own.
fn stay_loaded() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let here = Kafka_Init as *const libc::c_void;
        // SAFETY: dladdr fills in the structure if it finds the address, and the name it gives
        // lives as long as the library. Without RTLD_NOLOAD's handle nothing has changed.
        unsafe {
            let mut info: libc::Dl_info = std::mem::zeroed();
            if libc::dladdr(here, &mut info) != 0 && !info.dli_fname.is_null() {
                let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
                libc::dlopen(info.dli_fname, flags);
            }
        }
    });
}
