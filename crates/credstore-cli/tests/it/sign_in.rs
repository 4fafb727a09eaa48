//! Settings that are nearly right: each mistake of the set-up gets its own code, the directory's code and a fix.

use serde_json::Value;

use crate::bench::{Bench, skipped};
use crate::serving::Served;

fn change(bench: &Bench, key: &str, value: &str) {
    let path = bench.path("server-settings.json");
    let mut settings: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    settings["CredentialStore"][key] = value.into();
    std::fs::write(path, format!("{settings:#}")).unwrap();
}

const NOBODY: &str = "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44";

/// What is wrong, the code and exit, the directory's code, and words of the fix.
type Mistake = (fn(&Bench), &'static str, i32, &'static str, &'static str);

const MISTAKES: [Mistake; 4] = [
    (other_certificate, "CS3102", 4, "AADSTS700027", "fix    "),
    (|bench| change(bench, "ClientId", NOBODY), "CS3101", 4, "AADSTS700016", "fix    "),
    (|bench| change(bench, "VaultName", "acme-other-kv"), "CS4028", 6, "", "fix    "),
    (|bench| bench.permit("set"), "CS4003", 5, "", "fix    "),
];

fn other_certificate(bench: &Bench) {
    bench.ok(&["cert", "new", "--out", "other.pem"]);
    change(bench, "CertificateFile", "other.pem");
}

#[test]
fn every_mistake_is_told_by_its_own_code_in_process_and_through_a_server() {
    for (mistake, code, exit, upstream, fix) in MISTAKES {
        let bench = Bench::with_vault();
        mistake(&bench);
        let in_process = bench.fails(exit, &["get", "SmtpRelay"]);
        assert!(in_process.starts_with(&format!("error[{code}]: ")), "{code}: {in_process}");
        assert!(in_process.contains(upstream) && in_process.contains(fix), "{code}: {in_process}");
        let served = Served::with_settings(&bench);
        let answered = bench.fails(exit, &["get", "SmtpRelay"]);
        let said = |text: &str| text.lines().next().map(str::to_owned);
        assert_eq!(said(&answered), said(&in_process), "{code}: {answered}");
        assert!(bench.fails(125, &["run", "-e", "A=SmtpRelay", "--", "true"]).contains(code));
        served.stop();
    }
}

#[test]
fn a_directory_that_is_not_there_is_told_by_the_server_that_was_asked() {
    let bench = Bench::with_vault();
    let served = Served::with_settings(&bench);
    change(&bench, "TenantId", NOBODY);
    let told = bench.fails(4, &["get", "SmtpRelay"]);
    assert!(told.starts_with("error[CS3110]: ") && told.contains("AADSTS90002"), "{told}");
    assert!(told.contains("CredentialStore.TenantId") && told.contains("  fix    "), "{told}");
    served.stop();
}

#[test]
fn an_expired_certificate_is_seen_before_anybody_is_asked() {
    let bench = Bench::with_vault();
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=old", "-keyout", "old.pem"])
        .args(["-out", "old.crt", "-not_before", "20200101000000Z", "-not_after", "20200201000000Z"])
        .current_dir(bench.path(""))
        .output()
        .unwrap();
    if !made.status.success() {
        skipped("this openssl has no -not_before");
        return;
    }
    let both = std::fs::read_to_string(bench.path("old.pem")).unwrap()
        + &std::fs::read_to_string(bench.path("old.crt")).unwrap();
    std::fs::write(bench.path("old.pem"), both).unwrap();
    change(&bench, "CertificateFile", "old.pem");
    let told = bench.fails(4, &["get", "SmtpRelay"]);
    assert!(told.starts_with("error[CS3104]: "), "{told}");
    assert!(told.contains("1 Jan 2020") || told.contains("2020"), "{told}");
    assert!(told.contains("  fix    "), "{told}");
    assert!(bench.fails(3, &["cert", "verify", "old.pem"]).starts_with("error[CS1204]: "));
}

#[test]
fn nobody_who_answers_is_told_as_such() {
    let bench = Bench::with_vault();
    let served = Served::with_settings(&bench);
    served.stop();
    // The settings mean another installation than this folder's, and nobody listens there any more.
    let told = bench.fails(8, &["get", "SmtpRelay", "--data-dir", "elsewhere", "--timeout", "20s"]);
    assert!(told.starts_with("error[CS40") && told.contains("  fix    "), "{told}");
}
