//! Compiles what needs librdkafka's private headers, and tells the linker which of librdkafka's functions the
//! package replaces.

use std::path::Path;

/// src/rdk/leader.rs, src/rdk/bound.rs, src/rdk/watch.c, src/rdk/marks.c, src/rdk/seek.c,
/// src/rdk/stamp.c, src/rdk/window.c, src/rdk/refused.c, src/rdk/topics.c, src/rdk/epoch.c, src/rdk/recreated.c,
/// src/rdk/bump.c, src/rdk/order.c, src/rdk/forward.c, src/rdk/rejoin.c, src/rdk/commit.c, src/rdk/clock.c,
/// src/rdk/ending.c and src/rdk/mock/sequence.rs say why.
/// (scripts/static reads these lines.)
const REPLACED: &[&str] = &[
    "rd_kafka_topic_leader_query0", //
    "rd_kafka_q_pop",
    "rd_kafka_cgrp_op",
    "rd_kafka_handle_OffsetFetch",
    "rd_kafka_msgset_parse",
    "rd_kafka_op_new_ctrl_msg",
    "rd_kafka_toppar_fetch_decide",
    "rd_kafka_ListOffsetsRequest",
    "rd_kafka_handle_ListOffsets",
    "rd_kafka_interceptors_on_send",
    "rd_kafka_msgq_allow_wakeup_at",
    "rd_kafka_broker_controller_async",
    "rd_kafka_broker_get_async",
    "rd_kafka_assignor_run",
    "rd_kafka_consumer_err",
    "rd_kafka_assignment_subtract",
    "rd_kafka_JoinGroupRequest",
    "rd_kafka_ConsumerGroupHeartbeatRequest",
    "rd_kafka_handle_OffsetCommit",
    "rd_kafka_OffsetCommitRequest",
    "rd_kafka_topic_metadata_update2",
    "rd_kafka_toppar_next_offset_handle",
    "rd_kafka_mock_partition_log_append",
    "rd_kafka_idemp_drain_epoch_bump0",
    "rd_kafka_buf_callback",
    "rd_kafka_toppar_op_fetch_start",
    "rd_kafka_toppar_op_fetch_stop",
    "rd_kafka_toppar_op_seek",
    "rd_kafka_toppars_pause_resume",
    "rd_kafka_q_purge0",
    "rd_kafka_cgrp_metadata_update_check",
    "cnd_timedwait_ms",
    "cnd_timedwait_abs",
    "rd_kafka_timers_next",
];

/// Functions that the package replaces on Linux, for all of its C code (src/rdk/descriptors.c). A program that is
/// linked with the package (scripts/static) keeps its own.
const FILES: &[&str] = &["pipe", "accept", "close", "rd_kafka_socket_cb_linux"];

/// What reads librdkafka's private structures; each file says why it is C.
const PRIVATE: &[&str] = &[
    "src/rdk/watch.c",
    "src/rdk/marks.c",
    "src/rdk/seek.c",
    "src/rdk/stamp.c",
    "src/rdk/window.c",
    "src/rdk/refused.c",
    "src/rdk/topics.c",
    "src/rdk/epoch.c",
    "src/rdk/recreated.c",
    "src/rdk/bump.c",
    "src/rdk/order.c",
    "src/rdk/forward.c",
    "src/rdk/rejoin.c",
    "src/rdk/commit.c",
    "src/rdk/clock.c",
    "src/rdk/ending.c",
    "src/rdk/position.c",
    "src/rdk/descriptors.c",
    "src/rdk/group.c",
    "src/rdk/hurry.c",
    "src/rdk/known.c",
    "src/rdk/mock/brokers.c",
    "src/rdk/mock/cluster.c",
    "src/rdk/mock/groups.c",
    "src/rdk/mock/sequence.c",
    "src/rdk/mock/topics.c",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Apple's linker has no such option: the package works without.
    let vendor = std::env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    if vendor != "apple" {
        for name in REPLACED {
            println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap={name}");
        }
    }
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        for name in FILES {
            println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap={name}");
        }
    }
    // The build script of rdkafka-sys names the folder in which it has built librdkafka.
    let root = std::env::var("DEP_RDKAFKA_ROOT").expect("rdkafka-sys names librdkafka's folder");
    let root = Path::new(&root);
    let mut build = cc::Build::new();
    build.include(root.join("src")).warnings(false);
    // A header that is left out would have a pointer cut to an int.
    build.flag_if_supported("-Werror=implicit-function-declaration");
    for name in PRIVATE.iter().chain(&[
        "src/rdk/marks.h",
        "src/rdk/topics.h",
        "src/rdk/descriptors.h",
        "src/rdk/mock/mock.h",
    ]) {
        println!("cargo:rerun-if-changed={name}");
    }
    build.files(PRIVATE);
    for include in includes(root) {
        build.include(include);
    }
    build.compile("kafka_private");
}

/// The folders with headers of OpenSSL and others, as librdkafka's own configuration names them.
fn includes(root: &Path) -> Vec<String> {
    let config = std::fs::read_to_string(root.join("Makefile.config")).unwrap_or_default();
    let flags = config
        .lines()
        .filter(|line| line.starts_with("CFLAGS+=") || line.starts_with("CPPFLAGS+="));
    flags
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.strip_prefix("-I"))
        .map(str::to_owned)
        .collect()
}
