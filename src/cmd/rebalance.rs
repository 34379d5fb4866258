//! Answers to the group's rebalances, eager and cooperative.

use crate::rdk::{Client, ErrorCode, PartitionList, Rebalance, Result};
use crate::tcl::Obj;

use super::tps;

/// What a rebalance is for the script.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    Assign,
    Revoke,
    /// The group took the partitions away already: nothing of them can be committed.
    Lost,
}

impl Kind {
    pub fn of(client: &Client, r: &Rebalance) -> Kind {
        match r.code {
            ErrorCode::ASSIGN_PARTITIONS => Kind::Assign,
            _ if client.assignment_lost() => Kind::Lost,
            _ => Kind::Revoke,
        }
    }

    /// `event assign|revoke|lost partitions LIST`.
    pub fn dict(self, list: &PartitionList) -> Obj {
        let word = match self {
            Kind::Assign => "assign",
            Kind::Revoke => "revoke",
            Kind::Lost => "lost",
        };
        let keys: Vec<Obj> = list.iter().map(|e| tps::key(e.topic, e.partition)).collect();
        Obj::list(&[Obj::text("event"), Obj::text(word), Obj::text("partitions"), Obj::list(&keys)])
    }
}

/// Completes a rebalance as the group's protocol wants it: a cooperative group takes and gives
/// single partitions, an eager one replaces the assignment. An error event is answered by holding
/// nothing.
pub fn answer(client: &Client, code: ErrorCode, list: &PartitionList) -> Result<()> {
    if client.closed() {
        return Ok(());
    }
    let cooperative = client.rebalance_protocol() == "COOPERATIVE";
    match code {
        ErrorCode::ASSIGN_PARTITIONS if cooperative => client.incremental_assign(list),
        ErrorCode::ASSIGN_PARTITIONS => client.assign(Some(list)),
        ErrorCode::REVOKE_PARTITIONS if cooperative => client.incremental_unassign(list),
        _ => client.assign(None),
    }
}
