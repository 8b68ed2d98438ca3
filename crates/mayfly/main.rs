//! The `mayfly` binary: flags, config, run, exit code.

fn main() {}
