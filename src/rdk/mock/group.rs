//! Groups of the mock cluster and their members.

use std::ffi::{c_int, CString};

use super::sys::*;
use super::wire::Uuid;

/// What stands in a member's subscription that names nothing (members.rs). No topic of Kafka's has this name.
pub(super) const NO_TOPIC: &str = " ";

// What these point to is valid as long as the cluster is borrowed.

/// `rd_kafka_mock_cgrp_classic_t.state`
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    Empty,
    Joining,
    Syncing,
    Rebalancing,
    Stable,
}

impl<'a> Classic<'a> {
    pub(super) fn id(self) -> String {
        // SAFETY: the group is valid, here and below, and so are its strings.
        unsafe { copy(mock_classic_id(self)) }.unwrap_or_default()
    }

    pub(super) fn protocol_type(self) -> String {
        // SAFETY: as above.
        unsafe { copy(mock_classic_type(self)) }.unwrap_or_default()
    }

    /// The assignment strategy that the last leader was elected with.
    pub(super) fn protocol(self) -> Option<String> {
        let mut bytes = std::ptr::null();
        // SAFETY: as above.
        unsafe {
            let size = mock_classic_protocol(self, &mut bytes);
            copy_bytes(bytes, size).map(text)
        }
    }

    pub(super) fn state(self) -> State {
        // SAFETY: as above.
        match unsafe { mock_classic_state(self) } {
            1 => State::Joining,
            2 => State::Syncing,
            3 => State::Rebalancing,
            4 => State::Stable,
            _ => State::Empty,
        }
    }

    pub(super) fn generation(self) -> i32 {
        // SAFETY: as above.
        unsafe { mock_classic_generation(self) }
    }

    /// Whether it has had a leader since it was last empty.
    pub(super) fn has_led(self) -> bool {
        // SAFETY: as above.
        unsafe { mock_classic_last_count(self) > 0 }
    }

    pub(super) fn become_empty(self) {
        // SAFETY: as above; it has no members.
        unsafe { mock_classic_empty(self) }
    }

    pub(super) fn elect(self) {
        // SAFETY: as above.
        unsafe { mock_classic_elect(self) }
    }

    pub(super) fn watch(self, after: After) {
        // SAFETY: as above; the function stays.
        unsafe { mock_classic_watch(self, after) }
    }

    pub(super) fn members(self) -> impl Iterator<Item = ClassicMember<'a>> {
        // SAFETY: the member before is in the group's list.
        chain(move |before| unsafe { mock_cmember_next(self, before) })
    }

    pub(super) fn member(self, id: &str) -> Option<ClassicMember<'a>> {
        self.members().find(|member| member.id() == id)
    }

    /// The member has been heard of: its session begins anew.
    pub(super) fn active(self, member: ClassicMember<'a>) {
        // SAFETY: as above.
        unsafe { mock_cmember_active(self, member) }
    }

    pub(super) fn is_leader(self, member: ClassicMember<'a>) -> bool {
        // SAFETY: as above; the pointers are compared.
        unsafe { mock_cmember_is_leader(self, member) != 0 }
    }
}

impl ClassicMember<'_> {
    pub(super) fn id(self) -> String {
        // SAFETY: the member is valid, here and below, and so are its strings.
        unsafe { copy(mock_cmember_id(self)) }.unwrap_or_default()
    }

    pub(super) fn rename(self, id: &str) {
        if let Ok(id) = CString::new(id) {
            // SAFETY: as above; the id is copied.
            unsafe { mock_cmember_rename(self, id.as_ptr()) }
        }
    }

    pub(super) fn instance(self) -> Option<String> {
        // SAFETY: as above.
        unsafe { copy(mock_cmember_instance(self)) }
    }

    pub(super) fn waits(self) -> bool {
        // SAFETY: as above.
        unsafe { mock_cmember_waits(self) != 0 }
    }

    pub(super) fn forget_wait(self) {
        // SAFETY: as above; its connection, if any, is open.
        unsafe { mock_cmember_forget_wait(self) }
    }

    /// The strategies that it can use, the best first.
    pub(super) fn protocols(self) -> Vec<String> {
        // SAFETY: as above; the index is within the array.
        let name = |index| unsafe {
            let mut bytes = std::ptr::null();
            let size = mock_cmember_protocol(self, index, &mut bytes);
            text(copy_bytes(bytes, size).unwrap_or_default())
        };
        // SAFETY: as above.
        (0..unsafe { mock_cmember_protocols(self) }).map(name).collect()
    }

    /// What it says about itself with its first strategy: its subscription.
    pub(super) fn metadata(self) -> Vec<u8> {
        let mut bytes = std::ptr::null();
        // SAFETY: as above; the first exists.
        unsafe {
            if mock_cmember_protocols(self) < 1 {
                return Vec::new();
            }
            let size = mock_cmember_metadata(self, 0, &mut bytes);
            copy_bytes(bytes, size).unwrap_or_default()
        }
    }

    /// Puts one of its strategies first.
    pub(super) fn choose(self, name: &str) {
        if let Some(index) = self.protocols().iter().position(|p| p == name) {
            // SAFETY: as above; the index is within the array.
            unsafe { mock_cmember_choose(self, index as c_int) }
        }
    }
}

impl<'a> Modern<'a> {
    pub(super) fn id(self) -> String {
        // SAFETY: the group is valid, here and below, and so are its strings.
        unsafe { copy(mock_modern_id(self)) }.unwrap_or_default()
    }

    pub(super) fn epoch(self) -> i32 {
        // SAFETY: as above.
        unsafe { mock_modern_epoch(self) }
    }

    pub(super) fn watch(self) {
        // SAFETY: as above; the function stays.
        unsafe { mock_modern_watch(self) }
    }

    pub(super) fn reassign(self) {
        // SAFETY: as above; the cluster's lock is free.
        unsafe { mock_modern_reassign(self) }
    }

    pub(super) fn members(self) -> impl Iterator<Item = ModernMember<'a>> {
        // SAFETY: the member before is in the group's list.
        chain(move |before| unsafe { mock_mmember_next(self, before) })
    }

    pub(super) fn member(self, id: &str) -> Option<ModernMember<'a>> {
        self.members().find(|member| member.id() == id)
    }
}

impl ModernMember<'_> {
    pub(super) fn id(self) -> String {
        // SAFETY: the member is valid, here and below, and so are its strings.
        unsafe { copy(mock_mmember_id(self)) }.unwrap_or_default()
    }

    pub(super) fn instance(self) -> Option<String> {
        // SAFETY: as above.
        unsafe { copy(mock_mmember_instance(self)) }
    }

    pub(super) fn epoch(self) -> i32 {
        // SAFETY: as above.
        unsafe { mock_mmember_epoch(self) }
    }

    /// It is told its assignment, also when it was told before.
    pub(super) fn start_anew(self, joins: bool) {
        // SAFETY: as above; nothing but the cluster's own thread, which this is, looks at it.
        unsafe { mock_mmember_start_anew(self, joins.into()) }
    }

    /// Its connection may go without it.
    pub(super) fn keep(self) {
        // SAFETY: as above.
        unsafe { mock_mmember_keep(self) }
    }

    pub(super) fn target_epoch(self) -> i32 {
        // SAFETY: as above.
        unsafe { mock_mmember_target_epoch(self) }
    }

    pub(super) fn regex(self) -> Option<String> {
        // SAFETY: as above.
        unsafe { copy(mock_mmember_regex(self)) }.filter(|regex| !regex.is_empty())
    }

    /// The topics that its subscription names.
    pub(super) fn names(self) -> Vec<String> {
        self.listed(1)
    }

    /// The topics that it reads, also by its regular expression.
    pub(super) fn topics(self) -> Vec<String> {
        self.listed(0)
    }

    fn listed(self, names: c_int) -> Vec<String> {
        // SAFETY: as above; null at the end.
        let topic = |index| unsafe { copy(mock_mmember_topic(self, names, index)) };
        (0..).map_while(topic).filter(|name| name != NO_TOPIC).collect()
    }

    /// The partitions that it has, or is to have (`target`), by their topic's id.
    pub(super) fn places(self, target: bool) -> Vec<(Uuid, i32)> {
        let place = |index| {
            let (mut topic, mut partition) = ([0; 2], 0);
            // SAFETY: as above; two numbers and one are written.
            let found = unsafe {
                mock_mmember_place(self, target.into(), index, topic.as_mut_ptr(), &mut partition)
            };
            (found != 0).then_some((topic, partition))
        };
        (0..).map_while(place).collect()
    }
}
