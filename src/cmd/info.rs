//! What a cluster tells: `info` and `meta` of every handle.

use std::time::{Duration, Instant};

use super::core::Core;
use super::wait;
use crate::error::{Error, Result};
use crate::rdk::{ErrorCode, Metadata, TopicMeta, TopicSel};
use crate::tcl::{Args, Obj};

/// What a query may take when the call says nothing, in milliseconds.
pub const QUERY: i32 = 5000;

/// Fetches the metadata of all topics and keeps it.
pub fn refresh(core: &Core, timeout: i32) -> Result<()> {
    let meta = wait::block(core, timeout, move |c| c.metadata(TopicSel::All, timeout))
        .map_err(|e| unreachable(core, e))?;
    *core.metadata.borrow_mut() = Some((Instant::now(), meta));
    Ok(())
}

/// Says which brokers did not answer: librdkafka's own error names none.
pub fn unreachable(core: &Core, e: Error) -> Error {
    match e {
        Error::Kafka(e) if e.detail.is_empty() => {
            let brokers = core.client.conf().get("bootstrap.servers").unwrap_or_default();
            let brokers = core.known_brokers(&brokers);
            Error::kafka(e.code, format!("no metadata from {brokers}"))
        }
        other => other,
    }
}

/// The metadata, fetched anew when it is older than `metadata.max.age.ms` or lacks `topic`.
fn current<R>(
    core: &Core,
    topic: Option<&str>,
    timeout: i32,
    read: impl FnOnce(&Metadata) -> R,
) -> Result<R> {
    let age = core.client.conf().get("metadata.max.age.ms").and_then(|v| v.parse().ok());
    let age = Duration::from_millis(age.unwrap_or(900_000));
    let fresh = match &*core.metadata.borrow() {
        Some((at, meta)) => at.elapsed() < age && topic.is_none_or(|t| usable(meta, t).is_some()),
        None => false,
    };
    if !fresh {
        refresh(core, timeout)?;
    }
    let meta = core.metadata.borrow();
    match &*meta {
        Some((_, meta)) => Ok(read(meta)),
        None => Err(Error::kafka(ErrorCode::TIMED_OUT, "no metadata")),
    }
}

fn usable<'a>(meta: &'a Metadata, topic: &str) -> Option<&'a TopicMeta> {
    meta.topics.iter().find(|t| t.name == topic && t.error.is_none())
}

pub fn topics(core: &Core, timeout: i32) -> Result<Obj> {
    current(core, None, timeout, |m| Obj::texts(m.topics.iter().map(|t| &t.name)))
}

/// `host:port` of every broker.
pub fn brokers(core: &Core, timeout: i32) -> Result<Obj> {
    current(core, None, timeout, |m| {
        Obj::texts(m.brokers.iter().map(|b| format!("{}:{}", b.host, b.port)))
    })
}

/// How many partitions a topic has. A topic that the cluster does not have is an error.
pub fn partitions(core: &Core, topic: &str, timeout: i32) -> Result<i32> {
    let known = |m: &Metadata| {
        m.topics.iter().find(|t| t.name == topic).map(|t| (t.error, t.partitions.len()))
    };
    let mut found = current(core, Some(topic), timeout, known)?;
    if found.is_none() {
        // Asking for a topic by name has a broker create it that does so; the listing does not.
        let name = topic.to_owned();
        let meta = wait::block(core, timeout, move |c| c.metadata_topic(&name, timeout))?;
        found = known(&meta);
    }
    match found {
        Some((None, n)) => Ok(i32::try_from(n).unwrap_or(i32::MAX)),
        Some((Some(code), _)) => Err(Error::kafka(code, format!("topic \"{topic}\""))),
        None => Err(Error::kafka(ErrorCode::UNKNOWN_TOPIC, format!("topic \"{topic}\""))),
    }
}

/// What the cluster looks like, in words, for reading.
pub fn describe(core: &Core, timeout: i32) -> Result<String> {
    current(core, None, timeout, |m| {
        let mut out = format!(
            "Metadata from broker {} ({})\n{} broker(s):\n",
            m.orig_broker_id,
            m.orig_broker_name,
            m.brokers.len()
        );
        for b in &m.brokers {
            out += &format!("  broker {} at {}:{}\n", b.id, b.host, b.port);
        }
        out += &format!("{} topic(s):\n", m.topics.len());
        for t in &m.topics {
            let fault = t.error.map_or_else(String::new, |c| format!(" ({})", c.text()));
            out += &format!(
                "  topic \"{}\" with {} partition(s){fault}\n",
                t.name,
                t.partitions.len()
            );
            for p in &t.partitions {
                let fault = p.error.map_or_else(String::new, |c| format!(" ({})", c.text()));
                out += &format!(
                    "    partition {}, leader {}, replicas {:?}, in sync {:?}{fault}\n",
                    p.id, p.leader, p.replicas, p.isrs
                );
            }
        }
        out
    })
}

/// `-timeout ms`, or the time that queries have.
pub fn query_time(args: &Args<'_>) -> Result<i32> {
    Ok(args.opt("-timeout").map_or(Ok(QUERY), |w| Args::time(w, "-timeout"))?)
}
