//! Why brokers can't be reached: the last error of each, for calls that time out meanwhile.
//!
//! librdkafka tells such a call only that its time is over. What is wrong is in its log, at the moment
//! it happens (a connection that the broker closes is nowhere else), and mostly comes as an error event
//! too, which log levels don't hide.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::rdk::{self, ErrorCode};

/// How long an error counts. librdkafka repeats an unchanged one after 30 s, at a connection
/// attempt, which comes within `reconnect.backoff.max.ms` (10 s).
const LASTS: Duration = Duration::from_secs(45);

/// How many brokers are named.
const NAMED: usize = 3;

/// What failed last at each broker.
#[derive(Default)]
pub struct Faults(Mutex<Vec<Fault>>);

struct Fault {
    broker: String,
    why: String,
    since: Instant,
}

impl Faults {
    /// Keeps what a log line says about a broker.
    pub fn note_line(&self, message: &str) {
        let text = match message.strip_prefix("[thrd:").and_then(|m| m.split_once("]: ")) {
            Some((_, text)) => text,
            None => message,
        };
        if let Some((broker, why)) = split(text) {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|f| f.broker != broker && f.since.elapsed() < LASTS);
            all.push(Fault { broker, why, since: Instant::now() });
        }
    }

    /// Keeps an error event if it is about a broker of which nothing is known: the log, if it told, did
    /// so earlier. Gives whether it is about one.
    pub fn note_event(&self, e: &rdk::Error) -> bool {
        let Some((broker, why)) = split(&e.detail) else { return false };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|f| f.since.elapsed() < LASTS);
        if !all.iter().any(|f| f.broker == broker) {
            all.push(Fault { broker, why, since: Instant::now() });
        }
        true
    }

    /// The last errors, the newest first: `HOST:PORT: WHY, ...`; none if there are none.
    pub fn tell(&self) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told: Vec<String> = all
            .iter()
            .rev()
            .filter(|f| f.since.elapsed() < LASTS)
            .map(|f| format!("{}: {}", f.broker, f.why))
            .collect();
        if told.is_empty() {
            return None;
        }
        let more = told.len().saturating_sub(NAMED);
        let mut text = told[..told.len() - more].join(", ");
        if more > 0 {
            text += &format!(" and {more} more");
        }
        Some(text)
    }

    /// Adds them to an error that an unreachable broker may be behind.
    pub fn explain(&self, mut e: rdk::Error) -> rdk::Error {
        if !may_be_unreachable(e.code) {
            return e;
        }
        if let Some(told) = self.tell() {
            let told = format!("last errors of brokers: {told}");
            e.detail = if e.detail.is_empty() { told } else { format!("{}; {told}", e.detail) };
        }
        e
    }
}

/// Whether a broker that can't be reached may be the reason.
pub fn may_be_unreachable(code: ErrorCode) -> bool {
    [
        ErrorCode::TIMED_OUT,
        ErrorCode::TIMED_OUT_QUEUE,
        ErrorCode::MSG_TIMED_OUT,
        ErrorCode::TRANSPORT,
        ErrorCode::ALL_BROKERS_DOWN,
        ErrorCode::WAIT_COORD,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::LEADER_NOT_AVAILABLE,
        // What is left when its time is over is purged.
        ErrorCode::PURGE_QUEUE,
        ErrorCode::PURGE_INFLIGHT,
    ]
    .contains(&code)
}

/// Broker and reason of an error event's text, which is `PROTOCOL://HOST:PORT/ID: REASON (after 3ms
/// in state CONNECT)`, or `GroupCoordinator: HOST:PORT: REASON ...`.
fn split(text: &str) -> Option<(String, String)> {
    let (head, reason) = text.split_once(": ")?;
    let head = head.rsplit_once("://").map_or(head, |(_, rest)| rest);
    let (broker, reason) = match head.rsplit_once('/') {
        Some((broker, _)) => (broker, reason),
        None if head.ends_with("Coordinator") => match reason.split_once(": ") {
            Some((node, rest)) if is_address(node) => (node, rest),
            _ => (head, reason),
        },
        None => return None,
    };
    if broker.is_empty() || broker.contains(' ') {
        return None;
    }
    let reason = reason.rfind(" (after ").map_or(reason, |end| &reason[..end]);
    // librdkafka's advice, which names less than ours.
    let reason = reason.find(": broker certificate could").map_or(reason, |end| &reason[..end]);
    // The address again, resolved; what follows is what the system said.
    let why = match reason.strip_prefix("Connect to ").and_then(|r| r.split_once(" failed: ")) {
        Some((_, why)) => why,
        None => reason,
    };
    Some((broker.to_owned(), why.to_owned()))
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(' ') && port.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_librdkafka() {
        for (text, want) in [
            (
                "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused \
                 (after 0ms in state CONNECT)",
                Some(("127.0.0.1:1", "Connection refused")),
            ),
            (
                "sasl_ssl://b.example:9093/2: SSL handshake failed: x: y (after 1ms in state SSL)",
                Some(("b.example:9093", "SSL handshake failed: x: y")),
            ),
            (
                "nohost:9092/bootstrap: Failed to resolve 'nohost:9092': Name or service not known \
                 (after 3ms in state CONNECT, 2 identical error(s) suppressed)",
                Some(("nohost:9092", "Failed to resolve 'nohost:9092': Name or service not known")),
            ),
            (
                "GroupCoordinator: 127.0.0.1:1: Connect to ipv4#127.0.0.1:1 failed: Connection \
                 refused (after 0ms in state CONNECT)",
                Some(("127.0.0.1:1", "Connection refused")),
            ),
            ("GroupCoordinator: Disconnected", Some(("GroupCoordinator", "Disconnected"))),
            (
                "ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate \
                 verify failed: broker certificate could not be verified, verify (after 2ms in x)",
                Some((
                    "b:1",
                    "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed",
                )),
            ),
            ("2/2 brokers are down", None),
            ("Application maximum poll interval (300ms) exceeded by 5ms", None),
            ("topic a/b: unknown", None),
            ("", None),
        ] {
            let want = want.map(|(b, w)| (b.to_owned(), w.to_owned()));
            assert_eq!(split(text), want, "{text}");
        }
    }

    #[test]
    fn the_last_error_of_each_is_told_the_newest_first() {
        let faults = Faults::default();
        let note = |text: &str| faults.note_line(&format!("[thrd:main]: {text}"));
        assert_eq!(faults.tell(), None);
        note("a:1/bootstrap: one");
        note("b:1/1: two");
        note("a:1/bootstrap: three");
        note("nothing about a broker");
        assert_eq!(faults.tell().as_deref(), Some("a:1: three, b:1: two"));
        note("c:1/2: x");
        note("d:1/3: x");
        assert_eq!(faults.tell().as_deref(), Some("d:1: x, c:1: x, a:1: three and 1 more"));

        let event =
            |text: &str| faults.note_event(&rdk::Error::with_detail(ErrorCode::TRANSPORT, text));
        assert!(event("d:1/3: older"));
        assert!(event("e:1/4: new"));
        assert!(!event("4/4 brokers are down"));
        assert_eq!(faults.tell().as_deref(), Some("e:1: new, d:1: x, c:1: x and 2 more"));

        let told = faults.explain(rdk::Error::with_detail(ErrorCode::TIMED_OUT, "topic t"));
        assert!(told.detail.starts_with("topic t; last errors of brokers: e:1"), "{told:?}");
        let other = rdk::Error::with_detail(ErrorCode::STATE, "topic t");
        assert_eq!(faults.explain(other.clone()), other);
    }
}
