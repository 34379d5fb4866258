//! The properties that librdkafka has: names, scopes and ranges, as it prints them itself.

use std::ffi::{c_void, CStr};
use std::sync::OnceLock;

use super::raw;

/// A property, or an alias of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// It belongs to a topic's configuration; a client's passes it on.
    pub topic: bool,
    /// What values it takes: `0 .. 86400000`, or names with commas; empty for any text.
    pub range: String,
}

impl Property {
    /// The names that the property takes; none if it takes numbers or any text.
    pub fn choices(&self) -> Vec<&str> {
        if self.range.is_empty() || self.range.contains(" .. ") {
            return Vec::new();
        }
        self.range.split(", ").collect()
    }
}

/// All properties that librdkafka documents (`rd_kafka_conf_properties_show`).
pub fn properties() -> &'static [Property] {
    static ALL: OnceLock<Vec<Property>> = OnceLock::new();
    ALL.get_or_init(|| parse(&listing()))
}

/// librdkafka's table. It only prints, so it prints into memory.
fn listing() -> String {
    let mut text: *mut libc::c_char = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: both out pointers live until the stream is closed; closing it makes `text` a
    // string that is ours, which is copied and then freed once.
    unsafe {
        let stream = libc::open_memstream(&mut text, &mut size);
        if stream.is_null() {
            return String::new();
        }
        raw::rd_kafka_conf_properties_show(stream.cast());
        libc::fclose(stream);
        if text.is_null() {
            return String::new();
        }
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        libc::free(text.cast::<c_void>());
        copy
    }
}

/// Reads rows `name | C/P | range | default | importance | description` under the headings of the
/// two scopes.
fn parse(table: &str) -> Vec<Property> {
    let mut topic = false;
    let mut all = Vec::new();
    for line in table.lines() {
        if line.starts_with("##") {
            topic = line.contains("Topic");
            continue;
        }
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [name, _, range, ..] = cells[..] else { continue };
        if name.is_empty() || name == "Property" {
            continue;
        }
        all.push(Property { name: name.to_owned(), topic, range: range.to_owned() });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdk::{Conf, TopicConf};

    #[test]
    fn all_are_known_to_librdkafka_and_the_usual_ones_are_there() {
        assert!(properties().len() > 150, "{}", properties().len());
        for p in properties() {
            let known =
                if p.topic { TopicConf::is_known(&p.name) } else { Conf::is_known(&p.name) };
            assert!(known, "{p:?}");
        }
        // Those without a default too, which no dump of a configuration shows.
        for name in ["bootstrap.servers", "group.id", "sasl.username", "ssl.ca.location", "acks"] {
            assert!(properties().iter().any(|p| p.name == name), "{name}");
        }
    }

    #[test]
    fn ranges() {
        let find = |name: &str| properties().iter().find(|p| p.name == name).unwrap();
        assert_eq!(find("statistics.interval.ms").range, "0 .. 86400000");
        assert!(find("statistics.interval.ms").choices().is_empty());
        assert!(find("client.id").choices().is_empty());
        assert_eq!(
            find("security.protocol").choices(),
            ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
        );
        assert_eq!(find("enable.idempotence").choices(), ["true", "false"]);
        assert!(find("partitioner").topic && !find("client.id").topic);
    }
}
