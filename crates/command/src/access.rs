//! What users may do with commands: which words of a request are keys and channels, and how a denial is noted.

use std::sync::LazyLock;

use mayfly_acl::{
    Access, Catalogue, ChannelUse, CommandEntry, Denial, KeyUse, LogContext, LogEntry, LogReason, Request,
    User, Users,
};

use crate::client::ClientState;
use crate::commands::client_line;
use crate::documentation::categories;
use crate::host::Host;
use crate::spec::{ChannelKind, Flags, Run, Step};
use crate::table::{Command, Table};
use crate::words::Words;
use mayfly_store::UnixMillis;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let entry = |command: &&'static Command| CommandEntry {
        full_name: command.full_name().to_owned(),
        categories: categories(command),
        needs_no_rights: command.spec.flags.has(Flags::NO_AUTH),
    };
    Catalogue::new(Table::get().all().iter().map(entry).collect())
});

/// The commands that rules are about, under their numbers in the table.
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

static OPEN: LazyLock<Access> = LazyLock::new(|| Access::new(Users::default(), catalogue()));

/// The access of a process in which everybody may do everything, for those that know no users.
pub fn open_access() -> &'static Access {
    &OPEN
}

/// Whether a user may make a request.
///
/// # Errors
/// What is denied.
pub fn check(user: &User, command: &'static Command, words: Words<'_>) -> Result<(), Denial> {
    let keys = command.spec.keys.iter().flat_map(move |keys| {
        let access = keys.rights();
        keys.positions(words.len()).map(move |position| KeyUse { key: words.at(position), access, position })
    });
    let (count, is_pattern) = match command.spec.run {
        Run::Step(Step::Subscribe(kind)) => (words.len(), kind == ChannelKind::Pattern),
        Run::Step(Step::Publish(_)) => (2, false),
        _ => (0, false),
    };
    let channels = (1..count.max(1)).map(move |position| ChannelUse {
        channel: words.at(position),
        is_pattern,
        position,
    });
    let first = if command.full_name().contains('|') { 2 } else { 1 };
    let request = Request { command: command.id.index(), first_argument: words.get(first), keys, channels };
    user.check(&request, catalogue())
}

/// Counts and notes what a client was denied.
pub fn note_denial(
    client: &ClientState,
    host: &dyn Host,
    now: UnixMillis,
    denial: Denial,
    (command, words): (&'static Command, Words<'_>),
) {
    let object = match denial {
        Denial::Command => command.full_name().as_bytes(),
        Denial::Key(position) | Denial::Channel(position) => words.at(position),
    };
    let entry = LogEntry::new(denial.into(), client.log_context(), object, client.user.name(), now.0);
    host.access().note(entry.by(&client_line(&client.card, now, Some(command.full_name()))));
}

/// Counts and notes that a client could not log in as a user. `word` is the command that tried.
pub(crate) fn note_failed_login(
    client: &ClientState,
    host: &dyn Host,
    now: UnixMillis,
    word: &[u8],
    user: &[u8],
) {
    let entry = LogEntry::new(LogReason::Auth, client.log_context(), word, user, now.0);
    let name = String::from_utf8_lossy(word).to_ascii_lowercase();
    host.access().note(entry.by(&client_line(&client.card, now, Some(&name))));
}

impl ClientState {
    /// Where its requests are asked for, as the log names it.
    fn log_context(&self) -> LogContext {
        if self.is_in_transaction { LogContext::Multi } else { LogContext::TopLevel }
    }
}
