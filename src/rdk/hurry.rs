//! Deliveries that somebody waits for (hurry.c).

use std::sync::{Arc, Weak};

use libc::c_uchar;

use super::client::Client;
use super::raw;

extern "C" {
    fn kafka_hurry(rk: *mut raw::rd_kafka_t) -> c_uchar;
    fn kafka_hurry_end(rk: *mut raw::rd_kafka_t);
}

/// As long as it lives, a producer sends its messages without waiting for `linger.ms`.
pub struct Hurry(Weak<Client>);

impl Client {
    /// Has what is queued, and what will be, sent at once: none where `linger.ms` was set, and for what is no producer.
    pub fn hurry(self: &Arc<Self>) -> Option<Hurry> {
        // SAFETY: the client is valid.
        let begun = !self.forked() && unsafe { kafka_hurry(self.as_ptr()) } != 0;
        begun.then(|| Hurry(Arc::downgrade(self)))
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        let Some(client) = self.0.upgrade() else { return };
        // SAFETY: the client is valid, and `kafka_hurry` was called once.
        unsafe { kafka_hurry_end(client.as_ptr()) };
    }
}
