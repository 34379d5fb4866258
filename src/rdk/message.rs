//! Messages, borrowed from reports or owned.

use std::borrow::Cow;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use libc::c_int;

use super::client::Client;
use super::errno::ErrorCode;
use super::ptr::{bytes, string};
use super::{raw, topic};

/// What a message's timestamp means.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// The producer set it.
    CreateTime,
    /// The broker set it.
    LogAppendTime,
}

/// What stands among a partition's messages where its log has none: see marks.c.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// No message lies between the last one and this offset.
    pub next: i64,
    /// Fetching begins there, at first or anew.
    pub begins: bool,
}

/// What the offset of a mark where fetching begins is counted down from (marks.c).
const BEGINS: i64 = -2000;

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Origin {
    Produced,
    Consumed,
}

/// A message (`rd_kafka_message_t`), borrowed: from a delivery report's event until the
/// next call on it, or from a [`Message`].
#[derive(Copy, Clone)]
pub struct MessageRef<'a> {
    raw: &'a raw::message_t,
    origin: Origin,
    // librdkafka parses headers when first asked, so no two threads may ask.
    not_sync: PhantomData<*const ()>,
}

impl<'a> MessageRef<'a> {
    /// # Safety
    /// `raw` came from `rd_kafka_event_message_next` of a delivery report that lives for `'a`.
    pub(super) unsafe fn produced(raw: &'a raw::message_t) -> MessageRef<'a> {
        MessageRef { raw, origin: Origin::Produced, not_sync: PhantomData }
    }

    /// The value. `None` is a tombstone. For a consumer's error, its text.
    #[inline]
    pub fn payload(self) -> Option<&'a [u8]> {
        // SAFETY: null or `len` bytes that live as long as the message.
        unsafe { bytes(self.raw.payload, self.raw.len) }
    }

    /// The key.
    #[inline]
    pub fn key(self) -> Option<&'a [u8]> {
        // SAFETY: null or `key_len` bytes that live as long as the message.
        unsafe { bytes(self.raw.key, self.raw.key_len) }
    }

    /// The topic's name; empty for an error that is about no topic.
    #[inline]
    pub fn topic(self) -> &'a str {
        // SAFETY: a message holds its topic.
        unsafe { topic::name_of(self.raw.rkt) }
    }

    /// A number that is the same for all messages of a topic while its client lives;
    /// 0 for none.
    #[inline]
    pub fn topic_id(self) -> usize {
        self.raw.rkt as usize
    }

    /// The partition, -1 if it was never chosen.
    #[inline]
    pub fn partition(self) -> i32 {
        self.raw.partition
    }

    /// The offset; negative for a failed delivery, or one without acks.
    #[inline]
    pub fn offset(self) -> i64 {
        self.raw.offset
    }

    /// Milliseconds since 1970, and what they mean. None with errors.
    #[inline]
    pub fn timestamp(self) -> Option<(i64, TimestampType)> {
        let mut kind: c_int = 0;
        // SAFETY: a valid message and out pointer.
        let ms = unsafe { raw::rd_kafka_message_timestamp(self.raw, &mut kind) };
        match kind {
            1 => Some((ms, TimestampType::CreateTime)),
            2 => Some((ms, TimestampType::LogAppendTime)),
            _ => None,
        }
    }

    /// Why it wasn't delivered, or what a consumer has to say instead of a message.
    #[inline]
    pub fn error(self) -> Option<ErrorCode> {
        ErrorCode(self.raw.err).error()
    }

    /// What a mark tells (marks.c), if this is one and no message.
    #[inline]
    pub fn mark(self) -> Option<Mark> {
        if self.raw.err != ErrorCode::NOOP.0 {
            return None;
        }
        Some(match self.raw.offset {
            offset if offset <= BEGINS => Mark { next: BEGINS - offset, begins: true },
            offset => Mark { next: offset + 1, begins: false },
        })
    }

    /// More about the error: the broker's text for a delivery, librdkafka's for a
    /// consumer; the code's text if there is none, empty without an error.
    pub fn error_text(self) -> String {
        let Some(code) = self.error() else {
            return String::new();
        };
        let text = match self.origin {
            // `rd_kafka_message_errstr` would return the payload here.
            // SAFETY: a produced message; null or a string of the message's own.
            Origin::Produced => unsafe { string(raw::rd_kafka_message_produce_errstr(self.raw)) },
            Origin::Consumed => {
                String::from_utf8_lossy(self.payload().unwrap_or_default()).into_owned()
            }
        };
        if text.is_empty() {
            code.text()
        } else {
            text
        }
    }

    /// The number given to `produce`; 0 for a consumed message.
    #[inline]
    pub fn opaque(self) -> u64 {
        match self.origin {
            Origin::Produced => self.raw._private as usize as u64,
            Origin::Consumed => 0,
        }
    }

    /// The leader's epoch of a consumed message, -1 when not known.
    #[inline]
    pub fn leader_epoch(self) -> i32 {
        match self.origin {
            // SAFETY: a consumed message whose topic is alive.
            Origin::Consumed if self.raw.err == 0 => unsafe {
                raw::rd_kafka_message_leader_epoch(self.raw)
            },
            _ => -1,
        }
    }

    /// The broker that a message came from or went to, where that is known.
    pub fn broker(self) -> Option<i32> {
        // SAFETY: a valid message.
        let id = unsafe { raw::rd_kafka_message_broker_id(self.raw) };
        (id >= 0).then_some(id)
    }

    /// Whether a consumed message is known to have no headers without asking librdkafka, which
    /// takes ten times as long: it sets up a buffer to parse the count.
    ///
    /// In a record of the message format 2 (KIP-98) the number of headers follows the value, a
    /// varint whose byte is 0 for none, and librdkafka hands out the value where it lies in the
    /// records that it received or decompressed, in one piece with what follows
    /// (`rd_kafka_msgset_reader_msg_v2`, rdkafka_msgset_reader.c). The older formats, which have no
    /// headers, have no leader epoch either (-1); an empty value is a constant of librdkafka's own.
    #[inline]
    fn has_no_headers(self) -> bool {
        !self.raw.payload.is_null()
            && self.raw.len > 0
            && self.leader_epoch() >= 0
            // SAFETY: as said above, the record goes on behind its value.
            && unsafe { *self.raw.payload.cast::<u8>().add(self.raw.len) } == 0
    }

    /// The headers in order; none when there are none, or they can't be parsed.
    #[inline]
    pub fn headers(self) -> Option<Headers<'a>> {
        if self.origin == Origin::Consumed && (self.raw.err != 0 || self.has_no_headers()) {
            return None;
        }
        let mut headers = std::ptr::null_mut();
        // SAFETY: a valid message, used by this thread only; the headers it returns are
        // its own and live as long.
        let code = unsafe { raw::rd_kafka_message_headers(self.raw, &mut headers) };
        if code != 0 || headers.is_null() {
            return None;
        }
        Some(Headers { headers, next: 0, message: PhantomData })
    }
}

/// A message's headers: name and value, which may be null.
pub struct Headers<'a> {
    headers: *const raw::rd_kafka_headers_t,
    next: usize,
    message: PhantomData<&'a ()>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (Cow<'a, str>, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut name = std::ptr::null();
        let mut value = std::ptr::null();
        let mut size = 0;
        // SAFETY: headers and out pointers are valid; name and value are the message's
        // own and live as long as it.
        unsafe {
            let code = raw::rd_kafka_header_get_all(
                self.headers,
                self.next,
                &mut name,
                &mut value,
                &mut size,
            );
            if code != 0 {
                return None;
            }
            self.next += 1;
            Some((CStr::from_ptr(name).to_string_lossy(), bytes(value, size)))
        }
    }
}

/// The client of a batch of messages, which share it: an `Arc` each would cost two locked
/// instructions.
pub(super) struct Owner(pub(super) Arc<Client>);

/// A consumed message, or a consumer's error in the place of one; owned. Stays in its thread.
pub struct Message {
    ptr: NonNull<raw::message_t>,
    owner: Rc<Owner>,
}

impl Message {
    /// # Safety
    /// `ptr` came from a consume call on a queue of `owner`, and is the caller's.
    pub(super) unsafe fn from_raw(owner: &Rc<Owner>, ptr: NonNull<raw::message_t>) -> Message {
        Message { ptr, owner: Rc::clone(owner) }
    }

    /// The message, borrowed; both have the same accessors.
    #[inline]
    pub fn view(&self) -> MessageRef<'_> {
        MessageRef {
            // SAFETY: valid until the drop, and shared by this thread only.
            raw: unsafe { self.ptr.as_ref() },
            origin: Origin::Consumed,
            not_sync: PhantomData,
        }
    }

    /// See [`MessageRef::payload`].
    #[inline]
    pub fn payload(&self) -> Option<&[u8]> {
        self.view().payload()
    }

    /// See [`MessageRef::key`].
    #[inline]
    pub fn key(&self) -> Option<&[u8]> {
        self.view().key()
    }

    /// See [`MessageRef::topic`].
    #[inline]
    pub fn topic(&self) -> &str {
        self.view().topic()
    }

    /// See [`MessageRef::topic_id`].
    #[inline]
    pub fn topic_id(&self) -> usize {
        self.view().topic_id()
    }

    /// See [`MessageRef::partition`].
    #[inline]
    pub fn partition(&self) -> i32 {
        self.view().partition()
    }

    /// See [`MessageRef::offset`].
    #[inline]
    pub fn offset(&self) -> i64 {
        self.view().offset()
    }

    /// See [`MessageRef::timestamp`].
    #[inline]
    pub fn timestamp(&self) -> Option<(i64, TimestampType)> {
        self.view().timestamp()
    }

    /// See [`MessageRef::error`].
    #[inline]
    pub fn error(&self) -> Option<ErrorCode> {
        self.view().error()
    }

    /// See [`MessageRef::mark`].
    #[inline]
    pub fn mark(&self) -> Option<Mark> {
        self.view().mark()
    }

    /// See [`MessageRef::error_text`].
    pub fn error_text(&self) -> String {
        self.view().error_text()
    }

    /// See [`MessageRef::opaque`].
    #[inline]
    pub fn opaque(&self) -> u64 {
        self.view().opaque()
    }

    /// See [`MessageRef::leader_epoch`].
    #[inline]
    pub fn leader_epoch(&self) -> i32 {
        self.view().leader_epoch()
    }

    /// See [`MessageRef::headers`].
    #[inline]
    pub fn headers(&self) -> Option<Headers<'_>> {
        self.view().headers()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if self.owner.0.forked() {
            return;
        }
        // SAFETY: valid, ours, and not used again; the client is still there.
        unsafe { raw::rd_kafka_message_destroy(self.ptr.as_ptr()) }
    }
}
