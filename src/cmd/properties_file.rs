//! Files of properties, as librdkafka's tools and the Java clients have them.
//!
//! `key=value` or `key: value`, `#` or `!` before a comment, a backslash at the end of a line that
//! goes on in the next. In values `\n`, `\t`, `\r`, `\f`, `\uXXXX` stand for characters, and a backslash
//! before `\`, `=`, `:`, `#`, `!` or a space for that character, as in Java. A backslash before
//! anything else stays, which it would not in Java: files of librdkafka's tools have regular
//! expressions and passwords as they are.

/// One property, with the line on which it begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub line: usize,
    pub key: String,
    pub value: String,
}

/// Reads a file's text; a line that is no property is an error: its number and what is wrong. What
/// stands there is not quoted, for it may be part of a secret.
pub fn parse(text: &str) -> Result<Vec<Entry>, (usize, &'static str)> {
    let mut entries = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate();
    while let Some((i, line)) = lines.next() {
        let first = line.trim_start();
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = first.to_owned();
        while continues(&whole) {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next.trim_start());
        }
        let (key, value) = split(trim_end(&whole)).ok_or((i + 1, "expected key=value"))?;
        if key.is_empty() {
            return Err((i + 1, "expected a property's name before ="));
        }
        entries.push(Entry {
            line: i + 1,
            key: unescape(key).ok_or((i + 1, BAD_ESCAPE))?,
            value: unescape(value).ok_or((i + 1, BAD_ESCAPE))?,
        });
    }
    Ok(entries)
}

const BAD_ESCAPE: &str = "expected four hexadecimal digits after \\u";

/// Whether the line ends in a backslash that no other one escapes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

/// Without the white space at the end, but for a character of it that a backslash escapes: a password
/// may end in a space.
fn trim_end(line: &str) -> &str {
    let trimmed = line.trim_end();
    match line[trimmed.len()..].chars().next() {
        Some(c) if continues(trimmed) => &line[..trimmed.len() + c.len_utf8()],
        _ => trimmed,
    }
}

/// At the first separator that no backslash escapes.
fn split(line: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (i, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' => return Some((trim_end(&line[..i]), line[i + 1..].trim_start())),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                let code = u32::from_str_radix(&digits, 16).ok()?;
                // Half of a pair, with which Java writes what is beyond U+FFFF, is no character.
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(c @ ('\\' | '=' | ':' | '#' | '!' | ' ')) => out.push(c),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        parse(text).unwrap().into_iter().map(|e| (e.line, e.key, e.value)).collect()
    }

    fn one(text: &str) -> String {
        let all = pairs(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].2.clone()
    }

    #[test]
    fn lines() {
        let text = "# c\n! c\n\n a = b \nc:d\ne=\nf = g=h:i\r\n\u{65e5}=\u{672c}";
        let want = [
            (4, "a", "b"),
            (5, "c", "d"),
            (6, "e", ""),
            (7, "f", "g=h:i"),
            (8, "\u{65e5}", "\u{672c}"),
        ];
        let want: Vec<_> =
            want.iter().map(|(l, k, v)| (*l, (*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(pairs(text), want);
        assert_eq!(pairs("\u{feff}a=b").len(), 1);
    }

    #[test]
    fn continued_lines_and_escapes() {
        assert_eq!(one("a=b\\\n   c"), "bc");
        assert_eq!(one("a=b\\\\\n"), "b\\");
        assert_eq!(one("a=b\\"), "b");
        assert_eq!(
            one("pem=-----BEGIN-----\\n\\\n  abc\\n\\\n  -----END-----\\n"),
            "-----BEGIN-----\nabc\n-----END-----\n"
        );
        assert_eq!(one(r"a=x\ty\u00e9\=\:\#\!\\"), "x\ty\u{e9}=:#!\\");
        assert_eq!(one("a=b \t"), "b");
        assert_eq!(one("a=b\\   "), "b ");
        assert_eq!(one("a=\\ "), " ");
        assert_eq!(one("a=b\\\\  "), "b\\");
        assert_eq!(pairs("a\\  =b")[0].1, "a ");
        assert_eq!(one(r"a=^t\.x\d+$"), r"^t\.x\d+$");
        assert_eq!(pairs(r"a\=b=c")[0].1, "a=b");
    }

    #[test]
    fn what_is_no_property() {
        assert_eq!(parse("a=b\nnothing"), Err((2, "expected key=value")));
        assert_eq!(parse("=b"), Err((1, "expected a property's name before =")));
        for bad in [r"a=\u12", r"a=\uwxyz", r"a=\u+123"] {
            assert_eq!(parse(bad), Err((1, BAD_ESCAPE)), "{bad}");
        }
    }

    /// A value as a careful program writes it.
    fn written(value: &str) -> String {
        let mut out = String::new();
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{c}' => out.push_str("\\f"),
                ' ' | '=' | ':' | '#' | '!' => out.extend(['\\', c]),
                c if c.is_whitespace() => out.push_str(&format!("\\u{:04x}", c as u32)),
                c => out.push(c),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in vec(("[a-z.]{1,20}", any::<String>()), 0..8)) {
            let text: String =
                pairs.iter().map(|(k, v)| format!("{k}={}\n", written(v))).collect();
            let read: Vec<_> =
                parse(&text).unwrap().into_iter().map(|e| (e.key, e.value)).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn any_text_is_read_or_refused_at_a_line(text in "[a=: \\\\u0#!\n\r\u{e9}]{0,60}") {
            let lines = text.lines().count().max(1);
            match parse(&text) {
                Ok(all) => prop_assert!(all.iter().all(|e| (1..=lines).contains(&e.line))),
                Err((line, _)) => prop_assert!((1..=lines).contains(&line)),
            }
        }
    }
}
