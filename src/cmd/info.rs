//! What a cluster tells: `info` and `meta` of every handle.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use super::pump::deadline;
use super::wait::{self, Manner};
use crate::error::{Error, Result};
use crate::rdk::{Broker, Client, ErrorCode, Metadata, TopicMeta, TopicSel};
use crate::tcl::{Flow, Obj};

/// What a query may take when the call says nothing, in milliseconds.
pub const QUERY: i32 = 5000;

/// What `read` makes of the metadata, fetched anew when it is older than `metadata.max.age.ms`, lacks
/// `topic`, or is `wanted` anew.
fn ask(
    core: &Rc<Core>,
    manner: Manner,
    wanted: bool,
    topic: Option<String>,
    read: impl FnOnce(&Metadata) -> Result<Obj> + 'static,
) -> Result<Flow> {
    let age = core.client.conf().get("metadata.max.age.ms").and_then(|v| v.parse().ok());
    let age = Duration::from_millis(age.unwrap_or(900_000));
    if let Some((at, meta)) = core.metadata.borrow().as_ref().filter(|_| !wanted) {
        let lacks = topic.as_ref().is_some_and(|t| usable(meta, t).is_none());
        if at.elapsed() < age && !lacks {
            return Ok(wait::ready(core, manner.command, read(meta)?));
        }
    }
    let end = deadline(manner.timeout);
    let left = move || {
        end.map_or(-1, |d| {
            let left = d.saturating_duration_since(Instant::now()).as_millis();
            i32::try_from(left).unwrap_or(i32::MAX)
        })
    };
    let op = move |client: &Arc<Client>| {
        let all = client.metadata(TopicSel::All, left())?;
        let named = match topic {
            // The listing has no topics that the user may not see; the answer to a name says so.
            Some(name) if !all.topics.iter().any(|t| t.name == name) => {
                Some(client.describe_topic(&name, left())?)
            }
            _ => None,
        };
        Ok((all, named))
    };
    // A call that is under way must not own the object.
    let weak = Rc::downgrade(core);
    let finish = move |(all, named): (Metadata, Option<Metadata>)| {
        let value = read(named.as_ref().unwrap_or(&all));
        if let Some(core) = weak.upgrade() {
            *core.metadata.borrow_mut() = Some((Instant::now(), all));
        }
        value
    };
    wait::call(core, manner, op, finish)
}

fn usable<'a>(meta: &'a Metadata, topic: &str) -> Option<&'a TopicMeta> {
    meta.topics.iter().find(|t| t.name == topic && t.error.is_none())
}

/// Fetches the metadata of all topics and keeps it.
pub fn refresh(core: &Rc<Core>, manner: Manner) -> Result<Flow> {
    ask(core, manner, true, None, |_| Ok(Obj::empty()))
}

pub fn topics(core: &Rc<Core>, manner: Manner) -> Result<Flow> {
    ask(core, manner, false, None, |m| Ok(Obj::texts(m.topics.iter().map(|t| &t.name))))
}

/// `host:port` of every broker.
pub fn brokers(core: &Rc<Core>, manner: Manner) -> Result<Flow> {
    let place = |b: &Broker| format!("{}:{}", b.host, b.port);
    ask(core, manner, false, None, move |m| Ok(Obj::texts(m.brokers.iter().map(place))))
}

/// What `made` makes of the number of a topic's partitions. A topic that the cluster does not have is
/// an error; so is one that has no leader yet, which is being made, unless `early`: then it has those that are told, mostly
/// none.
pub fn partitions(
    core: &Rc<Core>,
    topic: &str,
    manner: Manner,
    early: bool,
    made: impl FnOnce(i32) -> Obj + 'static,
) -> Result<Flow> {
    let name = topic.to_owned();
    ask(core, manner, false, Some(name.clone()), move |m| {
        match m.topics.iter().find(|t| t.name == name).map(|t| (t.error, t.partitions.len())) {
            Some((None, n)) => Ok(made(i32::try_from(n).unwrap_or(i32::MAX))),
            Some((Some(ErrorCode::LEADER_NOT_AVAILABLE), n)) if early => {
                Ok(made(i32::try_from(n).unwrap_or(i32::MAX)))
            }
            Some((Some(code), _)) => Err(Error::kafka(code, format!("topic \"{name}\""))),
            None => Err(Error::kafka(ErrorCode::UNKNOWN_TOPIC, format!("topic \"{name}\""))),
        }
    })
}

/// Hands what the cluster looks like, in words for reading, to `print`.
pub fn describe(
    core: &Rc<Core>,
    manner: Manner,
    print: impl FnOnce(&str) + 'static,
) -> Result<Flow> {
    ask(core, manner, false, None, |m| {
        print(&words(m));
        Ok(Obj::empty())
    })
}

fn words(m: &Metadata) -> String {
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
        out += &format!("  topic \"{}\" with {} partition(s){fault}\n", t.name, t.partitions.len());
        for p in &t.partitions {
            let fault = p.error.map_or_else(String::new, |c| format!(" ({})", c.text()));
            out += &format!(
                "    partition {}, leader {}, replicas {:?}, in sync {:?}{fault}\n",
                p.id, p.leader, p.replicas, p.isrs
            );
        }
    }
    out
}
