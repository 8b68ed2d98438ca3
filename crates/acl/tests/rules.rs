//! Rules as Redis 8.2.3 takes, refuses and tells them: every answer here was taken from one. What random rules mean to
//! both is compared by `tests/clients/test_access.py`.

use mayfly_acl::{
    Catalogue, Categories, Category, ChannelUse, CommandEntry, Denial, KeyAccess, KeyUse, Request, User,
    Users, read_file, write_file,
};

/// A few commands, under these numbers.
const COMMANDS: [(&str, &[Category]); 9] = [
    ("hget", &[Category::Read, Category::Hash, Category::Fast]),
    ("hset", &[Category::Write, Category::Hash, Category::Fast]),
    ("del", &[Category::Keyspace, Category::Write, Category::Slow]),
    ("select", &[Category::Fast, Category::Connection]),
    ("config|get", &[Category::Admin, Category::Slow, Category::Dangerous]),
    ("config|set", &[Category::Admin, Category::Slow, Category::Dangerous]),
    ("config", &[Category::Slow]),
    ("publish", &[Category::PubSub, Category::Fast]),
    ("auth", &[Category::Fast, Category::Connection]),
];

fn catalogue() -> Catalogue {
    let entry = |(name, categories): (&str, &[Category])| CommandEntry {
        full_name: name.to_owned(),
        categories: categories.iter().copied().collect::<Categories>(),
        needs_no_rights: name == "auth",
    };
    Catalogue::new(COMMANDS.into_iter().map(entry).collect())
}

/// A new user with these rules, or what is wrong with them.
fn user(rules: &str) -> Result<User, String> {
    let rules: Vec<_> = rules.split(' ').map(str::as_bytes).collect();
    let mut users = Users::default();
    users.set(b"alice", &rules, &catalogue()).map_err(|error| error.to_string())?;
    Ok(User::clone(users.find(b"alice").expect("it was made")))
}

fn told(rules: &str) -> String {
    String::from_utf8(user(rules).expect(rules).rules()).expect("it is text")
}

#[test]
fn rules_are_told_in_one_form() {
    const SECRET: &str = "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let end = "resetchannels -@all";
    for (rules, expected) in [
        ("", format!("off sanitize-payload {end}")),
        ("ON nopass", format!("on nopass sanitize-payload {end}")),
        ("on >secret >secret", format!("on sanitize-payload {SECRET} {end}")),
        ("nopass >secret skip-sanitize-payload", format!("off skip-sanitize-payload {SECRET} {end}")),
        (">secret nopass", format!("off nopass sanitize-payload {end}")),
        (">secret <secret", format!("off sanitize-payload {end}")),
        (">secret resetpass", format!("off sanitize-payload {end}")),
        ("~a %R~b %w~c %RW~d ~a", format!("off sanitize-payload ~a %R~b %W~c ~d {end}")),
        ("%R~a %W~a", format!("off sanitize-payload ~a {end}")),
        ("~a allkeys", format!("off sanitize-payload ~* {end}")),
        ("&a &b &a", "off sanitize-payload resetchannels &a &b -@all".to_owned()),
        ("&a allchannels", "off sanitize-payload &* -@all".to_owned()),
        ("+hget +HSET", format!("off sanitize-payload {end} +hget +hset")),
        ("+hget -hget", format!("off sanitize-payload {end} -hget")),
        ("+@hash -hset +@read", format!("off sanitize-payload {end} +@hash -hset +@read")),
        ("+@hash -@hash", format!("off sanitize-payload {end} -@hash")),
        ("+config|get +config", format!("off sanitize-payload {end} +config")),
        ("+config -config|set", format!("off sanitize-payload {end} +config -config|set")),
        ("+select|0 +select|1", format!("off sanitize-payload {end} +select|0 +select|1")),
        ("+@all -hset +hset", "off sanitize-payload resetchannels +@all +hset".to_owned()),
        ("+hget +@ALL", "off sanitize-payload resetchannels +@all".to_owned()),
        ("+hget nocommands", format!("off sanitize-payload {end}")),
        ("(+hget ~a) (%R~b)", format!("off sanitize-payload {end} (~a {end} +hget) (%R~b {end})")),
        ("(+hget ~a) clearselectors", format!("off sanitize-payload {end}")),
        ("()", format!("off sanitize-payload {end} ({end})")),
        ("on >secret ~a &a +hget (~b) reset", format!("off sanitize-payload {end}")),
    ] {
        assert_eq!(told(rules), expected, "{rules}");
        // What is told means the same.
        assert_eq!(told(&expected), expected, "{rules}");
    }
}

#[test]
fn what_is_wrong_is_refused_in_the_words_of_redis() {
    let refused = |rule: &str, why: &str| format!("Error in ACL SETUSER modifier '{rule}': {why}");
    let unknown = "Unknown command or category name in ACL";
    let hash =
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    let first = "Allowing first-arg of a subcommand is not supported";
    for (rules, rule, why) in [
        ("nonsense", "nonsense", "Syntax error"),
        ("+nothing", "+nothing", unknown),
        ("-nothing", "-nothing", unknown),
        ("+@nothing", "+@nothing", unknown),
        ("+", "+", unknown),
        ("+config|nothing", "+config|nothing", unknown),
        ("-select|0", "-select|0", unknown),
        ("+select|", "+select|", "Syntax error"),
        ("+config|get|x", "+config|get|x", first),
        ("%~a", "%~a", "Syntax error"),
        ("%RR~a", "%RR~a", "Syntax error"),
        ("%X~a", "%X~a", "Syntax error"),
        ("#123", "#123", hash),
        ("!123", "!123", hash),
        ("<secret", "<secret", "The password you are trying to remove from the user does not exist"),
        (
            "allkeys ~a",
            "~a",
            "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. \
             Try 'resetkeys' to start with an empty list of patterns",
        ),
        (
            "allchannels &a",
            "&a",
            "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
             effect. Try 'resetchannels' to start with an empty list of channels",
        ),
        ("(+hget nonsense)", "(+hget nonsense)", "Syntax error"),
        ("(>secret)", "(>secret)", "Syntax error"),
    ] {
        assert_eq!(user(rules), Err(refused(rule, why)), "{rules}");
    }
    let open = "Unmatched parenthesis in acl selector starting at '(+hget'.".to_owned();
    assert_eq!(user("on (+hget ~a"), Err(open));
    let mut users = Users::default();
    for name in ["a b", "a\0", "\n"] {
        let refused = users.set(name.as_bytes(), &[], &catalogue()).map_err(|error| error.to_string());
        assert_eq!(refused, Err("Usernames can't contain spaces or null characters".to_owned()));
    }
}

/// Asks for a command by its name, with a first argument, on keys, on a channel.
fn ask(
    rules: &str,
    command: &str,
    keys: &[(&str, KeyAccess)],
    channel: Option<(&str, bool)>,
) -> Result<(), Denial> {
    let catalogue = catalogue();
    let mut words = command.split(' ');
    let number = catalogue.find(words.next().unwrap_or_default().as_bytes()).expect("it is known");
    let key = |(place, (key, access)): (usize, &(&'static str, KeyAccess))| KeyUse {
        key: key.as_bytes(),
        access: *access,
        position: place + 1,
    };
    let keys: Vec<(&'static str, KeyAccess)> =
        keys.iter().map(|(key, access)| (&*Box::leak(key.to_string().into_boxed_str()), *access)).collect();
    let keys: Vec<_> = keys.iter().enumerate().map(key).collect();
    let channel = channel.map(|(channel, is_pattern)| ChannelUse {
        channel: channel.as_bytes(),
        is_pattern,
        position: 1,
    });
    let request = Request {
        command: number,
        first_argument: words.next().map(str::as_bytes),
        keys: keys.iter().copied(),
        channels: channel.into_iter(),
    };
    user(rules).expect(rules).check(&request, &catalogue)
}

#[test]
fn commands_keys_and_channels_have_to_be_allowed_together() {
    use Denial::{Channel, Command, Key};
    use KeyAccess as A;
    for (rules, command, keys, expected) in [
        ("", "hget", &[("a", A::READ)][..], Err(Command)),
        ("", "auth", &[], Ok(())),
        ("+@all", "hget", &[("a", A::READ)], Err(Key(1))),
        ("allkeys", "hget", &[("a", A::READ)], Err(Command)),
        ("+hget ~a*", "hget", &[("ab", A::READ)], Ok(())),
        ("+hget ~a*", "hget", &[("a", A::READ), ("b", A::READ)], Err(Key(2))),
        ("+@all %R~a", "hget", &[("a", A::READ)], Ok(())),
        ("+@all %R~a", "hset", &[("a", A::WRITE)], Err(Key(1))),
        ("+@all %R~a", "hset", &[("a", A::BOTH)], Err(Key(1))),
        ("+@all %W~a", "hget", &[("a", A::READ)], Err(Key(1))),
        ("+@all %W~a", "del", &[("a", A::NONE)], Ok(())),
        // Two patterns do not add up.
        ("+@all %R~a* %W~*a", "hset", &[("aa", A::BOTH)], Err(Key(1))),
        ("+@all -@dangerous", "config|get x", &[], Err(Command)),
        ("+@all -@dangerous", "config", &[], Ok(())),
        ("+config|get", "config|get x", &[], Ok(())),
        ("+config|get", "config|set x", &[], Err(Command)),
        ("+config -config|set", "config|get x", &[], Ok(())),
        ("+config -config|set", "config|set x", &[], Err(Command)),
        ("+select|0", "select 0", &[], Ok(())),
        ("+select|0", "select 1", &[], Err(Command)),
        ("+select|0 -select", "select 0", &[], Err(Command)),
        // A selector allows a request as a whole.
        ("+hget ~a (+hset ~b)", "hset", &[("b", A::WRITE)], Ok(())),
        ("+hget ~a (+hset ~b)", "hset", &[("a", A::WRITE)], Err(Key(1))),
        ("+hget ~a (+hset ~b)", "hget", &[("b", A::READ)], Err(Key(1))),
        ("+hget ~a (+hset ~b)", "del", &[("b", A::WRITE)], Err(Command)),
        // The one that comes furthest says what is denied.
        ("+hset ~a (+hset ~b)", "hset", &[("a", A::WRITE), ("c", A::WRITE)], Err(Key(2))),
    ] {
        assert_eq!(ask(rules, command, keys, None), expected, "{rules}: {command} {keys:?}");
    }
    for (rules, channel, is_pattern, expected) in [
        ("+publish", "a", false, Err(Channel(1))),
        ("+publish &a*", "ab", false, Ok(())),
        ("+publish &a*", "b", false, Err(Channel(1))),
        ("+publish &a*", "a*", true, Ok(())),
        ("+publish &a*", "ab", true, Err(Channel(1))),
        ("+publish &*", "b*", true, Ok(())),
    ] {
        assert_eq!(ask(rules, "publish", &[], Some((channel, is_pattern))), expected, "{rules}: {channel}");
    }
}

#[test]
fn only_who_may_do_everything_is_not_looked_at() {
    for (rules, expected) in [
        ("+@all ~* &*", true),
        ("allcommands allkeys allchannels", true),
        ("+@all ~*", false),
        ("+@all ~* &* -hget", false),
        ("+@all ~* &* -hget +@all", true),
        ("+@all ~* &* resetkeys", false),
        ("(+@all ~* &*)", true),
        ("(+@all ~* &*) clearselectors", false),
    ] {
        assert_eq!(user(rules).expect(rules).is_unrestricted(), expected, "{rules}");
    }
    assert!(Users::default().default_user().is_unrestricted());
}

#[test]
fn channels_are_lost_by_comparison_with_before() {
    let has = |now: &str, before: &str| user(now).unwrap().has_channels_of(&user(before).unwrap());
    assert!(has("&a &b", "&a") && has("&*", "&a") && has("", "") && has("(&a)", "&a"));
    assert!(!has("&a", "&a &b") && !has("&a", "&*") && !has("", "(&a)") && !has("&a*", "&ab"));
}

#[test]
fn a_user_stays_the_same_until_it_is_removed() {
    let catalogue = catalogue();
    let mut users = Users::default();
    users.set(b"alice", &[b"on"], &catalogue).unwrap();
    let alice = users.find(b"alice").unwrap().clone();
    users.set(b"alice", &[b"off"], &catalogue).unwrap();
    assert!(users.find(b"alice").unwrap().is_same(&alice));
    let loaded = read_file(b"user alice on\nuser bob on", Users::default(), &catalogue).unwrap();
    users.replace(loaded);
    assert!(users.find(b"alice").unwrap().is_same(&alice) && !users.find(b"bob").unwrap().is_same(&alice));
    assert!(users.remove(b"alice") && !users.remove(b"alice") && !users.remove(b"default"));
    users.set(b"alice", &[b"on"], &catalogue).unwrap();
    assert!(!users.find(b"alice").unwrap().is_same(&alice));
}

#[test]
fn a_file_is_read_as_a_whole_or_not_at_all() {
    let catalogue = catalogue();
    let read = |text: &str| read_file(text.as_bytes(), Users::default(), &catalogue);
    let users = read("\nuser alice on nopass ~a (+hget ~b)\r\n  user default off \n").unwrap();
    let text = write_file(&users);
    assert_eq!(
        String::from_utf8_lossy(&text),
        "user alice on nopass sanitize-payload ~a resetchannels -@all (~b resetchannels -@all +hget)\n\
         user default off sanitize-payload resetchannels -@all\n"
    );
    assert_eq!(write_file(&read_file(&text, Users::default(), &catalogue).unwrap()), text);
    let mistakes =
        read("user alice on\n\nusr bob\nuser\nuser alice off\nuser c +x >secret\nuser d >secret <other (~a")
            .unwrap_err();
    let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        mistakes,
        [
            "3: should start with user keyword followed by the username",
            "4: should start with user keyword followed by the username",
            "5: Duplicate user 'alice' found",
            "6: Error in applying operation '+x': Unknown command or category name in ACL",
            "7: Unmatched parenthesis in selector definition",
        ]
    );
}
