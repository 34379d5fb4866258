//! The mock cluster's groups: which there are, and their end.

use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::group::State;
use super::members;
use super::serve::{code, In};
use super::sys::{Classic, Modern};
use super::wire::{Read, Reader, Writer};

/// A group of any kind.
pub(super) enum Group<'a> {
    Classic(Classic<'a>),
    Modern(Modern<'a>),
    /// It has offsets and has never had a member.
    Simple,
}

pub(super) fn find<'a>(cluster: &'a Cluster, id: &str) -> Option<Group<'a>> {
    // A group that has become one of the other kind is in one list only (members.rs).
    let classic = || cluster.classic(id).map(Group::Classic);
    let modern = || cluster.modern(id).map(Group::Modern);
    let simple = || {
        let mut partitions = cluster.topics().flat_map(|topic| topic.partitions());
        partitions.any(|(_, p)| p.commit(id).is_some()).then_some(Group::Simple)
    };
    classic().or_else(modern).or_else(simple)
}

/// The states of Kafka's `ClassicGroupState` and `ConsumerGroup.ConsumerGroupState`.
impl Group<'_> {
    pub(super) fn state(&self) -> &'static str {
        match self {
            Group::Simple => "Empty",
            Group::Classic(group) => match group.state() {
                _ if group.members().next().is_none() => "Empty",
                State::Empty => "Empty",
                State::Joining | State::Rebalancing => "PreparingRebalance",
                State::Syncing => "CompletingRebalance",
                State::Stable => "Stable",
            },
            Group::Modern(group) => {
                let mut members = group.members().peekable();
                if members.peek().is_none() {
                    return "Empty";
                }
                let done = members.all(|member| {
                    let sorted = |target| {
                        let mut places = member.places(target);
                        places.sort_unstable();
                        places
                    };
                    member.epoch() == member.target_epoch() && sorted(false) == sorted(true)
                });
                if done {
                    "Stable"
                } else {
                    "Reconciling"
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state() == "Empty"
    }

    fn protocol_type(&self) -> String {
        match self {
            Group::Classic(group) => group.protocol_type(),
            Group::Modern(_) => "consumer".to_owned(),
            Group::Simple => String::new(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Group::Modern(_) => "consumer",
            _ => "classic",
        }
    }

    /// The topics that its members subscribe to.
    pub(super) fn topics(&self) -> BTreeSet<String> {
        match self {
            Group::Classic(group) => {
                group.members().filter_map(|m| subscription(&m.metadata())).flatten().collect()
            }
            Group::Modern(group) => group.members().flat_map(|m| m.topics()).collect(),
            Group::Simple => BTreeSet::new(),
        }
    }
}

/// The topics of a member's subscription (ConsumerProtocolSubscription).
fn subscription(metadata: &[u8]) -> Option<Vec<String>> {
    let mut r = Reader::new(metadata, false);
    r.i16().ok()?;
    r.list(Reader::string).ok()
}

/// ListGroups: the groups that this broker coordinates.
pub(super) fn list(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let filter = |r: &mut Reader<'_>, from: i16| -> Read<Vec<String>> {
        if input.version < from {
            return Ok(Vec::new());
        }
        r.list(|r| Ok(r.string()?.to_lowercase()))
    };
    let states = filter(r, 4)?;
    let kinds = filter(r, 5)?;
    let mut ids: BTreeSet<String> = cluster.classics().map(Classic::id).collect();
    ids.extend(cluster.moderns().map(Modern::id));
    for topic in cluster.topics() {
        ids.extend(topic.partitions().flat_map(|(_, p)| p.groups()));
    }
    let passes = |filter: &[String], word: &str| {
        filter.is_empty() || filter.iter().any(|f| f.eq_ignore_ascii_case(word))
    };
    let found: Vec<(String, Group<'_>)> = ids
        .into_iter()
        .filter(|id| input.error == code::NONE && cluster.coordinator(id) == input.broker)
        .filter_map(|id| find(cluster, &id).map(|group| (id, group)))
        .filter(|(_, group)| passes(&states, group.state()) && passes(&kinds, group.kind()))
        .collect();
    if input.version >= 1 {
        w.i32(0);
    }
    w.i16(input.error);
    w.list(found, |w, (id, group)| {
        w.string(&id);
        w.string(&group.protocol_type());
        if input.version >= 4 {
            w.string(group.state());
        }
        if input.version >= 5 {
            w.string(group.kind());
        }
        w.tags();
    });
    Ok(())
}

/// DeleteGroups: a group without members, and its offsets.
pub(super) fn delete(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let ids = r.list(Reader::string)?;
    w.i32(0);
    w.list(ids, |w, id| {
        let error = match (input.refused(cluster, &id), find(cluster, &id)) {
            (code::NONE, None) => code::GROUP_ID_NOT_FOUND,
            (code::NONE, Some(group)) if !group.is_empty() => code::NON_EMPTY_GROUP,
            (error, _) => error,
        };
        if error == code::NONE {
            let places: Vec<(String, i32)> = cluster
                .topics()
                .flat_map(|topic| topic.partitions().map(move |(n, _)| (topic.name(), n)))
                .collect();
            for (topic, partition) in places {
                cluster.delete_commit(&topic, partition, &id);
            }
            cluster.delete_group(&id);
            members::forget_group(&id);
        }
        w.string(&id);
        w.i16(error);
        w.tags();
    });
    Ok(())
}
