//! Whether a producer's queue has room, and who waits for it.

use super::Core;
use crate::error::Result;
use crate::tcl::Obj;

impl Core {
    /// A message was refused because the queue is full.
    pub fn note_full(&self) {
        self.full_at.set(self.live.messages());
    }

    /// Whether there is room for a message. librdkafka bounds the queue by messages and by bytes, and
    /// tells only how many messages there are: after a refusal there is room again once there are
    /// fewer. Reports that were not served count.
    pub fn has_room(&self) -> bool {
        let queued = self.live.messages();
        let refused = match self.full_at.get() {
            0 => false,
            full => queued >= full,
        };
        if !refused {
            self.full_at.set(0);
        }
        !refused && queued < self.most_queued
    }

    /// Has `prefix` called once there is room; none: nobody.
    pub fn await_room(&self, prefix: &Obj) -> Result<()> {
        self.room.get_or_set(Some(prefix), "prefix")?;
        self.again();
        Ok(())
    }

    /// The call of the prefix that waits for room, if there is any.
    pub(super) fn next_room_call(&self, words: &mut Vec<Obj>) -> bool {
        if !self.room.is_set() || !self.is_open() || !self.has_room() {
            return false;
        }
        let prefix = self.room.get();
        self.room.set(None);
        match prefix {
            Some(prefix) => {
                prefix.fill(Obj::boolean(true), words);
                true
            }
            None => false,
        }
    }
}
