//! From configuration to destruction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::rdk::testing::*;
use crate::rdk::*;

#[test]
fn bad_configurations() {
    let _shared = shared();
    let mut conf = Conf::new();
    conf.set("session.timeout.ms", "1000").unwrap();
    conf.set("max.poll.interval.ms", "900").unwrap();
    let error =
        Client::new(Kind::Consumer, conf, Events::NONE, Arc::new(Lines::default())).err().unwrap();
    assert_eq!(error.code, ErrorCode::INVALID_ARG);
    assert_eq!(error.detail, "`max.poll.interval.ms`must be >= `session.timeout.ms`");
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
    assert!(lines.0.lock().unwrap().iter().all(|line| !line.facility.is_empty()));
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
    assert_eq!(client.conf().get("sasl.password").as_deref(), Some("hunter2"));
    assert!(!client.forked());
}

#[test]
fn dropping_leaves_nothing_alive() {
    let _alone = alone();
    let deadline = || Instant::now() + Duration::from_secs(10);
    assert!(wait_destroyed(deadline()));
    until("end of other tests' mocks", || (live_mocks() == 0).then_some(()));
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
