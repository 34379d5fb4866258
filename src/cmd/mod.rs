//! Kafka commands for Tcl: one file per Tcl object, and what they share.
#![forbid(unsafe_code)]

mod admin;
mod advice;
mod again;
mod batch;
mod callbacks;
mod consume;
mod consumer;
mod core;
mod encoding;
mod exit;
mod farewell;
mod faults;
mod fields;
mod files;
mod handle;
mod hooks;
mod info;
mod internal;
mod json;
mod kafka;
mod leaving;
mod live;
mod logger;
mod master;
mod message;
mod mock;
mod offsets;
mod outlet;
mod partition;
mod producer;
mod properties_file;
mod pump;
mod query;
mod queue;
mod reader;
mod reading;
mod rebalance;
mod record;
mod retired;
mod send;
mod settings;
mod steer;
mod store;
mod stream;
mod subscriber;
mod subscription;
mod sweep;
mod token;
mod topic;
mod topic_consumer;
mod topic_producer;
mod tps;
mod transactions;
mod vfs;
mod wait;
mod waiting;

use crate::tcl::command::create_plain;
use crate::tcl::{event, Interp};

/// Makes the package's commands in an interpreter; false leaves Tcl's message as the result.
pub fn init(interp: Interp) -> bool {
    if !interp.require_tcl() {
        return false;
    }
    if !interp.has_threads() {
        interp.refuse(
            "package kafka can't be loaded into this Tcl: it was built without threads \
             (tcl_platform(threaded) is not 1), and messages come in threads of librdkafka's own; \
             use a Tcl with threads",
        );
        return false;
    }
    event::init_thread();
    exit::init(interp);
    again::hide(interp) && make(interp)
}

/// The package's own commands, in an interpreter that is watched already.
fn make(interp: Interp) -> bool {
    let state = interp.state();
    interp.namespace(c"::kafka", &[c"kafka"]);

    create_plain(interp, "::kafka::kafka", kafka::Kafka::new(state.clone()))
        && create_plain(interp, "::kafka::internal", internal::Internal::new(state))
        && provide(interp)
}

fn provide(interp: Interp) -> bool {
    // The version is Cargo.toml's.
    let version = concat!(env!("CARGO_PKG_VERSION"), "\0");
    std::ffi::CStr::from_bytes_with_nul(version.as_bytes())
        .is_ok_and(|v| interp.provide(c"kafka", v))
}

pub fn refuse_safe(interp: Interp) {
    interp.refuse(
        "package kafka can't be loaded into a safe interpreter: it opens network connections and \
         reads files; load it into a trusted one and share commands by alias",
    );
}

pub fn refuse_unload(interp: Interp) {
    interp.refuse(
        "package kafka can't be unloaded: librdkafka's threads last as long as the process",
    );
}
