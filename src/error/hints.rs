//! What to do about an error: one row per cause, appended to the error's detail.
//!
//! librdkafka's own texts are kept. A row is there where they don't say which property, ACL or
//! setting is the one to look at.

use std::borrow::Cow;

use crate::rdk::{self, ErrorCode};

struct Hint {
    /// The codes that it is for; any when empty.
    codes: &'static [ErrorCode],
    /// What librdkafka or the package says in such a case, any of these; always when empty.
    says: &'static [&'static str],
    /// Empty: the error says it already, and the rows below would mislead.
    hint: &'static str,
}

const fn on(
    codes: &'static [ErrorCode],
    says: &'static [&'static str],
    hint: &'static str,
) -> Hint {
    Hint { codes, says, hint }
}

/// Whatever the code: the text tells the cause.
const ANY: &[ErrorCode] = &[];

/// The first row that fits is taken, so what is more exact stands first.
static HINTS: &[Hint] = &[
    // TLS
    on(
        ANY,
        &["certificate verify failed", "certificate could not be verified"],
        "see ssl.ca.location or ssl.ca.pem, which give the CA that signed the broker's certificate, \
         and whether that is for the host in bootstrap.servers",
    ),
    on(
        ANY,
        &["alert certificate required", "alert bad certificate", "alert handshake failure"],
        "does the broker want a client's certificate? Give ssl.certificate.location and \
         ssl.key.location, or ssl.certificate.pem and ssl.key.pem",
    ),
    on(
        ANY,
        &["alert unknown ca", "alert certificate unknown"],
        "the broker does not trust this client's certificate (ssl.certificate.location or \
         ssl.certificate.pem): its CA has to be in the broker's truststore",
    ),
    on(
        ANY,
        &["wrong version number", "packet length too long", "PLAINTEXT broker listener?"],
        "is security.protocol right? The broker does not speak TLS at this port",
    ),
    on(
        ANY,
        &["Invalid response size"],
        "is security.protocol right? What answers at this port speaks TLS, or is no Kafka broker",
    ),
    on(
        ANY,
        &["failed: couldn't read \"", "failed: \"", "failed: its value is a text"],
        "",
    ),
    on(
        ANY,
        &["Failed to parse ssl.keystore.location"],
        "is ssl.keystore.password right?",
    ),
    on(
        ANY,
        &["bad decrypt", "ssl.key.location failed", "ssl.key.pem failed"],
        "is that a private key in PEM format, and ssl.key.password right?",
    ),
    // SASL
    on(
        ANY,
        &["No provider for SASL mechanism GSSAPI"],
        "sasl.mechanism is GSSAPI unless it is set: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and \
         OAUTHBEARER are built in, Kerberos only with Cargo's feature gssapi (see \
         [::kafka::kafka features])",
    ),
    on(
        ANY,
        &["Request not valid in current SASL state"],
        "is security.protocol right? The listener seems to be one without SASL",
    ),
    // Stands before the next row: a broker says this as well as "Unsupported SASL mechanism".
    on(ANY, &["supported mechanisms:"], "set sasl.mechanism to one that the broker supports"),
    on(
        ANY,
        &["No provider for SASL mechanism", "Unsupported SASL mechanism"],
        "sasl.mechanism has to be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER (see \
         [::kafka::kafka features])",
    ),
    // RFC 7628's answers, which Kafka passes on as they are.
    on(
        ANY,
        &["\"status\":\"invalid_token\"", "\"status\":\"insufficient_scope\""],
        "the broker does not take the token: see oauthbearer_token_callback, or the \
         sasl.oauthbearer... properties, which say where tokens come from",
    ),
    on(
        &[ErrorCode::AUTHENTICATION],
        &["OIDC"],
        "see the sasl.oauthbearer... properties, which say where tokens come from",
    ),
    on(
        &[ErrorCode::AUTHENTICATION],
        &["OAUTHBEARER token: ", "oauthbearer_token_callback: "],
        "",
    ),
    on(
        &[ErrorCode::AUTHENTICATION, ErrorCode::SASL_AUTHENTICATION_FAILED],
        &["OAUTHBEARER"],
        "see oauthbearer_token_callback, or the sasl.oauthbearer... properties, which say where \
         tokens come from",
    ),
    on(
        &[ErrorCode::AUTHENTICATION, ErrorCode::SASL_AUTHENTICATION_FAILED],
        &[],
        "see sasl.username, sasl.password and sasl.mechanism",
    ),
    on(
        ANY,
        &["SASL authentication error", "Authentication failed"],
        "see sasl.username, sasl.password and sasl.mechanism",
    ),
    // The network
    on(
        ANY,
        &["Disconnected"],
        "is security.protocol right? The broker closes the connection, as it does when only one of \
         the two wants TLS or SASL",
    ),
    on(
        ANY,
        &["Failed to resolve"],
        "is the host name right? See bootstrap.servers, and the broker's advertised.listeners",
    ),
    on(ANY, &["Connection refused"], "is a broker running there? See bootstrap.servers"),
    on(
        ANY,
        &["ApiVersionRequest failed: Local: Timed out"],
        "what takes connections at this port does not answer: is it a Kafka broker, and \
         security.protocol right?",
    ),
    on(
        ANY,
        &["No brokers configured"],
        "bootstrap.servers has no host:port that can be used: it takes host:port,host:port",
    ),
    // It says what to do.
    on(ANY, &["set bootstrap.servers or use add_brokers"], ""),
    on(
        ANY,
        &["Connection setup timed out", "unreachable", "No route to host", "no answer from"],
        "see bootstrap.servers and security.protocol, the broker's advertised.listeners, and \
         firewalls between",
    ),
    on(
        ANY,
        &[ANSWERED],
        "that broker is away: it was stopped or restarted, or the network between is cut; the client \
         connects again by itself",
    ),
    // Configuration
    on(
        ANY,
        &["not supported for `group.protocol=consumer`", "for `group.protocol=consumer`."],
        "drop that property, or leave group.protocol at classic",
    ),
    on(
        &[ErrorCode::UNKNOWN_GROUP],
        &["not a consumer with a group.id"],
        "set group.id before the handle is made",
    ),
    // Topics and messages
    on(
        &[ErrorCode::UNKNOWN_TOPIC_OR_PART, ErrorCode::UNKNOWN_TOPIC],
        &[],
        "the cluster has no such topic or partition: create it, or let the brokers do it \
         (auto.create.topics.enable there, for consumers also allow.auto.create.topics here)",
    ),
    on(&[ErrorCode::UNKNOWN_PARTITION], &["is not started"], ""),
    on(
        &[ErrorCode::UNKNOWN_PARTITION],
        &[],
        "the topic has fewer partitions (see [info partitions] of the handle), or this one is not \
         assigned here",
    ),
    on(
        &[ErrorCode::TOPIC_EXCEPTION],
        &[],
        "a topic's name has up to 249 letters, digits, dots, underscores and hyphens",
    ),
    on(
        &[ErrorCode::MSG_SIZE_TOO_LARGE],
        &[],
        "see message.max.bytes here, and max.message.bytes of the topic where the broker refuses it",
    ),
    on(
        &[ErrorCode::QUEUE_FULL],
        &[],
        "wait for room with -block, or raise queue.buffering.max.messages or \
         queue.buffering.max.kbytes",
    ),
    on(
        &[ErrorCode::NOT_ENOUGH_REPLICAS, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND],
        &[],
        "fewer replicas are in sync than the topic's min.insync.replicas",
    ),
    // Access
    on(
        &[ErrorCode::TOPIC_AUTHORIZATION_FAILED],
        &[],
        "this client's user lacks an ACL for the topic: WRITE to produce, READ to consume, DESCRIBE \
         to ask about it, CREATE to have it made",
    ),
    on(
        &[ErrorCode::GROUP_AUTHORIZATION_FAILED],
        &[],
        "this client's user lacks the ACL READ for the group (group.id)",
    ),
    on(
        &[ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED],
        &[],
        "this client's user lacks the ACL WRITE for the transactional.id",
    ),
    on(
        &[ErrorCode::CLUSTER_AUTHORIZATION_FAILED],
        &[],
        "this client's user lacks an ACL for the cluster: IDEMPOTENT_WRITE for enable.idempotence \
         (with brokers before 3.0), CREATE, ALTER or DESCRIBE to administer it",
    ),
    // Groups and transactions
    on(
        &[ErrorCode::INCONSISTENT_GROUP_PROTOCOL],
        &[],
        "the group's other members have another partition.assignment.strategy or group.protocol",
    ),
    on(
        &[ErrorCode::INVALID_SESSION_TIMEOUT],
        &[],
        "session.timeout.ms is outside of the broker's group.min.session.timeout.ms and \
         group.max.session.timeout.ms",
    ),
    on(
        &[ErrorCode::MAX_POLL_EXCEEDED],
        &[],
        "the script took longer than max.poll.interval.ms from one read to the next",
    ),
    on(
        &[ErrorCode::FENCED_INSTANCE_ID],
        &[],
        "another member has the same group.instance.id",
    ),
    on(
        &[ErrorCode::UNRELEASED_INSTANCE_ID],
        &[],
        "a member with this group.instance.id is in the group, or ended without a close and counts \
         until its session is over (the broker's group.consumer.session.timeout.ms, 45 s by \
         default): close this one, and make another then",
    ),
    on(
        &[ErrorCode::FENCED, ErrorCode::PRODUCER_FENCED, ErrorCode::INVALID_PRODUCER_EPOCH],
        &["and its time was over after transaction.timeout.ms"],
        "the broker aborts such a transaction and shuts its producer out: close this one, and end \
         transactions sooner or raise transaction.timeout.ms. (It would also be shut out by another \
         producer that begins with the same transactional.id)",
    ),
    on(
        &[ErrorCode::FENCED, ErrorCode::PRODUCER_FENCED, ErrorCode::INVALID_PRODUCER_EPOCH],
        &[],
        "another producer has begun with the same transactional.id: close this one",
    ),
    // Last, for nothing more exact is known.
    on(
        &[ErrorCode::MSG_TIMED_OUT],
        &[],
        "it was not delivered within message.timeout.ms",
    ),
];

/// What stands behind an error of a broker that is away and has answered this client before: its
/// properties are not to blame.
pub const ANSWERED: &str = " (it has answered before)";

/// Errors that a broker which is away has, and one that is asked by the wrong properties, too.
const AWAY: &[&str] = &[
    "Disconnected",
    "ApiVersionRequest failed",
    "Connection setup timed out",
    "No route to host",
    "unreachable",
];

/// Whether a broker's error may be that it is away.
pub fn is_away(why: &str) -> bool {
    AWAY.iter().any(|text| why.contains(text))
}

/// A detail without the errors of brokers that are merely away: no row is for those.
fn blameless(detail: &str) -> Cow<'_, str> {
    if !detail.contains(ANSWERED) {
        return Cow::Borrowed(detail);
    }
    let mut pieces: Vec<&str> = detail.split(ANSWERED).collect();
    let last = pieces.pop().unwrap_or_default();
    let mut out = String::new();
    for piece in pieces {
        let start = AWAY.iter().filter_map(|text| piece.rfind(text)).max();
        out += &piece[..start.unwrap_or(piece.len())];
        out += ANSWERED;
    }
    Cow::Owned(out + last)
}

/// What to do about an error, if there is a row for it.
pub fn hint(code: ErrorCode, detail: &str) -> Option<&'static str> {
    let detail = blameless(detail);
    HINTS
        .iter()
        .find(|h| {
            (h.codes.is_empty() || h.codes.contains(&code))
                && (h.says.is_empty() || h.says.iter().any(|s| detail.contains(s)))
        })
        .map(|h| h.hint)
        .filter(|hint| !hint.is_empty())
}

/// An error's detail with what to do about it.
pub fn detail(e: &rdk::Error) -> Cow<'_, str> {
    match hint(e.code, &e.detail) {
        None => Cow::Borrowed(&e.detail),
        Some(hint) if e.detail.is_empty() => Cow::Borrowed(hint),
        Some(hint) => Cow::Owned(format!("{}; {hint}", e.detail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_reached_and_no_row_hides_another() {
        for (i, row) in HINTS.iter().enumerate() {
            let codes = if row.codes.is_empty() { &[ErrorCode::FAIL] } else { row.codes };
            let texts = if row.says.is_empty() { &[""] } else { row.says };
            for code in codes {
                for text in texts {
                    let found = hint(*code, text);
                    let want = Some(row.hint).filter(|hint| !hint.is_empty());
                    assert_eq!(found, want, "row {i}: {code:?} {text}");
                }
            }
            assert!(!row.hint.ends_with('.'), "row {i}");
        }
    }

    #[test]
    fn a_broker_that_has_answered_is_away_and_others_keep_their_hints() {
        let told = |detail: &str| hint(ErrorCode::TIMED_OUT, detail).unwrap_or("");
        let away = "a:1: Disconnected: connection closed by peer (it has answered before)";
        assert!(told(away).starts_with("that broker is away"));
        assert!(told(&away.replace(ANSWERED, "")).starts_with("is security.protocol right?"));
        let other = format!("{away}, b:1: Disconnected: connection closed by peer");
        assert!(told(&other).starts_with("is security.protocol right?"), "{other}");
        assert!(
            told(&format!("{away}, b:1: Connection refused")).starts_with("is a broker running")
        );
    }

    #[test]
    fn an_error_without_a_row_is_left_alone() {
        let e = rdk::Error::with_detail(ErrorCode::STATE, "too early");
        assert_eq!(detail(&e), "too early");
        assert_eq!(detail(&rdk::Error::new(ErrorCode::STATE)), "");
        let e = rdk::Error::with_detail(ErrorCode::TIMED_OUT, "127.0.0.1:1: Connection refused");
        assert!(detail(&e).starts_with("127.0.0.1:1: Connection refused; is a broker running"));
    }
}
