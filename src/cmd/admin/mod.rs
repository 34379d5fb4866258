//! `$admin`: topics, configuration, groups, offsets, ACLs, users and leaders of a cluster.
//!
//! An admin has a client of its own (`$kafka admin`) or a handle's (`$handle admin`); then it goes
//! with the handle. Calls wait on a helper thread as all others do.

mod acls;
mod cluster;
mod configs;
mod groups;
mod partitions;
mod scram;
mod topics;
mod words;

use std::rc::Rc;
use std::time::Duration;

use super::core::{Core, Life, Plan};
use super::handle::Handle;
use super::pump::{PumpTask, Serve, What};
use super::wait::{self, Manner};
use crate::error::{Error, Result};
use crate::rdk::{self, GiveUp};
use crate::tcl::command::{self, new_id};
use crate::tcl::event::Turn;
use crate::tcl::{Call, Code, Interp, Obj, Object, Outcome, Row, State, Table, Task};

/// What a call may take when it says nothing, in milliseconds.
const ADMIN: i32 = 30_000;

/// What the results of calls under way get to come after a deletion.
const LAST: Duration = Duration::from_millis(5000);

pub struct Admin {
    id: u64,
    core: Rc<Core>,
    /// The client is this object's alone.
    own: bool,
    /// Said when the object is deleted: requests with `-command` end then.
    gone: GiveUp,
}

static TABLE: Table<Admin> = Table::new(&[
    Row(
        "create_topic",
        "name ?-partitions n? ?-replication n? ?-assignment list? ?-config dict? ?-validate_only b? ?-timeout ms? ?-command prefix?",
        topics::create_topic,
        "make a topic",
    ),
    Row(
        "delete_topic",
        "?-timeout ms? ?-command prefix? name ...",
        topics::delete_topic,
        "delete topics",
    ),
    Row(
        "create_partitions",
        "topic total ?-assignment list? ?-validate_only b? ?-timeout ms? ?-command prefix?",
        topics::create_partitions,
        "give a topic more partitions",
    ),
    Row("list_topics", "?-timeout ms? ?-command prefix?", topics::list_topics, "the topics' names"),
    Row(
        "describe_topics",
        "?-operations b? ?-timeout ms? ?-command prefix? name ...",
        topics::describe_topics,
        "partitions, leaders and replicas of topics",
    ),
    Row(
        "describe_cluster",
        "?-operations b? ?-timeout ms? ?-command prefix?",
        cluster::describe_cluster,
        "the cluster's id, controller and brokers",
    ),
    Row(
        "describe_configs",
        "type ?-timeout ms? ?-command prefix? name ...",
        configs::describe_configs,
        "configuration of topics, brokers or groups",
    ),
    Row(
        "alter_configs",
        "type name ?-set dict? ?-delete keys? ?-append dict? ?-subtract dict? ?-replace dict? ?-validate_only b? ?-timeout ms? ?-command prefix?",
        configs::alter_configs,
        "change the configuration of a topic, broker or group",
    ),
    Row(
        "delete_records",
        "?-timeout ms? ?-command prefix? tp ...",
        partitions::delete_records,
        "delete the messages before an offset",
    ),
    Row(
        "list_offsets",
        "?-isolation level? ?-timeout ms? ?-command prefix? tp ...",
        partitions::list_offsets,
        "offsets by earliest, latest, max_timestamp or a time",
    ),
    Row(
        "list_groups",
        "?-states list? ?-types list? ?-timeout ms? ?-command prefix?",
        groups::list_groups,
        "the cluster's groups",
    ),
    Row(
        "describe_groups",
        "?-operations b? ?-timeout ms? ?-command prefix? name ...",
        groups::describe_groups,
        "state and members of groups",
    ),
    Row(
        "delete_groups",
        "?-timeout ms? ?-command prefix? name ...",
        groups::delete_groups,
        "delete groups that have no members",
    ),
    Row(
        "list_group_offsets",
        "group ?-stable b? ?-timeout ms? ?-command prefix? ?tp ...?",
        groups::list_group_offsets,
        "a group's committed offsets",
    ),
    Row(
        "alter_group_offsets",
        "group ?-timeout ms? ?-command prefix? tp ...",
        groups::alter_group_offsets,
        "set a group's committed offsets",
    ),
    Row(
        "delete_group_offsets",
        "group ?-timeout ms? ?-command prefix? tp ...",
        groups::delete_group_offsets,
        "forget a group's committed offsets",
    ),
    Row(
        "create_acl",
        "?-timeout ms? ?-command prefix? acl ...",
        acls::create_acl,
        "allow or deny",
    ),
    Row(
        "describe_acls",
        "?-timeout ms? ?-command prefix? ?filter?",
        acls::describe_acls,
        "the ACLs that a filter finds, or all",
    ),
    Row(
        "delete_acls",
        "?-timeout ms? ?-command prefix? filter ...",
        acls::delete_acls,
        "delete the ACLs that filters find",
    ),
    Row(
        "describe_scram_users",
        "?-timeout ms? ?-command prefix? ?user ...?",
        scram::describe_scram_users,
        "the SCRAM credentials of users, or of all",
    ),
    Row(
        "alter_scram_users",
        "?-timeout ms? ?-command prefix? change ...",
        scram::alter_scram_users,
        "set or delete SCRAM credentials",
    ),
    Row(
        "elect_leaders",
        "election ?-timeout ms? ?-command prefix? ?tp ...?",
        partitions::elect_leaders,
        "have partitions' leaders elected",
    ),
    Row("delete", "", command::delete_self, "delete the object; calls under way are given up"),
    Row("destroy", "", command::delete_self, "alias of delete"),
]);

impl Object for Admin {
    const KIND: &'static str = "admin";
    const AUTO: &'static str = "kafka_admin";
    const PRIVATE: &'static [&'static str] = &["alter_scram_users"];
    type Error = Error;

    fn table() -> &'static Table<Self> {
        &TABLE
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn state(&self) -> &Rc<State> {
        &self.core.state
    }

    fn deleted(self: &Rc<Self>) {
        self.gone.now();
        if !self.own {
            self.core.children.borrow_mut().remove(&self.id);
            return;
        }
        if self.core.is_gone() {
            return;
        }
        self.core.linger(self.clone());
        self.core.begin_close(Some(LAST));
        self.settle();
    }

    fn refuse(&self) -> Option<Error> {
        self.core.refuse()
    }
}

/// Only of one with its own client; a handle's events are the handle's.
impl Serve for Admin {
    type Called = ();

    fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn next_call(self: &Rc<Self>, words: &mut Vec<Obj>, _what: What) -> Option<()> {
        self.core.next_event_call(words).then_some(())
    }

    fn done(self: &Rc<Self>, (): (), _code: Code) {}

    fn settle(self: &Rc<Self>) {
        let Life::Closing { .. } = self.core.life.get() else { return };
        if self.core.calls.is_empty() || self.core.overdue() {
            self.core.finish();
        }
    }
}

impl Turn for Admin {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        if self.core.state.deleted() {
            return None;
        }
        Some((self.core.interp(), Box::new(PumpTask::new(self))))
    }
}

impl Admin {
    /// One with a client of its own.
    pub fn open(plan: Plan) -> Rc<Admin> {
        let id = plan.id;
        let core = Rc::new(Core::new(plan));
        let admin = Rc::new(Admin { id, core, own: true, gone: GiveUp::default() });
        let weak = Rc::downgrade(&admin);
        admin.core.open(weak);
        admin
    }

    /// One that uses a handle's client.
    fn of(core: Rc<Core>) -> Rc<Admin> {
        Rc::new(Admin { id: new_id(), core, own: false, gone: GiveUp::default() })
    }
}

/// `admin cmdName` of every handle.
pub fn of_handle<T: Handle>(c: &Call<'_, T>) -> Outcome<T> {
    let name = command::check_name::<Admin>(c.interp, c.args.at(0)?)?;
    let core = c.this.core();
    core.adopt(c.interp, name, Admin::of(core.clone()))
}

type C<'a> = Call<'a, Admin>;
type Out = Outcome<Admin>;

/// Runs `op` on a helper thread and makes the call's result of what it brings.
fn ask<R: Send + 'static>(
    c: &C<'_>,
    op: impl FnOnce(&rdk::Admin<'_>) -> rdk::Result<R> + Send + 'static,
    finish: impl FnOnce(R) -> Result<Obj> + 'static,
) -> Out {
    let manner = Manner::from(&c.args, ADMIN)?;
    let timeout = manner.timeout;
    let give_up = c.this.gone.part();
    let said = give_up.clone();
    let unheard = Unheard(give_up.clone());
    wait::call(
        &c.this.core,
        manner,
        move |client| match op(&rdk::Admin::new(client, timeout, give_up)) {
            Err(_) if said.is_said() => Ok(None),
            Err(e) => Err(advise(e)),
            Ok(found) => Ok(Some(found)),
        },
        move |found| {
            let _unheard = unheard;
            match found {
                Some(found) => finish(found).map_err(advised),
                None => Err(Error::State("the object was deleted meanwhile".to_owned())),
            }
        },
    )
}

/// Goes with whoever waits for a request. Cancelled, late or its object gone, nobody hears the
/// answer, and the helper need not wait for it.
struct Unheard(GiveUp);

impl Drop for Unheard {
    fn drop(&mut self) {
        self.0.now();
    }
}

/// What a request's error does not say by itself.
fn advise(mut e: rdk::Error) -> rdk::Error {
    use rdk::ErrorCode;
    let more = match e.code {
        ErrorCode::UNSUPPORTED_FEATURE => {
            "the brokers don't offer this operation: they are older than it, or an embedded cluster"
        }
        ErrorCode::TIMED_OUT if e.detail.ends_with("waiting for controller") => {
            "no broker has named one: do bootstrap.servers name a Kafka cluster that is up?"
        }
        _ => return e,
    };
    e.detail = if e.detail.is_empty() { more.to_owned() } else { format!("{}; {more}", e.detail) };
    e
}

/// The same for the errors of a result's items.
fn advised(e: Error) -> Error {
    match e {
        Error::Kafka(e) => Error::Kafka(advise(e)),
        Error::Partial { ok, failed, done } => {
            let failed = failed.into_iter().map(|(item, e)| (item, advise(e))).collect();
            Error::Partial { ok, failed, done }
        }
        other => other,
    }
}

/// Says what an error is about: a broker's text does not always.
fn at(place: String) -> impl FnOnce(rdk::Error) -> rdk::Error {
    move |mut e| {
        e.detail = if e.detail.is_empty() { place } else { format!("{place}: {}", e.detail) };
        e
    }
}

/// Items with their outcomes, as a call gives them: `done` makes the value of those that went well;
/// when all failed with one code, that is thrown; else the error has both.
fn outcome(
    what: &str,
    items: Vec<(Obj, rdk::Result<Obj>)>,
    done: impl FnOnce(&[(Obj, Obj)]) -> Obj,
) -> Result<Obj> {
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for (item, outcome) in items {
        match outcome {
            Ok(value) => good.push((item, value)),
            Err(e) => bad.push((item, e)),
        }
    }
    let Some((_, first)) = bad.first() else { return Ok(done(&good)) };
    if !good.is_empty() || bad.iter().any(|(_, e)| e.code != first.code) {
        return Err(Error::Partial { ok: good.len(), failed: bad, done: done(&good) });
    }
    let place = |(item, e): &(Obj, rdk::Error)| {
        let place = format!("{what} {}", item.str());
        if e.detail.is_empty() {
            place
        } else {
            format!("{place}: {}", e.detail)
        }
    };
    let detail = bad.iter().map(place).collect::<Vec<_>>().join("; ");
    Err(Error::Kafka(rdk::Error { detail, ..first.clone() }))
}

/// The items' names.
fn keys(good: &[(Obj, Obj)]) -> Obj {
    Obj::list(&good.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())
}

/// A dict of the items.
fn dict(good: &[(Obj, Obj)]) -> Obj {
    let words: Vec<Obj> = good.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect();
    Obj::list(&words)
}

/// The outcomes of items that have no value.
fn plain(named: rdk::Named<()>) -> Vec<(Obj, rdk::Result<Obj>)> {
    named.into_iter().map(|(n, r)| (Obj::text(&n), r.map(|()| Obj::empty()))).collect()
}

/// A dict from names and values.
fn row<const N: usize>(pairs: [(&str, Obj); N]) -> Vec<Obj> {
    pairs.into_iter().flat_map(|(name, value)| [Obj::text(name), value]).collect()
}
