//! What a client learns about its cluster, and its errors.

use crate::rdk::testing::*;
use crate::rdk::*;

#[test]
fn version_and_features() {
    assert_eq!(version(), "2.12.1");
    let features = features();
    for feature in ["gzip", "snappy", "lz4", "zstd", "ssl", "sasl_scram"] {
        assert!(features.iter().any(|f| f == feature), "{features:?}");
    }
}

#[test]
fn error_events() {
    let _shared = shared();
    let mock = mock();
    let client = producer(&mock, &[("reconnect.backoff.ms", "10")]);
    let main = client.main_queue();
    client.metadata(TopicSel::All, 5000).unwrap();
    mock.broker_down(1).unwrap();
    let error = until("ALL_BROKERS_DOWN", || match main.poll(10) {
        Some(Event::Error(error)) if error.error.code == ErrorCode::ALL_BROKERS_DOWN => Some(error),
        _ => None,
    });
    // The counts before it race with librdkafka's own counting.
    assert!(error.error.detail.ends_with(" brokers are down"), "{error:?}");
    assert_eq!((error.topic, error.partition), (None, None));
    assert!(!error.error.fatal);
    mock.broker_up(1).unwrap();
    until("metadata", || client.metadata(TopicSel::All, 1000).ok());
}

#[test]
fn fatal_errors_have_the_code_behind() {
    let _shared = shared();
    let mock = mock();
    let client = producer(&mock, &[("enable.idempotence", "true")]);
    let main = client.main_queue();
    assert_eq!(client.fatal_error(), None);
    let reason = std::ffi::CString::new("made up").unwrap();
    // SAFETY: a valid handle and string.
    unsafe {
        raw::rd_kafka_test_fatal_error(
            client.as_ptr(),
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER.0,
            reason.as_ptr(),
        )
    };
    let event = until("fatal error", || match main.poll(10) {
        Some(Event::Error(error)) if error.error.fatal => Some(error),
        _ => None,
    });
    let want = Error {
        fatal: true,
        ..Error::with_detail(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, "test_fatal_error: made up")
    };
    assert_eq!(event.error, want);
    assert_eq!(client.fatal_error(), Some(want));
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    assert_eq!(topic.produce(0, None, None, 0).unwrap_err().code, ErrorCode::FATAL);
}

#[test]
fn statistics() {
    let _shared = shared();
    let mock = mock();
    let client = producer(&mock, &[("statistics.interval.ms", "20")]);
    let main = client.main_queue();
    let json = until("statistics", || match main.poll(10) {
        Some(Event::Stats(json)) => Some(json),
        _ => None,
    });
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed["name"], client.name());
}

#[test]
fn metadata_and_watermarks() {
    let _shared = shared();
    let mock = Mock::new(3).unwrap();
    mock.create_topic("t", 2, 3).unwrap();
    mock.leader("t", 0, 2).unwrap();
    mock.leader("t", 1, 3).unwrap();
    let client = producer(&mock, &[]);
    assert!(client.name().contains("producer"));
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    for found in [
        client.metadata(TopicSel::One(&topic), 5000).unwrap(),
        client.metadata(TopicSel::All, 5000).unwrap(),
        client.metadata(TopicSel::Known, 5000).unwrap(),
        client.metadata_topic("t", 5000).unwrap(),
        client.describe_topic("t", 5000).unwrap(),
    ] {
        let mut ids: Vec<i32> = found.brokers.iter().map(|broker| broker.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3]);
        assert!(found.brokers.iter().all(|b| b.host == "127.0.0.1" && b.port > 0));
        assert_eq!(found.topics.len(), 1);
        assert_eq!(found.topics[0].name, "t");
        assert_eq!(found.topics[0].error, None);
        let leaders: Vec<(i32, i32, usize)> =
            found.topics[0].partitions.iter().map(|p| (p.id, p.leader, p.replicas.len())).collect();
        assert_eq!(leaders, [(0, 2, 3), (1, 3, 3)]);
    }
    assert!(client.cluster_id(5000).unwrap().starts_with("mockCluster"));
    // The first broker of the mock cluster.
    assert_eq!(client.controller_id(5000), 1);
    topic.produce(0, Some(b"x"), None, 0).unwrap();
    assert_eq!(reports(&client.main_queue(), 1), [(0, 0, None)]);
    assert_eq!(client.query_watermarks("t", 0, &CallTime::new(5000)).unwrap(), (0, 1));
    assert_eq!(
        client.query_watermarks("t", 7, &CallTime::new(1000)).unwrap_err().code,
        ErrorCode::UNKNOWN_PARTITION
    );
    let mut times = PartitionList::new();
    times.add_offset("t", 0, 1).unwrap();
    client.list_offsets(&mut times, &CallTime::new(5000)).unwrap();
    assert_eq!(times.get(0).unwrap().error, None);
    mock.topic_error("t", ErrorCode::TOPIC_AUTHORIZATION_FAILED).unwrap();
    assert_eq!(
        client.metadata_topic("t", 5000).unwrap().topics[0].error,
        Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
    );
    assert_eq!(mock.create_topic("t", 1, 1).unwrap_err().code, ErrorCode::TOPIC_ALREADY_EXISTS);
    assert_eq!(mock.create_topic("u", 0, 1).unwrap_err().code, ErrorCode::INVALID_PARTITIONS);
    assert!(Mock::new(0).is_err());
    assert!(mock.coordinator("group", "g", 2).is_ok());
    assert!(mock.coordinator("nonsense", "g", 2).is_err());
}
