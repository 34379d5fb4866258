//! Messages out, their reports back, and what a consumer makes of them.

use crate::rdk::testing::*;
use crate::rdk::*;

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
    topic.produce(1, Some(b""), Some(b""), u64::MAX >> 1).unwrap();
    topic.produce(0, None, None, 0).unwrap();
    let headers: &[(&str, Option<&[u8]>)] =
        &[("a", Some(b"1")), ("a", Some(b"")), ("日", None), ("b", Some(b"\0\xff"))];
    topic.produce_full(1, Some(b"full"), Some(b"key"), headers, Some(1_234_567), 9).unwrap();
    let batch = [
        Record { payload: Some(b"b0"), key: None, opaque: 20 },
        Record { payload: None, key: Some(b"b1"), opaque: 21 },
    ];
    assert_eq!(topic.produce_batch(0, &batch), []);
    assert_eq!(
        topic.produce_full(0, None, None, &[("a\0b", None)], None, 0).unwrap_err().detail,
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
    let plain: Vec<_> =
        got.iter().map(|m| (m.partition(), m.offset(), m.payload(), m.key(), m.error())).collect();
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
    assert_eq!(full.timestamp(), Some((1_234_567, TimestampType::CreateTime)));
    assert_eq!(full.opaque(), 0);
    assert_eq!(full.error_text(), "");
    let back: Vec<_> = full.headers().unwrap().collect();
    let back: Vec<(&str, Option<&[u8]>)> = back.iter().map(|(n, v)| (n.as_ref(), *v)).collect();
    assert_eq!(back, headers);
    assert!(got[0].headers().is_none());
    let (now, kind) = got[0].timestamp().unwrap();
    assert_eq!(kind, TimestampType::CreateTime);
    assert!(now > 1_600_000_000_000);

    // A message outlives everything but its own hold.
    let last = got.pop().unwrap();
    drop((got, messages, consumer));
    assert_eq!(last.payload(), Some(&b"full"[..]));
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
    assert_eq!(topic.produce_full(0, None, None, &[("h", None)], None, 3).unwrap_err(), full);
    let records = [Record { payload: None, key: None, opaque: 3 }; 2];
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
        assert!(matches!(code, ErrorCode::PURGE_QUEUE | ErrorCode::PURGE_INFLIGHT));
        assert_eq!(text, code.text());
    }
    mock.rtt(-1, 0).unwrap();
    let error = topic.produce(99, Some(b"x"), None, 0).err();
    assert!(error.is_none() || error == Some(Error::new(ErrorCode::UNKNOWN_PARTITION)));
    assert_eq!(
        Topic::new(&client, "a\0b", TopicConf::new()).err().map(|e| e.detail).as_deref(),
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
    mock.push_errors(produce, &[ErrorCode::MSG_SIZE_TOO_LARGE]);
    topic.produce(0, Some(b"x"), None, 1).unwrap();
    assert_eq!(reports(&main, 1), [(1, -1, Some(ErrorCode::MSG_SIZE_TOO_LARGE))]);
    mock.push_errors(produce, &[ErrorCode::MSG_SIZE_TOO_LARGE; 5]);
    mock.clear_errors(Some(produce));
    mock.push_errors(produce, &[ErrorCode::MSG_SIZE_TOO_LARGE; 5]);
    mock.clear_errors(None);
    topic.produce(0, Some(b"x"), None, 2).unwrap();
    assert_eq!(reports(&main, 1), [(2, 0, None)]);
    let seen = mock.requests();
    assert_eq!(seen.iter().filter(|r| r.api == produce).count(), 2);
    assert!(seen.iter().all(|r| r.broker == 1 && r.timestamp_us > 0), "{seen:?}");
    mock.stop_tracking();
    mock.clear_requests();
    assert_eq!(mock.requests(), []);
}

#[test]
fn transactions() {
    let _shared = shared();
    let mock = mock();
    mock.create_topic("t", 1, 1).unwrap();
    let client = producer(&mock, &[("transactional.id", "x")]);
    let main = client.main_queue();
    assert_eq!(client.begin_transaction().unwrap_err().code, ErrorCode::STATE);
    client.init_transactions(5000).unwrap();
    client.begin_transaction().unwrap();
    let topic = Topic::with_default_conf(&client, "t").unwrap();
    topic.produce(0, Some(b"x"), None, 1).unwrap();
    reports(&main, 1);
    let consumer = consumer(&mock, &[("group.id", "g")]);
    let group = consumer.group_metadata().unwrap();
    let mut offsets = PartitionList::new();
    offsets.add_offset("t", 0, 1).unwrap();
    client.send_offsets_to_transaction(&offsets, &group, 5000).unwrap();
    client.commit_transaction(5000).unwrap();
    client.begin_transaction().unwrap();
    client.abort_transaction(5000).unwrap();
    assert_eq!(consumer.init_transactions(0).unwrap_err().detail, "the client is not a producer");
}
