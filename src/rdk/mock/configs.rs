//! Topics' properties in the mock cluster: kept, checked and shown as Kafka does; nothing follows from them.
//!
//! Names, types and defaults are those of Kafka 4.2 (org.apache.kafka.storage.internals.log.LogConfig).
//! Brokers and groups have none here.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use super::cluster::Cluster;
use super::serve::{code, In};
use super::wire::{Read, Reader, Uuid, Writer};

/// org.apache.kafka.common.config.ConfigDef.Type
enum Kind {
    Bool,
    Int,
    Long,
    Double,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Words with commas between: of these, or any.
    List(&'static [&'static str]),
}

impl Kind {
    /// Its number in an answer.
    fn number(&self) -> i8 {
        match self {
            Kind::Bool => 1,
            Kind::Word(_) => 2,
            Kind::Int => 3,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List(_) => 7,
        }
    }

    /// What is wrong with a value.
    fn refuse(&self, value: &str) -> Option<String> {
        let fits = match self {
            Kind::Bool if ["true", "false"].contains(&value.to_lowercase().as_str()) => true,
            Kind::Bool => return Some("Expected value to be either true or false".to_owned()),
            Kind::Int => value.parse::<i32>().is_ok(),
            Kind::Long => value.parse::<i64>().is_ok(),
            Kind::Double => value.parse::<f64>().is_ok(),
            Kind::Word(words) => words.contains(&value),
            Kind::List([]) => true,
            Kind::List(words) => split(value).all(|word| words.contains(&word)),
        };
        match self {
            _ if fits => None,
            Kind::Int => Some("Not a number of type INT".to_owned()),
            Kind::Long => Some("Not a number of type LONG".to_owned()),
            Kind::Double => Some("Not a number of type DOUBLE".to_owned()),
            Kind::Word(words) | Kind::List(words) => {
                Some(format!("String must be one of: {}", words.join(", ")))
            }
            Kind::Bool => None,
        }
    }
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}

struct Property {
    name: &'static str,
    /// The broker's property that holds for topics without one of their own.
    broker: &'static str,
    kind: Kind,
    default: &'static str,
}

const fn p(
    name: &'static str,
    broker: &'static str,
    kind: Kind,
    default: &'static str,
) -> Property {
    Property { name, broker, kind, default }
}

const EVER: &str = "9223372036854775807";

/// In order of their names.
const PROPERTIES: &[Property] = &[
    p("cleanup.policy", "log.cleanup.policy", Kind::List(&["compact", "delete"]), "delete"),
    p("compression.gzip.level", "compression.gzip.level", Kind::Int, "-1"),
    p("compression.lz4.level", "compression.lz4.level", Kind::Int, "9"),
    p(
        "compression.type",
        "compression.type",
        Kind::Word(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        "producer",
    ),
    p("compression.zstd.level", "compression.zstd.level", Kind::Int, "3"),
    p("delete.retention.ms", "log.cleaner.delete.retention.ms", Kind::Long, "86400000"),
    p("file.delete.delay.ms", "log.segment.delete.delay.ms", Kind::Long, "60000"),
    p("flush.messages", "log.flush.interval.messages", Kind::Long, EVER),
    p("flush.ms", "", Kind::Long, EVER),
    p("follower.replication.throttled.replicas", "", Kind::List(&[]), ""),
    p("index.interval.bytes", "log.index.interval.bytes", Kind::Int, "4096"),
    p("leader.replication.throttled.replicas", "", Kind::List(&[]), ""),
    p("local.retention.bytes", "log.local.retention.bytes", Kind::Long, "-2"),
    p("local.retention.ms", "log.local.retention.ms", Kind::Long, "-2"),
    p("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", Kind::Long, EVER),
    p("max.message.bytes", "message.max.bytes", Kind::Int, "1048588"),
    p(
        "message.timestamp.after.max.ms",
        "log.message.timestamp.after.max.ms",
        Kind::Long,
        "3600000",
    ),
    p("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", Kind::Long, EVER),
    p(
        "message.timestamp.type",
        "log.message.timestamp.type",
        Kind::Word(&["CreateTime", "LogAppendTime"]),
        "CreateTime",
    ),
    p("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", Kind::Double, "0.5"),
    p("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", Kind::Long, "0"),
    p("min.insync.replicas", "min.insync.replicas", Kind::Int, "1"),
    p("preallocate", "log.preallocate", Kind::Bool, "false"),
    p("remote.log.copy.disable", "", Kind::Bool, "false"),
    p("remote.log.delete.on.disable", "", Kind::Bool, "false"),
    p("remote.storage.enable", "", Kind::Bool, "false"),
    p("retention.bytes", "log.retention.bytes", Kind::Long, "-1"),
    p("retention.ms", "", Kind::Long, "604800000"),
    p("segment.bytes", "log.segment.bytes", Kind::Int, "1073741824"),
    p("segment.index.bytes", "log.index.size.max.bytes", Kind::Int, "10485760"),
    p("segment.jitter.ms", "", Kind::Long, "0"),
    p("segment.ms", "", Kind::Long, "604800000"),
    p("unclean.leader.election.enable", "unclean.leader.election.enable", Kind::Bool, "false"),
];

/// A topic's own properties.
pub(super) type Own = BTreeMap<String, String>;

thread_local! {
    /// By the topic's id. Each cluster has a thread of its own, so these are its own topics'.
    static TOPICS: RefCell<HashMap<Uuid, Own>> = RefCell::default();
}

/// Remembers a topic's own properties.
pub(super) fn keep(topic: Uuid, own: Own) {
    TOPICS.with_borrow_mut(|topics| topics.insert(topic, own));
}

pub(super) fn forget(topic: Uuid) {
    TOPICS.with_borrow_mut(|topics| topics.remove(&topic));
}

fn own(topic: Uuid) -> Own {
    TOPICS.with_borrow(|topics| topics.get(&topic).cloned().unwrap_or_default())
}

fn property(name: &str) -> Result<&'static Property, String> {
    PROPERTIES
        .iter()
        .find(|property| property.name == name)
        .ok_or_else(|| format!("Unknown topic config name: {name}"))
}

/// Sets a property, if it is one and the value fits.
pub(super) fn set(own: &mut Own, name: &str, value: Option<&str>) -> Result<(), String> {
    let property = property(name)?;
    let Some(value) = value else {
        return Err(format!("Null value not supported for topic configs: {name}"));
    };
    if let Some(reason) = property.kind.refuse(value) {
        return Err(format!("Invalid value {value} for configuration {name}: {reason}"));
    }
    own.insert(name.to_owned(), value.to_owned());
    Ok(())
}

/// A topic's property comes from itself, or is the default.
const SOURCE_TOPIC: i8 = 1;
const SOURCE_DEFAULT: i8 = 5;

/// All properties of a topic, as CreateTopics tells them.
pub(super) fn write_created(w: &mut Writer, topic: Uuid) {
    let own = own(topic);
    w.list(PROPERTIES, |w, property| {
        let value = own.get(property.name);
        w.string(property.name);
        w.string(value.map_or(property.default, String::as_str));
        w.bool(false);
        w.i8(if value.is_some() { SOURCE_TOPIC } else { SOURCE_DEFAULT });
        w.bool(false);
        w.tags();
    });
}

/// org.apache.kafka.common.config.ConfigResource.Type
const TOPIC: i8 = 2;

const ONLY_TOPICS: &str = "the embedded cluster keeps only the properties of topics";

/// DescribeConfigs
pub(super) fn describe(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    let version = input.version;
    let resources = r.list(|r| {
        let resource = (r.i8()?, r.string()?, r.nullable_list(Reader::string)?);
        r.tags()?;
        Ok(resource)
    })?;
    let synonyms = version >= 1 && r.bool()?;
    if version >= 3 {
        r.bool()?;
    }
    w.i32(0);
    w.list(resources, |w, (kind, name, wanted)| {
        let topic = cluster.topic(&name).map(|topic| topic.id());
        let (error, text) = match (input.error, kind, topic) {
            (code::NONE, TOPIC, None) => (code::UNKNOWN_TOPIC_OR_PARTITION, None),
            (code::NONE, TOPIC, _) => (code::NONE, None),
            (code::NONE, ..) => (code::INVALID_REQUEST, Some(ONLY_TOPICS)),
            (error, ..) => (error, None),
        };
        w.i16(error);
        w.nullable(text);
        w.i8(kind);
        w.string(&name);
        let own = topic.map(own).unwrap_or_default();
        let shown: Vec<&Property> = PROPERTIES
            .iter()
            .filter(|_| error == code::NONE)
            .filter(|p| wanted.as_ref().is_none_or(|names| names.iter().any(|n| n == p.name)))
            .collect();
        w.list(shown, |w, property| write_property(w, version, property, &own, synonyms));
        w.tags();
    });
    Ok(())
}

fn write_property(w: &mut Writer, version: i16, property: &Property, own: &Own, synonyms: bool) {
    let set = own.get(property.name);
    w.string(property.name);
    w.string(set.map_or(property.default, String::as_str));
    w.bool(false);
    match version {
        0 => w.bool(set.is_none()),
        _ => w.i8(if set.is_some() { SOURCE_TOPIC } else { SOURCE_DEFAULT }),
    }
    w.bool(false);
    if version >= 1 {
        let by_default = (!property.broker.is_empty()).then_some((
            property.broker,
            property.default,
            SOURCE_DEFAULT,
        ));
        let by_topic = set.map(|value| (property.name, value.as_str(), SOURCE_TOPIC));
        let all: Vec<_> = by_topic.into_iter().chain(by_default).filter(|_| synonyms).collect();
        w.list(all, |w, (name, value, source)| {
            w.string(name);
            w.string(value);
            w.i8(source);
            w.tags();
        });
    }
    if version >= 3 {
        w.i8(property.kind.number());
        w.nullable(None);
    }
    w.tags();
}

/// What a change does (org.apache.kafka.clients.admin.AlterConfigOp.OpType).
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A property's name, what is done to it, and a value.
type Change = (String, i8, Option<String>);

/// IncrementalAlterConfigs: single properties.
pub(super) fn change(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    alter(cluster, input, r, w, true)
}

/// AlterConfigs: all properties of a topic.
pub(super) fn replace(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
) -> Read<()> {
    alter(cluster, input, r, w, false)
}

fn alter(
    cluster: &mut Cluster,
    input: &In,
    r: &mut Reader<'_>,
    w: &mut Writer,
    single: bool,
) -> Read<()> {
    let resources = r.list(|r| {
        let (kind, name) = (r.i8()?, r.string()?);
        let changes = r.list(|r| {
            let name = r.string()?;
            let what = if single { r.i8()? } else { SET };
            let value = r.nullable()?;
            r.tags()?;
            Ok((name, what, value))
        })?;
        r.tags()?;
        Ok((kind, name, changes))
    })?;
    let only_validate = r.bool()?;
    w.i32(0);
    w.list(resources, |w, (kind, name, changes)| {
        let topic = cluster.topic(&name).map(|topic| topic.id());
        let done = match (input.error, kind, topic) {
            (code::NONE, TOPIC, None) => Err((
                code::UNKNOWN_TOPIC_OR_PARTITION,
                format!("The topic '{name}' does not exist."),
            )),
            (code::NONE, TOPIC, Some(topic)) => {
                let before = if single { own(topic) } else { Own::new() };
                changed(before, &changes).map_err(|text| (code::INVALID_CONFIG, text)).map(|own| {
                    if !only_validate {
                        keep(topic, own);
                    }
                })
            }
            (code::NONE, ..) => Err((code::INVALID_REQUEST, ONLY_TOPICS.to_owned())),
            (error, ..) => Err((error, String::new())),
        };
        let (error, text) = done.err().unwrap_or((code::NONE, String::new()));
        w.i16(error);
        w.nullable(Some(text.as_str()).filter(|text| !text.is_empty()));
        w.i8(kind);
        w.string(&name);
        w.tags();
    });
    Ok(())
}

/// The properties after all changes, or what is wrong with one of them.
fn changed(mut own: Own, changes: &[Change]) -> Result<Own, String> {
    for (name, what, value) in changes {
        let property = property(name)?;
        let listed = own.get(name).map_or(property.default, String::as_str).to_owned();
        let given = value.as_deref().unwrap_or_default();
        match *what {
            DELETE => {
                own.remove(name);
            }
            APPEND | SUBTRACT => {
                if !matches!(property.kind, Kind::List(_)) {
                    let what = if *what == APPEND { "APPEND" } else { "SUBTRACT" };
                    return Err(format!(
                        "Can't {what} to key {name} because its type is not LIST."
                    ));
                }
                let mut words: Vec<&str> = split(&listed).collect();
                for word in split(given) {
                    match *what {
                        APPEND if !words.contains(&word) => words.push(word),
                        SUBTRACT => words.retain(|other| *other != word),
                        _ => {}
                    }
                }
                let words = words.join(",");
                set(&mut own, name, Some(&words))?;
            }
            _ => set(&mut own, name, value.as_deref())?,
        }
    }
    Ok(own)
}
