//! The short way of a request: one like the request before it, with one key, from a client in no special standing.
//!
//! Nearly every request is of this kind. A client's standing takes a dozen looks; only a request that goes the long
//! way (`requests`) can change it, so it is looked up once a burst and behind each of those.

use mayfly_command::{ReplyMode, Words};
use mayfly_store::UnixMillis;

use super::{Session, Surroundings};
use crate::batch::CallKind;
use crate::meter::Meter;

impl Session {
    /// Whether requests may be decoded, and mean no more than they say: nothing is queued, held, muted, turned
    /// away or shown to others.
    pub(super) fn is_plain(&self, surroundings: &Surroundings<'_>) -> bool {
        let now = UnixMillis(surroundings.now_micros / 1_000);
        self.may_decode()
            && self.client.authenticated
            && self.client.user.is_unrestricted()
            && self.client.reply_mode == ReplyMode::On
            && !self.is_caching()
            && self.subscriptions == 0
            && self.transaction.is_none()
            && self.joint.is_none()
            && !self.is_monitored(surroundings)
            && surroundings.pauses.get(now).is_none()
            && surroundings.door.is_open()
    }

    /// Takes the request just decoded, if it is of this kind, from a plain client.
    #[inline]
    pub(super) fn take_plain(&mut self, buffer: &[u8], meter: &mut Meter<'_>) -> bool {
        // What is like the request before it is the same command, and has its arity.
        let (true, Some((_, command))) = (self.decoder.is_alike(), &self.last_command) else { return false };
        // A command with one key is one on data.
        let Some(key_word) = command.single_key else { return false };
        let words = Words::new(buffer, self.decoder.words());
        // The arity ensures the key.
        let key = self.router.key(words.at(key_word as usize));
        let shard = self.router.shard_of(key);
        let call = self.call(command, CallKind::Request, key_word, key.hash);
        meter.stop();
        self.add_to_shard(shard, call);
        true
    }
}
