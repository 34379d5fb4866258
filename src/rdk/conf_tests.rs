use super::*;

#[test]
fn set_get_and_errors() {
    let mut conf = Conf::new();
    conf.set("bootstrap.servers", "a:1,b:2").unwrap();
    assert_eq!(conf.get("metadata.broker.list").as_deref(), Some("a:1,b:2"));
    assert_eq!(conf.get("bootstrap.servers").as_deref(), Some("a:1,b:2"));
    assert_eq!(conf.get("group.id"), None);
    assert_eq!(conf.get("no.such.thing"), None);

    let error = conf.set("no.such.thing", "1").unwrap_err();
    assert_eq!(error.code, ErrorCode::INVALID_ARG);
    assert_eq!(error.detail, "No such configuration property: \"no.such.thing\"");
    let error = conf.set("log_level", "99").unwrap_err();
    assert_eq!(
        error.detail,
        "Configuration property \"log_level\" value 99 is outside allowed range 0..7"
    );
    let error = conf.set("client.id", "a\0b").unwrap_err();
    assert_eq!(error.detail, "configuration value has a NUL character");
}

#[test]
fn topic_properties_on_a_client_configuration() {
    let mut conf = Conf::new();
    conf.set("acks", "1").unwrap();
    conf.set("topic.message.timeout.ms", "1234").unwrap();
    assert_eq!(conf.get("request.required.acks").as_deref(), Some("1"));
    assert_eq!(conf.get("acks").as_deref(), Some("1"));
    assert_eq!(conf.get("topic.acks").as_deref(), Some("1"));
    assert_eq!(conf.get("delivery.timeout.ms").as_deref(), Some("1234"));
    let topic = conf.default_topic_conf();
    assert_eq!(topic.get("acks").as_deref(), Some("1"));

    let mut topic = TopicConf::new();
    topic.set("acks", "0").unwrap();
    conf.set_default_topic_conf(topic);
    assert_eq!(conf.get("acks").as_deref(), Some("0"));
    assert_eq!(conf.get("message.timeout.ms").as_deref(), Some("300000"));
}

#[test]
fn what_was_set() {
    let mut conf = Conf::new();
    assert!(conf.set_keys().is_empty());
    conf.set("bootstrap.servers", "a").unwrap();
    conf.set("delivery.timeout.ms", "1000").unwrap();
    conf.set("enable.auto.commit", "false").unwrap();
    assert!(conf.set("acks", "many").is_err());
    let keys: Vec<&str> = conf.set_keys().iter().map(String::as_str).collect();
    assert_eq!(keys, ["enable.auto.commit", "message.timeout.ms", "metadata.broker.list"]);
    for key in [
        "bootstrap.servers",
        "metadata.broker.list",
        "message.timeout.ms",
        "topic.message.timeout.ms",
    ] {
        assert!(conf.is_configured(key), "{key}");
    }
    assert!(!conf.is_configured("acks"));
    assert_eq!(conf.clone().set_keys(), conf.set_keys());

    let mut topic = TopicConf::new();
    topic.set("enable.auto.commit", "false").unwrap();
    assert!(topic.is_configured("auto.commit.enable"));
}

#[test]
fn known_properties() {
    for key in ["group.id", "bootstrap.servers", "acks", "topic.acks", "ssl.key.pem"] {
        assert!(Conf::is_known(key), "{key}");
    }
    assert!(!Conf::is_known("no.such.thing"));
    assert!(TopicConf::is_known("acks"));
    assert!(!TopicConf::is_known("bootstrap.servers"));
}

#[test]
fn dumps_have_values_and_no_pointers() {
    let mut conf = Conf::new();
    conf.set("sasl.password", "hunter2").unwrap();
    conf.set("acks", "1").unwrap();
    let dump = conf.dump();
    let find = |key: &str| dump.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    assert_eq!(find("sasl.password"), Some("hunter2"));
    assert_eq!(find("client.id"), Some("rdkafka"));
    assert_eq!(find("acks"), None);
    assert!(dump.len() > 80, "{}", dump.len());
    let mut topic = TopicConf::new();
    for partitioner in Partitioner::ALL {
        topic.set_partitioner(partitioner);
        assert_eq!(topic.get("partitioner").as_deref(), Some(partitioner.name()));
    }
    topic.set_partitioner(Partitioner::Murmur2);
    let topic_dump = topic.dump();
    assert!(topic_dump.contains(&("partitioner".into(), "murmur2".into())));
    for (key, value) in dump.iter().chain(&topic_dump) {
        assert!(!value.starts_with("0x"), "{key} {value}");
        assert!(!key.ends_with("_cb") && key != "opaque", "{key}");
    }
}

#[test]
fn secrets_by_value() {
    let mut conf = Conf::new();
    assert_eq!(conf.secrets(), Vec::<String>::new());
    conf.set("sasl.username", "kafka").unwrap();
    conf.set("sasl.password", "hunter2").unwrap();
    conf.set("ssl.key.password", "tiger").unwrap();
    assert_eq!(conf.secrets(), ["hunter2", "tiger"]);
}

/// librdkafka prints its table of properties; the aliases must be those we know.
#[test]
fn aliases_are_librdkafkas() {
    use std::io::Read;
    use std::os::fd::FromRawFd;
    // SAFETY: a temporary file of our own; its descriptor is duplicated for reading.
    let text = unsafe {
        let file = libc::tmpfile();
        assert!(!file.is_null());
        rdkafka::bindings::rd_kafka_conf_properties_show(file);
        libc::rewind(file);
        let mut reader = std::fs::File::from_raw_fd(libc::dup(libc::fileno(file)));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        libc::fclose(file);
        text
    };
    let mut topic_scope = false;
    let mut found = 0;
    for line in text.lines() {
        topic_scope |= line.contains("Topic configuration properties");
        let Some((left, right)) = line.split_once("Alias for `") else {
            continue;
        };
        let alias = left.split('|').next().unwrap().trim();
        let name = right.split('`').next().unwrap();
        let table = if topic_scope { TOPIC_ALIASES } else { CLIENT_ALIASES };
        assert!(table.contains(&(alias, name)), "{alias} {name}");
        found += 1;
    }
    assert_eq!(found, CLIENT_ALIASES.len() - 2 + TOPIC_ALIASES.len());
}
