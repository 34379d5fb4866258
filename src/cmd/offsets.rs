//! A subscriber's offsets: `offsets`, `watermarks`, `commit`, `seek`, `pause`, `resume`.

use std::sync::Arc;

use super::core::Core;
use super::info::QUERY;
use super::pump::Serve;
use super::reader::Reader;
use super::rebalance::Kind;
use super::store::Part;
use super::subscriber::Subscriber;
use super::tps::{self, Need};
use super::wait::{self, Manner};
use crate::error::Result;
use crate::rdk::{self, ErrorCode, Event, Offset, PartitionList};
use crate::tcl::{Call, Flow, Obj, Outcome};

type C<'a> = Call<'a, Subscriber>;
type Out = Outcome<Subscriber>;

/// `offsets ?-committed? ?-timeout ms? tp ...`: `{topic partition offset}` each. Without
/// `-committed` the offset after the last message that the script was given.
pub fn offsets(c: &C<'_>) -> Out {
    let mut list = tps::parse(c.args.rest, Need::Topic)?;
    let manner = Manner::from(&c.args, QUERY)?;
    if c.args.opt("-committed").is_none() {
        let positions: Vec<i64> = list
            .iter()
            .map(|e| c.this.reader.position(e.topic, e.partition).unwrap_or(Offset::INVALID))
            .collect();
        for (i, offset) in positions.into_iter().enumerate() {
            list.set_offset(i, offset);
        }
        return Ok(tps::list(&list, true).into());
    }
    let timeout = manner.timeout;
    wait::call(
        c.this.core(),
        manner,
        move |client| client.committed(&mut list, timeout).map(|()| list),
        |list| {
            tps::outcome(&list, |good| {
                Obj::list(&good.iter().map(|e| tps::tp(e, true)).collect::<Vec<_>>())
            })
        },
    )
}

/// `commit ?-async? ?-timeout ms? ?tp ...?`: without partitions, what counts as processed; the
/// message in hand too.
pub fn commit(c: &C<'_>) -> Out {
    let core = c.this.core();
    let bare = c.args.rest.is_empty();
    let list = tps::parse(c.args.rest, Need::Offset)?;
    if bare {
        c.this.reader.count_all();
        c.this.reader.hand_over();
    } else if list.is_empty() {
        return Ok(Flow::Empty);
    }
    if c.args.opt("-async").is_some() {
        return match core.client.commit((!bare).then_some(&list), true) {
            Err(e) if !(bare && e.code == ErrorCode::NO_OFFSET) => Err(e.into()),
            _ => Ok(Flow::Empty),
        };
    }
    let manner = Manner::from(&c.args, QUERY)?;
    let timeout = manner.timeout;
    let detail = format!("no answer within {timeout} ms");
    wait::call(
        core,
        manner,
        move |client| {
            // Through a queue: the plain call waits without limit and tells one error for all.
            let queue = client.new_queue();
            client.commit_queue((!bare).then_some(&list), &queue)?;
            match queue.poll(timeout) {
                Some(Event::OffsetCommit { error, partitions }) => Ok((error, partitions)),
                _ => Err(crate::rdk::Error::with_detail(ErrorCode::TIMED_OUT, detail)),
            }
        },
        move |(error, partitions)| match error {
            Some(e) if e.code == ErrorCode::NO_OFFSET && bare => Ok(Obj::empty()),
            Some(e) if partitions.iter().all(|p| p.error.is_none()) => Err(e.into()),
            _ => tps::outcome(&partitions, |_| Obj::empty()),
        },
    )
}

/// Goes to an offset of one partition, without waiting for more than a moment.
pub fn seek_one(core: &Core, topic: String, partition: i32, offset: i64) -> Result<()> {
    let mut list = PartitionList::new();
    list.add_offset(&topic, partition, offset)?;
    let list =
        wait::block(core, QUERY, move |client| client.seek(&mut list, QUERY).map(|()| list))?;
    tps::outcome(&list, |_| Obj::empty()).map(drop)
}

/// `seek ?-timeout ms? tp ...`
pub fn seek(c: &C<'_>) -> Out {
    let list = tps::parse(c.args.rest, Need::Offset)?;
    let manner = Manner::from(&c.args, QUERY)?;
    let (mut now, mut later) = (PartitionList::new(), Vec::new());
    if let Some(pending) = &*c.this.rebalance.borrow() {
        // What is about to be assigned is not there to seek in: it is assigned where it should be.
        for e in list.iter() {
            match pending.list.find(e.topic, e.partition) {
                Some(i) if pending.kind == Kind::Assign => later.push((i, e.offset)),
                _ => drop(now.add_offset(e.topic, e.partition, e.offset)?),
            }
        }
    } else {
        now = list;
    }
    if let Some(pending) = &mut *c.this.rebalance.borrow_mut() {
        for (i, offset) in later {
            pending.list.set_offset(i, offset);
        }
    }
    if now.is_empty() {
        return Ok(Flow::Empty);
    }
    let timeout = manner.timeout;
    let list = wait::block(c.this.core(), timeout, move |client| {
        client.seek(&mut now, timeout).map(|()| now)
    })?;
    for e in list.iter().filter(|e| e.error.is_none()) {
        c.this.reader.restart(e.topic, e.partition);
    }
    c.this.core().again();
    Ok(tps::outcome(&list, |_| Obj::empty())?.into())
}

/// Splits partitions into those that the rebalance whose callback runs is about to assign, and the
/// others.
fn split(c: &C<'_>, list: &PartitionList) -> Result<(Vec<Arc<Part>>, PartitionList)> {
    let (mut soon, mut now) = (Vec::new(), PartitionList::new());
    let pending = c.this.rebalance.borrow();
    let assigned = pending.as_ref().filter(|p| p.kind == Kind::Assign).map(|p| &p.list);
    for e in list.iter() {
        if assigned.is_some_and(|l| l.find(e.topic, e.partition).is_some()) {
            soon.push(c.this.reader.part(e.topic, e.partition));
        } else {
            now.add(e.topic, e.partition)?;
        }
    }
    Ok((soon, now))
}

/// Does `op` to those partitions of the list that are assigned. The others get an error: librdkafka
/// would take them too, and have them paused when they are assigned some day.
fn to_assigned(
    reader: &Reader,
    list: &mut PartitionList,
    op: impl FnOnce(&mut PartitionList) -> rdk::Result<()>,
) -> Result<()> {
    let mut mine = PartitionList::new();
    let mut errors = Vec::with_capacity(list.len());
    for e in list.iter() {
        let active = reader.find(e.topic, e.partition).is_some_and(|p| p.is_active());
        errors.push(if active { Ok(mine.add(e.topic, e.partition)?) } else { Err(()) });
    }
    if !mine.is_empty() {
        op(&mut mine)?;
    }
    for (i, place) in errors.into_iter().enumerate() {
        list.set_error(
            i,
            match place {
                Ok(j) => mine.get(j).and_then(|e| e.error),
                Err(()) => Some(ErrorCode::UNKNOWN_PARTITION),
            },
        );
    }
    Ok(())
}

/// `pause tp ...`
pub fn pause(c: &C<'_>) -> Out {
    let list = tps::parse(c.args.rest, Need::Partition)?;
    let (soon, mut list) = split(c, &list)?;
    // Marked now, paused in librdkafka once they are assigned.
    for part in soon {
        part.set_paused(true);
    }
    let client = &c.this.core().client;
    let reader = &c.this.reader;
    to_assigned(reader, &mut list, |l| client.pause(l))?;
    // librdkafka counts an end of partition that was read as a message, and would resume after the
    // message that comes there next: it is told where to go on.
    let mut ends = PartitionList::new();
    for e in list.iter().filter(|e| e.error.is_none()) {
        let part = reader.part(e.topic, e.partition);
        part.set_paused(true);
        if let Some(next) = part.read().filter(|_| c.this.reports_ends) {
            ends.add_offset(e.topic, e.partition, next)?;
        }
    }
    if !ends.is_empty() {
        client.seek(&mut ends, 0)?;
    }
    Ok(tps::outcome(&list, |_| Obj::empty())?.into())
}

/// `resume tp ...`
pub fn resume(c: &C<'_>) -> Out {
    let list = tps::parse(c.args.rest, Need::Partition)?;
    let (soon, mut list) = split(c, &list)?;
    for part in soon {
        part.set_paused(false);
    }
    let reader = &c.this.reader;
    to_assigned(reader, &mut list, |l| c.this.core().client.resume(l))?;
    for e in list.iter().filter(|e| e.error.is_none()) {
        reader.resume(&reader.part(e.topic, e.partition));
    }
    // What was set aside has used its wake up.
    c.this.core().again();
    Ok(tps::outcome(&list, |_| Obj::empty())?.into())
}
