//! A subscriber's offsets: `offsets`, `position`, `committed`, `lag`, `commit`, `store`.

use std::sync::Arc;

use super::info::QUERY;
use super::pump::Serve;
use super::reader::Reader;
use super::store::Part;
use super::subscriber::Subscriber;
use super::tps::{self, Need};
use super::wait::{self, Manner};
use super::{steer, transactions};
use crate::error::{Error, Result};
use crate::rdk::{
    self, commit_passes, Admin, CallTime, Client, Elem, ErrorCode, Event, GiveUp, Offset,
    PartitionList, Queue,
};
use crate::tcl::{Call, Flow, Obj, Outcome};

type C<'a> = Call<'a, Subscriber>;
type Out = Outcome<Subscriber>;

/// `offsets ?-committed? ?-timeout ms? ?-command prefix? tp ...`: `{topic partition offset}` each.
/// Without `-committed` the offset after the last message that the script was given.
pub fn offsets(c: &C<'_>) -> Out {
    if c.args.opt("-committed").is_some() {
        return committed(c);
    }
    let list = tps::parse(c.args.rest, Need::Topic)?;
    let manner = Manner::from(&c.args, QUERY)?;
    let list = with_positions(&c.this.reader, list);
    Ok(wait::ready(c.this.core(), manner.command, tps::list(&list, true)))
}

/// `committed ?-timeout ms? ?-command prefix? tp ...`: `{topic partition offset}` each.
pub fn committed(c: &C<'_>) -> Out {
    let mut list = tps::parse(c.args.rest, Need::Topic)?;
    let manner = Manner::from(&c.args, QUERY)?;
    let timeout = manner.timeout;
    if list.is_empty() {
        return Ok(wait::ready(c.this.core(), manner.command, Obj::empty()));
    }
    wait::call(
        c.this.core(),
        manner,
        move |client| ask_committed(client, &mut list, timeout).map(|()| list),
        |list| tps::outcome(&list, offset_list),
    )
}

/// Sets each offset to what the group has committed. Also while the member closes, in its rebalance callback:
/// librdkafka (2.12.1, `rd_kafka_cgrp_op_serve`) puts such a question off then, until the end that waits
/// for the callback. As an admin it asks without its group.
pub fn ask_committed(
    client: &Arc<Client>,
    list: &mut PartitionList,
    timeout: i32,
) -> rdk::Result<()> {
    if !client.is_closing() {
        return client.committed(list, timeout);
    }
    let conf = client.conf();
    let group = conf.get("group.id").unwrap_or_default();
    // As a member asks: `read_committed` waits for transactions that are open.
    let stable = conf.get("isolation.level").is_none_or(|level| level == "read_committed");
    let admin = Admin::new(client, timeout, GiveUp::default());
    let found = admin.list_group_offsets(&group, Some(list), stable)?;
    for i in 0..list.len() {
        let answer = list.get(i).and_then(|e| found.find(e.topic, e.partition));
        let answer = answer.and_then(|at| found.get(at));
        list.set_offset(i, answer.as_ref().map_or(Offset::INVALID, |e| e.offset));
        list.set_error(i, answer.and_then(|e| e.error));
    }
    Ok(())
}

/// `position ?tp ...?`: `{topic partition offset}` each, the offset after the last message that the
/// script was given; without tps, of what is assigned.
pub fn position(c: &C<'_>) -> Out {
    let reader = &c.this.reader;
    let list = some_or_assigned(c)?;
    let mut list = with_positions(reader, list);
    for i in 0..list.len() {
        let assigned = list.get(i).is_some_and(|e| reader.is_active(e.topic, e.partition));
        list.set_error(i, (!assigned).then_some(ErrorCode::UNKNOWN_PARTITION));
    }
    Ok(tps::outcome(&list, offset_list)?.into())
}

/// The partitions of a call; without any word, those that are assigned.
fn some_or_assigned(c: &C<'_>) -> Result<PartitionList> {
    if c.args.rest.is_empty() {
        return Ok(c.this.reader.parts(Part::is_active)?);
    }
    tps::parse(c.args.rest, Need::Topic)
}

fn with_positions(reader: &Reader, mut list: PartitionList) -> PartitionList {
    reader.pass_marks();
    for i in 0..list.len() {
        let Some(e) = list.get(i) else { continue };
        let offset = reader.position(e.topic, e.partition).unwrap_or(Offset::INVALID);
        list.set_offset(i, offset);
    }
    list
}

fn offset_list(good: &[Elem<'_>]) -> Obj {
    Obj::list(&good.iter().map(|e| tps::tp(e, true)).collect::<Vec<_>>())
}

/// `lag ?-timeout ms? ?-command prefix? ?tp ...?`: `{topic partition n}` each, n messages being
/// between the script's position and the end; without tps, of what is assigned.
///
/// While the script was given nothing of a partition, it is where it was assigned or sought to, else
/// where the group's offset or `auto.offset.reset` has it begin.
pub fn lag(c: &C<'_>) -> Out {
    let mut list = some_or_assigned(c)?;
    let manner = Manner::from(&c.args, QUERY)?;
    let core = c.this.core();
    if list.is_empty() {
        return Ok(wait::ready(core, manner.command, Obj::empty()));
    }
    c.this.reader.pass_marks();
    let mut begun = Vec::with_capacity(list.len());
    for i in 0..list.len() {
        let Some(e) = list.get(i) else { continue };
        let part = c.this.reader.find(e.topic, e.partition);
        let next = part.as_ref().map_or(Offset::INVALID, |p| p.next());
        begun.push(part.is_some_and(|p| p.read().is_some()));
        list.set_offset(i, next);
    }
    let time = CallTime::new(manner.timeout);
    wait::call(
        core,
        manner,
        move |client| lags(client, list, &begun, &time),
        |list| tps::outcome(&list, offset_list),
    )
}

/// Turns positions into distances from the end. One request to each leader tells the ends; more are
/// sent only for partitions that were not `begun`: their place may be gone, or isn't known here.
fn lags(
    client: &Arc<Client>,
    mut list: PartitionList,
    begun: &[bool],
    time: &CallTime,
) -> rdk::Result<PartitionList> {
    let mut ends = list.clone();
    for i in 0..ends.len() {
        ends.set_offset(i, Offset::END);
    }
    client.list_offsets(&mut ends, time)?;
    let known = |n: i64| !matches!(n, Offset::INVALID | Offset::STORED);
    fill_in(&mut list, |e| !known(e.offset), |ask| ask_committed(client, ask, time.left()))?;
    let reset = steer::reset_offset(client);
    for i in 0..list.len() {
        if list.get(i).is_some_and(|e| !known(e.offset) && e.error.is_none()) {
            match reset {
                Some(place) => list.set_offset(i, place),
                None => list.set_error(i, Some(ErrorCode::NO_OFFSET)),
            }
        }
    }
    reset_gone(client, &mut list, &ends, begun, time)?;
    let at_beginning = |e: &Elem<'_>| e.offset == Offset::BEGINNING;
    fill_in(&mut list, at_beginning, |ask| client.list_offsets(ask, time))?;
    for (i, end) in ends.iter().enumerate() {
        let Some(e) = list.get(i) else { continue };
        let n = match Offset::from_raw(e.offset) {
            Offset::At(next) => end.offset.saturating_sub(next),
            Offset::Tail(n) => n.min(end.offset),
            // It waits at the end.
            _ => 0,
        };
        let error = end.error.or(e.error);
        list.set_offset(i, n.max(0));
        list.set_error(i, error);
    }
    Ok(list)
}

/// Has partitions that are to go on at an offset that their log does not have go on where they will.
fn reset_gone(
    client: &Client,
    list: &mut PartitionList,
    ends: &PartitionList,
    begun: &[bool],
    time: &CallTime,
) -> rdk::Result<()> {
    let mut places = Vec::new();
    let mut first = PartitionList::new();
    for (i, e) in list.iter().enumerate() {
        let is_beyond = ends.get(i).is_some_and(|end| end.error.is_none() && e.offset > end.offset);
        if (!begun[i] || is_beyond) && e.offset >= 0 && e.error.is_none() {
            places.push(i);
            first.add_offset(e.topic, e.partition, Offset::BEGINNING)?;
        }
    }
    if first.is_empty() {
        return Ok(());
    }
    client.list_offsets(&mut first, time)?;
    for (i, first) in places.into_iter().zip(first.iter()) {
        let (Some(e), Some(end)) = (list.get(i), ends.get(i)) else { continue };
        if first.error.or(end.error).is_some() || (first.offset..=end.offset).contains(&e.offset) {
            continue;
        }
        match steer::reset_offset(client) {
            Some(Offset::BEGINNING) => list.set_offset(i, first.offset),
            Some(place) => list.set_offset(i, place),
            None => list.set_error(i, Some(ErrorCode::OFFSET_OUT_OF_RANGE)),
        }
    }
    Ok(())
}

/// Asks about those elements that `open` picks, and puts offsets and errors where they belong.
fn fill_in(
    list: &mut PartitionList,
    open: impl Fn(&Elem<'_>) -> bool,
    ask: impl FnOnce(&mut PartitionList) -> rdk::Result<()>,
) -> rdk::Result<()> {
    let mut places = Vec::new();
    let mut some = PartitionList::new();
    for (i, e) in list.iter().enumerate().filter(|(_, e)| e.error.is_none() && open(e)) {
        places.push(i);
        some.add_offset(e.topic, e.partition, e.offset)?;
    }
    if !some.is_empty() {
        ask(&mut some)?;
    }
    for (i, e) in places.into_iter().zip(some.iter()) {
        list.set_offset(i, e.offset);
        list.set_error(i, e.error);
    }
    Ok(())
}

/// `group_metadata`: a value whose bytes mean nothing to a script.
pub fn group_metadata(c: &C<'_>) -> Out {
    Ok(Obj::bytes(&transactions::membership(c.this)?.to_bytes()?).into())
}

/// The offset after a message, as a list: behind what is no message there, as far as the script stands behind that.
fn after_message(c: &C<'_>, word: &Obj, name: &str) -> Result<PartitionList> {
    let mut list = tps::after_message(word, name)?;
    c.this.reader.pass_marks();
    for i in 0..list.len() {
        let Some(e) = list.get(i) else { continue };
        if let Some(part) = c.this.reader.find(e.topic, e.partition) {
            let behind = part.behind(e.offset);
            list.set_offset(i, behind);
        }
    }
    Ok(list)
}

/// `commit ?-async? ?-timeout ms? ?-command prefix? ?-message dict? ?tp ...?`: without partitions,
/// what counts as processed; the message in hand too.
pub fn commit(c: &C<'_>) -> Out {
    let core = c.this.core();
    let message = c.args.opt("-message");
    let bare = c.args.rest.is_empty() && message.is_none();
    let list = match message {
        Some(_) if !c.args.rest.is_empty() => {
            return Err(Error::argument("-message has its own topic-partition: give no others"));
        }
        Some(word) => after_message(c, word, "-message")?,
        None => tps::parse(c.args.rest, Need::Offset)?,
    };
    let manner = Manner::from(&c.args, QUERY)?;
    let alone = c.args.opt("-async").is_some();
    if alone && manner.command.is_some() {
        return Err(Error::argument(
            "with -async nobody waits for the outcome: leave out -command",
        ));
    }
    if bare {
        c.this.reader.count_all();
        c.this.reader.hand_over();
    } else if list.is_empty() {
        return Ok(wait::ready(core, manner.command, Obj::empty()));
    }
    if alone {
        c.this.need_group()?;
        // The answer comes to the client's queue, as those of the commits that it makes by itself do.
        let asked = c.this.is_asked();
        return match core.client.commit_queue((!bare).then_some(&list), &core.main, asked) {
            Err(e) if !(bare && e.code == ErrorCode::NO_OFFSET) => Err(e.into()),
            _ => Ok(Flow::Empty),
        };
    }
    // Here, so that what comes later in the script is later for librdkafka, too.
    let asked = c.this.is_asked();
    let commit = Commit::begin(&core.client, (!bare).then_some(list), manner.timeout, asked);
    wait::call(
        core,
        manner.kept(),
        move |client| commit?.end(client),
        move |(error, partitions)| match error {
            Some(e) if e.code == ErrorCode::NO_OFFSET && bare => Ok(Obj::empty()),
            Some(e) if partitions.iter().all(|p| p.error.is_none()) => Err(e.into()),
            _ => tps::outcome(&partitions, |_| Obj::empty()),
        },
    )
}

/// `store message|tp ?tp ...?`: of a message, the offset after it. A commit of what is stored moves
/// the group on, never back.
pub fn store(c: &C<'_>) -> Out {
    let core = c.this.core();
    let first = c.args.at(0)?;
    let by_message = c.args.rest.is_empty() && tps::message(first).is_some();
    let list = if by_message {
        after_message(c, first, "message")
    } else {
        let words: Vec<Obj> = std::iter::once(first).chain(c.args.rest).cloned().collect();
        tps::parse(&words, Need::Offset)
    };
    let mut list = list?;
    if list.is_empty() {
        return Ok(Flow::Empty);
    }
    if core.client.conf().get("enable.auto.offset.store").as_deref() == Some("true") {
        return Err(Error::kafka(
            ErrorCode::INVALID_ARG,
            "with enable.auto.offset.store true librdkafka stores by itself: set it to false, or not \
             at all",
        ));
    }
    // What counts already would be stored later, and so in its place.
    c.this.reader.hand_over();
    let done = core.client.store_offsets(&mut list);
    if by_message {
        // What is no message behind it is stored as soon as it is known.
        for e in list.iter().filter(|e| e.error.is_none()) {
            if let Some(part) = c.this.reader.find(e.topic, e.partition) {
                part.set_stored(Some(e.offset));
            }
        }
    }
    match done {
        Err(e) if list.iter().all(|p| p.error.is_none()) => Err(e.into()),
        _ => Ok(tps::outcome(&list, |_| Obj::empty())?.into()),
    }
}

/// What a broker says of one partition of a commit while it takes the others.
const OF_ONE: [ErrorCode; 3] = [
    ErrorCode::UNKNOWN_TOPIC_OR_PART,
    ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    ErrorCode::OFFSET_METADATA_TOO_LARGE,
];

/// What becomes of a commit: the error of all, and each partition's.
type Committed = (Option<rdk::Error>, PartitionList);

/// A commit under way.
pub struct Commit {
    queue: Queue,
    time: CallTime,
    asked: bool,
    /// Its number among the client's commits.
    number: u64,
}

impl Commit {
    /// Hands a commit to librdkafka; without a `list`, of what is stored. `timeout` in milliseconds, -1 for no
    /// limit; `asked`: see [`Client::commit_queue`].
    pub fn begin(
        client: &Arc<Client>,
        list: Option<PartitionList>,
        timeout: i32,
        asked: bool,
    ) -> rdk::Result<Commit> {
        // Through a queue: the plain call waits without limit and tells one error for all.
        let queue = client.new_queue();
        let number = client.commit_queue(list.as_ref(), &queue, asked)?;
        Ok(Commit { queue, time: CallTime::new(timeout), asked, number })
    }

    /// Hands over another one, for what is left of the time; `OUTDATED` if the client has committed something else since.
    fn again(&mut self, client: &Arc<Client>, list: &PartitionList) -> rdk::Result<()> {
        let queue = client.new_queue();
        self.number = client.commit_after(Some(self.number), Some(list), &queue, self.asked)?;
        self.queue = queue;
        Ok(())
    }

    /// Waits for the answer, within its time that of another attempt where the broker refuses only for the moment.
    /// librdkafka (2.12.1, `rd_kafka_cgrp_offsets_commit`) puts a commit off once until it has found the
    /// coordinator, and gives up when that has gone again by then.
    ///
    /// When one partition is refused librdkafka says of all that they are, also of those that were
    /// committed. Then each is committed once more by itself.
    pub fn end(mut self, client: &Arc<Client>) -> rdk::Result<Committed> {
        let (mut error, mut partitions) = self.answer()?;
        while error.as_ref().is_some_and(|e| commit_passes(e.code))
            && (holds(client, &partitions) || is_no_member(client))
            && self.time.again()
        {
            let attempt = self.again(client, &sent(&partitions)?);
            // Why the last one was refused says more than that this one is late, or that the client is being closed or
            // has committed something else.
            let Ok(answer) = attempt.and_then(|()| self.answer()) else { break };
            (error, partitions) = answer;
        }
        let of_one = error.as_ref().is_some_and(|e| OF_ONE.contains(&e.code));
        if !of_one || partitions.iter().filter(is_sent).count() < 2 {
            return Ok((error, partitions));
        }
        for i in 0..partitions.len() {
            if !partitions.get(i).is_some_and(|e| is_sent(&e)) {
                continue;
            }
            let error = match self.again(client, &partitions.select(&[i])?) {
                Ok(()) => self.answer()?.0,
                Err(e) if e.code == ErrorCode::OUTDATED => Some(e),
                Err(e) => return Err(e),
            };
            partitions.set_error(i, error.map(|e| e.code));
        }
        let all_refused = partitions.iter().filter(is_sent).all(|e| e.error.is_some());
        Ok((error.filter(|_| all_refused), partitions))
    }

    fn answer(&self) -> rdk::Result<Committed> {
        match self.queue.poll(self.time.left()) {
            Some(Event::OffsetCommit { error, partitions }) => Ok((error, partitions)),
            _ => Err(self.time.late()),
        }
    }
}

/// Whether a commit of stored offsets has one for a partition.
fn is_sent(e: &Elem<'_>) -> bool {
    e.offset >= 0
}

fn sent(partitions: &PartitionList) -> rdk::Result<PartitionList> {
    let places: Vec<usize> =
        (0..partitions.len()).filter(|i| partitions.get(*i).is_some_and(|e| is_sent(&e))).collect();
    partitions.select(&places)
}

/// Whether the group gives the client no partitions: it commits what the script chooses. Of a group that has ended
/// nothing is known, and nothing is committed again.
fn is_no_member(client: &Client) -> bool {
    client.subscription().is_ok_and(|list| list.is_empty())
}

/// Whether a member still has the partitions: what another one commits now must not be undone.
fn holds(client: &Client, partitions: &PartitionList) -> bool {
    client.assignment().is_ok_and(|all| {
        partitions.iter().filter(is_sent).all(|e| all.find(e.topic, e.partition).is_some())
    })
}
