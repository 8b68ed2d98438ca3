//! `CLIENT TRACKING` as the session sees it: what its client caches, and how it is told of changes.
//!
//! An invalidation must not overtake a reply that was written before the change: the client would forget first and
//! then keep the old value for good. Replies of several shards wait for each other here, so an invalidation waits
//! for all that are under way.

use std::sync::Arc;

use bytes::Bytes;
use mayfly_command::{ClientState, Command, Host, Run, Step, Tracking, TrackingRequest, Words};
use mayfly_resp::{Protocol, ReplyWriter};

use super::Session;
use crate::subscriptions::Push;

/// The channel that carries invalidations for clients of RESP2, as in Redis.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// A push for another client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// The number of that client.
    pub client: u64,
    /// What it is to be sent.
    pub push: Push,
}

impl Session {
    /// Whether `CLIENT CACHING` was said about the next request.
    #[inline]
    pub(super) fn is_caching(&self) -> bool {
        self.client.tracking.as_ref().is_some_and(|tracking| tracking.is_caching)
    }

    /// The request it was said about is over.
    pub(super) fn end_caching(&mut self) {
        if let Some(tracking) = &mut self.client.tracking {
            tracking.is_caching = false;
        }
    }

    /// Carries out the session's part of the request just decoded if it is `CLIENT TRACKING`.
    pub(super) fn change_tracking(
        &mut self,
        command: &'static Command,
        buffer: &[u8],
        host: &dyn Host,
    ) -> Result<(), String> {
        let words = Words::new(buffer, self.decoder.words());
        track(&mut self.client, command, words, host, self.options.tracked_prefixes_max)
    }

    /// Tells the client that keys have changed; or whom to tell instead.
    pub(super) fn invalidate(&mut self, keys: Option<Arc<[Bytes]>>) -> Option<Redirect> {
        let tracking = self.client.tracking.as_ref()?;
        if let Some(client) = tracking.redirect {
            return Some(Redirect { client, push: Push::Redirected(keys) });
        }
        // In RESP2 a message cannot be told from a reply.
        if self.client.protocol == Protocol::Resp3 {
            let mut interjection = self.rooms.pop().unwrap_or_default();
            interjection.lane = self.router.shards() + 2;
            write_invalidation(&mut interjection.bytes, keys.as_deref());
            interjection.ends.push(interjection.bytes.len());
            self.lanes.interject(interjection);
            self.overflowed |= self.lanes.held_bytes() > self.options.output_bytes_max;
        }
        None
    }

    /// Tells the client that keys have changed which another one caches.
    pub(super) fn take_redirected(&mut self, keys: Option<&[Bytes]>) {
        if self.client.protocol == Protocol::Resp3 {
            self.push_at_once(|out, _| write_invalidation(out, keys));
        } else if self.subscriptions > 0 {
            self.push_at_once(|out, protocol| {
                let mut reply = ReplyWriter::new(out, protocol);
                reply.push(3);
                reply.bulk(b"message");
                reply.bulk(CHANNEL);
                write_keys(&mut reply, keys);
            });
        }
    }

    /// The client that was to be told in this one's place has gone.
    pub fn redirect_is_broken(&mut self) {
        let Some(tracking) = &self.client.tracking else { return };
        let (client, was_broken) = (tracking.redirect.unwrap_or(0), tracking.is_broken);
        if !was_broken {
            self.client.set_tracking(Some(Tracking { is_broken: true, ..tracking.clone() }));
        }
        if self.client.protocol == Protocol::Resp3 {
            self.push_at_once(|out, protocol| {
                let mut reply = ReplyWriter::new(out, protocol);
                reply.push(2);
                reply.bulk(b"tracking-redir-broken");
                reply.integer(client as i64);
            });
        }
    }
}

/// Changes how a client's reads are tracked if the request is `CLIENT TRACKING`; the line that refuses it.
pub(super) fn track(
    client: &mut ClientState,
    command: &'static Command,
    words: Words<'_>,
    host: &dyn Host,
    prefixes_max: usize,
) -> Result<(), String> {
    let Run::Step(Step::Track) = command.spec.run else { return Ok(()) };
    let exists = |number| host.clients().iter().any(|card| card.id == number);
    let request = TrackingRequest::parse(words, exists);
    let tracking =
        request.and_then(|request| Tracking::after(client.tracking.as_ref(), &request, prefixes_max));
    client.set_tracking(tracking.map_err(|error| error.line(command.full_name()).into_owned())?);
    Ok(())
}

fn write_invalidation(out: &mut Vec<u8>, keys: Option<&[Bytes]>) {
    let mut reply = ReplyWriter::new(out, Protocol::Resp3);
    reply.push(2);
    reply.bulk(b"invalidate");
    write_keys(&mut reply, keys);
}

fn write_keys(reply: &mut ReplyWriter<'_>, keys: Option<&[Bytes]>) {
    let Some(keys) = keys else {
        return reply.null_array();
    };
    reply.array(keys.len());
    keys.iter().for_each(|key| reply.bulk(key));
}
