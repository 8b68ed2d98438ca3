//! Who may do what: users, the rules that they are made of, and the log of what was denied. As in Redis 8.2.
//!
//! ```text
//!   "on >secret ~session:* +@hash"  ──User::set──►  User ──check──► allowed, or what is denied
//!                                                    │ ▲
//!                                      ACL LIST ◄────┘ └── ACL file, config, ACL SETUSER
//! ```
//!
//! A user has selectors: the root one, which its rules outside of parentheses make, and any number of others. A request
//! is allowed if one selector allows all of it: the command, the keys, the channels. What commands there are, and in
//! which categories, says the [`Catalogue`], which whoever has the commands fills in.
//!
//! [`Access`] is what a process shares: users that are replaced, never changed, so that whoever has one at hand can go
//! on with it, and a generation that says when to look again.
//!
//! Here: rules, checks, texts. Elsewhere: what words of a request are keys and channels (`mayfly-command`), when they
//! are looked at (`mayfly-engine`), and the file that users are kept in (`mayfly-server`). This crate knows no sockets
//! and no clocks.

mod access;
mod catalogue;
mod categories;
mod check;
mod commands;
mod file;
pub mod glob;
mod log;
mod password;
mod patterns;
mod rule;
mod selector;
mod user;
mod users;

pub use access::{Access, Denials};
pub use catalogue::{Catalogue, CommandEntry};
pub use categories::{Categories, Category};
pub use check::{ChannelUse, Denial, KeyAccess, KeyUse, Request};
pub use file::{FileMistake, read_file, write_file};
pub use log::{LogContext, LogEntry, LogReason};
pub use password::{hidden, hide_passwords};
pub use rule::RuleError;
pub use selector::Selector;
pub use user::User;
pub use users::{DEFAULT_USER, RulesError, Users};
