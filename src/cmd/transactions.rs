//! Transactions of a producer: `init_transactions`, `begin_transaction`, `commit_transaction`,
//! `abort_transaction` and `send_offsets_to_transaction`.
//!
//! Such a call goes on when the script stops waiting for it (its time is over, the script was
//! cancelled), for nobody can take back what a broker was asked. So it runs on a thread of its own
//! that keeps its outcome; the next call of the same subcommand joins it. librdkafka is given
//! the whole `transaction.timeout.ms` (for offsets, what is left of it): its own documentation warns
//! of shorter times, after which what it knows of a transaction may differ from what the broker knows.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::core::Core;
use super::info::QUERY;
use super::producer::Producer;
use super::pump::Serve;
use super::subscriber::Subscriber;
use super::tps::{self, Need};
use super::wait::{self, Manner};
use crate::error::{Error, Result};
use crate::rdk::{self, Client, ErrorCode, GroupMetadata, PartitionList};
use crate::tcl::{command, Call, Flow, Interp, Obj, Object, Outcome};

/// What of a producer's transactions outlives a call.
#[derive(Default)]
pub struct Transactions {
    /// The call under way, or the last one while nobody has taken its outcome.
    last: RefCell<Option<Running>>,
}

#[derive(Clone)]
struct Running {
    what: What,
    end: Arc<End>,
}

/// A subcommand that goes on by itself, with what makes two calls of it the same.
#[derive(Clone, PartialEq, Eq)]
enum What {
    Init,
    Commit,
    Abort,
    /// The offsets and the group, as they were given.
    Offsets(Vec<(String, i32, i64, Vec<u8>)>, Vec<u8>),
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            What::Init => "init_transactions",
            What::Commit => "commit_transaction",
            What::Abort => "abort_transaction",
            What::Offsets(..) => "send_offsets_to_transaction",
        }
    }
}

type Done = rdk::Result<()>;

/// Where a call leaves its outcome.
#[derive(Default)]
struct End {
    outcome: Mutex<Option<Done>>,
    changed: Condvar,
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Option<Done>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, outcome: Done) {
        *self.lock() = Some(outcome);
        self.changed.notify_all();
    }

    fn get(&self) -> Option<Done> {
        self.lock().clone()
    }

    /// Waits for the outcome, `timeout` milliseconds (-1: without limit); none when the time is over.
    fn wait(&self, timeout: i32) -> Option<Done> {
        let open = |o: &mut Option<Done>| o.is_none();
        let end = match u64::try_from(timeout) {
            Ok(ms) => self
                .changed
                .wait_timeout_while(self.lock(), Duration::from_millis(ms), open)
                .map_or_else(|e| e.into_inner().0, |(guard, _)| guard),
            Err(_) => {
                self.changed.wait_while(self.lock(), open).unwrap_or_else(PoisonError::into_inner)
            }
        };
        end.clone()
    }
}

/// Sees to it that an outcome is left even when librdkafka's call panics: somebody waits for it.
struct Promise(Arc<End>);

impl Drop for Promise {
    fn drop(&mut self) {
        if self.0.get().is_none() {
            let text = "the helper thread ended without a result";
            self.0.set(Err(rdk::Error::with_detail(ErrorCode::FAIL, text)));
        }
    }
}

impl Transactions {
    /// The call that a script's call waits for: the one that goes on already, or a new one.
    fn enter(
        &self,
        core: &Core,
        what: What,
        op: impl FnOnce(&Client) -> Done + Send + 'static,
    ) -> Result<Running> {
        let mut before = None;
        if let Some(last) = &*self.last.borrow() {
            if last.what == what {
                return Ok(last.clone());
            }
            if last.what.name() == what.name() {
                // Other offsets: they come after those that are on their way.
                before = Some(last.end.clone());
            } else {
                last.refuse_other()?;
            }
        }
        let running = Running { what, end: Arc::default() };
        let (client, promise) = (core.client.clone(), Promise(running.end.clone()));
        wait::spawn(move || {
            if let Some(before) = before {
                // Whatever became of it: librdkafka knows in which state the transaction is.
                let _ = before.wait(-1);
            }
            let outcome = op(&client);
            drop(client);
            promise.0.set(outcome);
        })?;
        *self.last.borrow_mut() = Some(running.clone());
        Ok(running)
    }

    /// Refuses what may not come between a call and the news of how it ended.
    fn check_free(&self) -> Result<()> {
        match &*self.last.borrow() {
            Some(last) => last.refuse_other(),
            None => Ok(()),
        }
    }

    /// The script has the outcome of this call.
    fn taken(&self, running: &Running) {
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_some_and(|l| Arc::ptr_eq(&l.end, &running.end)) {
            let old = last.take();
            drop(last);
            drop(old);
        }
    }

    /// What is left of `transaction.timeout.ms`. Never less than a query gets: when it is over the
    /// broker still has to say so, and an abort still has to be made.
    fn left(&self, core: &Core) -> i32 {
        let whole = transaction_timeout(core);
        let spent = core.begun.get().map_or(0, |b| b.elapsed().as_millis());
        whole.saturating_sub(i32::try_from(spent).unwrap_or(i32::MAX)).max(QUERY)
    }
}

impl Running {
    /// Another subcommand may be called unless this one goes on, or has committed without the script
    /// knowing: one that took the transaction for lost would do its work twice.
    fn refuse_other(&self) -> Result<()> {
        let name = self.what.name();
        let detail = match self.end.get() {
            None => format!("{name} goes on in the background: call it again to wait for its end"),
            Some(Ok(())) if self.what == What::Commit => {
                format!("{name} has ended in the background: call it again for its outcome")
            }
            Some(_) => return Ok(()),
        };
        Err(retriable(ErrorCode::CONFLICT, detail))
    }
}

fn retriable(code: ErrorCode, detail: String) -> Error {
    Error::Kafka(rdk::Error { retriable: true, ..rdk::Error::with_detail(code, detail) })
}

/// Adds to the error of a producer that was shut out that the transaction's time is over, if it is: a
/// broker that aborts a transaction for that answers as if another producer had begun.
pub fn overdue(core: &Core, mut e: rdk::Error) -> rdk::Error {
    let shut_out =
        [ErrorCode::FENCED, ErrorCode::PRODUCER_FENCED, ErrorCode::INVALID_PRODUCER_EPOCH];
    let Some(begun) = core.begun.get().filter(|_| shut_out.contains(&e.code)) else { return e };
    let (spent, most) = (begun.elapsed().as_millis(), transaction_timeout(core));
    if u128::try_from(most).is_ok_and(|most| spent > most) && !e.detail.contains(OVERDUE) {
        let said = format!(
            "the transaction was begun {spent} ms ago, {OVERDUE} transaction.timeout.ms ({most})"
        );
        e.detail = if e.detail.is_empty() { said } else { format!("{}; {said}", e.detail) };
    }
    e
}

/// What the hint for it is found by.
const OVERDUE: &str = "and its time was over after";

fn transaction_timeout(core: &Core) -> i32 {
    let ms = core.client.conf().get("transaction.timeout.ms");
    ms.and_then(|v| v.parse().ok()).unwrap_or(60_000)
}

type C<'a> = Call<'a, Producer>;
type Out = Outcome<Producer>;

/// Makes a call or joins the one that goes on, and waits for it as the script asked.
fn run(c: &C<'_>, what: What, op: impl FnOnce(&Client) -> Done + Send + 'static) -> Out {
    let this = c.this;
    let core = this.core();
    let transactions = this.transactions.clone();
    let manner = Manner::from(&c.args, transactions.left(core))?;
    let timeout = manner.timeout;
    let running = transactions.enter(core, what, op)?;
    let end = running.end.clone();
    let owner = Rc::downgrade(core);
    // The end of a transaction flushes, and librdkafka's flush waits until the last report is freed.
    wait::call_with(
        core,
        manner,
        Core::drain_whole,
        move |_| Ok(end.wait(timeout)),
        move |outcome| {
            let Some(outcome) = outcome else {
                let name = running.what.name();
                return Err(retriable(
                    ErrorCode::TIMED_OUT,
                    format!("{name} goes on in the background after {timeout} ms: call it again to wait for its end"),
                ));
            };
            transactions.taken(&running);
            if matches!(running.what, What::Commit | What::Abort) && outcome.is_ok() {
                if let Some(core) = owner.upgrade() {
                    core.begun.set(None);
                }
            }
            Ok(outcome.map(|()| Obj::empty())?)
        },
    )
}

/// `init_transactions ?-timeout ms? ?-command prefix?`: once, before the first transaction.
pub fn init(c: &C<'_>) -> Out {
    let timeout = transaction_timeout(c.this.core());
    run(c, What::Init, move |client| client.init_transactions(timeout))
}

/// `begin_transaction`: asks no broker, so it does not wait.
pub fn begin(c: &C<'_>) -> Out {
    c.this.transactions.check_free()?;
    let core = c.this.core();
    core.client.begin_transaction().map_err(|e| overdue(core, e))?;
    core.begun.set(Some(Instant::now()));
    // What an abort has dropped is not this transaction's.
    core.take_failed();
    Ok(Flow::Empty)
}

/// `commit_transaction ?-timeout ms? ?-command prefix?`: delivers what was produced, and commits.
pub fn commit(c: &C<'_>) -> Out {
    let timeout = transaction_timeout(c.this.core());
    run(c, What::Commit, move |client| client.commit_transaction(timeout))
}

/// `abort_transaction ?-timeout ms? ?-command prefix?`: drops what is queued, and aborts.
pub fn abort(c: &C<'_>) -> Out {
    let timeout = transaction_timeout(c.this.core());
    run(c, What::Abort, move |client| client.abort_transaction(timeout))
}

/// `send_offsets_to_transaction ?-timeout ms? ?-command prefix? ?--? group ?tp ...?`: group is a
/// subscriber or its `group_metadata`; each offset is the next to read. Without tps: of each
/// partition that the subscriber has, the offset after the last message given to the script since
/// the partition was assigned, or sought in.
pub fn send_offsets(c: &C<'_>) -> Out {
    // When the transaction's time is over the broker has aborted it: nobody needs its offsets then.
    let timeout = c.this.transactions.left(c.this.core());
    let group = Group::find(c.interp, c.args.at(0)?)?;
    let list = if c.args.rest.is_empty() {
        group.given()?
    } else {
        tps::parse(c.args.rest, Need::Offset)?
    };
    let metadata = group.metadata()?;
    let parts = list
        .iter()
        .map(|e| {
            let metadata = e.metadata.unwrap_or_default().to_vec();
            (e.topic.to_owned(), e.partition, e.offset, metadata)
        })
        .collect();
    let what = What::Offsets(parts, metadata.to_bytes()?);
    run(c, what, move |client| client.send_offsets_to_transaction(&list, &metadata, timeout))
}

/// What tells a coordinator who the subscriber is in its group.
pub fn membership(s: &Subscriber) -> Result<GroupMetadata> {
    s.need_group()?;
    s.core().client.group_metadata().ok_or_else(|| {
        Error::kafka(ErrorCode::UNKNOWN_GROUP, "the subscriber has no group: set group.id")
    })
}

/// Refuses a subscriber that commits by itself: it would commit what a transaction then aborts, and
/// that would be lost.
fn check_manual(s: &Subscriber) -> Result<()> {
    let auto = s.core().client.conf().get("enable.auto.commit");
    if auto.as_deref() == Some("false") {
        return Ok(());
    }
    Err(Error::kafka(
        ErrorCode::INVALID_ARG,
        "the subscriber commits offsets by itself: set enable.auto.commit false before it is made",
    ))
}

/// Whose offsets they are.
enum Group {
    Subscriber(Rc<Subscriber>),
    Metadata(GroupMetadata),
}

impl Group {
    fn find(interp: Interp, word: &Obj) -> Result<Group> {
        if let Some(subscriber) = command::object::<Subscriber>(interp, &word.str()) {
            if let Some(e) = subscriber.refuse() {
                return Err(e);
            }
            check_manual(&subscriber)?;
            return Ok(Group::Subscriber(subscriber));
        }
        let read = word.get_bytes("group_metadata").ok();
        match read.and_then(|bytes| GroupMetadata::from_bytes(bytes).ok()) {
            Some(metadata) => Ok(Group::Metadata(metadata)),
            None => {
                Err(Error::expected("group", "a subscriber or its group_metadata", &word.str()))
            }
        }
    }

    fn metadata(self) -> Result<GroupMetadata> {
        match self {
            Group::Subscriber(s) => membership(&s),
            Group::Metadata(m) => Ok(m),
        }
    }

    /// The positions of what the script was given.
    fn given(&self) -> Result<PartitionList> {
        match self {
            Group::Subscriber(s) => Ok(s.reader.given()?),
            Group::Metadata(_) => {
                Err(Error::argument("a group_metadata value knows no positions: give offsets"))
            }
        }
    }
}
