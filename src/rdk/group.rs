//! Who a consumer is in its group: what a transaction needs to commit its offsets.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::ptr::NonNull;

use libc::{c_char, c_int, c_void};

use super::client::Client;
use super::errno::{Error, ErrorCode, Result};
use super::ptr::string;
use super::raw;

extern "C" {
    /// group.c
    fn kafka_name_member(rk: *mut raw::rd_kafka_t, id: *const c_char);
    /// group.c
    fn kafka_awaits_assign(rk: *mut raw::rd_kafka_t) -> c_int;
    /// group.c
    fn kafka_is_out(rk: *mut raw::rd_kafka_t) -> c_int;
}

/// Gives a member of the consumer protocol an id that no other has, also none of a forked process (group.c).
/// Where the system has no random bytes librdkafka's stays.
///
/// # Safety
/// The client is valid and has just been made.
pub(super) unsafe fn name_member(rk: *mut raw::rd_kafka_t) {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    let id = CString::new(id_of(bytes));
    if let (Ok(()), Ok(id)) = (read, id) {
        // SAFETY: as the caller promises; the id is copied.
        unsafe { kafka_name_member(rk, id.as_ptr()) }
    }
}

/// A UUID (version 4) as Kafka writes it: in base64, of the alphabet for URLs, without padding.
fn id_of(bytes: [u8; 16]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;
    let uuid = u128::from_be_bytes(bytes) & !VERSION & !VARIANT | 0x4 << 76 | 0b10 << 62;
    // 22 digits have room for four bits more.
    let digit = |n: u32| {
        let shifted = if n < 21 { uuid >> (122 - 6 * n) } else { uuid << 4 };
        char::from(DIGITS[(shifted & 63) as usize])
    };
    (0..22).map(digit).collect()
}

/// A snapshot of a consumer's membership (`rd_kafka_consumer_group_metadata_t`).
pub struct GroupMetadata(NonNull<raw::rd_kafka_consumer_group_metadata_t>);

// SAFETY: a plain copy of strings and numbers that belongs to no thread and no client.
unsafe impl Send for GroupMetadata {}
// SAFETY: it is never changed.
unsafe impl Sync for GroupMetadata {}

impl GroupMetadata {
    pub(super) fn as_ptr(&self) -> *const raw::rd_kafka_consumer_group_metadata_t {
        self.0.as_ptr()
    }

    /// The group's id.
    pub fn group_id(&self) -> String {
        // SAFETY: the object is valid, and the string is its own.
        unsafe { string(raw::rd_kafka_consumer_group_metadata_group_id(self.as_ptr())) }
    }

    /// The member's id; empty before it joined.
    pub fn member_id(&self) -> String {
        // SAFETY: as for `group_id`.
        unsafe { string(raw::rd_kafka_consumer_group_metadata_member_id(self.as_ptr())) }
    }

    /// The static member's id (`group.instance.id`), if it is one.
    pub fn group_instance_id(&self) -> Option<String> {
        // SAFETY: as for `group_id`; null when there is none.
        unsafe {
            let id = raw::rd_kafka_consumer_group_metadata_group_instance_id(self.as_ptr());
            (!id.is_null()).then(|| string(id))
        }
    }

    /// The group's generation, -1 before the first.
    pub fn generation_id(&self) -> i32 {
        // SAFETY: the object is valid.
        unsafe { raw::rd_kafka_consumer_group_metadata_generation_id(self.as_ptr()) }
    }

    /// Bytes that [`from_bytes`](GroupMetadata::from_bytes) reads, in this process or
    /// another (`rd_kafka_consumer_group_metadata_write`).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut buffer: *mut c_void = std::ptr::null_mut();
        let mut size = 0;
        // SAFETY: object and out pointers are valid; the buffer is ours, has `size`
        // bytes, is copied and freed once, without a client as it came without one.
        unsafe {
            Error::take(raw::rd_kafka_consumer_group_metadata_write(
                self.as_ptr(),
                &mut buffer,
                &mut size,
            ))?;
            let copy = std::slice::from_raw_parts(buffer.cast::<u8>(), size).to_vec();
            raw::rd_kafka_mem_free(std::ptr::null_mut(), buffer);
            Ok(copy)
        }
    }

    /// The reverse (`rd_kafka_consumer_group_metadata_read`). Error: `BAD_MSG`.
    pub fn from_bytes(bytes: &[u8]) -> Result<GroupMetadata> {
        let mut found = std::ptr::null_mut();
        // SAFETY: the bytes are valid through the call; the object is ours on success.
        unsafe {
            Error::take(raw::rd_kafka_consumer_group_metadata_read(
                &mut found,
                bytes.as_ptr().cast(),
                bytes.len(),
            ))?;
        }
        NonNull::new(found).map(GroupMetadata).ok_or_else(|| Error::new(ErrorCode::BAD_MSG))
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: valid, ours, and not used again.
        unsafe { raw::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}

impl Client {
    /// This consumer's membership now; `None` without a group
    /// (`rd_kafka_consumer_group_metadata`).
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        let _bound = self.bound();
        // SAFETY: the handle is valid; the object returned is ours.
        let found = unsafe { raw::rd_kafka_consumer_group_metadata(self.as_ptr()) };
        NonNull::new(found).map(GroupMetadata)
    }

    /// Whether the group waits for the answer to an assignment (group.c). When it does not, the group has
    /// moved on, and an assignment that comes from the queue is void.
    pub fn awaits_assign(&self) -> bool {
        // SAFETY: the handle is valid.
        unsafe { kafka_awaits_assign(self.as_ptr()) != 0 }
    }

    /// Whether this member was put out of its group and has not joined again (group.c): nothing that it holds, or was
    /// assigned before, is its own any more.
    pub fn is_out(&self) -> bool {
        // SAFETY: the handle is valid.
        unsafe { kafka_is_out(self.as_ptr()) != 0 || self.member_id().is_none() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_members_are_uuids() {
        assert_eq!(id_of([0; 16]), "AAAAAAAAQACAAAAAAAAAAA");
        assert_eq!(id_of([255; 16]), "________T_-__________w");
        let count = std::array::from_fn(|n| n as u8);
        assert_eq!(id_of(count), "AAECAwQFRgeICQoLDA0ODw");
    }
}
