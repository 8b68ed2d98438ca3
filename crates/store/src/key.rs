//! Keys and the hash that travels with them.
//!
//! The 64 bits of a hash are spent once, here and nowhere else twice:
//!
//! ```text
//! bit 63                                        16 15               0
//!     ├── directory ──┤├── place ──┤               ├──── router ────┤
//!       as many bits as  16 bits: the line of a      the shard; the
//!       the index is     segment, and the entry      store never looks
//!       deep, 25 at most in that line
//! ```

use std::hash::Hasher;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

/// The keyed hasher of a process, made once at start; every clone hashes alike.
///
/// foldhash in its `quality` variant, all of its constants derived from the seed: with constants an attacker
/// could read in the source, keys that collide under every seed can be made up.
#[derive(Clone, Debug)]
pub struct KeyHasher {
    seed: u64,
    shared: Arc<SharedSeed>,
}

impl KeyHasher {
    /// The hasher of this seed: random in production, fixed in tests and in the simulator.
    pub fn from_seed(seed: u64) -> Self {
        KeyHasher { seed, shared: Arc::new(SharedSeed::from_u64(seed)) }
    }

    /// The hash of a whole key, or of a field's name.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// A key with the hash that was computed when it was routed.
///
/// The hash is [`KeyHasher::hash`] of **all** the key's bytes, also where the router looked at a `{tag}` only:
/// the index hashes keys again when it grows, from their bytes.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key as the client sent it.
    pub bytes: &'a [u8],
    /// [`KeyHasher::hash`] of `bytes`.
    pub hash: u64,
}

impl<'a> Key<'a> {
    /// Hashes `bytes`.
    pub fn new(bytes: &'a [u8], hasher: &KeyHasher) -> Self {
        Key { bytes, hash: hasher.hash(bytes) }
    }
}
