//! The flow: routing, sessions, shards, steps over several shards.
