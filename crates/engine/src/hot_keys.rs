//! Looks at one call in so many to find hot keys: what [`mayfly_store::Sampling`] asks for.
//!
//! A call counts for the key that it is routed by, which is its first; calls without a key count for none.

use mayfly_store::{Key, Sampling};

use crate::batch::{Batch, Call, CallKind, Replies};
use crate::runner::{Hand, Runner};

impl<A: Clone> Runner<'_, '_, A> {
    /// Runs one call, and looks at it if its turn has come.
    #[inline(always)]
    pub(crate) fn call_or_sample(
        &mut self,
        batch: &Batch,
        call: &Call,
        hand: &mut Hand<'_, A>,
        replies: &mut Replies,
    ) {
        let is_sampled = match hand {
            Hand::One(keyspace, _) => keyspace.sampling_mut().tick(),
            Hand::Many(..) => self.sampling_of(batch, call, hand).is_some_and(Sampling::tick),
        };
        if is_sampled {
            return self.sampled_call(batch, call, hand, replies);
        }
        self.call(batch, call, hand, replies);
    }

    #[cold]
    #[inline(never)]
    fn sampled_call(&mut self, batch: &Batch, call: &Call, hand: &mut Hand<'_, A>, replies: &mut Replies) {
        self.call(batch, call, hand, replies);
        let (key, now) = (routed_key(batch, call), self.moment.now);
        let Some(sampling) = self.sampling_of(batch, call, hand) else { return };
        if let Some(key) = key {
            sampling.note(call.database, key, now);
        }
        sampling.begin_gap();
    }

    /// Who samples the calls of the shard that a call is routed to; `None` if it could be any of several.
    #[inline(never)]
    fn sampling_of<'h>(
        &self,
        batch: &Batch,
        call: &Call,
        hand: &'h mut Hand<'_, A>,
    ) -> Option<&'h mut Sampling> {
        match hand {
            Hand::One(keyspace, _) => Some(keyspace.sampling_mut()),
            Hand::Many(keyspaces, _) => {
                let shard = self.router.shard_of(routed_key(batch, call)?);
                Some(keyspaces.get_mut(shard.index())?.as_mut()?.sampling_mut())
            }
        }
    }
}

fn routed_key<'b>(batch: &'b Batch, call: &Call) -> Option<Key<'b>> {
    let has_key = call.key_word != 0 && call.kind != CallKind::Reply;
    has_key.then(|| Key { bytes: batch.words_of(call).at(call.key_word as usize), hash: call.key_hash })
}
