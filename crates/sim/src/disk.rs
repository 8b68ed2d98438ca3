//! What a disk would have: the records of all shards in the order they left, and snapshots that are written slice by
//! slice while everything goes on. At random moments fresh shards, of another number, start from it. They must hold
//! what the living ones hold: from the log alone, and from the last snapshot with the log behind it.
//!
//! Here: what is kept, and the comparison. Elsewhere: files, and what a crash leaves of them (`mayfly-persistence`).

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use mayfly_command::{Router, ShardId};
use mayfly_engine::{Shard, ShardOptions, Slice, SnapshotCursor, ThreadCounters};
use mayfly_persistence::Record;
use mayfly_store::{KeyHasher, Keyspace, UnixMillis};

/// Shards of a start.
const SHARDS_MAX: u16 = 5;

/// Everything in a keyspace: by database and key the fields and the deadline.
type Content = BTreeMap<(u16, Vec<u8>), (BTreeMap<Vec<u8>, Vec<u8>>, Option<i64>)>;

/// The disk of one world. Its chance is its own: a world is the same with it and without it.
#[derive(Debug)]
pub struct Disk {
    random: Rng,
    /// How the shards of a start keep their data.
    options: ShardOptions,
    log: Vec<Vec<u8>>,
    walk: Option<Walk>,
    snapshot: Option<Snapshot>,
    /// Starts that were compared.
    pub starts: u64,
    /// Snapshots that came to their end, and those that had to be begun anew since databases had changed places.
    pub snapshots: [u64; 2],
}

/// A snapshot that is being written.
#[derive(Debug)]
struct Walk {
    cursors: Vec<Option<SnapshotCursor>>,
    written: Snapshot,
}

#[derive(Debug)]
struct Snapshot {
    bodies: Vec<Vec<u8>>,
    /// The first record of the log that is replayed over it.
    log_from: usize,
}

impl Disk {
    /// An empty one.
    pub fn new(seed: u64, options: ShardOptions) -> Self {
        let random = Rng::with_seed(seed ^ 0x6469_736b);
        let (log, snapshots) = (Vec::new(), [0; 2]);
        Disk { random, options, log, walk: None, snapshot: None, starts: 0, snapshots }
    }

    /// A record leaves a shard.
    pub fn append(&mut self, body: Vec<u8>) {
        self.log.push(body);
    }

    /// One thing happens, by chance.
    ///
    /// # Errors
    /// A start that finds something else than what lives.
    pub fn step<A: Clone>(
        &mut self,
        shards: &mut [Shard<A>],
        router: &Router,
        now: UnixMillis,
    ) -> Result<(), String> {
        match self.random.u32(..1_000) {
            ..20 if self.walk.is_none() => self.begin(shards),
            20..420 => self.slice(shards, now),
            420..422 => self.check(shards, router, now)?,
            _ => {}
        }
        Ok(())
    }

    /// Starts from the log, and from the snapshot if there is one, and compares with the shards that are at home.
    ///
    /// # Errors
    /// The first difference.
    pub fn check<A: Clone>(
        &mut self,
        shards: &mut [Shard<A>],
        router: &Router,
        now: UnixMillis,
    ) -> Result<(), String> {
        let whole = self.start(&self.log.iter().collect::<Vec<_>>(), router.shards(), now)?;
        compare(shards, router, &whole, now).map_err(|fault| format!("a start from the log: {fault}"))?;
        if let Some(Snapshot { bodies, log_from }) = &self.snapshot {
            let records: Vec<_> = bodies.iter().chain(&self.log[*log_from..]).collect();
            let loaded = self.start(&records, router.shards(), now)?;
            let from = |fault| format!("a start from a snapshot and the log from {log_from} on: {fault}");
            compare(shards, router, &loaded, now).map_err(from)?;
        }
        self.starts += 1;
        Ok(())
    }

    fn begin<A: Clone>(&mut self, shards: &[Shard<A>]) {
        // Any shard knows, and what it has seen is in the log already.
        if let Some(swaps) = shards.iter().find_map(Shard::swaps) {
            let cursors = shards.iter().map(|_| Some(SnapshotCursor::new(swaps))).collect();
            let written = Snapshot { bodies: Vec::new(), log_from: self.log.len() };
            self.walk = Some(Walk { cursors, written });
        }
    }

    fn slice<A: Clone>(&mut self, shards: &mut [Shard<A>], now: UnixMillis) {
        let Some(walk) = &mut self.walk else { return };
        let index = self.random.usize(..shards.len());
        let bytes_max = self.random.usize(..1_500);
        let Some(cursor) = &mut walk.cursors[index] else { return };
        match shards[index].snapshot_slice(cursor, bytes_max, now) {
            Slice::Body(body) => walk.written.bodies.push(body),
            Slice::Nothing => {}
            Slice::Swapped => {
                self.walk = None;
                self.snapshots[1] += 1;
            }
            Slice::End => {
                walk.cursors[index] = None;
                if walk.cursors.iter().all(Option::is_none) {
                    self.snapshot = self.walk.take().map(|walk| walk.written);
                    self.snapshots[0] += 1;
                }
            }
        }
    }

    /// What fresh shards hold after these records; one that cannot be applied is an error.
    fn start(&self, records: &[&Vec<u8>], others: u16, now: UnixMillis) -> Result<Content, String> {
        let mut random = self.random.clone();
        let count = random.u16(1..SHARDS_MAX);
        let router = Router::new(KeyHasher::from_seed(random.u64(..)), count + u16::from(count >= others));
        let fresh = |id| {
            Shard::<()>::new(id, router.clone(), self.options.clone(), 1, Arc::<ThreadCounters>::default())
        };
        let mut content = Content::new();
        for mut shard in router.all().map(fresh) {
            for body in records {
                let record = Record::read(body).map_err(|error| error.to_string())?;
                shard.replay(&record).map_err(|error| error.to_string())?;
            }
            let dropped = shard.end_replay(now);
            let ShardId(id) = shard.id();
            let gauges = shard.gauges(now).ok_or("a shard that starts has lost its keyspace")?;
            let keyspace = shard.keyspace_mut().ok_or("a shard that starts has lost its keyspace")?;
            keyspace.check();
            let before = content.len();
            add(keyspace, &mut content, now);
            let (found, keys) = ((content.len() - before) as u64, gauges.keys);
            if found != keys || gauges.backlog > 0 {
                return Err(format!(
                    "shard {id} holds {keys} keys after a start, {found} live, {dropped} were dropped"
                ));
            }
        }
        Ok(content)
    }
}

/// Compares what was loaded with those shards whose keyspace is at home.
fn compare<A: Clone>(
    shards: &mut [Shard<A>],
    router: &Router,
    loaded: &Content,
    now: UnixMillis,
) -> Result<(), String> {
    for shard in shards {
        let ShardId(id) = shard.id();
        let Some(keyspace) = shard.keyspace_mut() else { continue };
        let mut live = Content::new();
        add(keyspace, &mut live, now);
        let here = |key: &[u8]| router.shard_of(router.key(key)) == ShardId(id);
        let loaded: BTreeMap<_, _> = loaded.iter().filter(|((_, key), _)| here(key)).collect();
        let differs = |key: &&(u16, Vec<u8>)| live.get(*key) != loaded.get(*key).copied();
        if let Some(key) = live.keys().chain(loaded.keys().copied()).find(differs) {
            let (found, expected) = (loaded.get(key), live.get(key));
            let name = key.1.escape_ascii();
            return Err(format!("{name} of database {} is {found:?}, on shard {id} {expected:?}", key.0));
        }
    }
    Ok(())
}

fn add(keyspace: &Keyspace, content: &mut Content, now: UnixMillis) {
    for number in 0..keyspace.databases() {
        let database = keyspace.database(number);
        database.scan(0, usize::MAX, now, &mut |entry| {
            let fields =
                database.fields(entry).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
            let deadline = database.deadline(entry).map(|deadline| deadline.0);
            content.insert((number, database.key(entry).to_vec()), (fields, deadline));
        });
    }
}
