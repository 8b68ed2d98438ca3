//! Tests over the whole table: what holds for one directive holds for every one. The exact texts of errors are
//! in `tests/errors.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::*;

const FILE_OF_DEFAULTS: &str = include_str!("../../../config/mayfly.toml");

#[test]
fn the_file_in_the_repository_is_what_the_table_renders() {
    let rendered = render_toml(&Config::default());
    assert!(
        rendered == FILE_OF_DEFAULTS,
        "write it anew: cargo run -q -- --print-config > config/mayfly.toml"
    );
}

#[test]
fn the_file_of_defaults_means_the_defaults() {
    let loaded = load_text("defaults", FILE_OF_DEFAULTS).expect("the file is right");
    assert_eq!(loaded.config, Config::default());
    let loaded = load_text("empty", "").expect("an empty file is right");
    assert_eq!(loaded.config, Config::default());
    assert_eq!(load(None, [], &[]).expect("defaults are right").source, Source::Defaults);
}

#[test]
fn every_directive_is_set_by_file_environment_and_override() {
    for directive in DIRECTIVES {
        let (text, literal) = sample(directive);
        let text_of_file = format!("[{}]\n{} = {literal}\n", directive.section, directive.key);
        let by_file = load_text(directive.path, &text_of_file).expect("the file is right");
        let by_environment =
            load(None, [(directive.environment(), text.clone())], &[]).expect("the variable is right");
        let by_override = load(None, [], &[(directive.path, &text)]).expect("the override is right");

        let changed = directive.get(&by_file.config);
        assert_ne!(changed, directive.get(&Config::default()), "{}", directive.path);
        for loaded in [&by_environment, &by_override] {
            assert_eq!(loaded.config, by_file.config, "{}", directive.path);
        }
        for other in DIRECTIVES.iter().filter(|other| other.path != directive.path) {
            assert_eq!(other.get(&by_file.config), other.get(&Config::default()), "{}", directive.path);
        }
        assert!(matches!(by_file.place(directive.path), Place::File { line: Some(2), .. }));
        assert_eq!(by_environment.place(directive.path), &Place::Environment(directive.environment()));
        let flag = directive.flag.unwrap_or(directive.path).to_owned();
        assert_eq!(by_override.place(directive.path), &Place::Flag(flag));
    }
}

#[test]
fn every_range_includes_its_ends_and_nothing_more() {
    for directive in DIRECTIVES {
        let (min, max) = match directive.kind {
            Kind::Integer { min, max, .. } | Kind::Bytes { min, max } => (min, max),
            Kind::Port => (0, 65_535),
            _ => continue,
        };
        for number in [min, max] {
            let value = directive.kind.parse(&number.to_string()).expect("an end of the range");
            let mut config = Config::default();
            directive.set(&mut config, value.clone());
            assert_eq!(directive.get(&config), value, "{}", directive.path);
        }
        for number in [i128::from(min) - 1, i128::from(max) + 1] {
            let refused = directive.kind.parse(&number.to_string());
            assert!(
                refused.is_err_and(|problem| problem.contains("; allowed: ")),
                "{} = {number}",
                directive.path
            );
        }
        let default = directive.get(&Config::default());
        assert!(
            matches!(default, Value::Integer(number) if (min..=max).contains(&number)),
            "{}",
            directive.path
        );
    }
}

#[test]
fn lists_and_secrets_are_bounded_too() {
    for directive in DIRECTIVES {
        let parse = |text: &str| directive.kind.parse(text);
        match directive.kind {
            Kind::Addresses { max } => {
                let list = |count: usize| {
                    (1..=count).map(|last| format!("127.0.0.{last}")).collect::<Vec<_>>().join(",")
                };
                assert!(parse(&list(1)).is_ok() && parse(&list(max)).is_ok());
                assert!(parse("").is_err() && parse(&list(max + 1)).is_err());
            }
            Kind::Secret { bytes_max } => {
                assert!(parse("").is_ok() && parse(&"x".repeat(bytes_max)).is_ok());
                assert!(parse(&"x".repeat(bytes_max + 1)).is_err() && parse("***").is_err());
            }
            Kind::Users { max, bytes_max } => {
                let list = |count: usize| vec!["alice on"; count].join("\n");
                assert!(parse("").is_ok() && parse(&list(max)).is_ok());
                assert!(parse(&list(max + 1)).is_err() && parse("a\n\nb").is_err());
                assert!(parse(&"x".repeat(bytes_max)).is_ok() && parse(&"x".repeat(bytes_max + 1)).is_err());
            }
            _ => {}
        }
    }
}

#[test]
fn the_later_layer_wins() {
    let text = "[server]\nport = 1\ndatabases = 1\nshards = 1\n";
    let environment =
        [("MAYFLY_SERVER__DATABASES", "2"), ("MAYFLY_SERVER__SHARDS", "2"), ("MAYFLY_CONFIG", "x")];
    let environment = environment.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let loaded = with_file("layers", text, |path| load(Some(path), environment, &[("server.shards", "3")]));
    let server = loaded.expect("all layers are right").config.server;
    assert_eq!((server.port, server.databases, server.shards, server.tcp_backlog), (1, 2, 3, 511));
}

#[test]
fn what_is_printed_is_read_back_as_the_same_settings() {
    let samples: Vec<_> = DIRECTIVES
        .iter()
        .filter(|directive| !matches!(directive.kind, Kind::Secret { .. }) && directive.path != "access.file")
        .collect();
    let texts: Vec<_> = samples.iter().map(|directive| (directive.path, sample(directive).0)).collect();
    let overrides: Vec<_> = texts.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let loaded = load(None, [], &overrides).expect("every sample is right");

    let printed = loaded.render_toml();
    assert_eq!(printed.matches("# Not the default; set by ").count(), samples.len());
    assert!(printed.contains("# Not the default; set by flag --port.\nport = 7001\n"), "{printed}");
    let again = load_text("printed", &printed).expect("what is printed is right");
    assert_eq!(again.config, loaded.config);

    let defaults = load(None, [], &[]).expect("defaults are right");
    assert_eq!(defaults.render_toml(), FILE_OF_DEFAULTS);
}

#[test]
fn a_password_is_never_shown_and_its_mask_is_not_a_password() {
    for directive in DIRECTIVES.iter().filter(|directive| matches!(directive.kind, Kind::Secret { .. })) {
        let loaded = load(None, [], &[(directive.path, "hunter2")]).expect("a password is right");
        let shown = [
            format!("{loaded:?} {:?}", loaded.config),
            loaded.render_toml(),
            render_toml(&loaded.config),
            format!("{:?}", loaded.config.redis_parameters(|_| true)),
        ];
        for text in &shown {
            assert!(!text.contains("hunter2") && text.contains("***"), "{text}");
        }
        let error = load_text("masked", &shown[1]).expect_err("the mask is refused");
        assert!(error.problem.contains("was not shown"), "{error}");
    }
}

#[test]
fn every_directive_says_what_it_is() {
    for directive in DIRECTIVES {
        let path = directive.path;
        assert!((1..=4).contains(&directive.doc.len()), "{path}: 1 to 4 lines");
        assert!(
            directive.doc.iter().all(|line| line.starts_with(' ') && line.len() <= 110),
            "{path}: line length"
        );
        assert!(directive.summary().ends_with('.'), "{path}: sentences");
        assert!(!directive.kind.allowed().is_empty(), "{path}: range");
        if let Kind::Integer { unit, .. } = directive.kind {
            assert!(!unit.is_empty(), "{path}: unit");
        }
        let timed = [("_ms", "ms"), ("_seconds", "seconds")];
        for (_, named) in timed.iter().filter(|(suffix, _)| directive.key.ends_with(suffix)) {
            assert!(
                matches!(directive.kind, Kind::Integer { unit, .. } if unit == *named),
                "{path}: unit of its name"
            );
        }
        let sized = matches!(directive.kind, Kind::Bytes { .. });
        assert_eq!(sized, directive.key.contains("bytes"), "{path}: bytes in the name");
    }
}

#[test]
fn names_are_unique() {
    let unique = |names: Vec<String>| names.len() == names.iter().collect::<BTreeSet<_>>().len();
    let names =
        |name: fn(&Directive) -> Option<&str>| DIRECTIVES.iter().filter_map(name).map(String::from).collect();
    assert!(unique(names(|directive| Some(directive.path))));
    assert!(unique(names(|directive| directive.redis)));
    assert!(unique(names(|directive| directive.flag)));
    assert!(unique(DIRECTIVES.iter().map(Directive::environment).collect()));
}

#[test]
fn the_markdown_has_a_row_for_each() {
    let markdown = render_markdown();
    for directive in DIRECTIVES {
        assert!(markdown.contains(&format!("\n| `{}` | `", directive.key)), "{}", directive.path);
    }
    let rows = markdown.lines().filter(|line| line.starts_with("| `"));
    assert!(rows.clone().all(|row| row.matches(" | ").count() == 5), "{markdown}");
    assert_eq!(rows.count(), DIRECTIVES.len());
}

/// A value that is not the default and contradicts no default: as text and as TOML.
pub(crate) fn sample(directive: &Directive) -> (String, String) {
    let quoted = |text: &str| (text.to_owned(), format!("{text:?}"));
    match (directive.kind, directive.get(&Config::default())) {
        (Kind::Bytes { .. }, Value::Integer(0)) => quoted("64kb"),
        (Kind::Bytes { .. }, Value::Integer(bytes)) => quoted(&format!("{}kb", bytes / 2 / 1024)),
        (Kind::Port, Value::Integer(port)) => {
            let other = if directive.section == "server" { 7001 } else { port + 1 };
            (other.to_string(), other.to_string())
        }
        (Kind::Integer { min, max, .. }, Value::Integer(number)) => {
            let other = if number == min { max } else { min };
            (other.to_string(), other.to_string())
        }
        (_, Value::Flag(flag)) => ((!flag).to_string(), (!flag).to_string()),
        (Kind::Word(words), Value::Word(word)) => {
            quoted(words.iter().find(|other| **other != word).expect("two words"))
        }
        (Kind::Names(names), _) => quoted(&names[names.len() - 2..].join(":")),
        (Kind::Letters { .. }, _) => quoted("KEx"),
        (Kind::Secret { .. }, _) => quoted("hunter2"),
        (Kind::SavePoints, _) => quoted("900 1 60 100"),
        (Kind::TtlRules, _) => quoted("s:* default=60; * max=3600 require"),
        (Kind::Path { .. }, _) => quoted("/var/lib/\"may\\fly\""),
        (Kind::Permissions, _) => quoted("770"),
        (Kind::Users { .. }, _) => {
            ("alice on nopass\nbob >x ~\"y\\".into(), r##"["alice on nopass", "bob >x ~\"y\\"]"##.into())
        }
        (Kind::Address, _) => quoted("127.0.0.2"),
        (Kind::Addresses { .. }, _) => ("127.0.0.2, ::1".into(), r#"["127.0.0.2", "::1"]"#.into()),
        (kind, value) => panic!("{}: {kind:?} does not go with {value:?}", directive.path),
    }
}

fn load_text(name: &str, text: &str) -> Result<Loaded, ConfigError> {
    with_file(name, text, |path| load(Some(path), [], &[]))
}

/// Runs `test` with a file of its own.
fn with_file<T>(name: &str, text: &str, test: impl FnOnce(&Path) -> T) -> T {
    let path = std::env::temp_dir().join(format!("mayfly-config-{}-{name}.toml", std::process::id()));
    fs::write(&path, text).expect("the temporary directory can be written");
    let result = test(&path);
    fs::remove_file(&path).expect("the file was written above");
    result
}
