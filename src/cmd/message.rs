//! The words of one message to produce, checked and turned into bytes.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::encoding::Encoding;
use crate::error::{Error, Result};
use crate::rdk::Record;
use crate::tcl::usage::Usage;
use crate::tcl::{Args, Obj};

/// What a message may have beyond partition, payload and key.
#[derive(Default)]
pub struct More {
    /// Name and value, which may be null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970; none: now.
    pub timestamp: Option<i64>,
    pub opaque: u64,
}

impl More {
    /// Whether librdkafka's shortest way will do: no headers, the time is now.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.headers.is_empty() && self.timestamp.is_none()
    }
}

/// The words of one message, checked; bytes are taken from them last, for reading a value as a list
/// or a number may move its bytes.
pub struct Message<'a> {
    payload: &'a Obj,
    key: Option<&'a Obj>,
    /// The message's own partition; none: its batch's.
    partition: Option<i32>,
    tombstone: bool,
    headers: Vec<(Obj, Obj)>,
    /// Which of them are null, by index.
    nulls: Vec<usize>,
    timestamp: Option<i64>,
    encoding: Option<Encoding>,
}

impl<'a> Message<'a> {
    /// From sorted words, whose payload and key are at `first` and after it.
    pub fn sort(args: &Args<'a>, first: usize) -> Result<Message<'a>> {
        let key = args.get(first + 1);
        let mut m = Message {
            payload: args.at(first)?,
            key,
            partition: None,
            tombstone: false,
            headers: Vec::new(),
            nulls: Vec::new(),
            timestamp: None,
            encoding: None,
        };
        if !args.has_options() {
            return Ok(m);
        }
        if let Some(k) = args.opt("-key") {
            if key.is_some() {
                return Err(Error::argument("the key is given twice: as a word and with -key"));
            }
            m.key = Some(k);
        }
        if let Some(p) = args.opt("-partition") {
            m.partition = Some(partition(p)?);
        }
        if let Some(h) = args.opt("-headers") {
            m.headers = h.get_pairs("-headers")?;
        }
        if let Some(list) = args.opt("-null_headers") {
            m.nulls = nulls(list, &m.headers)?;
        }
        if let Some(t) = args.opt("-timestamp") {
            let ms = t.get_int("-timestamp")?;
            if ms < 0 {
                return Err(Error::expected("-timestamp", "milliseconds since 1970", &t.str()));
            }
            m.timestamp = Some(ms);
        }
        if let Some(b) = args.opt("-tombstone") {
            m.tombstone = b.get_bool("-tombstone")?;
            if m.tombstone && !m.payload.is_empty() {
                return Err(Error::argument("a tombstone has no payload: give an empty one"));
            }
        }
        if let Some(e) = args.opt("-encoding") {
            m.encoding = Some(Encoding::parse(e)?);
        }
        Ok(m)
    }

    /// The bytes to send; `encoding` and `partition` are for a message that names none itself.
    pub fn bytes(&self, encoding: &Encoding, partition: i32) -> Result<Bytes<'a>> {
        let encoding = self.encoding.as_ref().unwrap_or(encoding);
        let mut headers = Vec::with_capacity(self.headers.len());
        for (i, (name, value)) in self.headers.iter().enumerate() {
            let name = name.string();
            if name.contains('\0') {
                return Err(Error::expected("header name", "a name without NUL", &name));
            }
            let value = match self.nulls.contains(&i) {
                true => None,
                false => Some(encoding.encode(value, "header value")?.into_owned()),
            };
            headers.push((name, value));
        }
        let payload = encoding.encode(self.payload, "payload")?;
        let partition = self.partition.unwrap_or(partition);
        Ok(Bytes {
            partition,
            word: if partition < 0 { self.key.cloned() } else { None },
            payload: (!self.tombstone).then_some(payload),
            key: self.key.map(|k| encoding.encode(k, "key")).transpose()?,
            more: More { headers, timestamp: self.timestamp, opaque: 0 },
        })
    }
}

/// The indices of the headers that are null. Their values have to be empty, as those of a message that
/// was read are.
fn nulls(list: &Obj, headers: &[(Obj, Obj)]) -> Result<Vec<usize>> {
    let index = |word: &Obj| -> Result<usize> {
        let n = word.get_int("-null_headers")?;
        let found = usize::try_from(n).ok().filter(|n| *n < headers.len());
        let n = found.ok_or_else(|| {
            Error::expected("-null_headers", "indices of headers, from 0", &word.str())
        })?;
        if !headers[n].1.is_empty() {
            return Err(Error::argument("a header that is null has no value: give an empty one"));
        }
        Ok(n)
    };
    list.get_list("-null_headers")?.iter().map(index).collect()
}

/// One message, ready for librdkafka.
pub struct Bytes<'a> {
    pub partition: i32,
    /// The key as the script gave it, for a partitioner callback; only of a message that has no
    /// partition yet.
    pub word: Option<Obj>,
    pub payload: Option<Cow<'a, [u8]>>,
    pub key: Option<Cow<'a, [u8]>>,
    pub more: More,
}

impl Bytes<'_> {
    /// The same with bytes of its own, for a call that waits: the script's values may change
    /// meanwhile.
    pub fn into_owned(self) -> Bytes<'static> {
        let own = |b: Cow<'_, [u8]>| Cow::Owned(b.into_owned());
        Bytes {
            partition: self.partition,
            word: self.word,
            payload: self.payload.map(own),
            key: self.key.map(own),
            more: self.more,
        }
    }
}

/// A partition to produce to; -1 leaves the choice to the partitioner.
pub fn partition(word: &Obj) -> Result<i32> {
    let n = word.get_int("partition")?;
    i32::try_from(n).ok().filter(|p| *p >= -1).ok_or_else(|| {
        Error::expected("partition", "a number from 0 to 2147483647, or -1 for any", &word.str())
    })
}

/// What the elements of a batch may have: `produce_batch` names the partition for all of them,
/// `send_batch` lets each have its own.
#[derive(Copy, Clone)]
pub enum Elements {
    Produce,
    Send,
}

impl Elements {
    fn usage(self) -> Result<&'static Usage> {
        static READ: [OnceLock<std::result::Result<Usage, String>>; 2] =
            [OnceLock::new(), OnceLock::new()];
        let (read, text) = match self {
            Elements::Produce => (
                &READ[0],
                "payload ?key? ?-key k? ?-headers h? ?-null_headers list? ?-timestamp ms? ?-tombstone b? ?-encoding e?",
            ),
            Elements::Send => (
                &READ[1],
                "payload ?key? ?-key k? ?-partition p? ?-headers h? ?-null_headers list? ?-timestamp ms? ?-tombstone b? ?-encoding e?",
            ),
        };
        read.get_or_init(|| Usage::parse(text)).as_ref().map_err(|e| Error::argument(e.clone()))
    }
}

/// The messages of a batch, all checked. First all lists are read, then all bytes: see [`Message`].
pub struct Batch {
    elements: Elements,
    /// The words of all messages, and where those of each end.
    words: Vec<Obj>,
    ends: Vec<usize>,
}

impl Batch {
    /// `list` is a list of `{payload ?key? ?-option value ...?}`.
    pub fn read(list: &Obj, elements: Elements) -> Result<Batch> {
        let list = list.get_list("list of messages")?;
        let mut words = Vec::with_capacity(list.len());
        let mut ends = Vec::with_capacity(list.len());
        for (i, message) in list.iter().enumerate() {
            let row =
                message.elements("").or_else(|_| message.elements(&format!("message {i}")))?;
            words.extend_from_slice(row);
            ends.push(words.len());
        }
        Ok(Batch { elements, words, ends })
    }

    /// The messages as they are mostly: payload and key alone, of bytes as they stand; none if any has
    /// more to it, or is wrong.
    pub fn plain(&self) -> Option<Vec<Record<'_>>> {
        let mut records = Vec::with_capacity(self.ends.len());
        let mut start = 0;
        for end in &self.ends {
            let (payload, key) = match &self.words[start..*end] {
                [payload] => (payload, None),
                [payload, key] => (payload, Some(key.get_bytes("key").ok()?)),
                _ => return None,
            };
            start = *end;
            // What looks like an option may lack its value.
            if key.is_some_and(|k| k.starts_with(b"-")) {
                return None;
            }
            let payload = payload.get_bytes("payload").ok()?;
            records.push(Record { payload: Some(payload), key, opaque: 0 });
        }
        Some(records)
    }

    /// The bytes of every message.
    pub fn bytes(&self, encoding: &Encoding, partition: i32) -> Result<Vec<Bytes<'_>>> {
        let usage = self.elements.usage()?;
        let mut messages = Vec::with_capacity(self.ends.len());
        let mut start = 0;
        for (i, end) in self.ends.iter().enumerate() {
            let row = &self.words[start..*end];
            start = *end;
            let args = usage
                .sort(&|| String::from("message"), row)
                .map_err(|e| in_message(i, e.into()))?;
            messages.push(Message::sort(&args, 0).map_err(|e| in_message(i, e))?);
        }
        messages
            .iter()
            .enumerate()
            .map(|(i, m)| m.bytes(encoding, partition).map_err(|e| in_message(i, e)))
            .collect()
    }
}

/// Says which message of a batch a fault is in.
fn in_message(i: usize, e: Error) -> Error {
    match e {
        Error::Words(crate::tcl::Error::NotBytes { what, ch, index }) => {
            let what = format!("{what} of message {i}");
            Error::Words(crate::tcl::Error::NotBytes { what, ch, index })
        }
        Error::Words(w) => Error::argument(format!("message {i}: {}", w.message())),
        other => other,
    }
}
