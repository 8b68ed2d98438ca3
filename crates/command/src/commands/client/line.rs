//! One client as one line, as `CLIENT INFO` and `CLIENT LIST` show it: Redis' fields in Redis' order.
//!
//! Replies wait in one buffer, which `obl` and `omem` both tell; what Mayfly does not have is zero.

use std::sync::atomic::Ordering::Relaxed;

use mayfly_store::UnixMillis;

use crate::client::{ClientCard, TrackingMarks};
use crate::table::{Command, CommandId, Table};

/// The line of a client at `now`, with its newline. `running` is the command it is in, where that is known
/// better than by its card.
pub fn line(card: &ClientCard, now: UnixMillis, running: Option<&str>) -> String {
    let seconds_since = |then: i64| (now.0 - then).max(0) / 1_000;
    let idle = if running.is_some() { 0 } else { seconds_since(card.active_at.load(Relaxed)) };
    let last_command = || Table::get().by_id(CommandId(card.last_command.load(Relaxed)));
    let command = running.or_else(|| last_command().map(Command::full_name)).unwrap_or("NULL");
    let input_waiting = card.input_waiting_bytes.load(Relaxed);
    let output_waiting = card.output_waiting_bytes.load(Relaxed);
    let queued_bytes = card.queued_bytes.load(Relaxed);
    let [channels, patterns, shard_channels] =
        card.subscriptions_by_kind.each_ref().map(|count| count.load(Relaxed));
    let names = card.names().clone();
    format!(
        "id={id} addr={address} laddr={local_address} fd=-1 name={name} age={age} idle={idle} flags={flags} \
         db={database} sub={channels} psub={patterns} ssub={shard_channels} multi={queued} watch={watched} \
         qbuf={input_waiting} qbuf-free=0 argv-mem=0 multi-mem={queued_bytes} rbs=0 rbp=0 obl={output_waiting} \
         oll=0 omem={output_waiting} tot-mem={memory} events={events} cmd={command} \
         user={user} redir={redirect} resp={protocol} lib-name={library} lib-ver={library_version} io-thread=0 \
         tot-net-in={input} tot-net-out={output} tot-cmds={calls}\n",
        id = card.id,
        address = card.address,
        local_address = card.local_address,
        name = String::from_utf8_lossy(&names.name),
        age = seconds_since(card.connected_at),
        flags = flags(card),
        database = card.database.load(Relaxed),
        queued = card.queued.load(Relaxed),
        watched = card.watched_keys.load(Relaxed),
        memory = card.memory_bytes(),
        events = if output_waiting > 0 { "rw" } else { "r" },
        user = String::from_utf8_lossy(&names.user),
        redirect = card.redirect.load(Relaxed),
        protocol = if card.resp3.load(Relaxed) { 3 } else { 2 },
        library = String::from_utf8_lossy(&names.library),
        library_version = String::from_utf8_lossy(&names.library_version),
        input = card.input_bytes.load(Relaxed),
        output = card.output_bytes.load(Relaxed),
        calls = card.calls.load(Relaxed),
    )
}

/// `N` for a client about which there is nothing special to say.
fn flags(card: &ClientCard) -> String {
    let tracking = card.tracking.load(Relaxed);
    let flags = [
        ('O', card.is_monitor.load(Relaxed)),
        ('P', card.subscriptions.load(Relaxed) > 0),
        ('x', card.queued.load(Relaxed) >= 0),
        ('b', card.is_held.load(Relaxed)),
        ('t', tracking & TrackingMarks::ON != 0),
        ('R', tracking & TrackingMarks::BROKEN != 0),
        ('B', tracking & TrackingMarks::BROADCASTS != 0),
        // No TCP client has port 0.
        ('U', card.address.ends_with(":0")),
        ('e', card.no_evict.load(Relaxed)),
        ('T', card.no_touch.load(Relaxed)),
    ];
    let flags: String = flags.iter().filter(|(_, holds)| *holds).map(|(flag, _)| *flag).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}
