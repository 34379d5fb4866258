//! Offsets, records and leaders of partitions.

use std::collections::HashMap;

use libc::c_int;

use super::{array, error_of, raw, Admin, Bag, Op};
use crate::rdk::again::{ask_each, passes, Patience};
use crate::rdk::errno::{Error, ErrorCode, Result};
use crate::rdk::ptr::string;
use crate::rdk::{Elem, PartitionList};

/// Instead of a timestamp: the first offset.
pub const SPEC_EARLIEST: i64 = -2;
/// Instead of a timestamp: the one behind the last.
pub const SPEC_LATEST: i64 = -1;
/// Instead of a timestamp: that of the newest message.
pub const SPEC_MAX_TIMESTAMP: i64 = -3;

/// An offset that was asked for.
#[derive(Clone, Debug)]
pub struct ListedOffset {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset, -1 for none, and the timestamp of the message there, -1 for none.
    pub found: Result<(i64, i64)>,
    /// The leader's epoch, -1 when not known.
    pub leader_epoch: i32,
}

/// An election's outcome for a partition.
#[derive(Clone, Debug)]
pub struct Election {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why there is no new leader, if there is none.
    pub error: Option<Error>,
}

impl Admin<'_> {
    /// Why each partition has no leader. When none has one, librdkafka says no more than that.
    fn leaderless(&self, list: &PartitionList) -> Result<Vec<ErrorCode>> {
        let mut names: Vec<String> = list.iter().map(|e| e.topic.to_owned()).collect();
        names.sort();
        names.dedup();
        let found = self.describe_topics(&names, false)?;
        let why = |topic: &str, partition: i32| match found.iter().find(|(name, _)| name == topic) {
            Some((_, Err(e))) => e.code,
            Some((_, Ok(d))) if d.partitions.iter().any(|p| p.id == partition) => {
                ErrorCode::LEADER_NOT_AVAILABLE
            }
            _ => ErrorCode::UNKNOWN_PARTITION,
        };
        Ok(list.iter().map(|e| why(e.topic, e.partition)).collect())
    }

    /// Deletes the messages before the offsets; -1 is all. In the list that comes back the offsets
    /// are the new first ones, and partitions have their errors. Partitions whose leader
    /// moves are asked for again: what is deleted already is deleted.
    pub fn delete_records(&self, before: &PartitionList) -> Result<PartitionList> {
        let (passes, mut patience) = (passes(self.client, before), Patience::new());
        let answers = ask_each(before.len(), &self.time, passes, |open| {
            let asked = before.select(open)?;
            let found = patience
                .attempt(&self.time, |time| self.within(time).delete_records_once(&asked))?;
            Ok(found.iter().map(|e| e.error.map_or(Ok(e.offset), |c| Err(Error::new(c)))).collect())
        })?;
        let mut list = before.clone();
        for (i, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(offset) => list.set_offset(i, offset),
                Err(e) => list.set_error(i, Some(e.code)),
            }
        }
        Ok(list)
    }

    /// The same, once (`rd_kafka_DeleteRecords`), in the order of the list.
    fn delete_records_once(&self, before: &PartitionList) -> Result<PartitionList> {
        let mut bag = Bag::new(raw::rd_kafka_DeleteRecords_destroy);
        // SAFETY: the list is copied; the object is ours.
        bag.add(unsafe { raw::rd_kafka_DeleteRecords_new(before.as_ptr()) }, String::new)?;
        let options = self.options(Op::DeleteRecords)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the object is copied.
            unsafe { raw::rd_kafka_DeleteRecords(rk, bag.as_mut_ptr(), bag.len(), options, queue) }
        });
        let answer = match answer {
            Err(e) if e.code == ErrorCode::NOENT => {
                let mut list = before.clone();
                for (i, code) in self.leaderless(before)?.into_iter().enumerate() {
                    list.set_error(i, Some(code));
                }
                return Ok(list);
            }
            other => other?,
        };
        let result = answer.result(raw::rd_kafka_event_DeleteRecords_result)?;
        // SAFETY: the result lives as long as the answer; the list is copied.
        let found =
            unsafe { PartitionList::copy_raw(raw::rd_kafka_DeleteRecords_result_offsets(result)) };
        let mut list = before.clone();
        for (i, e) in before.iter().enumerate() {
            let answer = found.find(e.topic, e.partition).and_then(|at| found.get(at));
            let answer = answer.map_or((e.offset, Some(ErrorCode::FAIL)), |a| (a.offset, a.error));
            list.set_offset(i, answer.0);
            list.set_error(i, answer.1);
        }
        Ok(list)
    }

    /// Looks offsets up; in the list, offsets are timestamps or `SPEC_...`. `committed` ignores
    /// what open transactions wrote. Partitions whose leader moves are asked for again.
    pub fn list_offsets(&self, list: &PartitionList, committed: bool) -> Result<Vec<ListedOffset>> {
        let mut epochs = vec![-1; list.len()];
        let (passes, mut patience) = (passes(self.client, list), Patience::new());
        let answers = ask_each(list.len(), &self.time, passes, |open| {
            let asked = list.select(open)?;
            let answers = patience.attempt(&self.time, |time| {
                self.within(time).list_offsets_once(&asked, committed)
            })?;
            let mut found: HashMap<_, _> =
                answers.into_iter().map(|f| ((f.topic.clone(), f.partition), f)).collect();
            Ok(asked
                .iter()
                .zip(open)
                .map(|(e, i)| {
                    let answer = found
                        .remove(&(e.topic.to_owned(), e.partition))
                        .ok_or_else(|| Error::with_detail(ErrorCode::FAIL, "not answered"))?;
                    epochs[*i] = answer.leader_epoch;
                    answer.found
                })
                .collect())
        })?;
        let place = |((e, found), leader_epoch): ((Elem<'_>, _), _)| ListedOffset {
            topic: e.topic.to_owned(),
            partition: e.partition,
            found,
            leader_epoch,
        };
        Ok(list.iter().zip(answers).zip(epochs).map(place).collect())
    }

    /// The same, once (`rd_kafka_ListOffsets`), in any order.
    fn list_offsets_once(
        &self,
        list: &PartitionList,
        committed: bool,
    ) -> Result<Vec<ListedOffset>> {
        let options = self.options(Op::ListOffsets)?;
        // SAFETY: the options are valid; the error returned is ours.
        unsafe {
            Error::take(raw::rd_kafka_AdminOptions_set_isolation_level(
                options.ptr(),
                committed.into(),
            ))?;
        }
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the list is copied, though not taken as constant.
            unsafe { raw::rd_kafka_ListOffsets(rk, list.as_ptr().cast_mut(), options, queue) }
        });
        let answer = match answer {
            Err(e) if e.code == ErrorCode::NOENT => {
                let why = self.leaderless(list)?;
                return Ok(list
                    .iter()
                    .zip(why)
                    .map(|(e, code)| ListedOffset {
                        topic: e.topic.to_owned(),
                        partition: e.partition,
                        found: Err(Error::new(code)),
                        leader_epoch: -1,
                    })
                    .collect());
            }
            other => other?,
        };
        let result = answer.result(raw::rd_kafka_event_ListOffsets_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let infos = array(|n| raw::rd_kafka_ListOffsets_result_infos(result, n));
            Ok(infos
                .iter()
                .map(|info| {
                    let tp = raw::rd_kafka_ListOffsetsResultInfo_topic_partition(*info);
                    let time = raw::rd_kafka_ListOffsetsResultInfo_timestamp(*info);
                    let found = match ErrorCode((*tp).err).error() {
                        None => Ok(((*tp).offset, time)),
                        Some(code) => Err(Error::new(code)),
                    };
                    ListedOffset {
                        topic: string((*tp).topic),
                        partition: (*tp).partition,
                        found,
                        leader_epoch: crate::rdk::raw::rd_kafka_topic_partition_get_leader_epoch(
                            tp,
                        ),
                    }
                })
                .collect())
        }
    }

    /// Has leaders elected: the preferred replicas, or, `unclean`, one that may lack messages where
    /// there is no other. Of these partitions, or of all (`rd_kafka_ElectLeaders`).
    pub fn elect_leaders(
        &self,
        unclean: bool,
        partitions: Option<&mut PartitionList>,
    ) -> Result<Vec<Election>> {
        let mut bag = Bag::new(raw::rd_kafka_ElectLeaders_destroy);
        let list = partitions.map_or(std::ptr::null_mut(), PartitionList::as_mut_ptr);
        // SAFETY: the list is null or valid, and copied; the object is ours.
        let made = unsafe { raw::rd_kafka_ElectLeaders_new(c_int::from(unclean), list) };
        let made = bag.add(made, String::new)?;
        let options = self.options(Op::ElectLeaders)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the object is copied.
            unsafe { raw::rd_kafka_ElectLeaders(rk, made, options, queue) }
        })?;
        let result = answer.result(raw::rd_kafka_event_ElectLeaders_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let partitions = array(|n| raw::rd_kafka_ElectLeaders_result_partitions(result, n));
            Ok(partitions
                .iter()
                .map(|p| {
                    let tp = raw::rd_kafka_topic_partition_result_partition(*p);
                    Election {
                        topic: string((*tp).topic),
                        partition: (*tp).partition,
                        error: error_of(raw::rd_kafka_topic_partition_result_error(*p)),
                    }
                })
                .collect())
        }
    }
}
