//! A stream of messages of a consumer handle: one started partition, or a queue that several feed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::consumer::Consumer;
use super::core::{Core, Doorbell};
use super::encoding::Encoding;
use super::kafka::Compat;
use super::pump::{PumpTask, Serve, What};
use super::reader::Reader;
use super::reading::{self, Reading};
use crate::error::Result;
use crate::rdk::{self, ClientError};
use crate::tcl::command::new_id;
use crate::tcl::event::{self, Turn};
use crate::tcl::{Code, Interp, Obj, Prefix, Slot, Task};

pub struct Stream {
    id: u64,
    consumer: Rc<Consumer>,
    pub reader: Reader,
    pub callback: Slot,
    pub encoding: Rc<RefCell<Encoding>>,
    bell: Arc<Doorbell>,
    open: Cell<bool>,
    /// An error event that ended a list: the next read throws it.
    error: RefCell<Option<ClientError>>,
    compat: Rc<Compat>,
}

/// What has to be finished after a call.
pub enum Called {
    Error,
    Message,
}

impl Stream {
    pub fn open(consumer: Rc<Consumer>, encoding: Rc<RefCell<Encoding>>) -> Rc<Stream> {
        let id = new_id();
        let compat = consumer.core().state.data::<Compat>();
        let stream = Rc::new_cyclic(|weak: &std::rc::Weak<Stream>| {
            let source = event::register(id, weak.clone());
            let client = consumer.core().client.clone();
            Stream {
                id,
                reader: Reader::new(client, consumer.store.clone()),
                consumer,
                callback: Slot::default(),
                encoding,
                bell: Doorbell::new(source),
                open: Cell::new(true),
                error: RefCell::default(),
                compat,
            }
        });
        stream.reader.messages.enable_wake(stream.bell.clone());
        stream.consumer.note_stream(&stream);
        stream
    }

    /// Sets the callback; what lies in the queue has used its wake up.
    pub fn set_callback(&self, prefix: Option<Prefix>) {
        if prefix.is_some() {
            self.reader.count_hands();
        }
        self.callback.set(prefix);
        self.bell.again();
    }

    /// Asks for another turn.
    pub fn again(&self) {
        self.bell.again();
    }

    /// How many messages wait.
    pub fn length(&self) -> usize {
        self.reader.waiting()
    }

    /// Nothing is read from it any more. What counts as processed is handed over.
    pub fn close(&self) {
        if !self.open.replace(false) {
            return;
        }
        self.callback.set(None);
        self.reader.hand_over();
        self.reader.messages.disable_wake();
        self.reader.end_all();
        event::unregister(self.id);
    }

    fn next_message_call(&self, words: &mut Vec<Obj>) -> Option<Called> {
        let callback = self.callback.get()?;
        self.fill_next(&callback, words)
    }

    /// Puts together the call of `callback` for the next message or error.
    pub fn fill_next(&self, callback: &Prefix, words: &mut Vec<Obj>) -> Option<Called> {
        let core = self.core();
        let error = |e: &rdk::Error, topic, partition, words: &mut Vec<Obj>| {
            callback.fill(core.words.error_dict(e, topic, partition), words);
            self.reader.give_error();
            Some(Called::Error)
        };
        if let Some(e) = self.error.take() {
            return error(&e.error, e.topic.as_deref(), e.partition, words);
        }
        match self.reader.next() {
            Ok(None) => None,
            Ok(Some(held)) => {
                let m = held.message.view();
                if let Some(code) = m.error() {
                    let e = rdk::Error::with_detail(code, m.error_text());
                    return error(&e, Some(m.topic()), Some(m.partition()), words);
                }
                let dict =
                    core.words.callback_dict(&held, &self.encoding.borrow(), self.compat.old.get());
                self.reader.give(&held);
                callback.fill(dict, words);
                Some(Called::Message)
            }
            Err(e) => error(&e.error, e.topic.as_deref(), e.partition, words),
        }
    }
}

impl Serve for Stream {
    type Called = Called;

    fn core(&self) -> &Rc<Core> {
        self.consumer.core()
    }

    fn next_call(self: &Rc<Self>, words: &mut Vec<Obj>, what: What) -> Option<Called> {
        if what == What::Group {
            self.core().drain_news();
        }
        if what == What::All && self.may_give() {
            return self.next_message_call(words);
        }
        None
    }

    fn done(self: &Rc<Self>, called: Called, code: Code) {
        if self.core().client.forked() {
            // As a subscriber's.
            return;
        }
        match called {
            Called::Error => self.reader.finished(false),
            Called::Message => self.reader.finished(code.is_ok() && self.is_open()),
        }
    }

    fn spent(&self, took: Duration, calls: u32) {
        self.reader.adapt(took, calls);
    }

    fn settle(self: &Rc<Self>) {
        if !self.core().client.forked() {
            self.reader.hand_over();
        }
    }

    fn again(&self) {
        self.bell.again();
    }

    fn take(&self) -> bool {
        self.bell.take()
    }
}

impl Turn for Stream {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        if self.core().out_of_turn() || !self.is_open() {
            return None;
        }
        Some((self.core().interp(), Box::new(PumpTask::new(self))))
    }
}

impl Reading for Stream {
    fn reader(&self) -> &Reader {
        &self.reader
    }

    fn encoding(&self) -> std::cell::Ref<'_, Encoding> {
        self.encoding.borrow()
    }

    fn is_open(&self) -> bool {
        self.open.get() && self.core().is_open()
    }

    fn may_give(&self) -> bool {
        self.is_open() && !self.reader.is_busy()
    }

    fn check_read(&self, what: &str) -> Result<()> {
        reading::check_busy(&self.reader, what)
    }

    fn next_error(&self) -> Option<ClientError> {
        self.error.take()
    }

    fn keep_error(&self, e: ClientError) {
        *self.error.borrow_mut() = Some(e);
    }
}
