//! What a refused configuration property is told: the names that were meant, the values that are
//! allowed, and where the property belongs.

use crate::rdk::{self, properties, ErrorCode, Property};
use crate::tcl::near::distance;

/// Properties of the Java clients that files and examples have, and what stands here instead.
const JAVA: &[(&str, &str)] = &[
    ("sasl.jaas.config", "use sasl.username and sasl.password"),
    ("ssl.truststore.certificates", "use ssl.ca.pem"),
    ("ssl.truststore.password", "use ssl.ca.location, which needs no password"),
    ("ssl.truststore.type", "use ssl.ca.location with a file in PEM format"),
    ("ssl.keystore.key", "use ssl.key.pem"),
    ("ssl.keystore.certificate.chain", "use ssl.certificate.pem"),
    ("ssl.keystore.type", "use ssl.keystore.location with a PKCS#12 file"),
    ("key.serializer", "keys are bytes: see encoding"),
    ("value.serializer", "payloads are bytes: see encoding"),
    ("key.deserializer", "keys are bytes: see encoding"),
    ("value.deserializer", "payloads are bytes: see encoding"),
    ("buffer.memory", "use queue.buffering.max.kbytes"),
    ("max.block.ms", "use -block"),
    ("max.poll.records", "use the count of consume_list and consume_batch"),
    ("default.api.timeout.ms", "use -timeout"),
    ("partitioner.class", "use partitioner"),
];

/// How many names are proposed.
const NAMES: usize = 3;

/// Refuses what librdkafka takes and can never use: a Tcl list where it wants commas.
pub fn check(key: &str, value: &str) -> rdk::Result<()> {
    let brokers = matches!(key, "bootstrap.servers" | "metadata.broker.list");
    if !brokers || !value.split(',').any(|b| b.trim().contains(char::is_whitespace)) {
        return Ok(());
    }
    let detail = format!(
        "Invalid value \"{value}\" for configuration property \"{key}\"; brokers are separated by \
         commas: host:port,host:port"
    );
    Err(rdk::Error::with_detail(ErrorCode::INVALID_ARG, detail))
}

/// Says what to do about a property that was refused. `topic`: the configuration is a topic's.
pub fn advise(mut e: rdk::Error, key: &str, topic: bool) -> rdk::Error {
    if e.code != ErrorCode::INVALID_ARG {
        return e;
    }
    let advice = if let Some((_, instead)) = JAVA.iter().find(|(name, _)| *name == key) {
        Some(format!("a property of Java clients: {instead}"))
    } else if e.detail.starts_with("No such configuration property") {
        unknown(key, topic)
    } else {
        allowed(key, &e.detail)
    };
    if let Some(advice) = advice {
        e.detail = format!("{}; {advice}", e.detail.trim_end_matches('.'));
    }
    e
}

/// The error for a property that can't be read because there is none.
pub fn no_such(key: &str, topic: bool) -> rdk::Error {
    let detail = format!("No such configuration property: \"{key}\"");
    advise(rdk::Error::with_detail(ErrorCode::INVALID_ARG, detail), key, topic)
}

fn unknown(key: &str, topic: bool) -> Option<String> {
    if topic && properties().iter().any(|p| !p.topic && p.name == key) {
        return Some(
            "it belongs to clients, and this configuration to topics: set it with config of the \
             master, before the handle is made"
                .to_owned(),
        );
    }
    let near = nearest(key, properties().iter().filter(|p| p.topic || !topic));
    match &near[..] {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [head @ .., last] => Some(format!("did you mean {} or {last}?", head.join(", "))),
    }
}

/// The names that differ least from `key`, if they differ little; else those that `key` is the
/// beginning or the end of.
fn nearest<'a>(key: &str, all: impl Iterator<Item = &'a Property> + Clone) -> Vec<&'a str> {
    // A third of the name may be wrong.
    let most = key.chars().count().min(24) / 3;
    let key = key.to_ascii_lowercase().replace(['_', '-'], ".");
    let mut found: Vec<(usize, &str)> = all
        .clone()
        .map(|p| (distance(&key, &p.name.replace(['_', '-'], ".")), p.name.as_str()))
        .filter(|(d, _)| *d <= most)
        .collect();
    if found.is_empty() && !key.is_empty() {
        let (head, tail) = (format!("{key}."), format!(".{key}"));
        let part = |p: &&Property| p.name.starts_with(&head) || p.name.ends_with(&tail);
        found = all.filter(part).map(|p| (p.name.len(), p.name.as_str())).collect();
    }
    found.sort_unstable();
    found.dedup();
    let best = found.first().map_or(0, |(d, _)| *d);
    // One that is much nearer than the others is the one.
    found.into_iter().take_while(|(d, _)| *d <= best + 2).take(NAMES).map(|(_, n)| n).collect()
}

/// What a property takes, unless librdkafka has said it.
fn allowed(key: &str, detail: &str) -> Option<String> {
    let property = properties().iter().find(|p| p.name == key)?;
    if property.range.is_empty() || detail.contains("allowed range") || detail.contains("Expected")
    {
        return None;
    }
    if property.name.ends_with("acks") {
        return Some("all, or a number from -1 (all) to 1000".to_owned());
    }
    match &property.choices()[..] {
        [] => Some(format!("a number from {}", property.range.replace(" .. ", " to "))),
        choices => Some(format!("allowed: {}", choices.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(key: &str) -> Vec<&str> {
        nearest(key, properties().iter())
    }

    #[test]
    fn the_nearest_names() {
        assert_eq!(near("bootstrap.server")[0], "bootstrap.servers");
        assert_eq!(near("group_id")[0], "group.id");
        assert_eq!(near("Client.ID")[0], "client.id");
        assert_eq!(near("sasl.pasword")[0], "sasl.password");
        assert_eq!(near("compresion.codec")[0], "compression.codec");
        assert!(near("zzzzzzzz").is_empty());
        assert!(near("").is_empty());
        assert_eq!(near("group")[0], "group.id");
        assert_eq!(near("servers")[0], "bootstrap.servers");
        assert!(near("ssl").len() <= NAMES);
    }

    #[test]
    fn java_names_are_none_of_librdkafkas() {
        for (name, _) in JAVA {
            assert!(!properties().iter().any(|p| p.name == *name), "{name}");
        }
    }
}
