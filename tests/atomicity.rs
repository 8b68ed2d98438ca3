//! Commands over several shards happen at one instant: other clients never see one half done.

use fastrand::Rng;

use crate::harness::{Client, Seed, Server, encode_line};

const SLOTS: usize = 12;
const TOKENS: i64 = 5;
const STEPS: usize = 1_500;

/// Tokens wander over the slots by RENAMENX, which moves one only to a free slot. Wherever one looks from, there
/// are as many as in the beginning.
#[test]
fn a_hash_that_is_renamed_is_always_in_exactly_one_place() {
    let seed = Seed::of_this_run();
    let server = Server::start(4);
    let mut client = server.connect();
    for token in 0..TOKENS {
        client.run(&format!("HSET slot:{token} token {token}"));
    }
    std::thread::scope(|scope| {
        for mover in 0..4 {
            let (mut client, mut rng) = (server.connect(), seed.rng(mover));
            scope.spawn(move || move_tokens(&mut client, &mut rng));
        }
        for _ in 0..2 {
            let mut client = server.connect();
            scope.spawn(move || count_tokens(&mut client));
        }
    });
    let mut tokens: Vec<_> = (0..SLOTS)
        .filter_map(|slot| client.run(&format!("HGET slot:{slot} token")).as_bytes().map(<[u8]>::to_vec))
        .collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..TOKENS).map(|token| token.to_string().into_bytes()).collect::<Vec<_>>());
}

fn move_tokens(client: &mut Client, rng: &mut Rng) {
    const DEPTH: usize = 8;
    for _ in 0..STEPS / DEPTH {
        let mut requests = Vec::new();
        for _ in 0..DEPTH {
            let (from, to) = (rng.usize(..SLOTS), rng.usize(..SLOTS));
            requests.extend(encode_line(&format!("RENAMENX slot:{from} slot:{to}")));
        }
        for reply in client.pipeline(&requests, DEPTH) {
            let shown = reply.to_string();
            assert!(
                ["(integer) 0", "(integer) 1", "(error) ERR no such key"].contains(&shown.as_str()),
                "{shown}"
            );
        }
    }
}

fn count_tokens(client: &mut Client) {
    let slots: Vec<String> = (0..SLOTS).map(|slot| format!("slot:{slot}")).collect();
    let exists = format!("EXISTS {}", slots.join(" "));
    for _ in 0..STEPS {
        assert_eq!(client.integer(&exists), TOKENS);
        assert_eq!(client.integer("DBSIZE"), TOKENS);
        let keys = client.run("KEYS slot:*");
        assert_eq!(keys.as_items().map(<[_]>::len), Some(TOKENS as usize));
    }
}

/// Each pair is written, copied and deleted in a circle by one client; others see only its three states.
#[test]
fn a_pair_of_keys_is_copied_and_deleted_at_once() {
    let seed = Seed::of_this_run();
    let server = Server::start(4);
    std::thread::scope(|scope| {
        for pair in 0..3 {
            let mut client = server.connect();
            scope.spawn(move || circle(&mut client, pair));
            let (mut client, mut rng) = (server.connect(), seed.rng(pair));
            scope.spawn(move || observe(&mut client, &mut rng, pair));
        }
    });
}

fn circle(client: &mut Client, pair: u64) {
    for step in 0..STEPS {
        client.replay(&[
            (&format!("HSET first:{pair} a {step} b {step}"), "(integer) 2"),
            (&format!("COPY first:{pair} second:{pair}"), "(integer) 1"),
            (&format!("DEL first:{pair} second:{pair}"), "(integer) 2"),
        ]);
    }
}

fn observe(client: &mut Client, rng: &mut Rng, pair: u64) {
    for _ in 0..STEPS {
        // Named twice, the second counts double: 0 none, 1 the first, 3 both; 2 would be the second alone.
        let weighted = client.integer(&format!("EXISTS first:{pair} second:{pair} second:{pair}"));
        assert!([0, 1, 3].contains(&weighted), "the second of a pair without the first: {weighted}");
        if rng.bool() {
            let copy = client.run(&format!("HMGET second:{pair} a b"));
            let values = copy.as_items().expect("HMGET answers an array");
            assert_eq!(values[0], values[1], "a copy of half a hash");
        }
    }
}

/// RENAME over an existing key: of two keys exactly one is there, whoever looks and whenever.
#[test]
fn a_rename_there_and_back_never_shows_both_or_none() {
    let server = Server::start(4);
    let pairs = 0..6;
    let mut client = server.connect();
    for pair in pairs.clone() {
        client.run(&format!("HSETEX here:{pair} f v 3600"));
    }
    std::thread::scope(|scope| {
        for pair in pairs.clone() {
            let mut client = server.connect();
            scope.spawn(move || {
                for _ in 0..STEPS / 2 {
                    client.replay(&[
                        (&format!("RENAME here:{pair} there:{pair}"), "OK"),
                        (&format!("RENAME there:{pair} here:{pair}"), "OK"),
                    ]);
                }
            });
        }
        let mut client = server.connect();
        scope.spawn(move || {
            for step in 0..STEPS {
                let pair = step % pairs.len();
                assert_eq!(client.integer(&format!("EXISTS here:{pair} there:{pair}")), 1);
            }
        });
    });
    assert!(client.integer("TTL here:0") > 0, "the deadline travels with the hash");
}
