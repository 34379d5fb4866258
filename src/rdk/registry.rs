//! Numbers for C callbacks to carry instead of pointers.
//!
//! librdkafka keeps what it is given for as long as it likes. A number that no
//! longer names anything is a miss; a pointer would be a crash.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::fork::Held;

pub(super) struct Registry<T: ?Sized> {
    next: AtomicUsize,
    entries: RwLock<BTreeMap<usize, Arc<T>>>,
}

impl<T: ?Sized> Registry<T> {
    pub(super) const fn new() -> Registry<T> {
        Registry {
            // Zero would be a null opaque.
            next: AtomicUsize::new(1),
            entries: RwLock::new(BTreeMap::new()),
        }
    }

    /// Registers `entry`; the number is never given out again.
    pub(super) fn add(&self, entry: Arc<T>) -> usize {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.entries.write().unwrap_or_else(PoisonError::into_inner).insert(id, entry);
        id
    }

    /// The entry, held by the caller. The registry's lock is free again on return,
    /// so whatever is done with the entry cannot deadlock with another registration.
    pub(super) fn get(&self, id: usize) -> Option<Arc<T>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// How many there are, for the tests of leaks.
    pub(super) fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Keeps others out, for a fork.
    pub(super) fn hold(&'static self) -> Held
    where
        T: 'static,
    {
        Box::new(self.entries.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets the entry. It is returned, so that its drop runs without the lock.
    pub(super) fn remove(&self, id: usize) -> Option<Arc<T>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_id_is_a_miss() {
        let registry: Registry<str> = Registry::new();
        let first = registry.add(Arc::from("a"));
        let second = registry.add(Arc::from("b"));
        assert_ne!(first, second);
        assert_eq!(registry.len(), 2);
        assert_eq!(registry.get(first).as_deref(), Some("a"));
        assert_eq!(registry.remove(first).as_deref(), Some("a"));
        assert_eq!(registry.get(first), None);
        assert_eq!(registry.remove(first), None);
        assert_eq!(registry.get(second).as_deref(), Some("b"));
        assert_eq!(registry.get(0), None);
    }
}
