//! The sequences of idempotent producers: a batch that comes again is there once, and in its place.
//!
//! An idempotent producer numbers what it sends to a partition, and sends again what was not acknowledged. librdkafka's
//! mock cluster (2.12.1, `rd_kafka_mock_validate_records`) looks at these numbers for transactional producers only, and
//! takes some of what they send again for new. A batch whose acknowledgement was lost with a connection was there twice
//! then, and batches of which the first was refused changed their order. Here a partition has Kafka's rules
//! (`ProducerStateEntry.findDuplicateBatch`, `ProducerAppendInfo.checkSequence`); transactional ids and their epochs are
//! librdkafka's to check, as before.

use std::ffi::c_int;

use crate::rdk::ErrorCode;

/// What a batch says of its producer.
#[repr(C)]
#[derive(Copy, Clone)]
pub struct Sequenced {
    producer: i64,
    /// Where it is in the log.
    offset: i64,
    /// The number of its first message; they count up to `i32::MAX`, and go on at 0.
    sequence: i32,
    count: i32,
    epoch: i16,
}

impl Sequenced {
    /// The number that follows its last message's.
    fn next(&self) -> i32 {
        let next = i64::from(self.sequence) + i64::from(self.count.max(1));
        (next % (i64::from(i32::MAX) + 1)) as i32
    }

    fn same(&self, other: &Sequenced) -> bool {
        self.epoch == other.epoch && self.sequence == other.sequence && self.count == other.count
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Append,
    /// It is at this offset already.
    Known(i64),
    Refuse(ErrorCode),
}

/// What becomes of a batch, by the last ones of its producer, the newest of them first.
fn verdict(batch: &Sequenced, known: &[Sequenced]) -> Verdict {
    // What has deleted a producer's batches has had its numbers forgotten.
    let Some(last) = known.first() else { return Verdict::Append };
    // Kafka keeps those of the newest epoch only.
    let known = known.iter().take_while(|k| k.epoch == last.epoch);
    if let Some(found) = known.into_iter().find(|k| k.same(batch)) {
        return Verdict::Known(found.offset);
    }
    if batch.epoch < last.epoch {
        return Verdict::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH);
    }
    let expected = if batch.epoch == last.epoch { last.next() } else { 0 };
    if batch.sequence != expected {
        return Verdict::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    Verdict::Append
}

/// Called by sequence.c. Gives the error with which the batch is refused, or 0; `offset` is set where it is known.
///
/// # Safety
/// `known` has so many elements, and `batch` and `offset` are valid.
#[no_mangle]
pub unsafe extern "C" fn kafka_mock_sequence(
    batch: *const Sequenced,
    known: *const Sequenced,
    count: c_int,
    offset: *mut i64,
) -> i16 {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: as the caller promises.
    let (batch, known) = unsafe { (&*batch, std::slice::from_raw_parts(known, count)) };
    match verdict(batch, known) {
        Verdict::Append => 0,
        Verdict::Known(at) => {
            // SAFETY: as the caller promises.
            unsafe { *offset = at };
            0
        }
        Verdict::Refuse(code) => code.0 as i16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(epoch: i16, sequence: i32, count: i32) -> Sequenced {
        Sequenced { producer: 7, offset: i64::from(sequence) + 100, sequence, count, epoch }
    }

    const OUT_OF_ORDER: Verdict = Verdict::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);

    #[test]
    fn the_next_is_appended_and_one_that_leaves_others_out_is_refused() {
        let known = [batch(0, 5, 5), batch(0, 0, 5)];
        assert_eq!(verdict(&batch(0, 10, 3), &known), Verdict::Append);
        assert_eq!(verdict(&batch(0, 11, 3), &known), OUT_OF_ORDER);
        // Of batches before the last five nothing is known.
        assert_eq!(verdict(&batch(0, 0, 2), &known), OUT_OF_ORDER);
    }

    #[test]
    fn one_that_comes_again_is_where_it_was() {
        let known = [batch(0, 5, 5), batch(0, 0, 5)];
        assert_eq!(verdict(&batch(0, 5, 5), &known), Verdict::Known(105));
        assert_eq!(verdict(&batch(0, 0, 5), &known), Verdict::Known(100));
    }

    #[test]
    fn a_producer_that_is_not_known_begins_anywhere() {
        assert_eq!(verdict(&batch(3, 12, 1), &[]), Verdict::Append);
    }

    #[test]
    fn a_new_epoch_begins_at_0_and_ends_the_one_before() {
        let known = [batch(1, 5, 5), batch(1, 0, 5), batch(0, 40, 2)];
        assert_eq!(verdict(&batch(2, 0, 1), &known), Verdict::Append);
        assert_eq!(verdict(&batch(2, 10, 1), &known), OUT_OF_ORDER);
        let old = Verdict::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH);
        assert_eq!(verdict(&batch(0, 40, 2), &known), old);
        assert_eq!(verdict(&batch(0, 42, 2), &known), old);
    }

    #[test]
    fn the_numbers_begin_again_after_the_highest() {
        let known = [batch(0, i32::MAX - 1, 2)];
        assert_eq!(verdict(&batch(0, 0, 1), &known), Verdict::Append);
        let known = [batch(0, i32::MAX - 1, 3)];
        assert_eq!(verdict(&batch(0, 1, 1), &known), Verdict::Append);
    }
}
