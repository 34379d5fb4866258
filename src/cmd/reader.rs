//! How a subscriber reads: batches from one message queue of its own.
//!
//! Every assigned partition's queue is forwarded to ours before the assignment, so a batch read
//! never meets a group event. At most one batch is held. Its messages carry the generation that
//! their partition had when they were read: seek, stop, assign, revoke and loss start a new one, and
//! what is of an older one is dropped when its turn comes. Messages of a paused partition are set
//! aside and come first after `resume`, for librdkafka resumes after the last one that was read.
//!
//! Among the messages stand marks where a log has offsets that are none (src/rdk/marks.c). When a mark's turn comes
//! the script was given all that lies before it, so its place passes on; no read gives a mark.

mod assigned;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::store::{Part, Store};
use crate::rdk::{Client, ClientError, ErrorCode, Message, Queue, Result};
use crate::tcl::Obj;

/// The largest batch, and the smallest: one callback may be slow.
const MOST: usize = 256;
const LEAST: usize = 1;

/// How long offsets that count may wait while a script reads on: librdkafka commits less often.
const SOON: Duration = Duration::from_millis(100);

/// A partition's state for the messages of one run, with its topic's name as a value. Counted
/// without the locked instructions of an `Arc`, which would cost each message more than the rest of
/// its way through here.
pub struct Seat {
    part: Arc<Part>,
    pub name: Obj,
}

impl Deref for Seat {
    type Target = Arc<Part>;

    fn deref(&self) -> &Arc<Part> {
        &self.part
    }
}

/// A message that was read and not yet given to the script.
pub struct Held {
    pub message: Message,
    pub part: Rc<Seat>,
    generation: u64,
}

/// A message that the script was given and that does not count as processed yet.
#[derive(Clone)]
pub struct Hand {
    pub part: Rc<Seat>,
    generation: u64,
    pub offset: i64,
}

/// Whether this is an error to be told, whatever has become of its partition.
fn tells(m: &Message) -> bool {
    m.error().is_some_and(|e| e != ErrorCode::PARTITION_EOF && e != ErrorCode::NOOP)
}

impl Held {
    pub fn hand(&self) -> Hand {
        Hand { part: self.part.clone(), generation: self.generation, offset: self.message.offset() }
    }

    /// Whether the message still is one that the script should get.
    pub fn still_valid(&self) -> bool {
        !self.is_void()
    }

    /// Whether this is the end of a partition and no message.
    pub fn is_end(&self) -> bool {
        self.message.error() == Some(ErrorCode::PARTITION_EOF)
    }

    /// Whether this stands for offsets that are no messages.
    fn is_mark(&self) -> bool {
        self.message.mark().is_some()
    }

    fn is_void(&self) -> bool {
        self.part.generation() != self.generation
    }
}

pub struct Reader {
    client: Arc<Client>,
    pub messages: Queue,
    pub store: Arc<Store>,
    parts: RefCell<HashMap<String, HashMap<i32, Arc<Part>>>>,
    /// The last partition that a message was of, by librdkafka's topic: they come in runs.
    last: RefCell<Option<(usize, i32, Rc<Seat>)>>,
    batch: RefCell<VecDeque<Held>>,
    aside: RefCell<Vec<Held>>,
    scratch: RefCell<VecDeque<Message>>,
    /// Errors about whole partitions that the last reads met.
    errors: RefCell<VecDeque<ClientError>>,
    size: Cell<usize>,
    /// The message whose callback or body runs.
    current: RefCell<Option<Hand>>,
    /// A callback or body runs, be it for a message error.
    busy: Cell<bool>,
    /// Messages given by `consume` and `consume_list`: they count at the next call.
    hands: RefCell<Vec<Hand>>,
    /// When offsets were handed over last, and whether some wait since then.
    handed: Cell<Instant>,
    owes: Cell<bool>,
}

impl Reader {
    pub fn new(client: Arc<Client>, store: Arc<Store>) -> Reader {
        Reader {
            messages: client.new_queue(),
            client,
            store,
            parts: RefCell::default(),
            last: RefCell::default(),
            batch: RefCell::default(),
            aside: RefCell::default(),
            scratch: RefCell::default(),
            errors: RefCell::default(),
            size: Cell::new(16),
            current: RefCell::default(),
            busy: Cell::new(false),
            hands: RefCell::default(),
            handed: Cell::new(Instant::now()),
            owes: Cell::new(false),
        }
    }

    /// The state of a partition; made when it is new.
    pub fn part(&self, topic: &str, partition: i32) -> Arc<Part> {
        let mut parts = self.parts.borrow_mut();
        if let Some(part) = parts.get(topic).and_then(|t| t.get(&partition)) {
            return part.clone();
        }
        let part = Arc::new(Part::new(topic, partition));
        parts.entry(topic.to_owned()).or_default().insert(partition, part.clone());
        part
    }

    /// The state of a partition, if it has any.
    pub fn find(&self, topic: &str, partition: i32) -> Option<Arc<Part>> {
        self.parts.borrow().get(topic)?.get(&partition).cloned()
    }

    fn part_of(&self, m: &Message) -> Rc<Seat> {
        let (id, partition) = (m.topic_id(), m.partition());
        if let Some((i, p, part)) = &*self.last.borrow() {
            // A topic's address may be another's later; the name tells.
            if *i == id && *p == partition && part.topic == m.topic() {
                return part.clone();
            }
        }
        let name = Obj::text(m.topic());
        let part = Rc::new(Seat { part: self.part(m.topic(), partition), name });
        *self.last.borrow_mut() = Some((id, partition, part.clone()));
        part
    }

    /// The next message that the script may have now, or a message error.
    pub fn next(&self) -> std::result::Result<Option<Held>, ClientError> {
        loop {
            match self.next_or_end()? {
                Some(held) if held.is_end() => {}
                other => return Ok(other),
            }
        }
    }

    /// As `next`, and ends of partitions, which come with `enable.partition.eof`.
    pub fn next_or_end(&self) -> std::result::Result<Option<Held>, ClientError> {
        loop {
            let first = self.batch.borrow_mut().pop_front();
            let Some(held) = first else {
                if let Some(e) = self.errors.borrow_mut().pop_front() {
                    return Err(e);
                }
                let found = self.fill();
                if found.map_err(|error| ClientError { error, topic: None, partition: None })? == 0
                    && self.errors.borrow().is_empty()
                {
                    return Ok(None);
                }
                continue;
            };
            if held.is_void() {
                continue;
            }
            if held.part.is_paused() {
                self.aside.borrow_mut().push(held);
                continue;
            }
            match held.message.mark() {
                Some(mark) => self.pass(&held, mark.next),
                None => return Ok(Some(held)),
            }
        }
    }

    /// A mark's turn has come.
    fn pass(&self, held: &Held, next: i64) {
        // What was given as a result counts at the next call, and this with it.
        let mut hands = self.hands.borrow_mut();
        let same =
            |h: &&mut Hand| Arc::ptr_eq(&h.part, &held.part) && h.generation == held.generation;
        let waits = hands.iter_mut().rev().find(same).map(|h| h.offset = next - 1).is_some();
        drop(hands);
        self.store.passed(&held.part, held.generation, next);
        if waits {
            return;
        }
        self.owes.set(true);
    }

    /// Passes over what is no message behind what the script was given last, as far as it is known: a script
    /// that asks where it stands need not read first. What is in the script's hands is no place yet.
    pub fn pass_marks(&self) {
        let busy = self.current.borrow().as_ref().map(|h| h.part.part.clone());
        self.pass_marks_but(busy);
    }

    fn pass_marks_but(&self, busy: Option<Arc<Part>>) {
        if !self.batch.borrow().iter().any(Held::is_mark) {
            return;
        }
        let mut held_up: Vec<Arc<Part>> = busy.into_iter().collect();
        held_up.extend(self.aside.borrow().iter().map(|h| h.part.part.clone()));
        let mut rest = VecDeque::new();
        for held in self.batch.take() {
            let open = !held_up.iter().any(|p| Arc::ptr_eq(p, &held.part));
            match held.message.mark() {
                Some(mark) if open && !held.is_void() => self.pass(&held, mark.next),
                _ => {
                    if open {
                        held_up.push(held.part.part.clone());
                    }
                    rest.push_back(held);
                }
            }
        }
        *self.batch.borrow_mut() = rest;
    }

    /// The next message, if it was read already and nothing stands against giving it at once.
    #[inline]
    pub fn ready(&self) -> Option<Held> {
        let mut batch = self.batch.borrow_mut();
        let first = batch.front()?;
        let plain = !first.is_void() && !first.part.is_paused() && first.message.error().is_none();
        if plain {
            batch.pop_front()
        } else {
            None
        }
    }

    /// Reads the next batch. Also tells librdkafka that the application polls.
    fn fill(&self) -> Result<usize> {
        let mut scratch = self.scratch.borrow_mut();
        let n = self.messages.consume_batch(
            self.size.get(),
            0,
            &mut scratch,
            &mut self.errors.borrow_mut(),
        )?;
        let mut batch = self.batch.borrow_mut();
        // Within a batch the address of a topic stands for it, since its messages keep it alive.
        let mut run: Option<(usize, i32, Rc<Seat>)> = None;
        for message in scratch.drain(..) {
            let (id, partition) = (message.topic_id(), message.partition());
            let part = match &run {
                Some((i, p, part)) if *i == id && *p == partition => part.clone(),
                _ => {
                    let part = self.part_of(&message);
                    run = Some((id, partition, part.clone()));
                    part
                }
            };
            if !part.is_active() && !tells(&message) {
                // librdkafka stops partitions on its own thread: until it has, it gives what it
                // fetched before, which nobody is to get any more.
                continue;
            }
            let generation = part.generation();
            if let Some(mark) = message.mark() {
                let read = part.read();
                part.set_read(mark.next);
                if read.is_none() && mark.begins {
                    part.set_start(mark.next);
                }
                // It has nothing to tell where reading goes on as it did.
                if read == Some(mark.next) || (read.is_none() && mark.begins) {
                    continue;
                }
                batch.push_back(Held { message, part, generation });
                continue;
            }
            // An end of partition stands at the offset of the next message.
            let offset = message.offset();
            part.set_read(if message.error().is_some() { offset } else { offset + 1 });
            batch.push_back(Held { message, part, generation });
        }
        if n == self.size.get() {
            // There is more. Slow callbacks make it smaller again.
            self.size.set((2 * n).min(MOST));
        }
        Ok(n)
    }

    /// Adapts the batch to what the last callbacks cost: a batch should be done within a turn.
    pub fn adapt(&self, took: std::time::Duration, calls: u32) {
        let per_turn = 2_000_000 / (took.as_nanos() / u128::from(calls.max(1))).max(1);
        let size = usize::try_from(per_turn).unwrap_or(MOST).clamp(LEAST, MOST);
        // Halfway each time, so that one slow turn changes little.
        self.size.set((self.size.get() + size).div_ceil(2).clamp(LEAST, MOST));
    }

    /// How many messages wait. librdkafka drops those of a partition that was stopped when they are
    /// read, and what is none (a mark, the end of a partition) is told from them only then. So all are read, up
    /// to the largest batch; behind that, the number may be a few too large.
    pub fn waiting(&self) -> usize {
        while self.batch.borrow().len() < MOST && !self.messages.is_empty() {
            // A failure is the next read's to tell.
            if !matches!(self.fill(), Ok(n) if n > 0) {
                break;
            }
        }
        let held = |h: &&Held| !h.is_void() && !h.is_end() && !h.is_mark();
        let read = self.batch.borrow().iter().filter(held).count();
        read + self.aside.borrow().iter().filter(held).count() + self.messages.len()
    }

    /// Puts a message back: it comes first in the next read, so the position is before it.
    pub fn put_back(&self, held: Held) {
        held.part.set_position(held.message.offset());
        self.batch.borrow_mut().push_front(held);
    }

    // ---- what counts as processed ----

    /// A message is given to a callback or a body. None other is until [`Reader::finished`].
    #[inline]
    pub fn give(&self, held: &Held) {
        held.part.set_position(held.message.offset() + 1);
        *self.current.borrow_mut() = Some(held.hand());
        self.busy.set(true);
    }

    /// A message error is given: no message is until [`Reader::finished`].
    pub fn give_error(&self) {
        self.busy.set(true);
    }

    /// Whether a callback or a body runs.
    pub fn is_busy(&self) -> bool {
        self.busy.get()
    }

    /// The callback or body has ended; the message counts or does not.
    pub fn finished(&self, counts: bool) {
        self.busy.set(false);
        let hand = self.current.borrow_mut().take();
        if let (true, Some(hand)) = (counts, hand) {
            self.count(&hand);
        }
    }

    /// A message is given as a result.
    pub fn hand_out(&self, held: &Held) {
        held.part.set_position(held.message.offset() + 1);
        let hand = held.hand();
        let mut hands = self.hands.borrow_mut();
        match hands.last_mut() {
            // Only the last of a run says anything.
            Some(last) if Arc::ptr_eq(&last.part, &hand.part) => *last = hand,
            _ => hands.push(hand),
        }
    }

    /// What was given as a result counts from now on.
    pub fn count_hands(&self) {
        for hand in self.hands.borrow_mut().drain(..) {
            self.count(&hand);
        }
    }

    /// Everything that the script was given counts, the message in hand too: an explicit commit.
    pub fn count_all(&self) {
        self.count_hands();
        if let Some(hand) = &*self.current.borrow() {
            self.count(hand);
        }
        self.pass_marks_but(None);
    }

    fn count(&self, hand: &Hand) {
        self.store.processed(&hand.part, hand.generation, hand.offset + 1);
    }

    /// Gives librdkafka the offsets that were collected.
    pub fn hand_over(&self) {
        self.owes.set(false);
        self.handed.set(Instant::now());
        self.store.hand_over(&self.client);
    }

    /// Hands over what a read has put off, before partitions begin anew: that voids what waits.
    fn pay(&self) {
        if self.owes.get() {
            self.hand_over();
        }
    }

    /// As `hand_over`, for a read: with messages at hand it may wait a little, so that a loop of
    /// single reads does not pay for each. Tells whether a turn has to see to it.
    pub fn hand_over_soon(&self) -> bool {
        if self.batch.borrow().is_empty() || self.handed.get().elapsed() >= SOON {
            self.hand_over();
            return false;
        }
        !self.owes.replace(true)
    }
}
