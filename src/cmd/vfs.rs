//! Files that a script names, through Tcl's own file system: what is in a zip or a starkit, and `~`
//! in 8.6, is there for Tcl only.
//!
//! A file system may be written in Tcl, so reading one evaluates Tcl: it is a task, whose words go
//! through Tcl's own commands.

use crate::error::Error;
use crate::error::Result;
use crate::tcl::{Code, Flow, Interp, Next, Obj, Raise, Task};

/// Reads a file into `bytes`. A close that fails says nothing more of what was read.
macro_rules! read {
    () => {
        r#"
    ::set channel [::open $path rb]
    ::set code [::catch {::read $channel} bytes options]
    ::catch {::close $channel}
    ::if {$code} {
        ::return -code error -errorcode [::dict get $options -errorcode] \
            "couldn't read \"$path\": [::lindex [::dict get $options -errorcode] end]"
    }
"#
    };
}

/// Gives a file's bytes. (A name that begins with `|` is a pipeline for `open`.)
const READ: &str = concat!(
    r#"path {
    ::if {[::string match |* $path]} {::set path ./$path}
    ::if {[::file isdirectory $path]} {
        ::return -code error -errorcode {POSIX EISDIR {illegal operation on a directory}} \
            "couldn't read \"$path\": illegal operation on a directory"
    }"#,
    read!(),
    "::return $bytes
}"
);

/// Says what Tcl knows of a file that the native file system doesn't have: nothing, `path` and the
/// native one, `folder`, or `bytes` and what is in it.
const LOOK: &str = concat!(
    r#"path {
    ::if {[::catch {::file system $path} system] || [::lindex $system 0] eq "native"} {
        ::if {[::string match ~* $path] && [::file exists $path]} {
            ::return [::list path [::file nativename [::file normalize $path]]]
        }
        ::return
    }
    ::if {![::file exists $path]} ::return
    ::if {[::file isdirectory $path]} {::return folder}"#,
    read!(),
    "::list bytes $bytes
}"
);

/// What to ask Tcl about a file.
#[derive(Clone, Copy)]
pub enum Question {
    /// Its bytes.
    Read,
    /// What it is for Tcl: see [`LOOK`].
    Look,
}

type Then = Box<dyn FnOnce(Interp, Vec<Obj>) -> Result<Obj>>;

/// Asks about files one after the other, and goes on with the answers.
struct Asking {
    question: Question,
    paths: std::vec::IntoIter<Obj>,
    asked: bool,
    answers: Vec<Obj>,
    then: Option<Then>,
    /// Whether the call's other words may be secret.
    private: bool,
}

/// Asks Tcl about files; `then` gets an answer for each, and gives the call's result.
pub fn ask(
    question: Question,
    paths: Vec<Obj>,
    private: bool,
    then: impl FnOnce(Interp, Vec<Obj>) -> Result<Obj> + 'static,
) -> Flow {
    Flow::Run(Box::new(Asking {
        question,
        paths: paths.into_iter(),
        asked: false,
        answers: Vec::new(),
        then: Some(Box::new(then)),
        private,
    }))
}

impl Asking {
    fn fail(&self, interp: Interp, e: Error) -> Next {
        if !self.private {
            return Next::Fail(e.into());
        }
        e.raise(interp);
        interp.hide_words();
        Next::Leave(Code::ERROR)
    }
}

impl Task for Asking {
    fn step(&mut self, interp: Interp, code: Code, words: &mut Vec<Obj>) -> Next {
        if std::mem::take(&mut self.asked) {
            if code != Code::OK && code != Code::ERROR {
                return Next::Leave(code);
            }
            if code == Code::ERROR {
                // Without the trace of our own procedure.
                let (message, code) = (interp.result().string(), interp.error_code());
                interp.reset_result();
                return self.fail(interp, Error::Tcl { message, code });
            }
            self.answers.push(interp.result());
        }
        if let Some(path) = self.paths.next() {
            let lambda = match self.question {
                Question::Read => READ,
                Question::Look => LOOK,
            };
            words.extend([Obj::text("::apply"), Obj::text(lambda), path]);
            self.asked = true;
            return Next::Ask;
        }
        let answers = std::mem::take(&mut self.answers);
        match self.then.take().map_or_else(|| Ok(Obj::empty()), |then| then(interp, answers)) {
            Ok(value) => Next::Done(Some(value)),
            Err(e) => self.fail(interp, e),
        }
    }
}
