//! Tells the linker which of librdkafka's functions the package replaces.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // src/rdk/leader.rs says why. Apple's linker has no such option: the package works without.
    let vendor = std::env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    if vendor != "apple" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap=rd_kafka_topic_leader_query0");
    }
}
