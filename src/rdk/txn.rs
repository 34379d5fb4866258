//! Transactions. All but `begin_transaction` block up to `timeout_ms` (-1: what is
//! left of `transaction.timeout.ms`), need reports and events to be served meanwhile,
//! and may be called again after `TIMED_OUT` to go on. Follow the error's flags.

use super::client::{Client, Kind};
use super::errno::{Error, Result};
use super::{raw, GroupMetadata, PartitionList};

impl Client {
    /// Once, before the first transaction (`rd_kafka_init_transactions`).
    pub fn init_transactions(&self, timeout_ms: i32) -> Result<()> {
        self.need(Kind::Producer)?;
        self.watch();
        // SAFETY: the handle is valid; the error is taken over.
        unsafe { Error::take(raw::rd_kafka_init_transactions(self.as_ptr(), timeout_ms)) }
    }

    /// Begins one (`rd_kafka_begin_transaction`).
    pub fn begin_transaction(&self) -> Result<()> {
        self.need(Kind::Producer)?;
        self.watch();
        // SAFETY: as above.
        unsafe { Error::take(raw::rd_kafka_begin_transaction(self.as_ptr())) }
    }

    /// Flushes and commits it (`rd_kafka_commit_transaction`).
    pub fn commit_transaction(&self, timeout_ms: i32) -> Result<()> {
        self.need(Kind::Producer)?;
        self.watch();
        // SAFETY: as above.
        unsafe { Error::take(raw::rd_kafka_commit_transaction(self.as_ptr(), timeout_ms)) }
    }

    /// Purges and aborts it (`rd_kafka_abort_transaction`).
    pub fn abort_transaction(&self, timeout_ms: i32) -> Result<()> {
        self.need(Kind::Producer)?;
        self.watch();
        // SAFETY: as above.
        unsafe { Error::take(raw::rd_kafka_abort_transaction(self.as_ptr(), timeout_ms)) }
    }

    /// Makes the consumer's offsets, each the next to read, part of the transaction
    /// (`rd_kafka_send_offsets_to_transaction`).
    pub fn send_offsets_to_transaction(
        &self,
        offsets: &PartitionList,
        group: &GroupMetadata,
        timeout_ms: i32,
    ) -> Result<()> {
        self.need(Kind::Producer)?;
        self.watch();
        // SAFETY: handle, list and metadata are valid through the call; the error is
        // taken over.
        unsafe {
            Error::take(raw::rd_kafka_send_offsets_to_transaction(
                self.as_ptr(),
                offsets.as_ptr().cast::<raw::bound_list_t>(),
                group.as_ptr(),
                timeout_ms,
            ))
        }
    }
}
