//! What is wrong with a file that a property names: librdkafka passes on what OpenSSL says, which names
//! neither the file nor, in words, the reason.

use std::fs;
use std::io::Read;

use crate::rdk::{self, redact, Conf, ErrorCode};

/// The properties that name a file, what OpenSSL wants in it, and the property that takes the text itself.
const FILES: &[(&str, Wanted, &str)] = &[
    ("ssl.ca.location", CERTIFICATE, "ssl.ca.pem"),
    ("ssl.crl.location", Wanted::Pem("X509 CRL", "certificate revocation list"), ""),
    ("ssl.certificate.location", CERTIFICATE, "ssl.certificate.pem"),
    ("ssl.key.location", Wanted::Pem("PRIVATE KEY", "private key"), "ssl.key.pem"),
    ("ssl.keystore.location", Wanted::Pkcs12, ""),
];

enum Wanted {
    /// The word in its first line, and what it is called.
    Pem(&'static str, &'static str),
    Pkcs12,
}

const CERTIFICATE: Wanted = Wanted::Pem("CERTIFICATE", "certificate");

/// More than any such file has.
const MOST: u64 = 16 << 20;

/// A file's bytes; none of what is no file and no folder, which has been read already, or never ends.
fn read(path: &str) -> std::io::Result<Option<Vec<u8>>> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Names the file with which a client could not be made, and says what is wrong with it.
pub fn explain(mut e: rdk::Error, conf: &Conf) -> rdk::Error {
    if e.code != ErrorCode::INVALID_ARG {
        return e;
    }
    let named = FILES.iter().find(|(key, ..)| e.detail.contains(key));
    let Some((key, wanted, text)) = named else { return e };
    let Some(path) = conf.get(key).filter(|path| !path.is_empty()) else { return e };
    // Of what is a text and no path nothing is quoted: it may be the key itself.
    if path.contains(['\n', '\r']) || path.contains("-----BEGIN") {
        let instead = if text.is_empty() { String::new() } else { format!(": see {text}") };
        e.detail = format!("{key} failed: its value is a text, not the path of a file{instead}");
        return e;
    }
    let shown = redact(&path, &conf.secrets());
    e.detail = match read(&path) {
        Err(why) => format!("{key} failed: couldn't read \"{shown}\": {why}"),
        Ok(bytes) => match bytes.and_then(|bytes| fault(&bytes, wanted)) {
            Some(fault) => format!("{key} failed: \"{shown}\" {fault}"),
            None if e.detail.contains(&shown) => return e,
            None => format!("{}: \"{shown}\"", e.detail),
        },
    };
    e
}

/// What is wrong with a file's content, if that can be told. Of the content nothing is quoted.
fn fault(bytes: &[u8], wanted: &Wanted) -> Option<String> {
    if bytes.is_empty() {
        return Some("is empty".to_owned());
    }
    let (word, name) = match wanted {
        Wanted::Pem(word, name) => (word, name),
        Wanted::Pkcs12 => {
            return match bytes {
                [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => {
                    Some("is a Java keystore of type JKS, where PKCS#12 is expected".to_owned())
                }
                // A sequence, as every PKCS#12 file is.
                [0x30, ..] => None,
                _ => Some("is no PKCS#12 file".to_owned()),
            };
        }
    };
    let text = String::from_utf8_lossy(bytes);
    let mut firsts =
        text.lines().filter(|line| line.trim_start().starts_with("-----BEGIN ")).peekable();
    if firsts.peek().is_none() {
        return Some(format!("has no {name} in PEM format"));
    }
    (!firsts.any(|line| line.contains(word)))
        .then(|| format!("is in PEM format, and has no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents() {
        let told = |bytes: &[u8], wanted: &Wanted| fault(bytes, wanted).unwrap_or_default();
        assert_eq!(told(b"", &CERTIFICATE), "is empty");
        assert_eq!(told(b"hush", &CERTIFICATE), "has no certificate in PEM format");
        let key = b"-----BEGIN EC PRIVATE KEY-----\nhush\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(told(key, &CERTIFICATE), "is in PEM format, and has no certificate");
        assert_eq!(told(key, &Wanted::Pem("PRIVATE KEY", "private key")), "");
        assert_eq!(told(b"-----BEGIN CERTIFICATE-----\n", &CERTIFICATE), "");
        assert_eq!(told(b"\x30\x82", &Wanted::Pkcs12), "");
        assert_eq!(told(b"hush", &Wanted::Pkcs12), "is no PKCS#12 file");
        assert!(told(b"\xfe\xed\xfe\xed\0", &Wanted::Pkcs12).contains("JKS"));
    }
}
