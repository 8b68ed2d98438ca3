//! The process: actors, listener, clock, metrics, config, shutdown.
