//! How a member leaves its group at its end.
//!
//! Closing does all of it, but for two states in which librdkafka (2.12.1) says that it has ended and
//! does not tell the group. The group then counts a member that is gone, until its session times out:
//!
//! - A member of a cooperative group that has no partitions at that moment, or waits for the answer to its
//!   joining (`rd_kafka_cgrp_revoke_all_rejoin` leaves the telling to a rejoin, which the ending skips).
//!   Every rebalance waits for the one that went. So it unsubscribes first, which does tell the group, and
//!   is closed once it has no member id any more: librdkafka comes to that when a rebalance that is under
//!   way has ended. (Its subscription tells nothing: it is said to be empty before.)
//! - A member whose first request is under way (`RD_KAFKA_CGRP_HAS_JOINED` is not true yet): the answer
//!   makes it one, and nobody is there to take it. So the answer is waited for.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::live::{End, Live};
use super::rebalance;
use crate::rdk::{self, Client, Event, Queue};

/// What a subscriber gets for committing and leaving its group.
pub const LEAVE: Duration = Duration::from_millis(5000);

/// How long a member that the group may not know yet is waited for. Whether its request has been sent can't
/// be seen from here.
const JOIN: Duration = Duration::from_millis(1000);

/// How long it is waited before librdkafka is asked again.
const MOMENT: Duration = Duration::from_millis(20);

/// What closing does not do by itself.
#[derive(Copy, Clone)]
struct Needs {
    /// It has to unsubscribe first. (Static members stay in their group at their end.)
    unsubscribe: bool,
    /// It has subscribed, and a broker has answered: its request may be under way.
    join: bool,
}

impl Needs {
    fn of(client: &Client) -> Needs {
        if client.fatal_error().is_some() {
            // Closing is refused.
            return Needs { unsubscribe: false, join: false };
        }
        let conf = client.conf();
        let has = |key, value: &str| conf.get(key).is_some_and(|v| v.contains(value));
        let new = is_consumer(client);
        let stays = !new && conf.get("group.instance.id").is_some_and(|id| !id.is_empty());
        Needs {
            unsubscribe: !new && !stays && has("partition.assignment.strategy", "cooperative"),
            // One that was put out joins again when it has answered the loss of its partitions.
            join: !stays
                && !client.assignment_lost()
                && !has_joined(client)
                && client.subscription().is_ok_and(|topics| !topics.is_empty())
                && client.cluster_id(0).is_some(),
        }
    }
}

/// Whether it is a member by the protocol of KIP-848.
fn is_consumer(client: &Client) -> bool {
    client.conf().get("group.protocol").is_some_and(|p| p.eq_ignore_ascii_case("consumer"))
}

/// Whether librdkafka would tell the group that it leaves: it has got the member id, or by KIP-848, where
/// members choose that by themselves, an epoch.
fn has_joined(client: &Client) -> bool {
    client.group_metadata().is_some_and(|m| {
        if is_consumer(client) {
            m.generation_id() > 0
        } else {
            !m.member_id().is_empty()
        }
    })
}

impl Live {
    /// Begins leaving the group; its events have to be served until the client is closed.
    pub(super) fn begin_leave(self: &Arc<Self>, queue: &Queue) -> rdk::Result<()> {
        let needs = Needs::of(&self.client);
        // Refused after a fatal error only, and closing says so then.
        let unsubscribed = needs.unsubscribe && !needs.join && self.client.unsubscribe().is_ok();
        if needs.join || (unsubscribed && self.client.member_id().is_some()) {
            let live = self.clone();
            let thread = std::thread::Builder::new().name("kafka-close".into());
            if thread.spawn(move || live.close_later(needs)).is_ok() {
                return Ok(());
            }
        }
        self.client.close_queue(queue)
    }

    /// Closes the member when the group knows that it leaves, or after all that time.
    fn close_later(self: Arc<Self>, needs: Needs) {
        let End::Group(queue) = &self.end else { return };
        if needs.join {
            let end = Instant::now() + JOIN;
            self.serve_until(queue, || has_joined(&self.client) || Instant::now() >= end);
        }
        // One whose joining needs no waiting for has unsubscribed already.
        if needs.unsubscribe && (!needs.join || self.client.unsubscribe().is_ok()) {
            self.serve_until(queue, || self.client.member_id().is_none());
        }
        if let Err(e) = self.client.close_queue(queue) {
            self.logger.say(4, "CLOSE", &self.name, e.code.text());
        }
        if let Some(bell) = self.bell() {
            bell.wake();
        }
    }

    /// Waits. The object serves the group's events meanwhile; once it has given up, they are served here,
    /// for the group waits for the answers. A fatal error ends it: closing is refused then.
    fn serve_until(&self, queue: &Queue, done: impl Fn() -> bool) {
        let mut end = None;
        while !done() && self.client.fatal_error().is_none() {
            if !self.left.load(Ordering::Acquire) {
                std::thread::sleep(MOMENT);
                continue;
            }
            if Instant::now() >= *end.get_or_insert_with(|| Instant::now() + LEAVE) {
                return;
            }
            self.answer_next(queue);
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
