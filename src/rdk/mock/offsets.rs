//! What groups have committed in the mock cluster.
//!
//! librdkafka's own handlers refuse the commit of whoever is no member as soon as a group exists, and
//! know nothing of an answer about all of a group's partitions. Kafka lets anybody commit for a group
//! without members (`ClassicGroup.validateOffsetCommit`, `ConsumerGroup.validateOffsetCommit`), which is
//! how an admin sets offsets.

use super::cluster::Cluster;
use super::group::State;
use super::groups::{find, Group};
use super::serve::{code, In};
use super::sys::Partition;
use super::wire::{Read, Reader, Writer};

/// `offset.metadata.max.bytes` unless set.
const MOST_METADATA: usize = 4096;

/// Who commits, or asks.
struct Who {
    group: String,
    /// The generation, or the member's epoch (KIP-848); -1: no member.
    epoch: i32,
    member: String,
    instance: Option<String>,
}

/// What is wrong with a commit of a member, or of whoever is none.
fn check_commit(cluster: &Cluster, who: &Who, version: i16) -> i16 {
    match find(cluster, &who.group) {
        // A group that is made by its offsets.
        None | Some(Group::Simple) if who.epoch < 0 => code::NONE,
        None | Some(Group::Simple) if version >= 9 => code::GROUP_ID_NOT_FOUND,
        None | Some(Group::Simple) => code::ILLEGAL_GENERATION,
        Some(group) if who.epoch < 0 && group.is_empty() => code::NONE,
        Some(Group::Classic(group)) => {
            if who.epoch < 0 && who.member.is_empty() && who.instance.is_none() {
                return code::UNKNOWN_MEMBER_ID;
            }
            match group.member(&who.member) {
                None => code::UNKNOWN_MEMBER_ID,
                Some(_) if who.epoch != group.generation() => code::ILLEGAL_GENERATION,
                Some(_) if group.state() == State::Syncing => code::REBALANCE_IN_PROGRESS,
                Some(_) => code::NONE,
            }
        }
        Some(Group::Modern(group)) => match group.member(&who.member) {
            None => code::UNKNOWN_MEMBER_ID,
            Some(member) if member.epoch() != who.epoch => code::STALE_MEMBER_EPOCH,
            Some(_) => code::NONE,
        },
    }
}

/// OffsetCommit
pub(super) fn commit(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let version = input.version;
    let mut who = Who { group: r.string()?, epoch: -1, member: String::new(), instance: None };
    if version >= 1 {
        who.epoch = r.i32()?;
        who.member = r.string()?;
    }
    if version >= 7 {
        who.instance = r.nullable()?;
    }
    if (2..=4).contains(&version) {
        r.i64()?;
    }
    let topics = r.list(|r| {
        let name = r.string()?;
        let places = r.list(|r| {
            let (partition, offset) = (r.i32()?, r.i64()?);
            if version >= 6 {
                r.i32()?;
            }
            if version == 1 {
                r.i64()?;
            }
            let metadata = r.nullable()?;
            r.tags()?;
            Ok((partition, offset, metadata))
        })?;
        r.tags()?;
        Ok((name, places))
    })?;
    let refused = match input.refused(cluster, &who.group) {
        code::NONE => check_commit(cluster, &who, version),
        error => error,
    };
    if version >= 3 {
        w.i32(0);
    }
    w.list(topics, |w, (name, places)| {
        w.string(&name);
        w.list(places, |w, (partition, offset, metadata)| {
            let place = cluster.partition(&name, partition);
            let long = metadata.as_ref().is_some_and(|text| text.len() > MOST_METADATA);
            let error = match (place, refused) {
                (None, code::NONE) => code::UNKNOWN_TOPIC_OR_PARTITION,
                (Some(_), code::NONE) if long => code::OFFSET_METADATA_TOO_LARGE,
                (Some(place), code::NONE) => {
                    place.store(&who.group, offset, metadata.as_deref());
                    code::NONE
                }
                (_, error) => error,
            };
            w.i32(partition);
            w.i16(error);
            w.tags();
        });
        w.tags();
    });
    Ok(())
}

/// What a request wants to know of a group; of no topics: of all.
struct Asked {
    who: Who,
    topics: Option<Vec<(String, Vec<i32>)>>,
}

/// OffsetFetch: of one group, or (from version 8 on) of several.
pub(super) fn fetch(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let version = input.version;
    let read = |r: &mut Reader<'_>| {
        let mut who = Who { group: r.string()?, epoch: -1, member: String::new(), instance: None };
        if version >= 9 {
            who.member = r.nullable()?.unwrap_or_default();
            who.epoch = r.i32()?;
        }
        let topics = r.nullable_list(|r| {
            let topic = (r.string()?, r.list(Reader::i32)?);
            r.tags()?;
            Ok(topic)
        })?;
        Ok(Asked { who, topics })
    };
    if version >= 8 {
        let groups = r.list(|r| {
            let asked = read(r)?;
            r.tags()?;
            Ok(asked)
        })?;
        w.i32(0);
        w.list(groups, |w, asked| {
            let error = check_fetch(cluster, input, &asked.who);
            w.string(&asked.who.group);
            write_offsets(w, cluster, version, &asked, error);
            w.i16(error);
            w.tags();
        });
    } else {
        let asked = read(r)?;
        if version >= 3 {
            w.i32(0);
        }
        let error = check_fetch(cluster, input, &asked.who);
        write_offsets(w, cluster, version, &asked, error);
        if version >= 2 {
            w.i16(error);
        }
    }
    Ok(())
}

/// A member of the consumer protocol has to have the present epoch; of others nothing is asked.
fn check_fetch(cluster: &Cluster, input: &In, who: &Who) -> i16 {
    match (input.refused(cluster, &who.group), cluster.modern(&who.group)) {
        (code::NONE, Some(group)) if who.epoch >= 0 => match group.member(&who.member) {
            None => code::UNKNOWN_MEMBER_ID,
            Some(member) if member.epoch() != who.epoch => code::STALE_MEMBER_EPOCH,
            Some(_) => code::NONE,
        },
        (error, _) => error,
    }
}

fn write_offsets(w: &mut Writer, cluster: &Cluster, version: i16, asked: &Asked, error: i16) {
    let group = &asked.who.group;
    let all = || {
        let topics = cluster.topics().map(|topic| {
            let committed = topic.partitions().filter(|(_, p)| p.commit(group).is_some());
            (topic.name(), committed.map(|(n, _)| n).collect::<Vec<_>>())
        });
        topics.filter(|(_, partitions)| !partitions.is_empty()).collect()
    };
    let topics = match &asked.topics {
        Some(topics) => topics.clone(),
        None if error != code::NONE => Vec::new(),
        None => all(),
    };
    w.list(topics, |w, (name, partitions)| {
        w.string(&name);
        w.list(partitions, |w, n| {
            let place = cluster.partition(&name, n);
            let commit = place.and_then(|p| p.commit(group)).filter(|_| error == code::NONE);
            w.i32(n);
            w.i64(commit.map_or(-1, |commit| commit.offset()));
            if version >= 5 {
                // librdkafka's cluster does not keep the epoch that was committed.
                w.i32(commit.and(place).map_or(-1, Partition::epoch));
            }
            w.nullable(Some(commit.and_then(|c| c.metadata()).as_deref().unwrap_or_default()));
            w.i16(error);
            w.tags();
        });
        w.tags();
    });
}

/// OffsetDelete. What a member still reads stays.
pub(super) fn delete(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let group = r.string()?;
    let topics = r.list(|r| Ok((r.string()?, r.list(Reader::i32)?)))?;
    let found = find(cluster, &group);
    let read = found.as_ref().map(Group::topics).unwrap_or_default();
    let error = match (input.refused(cluster, &group), &found) {
        (code::NONE, None) => code::GROUP_ID_NOT_FOUND,
        (code::NONE, Some(Group::Classic(found)))
            if found.members().next().is_some() && found.protocol_type() != "consumer" =>
        {
            code::NON_EMPTY_GROUP
        }
        (error, _) => error,
    };
    w.i16(error);
    w.i32(0);
    let topics = if error == code::NONE { topics } else { Vec::new() };
    w.list(topics, |w, (name, partitions)| {
        let error = if cluster.topic(&name).is_none() {
            code::UNKNOWN_TOPIC_OR_PARTITION
        } else if read.contains(&name) {
            code::GROUP_SUBSCRIBED_TO_TOPIC
        } else {
            code::NONE
        };
        w.string(&name);
        w.list(partitions, |w, n| {
            if error == code::NONE {
                cluster.delete_commit(&name, n, &group);
            }
            w.i32(n);
            w.i16(error);
        });
    });
    Ok(())
}
