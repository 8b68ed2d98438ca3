//! A bug ends the process, loudly: a half-changed shard must not live on, and nobody restarts a part of it.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;

/// Makes every panic, on whatever thread, one line in the log and the end of the process. To be called once.
pub fn end_process_on_panic() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let message = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        // Captured only where RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        tracing::error!(place, message, %backtrace, "a bug: the process ends");
        std::process::abort();
    }));
}
