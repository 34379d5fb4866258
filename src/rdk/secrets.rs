//! Which properties are secret, and keeping their values out of texts.

/// What librdkafka marks as sensitive (`_RK_SENSITIVE` in rdkafka_conf.c), and aliases.
const SENSITIVE: &[&str] = &[
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl_key",
    "ssl.ca.pem",
    "ssl.keystore.password",
    "sasl.username",
    "sasl.password",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
];

/// Sensitive in a listing, but a name, a path or public: cutting a user called
/// `kafka` out of every log line would hide the log and no secret.
const NOT_IN_TEXTS: &[&str] = &[
    "ssl.key.location",
    "ssl.ca.pem",
    "sasl.username",
    "sasl.oauthbearer.assertion.private.key.file",
];

const REDACTED: &str = "[redacted]";

/// Whether the property's value must not be shown in listings.
pub fn is_secret(key: &str) -> bool {
    SENSITIVE.contains(&key)
}

/// The properties whose values are cut out of texts.
pub(super) fn hidden_in_texts() -> impl Iterator<Item = &'static str> {
    SENSITIVE.iter().copied().filter(|key| !NOT_IN_TEXTS.contains(key))
}

/// `text` with each occurrence of each secret replaced by `[redacted]`.
pub fn redact(text: &str, secrets: &[String]) -> String {
    // The longest first: one secret may be part of another, and the rest of that
    // one would stay.
    let mut order: Vec<&str> = secrets
        .iter()
        .map(String::as_str)
        .filter(|secret| !secret.is_empty() && text.contains(secret))
        .collect();
    if order.is_empty() {
        return text.to_owned();
    }
    order.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // One pass over the text, so that a secret such as "red" is not found again in
    // the replacement.
    while !rest.is_empty() {
        if let Some(secret) = order.iter().find(|secret| rest.starts_with(**secret)) {
            out.push_str(REDACTED);
            rest = &rest[secret.len()..];
        } else {
            let width = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..width]);
            rest = &rest[width..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_cut_out() {
        let secrets: Vec<String> =
            ["red", "hunter", "hunter2", ""].iter().map(|s| s.to_string()).collect();
        for (text, want) in [
            ("", ""),
            ("nothing", "nothing"),
            ("pw=hunter2;", "pw=[redacted];"),
            ("hunterhunter2red", "[redacted][redacted][redacted]"),
            ("日hunter日", "日[redacted]日"),
        ] {
            assert_eq!(redact(text, &secrets), want);
        }
        assert_eq!(redact("hunter2", &[]), "hunter2");
    }

    #[test]
    fn secret_properties() {
        for key in
            ["sasl.password", "ssl.key.pem", "sasl.oauthbearer.client.credentials.client.secret"]
        {
            assert!(is_secret(key), "{key}");
        }
        assert!(!is_secret("bootstrap.servers"));
        assert!(hidden_in_texts().any(|key| key == "sasl.password"));
        assert!(!hidden_in_texts().any(|key| key == "sasl.username"));
    }

    proptest! {
        #[test]
        fn no_secret_stays(
            pieces in vec("[a-z\u{e9}]{0,6}", 0..12),
            secrets in vec("[A-Z]{1,5}", 1..4),
            places in vec(0usize..4, 0..12),
        ) {
            // Secrets stand at places between the pieces of a text that has none.
            let mut text = String::new();
            for (i, piece) in pieces.iter().enumerate() {
                text.push_str(piece);
                if let Some(secret) = places.get(i).and_then(|n| secrets.get(*n)) {
                    text.push_str(secret);
                }
            }
            let cut = redact(&text, &secrets);
            prop_assert!(secrets.iter().all(|s| !cut.contains(s.as_str())), "{}", cut);
        }
    }
}
