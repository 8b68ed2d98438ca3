//! A shard's part in a snapshot: slices of its keys between its batches, with rests.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mayfly_engine::{Slice, SnapshotCursor};

use super::queue::Order;
use crate::thread::Thread;

/// How often what is to be waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Asks the disk's thread to begin a snapshot; looks again while the keyspace, which knows what is to be said with it, is
/// away.
pub async fn ask(thread: Rc<Thread>) {
    let Some(queue) = thread.host.queue.as_ref().map(Arc::clone) else { return };
    loop {
        if let Some(swaps) = thread.with_shard(|shard| shard.swaps()) {
            queue.order(Order::Begin(swaps));
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Hands out all keys of this thread's shard.
pub async fn hand_out(thread: Rc<Thread>, generation: u64, swaps: u64) {
    let Some(queue) = thread.host.queue.as_ref().map(Arc::clone) else { return };
    let mut cursor = SnapshotCursor::new(swaps);
    loop {
        thread.refresh();
        let (bytes_max, rest) = pace(&thread);
        let now = thread.host.clock.now();
        let slice = thread.with_shard(|shard| shard.snapshot_slice(&mut cursor, bytes_max, now));
        match slice {
            Slice::Body(body) => queue.order(Order::Slice(generation, body)),
            Slice::Nothing => {}
            Slice::End => {
                queue.order(Order::End(generation));
                return;
            }
            Slice::Swapped => {
                queue.order(Order::Swapped(generation));
                return;
            }
        }
        match rest.is_zero() {
            true => tokio::task::yield_now().await,
            false => tokio::time::sleep(rest).await,
        }
        while !queue.has_room_for_slices() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Bytes of a slice, and the time behind it that is the clients'.
fn pace(thread: &Thread) -> (usize, Duration) {
    let settings = thread.settings();
    let persistence = &settings.config.persistence;
    (persistence.snapshot_slice_bytes_max, Duration::from_millis(persistence.snapshot_rest_ms))
}
