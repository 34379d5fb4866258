//! Callback prefixes.

use std::cell::RefCell;
use std::rc::Rc;

use super::error::Error;
use super::obj::Obj;

/// A checked command prefix: the words as they were when it was set.
#[derive(Clone)]
pub struct Prefix {
    words: Rc<[Obj]>,
    given: Obj,
}

impl Prefix {
    /// Checks that the value is a list; the empty one is no prefix.
    pub fn new(value: &Obj, what: &str) -> Result<Option<Prefix>, Error> {
        let words = value.get_prefix(what)?;
        if words.is_empty() {
            return Ok(None);
        }
        Ok(Some(Prefix { words: words.into(), given: value.clone() }))
    }

    /// Puts the prefix and one argument together for a call.
    #[inline]
    pub fn fill(&self, argument: Obj, words: &mut Vec<Obj>) {
        words.extend_from_slice(&self.words);
        words.push(argument);
    }

    /// As `fill`, with several arguments.
    pub fn fill_all<const N: usize>(&self, arguments: [Obj; N], words: &mut Vec<Obj>) {
        words.extend_from_slice(&self.words);
        words.extend(arguments);
    }

    /// The value that set it.
    pub fn given(&self) -> Obj {
        self.given.clone()
    }
}

/// A place for a callback, read anew for every call.
#[derive(Default)]
pub struct Slot(RefCell<Option<Prefix>>);

impl Slot {
    pub fn get(&self) -> Option<Prefix> {
        self.0.borrow().clone()
    }

    pub fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    pub fn set(&self, prefix: Option<Prefix>) {
        // The old prefix goes only after the borrow has ended: dropping values may run code.
        let old = self.0.replace(prefix);
        drop(old);
    }

    /// With a value, sets the callback and gives an empty result; without, gives what would set it.
    pub fn get_or_set(&self, value: Option<&Obj>, what: &str) -> Result<Obj, Error> {
        match value {
            Some(v) => {
                self.set(Prefix::new(v, what)?);
                Ok(Obj::empty())
            }
            None => Ok(self.get().map_or_else(Obj::empty, |p| p.given())),
        }
    }
}
