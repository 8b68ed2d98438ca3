//! What the client's user may do. One who may do everything costs a look at a flag.

use mayfly_acl::{Access, Denial};
use mayfly_command::{Command, Host, Words, check, note_denial};
use mayfly_store::UnixMillis;

use super::{Session, Surroundings};
use crate::batch::Outgoing;

impl Session {
    /// Whether users have changed since it has looked.
    #[inline]
    pub(super) fn is_behind(&self, host: &dyn Host) -> bool {
        self.users_seen != host.access().generation()
    }

    /// Looks what has become of the client's user. If it was removed, the conversation ends; if channels were taken
    /// from it, what the client listens to is to be looked at.
    #[cold]
    pub fn look_up_user(&mut self, access: &Access) -> Option<Outgoing> {
        // Before the user: one that changes in between is looked up again.
        self.users_seen = access.generation();
        let Some(user) = access.now(&self.client.user) else {
            self.client.closing = true;
            return None;
        };
        let before = std::mem::replace(&mut self.client.user, user);
        // A joint under way may be one that subscribes.
        let may_listen = self.subscriptions > 0 || self.joint_in_flight || self.joint.is_some();
        let has_lost = may_listen && !self.client.user.has_channels_of(&before);
        has_lost.then(|| Outgoing::Audit(self.client.card.id, self.client.user.clone()))
    }

    /// Lets a request through that the user may make; notes what is denied, and says the line that refuses it.
    #[inline]
    pub(super) fn permit(
        &mut self,
        command: &'static Command,
        buffer: &[u8],
        surroundings: &Surroundings<'_>,
    ) -> Result<(), String> {
        if self.client.user.is_unrestricted() {
            return Ok(());
        }
        self.check(command, buffer).map_err(|denial| {
            let words = Words::new(buffer, self.decoder.words());
            self.client.is_in_transaction = self.transaction.is_some();
            self.note_denial(denial, (command, words), surroundings);
            self.client.is_in_transaction = false;
            denial.line(self.client.user.name(), command.full_name())
        })
    }

    /// Whether the user may make the request just decoded.
    #[cold]
    pub(super) fn check(&self, command: &'static Command, buffer: &[u8]) -> Result<(), Denial> {
        check(&self.client.user, command, Words::new(buffer, self.decoder.words()))
    }

    /// Lets a queued request through that the user may still make.
    pub(super) fn permit_at_exec(
        &self,
        command: &'static Command,
        words: Words<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Result<(), String> {
        if self.client.user.is_unrestricted() {
            return Ok(());
        }
        check(&self.client.user, command, words).map_err(|denial| {
            self.note_denial(denial, (command, words), surroundings);
            denial.line_at_exec()
        })
    }

    fn note_denial(
        &self,
        denial: Denial,
        request: (&'static Command, Words<'_>),
        surroundings: &Surroundings<'_>,
    ) {
        let now = UnixMillis(surroundings.now_micros / 1_000);
        note_denial(&self.client, surroundings.host, now, denial, request);
    }
}
