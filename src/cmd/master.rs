//! `$kafka`: a master. It holds configuration and callbacks and makes handles from them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use super::admin::Admin;
use super::callbacks::{Callbacks, Chain};
use super::consumer::Consumer;
use super::core::Plan;
use super::encoding::Encoding;
use super::files::{self, Found};
use super::hooks::ClientHooks;
use super::live::End;
use super::logger::{Choice, Logger};
use super::producer::Producer;
use super::settings::{self, Settings};
use super::store::Store;
use super::subscriber::Subscriber;
use super::vfs::{self, Question};
use crate::error::{Error, Result};
use crate::rdk::{self, Client, ErrorCode, Events, Kind, Partitioner};
use crate::tcl::command::{self, new_id};
use crate::tcl::{Args, Call, Flow, Interp, Obj, Object, Outcome, Prefix, Row, Slot, State, Table};

pub struct Master {
    id: u64,
    state: Rc<State>,
    settings: RefCell<Settings>,
    topic_settings: RefCell<Settings>,
    partitioner: Slot,
    callbacks: Rc<Callbacks>,
    logger: RefCell<Choice>,
    encoding: RefCell<Encoding>,
}

static TABLE: Table<Master> = Table::new(&[
    Row(
        "config",
        "?-file path? ?key? ?value ...?",
        config,
        "list, get or set client configuration",
    ),
    Row(
        "topic_config",
        "?-file path? ?key? ?value ...?",
        topic_config,
        "list, get or set the default topic configuration",
    ),
    Row("producer_creator", "cmdName", producer_creator, "make a producer handle"),
    Row("consumer_creator", "cmdName", consumer_creator, "make a consumer handle"),
    Row("subscriber", "cmdName", subscriber, "make a subscriber"),
    Row("admin", "cmdName", admin, "make an admin with a connection of its own"),
    Row(
        "partitioner",
        "?name? ?prefix?",
        partitioner,
        "choose the partitioner of topics made from now on; the name callback takes a prefix",
    ),
    Row("delivery_report callback", "?prefix?", dr_callback, "set who gets delivery reports"),
    Row("delivery_report every", "?count?", dr_every, "call for each nth successful report only"),
    Row("delivery_report sample", "", dr_sample, "call for the next report"),
    Row("delivery_report_callback", "?prefix?", dr_callback, "alias of delivery_report callback"),
    Row("error_callback", "?prefix?", error_callback, "set who gets client errors"),
    Row(
        "statistics_callback",
        "?-dict? ?prefix ...?",
        statistics_callback,
        "set who gets librdkafka's statistics",
    ),
    Row("throttle_callback", "?prefix?", throttle_callback, "set who is told of slowing brokers"),
    Row(
        "oauthbearer_token_callback",
        "?prefix?",
        token_callback,
        "set who gives SASL OAUTHBEARER tokens",
    ),
    Row("logger", "", logger, "tell where log lines go"),
    Row("logger syslog", "", logger_syslog, "log to the system log"),
    Row("logger stderr", "", logger_stderr, "log to stderr"),
    Row("logger none", "", logger_none, "log nowhere"),
    Row("logger callback", "?prefix?", logger_callback, "log to a callback"),
    Row("encoding", "?name?", encoding, "tell or set how text turns into bytes"),
    Row("delete", "", command::delete_self, "delete the object; its handles stay"),
    Row("destroy", "", command::delete_self, "alias of delete"),
]);

impl Object for Master {
    const KIND: &'static str = "master";
    const AUTO: &'static str = "kafka_object";
    const PRIVATE: &'static [&'static str] = &["config", "topic_config"];
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

impl Master {
    pub fn new(state: Rc<State>) -> Master {
        Master {
            id: new_id(),
            state,
            settings: RefCell::new(Settings::client()),
            topic_settings: RefCell::new(Settings::topic()),
            partitioner: Slot::default(),
            callbacks: Rc::default(),
            logger: RefCell::default(),
            encoding: RefCell::default(),
        }
    }

    /// What a new handle starts with: a copy of everything but the callbacks, which are shared.
    fn plan(&self, kind: Kind, group: bool, files: &[Found]) -> Result<Plan> {
        let settings = self.settings.borrow().clone();
        self.plan_with(settings, kind, group, files)
    }

    /// The same with other client settings than the master's.
    fn plan_with(
        &self,
        mut settings: Settings,
        kind: Kind,
        group: bool,
        files: &[Found],
    ) -> Result<Plan> {
        let mut topic_settings = settings.topic_part();
        topic_settings.absorb(&self.topic_settings.borrow())?;
        settings.absorb(&self.topic_settings.borrow())?;
        settings.default_trust()?;
        if kind == Kind::Consumer {
            settings.default("fetch.queue.backoff.ms", "10")?;
        }
        let choice = self.logger.borrow().clone();
        let logger = Arc::new(Logger::new(choice.sink()));
        // Unless the script has librdkafka store offsets, we do, for what counts as processed.
        let ours = !settings.is_set("enable.auto.offset.store");
        let store = Arc::new(Store::new(ours, logger.clone()));
        if group {
            if settings.get("group.id")?.is_empty() {
                return Err(Error::kafka(
                    ErrorCode::UNKNOWN_GROUP,
                    "a subscriber needs a group: set group.id with config first",
                ));
            }
            settings.default("auto.offset.reset", "earliest")?;
        }
        if kind == Kind::Consumer {
            settings.default("enable.auto.offset.store", "false")?;
        }
        let mut conf = settings.conf();
        for file in files {
            file.give(&mut conf)?;
        }
        let mut events = Events::ERROR | Events::STATS;
        let mut only_errors = false;
        if kind == Kind::Producer {
            events |= Events::DR;
            only_errors = settings.get("delivery.report.only.error")? == "true";
            conf.set("delivery.report.only.error", "false")?;
        } else if group {
            events |= Events::REBALANCE | Events::OFFSET_COMMIT;
        }
        let hooks = Arc::new(ClientHooks::new(logger.clone()));
        let client = Client::new(kind, conf, events, hooks.clone())
            .map_err(|e| files::explain(e, &settings.conf(), files))?;
        let tokens = client.token_source()?;
        let end = match kind {
            Kind::Producer => End::Delivery,
            Kind::Consumer if group => End::Group(client.consumer_queue()?),
            Kind::Consumer => End::Partitions(Mutex::default()),
        };
        Ok(Plan {
            id: new_id(),
            state: self.state.clone(),
            client,
            callbacks: Chain::new(self.callbacks.clone()),
            logger,
            log_callback: match choice {
                Choice::Callback(p) => Some(p),
                _ => None,
            },
            settings,
            topic_settings,
            encoding: self.encoding.borrow().clone(),
            only_errors,
            store,
            end,
            hooks,
            tokens,
            partitioner: self.partitioner.get(),
        })
    }
}

type C<'a> = Call<'a, Master>;
type Out = Outcome<Master>;

/// `config ?-file path? ?key? ?value ...?`
fn config(c: &C<'_>) -> Out {
    settings::config(c, |this| &this.settings)
}

/// `topic_config ?-file path? ?key? ?value ...?`
fn topic_config(c: &C<'_>) -> Out {
    settings::config(c, |this| &this.topic_settings)
}

/// Makes a handle, once Tcl was asked for the files that only its own file systems have.
fn made(c: &C<'_>, make: impl FnOnce(Interp, &Master, &[Found]) -> Result<Obj> + 'static) -> Out {
    let asked = files::elsewhere(&c.this.settings.borrow());
    if asked.is_empty() {
        return Ok(make(c.interp, c.this, &[])?.into());
    }
    let this = c.this.clone();
    let paths = asked.iter().map(|(_, path)| Obj::text(path)).collect();
    Ok(vfs::ask(Question::Look, paths, false, move |interp, answers| {
        let mut found = Vec::new();
        for ((key, path), answer) in asked.into_iter().zip(&answers) {
            found.extend(Found::new(key, path, answer)?);
        }
        make(interp, &this, &found)
    }))
}

/// `producer_creator cmdName`
fn producer_creator(c: &C<'_>) -> Out {
    let word = c.args.at(0)?.clone();
    made(c, move |interp, master, files| {
        let name = command::check_name::<Producer>(interp, &word)?;
        let producer = Producer::open(master.plan(Kind::Producer, false, files)?);
        Ok(command::create(interp, name, producer, true)?)
    })
}

/// `consumer_creator cmdName`
fn consumer_creator(c: &C<'_>) -> Out {
    let word = c.args.at(0)?.clone();
    made(c, move |interp, master, files| {
        let name = command::check_name::<Consumer>(interp, &word)?;
        let consumer = Consumer::open(master.plan(Kind::Consumer, false, files)?);
        Ok(command::create(interp, name, consumer, true)?)
    })
}

/// `subscriber cmdName`
fn subscriber(c: &C<'_>) -> Out {
    let word = c.args.at(0)?.clone();
    made(c, move |interp, master, files| {
        let name = command::check_name::<Subscriber>(interp, &word)?;
        let subscriber = Subscriber::open(master.plan(Kind::Consumer, true, files)?)?;
        Ok(command::create(interp, name, subscriber, true)?)
    })
}

/// `admin cmdName`: on a client that sends no messages and joins no group.
fn admin(c: &C<'_>) -> Out {
    let word = c.args.at(0)?.clone();
    made(c, move |interp, master, files| {
        let name = command::check_name::<Admin>(interp, &word)?;
        // An idempotent producer asks for an id, for which the user may lack the right.
        let settings = master.settings.borrow().without(&[
            "transactional.id",
            "enable.idempotence",
            "enable.gapless.guarantee",
            "group.id",
        ]);
        let admin = Admin::open(master.plan_with(settings, Kind::Producer, false, files)?);
        Ok(command::create(interp, name, admin, true)?)
    })
}

/// `partitioner ?name? ?prefix?`
fn partitioner(c: &C<'_>) -> Out {
    let settings = &mut c.this.topic_settings.borrow_mut();
    set_partitioner(settings, &c.this.partitioner, &c.args, || c.wrong_args())
}

/// Sets or tells the partitioner of a topic configuration: one of librdkafka's by name, which ends a
/// callback's use, or `callback prefix`.
pub fn set_partitioner(
    settings: &mut Settings,
    callback: &Slot,
    args: &Args<'_>,
    wrong: impl FnOnce() -> Error,
) -> Result<Flow> {
    let Some(word) = args.get(0) else {
        return Ok(match callback.get() {
            Some(prefix) => Obj::list(&[Obj::text("callback"), prefix.given()]).into(),
            None => Obj::text(&settings.get("partitioner")?).into(),
        });
    };
    let name = word.str();
    if name == "callback" {
        return Ok(callback.get_or_set(args.get(1), "partitioner callback")?.into());
    }
    if Partitioner::from_name(&name).is_none() {
        let names = Partitioner::ALL.iter().map(|p| p.name()).chain(["callback"]);
        return Err(crate::tcl::Error::bad_word("partitioner", &name, names).into());
    }
    if args.get(1).is_some() {
        return Err(wrong());
    }
    settings.set("partitioner", &name)?;
    callback.set(None);
    Ok(Flow::Empty)
}

/// `delivery_report callback ?prefix?`
fn dr_callback(c: &C<'_>) -> Out {
    Ok(c.this.callbacks.set_delivery(c.args.get(0))?.into())
}

/// `delivery_report every ?count?`
fn dr_every(c: &C<'_>) -> Out {
    let shown = c.this.callbacks.every.get().unwrap_or(1);
    Ok(c.this.callbacks.set_every(c.args.get(0), shown)?.into())
}

/// `delivery_report sample`
fn dr_sample(c: &C<'_>) -> Out {
    c.this.callbacks.sample.set(true);
    Ok(Flow::Empty)
}

/// `error_callback ?prefix?`
fn error_callback(c: &C<'_>) -> Out {
    Ok(c.this.callbacks.set_error(c.args.get(0))?.into())
}

/// `statistics_callback ?-dict? ?prefix ...?`
fn statistics_callback(c: &C<'_>) -> Out {
    if c.args.rest.len() > 1 {
        return Err(c.wrong_args());
    }
    Ok(c.this.callbacks.set_statistics(&c.args)?.into())
}

/// `throttle_callback ?prefix?`
fn throttle_callback(c: &C<'_>) -> Out {
    Ok(c.this.callbacks.set_throttle(c.args.get(0))?.into())
}

/// `oauthbearer_token_callback ?prefix?`
fn token_callback(c: &C<'_>) -> Out {
    Ok(c.this.callbacks.set_token(c.args.get(0))?.into())
}

/// `logger`: what would set it again.
fn logger(c: &C<'_>) -> Out {
    let choice = c.this.logger.borrow();
    let words = match &*choice {
        Choice::Stderr => vec![Obj::text("stderr")],
        Choice::Syslog => vec![Obj::text("syslog")],
        Choice::None => vec![Obj::text("none")],
        Choice::Callback(p) => vec![Obj::text("callback"), p.given()],
    };
    Ok(Obj::list(&words).into())
}

fn choose(c: &C<'_>, choice: Choice) -> Out {
    let old = c.this.logger.replace(choice);
    drop(old);
    Ok(Flow::Empty)
}

/// `logger syslog`
fn logger_syslog(c: &C<'_>) -> Out {
    choose(c, Choice::Syslog)
}

/// `logger stderr`
fn logger_stderr(c: &C<'_>) -> Out {
    rdk::adopt_stderr();
    choose(c, Choice::Stderr)
}

/// `logger none`
fn logger_none(c: &C<'_>) -> Out {
    choose(c, Choice::None)
}

/// `logger callback ?prefix?`
fn logger_callback(c: &C<'_>) -> Out {
    match c.args.get(0) {
        Some(word) => match Prefix::new(word, "logger callback")? {
            Some(prefix) => choose(c, Choice::Callback(prefix)),
            // Without a callback the lines go where they went before there was one.
            None => choose(c, Choice::Stderr),
        },
        None => Ok(match &*c.this.logger.borrow() {
            Choice::Callback(p) => p.given().into(),
            _ => Flow::Empty,
        }),
    }
}

/// `encoding ?name?`
fn encoding(c: &C<'_>) -> Out {
    get_or_set_encoding(&c.this.encoding, c.args.get(0))
}

pub fn get_or_set_encoding(cell: &RefCell<Encoding>, word: Option<&Obj>) -> Result<Flow> {
    let Some(word) = word else { return Ok(Obj::text(cell.borrow().name()).into()) };
    let encoding = Encoding::parse(word)?;
    *cell.borrow_mut() = encoding;
    Ok(Flow::Empty)
}
