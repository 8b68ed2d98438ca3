//! What shards hand out for the log and for snapshots, and what others make of it. That both together converge, whatever
//! happens, is the simulator's business; here are the places and the traps.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::BytesMut;
use mayfly_command::{ClientCard, ClientState, Host, HostFacts, Router, ShardId};
use mayfly_engine::{
    Door, Effect, Moment, Outgoing, Pauses, ReplayError, Session, SessionOptions, Shard, ShardOptions, Slice,
    SnapshotCursor, Surroundings, ThreadCounters, Work,
};
use mayfly_persistence::{Effect as Recorded, Journal, Record, is_continued};
use mayfly_resp::{Protocol, ReplyWriter};
use mayfly_store::{KeyHasher, UnixMillis};

const START: UnixMillis = UnixMillis(1_767_225_600_000);
/// Packed hashes are smaller.
const LARGE: usize = 200;

/// Names with values, in order.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

struct TestHost;

impl Host for TestHost {
    fn password(&self) -> String {
        String::new()
    }
    fn databases(&self) -> u16 {
        16
    }
    fn parameters(&self, _: &mut dyn FnMut(&str, &str)) {}
    fn clients(&self) -> Vec<Arc<ClientCard>> {
        Vec::new()
    }
    fn facts(&self) -> HostFacts {
        HostFacts::default()
    }
    fn shutdown(&self) {}
}

/// One client, some shards, and the log.
struct Fixture {
    now: UnixMillis,
    router: Router,
    session: Session,
    shards: Vec<Shard<()>>,
    log: Vec<Vec<u8>>,
}

impl Fixture {
    /// Shards that record.
    fn new(shards: u16) -> Self {
        Fixture::with(shards, &ShardOptions { is_recording: true, ..ShardOptions::default() })
    }

    fn with(shards: u16, options: &ShardOptions) -> Self {
        let router = Router::new(KeyHasher::from_seed(u64::from(shards)), shards);
        let card = ClientCard::new(1, "127.0.0.1:1".into(), "127.0.0.1:2".into(), START.0);
        let client = ClientState::new(Arc::new(card), true);
        let shard = |id| Shard::new(id, router.clone(), options.clone(), 1, Arc::default());
        Fixture {
            now: START,
            shards: router.all().map(shard).collect(),
            session: Session::new(client, router.clone(), SessionOptions::default()),
            router,
            log: Vec::new(),
        }
    }

    /// Fresh shards, of whatever number, that have done again what the records say.
    fn started<'r>(
        shards: u16,
        records: &(impl Iterator<Item = &'r Vec<u8>> + Clone),
        now: UnixMillis,
    ) -> Self {
        let mut started = Fixture::with(shards, &ShardOptions::default());
        for shard in &mut started.shards {
            for body in records.clone() {
                shard.replay(&Record::read(body).expect("it was written")).expect("it can be applied");
            }
            shard.end_replay(now);
        }
        started.now = now;
        started
    }

    /// The client sends requests in one burst: the work that is on its way then.
    fn burst(&mut self, lines: &[&str]) -> Vec<(ShardId, Work<()>)> {
        let mut bytes = Vec::new();
        let mut requests = ReplyWriter::new(&mut bytes, Protocol::Resp2);
        for line in lines {
            requests.array(line.split(' ').count());
            line.split(' ').for_each(|word| requests.bulk(word.as_bytes()));
        }
        let surroundings = Surroundings {
            host: &TestHost,
            now_micros: self.now.0 * 1_000,
            stopwatch: &|| 0,
            counters: &ThreadCounters::default(),
            is_monitored: false,
            pauses: &Pauses::default(),
            door: &Door::default(),
        };
        let (mut input, mut outgoing) = (BytesMut::from(&bytes[..]), Vec::new());
        self.session.feed(&mut input, &surroundings, &mut outgoing);
        assert!(input.is_empty(), "a burst fits into the window");
        let count = self.router.shards();
        let work = |delivery| match delivery {
            Outgoing::Batch(shard, batch) => (shard, Work::Batch(batch, ())),
            Outgoing::Joint(shards, batch) => (shards[0], Work::joint(shards, batch, (), count)),
            _ => panic!("only requests on data are asked here"),
        };
        outgoing.into_iter().map(work).collect()
    }

    /// A shard takes works in one turn; what it wants delivered.
    fn turn(&mut self, shard: ShardId, works: Vec<Work<()>>) -> Vec<Effect<()>> {
        let mut effects = Vec::new();
        let moment = Moment { now: self.now, host: &TestHost, stopwatch: &|| 0 };
        self.shards[shard.index()].accept_all(works, &moment, &mut effects);
        effects
    }

    /// All that follows from a burst, in order, but for what shards tell each other.
    fn effects(&mut self, lines: &[&str]) -> Vec<Effect<()>> {
        let mut works = VecDeque::from(self.burst(lines));
        let mut all = Vec::new();
        while let Some((shard, work)) = works.pop_front() {
            for effect in self.turn(shard, vec![work]) {
                match effect {
                    Effect::Pass(to, work) => works.push_back((to, work)),
                    effect => all.push(effect),
                }
            }
        }
        all
    }

    /// The same; records go to the log, and the session takes the replies.
    fn run(&mut self, lines: &[&str]) {
        for effect in self.effects(lines) {
            match effect {
                Effect::Record(body) => self.log.push(body),
                Effect::Reply((), replies) => self.session.accept(replies),
                _ => {}
            }
        }
        let mut out = Vec::new();
        self.session.drain(&mut out);
        assert!(!out.starts_with(b"-"), "{}", out.escape_ascii());
    }

    /// Everything that a client could see now: by key its fields and its deadline.
    fn content(&mut self) -> BTreeMap<Vec<u8>, (Fields, Option<i64>)> {
        let (mut content, now) = (BTreeMap::new(), self.now);
        for keyspace in self.shards.iter_mut().filter_map(Shard::keyspace_mut) {
            keyspace.check();
            let database = keyspace.database(0);
            database.scan(0, usize::MAX, now, &mut |entry| {
                let mut fields: Vec<_> =
                    database.fields(entry).map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
                fields.sort();
                let deadline = database.deadline(entry).map(|deadline| deadline.0);
                content.insert(database.key(entry).to_vec(), (fields, deadline));
            });
        }
        content
    }

    fn slice(&mut self, cursor: &mut SnapshotCursor, bytes_max: usize) -> Slice {
        self.shards[0].snapshot_slice(cursor, bytes_max, self.now)
    }

    /// The rest of a snapshot of the only shard.
    fn rest(&mut self, cursor: &mut SnapshotCursor, bytes_max: usize) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        loop {
            match self.slice(cursor, bytes_max) {
                Slice::Body(body) => bodies.push(body),
                Slice::Nothing => {}
                Slice::End => return bodies,
                Slice::Swapped => panic!("nothing is swapped"),
            }
        }
    }
}

/// A request that sets so many fields of a key.
fn set_many(key: &str, prefix: &str, fields: usize) -> String {
    let pairs = (0..fields).map(|field| format!(" {prefix}{field} value"));
    format!("HSET {key}{}", pairs.collect::<String>())
}

/// R for a record, G for one that goes on in the next, r for a reply.
fn shape(effects: &[Effect<()>]) -> String {
    let letter = |effect: &Effect<()>| match effect {
        Effect::Record(body) if is_continued(body) => 'G',
        Effect::Record(_) => 'R',
        Effect::Reply(..) => 'r',
        Effect::Push(..) => 'p',
        Effect::Pass(..) => '>',
    };
    effects.iter().map(letter).collect()
}

#[test]
fn a_burst_is_one_record_before_its_replies_and_a_reader_leaves_none() {
    let mut fixture = Fixture::new(1);
    assert_eq!(shape(&fixture.effects(&["HSET a f 1", "HSETEX b f 1 60", "HGET a f", "DEL a"])), "Rr");
    assert_eq!(shape(&fixture.effects(&["HGETALL b", "TTL b", "SCAN 0", "DUMP b", "EXPIRE none 9"])), "r");
    assert_eq!(
        shape(&fixture.effects(&["HINCRBY b g x", "HSETNX b f 2", "HDEL b none", "PERSIST none"])),
        "r"
    );
}

#[test]
fn bursts_that_a_shard_takes_together_are_one_record() {
    let (mut fixture, mut other) = (Fixture::new(1), Fixture::new(1));
    let bursts = [fixture.burst(&["HSET a f 1"]), other.burst(&["HSET b f 1"])];
    let works = bursts.into_iter().flatten().map(|(_, work)| work).collect();
    let effects = fixture.turn(ShardId(0), works);
    assert_eq!(shape(&effects), "Rrr");
}

#[test]
fn a_transaction_over_several_shards_is_one_record_before_any_keyspace_goes_home() {
    let mut fixture = Fixture::new(4);
    let lines = ["MULTI", "HSET k0 f 1", "HSET k1 f 1", "HSET k2 f 1", "RENAME k2 k3", "HSET k4 f 1", "EXEC"];
    let mut works = VecDeque::from(fixture.burst(&lines));
    let mut shapes = Vec::new();
    while let Some((shard, work)) = works.pop_front() {
        let effects = fixture.turn(shard, vec![work]);
        shapes.push(shape(&effects));
        for effect in effects {
            match effect {
                Effect::Pass(to, work) => works.push_back((to, work)),
                Effect::Record(body) => fixture.log.push(body),
                _ => {}
            }
        }
    }
    let records: String = shapes.concat().chars().filter(|letter| *letter == 'R').collect();
    assert_eq!(records, "R", "{shapes:?}");
    assert!(shapes.iter().any(|shape| shape.starts_with("Rr>")), "the shards are several: {shapes:?}");
    let mut started = Fixture::started(3, &fixture.log.iter(), START);
    assert_eq!(started.content().into_keys().collect::<Vec<_>>(), [b"k0", b"k1", b"k3", b"k4"]);
}

#[test]
fn a_long_record_ends_between_two_calls_and_in_a_transaction_it_goes_on() {
    let mut fixture = Fixture::new(1);
    let long = "v".repeat(9 << 20);
    let [a, b, c] = ["a", "b", "c"].map(|key| format!("HSET {key} f {long}"));
    assert_eq!(shape(&fixture.effects(&[&a, &b, &c])), "RRr");
    assert_eq!(shape(&fixture.effects(&["MULTI", &a, &b, &c, "EXEC"])), "GRr");
    // The call behind it goes with it.
    assert_eq!(shape(&fixture.effects(&["MULTI", &a, &b, "EXEC", &c, "HSET d f 1"])), "GRRr");
}

#[test]
fn recording_begins_and_ends_while_the_shard_works() {
    let mut fixture = Fixture::with(1, &ShardOptions::default());
    assert_eq!(shape(&fixture.effects(&["HSET a f 1"])), "r");
    fixture.shards[0].set_options(ShardOptions { is_recording: true, ..ShardOptions::default() });
    assert_eq!(shape(&fixture.effects(&["HSET a f 1"])), "Rr");
    fixture.shards[0].set_options(ShardOptions::default());
    assert_eq!(shape(&fixture.effects(&["HSET a f 1"])), "r");
}

#[test]
fn what_is_past_its_deadline_is_dropped_at_the_end_of_a_replay_and_counts_nowhere() {
    let mut fixture = Fixture::new(1);
    fixture.run(&["HSETEX a f 1 10", "HSETEX b f 1 10", "HSETEX c f 1 100", "HSET d f 1"]);
    fixture.now = UnixMillis(START.0 + 5_000);
    fixture.run(&["EXPIRE b 60"]);
    let mut started = Fixture::with(1, &ShardOptions::default());
    for body in &fixture.log {
        started.shards[0].replay(&Record::read(body).unwrap()).unwrap();
    }
    started.now = UnixMillis(START.0 + 10_000);
    assert_eq!(started.shards[0].end_replay(started.now), 1);
    assert_eq!(started.content().into_keys().collect::<Vec<_>>(), [b"b", b"c", b"d"]);
    let stats = started.shards[0].keyspace_mut().unwrap().stats();
    assert_eq!((stats.expired_by_wheel, stats.expired_on_access), (0, 0));
    // The wheel knows the others.
    assert_eq!(started.shards[0].next_reclaim().map(|next| next <= UnixMillis(START.0 + 65_000)), Some(true));
}

/// The clock of the last run was a day ahead.
#[test]
fn what_was_recorded_in_the_future_expires_by_the_clock_of_today() {
    const DAY_MS: i64 = 86_400_000;
    let mut fixture = Fixture::new(1);
    fixture.now = UnixMillis(START.0 + DAY_MS);
    fixture.run(&["HSETEX a f 1 60", "HSET b f 1", "HSET soon f 1", "HSETEX far f 1 3000000000"]);
    let mut journal = Journal::new();
    journal.begin(fixture.now.0);
    journal.key(0, b"soon");
    journal.deadline(Some(START.0 + 1));
    fixture.log.push(journal.finish().to_vec());
    let mut started = Fixture::started(1, &fixture.log.iter(), START);
    assert_eq!(started.content().len(), 4);
    started.run(&["HSETEX new f 1 60"]);
    let mut reclaim = |now| {
        let moment = Moment { now, host: &TestHost, stopwatch: &|| 0 };
        started.shards[0].reclaim(&moment, &mut Vec::new()).expired
    };
    assert_eq!(reclaim(START), 0);
    assert_eq!(reclaim(UnixMillis(START.0 + 1)), 1);
    assert_eq!(reclaim(UnixMillis(START.0 + 60_000)), 1);
    assert_eq!(reclaim(UnixMillis(START.0 + DAY_MS + 60_000)), 1);
}

#[test]
fn a_record_about_a_database_that_there_is_none_of_is_refused() {
    let mut journal = Journal::new();
    let mut fixture = Fixture::new(1);
    let mut replay = |journal: &Journal| fixture.shards[0].replay(&Record::read(journal.finish()).unwrap());
    journal.begin(0);
    journal.key(16, b"key");
    assert_eq!(replay(&journal), Err(ReplayError::Database(16)));
    journal.begin(0);
    journal.flush(99);
    assert_eq!(replay(&journal), Err(ReplayError::Database(99)));
    journal.begin(0);
    journal.swap(0, 16);
    assert_eq!(replay(&journal), Err(ReplayError::Database(16)));
}

#[test]
fn a_slice_is_bounded_and_all_slices_together_are_everything() {
    let mut fixture = Fixture::new(1);
    for key in 0..300 {
        fixture.run(&[&format!("HSETEX key{key} name value{key} {}", 60 + key)]);
    }
    fixture.run(&[&set_many("large", "field", 5_000), "EXPIRE large 1000"]);
    let bodies = fixture.rest(&mut SnapshotCursor::new(0), 1_000);
    let longest = bodies.iter().map(Vec::len).max();
    assert!(longest < Some(3_000), "{longest:?} bytes");
    assert!(bodies.len() > 50, "{} slices", bodies.len());
    let mut started = Fixture::started(3, &bodies.iter(), START);
    assert_eq!(started.content(), fixture.content());
}

/// Between two pieces of a large hash something happens to it. The snapshot and the log behind its beginning make what
/// lives; those of the pieces that were another hash's leave nothing behind.
#[test]
fn a_hash_that_becomes_another_one_between_two_of_its_pieces_is_that_one() {
    let (few, many) = (set_many("hash", "new", 3), set_many("hash", "new", LARGE));
    let later = format!("PEXPIREAT hash {}", START.0 + 90_000);
    for (happening, wait_ms) in [
        (vec!["DEL hash", &few[..]], 0),
        (vec!["DEL hash", &many], 0),
        (vec!["DEL hash"], 0),
        (vec!["FLUSHALL", &many], 0),
        (vec!["RENAME hash other"], 0),
        (vec!["RENAME hash other", &many], 0),
        (vec!["HSET small f v", "RENAME small hash"], 0),
        (vec!["HDEL hash old1 old2 old3", "HSET hash old4 changed new1 v"], 0),
        (vec!["PERSIST hash"], 0),
        // It expires, which no record says, and comes into being again.
        (vec![&few], 60_000),
        (vec![&many], 60_000),
        (vec!["HSETEX hash new v 100", &many], 60_000),
        // Its deadline is moved in time, and the snapshot goes on when the first one would be past.
        (vec![&later], 10_000),
    ] {
        let mut fixture = Fixture::new(1);
        fixture.run(&[&set_many("hash", "old", LARGE), "EXPIRE hash 60"]);
        let (mut cursor, from) = (SnapshotCursor::new(0), fixture.log.len());
        let mut bodies = Vec::new();
        while bodies.is_empty() {
            match fixture.slice(&mut cursor, 1) {
                Slice::Body(body) => bodies.push(body),
                other => assert_eq!(other, Slice::Nothing),
            }
        }
        let fields = Record::read(&bodies[0]).unwrap().effects();
        let fields = fields.filter(|effect| matches!(effect, Ok(Recorded::Set { .. }))).count();
        assert!(fields < LARGE / 2, "{fields} fields in the first piece");
        fixture.now = UnixMillis(START.0 + wait_ms);
        fixture.run(&happening);
        if wait_ms == 10_000 {
            fixture.now = UnixMillis(START.0 + 60_000);
        }
        let rest = fixture.rest(&mut cursor, 1);
        bodies.extend(rest);
        let records = bodies.iter().chain(&fixture.log[from..]);
        let mut started = Fixture::started(2, &records, fixture.now);
        let happening: Vec<_> = happening.iter().map(|line| &line[..line.len().min(30)]).collect();
        assert!(started.content() == fixture.content(), "{happening:?} after {wait_ms} ms");
    }
}

#[test]
fn a_swap_of_databases_makes_every_shard_begin_its_snapshot_anew() {
    let mut fixture = Fixture::new(3);
    fixture.run(&["HSET a f 1"]);
    let swaps = fixture.shards[1].swaps().unwrap();
    fixture.run(&["SWAPDB 0 0"]);
    assert_eq!(fixture.shards[2].swaps(), Some(swaps), "that is no swap");
    fixture.run(&["SWAPDB 0 3"]);
    for shard in &mut fixture.shards {
        let slice = |shard: &mut Shard<()>, swaps| {
            shard.snapshot_slice(&mut SnapshotCursor::new(swaps), 1_000, START)
        };
        assert_eq!(slice(shard, swaps), Slice::Swapped);
        let anew = shard.swaps().unwrap();
        assert_ne!(slice(shard, anew), Slice::Swapped);
    }
}
