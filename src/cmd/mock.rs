//! `$mock`: librdkafka's embedded cluster, on real sockets of the loopback interface.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::retired::retire;
use super::tps::{parse_partition, parse_topic};
use crate::error::{Error, Result};
use crate::rdk::{api_key, api_name, api_names, ErrorCode, Mock as Cluster, MOST_DELAY_MS};
use crate::tcl::command::{self, new_id};
use crate::tcl::{Args, Call, Flow, Obj, Object, Outcome, Row, State, Table};

/// The most partitions of a topic: librdkafka makes them all at once, and ends the process if it can't.
const MOST_PARTITIONS: i32 = 10_000;

pub struct Mock {
    id: u64,
    state: Rc<State>,
    /// Gone once deleted: dropping it ends the cluster.
    cluster: RefCell<Option<Cluster>>,
    /// Whether the script has said `delete`.
    asked: Cell<bool>,
    brokers: i32,
    partitions: i32,
    replication: i32,
}

static TABLE: Table<Mock> = Table::new(&[
    Row("bootstrap", "", bootstrap, "host:port of the brokers, for bootstrap.servers"),
    Row("create_topic", "name ?-partitions n? ?-replication n?", create_topic, "make a topic"),
    Row("broker_down", "id", broker_down, "cut a broker off"),
    Row("broker_up", "id", broker_up, "bring a broker back"),
    Row("rtt", "id ms", rtt, "delay a broker's answers"),
    Row("leader", "topic partition id", leader, "move a partition's leader"),
    Row("fail", "api error ?n?", fail, "answer the next n such requests with an error"),
    Row("clear_errors", "?api?", clear_errors, "forget errors that were not used"),
    Row("withhold", "api", withhold, "be a cluster that does not know a request"),
    Row("topic_error", "topic error", topic_error, "let a topic answer with an error"),
    Row("coordinator", "kind key id", coordinator, "move a group's or transaction's coordinator"),
    Row("requests", "?api?", requests, "the requests that were received"),
    Row("rebalance_delay", "ms", rebalance_delay, "how long a group's first rebalance waits"),
    Row(
        "consumer_timeouts",
        "sessionMs heartbeatMs",
        consumer_timeouts,
        "sessions and heartbeats by KIP-848",
    ),
    Row("delete", "", delete, "end the cluster"),
    Row("destroy", "", delete, "alias of delete"),
]);

impl Object for Mock {
    const KIND: &'static str = "mock";
    const AUTO: &'static str = "kafka_mock";
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

    fn deleted(self: &Rc<Self>) {
        let cluster = self.cluster.borrow_mut().take();
        match cluster {
            Some(cluster) if !self.asked.get() && !cluster.forked() => {
                retire(&self.state, cluster);
            }
            other => drop(other),
        }
    }

    fn refuse(&self) -> Option<Error> {
        let cluster = self.cluster.borrow();
        cluster.as_ref().is_some_and(Cluster::forked).then_some(Error::Forked)
    }
}

impl Mock {
    /// `mock cmd ?-brokers n? ?-partitions n? ?-replication n?`; partitions and replication are those
    /// of topics that are made without saying.
    pub fn open(state: Rc<State>, args: &Args<'_>) -> Result<Rc<Mock>> {
        let number = |name: &str, default: i64, most: i64| -> Result<i32> {
            let n = args.opt(name).map_or(Ok(default), |w| w.get_int(name))?;
            if n < 1 || n > most {
                return Err(Error::expected(name, &format!("1 to {most}"), &n.to_string()));
            }
            Ok(n as i32)
        };
        let brokers = number("-brokers", 3, 100)?;
        let partitions = number("-partitions", 4, MOST_PARTITIONS.into())?;
        let most = i64::from(brokers);
        let replication = number("-replication", most.min(3), most)?;
        let cluster = Cluster::new(brokers)?;
        let cluster = RefCell::new(Some(cluster));
        let asked = Cell::new(false);
        Ok(Rc::new(Mock { id: new_id(), state, cluster, asked, brokers, partitions, replication }))
    }

    fn with<R>(&self, f: impl FnOnce(&Cluster) -> R) -> Result<R> {
        match &*self.cluster.borrow() {
            Some(cluster) => Ok(f(cluster)),
            None => Err(Error::State("the cluster is deleted".to_owned())),
        }
    }

    fn broker(&self, word: &Obj) -> Result<i32> {
        let n = word.get_int("broker id")?;
        i32::try_from(n).ok().filter(|n| (1..=self.brokers).contains(n)).ok_or_else(|| {
            Error::expected("broker id", &format!("1 to {}", self.brokers), &word.str())
        })
    }
}

type C<'a> = Call<'a, Mock>;
type Out = Outcome<Mock>;

/// `delete`: ends the cluster now, whoever talks to it.
fn delete(c: &C<'_>) -> Out {
    c.this.asked.set(true);
    command::delete_self(c)
}

/// `bootstrap`
fn bootstrap(c: &C<'_>) -> Out {
    Ok(Obj::text(&c.this.with(Cluster::bootstrap)?).into())
}

/// `create_topic name ?-partitions n? ?-replication n?`
fn create_topic(c: &C<'_>) -> Out {
    let name = parse_topic(c.args.at(0)?)?;
    let number = |option: &str, default: i32, most: i32| -> Result<i32> {
        let Some(word) = c.args.opt(option) else { return Ok(default) };
        let n = word.get_int(option)?;
        i32::try_from(n)
            .ok()
            .filter(|n| (1..=most).contains(n))
            .ok_or_else(|| Error::expected(option, &format!("1 to {most}"), &word.str()))
    };
    let partitions = number("-partitions", c.this.partitions, MOST_PARTITIONS)?;
    let replication = number("-replication", c.this.replication, c.this.brokers)?;
    c.this.with(|m| m.create_topic(&name, partitions, replication))?.map_err(|mut e| {
        if e.detail.is_empty() {
            e.detail = format!("topic \"{name}\"");
        }
        e
    })?;
    Ok(Flow::Empty)
}

/// `broker_down id`
fn broker_down(c: &C<'_>) -> Out {
    let id = c.this.broker(c.args.at(0)?)?;
    c.this.with(|m| m.broker_down(id))??;
    Ok(Flow::Empty)
}

/// `broker_up id`
fn broker_up(c: &C<'_>) -> Out {
    let id = c.this.broker(c.args.at(0)?)?;
    c.this.with(|m| m.broker_up(id))??;
    Ok(Flow::Empty)
}

fn delay(word: &Obj, most: i32) -> Result<i32> {
    let ms = word.get_int("ms")?;
    i32::try_from(ms).ok().filter(|ms| (0..=most).contains(ms)).ok_or_else(|| {
        let end = if most < i32::MAX { format!(" to {most}") } else { String::new() };
        Error::expected("ms", &format!("milliseconds from 0{end}"), &word.str())
    })
}

/// `rtt id ms`
fn rtt(c: &C<'_>) -> Out {
    let id = c.this.broker(c.args.at(0)?)?;
    let ms = delay(c.args.at(1)?, i32::MAX)?;
    c.this.with(|m| m.rtt(id, ms))??;
    Ok(Flow::Empty)
}

/// `leader topic partition id`
fn leader(c: &C<'_>) -> Out {
    let topic = parse_topic(c.args.at(0)?)?;
    let partition = parse_partition(c.args.at(1)?)?;
    // A topic that is not there would be made with as many partitions.
    if partition >= MOST_PARTITIONS {
        let wanted = format!("0 to {}", MOST_PARTITIONS - 1);
        return Err(Error::expected("partition", &wanted, &partition.to_string()));
    }
    // Only a broker: at a produce to a partition without a leader librdkafka's cluster crashes (it
    // writes the leader's id into its answer).
    let id = c.this.broker(c.args.at(2)?)?;
    c.this.with(|m| m.leader(&topic, partition, id))??;
    Ok(Flow::Empty)
}

fn api(word: &Obj) -> Result<i16> {
    let name = word.str();
    api_key(&name).ok_or_else(|| crate::tcl::Error::bad_word("api", &name, api_names()).into())
}

fn code(word: &Obj) -> Result<ErrorCode> {
    let name = word.str();
    ErrorCode::from_name(&name).ok_or_else(|| {
        Error::expected(
            "error",
            "an error's name such as NOT_LEADER_FOR_PARTITION or its number",
            &name,
        )
    })
}

/// `fail api error ?n?`
fn fail(c: &C<'_>) -> Out {
    let api = api(c.args.at(0)?)?;
    let code = code(c.args.at(1)?)?;
    let n = c.args.get(2).map_or(Ok(1), |w| w.get_int("n"))?;
    if !(1..=1_000_000).contains(&n) {
        return Err(Error::expected("n", "1 to 1000000", &n.to_string()));
    }
    c.this.with(|m| m.push_errors(api, &vec![code; n as usize]))?;
    Ok(Flow::Empty)
}

/// `clear_errors ?api?`
fn clear_errors(c: &C<'_>) -> Out {
    let api = c.args.get(0).map(api).transpose()?;
    c.this.with(|m| m.clear_errors(api))?;
    Ok(Flow::Empty)
}

/// `withhold api`
fn withhold(c: &C<'_>) -> Out {
    let api = api(c.args.at(0)?)?;
    c.this.with(|m| m.withhold(api))??;
    Ok(Flow::Empty)
}

/// `topic_error topic error`
fn topic_error(c: &C<'_>) -> Out {
    let topic = parse_topic(c.args.at(0)?)?;
    let code = code(c.args.at(1)?)?;
    c.this.with(|m| m.topic_error(&topic, code))??;
    Ok(Flow::Empty)
}

/// `coordinator group|transaction key id`
fn coordinator(c: &C<'_>) -> Out {
    let kind = c.args.at(0)?.str();
    if kind != "group" && kind != "transaction" {
        return Err(crate::tcl::Error::bad_word("kind", &kind, ["group", "transaction"]).into());
    }
    let key = c.args.at(1)?.string();
    let id = c.this.broker(c.args.at(2)?)?;
    c.this.with(|m| m.coordinator(&kind, &key, id))??;
    Ok(Flow::Empty)
}

/// `requests ?api?`: a list of dicts `api broker timestamp_us`, oldest first.
fn requests(c: &C<'_>) -> Out {
    let wanted = c.args.get(0).map(api).transpose()?;
    let all = c.this.with(Cluster::requests)?;
    let rows: Vec<Obj> = all
        .iter()
        .filter(|r| wanted.is_none_or(|w| w == r.api))
        .map(|r| {
            let [api, broker, timestamp] = ["api", "broker", "timestamp_us"].map(Obj::text);
            Obj::list(&[
                api,
                Obj::text(&api_name(r.api)),
                broker,
                Obj::int(r.broker.into()),
                timestamp,
                Obj::int(r.timestamp_us),
            ])
        })
        .collect();
    Ok(Obj::list(&rows).into())
}

/// `rebalance_delay ms`
fn rebalance_delay(c: &C<'_>) -> Out {
    let ms = delay(c.args.at(0)?, MOST_DELAY_MS)?;
    c.this.with(|m| m.rebalance_delay(ms))?;
    Ok(Flow::Empty)
}

/// `consumer_timeouts sessionMs heartbeatMs`
fn consumer_timeouts(c: &C<'_>) -> Out {
    let ms = |index: usize, name, least: i32, most: i32| {
        let word = c.args.at(index)?;
        let ms = word.get_int(name)?;
        i32::try_from(ms).ok().filter(|ms| (least..=most).contains(ms)).ok_or_else(|| {
            Error::expected(name, &format!("milliseconds from {least} to {most}"), &word.str())
        })
    };
    let session = ms(0, "sessionMs", 2, MOST_DELAY_MS)?;
    // A session ends when no heartbeat comes within it.
    let heartbeat = ms(1, "heartbeatMs", 1, session - 1)?;
    c.this.with(|m| m.consumer_timeouts(session, heartbeat))?;
    Ok(Flow::Empty)
}
