//! The cluster.

use super::topics::node_obj;
use super::words;
use super::{ask, row, Out, C};
use crate::tcl::Obj;

/// `describe_cluster ?-operations b? ?-timeout ms? ?-command prefix?`: gives a dict `cluster_id
/// controller brokers ?operations?`.
pub fn describe_cluster(c: &C<'_>) -> Out {
    let operations = words::switch(&c.args, "-operations")?;
    ask(
        c,
        move |admin| admin.describe_cluster(operations),
        move |found| {
            let controller = found.controller.as_ref().map_or(-1, |n| n.id);
            let brokers: Vec<Obj> = found.nodes.iter().map(node_obj).collect();
            let mut out = row([
                ("cluster_id", Obj::text(&found.id)),
                ("controller", Obj::int(controller.into())),
                ("brokers", Obj::list(&brokers)),
            ]);
            if operations {
                out.extend(row([("operations", Obj::texts(&found.operations))]));
            }
            Ok(Obj::list(&out))
        },
    )
}
