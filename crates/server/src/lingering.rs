//! The last moments of a socket whose client was answered for the last time.
//!
//! Closing a socket over input that nobody has read resets the connection, and a reset takes away from the client
//! what it has not read yet: the reply to `QUIT`, or what was wrong with its request. So only the sending side is
//! shut down at first, and what still comes in is discarded, until the client closes its side or has had its time.

use std::future::poll_fn;
use std::time::Duration;

use bytes::BytesMut;

use crate::socket::ClientSocket;

/// How long a client may take to close its side.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// How many bytes of it are discarded meanwhile.
const LINGER_BYTES_MAX: usize = 16 << 20;

/// How many sockets of a thread may linger; more are closed at once.
pub const LINGERING_MAX: usize = 64;

/// Reads at once.
const PIECE_BYTES: usize = 16 << 10;

/// Discards what comes in, within the limits.
pub async fn linger(mut socket: ClientSocket) {
    let discard = async {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        let mut discarded = 0;
        while let Ok(count @ 1..) = poll_fn(|task| socket.poll_read(task, &mut piece)).await {
            piece.clear();
            discarded += count;
            if discarded > LINGER_BYTES_MAX {
                break;
            }
        }
    };
    // Too late is as good as in time.
    let _ = tokio::time::timeout(LINGER_MAX, discard).await;
}
