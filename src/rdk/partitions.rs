//! Lists of topics and partitions.

use std::fmt;
use std::ptr::NonNull;

use super::errno::{ErrorCode, Result};
use super::offset::Offset;
use super::ptr::{bytes, cstring, text};
use super::raw;

/// A list of partitions with offset, metadata and error each
/// (`rd_kafka_topic_partition_list_t`).
pub struct PartitionList(NonNull<raw::list_t>);

// SAFETY: plain data that belongs to no thread; elements from an assignment may hold a
// counted reference to librdkafka's partition, whose count is atomic.
unsafe impl Send for PartitionList {}
// SAFETY: `&self` methods only read.
unsafe impl Sync for PartitionList {}

/// One element, borrowed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Elem<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition, -1 for none.
    pub partition: i32,
    /// The offset as librdkafka numbers it (see [`Offset::from_raw`]).
    pub offset: i64,
    /// What was or is to be committed along with the offset.
    pub metadata: Option<&'a [u8]>,
    /// This partition's error.
    pub error: Option<ErrorCode>,
    /// The leader's epoch, -1 when not known.
    pub leader_epoch: i32,
}

impl PartitionList {
    /// An empty list.
    pub fn new() -> PartitionList {
        PartitionList::with_capacity(0)
    }

    /// An empty list with room for so many.
    pub fn with_capacity(capacity: usize) -> PartitionList {
        let size = i32::try_from(capacity).unwrap_or(i32::MAX);
        // SAFETY: no preconditions; librdkafka aborts when memory is out.
        let list = unsafe { raw::rd_kafka_topic_partition_list_new(size) };
        PartitionList(NonNull::new(list).unwrap_or_else(|| std::process::abort()))
    }

    /// Takes a list over; null is an empty one.
    ///
    /// # Safety
    /// `list` is null or a list that the caller owns.
    pub(super) unsafe fn from_raw(list: *mut raw::list_t) -> PartitionList {
        NonNull::new(list).map_or_else(PartitionList::new, PartitionList)
    }

    /// Copies a list that belongs to somebody else; null is an empty one.
    ///
    /// # Safety
    /// `list` is null or a valid list.
    pub(super) unsafe fn copy_raw(list: *const raw::list_t) -> PartitionList {
        if list.is_null() {
            return PartitionList::new();
        }
        // SAFETY: valid by this function's contract; the copy is ours.
        unsafe { PartitionList::from_raw(raw::rd_kafka_topic_partition_list_copy(list)) }
    }

    pub(super) fn as_ptr(&self) -> *const raw::list_t {
        self.0.as_ptr()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut raw::list_t {
        self.0.as_ptr()
    }

    fn elems(&self) -> &[raw::topic_partition_t] {
        // SAFETY: the list is valid and borrowed; `cnt` elements are initialised.
        unsafe {
            let list = self.0.as_ref();
            match usize::try_from(list.cnt) {
                Ok(count) if count > 0 => std::slice::from_raw_parts(list.elems, count),
                _ => &[],
            }
        }
    }

    fn elem_mut(&mut self, index: usize) -> Option<&mut raw::topic_partition_t> {
        if index >= self.len() {
            return None;
        }
        // SAFETY: the index is in range and the list borrowed exclusively.
        unsafe { Some(&mut *self.0.as_ref().elems.add(index)) }
    }

    /// Adds a partition without an offset; returns its index. Error: `INVALID_ARG` for a
    /// name with a NUL.
    pub fn add(&mut self, topic: &str, partition: i32) -> Result<usize> {
        self.add_offset(topic, partition, Offset::INVALID)
    }

    /// Adds a partition with an offset as librdkafka numbers it; returns its index.
    pub fn add_offset(&mut self, topic: &str, partition: i32, offset: i64) -> Result<usize> {
        let topic = cstring(topic, "topic")?;
        // SAFETY: the list is valid; the name is copied; the element returned is valid
        // until the next change of the list.
        unsafe {
            let elem = raw::rd_kafka_topic_partition_list_add(
                self.as_mut_ptr(),
                topic.as_ptr(),
                partition,
            );
            (*elem).offset = offset;
        }
        Ok(self.len() - 1)
    }

    /// A list of the elements at these places, without their errors.
    pub fn select(&self, places: &[usize]) -> Result<PartitionList> {
        let mut list = PartitionList::with_capacity(places.len());
        for (i, e) in places.iter().filter_map(|i| self.get(*i)).enumerate() {
            list.add_offset(e.topic, e.partition, e.offset)?;
            list.set_metadata(i, e.metadata.unwrap_or_default());
            list.set_leader_epoch(i, e.leader_epoch);
        }
        Ok(list)
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.elems().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.elems().is_empty()
    }

    /// An element.
    pub fn get(&self, index: usize) -> Option<Elem<'_>> {
        self.elems().get(index).map(view)
    }

    /// All elements in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Elem<'_>> + '_ {
        self.elems().iter().map(view)
    }

    /// Sets an element's offset. An index out of range is ignored.
    pub fn set_offset(&mut self, index: usize, offset: i64) {
        if let Some(elem) = self.elem_mut(index) {
            elem.offset = offset;
        }
    }

    /// Sets an element's error. An index out of range is ignored.
    pub fn set_error(&mut self, index: usize, error: Option<ErrorCode>) {
        if let Some(elem) = self.elem_mut(index) {
            elem.err = error.unwrap_or(ErrorCode::NO_ERROR).0;
        }
    }

    /// Sets an element's leader epoch, -1 for none. An index out of range is ignored.
    pub fn set_leader_epoch(&mut self, index: usize, epoch: i32) {
        if let Some(elem) = self.elem_mut(index) {
            // SAFETY: a valid element, borrowed exclusively.
            unsafe { raw::rd_kafka_topic_partition_set_leader_epoch(elem, epoch) }
        }
    }

    /// Sets what is committed along with an element's offset; empty removes it. An index
    /// out of range is ignored.
    pub fn set_metadata(&mut self, index: usize, metadata: &[u8]) {
        let Some(elem) = self.elem_mut(index) else {
            return;
        };
        // SAFETY: the list frees its metadata with librdkafka's allocator, so it is
        // allocated with it, and an earlier value freed with it. The new block has room
        // for all bytes.
        unsafe {
            if !elem.metadata.is_null() {
                raw::rd_kafka_mem_free(std::ptr::null_mut(), elem.metadata);
                elem.metadata = std::ptr::null_mut();
                elem.metadata_size = 0;
            }
            if !metadata.is_empty() {
                let block = raw::rd_kafka_mem_malloc(std::ptr::null_mut(), metadata.len());
                std::ptr::copy_nonoverlapping(
                    metadata.as_ptr(),
                    block.cast::<u8>(),
                    metadata.len(),
                );
                elem.metadata = block;
                elem.metadata_size = metadata.len();
            }
        }
    }

    /// The index of a partition.
    pub fn find(&self, topic: &str, partition: i32) -> Option<usize> {
        let topic = cstring(topic, "topic").ok()?;
        // SAFETY: list and name are valid; the result is null or an element of ours.
        let found = unsafe {
            raw::rd_kafka_topic_partition_list_find(self.as_ptr(), topic.as_ptr(), partition)
        };
        self.elems().iter().position(|elem| std::ptr::eq(elem, found))
    }

    /// Whether another list has the same partitions, in whatever order.
    #[must_use]
    pub fn has_same(&self, other: &PartitionList) -> bool {
        let [mut mine, mut others] = [self.clone(), other.clone()];
        mine.sort();
        others.sort();
        let places = |list: &PartitionList| -> Vec<(String, i32)> {
            list.iter().map(|e| (e.topic.to_owned(), e.partition)).collect()
        };
        places(&mine) == places(&others)
    }

    /// Sorts by topic and partition.
    pub fn sort(&mut self) {
        // SAFETY: the list is valid; null means librdkafka's own order.
        unsafe {
            raw::rd_kafka_topic_partition_list_sort(self.as_mut_ptr(), None, std::ptr::null_mut())
        }
    }
}

/// Not for elements from elsewhere: name and metadata are borrowed from the element.
fn view(elem: &raw::topic_partition_t) -> Elem<'_> {
    // SAFETY: an element of a list has a terminated name, and metadata that is null or
    // has `metadata_size` bytes; both live as long as the element.
    unsafe {
        Elem {
            topic: text(elem.topic),
            partition: elem.partition,
            offset: elem.offset,
            metadata: bytes(elem.metadata, elem.metadata_size),
            error: ErrorCode(elem.err).error(),
            leader_epoch: raw::rd_kafka_topic_partition_get_leader_epoch(elem),
        }
    }
}

impl Default for PartitionList {
    fn default() -> PartitionList {
        PartitionList::new()
    }
}

impl Clone for PartitionList {
    fn clone(&self) -> PartitionList {
        // SAFETY: the list is valid.
        unsafe { PartitionList::copy_raw(self.as_ptr()) }
    }
}

impl fmt::Debug for PartitionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: valid, ours, and not used again.
        unsafe { raw::rd_kafka_topic_partition_list_destroy(self.as_mut_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(elem: Elem<'_>) -> (String, i32, i64, Option<Vec<u8>>, Option<ErrorCode>, i32) {
        (
            elem.topic.to_owned(),
            elem.partition,
            elem.offset,
            elem.metadata.map(<[u8]>::to_vec),
            elem.error,
            elem.leader_epoch,
        )
    }

    #[test]
    fn round_trip() {
        let mut list = PartitionList::with_capacity(2);
        assert!(list.is_empty());
        assert_eq!(list.add("b", 1).unwrap(), 0);
        assert_eq!(list.add_offset("a", 0, 42).unwrap(), 1);
        assert_eq!(list.add_offset("a", -1, Offset::END).unwrap(), 2);
        list.set_metadata(1, b"note");
        list.set_metadata(1, b"other\0note");
        list.set_offset(0, 7);
        list.set_leader_epoch(0, 3);
        list.set_offset(9, 7);
        list.set_metadata(9, b"x");
        let want = [
            ("b".to_owned(), 1, 7, None, None, 3),
            ("a".to_owned(), 0, 42, Some(b"other\0note".to_vec()), None, -1),
            ("a".to_owned(), -1, -1, None, None, -1),
        ];
        assert_eq!(list.iter().map(tuple).collect::<Vec<_>>(), want);
        let copy = list.clone();
        assert_eq!(copy.iter().map(tuple).collect::<Vec<_>>(), want);
        assert_eq!(list.find("a", 0), Some(1));
        assert_eq!(list.find("a", 5), None);
        assert_eq!(list.find("a\0", 0), None);
        list.sort();
        let order: Vec<(&str, i32)> = list.iter().map(|e| (e.topic, e.partition)).collect();
        assert_eq!(order, [("a", -1), ("a", 0), ("b", 1)]);
        list.set_metadata(1, b"");
        assert_eq!(list.get(1).unwrap().metadata, None);
        assert_eq!(list.get(3), None);
        assert_eq!(list.add("x\0y", 0).unwrap_err().detail, "topic has a NUL character");
        assert_eq!(list.len(), 3);
    }

    #[test]
    fn lists_cross_threads() {
        let mut list = PartitionList::new();
        list.add("t", 0).unwrap();
        let back = std::thread::spawn(move || list).join().unwrap();
        assert_eq!(back.len(), 1);
    }
}
