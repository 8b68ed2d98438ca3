//! What is compared: operations on a million keys, and how each program is asked for them.
//!
//! Three kinds of keys, all with a TTL, so that no case depends on which ran before:
//!
//! ```text
//!   session:0000123456   f  = 32 bytes                      HSET HGET EXPIRE set-and-ttl
//!   record:0000123456    f1 … f5 = 32 bytes each            HMGET HGETALL
//!   counter:0000123456   n  = an integer                    HINCRBY
//!   ticket:0000123456    f  = 32 bytes, with its own TTL    set-and-ttl by a TTL of the field, where there is one
//! ```

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::load::{Operation, fill};
use crate::servers::{Asker, Program, Server};

/// 32 bytes.
const VALUE: &str = "0123456789abcdef0123456789abcdef";
/// Longer than any run.
const TTL: &str = "86400";
/// Sets a field and the TTL of this field.
const FIELD_TTL: &[&str] = &["HSETEX", "ticket:{n}", "EX", TTL, "FIELDS", "1", "f", VALUE];
const SCRIPT: &str = "redis.call('HSET',KEYS[1],ARGV[1],ARGV[2]) return redis.call('EXPIRE',KEYS[1],ARGV[3])";

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Case {
    /// PING.
    Ping,
    /// Set a field and the TTL of its key.
    SetAndTtl,
    /// HSET of one field.
    Hset,
    /// HGET of one field.
    Hget,
    /// HMGET of five fields.
    Hmget,
    /// HGETALL of a hash with five fields.
    Hgetall,
    /// HINCRBY.
    Hincrby,
    /// EXPIRE.
    Expire,
}

/// How a program is asked for it.
#[derive(Clone, Debug)]
pub struct Way {
    /// What reports call it.
    pub name: &'static str,
    /// What is sent.
    pub operation: Operation,
}

impl Case {
    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Case::Ping => "PING",
            Case::SetAndTtl => "set and TTL",
            Case::Hset => "HSET",
            Case::Hget => "HGET",
            Case::Hmget => "HMGET 5",
            Case::Hgetall => "HGETALL 5",
            Case::Hincrby => "HINCRBY",
            Case::Expire => "EXPIRE",
        }
    }

    /// All ways in which a program can be asked. Only for [`Case::SetAndTtl`] there are several.
    ///
    /// The last way of Redis and Valkey sets the TTL of the field alone: one command, but not the same promise.
    pub fn ways(self, program: Program) -> Vec<Way> {
        let way = |name, requests: &[&[&str]]| {
            let requests: Vec<_> = requests.iter().map(|words| words.to_vec()).collect();
            Way { name, operation: Operation::new(&requests) }
        };
        let hset: &[&str] = &["HSET", "session:{n}", "f", VALUE];
        let expire: &[&str] = &["EXPIRE", "session:{n}", TTL];
        let mayfly = way("HSETEX", &[&["HSETEX", "session:{n}", "f", VALUE, TTL]]);
        let both = way("HSET+EXPIRE", &[hset, expire]);
        let transaction = way("MULTI", &[&["MULTI"], hset, expire, &["EXEC"]]);
        let of_field = way("HSETEX FIELDS", &[FIELD_TTL]);
        match (self, program) {
            (Case::SetAndTtl, Program::Mayfly | Program::Echo) => vec![mayfly],
            // It does not know HSETEX.
            (Case::SetAndTtl, Program::Kevy) => vec![both, transaction, script()],
            (Case::SetAndTtl, _) => vec![both, transaction, script(), of_field],
            (Case::Ping, _) => vec![way("PING", &[&["PING"]])],
            (Case::Hset, _) => vec![way("HSET", &[hset])],
            (Case::Hget, _) => vec![way("HGET", &[&["HGET", "session:{n}", "f"]])],
            (Case::Hmget, _) => {
                vec![way("HMGET", &[&["HMGET", "record:{n}", "f1", "f2", "f3", "f4", "f5"]])]
            }
            (Case::Hgetall, _) => vec![way("HGETALL", &[&["HGETALL", "record:{n}"]])],
            (Case::Hincrby, _) => vec![way("HINCRBY", &[&["HINCRBY", "counter:{n}", "n", "1"]])],
            (Case::Expire, _) => vec![way("EXPIRE", &[expire])],
        }
    }
}

/// Writes all keys, and the script.
pub fn fill_keys(server: &Server, keys: u64) -> Result<()> {
    if server.program == Program::Echo {
        return Ok(());
    }
    let record: &[&str] =
        &["HSET", "record:{n}", "f1", VALUE, "f2", VALUE, "f3", VALUE, "f4", VALUE, "f5", VALUE];
    let mut writes =
        vec![&["HSET", "session:{n}", "f", VALUE][..], record, &["HSET", "counter:{n}", "n", "1000"]];
    if matches!(server.program, Program::Redis | Program::Valkey) {
        writes.push(FIELD_TTL);
    }
    for words in &writes {
        let expire = vec!["EXPIRE", words[1], TTL];
        fill(server.address, &Operation::new(&[words.to_vec(), expire]), 0..keys)?;
    }
    if server.program != Program::Mayfly {
        let digest = server.ask(&["SCRIPT", "LOAD", SCRIPT])?;
        ensure!(digest.contains(DIGEST), "{} calls the script {digest:?}", server.name);
    }
    let held = Asker::connect(server.address)?.ask_integer(&["DBSIZE"])?;
    ensure!(held == writes.len() as u64 * keys, "{} holds {held} keys", server.name);
    Ok(())
}

/// SHA-1 of [`SCRIPT`]; [`fill_keys`] checks it.
const DIGEST: &str = "fba5a1f0fcb3e40f9d27368df010d4117fd6749d";

fn script() -> Way {
    let words = ["EVALSHA", DIGEST, "1", "session:{n}", "f", VALUE, TTL];
    Way { name: "EVALSHA", operation: Operation::new(&[words.to_vec()]) }
}
