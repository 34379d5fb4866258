//! Consumer groups and their offsets.

use super::topics::node_obj;
use super::words;
use super::{ask, at, dict, keys, outcome, plain, row, Out, C};
use crate::cmd::tps::{self, Need};
use crate::error::{Error, Result};
use crate::rdk::{GroupDescription, Member, PartitionList, GROUP_STATES, GROUP_TYPES};
use crate::tcl::{Args, Obj};

/// The words of a filter; the first, `unknown`, is none to ask for.
fn chosen(
    args: &Args<'_>,
    option: &str,
    kind: &'static str,
    all: &'static [&'static str],
) -> Result<Vec<String>> {
    let Some(word) = args.opt(option) else { return Ok(Vec::new()) };
    let mut out: Vec<String> = Vec::new();
    for w in word.get_list(option)? {
        let name = words::choice(&w, kind, &all[1..])?;
        if !out.iter().any(|o| o == name) {
            out.push(name.to_owned());
        }
    }
    Ok(out)
}

/// `list_groups ?-states list? ?-types list? ?-timeout ms? ?-command prefix?`: gives a list of
/// dicts `group state type simple`.
pub fn list_groups(c: &C<'_>) -> Out {
    let states = chosen(&c.args, "-states", "state", &GROUP_STATES)?;
    let kinds = chosen(&c.args, "-types", "type", &GROUP_TYPES)?;
    ask(
        c,
        move |admin| admin.list_groups(&states, &kinds),
        |(groups, errors)| {
            let rows: Vec<Obj> = groups
                .iter()
                .map(|g| {
                    Obj::list(&row([
                        ("group", Obj::text(&g.group)),
                        ("state", Obj::text(g.state)),
                        ("type", Obj::text(g.kind)),
                        ("simple", Obj::int(g.simple.into())),
                    ]))
                })
                .collect();
            // A broker that did not tell fails its part of the listing; librdkafka doesn't say
            // which it was.
            let mut items: Vec<_> = rows.into_iter().map(|r| (r, Ok(Obj::empty()))).collect();
            match errors.into_iter().next_back() {
                Some(e) if items.is_empty() => return Err(Error::Kafka(e)),
                Some(e) => items.push((Obj::text("listing"), Err(e))),
                None => {}
            }
            outcome("broker", items, keys)
        },
    )
}

/// `describe_groups ?-operations b? ?-timeout ms? ?-command prefix? name ...`: gives a dict from
/// name to `state type simple assignor ?coordinator? members ?operations?`.
pub fn describe_groups(c: &C<'_>) -> Out {
    let names = words::names(c.args.rest, "group")?;
    let operations = words::switch(&c.args, "-operations")?;
    ask(
        c,
        move |admin| admin.describe_groups(&names, operations),
        move |found| {
            let items = found
                .into_iter()
                .map(|(name, r)| (Obj::text(&name), r.map(|d| group_obj(&d, operations))))
                .collect();
            outcome("group", items, dict)
        },
    )
}

fn group_obj(d: &GroupDescription, operations: bool) -> Obj {
    let members: Vec<Obj> = d.members.iter().map(member_obj).collect();
    let mut out = row([
        ("state", Obj::text(d.state)),
        ("type", Obj::text(d.kind)),
        ("simple", Obj::int(d.simple.into())),
        ("assignor", Obj::text(&d.assignor)),
    ]);
    if let Some(node) = &d.coordinator {
        out.extend(row([("coordinator", node_obj(node))]));
    }
    out.extend(row([("members", Obj::list(&members))]));
    if operations {
        out.extend(row([("operations", Obj::texts(&d.operations))]));
    }
    Obj::list(&out)
}

/// `member_id client_id ?group_instance_id? host assignment ?target?`.
fn member_obj(m: &Member) -> Obj {
    let places = |list: &PartitionList| {
        Obj::list(&list.iter().map(|e| tps::key(e.topic, e.partition)).collect::<Vec<_>>())
    };
    let mut out =
        row([("member_id", Obj::text(&m.member_id)), ("client_id", Obj::text(&m.client_id))]);
    if let Some(id) = &m.instance_id {
        out.extend(row([("group_instance_id", Obj::text(id))]));
    }
    out.extend(row([("host", Obj::text(&m.host)), ("assignment", places(&m.assignment))]));
    if let Some(target) = &m.target {
        out.extend(row([("target", places(target))]));
    }
    Obj::list(&out)
}

/// `delete_groups ?-timeout ms? ?-command prefix? name ...`: gives the names.
pub fn delete_groups(c: &C<'_>) -> Out {
    let names = words::names(c.args.rest, "group")?;
    ask(c, move |admin| admin.delete_groups(&names), |found| outcome("group", plain(found), keys))
}

/// `list_group_offsets group ?-stable b? ?-timeout ms? ?-command prefix? ?tp ...?`: gives the
/// partitions, each with its offset (`invalid` for none) and metadata, if any.
pub fn list_group_offsets(c: &C<'_>) -> Out {
    let group = words::name(c.args.at(0)?, "group")?;
    let stable = words::switch(&c.args, "-stable")?;
    let all = c.args.rest.is_empty();
    let list = tps::parse(c.args.rest, Need::Partition)?;
    tps::each_once(&list)?;
    ask(
        c,
        move |admin| {
            let found = match (all, list.is_empty()) {
                (true, _) => admin.list_group_offsets(&group, None, stable),
                (false, true) => Ok(list),
                (false, false) => admin.list_group_offsets(&group, Some(&list), stable),
            };
            found.map_err(at(format!("group {group}")))
        },
        |found| {
            tps::outcome(&found, |good| {
                Obj::list(&good.iter().map(|e| tps::tp(e, true)).collect::<Vec<_>>())
            })
        },
    )
}

/// `alter_group_offsets group ?-timeout ms? ?-command prefix? {topic partition offset ?metadata?}
/// ...`: gives the partitions.
pub fn alter_group_offsets(c: &C<'_>) -> Out {
    let group = words::name(c.args.at(0)?, "group")?;
    let list = tps::parse(c.args.rest, Need::Offset)?;
    tps::each_once(&list)?;
    ask(
        c,
        move |admin| {
            if list.is_empty() {
                return Ok(list);
            }
            admin.alter_group_offsets(&group, &list).map_err(at(format!("group {group}")))
        },
        |found| {
            tps::outcome(&found, |good| {
                Obj::list(&good.iter().map(|e| tps::tp(e, true)).collect::<Vec<_>>())
            })
        },
    )
}

/// `delete_group_offsets group ?-timeout ms? ?-command prefix? tp ...`: gives the partitions.
pub fn delete_group_offsets(c: &C<'_>) -> Out {
    let group = words::name(c.args.at(0)?, "group")?;
    let list = tps::parse(c.args.rest, Need::Partition)?;
    tps::each_once(&list)?;
    ask(
        c,
        move |admin| {
            if list.is_empty() {
                return Ok(list);
            }
            admin.delete_group_offsets(&group, &list).map_err(at(format!("group {group}")))
        },
        |found| {
            tps::outcome(&found, |good| {
                let keys = good.iter().map(|e| tps::key(e.topic, e.partition));
                Obj::list(&keys.collect::<Vec<_>>())
            })
        },
    )
}
