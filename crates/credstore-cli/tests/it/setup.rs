//! `credstore setup`: the five steps with real processes, again, cut off, and against what is in the way.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use credstore::azure::certificate::generate;
use credstore_protocol::Timestamp;
use credstore_testing::canary::Canary;
use serde_json::Value;

use crate::bench::{Bench, mode, text};
use crate::serving::Served;

const VALUE: &str = "planted;by{the}set-up tests";
const BEGIN: [&str; 6] = ["setup", "embedded", "--vault-name", "acme-pm-kv", "--secret", "SmtpRelay"];
const AGAIN: [&str; 2] = ["setup", "embedded"];

fn set_up(bench: &Bench) -> Output {
    bench.fed(&BEGIN, VALUE.as_bytes())
}

fn succeeded(done: &Output) -> String {
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}

fn failed(done: &Output, exit: i32, code: &str) -> String {
    let errors = text(&done.stderr);
    assert_eq!(done.status.code(), Some(exit), "{}{errors}", text(&done.stdout));
    assert!(errors.contains(&format!("error[{code}")), "{errors}");
    errors
}

fn client_id(bench: &Bench) -> String {
    bench.ok(&["app", "show", "--id", "process-mining", "--query", "appId", "-o", "tsv"]).trim().to_owned()
}

/// Every file beside the settings with its bytes; the data folder is another matter.
fn files(bench: &Bench) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())).collect()
}

/// What the vault and the directory hold: apps, keys of the app, vaults, versions of the secret.
fn counts(bench: &Bench) -> [String; 5] {
    let count = |arguments: &[&str]| bench.ok(&[arguments, &["--query", "length(@)", "-o", "tsv"]].concat());
    [
        count(&["app", "list"]),
        count(&["app", "credential", "list", "--id", "process-mining"]),
        count(&["vault", "list"]),
        count(&["vault", "access-policy", "list", "--name", "acme-pm-kv"]),
        count(&["vault", "secret", "list-versions", "--vault-name", "acme-pm-kv", "--name", "SmtpRelay"]),
    ]
}

fn assert_complete(bench: &Bench) {
    let status = bench.ok(&["setup", "status", "-o", "json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["complete"], true, "{status:#}");
    // The operator's own app is one of the apps, its policy one of the policies.
    let expected = ["2\n", "1\n", "1\n", "2\n", "1\n"].map(str::to_owned);
    assert_eq!(counts(bench), expected);
    let names: Vec<String> = files(bench).into_keys().collect();
    assert_eq!(names, ["azure-cert.cer", "my-certificate.pem", "server-settings.json", "setup-state.json"]);
    for name in ["my-certificate.pem", "server-settings.json", "setup-state.json"] {
        assert_eq!(mode(&bench.path(name)), 0o600, "{name}");
    }
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), VALUE);
}

#[test]
fn five_steps_lead_from_nothing_to_a_resolved_identifier() {
    let bench = Bench::new();
    let done = set_up(&bench);
    let shown = succeeded(&done);
    let (rows, rest) = shown.split_once("\n\n     \"Cred").or_else(|| shown.split_once("\n\n   + \"Cred")).unwrap();
    // Command line specification, samples 1 and 2.
    assert_eq!(
        rows,
        format!(
            "Credential store on this machine: five steps\n\n  \
             1  Key Vault        acme-pm-kv                 created\n  \
             2  Certificate      my-certificate.pem         RSA 2048, 365 days\n  \
             3  App              process-mining             client ID {}\n  \
             4  Secret           SmtpRelay                  Get granted to process-mining\n  \
             5  Server Settings  server-settings.json",
            client_id(&bench)
        )
    );
    assert!(rest.contains("     saved, tested: SmtpRelay resolved in ") && rest.ends_with(" ms\n\nDone.\n"), "{rest}");
    assert_complete(&bench);
    let settings: Value = serde_json::from_slice(&files(&bench)["server-settings.json"]).unwrap();
    let store = settings["CredentialStore"].as_object().unwrap();
    assert_eq!(store["Type"], "AzureKeyVault");
    assert_eq!(store["VaultName"], "acme-pm-kv");
    assert_eq!(store["CertificateFile"], "my-certificate.pem");
    // The data folder is below the settings, so both can be moved together.
    assert_eq!(store["CaFile"], "data/ca.pem");
    assert_eq!(store["ClientId"], client_id(&bench));
}

#[test]
fn a_second_run_changes_nothing_and_asks_for_nothing() {
    let bench = Bench::new();
    std::fs::write(bench.path("server-settings.json"), "{\r\n\t\"z\": 1 ,\r\n\t\"a\":[]\r\n}").unwrap();
    succeeded(&set_up(&bench));
    let (before, held) = (files(&bench), counts(&bench));
    let kept = before.keys().find(|name| name.ends_with(".bak")).unwrap();
    assert_eq!(before[kept], b"{\r\n\t\"z\": 1 ,\r\n\t\"a\":[]\r\n}");
    assert_eq!(mode(&bench.path(kept)), 0o600);
    for arguments in [&BEGIN[..], &AGAIN, &["setup", "embedded", "--resume"], &["setup", "embedded", "--from", "3"]] {
        // Nothing on standard input: it is not read.
        let shown = succeeded(&bench.run(arguments));
        assert!(
            shown.contains("  4  Permission       Get for process-mining     already there, 1 secret\n"),
            "{shown}"
        );
        assert!(shown.contains("  5  Server Settings  server-settings.json       already there\n"), "{shown}");
        assert!(shown.contains("     tested: SmtpRelay resolved in "), "{shown}");
        assert_eq!(files(&bench), before, "{arguments:?}");
        assert_eq!(counts(&bench), held, "{arguments:?}");
    }
    let shown = succeeded(&bench.run(&AGAIN));
    assert!(shown.starts_with("Credential store on this machine: all five steps are done\n"), "{shown}");
}

/// Kills the set-up when `rows` rows of the five were shown, or after `pause` more. Gives whether it was still running.
fn killed(bench: &Bench, rows: usize, pause: Duration) -> bool {
    let mut command = bench.command(&BEGIN);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(VALUE.as_bytes());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (send, shown) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    let mut seen = 0;
    while seen < rows {
        let Ok(line) = shown.recv() else { break };
        seen += usize::from(line.starts_with("  ") && line.as_bytes()[2].is_ascii_digit());
    }
    // The next line, or the pause, whichever is first: somewhere inside a step.
    let _ = shown.recv_timeout(pause);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    running
}

#[test]
fn killed_after_any_step_and_run_again_it_ends_in_the_same_state() {
    for rows in 0..=5 {
        let bench = Bench::new();
        killed(&bench, rows, Duration::ZERO);
        succeeded(&set_up(&bench));
        assert_complete(&bench);
    }
}

#[test]
fn killed_anywhere_again_and_again_it_ends_in_the_same_state() {
    let bench = Bench::new();
    let mut cut = 0;
    for round in 0..24_u32 {
        // From the first moment on, a little later each time: through every step.
        let rows = (round / 4) as usize;
        cut += u32::from(killed(&bench, rows.min(5), Duration::from_millis(u64::from(round % 4) * 7)));
    }
    assert!(cut > 0, "no run was cut off: the test shows nothing");
    succeeded(&set_up(&bench));
    assert_complete(&bench);
}

#[test]
fn each_step_can_be_done_alone_and_not_before_the_one_it_needs() {
    let bench = Bench::new();
    let only = |step: &str| bench.fed(&[&BEGIN[..], &["--only", step]].concat(), VALUE.as_bytes());
    let needs = |step: &str, needed: &str| {
        let errors = failed(&only(step), 2, "CS6024");
        assert!(errors.contains(&format!("step {step} needs step {needed}")), "{errors}");
    };
    needs("4", "1");
    succeeded(&only("1"));
    needs("4", "2");
    succeeded(&only("2"));
    needs("4", "3");
    needs("5", "3");
    succeeded(&only("3"));
    // The test of the settings is refused: the directory does not know the public key yet.
    assert!(failed(&only("5"), 4, "CS3").contains("AADSTS700027"));
    assert!(!bench.path("server-settings.json").exists());
    succeeded(&only("4"));
    failed(&bench.run(&["setup", "embedded", "--only", "6"]), 2, "CS0101");
    succeeded(&only("5"));
    assert_complete(&bench);
}

#[test]
fn another_store_is_replaced_only_on_yes_and_the_old_version_is_kept() {
    let bench = Bench::new();
    let old = "{\n  \"CredentialStore\": {\n    \"Type\": \"File\"\n  }\n}\n";
    std::fs::write(bench.path("server-settings.json"), old).unwrap();
    failed(&set_up(&bench), 2, "CS0104");
    assert_eq!(files(&bench)["server-settings.json"], old.as_bytes());
    let shown = succeeded(&bench.run(&["setup", "embedded", "--resume", "--yes"]));
    assert!(
        shown.starts_with("Credential store on this machine: steps 1 to 4 are done, continuing with 5\n"),
        "{shown}"
    );
    // Command line specification, sample 2.
    let diff = "  5  Server Settings  server-settings.json\n\n     \"CredentialStore\": {\n   -   \"Type\": \"File\"\n   \
                +   \"Type\": \"AzureKeyVault\",\n   +   \"TenantId\": ";
    assert!(shown.contains(diff), "{shown}");
    let after = files(&bench);
    let (_, kept) = after.iter().find(|(name, _)| name.ends_with(".bak")).unwrap();
    assert_eq!(kept, old.as_bytes());
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), VALUE);
}

#[test]
fn settings_that_do_not_pass_the_test_are_put_back() {
    for old in [None, Some("{\n  \"kept\": true\n}\n")] {
        let bench = Bench::new();
        succeeded(&bench.fed(&[&BEGIN[..], &["--print-entry"]].concat(), VALUE.as_bytes()));
        bench.ok(&[
            "vault",
            "secret",
            "set-attributes",
            "--vault-name",
            "acme-pm-kv",
            "--name",
            "SmtpRelay",
            "--enabled",
            "false",
        ]);
        if let Some(old) = old {
            std::fs::write(bench.path("server-settings.json"), old).unwrap();
        }
        let before = files(&bench);
        let done = bench.run(&AGAIN);
        let errors = failed(&done, 7, "CS4");
        assert!(errors.contains("note   "), "{errors}");
        assert!(!text(&done.stdout).contains("saved"), "{}", text(&done.stdout));
        assert_eq!(files(&bench), before);
    }
}

#[test]
fn the_entry_can_be_printed_instead_of_written() {
    let bench = Bench::new();
    let shown = succeeded(&bench.fed(&[&BEGIN[..], &["--print-entry"]].concat(), VALUE.as_bytes()));
    let entry: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(entry["CredentialStore"]["ClientId"], client_id(&bench));
    assert!(!bench.path("server-settings.json").exists());
}

#[test]
fn a_plan_and_a_look_change_nothing() {
    let bench = Bench::new();
    for flag in ["--plan", "--dry-run"] {
        let shown = succeeded(&bench.run(&[&BEGIN[..], &[flag]].concat()));
        assert!(shown.contains("  1  Key Vault        acme-pm-kv                 to be done: not there\n"), "{shown}");
    }
    let status = bench.run(&["setup", "status"]);
    assert_eq!(status.status.code(), Some(10));
    assert_eq!(text(&status.stdout).lines().count(), 5);
    assert_eq!(std::fs::read_dir(bench.path("")).unwrap().count(), 0);
    succeeded(&set_up(&bench));
    let before = files(&bench);
    let shown = bench.ok(&["setup", "status"]);
    assert_eq!(shown.lines().filter(|line| line.contains("already there")).count(), 5, "{shown}");
    bench.ok(&[&AGAIN[..], &["--plan"]].concat());
    assert_eq!(files(&bench), before);
}

#[test]
fn the_value_is_asked_for_before_anything_is_made_and_never_empty() {
    let bench = Bench::new();
    let errors = failed(&bench.run(&BEGIN), 2, "CS0116");
    assert!(errors.contains("it is the value of SmtpRelay"), "{errors}");
    assert_eq!(bench.ok(&["vault", "list", "-o", "tsv"]), "");
    assert!(!bench.path("my-certificate.pem").exists());
    failed(&bench.run(&[&BEGIN[..], &["--value", VALUE]].concat()), 2, "CS0102");
}

#[test]
fn a_certificate_that_is_of_no_use_is_replaced_only_on_yes_and_kept() {
    // Valid in 2024 only.
    let expired = generate("CN=old", 2048, 365, Timestamp(1_704_067_200)).unwrap().pem;
    for (pem, code) in [("no certificate\n", "CS12"), (expired.expose_secret(), "CS1204")] {
        let bench = Bench::new();
        std::fs::write(bench.path("my-certificate.pem"), pem).unwrap();
        failed(&set_up(&bench), 3, code);
        assert_eq!(files(&bench)["my-certificate.pem"], pem.as_bytes());
        succeeded(&bench.fed(&[&BEGIN[..], &["--yes"]].concat(), VALUE.as_bytes()));
        let after = files(&bench);
        let (name, kept) = after.iter().find(|(name, _)| name.ends_with(".bak")).unwrap();
        assert!(name.starts_with("my-certificate.pem."), "{name}");
        assert_eq!(kept, pem.as_bytes());
        assert_eq!(mode(&bench.path(name)), 0o600);
        assert_eq!(bench.ok(&["get", "SmtpRelay"]), VALUE);
    }
}

#[test]
fn a_certificate_that_is_there_is_used_and_its_end_is_told_in_time() {
    let bench = Bench::new();
    bench.ok(&["cert", "new", "--out", "my-certificate.pem", "--days", "24"]);
    let pem = files(&bench)["my-certificate.pem"].clone();
    let shown = succeeded(&set_up(&bench));
    assert_eq!(files(&bench)["my-certificate.pem"], pem);
    // Command line specification, sample 2. Whole days are told: 24 in the first second, 23 from then on.
    let told = |shown: &str, before: &str, after: &str| {
        [23, 24].iter().any(|days| shown.contains(&format!("{before}{days}{after}")))
    };
    assert!(told(&shown, "\nDone. warning[CS1204]: my-certificate.pem expires in ", " days ("), "{shown}");
    let shown = succeeded(&bench.run(&AGAIN));
    assert!(
        told(&shown, "  2  Certificate      my-certificate.pem         already there, ", " days left\n"),
        "{shown}"
    );
}

#[test]
fn settings_that_are_no_json_stop_the_run_before_it_begins() {
    let bench = Bench::new();
    std::fs::write(bench.path("server-settings.json"), "{\n  \"a\": 1\n  \"b\": 2\n}\n").unwrap();
    let errors = failed(&set_up(&bench), 3, "CS1003");
    assert!(errors.contains("server-settings.json:2:"), "{errors}");
    assert!(!bench.path("data").exists() && !bench.path("my-certificate.pem").exists());
}

#[test]
fn what_is_remembered_is_a_hint() {
    let bench = Bench::new();
    failed(&bench.run(&["setup", "embedded", "--resume"]), 2, "CS0103");
    failed(&bench.run(&AGAIN), 2, "CS0103");
    succeeded(&set_up(&bench));
    let state = files(&bench)["setup-state.json"].clone();
    std::fs::write(bench.path("setup-state.json"), "{").unwrap();
    failed(&bench.run(&AGAIN), 3, "CS6021");
    succeeded(&bench.run(&[&BEGIN[..], &["--restart"]].concat()));
    assert_eq!(files(&bench)["setup-state.json"], state);
    std::fs::remove_file(bench.path("setup-state.json")).unwrap();
    succeeded(&bench.run(&BEGIN));
    assert_eq!(files(&bench)["setup-state.json"], state);
    assert_complete(&bench);
}

#[test]
fn one_run_at_a_time_works_in_a_folder() {
    let bench = Bench::new();
    let folder = std::fs::File::open(bench.path("")).unwrap();
    folder.lock().unwrap();
    failed(&set_up(&bench), 9, "CS6025");
    folder.unlock().unwrap();
    succeeded(&set_up(&bench));
}

#[test]
fn what_a_killed_run_left_under_a_temporary_name_is_removed() {
    let bench = Bench::new();
    let left = bench.path(".my-certificate.pem.0123456789abcdef0123456789abcdef.tmp");
    std::fs::write(&left, "a private key").unwrap();
    succeeded(&set_up(&bench));
    assert_complete(&bench);
}

#[test]
fn it_goes_through_a_running_server() {
    let bench = Bench::new();
    let served = Served::on(&bench);
    succeeded(&set_up(&bench));
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), VALUE);
    let before = files(&bench);
    succeeded(&bench.run(&AGAIN));
    assert_eq!(files(&bench), before);
    assert_eq!(served.stop(), Some(0));
    succeeded(&bench.run(&AGAIN));
    std::fs::remove_file(bench.path("ready")).unwrap_or_default();
    assert_complete(&bench);
}

#[test]
fn a_lost_part_of_step_4_is_done_again_alone() {
    let bench = Bench::new();
    succeeded(&set_up(&bench));
    let app = client_id(&bench);
    bench.ok(&["vault", "access-policy", "delete", "--name", "acme-pm-kv", "--spn", &app, "--yes"]);
    let status = bench.run(&["setup", "status"]);
    assert!(text(&status.stdout).contains("missing: Get\n"), "{}", text(&status.stdout));
    assert_eq!(status.status.code(), Some(10));
    succeeded(&bench.run(&AGAIN));
    assert_complete(&bench);
    let keys = ["app", "credential", "list", "--id", &app, "--query", "[0].keyId", "-o", "tsv"];
    let key = bench.ok(&keys);
    bench.ok(&["app", "credential", "delete", "--id", &app, "--key-id", key.trim(), "--yes"]);
    let shown = succeeded(&bench.run(&AGAIN));
    assert!(shown.contains("  4  Permission       Get for process-mining     public key uploaded\n"), "{shown}");
    assert_complete(&bench);
}

#[test]
fn the_value_is_nowhere_but_in_the_vault() {
    let bench = Bench::new();
    let canary = Canary::new(VALUE);
    for arguments in
        [&[&BEGIN[..], &["--debug"]].concat()[..], &["setup", "status", "--debug"], &["setup", "embedded", "--plan"]]
    {
        let done = bench.fed(arguments, VALUE.as_bytes());
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert_eq!(canary.in_bytes(&done.stdout), []);
        assert_eq!(canary.in_bytes(&done.stderr), []);
    }
    assert_eq!(canary.in_folder(&bench.path("")).unwrap(), []);
}
