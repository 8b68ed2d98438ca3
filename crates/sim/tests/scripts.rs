//! Clients that follow a script, among sessions and shards that work in an order by chance.

use mayfly_sim::{Laws, World};

fn world(seed: u64, shards: u16) -> World {
    World::new(Laws { seed, shards, fault: None, is_varied: false })
}

/// The transcript of the page that asked for Mayfly, word by word. Its `TTL` answers 60 behind a second call with
/// 120: sixty seconds pass before it.
#[test]
fn the_transcript_of_the_first_page_holds() {
    for (seed, shards) in [(1, 1), (2, 4)] {
        let mut world = world(seed, shards);
        let client = world.connect(true);
        for (request, seconds_before, reply) in [
            (r#"HSETEX myhash field1 "value1" 60"#, 0, "(integer) 1"),
            (r#"HSETEX myhash field2 "value2" 120"#, 0, "(integer) 1"),
            ("HEXISTS myhash field1", 0, "(integer) 1"),
            ("TTL myhash", 60, "(integer) 60"),
            (r#"HSETEX myhash field1 "newvalue" 180"#, 0, "(integer) 0"),
            ("TTL myhash", 0, "(integer) 180"),
            // And what the page promises: the hash expires as a whole.
            ("HLEN myhash", 179, "(integer) 2"),
            ("EXISTS myhash", 1, "(integer) 0"),
        ] {
            world.pass(seconds_before * 1_000_000);
            world.send(client, &[request]);
            world.settle().expect("nothing is wrong");
            assert_eq!(world.replies(client), [reply], "{request}, {shards} shards");
        }
        world.finish().expect("nothing is left over");
    }
}

/// A hash is renamed back and forth between shards. Whoever looks sees it under exactly one of its names.
#[test]
fn a_renamed_hash_is_never_seen_twice_or_nowhere() {
    const ROUNDS: usize = 40;
    for seed in 0..20 {
        let mut world = world(seed, 4);
        let [mover, first, second] = [(); 3].map(|()| world.connect(true));
        world.send(mover, &["HSET k0 f v"]);
        world.settle().expect("nothing is wrong");
        for _ in 0..ROUNDS {
            world.send(mover, &["RENAME k0 k1", "RENAME k1 k2", "RENAME k2 k3", "RENAME k3 k0"]);
            for observer in [first, second] {
                world.send(observer, &["EXISTS k0 k1 k2 k3", "DBSIZE"]);
            }
        }
        world.settle().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        for observer in [first, second] {
            let replies = world.replies(observer);
            assert_eq!(replies.len(), 2 * ROUNDS, "seed {seed}");
            assert!(replies.iter().all(|reply| reply == "(integer) 1"), "seed {seed}: {replies:?}");
        }
        assert_eq!(world.replies(mover).len(), 4 * ROUNDS + 1, "seed {seed}");
        world.finish().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
    }
}

/// A deadline has passed and nothing was reclaimed: no command over several shards sees the hash.
#[test]
fn an_expired_hash_is_absent_on_every_shard() {
    for seed in 0..10 {
        let mut world = world(seed, 4);
        let client = world.connect(true);
        world.send(client, &["HSETEX k0 f v 1", "HSET k1 f v"]);
        world.settle().expect("nothing is wrong");
        world.replies(client);
        world.pass(1_000_000);
        let transcript = [
            ("EXISTS k0 k1 k2", "(integer) 1"),
            ("DBSIZE", "(integer) 1"),
            ("RENAME k0 k2", "(error) ERR no such key"),
            ("RENAMENX k1 k0", "(integer) 1"),
            ("TTL k0", "(integer) -1"),
            ("DEL k0 k1 k2", "(integer) 1"),
        ];
        world.send(client, &transcript.map(|(request, _)| request));
        world.settle().expect("nothing is wrong");
        assert_eq!(world.replies(client), transcript.map(|(_, reply)| reply), "seed {seed}");
        world.finish().expect("nothing is left over");
    }
}
