//! What lies between sessions and shards: messages on their way, and what shards make of them, which is judged.

use mayfly_command::ShardId;
use mayfly_engine::{Batch, CallKind, Effect, Moment, Outgoing, Push, Replies, Work};
use mayfly_store::UnixMillis;

use super::{Checked, Delivery, World, nanos};
use crate::client::{Client, ClientId};
use crate::fault::{Fault, can_swap, strikes, swap_first_two};
use crate::host::SimHost;
use crate::listeners::{Heard, message};

/// A message that sets out.
struct Told {
    to: ClientId,
    push: Push,
    /// Its receiver was known to listen before the batch that the message is about.
    is_certain: bool,
    travels_with_replies: bool,
}

impl World {
    /// Delivers what a session sends off.
    pub(super) fn dispatch(&mut self, id: ClientId, delivery: Outgoing) -> Checked {
        if let Outgoing::Batch(_, batch) | Outgoing::Joint(_, batch) = &delivery {
            if batch.calls.is_empty() {
                return Err(format!("client {id}: a message without a call"));
            }
            if let Some(client) = self.clients.get_mut(&id) {
                client.in_flight += replies_to(batch);
            }
        }
        match delivery {
            Outgoing::Batch(shard, batch) => self.deliver(shard, Work::Batch(batch, id)),
            Outgoing::Joint(shards, batch) => {
                self.joints += 1;
                let first = shards[0];
                self.deliver(first, Work::joint(shards, batch, id, self.laws.shards));
            }
            Outgoing::Unwatch(shards, client, flag) => {
                self.deliver(shards[0], Work::Unwatch(shards, client, flag));
            }
            Outgoing::Unsubscribe(client) => {
                self.oracle.listeners.leave(client);
                self.clients.get_mut(&client).into_iter().for_each(Client::forgive_messages);
                self.deliver(ShardId(0), Work::Unsubscribe(client));
            }
            Outgoing::Audit(..) => return Err(format!("client {id}: no user loses a channel")),
            Outgoing::Monitor { .. } | Outgoing::Monitored(_) => {
                return Err(format!("client {id}: nobody monitors"));
            }
            Outgoing::Await(_) => return Err(format!("client {id}: there is nothing to wait for")),
        }
        Ok(())
    }

    /// Work sets out to a shard, which does it in its turn.
    fn deliver(&mut self, shard: ShardId, work: Work<ClientId>) {
        self.shard_mailboxes[shard.index()].push_back(work);
    }

    pub(super) fn turn_any_shard(&mut self) -> Checked {
        let index = self.random.usize(..self.shards.len());
        let mut left = self.random.usize(1..4).min(self.shard_mailboxes[index].len());
        while left > 0 {
            let mailbox = &mut self.shard_mailboxes[index];
            // Only batches are judged together: what else there is changes what may be expected.
            let batches = mailbox.iter().take_while(|work| matches!(work, Work::Batch(..))).count();
            let works: Vec<_> = mailbox.drain(..batches.clamp(1, left)).collect();
            left -= works.len();
            self.accept(ShardId(index as u16), works)?;
        }
        Ok(())
    }

    /// A shard takes work; its effects are delivered.
    fn accept(&mut self, shard: ShardId, works: Vec<Work<ClientId>>) -> Checked {
        let mut effects = Vec::new();
        let receiver = &mut self.shards[shard.index()];
        with_moment(self.now_micros, &self.host, |moment| receiver.accept_all(works, moment, &mut effects));
        // Whoever judges a reply looks for what is under way.
        let mut about_clients = Vec::new();
        for effect in effects {
            match effect {
                Effect::Pass(to, work) => {
                    if !self.strikes(Fault::LostKeyspace, matches!(work, Work::Return(..))) {
                        self.shard_mailboxes[to.index()].push_back(work);
                    }
                }
                Effect::Record(body) => {
                    if !strikes(&mut self.laws.fault, Fault::LostRecord, self.oracle.calls > 300) {
                        self.disk.append(body);
                    }
                }
                effect => about_clients.push(effect),
            }
        }
        // What comes before the replies to a batch is about that batch.
        let mut pushes = Vec::new();
        for effect in about_clients {
            let Effect::Reply(id, mut replies) = effect else {
                pushes.push(effect);
                continue;
            };
            let told = self.judge(id, &replies, std::mem::take(&mut pushes))?;
            let can_swap = can_swap(&replies) && self.connections.contains_key(&id);
            if self.strikes(Fault::SwappedReplies, can_swap) {
                swap_first_two(&mut replies);
            }
            self.tell(told);
            if let Some(connection) = self.connections.get_mut(&id)
                && !strikes(&mut self.laws.fault, Fault::LostReplies, self.oracle.calls > 300)
            {
                connection.mailbox.push_back(Delivery::Replies(replies));
            }
        }
        if pushes.is_empty() { Ok(()) } else { Err(format!("messages about nothing: {pushes:?}")) }
    }

    /// Messages set out to their clients.
    fn tell(&mut self, told: Vec<Told>) {
        for Told { to, push, is_certain, travels_with_replies } in told {
            // Who sends itself a message may have come and gone as a listener in one batch.
            if (is_certain || (travels_with_replies && !self.oracle.listeners.is_leaving(to)))
                && let Some(client) = self.clients.get_mut(&to)
            {
                client.expect_message(message(&push));
            }
            if !travels_with_replies && let Some(connection) = self.connections.get_mut(&to) {
                connection.mailbox.push_back(Delivery::Push(push));
            }
        }
    }

    /// Judges a batch by its replies and the messages that it gave rise to, which are given back to be sent.
    fn judge(
        &mut self,
        id: ClientId,
        replies: &Replies,
        effects: Vec<Effect<ClientId>>,
    ) -> Checked<Vec<Told>> {
        let mut told = self.told(effects)?;
        let own = replies.own.iter().cloned().map(Push::Message);
        told.extend(own.map(|push| Told { to: id, push, is_certain: false, travels_with_replies: true }));
        if self.have_all_forgotten() {
            self.oracle.listeners.have_left();
        }
        let now = self.now();
        let client = self.clients.get_mut(&id).ok_or("a reply to a client that never was")?;
        self.oracle.was_executed(client, replies, heard(&told), now, self.laws.fault)?;
        if client.is_gone && client.in_flight == 0 {
            self.clients.remove(&id);
        }
        Ok(told)
    }

    fn told(&self, effects: Vec<Effect<ClientId>>) -> Checked<Vec<Told>> {
        let told = effects.into_iter().map(|effect| match effect {
            Effect::Push(to, _, push) => {
                let is_certain = self.oracle.listeners.is_certain(to);
                Ok(Told { to, push, is_certain, travels_with_replies: false })
            }
            _ => Err("other effects than messages".into()),
        });
        told.collect()
    }

    /// Whether no shard has to forget who listened to something.
    fn have_all_forgotten(&self) -> bool {
        let is_forgetting = |work: &Work<ClientId>| matches!(work, Work::Unsubscribe(_));
        self.shards.iter().all(|shard| shard.observers().is_some())
            && !self.shard_mailboxes.iter().flatten().any(is_forgetting)
    }

    pub(super) fn reclaim_any(&mut self) -> Checked {
        let index = self.random.usize(..self.shards.len());
        self.reclaim(index).map(|_| ())
    }

    /// One slice of expiry; whether there is more to do.
    fn reclaim(&mut self, index: usize) -> Checked<bool> {
        let mut effects = Vec::new();
        let shard = &mut self.shards[index];
        let reclaimed =
            with_moment(self.now_micros, &self.host, |moment| shard.reclaim(moment, &mut effects));
        let told = self.told(effects)?;
        self.oracle.was_reclaimed(heard(&told), self.now())?;
        self.tell(told);
        Ok(reclaimed.more)
    }

    pub(super) fn reclaim_all(&mut self) -> Checked {
        let now = self.now();
        for index in 0..self.shards.len() {
            while self.reclaim(index)? {}
            let shard = &self.shards[index];
            if shard.next_reclaim().is_some_and(|next| next <= now) {
                return Err(format!("shard {} has done all it could and is not done", shard.id().0));
            }
            self.oracle.check_reclaimed(shard, &self.router, now)?;
        }
        Ok(())
    }
}

fn with_moment<R>(now_micros: i64, host: &SimHost, work: impl FnOnce(&Moment<'_>) -> R) -> R {
    work(&Moment { now: UnixMillis(now_micros / 1_000), host, stopwatch: &|| nanos(now_micros) })
}

fn heard(told: &[Told]) -> Heard {
    let mut heard = Heard::new();
    for Told { to, push, .. } in told {
        heard.entry(*to).or_default().push_back(message(push));
    }
    heard
}

/// How many replies a batch gets: a transaction gets one.
fn replies_to(batch: &Batch) -> usize {
    let inner = |kind| if let CallKind::Transaction { calls, .. } = kind { calls as usize } else { 0 };
    batch.calls.len() - batch.calls.iter().map(|call| inner(call.kind)).sum::<usize>()
}
