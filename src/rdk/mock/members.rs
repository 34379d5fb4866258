//! How members join, leave and are replaced in the mock cluster's groups.
//!
//! librdkafka (2.12.1, rdkafka_mock_cgrp.c) lets a rebalance of a group that has had members take
//! `session.timeout.ms` less a second, whoever has joined meanwhile, also if the last member has left and
//! there is nobody to wait for. Kafka's coordinator waits only until each known member has joined
//! again, and a group whose last member has gone is empty at once. Here that wait is ended when
//! Kafka would end it. librdkafka's assertions about what members say are kept from failing: they would end
//! the process.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::c_int;
use std::hash::{BuildHasher, RandomState};

use super::cluster::{regex_valid, Call, Cluster};
use super::group::{State, NO_TOPIC};
use super::serve::code;
use super::sys::{Classic, Modern};
use super::wire::{Read, Reader, Writer};

/// What librdkafka does not keep about a member, for DescribeGroups.
#[derive(Clone, Default)]
pub(super) struct Note {
    pub(super) client_id: String,
    pub(super) client_host: String,
    /// What the leader has assigned to it, as it was sent.
    pub(super) assignment: Vec<u8>,
    /// In the consumer protocol, and the one before it.
    epoch: i32,
    previous_epoch: i32,
}

/// `group.max.session.timeout.ms` unless set. The least that Kafka takes is 6 s; tests are spared that.
const MOST_SESSION_MS: i32 = 1_800_000;

thread_local! {
    /// By group and member. Each cluster has a thread of its own, so these are its own groups'.
    static NOTES: RefCell<HashMap<(String, String), Note>> = RefCell::default();
    /// The topics that a group's assignment was computed with (`topics_read`).
    static TOPICS: RefCell<HashMap<String, u64>> = RefCell::default();
}

pub(super) fn note(group: &str, member: &str) -> Note {
    let key = (group.to_owned(), member.to_owned());
    NOTES.with_borrow(|notes| notes.get(&key).cloned().unwrap_or_default())
}

fn change_note(group: &str, member: &str, change: impl FnOnce(&mut Note)) {
    let key = (group.to_owned(), member.to_owned());
    NOTES.with_borrow_mut(|notes| change(notes.entry(key).or_default()));
}

/// Forgets members that are gone.
fn clean_notes(group: &str, stays: impl Fn(&str) -> bool) {
    NOTES.with_borrow_mut(|notes| notes.retain(|(of, member), _| of != group || stays(member)));
}

pub(super) fn forget_group(group: &str) {
    clean_notes(group, |_| false);
    TOPICS.with_borrow_mut(|topics| topics.remove(group));
}

/// Ends a wait that Kafka would not have.
fn settle(group: Classic<'_>) {
    if group.state() != State::Joining {
        return;
    }
    if group.members().next().is_none() {
        group.become_empty();
    } else {
        choose_protocol(group);
        // A group's first members are given `group.initial.rebalance.delay.ms`.
        if group.has_led() && group.members().all(|member| member.waits()) {
            group.elect();
        }
    }
}

/// Called after librdkafka has removed members whose session has expired.
unsafe extern "C" fn session_checked(group: Classic<'static>) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| settle(group)));
}

/// The strategies that all members can use, in the order of the first of them.
fn common_protocols(group: Classic<'_>, without: Option<&str>) -> Option<Vec<String>> {
    let mut members = group.members().filter(|m| Some(m.id().as_str()) != without);
    let mut common = members.next()?.protocols();
    for member in members {
        let theirs = member.protocols();
        common.retain(|name| theirs.contains(name));
    }
    Some(common)
}

/// Has all members use the strategy that most of them prefer
/// (`ClassicGroup.selectProtocol`). librdkafka takes each member's first for it, and asserts that they
/// are the same.
fn choose_protocol(group: Classic<'_>) {
    let Some(common) = common_protocols(group, None) else { return };
    let votes: Vec<String> = group
        .members()
        .filter_map(|member| member.protocols().into_iter().find(|name| common.contains(name)))
        .collect();
    let count = |name: &String| votes.iter().filter(|vote| *vote == name).count();
    // Of those with the same number of votes the first.
    let Some(chosen) = common.iter().rev().max_by_key(|name| count(name)) else { return };
    for member in group.members() {
        member.choose(chosen);
    }
}

/// A number that no other member has.
fn unique() -> String {
    let half = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", half(), half())
}

/// JoinGroup
pub(super) fn join(call: &Call, cluster: &mut Cluster, r: &mut Reader<'_>) -> Read<c_int> {
    let version = call.version();
    let group = r.string()?;
    let session_ms = r.i32()?;
    if version >= 1 {
        r.i32()?;
    }
    let member = r.string()?;
    let instance = if version >= 5 { r.nullable()? } else { None };
    let kind = r.string()?;
    let protocols = r.list(|r| {
        let name = r.string()?;
        r.bytes()?;
        Ok(name)
    })?;
    if cluster.coordinator(&group) == call.broker() {
        let error = match session_ms {
            1..=MOST_SESSION_MS => {
                prepare(cluster, &group, &member, instance.as_deref(), &kind, &protocols)
            }
            _ => code::INVALID_SESSION_TIMEOUT,
        };
        if error != code::NONE {
            return Ok(call.answer(|injected| {
                let mut w = Writer::new(false);
                if version >= 2 {
                    w.i32(0);
                }
                w.i16(if injected == code::NONE { error } else { injected });
                w.i32(-1);
                for _ in ["protocol", "leader", "member"] {
                    w.string("");
                }
                w.count(0);
                Some(w.finish())
            }));
        }
    }
    let result = call.original(cluster);
    let Some(found) = cluster.classic(&group) else { return Ok(result) };
    found.watch(session_checked);
    if let Some(joined) = call.waiting(found) {
        // librdkafka names a member after its address in memory, which a later one may have, too.
        if member.is_empty() {
            let stem = instance.filter(|i| !i.is_empty()).unwrap_or_else(|| call.client_id());
            joined.rename(&format!("{stem}-{}", unique()));
        }
        change_note(&group, &joined.id(), |note| {
            note.client_id = call.client_id();
            note.client_host = call.client_host();
        });
    }
    clean_notes(&group, |id| found.member(id).is_some());
    settle(found);
    Ok(result)
}

/// What Kafka checks, and does, before a member joins.
fn prepare(
    cluster: &mut Cluster,
    group: &str,
    member: &str,
    instance: Option<&str>,
    kind: &str,
    protocols: &[String],
) -> i16 {
    if group.is_empty() {
        return code::INVALID_GROUP_ID;
    }
    if kind.is_empty() || protocols.is_empty() {
        return code::INCONSISTENT_GROUP_PROTOCOL;
    }
    if let Some(modern) = cluster.modern(group) {
        if modern.members().next().is_some() {
            return code::INCONSISTENT_GROUP_PROTOCOL;
        }
        // An empty group changes its protocol.
        cluster.delete_group(group);
    }
    let Some(found) = cluster.classic(group) else { return code::NONE };
    // A static member that starts again takes the place of the one before.
    let instance = instance.filter(|instance| !instance.is_empty());
    let replaced = found
        .members()
        .find(|m| instance.is_some() && m.instance().as_deref() == instance && m.id() != member)
        .map(|m| m.id());
    let others = replaced.as_deref().unwrap_or(member);
    if let Some(common) = common_protocols(found, Some(others)) {
        let same_kind = found.protocol_type() == kind;
        if !same_kind || !protocols.iter().any(|name| common.contains(name)) {
            return code::INCONSISTENT_GROUP_PROTOCOL;
        }
    }
    if let Some(member) = found.member(member) {
        member.forget_wait();
    }
    if let Some(replaced) = replaced {
        cluster.remove_member(group, &replaced);
    }
    code::NONE
}

/// LeaveGroup
pub(super) fn leave(call: &Call, cluster: &mut Cluster, r: &mut Reader<'_>) -> Read<c_int> {
    let group = r.string()?;
    let member = r.string()?;
    if cluster.coordinator(&group) == call.broker() {
        if let Some(member) = cluster.classic(&group).and_then(|g| g.member(&member)) {
            member.forget_wait();
        }
    }
    let result = call.original(cluster);
    if let Some(found) = cluster.classic(&group) {
        clean_notes(&group, |id| found.member(id).is_some());
        settle(found);
    }
    Ok(result)
}

/// SyncGroup
pub(super) fn sync(call: &Call, cluster: &mut Cluster, r: &mut Reader<'_>) -> Read<c_int> {
    let group = r.string()?;
    let generation = r.i32()?;
    let member = r.string()?;
    if call.version() >= 3 {
        r.nullable()?;
    }
    let assignments = r.list(|r| Ok((r.string()?, r.bytes()?)))?;
    if cluster.coordinator(&group) == call.broker() {
        let found = cluster.classic(&group);
        let found = found.filter(|g| g.generation() == generation);
        if let Some((found, member)) = found.and_then(|g| Some((g, g.member(&member)?))) {
            match found.state() {
                State::Syncing => {
                    member.forget_wait();
                    if found.is_leader(member) {
                        for (id, bytes) in assignments {
                            change_note(&group, &id, |note| note.assignment = bytes.to_vec());
                        }
                        clean_notes(&group, |id| found.member(id).is_some());
                    }
                }
                // The leader was faster. librdkafka would have forgotten what it has assigned to this member.
                State::Stable => {
                    found.active(member);
                    return Ok(assigned(call, &note(&group, &member.id()).assignment));
                }
                _ => {}
            }
        }
    }
    Ok(call.original(cluster))
}

/// Answers SyncGroup.
fn assigned(call: &Call, assignment: &[u8]) -> c_int {
    call.answer(|injected| {
        let mut w = Writer::new(false);
        if call.version() >= 1 {
            w.i32(0);
        }
        w.i16(injected);
        w.bytes(if injected == code::NONE { assignment } else { &[] });
        Some(w.finish())
    })
}

/// What a member of the consumer protocol says (KIP-848).
struct Heartbeat {
    group: String,
    member: String,
    epoch: i32,
    instance: Option<String>,
    rack: Option<String>,
    rebalance_timeout: i32,
    names: Option<Vec<String>>,
    regex: Option<String>,
    assignor: Option<String>,
    owned: Option<Vec<([i64; 2], Vec<i32>)>>,
}

impl Heartbeat {
    fn read(r: &mut Reader<'_>) -> Read<Heartbeat> {
        Ok(Heartbeat {
            group: r.nullable()?.unwrap_or_default(),
            member: r.nullable()?.unwrap_or_default(),
            epoch: r.i32()?,
            instance: r.nullable()?,
            rack: r.nullable()?,
            rebalance_timeout: r.i32()?.max(-1),
            names: r.nullable_list(Reader::string)?,
            regex: r.nullable()?,
            assignor: r.nullable()?,
            owned: r.nullable_list(|r| {
                let id = r.uuid()?;
                let partitions = r.list(Reader::i32)?;
                r.tags()?;
                Ok((id, partitions))
            })?,
        })
    }

    /// Whether it tells all of the member, not only what is new.
    fn is_full(&self) -> bool {
        let subscribes = self.names.is_some() || self.regex.is_some();
        self.rebalance_timeout != -1 && subscribes && self.owned.is_some()
    }

    /// As librdkafka's own code reads it, with this epoch.
    fn write(self, epoch: i32) -> Vec<u8> {
        let mut w = Writer::new(true);
        w.nullable(Some(&self.group));
        w.nullable(Some(&self.member));
        w.i32(epoch);
        w.nullable(self.instance.as_deref());
        w.nullable(self.rack.as_deref());
        w.i32(self.rebalance_timeout);
        // librdkafka asserts that a subscription has both or neither, and names something; Kafka's own clients
        // send one, and one that is empty when they want nothing any more.
        if epoch >= 0 && (self.names.is_some() || self.regex.is_some()) {
            let regex = self.regex.unwrap_or_default();
            let mut names = self.names.unwrap_or_default();
            if names.is_empty() && regex.is_empty() {
                names.push(NO_TOPIC.to_owned());
            }
            w.list(names, |w, name| w.string(&name));
            w.string(&regex);
        } else {
            w.null_list();
            w.nullable(None);
        }
        w.nullable(self.assignor.as_deref());
        match self.owned {
            None => w.null_list(),
            Some(owned) => w.list(owned, |w, (id, partitions)| {
                w.uuid(id);
                w.list(partitions, Writer::i32);
                w.tags();
            }),
        }
        w.tags();
        w.finish()
    }
}

/// The epoch that counts: of a member that says what it has, the one of before is taken for its own, as the answer with
/// the new one may have been lost (`GroupMetadataManager.throwIfConsumerGroupMemberEpochIsInvalid`). Kafka refuses it all the same
/// when the member has more than was assigned to it.
fn epoch_of(beat: &Heartbeat, cluster: &Cluster) -> i32 {
    let known = cluster.modern(&beat.group).and_then(|group| group.member(&beat.member));
    match known {
        Some(member)
            if beat.owned.is_some()
                && beat.epoch > 0
                && note(&beat.group, &beat.member).previous_epoch == beat.epoch =>
        {
            member.epoch()
        }
        _ => beat.epoch,
    }
}

/// ConsumerGroupHeartbeat
pub(super) fn heartbeat(call: &Call, cluster: &mut Cluster, r: &mut Reader<'_>) -> Read<c_int> {
    let beat = Heartbeat::read(r)?;
    let error = match cluster.coordinator(&beat.group) == call.broker() {
        true => check(cluster, &beat),
        false => code::NOT_COORDINATOR,
    };
    if error != code::NONE {
        return Ok(call.answer(|injected| {
            let mut w = Writer::new(true);
            w.i32(0);
            w.i16(if injected == code::NONE { error } else { injected });
            w.nullable(None);
            w.nullable(None);
            w.i32(-1);
            w.i32(0);
            w.i8(-1);
            w.tags();
            Some(w.finish())
        }));
    }
    let (group, member) = (beat.group.clone(), beat.member.clone());
    let epoch = epoch_of(&beat, cluster);
    let result = call.original_with(cluster, &beat.write(epoch));
    if let Some(found) = cluster.modern(&group) {
        found.watch();
        let topics = topics_read(cluster, found);
        TOPICS.with_borrow_mut(|all| all.insert(group.clone(), topics));
        if let Some(known) = found.member(&member) {
            known.keep();
            change_note(&group, &member, |note| {
                note.client_id = call.client_id();
                note.client_host = call.client_host();
                if note.epoch != known.epoch() {
                    note.previous_epoch = note.epoch;
                    note.epoch = known.epoch();
                }
            });
        }
        clean_notes(&group, |id| found.member(id).is_some());
    }
    Ok(result)
}

/// A number that changes when a topic that a group reads comes, goes or gets more partitions. Of all topics it would be
/// right, too, but an assignment of thousands of partitions takes librdkafka a quarter of a second.
fn topics_read(cluster: &Cluster, group: Modern<'_>) -> u64 {
    let names: HashSet<String> = group.members().flat_map(|member| member.topics()).collect();
    cluster.topics().filter(|topic| names.contains(&topic.name())).fold(0u64, |sum, topic| {
        let [upper, lower] = topic.id();
        let one = (upper ^ lower.rotate_left(17)) as u64;
        // Odd, so that each number of partitions gives another product.
        sum.wrapping_add(one.wrapping_mul(topic.count() as u64 * 2 + 1))
    })
}

/// What Kafka checks before a member's heartbeat counts
/// (`GroupMetadataManager.consumerGroupHeartbeat`), and what librdkafka leaves to its members.
fn check(cluster: &mut Cluster, beat: &Heartbeat) -> i16 {
    let named = beat.names.as_ref().is_some_and(|names| !names.is_empty());
    let matched = beat.regex.as_ref().is_some_and(|regex| !regex.is_empty());
    let joins = beat.epoch == 0;
    let absent = beat.group.is_empty() || beat.member.is_empty() || beat.epoch < -2;
    if absent || joins && !named && !matched {
        return code::INVALID_REQUEST;
    }
    if matched && !beat.regex.as_deref().is_some_and(regex_valid) {
        return code::INVALID_REGULAR_EXPRESSION;
    }
    if let Some(classic) = cluster.classic(&beat.group) {
        if classic.members().next().is_some() {
            return code::GROUP_ID_NOT_FOUND;
        }
        if joins {
            // An empty group changes its protocol.
            cluster.delete_group(&beat.group);
        }
    }
    let group = cluster.modern(&beat.group);
    match group {
        None if !joins => return code::GROUP_ID_NOT_FOUND,
        Some(group) => match group.member(&beat.member) {
            None if !joins => return code::UNKNOWN_MEMBER_ID,
            Some(member) if joins || beat.is_full() => member.start_anew(joins),
            _ => {}
        },
        None => {}
    }
    // librdkafka computes an assignment when members change, Kafka also when their topics do.
    if let Some(group) = group {
        let before = TOPICS.with_borrow(|all| all.get(&beat.group).copied());
        if before.is_some_and(|before| before != topics_read(cluster, group)) {
            group.reassign();
        }
    }
    code::NONE
}
