//! Messages as Tcl values: one copy, from librdkafka's memory into Tcl's.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use super::encoding::Encoding;
use crate::error::{guiding_detail, Result};
use crate::rdk::{self, MessageRef, TimestampType};
use crate::tcl::{ArraySet, Interp, Obj};

/// The words of message dicts and arrays, made once for an interpreter.
pub struct Words {
    payload: Obj,
    partition: Obj,
    offset: Obj,
    timestamp: Obj,
    topic: Obj,
    key: Obj,
    timestamp_type: Obj,
    headers: Obj,
    tombstone: Obj,
    encoding_error: Obj,
    error: Obj,
    code: Obj,
    message: Obj,
    create_time: Obj,
    log_append_time: Obj,
    one: Obj,
    array_set: OnceCell<Option<ArraySet>>,
    /// Topic names by librdkafka's topic; the name is compared, for addresses are used again.
    topics: RefCell<HashMap<usize, Obj>>,
    /// The last of them: messages of a topic come in runs.
    last: RefCell<(usize, Obj)>,
}

impl Default for Words {
    fn default() -> Words {
        Words {
            payload: Obj::text("payload"),
            partition: Obj::text("partition"),
            offset: Obj::text("offset"),
            timestamp: Obj::text("timestamp"),
            topic: Obj::text("topic"),
            key: Obj::text("key"),
            timestamp_type: Obj::text("timestamp_type"),
            headers: Obj::text("headers"),
            tombstone: Obj::text("tombstone"),
            encoding_error: Obj::text("encoding_error"),
            error: Obj::text("error"),
            code: Obj::text("code"),
            message: Obj::text("message"),
            create_time: Obj::text("create_time"),
            log_append_time: Obj::text("log_append_time"),
            one: Obj::int(1),
            array_set: OnceCell::new(),
            topics: RefCell::default(),
            last: RefCell::new((0, Obj::empty())),
        }
    }
}

/// How many elements a record may have, for building it with its final length.
const MOST: usize = 2 * 13;

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

    /// Names and values of a message, in the contract's order, into `out`.
    pub fn fields(&self, m: MessageRef<'_>, encoding: &Encoding, out: &mut Vec<Obj>) {
        let mut bad = false;
        let mut value = |bytes: Option<&[u8]>| {
            let (o, failed) = encoding.decode(bytes.unwrap_or(&[]));
            bad |= failed;
            o
        };
        out.push(self.payload.clone());
        out.push(value(m.payload()));
        out.push(self.partition.clone());
        out.push(Obj::int(m.partition().into()));
        out.push(self.offset.clone());
        out.push(super::tps::offset_obj(m.offset()));
        let stamp = m.timestamp();
        if let Some((ms, _)) = stamp {
            out.push(self.timestamp.clone());
            out.push(Obj::int(ms));
        }
        out.push(self.topic.clone());
        out.push(self.topic(m));
        if let Some(key) = m.key() {
            out.push(self.key.clone());
            out.push(value(Some(key)));
        }
        if let Some((_, kind)) = stamp {
            out.push(self.timestamp_type.clone());
            out.push(match kind {
                TimestampType::CreateTime => self.create_time.clone(),
                TimestampType::LogAppendTime => self.log_append_time.clone(),
            });
        }
        if let Some(headers) = m.headers() {
            let mut list = Vec::new();
            for (name, bytes) in headers {
                list.push(Obj::text(&name));
                list.push(value(bytes));
            }
            if !list.is_empty() {
                out.push(self.headers.clone());
                out.push(Obj::list(&list));
            }
        }
        if m.payload().is_none() {
            out.push(self.tombstone.clone());
            out.push(self.one.clone());
        }
        if bad {
            out.push(self.encoding_error.clone());
            out.push(self.one.clone());
        }
    }

    /// A message as a dict.
    pub fn dict(&self, m: MessageRef<'_>, encoding: &Encoding) -> Obj {
        let mut out = Vec::with_capacity(MOST);
        self.fields(m, encoding, &mut out);
        Obj::list(&out)
    }

    /// A message as a dict for a consumer's callback. KafkaTcl 2.4 made text of the key's bytes there,
    /// as `old` asks for.
    pub fn callback_dict(&self, m: MessageRef<'_>, encoding: &Encoding, old: bool) -> Obj {
        let mut out = Vec::with_capacity(MOST);
        self.fields(m, encoding, &mut out);
        if old {
            let place = out.iter().position(|o| o.ptr() == self.key.ptr());
            if let (Some(i), Some(key)) = (place, m.key()) {
                out[i + 1] = Obj::text(&String::from_utf8_lossy(key));
            }
        }
        Obj::list(&out)
    }

    /// A delivery report: the message; when it failed, with the error appended.
    /// `explain` says more about it.
    pub fn report(
        &self,
        m: MessageRef<'_>,
        encoding: &Encoding,
        explain: impl FnOnce(rdk::Error) -> rdk::Error,
    ) -> Obj {
        let mut out = Vec::with_capacity(MOST);
        self.fields(m, encoding, &mut out);
        if let Some(code) = m.error() {
            let e = explain(rdk::Error::with_detail(code, m.error_text()));
            self.push_error(&e, &mut out);
        }
        Obj::list(&out)
    }

    fn push_error(&self, e: &rdk::Error, out: &mut Vec<Obj>) {
        out.push(self.error.clone());
        out.push(Obj::text(&e.code.text()));
        out.push(self.code.clone());
        out.push(Obj::text(&e.code.constant()));
        out.push(self.message.clone());
        out.push(Obj::text(&guiding_detail(e)));
    }

    /// A message error as a dict, with topic and partition where known.
    pub fn error_dict(&self, e: &rdk::Error, topic: Option<&str>, partition: Option<i32>) -> Obj {
        let mut out = Vec::with_capacity(10);
        self.push_error(e, &mut out);
        self.push_place(topic, partition, &mut out);
        Obj::list(&out)
    }

    fn push_place(&self, topic: Option<&str>, partition: Option<i32>, out: &mut Vec<Obj>) {
        if let Some(t) = topic.filter(|t| !t.is_empty()) {
            out.push(self.topic.clone());
            out.push(Obj::text(t));
        }
        if let Some(p) = partition.filter(|p| *p >= 0) {
            out.push(self.partition.clone());
            out.push(Obj::int(p.into()));
        }
    }

    /// Sets an array's elements from a record's names and values and unsets those that the record
    /// lacks. `known` is the record that this array held before, if it was set by us since then.
    pub fn set_array(
        &self,
        interp: Interp,
        array: &Obj,
        fields: &[Obj],
        known: &mut Option<Vec<Obj>>,
    ) -> Result<()> {
        let set = match *self.array_set.get_or_init(|| interp.array_set()) {
            Some(function) => interp.set_elements(function, array, &Obj::list(fields)),
            None => fields.chunks_exact(2).all(|p| interp.set_element(array, &p[0], &p[1])),
        };
        if !set {
            return Err(crate::error::Error::Raised);
        }
        // Messages of a run have the same names, nearly always.
        let same = |old: &Vec<Obj>| {
            2 * old.len() == fields.len()
                && old.iter().zip(fields.chunks_exact(2)).all(|(o, p)| o.ptr() == p[0].ptr())
        };
        if known.as_ref().is_some_and(same) {
            return Ok(());
        }
        let names: Vec<Obj> = fields.chunks_exact(2).map(|p| p[0].clone()).collect();
        let has = |o: &Obj| names.iter().any(|n| n.ptr() == o.ptr());
        match known.take() {
            Some(old) => {
                for name in old.iter().filter(|o| !has(o)) {
                    interp.unset_element(array, name);
                }
            }
            None => {
                let all = [
                    &self.payload,
                    &self.partition,
                    &self.offset,
                    &self.timestamp,
                    &self.topic,
                    &self.key,
                    &self.timestamp_type,
                    &self.headers,
                    &self.tombstone,
                    &self.encoding_error,
                    &self.error,
                    &self.code,
                    &self.message,
                ];
                for name in all.into_iter().filter(|o| !has(o)) {
                    interp.unset_element(array, name);
                }
            }
        }
        *known = Some(names);
        Ok(())
    }

    /// The names and values of a message error, for an array.
    pub fn error_fields(
        &self,
        e: &rdk::Error,
        topic: Option<&str>,
        partition: Option<i32>,
    ) -> Vec<Obj> {
        let mut out = Vec::with_capacity(10);
        self.push_error(e, &mut out);
        self.push_place(topic, partition, &mut out);
        out
    }

    /// One field of a message by its name, absent ones empty, for `-fields`.
    pub fn field(&self, m: MessageRef<'_>, field: Field, encoding: &Encoding) -> Obj {
        match field {
            Field::Payload => encoding.decode(m.payload().unwrap_or(&[])).0,
            Field::Key => encoding.decode(m.key().unwrap_or(&[])).0,
            Field::Partition => Obj::int(m.partition().into()),
            Field::Offset => Obj::int(m.offset()),
            Field::Topic => self.topic(m),
            Field::Timestamp => m.timestamp().map_or_else(Obj::empty, |(ms, _)| Obj::int(ms)),
            Field::TimestampType => match m.timestamp() {
                Some((_, TimestampType::CreateTime)) => self.create_time.clone(),
                Some((_, TimestampType::LogAppendTime)) => self.log_append_time.clone(),
                None => Obj::empty(),
            },
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
        }
    }
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
}

impl Field {
    const ALL: [(&'static str, Field); 9] = [
        ("payload", Field::Payload),
        ("partition", Field::Partition),
        ("offset", Field::Offset),
        ("timestamp", Field::Timestamp),
        ("topic", Field::Topic),
        ("key", Field::Key),
        ("timestamp_type", Field::TimestampType),
        ("headers", Field::Headers),
        ("tombstone", Field::Tombstone),
    ];

    pub fn parse(word: &Obj) -> Result<Field> {
        let name = word.str();
        let found = Field::ALL.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
        Ok(found.ok_or_else(|| {
            crate::tcl::Error::bad_word("field", &name, Field::ALL.iter().map(|(n, _)| *n))
        })?)
    }
}
