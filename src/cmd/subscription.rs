//! What a subscriber reads: `subscribe`, `assign` and their kin.

use super::info::QUERY;
use super::pump::Serve;
use super::subscriber::Subscriber;
use super::tps::{self, Need, Topics};
use super::wait;
use crate::error::Error;
use crate::rdk::{self, ErrorCode, Offset, PartitionList, TopicSel};
use crate::tcl::{Call, Flow, Obj, Outcome};

type C<'a> = Call<'a, Subscriber>;
type Out = Outcome<Subscriber>;

/// `subscribe ?topic ...?`
pub fn subscribe(c: &C<'_>) -> Out {
    c.this.need_group()?;
    let client = &c.this.core().client;
    if c.args.rest.is_empty() {
        let list = client.subscription()?;
        return Ok(Obj::texts(list.iter().map(|e| e.topic.to_owned())).into());
    }
    let mut topics = Topics::default();
    for word in c.args.rest {
        tps::topics(word, &mut topics)?;
    }
    let mut list = PartitionList::new();
    for name in &topics.names {
        list.add(name, -1)?;
    }
    if list.is_empty() {
        client.unsubscribe()?;
    } else if let Err(e) = client.subscribe(&list) {
        return Err(not_subscribed(e, &list));
    }
    look_for(c.this, topics);
    Ok(Flow::Empty)
}

/// A number in a word of `subscribe` is a partition or an offset. Where the cluster has a topic of that name, which
/// is not subscribed to, it may have been meant: the log says so, and nobody waits for that.
fn look_for(this: &Subscriber, topics: Topics) {
    let Topics { names, mut passed_over } = topics;
    passed_over.retain(|n| !names.contains(n));
    if passed_over.is_empty() {
        return;
    }
    let core = this.core();
    let (client, logger, name) = (core.client.clone(), core.logger.clone(), core.live.name.clone());
    // Without a thread for it nothing is said.
    let _ = wait::spawn(move || {
        let Ok(all) = client.metadata(TopicSel::All, QUERY) else { return };
        for topic in passed_over.iter().filter(|n| all.topics.iter().any(|t| t.name == **n)) {
            let text = format!(
                "subscribe took {topic} for a partition or an offset; topic {topic} is not subscribed to: \
                 give each of several topics as a word of its own"
            );
            logger.say(4, "SUBSCRIBE", &name, text);
        }
    });
}

/// Why the topics can't be subscribed to. librdkafka doesn't say that a regular expression is none, nor which
/// (`rd_kafka_subscribe`).
fn not_subscribed(e: rdk::Error, list: &PartitionList) -> Error {
    let patterns: Vec<&str> =
        list.iter().map(|e| e.topic).filter(|topic| topic.starts_with('^')).collect();
    if e.code != ErrorCode::INVALID_ARG || patterns.is_empty() {
        return e.into();
    }
    Error::expected("topic", "a name, or ^ and a valid regular expression", &patterns.join(" "))
}

/// `unsubscribe`
pub fn unsubscribe(c: &C<'_>) -> Out {
    c.this.need_group()?;
    c.this.core().client.unsubscribe()?;
    // A member that was put out hears of its loss now, and won't come back.
    c.this.heed_group();
    Ok(Flow::Empty)
}

/// `assign ?tp ...?`: replaces the assignment; `assign {}` clears it.
pub fn assign(c: &C<'_>) -> Out {
    let list = tps::parse(c.args.rest, Need::Topic)?;
    tps::each_once(&list)?;
    let this = c.this;
    this.need_group()?;
    this.reader.count_hands();
    this.reader.hand_over();
    this.reader.end_all();
    let client = &this.core().client;
    if list.is_empty() || !this.core().is_open() {
        // While the group is left nothing is taken any more, and one answer has to do.
        client.assign(None)?;
    } else {
        if !client.assignment()?.is_empty() {
            // A partition that is read already is stopped first: `begin` waits for that.
            client.assign(None)?;
        }
        this.reader.begin(&list)?;
        client.assign(Some(&list))?;
        for e in list.iter() {
            this.reader.part(e.topic, e.partition).set_assigned(e.offset);
        }
    }
    answered(this);
    Ok(Flow::Empty)
}

/// `incremental_assign tp ...`: reads these as well, without touching the others. In the rebalance
/// callback it is the answer to the group.
pub fn incremental_assign(c: &C<'_>) -> Out {
    let list = tps::parse(c.args.rest, Need::Topic)?;
    let this = c.this;
    this.need_group()?;
    if list.is_empty() {
        return Ok(Flow::Empty);
    }
    // Looked for here, for a partition that is read already would lose what was read ahead of it.
    for (i, e) in list.iter().enumerate() {
        let twice = list.find(e.topic, e.partition).is_some_and(|first| first < i);
        if twice || this.reader.is_active(e.topic, e.partition) {
            let detail = format!("topic {} partition {} is assigned already", e.topic, e.partition);
            return Err(Error::kafka(ErrorCode::CONFLICT, detail));
        }
    }
    this.reader.begin(&list)?;
    if let Err(e) = this.core().client.incremental_assign(&list) {
        this.reader.end(&list);
        return Err(e.into());
    }
    for e in list.iter() {
        this.reader.part(e.topic, e.partition).set_assigned(e.offset);
    }
    answered(this);
    Ok(Flow::Empty)
}

/// `incremental_unassign tp ...`: what was processed of them counts.
pub fn incremental_unassign(c: &C<'_>) -> Out {
    let list = tps::parse(c.args.rest, Need::Topic)?;
    let this = c.this;
    this.need_group()?;
    if list.is_empty() {
        return Ok(Flow::Empty);
    }
    // Looked for here: librdkafka ends the process for a partition that is there twice.
    for (i, e) in list.iter().enumerate() {
        if list.find(e.topic, e.partition).is_some_and(|first| first < i) {
            let detail = format!("topic {} partition {} is there twice", e.topic, e.partition);
            return Err(Error::kafka(ErrorCode::INVALID_ARG, detail));
        }
    }
    if let Some(e) = list.iter().find(|e| !this.reader.is_active(e.topic, e.partition)) {
        let detail = format!("topic {} partition {} is not assigned", e.topic, e.partition);
        return Err(Error::kafka(ErrorCode::UNKNOWN_PARTITION, detail));
    }
    this.reader.count_hands();
    this.reader.hand_over();
    let client = &this.core().client;
    client.incremental_unassign(&list)?;
    this.reader.end(&list);
    // As in `assign`: the stop is served before the partition may be assigned again. Not while the
    // group is left: it may have been with this answer.
    if this.core().is_open() {
        client.assignment()?;
    }
    answered(this);
    Ok(Flow::Empty)
}

/// The script has answered the rebalance whose callback runs.
fn answered(this: &Subscriber) {
    if let Some(pending) = &mut *this.rebalance.borrow_mut() {
        pending.answered = true;
    }
}

/// `assignment_lost`: 1 from when the group took the partitions away until that was answered.
pub fn assignment_lost(c: &C<'_>) -> Out {
    Ok(Obj::boolean(c.this.core().client.assignment_lost()).into())
}

/// `rebalance_protocol`: `none` before the group has one, `eager` or `cooperative`.
pub fn rebalance_protocol(c: &C<'_>) -> Out {
    c.this.need_group()?;
    Ok(Obj::text(&c.this.core().client.rebalance_protocol().to_lowercase()).into())
}

/// `member_id`: empty before the group gave one.
pub fn member_id(c: &C<'_>) -> Out {
    c.this.need_group()?;
    Ok(Obj::text(&c.this.core().client.member_id().unwrap_or_default()).into())
}

/// `assignment`: `{topic partition}`, with the offset that `assign` gave, if it gave one.
pub fn assignment(c: &C<'_>) -> Out {
    c.this.need_group()?;
    let mut list = c.this.core().client.assignment()?;
    // librdkafka fills in `stored` where nothing was said.
    for i in 0..list.len() {
        let Some(e) = list.get(i) else { continue };
        let given = c.this.reader.find(e.topic, e.partition).map(|p| p.assigned());
        list.set_offset(i, given.unwrap_or(Offset::INVALID));
    }
    Ok(tps::list(&list, false).into())
}
