//! Pipelines through one session and its shards, with every message in the test's hand.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mayfly_acl::{Access, Users};
use mayfly_command::{ClientCard, ClientState, Host, HostFacts, Pause, Router, ShardId, catalogue};
use mayfly_engine::{
    Batch, Door, Effect, EventClasses, Moment, Outgoing, Pauses, Push, Session, SessionOptions, Shard,
    ShardOptions, SharedEventClasses, Surroundings, ThreadCounters, Work,
};
use mayfly_resp::{Protocol, ReplyReader, ReplyWriter};
use mayfly_store::{Key, KeyHasher, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_767_225_600_000);
const SHARDS: u16 = 2;

/// A key on each of the two shards.
const ON_FIRST: &str = "first";
const ON_SECOND: &str = "second";

struct TestHost(Access);

impl Host for TestHost {
    fn access(&self) -> &Access {
        &self.0
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

/// A session, two shards, and what lies between them.
struct Fixture {
    host: TestHost,
    session: Session,
    shards: Vec<Shard<()>>,
    input: BytesMut,
    counters: Arc<ThreadCounters>,
    events: SharedEventClasses,
    sent: VecDeque<Outgoing>,
    is_monitored: bool,
    pauses: Pauses,
}

fn options() -> SessionOptions {
    SessionOptions { window: 100, output_bytes_max: 1 << 20, ..SessionOptions::default() }
}

impl Fixture {
    fn new(password: &'static str, options: SessionOptions) -> Self {
        let router = Router::new(KeyHasher::from_seed(3), SHARDS);
        let shard_of = |key: &str| router.shard_of(router.key(key.as_bytes()));
        assert_eq!((shard_of(ON_FIRST), shard_of(ON_SECOND)), (ShardId(0), ShardId(1)));
        let counters = Arc::<ThreadCounters>::default();
        let card = ClientCard::new(1, "127.0.0.1:1".into(), "127.0.0.1:2".into(), NOW.0);
        let client = ClientState::new(Arc::new(card), password.is_empty());
        let access = Access::new(Users::default(), catalogue());
        access.change(|users| users.set_default_password(password));
        let shard_options =
            ShardOptions { output_bytes_max: options.output_bytes_max, ..ShardOptions::default() };
        let shard = |id| Shard::new(id, router.clone(), shard_options.clone(), 1, Arc::clone(&counters));
        Fixture {
            host: TestHost(access),
            shards: router.all().map(shard).collect(),
            session: Session::new(client, router, options),
            input: BytesMut::new(),
            counters,
            events: shard_options.events,
            sent: VecDeque::new(),
            is_monitored: false,
            pauses: Pauses::default(),
        }
    }

    /// The client sends requests; the session decodes what it may. Returns how many messages it sends off.
    fn feed(&mut self, lines: &[&str]) -> usize {
        self.input.extend_from_slice(&encoded(lines));
        let surroundings = Surroundings {
            host: &self.host,
            now_micros: NOW.0 * 1_000,
            stopwatch: &|| 0,
            counters: &self.counters,
            is_monitored: self.is_monitored,
            pauses: &self.pauses,
            door: &Door::default(),
        };
        let mut outgoing = Vec::new();
        self.session.feed(&mut self.input, &surroundings, &mut outgoing);
        let messages = outgoing.len();
        self.sent.extend(outgoing);
        messages
    }

    /// Delivers everything that is under way and lets the session take the replies: those of the last shard come
    /// first, a joint is the last.
    fn deliver(&mut self) {
        let mut sent: Vec<_> = self.sent.drain(..).collect();
        sent.sort_by_key(|delivery| match delivery {
            Outgoing::Batch(shard, _) => (false, Reverse(*shard)),
            Outgoing::Joint(shards, _) => (true, Reverse(shards[0])),
            Outgoing::Unwatch(..)
            | Outgoing::Unsubscribe(_)
            | Outgoing::Audit(..)
            | Outgoing::Monitor { .. }
            | Outgoing::Await(_)
            | Outgoing::Monitored(_) => (true, Reverse(ShardId(0))),
        });
        for delivery in sent {
            match delivery {
                Outgoing::Batch(shard, batch) => self.accept(shard, Work::Batch(batch, ())),
                Outgoing::Joint(shards, batch) => {
                    self.accept(shards[0], Work::joint(shards, batch, (), SHARDS));
                }
                Outgoing::Unwatch(shards, client, flag) => {
                    self.accept(shards[0], Work::Unwatch(shards, client, flag));
                }
                Outgoing::Unsubscribe(client) => self.accept(ShardId(0), Work::Unsubscribe(client)),
                Outgoing::Audit(client, user) => self.accept(ShardId(0), Work::Audit(client, user)),
                Outgoing::Monitor { .. } | Outgoing::Await(_) => {}
                Outgoing::Monitored(lines) => self.session.observe(&lines),
            }
        }
    }

    /// A shard takes work, and all that follows from it happens.
    fn accept(&mut self, shard: ShardId, work: Work<()>) {
        for effect in self.accept_only(shard, work) {
            match effect {
                Effect::Reply((), replies) => self.session.accept(replies),
                Effect::Push((), _, push) => assert_eq!(self.session.push(push), None),
                Effect::Pass(shard, work) => self.accept(shard, work),
                Effect::Record(_) => panic!("nothing is recorded unless it is asked for"),
            }
        }
    }

    fn accept_only(&mut self, shard: ShardId, work: Work<()>) -> Vec<Effect<()>> {
        let mut effects = Vec::new();
        let moment = Moment { now: NOW, host: &self.host, stopwatch: &|| 0 };
        self.shards[shard.index()].accept(work, &moment, &mut effects);
        effects
    }

    /// What the client reads now, as redis-cli shows it.
    fn replies(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        self.session.drain(&mut out);
        let mut reader = ReplyReader::default();
        reader.feed(&out);
        std::iter::from_fn(|| reader.next_reply().expect("replies are well-formed"))
            .map(|reply| reply.to_string())
            .collect()
    }

    /// Whether no shard knows a watcher or a listener.
    fn is_idle(&self) -> bool {
        self.shards.iter().all(|shard| shard.observers().is_some_and(mayfly_engine::Observers::is_idle))
    }

    /// A conversation without delays: requests in, replies out.
    fn talk(&mut self, lines: &[&str]) -> Vec<String> {
        self.feed(lines);
        self.deliver();
        self.replies()
    }
}

fn encoded(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut requests = ReplyWriter::new(&mut bytes, Protocol::Resp2);
    for line in lines {
        requests.array(line.split(' ').count());
        line.split(' ').for_each(|word| requests.bulk(word.as_bytes()));
    }
    bytes
}

fn batch(delivery: Option<Outgoing>) -> Box<Batch> {
    match delivery {
        Some(Outgoing::Batch(_, batch) | Outgoing::Joint(_, batch)) => batch,
        _ => panic!("a batch is under way"),
    }
}

#[test]
fn a_burst_is_one_batch_a_shard_and_its_replies_keep_the_order_of_the_requests() {
    let mut fixture = Fixture::new("", options());
    let messages = fixture.feed(&[
        "HSET first f 1",
        "PING",
        "HSET second f 2",
        "HGET first f",
        "ECHO hi",
        "HGET second f",
    ]);
    assert_eq!(messages, 2);
    assert!(fixture.replies().is_empty());
    fixture.deliver();
    assert_eq!(fixture.replies(), ["(integer) 1", "PONG", "(integer) 1", "\"1\"", "\"hi\"", "\"2\""]);
    assert_eq!((fixture.session.waiting(), fixture.session.held_bytes()), (0, 0));
}

#[test]
fn a_full_window_stops_decoding_until_a_reply_has_left() {
    let mut fixture = Fixture::new("", SessionOptions { window: 3, ..options() });
    let lines = ["HSET first 1 1", "HSET first 2 2", "PING", "HSET first 4 4", "HLEN first"];
    fixture.feed(&lines);
    assert_eq!((fixture.session.waiting(), fixture.session.may_decode()), (3, false));
    assert_eq!(fixture.input, encoded(&["HSET first 4 4", "HLEN first"]));
    fixture.deliver();
    // The replies have come; what counts is that they have left.
    assert!(!fixture.session.may_decode());
    assert_eq!(fixture.replies(), ["(integer) 1", "(integer) 1", "PONG"]);
    assert_eq!(fixture.talk(&[]), ["(integer) 1", "(integer) 3"]);
}

#[test]
fn nothing_is_decoded_while_a_joint_is_under_way() {
    let mut fixture = Fixture::new("", options());
    // Everything behind the first command over two shards rides along.
    assert_eq!(
        fixture.feed(&[
            "HSET first f 1",
            "HSET second f 2",
            "RENAME first second",
            "HGET second f",
            "PING",
            "EXISTS first"
        ]),
        3
    );
    let joint = batch(fixture.sent.pop_back());
    assert_eq!(joint.calls.len(), 3);
    assert!(!fixture.session.may_decode());
    assert_eq!(fixture.feed(&["PING again"]), 0);
    fixture.deliver();
    assert_eq!(fixture.replies(), ["(integer) 1", "(integer) 1"]);
    fixture.accept(ShardId(0), Work::joint(vec![ShardId(0), ShardId(1)], joint, (), SHARDS));
    assert_eq!(fixture.talk(&[]), ["OK", "\"1\"", "PONG", "(integer) 0", "\"again\""]);
}

#[test]
fn a_joint_carries_at_most_64_calls() {
    let mut fixture = Fixture::new("", options());
    let mut lines = vec!["EXISTS first second"];
    lines.extend(["HLEN first"; 70]);
    fixture.feed(&lines);
    assert_eq!(batch(fixture.sent.pop_back()).calls.len(), 64);
    assert_eq!(fixture.input, encoded(&["HLEN first"; 7]));
}

#[test]
fn a_shard_whose_keyspace_is_away_lets_work_wait_in_its_order() {
    let mut fixture = Fixture::new("", options());
    fixture.feed(&["HSET first f 1", "RENAME first second"]);
    let (set, rename) = (batch(fixture.sent.pop_front()), batch(fixture.sent.pop_front()));
    fixture.accept(ShardId(0), Work::Batch(set, ()));
    let shards = vec![ShardId(0), ShardId(1)];
    let passed = fixture.accept_only(ShardId(0), Work::joint(shards, rename, (), SHARDS)).pop();
    let Some(Effect::Pass(ShardId(1), joint)) = passed else {
        panic!("the joint goes on to the second shard")
    };
    assert_eq!(fixture.shards[0].gauges(NOW), None);

    // Another client's calls come meanwhile.
    let mut other = Fixture::new("", options());
    other.feed(&["EXISTS first"]);
    other.feed(&["HSET first g 2"]);
    let (exists, set) = (batch(other.sent.pop_front()), batch(other.sent.pop_front()));
    for work in [exists, set] {
        assert!(fixture.accept_only(ShardId(0), Work::Batch(work, ())).is_empty());
    }
    assert_eq!(fixture.shards[0].next_reclaim(), None);

    let mut home_going = fixture.accept_only(ShardId(1), joint).into_iter();
    let Some(Effect::Reply((), replies)) = home_going.next() else { panic!("the reply goes first") };
    let Some(Effect::Pass(ShardId(0), home)) = home_going.next() else {
        panic!("then the keyspace goes home")
    };
    fixture.session.accept(replies);
    assert_eq!(fixture.replies(), ["(integer) 1", "OK"]);
    let done = fixture.accept_only(ShardId(0), home);
    let texts: Vec<_> = done
        .iter()
        .map(|effect| match effect {
            Effect::Reply((), replies) => String::from_utf8_lossy(&replies.bytes),
            _ => panic!("both ran here"),
        })
        .collect();
    assert_eq!(texts, [":0\r\n", ":1\r\n"]);
    assert_eq!(fixture.shards[0].gauges(NOW).map(|gauges| (gauges.keys, gauges.waiting)), Some((1, 0)));
}

#[test]
fn quit_in_a_pipeline_is_answered_last() {
    let mut fixture = Fixture::new("", options());
    fixture.feed(&["HSET first f 1", "QUIT", "HSET first f 2", "PING"]);
    assert!(!fixture.session.is_finished(), "a reply is still to come");
    fixture.deliver();
    assert_eq!(fixture.replies(), ["(integer) 1", "OK"]);
    assert!(fixture.session.is_finished());
    assert_eq!(fixture.feed(&["PING"]), 0);
    assert!(fixture.replies().is_empty());
}

#[test]
fn a_protocol_error_comes_behind_the_replies_to_what_was_right() {
    let mut fixture = Fixture::new("", options());
    fixture.input.extend_from_slice(b"HSET first f 1\r\nEXISTS first second\r\n*1\r\nPING\r\n");
    fixture.feed(&["PING"]);
    fixture.deliver();
    assert_eq!(
        fixture.replies(),
        ["(integer) 1", "(integer) 1", "(error) ERR Protocol error: expected '$', got 'P'"]
    );
    assert!(fixture.session.is_finished());
    assert_eq!(fixture.counters.protocol_errors.get(), 1);
}

#[test]
fn what_a_request_changes_of_the_session_holds_from_the_next_one_on() {
    let mut fixture = Fixture::new("secret", options());
    let replies = fixture.talk(&[
        "HSET first f 1",
        "AUTH wrong",
        "AUTH secret",
        "HSET first f 1",
        "SELECT 1",
        "EXISTS first",
    ]);
    assert_eq!(
        replies,
        [
            "(error) NOAUTH Authentication required.",
            "(error) WRONGPASS invalid username-password pair or user is disabled.",
            "OK",
            "(integer) 1",
            "OK",
            "(integer) 0",
        ]
    );
    let replies = fixture.talk(&["SELECT 0", "HGETALL first", "HELLO 3", "HGETALL first"]);
    assert_eq!([&replies[1], &replies[3]], ["1) \"f\"\n2) \"1\"", "1# \"f\" => \"1\""]);
}

/// The second of two requests alike goes a short way through the session.
#[test]
fn a_request_like_the_one_before_it_is_shown_held_and_muted_as_any_other() {
    let mut fixture = Fixture::new("", options());
    assert_eq!(fixture.talk(&["HSET first f 1", "HSET second f 1"]), ["(integer) 1", "(integer) 1"]);
    fixture.is_monitored = true;
    fixture.feed(&["HSET first f 2", "HSET first f 3"]);
    let lines = fixture.sent.iter().find_map(|sent| match sent {
        Outgoing::Monitored(lines) => Some(lines),
        _ => None,
    });
    assert_eq!(lines.map(|lines| lines.iter().filter(|byte| **byte == b'\n').count()), Some(2));
    fixture.is_monitored = false;
    fixture.deliver();
    assert_eq!(fixture.replies(), ["(integer) 0", "(integer) 0"]);
    fixture.pauses.begin(NOW, UnixMillis(NOW.0 + 1), Pause::Writes);
    assert_eq!(fixture.feed(&["HSET first f 4"]), 0);
    assert_eq!(fixture.session.held_until(), Some(UnixMillis(NOW.0 + 1)));
    fixture.pauses.end();
    fixture.session.resume();
    assert_eq!(fixture.talk(&["HSET first f 5", "CLIENT REPLY OFF"]), ["(integer) 0", "(integer) 0"]);
    assert!(fixture.talk(&["HSET first f 6", "HSET first f 7", "HSET second f 8"]).is_empty());
    assert_eq!(fixture.talk(&["CLIENT REPLY ON", "HGET first f", "HGET second f"]), ["OK", "\"7\"", "\"8\""]);
}

#[test]
fn a_batch_whose_replies_exceed_the_limit_is_carried_out_and_its_client_closed() {
    let mut fixture = Fixture::new("", SessionOptions { output_bytes_max: 1_000, ..options() });
    let value = "v".repeat(400);
    fixture.talk(&[&format!("HSET first f {value}")]);
    fixture.feed(&["HGET first f", "HGET first f", "HGET first f", "HDEL first f"]);
    fixture.deliver();
    assert!(fixture.session.is_overflowed() && !fixture.session.may_decode());
    let keyspace = fixture.shards[0].keyspace_mut().expect("it is at home");
    assert!(keyspace.database(0).is_empty(), "the last call was carried out");
}

#[test]
fn replies_that_wait_behind_another_one_are_limited() {
    let mut fixture = Fixture::new("", SessionOptions { output_bytes_max: 1_000, ..options() });
    let value = "v".repeat(400);
    fixture.talk(&[&format!("HSET first f {value}")]);
    fixture.feed(&["HLEN second"]);
    let slow = fixture.sent.pop_front();
    for _ in 0..2 {
        fixture.feed(&["HGET first f"]);
        fixture.deliver();
    }
    assert!(fixture.replies().is_empty() && !fixture.session.is_overflowed());
    fixture.feed(&["HGET first f"]);
    fixture.deliver();
    assert!(fixture.session.is_overflowed());
    drop(slow);
}

/// The answers of the session itself are limited as those of shards are: it stops decoding, it does not pile up.
#[test]
fn large_answers_of_the_session_itself_stop_decoding() {
    let mut fixture =
        Fixture::new("", SessionOptions { window: 1_000, output_bytes_max: 64 << 20, ..options() });
    let message = "m".repeat(60_000);
    let line = format!("ECHO {message}");
    fixture.feed(&vec![line.as_str(); 100]);
    let left = fixture.session.waiting();
    assert!((1..40).contains(&left), "{left} answers of 60 kB were made at once");
    let mut answers = 0;
    while fixture.session.waiting() > 0 {
        answers += fixture.replies().len();
        fixture.feed(&[]);
    }
    assert_eq!(answers, 100);

    // The same behind a reply that has not come.
    fixture.feed(&["HLEN second"]);
    fixture.feed(&vec![line.as_str(); 100]);
    fixture.feed(&[]);
    assert!(fixture.session.held_bytes() < 2 << 20 && !fixture.session.may_decode());
    fixture.deliver();
    assert_eq!(fixture.replies()[0], "(integer) 0");
    assert!(fixture.session.may_decode());
}

/// A batch that waits to be filled again must not hold on to the bytes it carried.
#[test]
fn the_read_buffer_is_free_once_its_requests_are_answered() {
    let mut fixture = Fixture::new("", options());
    let line = format!("HSET first f {}", "v".repeat(60_000));
    fixture.input = BytesMut::with_capacity(line.len() + 100);
    fixture.talk(&[&line, "EXISTS first second"]);
    assert!(fixture.input.try_reclaim(60_000), "somebody still holds the bytes of the requests");
}

#[test]
fn a_transaction_over_two_shards_is_one_joint() {
    let mut fixture = Fixture::new("", options());
    assert_eq!(fixture.feed(&["MULTI", "HSET first f 1", "HSET second f 2", "PING", "EXEC"]), 1);
    fixture.deliver();
    let exec = "1) (integer) 1\n2) (integer) 1\n3) PONG";
    assert_eq!(fixture.replies(), ["OK", "QUEUED", "QUEUED", "QUEUED", exec]);
}

#[test]
fn a_watch_and_its_transaction_fit_in_one_burst() {
    let mut fixture = Fixture::new("", options());
    let replies = fixture.talk(&["WATCH first second", "MULTI", "HSET first f 1", "EXEC"]);
    assert_eq!(replies, ["OK", "OK", "QUEUED", "1) (integer) 1"]);
    // What it changes itself counts as well.
    let replies = fixture.talk(&["WATCH first", "HSET first f 2", "MULTI", "PING", "EXEC"]);
    assert_eq!(replies, ["OK", "(integer) 0", "OK", "QUEUED", "(nil)"]);
    assert!(fixture.is_idle());
}

/// What is given up in the burst that began it must not reach a shard first.
#[test]
fn a_watch_that_is_given_up_in_its_own_burst_leaves_nothing_behind() {
    for keys in ["second", "first second"] {
        for ending in [&["UNWATCH"][..], &["MULTI", "DISCARD"], &["MULTI", "NOSUCH", "EXEC"], &["RESET"]] {
            let mut fixture = Fixture::new("", options());
            let watch = format!("WATCH {keys}");
            let mut lines = vec!["EXISTS first second", watch.as_str()];
            lines.extend(ending);
            fixture.talk(&lines);
            assert!(fixture.is_idle(), "{keys}, {ending:?}");
        }
    }
}

#[test]
fn nothing_is_decoded_behind_a_subscription_until_it_is_confirmed() {
    let mut fixture = Fixture::new("", options());
    fixture.feed(&["PING", "SUBSCRIBE a", "GET first", "PING"]);
    fixture.deliver();
    assert_eq!(fixture.replies(), ["PONG", "1) \"subscribe\"\n2) \"a\"\n3) (integer) 1"]);
    let replies = fixture.talk(&[]);
    assert!(replies[0].starts_with("(error) ERR Can't execute 'get'"), "{replies:?}");
    assert_eq!(replies[1], "1) \"pong\"\n2) \"\"");
}

#[test]
fn messages_stand_between_the_replies_as_they_came() {
    let mut fixture = Fixture::new("", options());
    fixture.talk(&["HELLO 3", "SUBSCRIBE a"]);
    fixture.feed(&["PUBLISH a x", "UNSUBSCRIBE a"]);
    fixture.deliver();
    let message = "1) \"message\"\n2) \"a\"\n3) \"x\"";
    assert_eq!(fixture.replies(), ["(integer) 1", message, "1) \"unsubscribe\"\n2) \"a\"\n3) (integer) 0"]);
}

#[test]
fn a_subscriber_hears_nothing_of_keys_that_expired_before() {
    let mut fixture = Fixture::new("", options());
    fixture.talk(&["HSET first f v"]);
    let keyspace = fixture.shards[0].keyspace_mut().expect("at home");
    let key = b"first";
    let key = Key { bytes: key, hash: KeyHasher::from_seed(3).hash(key) };
    let entry = keyspace.database_mut(0).find(key, NOW).expect("just set");
    keyspace.database_mut(0).set_deadline(entry, Some(UnixMillis(NOW.0 - 1)));
    assert_eq!(fixture.talk(&["HGET first f"]), ["(nil)"]);
    fixture.events.set(EventClasses::parse("KEA").expect("letters"));
    fixture.talk(&["SUBSCRIBE __keyevent@0__:expired"]);
    let moment = Moment { now: NOW, host: &fixture.host, stopwatch: &|| 0 };
    let mut effects = Vec::new();
    fixture.shards[0].reclaim(&moment, &mut effects);
    assert!(effects.is_empty(), "{effects:?}");
}

#[test]
fn after_a_farewell_nothing_is_left() {
    let mut fixture = Fixture::new("", options());
    fixture.talk(&["WATCH first", "SUBSCRIBE a"]);
    assert!(!fixture.is_idle());
    let farewell = fixture.session.farewell();
    fixture.sent.extend(farewell);
    fixture.deliver();
    assert!(fixture.is_idle());
}

#[test]
fn an_invalidation_does_not_overtake_a_reply_that_waits_for_another_shard() {
    let mut fixture = Fixture::new("", options());
    fixture.talk(&["HSET first f old", "HELLO 3", "CLIENT TRACKING ON"]);
    assert_eq!(fixture.feed(&["HGET second f", "HGET first f"]), 2);
    let slow =
        fixture.sent.remove(fixture.sent.iter().position(is_for_second).expect("a batch")).expect("a batch");
    fixture.deliver();
    // The old value has been read and waits; now it changes.
    let keys = Arc::from([Bytes::from_static(b"first")]);
    assert_eq!(fixture.session.push(Push::Invalidate(Some(keys))), None);
    assert!(fixture.replies().is_empty());
    fixture.sent.push_back(slow);
    fixture.deliver();
    assert_eq!(fixture.replies(), ["(nil)", "\"old\"", "1) \"invalidate\"\n2) 1) \"first\""]);
}

fn is_for_second(delivery: &Outgoing) -> bool {
    matches!(delivery, Outgoing::Batch(shard, _) if *shard == ShardId(1))
}
