//! The fields of `consume_list -fields`: single values of a message, side by side in one list.

use super::encoding::Encoding;
use super::record::Words;
use crate::error::{Error, Result};
use crate::rdk::MessageRef;
use crate::tcl::Obj;

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

    /// The fields that a word lists, one at least.
    pub fn list(word: &Obj) -> Result<Vec<Field>> {
        let words = word.get_list("-fields")?;
        if words.is_empty() {
            return Err(Error::expected("-fields", "at least one field", ""));
        }
        words.iter().map(Field::parse).collect()
    }

    fn parse(word: &Obj) -> Result<Field> {
        let name = word.str();
        let found = Field::ALL.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
        Ok(found.ok_or_else(|| {
            crate::tcl::Error::bad_word("field", &name, Field::ALL.iter().map(|(n, _)| *n))
        })?)
    }

    /// This field of a message; empty where it is absent.
    pub fn of(self, words: &Words, m: MessageRef<'_>, encoding: &Encoding) -> Obj {
        match self {
            Field::Payload => encoding.decode(m.payload().unwrap_or(&[])).0,
            Field::Key => encoding.decode(m.key().unwrap_or(&[])).0,
            Field::Partition => words.partition(m.partition()),
            Field::Offset => Obj::int(m.offset()),
            Field::Topic => words.topic(m),
            Field::Timestamp => m.timestamp().map_or_else(Obj::empty, |(ms, _)| Obj::int(ms)),
            Field::TimestampType => m
                .timestamp()
                .map_or_else(Obj::empty, |(_, kind)| words.timestamp_type(kind).clone()),
            Field::Tombstone => {
                if m.payload().is_none() {
                    words.one.clone()
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

    /// This field of what stands at the end of a partition in a message's place.
    pub fn of_end(self, words: &Words, m: MessageRef<'_>) -> Obj {
        match self {
            Field::Partition => words.partition(m.partition()),
            Field::Offset => Obj::int(m.offset()),
            Field::Topic => words.topic(m),
            Field::End => words.one.clone(),
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
