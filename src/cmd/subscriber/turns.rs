//! How a subscriber is served: its turns, what a read may give, and the reads that keep an idle member
//! in its group.

use std::cell::Ref;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Subscriber;
use crate::cmd::core::{Core, Life};
use crate::cmd::encoding::Encoding;
use crate::cmd::pump::{PumpTask, Serve, What};
use crate::cmd::reader::{Hand, Reader};
use crate::cmd::reading::{self, Reading};
use crate::cmd::steer;
use crate::error::{Error, Result};
use crate::rdk::{self, ClientError};
use crate::tcl::event::{Timer, Turn};
use crate::tcl::{Code, Interp, Obj, Task};

/// What has to be finished after a call.
pub enum Called {
    Event,
    Message(Hand),
    MessageError,
    Rebalance,
}

impl Serve for Subscriber {
    type Called = Called;

    fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn next_call(self: &Rc<Self>, words: &mut Vec<Obj>, what: What) -> Option<Called> {
        if what == What::Group {
            self.core.drain_news();
        } else if self.core.next_event_call(words) {
            return Some(Called::Event);
        }
        if let Some(called) = self.serve_group(words) {
            return Some(called);
        }
        if self.serve_commits(words) {
            return Some(Called::Event);
        }
        if what == What::All && self.may_give() {
            return self.next_message_call(words);
        }
        None
    }

    fn done(self: &Rc<Self>, called: Called, code: Code) {
        if self.core.client.forked() {
            // The callback forked: what follows from its end is the parent's.
            return;
        }
        match called {
            Called::Event => {}
            Called::MessageError => self.reader.finished(false),
            Called::Rebalance => self.complete_rebalance(),
            Called::Message(hand) => {
                let ok = code.is_ok();
                self.reader.finished(ok && self.core.is_open());
                if !ok && self.stop_on_error.get() && self.core.is_open() {
                    self.stop_at(&hand);
                }
            }
        }
    }

    fn spent(&self, took: Duration, calls: u32) {
        self.reader.adapt(took, calls);
    }

    fn settle(self: &Rc<Self>) {
        if self.core.client.forked() {
            return;
        }
        self.reader.hand_over();
        self.keep_alive();
        if let Life::Closing { .. } = self.core.life.get() {
            // The group waits for a rebalance callback that runs, and the closing for the group.
            let done = || self.core.client.closed() && !self.core.calls.has_kept();
            if done() || (self.core.overdue() && !self.is_asked()) {
                self.finish();
            }
        }
    }
}

impl Reading for Subscriber {
    fn reader(&self) -> &Reader {
        &self.reader
    }

    fn encoding(&self) -> Ref<'_, Encoding> {
        self.core.encoding.borrow()
    }

    fn is_open(&self) -> bool {
        self.core.is_open()
    }

    /// No callback or body of this object runs, nor a rebalance callback, nothing is sought, and it
    /// is open.
    fn may_give(&self) -> bool {
        self.core.is_open()
            && !self.reader.is_busy()
            && self.rebalance.borrow().is_none()
            && self.seeks_ended()
    }

    fn check_read(&self, what: &str) -> Result<()> {
        if self.rebalance.borrow().is_some() {
            return Err(Error::State(format!("{what} inside the object's rebalance callback")));
        }
        reading::check_busy(&self.reader, what)?;
        self.exceeded.set(false);
        Ok(())
    }

    fn next_error(&self) -> Option<ClientError> {
        self.core.next_message_error()
    }

    fn keep_error(&self, e: ClientError) {
        self.core.message_error_first(e);
    }

    /// A rebalance above all: the group waits for its answer.
    fn has_news(&self) -> bool {
        self.core.has_news() || self.group_bell.is_fresh()
    }
}

impl Turn for Subscriber {
    fn turn(self: Rc<Self>) -> Option<(Interp, Box<dyn Task>)> {
        if self.core.out_of_turn() {
            return None;
        }
        Some((self.core.interp(), Box::new(PumpTask::new(self))))
    }
}

impl Subscriber {
    /// Whether no seek is under way; one that has ended has its partitions go on there.
    pub fn seeks_ended(&self) -> bool {
        let mut seeks = self.seeks.borrow_mut();
        if seeks.is_empty() {
            return true;
        }
        let before = seeks.len();
        seeks.retain(|s| !s.ended(&self.reader));
        if seeks.len() < before {
            // Messages that came meanwhile have used their wake up.
            self.core.again();
        }
        seeks.is_empty()
    }

    fn next_message_call(&self, words: &mut Vec<Obj>) -> Option<Called> {
        let callback = self.callback.get()?;
        if let Some(error) = self.core.next_message_error() {
            callback.fill(self.error_dict(&error), words);
            return Some(self.given_error());
        }
        match self.reader.next() {
            Ok(None) => None,
            Ok(Some(held)) => {
                let m = held.message.view();
                if let Some(code) = m.error() {
                    let e = rdk::Error::with_detail(code, m.error_text());
                    let place = (Some(m.topic()), Some(m.partition()));
                    callback.fill(self.core.words.error_dict(&e, place.0, place.1), words);
                    return Some(self.given_error());
                }
                let dict = self.core.words.dict(&held, &self.core.encoding.borrow());
                self.reader.give(&held);
                callback.fill(dict, words);
                Some(Called::Message(held.hand()))
            }
            Err(e) => {
                callback.fill(self.error_dict(&e), words);
                Some(self.given_error())
            }
        }
    }

    fn given_error(&self) -> Called {
        self.reader.give_error();
        Called::MessageError
    }

    /// `on_error stop`: the callback goes, and its partition goes back to the message.
    fn stop_at(&self, hand: &Hand) {
        self.callback.set(None);
        // What was processed before it still counts.
        self.reader.hand_over();
        let (topic, partition, offset) =
            (hand.part.topic.clone(), hand.part.partition, hand.offset);
        self.reader.restart(&topic, partition, offset);
        let done = steer::seek_one(&self.core, topic, partition, offset);
        if let Err(Error::Kafka(error)) = done {
            let topic = Some(hand.part.topic.clone());
            self.core.message_error(ClientError { error, topic, partition: Some(partition) });
        }
    }

    /// Reads at least every third of `max.poll.interval.ms` while there is a callback, so that an
    /// idle member stays in its group.
    fn keep_alive(&self) {
        if !self.core.is_open() || !self.callback.is_set() {
            let old = self.keepalive.take();
            drop(old);
            self.next_read.set(None);
            return;
        }
        let now = Instant::now();
        if self.next_read.get().is_some_and(|t| now < t) {
            return;
        }
        self.next_read.set(Some(now + self.keepalive_every));
        if let Some(source) = self.core.source() {
            let timer = Timer::new(self.keepalive_every, source.clone());
            let old = self.keepalive.replace(Some(timer));
            drop(old);
        }
    }
}
