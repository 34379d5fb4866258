//! SCRAM users. No error shows a password.

use super::words::{self, Fields};
use super::{ask, dict, keys, outcome, plain, Out, C};
use crate::error::{Error, Result};
use crate::rdk::{ScramChange, MECHANISMS};
use crate::tcl::Obj;

/// How often a password may be hashed, as brokers have it.
const ITERATIONS: (i64, i64) = (4096, 16_384);

/// `describe_scram_users ?-timeout ms? ?-command prefix? ?user ...?`: gives a dict from user to a
/// dict from mechanism to iterations.
pub fn describe_scram_users(c: &C<'_>) -> Out {
    let users = words::names(c.args.rest, "user")?;
    ask(
        c,
        move |admin| admin.describe_scram_users(&users),
        |found| {
            let items = found
                .into_iter()
                .map(|(user, r)| {
                    let credentials = r.map(|list| {
                        let words: Vec<Obj> = list
                            .iter()
                            .flat_map(|c| [Obj::text(c.mechanism), Obj::int(c.iterations.into())])
                            .collect();
                        Obj::list(&words)
                    });
                    (Obj::text(&user), credentials)
                })
                .collect();
            outcome("user", items, dict)
        },
    )
}

/// `alter_scram_users ?-timeout ms? ?-command prefix? change ...`: gives the users.
pub fn alter_scram_users(c: &C<'_>) -> Out {
    let changes = c.args.rest.iter().map(change).collect::<Result<Vec<ScramChange>>>()?;
    for (i, change) in changes.iter().enumerate() {
        let twin = |o: &ScramChange| o.user == change.user && o.mechanism == change.mechanism;
        if changes[..i].iter().any(twin) {
            return Err(Error::argument(format!(
                "user \"{}\" is to be changed twice for {}",
                change.user, change.mechanism
            )));
        }
    }
    ask(
        c,
        move |admin| admin.alter_scram_users(&changes),
        |found| outcome("user", plain(found), keys),
    )
}

/// `user mechanism ?iterations? password ?salt?`, or `user mechanism delete 1`.
fn change(word: &Obj) -> Result<ScramChange> {
    let known = ["user", "mechanism", "iterations", "password", "salt", "delete"];
    let f = Fields::read(word, "change", &known)?;
    let user = words::name(f.need("user")?, "user")?;
    let mechanism = f.need("mechanism")?;
    let mechanism = words::choice(mechanism, "mechanism", &MECHANISMS[1..])?.to_owned();
    if f.get("delete").map_or(Ok(false), |w| w.get_bool("delete"))? {
        if let Some(extra) = ["iterations", "password", "salt"].iter().find(|k| f.get(k).is_some())
        {
            return Err(Error::argument(format!("delete excludes {extra}")));
        }
        return Ok(ScramChange { user, mechanism, upsert: None });
    }
    let (low, high) = ITERATIONS;
    let iterations = match f.get("iterations") {
        Some(w) => words::number(w, "iterations", low, high)?,
        None => low as i32,
    };
    let password = f.need("password")?.string().into_bytes();
    if password.is_empty() {
        return Err(Error::argument("expected a password but got an empty one"));
    }
    let salt = f.get("salt").map_or(Ok(Vec::new()), |w| w.get_bytes("salt").map(<[u8]>::to_vec))?;
    Ok(ScramChange { user, mechanism, upsert: Some((iterations, password, salt)) })
}
