//! Calls that took long, on their way to `SLOWLOG` and `LATENCY`. Only ever slow ones come here.

use mayfly_command::{Command, Host, Measured, Words, secret_words};
use mayfly_store::UnixMillis;

use crate::batch::{Batch, Call, CallKind};
use crate::shard::Moment;

/// Brings calls of a batch that took so long together. Of several, which one it was is not known: the one with the most
/// bytes stands for them, and says how many they are. A transaction stands for itself, without its calls.
#[cold]
pub(crate) fn report(moment: &Moment<'_>, batch: &Batch, calls: &[Call], nanos: u64) {
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
