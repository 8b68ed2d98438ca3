//! Starts the real binary, talks to it, looks at it from outside.
//!
//! Here: a server process that is killed when its test ends and shows its log when the test fails (`server`), a
//! small blocking client (`client`), certificates and clients that speak TLS (`tls`), folders that its data outlives it
//! in (`folder`), what the server exports (`scrape`), waiting with a bound (`wait`), and seeds
//! that a failing run prints (`seed`).

mod client;
mod folder;
mod scrape;
mod seed;
mod server;
mod starts;
mod tls;
mod wait;

pub use client::{Client, encode, encode_line};
pub use folder::Folder;
pub use scrape::Scrape;
pub use seed::Seed;
pub use server::{Finished, Launch, Server, temporary_file};
pub use starts::while_nothing_starts;
pub use tls::{Authority, Files, KEY_PASSWORD, TlsClient, connect_tls, free_port, knock, launch_tls};
pub use wait::{eventually, patience};

/// Behaviour must not depend on how many shards share the data.
pub const SHARD_COUNTS: [usize; 2] = [1, 4];
