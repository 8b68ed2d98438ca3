//! How a world is set up: what is asked for, and what the seed decides.

use fastrand::Rng;
use mayfly_engine::{EventClasses, SessionOptions, ShardOptions, SharedEventClasses, TransactionLimits};
use mayfly_store::StoreOptions;

use crate::fault::Fault;

/// Bytes of replies that no run reaches unless its world is cramped.
pub const ROOMY_BYTES: usize = 64 << 20;

/// How a world is set up; the rest is drawn from the seed.
#[derive(Clone, Copy, Debug)]
pub struct Laws {
    /// Where all chance comes from.
    pub seed: u64,
    /// Number of shards.
    pub shards: u16,
    /// A fault to plant.
    pub fault: Option<Fault>,
    /// Whether limits, passwords and the form of hashes are drawn, too; else they are as configured by default.
    pub is_varied: bool,
}

/// What is drawn for a world.
pub struct Drawn {
    /// Whether clients must give a password.
    pub has_password: bool,
    /// Limits of every session.
    pub session: SessionOptions,
    /// Limits of every shard, but for its slices.
    pub shard: ShardOptions,
    /// The letters of `notify-keyspace-events`.
    pub events: &'static str,
}

/// Draws them; the usual ones unless the world is to be varied.
pub fn draw_options(is_varied: bool, random: &mut Rng) -> Drawn {
    let mut pick = |usual: usize, others: &[usize]| {
        if is_varied && random.bool() { others[random.usize(..others.len())] } else { usual }
    };
    let output_bytes_max = pick(ROOMY_BYTES, &[ROOMY_BYTES, ROOMY_BYTES, ROOMY_BYTES, 50_000]);
    let store = StoreOptions {
        packed_fields_max: pick(128, &[1, 4, 16]) as u32,
        packed_bytes_max: pick(4_096, &[64, 300]) as u32,
        ..StoreOptions::default()
    };
    let events = ["", "KEA", "Ex", "KEghx", "KEx", "Eh", "Kg"][pick(0, &[1, 1, 2, 3, 4, 5, 6])];
    let classes = EventClasses::parse(events).unwrap_or_default();
    let calls_max = pick(TransactionLimits::default().calls_max, &[3, 65_536, 65_536]);
    let usual = SessionOptions::default();
    Drawn {
        events,
        has_password: pick(0, &[0, 0, 1]) == 1,
        session: SessionOptions {
            window: pick(1_024, &[1, 3, 20, 100]),
            output_bytes_max,
            transaction: TransactionLimits { calls_max, ..usual.transaction },
            watched_keys_max: pick(usual.watched_keys_max, &[2, 1_024]),
            ..usual
        },
        shard: ShardOptions {
            store,
            output_bytes_max,
            events: SharedEventClasses::new(classes),
            is_recording: true,
            ..ShardOptions::default()
        },
    }
}
