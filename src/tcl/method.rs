//! Method tables: one row per subcommand.

use std::rc::Rc;
use std::sync::OnceLock;

use super::error::Error;
use super::interp::{Interp, State};
use super::obj::Obj;
use super::task::{Raise, Task};
use super::usage::{Args, Usage};

/// What a method gives back.
pub enum Flow {
    /// Nothing: an empty result.
    Empty,
    /// A result.
    Value(Obj),
    /// Work that evaluates Tcl on its way.
    Run(Box<dyn Task>),
}

impl From<Obj> for Flow {
    fn from(o: Obj) -> Flow {
        Flow::Value(o)
    }
}

impl From<()> for Flow {
    fn from((): ()) -> Flow {
        Flow::Empty
    }
}

/// What stands behind a Tcl command.
pub trait Object: Sized + 'static {
    /// The type's name in listings and in the manual.
    const KIND: &'static str;
    /// What `#auto` names begin with.
    const AUTO: &'static str;
    type Error: Raise + From<Error> + 'static;

    /// Subcommands whose words may be secret: of their errors no trace is kept.
    const PRIVATE: &'static [&'static str] = &[];

    fn table() -> &'static Table<Self>;

    /// The object's id in its interpreter's registry.
    fn id(&self) -> u64;

    /// What the package keeps for the object's interpreter.
    fn state(&self) -> &Rc<State>;

    /// Its command is gone: by `delete`, `rename x {}`, its namespace or its interpreter.
    fn deleted(self: &Rc<Self>);

    /// Does the call that scripts make for every message, if these words (the command's name first) are
    /// that call and it succeeds at once; its result is empty. Anything else is left undone, for the
    /// table: a row that has such a short cut says the same without it.
    #[inline]
    fn quick(self: &Rc<Self>, _words: &[Obj]) -> bool {
        false
    }

    /// A reason why no method may run now (a forked child, say).
    fn refuse(&self) -> Option<Self::Error> {
        None
    }
}

/// One call of a method.
pub struct Call<'a, T: Object> {
    pub interp: Interp,
    pub this: &'a Rc<T>,
    pub args: Args<'a>,
    /// The command's words up to the subcommand, as the script gave them.
    pub words: &'a [Obj],
    pub usage: &'a Usage,
}

impl<T: Object> Call<'_, T> {
    /// The `wrong # args` error of this row, for rules that a signature can't say.
    pub fn wrong_args(&self) -> T::Error {
        Error::WrongArgs(format!("{} {}", join(self.words), self.usage.text)).into()
    }
}

pub type Outcome<T> = Result<Flow, <T as Object>::Error>;

/// Name (one word or two), signature, function, summary.
pub struct Row<T: Object>(
    pub &'static str,
    pub &'static str,
    pub fn(&Call<'_, T>) -> Outcome<T>,
    pub &'static str,
);

/// The rows of one type, and what was read from them at the first call.
pub struct Table<T: Object> {
    rows: &'static [Row<T>],
    /// Or the groups of rows, of which types may share some.
    groups: &'static [&'static [Row<T>]],
    read: OnceLock<Result<Vec<Entry<T>>, String>>,
}

struct Entry<T: Object> {
    first: &'static str,
    second: Option<&'static str>,
    usage: Usage,
    row: &'static Row<T>,
}

impl<T: Object> Table<T> {
    pub const fn new(rows: &'static [Row<T>]) -> Table<T> {
        Table { rows, groups: &[], read: OnceLock::new() }
    }

    /// A table of several groups of rows, one after the other.
    pub const fn grouped(groups: &'static [&'static [Row<T>]]) -> Table<T> {
        Table { rows: &[], groups, read: OnceLock::new() }
    }

    fn all(&self) -> impl Iterator<Item = &'static Row<T>> {
        self.rows.iter().chain(self.groups.iter().copied().flatten())
    }

    fn entries(&self) -> Result<&[Entry<T>], Error> {
        let read = self.read.get_or_init(|| {
            self.all()
                .map(|row| {
                    let mut words = row.0.split(' ');
                    let first = words.next().unwrap_or("");
                    let usage = Usage::parse(row.1).map_err(|e| format!("{}: {e}", row.0))?;
                    Ok(Entry { first, second: words.next(), usage, row })
                })
                .collect()
        });
        match read {
            Ok(v) => Ok(v),
            Err(e) => Err(Error::Argument { message: format!("bad method table: {e}") }),
        }
    }

    /// Finds the row for the words of a call: its number, and how many words name it.
    #[inline]
    fn find(&self, entries: &[Entry<T>], words: &[Obj]) -> Result<(usize, usize), Error> {
        let Some(name) = words.get(1) else {
            let text = format!("{} subcommand ?args?", join(&words[..1]));
            return Err(Error::WrongArgs(text));
        };
        let raw = name.raw();
        let Some(first) = entries.iter().position(|e| e.first.as_bytes() == raw) else {
            return Err(Error::bad_word("option", &name.str(), firsts(entries)));
        };
        self.second(entries, first, raw, words)
    }

    /// The words of a call with an option put where it belongs. A wrong call gets its error here.
    pub fn with_option(&self, words: &[Obj], option: &str, value: &Obj) -> Result<Vec<Obj>, Error> {
        let entries = self.entries()?;
        let (row, used) = self.find(entries, words)?;
        let head = &words[..used];
        let args = entries[row].usage.sort(&|| join(head), &words[used..])?;
        let Some(at) = args.place_for(option) else {
            let message = format!("\"{}\" takes no {option}", join(head));
            return Err(Error::Argument { message });
        };
        if args.opt(option).is_some() {
            return Err(Error::Argument { message: format!("{option} is given already") });
        }
        let mut out = words.to_vec();
        out.splice(used + at..used + at, [Obj::text(option), value.clone()]);
        Ok(out)
    }

    /// Finds the row for the words of a call, sorts its arguments and runs it.
    pub fn call(&self, interp: Interp, this: &Rc<T>, words: &[Obj]) -> Outcome<T> {
        let entries = self.entries()?;
        let (row, used) = self.find(entries, words)?;
        let entry = &entries[row];
        let head = &words[..used];
        let args = entry.usage.sort(&|| join(head), &words[used..])?;
        if let Some(e) = this.refuse() {
            return Err(e);
        }
        (entry.row.2)(&Call { interp, this, args, words: head, usage: &entry.usage })
    }

    /// Of the rows that share a first word, the one that the second word names.
    #[inline]
    fn second(
        &self,
        entries: &[Entry<T>],
        first: usize,
        raw: &[u8],
        words: &[Obj],
    ) -> Result<(usize, usize), Error> {
        let same = |e: &&Entry<T>| e.first.as_bytes() == raw;
        if entries[first].second.is_none() {
            let more = entries.get(first + 1).filter(same);
            if more.is_none() || words.len() == 2 {
                return Ok((first, 2));
            }
        }
        let Some(second) = words.get(2) else {
            return Err(Error::WrongArgs(format!("{} option ?args?", join(&words[..2]))));
        };
        let wanted = second.raw();
        let found = entries.iter().position(|e| {
            e.first.as_bytes() == raw && e.second.is_some_and(|s| s.as_bytes() == wanted)
        });
        match found {
            Some(row) => Ok((row, 3)),
            None => {
                let names = entries.iter().filter(same).filter_map(|e| e.second);
                Err(Error::bad_word("option", &second.str(), names))
            }
        }
    }

    /// Name, signature and summary of every row, for the manual and the tests.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> + '_ {
        self.all().map(|r| (r.0, r.1, r.3))
    }

    /// What is wrong with the table itself, if anything: the subject of a test.
    pub fn check(&self) -> Result<(), String> {
        let entries = self.entries().map_err(|e| e.message())?;
        for (i, e) in entries.iter().enumerate() {
            let twin = |o: &&Entry<T>| o.first == e.first && o.second == e.second;
            if entries[..i].iter().any(|o| twin(&o)) {
                return Err(format!("two rows for {}", e.first));
            }
            let before = entries[..i].iter().rposition(|o| o.first == e.first);
            if before.is_some_and(|b| b + 1 != i) {
                return Err(format!("the rows of {} are apart", e.first));
            }
            if before.is_some() && e.second.is_none() {
                return Err(format!("the bare row of {} is not the first", e.first));
            }
        }
        Ok(())
    }
}

fn firsts<T: Object>(entries: &[Entry<T>]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = entries.iter().map(|e| e.first).collect();
    names.dedup();
    names
}

/// Words as they stand in a `wrong # args` message.
pub fn join(words: &[Obj]) -> String {
    let words: Vec<_> = words.iter().map(Obj::str).collect();
    words.join(" ")
}
