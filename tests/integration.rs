//! What a user notices, seen through real sockets: each test starts the real binary on ephemeral ports.
//!
//! One file a behaviour; `harness` starts servers, talks to them and reads their metrics. Everything here needs
//! nothing but Rust. What can be decided without a socket is tested beside the code that decides it.

mod harness;

mod abuse;
mod access;
mod atomicity;
mod backpressure;
mod channels;
mod check;
mod client_commands;
mod client_memory;
mod comparison;
mod configuration;
mod connections;
mod documents;
mod durability;
mod eviction;
mod folders;
mod hang_up;
mod hot_keys;
mod info;
mod large_changes;
mod limits;
mod loading;
mod metrics;
mod monitor;
mod pipelines;
mod protocol;
mod reload;
mod rewrite;
mod shell;
mod shutdown;
mod slow;
mod snapshots;
mod start;
mod supervisor;
mod tls;
mod tracking;
mod transactions;
mod transcript;
mod transfer;
mod ttl_rules;
mod unix_socket;
