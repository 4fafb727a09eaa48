//! `credstore broker` as people and services use it, and the commands that go through it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::{Bench, mode, skipped, text};
use crate::serving::Served;

/// How long a broker may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);
const VALUE: &str = "planted;in{the}store";

struct Brokered {
    bench: Bench,
    child: Child,
}

impl Drop for Brokered {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with settings of a credential file. Where commands run, no settings are: they are below `home`.
fn bench() -> Bench {
    let bench = Bench::new();
    fs::create_dir(bench.path("home")).unwrap();
    let settings = json!({ "CredentialStore": { "Type": "File" } });
    fs::write(bench.path("home/server-settings.json"), settings.to_string()).unwrap();
    store(&bench, VALUE);
    bench
}

fn store(bench: &Bench, value: &str) {
    let file = bench.path("home/credential_store.json");
    fs::write(&file, json!({ "SmtpRelay": value, "Db": "other" }).to_string()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn socket(bench: &Bench) -> String {
    bench.path("run/broker.sock").to_str().unwrap().to_owned()
}

const RUN: [&str; 6] = ["broker", "run", "--settings", "home/server-settings.json", "--ready-file", "broker-ready"];

fn started(bench: Bench, audit: &str) -> Brokered {
    started_with(bench, &["--audit", audit])
}

fn started_with(bench: Bench, flags: &[&str]) -> Brokered {
    let mut command = bench.command(&[&RUN[..], flags].concat());
    let output = |name: &str| Stdio::from(fs::File::create(bench.path(name)).unwrap());
    command.env("CREDSTORE_SOCKET", socket(&bench)).stdout(output("out")).stderr(output("err"));
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    while !bench.path("broker-ready").exists() {
        let told = || fs::read_to_string(bench.path("err")).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "the broker stopped: {}", told());
        assert!(begun.elapsed() < PATIENCE, "the broker does not get ready: {}", told());
        std::thread::yield_now();
    }
    Brokered { bench, child }
}

impl Brokered {
    fn new() -> Self {
        started(bench(), "audit.log")
    }

    /// A command with the socket in its environment.
    fn asking(&self, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        command.env("CREDSTORE_SOCKET", socket(&self.bench));
        command
    }

    /// Exit code, standard output, standard error.
    fn asked(&self, arguments: &[&str]) -> (i32, String, String) {
        let done = self.asking(arguments).output().unwrap();
        (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (code, found, errors) = self.asked(arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}");
        found
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    fn ended(mut self) -> i32 {
        let code = self.child.wait().unwrap().code().unwrap();
        assert!(!self.bench.path("run/broker.sock").exists() && !self.bench.path("broker-ready").exists());
        code
    }

    fn audited(&self) -> Vec<Value> {
        let lines = fs::read_to_string(self.bench.path("audit.log")).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn get_expand_and_run_go_through_the_broker_without_settings() {
    let broker = Brokered::new();
    assert_eq!(broker.ok(&["get", "SmtpRelay"]), VALUE);
    let string = "DSN=P2P;mv-credential-Pass=SmtpRelay;";
    let expanded = broker.ok(&["expand", "--reveal", string]);
    assert_eq!(expanded.trim_end(), "DSN=P2P;Pass={planted;in{the}}store};");
    assert_eq!(
        broker.ok(&["run", "-q", "--no-masking", "-e", "PASS=SmtpRelay", "--", "sh", "-c", "printf %s \"$PASS\""]),
        VALUE
    );
    let lines = broker.audited();
    assert_eq!(lines.len(), 3);
    let binary = fs::canonicalize(env!("CARGO_BIN_EXE_credstore")).unwrap();
    for (line, from) in lines.iter().zip(["store", "cache", "cache"]) {
        assert_eq!((&line["outcome"], &line["from"]), (&json!("allowed"), &json!(from)));
        // A command that hides its memory hides its executable too, but not from root.
        let known = line["executable"].as_str().map(PathBuf::from);
        assert!(known.is_none_or(|executable| executable == binary), "{line}");
    }
    assert_eq!(mode(&broker.bench.path("run")), 0o700);
    assert_eq!(mode(&broker.bench.path("run/broker.sock")), 0o600);
    assert_eq!(mode(&broker.bench.path("audit.log")), 0o600);
    assert_eq!(broker.ok(&["broker", "stop"]), format!("stopped: {}\n", socket(&broker.bench)));
    let out = ["out", "err", "audit.log"].map(|name| fs::read_to_string(broker.bench.path(name)).unwrap());
    assert!(out.iter().all(|text| !text.contains("planted")), "{out:?}");
    assert_eq!(broker.ended(), 0);
}

#[test]
fn what_is_kept_is_listed_and_wiped_and_the_next_read_sees_the_new_password() {
    let broker = Brokered::new();
    broker.ok(&["get", "SmtpRelay"]);
    store(&broker.bench, "rotated");
    assert_eq!(broker.ok(&["get", "SmtpRelay"]), VALUE, "it is fresh");
    assert_eq!(broker.ok(&["broker", "cache", "list", "--query", "[].identifier", "-o", "tsv"]), "SmtpRelay\n");
    assert_eq!(broker.ok(&["broker", "cache", "clear", "SmtpRelay"]), "wiped: SmtpRelay\n");
    assert_eq!(broker.ok(&["get", "SmtpRelay"]), "rotated");
    assert_eq!(broker.ok(&["broker", "cache", "clear"]), "wiped: all\n");
    assert_eq!(broker.ok(&["broker", "cache", "list", "-o", "json"]).trim(), "[]");
    let status = broker.ok(&["broker", "status"]);
    assert!(status.contains("Status    serving\n") && !status.contains("Certificate"), "{status}");
    let pid = broker.ok(&["broker", "status", "--query", "pid", "-o", "tsv"]);
    assert_eq!(pid.trim(), broker.child.id().to_string());
}

#[test]
fn a_named_broker_that_is_away_is_an_error_and_never_a_detour() {
    let bench = bench();
    let settings = ["--settings", "home/server-settings.json"];
    assert_eq!(bench.ok(&[&["get", "SmtpRelay"], &settings[..]].concat()), VALUE);
    let nowhere = socket(&bench);
    for arguments in [&["get", "SmtpRelay"][..], &["expand", "DSN=a;mv-credential-Pass=Db;"], &["broker", "status"]] {
        let told = bench.fails(8, &[arguments, &settings[..], &["--socket", &nowhere]].concat());
        assert!(told.starts_with("error[CS5001]: no broker answers at "), "{told}");
    }
    let run = ["run", "--socket", &nowhere, "-e", "A=Db", "--", "true"];
    assert!(bench.fails(125, &run).contains("CS5001"));
    let mut direct = bench.command(&[&["get", "SmtpRelay", "--no-broker"], &settings[..]].concat());
    assert_eq!(text(&direct.env("CREDSTORE_SOCKET", nowhere).output().unwrap().stdout), VALUE);
}

#[test]
fn what_a_broker_does_not_give_is_refused_when_one_is_named() {
    let broker = Brokered::new();
    for arguments in [
        &["list"][..],
        &["get", "Db", "--version", "abababababababababababababababab"],
        &["get", "Db", "--allow-empty"],
    ] {
        let (code, _, errors) = broker.asked(arguments);
        assert!(code == 2 && errors.starts_with("error[CS5011]: a broker gives no "), "{arguments:?}: {errors}");
    }
    let (code, _, errors) = broker.asked(&["get", "Gone"]);
    assert!(code == 6 && errors.starts_with("error[CS2004]: there is no identifier Gone"), "{errors}");
}

#[test]
fn a_reload_takes_new_rights_and_a_broken_file_leaves_the_old_ones() {
    let broker = Brokered::new();
    let rights = |text: &str| fs::write(broker.bench.path("home/broker.json"), text).unwrap();
    let uid = rustix::process::geteuid().as_raw();
    broker.ok(&["get", "SmtpRelay"]);
    rights(&format!(r#"{{"rules": [{{"user": {uid}, "identifiers": ["Db"]}}]}}"#));
    fs::set_permissions(broker.bench.path("home/broker.json"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(broker.ok(&["broker", "reload"]), "settings and rights were read anew\n");
    let (code, _, errors) = broker.asked(&["get", "SmtpRelay"]);
    assert!(code == 5 && errors.starts_with("error[CS5004]: "), "{errors}");
    assert_eq!(broker.ok(&["get", "Db"]), "other");
    let kept = broker.ok(&["broker", "cache", "list", "--query", "[].identifier", "-o", "tsv"]);
    assert_eq!(kept, "Db\nSmtpRelay\n", "the settings are the same, so what is kept stays");
    rights("{");
    let (code, _, errors) = broker.asked(&["broker", "reload"]);
    assert!(code == 3 && errors.contains("CS5005") && errors.contains("goes on with what it had"), "{errors}");
    assert_eq!(broker.ok(&["get", "Db"]), "other");
    // The same by the signal, which has nobody to answer but the log.
    rights(r#"{"rules": []}"#);
    broker.signal(rustix::process::Signal::HUP);
    let begun = Instant::now();
    while broker.asked(&["get", "Db"]).0 != 5 {
        assert!(begun.elapsed() < PATIENCE, "the signal changes nothing");
    }
}

#[test]
fn rights_that_others_can_change_are_not_used() {
    let bench = bench();
    let file = bench.path("home/broker.json");
    fs::write(&file, r#"{"rules": []}"#).unwrap();
    for open in [0o620, 0o602] {
        fs::set_permissions(&file, fs::Permissions::from_mode(open)).unwrap();
        let told = bench.fails(3, &[&RUN[..], &["--socket", &socket(&bench)]].concat());
        assert!(told.contains("CS5005") && told.contains("others can change it"), "{told}");
    }
    let told = bench.fails(3, &[&RUN[..], &["--socket", &socket(&bench), "--rights", "gone.json"]].concat());
    assert!(told.contains("CS5005"), "{told}");
    assert!(!bench.path("run").exists(), "nothing is made before everything is known to be right");
}

#[test]
fn a_second_broker_is_refused_and_one_that_was_killed_leaves_nothing_in_the_way() {
    let mut broker = Brokered::new();
    let (code, _, errors) = broker.asked(&RUN);
    assert!(code == 9 && errors.starts_with("error[CS5002]: another broker answers at "), "{errors}");
    assert_eq!(broker.ok(&["get", "Db"]), "other");
    broker.child.kill().unwrap();
    broker.child.wait().unwrap();
    assert!(broker.bench.path("run/broker.sock").exists());
    assert_eq!(broker.asked(&["get", "Db"]).0, 8);
    fs::remove_file(broker.bench.path("broker-ready")).unwrap();
    let left = std::mem::replace(&mut broker.bench, Bench::new());
    let again = started(left, "audit.log");
    assert_eq!(again.ok(&["get", "Db"]), "other");
    again.signal(rustix::process::Signal::TERM);
    assert_eq!(again.ended(), 0);
}

#[test]
fn a_read_whose_audit_line_cannot_be_written_is_refused() {
    let linked = bench();
    std::os::unix::fs::symlink(linked.path("elsewhere"), linked.path("audit.log")).unwrap();
    let told = linked.fails(3, &[&RUN[..], &["--socket", &socket(&linked), "--audit", "audit.log"]].concat());
    assert!(told.contains("CS0107") && !linked.path("elsewhere").exists(), "a link is not followed: {told}");
    let broker = started(bench(), "/dev/full");
    let (code, found, errors) = broker.asked(&["get", "Db"]);
    assert!(code == 8 && found.is_empty() && errors.starts_with("error[CS5006]: "), "{errors}");
}

#[test]
fn a_vault_is_asked_over_https_and_the_end_of_the_certificate_is_told() {
    let bench = Bench::with_vault();
    let served = Served::with_settings(&bench);
    fs::create_dir(bench.path("home")).unwrap();
    let settings = fs::read_to_string(bench.path("server-settings.json")).unwrap();
    let pem = bench.path("my-certificate.pem");
    let settings = settings.replace("my-certificate.pem", pem.to_str().unwrap());
    fs::write(bench.path("home/server-settings.json"), settings).unwrap();
    fs::remove_file(bench.path("server-settings.json")).unwrap();
    let broker = started(bench, "audit.log");
    assert_eq!(broker.ok(&["get", "SmtpRelay"]), "in;the{vault}");
    let days = broker.ok(&["broker", "status", "--query", "certificateDaysLeft", "-o", "tsv"]);
    assert!(["364\n", "365\n"].contains(&days.as_str()), "{days}");
    // One that the directory does not know signs nothing, also when the settings are read anew.
    let end = || broker.ok(&["broker", "status", "--query", "certificateExpires", "-o", "tsv"]);
    let before = end();
    broker.ok(&["cert", "new", "--out", "next.pem", "--days", "30"]);
    fs::rename(broker.bench.path("next.pem"), &pem).unwrap();
    broker.ok(&["broker", "reload"]);
    assert_eq!(end(), before);
    let version = broker.audited()[0]["version"].as_str().unwrap().to_owned();
    assert_eq!(version.len(), 32);
    assert_eq!(served.stop(), Some(0));
    assert_eq!(broker.ok(&["get", "SmtpRelay"]), "in;the{vault}", "what is fresh needs no vault");
    let (code, _, errors) = broker.asked(&["get", "Other"]);
    assert_eq!(code, 8, "{errors}");
}

/// The examples of the manual, as they are printed there, against a broker.
#[test]
fn clients_in_python_javascript_and_shell_need_their_standard_libraries_only() {
    let broker = Brokered::new();
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
    for (program, example) in
        [("python3", "broker_client.py"), ("node", "broker_client.mjs"), ("sh", "broker_client.sh")]
    {
        let ran = |identifier: &str| {
            let mut command = Command::new(program);
            command.arg(examples.join(example)).args([&socket(&broker.bench), identifier]).output().ok()
        };
        let Some(found) = ran("SmtpRelay") else {
            skipped(&format!("{program} is not here"));
            continue;
        };
        assert_eq!((text(&found.stdout).as_str(), text(&found.stderr).as_str()), (VALUE, ""), "{program}");
        let missing = ran("Gone").unwrap();
        assert!(!missing.status.success() && missing.stdout.is_empty(), "{program}");
        assert!(text(&missing.stderr).contains("CS2004"), "{program}: {}", text(&missing.stderr));
    }
    assert!(broker.audited().len() >= 2);
}

/// Settings that refer to these identifiers.
fn refer_to(bench: &Bench, identifiers: &[&str]) {
    let references: Vec<_> = identifiers.iter().map(|identifier| json!({ "credential": identifier })).collect();
    let settings = json!({ "CredentialStore": { "Type": "File" }, "Passwords": references });
    fs::write(bench.path("home/server-settings.json"), settings.to_string()).unwrap();
}

const KEPT: [&str; 7] = ["broker", "cache", "list", "--query", "[].identifier", "-o", "tsv"];

#[test]
fn the_identifiers_of_the_settings_are_there_before_anybody_asks_and_one_without_a_value_holds_none_up() {
    let bench = bench();
    refer_to(&bench, &["Missing", "SmtpRelay", "Db", "Db"]);
    let broker = started(bench, "audit.log");
    let begun = Instant::now();
    while broker.ok(&KEPT) != "Db\nSmtpRelay\n" {
        assert!(begun.elapsed() < PATIENCE, "{}", broker.ok(&KEPT));
    }
    assert_eq!(broker.ok(&["get", "SmtpRelay"]), VALUE);
    let lines = broker.audited();
    assert_eq!((lines.len(), &lines[0]["from"]), (1, &json!("cache")), "only the reader is written down");
    let log = || fs::read_to_string(broker.bench.path("err")).unwrap();
    while !log().contains("Missing") {
        assert!(begun.elapsed() < PATIENCE, "{}", log());
    }
}

#[test]
fn a_strict_broker_takes_no_settings_of_which_an_identifier_has_no_value() {
    let bench = bench();
    refer_to(&bench, &["Missing", "SmtpRelay", "Gone"]);
    let strict = ["--audit", "audit.log", "--prefetch", "strict"];
    let mut command = bench.command(&[&RUN[..], &strict].concat());
    let refused = command.env("CREDSTORE_SOCKET", socket(&bench)).output().unwrap();
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(6), "{told}");
    assert!(told.contains("there is no identifier Missing") && told.contains("1 more that the settings"), "{told}");
    assert!(!bench.path("run/broker.sock").exists());
    refer_to(&bench, &["SmtpRelay"]);
    let broker = started_with(bench, &strict);
    assert_eq!(broker.ok(&KEPT), "SmtpRelay\n");
    // A reload is refused like a start, and what was served goes on.
    refer_to(&broker.bench, &["SmtpRelay", "Missing"]);
    let (code, _, errors) = broker.asked(&["broker", "reload"]);
    assert!(code == 6 && errors.contains("Missing"), "{code}: {errors}");
    assert_eq!(broker.ok(&["get", "SmtpRelay"]), VALUE);
    refer_to(&broker.bench, &["SmtpRelay", "Db"]);
    broker.ok(&["broker", "reload"]);
    assert_eq!(broker.ok(&KEPT), "Db\nSmtpRelay\n");
}

#[test]
fn a_broker_that_is_told_so_waits_for_readers() {
    let bench = bench();
    refer_to(&bench, &["SmtpRelay"]);
    let broker = started_with(bench, &["--audit", "audit.log", "--prefetch", "off"]);
    broker.ok(&["get", "Db"]);
    assert_eq!(broker.ok(&KEPT), "Db\n");
}
