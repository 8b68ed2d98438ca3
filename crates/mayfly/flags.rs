//! The command line: what was typed. What it means together with file and environment is `mayfly_config::load`,
//! which also checks the values, so that a flag, a variable and a key have the same ranges and the same errors.

#![allow(rustdoc::broken_intra_doc_links, reason = "brackets say in the help what may be left out")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use mayfly_config::{DIRECTIVES, Directive};

const AFTER_HELP: &str = "\
Examples:
  mayfly                                    defaults: 127.0.0.1:6379, a shard per core (one for two cores)
  mayfly --config /etc/mayfly.toml          settings from a file
  mayfly --bind 0.0.0.0 --bind :: --port 7000
  mayfly --dir /var/lib/mayfly              what is written outlives the process
  MAYFLY_SERVER__PASSWORD=secret mayfly     a setting from the environment
  mayfly --print-config > mayfly.toml       a commented file to begin with
  mayfly --config mayfly.toml --check-config
  mayfly check /var/lib/mayfly              whether a data folder can be loaded
  mayfly import dump.rdb                    hashes of a Redis into the Mayfly that runs here
  mayfly ping                               whether the Mayfly of this machine answers

Environment:
  MAYFLY_CONFIG           the file, if --config is not given
  MAYFLY_SECTION__KEY     any setting: MAYFLY_SERVER__PORT is the key port of [server];
                          lists are separated by commas
  A flag wins over the environment, the environment over the file, the file over the defaults.

Exit codes:
  0  stopped as told, or nothing to complain about
  1  failed while starting or running; with --check-config: the settings are wrong
  2  wrong flags or settings, nothing was started";

const AFTER_CHECK_HELP: &str = "\
Examples:
  mayfly check /var/lib/mayfly                  every file with its records and what is wrong
  mayfly check /var/lib/mayfly --repair

Exit codes:
  0  it can be loaded, or can be now
  1  it is damaged
  2  wrong flags, or nothing there that could be checked";

const AFTER_IMPORT_HELP: &str = "\
Examples:
  mayfly import dump.rdb --dry-run                  what is in the file
  mayfly import dump.rdb                            into the Mayfly of this machine
  mayfly import redis://:secret@old:6379 --to new:6379 --state copy.state
  mayfly import dump.rdb --to-folder /var/lib/mayfly    for a server that is started later with this --dir

Exit codes:
  0  all that was asked for is there
  1  stopped; what was imported into a server until then stays, a folder has no data
  2  wrong flags or settings";

const AFTER_EXPORT_HELP: &str = "\
Examples:
  mayfly export dump.rdb                            from the Mayfly of this machine
  mayfly export dump.rdb --from redis://:secret@cache:6379/0 --match 'session:*'
  mayfly export dump.rdb --from-folder /var/lib/mayfly  of a server that does not run

Exit codes:
  0  the file is whole and on the disk
  1  stopped; a file that was there is as it was
  2  wrong flags or settings";

const AFTER_PING_HELP: &str = "\
Examples:
  mayfly ping                                       the Mayfly of this machine, with the port and password of the settings
  mayfly ping redis://:secret@cache:6379

Exit codes:
  0  it answers
  1  it does not, or loads its data still
  2  wrong flags or settings";

const AFTER_COMPLETIONS_HELP: &str = "\
Examples:
  mayfly completions bash > /etc/bash_completion.d/mayfly
  mayfly completions zsh > /usr/local/share/zsh/site-functions/_mayfly
  mayfly completions fish > ~/.config/fish/completions/mayfly.fish";

const AFTER_MAN_HELP: &str = "\
Examples:
  mayfly man | man -l -
  mayfly man import > /usr/local/share/man/man1/mayfly-import.1";

/// A server for hashes that expire: Redis protocol, whole-hash TTLs, on time.
#[derive(Debug, Parser)]
#[command(name = "mayfly", version, after_help = AFTER_HELP)]
pub struct Flags {
    /// Read settings from this file.
    #[arg(long, value_name = "FILE", env = "MAYFLY_CONFIG", hide_env = true, global = true)]
    pub config: Option<PathBuf>,

    /// Check flags, environment and file, say OK or what is wrong, and exit.
    #[arg(long)]
    pub check_config: bool,

    /// Print the effective settings, commented, with what differs from the defaults, and exit.
    #[arg(long, conflicts_with = "check_config")]
    pub print_config: bool,

    // The texts of these come from the table of directives.
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    port: Option<String>,
    #[arg(long, value_name = "ADDRESS")]
    bind: Vec<String>,
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    shards: Option<String>,
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    metrics_port: Option<String>,
    #[arg(long, value_name = "FOLDER")]
    dir: Option<String>,
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    maxmemory: Option<String>,

    /// What to do instead of serving.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Tell whether a data folder, or a file of one, can be loaded.
    Check(CheckFlags),
    /// Take hashes from an RDB file or a running Redis, Valkey or Mayfly into a running Mayfly or a new data folder.
    Import(ImportFlags),
    /// Write the hashes of a running Mayfly, Redis or Valkey, or of a data folder, to an RDB file.
    Export(ExportFlags),
    /// Ask a running Mayfly whether it serves clients.
    Ping(PingFlags),
    /// Print what completes this command line in a shell.
    Completions(CompletionsFlags),
    /// Print the manual page.
    Man(ManFlags),
}

/// The flags of `mayfly check`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_CHECK_HELP)]
pub struct CheckFlags {
    /// The folder, or one file of a log or a snapshot by itself.
    #[arg(value_name = "FOLDER|FILE")]
    pub path: PathBuf,
    /// Make the folder loadable: keep what lies before a damage, move the rest aside to *.damaged files.
    #[arg(long)]
    pub repair: bool,
}

/// The flags of `mayfly import`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_IMPORT_HELP)]
pub struct ImportFlags {
    /// An RDB file, or redis://[user:password@]host[:port][/database]
    pub source: String,
    /// The Mayfly to import into: host[:port] or redis://[user:password@]host[:port]; by default the one of this
    /// machine with the settings' port and password.
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,
    /// Make this data folder instead, without a server: it must have no data and nobody may use it. It counts once all
    /// is in it. Of the settings, server.databases and limits.bulk_bytes_max hold.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["to", "replace", "skip_existing", "state"])]
    pub to_folder: Option<PathBuf>,
    /// Replace keys that exist.
    #[arg(long, conflicts_with = "skip_existing")]
    pub replace: bool,
    /// Leave keys that exist as they are. Without either, an existing key stops the import.
    #[arg(long)]
    pub skip_existing: bool,
    #[command(flatten)]
    pub selection: Selection,
    /// Read and count only.
    #[arg(long)]
    pub dry_run: bool,
    /// Keep in FILE how far a copy from a server is, and go on from there.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// The flags of `mayfly export`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_EXPORT_HELP)]
pub struct ExportFlags {
    /// The RDB file to write; one that is there is replaced once the new one is whole.
    pub file: PathBuf,
    /// The server to export: host[:port] or redis://[user:password@]host[:port][/database]; by default the one of
    /// this machine with the settings' port and password.
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// Export this data folder instead, of a server that does not run: what its next start would load, which is held in
    /// memory meanwhile. Nothing in it is changed. Of the settings, server.databases holds.
    #[arg(long, value_name = "FOLDER", conflicts_with = "from")]
    pub from_folder: Option<PathBuf>,
    #[command(flatten)]
    pub selection: Selection,
}

/// The flags of `mayfly ping`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_PING_HELP)]
pub struct PingFlags {
    /// The server: host[:port] or redis://[user:password@]host[:port]; by default the one of this machine with the
    /// settings' port and password.
    #[arg(value_name = "ADDRESS")]
    pub address: Option<String>,
}

/// The flags of `mayfly completions`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_COMPLETIONS_HELP)]
pub struct CompletionsFlags {
    /// The shell.
    pub shell: Shell,
}

/// The flags of `mayfly man`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_MAN_HELP)]
pub struct ManFlags {
    /// The page of this command instead.
    #[arg(value_name = "COMMAND")]
    pub page: Option<String>,
}

/// Which keys.
#[derive(Debug, Args)]
pub struct Selection {
    /// Only keys of these databases.
    #[arg(long, value_name = "NUMBER,...", value_delimiter = ',')]
    pub databases: Option<Vec<u64>>,
    /// Only keys whose name matches, as in KEYS.
    #[arg(long = "match", value_name = "PATTERN")]
    pub pattern: Option<String>,
}

/// Why there is nothing to run.
#[derive(Debug)]
pub enum Refusal {
    /// Help or version was asked for: the text for standard output.
    Shown(String),
    /// The flags are wrong: what is wrong, in one line.
    Wrong(String),
}

impl Flags {
    /// Reads the command line, the program's name included.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, Refusal> {
        let matches = command().try_get_matches_from(words);
        matches.and_then(|matches| Self::from_arg_matches(&matches)).map_err(|error| refusal(&error))
    }

    /// The directives that were set by a flag, as [`mayfly_config::load`] takes them.
    pub fn overrides(&self) -> Vec<(&'static str, String)> {
        let value = |directive: &Directive| match directive.flag? {
            "port" => self.port.clone(),
            "bind" => Some(self.bind.join(",")).filter(|_| !self.bind.is_empty()),
            "shards" => self.shards.clone(),
            "metrics-port" => self.metrics_port.clone(),
            "dir" => self.dir.clone(),
            "maxmemory" => self.maxmemory.clone(),
            _ => None,
        };
        DIRECTIVES.iter().filter_map(|directive| Some((directive.path, value(directive)?))).collect()
    }
}

/// The command with the help of each setting's flag taken from its directive.
pub fn command() -> clap::Command {
    DIRECTIVES.iter().fold(Flags::command(), |command, directive| match directive.flag {
        Some(flag) => command.mut_arg(flag.replace('-', "_"), |arg| arg.help(help(directive))),
        None => command,
    })
}

fn help(directive: &Directive) -> String {
    let (path, allowed, default) = (directive.path, directive.kind.allowed(), directive.default_text());
    format!("{} [{path}: {allowed}; default {default}]", directive.summary())
}

/// Puts clap's paragraphs into one line, without the usage: `--help` shows that.
fn refusal(error: &clap::Error) -> Refusal {
    let text = error.to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Refusal::Shown(text);
    }
    let text = text.split("\nUsage:").next().unwrap_or_default().trim_start_matches("error: ");
    let text = text.split("\nFor more information").next().unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Refusal::Wrong(format!("{}; see mayfly --help", lines.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Flags, Refusal> {
        Flags::read(["mayfly"].iter().chain(words).map(OsString::from))
    }

    #[test]
    fn the_command_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_directive_with_a_flag_is_set_by_it() {
        for directive in DIRECTIVES.iter().filter(|directive| directive.flag.is_some()) {
            let flag = format!("--{}", directive.flag.expect("filtered"));
            let flags = read(&[&flag, "1"]).expect("the flag is known");
            assert_eq!(flags.overrides(), [(directive.path, "1".to_owned())]);
        }
        let flags =
            read(&["--bind", "::1", "--bind=127.0.0.1", "--port", "-1"]).expect("the flags are known");
        let expected = [("server.bind", "::1,127.0.0.1"), ("server.port", "-1")];
        assert_eq!(flags.overrides(), expected.map(|(path, text)| (path, text.to_owned())));
    }

    #[test]
    fn wrong_flags_are_one_line() {
        let cases = [
            (
                &["--prot", "1"][..],
                "unexpected argument '--prot' found; tip: a similar argument exists: '--port'; see mayfly --help",
            ),
            (
                &["--port"][..],
                "a value is required for '--port <PORT>' but none was supplied; see mayfly --help",
            ),
            (&["serve"][..], "unrecognized subcommand 'serve'; see mayfly --help"),
        ];
        for (words, line) in cases {
            match read(words) {
                Err(Refusal::Wrong(problem)) => assert_eq!(problem, line),
                other => panic!("{words:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn help_names_flags_variables_and_exit_codes() {
        let Err(Refusal::Shown(help)) = read(&["--help"]) else { panic!("--help shows help") };
        for part in ["--metrics-port", "MAYFLY_SECTION__KEY", "Exit codes:", "0 takes any free one"] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }
}
