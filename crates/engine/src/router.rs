//! Where a request goes: from a command and its words to one shard or several.

use mayfly_command::cursor::Cursor;
use mayfly_command::{Command, Router, Run, ShardId, Step, Words};

/// The way of one request.
pub enum Route {
    /// Answered by the session itself.
    Session,
    /// To one shard; the key it was routed by stands at `key_word` (0: none) and hashes to `key_hash`.
    Shard { shard: ShardId, key_word: u32, key_hash: u64 },
    /// To several shards, which act as one; ascending.
    Shards(Vec<ShardId>),
}

/// Routes a request whose arity has been checked.
#[inline]
pub fn route(command: &'static Command, words: Words<'_>, router: &Router) -> Route {
    match command.spec.run {
        Run::Session(_) | Run::Container(_) => Route::Session,
        Run::Keys(_) => by_keys(command, words, router),
        Run::AllShards(_) if router.shards() == 1 => to_shard(ShardId(0)),
        Run::AllShards(_) => Route::Shards(router.all().collect()),
        Run::Cursor(_) => to_shard(Cursor::shard_of(words.at(1), router)),
        Run::Step(step) => by_step(step, command, words, router),
    }
}

fn by_step(step: Step, command: &'static Command, words: Words<'_>, router: &Router) -> Route {
    match step {
        Step::Multi | Step::Exec | Step::Discard | Step::Unwatch => Route::Session,
        Step::Watch => by_keys(command, words, router),
        // Every shard has all subscriptions, so that none has to ask another. With one shard it is a joint, too:
        // its confirmation then comes by message, as what was published before does.
        Step::Subscribe(_) | Step::Unsubscribe(_) | Step::Track => Route::Shards(router.all().collect()),
        // The messages of one channel have one order.
        Step::Publish(_) => to_shard(router.shard_of(router.key(words.at(1)))),
        Step::ListChannels(_) | Step::CountListeners(_) | Step::CountPatterns => to_shard(ShardId(0)),
    }
}

fn to_shard(shard: ShardId) -> Route {
    Route::Shard { shard, key_word: 0, key_hash: 0 }
}

#[inline]
fn by_keys(command: &'static Command, words: Words<'_>, router: &Router) -> Route {
    match command.single_key {
        Some(position) if (position as usize) < words.len() => {
            let key = router.key(words.at(position as usize));
            Route::Shard { shard: router.shard_of(key), key_word: position, key_hash: key.hash }
        }
        _ => by_several_keys(command, words, router),
    }
}

fn by_several_keys(command: &'static Command, words: Words<'_>, router: &Router) -> Route {
    let mut positions = command.spec.key_positions(words.len());
    // The arity of every command with keys ensures one; a sweep test over the table holds that.
    let Some(first) = positions.next() else {
        return to_shard(ShardId(0));
    };
    let key = router.key(words.at(first));
    let shard = router.shard_of(key);
    let mut others: Vec<ShardId> = positions
        .map(|position| router.shard_of(router.key(words.at(position))))
        .filter(|&other| other != shard)
        .collect();
    if others.is_empty() {
        return Route::Shard { shard, key_word: first as u32, key_hash: key.hash };
    }
    others.push(shard);
    others.sort_unstable();
    others.dedup();
    Route::Shards(others)
}
