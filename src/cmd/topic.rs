//! The subcommands that producer topics and consumer topics have alike.

use std::cell::RefCell;
use std::rc::Rc;

use super::core::Core;
use super::encoding::Encoding;
use super::info::{self, QUERY};
use super::master::get_or_set_encoding;
use super::settings::Settings;
use super::wait::Manner;
use crate::error::Error;
use crate::rdk::{Partitioner, Topic};
use crate::tcl::{Call, Obj, Object, Outcome, Row};

/// A topic of a handle, and the rows that the tables of both kinds have.
pub trait TopicObject: Object<Error = Error> {
    /// Questions about the topic.
    const INFO: &'static [Row<Self>] = &[
        Row("info name", "", info_name, "the topic's name"),
        Row("info topic", "", info_name, "alias of info name"),
        Row(
            "info partitions",
            "?-timeout ms? ?-command prefix?",
            info_partitions,
            "how many partitions the topic has",
        ),
        Row(
            "info consistent_partition",
            "key ?-timeout ms? ?-command prefix?",
            info_consistent,
            "the partition that the consistent partitioner has for a key",
        ),
    ];

    /// How it was made.
    const MADE: &'static [Row<Self>] = &[
        Row("creator", "subcommand ?arg ...?", creator, "call the handle that made the topic"),
        Row("config", "?key?", config, "the topic's configuration, fixed once it exists"),
    ];

    /// The handle that made it.
    type Creator: Object<Error = Error>;

    fn creator(&self) -> &Rc<Self::Creator>;

    fn core(&self) -> &Rc<Core>;

    fn topic(&self) -> &Topic;

    fn settings(&self) -> &Settings;

    fn encoding(&self) -> &RefCell<Encoding>;
}

type C<'a, T> = Call<'a, T>;

/// `info name`
pub fn info_name<T: TopicObject>(c: &C<'_, T>) -> Outcome<T> {
    Ok(Obj::text(c.this.topic().name()).into())
}

/// `info partitions ?-timeout ms? ?-command prefix?`
pub fn info_partitions<T: TopicObject>(c: &C<'_, T>) -> Outcome<T> {
    let number = |n: i32| Obj::int(n.into());
    let name = c.this.topic().name();
    info::partitions(c.this.core(), name, Manner::from(&c.args, QUERY)?, false, number)
}

/// `info consistent_partition key ?-timeout ms? ?-command prefix?`: of the bytes that `produce` would
/// send. -1 when the topic has no partitions yet.
pub fn info_consistent<T: TopicObject>(c: &C<'_, T>) -> Outcome<T> {
    let key = c.this.encoding().borrow().encode(c.args.at(0)?, "key")?.into_owned();
    let name = c.this.topic().name();
    info::partitions(c.this.core(), name, Manner::from(&c.args, QUERY)?, true, move |count| {
        Obj::int(Partitioner::Consistent.hash(&key, count).into())
    })
}

/// `info output_queue_length`
pub fn info_outq<T: TopicObject>(c: &C<'_, T>) -> Outcome<T> {
    Ok(Obj::int(c.this.core().undelivered() as i64).into())
}

/// `creator subcommand ?arg ...?`
pub fn creator<T: TopicObject>(c: &C<'_, T>) -> Outcome<T> {
    let mut words = vec![Obj::text("creator"), c.args.at(0)?.clone()];
    words.extend_from_slice(c.args.rest);
    T::Creator::table().call(c.interp, c.this.creator(), &words)
}

/// `config ?key?`
pub fn config<T: TopicObject>(c: &C<'_, T>) -> Outcome<T> {
    c.this.settings().show(c.args.get(0))
}

/// `encoding ?name?`
pub fn encoding<T: TopicObject>(c: &C<'_, T>) -> Outcome<T> {
    get_or_set_encoding(c.this.encoding(), c.args.get(0))
}
