//! `::kafka::kafka`, the command from which all others come.

use std::cell::Cell;
use std::rc::Rc;

use super::master::Master;
use super::mock::Mock;
use crate::error::Error;
use crate::rdk;
use crate::tcl::command::{self, new_id};
use crate::tcl::{Call, Flow, Obj, Object, Outcome, Row, State, Table};

pub struct Kafka {
    id: u64,
    state: Rc<State>,
}

/// Per interpreter: whose behaviour some commands have.
#[derive(Default)]
pub struct Compat {
    /// KafkaTcl 2.4's instead of the contract's.
    pub old: Cell<bool>,
}

static TABLE: Table<Kafka> = Table::new(&[
    Row("create", "cmd", create, "make a master"),
    Row("version", "", version, "librdkafka's version"),
    Row("features", "", features, "what this librdkafka was built with"),
    Row("names", "?type?", names, "the objects that are alive"),
    Row(
        "mock",
        "cmd ?-brokers n? ?-partitions n? ?-replication n?",
        mock,
        "start an embedded cluster",
    ),
    Row("compat", "?version?", compat, "tell or choose whose behaviour: 2.4 or current"),
]);

impl Object for Kafka {
    const KIND: &'static str = "kafka";
    const AUTO: &'static str = "kafka";
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

impl Kafka {
    pub fn new(state: Rc<State>) -> Rc<Kafka> {
        Rc::new(Kafka { id: new_id(), state })
    }
}

type C<'a> = Call<'a, Kafka>;
type Out = Outcome<Kafka>;

/// `create cmd`: the name comes back as it was given.
fn create(c: &C<'_>) -> Out {
    let name = command::check_name::<Master>(c.interp, c.args.at(0)?)?;
    let master = Rc::new(Master::new(c.this.state.clone()));
    Ok(command::create(c.interp, name, master, false)?.into())
}

/// `version`
fn version(_c: &C<'_>) -> Out {
    Ok(Obj::text(&rdk::version()).into())
}

/// `features`
fn features(_c: &C<'_>) -> Out {
    Ok(Obj::texts(rdk::features()).into())
}

/// The types that `names` may be asked for.
const KINDS: [&str; 8] =
    ["master", "producer", "consumer", "subscriber", "topic", "queue", "admin", "mock"];

/// `names ?type?`
fn names(c: &C<'_>) -> Out {
    let wanted = match c.args.get(0) {
        Some(word) => {
            let name = word.string();
            if !KINDS.contains(&name.as_str()) {
                return Err(crate::tcl::Error::bad_word("type", &name, KINDS).into());
            }
            Some(name)
        }
        None => None,
    };
    let commands = c.this.state.commands.borrow();
    let tokens: Vec<_> = commands
        .values()
        .filter(|e| {
            // `topic` stands for both kinds of topic object.
            wanted
                .as_ref()
                .is_none_or(|w| e.kind == w || w == "topic" && e.kind.starts_with("topic"))
        })
        .map(|e| e.token)
        .collect();
    drop(commands);
    let names: Vec<Obj> = tokens.into_iter().map(|t| c.interp.command_name(t)).collect();
    Ok(Obj::list(&names).into())
}

/// `mock cmd ?-brokers n? ?-partitions n? ?-replication n?`
fn mock(c: &C<'_>) -> Out {
    let name = command::check_name::<Mock>(c.interp, c.args.at(0)?)?;
    let mock = Mock::open(c.this.state.clone(), &c.args)?;
    Ok(command::create(c.interp, name, mock, true)?.into())
}

/// `compat ?2.4|current?`
fn compat(c: &C<'_>) -> Out {
    let compat = c.this.state.data::<Compat>();
    let words = ["current", "2.4"];
    let Some(word) = c.args.get(0) else {
        return Ok(Obj::text(words[usize::from(compat.old.get())]).into());
    };
    let name = word.str();
    let i = words
        .iter()
        .position(|w| *w == name)
        .ok_or_else(|| crate::tcl::Error::bad_word("version", &name, ["2.4", "current"]))?;
    compat.old.set(i == 1);
    Ok(Flow::Empty)
}
