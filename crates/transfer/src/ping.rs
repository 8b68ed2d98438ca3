//! Whether a server serves clients: what a container or a script asks.

use std::time::Duration;

use crate::connection::Server;
use crate::{ServerAddress, TransferError};

/// How long the reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the server for a `PONG`.
///
/// # Errors
/// It is not reached, does not let us in, does not answer within three seconds, or answers that it cannot serve now:
/// `LOADING`, `MISCONF`.
pub fn ping(address: &ServerAddress) -> Result<(), TransferError> {
    let mut server = Server::connect(address)?;
    server.wait_for_replies_at_most(REPLY_TIMEOUT)?;
    server.ask(&redis::cmd("PING")).map(|_| ())
}
