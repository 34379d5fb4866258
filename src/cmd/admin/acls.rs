//! Access control lists.

use super::words::{self, Fields};
use super::{ask, outcome, Out, C};
use crate::error::{Error, Result};
use crate::rdk::{Acl, AclFilter, OPERATIONS, PATTERNS, PERMISSIONS, RESOURCES};
use crate::tcl::Obj;

const KEYS: [&str; 7] =
    ["resource_type", "name", "pattern", "principal", "host", "operation", "permission"];

/// The one name that the cluster goes by in ACLs.
const CLUSTER: &str = "kafka-cluster";

/// A resource type; librdkafka's word for the cluster is broker.
fn resource(word: &Obj, from: usize) -> Result<String> {
    if &*word.str() == "broker" {
        return Ok("cluster".to_owned());
    }
    pick(word, "resource type", &RESOURCES[from..])
}

fn pick(word: &Obj, kind: &'static str, choices: &[&'static str]) -> Result<String> {
    Ok(words::choice(word, kind, choices)?.to_owned())
}

fn principal(word: &Obj) -> Result<String> {
    let name = words::name(word, "principal")?;
    match name.split_once(':') {
        Some((kind, who)) if !kind.is_empty() && !who.is_empty() => Ok(name),
        _ => Err(Error::expected("principal", "a kind and a name, such as User:joe,", &name)),
    }
}

/// An ACL to be made.
fn acl(word: &Obj) -> Result<Acl> {
    let f = Fields::read(word, "ACL", &KEYS)?;
    // The words after `unknown` and `any`; of patterns also after `match`.
    let resource = resource(f.need("resource_type")?, 2)?;
    let name = match f.get("name") {
        None if resource == "cluster" => CLUSTER.to_owned(),
        _ => words::name(f.need("name")?, "name")?,
    };
    if resource == "cluster" && name != CLUSTER {
        return Err(Error::expected("name", CLUSTER, &name));
    }
    Ok(Acl {
        name,
        pattern: f
            .get("pattern")
            .map_or(Ok("literal".to_owned()), |w| pick(w, "pattern", &PATTERNS[3..]))?,
        principal: principal(f.need("principal")?)?,
        host: f.get("host").map_or(Ok("*".to_owned()), |w| words::name(w, "host"))?,
        operation: pick(f.need("operation")?, "operation", &OPERATIONS[2..])?,
        permission: pick(f.need("permission")?, "permission", &PERMISSIONS[2..])?,
        resource,
    })
}

/// ACLs to be found: an absent key matches all.
fn filter(word: Option<&Obj>) -> Result<AclFilter> {
    let empty = Obj::empty();
    let f = Fields::read(word.unwrap_or(&empty), "filter", &KEYS)?;
    let any = |key: &str, kind: &'static str, choices: &'static [&'static str]| {
        f.get(key).map_or(Ok("any".to_owned()), |w| pick(w, kind, &choices[1..]))
    };
    Ok(AclFilter {
        resource: f.get("resource_type").map_or(Ok("any".to_owned()), |w| resource(w, 1))?,
        name: f.get("name").map(|w| words::name(w, "name")).transpose()?,
        pattern: any("pattern", "pattern", &PATTERNS)?,
        principal: f.get("principal").map(principal).transpose()?,
        host: f.get("host").map(|w| words::name(w, "host")).transpose()?,
        operation: any("operation", "operation", &OPERATIONS)?,
        permission: any("permission", "permission", &PERMISSIONS)?,
    })
}

fn acl_obj(a: &Acl) -> Obj {
    let values =
        [&a.resource, &a.name, &a.pattern, &a.principal, &a.host, &a.operation, &a.permission];
    Obj::texts(KEYS.into_iter().zip(values).flat_map(|(k, v)| [k, v.as_str()]))
}

/// `create_acl ?-timeout ms? ?-command prefix? acl ...`: gives the ACLs, every key written out.
pub fn create_acl(c: &C<'_>) -> Out {
    let acls = c.args.rest.iter().map(acl).collect::<Result<Vec<Acl>>>()?;
    let mine = acls.clone();
    ask(
        c,
        move |admin| admin.create_acls(&acls),
        move |found| {
            let items = found
                .into_iter()
                .zip(&mine)
                .enumerate()
                .map(|(i, (e, acl))| (Obj::int(i as i64), e.map_or(Ok(acl_obj(acl)), Err)))
                .collect();
            outcome("ACL", items, values)
        },
    )
}

/// The items' values.
fn values(good: &[(Obj, Obj)]) -> Obj {
    Obj::list(&good.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>())
}

/// `describe_acls ?-timeout ms? ?-command prefix? ?filter?`: gives a list of ACLs.
pub fn describe_acls(c: &C<'_>) -> Out {
    let wanted = filter(c.args.get(0))?;
    ask(
        c,
        move |admin| admin.describe_acls(&wanted),
        |found| Ok(Obj::list(&found.iter().map(acl_obj).collect::<Vec<_>>())),
    )
}

/// `delete_acls ?-timeout ms? ?-command prefix? filter ...`: gives a list of those deleted.
pub fn delete_acls(c: &C<'_>) -> Out {
    let filters =
        c.args.rest.iter().map(|w| filter(Some(w))).collect::<Result<Vec<AclFilter>>>()?;
    ask(
        c,
        move |admin| admin.delete_acls(&filters),
        |found| {
            let items = found
                .into_iter()
                .enumerate()
                .map(|(i, r)| {
                    let list =
                        r.map(|acls| Obj::list(&acls.iter().map(acl_obj).collect::<Vec<_>>()));
                    (Obj::int(i as i64), list)
                })
                .collect();
            outcome("filter", items, |good| {
                let all =
                    good.iter().flat_map(|(_, list)| list.get_list("ACLs").unwrap_or_default());
                Obj::list(&all.collect::<Vec<_>>())
            })
        },
    )
}
