//! Where and whether a subscriber goes on reading: `seek`, `pause`, `resume`, `paused`.

use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::core::Core;
use super::info::QUERY;
use super::offsets;
use super::pump::{deadline, Serve};
use super::reader::Reader;
use super::rebalance::Kind;
use super::store::Part;
use super::subscriber::Subscriber;
use super::tps::{self, Need};
use super::wait::{self, Manner};
use crate::error::Result;
use crate::rdk::{self, Client, ErrorCode, Offset, PartitionList};
use crate::tcl::{Call, Obj, Outcome};

type C<'a> = Call<'a, Subscriber>;
type Out = Outcome<Subscriber>;

/// What a partition says whose fetching is about to begin, or has just begun: it can be sought in a
/// moment later.
const NOT_YET: [ErrorCode; 3] =
    [ErrorCode::STATE, ErrorCode::PREV_IN_PROGRESS, ErrorCode::OUTDATED];

/// How long to wait before asking it again.
const MOMENT: Duration = Duration::from_millis(20);

/// Goes to an offset of one partition, without waiting for more than a moment.
pub fn seek_one(core: &Core, topic: String, partition: i32, offset: i64) -> Result<()> {
    let mut list = PartitionList::new();
    list.add_offset(&topic, partition, offset)?;
    let seek = move |client: &Arc<Client>| seek_all(client, &mut list, QUERY).map(|()| list);
    let list = wait::block(core, QUERY, seek)?;
    tps::outcome(&list, |_| Obj::empty()).map(drop)
}

/// `seek ?-timeout ms? ?-command prefix? beginning|end|tp ?tp ...?`: after `beginning` or `end`
/// partitions without offsets, or none at all for all that is assigned.
pub fn seek(c: &C<'_>) -> Out {
    let list = destinations(c)?;
    tps::each_once(&list)?;
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
    let core = c.this.core();
    if now.is_empty() {
        return Ok(wait::ready(core, manner.command, Obj::empty()));
    }
    let reader = &c.this.reader;
    for (i, e) in now.clone().iter().enumerate() {
        if reader.is_active(e.topic, e.partition) {
            reader.cancel(e.topic, e.partition);
        } else {
            now.set_error(i, Some(ErrorCode::UNKNOWN_PARTITION));
        }
    }
    let timeout = manner.timeout;
    let mut seeks = c.this.seeks.borrow_mut();
    let mut job = Job { seek: Arc::default(), before: seeks.last().cloned(), list: now };
    seeks.push(job.seek.clone());
    drop(seeks);
    let subscriber = Rc::downgrade(c.this);
    let done = wait::call(
        core,
        manner,
        move |client| job.run(client, timeout),
        move |list| {
            if let Some(subscriber) = subscriber.upgrade() {
                subscriber.seeks_ended();
            }
            tps::outcome(&list, |_| Obj::empty())
        },
    );
    c.this.seeks_ended();
    done
}

/// The partitions of a `seek`, each with the offset to go to.
fn destinations(c: &C<'_>) -> Result<PartitionList> {
    let first = c.args.at(0)?;
    let place = match first.raw() {
        b"beginning" => Offset::BEGINNING,
        b"end" => Offset::END,
        _ => {
            let words: Vec<Obj> = std::iter::once(first).chain(c.args.rest).cloned().collect();
            return tps::parse(&words, Need::Place);
        }
    };
    let mut list = tps::parse(c.args.rest, Need::Partition)?;
    if c.args.rest.is_empty() {
        list = c.this.reader.parts(Part::is_active)?;
        if let Some(p) = c.this.rebalance.borrow().as_ref().filter(|p| p.kind == Kind::Assign) {
            for e in p.list.iter().filter(|e| !c.this.reader.is_active(e.topic, e.partition)) {
                list.add(e.topic, e.partition)?;
            }
        }
    }
    for i in 0..list.len() {
        list.set_offset(i, place);
    }
    Ok(list)
}

/// A seek under way, which keeps its subscriber from reading.
///
/// librdkafka drops what it fetched before at some moment of the call. A message that is read
/// before that and one that is read after it look alike, so nothing is read until the call has ended,
/// also with `-command` and when the script has given the call up: then all that is held is from
/// before.
#[derive(Default)]
pub struct Seek {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ended: bool,
    /// What became of each partition, until the subscriber has taken it.
    outcome: PartitionList,
}

impl Seek {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, outcome: PartitionList) {
        *self.lock() = State { ended: true, outcome };
        self.changed.notify_all();
    }

    fn wait(&self) {
        let open = |s: &mut State| !s.ended;
        let done =
            self.changed.wait_while(self.lock(), open).unwrap_or_else(PoisonError::into_inner);
        drop(done);
    }

    /// Whether it has ended; then what is held of the partitions is void.
    pub fn ended(&self, reader: &Reader) -> bool {
        let mut state = self.lock();
        if !state.ended {
            return false;
        }
        let list = std::mem::take(&mut state.outcome);
        drop(state);
        for e in list.iter() {
            // Once librdkafka was asked it goes there, if not in time.
            if e.error.is_none_or(|code| code == ErrorCode::TIMED_OUT) {
                reader.restart(e.topic, e.partition, e.offset);
            }
        }
        true
    }
}

/// What a helper thread does for a seek. It ends also when there is no thread for it.
struct Job {
    seek: Arc<Seek>,
    /// The one before it: of two seeks the later one tells where to go on.
    before: Option<Arc<Seek>>,
    list: PartitionList,
}

impl Job {
    fn run(&mut self, client: &Arc<Client>, timeout: i32) -> rdk::Result<PartitionList> {
        if let Some(before) = self.before.take() {
            before.wait();
        }
        seek_all(client, &mut self.list, timeout)?;
        Ok(self.list.clone())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.seek.end(std::mem::take(&mut self.list));
    }
}

/// Seeks in the partitions that have no error, and tells what became of each: `TIMED_OUT` for those
/// that will go there, but later. One without an error has been asked to go there.
fn seek_all(client: &Arc<Client>, list: &mut PartitionList, timeout: i32) -> rdk::Result<()> {
    let end = deadline(timeout);
    let left = || match end {
        None => -1,
        Some(d) => {
            i32::try_from(d.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(0)
        }
    };
    resolve_stored(client, list, left())?;
    let mut open: Vec<usize> =
        (0..list.len()).filter(|i| list.get(*i).is_some_and(|e| e.error.is_none())).collect();
    while !open.is_empty() {
        // Its partitions are gone, and no seek in them is answered.
        if let Some(e) = client.fatal_error() {
            return Err(e);
        }
        let mut some = PartitionList::with_capacity(open.len());
        for e in open.iter().filter_map(|i| list.get(*i)) {
            some.add_offset(e.topic, e.partition, e.offset)?;
        }
        let refused = match client.seek(&mut some, left()) {
            // What the list has says more.
            Err(e) if e.code != ErrorCode::TIMED_OUT => Some(e.code),
            _ => None,
        };
        let mut again = Vec::new();
        for (e, i) in some.iter().zip(&open) {
            let error = match e.error {
                Some(ErrorCode::IN_PROGRESS) if timeout == 0 => None,
                Some(ErrorCode::IN_PROGRESS) => Some(ErrorCode::TIMED_OUT),
                other => other.or(refused),
            };
            if error.is_some_and(|code| NOT_YET.contains(&code)) {
                client.await_offset(e.topic, e.partition);
                again.push(*i);
            }
            list.set_error(*i, error);
        }
        if again.is_empty() || left() == 0 {
            break;
        }
        std::thread::sleep(MOMENT);
        open = again;
    }
    Ok(())
}

/// Puts the group's offset where `stored` is asked for. librdkafka refuses to seek there, and drops
/// what it has fetched all the same: those messages would be skipped.
fn resolve_stored(client: &Arc<Client>, list: &mut PartitionList, timeout: i32) -> rdk::Result<()> {
    let mut places = Vec::new();
    let mut ask = PartitionList::new();
    for (i, e) in list.iter().enumerate() {
        if e.offset == Offset::STORED && e.error.is_none() {
            places.push(i);
            ask.add(e.topic, e.partition)?;
        }
    }
    if ask.is_empty() {
        return Ok(());
    }
    // A failure is theirs alone: the others are sought in all the same.
    let failed = offsets::ask_committed(client, &mut ask, timeout).err().map(|e| e.code);
    for (i, e) in places.into_iter().zip(ask.iter()) {
        let offset = match e.offset {
            n if n >= 0 => Some(n),
            _ => reset_offset(client),
        };
        match offset {
            _ if failed.or(e.error).is_some() => list.set_error(i, failed.or(e.error)),
            Some(n) => list.set_offset(i, n),
            None => list.set_error(i, Some(ErrorCode::NO_OFFSET)),
        }
    }
    Ok(())
}

/// Where a partition begins that the group has committed nothing of; none: that is an error.
pub fn reset_offset(client: &Client) -> Option<i64> {
    match client.conf().get("auto.offset.reset").as_deref() {
        Some("smallest" | "earliest" | "beginning") => Some(Offset::BEGINNING),
        Some("largest" | "latest" | "end") => Some(Offset::END),
        _ => None,
    }
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
        let active = reader.is_active(e.topic, e.partition);
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
    for e in list.iter().filter(|e| e.error.is_none()) {
        reader.part(e.topic, e.partition).set_paused(true);
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

/// `paused`: `{topic partition}` each.
pub fn paused(c: &C<'_>) -> Out {
    Ok(tps::list(&c.this.reader.parts(Part::is_paused)?, false).into())
}
