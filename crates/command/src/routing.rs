//! From a key to its hash and its shard.
//!
//! ```text
//!   key ──keyed hash──► 64 bits:  63 … 32 index of the table │ 31 … 16 tag in its line │ 15 … 0 shard
//! ```
//!
//! A key that holds a tag, `user:{42}:cart`, is placed by the hash of `42` alone, so that keys with one tag
//! share a shard; its table hash is always that of the whole key. The rule for the tag is Redis Cluster's:
//! the bytes between the first `{` and the next `}` behind it, if there is at least one.

use mayfly_store::{Key, KeyHasher};

/// Number of a shard, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ShardId(pub u16);

impl ShardId {
    /// The number as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Knows the process' keyed hash and the number of shards.
#[derive(Clone, Debug)]
pub struct Router {
    hasher: KeyHasher,
    shards: u16,
}

impl Router {
    /// A router over `shards` shards (at least one) with the hash that the stores use.
    pub fn new(hasher: KeyHasher, shards: u16) -> Self {
        assert!(shards > 0, "a server has at least one shard");
        Router { hasher, shards }
    }

    /// Number of shards.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// The process' keyed hash, which the stores use too.
    pub fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// The key together with its hash.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: self.hasher.hash(bytes) }
    }

    /// The shard that owns `key`.
    #[inline]
    pub fn shard_of(&self, key: Key<'_>) -> ShardId {
        if self.shards == 1 { ShardId(0) } else { self.shard_of_many(key) }
    }

    fn shard_of_many(&self, key: Key<'_>) -> ShardId {
        let hash = tag_of(key.bytes).map_or(key.hash, |tag| self.hasher.hash(tag));
        ShardId(((u32::from(hash as u16) * u32::from(self.shards)) >> 16) as u16)
    }

    /// All shards.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = ShardId> + use<> {
        (0..self.shards).map(ShardId)
    }
}

/// The part of a key that decides its shard, if it is not the whole key.
fn tag_of(key: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr(b'{', key)?;
    let rest = &key[open + 1..];
    match memchr::memchr(b'}', rest)? {
        0 => None,
        close => Some(&rest[..close]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_the_cluster_rule() {
        for (key, tag) in [
            ("user:{42}:cart", Some("42")),
            ("{a}{b}", Some("a")),
            ("{}{b}", None),
            ("{a", None),
            ("}a{", None),
            ("{{a}}", Some("{a")),
            ("plain", None),
        ] {
            assert_eq!(tag_of(key.as_bytes()), tag.map(str::as_bytes), "{key}");
        }
    }

    #[test]
    fn keys_of_one_tag_share_a_shard_and_others_spread() {
        let router = Router::new(KeyHasher::from_seed(7), 16);
        let shard = |key: &str| router.shard_of(router.key(key.as_bytes())).index();
        let tagged: Vec<_> = (0..100).map(|n| shard(&format!("{{tag}}:{n}"))).collect();
        assert!(tagged.iter().all(|&other| other == tagged[0]));
        let mut counts = [0; 16];
        for n in 0..16_000 {
            counts[shard(&format!("key:{n}"))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
