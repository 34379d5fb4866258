//! What a consumer with a group does. On a client without a group.id the group calls
//! answer `UNKNOWN_GROUP`, on a producer all of them an error.

use std::sync::atomic::Ordering;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use libc::c_void;

use super::bound::Bound;
use super::client::{Client, Kind};
use super::errno::{Error, ErrorCode, Result};
use super::event::raw_type;
use super::ptr::string;
use super::{raw, PartitionList, Queue};

/// What a group gets to answer that it was left: librdkafka gives that request five seconds.
const LEAVING: Duration = Duration::from_millis(6000);

/// Sees a consumer that is being closed out of its group, for as long as that may take, before it is
/// destroyed.
///
/// librdkafka (2.12.1) forgets that it waits for the answer to its leaving when it is destroyed
/// meanwhile, and waits for ever (`rd_kafka_cgrp_handle_LeaveGroup` with `_DESTROY`). `close -timeout 1`
/// was enough for that.
///
/// # Safety
/// `rk` is a valid consumer with a group, `rd_kafka_consumer_close_queue` was called, and nobody else
/// uses it.
pub(super) unsafe fn serve_leave(rk: *mut raw::rd_kafka_t) {
    let _bound = Bound::begin(true);
    let end = Instant::now() + LEAVING;
    // SAFETY: the handle is valid; queue and events are ours and go before it does.
    unsafe {
        let queue = raw::rd_kafka_queue_get_consumer(rk);
        if queue.is_null() {
            return;
        }
        while raw::rd_kafka_consumer_closed(rk) == 0 && Instant::now() < end {
            let event = raw::rd_kafka_queue_poll(queue, 20);
            if event.is_null() {
                continue;
            }
            if raw::rd_kafka_event_type(event) == raw_type::REBALANCE {
                // Whatever it is about: with the end begun, each answer takes all away.
                raw::rd_kafka_assign(rk, std::ptr::null());
            }
            raw::rd_kafka_event_destroy(event);
        }
        drain(rk, queue);
        raw::rd_kafka_queue_destroy(queue);
    }
}

/// Drops what a closed consumer was given and nobody has read. Messages hold on to the broker that they came
/// from, and destroying the consumer waits for its brokers before it empties this queue.
///
/// # Safety
/// As for [`serve_leave`]; `queue` is the consumer's.
unsafe fn drain(rk: *mut raw::rd_kafka_t, queue: *mut raw::rd_kafka_queue_t) {
    // SAFETY: as for `serve_leave`. What a consumer that is not closed has read might be committed.
    unsafe {
        while raw::rd_kafka_consumer_closed(rk) != 0 {
            let event = raw::rd_kafka_queue_poll(queue, 0);
            if event.is_null() {
                return;
            }
            raw::rd_kafka_event_destroy(event);
        }
    }
}

fn raw_or_null(list: Option<&PartitionList>) -> *const raw::list_t {
    list.map_or(std::ptr::null(), PartitionList::as_ptr)
}

impl Client {
    /// A question to the group has an end while this lives.
    pub(super) fn bound(&self) -> Bound {
        Bound::begin(*self.closing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Subscribes to the topics of the list; names that start with `^` are regular
    /// expressions (`rd_kafka_subscribe`).
    pub fn subscribe(&self, topics: &PartitionList) -> Result<()> {
        let _bound = self.bound();
        // SAFETY: handle and list are valid; the list is copied.
        ErrorCode(unsafe { raw::rd_kafka_subscribe(self.as_ptr(), topics.as_ptr()) }).ok()
    }

    /// Ends the subscription (`rd_kafka_unsubscribe`).
    pub fn unsubscribe(&self) -> Result<()> {
        let _bound = self.bound();
        // SAFETY: the handle is valid.
        ErrorCode(unsafe { raw::rd_kafka_unsubscribe(self.as_ptr()) }).ok()
    }

    /// What is subscribed to (`rd_kafka_subscription`).
    pub fn subscription(&self) -> Result<PartitionList> {
        let _bound = self.bound();
        let mut list = std::ptr::null_mut();
        // SAFETY: handle and out pointer are valid; the list returned is ours.
        unsafe {
            ErrorCode(raw::rd_kafka_subscription(self.as_ptr(), &mut list)).ok()?;
            Ok(PartitionList::from_raw(list))
        }
    }

    /// Replaces the assignment; `None` clears it (`rd_kafka_assign`). Nothing of it is paused.
    pub fn assign(&self, list: Option<&PartitionList>) -> Result<()> {
        if let Some(list) = list {
            self.unpause(list)?;
        }
        let _bound = self.bound();
        // SAFETY: the handle is valid, the list too or null; it is copied.
        ErrorCode(unsafe { raw::rd_kafka_assign(self.as_ptr(), raw_or_null(list)) }).ok()
    }

    /// Adds to the assignment (`rd_kafka_incremental_assign`). Nothing of what is added is paused.
    pub fn incremental_assign(&self, list: &PartitionList) -> Result<()> {
        self.unpause(list)?;
        let _bound = self.bound();
        // SAFETY: handle and list are valid; the list is copied, the error taken over.
        unsafe {
            Error::take(raw::rd_kafka_incremental_assign(
                self.as_ptr(),
                list.as_ptr().cast::<raw::bound_list_t>(),
            ))
        }
    }

    /// Takes from the assignment (`rd_kafka_incremental_unassign`).
    pub fn incremental_unassign(&self, list: &PartitionList) -> Result<()> {
        let _bound = self.bound();
        // SAFETY: as for `incremental_assign`.
        unsafe {
            Error::take(raw::rd_kafka_incremental_unassign(
                self.as_ptr(),
                list.as_ptr().cast::<raw::bound_list_t>(),
            ))
        }
    }

    /// What is assigned (`rd_kafka_assignment`).
    pub fn assignment(&self) -> Result<PartitionList> {
        let _bound = self.bound();
        let mut list = std::ptr::null_mut();
        // SAFETY: handle and out pointer are valid; the list returned is ours.
        unsafe {
            ErrorCode(raw::rd_kafka_assignment(self.as_ptr(), &mut list)).ok()?;
            Ok(PartitionList::from_raw(list))
        }
    }

    /// Whether the group took the assignment away already (`rd_kafka_assignment_lost`).
    pub fn assignment_lost(&self) -> bool {
        // SAFETY: the handle is valid.
        unsafe { raw::rd_kafka_assignment_lost(self.as_ptr()) != 0 }
    }

    /// `NONE`, `EAGER` or `COOPERATIVE` (`rd_kafka_rebalance_protocol`).
    pub fn rebalance_protocol(&self) -> String {
        let _bound = self.bound();
        // SAFETY: the handle is valid; the result is a static string or null.
        let name = unsafe { string(raw::rd_kafka_rebalance_protocol(self.as_ptr())) };
        if name.is_empty() {
            "NONE".to_owned()
        } else {
            name
        }
    }

    /// Sets each element's offset to the one behind the last message that librdkafka
    /// gave out (`rd_kafka_position`).
    pub fn position(&self, list: &mut PartitionList) -> Result<()> {
        self.need(Kind::Consumer)?;
        // SAFETY: handle and list are valid, and the list is borrowed exclusively.
        ErrorCode(unsafe { raw::rd_kafka_position(self.as_ptr(), list.as_mut_ptr()) }).ok()
    }

    /// Sets each element's offset and metadata to what the group committed. Blocks up
    /// to `timeout_ms` (`rd_kafka_committed`).
    pub fn committed(&self, list: &mut PartitionList, timeout_ms: i32) -> Result<()> {
        // SAFETY: as for `position`.
        ErrorCode(unsafe { raw::rd_kafka_committed(self.as_ptr(), list.as_mut_ptr(), timeout_ms) })
            .ok()
    }

    /// Commits these offsets, or the stored ones (`rd_kafka_commit`). Without `async_`
    /// it blocks until the answer; with it an `OffsetCommit` event tells.
    pub fn commit(&self, list: Option<&PartitionList>, async_: bool) -> Result<()> {
        // SAFETY: the handle is valid, the list too or null; it is copied.
        ErrorCode(unsafe {
            raw::rd_kafka_commit(self.as_ptr(), raw_or_null(list), i32::from(async_))
        })
        .ok()
    }

    /// Commits without blocking; the `OffsetCommit` event comes to `queue`
    /// (`rd_kafka_commit_queue`).
    ///
    /// Refused once closing was begun, for librdkafka ends the process if a commit comes when the
    /// group is just left (`rd_kafka_cgrp_terminated` asserts that none is under way). `asked`: the group
    /// waits for the answer to a rebalance, and can't be left before that.
    ///
    /// Gives its number among the client's commits.
    pub fn commit_queue(
        &self,
        list: Option<&PartitionList>,
        queue: &Queue,
        asked: bool,
    ) -> Result<u64> {
        self.commit_after(None, list, queue, asked)
    }

    /// The same, but refused with `OUTDATED` unless the last commit is the one of that number: what was committed
    /// later would be undone.
    pub fn commit_after(
        &self,
        number: Option<u64>,
        list: Option<&PartitionList>,
        queue: &Queue,
        asked: bool,
    ) -> Result<u64> {
        queue.need_client(self)?;
        // Held while librdkafka takes the commit: its queue keeps the order of the two then.
        let closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        if *closing && !asked {
            return Err(Error::with_detail(ErrorCode::STATE, "the object is being closed"));
        }
        let last = self.commits.load(Ordering::Relaxed);
        if number.is_some_and(|number| number != last) {
            return Err(Error::new(ErrorCode::OUTDATED));
        }
        // SAFETY: handle and queue are valid, the list too or null; without a callback
        // the result is an event of the queue.
        ErrorCode(unsafe {
            raw::rd_kafka_commit_queue(
                self.as_ptr(),
                raw_or_null(list),
                queue.as_ptr(),
                None,
                std::ptr::null_mut::<c_void>(),
            )
        })
        .ok()?;
        self.commits.store(last + 1, Ordering::Relaxed);
        Ok(last + 1)
    }

    /// Stores offsets for the next commit (`rd_kafka_offsets_store`). Errors of single
    /// partitions are in the list; an error is returned only when none could be stored.
    pub fn store_offsets(&self, list: &mut PartitionList) -> Result<()> {
        self.need(Kind::Consumer)?;
        // SAFETY: as for `position`.
        ErrorCode(unsafe { raw::rd_kafka_offsets_store(self.as_ptr(), list.as_mut_ptr()) }).ok()
    }

    /// Stops fetching the partitions, until they are resumed or assigned anew; errors are in the list
    /// (`rd_kafka_pause_partitions`).
    pub fn pause(&self, list: &mut PartitionList) -> Result<()> {
        self.need(Kind::Consumer)?;
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as for `position`.
        ErrorCode(unsafe { raw::rd_kafka_pause_partitions(self.as_ptr(), list.as_mut_ptr()) })
            .ok()?;
        for e in list.iter().filter(|e| e.error.is_none()) {
            paused.insert((e.topic.to_owned(), e.partition));
        }
        Ok(())
    }

    /// Goes on fetching; errors are in the list (`rd_kafka_resume_partitions`).
    pub fn resume(&self, list: &mut PartitionList) -> Result<()> {
        self.need(Kind::Consumer)?;
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as for `position`.
        ErrorCode(unsafe { raw::rd_kafka_resume_partitions(self.as_ptr(), list.as_mut_ptr()) })
            .ok()?;
        for e in list.iter().filter(|e| e.error.is_none()) {
            paused.remove(&(e.topic.to_owned(), e.partition));
        }
        Ok(())
    }

    /// A pause ends with the assignment, as in Java's consumer. librdkafka keeps it for as long as it knows
    /// the partition, whoever has it meanwhile.
    fn unpause(&self, list: &PartitionList) -> Result<()> {
        let mut kept = PartitionList::new();
        {
            let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
            if paused.is_empty() {
                return Ok(());
            }
            for e in list.iter() {
                if paused.contains(&(e.topic.to_owned(), e.partition)) {
                    kept.add(e.topic, e.partition)?;
                }
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        self.resume(&mut kept)
    }

    /// Moves assigned partitions to the elements' offsets, waiting up to `timeout_ms`;
    /// 0 doesn't wait. Errors of single partitions are in the list
    /// (`rd_kafka_seek_partitions`).
    pub fn seek(&self, list: &mut PartitionList, timeout_ms: i32) -> Result<()> {
        self.need(Kind::Consumer)?;
        // SAFETY: as for `position`; the error is taken over.
        unsafe {
            Error::take(raw::rd_kafka_seek_partitions(
                self.as_ptr(),
                list.as_mut_ptr().cast::<raw::bound_list_t>(),
                timeout_ms,
            ))
        }
    }

    /// Begins to close the consumer; rebalance and commit events go to `queue`, which
    /// has to be served until [`closed`](Client::closed)
    /// (`rd_kafka_consumer_close_queue`).
    ///
    /// librdkafka refuses it after a fatal error and then begins nothing, so there is no end to wait
    /// for: only destroying the client takes its partitions away, without a word to the group.
    pub fn close_queue(&self, queue: &Queue) -> Result<()> {
        queue.need_client(self)?;
        let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: handle and queue are valid; the error is taken over.
        let begun = unsafe {
            Error::take(raw::rd_kafka_consumer_close_queue(self.as_ptr(), queue.as_ptr()))
        };
        match begun {
            Ok(()) => *closing = true,
            Err(ref e) => drop(self.refusal.set(e.clone())),
        }
        begun
    }

    /// Whether closing was begun.
    pub fn is_closing(&self) -> bool {
        *self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether closing has ended (`rd_kafka_consumer_closed`), or was refused.
    pub fn closed(&self) -> bool {
        // SAFETY: the handle is valid.
        self.refusal().is_some() || unsafe { raw::rd_kafka_consumer_closed(self.as_ptr()) != 0 }
    }

    /// Why closing was refused, if it was: nothing was committed, and the group was not left.
    pub fn refusal(&self) -> Option<&Error> {
        self.refusal.get()
    }

    /// The id that the group gave this member; `None` without one (`rd_kafka_memberid`).
    pub fn member_id(&self) -> Option<String> {
        let _bound = self.bound();
        // SAFETY: the handle is valid; the string is ours and freed once.
        unsafe {
            let id = raw::rd_kafka_memberid(self.as_ptr());
            if id.is_null() {
                return None;
            }
            let copy = string(id);
            raw::rd_kafka_mem_free(self.as_ptr(), id.cast::<c_void>());
            Some(copy).filter(|id| !id.is_empty())
        }
    }
}
