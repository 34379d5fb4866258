//! The subcommands that producers, consumers and subscribers have alike.

use std::io::Write;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use super::admin;
use super::core::{Core, Life};
use super::info::{self, QUERY};
use super::master::{get_or_set_encoding, set_partitioner};
use super::pump::{Serve, ServeTask, Verdict};
use super::query;
use super::settings;
use super::tps;
use super::wait::Manner;
use crate::error::{Error, Result};
use crate::tcl::{Args, Call, Flow, Obj, Object, Outcome, Prefix, Row};

/// An object with a client of its own, and the rows that the tables of all of them have.
pub trait Handle: Object<Error = Error> + Serve {
    /// Questions about the cluster.
    const CLUSTER: &'static [Row<Self>] = &[
        Row("info topics", "?-timeout ms? ?-command prefix?", info_topics, "the cluster's topics"),
        Row(
            "info brokers",
            "?-timeout ms? ?-command prefix?",
            info_brokers,
            "the cluster's brokers",
        ),
        Row(
            "info partitions",
            "topic ?-timeout ms? ?-command prefix?",
            info_partitions,
            "a topic's partitions",
        ),
        Row(
            "metadata",
            "?-topic t? ?-timeout ms? ?-command prefix?",
            query::metadata,
            "brokers, topics and partitions as a dict",
        ),
        Row("cluster_id", "?-timeout ms? ?-command prefix?", query::cluster_id, "the cluster's id"),
        Row(
            "controller_id",
            "?-timeout ms? ?-command prefix?",
            query::controller_id,
            "the id of the broker that is the controller",
        ),
    ];

    /// A partition's bounds; a subscriber has this row among those about its offsets.
    const WATERMARKS: &'static [Row<Self>] = &[Row(
        "watermarks",
        "?-cached? ?-timeout ms? ?-command prefix? topic partition",
        query::watermarks,
        "a partition's low and high watermark",
    )];

    /// The client itself.
    const CLIENT: &'static [Row<Self>] = &[
        Row(
            "offsets_for_times",
            "?-timeout ms? ?-command prefix? tp ...",
            query::offsets_for_times,
            "the first offset at or after a time",
        ),
        Row("fatal_error", "", query::fatal_error, "the error that ended the client, if any"),
        Row(
            "sasl_set_credentials",
            "user password",
            query::sasl_set_credentials,
            "user and password for the next authentication",
        ),
        Row("admin", "cmdName", admin::of_handle, "make an admin that shares the connection"),
        Row("meta refresh", "?-timeout ms? ?-command prefix?", meta_refresh, "fetch metadata anew"),
        Row(
            "meta print",
            "?-timeout ms? ?-command prefix?",
            meta_print,
            "print metadata on stdout",
        ),
    ];

    /// Who is told of what happens to the client.
    const CALLBACKS: &'static [Row<Self>] = &[
        Row("error_callback", "?prefix?", error_callback, "set who gets client errors"),
        Row(
            "statistics_callback",
            "?-dict? ?prefix ...?",
            statistics_callback,
            "set who gets librdkafka's statistics",
        ),
        Row(
            "throttle_callback",
            "?prefix?",
            throttle_callback,
            "set who is told of slowing brokers",
        ),
        Row(
            "oauthbearer_token_callback",
            "?prefix?",
            token_callback,
            "set who gives SASL OAUTHBEARER tokens",
        ),
    ];
}

type C<'a, T> = Call<'a, T>;

fn core<'a, T: Handle>(c: &C<'a, T>) -> &'a Rc<Core> {
    c.this.core()
}

/// `name`
pub fn name<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    Ok(Obj::text(&core(c).client.name()).into())
}

/// `type`
pub fn kind<T: Handle>(_c: &C<'_, T>) -> Outcome<T> {
    Ok(Obj::text(T::KIND).into())
}

/// `config ?-file path? ?key? ?value ...?`: topic configuration, for topics made from now on.
pub fn config<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    settings::config(c, |this| &this.core().topic_settings)
}

/// `partitioner ?name? ?prefix?`
pub fn partitioner<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let settings = &mut core(c).topic_settings.borrow_mut();
    set_partitioner(settings, &core(c).partitioner, &c.args, || c.wrong_args())
}

/// `client_config ?key?`: what the client was made with.
pub fn client_config<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let settings = &core(c).settings;
    Ok(match c.args.get(0) {
        Some(key) => Obj::text(&settings.get(&key.str())?).into(),
        None => settings.list().into(),
    })
}

const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// `log_level level`
pub fn log_level<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let word = c.args.at(0)?.str();
    let level = LEVELS
        .iter()
        .position(|l| *l == word)
        .ok_or_else(|| crate::tcl::Error::bad_word("logLevel", &word, LEVELS))?;
    core(c).client.set_log_level(level as i32);
    Ok(Flow::Empty)
}

/// `add_brokers brokerList`: a Tcl list, or host:port pairs with commas.
pub fn add_brokers<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let brokers = c.args.at(0)?.get_list("broker list")?;
    let text = brokers.iter().map(Obj::str).collect::<Vec<_>>().join(",");
    if text.is_empty() {
        return Err(Error::argument("Broker list must contain at least one element"));
    }
    if text.contains('\0') || core(c).client.add_brokers(&text) == 0 {
        return Err(Error::argument(format!("No valid brokers specified in \"{text}\"")));
    }
    let first = !core(c).knows_brokers();
    core(c).note_brokers(&text);
    if let Some(source) = core(c).source().filter(|_| first && core(c).is_open()) {
        core(c).begin_hope(source);
    }
    Ok(Flow::Empty)
}

/// `output_queue_length`
pub fn output_queue_length<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    Ok(Obj::int(core(c).undelivered() as i64).into())
}

/// `info topics ?-timeout ms? ?-command prefix?`
pub fn info_topics<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    info::topics(core(c), Manner::from(&c.args, QUERY)?)
}

/// `info brokers ?-timeout ms? ?-command prefix?`
pub fn info_brokers<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    info::brokers(core(c), Manner::from(&c.args, QUERY)?)
}

/// `info partitions topic ?-timeout ms? ?-command prefix?`
pub fn info_partitions<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let topic = tps::parse_topic(c.args.at(0)?)?;
    let number = |n: i32| Obj::int(n.into());
    info::partitions(core(c), &topic, Manner::from(&c.args, QUERY)?, false, number)
}

/// `meta refresh ?-timeout ms? ?-command prefix?`
pub fn meta_refresh<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    info::refresh(core(c), Manner::from(&c.args, QUERY)?)
}

/// `meta print ?-timeout ms? ?-command prefix?`: on stdout, for debugging; not through Tcl's
/// channels.
pub fn meta_print<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    info::describe(core(c), Manner::from(&c.args, QUERY)?, |text| {
        let mut out = std::io::stdout().lock();
        // A closed stdout is the script's own doing.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    })
}

/// `delivery_report callback ?prefix?`
pub fn dr_callback<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    Ok(core(c).callbacks.own.set_delivery(c.args.get(0))?.into())
}

/// `delivery_report every ?count?`
pub fn dr_every<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let callbacks = &core(c).callbacks;
    Ok(callbacks.own.set_every(c.args.get(0), callbacks.every())?.into())
}

/// `delivery_report sample`
pub fn dr_sample<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    core(c).callbacks.own.sample.set(true);
    Ok(Flow::Empty)
}

/// `error_callback ?prefix?`
pub fn error_callback<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    Ok(core(c).callbacks.own.set_error(c.args.get(0))?.into())
}

/// `statistics_callback ?-dict? ?prefix ...?`
pub fn statistics_callback<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    if c.args.rest.len() > 1 {
        return Err(c.wrong_args());
    }
    Ok(core(c).callbacks.own.set_statistics(&c.args)?.into())
}

/// `throttle_callback ?prefix?`
pub fn throttle_callback<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    Ok(core(c).callbacks.own.set_throttle(c.args.get(0))?.into())
}

/// `oauthbearer_token_callback ?prefix?`
pub fn token_callback<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let core = core(c);
    if c.args.get(0).is_some_and(|word| !word.is_empty()) {
        core.tokens.check_callback()?;
    }
    let out = core.callbacks.own.set_token(c.args.get(0))?;
    // A token may have been wanted before there was a callback.
    core.again();
    Ok(out.into())
}

/// `encoding ?name?`
pub fn encoding<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    get_or_set_encoding(&core(c).encoding, c.args.get(0))
}

/// `linger_on_close ?ms?`
pub fn linger_on_close<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let linger = &core(c).live.linger;
    Ok(match c.args.get(0) {
        Some(word) => {
            linger.store(Args::time(word, "linger_on_close")?, Ordering::Relaxed);
            Flow::Empty
        }
        None => Obj::int(linger.load(Ordering::Relaxed).into()).into(),
    })
}

/// `poll ?timeoutMS?`: runs the callbacks of pending events, waiting for the first; gives their
/// number.
pub fn poll<T: Handle>(c: &C<'_, T>) -> Outcome<T> {
    let timeout = c.args.get(0).map_or(Ok(0), |w| Args::time(w, "timeoutMS"))?;
    let this = c.this.clone();
    Ok(Flow::Run(ServeTask::new(c.this.clone(), timeout, move |over, served| {
        // A signal's handler may have deleted it.
        if over || served > 0 || this.state().command_of(this.id()).is_none() {
            Verdict::Done(Some(Obj::int(served as i64)))
        } else {
            Verdict::Wait
        }
    })))
}

/// The wait of `close`, once the end has begun: serves the object's callbacks until it has ended, and
/// then has `ending` tell how; with `-command`, at once, and the prefix is told.
pub fn closing<S: Serve>(
    object: Rc<S>,
    command: Option<Prefix>,
    ending: impl FnOnce(&Core) -> Result<Obj> + 'static,
) -> Flow {
    let core = object.core().clone();
    if let Some(prefix) = command {
        core.calls.at_end(prefix, ending);
        core.again();
        return Flow::Empty;
    }
    let mut ending = Some(ending);
    Flow::Run(ServeTask::new(object, -1, move |_, _| {
        if core.life.get() != Life::Closed {
            return Verdict::Wait;
        }
        match ending.take().map(|f| f(&core)) {
            Some(Err(e)) => Verdict::Fail(e),
            _ => Verdict::Done(None),
        }
    }))
}
