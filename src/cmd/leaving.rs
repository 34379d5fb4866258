//! How a member leaves its group at its end.
//!
//! Closing does all of it, but for a member of a cooperative group that has no partitions at that
//! moment, or waits for the answer to its joining: librdkafka (2.12.1) says it has ended, and never told
//! the group (`rd_kafka_cgrp_revoke_all_rejoin` leaves that to a rejoin, which the ending skips). The
//! group then waits for the one that went, for the whole of `session.timeout.ms`, in each rebalance that
//! comes meanwhile. So such a member unsubscribes first, which does tell it, and is closed once it has no
//! member id any more: librdkafka comes to that when a rebalance that is under way has ended. (Its
//! subscription tells nothing: it is said to be empty before.)

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::live::{End, Live};
use super::rebalance;
use crate::rdk::{self, Client, Event, Queue};

/// What a subscriber gets for committing and leaving its group.
pub const LEAVE: Duration = Duration::from_millis(5000);

/// How long it is waited before librdkafka is asked again whether the group was told.
const MOMENT: Duration = Duration::from_millis(20);

/// Whether closing alone may leave the group in the dark. Static members stay in it at their end.
fn has_to_unsubscribe(client: &Client) -> bool {
    let conf = client.conf();
    let is = |key, value: &str| conf.get(key).is_some_and(|v| v.contains(value));
    is("partition.assignment.strategy", "cooperative")
        && !is("group.protocol", "consumer")
        && conf.get("group.instance.id").is_none_or(|id| id.is_empty())
        && client.fatal_error().is_none()
}

/// Whether the group was told, or the client is in none.
fn is_out(client: &Client) -> bool {
    // A fatal error ends the wait: closing is refused then.
    client.fatal_error().is_some() || client.member_id().is_none()
}

impl Live {
    /// Begins leaving the group; its events have to be served until the client is closed.
    pub(super) fn begin_leave(self: &Arc<Self>, queue: &Queue) -> rdk::Result<()> {
        if !has_to_unsubscribe(&self.client) {
            return self.client.close_queue(queue);
        }
        self.client.unsubscribe()?;
        if is_out(&self.client) {
            return self.client.close_queue(queue);
        }
        let live = self.clone();
        let watch = std::thread::Builder::new().name("kafka-unsubscribe".into());
        match watch.spawn(move || live.close_outside()) {
            Ok(_) => Ok(()),
            Err(_) => self.client.close_queue(queue),
        }
    }

    /// Closes the member as soon as the group was told. The object serves the group's events; once it
    /// has given up, they are served here, for the group waits for the answers.
    fn close_outside(self: Arc<Self>) {
        let End::Group(queue) = &self.end else { return };
        let mut end = None;
        while !is_out(&self.client) {
            if !self.left.load(Ordering::Acquire) {
                std::thread::sleep(MOMENT);
                continue;
            }
            if Instant::now() >= *end.get_or_insert_with(|| Instant::now() + LEAVE) {
                break;
            }
            self.answer_next(queue);
        }
        if let Err(e) = self.client.close_queue(queue) {
            self.logger.say(4, "CLOSE", &self.name, e.code.text());
        }
        if let Some(bell) = self.bell() {
            bell.wake();
        }
    }

    /// Answers the next rebalance, if one comes in a moment.
    fn answer_next(&self, queue: &Queue) {
        if let Some(Event::Rebalance(r)) = queue.poll(MOMENT.as_millis() as i32) {
            // A refusal means that the group has gone on without us; leaving goes on too.
            let _ = rebalance::answer(&self.client, r.code, &r.partitions);
        }
    }

    /// Serves a subscriber's leaving until it is done, at most until `deadline`.
    pub fn serve_leave(&self, deadline: Instant) {
        let End::Group(queue) = &self.end else { return };
        while !self.client.closed() && Instant::now() < deadline {
            self.answer_next(queue);
        }
    }
}
