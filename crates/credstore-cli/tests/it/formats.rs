//! Every command that lists or shows something, in every output format, with and without a query.

use serde_json::Value;

use crate::bench::{Bench, text};

/// Lists, with a member that every item has.
const LISTS: [(&[&str], &str); 8] = [
    (&["list"], "identifier"),
    (&["vault", "list"], "name"),
    (&["vault", "secret", "list"], "name"),
    (&["vault", "secret", "list-versions", "-n", "SmtpRelay"], "version"),
    (&["vault", "secret", "list-deleted"], "name"),
    (&["vault", "access-policy", "list", "--name", "acme-pm-kv"], "objectId"),
    (&["app", "list"], "appId"),
    (&["app", "credential", "list", "--id", "process-mining"], "keyId"),
];

/// Single things, with a member that each has.
const THINGS: [(&[&str], &str); 9] = [
    (&["vault", "show", "--name", "acme-pm-kv"], "name"),
    (&["vault", "secret", "show", "-n", "SmtpRelay"], "version"),
    (&["vault", "secret", "show", "-n", "SmtpRelay", "--reveal"], "value"),
    (&["vault", "secret", "show-deleted", "-n", "Gone"], "name"),
    (&["app", "show", "--id", "process-mining"], "appId"),
    (&["directory", "show"], "tenantId"),
    (&["cert", "show", "my-certificate.pem"], "thumbprint"),
    (&["cert", "verify", "my-certificate.pem"], "thumbprint"),
    (&["version"], "version"),
];

fn bench() -> Bench {
    let bench = Bench::with_vault();
    bench.set("Gone", "planted-gone");
    bench.ok(&["vault", "secret", "delete", "-n", "Gone", "--yes"]);
    bench
}

fn with(command: &[&str], more: &[&str], bench: &Bench) -> String {
    bench.ok(&[command, more].concat())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_list_has_every_format() {
    let bench = bench();
    for (command, member) in LISTS {
        let json = parsed(&with(command, &["-o", "json"], &bench));
        let items = json.as_array().unwrap_or_else(|| panic!("{command:?}: {json}"));
        assert!(!items.is_empty(), "{command:?}");
        let members: Vec<&str> = items.iter().map(|item| item[member].as_str().expect(member)).collect();

        let lines = with(command, &["-o", "jsonl"], &bench);
        assert_eq!(lines.lines().map(parsed).collect::<Vec<_>>(), *items, "{command:?}");
        let rows = with(command, &["-o", "tsv"], &bench);
        assert_eq!(rows.lines().count(), items.len(), "{command:?}");
        assert_eq!(with(command, &["-o", "none"], &bench), "", "{command:?}");
        let table = with(command, &[], &bench);
        assert_eq!(table.lines().count(), items.len() + 1, "{command:?}: {table}");
        assert!(table.lines().next().unwrap().chars().all(|c| !c.is_lowercase()), "{table}");

        let query = format!("[].{member}");
        assert_eq!(parsed(&with(command, &["-o", "json", "--query", &query], &bench)), serde_json::json!(members));
        let bare: String = members.iter().map(|member| format!("{member}\n")).collect();
        assert_eq!(with(command, &["-o", "tsv", "--query", &query], &bench), bare, "{command:?}");
        let quoted: String = members.iter().map(|member| format!("\"{member}\"\n")).collect();
        assert_eq!(with(command, &["-o", "jsonl", "--query", &query], &bench), quoted, "{command:?}");
        assert_eq!(with(command, &["-o", "none", "--query", &query], &bench), "", "{command:?}");
        assert_eq!(with(command, &["-o", "json", "--query", "length(@)"], &bench), format!("{}\n", items.len()));
    }
}

#[test]
fn every_thing_that_is_shown_has_every_format() {
    let bench = bench();
    for (command, member) in THINGS {
        let json = parsed(&with(command, &["-o", "json"], &bench));
        let value = json[member].as_str().unwrap_or_else(|| panic!("{command:?}: {json}"));
        assert_eq!(parsed(&with(command, &["-o", "jsonl"], &bench)), json, "{command:?}");
        assert_eq!(with(command, &["-o", "tsv"], &bench).lines().count(), 1, "{command:?}");
        assert_eq!(with(command, &["-o", "none"], &bench), "", "{command:?}");
        assert!(!with(command, &[], &bench).is_empty(), "{command:?}");
        assert_eq!(with(command, &["-o", "tsv", "--query", member], &bench), format!("{value}\n"), "{command:?}");
        assert_eq!(parsed(&with(command, &["-o", "json", "--query", member], &bench)), *value, "{command:?}");
        assert_eq!(with(command, &["--query", member], &bench), format!("{value}\n"), "{command:?}");
        assert_eq!(with(command, &["-o", "tsv", "--query", "nonesuch"], &bench), "\n", "{command:?}");
    }
}

#[test]
fn the_format_of_the_environment_gives_way_to_the_flag() {
    let bench = Bench::new();
    let run = |format: &str, arguments: &[&str]| {
        text(&bench.command(arguments).env("CREDSTORE_OUTPUT", format).output().unwrap().stdout)
    };
    assert!(run("json", &["version"]).starts_with('{'));
    assert_eq!(run("none", &["version"]), "");
    assert!(!run("json", &["version", "-o", "tsv"]).starts_with('{'));
    let odd = bench.command(&["version"]).env("CREDSTORE_OUTPUT", "yaml").output().unwrap();
    assert_eq!(odd.status.code(), Some(2));
}

#[test]
fn no_list_and_no_description_holds_a_value() {
    let bench = bench();
    let things = THINGS.iter().filter(|(command, _)| !command.contains(&"--reveal"));
    for (command, _) in LISTS.iter().chain(things) {
        for format in ["table", "json", "jsonl", "tsv"] {
            let done = bench.run(&[command, &["-o", format, "--debug"][..]].concat());
            for stream in [text(&done.stdout), text(&done.stderr)] {
                assert!(!stream.contains("the{vault}") && !stream.contains("planted-gone"), "{command:?}: {stream}");
            }
        }
    }
}

#[test]
fn quiet_leaves_results_and_errors() {
    let bench = Bench::with_vault();
    let quiet = bench.run(&["list", "-q"]);
    assert!(quiet.stderr.is_empty() && text(&quiet.stdout).contains("SmtpRelay"), "{}", text(&quiet.stderr));
    assert!(bench.fails(6, &["get", "Nope", "-q"]).starts_with("error[CS2004]"));
    assert_eq!(bench.ok(&["get", "SmtpRelay", "-q"]), "in;the{vault}");
}
