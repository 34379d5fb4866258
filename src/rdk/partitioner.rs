//! librdkafka's built-in partitioners.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use libc::c_void;

use super::{raw, Topic};

/// How a message without a partition gets one.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Partitioner {
    /// Any.
    Random,
    /// CRC32 of the key; without a key always the same one.
    Consistent,
    /// CRC32 of the key; without a key, or with an empty one, any.
    ConsistentRandom,
    /// Java's hash of the key; without a key always the same one.
    Murmur2,
    /// Java's hash of the key; without a key any.
    Murmur2Random,
    /// FNV-1a of the key; without a key always the same one.
    Fnv1a,
    /// FNV-1a of the key; without a key any.
    Fnv1aRandom,
}

impl Partitioner {
    /// All of them.
    pub const ALL: [Partitioner; 7] = [
        Partitioner::Random,
        Partitioner::Consistent,
        Partitioner::ConsistentRandom,
        Partitioner::Murmur2,
        Partitioner::Murmur2Random,
        Partitioner::Fnv1a,
        Partitioner::Fnv1aRandom,
    ];

    /// librdkafka's name, a value of the property `partitioner`.
    pub fn name(self) -> &'static str {
        match self {
            Partitioner::Random => "random",
            Partitioner::Consistent => "consistent",
            Partitioner::ConsistentRandom => "consistent_random",
            Partitioner::Murmur2 => "murmur2",
            Partitioner::Murmur2Random => "murmur2_random",
            Partitioner::Fnv1a => "fnv1a",
            Partitioner::Fnv1aRandom => "fnv1a_random",
        }
    }

    /// The partitioner of that name.
    pub fn from_name(name: &str) -> Option<Partitioner> {
        Partitioner::ALL.into_iter().find(|p| p.name() == name)
    }

    /// The partition of `key` among `count`; -1 when `count` is not positive.
    ///
    /// The hashes are librdkafka's (`rd_kafka_msg_partitioner_consistent` and so on)
    /// and don't use the topic. The random choice is ours: librdkafka's asks the topic
    /// which partitions have a leader, which is only allowed inside a partitioner
    /// callback, where the topic is locked.
    pub fn partition(self, _topic: &Topic, key: &[u8], count: i32) -> i32 {
        self.hash(key, count)
    }

    /// [`partition`](Partitioner::partition) without a topic.
    pub fn hash(self, key: &[u8], count: i32) -> i32 {
        if count <= 0 {
            return -1;
        }
        let function = match self {
            Partitioner::Random => return random(count),
            Partitioner::ConsistentRandom if key.is_empty() => return random(count),
            Partitioner::Consistent | Partitioner::ConsistentRandom => {
                raw::rd_kafka_msg_partitioner_consistent
            }
            Partitioner::Murmur2 | Partitioner::Murmur2Random => {
                raw::rd_kafka_msg_partitioner_murmur2
            }
            Partitioner::Fnv1a | Partitioner::Fnv1aRandom => raw::rd_kafka_msg_partitioner_fnv1a,
        };
        // SAFETY: the three functions read only the key and the count, which is not
        // zero; topic and opaques are ignored.
        unsafe {
            function(
                std::ptr::null(),
                key.as_ptr().cast::<c_void>(),
                key.len(),
                count,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        }
    }
}

/// The standard library's only source of randomness is the seed of its hash maps.
fn random(count: i32) -> i32 {
    let bits = RandomState::new().build_hasher().finish();
    // The remainder is below an i32, so the cast loses nothing.
    (bits % count.unsigned_abs() as u64) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for partitioner in Partitioner::ALL {
            assert_eq!(Partitioner::from_name(partitioner.name()), Some(partitioner));
        }
        assert_eq!(Partitioner::from_name("nonsense"), None);
    }

    #[test]
    fn hashes() {
        for partitioner in Partitioner::ALL {
            assert_eq!(partitioner.hash(b"k", 0), -1);
            assert_eq!(partitioner.hash(b"k", -3), -1);
            assert_eq!(partitioner.hash(b"k", 1), 0);
            for key in [&b""[..], b"a", b"kafka", &[0xff, 0]] {
                assert!((0..7).contains(&partitioner.hash(key, 7)));
            }
        }
        for (one, other) in [
            (Partitioner::Consistent, Partitioner::ConsistentRandom),
            (Partitioner::Murmur2, Partitioner::Murmur2Random),
            (Partitioner::Fnv1a, Partitioner::Fnv1aRandom),
        ] {
            for n in 0..100 {
                let key = format!("key{n}");
                assert_eq!(one.hash(key.as_bytes(), 1000), other.hash(key.as_bytes(), 1000));
            }
        }
        // The check value of CRC32.
        assert_eq!(
            Partitioner::Consistent.hash(b"123456789", 1000),
            (0xcbf4_3926_u32 % 1000) as i32
        );
        // From Kafka's own tests of Utils.murmur2, made positive.
        assert_eq!(Partitioner::Murmur2.hash(b"21", i32::MAX), -973_932_308_i32 & 0x7fff_ffff);
    }

    #[test]
    fn random_reaches_every_partition() {
        let mut seen = [false; 4];
        for _ in 0..1000 {
            seen[Partitioner::Random.hash(b"k", 4) as usize] = true;
            seen[Partitioner::ConsistentRandom.hash(b"", 4) as usize] = true;
        }
        assert_eq!(seen, [true; 4]);
    }
}
