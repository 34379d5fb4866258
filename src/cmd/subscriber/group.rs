//! A subscriber's dealings with its group: rebalances, failed commits, leaving.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::turns::Called;
use super::{Pending, Subscriber};
use crate::cmd::core::Life;
use crate::cmd::leaving::LEAVE;
use crate::cmd::rebalance::{answer, Kind};
use crate::cmd::tps;
use crate::error::{guiding_detail, Error, Result};
use crate::rdk::{self, ClientError, ErrorCode, Event, PartitionList, Rebalance};
use crate::tcl::Obj;

impl Subscriber {
    /// Serves the group's events up to one that needs a call of the rebalance callback.
    pub(super) fn serve_group(&self, words: &mut Vec<Obj>) -> Option<Called> {
        // Looking at the group's queue counts as polling. Of a member that was put out because its
        // script does not read, it would make one that is in the group and does not read.
        while self.rebalance.borrow().is_none() && !self.left_alone.get() && !self.exceeded.get() {
            let event = self.next_group_event()?;
            match event {
                Event::Rebalance(r) if self.is_void(r.code) => {}
                Event::Rebalance(r) => {
                    let calls = self.begin_rebalance(r, words);
                    if calls {
                        return Some(Called::Rebalance);
                    }
                }
                Event::Error(e) => {
                    let late = e.error.code == ErrorCode::MAX_POLL_EXCEEDED;
                    self.exceeded.set(late && self.may_come_back());
                    self.core.message_error(e);
                }
                _ => {}
            }
        }
        None
    }

    /// Whether a member that was put out would be brought back by serving what comes behind that, though its script does
    /// not read. One that leaves has to answer it.
    fn may_come_back(&self) -> bool {
        !self.callback.is_set()
            && self.core.is_open()
            && self.core.client.subscription().is_ok_and(|topics| !topics.is_empty())
    }

    fn next_group_event(&self) -> Option<Event> {
        let early = self.early.borrow_mut().pop_front();
        early.or_else(|| self.look_at_group())
    }

    fn look_at_group(&self) -> Option<Event> {
        if !self.group_bell.look() {
            return None;
        }
        let event = self.group.poll(0)?;
        self.group_bell.more();
        Some(event)
    }

    /// Whether an eager group has moved on since it made this assignment: the next one is on its way, and until
    /// then the partitions may be another member's. (While the group is left each event is answered.)
    fn is_void(&self, code: ErrorCode) -> bool {
        if code != ErrorCode::ASSIGN_PARTITIONS || !self.core.is_open() || !self.is_eager() {
            return false;
        }
        let mut early = self.early.borrow_mut();
        if early.is_empty() {
            early.extend(self.look_at_group());
        }
        // What comes after an assignment that nobody has answered is the next one.
        matches!(early.front(), Some(Event::Rebalance(_))) || !self.core.client.awaits_assign()
    }

    fn is_eager(&self) -> bool {
        !self.core.client.closed() && self.core.client.rebalance_protocol() == "EAGER"
    }

    /// When an eager group assigns, and has not taken back what it assigned before, that is lost first, and the
    /// assignment comes after it: librdkafka says nothing of it when the group moves while an assignment waits
    /// for its answer. The second value is whether it is so.
    fn take_back_first(&self, r: Rebalance) -> (Rebalance, bool) {
        let told = self.told.take();
        if r.code != ErrorCode::ASSIGN_PARTITIONS || told.is_empty() {
            return (r, false);
        }
        self.early.borrow_mut().push_front(Event::Rebalance(r));
        (Rebalance { code: ErrorCode::REVOKE_PARTITIONS, partitions: told }, true)
    }

    /// What an eager group takes back is what it has assigned last, which may have been void, and told to nobody. What the
    /// script was told of before that is lost. The second value is whether it is so.
    fn take_back_told(&self, r: Rebalance) -> (Rebalance, bool) {
        let told = self.told.borrow();
        let is_other = r.code == ErrorCode::REVOKE_PARTITIONS
            && !told.is_empty()
            && self.is_eager()
            && !told.has_same(&r.partitions);
        if !is_other {
            return (r, false);
        }
        (Rebalance { partitions: told.clone(), ..r }, true)
    }

    /// A member that is put out while it is asked to give up some partitions has lost all; librdkafka asks for those
    /// and goes on with the others (its pull request 5604). What an assignment adds then is not the member's: it
    /// takes nothing, and joins again. The second value is whether all is lost.
    fn take_back_all(&self, r: Rebalance) -> (Rebalance, bool) {
        let client = &self.core.client;
        if !self.core.is_open() || client.closed() || !client.is_out() {
            return (r, false);
        }
        match r.code {
            // An eager one is asked to give up all again, so it takes what it is assigned.
            ErrorCode::ASSIGN_PARTITIONS if !self.is_eager() => {
                (Rebalance { partitions: PartitionList::new(), ..r }, false)
            }
            ErrorCode::REVOKE_PARTITIONS => match client.assignment() {
                Ok(partitions) => (Rebalance { partitions, ..r }, true),
                // The group has ended: nothing more than what it asks for can be given up.
                Err(_) => (r, true),
            },
            _ => (r, false),
        }
    }

    /// A cooperative member that has lost all (`take_back_all`) is asked for some of it again later, as librdkafka had
    /// them down for the group: what the member does not hold any more is left out, for librdkafka refuses that. The
    /// second value is whether nothing remains.
    fn only_held(&self, r: Rebalance) -> (Rebalance, bool) {
        let client = &self.core.client;
        if r.code != ErrorCode::REVOKE_PARTITIONS || client.closed() || self.is_eager() {
            return (r, false);
        }
        // The group has ended: what it asks for can't be compared, and is given up as it is.
        let Ok(held) = client.assignment() else { return (r, false) };
        let held: HashSet<_> = held.iter().map(|e| (e.topic.to_owned(), e.partition)).collect();
        let stays: Vec<usize> = (0..)
            .zip(r.partitions.iter())
            .filter(|(_, e)| held.contains(&(e.topic.to_owned(), e.partition)))
            .map(|(i, _)| i)
            .collect();
        if stays.len() == r.partitions.len() {
            return (r, false);
        }
        match r.partitions.select(&stays) {
            Ok(partitions) => (Rebalance { partitions, ..r }, stays.is_empty()),
            // Only a name with a NUL in it is refused, which no topic has; librdkafka says then what is wrong.
            Err(_) => (r, false),
        }
    }

    /// Serves what became of commits that no call waits for, up to one that needs a call of the commit
    /// callback.
    pub(super) fn serve_commits(&self, words: &mut Vec<Obj>) -> bool {
        while let Some((error, partitions)) = self.core.next_commit() {
            let calls = self.tell_commit(error.as_ref(), &partitions, words);
            if let Some(e) = error {
                self.commit_failed(e, &partitions);
            }
            if calls {
                return true;
            }
        }
        false
    }

    /// Has the commit callback told of a commit that nobody waits for; false when there is none, or
    /// nothing was to be committed.
    fn tell_commit(
        &self,
        error: Option<&rdk::Error>,
        partitions: &PartitionList,
        words: &mut Vec<Obj>,
    ) -> bool {
        let sent: Vec<Obj> =
            partitions.iter().filter(|e| e.offset >= 0).map(|e| tps::tp(&e, true)).collect();
        let callback = self.commit_callback.get().filter(|_| self.core.can_call());
        let Some(prefix) = callback.filter(|_| !sent.is_empty()) else { return false };
        let mut dict = vec![Obj::text("partitions"), Obj::list(&sent)];
        if let Some(e) = error {
            let [error, code, message] = ["error", "code", "message"].map(Obj::text);
            dict.extend([
                error,
                Obj::text(&e.code.text()),
                code,
                Obj::text(&e.code.constant()),
                message,
                Obj::text(&guiding_detail(&self.core.explain(e.clone()))),
            ]);
        }
        prefix.fill(Obj::list(&dict), words);
        true
    }

    /// A commit that nobody waits for has failed. Nothing is lost by it: the messages come again.
    fn commit_failed(&self, e: rdk::Error, partitions: &PartitionList) {
        // The later one of the same partitions has an answer of its own.
        if e.code == ErrorCode::NO_OFFSET || e.code == ErrorCode::OUTDATED {
            return;
        }
        let place = partitions.iter().next().map_or_else(String::new, |p| {
            format!(" of topic {} partition {}", p.topic, p.partition)
        });
        let detail = format!("commit{place} failed: {}", e.code.text());
        self.core.logger.say(4, "COMMIT", &self.core.live.name, detail.clone());
        if self.core.callbacks.error().is_some() {
            let error = rdk::Error { detail, ..e };
            self.core.inject_error(ClientError { error, topic: None, partition: None });
        }
    }

    /// True when the rebalance callback is to be called first.
    fn begin_rebalance(&self, r: Rebalance, words: &mut Vec<Obj>) -> bool {
        // Of an assignment that was void, and told to nobody. It has to be answered all the same.
        let untold = r.code == ErrorCode::REVOKE_PARTITIONS
            && !r.partitions.is_empty()
            && self.told.borrow().is_empty()
            && self.is_eager();
        let (r, is_other) = self.take_back_told(r);
        let (r, unasked) = self.take_back_first(r);
        let (r, out) = if unasked || is_other { (r, is_other) } else { self.take_back_all(r) };
        let (r, gone) = if unasked { (r, false) } else { self.only_held(r) };
        let untold = untold || gone;
        let kind = if unasked || out { Kind::Lost } else { Kind::of(&self.core.client, &r) };
        if r.code != ErrorCode::ASSIGN_PARTITIONS && r.code != ErrorCode::REVOKE_PARTITIONS {
            let error = rdk::Error::with_detail(r.code, "the group's rebalance failed");
            self.core.message_error(ClientError { error, topic: None, partition: None });
        }
        if kind == Kind::Revoke {
            self.reader.hand_over();
        }
        let callback = self.rebalance_callback.get().filter(|_| !untold && self.core.can_call());
        let dict = kind.dict(&r.partitions);
        let since = Instant::now();
        let pending = Pending { kind, list: r.partitions, answered: false, unasked, since };
        *self.rebalance.borrow_mut() = Some(pending);
        match callback {
            Some(prefix) => {
                prefix.fill(dict, words);
                true
            }
            None => {
                self.complete_rebalance();
                false
            }
        }
    }

    /// Deleted in its rebalance callback: the rebalance is answered now. Once the group is left
    /// librdkafka answers no question about it any more, and asking would wait for ever; and with the
    /// interpreter going, nobody comes back to answer, while closing and even destroying the client
    /// wait for it.
    pub(super) fn answer_pending(&self) {
        if self.core.client.forked() || self.core.life.get() == Life::Closed {
            return;
        }
        // Nothing is taken any more: a fetch that begins while the client ends was seen to keep it from
        // ending. A refusal means that the group has gone on without us; leaving it goes on too.
        let client = &self.core.client;
        let hold_nothing = |is_assign: bool, list: &PartitionList| {
            let _ = if is_assign {
                answer(client, ErrorCode::ASSIGN_PARTITIONS, &PartitionList::new())
            } else {
                answer(client, ErrorCode::REVOKE_PARTITIONS, list)
            };
        };
        if let Some(pending) = &mut *self.rebalance.borrow_mut() {
            if !std::mem::replace(&mut pending.answered, true) && !pending.unasked {
                hold_nothing(pending.kind == Kind::Assign, &pending.list);
            }
        }
        for event in self.early.take() {
            if let Event::Rebalance(r) = event {
                hold_nothing(r.code == ErrorCode::ASSIGN_PARTITIONS, &r.partitions);
            }
        }
    }

    /// Completes the rebalance after its callback, whatever became of that.
    pub(super) fn complete_rebalance(&self) {
        let Some(pending) = self.rebalance.borrow_mut().take() else { return };
        let Pending { kind, list, answered, unasked, since } = pending;
        self.core.pause_close(since.elapsed());
        if kind == Kind::Assign && self.is_eager() {
            *self.told.borrow_mut() = list.clone();
        }
        let done = match kind {
            _ if answered => Ok(()),
            _ if unasked => {
                self.reader.end(&list);
                Ok(())
            }
            Kind::Assign => self.take_assignment(&list),
            Kind::Revoke | Kind::Lost => {
                if kind == Kind::Revoke {
                    self.reader.hand_over();
                }
                let done = answer(&self.core.client, ErrorCode::REVOKE_PARTITIONS, &list);
                self.reader.end(&list);
                done.map_err(Error::from)
            }
        };
        if let Err(Error::Kafka(e)) = done {
            self.core.message_error(ClientError { error: e, topic: None, partition: None });
        }
        // Messages that came meanwhile have used their wake up.
        self.core.again();
    }

    fn take_assignment(&self, list: &PartitionList) -> Result<()> {
        if self.is_void(ErrorCode::ASSIGN_PARTITIONS) {
            // The group has moved on during the callback, which will hear of that with the next assignment.
            return Ok(());
        }
        let mut paused = PartitionList::new();
        for e in list.iter() {
            // The callback may have paused what it is about to get.
            if self.reader.find(e.topic, e.partition).is_some_and(|p| p.is_paused()) {
                paused.add(e.topic, e.partition)?;
            }
        }
        self.reader.begin(list)?;
        answer(&self.core.client, ErrorCode::ASSIGN_PARTITIONS, list)?;
        if !paused.is_empty() {
            self.core.client.pause(&mut paused)?;
        }
        Ok(())
    }

    /// Refuses what asks the group's part of librdkafka once leaving has begun. It takes such a
    /// question for as long as it has not left, and drops it unanswered if it has left by the time it
    /// comes to it: the call would wait for ever. A subscription that comes in between ends the process
    /// by an assertion. (`rd_kafka_cgrp_op_serve`, `rd_kafka_cgrp_terminated`, 2.12.1.) Only while the
    /// group waits for the answer to a rebalance it can't be left.
    pub fn need_group(&self) -> Result<()> {
        if self.core.is_open() || self.is_asked() {
            return Ok(());
        }
        Err(Error::State("the object is being closed".to_owned()))
    }

    /// Whether the group waits for the answer to a rebalance.
    pub fn is_asked(&self) -> bool {
        self.rebalance.borrow().as_ref().is_some_and(|p| !p.answered && !p.unasked)
    }

    /// Serves the group's events again, also those of a member that was put out for not reading.
    pub fn heed_group(&self) {
        self.exceeded.set(false);
        self.core.again();
    }

    /// Begins leaving the group.
    pub fn begin_close(&self, within: Duration) {
        if !self.core.is_open() {
            return;
        }
        self.heed_group();
        self.core.begin_close(Some(within));
        if let Err(e) = self.core.live.begin_end() {
            self.core.logger.say(4, "CLOSE", &self.core.live.name, e.code.text());
        }
    }

    /// Leaves the group on a thread of its own. The group waits for our answer to its revoke, and the
    /// script may be in a blocking call of another member, or have no event loop at all.
    pub(super) fn leave_alone(&self) {
        let (live, source) = (self.core.live.clone(), self.core.source().cloned());
        let work = move || {
            live.serve_leave(Instant::now() + LEAVE);
            drop(live);
            if let Some(source) = source {
                source.wake();
            }
        };
        match std::thread::Builder::new().name("kafka-leave".into()).spawn(work) {
            Ok(_) => self.left_alone.set(true),
            // Then the event loop does it.
            Err(e) => self.core.logger.say(4, "CLOSE", &self.core.live.name, e.to_string()),
        }
    }

    pub(super) fn finish(&self) {
        self.group.disable_wake();
        self.reader.messages.disable_wake();
        let old = self.keepalive.take();
        drop(old);
        self.reader.end_all();
        self.core.finish();
    }
}
