//! Tells the linker which of librdkafka's functions the package replaces.

/// src/rdk/leader.rs and src/rdk/bound.rs say why. (scripts/static reads these lines.)
const REPLACED: &[&str] = &[
    "rd_kafka_topic_leader_query0", //
    "rd_kafka_q_pop",
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
}
