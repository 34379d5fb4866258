//! Why brokers can't be reached: the last error of each, for calls that time out meanwhile.
//!
//! librdkafka tells such a call only that its time is over. What is wrong is in its log, at the moment
//! it happens (a connection that the broker closes is nowhere else), and mostly comes as an error event
//! too, which log levels don't hide.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{is_away, ANSWERED};
use crate::rdk::{self, ErrorCode};

/// How long an error counts. librdkafka repeats an unchanged one after 30 s, at a connection
/// attempt, which comes within `reconnect.backoff.max.ms` (10 s).
const LASTS: Duration = Duration::from_secs(45);

/// How many brokers are named.
const NAMED: usize = 3;

/// How long the same is not said again. librdkafka repeats itself once after a tenth of a second and
/// then every 30 s, and says that all brokers are down up to twenty times a second.
const QUIET: Duration = Duration::from_secs(10);

/// What failed last at each broker.
#[derive(Default)]
pub struct Faults {
    all: Mutex<Vec<Fault>>,
    /// The error events that were passed on, and other lines, and when.
    told: Mutex<Vec<(String, Instant)>>,
    answered: Mutex<Answered>,
}

/// The brokers that have answered: whatever keeps them away later, the properties are right.
#[derive(Default)]
struct Answered {
    /// As librdkafka names them.
    names: BTreeSet<String>,
    /// As errors name them.
    brokers: BTreeSet<String>,
}

struct Fault {
    broker: String,
    why: String,
    since: Instant,
    /// When this was last said in the log.
    said: Option<Instant>,
}

/// What a log line says about a broker.
pub struct Noted {
    pub why: String,
    /// It was said a moment ago.
    pub again: bool,
    /// The broker has answered before and is merely away.
    pub away: bool,
}

impl Faults {
    /// Keeps what a log line says about a broker.
    pub fn note_line(&self, message: &str) -> Option<Noted> {
        let text = match message.strip_prefix("[thrd:").and_then(|m| m.split_once("]: ")) {
            Some((_, text)) => text,
            None => message,
        };
        let (broker, why) = split(text)?;
        let mut all = lock(&self.all);
        let old = all.iter().find(|f| f.broker == broker && f.why == why).and_then(|f| f.said);
        let again = old.is_some_and(|said| said.elapsed() < QUIET);
        all.retain(|f| f.broker != broker && f.since.elapsed() < LASTS);
        let now = Instant::now();
        let said = if again { old } else { Some(now) };
        let away = self.is_away(&broker, &why);
        all.push(Fault { broker, why: why.clone(), since: now, said });
        Some(Noted { why, again, away })
    }

    /// A broker has answered a client that has logged in, if it has to.
    pub fn answered(&self, name: &str) {
        let mut answered = lock(&self.answered);
        if answered.names.contains(name) {
            return;
        }
        answered.names.insert(name.to_owned());
        let address = name.rsplit_once("://").map_or(name, |(_, rest)| rest);
        let broker = address.rsplit_once('/').map_or(address, |(broker, _)| broker);
        answered.brokers.insert(broker.to_owned());
    }

    /// Whether a broker's error is that it is away, and it has answered before.
    fn is_away(&self, broker: &str, why: &str) -> bool {
        is_away(why) && lock(&self.answered).brokers.contains(broker)
    }

    /// An error event's text says so too, and no longer has librdkafka's advice.
    pub fn mark(&self, mut e: rdk::Error) -> rdk::Error {
        if split(&e.detail).is_some_and(|(broker, why)| self.is_away(&broker, &why)) {
            e.detail = without_advice(&e.detail) + ANSWERED;
        }
        e
    }

    /// Whether anything is known.
    pub fn any(&self) -> bool {
        lock(&self.all).iter().any(|f| f.since.elapsed() < LASTS)
    }

    /// Whether such an error event was passed on a moment ago, and nothing else has happened since.
    /// Otherwise it counts as passed on.
    pub fn told(&self, e: &rdk::Error) -> bool {
        let key = if e.code == ErrorCode::ALL_BROKERS_DOWN {
            // Their order changes with each attempt.
            let all = lock(&self.all);
            let mut whys: Vec<_> = all.iter().map(|f| format!("{} {}", f.broker, f.why)).collect();
            whys.sort_unstable();
            format!("{} {}", e.code.0, whys.join(" "))
        } else if let Some((broker, why)) = split(&e.detail) {
            format!("{} {broker} {why}", e.code.0)
        } else {
            return false;
        };
        self.said(key)
    }

    /// Whether this was said a moment ago. Otherwise it counts as said.
    pub fn said(&self, key: String) -> bool {
        let mut told = lock(&self.told);
        told.retain(|(_, since)| since.elapsed() < QUIET);
        if told.iter().any(|(k, _)| *k == key) {
            return true;
        }
        told.push((key, Instant::now()));
        false
    }

    /// Whether a line is about a first request that was not answered in time.
    pub fn is_hello(&self, message: &str) -> bool {
        message.contains("Timed out ApiVersionRequest")
            || lock(&self.all).iter().any(|f| {
                f.why.starts_with("ApiVersionRequest failed") && message.contains(&f.broker)
            })
    }

    /// Keeps an error event if it is about a broker of which nothing is known: the log, if it told, did
    /// so earlier. Gives whether it is about one.
    pub fn note_event(&self, e: &rdk::Error) -> bool {
        let Some((broker, why)) = split(&e.detail) else { return false };
        let mut all = lock(&self.all);
        all.retain(|f| f.since.elapsed() < LASTS);
        if !all.iter().any(|f| f.broker == broker) {
            all.push(Fault { broker, why, since: Instant::now(), said: None });
        }
        true
    }

    /// The last errors, the newest first: `HOST:PORT: WHY, ...`; none if there are none.
    pub fn tell(&self) -> Option<String> {
        let all = lock(&self.all);
        let told: Vec<String> = all
            .iter()
            .rev()
            .filter(|f| f.since.elapsed() < LASTS)
            .map(|f| {
                if self.is_away(&f.broker, &f.why) {
                    return format!("{}: {}{ANSWERED}", f.broker, without_advice(&f.why));
                }
                format!("{}: {}", f.broker, f.why)
            })
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
    // librdkafka's advice, which names less than ours, or what has not been so for ten years.
    let advice = [": broker certificate could", ": probably due to broker version"];
    let end = advice.iter().find_map(|a| reason.find(a)).unwrap_or(reason.len());
    let reason = &reason[..end];
    // The address again, resolved; what follows is what the system said.
    let why = match reason.strip_prefix("Connect to ").and_then(|r| r.split_once(" failed: ")) {
        Some((_, why)) => why,
        None => reason,
    };
    Some((broker.to_owned(), why.to_owned()))
}

/// librdkafka's advice on connections that are lost, which it gives whatever was before.
const ADVICE: [&str; 3] = [
    ": verify that security.protocol is correctly configured, broker might require SASL authentication",
    ": requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting \
     to a SSL listener?) or broker version is < 0.10 (see api.version.request)",
    ": requesting ApiVersion: might be caused by broker version < 0.10 (see api.version.request)",
];

/// A text of librdkafka's without its advice on lost connections.
pub fn without_advice(text: &str) -> String {
    ADVICE.iter().fold(text.to_owned(), |text, advice| text.replace(advice, ""))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn the_same_is_said_once() {
        let faults = Faults::default();
        let again = |text: &str| faults.note_line(text).map(|n| n.again);
        assert_eq!(again("a:1/bootstrap: refused (after 0ms in state CONNECT)"), Some(false));
        assert_eq!(again("a:1/bootstrap: refused (after 9ms in state CONNECT)"), Some(true));
        assert_eq!(again("b:1/bootstrap: refused"), Some(false));
        assert_eq!(again("a:1/bootstrap: reset"), Some(false));
        assert_eq!(again("a:1/bootstrap: refused"), Some(false));
        assert_eq!(again("no broker"), None);

        let told = |code, text: &str| faults.told(&rdk::Error::with_detail(code, text));
        let (down, lost) = (ErrorCode::ALL_BROKERS_DOWN, ErrorCode::TRANSPORT);
        assert!(!told(down, "2/2 brokers are down; last errors of brokers: a, b"));
        assert!(told(down, "2/2 brokers are down; last errors of brokers: b, a"));
        assert!(!told(lost, "a:1/1: refused (after 0ms in state CONNECT)"));
        assert!(told(lost, "a:1/1: refused (after 2ms in state CONNECT, 3 suppressed)"));
        // What is no broker's is never held back, and another reason is news.
        assert!(!told(ErrorCode::FAIL, "x"));
        assert!(!told(ErrorCode::FAIL, "x"));
        assert_eq!(again("b:1/bootstrap: reset"), Some(false));
        assert!(!told(down, "2/2 brokers are down"));

        assert!(!faults.said("partition 1 has no leader".into()));
        assert!(!faults.said("partition 2 has no leader".into()));
        assert!(faults.said("partition 1 has no leader".into()));
    }

    #[test]
    fn a_broker_that_has_answered_is_away() {
        let faults = Faults::default();
        faults.answered("sasl_ssl://a:1/1");
        faults.answered("sasl_ssl://a:1/1");
        let gone = ": Disconnected: connection closed by peer: verify that security.protocol is \
                    correctly configured, broker might require SASL authentication (after 3ms in state UP)";
        let away = |broker: &str, why: &str| {
            faults.note_line(&format!("[thrd:x]: sasl_ssl://{broker}{why}")).map(|n| n.away)
        };
        assert_eq!(away("b:1/2", gone), Some(false));
        assert_eq!(away("a:1/1", ": SSL handshake failed: certificate verify failed"), Some(false));
        assert_eq!(away("a:1/1", gone), Some(true));
        let told = faults.tell().unwrap_or_default();
        assert!(told.starts_with("a:1: Disconnected: connection closed by peer"), "{told}");
        assert!(told.contains(&format!("{ANSWERED}, b:1: ")), "{told}");
        assert!(told.ends_with("SASL authentication"), "{told}");

        let event = |broker: &str| {
            let text = format!("sasl_ssl://{broker}{gone}");
            faults.mark(rdk::Error::with_detail(ErrorCode::TRANSPORT, text)).detail
        };
        assert_eq!(
            event("a:1/1"),
            "sasl_ssl://a:1/1: Disconnected: connection closed by peer (after 3ms in state UP) (it \
             has answered before)"
        );
        assert!(event("b:1/2").ends_with("state UP)"));
    }

    #[test]
    fn an_unanswered_hello_is_one_line() {
        let faults = Faults::default();
        assert!(faults.is_hello(
            "[thrd:a:1/bootstrap]: a:1/bootstrap: Timed out ApiVersionRequest in flight"
        ));
        assert!(!faults.is_hello("[thrd:a:1/1]: a:1/1: Timed out 1 in-flight, 0 retry-queued"));
        faults.note_line("a:1/1: ApiVersionRequest failed: Local: Timed out: probably due to broker version < 0.10");
        assert_eq!(
            faults.tell().as_deref(),
            Some("a:1: ApiVersionRequest failed: Local: Timed out")
        );
        assert!(faults.is_hello("[thrd:a:1/1]: a:1/1: Timed out 1 in-flight, 0 retry-queued"));
        assert!(!faults.is_hello("[thrd:b:1/1]: b:1/1: Timed out 1 in-flight, 0 retry-queued"));
    }
}
