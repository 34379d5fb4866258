//! Tcl's internal text and UTF-8, both ways.
//!
//! Tcl's strings are UTF-8 but for two things: NUL is written `C0 80` in both versions, and 8.6
//! writes a character above U+FFFF as two surrogates of three bytes each where 9 has the four bytes
//! of UTF-8. 9 may also hold a lone surrogate. Text that is plain in both forms is borrowed.

use std::borrow::Cow;

/// Tcl's bytes as UTF-8. Surrogate pairs are joined; what is no text becomes U+FFFD.
pub fn from_tcl(raw: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(raw) {
        Ok(s) => Cow::Borrowed(s),
        Err(_) => Cow::Owned(from_tcl_slow(raw)),
    }
}

fn from_tcl_slow(raw: &[u8]) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while !rest.is_empty() {
        let (ch, used) = decode(rest);
        if (0xD800..0xDC00).contains(&ch) {
            let (low, more) = decode(&rest[used..]);
            if (0xDC00..0xE000).contains(&low) {
                let joined = 0x10000 + ((ch - 0xD800) << 10) + (low - 0xDC00);
                out.push(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = &rest[used + more..];
                continue;
            }
        }
        out.push(char::from_u32(ch).unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = &rest[used..];
    }
    out
}

/// One code point (or lone surrogate, or U+FFFD for a broken byte) and the bytes that it takes.
pub fn decode(b: &[u8]) -> (u32, usize) {
    let tail = |i: usize| b.get(i).filter(|c| **c & 0xC0 == 0x80).map(|c| u32::from(*c & 0x3F));
    let Some(&first) = b.first() else { return (0xFFFD, 0) };
    let lead = u32::from(first);
    match first {
        0..=0x7F => (lead, 1),
        0xC0..=0xDF => match tail(1) {
            Some(a) => ((lead & 0x1F) << 6 | a, 2),
            None => (0xFFFD, 1),
        },
        0xE0..=0xEF => match (tail(1), tail(2)) {
            (Some(a), Some(c)) => ((lead & 0x0F) << 12 | a << 6 | c, 3),
            _ => (0xFFFD, 1),
        },
        0xF0..=0xF4 => match (tail(1), tail(2), tail(3)) {
            (Some(a), Some(c), Some(d)) => ((lead & 0x07) << 18 | a << 12 | c << 6 | d, 4),
            _ => (0xFFFD, 1),
        },
        _ => (0xFFFD, 1),
    }
}

/// UTF-8 as Tcl's bytes for the version that runs.
pub fn to_tcl(text: &str, tcl9: bool) -> Cow<'_, [u8]> {
    let plain = |b: &u8| *b != 0 && (tcl9 || *b < 0xF0);
    if text.as_bytes().iter().all(plain) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut buf = [0; 4];
    for ch in text.chars() {
        match ch {
            '\0' => out.extend_from_slice(&[0xC0, 0x80]),
            '\u{10000}'.. if !tcl9 => {
                let mut pair = [0; 2];
                for unit in ch.encode_utf16(&mut pair) {
                    let u = *unit;
                    out.extend_from_slice(&[
                        0xE0 | (u >> 12) as u8,
                        0x80 | (u >> 6 & 0x3F) as u8,
                        0x80 | (u & 0x3F) as u8,
                    ]);
                }
            }
            _ => out.extend_from_slice(ch.encode_utf8(&mut buf).as_bytes()),
        }
    }
    Cow::Owned(out)
}

/// Whether bytes are ASCII without NUL, which every form of UTF-8 has as they are; eight at a time.
#[inline]
pub fn is_plain(bytes: &[u8]) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    // The high bit of a byte is set in `w` above 7F, and by the subtraction where it was zero.
    let odd = words.iter().fold(0, |odd, w| {
        let w = u64::from_ne_bytes(*w);
        odd | (w | w.wrapping_sub(LOW)) & HIGH
    });
    odd == 0 && rest.iter().all(|b| (1..0x80).contains(b))
}

/// As the standard library's, which at these lengths takes six times as long. What is no whole word at
/// the end is looked at with the bytes before it.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let high = match bytes.last_chunk::<8>() {
        Some(last) => {
            let (words, _) = bytes.as_chunks::<8>();
            let last = u64::from_ne_bytes(*last);
            words.iter().fold(last, |high, w| high | u64::from_ne_bytes(*w))
        }
        None => bytes.iter().fold(0, |high, b| high | u64::from(*b)),
    };
    high & 0x8080_8080_8080_8080 == 0
}

/// What Tcl's text says about its use as bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Bytes {
    /// Only U+0001 to U+007F: the text is the bytes.
    Ascii,
    /// Nothing above U+00FF: each character is one byte.
    Latin,
    /// A character above U+00FF, at this index.
    Bad { ch: u32, index: usize },
}

/// Looks for characters that are no bytes.
pub fn classify(raw: &[u8]) -> Bytes {
    if is_ascii(raw) {
        return Bytes::Ascii;
    }
    let mut index = 0;
    let mut at = 0;
    while at < raw.len() {
        let (ch, used) = decode(&raw[at..]);
        if ch > 0xFF {
            let (low, _) = decode(&raw[at + used..]);
            let ch = match (ch, low) {
                (0xD800..=0xDBFF, 0xDC00..=0xDFFF) => {
                    0x10000 + ((ch - 0xD800) << 10) + (low - 0xDC00)
                }
                _ => ch,
            };
            return Bytes::Bad { ch, index };
        }
        index += 1;
        at += used;
    }
    Bytes::Latin
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_point_survives_both_ways_in_both_versions() {
        for tcl9 in [false, true] {
            for ch in (0..=0x10FFFF).filter_map(char::from_u32) {
                let text = format!("a{ch}b");
                let tcl = to_tcl(&text, tcl9);
                assert_eq!(from_tcl(&tcl), text, "U+{:04X} tcl9={tcl9}", ch as u32);
                assert!(!tcl.contains(&0));
            }
        }
    }

    #[test]
    fn forms_are_those_of_each_version() {
        assert_eq!(&*to_tcl("\0", true), b"\xC0\x80");
        assert_eq!(&*to_tcl("\u{1F600}", false), b"\xED\xA0\xBD\xED\xB8\x80");
        assert_eq!(&*to_tcl("\u{1F600}", true), "\u{1F600}".as_bytes());
        assert_eq!(from_tcl(b"x\xED\xA0\xBDy"), "x\u{FFFD}y");
        assert_eq!(from_tcl(b"\xFF\xC3"), "\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn plain_is_ascii_without_nul_at_every_place() {
        for len in 0..40 {
            let text = vec![b'x'; len];
            assert!(is_plain(&text));
            for at in 0..len {
                for (byte, plain) in
                    [(0, false), (1, true), (0x7F, true), (0x80, false), (0xFF, false)]
                {
                    let mut text = text.clone();
                    text[at] = byte;
                    assert_eq!(is_plain(&text), plain, "{byte} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn ascii_is_what_the_standard_library_says() {
        for len in 0..40 {
            let text = vec![b'x'; len];
            assert!(is_ascii(&text));
            for at in 0..len {
                for byte in [0, 0x7F, 0x80, 0xFF] {
                    let mut text = text.clone();
                    text[at] = byte;
                    assert_eq!(is_ascii(&text), text.is_ascii(), "{byte} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn bytes_are_told_from_text() {
        assert_eq!(classify(b"plain"), Bytes::Ascii);
        assert_eq!(classify("na\u{EF}ve".as_bytes()), Bytes::Latin);
        assert_eq!(classify(b"\xC0\x80"), Bytes::Latin);
        assert_eq!(classify("a\u{FF}\u{65E5}".as_bytes()), Bytes::Bad { ch: 0x65E5, index: 2 });
        assert_eq!(classify(b"\xED\xA0\xBD\xED\xB8\x80"), Bytes::Bad { ch: 0x1F600, index: 0 });
    }

    proptest! {
        #[test]
        fn text_survives_both_ways(text in any::<String>(), tcl9: bool) {
            let tcl = to_tcl(&text, tcl9);
            prop_assert!(!tcl.contains(&0));
            let back = from_tcl(&tcl).into_owned();
            prop_assert_eq!(back.as_str(), text.as_str());
        }

        #[test]
        fn any_bytes_are_read(raw in vec(any::<u8>(), 0..200)) {
            let text = from_tcl(&raw).into_owned();
            let again = to_tcl(&text, true).into_owned();
            let back = from_tcl(&again).into_owned();
            prop_assert_eq!(back.as_str(), text.as_str());
            // Each character takes at least one byte.
            prop_assert!(text.chars().count() <= raw.len());
            if let Bytes::Bad { index, .. } = classify(&raw) {
                prop_assert!(index < raw.len());
            }
        }

        #[test]
        fn latin_text_is_bytes(bytes in vec(any::<u8>(), 0..200)) {
            let text: String = bytes.iter().map(|b| char::from(*b)).collect();
            let tcl = to_tcl(&text, false).into_owned();
            let bad = matches!(classify(&tcl), Bytes::Bad { .. });
            prop_assert!(!bad);
        }
    }
}
