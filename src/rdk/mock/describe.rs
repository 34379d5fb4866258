//! Descriptions of the mock cluster and its groups.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::groups::{find, Group};
use super::members::note;
use super::serve::{code, In, NO_OPERATIONS};
use super::sys::ModernMember;
use super::wire::{Read, Reader, Uuid, Writer};

/// DescribeGroups. A group that is unknown, or of the consumer protocol, is dead; from version 6 on
/// that is an error (KIP-1043).
pub(super) fn classic(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let ids = r.list(Reader::string)?;
    if input.version >= 3 {
        r.bool()?;
    }
    if input.version >= 1 {
        w.i32(0);
    }
    w.list(ids, |w, id| {
        let refused = input.refused(cluster, &id);
        let group = find(cluster, &id).filter(|_| refused == code::NONE);
        let (error, message, state) = match &group {
            Some(Group::Modern(_)) | None if refused == code::NONE => match input.version {
                6.. => (
                    code::GROUP_ID_NOT_FOUND,
                    Some(match group {
                        Some(_) => format!("Group {id} is not a classic group."),
                        None => format!("Group {id} not found."),
                    }),
                    "Dead",
                ),
                _ => (code::NONE, None, "Dead"),
            },
            Some(group) => (code::NONE, None, group.state()),
            None => (refused, None, ""),
        };
        w.i16(error);
        if input.version >= 6 {
            w.nullable(message.as_deref());
        }
        w.string(&id);
        w.string(state);
        match group {
            Some(Group::Classic(group)) => {
                // Only a stable group tells what its members have.
                let stable = state == "Stable";
                w.string(&group.protocol_type());
                w.string(&group.protocol().filter(|_| stable).unwrap_or_default());
                w.list(group.members().collect::<Vec<_>>(), |w, member| {
                    let known = note(&id, &member.id());
                    w.string(&member.id());
                    if input.version >= 4 {
                        w.nullable(member.instance().as_deref());
                    }
                    w.string(&known.client_id);
                    w.string(&known.client_host);
                    w.bytes(&if stable { member.metadata() } else { Vec::new() });
                    w.bytes(if stable { &known.assignment } else { &[] });
                    w.tags();
                });
            }
            _ => {
                w.string("");
                w.string("");
                w.count(0);
            }
        }
        if input.version >= 3 {
            w.i32(NO_OPERATIONS);
        }
        w.tags();
    });
    Ok(())
}

/// ConsumerGroupDescribe (KIP-848)
pub(super) fn modern(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let ids = r.list(Reader::string)?;
    r.bool()?;
    w.i32(0);
    w.list(ids, |w, id| {
        let refused = input.refused(cluster, &id);
        let group = find(cluster, &id).filter(|_| refused == code::NONE);
        let (error, message) = match &group {
            Some(Group::Modern(_)) => (code::NONE, None),
            Some(_) => {
                (code::GROUP_ID_NOT_FOUND, Some(format!("Group {id} is not a consumer group.")))
            }
            None if refused == code::NONE => {
                (code::GROUP_ID_NOT_FOUND, Some(format!("Group {id} not found.")))
            }
            None => (refused, None),
        };
        w.i16(error);
        w.nullable(message.as_deref());
        w.string(&id);
        match group {
            Some(Group::Modern(group)) => {
                w.string(Group::Modern(group).state());
                w.i32(group.epoch());
                w.i32(group.epoch());
                // Kafka's default. librdkafka's cluster spreads each topic's partitions evenly, too.
                w.string("uniform");
                let members: Vec<_> = group.members().collect();
                w.list(members, |w, m| write_member(w, cluster, input.version, &id, m));
            }
            _ => {
                w.string("");
                w.i32(0);
                w.i32(0);
                w.string("");
                w.count(0);
            }
        }
        w.i32(NO_OPERATIONS);
        w.tags();
    });
    Ok(())
}

fn write_member(
    w: &mut Writer,
    cluster: &Cluster,
    version: i16,
    group: &str,
    member: ModernMember<'_>,
) {
    let known = note(group, &member.id());
    let names: BTreeMap<Uuid, String> = cluster.topics().map(|t| (t.id(), t.name())).collect();
    w.string(&member.id());
    w.nullable(member.instance().as_deref());
    w.nullable(None);
    w.i32(member.epoch());
    w.string(&known.client_id);
    w.string(&known.client_host);
    w.list(member.names(), |w, name| w.string(&name));
    w.nullable(member.regex().as_deref());
    for target in [false, true] {
        let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in member.places(target) {
            topics.entry(topic).or_default().push(partition);
        }
        topics.values_mut().for_each(|partitions| partitions.sort_unstable());
        // One that was deleted meanwhile has no name any more.
        topics.retain(|topic, _| names.contains_key(topic));
        w.list(topics, |w, (topic, partitions)| {
            w.uuid(topic);
            w.string(&names[&topic]);
            w.list(partitions, Writer::i32);
            w.tags();
        });
        w.tags();
    }
    if version >= 1 {
        // A member of the consumer protocol.
        w.i8(1);
    }
    w.tags();
}

/// DescribeCluster
pub(super) fn cluster(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    r.bool()?;
    if input.version >= 1 {
        r.i8()?;
    }
    w.i32(0);
    w.i16(input.error);
    w.nullable(None);
    if input.version >= 1 {
        // These are brokers, not controllers.
        w.i8(1);
    }
    w.string(&cluster.id());
    w.i32(cluster.controller());
    let up: Vec<_> = cluster.brokers().into_iter().filter(|broker| broker.up).collect();
    w.list(up, |w, broker| {
        w.i32(broker.id);
        w.string(&broker.host);
        w.i32(broker.port);
        w.nullable(None);
        if input.version >= 2 {
            w.bool(false);
        }
        w.tags();
    });
    w.i32(NO_OPERATIONS);
    Ok(())
}
