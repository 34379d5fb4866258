//! Questions to the cluster that every handle can ask.

use super::handle::Handle;
use super::info::QUERY;
use super::tps;
use super::transactions;
use super::wait::{self, Manner};
use crate::error::{error_dict, Error, Result};
use crate::rdk::{
    self, CallTime, ErrorCode, Metadata, PartitionList, PartitionMeta, TopicMeta, TopicSel,
};
use crate::tcl::{Call, Flow, Obj, Outcome};

type C<'a, T> = Call<'a, T>;

/// `metadata ?-topic t? ?-timeout ms? ?-command prefix?`: a dict `brokers topics broker_id`.
pub fn metadata<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let manner = Manner::from(&c.args, QUERY)?;
    let timeout = manner.timeout;
    let topic = c.args.opt("-topic").map(tps::parse_topic).transpose()?;
    wait::call(
        c.this.core(),
        manner,
        move |client| match &topic {
            Some(name) => client.describe_topic(name, timeout),
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
    let time = CallTime::new(manner.timeout);
    let place = format!("topic \"{topic}\" partition {partition}");
    wait::call(
        core,
        manner,
        move |client| {
            client.query_watermarks(&topic, partition, &time).map_err(|mut e| {
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
    let time = CallTime::new(manner.timeout);
    if list.is_empty() {
        return Ok(wait::ready(c.this.core(), manner.command, Obj::empty()));
    }
    wait::call(
        c.this.core(),
        manner,
        move |client| client.list_offsets(&mut list, &time).map(|()| list),
        |list| {
            tps::outcome(&list, |good| {
                Obj::list(&good.iter().map(|e| tps::tp(e, true)).collect::<Vec<_>>())
            })
        },
    )
}

/// `{topic partition timestamp}` each, the time where librdkafka wants it: in the offset.
fn times(rest: &[Obj]) -> Result<PartitionList> {
    tps::parse_valued(rest, "{topic partition timestamp}", |time| {
        match time.get_int("timestamp")? {
            ms if ms >= 0 => Ok(ms),
            _ => Err(Error::expected("timestamp", "milliseconds since 1970", &time.str())),
        }
    })
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
