//! Being told that a queue has something.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use crate::rdk::testing::*;
use crate::rdk::*;

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
    until("wake", || (count.0.load(Ordering::SeqCst) > 0).then_some(()));
    assert_eq!(reports(&main, 1), [(1, 0, None)]);
    // A second reference to the same queue doesn't take the wake away when it goes.
    drop(client.main_queue());
    let before = count.0.load(Ordering::SeqCst);
    topic.produce(0, Some(b"x"), None, 2).unwrap();
    until("wake", || (count.0.load(Ordering::SeqCst) > before).then_some(()));
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
