//! Topic-partitions and offsets, as scripts write and read them.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::rdk::{self, Elem, Offset, PartitionList};
use crate::tcl::{self, Obj};

/// An offset as a script writes it: `beginning`, `end`, `stored`, a number, `-n` from the end.
/// `invalid`, which listings may show, means none.
pub fn parse_offset(word: &Obj) -> Result<i64> {
    let known = match &*word.str() {
        "beginning" => Some(Offset::BEGINNING),
        "end" => Some(Offset::END),
        "stored" => Some(Offset::STORED),
        "invalid" => Some(Offset::INVALID),
        _ => None,
    };
    if let Some(raw) = known {
        return Ok(raw);
    }
    match word.get_int("offset") {
        Ok(n) if n >= 0 => Ok(n),
        Ok(n) if n > i64::MIN / 2 => Ok(Offset::Tail(-n).to_raw()),
        _ => Err(bad_offset(word)),
    }
}

/// The error for a word that is no offset.
pub fn bad_offset(word: &Obj) -> Error {
    Error::argument(format!(
        "bad offset \"{}\": must be beginning, end, stored, or an integer (-n is n from the end)",
        word.str()
    ))
}

/// An offset as a value.
#[inline]
pub fn offset_obj(raw: i64) -> Obj {
    if raw >= 0 {
        return Obj::int(raw);
    }
    match Offset::from_raw(raw) {
        Offset::Beginning => Obj::text("beginning"),
        Offset::End => Obj::text("end"),
        Offset::Stored => Obj::text("stored"),
        Offset::Invalid => Obj::text("invalid"),
        Offset::Tail(n) => Obj::int(-n),
        Offset::At(n) => Obj::int(n),
    }
}

/// A partition number.
pub fn parse_partition(word: &Obj) -> Result<i32> {
    let n = word.get_int("partition")?;
    i32::try_from(n)
        .ok()
        .filter(|p| *p >= 0)
        .ok_or_else(|| Error::expected("partition", "a number from 0 to 2147483647", &word.str()))
}

/// A topic's name.
pub fn parse_topic(word: &Obj) -> Result<String> {
    let name = word.string();
    if name.is_empty() || name.contains('\0') {
        return Err(Error::expected("topic", "a name", &name));
    }
    Ok(name)
}

/// A topic's name within a topic-partition. No topic has blanks in its name: a name with some is a list in
/// the wrong place.
fn listed_topic(word: &Obj) -> Result<String> {
    let name = parse_topic(word)?;
    if name.contains(char::is_whitespace) {
        return Err(Error::expected("topic", "a name without blanks", &name));
    }
    Ok(name)
}

/// Whether a word that is split into `parts` is a list of topic-partitions rather than one: neither a topic
/// nor a partition is a list of two or more, but each topic-partition but a bare topic is. (Metadata may be
/// any text.)
pub fn is_list_of_them(parts: &[Obj]) -> bool {
    parts.iter().take(2).any(|p| p.get_list("topic-partition").is_ok_and(|l| l.len() >= 2))
}

/// The topic-partitions that repeated words name: each word is one, or a single word is a list of
/// them or the empty list.
pub fn words(rest: &[Obj]) -> Result<Vec<Obj>> {
    if let [only] = rest {
        let elements = only.get_list("topic-partition")?;
        if is_list_of_them(&elements) {
            return Ok(elements);
        }
    }
    Ok(rest.iter().filter(|w| !w.is_empty()).cloned().collect())
}

/// The fault of one of a topic-partition's elements, which says of which topic-partition it is: there may be
/// many, out of a listing.
pub fn within(e: Error, item: &Obj) -> Error {
    match e {
        Error::Words(tcl::Error::Argument { message }) => {
            Error::argument(format!("{message} in \"{}\"", item.str()))
        }
        other => other,
    }
}

/// What a list of topic-partitions is for, and so what each must have.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Need {
    /// A bare topic means partition 0.
    Topic,
    /// The partition is required.
    Partition,
    /// The partition and an offset that can be committed are required; `invalid`, which listings
    /// show, leaves the partition out.
    Offset,
    /// The partition and an offset to go to are required.
    Place,
}

impl Need {
    fn offset(self) -> bool {
        matches!(self, Need::Offset | Need::Place)
    }
}

/// Topic-partitions `{topic ?partition? ?offset? ?metadata?}`.
pub fn parse(rest: &[Obj], need: Need) -> Result<PartitionList> {
    let items = words(rest)?;
    let mut list = PartitionList::with_capacity(items.len());
    for item in &items {
        let parts = item.get_list("topic-partition")?;
        let fault = |what: &str| Error::expected("topic-partition", what, &item.str());
        let (topic, partition, offset, metadata) = match &parts[..] {
            [t] if need == Need::Topic => (t, None, None, None),
            [t, p] if !need.offset() => (t, Some(p), None, None),
            [t, p, o] => (t, Some(p), Some(o), None),
            [t, p, o, m] => (t, Some(p), Some(o), Some(m)),
            _ if need.offset() => return Err(fault("{topic partition offset ?metadata?}")),
            _ if need == Need::Partition => {
                return Err(fault("{topic partition ?offset? ?metadata?}"))
            }
            _ => return Err(fault("{topic ?partition? ?offset? ?metadata?}")),
        };
        add(&mut list, need, topic, partition, offset, metadata).map_err(|e| within(e, item))?;
    }
    Ok(list)
}

/// Refuses a list that has a partition twice. Of most such lists librdkafka says no more than that an argument is
/// invalid, or that the time was over.
pub fn each_once(list: &PartitionList) -> Result<()> {
    let mut seen = HashSet::with_capacity(list.len());
    for e in list.iter() {
        if !seen.insert((e.topic, e.partition)) {
            let place = format!("topic {} partition {}", e.topic, e.partition);
            return Err(Error::argument(format!("{place} is given twice")));
        }
    }
    Ok(())
}

/// Adds a topic-partition to a list, if it has what is needed.
fn add(
    list: &mut PartitionList,
    need: Need,
    topic: &Obj,
    partition: Option<&Obj>,
    offset: Option<&Obj>,
    metadata: Option<&Obj>,
) -> Result<()> {
    let topic = listed_topic(topic)?;
    let partition = partition.map_or(Ok(0), parse_partition)?;
    let i = match (need, offset.map(parse_offset).transpose()?) {
        (Need::Offset, Some(Offset::INVALID)) => return Ok(()),
        (Need::Offset, Some(o)) if o < 0 => {
            let got = offset.map_or_else(String::new, Obj::string);
            return Err(Error::expected("offset", "an integer of 0 or more", &got));
        }
        (Need::Place, Some(Offset::INVALID)) => {
            let places = "beginning, end, stored, or an integer";
            return Err(Error::expected("offset", places, "invalid"));
        }
        (_, Some(o)) => list.add_offset(&topic, partition, o)?,
        (_, None) => list.add(&topic, partition)?,
    };
    if let Some(m) = metadata.filter(|m| !m.is_empty()) {
        list.set_metadata(i, m.str().as_bytes());
    }
    Ok(())
}

/// What `{topic partition VALUE}` with another value than an offset is: each with what `value` makes of it.
pub fn parse_valued(
    rest: &[Obj],
    form: &str,
    value: impl Fn(&Obj) -> Result<i64>,
) -> Result<PartitionList> {
    let mut list = PartitionList::new();
    for item in words(rest)? {
        let parts = item.get_list("topic-partition")?;
        let [topic, partition, third] = &parts[..] else {
            return Err(Error::expected("topic-partition", form, &item.str()));
        };
        let read = || Ok((listed_topic(topic)?, parse_partition(partition)?, value(third)?));
        let (topic, partition, raw) = read().map_err(|e| within(e, &item))?;
        list.add_offset(&topic, partition, raw)?;
    }
    Ok(list)
}

/// What a word of `subscribe` names: topics, and what might have been meant as topics and was not taken so.
#[derive(Default)]
pub struct Topics {
    pub names: Vec<String>,
    pub passed_over: Vec<String>,
}

/// The topics that a word of `subscribe` names. It is read as topic-partitions are everywhere, and of them the topic counts,
/// as in KafkaTcl; also a list of topics, which is none of them for its second element is no number.
pub fn topics(word: &Obj, out: &mut Topics) -> Result<()> {
    let text = word.str();
    if text.starts_with('^') && !text.contains(char::is_whitespace) {
        return topic(&text, out);
    }
    let parts = word.get_list("topic")?;
    match &parts[..] {
        [first, second, ..] if !is_list_of_them(&parts) && second.get_int("").is_ok() => {
            one(&first.str(), &parts, out).map_err(|e| advise_words(&within(e, word)))
        }
        _ => parts.iter().try_for_each(|item| listed(item, out)),
    }
}

/// An element of a list in `subscribe`: a topic, a regular expression, or a topic-partition.
fn listed(item: &Obj, out: &mut Topics) -> Result<()> {
    let text = item.str();
    let parts = item.get_list("topic").unwrap_or_default();
    match &parts[..] {
        _ if text.starts_with('^') => topic(&text, out),
        [first, second, ..] if second.get_int("").is_ok() => {
            one(&first.str(), &parts, out).map_err(|e| within(e, item))
        }
        [_, _, ..] => {
            let form = "a name or {topic ?partition? ?offset? ?metadata?}";
            Err(Error::expected("topic", form, &text))
        }
        _ => topic(&text, out),
    }
}

/// The topic of a topic-partition in `subscribe`. Its partition may be -1, which stands for all of them.
fn one(name: &str, parts: &[Obj], out: &mut Topics) -> Result<()> {
    if parts.len() > 4 {
        let text = Obj::list(parts);
        let form = "{topic ?partition? ?offset? ?metadata?}";
        return Err(Error::expected("topic-partition", form, &text.str()));
    }
    if parts[1].get_int("partition")? != -1 {
        parse_partition(&parts[1])?;
    }
    if let Some(offset) = parts.get(2) {
        parse_offset(offset)?;
    }
    topic(name, out)?;
    let numbers = parts[1..].iter().take(2).filter(|p| p.get_int("").is_ok_and(|n| n >= 0));
    out.passed_over.extend(numbers.map(Obj::string));
    Ok(())
}

fn topic(name: &str, out: &mut Topics) -> Result<()> {
    if name.contains('\0') {
        return Err(Error::expected("topic", "a name", name));
    }
    if !name.is_empty() && !out.names.iter().any(|n| n == name) {
        out.names.push(name.to_owned());
    }
    Ok(())
}

/// Whoever meant several topics is told how to write them.
fn advise_words(e: &Error) -> Error {
    let (message, _) = e.parts();
    Error::argument(format!("{message}; give each of several topics as a word of its own"))
}

/// `{topic partition}`: the canonical key.
pub fn key(topic: &str, partition: i32) -> Obj {
    Obj::list(&[Obj::text(topic), Obj::int(partition.into())])
}

/// `{topic partition ?offset? ?metadata?}`; an offset that is none is left out unless it is asked
/// for.
pub fn tp(e: &Elem<'_>, always_offset: bool) -> Obj {
    let mut parts = vec![Obj::text(e.topic), Obj::int(e.partition.into())];
    if always_offset || e.offset != Offset::INVALID {
        parts.push(offset_obj(e.offset));
        if let Some(m) = e.metadata.filter(|m| !m.is_empty()) {
            parts.push(Obj::text(&String::from_utf8_lossy(m)));
        }
    }
    Obj::list(&parts)
}

/// A list of topic-partitions as a value.
pub fn list(list: &PartitionList, always_offset: bool) -> Obj {
    Obj::list(&list.iter().map(|e| tp(&e, always_offset)).collect::<Vec<_>>())
}

/// What an operation on several partitions gives: its value when all went well, the one code when
/// all failed with one, else [`Error::Partial`]. `done` makes the value out of those that went well.
pub fn outcome(list: &PartitionList, done: impl FnOnce(&[Elem<'_>]) -> Obj) -> Result<Obj> {
    let (good, bad): (Vec<_>, Vec<_>) = list.iter().partition(|e| e.error.is_none());
    let failed = |e: &Elem<'_>| {
        rdk::Error::with_detail(e.error.unwrap_or(rdk::ErrorCode::NO_ERROR), place(e))
    };
    match bad.first() {
        None => Ok(done(&good)),
        Some(first) if good.is_empty() && bad.iter().all(|e| e.error == first.error) => {
            let all: Vec<String> = bad.iter().map(place).collect();
            Err(Error::kafka(failed(first).code, all.join(", ")))
        }
        Some(_) => Err(Error::Partial {
            ok: good.len(),
            failed: bad.iter().map(|e| (key(e.topic, e.partition), failed(e))).collect(),
            done: done(&good),
        }),
    }
}

/// The partition that failed, for its error's detail.
fn place(e: &Elem<'_>) -> String {
    let place = format!("topic {} partition {}", e.topic, e.partition);
    // rd_kafka_offsets_store and rd_kafka_seek_partitions have this code for it, and no text.
    match e.error {
        Some(rdk::ErrorCode::STATE) => place + " is not assigned here",
        Some(rdk::ErrorCode::OUTDATED) => place + ": a later commit came before this one",
        _ => place,
    }
}

/// Topic, partition and offset of a message dict, as callbacks and `consume` give it; none when the
/// word is no such dict.
pub fn message(word: &Obj) -> Option<Result<(String, i32, i64)>> {
    let parts = word.get_list("").ok().filter(|l| l.len() >= 6 && l.len() % 2 == 0)?;
    let get = |name: &str| parts.chunks_exact(2).find(|p| p[0].raw() == name.as_bytes());
    if get("error").is_some() && get("code").is_some() {
        return Some(Err(Error::argument("the message is an error and was not processed")));
    }
    let (topic, partition, offset) = (get("topic")?, get("partition")?, get("offset")?);
    let read = || {
        let n = offset[1].get_int("offset")?;
        if n < 0 {
            return Err(Error::expected("offset", "an integer of 0 or more", &offset[1].str()));
        }
        Ok((parse_topic(&topic[1])?, parse_partition(&partition[1])?, n))
    };
    Some(read())
}

/// The offset to commit for a message dict, as a list.
pub fn after_message(word: &Obj, name: &str) -> Result<PartitionList> {
    let wanted = "a message with topic, partition and offset";
    let (topic, partition, offset) =
        message(word).unwrap_or_else(|| Err(Error::expected(name, wanted, &word.str())))?;
    let mut list = PartitionList::new();
    list.add_offset(&topic, partition, offset.saturating_add(1))?;
    Ok(list)
}
