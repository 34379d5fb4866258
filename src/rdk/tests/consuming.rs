//! Groups, and consumption without one.

use std::collections::VecDeque;

use crate::rdk::testing::*;
use crate::rdk::*;

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

    let consumer = consumer(&mock, &[("group.id", "g"), ("enable.partition.eof", "true")]);
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
        let own = consumer.partition_queue(elem.topic, elem.partition).unwrap();
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
        assert!(end.error_text().contains("reached end of partition"), "{}", end.error_text());
        assert!(end.headers().is_none() && end.timestamp().is_none());
    }
    consumer.position(&mut list).unwrap();
    let offsets: Vec<i64> = list.iter().map(|e| e.offset).collect();
    // librdkafka counts an end of partition as a message (src/rdk/position.c).
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
    assert_eq!(consumer.commit(None, false), Err(Error::new(ErrorCode::NO_OFFSET)));
    let mut commit = PartitionList::new();
    commit.add_offset("t", 0, 3).unwrap();
    commit.set_metadata(0, b"note");
    consumer.commit(Some(&commit), false).unwrap();
    let results = consumer.new_queue();
    commit.set_offset(0, 4);
    consumer.commit_queue(Some(&commit), &results, false).unwrap();
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
    assert_eq!(errors, [None, Some(ErrorCode::STATE)]);
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
    assert_eq!(produced.consume_start(0, 0).unwrap_err().detail, "the client is not a consumer");
    let consumer = consumer(&mock, &[]);
    assert_eq!(consumer.consumer_queue().err().unwrap().code, ErrorCode::UNKNOWN_GROUP);
    let topic = Topic::with_default_conf(&consumer, "t").unwrap();
    let queue = consumer.new_queue();
    assert!(topic.consume_start_queue(0, 0, &client.new_queue()).is_err());
    topic.consume_start_queue(0, Offset::Tail(2).to_raw(), &queue).unwrap();
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
            .consume_batch(1, 0, &mut VecDeque::new(), &mut VecDeque::new())
            .unwrap_err()
            .code,
        ErrorCode::INVALID_ARG
    );
}

/// librdkafka's own batch reads move the position past an end of partition as if it were a
/// message, and a pause notes the position to resume from: the next message would be
/// skipped (src/rdk/position.c), with a seek after the pause or without.
#[test]
fn resuming_after_an_end_of_partition() {
    let _shared = shared();
    let mock = mock();
    let client = producer(&mock, &[]);
    let main = client.main_queue();
    let settings = [("group.id", "g"), ("enable.partition.eof", "true")];
    for (topic, seek) in [("plain", false), ("sought", true)] {
        mock.create_topic(topic, 1, 1).unwrap();
        let produced = Topic::with_default_conf(&client, topic).unwrap();
        produced.produce(0, Some(b"0"), None, 0).unwrap();
        reports(&main, 1);
        let consumer = consumer(&mock, &settings);
        let messages = assign_forwarded(&consumer, topic, 1);
        assert_eq!(fetch(&messages, 2)[1].error(), Some(ErrorCode::PARTITION_EOF));
        let mut list = PartitionList::new();
        list.add_offset(topic, 0, 1).unwrap();
        consumer.pause(&mut list).unwrap();
        if seek {
            consumer.seek(&mut list, 0).unwrap();
        }
        for n in 1..4 {
            produced.produce(0, Some(b"x"), None, n).unwrap();
        }
        reports(&main, 3);
        consumer.resume(&mut list).unwrap();
        let mut out = VecDeque::new();
        until("end of partition", || {
            messages.consume_batch(256, 0, &mut out, &mut VecDeque::new()).unwrap();
            let ended = |m: &Message| m.error().is_some() && m.offset() == 4;
            out.iter().any(ended).then_some(())
        });
        let offsets: Vec<i64> =
            out.iter().filter(|m| m.error().is_none()).map(Message::offset).collect();
        assert_eq!(offsets, [1, 2, 3], "{topic}");
    }
}
