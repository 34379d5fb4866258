//! The cluster as it describes itself.

use super::acls::operations;
use super::{array, raw, Admin, Op};
use crate::rdk::errno::Result;
use crate::rdk::ptr::string;

/// A broker.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its id.
    pub id: i32,
    /// Where it listens.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// Where it stands, if it says so.
    pub rack: Option<String>,
}

impl Node {
    /// Copies a node; null and one without an id are none.
    ///
    /// # Safety
    /// `node` is null or valid.
    pub(super) unsafe fn copy(node: *const raw::Node) -> Option<Node> {
        if node.is_null() {
            return None;
        }
        // SAFETY: valid by this function's contract; strings are copied.
        unsafe {
            let rack = string(raw::rd_kafka_Node_rack(node));
            let found = Node {
                id: raw::rd_kafka_Node_id(node),
                host: string(raw::rd_kafka_Node_host(node)),
                port: raw::rd_kafka_Node_port(node),
                rack: Some(rack).filter(|r| !r.is_empty()),
            };
            (found.id >= 0).then_some(found)
        }
    }
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its id.
    pub id: String,
    /// The broker that takes changes, if one is known.
    pub controller: Option<Node>,
    /// Its brokers.
    pub nodes: Vec<Node>,
    /// What the caller may do with it, if asked for.
    pub operations: Vec<&'static str>,
}

impl Admin<'_> {
    /// Describes the cluster (`rd_kafka_DescribeCluster`).
    pub fn describe_cluster(&self, with_operations: bool) -> Result<Cluster> {
        let options = self.options(Op::DescribeCluster)?;
        options.operations(with_operations)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call.
            unsafe { raw::rd_kafka_DescribeCluster(rk, options, queue) }
        })?;
        let result = answer.result(raw::rd_kafka_event_DescribeCluster_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let nodes = array(|n| raw::rd_kafka_DescribeCluster_result_nodes(result, n));
            Ok(Cluster {
                id: string(raw::rd_kafka_DescribeCluster_result_cluster_id(result)),
                controller: Node::copy(raw::rd_kafka_DescribeCluster_result_controller(result)),
                nodes: nodes.iter().filter_map(|n| Node::copy(*n)).collect(),
                operations: operations(array(|n| {
                    raw::rd_kafka_DescribeCluster_result_authorized_operations(result, n).cast_mut()
                })),
            })
        }
    }
}
