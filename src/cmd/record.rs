//! Messages as Tcl values: one copy, from librdkafka's memory into Tcl's.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use super::encoding::Encoding;
use super::reader::Held;
use crate::error::{guiding_detail, Result};
use crate::rdk::{self, MessageRef, TimestampType};
use crate::tcl::{ArraySet, Interp, ListBuilder, Obj};

/// The names that records have, in the contract's order; a bit each in [`Names`].
const NAMES: [&str; 13] = [
    "payload",
    "partition",
    "offset",
    "timestamp",
    "topic",
    "key",
    "timestamp_type",
    "headers",
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
    Tombstone,
    EncodingError,
    Error,
    Code,
    Message,
}

/// Which names a record has.
#[derive(Copy, Clone, PartialEq, Eq, Default)]
pub struct Names(u16);

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
    one: Obj,
    array_set: OnceCell<Option<ArraySet>>,
    /// Topic names by librdkafka's topic; the name is compared, for addresses are used again.
    topics: RefCell<HashMap<usize, Obj>>,
    /// The last of them: messages of a topic come in runs.
    last: RefCell<(usize, Obj)>,
    /// The last partition number.
    partition: RefCell<(i32, Obj)>,
}

impl Default for Words {
    fn default() -> Words {
        Words {
            names: NAMES.map(Obj::text),
            create_time: Obj::text("create_time"),
            log_append_time: Obj::text("log_append_time"),
            one: Obj::int(1),
            array_set: OnceCell::new(),
            topics: RefCell::default(),
            last: RefCell::new((0, Obj::empty())),
            partition: RefCell::new((0, Obj::int(0))),
        }
    }
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
    fn put(&mut self, name: Name, value: Obj) {
        self.name(name);
        self.list.push(value);
    }

    /// As `put`, with a word of `Words`.
    #[inline]
    fn put_word(&mut self, name: Name, value: &'a Obj) {
        self.name(name);
        self.list.word(value);
    }

    #[inline]
    fn finish(self) -> Record {
        Record { names: Names(self.names), list: self.list.finish() }
    }
}

impl Words {
    fn topic(&self, m: MessageRef<'_>) -> Obj {
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

    fn partition(&self, partition: i32) -> Obj {
        let mut last = self.partition.borrow_mut();
        if last.0 != partition {
            *last = (partition, Obj::int(partition.into()));
        }
        last.1.clone()
    }

    fn timestamp_type(&self, kind: TimestampType) -> &Obj {
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
            let mut list = Vec::new();
            for (name, bytes) in headers {
                list.push(Obj::text(&name));
                list.push(value(bytes));
            }
            if !list.is_empty() {
                out.put(Name::Headers, Obj::list(&list));
            }
        }
        if m.payload().is_none() {
            out.put_word(Name::Tombstone, &self.one);
        }
        if bad {
            out.put_word(Name::EncodingError, &self.one);
        }
        out
    }

    /// A message as a record, for an array.
    #[inline]
    pub fn record(&self, held: &Held, encoding: &Encoding) -> Record {
        self.build(held.message.view(), Some(&held.part.name), encoding, false).finish()
    }

    /// A message as a dict.
    #[inline]
    pub fn dict(&self, held: &Held, encoding: &Encoding) -> Obj {
        self.record(held, encoding).list
    }

    /// A message as a dict for a consumer's callback, with the key that KafkaTcl 2.4 gave there if
    /// `old` asks for it.
    #[inline]
    pub fn callback_dict(&self, held: &Held, encoding: &Encoding, old: bool) -> Obj {
        self.build(held.message.view(), Some(&held.part.name), encoding, old).finish().list
    }

    /// A delivery report: the message; when it failed, with the error appended.
    /// `explain` says more about it.
    pub fn report(
        &self,
        m: MessageRef<'_>,
        encoding: &Encoding,
        explain: impl FnOnce(rdk::Error) -> rdk::Error,
    ) -> Obj {
        let mut out = self.build(m, None, encoding, false);
        if let Some(code) = m.error() {
            put_error(&explain(rdk::Error::with_detail(code, m.error_text())), &mut out);
        }
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
        let set = match *self.array_set.get_or_init(|| interp.array_set()) {
            Some(function) => interp.set_elements(function, array, &record.list),
            None => record
                .list
                .get_list("record")?
                .chunks_exact(2)
                .all(|p| interp.set_element(array, &p[0], &p[1])),
        };
        if !set {
            return Err(crate::error::Error::Raised);
        }
        let Names(there) = known.replace(record.names).unwrap_or(Names(u16::MAX));
        let gone = there & !record.names.0;
        if gone != 0 {
            for (i, name) in self.names.iter().enumerate() {
                if gone & 1 << i != 0 {
                    interp.unset_element(array, name);
                }
            }
        }
        Ok(())
    }

    /// One field of a message by its name, absent ones empty, for `-fields`.
    pub fn field(&self, m: MessageRef<'_>, field: Field, encoding: &Encoding) -> Obj {
        match field {
            Field::Payload => encoding.decode(m.payload().unwrap_or(&[])).0,
            Field::Key => encoding.decode(m.key().unwrap_or(&[])).0,
            Field::Partition => self.partition(m.partition()),
            Field::Offset => Obj::int(m.offset()),
            Field::Topic => self.topic(m),
            Field::Timestamp => m.timestamp().map_or_else(Obj::empty, |(ms, _)| Obj::int(ms)),
            Field::TimestampType => {
                m.timestamp().map_or_else(Obj::empty, |(_, kind)| self.timestamp_type(kind).clone())
            }
            Field::Tombstone => {
                if m.payload().is_none() {
                    self.one.clone()
                } else {
                    Obj::empty()
                }
            }
            Field::Headers => {
                let list: Vec<Obj> = m
                    .headers()
                    .into_iter()
                    .flatten()
                    .flat_map(|(n, v)| [Obj::text(&n), encoding.decode(v.unwrap_or(&[])).0])
                    .collect();
                Obj::list(&list)
            }
            Field::Nulls => nulls(m),
            Field::Broker => m.broker().map_or_else(Obj::empty, |id| Obj::int(id.into())),
            Field::End => Obj::empty(),
        }
    }

    /// A field of what stands at the end of a partition in a message's place.
    pub fn end_field(&self, m: MessageRef<'_>, field: Field) -> Obj {
        match field {
            Field::Partition => self.partition(m.partition()),
            Field::Offset => Obj::int(m.offset()),
            Field::Topic => self.topic(m),
            Field::End => self.one.clone(),
            _ => Obj::empty(),
        }
    }
}

/// What of a message is null, where an empty value says no more: `key`, `payload`, and the indices of
/// headers.
fn nulls(m: MessageRef<'_>) -> Obj {
    let mut list = Vec::new();
    if m.key().is_none() {
        list.push(Obj::text("key"));
    }
    if m.payload().is_none() {
        list.push(Obj::text("payload"));
    }
    for (i, (_, value)) in m.headers().into_iter().flatten().enumerate() {
        if value.is_none() {
            list.push(Obj::int(i as i64));
        }
    }
    Obj::list(&list)
}

fn put_error(e: &rdk::Error, out: &mut Building<'_>) {
    out.put(Name::Error, Obj::text(&e.code.text()));
    out.put(Name::Code, Obj::text(&e.code.constant()));
    out.put(Name::Message, Obj::text(&guiding_detail(e)));
}

/// The fields that `consume_list -fields` may name.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Field {
    Payload,
    Partition,
    Offset,
    Timestamp,
    Topic,
    Key,
    TimestampType,
    Headers,
    Tombstone,
    /// What is null rather than empty.
    Nulls,
    /// The broker that the message came from.
    Broker,
    /// Set for what is the end of a partition and no message; asking for it has ends told.
    End,
}

impl Field {
    const ALL: [(&'static str, Field); 12] = [
        ("payload", Field::Payload),
        ("partition", Field::Partition),
        ("offset", Field::Offset),
        ("timestamp", Field::Timestamp),
        ("topic", Field::Topic),
        ("key", Field::Key),
        ("timestamp_type", Field::TimestampType),
        ("headers", Field::Headers),
        ("tombstone", Field::Tombstone),
        ("nulls", Field::Nulls),
        ("broker", Field::Broker),
        ("end", Field::End),
    ];

    pub fn parse(word: &Obj) -> Result<Field> {
        let name = word.str();
        let found = Field::ALL.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
        Ok(found.ok_or_else(|| {
            crate::tcl::Error::bad_word("field", &name, Field::ALL.iter().map(|(n, _)| *n))
        })?)
    }
}
