//! What can go wrong with a script's words, as data. The texts and codes are Tcl's own where Tcl
//! has them (Tcl_WrongNumArgs, Tcl_GetIndexFromObj); `crate::error` turns all into results.

/// A fault in what a script said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// `wrong # args: should be "..."`.
    WrongArgs(String),
    /// `bad option "x": must be a, b, or c`.
    BadWord { kind: &'static str, word: String, choices: Vec<String> },
    /// An argument of the wrong form.
    Argument { message: String },
    /// A character above U+00FF where bytes are needed.
    NotBytes { what: String, ch: u32, index: usize },
    /// Text that an encoding has no exact form for.
    NotEncodable { what: String, encoding: String },
    /// The script was cancelled; the interpreter's result says so already.
    Canceled,
}

impl Error {
    /// `expected PART for NAME but got "x"`.
    pub fn argument(name: &str, expected: &str, got: &str) -> Error {
        let got: String = if got.chars().count() > 80 {
            got.chars().take(77).chain("...".chars()).collect()
        } else {
            got.to_owned()
        };
        Error::Argument { message: format!("expected {expected} for {name} but got \"{got}\"") }
    }

    pub fn bad_word<S: Into<String>>(
        kind: &'static str,
        word: &str,
        choices: impl IntoIterator<Item = S>,
    ) -> Error {
        let choices = choices.into_iter().map(Into::into).collect();
        Error::BadWord { kind, word: word.to_owned(), choices }
    }

    /// The message, as Tcl words it.
    pub fn message(&self) -> String {
        match self {
            Error::WrongArgs(usage) => format!("wrong # args: should be \"{usage}\""),
            Error::BadWord { kind, word, choices } => {
                let near = super::near::nearest(word, choices);
                let hint = near.map(|n| format!("; did you mean \"{n}\"?")).unwrap_or_default();
                format!("bad {kind} \"{word}\": must be {}{hint}", one_of(choices))
            }
            Error::Argument { message } => message.clone(),
            Error::NotBytes { what, ch, index } => format!(
                "{what} has character U+{ch:04X} at index {index}; Kafka payloads are bytes: \
                 use [encoding convertto utf-8 ...] or -encoding utf-8"
            ),
            Error::NotEncodable { what, encoding } => {
                format!("{what} can't be represented in encoding {encoding}")
            }
            Error::Canceled => "eval canceled".to_owned(),
        }
    }
}

/// `a`, `a or b`, `a, b, or c`: the way Tcl_GetIndexFromObj lists choices.
fn one_of(choices: &[String]) -> String {
    match choices {
        [] => "nothing here".to_owned(),
        [a] => a.clone(),
        [a, b] => format!("{a} or {b}"),
        [head @ .., last] => format!("{}, or {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_worded_as_tcl_words_them() {
        let e = Error::bad_word("option", "x", ["a", "b", "c"]);
        assert_eq!(e.message(), "bad option \"x\": must be a, b, or c");
        assert_eq!(
            Error::bad_word("option", "x", ["a", "b"]).message(),
            "bad option \"x\": must be a or b"
        );
        assert_eq!(
            Error::bad_word("option", "flsh", ["poll", "flush"]).message(),
            "bad option \"flsh\": must be poll or flush; did you mean \"flush\"?"
        );
        assert_eq!(
            Error::NotBytes { what: "payload".into(), ch: 0x65E5, index: 0 }.message(),
            "payload has character U+65E5 at index 0; Kafka payloads are bytes: use [encoding \
             convertto utf-8 ...] or -encoding utf-8"
        );
        let long = Error::argument("timeoutMS", "an integer", &"y".repeat(100)).message();
        assert!(long.ends_with("yyy...\""), "{long}");
    }
}
