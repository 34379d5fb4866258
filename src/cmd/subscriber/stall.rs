//! Partitions that lie still because nobody said where to begin.
//!
//! librdkafka asks a group's coordinator for the committed offsets of what was assigned. When that is
//! refused (the coordinator is moving, say) it tells the error and does not ask again: the partitions
//! stay assigned and are never fetched (2.12.1, its issue 5586; `rd_kafka_assignment_apply_offsets`).
//! Which they are it says in some cases only, and assigning them anew could be taken for the answer to a
//! rebalance that begins at that moment. So the member joins anew, which it may at any time: what was
//! processed is committed on the way, as in every rebalance, and everything is asked for again.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Subscriber;
use crate::cmd::pump::Serve;
use crate::rdk::{ClientError, Result};

/// How an error of this kind begins, about a partition or about all.
const SIGN: &str = "Failed to fetch committed offset";

/// How long it is waited before the member joins anew: at first, and at most. Each time twice as long,
/// for a rebalance concerns the whole group.
const SOON: Duration = Duration::from_millis(500);
const LATE: Duration = Duration::from_secs(60);

/// When the member joins anew.
#[derive(Default)]
pub struct Stall {
    at: Cell<Option<Instant>>,
    /// The last time, and how long was waited for it.
    last: Cell<Option<(Instant, Duration)>>,
}

impl Stall {
    /// The assignment changes: what is refused is asked for anew.
    pub fn forget(&self) {
        self.at.set(None);
    }

    /// Sets the time; gives how long that is, unless one is set already.
    fn begin(&self) -> Option<Duration> {
        if self.at.get().is_some() {
            return None;
        }
        let now = Instant::now();
        let wait = match self.last.get() {
            Some((at, wait)) if now - at < 2 * LATE => (2 * wait).min(LATE),
            _ => SOON,
        };
        self.last.set(Some((now + wait, wait)));
        self.at.set(Some(now + wait));
        Some(wait)
    }
}

impl Subscriber {
    /// Looks whether an error leaves partitions lying still.
    pub(super) fn note_stall(&self, e: &ClientError) {
        if !e.error.detail.starts_with(SIGN) || !self.core.is_open() {
            return;
        }
        let Some(wait) = self.stall.begin() else { return };
        let Some(source) = self.core.source().cloned() else { return };
        // A thread and no timer of Tcl's: the script may wait in a read without an event loop.
        let wake = move || {
            std::thread::sleep(wait);
            source.wake();
        };
        if let Err(e) = std::thread::Builder::new().name("kafka-rejoin".into()).spawn(wake) {
            // Then it is the next read or turn after that time.
            self.core.logger.say(4, "REJOIN", &self.core.live.name, e.to_string());
        }
    }

    /// Joins the group anew, if partitions lie still and it is time.
    pub(super) fn end_stall(&self) {
        let due = self.stall.at.get().is_some_and(|at| Instant::now() >= at);
        // One that was put out because its script does not read comes back when that reads.
        let calm = self.rebalance.borrow().is_none() && self.core.is_open() && !self.exceeded.get();
        if !due || !calm {
            return;
        }
        self.stall.forget();
        match self.join_anew() {
            Ok(true) => {
                let text = "joins its group anew: it was not told where to begin".to_owned();
                self.core().logger.say(5, "REJOIN", &self.core.live.name, text);
            }
            // It reads what the script assigned.
            Ok(false) => {}
            Err(e) => self.core.logger.say(4, "REJOIN", &self.core.live.name, e.code.text()),
        }
    }

    fn join_anew(&self) -> Result<bool> {
        let client = &self.core.client;
        let topics = client.subscription()?;
        if topics.is_empty() {
            return Ok(false);
        }
        client.unsubscribe()?;
        client.subscribe(&topics)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_takes_twice_as_long_and_one_at_a_time_is_waited_for() {
        let stall = Stall::default();
        assert_eq!(stall.begin(), Some(SOON));
        assert_eq!(stall.begin(), None);
        stall.forget();
        assert_eq!(stall.begin(), Some(2 * SOON));
        for _ in 0..20 {
            stall.forget();
            stall.begin();
        }
        stall.forget();
        assert_eq!(stall.begin(), Some(LATE));
    }
}
