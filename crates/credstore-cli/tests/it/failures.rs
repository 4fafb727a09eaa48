//! Exit codes, empty standard output, JSON errors, and no hanging for input that never comes.

use serde_json::Value;

use crate::bench::{Bench, text};

#[test]
fn without_a_vault_commands_say_so_and_make_none() {
    let bench = Bench::new();
    for arguments in [&["vault", "list"][..], &["app", "list"], &["directory", "show"], &["vault", "secret", "list"]] {
        assert!(bench.fails(6, arguments).starts_with("error[CS6001]"));
    }
    assert!(!bench.path("data").exists());
}

#[test]
fn without_settings_nothing_is_resolved() {
    let bench = Bench::new();
    assert!(bench.fails(3, &["get", "SmtpRelay"]).starts_with("error[CS1001]"));
    std::fs::write(bench.path("server-settings.json"), "{}").unwrap();
    assert!(bench.fails(3, &["get", "SmtpRelay"]).starts_with("error[CS1117]"));
    assert!(bench.fails(125, &["run", "-e", "A=B", "--", "true"]).starts_with("error[CS1117]"));
}

#[test]
fn an_error_is_one_json_object_when_asked_for() {
    let bench = Bench::new();
    let error = bench.fails(3, &["get", "SmtpRelay", "-o", "json"]);
    let value: Value = serde_json::from_str(&error).unwrap();
    assert_eq!((value["error"]["code"].as_str(), value["error"]["exit"].as_u64()), (Some("CS1001"), Some(3)));
    let run = bench.fails(125, &["run", "-o", "json", "-e", "A=B", "--", "true"]);
    assert_eq!(serde_json::from_str::<Value>(&run).unwrap()["error"]["exit"], 125);
}

#[test]
fn a_value_that_nobody_gives_is_an_error_and_not_a_hang() {
    let bench = Bench::with_vault();
    let set = ["vault", "secret", "set", "--name", "Empty"];
    assert!(bench.fails(2, &set).starts_with("error[CS0116]"));
    let not_text = bench.fed(&set, b"\xff\xfe");
    assert_eq!(not_text.status.code(), Some(3));
    assert!(text(&not_text.stderr).starts_with("error[CS0109]"));
}

#[test]
fn what_asks_on_a_terminal_wants_a_flag_in_a_script() {
    let bench = Bench::with_vault();
    assert!(bench.fails(2, &["vault", "secret", "delete", "-n", "SmtpRelay"]).starts_with("error[CS0104]"));
    assert!(bench.fails(2, &["app", "delete", "--id", "process-mining"]).starts_with("error[CS0104]"));
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
}

#[test]
fn a_dry_run_changes_nothing() {
    let bench = Bench::with_vault();
    let said = bench.ok(&["vault", "secret", "delete", "-n", "SmtpRelay", "--dry-run"]);
    assert_eq!(said, "would delete the secret SmtpRelay; nothing was changed\n");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let bench = Bench::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let done = bench.command(&["version"]).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(8), "{}", text(&done.stderr));
}

#[test]
fn a_private_key_is_never_uploaded() {
    let bench = Bench::with_vault();
    let upload = ["app", "credential", "add", "--id", "process-mining", "--cert", "my-certificate.pem"];
    assert!(bench.fails(3, &upload).starts_with("error[CS1213]"));
}

#[test]
fn another_tenants_settings_are_not_answered_in_process() {
    let bench = Bench::with_vault();
    let settings = std::fs::read_to_string(bench.path("server-settings.json")).unwrap();
    let mut settings: Value = serde_json::from_str(&settings).unwrap();
    settings["CredentialStore"]["TenantId"] = "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44".into();
    settings["CredentialStore"]["AuthorityHost"] = "https://login.localhost:9".into();
    settings["CredentialStore"]["VaultDnsSuffix"] = "vault.localhost:9".into();
    std::fs::write(bench.path("server-settings.json"), settings.to_string()).unwrap();
    // Port 9 of this machine: nobody listens.
    assert_eq!(bench.run(&["get", "SmtpRelay"]).status.code(), Some(8));
}

#[test]
fn a_value_is_in_no_argument() {
    let bench = Bench::with_vault();
    let probe = "grep -c 'the{vau[l]t}' /proc/$$/cmdline /proc/$PPID/cmdline";
    let done = bench.run(&["run", "-e", "PASS=SmtpRelay", "--", "sh", "-c", probe]);
    let counts: Vec<String> =
        text(&done.stdout).lines().map(|line| line.rsplit(':').next().unwrap().to_owned()).collect();
    assert_eq!(counts, ["0", "0"], "ours and the command's");
}
