//! The room as a whole, over the mock cluster's real sockets.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::testing::*;
use super::*;

fn fetch(queue: &Queue, count: usize) -> VecDeque<Message> {
    let mut out = VecDeque::new();
    until("messages", || {
        queue.consume_batch(256, 0, &mut out).unwrap();
        (out.len() >= count).then_some(())
    });
    assert_eq!(out.len(), count);
    out
}

/// Assigns partitions from the beginning, forwarded to one queue of our own.
fn assign_forwarded(client: &Arc<Client>, topic: &str, partitions: i32) -> Queue {
    let messages = client.new_queue();
    let mut list = PartitionList::new();
    for partition in 0..partitions {
        let own = client.partition_queue(topic, partition).unwrap();
        assert!(own.forward(Some(&messages)));
        list.add_offset(topic, partition, Offset::BEGINNING)
            .unwrap();
    }
    client.assign(Some(&list)).unwrap();
    messages
}

#[test]
fn version_and_features() {
    assert_eq!(version(), "2.12.1");
    let features = features();
    for feature in ["gzip", "snappy", "lz4", "zstd", "ssl", "sasl_scram"] {
        assert!(features.iter().any(|f| f == feature), "{features:?}");
    }
}

#[test]
fn produce_report_consume() {
    let _shared = shared();
    let mock = mock();
    mock.create_topic("t", 2, 1).unwrap();
    let client = producer(&mock, &[]);
    let main = client.main_queue();
    let topic = Topic::new(&client, "t", TopicConf::new()).unwrap();
    assert_eq!(topic.name(), "t");

    topic.produce(0, Some(b"one"), Some(b"k"), 7).unwrap();
    topic
        .produce(1, Some(b""), Some(b""), u64::MAX >> 1)
        .unwrap();
    topic.produce(0, None, None, 0).unwrap();
    let headers: &[(&str, Option<&[u8]>)] = &[
        ("a", Some(b"1")),
        ("a", Some(b"")),
        ("日", None),
        ("b", Some(b"\0\xff")),
    ];
    topic
        .produce_full(1, Some(b"full"), Some(b"key"), headers, 1_234_567, 9)
        .unwrap();
    let batch = [
        Record {
            payload: Some(b"b0"),
            key: None,
            opaque: 20,
        },
        Record {
            payload: None,
            key: Some(b"b1"),
            opaque: 21,
        },
    ];
    assert_eq!(topic.produce_batch(0, &batch), []);
    assert_eq!(
        topic
            .produce_full(0, None, None, &[("a\0b", None)], 0, 0)
            .unwrap_err()
            .detail,
        "header name has a NUL character"
    );

    let mut seen = reports(&main, 6);
    seen.sort_unstable_by_key(|report| report.0);
    assert_eq!(
        seen,
        [
            (0, 1, None),
            (7, 0, None),
            (9, 1, None),
            (20, 2, None),
            (21, 3, None),
            (u64::MAX >> 1, 0, None)
        ]
    );
    assert_eq!(client.outq_len(), 0);

    let consumer = consumer(&mock, &[("group.id", "g")]);
    let messages = assign_forwarded(&consumer, "t", 2);
    let mut got: Vec<Message> = fetch(&messages, 6).into();
    got.sort_by_key(|m| (m.partition(), m.offset()));
    let plain: Vec<_> = got
        .iter()
        .map(|m| (m.partition(), m.offset(), m.payload(), m.key(), m.error()))
        .collect();
    assert_eq!(
        plain,
        [
            (0, 0, Some(&b"one"[..]), Some(&b"k"[..]), None),
            (0, 1, None, None, None),
            (0, 2, Some(b"b0"), None, None),
            (0, 3, None, Some(b"b1"), None),
            (1, 0, Some(b""), Some(b""), None),
            (1, 1, Some(b"full"), Some(b"key"), None),
        ]
    );
    let full = &got[5];
    assert_eq!(full.topic(), "t");
    assert_eq!(full.topic_id(), got[0].topic_id());
    assert_eq!(
        full.timestamp(),
        Some((1_234_567, TimestampType::CreateTime))
    );
    assert_eq!(full.opaque(), 0);
    assert_eq!(full.error_text(), "");
    let back: Vec<_> = full.headers().unwrap().collect();
    let back: Vec<(&str, Option<&[u8]>)> = back.iter().map(|(n, v)| (n.as_ref(), *v)).collect();
    assert_eq!(back, headers);
    assert!(got[0].headers().is_none());
    let (now, kind) = got[0].timestamp().unwrap();
    assert_eq!(kind, TimestampType::CreateTime);
    assert!(now > 1_600_000_000_000);

    // A message may go to another thread, and outlive everything but its own hold.
    let last = got.pop().unwrap();
    drop((got, messages, consumer));
    let text = std::thread::spawn(move || last.payload().map(<[u8]>::to_vec));
    assert_eq!(text.join().unwrap().as_deref(), Some(&b"full"[..]));
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn wakes_fire_until_disabled() {
    let _shared = shared();
    let mock = mock();
    let client = producer(&mock, &[]);
    let main = client.main_queue();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    main.enable_wake(count.clone());
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    topic.produce(0, Some(b"x"), None, 1).unwrap();
    until("wake", || {
        (count.0.load(Ordering::SeqCst) > 0).then_some(())
    });
    assert_eq!(reports(&main, 1), [(1, 0, None)]);
    // A second reference to the same queue doesn't take the wake away when it goes.
    drop(client.main_queue());
    let before = count.0.load(Ordering::SeqCst);
    topic.produce(0, Some(b"x"), None, 2).unwrap();
    until("wake", || {
        (count.0.load(Ordering::SeqCst) > before).then_some(())
    });
    assert_eq!(reports(&main, 1), [(2, 1, None)]);

    main.disable_wake();
    assert_eq!(Arc::strong_count(&count), 1);
    let before = count.0.load(Ordering::SeqCst);
    topic.produce(0, Some(b"x"), None, 3).unwrap();
    assert_eq!(reports(&main, 1), [(3, 2, None)]);
    assert_eq!(count.0.load(Ordering::SeqCst), before);

    struct Buggy;
    impl Wake for Buggy {
        fn wake(&self) {
            panic!("a wake may be buggy");
        }
    }
    main.enable_wake(Arc::new(Buggy));
    topic.produce(0, Some(b"x"), None, 4).unwrap();
    assert_eq!(reports(&main, 1), [(4, 3, None)]);
}

/// Enabling and disabling while broker threads enqueue: neither lock order may deadlock.
#[test]
fn wakes_come_and_go_under_load() {
    let _shared = shared();
    let mock = mock();
    let client = producer(&mock, &[("linger.ms", "0")]);
    let main = client.main_queue();
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let mut left = 0;
    for round in 0..300u64 {
        main.enable_wake(count.clone());
        topic.produce(-1, Some(b"x"), None, round).unwrap();
        left += 1;
        if round % 2 == 0 {
            main.disable_wake();
        }
        while let Some(Event::Delivery(reports)) = main.poll(0) {
            left -= reports.remaining();
        }
    }
    if left > 0 {
        assert_eq!(reports(&main, left).len(), left);
    }
}

#[test]
fn failures_are_reported() {
    let _shared = shared();
    let mock = mock();
    mock.create_topic("t", 1, 1).unwrap();
    let client = producer(&mock, &[("queue.buffering.max.messages", "3")]);
    let main = client.main_queue();
    let topic = Topic::new(&client, "t", TopicConf::new()).unwrap();
    mock.rtt(-1, 200).unwrap();
    for n in 0..3 {
        topic.produce(0, Some(b"x"), None, n).unwrap();
    }
    let full = Error::new(ErrorCode::QUEUE_FULL);
    assert_eq!(topic.produce(0, Some(b"x"), None, 3).unwrap_err(), full);
    assert_eq!(
        topic
            .produce_full(0, None, None, &[("h", None)], 0, 3)
            .unwrap_err(),
        full
    );
    let records = [Record {
        payload: None,
        key: None,
        opaque: 3,
    }; 2];
    assert_eq!(
        topic.produce_batch(0, &records),
        [(0, ErrorCode::QUEUE_FULL), (1, ErrorCode::QUEUE_FULL)]
    );
    client.purge(true, true).unwrap();
    let mut texts = Vec::new();
    until("purge", || {
        if let Some(Event::Delivery(mut reports)) = main.poll(10) {
            let all = reports.remaining();
            while let Some(message) = reports.next() {
                assert_eq!(message.payload(), Some(&b"x"[..]));
                assert_eq!(message.topic_id(), topic.id());
                assert_eq!(message.timestamp(), None);
                assert_eq!(message.leader_epoch(), -1);
                texts.push((message.error(), message.error_text()));
            }
            assert_eq!(reports.remaining(), 0);
            assert!(all > 0);
        }
        (texts.len() == 3).then_some(())
    });
    for (code, text) in texts {
        let code = code.unwrap();
        assert!(matches!(
            code,
            ErrorCode::PURGE_QUEUE | ErrorCode::PURGE_INFLIGHT
        ));
        assert_eq!(text, code.text());
    }
    mock.rtt(-1, 0).unwrap();
    let error = topic.produce(99, Some(b"x"), None, 0).err();
    assert!(error.is_none() || error == Some(Error::new(ErrorCode::UNKNOWN_PARTITION)));
    assert_eq!(
        Topic::new(&client, "a\0b", TopicConf::new())
            .err()
            .map(|e| e.detail)
            .as_deref(),
        Some("topic has a NUL character")
    );
    let long = "x".repeat(513);
    assert_eq!(
        Topic::new(&client, &long, TopicConf::new()).err(),
        Some(Error::new(ErrorCode::INVALID_ARG))
    );
}

#[test]
fn injected_errors_reach_the_report() {
    let _shared = shared();
    let mock = mock();
    mock.create_topic("t", 1, 1).unwrap();
    let client = producer(&mock, &[("retries", "0")]);
    let main = client.main_queue();
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    let produce = api_key("Produce").unwrap();
    mock.push_errors(produce, &[ErrorCode::TOPIC_AUTHORIZATION_FAILED]);
    topic.produce(0, Some(b"x"), None, 1).unwrap();
    assert_eq!(
        reports(&main, 1),
        [(
            1,
            Offset::INVALID,
            Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
        )]
    );
    mock.push_errors(produce, &[ErrorCode::TOPIC_AUTHORIZATION_FAILED; 5]);
    mock.clear_errors(Some(produce));
    mock.push_errors(produce, &[ErrorCode::TOPIC_AUTHORIZATION_FAILED; 5]);
    mock.clear_errors(None);
    topic.produce(0, Some(b"x"), None, 2).unwrap();
    assert_eq!(reports(&main, 1), [(2, 0, None)]);
    let seen = mock.requests();
    assert_eq!(seen.iter().filter(|r| r.api == produce).count(), 2);
    assert!(
        seen.iter().all(|r| r.broker == 1 && r.timestamp_us > 0),
        "{seen:?}"
    );
    mock.stop_tracking();
    mock.clear_requests();
    assert_eq!(mock.requests(), []);
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
    assert_eq!(error.error.detail, "1/1 brokers are down");
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
    // SAFETY: a valid handle and string.
    unsafe {
        raw::rd_kafka_test_fatal_error(
            client.as_ptr(),
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER.0,
            c"made up".as_ptr(),
        )
    };
    let event = until("fatal error", || match main.poll(10) {
        Some(Event::Error(error)) if error.error.fatal => Some(error),
        _ => None,
    });
    let want = Error {
        fatal: true,
        ..Error::with_detail(
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            "test_fatal_error: made up",
        )
    };
    assert_eq!(event.error, want);
    assert_eq!(client.fatal_error(), Some(want));
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    assert_eq!(
        topic.produce(0, None, None, 0).unwrap_err().code,
        ErrorCode::FATAL
    );
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
    ] {
        let mut ids: Vec<i32> = found.brokers.iter().map(|broker| broker.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3]);
        assert!(found
            .brokers
            .iter()
            .all(|b| b.host == "127.0.0.1" && b.port > 0));
        assert_eq!(found.topics.len(), 1);
        assert_eq!(found.topics[0].name, "t");
        assert_eq!(found.topics[0].error, None);
        let leaders: Vec<(i32, i32, usize)> = found.topics[0]
            .partitions
            .iter()
            .map(|p| (p.id, p.leader, p.replicas.len()))
            .collect();
        assert_eq!(leaders, [(0, 2, 3), (1, 3, 3)]);
    }
    assert!(client.cluster_id(5000).unwrap().starts_with("mockCluster"));
    assert!((1..=3).contains(&client.controller_id(5000)));
    topic.produce(0, Some(b"x"), None, 0).unwrap();
    assert_eq!(reports(&client.main_queue(), 1), [(0, 0, None)]);
    assert_eq!(client.query_watermarks("t", 0, 5000).unwrap(), (0, 1));
    assert_eq!(
        client.query_watermarks("t", 7, 1000).unwrap_err().code,
        ErrorCode::UNKNOWN_PARTITION
    );
    let mut times = PartitionList::new();
    times.add_offset("t", 0, 1).unwrap();
    client.offsets_for_times(&mut times, 5000).unwrap();
    assert_eq!(times.get(0).unwrap().error, None);
    mock.topic_error("t", ErrorCode::TOPIC_AUTHORIZATION_FAILED)
        .unwrap();
    assert_eq!(
        client.metadata_topic("t", 5000).unwrap().topics[0].error,
        Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
    );
    assert_eq!(
        mock.create_topic("t", 1, 1).unwrap_err().code,
        ErrorCode::TOPIC_ALREADY_EXISTS
    );
    assert_eq!(
        mock.create_topic("u", 0, 1).unwrap_err().code,
        ErrorCode::INVALID_PARTITIONS
    );
    assert!(Mock::new(0).is_err());
    assert!(mock.coordinator("group", "g", 2).is_ok());
    assert!(mock.coordinator("nonsense", "g", 2).is_err());
}

/// Subscribes, answers the rebalances, reads, commits and closes with a bound.
#[test]
fn a_group_from_subscribe_to_close() {
    let _shared = shared();
    let mock = mock();
    mock.create_topic("t", 2, 1).unwrap();
    let client = producer(&mock, &[]);
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    for n in 0..10 {
        topic.produce(n % 2, Some(b"x"), None, 0).unwrap();
    }
    reports(&client.main_queue(), 10);

    let consumer = consumer(
        &mock,
        &[("group.id", "g"), ("enable.partition.eof", "true")],
    );
    let events = consumer.consumer_queue().unwrap();
    let messages = consumer.new_queue();
    assert_eq!(consumer.rebalance_protocol(), "NONE");
    let mut topics = PartitionList::new();
    topics.add("t", -1).unwrap();
    consumer.subscribe(&topics).unwrap();
    assert_eq!(consumer.subscription().unwrap().get(0).unwrap().topic, "t");
    let assigned = until("assignment", || match events.poll(10) {
        Some(Event::Rebalance(rebalance)) => Some(rebalance),
        _ => None,
    });
    assert_eq!(assigned.code, ErrorCode::ASSIGN_PARTITIONS);
    assert_eq!(assigned.partitions.len(), 2);
    assert_eq!(consumer.rebalance_protocol(), "EAGER");
    let mut list = assigned.partitions;
    for elem in list.iter() {
        let own = consumer
            .partition_queue(elem.topic, elem.partition)
            .unwrap();
        assert!(own.forward(Some(&messages)));
    }
    consumer.assign(Some(&list)).unwrap();
    assert_eq!(consumer.assignment().unwrap().len(), 2);
    assert!(!consumer.assignment_lost());

    // Ten messages, and the end of each partition as a consumer error.
    let all = fetch(&messages, 12);
    let ends: Vec<&Message> = all.iter().filter(|m| m.error().is_some()).collect();
    assert_eq!(ends.len(), 2);
    for end in ends {
        assert_eq!(end.error(), Some(ErrorCode::PARTITION_EOF));
        assert_eq!((end.topic(), end.offset()), ("t", 5));
        assert!(end.error_text().contains("EOF"), "{}", end.error_text());
        assert!(end.headers().is_none() && end.timestamp().is_none());
    }
    consumer.position(&mut list).unwrap();
    let offsets: Vec<i64> = list.iter().map(|e| e.offset).collect();
    assert_eq!(offsets, [5, 5]);
    assert_eq!(consumer.cached_watermarks("t", 0).unwrap(), (0, 5));
    assert!(consumer.member_id().is_some());
    let group = consumer.group_metadata().unwrap();
    assert_eq!(group.group_id(), "g");
    assert!(!group.member_id().is_empty() && group.generation_id() > 0);
    assert_eq!(group.group_instance_id(), None);
    let again = GroupMetadata::from_bytes(&group.to_bytes().unwrap()).unwrap();
    assert_eq!(again.member_id(), group.member_id());
    assert!(GroupMetadata::from_bytes(b"nonsense").is_err());

    // Commits: stored, synchronous, by queue.
    assert_eq!(
        consumer.commit(None, false),
        Err(Error::new(ErrorCode::NO_OFFSET))
    );
    let mut commit = PartitionList::new();
    commit.add_offset("t", 0, 3).unwrap();
    commit.set_metadata(0, b"note");
    consumer.commit(Some(&commit), false).unwrap();
    let results = consumer.new_queue();
    commit.set_offset(0, 4);
    consumer.commit_queue(Some(&commit), &results).unwrap();
    let committed = until("commit", || match results.poll(10) {
        Some(Event::OffsetCommit { error, partitions }) => Some((error, partitions)),
        _ => None,
    });
    assert_eq!(committed.0, None);
    assert_eq!(committed.1.get(0).unwrap().offset, 4);
    let mut asked = PartitionList::new();
    asked.add("t", 0).unwrap();
    asked.add("t", 1).unwrap();
    consumer.committed(&mut asked, 5000).unwrap();
    let offsets: Vec<i64> = asked.iter().map(|e| e.offset).collect();
    assert_eq!(offsets, [4, Offset::INVALID]);
    assert_eq!(asked.get(0).unwrap().metadata, Some(&b"note"[..]));

    // Errors of single partitions are in the list.
    let mut some = PartitionList::new();
    some.add_offset("t", 0, 0).unwrap();
    some.add_offset("t", 9, 0).unwrap();
    consumer.seek(&mut some, 5000).unwrap();
    let errors: Vec<_> = some.iter().map(|e| e.error).collect();
    assert_eq!(errors, [None, Some(ErrorCode::UNKNOWN_PARTITION)]);
    let mut one = PartitionList::new();
    one.add("t", 1).unwrap();
    consumer.pause(&mut one).unwrap();
    consumer.resume(&mut one).unwrap();
    assert_eq!(one.get(0).unwrap().error, None);

    drop(messages);
    consumer.close_queue(&results).unwrap();
    until("close", || {
        if let Some(Event::Rebalance(rebalance)) = results.poll(10) {
            assert_eq!(rebalance.code, ErrorCode::REVOKE_PARTITIONS);
            consumer.assign(None).unwrap();
        }
        consumer.closed().then_some(())
    });
}

#[test]
fn legacy_consumption() {
    let _shared = shared();
    let mock = mock();
    mock.create_topic("t", 1, 1).unwrap();
    let client = producer(&mock, &[]);
    let produced = Topic::with_default_conf(&client, "t").unwrap();
    for _ in 0..5 {
        produced.produce(0, Some(b"x"), None, 0).unwrap();
    }
    reports(&client.main_queue(), 5);
    assert_eq!(
        produced.consume_start(0, 0).unwrap_err().detail,
        "the client is not a consumer"
    );
    let consumer = consumer(&mock, &[]);
    assert_eq!(
        consumer.consumer_queue().err().unwrap().code,
        ErrorCode::UNKNOWN_GROUP
    );
    let topic = Topic::with_default_conf(&consumer, "t").unwrap();
    let queue = consumer.new_queue();
    assert!(topic
        .consume_start_queue(0, 0, &client.new_queue())
        .is_err());
    topic
        .consume_start_queue(0, Offset::Tail(2).to_raw(), &queue)
        .unwrap();
    let offsets: Vec<i64> = fetch(&queue, 2).iter().map(Message::offset).collect();
    assert_eq!(offsets, [3, 4]);
    topic.seek(0, 1, 5000).unwrap();
    let offsets: Vec<i64> = fetch(&queue, 4).iter().map(Message::offset).collect();
    assert_eq!(offsets, [1, 2, 3, 4]);
    topic.consume_stop(0).unwrap();
    assert!(!queue.forward(Some(&client.main_queue())));
    assert_eq!(
        client
            .main_queue()
            .consume_batch(1, 0, &mut VecDeque::new())
            .unwrap_err()
            .code,
        ErrorCode::INVALID_ARG
    );
}

#[test]
fn transactions() {
    let _shared = shared();
    let mock = mock();
    mock.create_topic("t", 1, 1).unwrap();
    let client = producer(&mock, &[("transactional.id", "x")]);
    let main = client.main_queue();
    assert_eq!(
        client.begin_transaction().unwrap_err().code,
        ErrorCode::STATE
    );
    client.init_transactions(5000).unwrap();
    client.begin_transaction().unwrap();
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    topic.produce(0, Some(b"x"), None, 1).unwrap();
    reports(&main, 1);
    let consumer = consumer(&mock, &[("group.id", "g")]);
    let group = consumer.group_metadata().unwrap();
    let mut offsets = PartitionList::new();
    offsets.add_offset("t", 0, 1).unwrap();
    client
        .send_offsets_to_transaction(&offsets, &group, 5000)
        .unwrap();
    client.commit_transaction(5000).unwrap();
    client.begin_transaction().unwrap();
    client.abort_transaction(5000).unwrap();
    assert_eq!(
        consumer.init_transactions(0).unwrap_err().detail,
        "the client is not a producer"
    );
}

#[test]
fn bad_configurations() {
    let _shared = shared();
    let mut conf = Conf::new();
    conf.set("session.timeout.ms", "1000").unwrap();
    conf.set("max.poll.interval.ms", "900").unwrap();
    let error = Client::new(
        Kind::Consumer,
        conf,
        Events::NONE,
        Arc::new(Lines::default()),
    )
    .err()
    .unwrap();
    assert_eq!(error.code, ErrorCode::INVALID_ARG);
    assert_eq!(
        error.detail,
        "`max.poll.interval.ms`must be >= `session.timeout.ms`"
    );
}

#[test]
fn log_lines_are_redacted() {
    let _shared = shared();
    let lines = Arc::new(Lines::default());
    let mut conf = Conf::new();
    conf.set("bootstrap.servers", "hunter2.invalid:1").unwrap();
    conf.set("sasl.password", "hunter2").unwrap();
    conf.set("debug", "broker").unwrap();
    let client = Client::new(Kind::Producer, conf, Events::ERROR, lines.clone()).unwrap();
    let name = client.name();
    until("redacted line", || {
        let lines = lines.0.lock().unwrap();
        assert!(lines.iter().all(|line| !line.message.contains("hunter2")));
        lines
            .iter()
            .any(|l| l.message.contains("[redacted].invalid") && l.name == name && l.level <= 7)
            .then_some(())
    });
    assert!(lines
        .0
        .lock()
        .unwrap()
        .iter()
        .all(|line| !line.facility.is_empty()));
    // A password set later is hidden too.
    client.hide("invalid:1");
    assert_eq!(client.add_brokers("other.invalid:1,another.invalid:1"), 2);
    until("redacted line", || {
        let lines = lines.0.lock().unwrap();
        let seen = |word| lines.iter().any(|line| line.message.contains(word));
        assert!(!seen("other.invalid:1"));
        seen("other.[redacted]").then_some(())
    });
    client.set_log_level(0);
    assert_eq!(
        client.conf().get("sasl.password").as_deref(),
        Some("hunter2")
    );
    assert!(!client.forked());
}

#[test]
fn dropping_leaves_nothing_alive() {
    let _alone = alone();
    let deadline = || Instant::now() + Duration::from_secs(10);
    assert!(wait_destroyed(deadline()));
    until("end of other tests' mocks", || {
        (live_mocks() == 0).then_some(())
    });
    {
        let mock = mock();
        mock.create_topic("t", 1, 1).unwrap();
        let client = producer(&mock, &[]);
        let topic = Topic::with_default_conf(&client, "t").unwrap();
        topic.produce(0, Some(b"x"), None, 0).unwrap();
        reports(&client.main_queue(), 1);
        let consumer = consumer(&mock, &[("group.id", "g")]);
        let messages = assign_forwarded(&consumer, "t", 1);
        let message = fetch(&messages, 1).pop_front().unwrap();
        // Undelivered messages and unserved events don't hold it up.
        topic.produce(0, Some(b"y"), None, 0).unwrap();
        assert_eq!((live_clients(), live_mocks()), (2, 1));
        drop((consumer, messages));
        assert!(!wait_destroyed(Instant::now()));
        assert_eq!(message.payload(), Some(&b"x"[..]));
        assert_eq!(live_clients(), 2);
    }
    assert!(wait_destroyed(deadline()));
    assert_eq!(live_clients(), 0);
    until("end of the mock", || (live_mocks() == 0).then_some(()));
}

#[test]
fn a_dropped_client_does_not_block_the_thread() {
    let _alone = alone();
    let mock = mock();
    mock.rtt(-1, 1000).unwrap();
    let client = producer(&mock, &[]);
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    for n in 0..1000 {
        topic.produce(0, Some(b"x"), None, n).unwrap();
    }
    let start = Instant::now();
    drop((topic, client));
    assert!(start.elapsed() < Duration::from_millis(100));
    assert!(wait_destroyed(Instant::now() + Duration::from_secs(10)));
}

#[test]
fn everything_crosses_threads() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Message>();
    send::<Reports>();
    send::<Event>();
    send::<Topic>();
    send::<Queue>();
    send::<Client>();
    send::<Mock>();
    sync::<Client>();
    sync::<Topic>();
    sync::<Queue>();
    sync::<Conf>();
    sync::<Mock>();
}
