//! Configuration of topics, brokers and groups.

use super::words::{self, pairs};
use super::{ask, at, dict, outcome, row, Out, C};
use crate::error::{Error, Result};
use crate::rdk::{Change, ConfigEntry, Resource};
use crate::tcl::Obj;

/// What has a configuration.
fn resource(word: &Obj) -> Result<Resource> {
    Ok(match words::choice(word, "resource type", &["topic", "broker", "group"])? {
        "topic" => Resource::Topic,
        "broker" => Resource::Broker,
        _ => Resource::Group,
    })
}

/// A broker goes by its id.
fn check_name(kind: Resource, word: &Obj) -> Result<()> {
    if kind == Resource::Broker {
        words::number(word, "broker", 0, i64::from(i32::MAX))?;
    }
    Ok(())
}

fn word_of(kind: Resource) -> &'static str {
    match kind {
        Resource::Topic => "topic",
        Resource::Broker => "broker",
        Resource::Group => "group",
    }
}

/// `describe_configs type ?-timeout ms? ?-command prefix? name ...`: gives a dict from name to a
/// dict from property to `?value? source default read_only sensitive ?synonyms?`.
pub fn describe_configs(c: &C<'_>) -> Out {
    let kind = resource(c.args.at(0)?)?;
    let names = words::names(c.args.rest, word_of(kind))?;
    for word in c.args.rest {
        check_name(kind, word)?;
    }
    ask(
        c,
        move |admin| admin.describe_configs(kind, &names),
        move |found| {
            let items = found
                .into_iter()
                .map(|(name, r)| {
                    let entries = r.map(|entries| {
                        let words: Vec<Obj> = entries
                            .iter()
                            .flat_map(|e| [Obj::text(&e.name), entry_obj(e)])
                            .collect();
                        Obj::list(&words)
                    });
                    (Obj::text(&name), entries)
                })
                .collect();
            outcome(word_of(kind), items, dict)
        },
    )
}

fn entry_obj(e: &ConfigEntry) -> Obj {
    let mut out = Vec::new();
    if let Some(value) = &e.value {
        out.extend(row([("value", Obj::text(value))]));
    }
    out.extend(row([
        ("source", Obj::text(e.source)),
        ("default", Obj::int(e.default.into())),
        ("read_only", Obj::int(e.read_only.into())),
        ("sensitive", Obj::int(e.sensitive.into())),
    ]));
    if !e.synonyms.is_empty() {
        let synonyms: Vec<Obj> = e
            .synonyms
            .iter()
            .map(|s| {
                let mut out = row([("name", Obj::text(&s.name))]);
                if let Some(value) = &s.value {
                    out.extend(row([("value", Obj::text(value))]));
                }
                out.extend(row([("source", Obj::text(s.source))]));
                Obj::list(&out)
            })
            .collect();
        out.extend(row([("synonyms", Obj::list(&synonyms))]));
    }
    Obj::list(&out)
}

/// `alter_configs type name ?-set dict? ?-delete keys? ?-append dict? ?-subtract dict?
/// ?-replace dict? ?-validate_only b? ?-timeout ms? ?-command prefix?`: gives the name.
pub fn alter_configs(c: &C<'_>) -> Out {
    let args = &c.args;
    let kind = resource(args.at(0)?)?;
    let name = words::name(args.at(1)?, word_of(kind))?;
    check_name(kind, args.at(1)?)?;
    let validate_only = words::switch(args, "-validate_only")?;
    let changes = changes(c)?;
    let result = Obj::text(&name);
    let what = format!("{} {name}", word_of(kind));
    let place = at(what);
    if args.opt("-replace").is_some() {
        if !changes.is_empty() {
            return Err(Error::argument("-replace excludes -set, -delete, -append and -subtract"));
        }
        let values = pairs(args, "-replace")?;
        return ask(
            c,
            move |admin| admin.replace_configs(kind, &name, &values, validate_only).map_err(place),
            move |()| Ok(result),
        );
    }
    if changes.is_empty() {
        return Err(Error::argument(
            "nothing to change: give -set, -delete, -append, -subtract or -replace",
        ));
    }
    ask(
        c,
        move |admin| admin.alter_configs(kind, &name, &changes, validate_only).map_err(place),
        move |()| Ok(result),
    )
}

/// The changes of single properties; each property has one.
fn changes(c: &C<'_>) -> Result<Vec<(String, Change)>> {
    let mut out: Vec<(String, Change)> = Vec::new();
    let mut add = |key: String, change: Change| -> Result<()> {
        if out.iter().any(|(k, _)| *k == key) {
            return Err(Error::argument(format!("\"{key}\" is to be changed twice")));
        }
        out.push((key, change));
        Ok(())
    };
    for (key, value) in pairs(&c.args, "-set")? {
        add(key, Change::Set(value))?;
    }
    if let Some(word) = c.args.opt("-delete") {
        for key in word.get_list("-delete")? {
            add(words::name(&key, "-delete")?, Change::Delete)?;
        }
    }
    for (key, value) in pairs(&c.args, "-append")? {
        add(key, Change::Append(value))?;
    }
    for (key, value) in pairs(&c.args, "-subtract")? {
        add(key, Change::Subtract(value))?;
    }
    Ok(out)
}
