//! Logical offsets.

/// Where to read from, as librdkafka numbers it.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Offset {
    /// The oldest message.
    Beginning,
    /// Behind the newest message.
    End,
    /// The group's committed offset.
    Stored,
    /// No offset.
    Invalid,
    /// A message's number.
    At(i64),
    /// So many messages before the end.
    Tail(i64),
}

impl Offset {
    /// `RD_KAFKA_OFFSET_BEGINNING`.
    pub const BEGINNING: i64 = -2;
    /// `RD_KAFKA_OFFSET_END`.
    pub const END: i64 = -1;
    /// `RD_KAFKA_OFFSET_STORED`.
    pub const STORED: i64 = -1000;
    /// `RD_KAFKA_OFFSET_INVALID`.
    pub const INVALID: i64 = -1001;
    /// `RD_KAFKA_OFFSET_TAIL_BASE`.
    pub const TAIL_BASE: i64 = -2000;

    /// librdkafka's number (`RD_KAFKA_OFFSET_TAIL` for tails).
    pub fn to_raw(self) -> i64 {
        match self {
            Offset::Beginning => Offset::BEGINNING,
            Offset::End => Offset::END,
            Offset::Stored => Offset::STORED,
            Offset::Invalid => Offset::INVALID,
            Offset::At(n) => n,
            Offset::Tail(n) => Offset::TAIL_BASE.saturating_sub(n),
        }
    }

    /// What librdkafka's number means; negative numbers without a meaning are `Invalid`.
    pub fn from_raw(raw: i64) -> Offset {
        match raw {
            Offset::BEGINNING => Offset::Beginning,
            Offset::END => Offset::End,
            Offset::STORED => Offset::Stored,
            n if n >= 0 => Offset::At(n),
            n if n <= Offset::TAIL_BASE => Offset::Tail(Offset::TAIL_BASE.saturating_sub(n)),
            _ => Offset::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn round_trips() {
        for (offset, raw) in [
            (Offset::Beginning, -2),
            (Offset::End, -1),
            (Offset::Stored, -1000),
            (Offset::Invalid, -1001),
            (Offset::At(0), 0),
            (Offset::At(i64::MAX), i64::MAX),
            (Offset::Tail(0), -2000),
            (Offset::Tail(5), -2005),
        ] {
            assert_eq!(offset.to_raw(), raw);
            assert_eq!(Offset::from_raw(raw), offset);
        }
        assert_eq!(Offset::from_raw(-3), Offset::Invalid);
        assert_eq!(Offset::from_raw(-1999), Offset::Invalid);
    }

    proptest! {
        #[test]
        fn any_number_means_something(raw: i64) {
            let offset = Offset::from_raw(raw);
            if offset != Offset::Invalid {
                prop_assert_eq!(offset.to_raw(), raw);
            }
            prop_assert!(raw < 0 || offset == Offset::At(raw));
        }
    }
}
