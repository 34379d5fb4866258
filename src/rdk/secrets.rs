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

/// Secrets shorter than this are found as words of their own only: the letters of a short one stand in
/// many words, and a log that is torn to pieces hides no secret but what it says.
const SHORT: usize = 8;

/// Whether a character is one of a word's. Scripts that put no spaces between words have no case.
fn in_word(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || c.is_numeric() || c == '_'
}

/// Whether what stands before a short secret belongs to the same word. What an escape ends with
/// (`\n`, `\u0000`, `%20`) does not.
fn joined(before: &str) -> bool {
    let rest = before.trim_end_matches(in_word);
    rest.len() < before.len() && !rest.ends_with(['\\', '%'])
}

/// `text` with each occurrence of each secret replaced by `[redacted]`; of a short one, where it stands
/// for itself.
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
    let mut after_secret = false;
    while !rest.is_empty() {
        let before = &text[..text.len() - rest.len()];
        let begins = |secret: &str| after_secret || !secret.starts_with(in_word) || !joined(before);
        let ends = |secret: &str| {
            let after = &rest[secret.len()..];
            !secret.ends_with(in_word)
                || !after.starts_with(in_word)
                || order.iter().any(|other| after.starts_with(*other))
        };
        let found = order.iter().find(|secret| {
            rest.starts_with(**secret)
                && (secret.chars().nth(SHORT - 1).is_some() || begins(secret) && ends(secret))
        });
        after_secret = found.is_some();
        if let Some(secret) = found {
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
    fn short_secrets_tear_no_words_apart() {
        let cut = |secret: &str, text: &str| redact(text, &[secret.to_owned()]);
        for text in ["sasl_plaintext://a:1", "max", "x_y", "Xx", "exit 0x1", "xx"] {
            assert_eq!(cut("x", text), if text == "xx" { "[redacted][redacted]" } else { text });
        }
        assert_eq!(cut("kafka", "rdkafka#producer-1"), "rdkafka#producer-1");
        for text in [
            "x",
            "x:",
            "user:x@host",
            "\"x\"",
            "a x b",
            "=x",
            "x=1",
            "a-x",
            "{x}",
            "\u{0}x\u{0}",
            "\\nx",
            "%20x",
            "\\u0000x",
            "日x日",
        ] {
            assert_eq!(cut("x", text), text.replace('x', REDACTED), "{text}");
        }
        // What is no word has no word's edges.
        assert_eq!(cut("!", "a!b"), "a[redacted]b");
        assert_eq!(cut("a b", "xa b"), "xa b");
        assert_eq!(cut("hunter22", "xhunter22y"), "x[redacted]y");
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
            secrets in vec("[A-Z]{8,12}", 1..4),
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

        #[test]
        fn words_stay_and_short_secrets_go(
            words in vec("[a-z_]{1,9}", 0..12),
            secret in "[a-z]{1,7}",
        ) {
            let cut = redact(&words.join(" "), std::slice::from_ref(&secret));
            let want: Vec<&str> = words.iter().map(|w| if *w == secret { REDACTED } else { w }).collect();
            // A word that is the secret several times over is cut, too.
            let plain = |w: &String| w.replace(&secret, "").is_empty() && *w != secret;
            prop_assume!(!words.iter().any(plain));
            prop_assume!(!words.iter().any(|w| w.starts_with(&format!("{secret}{secret}"))));
            prop_assert_eq!(cut, want.join(" "));
        }
    }
}
