//! The doubt: sessions and shards under a virtual clock, from a seed.
