//! `ACL <subcommand>`: users and what they may do. The rules themselves are in `mayfly-acl`.

mod cat;
mod deluser;
mod dryrun;
mod genpass;
mod getuser;
mod list;
mod load;
mod log;
mod save;
mod setuser;
mod users;
mod whoami;

use crate::documentation::help_spec;
use crate::error::{CommandError, shown};
use crate::spec::{Flags, Group, Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "acl",
    summary: "A container for Access List Control commands.",
    since: "6.0.0",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    arity: -2,
    run: Run::Container(&[
        &cat::SPEC,
        &deluser::SPEC,
        &dryrun::SPEC,
        &genpass::SPEC,
        &getuser::SPEC,
        &list::SPEC,
        &load::SPEC,
        &log::SPEC,
        &save::SPEC,
        &setuser::SPEC,
        &users::SPEC,
        &whoami::SPEC,
        &HELP,
    ]),
    ..Spec::BLANK
};

/// A subcommand that everybody may ask, if nobody has taken it away.
const ANYBODY: Spec = Spec {
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    ..Spec::BLANK
};

/// A subcommand for operators.
const OPERATOR: Spec = Spec { flags: Flags::ADMIN.and(ANYBODY.flags), ..ANYBODY };

static HELP: Spec = help_spec(Group::Server);

/// The error of a subcommand with too many words.
fn unknown_form(words: Words<'_>) -> CommandError {
    let subcommand = shown(words.at(1), 128);
    refused(format_args!(
        "unknown subcommand or wrong number of arguments for '{subcommand}'. Try ACL HELP."
    ))
}

/// An error of these words.
fn refused(problem: impl std::fmt::Display) -> CommandError {
    CommandError::text(format!("ERR {problem}"))
}

#[cfg(test)]
mod tests {
    use crate::testing::replay;

    #[test]
    fn users_are_made_shown_tried_and_removed() {
        const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        const DEFAULT: &str = "user default on nopass sanitize-payload ~* &* +@all";
        replay(&[
            ("ACL WHOAMI", "\"default\""),
            ("ACL USERS", "1) \"default\""),
            ("ACL LIST", &format!("1) \"{DEFAULT}\"")),
            ("ACL SETUSER alice", "OK"),
            (
                "ACL LIST",
                &format!("1) \"user alice off sanitize-payload resetchannels -@all\"\n2) \"{DEFAULT}\""),
            ),
            (
                "ACL SETUSER alice on ~a:* (+get",
                "(error) ERR Unmatched parenthesis in acl selector starting at '(+get'.",
            ),
            ("ACL SETUSER alice on >secret ~a:* %R~b:* &news +@hash -hdel (+get ~c)", "OK"),
            ("ACL GETUSER nobody", "(nil)"),
            ("HELLO 3", "*"),
            (
                "ACL GETUSER alice",
                &format!(
                    "1# \"flags\" => \n   1~ \"on\"\n   2~ \"sanitize-payload\"\n\
                     2# \"passwords\" => 1) \"{HASH}\"\n3# \"commands\" => \"-@all +@hash -hdel\"\n\
                     4# \"keys\" => \"~a:* %R~b:*\"\n5# \"channels\" => \"&news\"\n\
                     6# \"selectors\" => \n   1) 1# \"commands\" => \"-@all +get\"\n      \
                     2# \"keys\" => \"~c\"\n      3# \"channels\" => \"\""
                ),
            ),
            ("HELLO 2", "*"),
            ("ACL DRYRUN alice HGET a:1 f", "OK"),
            ("ACL DRYRUN alice HGET b:1 f", "OK"),
            ("ACL DRYRUN alice HSET b:1 f v", "\"User alice has no permissions to access the 'b:1' key\""),
            ("ACL DRYRUN alice HDEL a:1 f", "\"User alice has no permissions to run the 'hdel' command\""),
            ("ACL DRYRUN alice GET c", "OK"),
            ("ACL DRYRUN alice GET a:1", "\"User alice has no permissions to access the 'a:1' key\""),
            ("ACL DRYRUN alice CONFIG GET x", "\"User alice has no permissions to run the 'config|get' command\""),
            ("ACL DRYRUN alice HGET a", "(error) ERR wrong number of arguments for 'hget' command"),
            ("ACL DRYRUN alice NOTHING a", "(error) ERR Command 'NOTHING' not found"),
            ("ACL DRYRUN nobody HGET a f", "(error) ERR User 'nobody' not found"),
            ("ACL DELUSER default", "(error) ERR The 'default' user cannot be removed"),
            ("ACL DELUSER alice bob alice", "(integer) 1"),
            ("ACL USERS", "1) \"default\""),
        ]);
    }

    #[test]
    fn refusals() {
        const BITS: &str = "(error) ERR ACL GENPASS argument must be the number of bits for the output \
                            password, a positive number up to 4096";
        let not_configured = format!("(error) ERR {}", crate::host::NO_ACL_FILE);
        replay(&[
            (
                "ACL SETUSER x +nothing",
                "(error) ERR Error in ACL SETUSER modifier '+nothing': Unknown command or category name in ACL",
            ),
            ("ACL SETUSER \"a b\"", "(error) ERR Usernames can't contain spaces or null characters"),
            ("ACL GENPASS", "\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\""),
            ("ACL GENPASS 5", "\"00\""),
            ("ACL GENPASS 4", "\"0\""),
            ("ACL GENPASS 0", BITS),
            ("ACL GENPASS 4097", BITS),
            ("ACL GENPASS x", "(error) ERR value is not an integer or out of range"),
            ("ACL CAT nothing", "(error) ERR Unknown category 'nothing'"),
            ("ACL LOAD", &not_configured),
            ("ACL SAVE", &not_configured),
            ("ACL LOG x", "(error) ERR value is not an integer or out of range"),
            (
                "ACL Log 1 2",
                "(error) ERR unknown subcommand or wrong number of arguments for 'Log'. Try ACL HELP.",
            ),
            ("ACL FOO", "(error) ERR unknown subcommand 'FOO'. Try ACL HELP."),
            ("ACL HELP", "*"),
        ]);
    }

    #[test]
    fn failed_logins_are_logged() {
        replay(&[
            ("AUTH alice wrong", "(error) WRONGPASS invalid username-password pair or user is disabled."),
            ("AUTH alice wrong", "(error) WRONGPASS invalid username-password pair or user is disabled."),
            ("ACL LOG", "*"),
            ("ACL LOG 0", "(empty array)"),
            ("ACL LOG RESET", "OK"),
            ("ACL LOG", "(empty array)"),
        ]);
        let mut fixture = crate::testing::Fixture::new();
        fixture.replay(&[("HELLO 3 AUTH alice wrong", "*"), ("WAIT 1500", "")]);
        let log = fixture.run("ACL LOG");
        let parts = ["\"count\"", "\"auth\"", "\"toplevel\"", "\"HELLO\"", "\"alice\"", "\"1.5\""];
        for part in parts.into_iter().chain(["cmd=hello user=default"]) {
            assert!(log.contains(part), "{part} in {log}");
        }
        assert_eq!(fixture.host.access.denials().auth, 1);
    }

    #[test]
    fn categories_list_their_commands() {
        let mut fixture = crate::testing::Fixture::new();
        assert!(fixture.run("ACL CAT").ends_with("21) \"scripting\""));
        let hash = fixture.run("ACL CAT Hash");
        assert!(hash.contains("\"hsetex\"") && !hash.contains("\"del\""), "{hash}");
        assert!(fixture.run("ACL CAT dangerous").contains("\"config|set\""));
    }
}
