//! The words of admin calls, checked before anything is sent.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::tcl::{Args, Obj};

/// The most partitions that a topic may have, and brokers that a replica list may name.
pub const PARTITIONS: i64 = 100_000;
pub const REPLICAS: i64 = 10_000;

/// A name: not empty, no NUL.
pub fn name(word: &Obj, what: &str) -> Result<String> {
    let name = word.string();
    if name.is_empty() || name.contains('\0') {
        return Err(Error::expected(what, "a name", &name));
    }
    Ok(name)
}

/// Names, each once.
pub fn names(rest: &[Obj], what: &str) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    rest.iter()
        .map(|word| {
            let name = name(word, what)?;
            if !seen.insert(name.clone()) {
                return Err(Error::argument(format!("{what} \"{name}\" is given twice")));
            }
            Ok(name)
        })
        .collect()
}

/// A name that a topic may have: Kafka takes no other.
pub fn topic_name(word: &Obj) -> Result<String> {
    let name = name(word, "topic")?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() > 249 || name == "." || name == ".." || !name.chars().all(good) {
        return Err(Error::expected(
            "topic",
            "a name of 1 to 249 letters, digits, dots, underscores and hyphens, not . or ..",
            &name,
        ));
    }
    Ok(name)
}

/// A whole number within bounds.
pub fn number(word: &Obj, what: &str, low: i64, high: i64) -> Result<i32> {
    let n = word.get_int(what)?;
    if n < low || n > high {
        let range = format!("a number from {low} to {high}");
        return Err(Error::expected(what, &range, &word.str()));
    }
    // The bounds are within 32 bits.
    Ok(i32::try_from(n).unwrap_or(i32::MAX))
}

/// One of some words.
pub fn choice(word: &Obj, kind: &'static str, choices: &[&'static str]) -> Result<&'static str> {
    let name = word.str();
    choices
        .iter()
        .find(|c| **c == name)
        .copied()
        .ok_or_else(|| crate::tcl::Error::bad_word(kind, &name, choices.iter().copied()).into())
}

/// A switch, off unless it is given.
pub fn switch(args: &Args<'_>, name: &str) -> Result<bool> {
    Ok(args.opt(name).map_or(Ok(false), |w| w.get_bool(name))?)
}

/// The pairs of an option's dict, each name once; no value is shown.
pub fn pairs(args: &Args<'_>, name: &str) -> Result<Vec<(String, String)>> {
    let Some(word) = args.opt(name) else { return Ok(Vec::new()) };
    let words = word.get_pairs(name).map_err(|_| Error::argument(format!("{name} is no dict")))?;
    let mut seen = BTreeSet::new();
    words
        .into_iter()
        .map(|(key, value)| {
            let key = self::name(&key, name)?;
            if !seen.insert(key.clone()) {
                return Err(Error::argument(format!("{name} has \"{key}\" twice")));
            }
            Ok((key, value.string()))
        })
        .collect()
}

/// The brokers of each partition's replicas.
pub fn assignment(args: &Args<'_>) -> Result<Vec<Vec<i32>>> {
    const WHAT: &str = "-assignment";
    let Some(word) = args.opt(WHAT) else { return Ok(Vec::new()) };
    let lists = word.get_list(WHAT)?;
    if lists.is_empty() {
        return Err(Error::expected(WHAT, "a list of broker ids for each partition", ""));
    }
    lists
        .iter()
        .map(|list| {
            let mut brokers = Vec::new();
            for id in list.get_list(WHAT)? {
                let id = number(&id, WHAT, 0, i64::from(i32::MAX))?;
                if brokers.contains(&id) {
                    return Err(Error::argument(format!(
                        "{WHAT} has broker {id} twice for a partition"
                    )));
                }
                brokers.push(id);
            }
            if brokers.is_empty() {
                return Err(Error::expected(WHAT, "a list of broker ids for each partition", ""));
            }
            Ok(brokers)
        })
        .collect()
}

/// The keys and values of a dict that is an argument, checked against those that it may have.
/// Values are not shown: some are secret.
pub struct Fields {
    what: &'static str,
    pairs: Vec<(String, Obj)>,
}

impl Fields {
    pub fn read(word: &Obj, what: &'static str, known: &[&'static str]) -> Result<Fields> {
        let words = word
            .get_pairs(what)
            .map_err(|_| Error::argument(format!("{what} is no dict with {}", known.join(", "))))?;
        let mut pairs: Vec<(String, Obj)> = Vec::new();
        for (key, value) in words {
            let key = key.string();
            if !known.contains(&key.as_str()) {
                let known = known.iter().copied();
                return Err(crate::tcl::Error::bad_word("key", &key, known).into());
            }
            // As in a dict, the last one counts.
            pairs.retain(|(k, _)| *k != key);
            pairs.push((key, value));
        }
        Ok(Fields { what, pairs })
    }

    pub fn get(&self, key: &str) -> Option<&Obj> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    pub fn need(&self, key: &str) -> Result<&Obj> {
        self.get(key).ok_or_else(|| Error::argument(format!("{} has no {key}", self.what)))
    }
}
