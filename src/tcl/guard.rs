//! The one guard at the boundary: a Rust panic becomes data, never an unwind into C.

use std::cell::RefCell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

static HOOK: Once = Once::new();

/// Runs `f`; a panic in it comes back as its message with the place, for an error or a log.
///
/// Never call this around code that evaluates Tcl: `thread::exit` unwinds by force through the
/// frames of the evaluation, and a forced unwind that meets `catch_unwind` ends the process.
#[inline]
pub fn guard<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    // What a panic leaves half done is reachable only through cells, whose borrow flags tell.
    catch_unwind(AssertUnwindSafe(f)).map_err(|_| LAST.with(|l| l.borrow().clone()))
}

/// Makes panics silent (the default hook prints to stderr, which belongs to the script) and keeps
/// their text for [`guard`].
pub fn install_hook() {
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let text = info.to_string();
            LAST.with(|l| *l.borrow_mut() = text);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_comes_back_as_text() {
        let hook = std::panic::take_hook();
        install_hook();
        assert_eq!(guard(|| 7), Ok(7));
        let err = guard(|| -> i32 { panic!("boom {}", 1) });
        std::panic::set_hook(hook);
        assert!(err.as_ref().is_err_and(|e| e.contains("boom 1")), "{err:?}");
    }
}
