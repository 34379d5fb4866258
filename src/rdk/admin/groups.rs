//! Consumer groups.

use std::collections::HashSet;

use std::ffi::CStr;

use libc::c_int;

use super::acls::operations;
use super::cluster::Node;
use super::{array, error_of, number, raw, word, Admin, Bag, Named, Names, Op};
use crate::rdk::again::coordinator_moves;
use crate::rdk::errno::{Error, ErrorCode, Result};
use crate::rdk::ptr::{cstring, string};
use crate::rdk::PartitionList;

/// `rd_kafka_consumer_group_state_t`: words by their number.
pub const GROUP_STATES: [&str; 6] =
    ["unknown", "preparing_rebalance", "completing_rebalance", "stable", "dead", "empty"];

/// `rd_kafka_consumer_group_type_t`: words by their number.
pub const GROUP_TYPES: [&str; 3] = ["unknown", "consumer", "classic"];

/// A group in a listing.
#[derive(Clone, Debug)]
pub struct GroupListing {
    /// Its id.
    pub group: String,
    /// One of [`GROUP_STATES`].
    pub state: &'static str,
    /// One of [`GROUP_TYPES`].
    pub kind: &'static str,
    /// Whether it has offsets only: nobody ever joined.
    pub simple: bool,
}

/// A described group.
#[derive(Debug)]
pub struct GroupDescription {
    /// One of [`GROUP_STATES`].
    pub state: &'static str,
    /// One of [`GROUP_TYPES`].
    pub kind: &'static str,
    /// Whether it has offsets only: nobody ever joined.
    pub simple: bool,
    /// How partitions are assigned.
    pub assignor: String,
    /// The broker that keeps the group.
    pub coordinator: Option<Node>,
    /// Its members.
    pub members: Vec<Member>,
    /// What the caller may do with it, if asked for.
    pub operations: Vec<&'static str>,
}

/// A group's member.
#[derive(Debug)]
pub struct Member {
    /// The id that the group gave it.
    pub member_id: String,
    /// `client.id`.
    pub client_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// Where it is.
    pub host: String,
    /// What it reads.
    pub assignment: PartitionList,
    /// What it is to read, while that is another.
    pub target: Option<PartitionList>,
}

/// The numbers of words; those of a listing's filters.
fn numbers(words: &[&str], chosen: &[String]) -> Result<Vec<c_int>> {
    chosen.iter().map(|w| number(words, w)).collect()
}

impl Admin<'_> {
    /// The groups of all brokers, and the errors of those that did not tell; `states` and `kinds`
    /// choose, unless they are empty (`rd_kafka_ListConsumerGroups`).
    pub fn list_groups(
        &self,
        states: &[String],
        kinds: &[String],
    ) -> Result<(Vec<GroupListing>, Vec<Error>)> {
        let states = numbers(&GROUP_STATES, states)?;
        let kinds = numbers(&GROUP_TYPES, kinds)?;
        let options = self.options(Op::ListConsumerGroups)?;
        // SAFETY: the options are valid, the arrays have the lengths given and are copied; the
        // errors returned are ours.
        unsafe {
            if !states.is_empty() {
                Error::take(raw::rd_kafka_AdminOptions_set_match_consumer_group_states(
                    options.ptr(),
                    states.as_ptr(),
                    states.len(),
                ))?;
            }
            if !kinds.is_empty() {
                Error::take(raw::rd_kafka_AdminOptions_set_match_consumer_group_types(
                    options.ptr(),
                    kinds.as_ptr(),
                    kinds.len(),
                ))?;
            }
        }
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call.
            unsafe { raw::rd_kafka_ListConsumerGroups(rk, options, queue) }
        })?;
        let result = answer.result(raw::rd_kafka_event_ListConsumerGroups_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let groups = array(|n| raw::rd_kafka_ListConsumerGroups_result_valid(result, n));
            let errors = array(|n| raw::rd_kafka_ListConsumerGroups_result_errors(result, n));
            // Two brokers name a group whose coordinator moves meanwhile (librdkafka before 2.14.2 keeps both).
            let mut seen = HashSet::new();
            let groups = groups
                .iter()
                .map(|g| GroupListing {
                    group: string(raw::rd_kafka_ConsumerGroupListing_group_id(*g)),
                    state: word(&GROUP_STATES, raw::rd_kafka_ConsumerGroupListing_state(*g)),
                    kind: word(&GROUP_TYPES, raw::rd_kafka_ConsumerGroupListing_type(*g)),
                    simple: raw::rd_kafka_ConsumerGroupListing_is_simple_consumer_group(*g) != 0,
                })
                .filter(|g| seen.insert(g.group.clone()))
                .collect();
            Ok((groups, errors.iter().filter_map(|e| error_of(*e)).collect()))
        }
    }

    /// Describes groups (`rd_kafka_DescribeConsumerGroups`).
    pub fn describe_groups(
        &self,
        names: &[String],
        with_operations: bool,
    ) -> Result<Named<GroupDescription>> {
        self.ask_coordinators(names, |names| self.describe(names, with_operations))
    }

    fn describe(&self, names: &[String], with_operations: bool) -> Result<Named<GroupDescription>> {
        let mut names = Names::new(names, "group")?;
        let options = self.options(Op::DescribeConsumerGroups)?;
        options.operations(with_operations)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the names are copied.
            unsafe {
                raw::rd_kafka_DescribeConsumerGroups(
                    rk,
                    names.as_mut_ptr(),
                    names.len(),
                    options,
                    queue,
                )
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_DescribeConsumerGroups_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let groups = array(|n| raw::rd_kafka_DescribeConsumerGroups_result_groups(result, n));
            Ok(groups.iter().map(|g| description(*g)).collect())
        }
    }

    /// The ids of the brokers that keep the groups.
    ///
    /// librdkafka (2.12.1) must not look for the coordinator of a request by itself when brokers may
    /// not have that request: it would drop its queue's reference twice, and crash later. Describing
    /// is sound there; who may delete may describe.
    fn coordinators(&self, names: &[String]) -> Result<Named<i32>> {
        let found = self.describe_groups(names, false)?;
        let id = |group: GroupDescription| {
            let none = || Error::new(ErrorCode::COORDINATOR_NOT_AVAILABLE);
            group.coordinator.map(|node| node.id).ok_or_else(none)
        };
        Ok(found.into_iter().map(|(name, group)| (name, group.and_then(id))).collect())
    }

    /// Waits until a group's coordinator answers for it.
    ///
    /// librdkafka (2.12.1) takes it for granted that a client which asks for offsets has a group
    /// itself: one without is ended by a null pointer when the answer is that the broker is not the
    /// coordinator (`rd_kafka_handle_OffsetFetch`), as it is for a moment when a broker has come
    /// back or a cluster gets its first group. Describing is sound there too.
    fn settle(&self, group: &str) -> Result<()> {
        let described = self.describe_groups(&[group.to_owned()], false);
        let refused = described
            .map_or_else(Some, |all| all.into_iter().next().and_then(|(_, outcome)| outcome.err()));
        match refused {
            // A cluster that does not describe groups, and a group that is not there.
            Some(e)
                if e.code != ErrorCode::UNSUPPORTED_FEATURE
                    && e.code != ErrorCode::UNSUPPORTED_VERSION
                    && e.code != ErrorCode::GROUP_ID_NOT_FOUND =>
            {
                Err(e)
            }
            _ => Ok(()),
        }
    }

    /// Deletes groups (`rd_kafka_DeleteGroups`).
    pub fn delete_groups(&self, names: &[String]) -> Result<Named<()>> {
        self.ask_coordinators(names, |names| {
            let mut all = Vec::with_capacity(names.len());
            for (name, coordinator) in self.coordinators(names)? {
                match coordinator {
                    Ok(id) => all.append(&mut self.delete_group(&name, id)?),
                    Err(e) => all.push((name, Err(e))),
                }
            }
            Ok(all)
        })
    }

    fn delete_group(&self, name: &str, coordinator: i32) -> Result<Named<()>> {
        let mut groups = Bag::new(raw::rd_kafka_DeleteGroup_destroy);
        let name = cstring(name, "group")?;
        // SAFETY: the string is copied; the object is ours.
        groups.add(unsafe { raw::rd_kafka_DeleteGroup_new(name.as_ptr()) }, String::new)?;
        let options = self.options(Op::DeleteGroups)?;
        options.broker(coordinator)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the groups are copied.
            unsafe {
                raw::rd_kafka_DeleteGroups(rk, groups.as_mut_ptr(), groups.len(), options, queue)
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_DeleteGroups_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let groups = array(|n| raw::rd_kafka_DeleteGroups_result_groups(result, n));
            Ok(groups
                .iter()
                .map(|g| {
                    let e = error_of(raw::rd_kafka_group_result_error(*g));
                    (string(raw::rd_kafka_group_result_name(*g)), e.map_or(Ok(()), Err))
                })
                .collect())
        }
    }

    /// A group's committed offsets: of these partitions, or of all that it has. `stable` waits
    /// for transactions that commit some (`rd_kafka_ListConsumerGroupOffsets`).
    pub fn list_group_offsets(
        &self,
        group: &str,
        partitions: Option<&PartitionList>,
        stable: bool,
    ) -> Result<PartitionList> {
        let name = cstring(group, "group")?;
        self.settle(group)?;
        self.ask_coordinator(|| self.read_offsets(&name, partitions, stable))
    }

    fn read_offsets(
        &self,
        name: &CStr,
        partitions: Option<&PartitionList>,
        stable: bool,
    ) -> Result<PartitionList> {
        let mut bag = Bag::new(raw::rd_kafka_ListConsumerGroupOffsets_destroy);
        let list = partitions.map_or(std::ptr::null(), PartitionList::as_ptr);
        // SAFETY: string and list are valid and copied; the object is ours.
        let made = unsafe { raw::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), list) };
        bag.add(made, String::new)?;
        let options = self.options(Op::ListConsumerGroupOffsets)?;
        // SAFETY: the options are valid; the error returned is ours.
        unsafe {
            Error::take(raw::rd_kafka_AdminOptions_set_require_stable_offsets(
                options.ptr(),
                stable.into(),
            ))?;
        }
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the object is copied.
            unsafe {
                raw::rd_kafka_ListConsumerGroupOffsets(
                    rk,
                    bag.as_mut_ptr(),
                    bag.len(),
                    options,
                    queue,
                )
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_ListConsumerGroupOffsets_result)?;
        // SAFETY: the result and all that is in it live as long as the answer.
        unsafe {
            one_group(array(|n| raw::rd_kafka_ListConsumerGroupOffsets_result_groups(result, n)))
        }
    }

    /// Sets a group's committed offsets; nobody may be reading
    /// (`rd_kafka_AlterConsumerGroupOffsets`).
    pub fn alter_group_offsets(
        &self,
        group: &str,
        partitions: &PartitionList,
    ) -> Result<PartitionList> {
        let name = cstring(group, "group")?;
        self.ask_coordinator(|| self.write_offsets(&name, partitions))
    }

    fn write_offsets(&self, name: &CStr, partitions: &PartitionList) -> Result<PartitionList> {
        let mut bag = Bag::new(raw::rd_kafka_AlterConsumerGroupOffsets_destroy);
        // SAFETY: string and list are valid and copied; the object is ours.
        let made = unsafe {
            raw::rd_kafka_AlterConsumerGroupOffsets_new(name.as_ptr(), partitions.as_ptr())
        };
        bag.add(made, String::new)?;
        let options = self.options(Op::AlterConsumerGroupOffsets)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the object is copied.
            unsafe {
                raw::rd_kafka_AlterConsumerGroupOffsets(
                    rk,
                    bag.as_mut_ptr(),
                    bag.len(),
                    options,
                    queue,
                )
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_AlterConsumerGroupOffsets_result)?;
        // SAFETY: the result and all that is in it live as long as the answer.
        unsafe {
            one_group(array(|n| raw::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, n)))
        }
    }

    /// Forgets a group's committed offsets; nobody may be reading these topics
    /// (`rd_kafka_DeleteConsumerGroupOffsets`).
    pub fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &PartitionList,
    ) -> Result<PartitionList> {
        let name = cstring(group, "group")?;
        self.ask_coordinator(|| self.forget_offsets(group, &name, partitions))
    }

    fn forget_offsets(
        &self,
        group: &str,
        name: &CStr,
        partitions: &PartitionList,
    ) -> Result<PartitionList> {
        let mut bag = Bag::new(raw::rd_kafka_DeleteConsumerGroupOffsets_destroy);
        // SAFETY: string and list are valid and copied; the object is ours.
        let made = unsafe {
            raw::rd_kafka_DeleteConsumerGroupOffsets_new(name.as_ptr(), partitions.as_ptr())
        };
        bag.add(made, String::new)?;
        let coordinator = match self.coordinators(&[group.to_owned()])?.pop() {
            Some((_, found)) => found?,
            None => return Err(Error::with_detail(ErrorCode::BAD_MSG, "the answer is empty")),
        };
        let options = self.options(Op::DeleteConsumerGroupOffsets)?;
        options.broker(coordinator)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the object is copied.
            unsafe {
                raw::rd_kafka_DeleteConsumerGroupOffsets(
                    rk,
                    bag.as_mut_ptr(),
                    bag.len(),
                    options,
                    queue,
                )
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_DeleteConsumerGroupOffsets_result)?;
        // SAFETY: the result and all that is in it live as long as the answer.
        unsafe {
            one_group(array(|n| raw::rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, n)))
        }
    }
}

/// The partitions of an answer about one group.
///
/// # Safety
/// The results are valid.
unsafe fn one_group(results: &[*const raw::group_result]) -> Result<PartitionList> {
    let Some(result) = results.first() else {
        return Err(Error::with_detail(ErrorCode::BAD_MSG, "the answer is empty"));
    };
    // SAFETY: valid by this function's contract; the list is copied.
    unsafe {
        if let Some(e) = error_of(raw::rd_kafka_group_result_error(*result)) {
            return Err(e);
        }
        let list = PartitionList::copy_raw(raw::rd_kafka_group_result_partitions(*result));
        // A broker that is not the coordinator says so of each partition (OffsetCommit).
        let refused = list.iter().filter_map(|e| e.error).find(|code| coordinator_moves(*code));
        refused.map_or(Ok(list), |code| Err(Error::new(code)))
    }
}

/// # Safety
/// `group` is valid.
unsafe fn description(
    group: *const raw::ConsumerGroupDescription,
) -> (String, Result<GroupDescription>) {
    // SAFETY: valid by this function's contract, and so is what is in it; all is copied.
    unsafe {
        let name = string(raw::rd_kafka_ConsumerGroupDescription_group_id(group));
        if let Some(e) = error_of(raw::rd_kafka_ConsumerGroupDescription_error(group)) {
            return (name, Err(e));
        }
        let count = raw::rd_kafka_ConsumerGroupDescription_member_count(group);
        let members = (0..count)
            .map(|i| raw::rd_kafka_ConsumerGroupDescription_member(group, i))
            .filter(|m| !m.is_null())
            .map(|m| member(m))
            .collect();
        let found = GroupDescription {
            state: word(&GROUP_STATES, raw::rd_kafka_ConsumerGroupDescription_state(group)),
            kind: word(&GROUP_TYPES, raw::rd_kafka_ConsumerGroupDescription_type(group)),
            simple: raw::rd_kafka_ConsumerGroupDescription_is_simple_consumer_group(group) != 0,
            assignor: string(raw::rd_kafka_ConsumerGroupDescription_partition_assignor(group)),
            coordinator: Node::copy(raw::rd_kafka_ConsumerGroupDescription_coordinator(group)),
            members,
            operations: operations(array(|n| {
                raw::rd_kafka_ConsumerGroupDescription_authorized_operations(group, n).cast_mut()
            })),
        };
        (name, Ok(found))
    }
}

/// # Safety
/// `member` is valid.
unsafe fn member(member: *const raw::MemberDescription) -> Member {
    // SAFETY: valid by this function's contract, and so is what is in it; all is copied.
    unsafe {
        let instance = raw::rd_kafka_MemberDescription_group_instance_id(member);
        let assignment = raw::rd_kafka_MemberDescription_assignment(member);
        let target = raw::rd_kafka_MemberDescription_target_assignment(member);
        let list = |a: *const raw::MemberAssignment| {
            PartitionList::copy_raw(raw::rd_kafka_MemberAssignment_partitions(a))
        };
        Member {
            member_id: string(raw::rd_kafka_MemberDescription_consumer_id(member)),
            client_id: string(raw::rd_kafka_MemberDescription_client_id(member)),
            instance_id: (!instance.is_null()).then(|| string(instance)),
            host: string(raw::rd_kafka_MemberDescription_host(member)),
            assignment: if assignment.is_null() { PartitionList::new() } else { list(assignment) },
            target: (!target.is_null()).then(|| list(target)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" {
        fn rd_kafka_consumer_group_state_name(state: c_int) -> *const libc::c_char;
        fn rd_kafka_consumer_group_type_name(kind: c_int) -> *const libc::c_char;
    }

    #[test]
    fn words_stand_at_their_numbers() {
        for (i, word) in GROUP_STATES.iter().enumerate() {
            // SAFETY: takes any number and returns a constant.
            let theirs =
                unsafe { string(rd_kafka_consumer_group_state_name(c_int::try_from(i).unwrap())) };
            assert_eq!(theirs.to_lowercase(), word.replace('_', ""));
        }
        for (i, word) in GROUP_TYPES.iter().enumerate() {
            // SAFETY: as above.
            let theirs =
                unsafe { string(rd_kafka_consumer_group_type_name(c_int::try_from(i).unwrap())) };
            assert_eq!(theirs.to_lowercase(), *word);
        }
    }
}
