//! `mayfly completions` and `mayfly man`: what is made of the same definitions as `--help`, in `flags.rs`.

use std::process::ExitCode;

use clap_mangen::Man;

use crate::flags::{self, CompletionsFlags, ManFlags};
use crate::{MISCONFIGURED, complain, print};

/// Runs `mayfly completions`.
pub fn completions(flags: &CompletionsFlags) -> ExitCode {
    let (mut command, mut script) = (flags::command(), Vec::new());
    clap_complete::generate(flags.shell, &mut command, "mayfly", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Runs `mayfly man`.
pub fn man(flags: &ManFlags) -> ExitCode {
    // Built, a command knows its subcommands by their full names: `mayfly-import`.
    let mut command = flags::command().disable_help_subcommand(true);
    command.build();
    let page = match &flags.page {
        None => Some(command),
        Some(name) => command.find_subcommand(name).cloned(),
    };
    let Some(page) = page else {
        let name = flags.page.as_deref().unwrap_or_default();
        return complain(MISCONFIGURED, &format!("there is no command '{name}'; see mayfly --help"));
    };
    let mut text = Vec::new();
    match Man::new(page).manual("Mayfly").render(&mut text) {
        Ok(()) => print(&String::from_utf8_lossy(&text)),
        Err(error) => complain(MISCONFIGURED, &error.to_string()),
    }
}
