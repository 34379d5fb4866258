//! Offsets, records and leaders of partitions.

use super::words;
use super::{ask, dict, outcome, row, Out, C};
use crate::cmd::tps::{self, Need};
use crate::error::{Error, Result};
use crate::rdk::{
    ErrorCode, Offset, PartitionList, SPEC_EARLIEST, SPEC_LATEST, SPEC_MAX_TIMESTAMP,
};
use crate::tcl::Obj;

/// `delete_records ?-timeout ms? ?-command prefix? {topic partition offset} ...`: gives the
/// partitions, each with its first offset now.
pub fn delete_records(c: &C<'_>) -> Out {
    let list = tps::parse(c.args.rest, Need::Place)?;
    tps::each_once(&list)?;
    for e in list.iter() {
        if e.offset < 0 && e.offset != Offset::END {
            let got = tps::offset_obj(e.offset);
            let fault = Error::expected("offset", "an offset of 0 or more, or end", &got.str());
            return Err(tps::within(fault, &tps::tp(&e, true)));
        }
    }
    ask(
        c,
        move |admin| if list.is_empty() { Ok(list) } else { admin.delete_records(&list) },
        |found| {
            tps::outcome(&found, |good| {
                Obj::list(&good.iter().map(|e| tps::tp(e, true)).collect::<Vec<_>>())
            })
        },
    )
}

/// `list_offsets ?-isolation level? ?-timeout ms? ?-command prefix? {topic partition spec} ...`:
/// gives a dict from `{topic partition}` to `offset ?timestamp? ?leader_epoch?`.
pub fn list_offsets(c: &C<'_>) -> Out {
    let committed = match c.args.opt("-isolation") {
        Some(word) => {
            let levels = ["read_uncommitted", "read_committed"];
            words::choice(word, "isolation level", &levels)? == "read_committed"
        }
        None => false,
    };
    let list = specs(c.args.rest)?;
    tps::each_once(&list)?;
    ask(
        c,
        move |admin| {
            if list.is_empty() {
                return Ok(Vec::new());
            }
            admin.list_offsets(&list, committed)
        },
        |found| {
            let items = found
                .into_iter()
                .map(|f| {
                    let value = f.found.map(|(offset, timestamp)| {
                        let mut out = row([("offset", tps::offset_obj(offset))]);
                        if timestamp >= 0 {
                            out.extend(row([("timestamp", Obj::int(timestamp))]));
                        }
                        if f.leader_epoch >= 0 {
                            out.extend(row([("leader_epoch", Obj::int(f.leader_epoch.into()))]));
                        }
                        Obj::list(&out)
                    });
                    (tps::key(&f.topic, f.partition), value)
                })
                .collect();
            outcome("partition", items, dict)
        },
    )
}

/// `{topic partition earliest|latest|max_timestamp|MS}` each, the last where librdkafka wants it: in
/// the offset. `beginning` and `end`, which listings have, are taken for the same.
fn specs(rest: &[Obj]) -> Result<PartitionList> {
    let form = "{topic partition earliest|latest|max_timestamp|MS}";
    tps::parse_valued(rest, form, |spec| match &*spec.str() {
        "earliest" | "beginning" => Ok(SPEC_EARLIEST),
        "latest" | "end" => Ok(SPEC_LATEST),
        "max_timestamp" => Ok(SPEC_MAX_TIMESTAMP),
        other => spec.get_int("offset").ok().filter(|ms| *ms >= 0).ok_or_else(|| {
            let wanted = "earliest, latest, max_timestamp, or milliseconds since 1970";
            Error::expected("offset", wanted, other)
        }),
    })
}

/// `elect_leaders preferred|unclean ?-timeout ms? ?-command prefix? ?tp ...?`: gives a dict
/// `elected unneeded`, lists of partitions.
pub fn elect_leaders(c: &C<'_>) -> Out {
    let kinds = ["preferred", "unclean"];
    let unclean = words::choice(c.args.at(0)?, "election", &kinds)? == "unclean";
    let all = c.args.rest.is_empty();
    let mut list = tps::parse(c.args.rest, Need::Partition)?;
    tps::each_once(&list)?;
    ask(
        c,
        move |admin| match (all, list.is_empty()) {
            (true, _) => admin.elect_leaders(unclean, None),
            (false, true) => Ok(Vec::new()),
            (false, false) => admin.elect_leaders(unclean, Some(&mut list)),
        },
        |found| {
            let items = found
                .into_iter()
                .map(|e| {
                    let value = match e.error {
                        None => Ok(Obj::text("elected")),
                        // The leader is the right one already: what was wanted is so.
                        Some(e) if e.code == ErrorCode::ELECTION_NOT_NEEDED => {
                            Ok(Obj::text("unneeded"))
                        }
                        Some(e) => Err(e),
                    };
                    (tps::key(&e.topic, e.partition), value)
                })
                .collect();
            outcome("partition", items, |good| {
                let those = |word: &str| {
                    let keys: Vec<Obj> = good
                        .iter()
                        .filter(|(_, v)| v.str() == word)
                        .map(|(k, _)| k.clone())
                        .collect();
                    Obj::list(&keys)
                };
                let (elected, unneeded) = (those("elected"), those("unneeded"));
                Obj::list(&row([("elected", elected), ("unneeded", unneeded)]))
            })
        },
    )
}
