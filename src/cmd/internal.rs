//! `::kafka::internal`: what kafka.tcl, the manual's generator and the tests need to know. No
//! contract.

use std::rc::Rc;

use super::admin::Admin;
use super::again;
use super::consumer::Consumer;
use super::core::Lingering;
use super::kafka::Kafka;
use super::live;
use super::master::Master;
use super::mock::Mock;
use super::producer::Producer;
use super::queue::QueueObject;
use super::subscriber::Subscriber;
use super::topic_consumer::TopicConsumer;
use super::topic_producer::TopicProducer;
use crate::error::{Error, Result};
use crate::rdk;
use crate::tcl::command::{self, new_id};
use crate::tcl::{
    elements, event, near, resources, Call, Flow, Obj, Object, Outcome, Row, State, Table,
};

pub struct Internal {
    id: u64,
    state: Rc<State>,
}

static TABLE: Table<Internal> = Table::new(&[
    Row(
        "with_command",
        "prefix object command ?arg ...?",
        with_command,
        "the words of a call with -command put where it belongs, for kafka::await",
    ),
    Row("init", "", again::init, "makes the package's commands again, and provides it"),
    Row("methods", "", methods, "the method tables: type, then name, signature, summary"),
    Row(
        "live",
        "",
        live_counts,
        "how many clients, entered clients, mocks and lingering objects live",
    ),
    Row("waiting", "", waiting, "how many events wait in the main queues of all clients"),
    Row(
        "objects",
        "",
        objects,
        "how many commands and sources this interpreter and thread have, and the process topics, wakes \
         and hooks",
    ),
    Row("firings", "", firings, "how often this thread's event source had something to do"),
    Row("array_watches", "", array_watches, "how many array elements long batches watch"),
    Row(
        "leader_questions",
        "",
        leader_questions,
        "how often librdkafka's own question for leaders was put for it",
    ),
    Row("cpu", "", cpu, "microseconds of CPU that this thread has used"),
    Row("trim", "", trim, "gives the memory that malloc keeps, but nobody uses, back to the system"),
    Row("codes", "", codes, "librdkafka's error codes: number, constant and text of each"),
    Row(
        "hurry",
        "object begins",
        hurry,
        "says whether a delivery of a producer is waited for, so that it does not wait for linger.ms",
    ),
    Row("nearest", "word names", nearest, "the name that the word is nearly, or empty"),
    Row("raise", "code detail", raise, "throws an error with that code"),
    Row("panic", "", panic, "panics, for the test of the guard"),
]);

impl Object for Internal {
    const KIND: &'static str = "internal";
    const AUTO: &'static str = "kafka_internal";
    type Error = Error;

    fn table() -> &'static Table<Self> {
        &TABLE
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn state(&self) -> &Rc<State> {
        &self.state
    }

    fn deleted(self: &Rc<Self>) {}
}

impl Internal {
    pub fn new(state: Rc<State>) -> Rc<Internal> {
        Rc::new(Internal { id: new_id(), state })
    }
}

type Triple = (&'static str, &'static str, &'static str);

fn rows<T: Object>() -> (&'static str, Vec<Triple>) {
    (T::KIND, T::table().rows().collect())
}

/// Every type with its rows.
pub fn tables() -> Vec<(&'static str, Vec<Triple>)> {
    vec![
        rows::<Kafka>(),
        rows::<Master>(),
        rows::<Producer>(),
        rows::<TopicProducer>(),
        rows::<Consumer>(),
        rows::<TopicConsumer>(),
        rows::<QueueObject>(),
        rows::<Subscriber>(),
        rows::<Admin>(),
        rows::<Mock>(),
    ]
}

type C<'a> = Call<'a, Internal>;
type Out = Outcome<Internal>;

fn insert<T: Object>(kind: &str, words: &[Obj], prefix: &Obj) -> Option<Result<Vec<Obj>>> {
    let found = (kind == T::KIND).then(|| T::table().with_option(words, "-command", prefix));
    Some(found?.map_err(Error::from))
}

/// `with_command prefix object command ?arg ...?`: object is the command's qualified name.
fn with_command(c: &C<'_>) -> Out {
    let (prefix, object) = (c.args.at(0)?, c.args.at(1)?.str());
    let mut words = vec![c.args.at(2)?.clone()];
    words.extend_from_slice(c.args.rest);
    let state = c.this.state();
    let kind = c.interp.find_command(&object).and_then(|token| {
        state.commands.borrow().values().find(|e| e.token == token).map(|e| e.kind)
    });
    let kind = kind.unwrap_or("");
    let found = insert::<Producer>(kind, &words, prefix)
        .or_else(|| insert::<TopicProducer>(kind, &words, prefix))
        .or_else(|| insert::<Subscriber>(kind, &words, prefix))
        .or_else(|| insert::<Consumer>(kind, &words, prefix))
        .or_else(|| insert::<TopicConsumer>(kind, &words, prefix))
        .or_else(|| insert::<QueueObject>(kind, &words, prefix))
        .or_else(|| insert::<Admin>(kind, &words, prefix))
        .or_else(|| insert::<Master>(kind, &words, prefix))
        .or_else(|| insert::<Mock>(kind, &words, prefix));
    match found {
        Some(words) => Ok(Obj::list(&words?).into()),
        None => Err(Error::argument(format!("\"{}\" is no kafka object", words[0].str()))),
    }
}

/// `methods`
fn methods(_c: &C<'_>) -> Out {
    let words: Vec<Obj> = tables()
        .into_iter()
        .flat_map(|(kind, rows)| {
            let rows: Vec<Obj> = rows.into_iter().map(|(n, s, d)| Obj::texts([n, s, d])).collect();
            [Obj::text(kind), Obj::list(&rows)]
        })
        .collect();
    Ok(Obj::list(&words).into())
}

/// `live`
fn live_counts(c: &C<'_>) -> Out {
    let counts = [
        ("clients", rdk::live_clients()),
        ("entered", live::count()),
        ("mocks", rdk::live_mocks()),
        ("lingering", c.this.state.data::<Lingering>().count()),
    ];
    Ok(counted(&counts))
}

/// `objects`
fn objects(c: &C<'_>) -> Out {
    let counts = [
        ("commands", c.this.state.commands.borrow().len()),
        ("sources", event::registered()),
        ("topics", rdk::live_topics()),
        ("wakes", rdk::live_wakes()),
        ("hooks", rdk::live_hooks()),
    ];
    Ok(counted(&counts))
}

fn counted(counts: &[(&str, usize)]) -> Flow {
    let words: Vec<Obj> =
        counts.iter().flat_map(|(name, n)| [Obj::text(name), Obj::int(*n as i64)]).collect();
    Obj::list(&words).into()
}

/// `array_watches`
fn array_watches(_c: &C<'_>) -> Out {
    Ok(Obj::int(elements::watches() as i64).into())
}

/// `waiting`
fn waiting(_c: &C<'_>) -> Out {
    Ok(Obj::int(live::waiting() as i64).into())
}

/// `firings`
fn firings(_c: &C<'_>) -> Out {
    Ok(Obj::int(i64::try_from(event::firings()).unwrap_or(i64::MAX)).into())
}

/// `codes`
fn codes(_c: &C<'_>) -> Out {
    let words: Vec<Obj> = rdk::ErrorCode::all()
        .into_iter()
        .flat_map(|code| {
            [Obj::int(code.0.into()), Obj::text(&code.constant()), Obj::text(&code.text())]
        })
        .collect();
    Ok(Obj::list(&words).into())
}

/// `hurry object begins`: of what is no producer it says nothing.
fn hurry(c: &C<'_>) -> Out {
    let begins = c.args.at(1)?.get_bool("begins")?;
    if let Some(producer) = command::object::<Producer>(c.interp, &c.args.at(0)?.str()) {
        producer.hurry(begins);
    }
    Ok(Flow::Empty)
}

/// `nearest word names`
fn nearest(c: &C<'_>) -> Out {
    let names: Vec<String> =
        c.args.at(1)?.elements("names")?.iter().map(|name| name.str().to_string()).collect();
    Ok(Obj::text(near::nearest(&c.args.at(0)?.str(), &names).unwrap_or_default()).into())
}

/// `raise code detail`
fn raise(c: &C<'_>) -> Out {
    let code = i32::try_from(c.args.at(0)?.get_int("code")?).unwrap_or(i32::MIN);
    Err(Error::kafka(rdk::ErrorCode(code), c.args.at(1)?.str()))
}

/// `panic`
fn panic(_c: &C<'_>) -> Out {
    panic!("asked for")
}

/// `leader_questions`
fn leader_questions(_: &Call<'_, Internal>) -> Outcome<Internal> {
    Ok(Obj::int(rdk::leader_questions() as i64).into())
}

/// `cpu`
fn cpu(_c: &Call<'_, Internal>) -> Outcome<Internal> {
    Ok(Obj::int(resources::thread_cpu().as_micros() as i64).into())
}

/// `trim`
fn trim(_c: &C<'_>) -> Out {
    resources::trim();
    Ok(Flow::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_reads_and_every_row_has_a_summary() {
        Kafka::table().check().unwrap();
        Master::table().check().unwrap();
        Producer::table().check().unwrap();
        TopicProducer::table().check().unwrap();
        Subscriber::table().check().unwrap();
        Consumer::table().check().unwrap();
        TopicConsumer::table().check().unwrap();
        QueueObject::table().check().unwrap();
        Admin::table().check().unwrap();
        Mock::table().check().unwrap();
        Internal::table().check().unwrap();
        for (kind, rows) in tables() {
            for (name, _, summary) in rows {
                assert!(!summary.is_empty(), "{kind} {name}");
            }
        }
    }
}
