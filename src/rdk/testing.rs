//! What the tests of this room share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::*;

/// Clients are counted for the whole process: tests that make some share this, a test
/// that looks at the count has it alone.
static ALONE: RwLock<()> = RwLock::new(());

pub(super) fn shared() -> RwLockReadGuard<'static, ()> {
    ALONE.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn alone() -> RwLockWriteGuard<'static, ()> {
    ALONE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `probe` until it returns something, or fails after ten seconds.
pub(super) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what} within 10 s");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Keeps log lines.
#[derive(Default)]
pub(super) struct Lines(pub Mutex<Vec<LogLine>>);

impl Hooks for Lines {
    fn log(&self, line: LogLine) {
        self.0.lock().unwrap().push(line);
    }
}

pub(super) fn mock() -> Mock {
    let mock = Mock::new(1).unwrap();
    mock.rebalance_delay(0);
    mock
}

pub(super) fn conf(mock: &Mock, settings: &[(&str, &str)]) -> Conf {
    let mut conf = Conf::new();
    conf.set("bootstrap.servers", &mock.bootstrap()).unwrap();
    for (key, value) in settings {
        conf.set(key, value).unwrap();
    }
    conf
}

pub(super) fn producer(mock: &Mock, settings: &[(&str, &str)]) -> Arc<Client> {
    let events = Events::DR | Events::ERROR | Events::STATS;
    let conf = conf(mock, settings);
    Client::new(Kind::Producer, conf, events, Arc::new(Lines::default())).unwrap()
}

pub(super) fn consumer(mock: &Mock, settings: &[(&str, &str)]) -> Arc<Client> {
    let mut conf = conf(
        mock,
        &[
            ("fetch.wait.max.ms", "20"),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
        ],
    );
    for (key, value) in settings {
        conf.set(key, value).unwrap();
    }
    let events = Events::ERROR | Events::REBALANCE | Events::OFFSET_COMMIT;
    Client::new(Kind::Consumer, conf, events, Arc::new(Lines::default())).unwrap()
}

/// Serves the main queue until so many reports came: opaque, offset, error.
pub(super) fn reports(queue: &Queue, count: usize) -> Vec<(u64, i64, Option<ErrorCode>)> {
    let mut seen = Vec::new();
    until("delivery reports", || {
        if let Some(Event::Delivery(mut reports)) = queue.poll(10) {
            while let Some(message) = reports.next() {
                seen.push((message.opaque(), message.offset(), message.error()));
            }
        }
        (seen.len() >= count).then_some(())
    });
    seen
}

/// Reads exactly so many messages and consumer errors.
pub(super) fn fetch(queue: &Queue, count: usize) -> VecDeque<Message> {
    let mut out = VecDeque::new();
    until("messages", || {
        queue.consume_batch(256, 0, &mut out, &mut VecDeque::new()).unwrap();
        (out.len() >= count).then_some(())
    });
    assert_eq!(out.len(), count);
    out
}

/// Assigns partitions from the beginning, forwarded to one queue of our own.
pub(super) fn assign_forwarded(client: &Arc<Client>, topic: &str, partitions: i32) -> Queue {
    let messages = client.new_queue();
    let mut list = PartitionList::new();
    for partition in 0..partitions {
        let own = client.partition_queue(topic, partition).unwrap();
        assert!(own.forward(Some(&messages)));
        list.add_offset(topic, partition, Offset::BEGINNING).unwrap();
    }
    client.assign(Some(&list)).unwrap();
    messages
}
