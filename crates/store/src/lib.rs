//! The data: one shard's keyspace, its packed hashes and its timer wheel.
