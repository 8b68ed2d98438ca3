//! What shells, manuals and supervisors ask of the binary: completions, pages, and whether a server answers.

use crate::harness::{Finished, Launch};

const COMMANDS: [&str; 6] = ["check", "import", "export", "ping", "completions", "man"];

fn run(words: &[&str]) -> Finished {
    Launch::bare().flags(words).run()
}

#[test]
fn completions_know_every_command_and_flag() {
    for shell in ["bash", "zsh", "fish"] {
        let finished = run(&["completions", shell]);
        assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{shell}");
        for word in COMMANDS.iter().chain(&["metrics-port", "skip-existing", "repair"]) {
            assert!(finished.stdout.contains(word), "{word} in {}", finished.stdout);
        }
    }
    let unknown = run(&["completions", "csh"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("possible values: bash"), "{}", unknown.stderr);
}

#[test]
fn there_is_a_page_for_everything_and_for_each_command() {
    let page = run(&["man"]);
    assert_eq!(page.code, 0, "{}", page.stderr);
    // The help of a setting's flag is that of its directive, as in --help.
    for part in [
        ".TH mayfly 1",
        "MAYFLY_SECTION__KEY",
        "metrics\\-port",
        "0 takes any free one",
        "mayfly\\-import(1)",
    ] {
        assert!(page.stdout.contains(part), "{part} in {}", page.stdout);
    }
    for command in COMMANDS {
        let page = run(&["man", command]);
        assert_eq!(page.code, 0, "{command}: {}", page.stderr);
        assert!(page.stdout.contains(&format!(".TH mayfly-{command} 1")), "{}", page.stdout);
    }
    let unknown = run(&["man", "serve"]);
    let expected = "mayfly: there is no command 'serve'; see mayfly --help\n";
    assert_eq!((unknown.code, unknown.stderr.as_str()), (2, expected));
}

#[test]
fn ping_tells_whether_a_server_answers() {
    let server = Launch::with_shards(1).set("server.password", "secret").start();
    let port = server.address.port().to_string();
    let finished =
        Launch::bare().set("server.password", "secret").set("server.port", &port).flags(["ping"]).run();
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "PONG\n"), "{}", finished.stderr);
    let named = run(&["ping", &format!("redis://:secret@127.0.0.1:{port}")]);
    assert_eq!((named.code, named.stdout.as_str()), (0, "PONG\n"));
    let refused = run(&["ping", &format!("127.0.0.1:{port}")]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("NOAUTH"), "{}", refused.stderr);
    assert_eq!(run(&["ping", "nobody:there:is"]).code, 2);
    drop(server);
    assert_eq!(run(&["ping", &format!("127.0.0.1:{port}")]).code, 1);
}
