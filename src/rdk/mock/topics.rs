//! Topics that clients make, change and delete in the mock cluster.
//!
//! What is refused, and how, is what Kafka's controller does (org.apache.kafka.controller.
//! ReplicationControlManager of Kafka 4). Brokers pass these requests on to the controller, so each of them
//! answers.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Cluster;
use super::configs;
use super::serve::{code, In};
use super::wire::{Read, Reader, Uuid, Writer};

/// `ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`
const MOST_PARTITIONS: usize = 10_000;

/// An error and what Kafka says about it.
type Refused = (i16, String);

fn refuse<T>(code: i16, text: impl Into<String>) -> Result<T, Refused> {
    Err((code, text.into()))
}

const ABSENT: &str = "This server does not host this topic-partition.";

/// A topic that a request wants.
struct Wanted {
    name: String,
    partitions: i32,
    replication: i16,
    /// Partition and brokers, instead of numbers.
    placed: Vec<(i32, Vec<i32>)>,
    configs: Vec<(String, Option<String>)>,
}

/// The names that a request has more than once.
fn twice<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).map(str::to_owned).collect()
}

/// What org.apache.kafka.common.internals.Topic.validate has against a name.
fn invalid_name(name: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match name {
        "" => Some("the empty string is not allowed".to_owned()),
        "." | ".." => Some("'.' or '..' is not allowed".to_owned()),
        _ if name.len() > 249 => {
            Some(format!("the length of '{name}' is longer than the max allowed length 249"))
        }
        _ if !name.chars().all(letter) => Some(format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        )),
        _ => None,
    }
}

/// CreateTopics
pub(super) fn create(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let wanted = r.list(|r| {
        let topic = Wanted {
            name: r.string()?,
            partitions: r.i32()?,
            replication: r.i16()?,
            placed: r.list(|r| {
                let place = (r.i32()?, r.list(Reader::i32)?);
                r.tags()?;
                Ok(place)
            })?,
            configs: r.list(|r| {
                let property = (r.string()?, r.nullable()?);
                r.tags()?;
                Ok(property)
            })?,
        };
        r.tags()?;
        Ok(topic)
    })?;
    r.i32()?;
    let only_validate = input.version >= 1 && r.bool()?;
    if input.version >= 2 {
        w.i32(0);
    }
    let repeated = twice(wanted.iter().map(|topic| topic.name.as_str()));
    let mut seen = BTreeSet::new();
    let wanted: Vec<Wanted> =
        wanted.into_iter().filter(|topic| seen.insert(topic.name.clone())).collect();
    let mut room = MOST_PARTITIONS;
    w.list(wanted, |w, topic| {
        let made = if input.error != code::NONE {
            refuse(input.error, "")
        } else if repeated.contains(&topic.name) {
            refuse(code::INVALID_REQUEST, "Duplicate topic name.")
        } else {
            create_one(cluster, &topic, only_validate, &mut room)
        };
        w.string(&topic.name);
        let there = cluster.topic(&topic.name).filter(|_| made.is_ok() && !only_validate);
        let there = there.map(|topic| topic.id());
        if input.version >= 7 {
            w.uuid(there.unwrap_or([0; 2]));
        }
        w.i16(made.as_ref().map_or_else(|refused| refused.0, |_| code::NONE));
        if input.version >= 1 {
            let text = made.as_ref().err().map(|refused| refused.1.as_str());
            w.nullable(text.filter(|text| !text.is_empty()));
        }
        if input.version >= 5 {
            let (partitions, replication) = made.unwrap_or((-1, -1));
            w.i32(partitions);
            w.i16(replication as i16);
            match there {
                Some(topic) => configs::write_created(w, topic),
                None => w.count(0),
            }
        }
        w.tags();
    });
    Ok(())
}

/// Makes a topic; gives the numbers of its partitions and replicas.
fn create_one(
    cluster: &mut Cluster,
    topic: &Wanted,
    only_validate: bool,
    room: &mut usize,
) -> Result<(i32, i32), Refused> {
    let name = topic.name.as_str();
    if let Some(reason) = invalid_name(name) {
        return refuse(code::INVALID_TOPIC_EXCEPTION, format!("Topic name is invalid: {reason}"));
    }
    if cluster.topic(name).is_some() {
        return refuse(code::TOPIC_ALREADY_EXISTS, format!("Topic '{name}' already exists."));
    }
    // Metrics have one name for both.
    let metric = |name: &str| name.replace('.', "_");
    if let Some(other) = cluster.topics().find(|t| metric(&t.name()) == metric(name)) {
        let other = other.name();
        return refuse(
            code::INVALID_TOPIC_EXCEPTION,
            format!("Topic '{name}' collides with existing topic: {other}"),
        );
    }
    let mut own = configs::Own::new();
    for (property, value) in &topic.configs {
        configs::set(&mut own, property, value.as_deref())
            .map_err(|text| (code::INVALID_CONFIG, text))?;
    }
    let (partitions, replication) = match topic.placed.is_empty() {
        true => numbers(cluster, topic)?,
        false => placed(cluster, topic)?,
    };
    let left = usize::try_from(partitions).ok().and_then(|n| room.checked_sub(n));
    let Some(left) = left else {
        return refuse(
            code::POLICY_VIOLATION,
            "Excessively large number of partitions per request.",
        );
    };
    *room = left;
    if !only_validate {
        if let Some(made) = cluster.create_topic(name, partitions, replication) {
            for (partition, brokers) in &topic.placed {
                if let Some(partition) = made.partition(*partition) {
                    partition.place(brokers);
                }
            }
            configs::keep(made.id(), own);
        }
    }
    Ok((partitions, replication))
}

/// How many partitions and replicas a topic gets that says numbers, or -1 for the cluster's own.
fn numbers(cluster: &Cluster, topic: &Wanted) -> Result<(i32, i32), Refused> {
    let defaults = cluster.defaults();
    let replication = match i32::from(topic.replication) {
        -1 => defaults.1,
        n if n > 0 => n,
        _ => {
            return refuse(
                code::INVALID_REPLICATION_FACTOR,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            )
        }
    };
    let partitions = match topic.partitions {
        -1 => defaults.0,
        n if n > 0 => n,
        _ => {
            return refuse(
                code::INVALID_PARTITIONS,
                "Number of partitions was set to an invalid non-positive value.",
            )
        }
    };
    let brokers = cluster.brokers().len();
    if replication as usize > brokers {
        return refuse(
            code::INVALID_REPLICATION_FACTOR,
            format!(
                "Unable to replicate the partition {replication} time(s): The target \
                 replication factor of {replication} cannot be reached because only {brokers} \
                 broker(s) are registered."
            ),
        );
    }
    Ok((partitions, replication))
}

/// The same of a topic that says where its partitions are to be.
fn placed(cluster: &Cluster, topic: &Wanted) -> Result<(i32, i32), Refused> {
    if topic.replication != -1 {
        return refuse(
            code::INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set \
             to -1.",
        );
    }
    if topic.partitions != -1 {
        return refuse(
            code::INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        );
    }
    let by_partition: BTreeMap<i32, &Vec<i32>> =
        topic.placed.iter().map(|(partition, brokers)| (*partition, brokers)).collect();
    if by_partition.len() < topic.placed.len()
        || !by_partition.keys().copied().eq(0..by_partition.len() as i32)
    {
        return refuse(
            code::INVALID_REPLICA_ASSIGNMENT,
            "partitions should be a consecutive 0-based integer sequence",
        );
    }
    let count = by_partition[&0].len();
    for brokers in by_partition.values() {
        check_brokers(cluster, brokers, count)?;
    }
    Ok((by_partition.len() as i32, count as i32))
}

/// Whether a partition can be on these brokers, and on as many as the others.
fn check_brokers(cluster: &Cluster, brokers: &[i32], count: usize) -> Result<(), Refused> {
    let known = cluster.brokers();
    let wrong = match brokers {
        [] => Some("The manual partition assignment includes an empty replica list.".to_owned()),
        _ if brokers.iter().collect::<BTreeSet<_>>().len() < brokers.len() => Some(
            "The manual partition assignment includes the same broker more than once.".to_owned(),
        ),
        _ if brokers.len() != count => Some(
            "The manual partition assignment includes partitions with different numbers of replicas."
                .to_owned(),
        ),
        _ => brokers.iter().find(|id| !known.iter().any(|b| b.id == **id)).map(|id| {
            format!("The manual partition assignment includes broker {id}, but no such broker is registered.")
        }),
    };
    wrong.map_or(Ok(()), |text| refuse(code::INVALID_REPLICA_ASSIGNMENT, text))
}

/// DeleteTopics, by name or (from version 6 on) by id.
pub(super) fn delete(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let wanted: Vec<(Option<String>, Uuid)> = r.list(|r| {
        if input.version < 6 {
            return Ok((Some(r.string()?), [0; 2]));
        }
        let topic = (r.nullable()?, r.uuid()?);
        r.tags()?;
        Ok(topic)
    })?;
    r.i32()?;
    if input.version >= 1 {
        w.i32(0);
    }
    let repeated = twice(wanted.iter().filter_map(|(name, _)| name.as_deref()));
    let mut seen = BTreeSet::new();
    let wanted: Vec<_> = wanted.into_iter().filter(|topic| seen.insert(topic.clone())).collect();
    w.list(wanted, |w, (name, id)| {
        let found = match &name {
            Some(name) => cluster.topic(name),
            None => cluster.topics().find(|topic| topic.id() == id),
        }
        .map(|topic| (topic.name(), topic.id()));
        let (error, text) = match (input.error, &name, &found) {
            (code::NONE, Some(_), _) if id != [0; 2] => {
                (code::INVALID_REQUEST, "Topic name and topic id can not both be specified.")
            }
            (code::NONE, Some(name), _) if repeated.contains(name) => {
                (code::INVALID_REQUEST, "Duplicate topic name.")
            }
            (code::NONE, Some(_), None) => (code::UNKNOWN_TOPIC_OR_PARTITION, ABSENT),
            (code::NONE, None, None) => {
                (code::UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
            }
            (error, ..) => (error, ""),
        };
        if let (code::NONE, Some((name, id))) = (error, &found) {
            configs::forget(*id);
            cluster.delete_topic(name);
        }
        let told = name.clone().or_else(|| found.as_ref().map(|(name, _)| name.clone()));
        match input.version {
            6.. => {
                w.nullable(told.as_deref());
                let known = found.filter(|_| error == code::NONE).map_or(id, |(_, id)| id);
                w.uuid(known);
            }
            _ => w.string(told.as_deref().unwrap_or_default()),
        }
        w.i16(error);
        if input.version >= 5 {
            w.nullable(Some(text).filter(|text| !text.is_empty()));
        }
        w.tags();
    });
    Ok(())
}

/// CreatePartitions
pub(super) fn create_partitions(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let wanted = r.list(|r| {
        let topic = (r.string()?, r.i32()?);
        let placed = r.nullable_list(|r| {
            let brokers = r.list(Reader::i32)?;
            r.tags()?;
            Ok(brokers)
        })?;
        r.tags()?;
        Ok((topic.0, topic.1, placed))
    })?;
    r.i32()?;
    let only_validate = r.bool()?;
    w.i32(0);
    let repeated = twice(wanted.iter().map(|topic| topic.0.as_str()));
    let mut seen = BTreeSet::new();
    let wanted: Vec<_> = wanted.into_iter().filter(|topic| seen.insert(topic.0.clone())).collect();
    w.list(wanted, |w, (name, count, placed)| {
        let done = if input.error != code::NONE {
            refuse(input.error, "")
        } else if repeated.contains(&name) {
            refuse(code::INVALID_REQUEST, "Duplicate topic name.")
        } else {
            grow_one(cluster, &name, count, placed.as_deref(), only_validate)
        };
        let (error, text) = done.err().unwrap_or((code::NONE, String::new()));
        w.string(&name);
        w.i16(error);
        w.nullable(Some(text.as_str()).filter(|text| !text.is_empty()));
        w.tags();
    });
    Ok(())
}

fn grow_one(
    cluster: &mut Cluster,
    name: &str,
    count: i32,
    placed: Option<&[Vec<i32>]>,
    only_validate: bool,
) -> Result<(), Refused> {
    let Some(topic) = cluster.topic(name) else {
        return refuse(code::UNKNOWN_TOPIC_OR_PARTITION, "");
    };
    let now = topic.count();
    if count == now {
        return refuse(code::INVALID_PARTITIONS, format!("Topic already has {now} partition(s)."));
    }
    if count < now {
        return refuse(
            code::INVALID_PARTITIONS,
            format!(
                "The topic {name} currently has {now} partition(s); {count} would not be an \
                 increase."
            ),
        );
    }
    let more = (count - now) as usize;
    let replication = topic.partition(0).map_or(1, |p| p.replicas());
    if more > MOST_PARTITIONS {
        return refuse(
            code::POLICY_VIOLATION,
            "Excessively large number of partitions per request.",
        );
    }
    if let Some(placed) = placed {
        if placed.len() != more {
            return refuse(
                code::INVALID_REPLICA_ASSIGNMENT,
                format!(
                    "Attempted to add {more} additional partition(s), but only {} assignment(s) \
                     were specified.",
                    placed.len()
                ),
            );
        }
        for brokers in placed {
            check_brokers(cluster, brokers, replication as usize)?;
        }
    }
    if only_validate {
        return Ok(());
    }
    cluster.grow_topic(name, count, replication);
    for (partition, brokers) in (now..).zip(placed.unwrap_or_default()) {
        if let Some(partition) = cluster.partition(name, partition) {
            partition.place(brokers);
        }
    }
    Ok(())
}

/// DeleteRecords, which a partition's leader answers.
pub(super) fn delete_records(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let wanted = r.list(|r| {
        let name = r.string()?;
        let places = r.list(|r| {
            let place = (r.i32()?, r.i64()?);
            r.tags()?;
            Ok(place)
        })?;
        r.tags()?;
        Ok((name, places))
    })?;
    r.i32()?;
    w.i32(0);
    w.list(wanted, |w, (name, places)| {
        w.string(&name);
        w.list(places, |w, (partition, offset)| {
            let found = cluster.partition(&name, partition);
            let range = found.map_or(0..=0, |p| p.start()..=p.end());
            // -1 stands for the high watermark.
            let offset = if offset == -1 { *range.end() } else { offset };
            let error = match (input.error, found) {
                (code::NONE, None) => code::UNKNOWN_TOPIC_OR_PARTITION,
                (code::NONE, Some(p)) if p.leader() != input.broker => code::NOT_LEADER_OR_FOLLOWER,
                (code::NONE, _) if offset < 0 || offset > *range.end() => code::OFFSET_OUT_OF_RANGE,
                (error, _) => error,
            };
            let low = match error {
                code::NONE => offset.max(*range.start()),
                _ => -1,
            };
            if error == code::NONE {
                cluster.trim(&name, partition, low);
            }
            w.i32(partition);
            w.i64(low);
            w.i16(error);
            w.tags();
        });
        w.tags();
    });
    Ok(())
}
