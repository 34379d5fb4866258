//! What is wrong with a file that a property names: librdkafka passes on what OpenSSL says, which names
//! neither the file nor, in words, the reason. And files that only Tcl's own file systems have: librdkafka
//! is given their text.

use std::fs;
use std::io::Read;

use super::settings::Settings;
use crate::error::{Error, Result};
use crate::rdk::{self, redact, Conf, ErrorCode};
use crate::tcl::Obj;

/// The properties that name a file, and those that take the text itself instead, where there is one.
const INSTEAD: &[(&str, &str)] = &[
    ("ssl.ca.location", "ssl.ca.pem"),
    ("ssl.certificate.location", "ssl.certificate.pem"),
    ("ssl.key.location", "ssl.key.pem"),
    ("https.ca.location", "https.ca.pem"),
    ("sasl.oauthbearer.assertion.private.key.file", "sasl.oauthbearer.assertion.private.key.pem"),
    ("ssl.crl.location", ""),
    ("ssl.keystore.location", ""),
    ("sasl.kerberos.keytab", ""),
    ("sasl.oauthbearer.assertion.jwt.template.file", ""),
];

/// The properties whose file the native file system doesn't have, with its name: Tcl may have it.
pub fn elsewhere(settings: &Settings) -> Vec<(&'static str, String)> {
    INSTEAD
        .iter()
        .filter(|(key, _)| settings.is_set(key))
        .filter_map(|(key, _)| Some((*key, settings.get(key).ok()?)))
        .filter(|(_, path)| !path.is_empty() && !is_text(path) && fs::metadata(path).is_err())
        .collect()
}

/// A file that Tcl has found where librdkafka doesn't look.
pub struct Found {
    key: &'static str,
    path: String,
    /// The property that takes its place, and its value.
    instead: (&'static str, String),
}

impl Found {
    /// By Tcl's answer (`vfs::LOOK`); none if Tcl knows no more than librdkafka.
    pub fn new(key: &'static str, path: String, answer: &Obj) -> Result<Option<Found>> {
        let words = answer.get_list("file")?;
        let Some(kind) = words.first().map(Obj::string) else { return Ok(None) };
        let refused = |why: &str| {
            let detail = format!(
                "{key} failed: \"{path}\" is in a file system of Tcl's own, {why}; copy it to the \
                 native file system, and name that copy"
            );
            Err(Error::kafka(ErrorCode::INVALID_ARG, detail))
        };
        let value = words.get(1);
        if kind == "path" {
            let native = value.map_or_else(String::new, Obj::string);
            return Ok(Some(Found { key, path, instead: (key, native) }));
        }
        if kind == "folder" {
            return refused("and a folder");
        }
        let pem = INSTEAD.iter().find(|(k, _)| *k == key).map_or("", |(_, pem)| pem);
        if pem.is_empty() {
            return refused("from which librdkafka can't read this");
        }
        let bytes = value.map_or(Ok(&[][..]), |value| value.get_bytes("file"))?;
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN ") && !text.contains('\0') => {
                let instead = (pem, text.to_owned());
                Ok(Some(Found { key, path, instead }))
            }
            _ => refused("from which only PEM format can be read, and is not in that"),
        }
    }

    /// Gives librdkafka what takes the place of the file's name.
    pub fn give(&self, conf: &mut Conf) -> Result<()> {
        let (key, value) = &self.instead;
        if *key != self.key {
            conf.set(self.key, "")?;
        }
        Ok(conf.set(key, value).map_err(|e| self.explain(e, conf))?)
    }

    /// Names the file where librdkafka names only the property that stands for it.
    fn explain(&self, mut e: rdk::Error, conf: &Conf) -> rdk::Error {
        if self.instead.0 != self.key && e.detail.contains(self.instead.0) {
            let path = redact(&self.path, &conf.secrets());
            e.detail = format!("{} (the text of \"{path}\", by {})", e.detail, self.key);
        }
        e
    }
}

/// Whether a value is a file's text, and not its name.
fn is_text(value: &str) -> bool {
    value.contains(['\n', '\r']) || value.contains("-----BEGIN")
}

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
pub fn explain(mut e: rdk::Error, conf: &Conf, found: &[Found]) -> rdk::Error {
    if e.code != ErrorCode::INVALID_ARG {
        return e;
    }
    for file in found {
        e = file.explain(e, conf);
    }
    let named = FILES.iter().find(|(key, ..)| e.detail.contains(key));
    let Some((key, wanted, text)) = named else { return e };
    // Of those that Tcl has read librdkafka got the text.
    if found.iter().any(|file| file.key == *key && file.instead.0 != *key) {
        return e;
    }
    let Some(path) = conf.get(key).filter(|path| !path.is_empty()) else { return e };
    // Of what is a text and no path nothing is quoted: it may be the key itself.
    if is_text(&path) {
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
