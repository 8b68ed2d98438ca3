//! What a user notices, seen through real sockets: each test starts the real binary on ephemeral ports.
//!
//! One file a behaviour; `harness` starts servers, talks to them and reads their metrics. Everything here needs
//! nothing but Rust. What can be decided without a socket is tested beside the code that decides it.

mod harness;

mod atomicity;
mod backpressure;
mod channels;
mod check;
mod client_commands;
mod comparison;
mod configuration;
mod connections;
mod documents;
mod durability;
mod hang_up;
mod info;
mod limits;
mod loading;
mod metrics;
mod monitor;
mod pipelines;
mod protocol;
mod rewrite;
mod shutdown;
mod snapshots;
mod start;
mod tracking;
mod transactions;
mod transcript;
mod transfer;
