//! What a conversation may be in the middle of: a transaction, watched keys, subscriptions.

use std::sync::atomic::Ordering::Relaxed;

use mayfly_command::{Command, Flags, ReplyMode, Run, ShardId, Step, Words};
use mayfly_resp::{Protocol, ReplyWriter};

use super::requests::insert_sorted;
use super::{Session, Surroundings};
use crate::batch::{CallKind, Outgoing};
use crate::counters::ThreadCounters;
use crate::meter::Meter;
use crate::transaction::{Transaction, TransactionLimits};

impl Session {
    /// Whether the command is allowed as the conversation stands; the line that refuses it otherwise.
    #[inline]
    pub(super) fn allow(&self, command: &'static Command) -> Result<&'static Command, String> {
        let restricted = self.subscriptions > 0 && self.client.protocol == Protocol::Resp2;
        if restricted && !is_allowed_to_subscribers(command) {
            return Err(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context",
                command.full_name()
            ));
        }
        let is_alone = || command.spec.flags.has(Flags::NO_MULTI) || command.full_name() == "client|reply";
        if self.transaction.is_some() && is_alone() {
            return Err("ERR Command not allowed inside a transaction".to_owned());
        }
        Ok(command)
    }

    /// Carries out a step of the conversation that needs no data.
    pub(super) fn take_step(
        &mut self,
        step: Step,
        command: &'static Command,
        surroundings: &Surroundings<'_>,
        meter: &mut Meter<'_>,
    ) {
        let queuing = self.transaction.is_some();
        match step {
            Step::Multi if queuing => self.refuse("ERR MULTI calls can not be nested", surroundings.counters),
            Step::Multi => {
                self.transaction = Some(Transaction::default());
                self.reply_ok();
            }
            Step::Exec if !queuing => self.refuse("ERR EXEC without MULTI", surroundings.counters),
            Step::Exec => self.exec(command, surroundings, meter),
            Step::Discard if !queuing => self.refuse("ERR DISCARD without MULTI", surroundings.counters),
            Step::Discard | Step::Unwatch => {
                if step == Step::Discard {
                    self.transaction = None;
                }
                self.unwatch();
                self.reply_ok();
            }
            _ => unreachable!("every other step goes to a shard"),
        }
    }

    pub(super) fn reply_ok(&mut self) {
        ReplyWriter::new(&mut self.local.bytes, self.client.protocol).ok();
        self.answered();
    }

    /// Notes how many channels and patterns the client listens to, here and on its card.
    pub(super) fn count_subscriptions(&mut self, by_kind: [usize; 3]) {
        self.subscriptions = by_kind.iter().sum();
        let card = &self.client.card;
        card.subscriptions.store(self.subscriptions as u64, Relaxed);
        for (count, known) in by_kind.into_iter().zip(&card.subscriptions_by_kind) {
            known.store(count as u64, Relaxed);
        }
    }

    /// Before a request: says whether its reply is wanted.
    #[inline]
    pub(super) fn begin_reply(&mut self) {
        match self.client.reply_mode {
            ReplyMode::On => return,
            ReplyMode::SkipNext => self.client.reply_mode = ReplyMode::Skip,
            ReplyMode::Off | ReplyMode::Skip => {}
        }
        self.lanes.mute(true);
    }

    /// After a request: what was to be skipped is skipped.
    #[inline]
    pub(super) fn end_reply(&mut self) {
        if self.client.reply_mode == ReplyMode::Skip {
            self.client.reply_mode = ReplyMode::On;
            self.lanes.mute(false);
        }
    }

    /// Watches no key any more.
    pub(super) fn unwatch(&mut self) {
        if let Some(flag) = self.watch.take() {
            let watched = std::mem::take(&mut self.watched_shards);
            // A joint that watches may be on its way from a shard before them.
            let is_joint = self.joint.is_some() || self.joint_in_flight;
            let shards = if is_joint { self.router.all().collect() } else { watched };
            self.forgets.push(Outgoing::Unwatch(shards, self.client.card.id, flag));
            self.watched_keys = 0;
        }
    }

    /// After `RESET` nothing is left of the conversation so far.
    pub(super) fn forget_conversation(&mut self, was_tracking: bool) {
        self.transaction = None;
        self.unwatch();
        // `RESET` has taken the tracking away; the shards may still know of it.
        if self.subscriptions > 0 || was_tracking {
            self.count_subscriptions([0; 3]);
            self.is_deaf = true;
            self.forgets.push(Outgoing::Unsubscribe(self.client.card.id));
        }
    }

    /// What kind of call a request to `shards` is; `None` if it was refused.
    #[inline]
    pub(super) fn kind_of(
        &mut self,
        command: &'static Command,
        shards: &[ShardId],
        words: usize,
        counters: &ThreadCounters,
    ) -> Option<CallKind> {
        let Run::Step(Step::Watch) = command.spec.run else {
            self.subscribing |= is_subscribing(command);
            return Some(CallKind::Request);
        };
        if self.transaction.is_some() {
            self.refuse("ERR WATCH inside MULTI is not allowed", counters);
            return None;
        }
        let max = self.options.watched_keys_max;
        if self.watched_keys + words - 1 > max {
            self.refuse(&format!("ERR a client may watch {max} keys at most"), counters);
            return None;
        }
        self.watched_keys += words - 1;
        self.watch.get_or_insert_default();
        for &shard in shards {
            insert_sorted(&mut self.watched_shards, shard);
        }
        // The number of the flag is filled in with the batch.
        Some(CallKind::Watch { flag: 0 })
    }

    pub(super) fn queue(&mut self, command: &'static Command, buffer: &[u8], counters: &ThreadCounters) {
        let words = Words::new(buffer, self.decoder.words());
        let limits = self.options.transaction;
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        if transaction.queue(command, words, limits) {
            ReplyWriter::new(&mut self.local.bytes, self.client.protocol).simple("QUEUED");
            self.answered();
        } else {
            let TransactionLimits { calls_max, bytes_max } = limits;
            let line = format!("ERR transaction too long: at most {calls_max} commands, {bytes_max} bytes");
            self.refuse(&line, counters);
        }
    }
}

/// Whether a request waits for `EXEC` once `MULTI` was said.
pub(super) fn is_queued(command: &'static Command) -> bool {
    let at_once =
        matches!(command.spec.run, Run::Step(Step::Multi | Step::Exec | Step::Discard | Step::Watch));
    !at_once && !matches!(command.full_name(), "quit" | "reset")
}

pub(super) fn is_subscribing(command: &'static Command) -> bool {
    matches!(command.spec.run, Run::Step(Step::Subscribe(_) | Step::Unsubscribe(_)))
}

/// What a subscriber may ask for in RESP2, where replies and messages cannot be told apart.
fn is_allowed_to_subscribers(command: &'static Command) -> bool {
    is_subscribing(command) || matches!(command.full_name(), "ping" | "quit" | "reset")
}
