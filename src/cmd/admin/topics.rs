//! Topics.

use super::words::{self, PARTITIONS, REPLICAS};
use super::{ask, at, dict, keys, outcome, plain, row, Out, C};
use crate::error::{Error, Result};
use crate::rdk::{NewTopic, Node, TopicDescription};
use crate::tcl::Obj;

/// `create_topic name ?-partitions n? ?-replication n? ?-assignment list? ?-config dict?
/// ?-validate_only b? ?-timeout ms? ?-command prefix?`: gives the name.
pub fn create_topic(c: &C<'_>) -> Out {
    let args = &c.args;
    let count = |option: &str, most: i64| -> Result<i32> {
        args.opt(option).map_or(Ok(-1), |w| words::number(w, option, 1, most))
    };
    let mut topic = NewTopic {
        name: words::topic_name(args.at(0)?)?,
        partitions: count("-partitions", PARTITIONS)?,
        replication: count("-replication", REPLICAS)?,
        assignment: words::assignment(args)?,
        config: words::pairs(args, "-config")?,
    };
    if !topic.assignment.is_empty() {
        if topic.replication != -1 {
            return Err(Error::argument("-replication and -assignment exclude each other"));
        }
        let listed = i32::try_from(topic.assignment.len()).unwrap_or(i32::MAX);
        if topic.partitions != -1 && topic.partitions != listed {
            return Err(Error::argument(format!(
                "-assignment is for {listed} partition(s), -partitions says {}",
                topic.partitions
            )));
        }
        topic.partitions = listed;
    }
    let validate_only = words::switch(args, "-validate_only")?;
    let name = Obj::text(&topic.name);
    ask(
        c,
        move |admin| {
            let place = at(format!("topic {}", topic.name));
            admin.create_topic(&topic, validate_only).map_err(place)
        },
        move |()| Ok(name),
    )
}

/// `delete_topic ?-timeout ms? ?-command prefix? name ...`: gives the names.
pub fn delete_topic(c: &C<'_>) -> Out {
    let names = words::names(c.args.rest, "topic")?;
    ask(c, move |admin| admin.delete_topics(&names), |found| outcome("topic", plain(found), keys))
}

/// `create_partitions topic total ?-assignment list? ?-validate_only b? ?-timeout ms?
/// ?-command prefix?`: gives the name.
pub fn create_partitions(c: &C<'_>) -> Out {
    let topic = words::name(c.args.at(0)?, "topic")?;
    let total = words::number(c.args.at(1)?, "total", 1, PARTITIONS)?;
    let assignment = words::assignment(&c.args)?;
    if i64::try_from(assignment.len()).unwrap_or(i64::MAX) >= i64::from(total) {
        return Err(Error::argument(format!(
            "-assignment is for {} new partition(s) of {total} in all",
            assignment.len()
        )));
    }
    let validate_only = words::switch(&c.args, "-validate_only")?;
    let name = Obj::text(&topic);
    ask(
        c,
        move |admin| {
            let place = at(format!("topic {topic}"));
            admin.create_partitions(&topic, total, &assignment, validate_only).map_err(place)
        },
        move |()| Ok(name),
    )
}

/// `list_topics ?-timeout ms? ?-command prefix?`: gives the names, sorted.
pub fn list_topics(c: &C<'_>) -> Out {
    ask(c, |admin| admin.list_topics(), |names| Ok(Obj::texts(names)))
}

/// `describe_topics ?-operations b? ?-timeout ms? ?-command prefix? name ...`: gives a dict from
/// name to `topic_id internal partitions ?operations?`.
pub fn describe_topics(c: &C<'_>) -> Out {
    let names = words::names(c.args.rest, "topic")?;
    let operations = words::switch(&c.args, "-operations")?;
    ask(
        c,
        move |admin| admin.describe_topics(&names, operations),
        move |found| {
            let items = found
                .into_iter()
                .map(|(name, r)| (Obj::text(&name), r.map(|d| topic_obj(&d, operations))))
                .collect();
            outcome("topic", items, dict)
        },
    )
}

fn topic_obj(d: &TopicDescription, operations: bool) -> Obj {
    let ids = |list: &[i32]| Obj::texts(list.iter().map(i32::to_string));
    let partitions: Vec<Obj> = d
        .partitions
        .iter()
        .flat_map(|p| {
            let leader = p.leader.as_ref().map_or(-1, |n| n.id);
            let dict = row([
                ("leader", Obj::int(leader.into())),
                ("replicas", ids(&p.replicas)),
                ("isr", ids(&p.isr)),
            ]);
            [Obj::int(p.id.into()), Obj::list(&dict)]
        })
        .collect();
    let mut out = row([
        ("topic_id", Obj::text(&d.id)),
        ("internal", Obj::int(d.internal.into())),
        ("partitions", Obj::list(&partitions)),
    ]);
    if operations {
        out.extend(row([("operations", Obj::texts(&d.operations))]));
    }
    Obj::list(&out)
}

/// `id host port ?rack?`.
pub fn node_obj(n: &Node) -> Obj {
    let mut out = row([
        ("id", Obj::int(n.id.into())),
        ("host", Obj::text(&n.host)),
        ("port", Obj::int(n.port.into())),
    ]);
    if let Some(rack) = &n.rack {
        out.extend(row([("rack", Obj::text(rack))]));
    }
    Obj::list(&out)
}
