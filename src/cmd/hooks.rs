//! What librdkafka tells by callback: log lines, which go to the logger, and throttling.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::logger::Logger;
use crate::rdk::{Hooks, LogLine};
use crate::tcl::Obj;

/// How many throttlings wait for a look. Past this, new ones are dropped: they say how things are, and
/// the next answer of the broker says it again.
const MOST: usize = 100;

/// A broker has slowed the client down, or (0 ms) no longer does.
#[derive(Debug, PartialEq, Eq)]
pub struct Throttle {
    /// `host:port`
    broker: String,
    id: i32,
    ms: i32,
}

impl Throttle {
    /// `broker id throttle_ms`
    pub fn dict(&self) -> Obj {
        let [broker, id, ms] = ["broker", "id", "throttle_ms"].map(Obj::text);
        Obj::list(&[
            broker,
            Obj::text(&self.broker),
            id,
            Obj::int(self.id.into()),
            ms,
            Obj::int(self.ms.into()),
        ])
    }
}

/// The hooks of one client.
pub struct ClientHooks {
    logger: Arc<Logger>,
    throttles: Mutex<Vec<Throttle>>,
    some: AtomicBool,
}

impl ClientHooks {
    pub fn new(logger: Arc<Logger>) -> ClientHooks {
        ClientHooks { logger, throttles: Mutex::default(), some: AtomicBool::new(false) }
    }

    /// Takes the throttlings that were told since the last look.
    pub fn take_throttles(&self) -> Vec<Throttle> {
        if !self.some.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *self.throttles.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hooks for ClientHooks {
    fn log(&self, line: LogLine) {
        self.logger.log(line);
    }

    fn answered(&self, broker: &str) {
        self.logger.faults.answered(broker);
    }

    fn throttle(&self, broker: String, id: i32, throttle_ms: i32) {
        let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
        if throttles.len() < MOST {
            throttles.push(Throttle { broker, id, ms: throttle_ms });
        }
        self.some.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::logger::Sink;

    #[test]
    fn throttlings_wait_in_order_and_within_a_bound() {
        let hooks = ClientHooks::new(Arc::new(Logger::new(Sink::None)));
        assert_eq!(hooks.take_throttles(), []);
        for ms in 0..200 {
            hooks.throttle("b:1".into(), 1, ms);
        }
        let taken = hooks.take_throttles();
        assert_eq!(taken.len(), MOST);
        assert_eq!(taken[1], Throttle { broker: "b:1".into(), id: 1, ms: 1 });
        assert_eq!(hooks.take_throttles(), []);
    }
}
