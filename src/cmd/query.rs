//! Questions to the cluster that every handle can ask.

use std::time::{Duration, Instant};

use super::handle::Handle;
use super::info::QUERY;
use super::pump::deadline;
use super::tps;
use super::transactions;
use super::wait::{self, Manner};
use crate::error::{error_dict, Error, Result};
use crate::rdk::{
    self, Client, Elem, ErrorCode, Kind, Metadata, PartitionList, PartitionMeta, TopicMeta,
    TopicSel,
};
use crate::tcl::{Call, Flow, Obj, Outcome};

type C<'a, T> = Call<'a, T>;

/// How long to wait before a partition that was added is asked for again.
const LEARNING: Duration = Duration::from_millis(50);

/// `metadata ?-topic t? ?-timeout ms? ?-command prefix?`: a dict `brokers topics broker_id`.
pub fn metadata<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let manner = Manner::from(&c.args, QUERY)?;
    let timeout = manner.timeout;
    let topic = c.args.opt("-topic").map(tps::parse_topic).transpose()?;
    wait::call(
        c.this.core(),
        manner,
        move |client| match &topic {
            Some(name) => client.metadata_topic(name, timeout),
            None => client.metadata(TopicSel::All, timeout),
        },
        |m| Ok(metadata_dict(&m)),
    )
}

fn metadata_dict(m: &Metadata) -> Obj {
    let brokers: Vec<Obj> = m
        .brokers
        .iter()
        .map(|b| {
            Obj::texts(["id", &b.id.to_string(), "host", &b.host, "port", &b.port.to_string()])
        })
        .collect();
    let topics: Vec<Obj> =
        m.topics.iter().flat_map(|t| [Obj::text(&t.name), topic_dict(t)]).collect();
    Obj::list(&[
        Obj::text("brokers"),
        Obj::list(&brokers),
        Obj::text("topics"),
        Obj::list(&topics),
        Obj::text("broker_id"),
        Obj::int(m.orig_broker_id.into()),
    ])
}

/// `partitions {n {leader id replicas ids isr ids ?error code?} ...} ?error code?`.
fn topic_dict(t: &TopicMeta) -> Obj {
    let partitions: Vec<Obj> =
        t.partitions.iter().flat_map(|p| [Obj::int(p.id.into()), partition_dict(p)]).collect();
    let mut out = vec![Obj::text("partitions"), Obj::list(&partitions)];
    push_error(t.error, &mut out);
    Obj::list(&out)
}

fn partition_dict(p: &PartitionMeta) -> Obj {
    let ids = |list: &[i32]| Obj::texts(list.iter().map(i32::to_string));
    let mut out = vec![
        Obj::text("leader"),
        Obj::int(p.leader.into()),
        Obj::text("replicas"),
        ids(&p.replicas),
        Obj::text("isr"),
        ids(&p.isrs),
    ];
    push_error(p.error, &mut out);
    Obj::list(&out)
}

fn push_error(error: Option<ErrorCode>, out: &mut Vec<Obj>) {
    if let Some(code) = error {
        out.push(Obj::text("error"));
        out.push(Obj::text(&code.constant()));
    }
}

/// `cluster_id ?-timeout ms? ?-command prefix?`
pub fn cluster_id<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let manner = Manner::from(&c.args, QUERY)?;
    let timeout = manner.timeout;
    let none =
        move || rdk::Error::with_detail(ErrorCode::TIMED_OUT, "no broker told the cluster's id");
    wait::call(
        c.this.core(),
        manner,
        move |client| client.cluster_id(timeout).ok_or_else(none),
        |id| Ok(Obj::text(&id)),
    )
}

/// `controller_id ?-timeout ms? ?-command prefix?`
pub fn controller_id<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let manner = Manner::from(&c.args, QUERY)?;
    let timeout = manner.timeout;
    let none =
        || rdk::Error::with_detail(ErrorCode::TIMED_OUT, "no broker told the controller's id");
    wait::call(
        c.this.core(),
        manner,
        move |client| match client.controller_id(timeout) {
            id if id >= 0 => Ok(id),
            _ => Err(none()),
        },
        |id| Ok(Obj::int(id.into())),
    )
}

/// `watermarks ?-cached? ?-timeout ms? ?-command prefix? topic partition`
pub fn watermarks<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let topic = tps::parse_topic(c.args.at(0)?)?;
    let partition = tps::parse_partition(c.args.at(1)?)?;
    let core = c.this.core();
    let pair = |(low, high): (i64, i64)| Obj::list(&[Obj::int(low), Obj::int(high)]);
    let manner = Manner::from(&c.args, QUERY)?;
    if c.args.opt("-cached").is_some() {
        let marks = pair(core.client.cached_watermarks(&topic, partition)?);
        return Ok(wait::ready(core, manner.command, marks));
    }
    let timeout = manner.timeout;
    let place = format!("topic \"{topic}\" partition {partition}");
    wait::call(
        core,
        manner,
        move |client| {
            client.query_watermarks(&topic, partition, timeout).map_err(|mut e| {
                if e.detail.is_empty() {
                    e.detail = place;
                }
                e
            })
        },
        move |marks| Ok(pair(marks)),
    )
}

/// `offsets_for_times ?-timeout ms? ?-command prefix? {topic partition timestamp} ...`: the first
/// offset at or after each time, `end` when there is none.
pub fn offsets_for_times<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let mut list = times(c.args.rest)?;
    let manner = Manner::from(&c.args, QUERY)?;
    let timeout = manner.timeout;
    if list.is_empty() {
        return Ok(wait::ready(c.this.core(), manner.command, Obj::empty()));
    }
    wait::call(
        c.this.core(),
        manner,
        move |client| list_offsets(client, &mut list, timeout).map(|()| list),
        |list| {
            tps::outcome(&list, |good| {
                Obj::list(&good.iter().map(|e| tps::tp(e, true)).collect::<Vec<_>>())
            })
        },
    )
}

/// Asks the leaders for the offsets at the list's times, or at its beginning or end. A failure of single partitions is
/// in the list.
///
/// A partition that was added a moment ago may be assigned to the member already, as it is its group that says so, while
/// the client has not heard of it. So what the client does not know, and the cluster does, is learnt and asked for again;
/// and so is one whose leader moves, as Java's clients do.
pub fn list_offsets(client: &Client, list: &mut PartitionList, timeout_ms: i32) -> rdk::Result<()> {
    let end = deadline(timeout_ms);
    let wanted = list.clone();
    ask_leaders(client, list, timeout_ms)?;
    loop {
        let passing: Vec<usize> = list
            .iter()
            .enumerate()
            .filter(|(_, e)| passes(client, e, remaining(end)))
            .map(|(i, _)| i)
            .collect();
        if passing.is_empty() || remaining(end) == 0 {
            return Ok(());
        }
        let mut again = PartitionList::new();
        for e in passing.iter().filter_map(|i| wanted.get(*i)) {
            again.add_offset(e.topic, e.partition, e.offset)?;
        }
        let failed = ask_leaders(client, &mut again, remaining(end)).err().map(|e| e.code);
        for (e, i) in again.iter().zip(&passing) {
            list.set_offset(*i, e.offset);
            list.set_error(*i, failed.or(e.error));
        }
        // The leader that the cluster names may not have heard of it either.
        if failed.is_some() || list.iter().any(|e| e.error.is_some()) {
            std::thread::sleep(LEARNING);
        }
    }
}

/// Whether a partition's failure passes by itself. The client has learnt of its leader then.
fn passes(client: &Client, e: &Elem<'_>, timeout_ms: i32) -> bool {
    let found = || client.metadata_topic(e.topic, timeout_ms);
    match e.error {
        Some(ErrorCode::NOT_LEADER_FOR_PARTITION | ErrorCode::LEADER_NOT_AVAILABLE) => {
            // Whatever this says, it is asked again.
            drop(found());
            true
        }
        // By a producer's question brokers may make the topic.
        Some(ErrorCode::UNKNOWN_PARTITION) if client.kind() == Kind::Consumer => {
            let there = |m: Metadata| {
                m.topics.iter().any(|t| t.partitions.iter().any(|p| p.id == e.partition))
            };
            found().is_ok_and(there)
        }
        _ => false,
    }
}

/// The milliseconds that are left; -1: no limit.
fn remaining(end: Option<Instant>) -> i32 {
    end.map_or(-1, |d| {
        i32::try_from(d.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(i32::MAX)
    })
}

/// One request to each leader.
///
/// librdkafka fails all when a leader's answer has an error for one. Then each is asked for by
/// itself.
fn ask_leaders(client: &Client, list: &mut PartitionList, timeout_ms: i32) -> rdk::Result<()> {
    let end = deadline(timeout_ms);
    let asked = list.clone();
    let whole = client.offsets_for_times(list, timeout_ms);
    let Err(error) = whole else {
        fail_unasked(list);
        return Ok(());
    };
    // Whatever is wrong with all of them is not looked for in each.
    let common =
        [ErrorCode::TIMED_OUT, ErrorCode::ALL_BROKERS_DOWN, ErrorCode::TRANSPORT, ErrorCode::FATAL];
    if common.contains(&error.code) {
        return Err(error);
    }
    if asked.len() == 1 {
        list.set_error(0, Some(error.code));
        return Ok(());
    }
    for (i, e) in asked.iter().enumerate() {
        let left = match end {
            None => -1,
            Some(d) => {
                let left = d.saturating_duration_since(Instant::now());
                i32::try_from(left.as_millis()).unwrap_or(i32::MAX)
            }
        };
        let mut one = PartitionList::new();
        one.add_offset(e.topic, e.partition, e.offset)?;
        let done = client.offsets_for_times(&mut one, left);
        fail_unasked(&mut one);
        let code = done.err().map(|e| e.code).or_else(|| one.get(0).and_then(|e| e.error));
        list.set_offset(i, one.get(0).map_or(e.offset, |e| e.offset));
        list.set_error(i, code);
    }
    Ok(())
}

/// librdkafka leaves those as "in progress" for whose topic it found no leader.
fn fail_unasked(list: &mut PartitionList) {
    for i in 0..list.len() {
        if list.get(i).is_some_and(|e| e.error == Some(ErrorCode::IN_PROGRESS)) {
            list.set_error(i, Some(ErrorCode::UNKNOWN_PARTITION));
        }
    }
}

/// `{topic partition timestamp}` each, the time where librdkafka wants it: in the offset.
fn times(rest: &[Obj]) -> Result<PartitionList> {
    let mut list = PartitionList::new();
    for item in tps::words(rest)? {
        let parts = item.get_list("topic-partition")?;
        let [topic, partition, time] = &parts[..] else {
            return Err(Error::expected(
                "topic-partition",
                "{topic partition timestamp}",
                &item.str(),
            ));
        };
        let ms = time.get_int("timestamp")?;
        if ms < 0 {
            return Err(Error::expected("timestamp", "milliseconds since 1970", &time.str()));
        }
        list.add_offset(&tps::parse_topic(topic)?, tps::parse_partition(partition)?, ms)?;
    }
    Ok(list)
}

/// `fatal_error`: nothing, or the error that ended the client as `error code message`.
pub fn fatal_error<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let core = c.this.core();
    let e = core.client.fatal_error().map(|e| transactions::overdue(core, e));
    Ok(e.map_or(Flow::Empty, |e| error_dict(&e).into()))
}

/// `sasl_set_credentials user password`: for PLAIN and SCRAM, at the next authentication.
pub fn sasl_set_credentials<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let (user, password) = (c.args.at(0)?.str(), c.args.at(1)?.str());
    c.this.core().client.sasl_set_credentials(&user, &password)?;
    Ok(Flow::Empty)
}
