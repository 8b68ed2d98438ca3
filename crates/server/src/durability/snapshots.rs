//! Which snapshot is under way, which one follows it, and who waits for them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mayfly_command::{Awaited, Begun, Host, SnapshotKind, SnapshotRefusal};

use super::Queue;
use crate::host::ServerHost;
use crate::inbox::ClientAddress;

/// What a waiting client reads.
const SAVED: &str = "+OK\r\n";
const NOT_SAVED: &str = "-ERR\r\n";
const NO_SHUTDOWN: &str = "-ERR Errors trying to SHUTDOWN. Check logs.\r\n";

/// A client that is answered behind a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    /// Who it is.
    pub client: ClientAddress,
    /// What it waits for.
    pub awaited: Awaited,
}

/// The snapshots of a process: one at a time, and at most one that follows.
#[derive(Debug, Default)]
pub struct Snapshots(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    running: Option<SnapshotKind>,
    scheduled: Option<SnapshotKind>,
    /// Who waits for the one under way.
    waiters: Vec<Waiter>,
    /// Who waits for the one that follows.
    later: Vec<Waiter>,
}

impl Snapshots {
    /// Asks for one. Where the answer is `Now` the caller begins it.
    pub fn ask(&self, kind: SnapshotKind, may_wait: bool) -> Result<Begun, SnapshotRefusal> {
        let mut state = self.lock();
        match state.running {
            None => state.running = Some(kind),
            Some(running) if running == kind => return Err(SnapshotRefusal::Running),
            Some(_) if !may_wait => return Err(SnapshotRefusal::OtherRunning),
            Some(_) => {
                state.scheduled = Some(kind);
                return Ok(Begun::Later);
            }
        }
        Ok(Begun::Now)
    }

    /// Asks for one on behalf of a client that waits. A shutdown wants one that begins behind all that was changed
    /// before it was said.
    pub fn ask_for(&self, waiter: Waiter) -> Result<Begun, SnapshotRefusal> {
        let mut state = self.lock();
        match state.running {
            None => {
                state.running = Some(SnapshotKind::Save);
                state.waiters.push(waiter);
                Ok(Begun::Now)
            }
            Some(SnapshotKind::Save) if waiter.awaited == Awaited::Snapshot => Err(SnapshotRefusal::Running),
            Some(_) => {
                state.scheduled = Some(SnapshotKind::Save);
                state.later.push(waiter);
                Ok(Begun::Later)
            }
        }
    }

    /// The one under way is over: who waited for it, and whether the next one is to begin.
    fn end(&self) -> (Vec<Waiter>, bool) {
        let mut state = self.lock();
        state.running = state.scheduled.take();
        let later = std::mem::take(&mut state.later);
        let waiters = std::mem::replace(&mut state.waiters, later);
        (waiters, state.running.is_some())
    }

    /// Takes out who waits to shut down.
    pub fn abort_shutdowns(&self) -> Vec<Waiter> {
        let mut state = self.lock();
        let is_shutdown = |waiter: &mut Waiter| matches!(waiter.awaited, Awaited::Shutdown { .. });
        let mut aborted: Vec<_> = state.waiters.extract_if(.., is_shutdown).collect();
        aborted.extend(state.later.extract_if(.., is_shutdown));
        aborted
    }

    /// The one under way.
    pub fn running(&self) -> Option<SnapshotKind> {
        self.lock().running
    }

    /// The one that follows.
    pub fn scheduled(&self) -> Option<SnapshotKind> {
        self.lock().scheduled
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A snapshot is over: notes that, answers who waited for it, and begins the next one.
pub fn conclude(host: &ServerHost, queue: &Queue, has_succeeded: bool) {
    let kind = queue.snapshots.running().unwrap_or(SnapshotKind::Save);
    queue.measures.snapshot_ended(kind, has_succeeded, host.clock.nanos());
    let (waiters, goes_on) = queue.snapshots.end();
    for Waiter { client, awaited } in waiters {
        match (awaited, has_succeeded) {
            (Awaited::Snapshot, true) => host.answer(client, SAVED),
            (Awaited::Snapshot, false) => host.answer(client, NOT_SAVED),
            (Awaited::Shutdown { is_forced: false }, false) => host.answer(client, NO_SHUTDOWN),
            (Awaited::Shutdown { .. }, _) => {
                // No reply: the closed connection is the answer.
                host.answer(client, "");
                host.shutdown();
            }
        }
    }
    if goes_on {
        host.ask_for_snapshot();
    }
}

/// Takes back every shutdown that waits for its snapshot; whether there was one.
pub fn abort_shutdown(host: &ServerHost, queue: &Queue) -> bool {
    let aborted = queue.snapshots.abort_shutdowns();
    aborted.iter().for_each(|waiter| host.answer(waiter.client, NO_SHUTDOWN));
    !aborted.is_empty()
}

#[cfg(test)]
mod tests {
    use mayfly_command::ShardId;

    use super::*;

    fn waiter(client: u64, awaited: Awaited) -> Waiter {
        Waiter { client: ClientAddress { thread: ShardId(0), client }, awaited }
    }

    fn numbers(waiters: &[Waiter]) -> Vec<u64> {
        waiters.iter().map(|waiter| waiter.client.client).collect()
    }

    #[test]
    fn one_of_a_kind_is_refused_and_one_of_the_other_follows_if_it_may_wait() {
        let snapshots = Snapshots::default();
        assert_eq!(snapshots.ask(SnapshotKind::Rewrite, false), Ok(Begun::Now));
        assert_eq!(snapshots.ask(SnapshotKind::Rewrite, true), Err(SnapshotRefusal::Running));
        assert_eq!(snapshots.ask(SnapshotKind::Save, false), Err(SnapshotRefusal::OtherRunning));
        assert_eq!(snapshots.ask(SnapshotKind::Save, true), Ok(Begun::Later));
        assert_eq!(snapshots.scheduled(), Some(SnapshotKind::Save));
        assert!(snapshots.end().1);
        assert_eq!((snapshots.running(), snapshots.scheduled()), (Some(SnapshotKind::Save), None));
        assert!(!snapshots.end().1);
        assert_eq!(snapshots.running(), None);
    }

    #[test]
    fn who_waits_is_answered_behind_a_snapshot_that_began_behind_the_question() {
        let snapshots = Snapshots::default();
        let shutdown = Awaited::Shutdown { is_forced: false };
        assert_eq!(snapshots.ask_for(waiter(1, Awaited::Snapshot)), Ok(Begun::Now));
        assert_eq!(snapshots.ask_for(waiter(2, Awaited::Snapshot)), Err(SnapshotRefusal::Running));
        assert_eq!(snapshots.ask_for(waiter(3, shutdown)), Ok(Begun::Later));
        let (waiters, goes_on) = snapshots.end();
        assert_eq!((numbers(&waiters), goes_on), (vec![1], true));
        assert_eq!(numbers(&snapshots.end().0), [3]);
        assert_eq!(snapshots.ask(SnapshotKind::Rewrite, false), Ok(Begun::Now));
        assert_eq!(snapshots.ask_for(waiter(4, Awaited::Snapshot)), Ok(Begun::Later));
    }

    #[test]
    fn a_shutdown_that_waits_can_be_taken_back() {
        let snapshots = Snapshots::default();
        let _ = snapshots.ask_for(waiter(1, Awaited::Snapshot));
        let _ = snapshots.ask_for(waiter(2, Awaited::Shutdown { is_forced: true }));
        assert_eq!(numbers(&snapshots.abort_shutdowns()), [2]);
        assert_eq!(numbers(&snapshots.abort_shutdowns()), [0_u64; 0]);
        assert_eq!(numbers(&snapshots.end().0), [1]);
    }
}
