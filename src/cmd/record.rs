//! Messages as dicts and arrays: one copy, from librdkafka's memory into Tcl's.

use std::cell::RefCell;
use std::collections::HashMap;

use super::encoding::Encoding;
use super::reader::Held;
use crate::error::{guiding_detail, Result};
use crate::rdk::{self, MessageRef, TimestampType};
use crate::tcl::{Again, Elements, Interp, ListBuilder, New, Obj};

/// The names that records have, in the contract's order; a bit each in [`Names`].
const NAMES: [&str; 14] = [
    "payload",
    "partition",
    "offset",
    "timestamp",
    "topic",
    "key",
    "timestamp_type",
    "headers",
    "null_headers",
    "tombstone",
    "encoding_error",
    "error",
    "code",
    "message",
];

#[derive(Copy, Clone)]
enum Name {
    Payload,
    Partition,
    Offset,
    Timestamp,
    Topic,
    Key,
    TimestampType,
    Headers,
    NullHeaders,
    Tombstone,
    EncodingError,
    Error,
    Code,
    Message,
}

/// Which names a record has.
#[derive(Copy, Clone, PartialEq, Eq, Default)]
pub struct Names(u16);

impl Names {
    /// Whether they are those of a message without anything out of the ordinary.
    fn are_plain(self) -> bool {
        let odd = 1 << Name::Headers as u16
            | 1 << Name::Tombstone as u16
            | 1 << Name::EncodingError as u16
            | 1 << Name::Error as u16;
        self.0 & odd == 0
    }
}

/// A message or an error as a list of names and values, and which names these are.
pub struct Record {
    pub list: Obj,
    pub names: Names,
}

/// The words of message dicts and arrays, made once for an interpreter.
pub struct Words {
    names: [Obj; NAMES.len()],
    create_time: Obj,
    log_append_time: Obj,
    /// What a flag that is set has for its value.
    pub(super) one: Obj,
    /// Topic names by librdkafka's topic; the name is compared, for addresses are used again.
    topics: RefCell<HashMap<usize, Obj>>,
    /// The last of them: messages of a topic come in runs.
    last: RefCell<(usize, Obj)>,
    /// The last partition number.
    partition: RefCell<(i32, Obj)>,
    /// The last plain message.
    message: RefCell<Option<Last>>,
}

/// A message that was made a dict: the next one is the same value again if nobody has kept it.
struct Last {
    value: Again,
    topic: Obj,
    partition: i32,
    kind: TimestampType,
    has_key: bool,
}

/// The largest payload of a message that is kept for the next one to take its place.
const KEPT: usize = 64 * 1024;

impl Default for Words {
    fn default() -> Words {
        Words {
            names: NAMES.map(Obj::text),
            create_time: Obj::text("create_time"),
            log_append_time: Obj::text("log_append_time"),
            one: Obj::int(1),
            topics: RefCell::default(),
            last: RefCell::new((0, Obj::empty())),
            partition: RefCell::new((0, Obj::int(0))),
            message: RefCell::new(None),
        }
    }
}

/// The elements of the array that a batch sets for each message.
pub type ArrayElements = Elements<{ NAMES.len() }>;

/// Where a message's names and values go, in the contract's order.
trait Sink<'a> {
    fn put(&mut self, name: Name, value: Obj);

    /// As `put`, with a word of `Words`.
    fn put_word(&mut self, name: Name, value: &'a Obj);
}

/// A record under construction.
struct Building<'a> {
    list: ListBuilder<'a, { 2 * NAMES.len() }>,
    words: &'a Words,
    names: u16,
}

impl<'a> Building<'a> {
    #[inline]
    fn new(words: &'a Words) -> Building<'a> {
        Building { list: ListBuilder::default(), words, names: 0 }
    }

    #[inline]
    fn name(&mut self, name: Name) {
        self.list.word(&self.words.names[name as usize]);
        self.names |= 1 << name as u16;
    }

    #[inline]
    fn finish(self) -> Record {
        Record { names: Names(self.names), list: self.list.finish() }
    }
}

impl<'a> Sink<'a> for Building<'a> {
    #[inline]
    fn put(&mut self, name: Name, value: Obj) {
        self.name(name);
        self.list.push(value);
    }

    #[inline]
    fn put_word(&mut self, name: Name, value: &'a Obj) {
        self.name(name);
        self.list.word(value);
    }
}

/// A message on its way into an array, element by element.
struct Setting<'a> {
    interp: Interp,
    elements: &'a mut ArrayElements,
    words: &'a Words,
    names: u16,
    ok: bool,
}

impl<'a> Sink<'a> for Setting<'_> {
    #[inline]
    fn put(&mut self, name: Name, value: Obj) {
        self.put_word(name, &value);
    }

    #[inline]
    fn put_word(&mut self, name: Name, value: &Obj) {
        let i = name as usize;
        // A trace on an element may fail; those after it are left alone, as `array set` does.
        self.ok = self.ok && self.elements.set(self.interp, i, &self.words.names[i], value);
        self.names |= 1 << i;
    }
}

impl Words {
    /// A message's topic: one value for all of a topic.
    pub(super) fn topic(&self, m: MessageRef<'_>) -> Obj {
        let (id, name) = (m.topic_id(), m.topic());
        {
            let (last, o) = &*self.last.borrow();
            if *last == id && o.raw() == name.as_bytes() {
                return o.clone();
            }
        }
        let o = self.topic_of(id, name);
        *self.last.borrow_mut() = (id, o.clone());
        o
    }

    fn topic_of(&self, id: usize, name: &str) -> Obj {
        if let Some(o) = self.topics.borrow().get(&id) {
            if o.raw() == name.as_bytes() {
                return o.clone();
            }
        }
        let o = Obj::text(name);
        let mut topics = self.topics.borrow_mut();
        if topics.len() > 10_000 {
            topics.clear();
        }
        topics.insert(id, o.clone());
        o
    }

    /// A partition's number: one value for a run of messages.
    pub(super) fn partition(&self, partition: i32) -> Obj {
        let mut last = self.partition.borrow_mut();
        if last.0 != partition {
            *last = (partition, Obj::int(partition.into()));
        }
        last.1.clone()
    }

    /// What a timestamp stands for, as a word.
    pub(super) fn timestamp_type(&self, kind: TimestampType) -> &Obj {
        match kind {
            TimestampType::CreateTime => &self.create_time,
            TimestampType::LogAppendTime => &self.log_append_time,
        }
    }

    /// A message's names and values in the contract's order. `topic` is its topic's name where that is
    /// at hand; `text_key`: the key's bytes as text, as KafkaTcl 2.4 made them in a consumer's callback.
    #[inline]
    fn build<'a>(
        &'a self,
        m: MessageRef<'_>,
        topic: Option<&'a Obj>,
        encoding: &Encoding,
        text_key: bool,
    ) -> Building<'a> {
        let mut out = Building::new(self);
        self.put_message(m, topic, encoding, text_key, &mut out);
        out
    }

    /// As `build`, into any sink.
    #[inline]
    fn put_message<'a>(
        &'a self,
        m: MessageRef<'_>,
        topic: Option<&'a Obj>,
        encoding: &Encoding,
        text_key: bool,
        out: &mut impl Sink<'a>,
    ) {
        let mut bad = false;
        let mut value = |bytes: Option<&[u8]>| {
            let (o, failed) = encoding.decode(bytes.unwrap_or(&[]));
            bad |= failed;
            o
        };
        out.put(Name::Payload, value(m.payload()));
        out.put(Name::Partition, self.partition(m.partition()));
        out.put(Name::Offset, super::tps::offset_obj(m.offset()));
        let stamp = m.timestamp();
        if let Some((ms, _)) = stamp {
            out.put(Name::Timestamp, Obj::int(ms));
        }
        match topic {
            Some(topic) => out.put_word(Name::Topic, topic),
            None => out.put(Name::Topic, self.topic(m)),
        }
        if let Some(key) = m.key() {
            let key =
                if text_key { Obj::text(&String::from_utf8_lossy(key)) } else { value(Some(key)) };
            out.put(Name::Key, key);
        }
        if let Some((_, kind)) = stamp {
            out.put_word(Name::TimestampType, self.timestamp_type(kind));
        }
        if let Some(headers) = m.headers() {
            let (mut list, mut nulls) = (Vec::new(), Vec::new());
            for (i, (name, bytes)) in headers.enumerate() {
                if bytes.is_none() {
                    nulls.push(Obj::int(i as i64));
                }
                list.push(Obj::text(&name));
                list.push(value(bytes));
            }
            if !list.is_empty() {
                out.put(Name::Headers, Obj::list(&list));
            }
            if !nulls.is_empty() {
                out.put(Name::NullHeaders, Obj::list(&nulls));
            }
        }
        if m.payload().is_none() {
            out.put_word(Name::Tombstone, &self.one);
        }
        if bad {
            out.put_word(Name::EncodingError, &self.one);
        }
    }

    /// A message as a record, for an array.
    #[inline]
    pub fn record(&self, held: &Held, encoding: &Encoding) -> Record {
        self.build(held.message.view(), Some(&held.part.name), encoding, false).finish()
    }

    /// A message as a dict.
    #[inline]
    pub fn dict(&self, held: &Held, encoding: &Encoding) -> Obj {
        self.plain(held.message.view(), &held.part.name, encoding)
    }

    /// A message as a dict for a consumer's callback, with the key that KafkaTcl 2.4 gave there if
    /// `old` asks for it.
    #[inline]
    pub fn callback_dict(&self, held: &Held, encoding: &Encoding, old: bool) -> Obj {
        if old {
            let (m, topic) = (held.message.view(), &held.part.name);
            return self.build(m, Some(topic), encoding, true).finish().list;
        }
        self.dict(held, encoding)
    }

    /// A message as a dict: the last one's value with what differs, if nobody has kept that.
    #[inline]
    fn plain(&self, m: MessageRef<'_>, topic: &Obj, encoding: &Encoding) -> Obj {
        if let Some(o) = self.again(m, topic, encoding) {
            return o;
        }
        let Record { list, names } = self.build(m, Some(topic), encoding, false).finish();
        let last = match (m.payload(), m.timestamp()) {
            (Some(payload), Some((_, kind))) if payload.len() <= KEPT && names.are_plain() => {
                Some(Last {
                    value: Again::new(&list),
                    topic: topic.clone(),
                    partition: m.partition(),
                    kind,
                    has_key: m.key().is_some(),
                })
            }
            _ => None,
        };
        let old = self.message.replace(last);
        drop(old);
        list
    }

    #[inline]
    fn again(&self, m: MessageRef<'_>, topic: &Obj, encoding: &Encoding) -> Option<Obj> {
        let last = self.message.borrow();
        let last = last.as_ref()?;
        let (ms, kind) = m.timestamp()?;
        let payload = m.payload().filter(|p| p.len() <= KEPT)?;
        let same = last.topic.ptr() == topic.ptr()
            && last.partition == m.partition()
            && last.kind == kind
            && last.has_key == m.key().is_some();
        if !same || !last.value.is_free() || m.headers().is_some() {
            return None;
        }
        let (text, key_text);
        let payload = match encoding {
            Encoding::Binary => New::Bytes(payload),
            _ => {
                text = whole(encoding.decode(payload))?;
                New::Value(&text)
            }
        };
        let past;
        let offset = match m.offset() {
            at @ 0.. => New::Int(at),
            other => {
                past = super::tps::offset_obj(other);
                New::Value(&past)
            }
        };
        let name = |n: Name| &self.names[n as usize];
        let changed = [
            (0, name(Name::Payload), payload),
            (2, name(Name::Offset), offset),
            (3, name(Name::Timestamp), New::Int(ms)),
        ];
        let Some(key) = m.key() else { return last.value.with(&changed) };
        let key = match encoding {
            Encoding::Binary => New::Bytes(key),
            _ => {
                key_text = whole(encoding.decode(key))?;
                New::Value(&key_text)
            }
        };
        let [payload, offset, timestamp] = changed;
        last.value.with(&[payload, offset, timestamp, (5, name(Name::Key), key)])
    }

    /// A delivery report: the message; when it failed, with the error appended.
    /// `explain` says more about it.
    pub fn report(
        &self,
        m: MessageRef<'_>,
        encoding: &Encoding,
        explain: impl FnOnce(rdk::Error) -> rdk::Error,
    ) -> Obj {
        let Some(code) = m.error() else {
            return self.plain(m, &self.topic(m), encoding);
        };
        let mut out = self.build(m, None, encoding, false);
        put_error(&explain(rdk::Error::with_detail(code, m.error_text())), &mut out);
        out.finish().list
    }

    /// A message error, with topic and partition where known.
    pub fn error(&self, e: &rdk::Error, topic: Option<&str>, partition: Option<i32>) -> Record {
        let mut out = Building::new(self);
        put_error(e, &mut out);
        if let Some(t) = topic.filter(|t| !t.is_empty()) {
            out.put(Name::Topic, Obj::text(t));
        }
        if let Some(p) = partition.filter(|p| *p >= 0) {
            out.put(Name::Partition, self.partition(p));
        }
        out.finish()
    }

    /// As `error`, as a dict.
    pub fn error_dict(&self, e: &rdk::Error, topic: Option<&str>, partition: Option<i32>) -> Obj {
        self.error(e, topic, partition).list
    }

    /// Sets an array's elements from a record and unsets those that the record lacks. `known` are the
    /// names of the record that this array held before, if it was set by us since then.
    pub fn set_array(
        &self,
        interp: Interp,
        array: &Obj,
        record: &Record,
        known: &mut Option<Names>,
    ) -> Result<()> {
        // One by one: Tcl's own `array set` looks the array up once, and uses freed memory when a write
        // trace unsets it.
        let set = record
            .list
            .get_list("record")?
            .chunks_exact(2)
            .all(|p| interp.set_element(array, &p[0], &p[1]));
        if !set {
            return Err(crate::error::Error::Raised);
        }
        for (_, name) in self.gone(record.names, known) {
            interp.unset_element(array, name);
        }
        Ok(())
    }

    /// As `set_array` with a message, whose elements are looked up once for a whole batch.
    pub fn set_elements(
        &self,
        interp: Interp,
        elements: &mut ArrayElements,
        held: &Held,
        encoding: &Encoding,
        known: &mut Option<Names>,
    ) -> Result<()> {
        let mut out = Setting { interp, elements, words: self, names: 0, ok: true };
        self.put_message(held.message.view(), Some(&held.part.name), encoding, false, &mut out);
        let Setting { names, ok, .. } = out;
        if !ok {
            return Err(crate::error::Error::Raised);
        }
        for (i, name) in self.gone(Names(names), known) {
            elements.unset(interp, i, name);
        }
        Ok(())
    }

    /// Ends what `set_elements` began, in the frame of the array.
    pub fn release(&self, interp: Interp, elements: &mut ArrayElements) {
        elements.release(interp, &self.names);
    }

    /// The elements that an array has too many: those of `known`, which becomes `names`.
    #[inline]
    fn gone(&self, names: Names, known: &mut Option<Names>) -> impl Iterator<Item = (usize, &Obj)> {
        let Names(there) = known.replace(names).unwrap_or(Names(u16::MAX));
        let mut gone = there & !names.0 & ((1 << NAMES.len()) - 1);
        std::iter::from_fn(move || {
            let i = gone.trailing_zeros() as usize;
            let name = self.names.get(i)?;
            gone &= gone - 1;
            Some((i, name))
        })
    }
}

fn put_error(e: &rdk::Error, out: &mut Building<'_>) {
    out.put(Name::Error, Obj::text(&e.code.text()));
    out.put(Name::Code, Obj::text(&e.code.constant()));
    out.put(Name::Message, Obj::text(&guiding_detail(e)));
}

/// A decoded value, if all of it could be decoded.
fn whole((value, failed): (Obj, bool)) -> Option<Obj> {
    (!failed).then_some(value)
}
