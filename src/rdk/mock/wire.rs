//! Kafka's wire format: what a request's bytes say, and an answer's bytes.
//!
//! Flexible versions (KIP-482) have compact lengths and tagged fields; the same calls read and write
//! both forms. A request that can't be read is [`Malformed`], and Kafka's broker closes the
//! connection then.

/// The request ends too early, or says what can't be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

pub(super) type Read<T> = Result<T, Malformed>;

/// A topic's id, its upper and its lower half.
pub(super) type Uuid = [i64; 2];

/// The most bytes of a string (`Short.MAX_VALUE` of Kafka's own code).
const MOST_STRING: usize = 32_767;

pub(super) struct Reader<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], flexible: bool) -> Reader<'a> {
        Reader { rest: bytes, flexible }
    }

    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn bool(&mut self) -> Read<bool> {
        Ok(self.i8()? != 0)
    }

    pub(super) fn i8(&mut self) -> Read<i8> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Read<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Read<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Read<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn uuid(&mut self) -> Read<Uuid> {
        Ok([self.i64()?, self.i64()?])
    }

    /// Seven bits a byte, the lowest first; at most 32 bits.
    fn varint(&mut self) -> Read<u32> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| Malformed);
            }
        }
        Err(Malformed)
    }

    /// A compact length, which is one more than it says; none for null.
    fn compact(&mut self) -> Read<Option<usize>> {
        Ok(self.varint()?.checked_sub(1).map(|n| n as usize))
    }

    fn length(plain: i64) -> Read<Option<usize>> {
        match plain {
            -1 => Ok(None),
            n => usize::try_from(n).map(Some).map_err(|_| Malformed),
        }
    }

    /// A string that may be null.
    pub(super) fn nullable(&mut self) -> Read<Option<String>> {
        let length = match self.flexible {
            true => self.compact()?,
            false => Self::length(self.i16()?.into())?,
        };
        let Some(length) = length else { return Ok(None) };
        // librdkafka's cluster holds strings as C does, and some on its stack. Kafka, too, reads no longer ones.
        if length > MOST_STRING {
            return Err(Malformed);
        }
        let bytes = self.take(length)?;
        if bytes.contains(&0) {
            return Err(Malformed);
        }
        std::str::from_utf8(bytes).map(|text| Some(text.to_owned())).map_err(|_| Malformed)
    }

    pub(super) fn string(&mut self) -> Read<String> {
        self.nullable()?.ok_or(Malformed)
    }

    /// Bytes that may be null.
    pub(super) fn nullable_bytes(&mut self) -> Read<Option<&'a [u8]>> {
        let length = match self.flexible {
            true => self.compact()?,
            false => Self::length(self.i32()?.into())?,
        };
        length.map(|length| self.take(length)).transpose()
    }

    /// Bytes; none for null.
    pub(super) fn bytes(&mut self) -> Read<&'a [u8]> {
        Ok(self.nullable_bytes()?.unwrap_or_default())
    }

    /// An array that may be null; `each` reads an element, without its tags.
    pub(super) fn nullable_list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Option<Vec<T>>> {
        let count = match self.flexible {
            true => self.compact()?,
            false => Self::length(self.i32()?.into())?,
        };
        let Some(count) = count else { return Ok(None) };
        // Each element has a byte at least, so a wrong count can't ask for more memory than that.
        if count > self.rest.len() {
            return Err(Malformed);
        }
        (0..count).map(|_| each(self)).collect::<Read<Vec<T>>>().map(Some)
    }

    pub(super) fn list<T>(&mut self, each: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        self.nullable_list(each)?.ok_or(Malformed)
    }

    /// Passes over the tagged fields of a structure.
    pub(super) fn tags(&mut self) -> Read<()> {
        if self.flexible {
            for _ in 0..self.varint()? {
                self.varint()?;
                let size = self.varint()?;
                self.take(size as usize)?;
            }
        }
        Ok(())
    }
}

pub(super) struct Writer {
    bytes: Vec<u8>,
    flexible: bool,
}

impl Writer {
    pub(super) fn new(flexible: bool) -> Writer {
        Writer { bytes: Vec::new(), flexible }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.i8(value.into());
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn uuid(&mut self, id: Uuid) {
        self.i64(id[0]);
        self.i64(id[1]);
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(super) fn nullable(&mut self, text: Option<&str>) {
        match (self.flexible, text) {
            (true, None) => self.varint(0),
            (true, Some(text)) => self.varint(text.len() + 1),
            (false, None) => self.i16(-1),
            // Longer text than fits is cut, at a character's start.
            (false, Some(text)) => {
                let mut end = text.len().min(i16::MAX as usize);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                self.i16(end as i16);
                self.bytes.extend(&text.as_bytes()[..end]);
                return;
            }
        }
        self.bytes.extend(text.unwrap_or_default().as_bytes());
    }

    pub(super) fn string(&mut self, text: &str) {
        self.nullable(Some(text));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend(bytes);
    }

    /// How many elements of an array follow.
    pub(super) fn count(&mut self, count: usize) {
        match self.flexible {
            true => self.varint(count + 1),
            false => self.i32(i32::try_from(count).unwrap_or(i32::MAX)),
        }
    }

    /// An array that is null.
    pub(super) fn null_list(&mut self) {
        match self.flexible {
            true => self.varint(0),
            false => self.i32(-1),
        }
    }

    pub(super) fn list<T>(
        &mut self,
        elements: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        let elements = elements.into_iter();
        self.count(elements.len());
        for element in elements {
            each(self, element);
        }
    }

    /// A structure ends, without tagged fields.
    pub(super) fn tags(&mut self) {
        if self.flexible {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_can_be_read_in_both_forms() {
        for flexible in [false, true] {
            let mut w = Writer::new(flexible);
            w.bool(true);
            w.i16(-2);
            w.i64(i64::MIN);
            w.uuid([1, -1]);
            w.nullable(None);
            w.string(&"ä".repeat(100));
            w.bytes(&[7; 200]);
            w.null_list();
            w.list([1, 2, 3], |w, n| w.i32(n));
            w.tags();
            let bytes = w.finish();
            let mut r = Reader::new(&bytes, flexible);
            assert_eq!(r.bool(), Ok(true));
            assert_eq!(r.i16(), Ok(-2));
            assert_eq!(r.i64(), Ok(i64::MIN));
            assert_eq!(r.uuid(), Ok([1, -1]));
            assert_eq!(r.nullable(), Ok(None));
            assert_eq!(r.string(), Ok("ä".repeat(100)));
            assert_eq!(r.bytes(), Ok(&[7u8; 200][..]));
            assert_eq!(r.nullable_list(Reader::i32), Ok(None));
            assert_eq!(r.list(Reader::i32), Ok(vec![1, 2, 3]));
            assert_eq!(r.tags(), Ok(()));
            assert_eq!(r.i8(), Err(Malformed));
        }
    }

    #[test]
    fn tagged_fields_are_passed_over() {
        let mut r = Reader::new(&[2, 0, 3, b'a', b'b', b'c', 9, 0, 42], true);
        assert_eq!(r.tags(), Ok(()));
        assert_eq!(r.i8(), Ok(42));
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused() {
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff], false).list(Reader::i8), Err(Malformed));
        assert_eq!(Reader::new(&[0xff; 9], true).list(Reader::i8), Err(Malformed));
        assert_eq!(Reader::new(&[0xff, 0xfe, 0], false).string(), Err(Malformed));
    }

    #[test]
    fn strings_that_librdkafka_can_not_hold_are_refused() {
        assert_eq!(Reader::new(b"\0\x03a\0b", false).string(), Err(Malformed));
        for (length, result) in [(MOST_STRING, true), (MOST_STRING + 1, false)] {
            let mut w = Writer::new(true);
            w.string(&"x".repeat(length));
            assert_eq!(Reader::new(&w.finish(), true).string().is_ok(), result);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes: Vec<u8>, flexible: bool) {
            let mut r = Reader::new(&bytes, flexible);
            let _ = r.list(|r| {
                r.string()?;
                r.nullable_list(|r| r.uuid())?;
                r.bytes()?;
                r.tags()
            });
        }
    }
}
