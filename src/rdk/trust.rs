//! Where the certificates of public CAs are, when the configuration names none.

use std::path::Path;

use super::ptr::string;
use super::raw;

/// Whether OpenSSL finds certificates where it looks by itself: in the places that it was built
/// with, or in those that SSL_CERT_FILE and SSL_CERT_DIR name. A build with an OpenSSL of its own
/// looks where no distribution keeps them.
pub fn has_default_trust() -> bool {
    // SAFETY: both return static strings of OpenSSL's.
    let (file, dir) = unsafe {
        (string(raw::X509_get_default_cert_file()), string(raw::X509_get_default_cert_dir()))
    };
    let named = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    named("SSL_CERT_FILE") || named("SSL_CERT_DIR") || is_there(&file, &dir)
}

fn is_there(file: &str, dir: &str) -> bool {
    Path::new(file).is_file()
        || std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_a_folder_with_something_in_it() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(is_there(here, "/no/such/folder"));
        assert!(is_there("/no/such/file", env!("CARGO_MANIFEST_DIR")));
        assert!(!is_there("/no/such/file", "/no/such/folder"));
        assert!(!is_there(env!("CARGO_MANIFEST_DIR"), here));
    }
}
