//! Looks which calls take long, and brings those to `SLOWLOG` and `LATENCY`.

use mayfly_command::{Command, Host, Measured, Words, secret_words};
use mayfly_store::UnixMillis;

use crate::batch::{Batch, Call, CallKind, Replies};
use crate::runner::{Hand, Runner};
use crate::shard::Moment;

/// A call with more words may take long even if its command is fast by nature: `HSET` of many fields.
const SHORT_WORDS_MAX: u32 = 16;

impl<A: Clone> Runner<'_, '_, A> {
    /// Runs at least `wanted` of the calls, and looks which of them are slow; how many it ran. What may take long by
    /// its nature is measured alone, what may not together with its neighbours.
    pub(crate) fn run_measured(
        &mut self,
        batch: &Batch,
        calls: &[Call],
        wanted: usize,
        hand: &mut Hand<'_, A>,
        replies: &mut Replies,
    ) -> usize {
        let (mut done, mut measured) = (0, 0);
        while done < wanted {
            let call = &calls[done];
            let is_alone = call.word_count > SHORT_WORDS_MAX || self.precision.is_alone(call.command);
            if is_alone && measured < done {
                self.measure(batch, &calls[measured..done]);
                measured = done;
            }
            done += match self.keeper {
                None => self.step(batch, &calls[done..], hand, replies),
                Some(keeper) => self.step_within(keeper, batch, &calls[done..], hand, replies),
            };
            if is_alone || done - measured >= self.precision.together_max as usize {
                self.measure(batch, &calls[measured..done]);
                measured = done;
            }
        }
        if measured < done {
            self.measure(batch, &calls[measured..done]);
        }
        done
    }

    /// Measures calls that just ended, and brings the one that most likely took long if they did.
    #[inline]
    pub(crate) fn measure(&mut self, batch: &Batch, calls: &[Call]) {
        let nanos = self.meter.lap();
        if nanos >= self.precision.slow_nanos {
            report(self.moment, batch, calls, nanos);
        }
    }
}

/// Brings calls of a batch that took so long together. Of several, which one it was is not known: the one with the most
/// bytes stands for them, and says how many they are. A transaction stands for itself, without its calls.
#[cold]
fn report(moment: &Moment<'_>, batch: &Batch, calls: &[Call], nanos: u64) {
    let calls = match calls.first() {
        Some(Call { kind: CallKind::Transaction { .. }, .. }) => &calls[..1],
        _ => calls,
    };
    let measured = || calls.iter().filter(|call| call.kind != CallKind::Reply);
    let bytes = |call: &&Call| batch.words_of(call).from(0).map(<[u8]>::len).sum::<usize>();
    let Some(call) = measured().max_by_key(bytes) else { return };
    let (words, together) = (batch.words_of(call), measured().count());
    report_call(moment.host, call.command, words, batch.client, together, nanos, moment.now);
}

/// Brings one call.
#[cold]
pub(crate) fn report_call(
    host: &dyn Host,
    command: &'static Command,
    words: Words<'_>,
    client: u64,
    together: usize,
    nanos: u64,
    now: UnixMillis,
) {
    let secret = secret_words(command, words, host);
    let measured = Measured { command, words, together, nanos, now, client: host.client(client) };
    host.diagnostics().called(&measured, &secret);
}
