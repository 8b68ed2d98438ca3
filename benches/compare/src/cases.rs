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

/// Writes the keys of [`Case::SetAndTtl`] alone.
pub fn fill_sessions(server: &Server, keys: u64) -> Result<()> {
    let way = &Case::SetAndTtl.ways(server.program)[0];
    fill(server.address, &way.operation, 0..keys)?;
    let held = Asker::connect(server.address)?.ask_integer(&["DBSIZE"])?;
    ensure!(held == keys, "{} holds {held} keys", server.name);
    Ok(())
}

/// SHA-1 of [`SCRIPT`]; [`fill_keys`] checks it.
const DIGEST: &str = "fba5a1f0fcb3e40f9d27368df010d4117fd6749d";

fn script() -> Way {
    let words = ["EVALSHA", DIGEST, "1", "session:{n}", "f", VALUE, TTL];
    Way { name: "EVALSHA", operation: Operation::new(&[words.to_vec()]) }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::{Case, Program};

    #[test]
    fn every_way_is_whole_requests_about_one_key_each_with_the_one_asterisk_that_the_echo_counts() {
        for case in Case::value_variants() {
            for program in [Program::Mayfly, Program::Redis, Program::Valkey, Program::Kevy, Program::Echo] {
                let ways = case.ways(program);
                assert!(ways.len() == 1 || *case == Case::SetAndTtl);
                for way in ways {
                    let mut bytes = Vec::new();
                    way.operation.append(123_456, &mut bytes);
                    let text = String::from_utf8(bytes).unwrap();
                    assert_eq!(text.matches('*').count(), way.operation.replies(), "{text}");
                    assert!(text.starts_with('*') && text.ends_with("\r\n"));
                    assert!(text.contains(":0000123456") || *case == Case::Ping, "{text}");
                    assert!(!text.contains('{'), "{text}");
                }
            }
        }
    }

    #[test]
    fn hsetex_is_the_form_of_five_words() {
        let mut bytes = Vec::new();
        Case::SetAndTtl.ways(Program::Mayfly)[0].operation.append(7, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.starts_with("*5\r\n$6\r\nHSETEX\r\n$18\r\nsession:0000000007\r\n$1\r\nf\r\n$32\r\n"),
            "{text}"
        );
    }
}
