//! `CLIENT TRACKING`: what a client caches of the data, and which changes it is told of.
//!
//! Here: the words of the command and what a session keeps of them. Which keys were read by whom is kept by the
//! shards (`mayfly_engine`); what the messages look like, too.

use std::collections::BTreeSet;

use crate::error::{CommandError, shown};
use crate::number;
use crate::spec::Flags;
use crate::table::Command;
use crate::words::{Words, is};

const NO_SUCH_CLIENT: CommandError =
    CommandError::fixed("ERR The client ID you want redirect to does not exist");
const REDIRECTED_TWICE: CommandError =
    CommandError::fixed("ERR A client can only redirect to a single other client");
const PREFIX_WITHOUT_BCAST: CommandError =
    CommandError::fixed("ERR PREFIX option requires BCAST mode to be enabled");
const OTHER_BCAST: CommandError = CommandError::fixed(
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it \
     with a different mode.",
);
const BOTH_OPTIONS: CommandError =
    CommandError::fixed("ERR You can't specify both OPTIN mode and OPTOUT mode");
const OPTIONS_IN_BCAST: CommandError =
    CommandError::fixed("ERR OPTIN and OPTOUT are not compatible with BCAST");
const OTHER_OPTION: CommandError = CommandError::fixed(
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it \
     with a different mode.",
);
const NO_OPTION: CommandError = CommandError::fixed(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);
const YES_WITHOUT_OPTIN: CommandError =
    CommandError::fixed("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
const NO_WITHOUT_OPTOUT: CommandError =
    CommandError::fixed("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");

/// The words of one `CLIENT TRACKING`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TrackingRequest<'a> {
    /// `ON` or `OFF`.
    pub is_on: bool,
    /// `REDIRECT`: the client that gets the messages.
    pub redirect: Option<u64>,
    /// `BCAST`: tells of every key with one of the prefixes, read before or not.
    pub broadcasts: bool,
    /// `OPTIN`: remembers only the reads behind `CLIENT CACHING YES`.
    pub opts_in: bool,
    /// `OPTOUT`: remembers all but the reads behind `CLIENT CACHING NO`.
    pub opts_out: bool,
    /// `NOLOOP`: tells nothing of what the client has changed itself.
    pub no_loop: bool,
    /// `PREFIX`, as often as given.
    pub prefixes: Vec<&'a [u8]>,
}

impl<'a> TrackingRequest<'a> {
    /// Reads the words. `exists` says whether a client of that number is connected.
    ///
    /// # Errors
    /// As Redis answers them, in its order: what is wrong with the words themselves.
    pub fn parse(words: Words<'a>, exists: impl Fn(u64) -> bool) -> Result<Self, CommandError> {
        let mut request = TrackingRequest::default();
        let mut at = 3;
        while at < words.len() {
            let value = words.get(at + 1);
            match (words.at(at), value) {
                (option, Some(client)) if is(option, "redirect") => {
                    if request.redirect.is_some() {
                        return Err(REDIRECTED_TWICE);
                    }
                    let client = number::integer(client).ok_or(CommandError::NotAnInteger)?;
                    let client = u64::try_from(client).ok().filter(|client| exists(*client));
                    request.redirect = Some(client.ok_or(NO_SUCH_CLIENT)?);
                    at += 1;
                }
                (option, Some(prefix)) if is(option, "prefix") => {
                    request.prefixes.push(prefix);
                    at += 1;
                }
                (option, _) if is(option, "bcast") => request.broadcasts = true,
                (option, _) if is(option, "optin") => request.opts_in = true,
                (option, _) if is(option, "optout") => request.opts_out = true,
                (option, _) if is(option, "noloop") => request.no_loop = true,
                _ => return Err(CommandError::Syntax),
            }
            at += 1;
        }
        request.is_on = match words.at(2) {
            word if is(word, "on") => true,
            word if is(word, "off") => false,
            _ => return Err(CommandError::Syntax),
        };
        Ok(request)
    }

    /// The prefixes that it adds: in broadcasts without one, that of every key.
    pub fn added_prefixes(&self) -> Vec<&'a [u8]> {
        match (self.broadcasts, self.prefixes.is_empty()) {
            (false, _) => Vec::new(),
            (true, true) => vec![b""],
            (true, false) => self.prefixes.clone(),
        }
    }
}

/// How a client's reads are tracked, as its session keeps it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Tracking {
    /// The client that gets the messages, if not this one.
    pub redirect: Option<u64>,
    /// That client has gone.
    pub is_broken: bool,
    /// Tells of every key with one of the prefixes.
    pub broadcasts: bool,
    /// Remembers only what it is told to.
    pub opts_in: bool,
    /// Remembers all but what it is told not to.
    pub opts_out: bool,
    /// Tells nothing of what the client has changed itself.
    pub no_loop: bool,
    /// Of broadcasts.
    pub prefixes: BTreeSet<Vec<u8>>,
    /// `CLIENT CACHING` was said about the next request.
    pub is_caching: bool,
}

impl Tracking {
    /// What is to hold after `request`, if `now` holds before it; `None`: no tracking.
    ///
    /// # Errors
    /// As Redis answers them: options that contradict each other or what holds now, more than `prefixes_max`.
    pub fn after(
        now: Option<&Tracking>,
        request: &TrackingRequest<'_>,
        prefixes_max: usize,
    ) -> Result<Option<Tracking>, CommandError> {
        if !request.is_on {
            return Ok(None);
        }
        if !request.broadcasts && !request.prefixes.is_empty() {
            return Err(PREFIX_WITHOUT_BCAST);
        }
        if now.is_some_and(|now| now.broadcasts != request.broadcasts) {
            return Err(OTHER_BCAST);
        }
        if request.opts_in && request.opts_out {
            return Err(BOTH_OPTIONS);
        }
        if request.broadcasts && (request.opts_in || request.opts_out) {
            return Err(OPTIONS_IN_BCAST);
        }
        if now.is_some_and(|now| now.opts_in && request.opts_out || now.opts_out && request.opts_in) {
            return Err(OTHER_OPTION);
        }
        let mut prefixes = now.map(|now| now.prefixes.clone()).unwrap_or_default();
        check_overlaps(&prefixes, &request.prefixes)?;
        prefixes.extend(request.added_prefixes().into_iter().map(<[u8]>::to_vec));
        if prefixes.len() > prefixes_max {
            return Err(CommandError::text(format!(
                "ERR a client may track {prefixes_max} prefixes at most"
            )));
        }
        Ok(Some(Tracking {
            redirect: request.redirect,
            is_broken: false,
            broadcasts: request.broadcasts,
            opts_in: request.opts_in,
            opts_out: request.opts_out,
            no_loop: request.no_loop,
            prefixes,
            is_caching: false,
        }))
    }

    /// `CLIENT CACHING`, about the next request.
    ///
    /// # Errors
    /// Tracking is not such that the next request could be an exception.
    pub fn set_caching(tracking: Option<&mut Tracking>, word: &[u8]) -> Result<(), CommandError> {
        let tracking = tracking.filter(|tracking| tracking.opts_in || tracking.opts_out).ok_or(NO_OPTION)?;
        match word {
            word if is(word, "yes") && !tracking.opts_in => return Err(YES_WITHOUT_OPTIN),
            word if is(word, "no") && !tracking.opts_out => return Err(NO_WITHOUT_OPTOUT),
            word if is(word, "yes") || is(word, "no") => tracking.is_caching = true,
            _ => return Err(CommandError::Syntax),
        }
        Ok(())
    }

    /// Whether the keys that a request of this command reads are to be remembered.
    #[inline]
    pub fn remembers(&self, command: &Command) -> bool {
        let is_wanted = match (self.opts_in, self.opts_out) {
            (true, _) => self.is_caching,
            (_, true) => !self.is_caching,
            _ => !self.broadcasts,
        };
        is_wanted && command.spec.flags.has(Flags::READONLY)
    }
}

/// Every key must have one prefix of a client at most, or the client would be told twice.
fn check_overlaps(existing: &BTreeSet<Vec<u8>>, provided: &[&[u8]]) -> Result<(), CommandError> {
    let overlaps = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    let line = |prefix: &[u8], with: &str, other: &[u8]| {
        CommandError::text(format!(
            "ERR Prefix '{}' overlaps with {with} prefix '{}'. Prefixes for a single client must not overlap.",
            shown(prefix, usize::MAX),
            shown(other, usize::MAX)
        ))
    };
    for (at, prefix) in provided.iter().enumerate() {
        if let Some(other) = existing.iter().find(|other| overlaps(prefix, other)) {
            return Err(line(prefix, "an existing", other));
        }
        if let Some(other) = provided[at + 1..].iter().find(|other| overlaps(prefix, other)) {
            return Err(line(prefix, "another provided", other));
        }
    }
    Ok(())
}
