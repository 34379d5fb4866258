//! One error for the whole package, and the only place that makes an `errorCode`.
//!
//! The contract: the message is `kafka error: TEXT (DETAIL)`, the errorCode is always `KAFKA CODE
//! TEXT DETAIL FLAGS`. Faults in a script's words keep Tcl's own messages and codes.

mod hints;

pub use hints::{hint, is_away, ANSWERED};

use crate::rdk;
use crate::rdk::ErrorCode;
use crate::tcl::{self, Interp, Obj, Raise};

/// Whatever a method can fail with.
#[derive(Debug)]
pub enum Error {
    /// A fault in the script's words.
    Words(tcl::Error),
    /// librdkafka's or the broker's.
    Kafka(rdk::Error),
    /// Not allowed in the object's present state.
    State(String),
    /// The object belongs to the process that this one was forked from.
    Forked,
    /// Some items of several succeeded and some failed.
    Partial { ok: usize, failed: Vec<(Obj, rdk::Error)>, done: Obj },
    /// Of a command of Tcl's that was called on the way.
    Tcl { message: String, code: Obj },
    /// The interpreter has the error already (a command that was called on the way).
    Raised,
}

impl From<tcl::Error> for Error {
    fn from(e: tcl::Error) -> Error {
        Error::Words(e)
    }
}

impl From<rdk::Error> for Error {
    fn from(e: rdk::Error) -> Error {
        Error::Kafka(e)
    }
}

impl Error {
    /// An argument that is well formed and still wrong.
    pub fn argument(message: impl Into<String>) -> Error {
        Error::Words(tcl::Error::Argument { message: message.into() })
    }

    /// As [`tcl::Error::argument`].
    pub fn expected(name: &str, expected: &str, got: &str) -> Error {
        Error::Words(tcl::Error::argument(name, expected, got))
    }

    pub fn kafka(code: ErrorCode, detail: impl Into<String>) -> Error {
        Error::Kafka(rdk::Error::with_detail(code, detail))
    }

    /// Message and errorCode.
    pub fn parts(&self) -> (String, Obj) {
        match self {
            Error::Words(e) => (e.message(), words_code(e)),
            Error::Kafka(e) => {
                let detail = hints::detail(e);
                (
                    message(&e.code.text(), &detail),
                    code(&e.code.constant(), &e.code.text(), &detail, flags(e)),
                )
            }
            Error::State(what) => own("STATE", "not allowed in the present state", what),
            Error::Forked => own(
                "FORKED",
                "the object belongs to the process that this one was forked from",
                "create a new one here",
            ),
            Error::Partial { ok, failed, done } => {
                let text = format!("{} of {} failed", failed.len(), ok + failed.len());
                let rows: Vec<Obj> =
                    failed.iter().flat_map(|(item, e)| [item.clone(), error_dict(e)]).collect();
                let detail = Obj::list(&[
                    Obj::text("ok"),
                    done.clone(),
                    Obj::text("failed"),
                    Obj::list(&rows),
                ]);
                let first = failed.first().map_or_else(String::new, |(item, e)| {
                    format!("{}: {}", item.str(), e.code.text())
                });
                let list = [
                    Obj::text("KAFKA"),
                    Obj::text("PARTIAL"),
                    Obj::int(*ok as i64),
                    Obj::int(failed.len() as i64),
                    detail,
                    Obj::empty(),
                ];
                (message(&text, &first), Obj::list(&list))
            }
            Error::Tcl { message, code } => (message.clone(), code.clone()),
            Error::Raised => (String::new(), Obj::empty()),
        }
    }

    /// `error TEXT code CODE message DETAIL errorcode LIST`: what the `-command` form of a call
    /// hands over.
    pub fn call_dict(&self) -> Obj {
        let (message, errorcode) = self.parts();
        let (text, code, detail) = match self {
            Error::Kafka(e) => (e.code.text(), e.code.constant(), guiding_detail(e)),
            _ => {
                let words = errorcode.get_list("errorCode").unwrap_or_default();
                let word = |i: usize| words.get(i).map_or_else(String::new, Obj::string);
                // Two counts stand before PARTIAL's detail.
                let partial = matches!(self, Error::Partial { .. });
                (message.clone(), word(1), word(if partial { 4 } else { 3 }))
            }
        };
        Obj::list(&[
            Obj::text("error"),
            Obj::text(&text),
            Obj::text("code"),
            Obj::text(&code),
            Obj::text("message"),
            Obj::text(&detail),
            Obj::text("errorcode"),
            errorcode,
        ])
    }
}

impl Raise for Error {
    fn raise(&self, interp: Interp) {
        if let Error::Raised | Error::Words(tcl::Error::Canceled) = self {
            return;
        }
        let (message, code) = self.parts();
        interp.set_error(&message, &code);
    }
}

/// `error TEXT code CODE message DETAIL`.
pub fn error_dict(e: &rdk::Error) -> Obj {
    Obj::texts(["error", &e.code.text(), "code", &e.code.constant(), "message", &hints::detail(e)])
}

/// An error's detail with what to do about it: what every error shows to a script.
pub fn guiding_detail(e: &rdk::Error) -> String {
    hints::detail(e).into_owned()
}

fn message(text: &str, detail: &str) -> String {
    if detail.is_empty() {
        format!("kafka error: {text}")
    } else {
        format!("kafka error: {text} ({detail})")
    }
}

fn code(code: &str, text: &str, detail: &str, flags: Obj) -> Obj {
    let [kafka, code, text, detail] = ["KAFKA", code, text, detail].map(Obj::text);
    Obj::list(&[kafka, code, text, detail, flags])
}

fn own(word: &str, text: &str, detail: &str) -> (String, Obj) {
    (message(text, detail), code(word, text, detail, Obj::empty()))
}

fn flags(e: &rdk::Error) -> Obj {
    let all =
        [(e.fatal, "fatal"), (e.retriable, "retriable"), (e.abort_required, "abort_required")];
    Obj::texts(all.iter().filter(|(on, _)| *on).map(|(_, name)| *name))
}

/// Tcl's own codes for faults in the words (Tcl_WrongNumArgs, Tcl_GetIndexFromObj).
fn words_code(e: &tcl::Error) -> Obj {
    match e {
        tcl::Error::WrongArgs(_) => Obj::texts(["TCL", "WRONGARGS"]),
        tcl::Error::BadWord { kind, word, .. } => {
            Obj::texts(["TCL", "LOOKUP", "INDEX", kind, word.as_str()])
        }
        tcl::Error::Argument { .. } => Obj::texts(["TCL", "VALUE"]),
        tcl::Error::NotBytes { .. } | tcl::Error::NotEncodable { .. } => {
            code("ENCODING", "not representable as bytes", &e.message(), Obj::empty())
        }
        tcl::Error::Canceled => Obj::texts(["TCL", "CANCEL", "IEVAL"]),
    }
}

pub type Result<T> = std::result::Result<T, Error>;
