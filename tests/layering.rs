//! The house rules of `src/`, enforced on its text.
//!
//! Imports go one way: `lib -> cmd -> error -> {tcl, rdk}`; `cmd` may also use
//! `tcl` and `rdk` directly, and those two never see each other. `unsafe` lives in
//! `src/tcl`, `src/rdk` and `src/lib.rs` only and always says why it is sound.
//! librdkafka's raw bindings are seen by `src/rdk` only. No file is a place where
//! everything goes.
//!
//! The rules work on source text with comments and literals blanked out, which is
//! exact enough for code that rustfmt has formatted, and needs no parser. Each rule
//! is proved on small violations below: a check that can't fail checks nothing.

use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 700;

/// How many lines above an `unsafe` its reason may begin.
const SAFETY_REACH: usize = 8;

/// The rooms of the house and the rooms that each may name.
const ROOMS: &[(&str, &[&str])] = &[
    ("lib", &["cmd", "error", "tcl", "rdk"]),
    ("cmd", &["cmd", "error", "tcl", "rdk"]),
    ("error", &["error", "tcl", "rdk"]),
    ("tcl", &["tcl"]),
    ("rdk", &["rdk"]),
];

// ------------------------------------------------------------------ the lexer

/// What a byte of the source belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Classify each byte of Rust source.
fn classify(src: &[u8]) -> Vec<Kind> {
    let mut kinds = vec![Kind::Code; src.len()];
    let mut i = 0;
    while i < src.len() {
        let (end, kind) = match src[i] {
            b'/' if src.get(i + 1) == Some(&b'/') => (line_end(src, i), Kind::Comment),
            b'/' if src.get(i + 1) == Some(&b'*') => (block_comment_end(src, i), Kind::Comment),
            b'"' => (string_end(src, i + 1), Kind::Literal),
            b'r' | b'b' | b'c' if !is_word(src, i.wrapping_sub(1)) => match literal_start(src, i) {
                Some(end) => (end, Kind::Literal),
                None => (word_end(src, i), Kind::Code),
            },
            b'\'' => match char_end(src, i) {
                Some(end) => (end, Kind::Literal),
                None => (i + 1, Kind::Code), // a lifetime
            },
            _ => (i + 1, Kind::Code),
        };
        let end = end.min(src.len());
        kinds[i..end].fill(kind);
        i = end;
    }
    kinds
}

fn is_word(src: &[u8], i: usize) -> bool {
    src.get(i).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80)
}

fn word_end(src: &[u8], mut i: usize) -> usize {
    while is_word(src, i) {
        i += 1;
    }
    i
}

fn line_end(src: &[u8], i: usize) -> usize {
    src[i..].iter().position(|b| *b == b'\n').map_or(src.len(), |n| i + n)
}

/// Block comments nest.
fn block_comment_end(src: &[u8], start: usize) -> usize {
    let (mut i, mut depth) = (start, 0);
    while i < src.len() {
        if src[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if src[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                break;
            }
        } else {
            i += 1;
        }
    }
    i
}

/// The end of a string whose text begins at `i`.
fn string_end(src: &[u8], mut i: usize) -> usize {
    while i < src.len() {
        match src[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    i
}

/// The end of a literal with a prefix (`b"`, `c"`, `r#"`, `br"`, `b'`) that begins
/// at `i`; `None` if a plain word begins there (also a raw identifier).
fn literal_start(src: &[u8], i: usize) -> Option<usize> {
    let mut at = i;
    if matches!(src[at], b'b' | b'c') {
        at += 1;
        match src.get(at)? {
            b'"' => return Some(string_end(src, at + 1)),
            b'\'' if src[i] == b'b' => return char_end(src, at),
            b'r' => {}
            _ => return None,
        }
    }
    at += 1; // the r
    let hashes = src[at..].iter().take_while(|b| **b == b'#').count();
    at += hashes;
    if src.get(at) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let text = &src[at + 1..];
    let length = text.windows(close.len()).position(|w| w == close).unwrap_or(text.len());
    Some(at + 1 + length + close.len())
}

/// The end of the character literal whose quote is at `i`; `None` for a lifetime.
fn char_end(src: &[u8], i: usize) -> Option<usize> {
    if src.get(i + 1) == Some(&b'\\') {
        // Skip what is escaped: it may be a quote.
        let end = src.get(i + 3..)?.iter().position(|b| *b == b'\'')?;
        return Some(i + 3 + end + 1);
    }
    let width = std::str::from_utf8(&src[i + 1..src.len().min(i + 5)])
        .map_or_else(|e| e.valid_up_to(), str::len);
    let first = std::str::from_utf8(&src[i + 1..i + 1 + width]).ok()?.chars().next()?;
    let end = i + 1 + first.len_utf8();
    (src.get(end) == Some(&b'\'')).then_some(end + 1)
}

/// The source with everything but `keep` replaced by spaces; lines stay lines.
fn only(src: &str, keep: Kind) -> String {
    let kinds = classify(src.as_bytes());
    let bytes = src.bytes().zip(kinds);
    let kept = bytes.map(|(b, k)| if b == b'\n' || (k == keep && b < 0x80) { b } else { b' ' });
    kept.map(char::from).collect()
}

// ------------------------------------------------------------------ the rules

/// One source file: its path below `src/`, as `cmd/producer.rs`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or("");
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

/// The words of a line of code, each with what stands around it.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|w| !w.is_empty())
}

fn has_word(line: &str, word: &str) -> bool {
    words(line).any(|w| w == word)
}

/// The tokens of a file's code with their line numbers: words, `::` and single
/// other characters.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let bytes = code.as_bytes();
    let (mut tokens, mut i, mut line) = (Vec::new(), 0, 1);
    while i < bytes.len() {
        let end = match bytes[i] {
            b'\n' => {
                line += 1;
                i += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' => {
                i += 1;
                continue;
            }
            _ if is_word(bytes, i) => word_end(bytes, i),
            b':' if bytes.get(i + 1) == Some(&b':') => i + 2,
            _ => i + 1,
        };
        tokens.push((line, &code[i..end]));
        i = end;
    }
    tokens
}

/// The rooms that a file names: `crate::x`, also within `use crate::{x, y::z}`, and
/// `super::x` where super is the crate's root.
fn rooms_named(source: &Source, code: &str) -> Vec<(usize, String)> {
    let tokens = tokens(code);
    let text = |i: usize| tokens.get(i).map_or("", |t| t.1);
    // How deep the file's module is: lib 0, tcl/mod 1, tcl/interp 2, error 1.
    let parts = source.path.trim_end_matches(".rs").split('/');
    let depth = parts.filter(|p| *p != "mod" && *p != "lib").count();

    let mut named = Vec::new();
    for i in 0..tokens.len() {
        let mut at = i;
        if text(at) == "crate" && text(at + 1) == "::" {
            at += 2;
        } else if text(at) == "super" && (at == 0 || text(at - 1) != "::") {
            let mut ups = 0;
            while text(at) == "super" && text(at + 1) == "::" {
                ups += 1;
                at += 2;
            }
            // A nested module (tests) has one level more to climb.
            if ups < depth {
                continue;
            }
        } else {
            continue;
        }
        if text(at) != "{" {
            named.push((tokens[i].0, text(at).to_string()));
            continue;
        }
        // The first word of each branch of the group.
        let mut level = 0;
        while at < tokens.len() {
            match text(at) {
                "{" => level += 1,
                "}" => level -= 1,
                _ => {}
            }
            if level == 0 {
                break;
            }
            if level == 1 && matches!(text(at), "{" | ",") && text(at + 1) != "}" {
                named.push((tokens[at + 1].0, text(at + 1).to_string()));
            }
            at += 1;
        }
    }
    named
}

/// Every breach of the rules in one file, as `path:line: what`.
fn breaches(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |line: usize, what: String| found.push(format!("{}:{line}: {what}", source.path));
    let room = source.room();
    let code = only(&source.text, Kind::Code);
    let comments = only(&source.text, Kind::Comment);
    let comment_lines: Vec<&str> = comments.lines().collect();
    let code_lines: Vec<&str> = code.lines().collect();

    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        say(1, format!("`{room}` is no room of the house: add it to ROOMS in tests/layering.rs"));
        return found;
    };

    let is_room = |name: &str| ROOMS.iter().any(|(room, _)| *room == name);
    for (line, named) in rooms_named(source, &code) {
        // `crate::Thing` re-exported at the root would be a way around the rule.
        if room != "lib" && !is_room(&named) && named != "lib" {
            say(line, format!("`crate::{named}` is not in a room"));
        } else if is_room(&named) && !allowed.contains(&named.as_str()) {
            say(line, format!("`{room}` must not use `{named}`"));
        }
    }

    for (index, line) in code_lines.iter().enumerate() {
        let number = index + 1;
        if room != "rdk" && (has_word(line, "rdkafka") || has_word(line, "rdkafka_sys")) {
            say(number, "librdkafka's bindings are for `rdk` only".into());
        }
        // `unsafe_code`, as in `#![forbid(unsafe_code)]`, is another word.
        if has_word(line, "unsafe") {
            if !matches!(room, "tcl" | "rdk" | "lib") {
                say(number, format!("`unsafe` in `{room}`"));
            } else if needs_reason(line) && !has_reason(&comment_lines, &code_lines, index) {
                say(number, "`unsafe` without a SAFETY comment above".into());
            }
        }
    }

    if source.path == "cmd/mod.rs" && !code.replace(' ', "").contains("#![forbid(unsafe_code)]") {
        say(1, "`#![forbid(unsafe_code)]` is missing".into());
    }
    if code_lines.len() > MAX_LINES {
        let count = code_lines.len();
        say(count, format!("{count} lines; split it by subject (at most {MAX_LINES})"));
    }
    found
}

/// Whether the `unsafe` in a line asks us to prove something: blocks and impls do;
/// `unsafe fn` and `unsafe extern` pass the duty to the caller (`# Safety`).
fn needs_reason(line: &str) -> bool {
    let mut words = words(line).skip_while(|w| *w != "unsafe").skip(1);
    !matches!(words.next(), Some("fn" | "extern" | "trait"))
        || line.split("unsafe").skip(1).any(|rest| rest.trim_start().starts_with('{'))
}

/// Whether a SAFETY comment stands on the line, or in the lines just above within
/// reach. A run of unsafe lines may share one reason; the reach starts anew at each.
fn has_reason(comments: &[&str], code: &[&str], index: usize) -> bool {
    let mut reach = SAFETY_REACH;
    for at in (0..=index).rev() {
        if comments.get(at).is_some_and(|line| line.contains("SAFETY:")) {
            return true;
        }
        let blank = |lines: &[&str]| lines.get(at).is_none_or(|line| line.trim().is_empty());
        let has_code = !blank(code);
        // An empty line or the end of an item ends the search: the reason of the
        // function before is not this one's.
        if (!has_code && blank(comments)) || code.get(at).is_some_and(|line| *line == "}") {
            return false;
        }
        // A long comment is no distance.
        if has_code {
            if reach == 0 {
                return false;
            }
            reach -= 1;
        }
    }
    false
}

// ------------------------------------------------------------------ the house

fn collect(dir: &Path, root: &Path, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(dir).expect("src is readable");
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, root, sources);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("source is UTF-8");
            let relative = path.strip_prefix(root).expect("below src");
            let path = relative.to_string_lossy().replace('\\', "/");
            sources.push(Source { path, text });
        }
    }
}

#[test]
fn the_house_rules_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.iter().any(|s| s.path == "lib.rs"), "no sources found");
    let found: Vec<String> = sources.iter().flat_map(breaches).collect();
    assert!(found.is_empty(), "house rules broken:\n{}", found.join("\n"));
}

// ------------------------------------------------------- the rules can fail

fn check(path: &str, text: &str) -> Vec<String> {
    breaches(&Source { path: path.into(), text: text.into() })
}

#[track_caller]
fn refused(path: &str, text: &str, expected: &str) {
    let found = check(path, text);
    assert!(found.iter().any(|f| f.contains(expected)), "{expected:?} not in {found:?}");
}

#[track_caller]
fn accepted(path: &str, text: &str) {
    let found = check(path, text);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn imports_go_one_way() {
    refused("tcl/interp.rs", "use crate::rdk::conf;\n", "`tcl` must not use `rdk`");
    refused("tcl/interp.rs", "use crate::error::Error;\n", "`tcl` must not use `error`");
    refused("tcl/mod.rs", "use super::cmd;\n", "`tcl` must not use `cmd`");
    refused("tcl/a.rs", "use super::super::rdk;\n", "`tcl` must not use `rdk`");
    refused("rdk/client.rs", "fn f(x: crate::tcl::Obj) {}\n", "`rdk` must not use `tcl`");
    refused("rdk/client.rs", "use crate::{rdk::conf, cmd::pump};\n", "`rdk` must not use `cmd`");
    refused("rdk/a.rs", "use crate::{\n    rdk::{b, c},\n    tcl,\n};\n", "rdk/a.rs:3: `rdk`");
    refused("error.rs", "use crate::cmd::master;\n", "`error` must not use `cmd`");
    refused("rdk/a.rs", "use crate::Error;\n", "`crate::Error` is not in a room");
    refused("util.rs", "fn f() {}\n", "`util` is no room");
    accepted("cmd/producer.rs", "use crate::{error::Error, rdk::topic, tcl::obj};\n");
    accepted("cmd/producer.rs", "use super::handle;\nuse crate::cmd::pump;\n");
    accepted("error.rs", "use crate::rdk::errno;\nuse crate::tcl::obj;\n");
    accepted("tcl/interp.rs", "mod tests {\n    use super::*;\n}\nuse super::sys;\n");
    accepted("lib.rs", "pub mod cmd;\npub mod tcl;\nuse crate::cmd::kafka;\n");
}

#[test]
fn bindings_stay_in_their_room() {
    refused("cmd/a.rs", "use rdkafka::bindings as raw;\n", "bindings");
    refused("tcl/a.rs", "fn f() { rdkafka_sys::rd_kafka_version(); }\n", "bindings");
    accepted("rdk/a.rs", "use rdkafka::bindings as raw;\n");
}

#[test]
fn unsafe_stays_in_its_rooms() {
    refused("cmd/a.rs", "fn f() {\n    // SAFETY: no.\n    unsafe { g() }\n}\n", "cmd/a.rs:3");
    refused("error.rs", "unsafe impl Send for E {}\n", "`unsafe` in `error`");
    refused("cmd/mod.rs", "mod kafka;\n", "forbid(unsafe_code)");
    accepted("cmd/mod.rs", "#![forbid(unsafe_code)]\nmod kafka;\n");
}

#[test]
fn unsafe_says_why() {
    refused("tcl/a.rs", "fn f() {\n    unsafe { g() }\n}\n", "without a SAFETY");
    refused("tcl/a.rs", "unsafe impl Send for X {}\n", "without a SAFETY");
    refused("rdk/a.rs", "fn f() {\n    let x = \"SAFETY: s\";\n    unsafe { g() }\n}\n", "SAFETY");
    let other = "fn e() {\n    // SAFETY: e's own.\n    unsafe { g() }\n}\nfn f() {\n    unsafe { g() }\n}\n";
    refused("tcl/a.rs", other, "tcl/a.rs:6");
    let far = format!(
        "fn f() {{\n    // SAFETY: far.\n{}    unsafe {{ g() }}\n}}\n",
        "    h();\n".repeat(9)
    );
    refused("tcl/a.rs", &far, "without a SAFETY");
    accepted(
        "tcl/a.rs",
        "fn f() {\n    // SAFETY: g is\n    // harmless.\n    unsafe { g() }\n}\n",
    );
    accepted("tcl/a.rs", "// SAFETY: X holds no thread's data.\nunsafe impl Send for X {}\n");
    accepted("tcl/a.rs", "pub unsafe fn f() {}\n");
    accepted("tcl/a.rs", "type F = unsafe extern \"C\" fn(i32);\n");
    refused("tcl/a.rs", "pub unsafe fn f() { unsafe { g() } }\n", "without a SAFETY");
}

#[test]
fn files_stay_small() {
    refused("rdk/a.rs", &"fn f() {}\n".repeat(MAX_LINES + 1), "split it");
    accepted("rdk/a.rs", &"fn f() {}\n".repeat(MAX_LINES));
}

#[test]
fn comments_and_literals_are_no_code() {
    accepted("tcl/a.rs", "// use crate::rdk;\n/* unsafe /* nested */ rdkafka */\n");
    accepted("tcl/a.rs", "const A: &str = \"unsafe { crate::rdk } \\\" unsafe\";\n");
    accepted("tcl/a.rs", "const A: &str = r#\"unsafe \" crate::rdk\"#;\n");
    accepted("tcl/a.rs", "const A: &[u8] = b\"unsafe\";\nconst B: &CStr = c\"unsafe\";\n");
    // A quote character must not open a string that hides the rest of the file.
    for quote in ["'\"'", "b'\"'", "'\\''", "'\\u{22}'", "'é'"] {
        let text = format!("fn f() {{\n    let q = {quote};\n    unsafe {{ g() }}\n}}\n");
        refused("tcl/a.rs", &text, "tcl/a.rs:3");
    }
    // Nor a lifetime a character, nor a raw identifier a raw string.
    refused("tcl/a.rs", "fn f<'a>(x: &'a T) {\n    unsafe { g() }\n}\n", "tcl/a.rs:2");
    refused("tcl/a.rs", "fn f(r#in: T) {\n    unsafe { g(r#in) }\n}\n", "tcl/a.rs:2");
}
