//! A shard's part in a snapshot: slices of its keys between its batches, with rests.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mayfly_engine::{Slice, SnapshotCursor};

use super::queue::Order;
use crate::thread::Thread;

/// Bytes of a slice: about 100 µs of the shard's time.
const SLICE_BYTES_MAX: usize = 64 << 10;
/// The time between two slices, which is the clients'.
const REST: Duration = Duration::from_millis(1);

/// Asks the disk's thread to begin a snapshot; looks again while the keyspace, which knows what is to be said with it, is
/// away.
pub async fn ask(thread: Rc<Thread>) {
    let Some(queue) = thread.host.queue.as_ref().map(Arc::clone) else { return };
    loop {
        if let Some(swaps) = thread.with_shard(|shard| shard.swaps()) {
            queue.order(Order::Begin(swaps));
            return;
        }
        tokio::time::sleep(REST).await;
    }
}

/// Hands out all keys of this thread's shard.
pub async fn hand_out(thread: Rc<Thread>, generation: u64, swaps: u64) {
    let Some(queue) = thread.host.queue.as_ref().map(Arc::clone) else { return };
    let mut cursor = SnapshotCursor::new(swaps);
    loop {
        let now = thread.host.clock.now();
        let slice = thread.with_shard(|shard| shard.snapshot_slice(&mut cursor, SLICE_BYTES_MAX, now));
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
        tokio::time::sleep(REST).await;
        while !queue.has_room_for_slices() {
            tokio::time::sleep(REST).await;
        }
    }
}
