//! `cert renew`: by the operator, by the app itself, by a person; taken up where it stopped; from the vault.

use crate::bench::{Bench, mode, text};
use crate::serving::Served;

const RENEW: [&str; 3] = ["cert", "renew", "--yes"];

/// Every file whose name begins so, sorted.
fn files(bench: &Bench, start: &str) -> Vec<String> {
    let names = std::fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.starts_with(start));
    names.sort();
    names
}

fn settings(bench: &Bench) -> String {
    std::fs::read_to_string(bench.path("server-settings.json")).unwrap()
}

fn keys(bench: &Bench) -> usize {
    let all = ["app", "credential", "list", "--id", "process-mining", "--query", "[].keyId", "-o", "tsv"];
    bench.ok(&all).lines().count()
}

/// The arguments for somebody who is not the operator: another data folder.
fn elsewhere<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--data-dir", "none"]].concat()
}

#[test]
fn the_operators_app_gets_the_next_pair_and_the_former_works_on() {
    let bench = Bench::with_vault();
    let before = settings(&bench);
    let unneeded = bench.ok(&["cert", "renew", "--at", "30d"]);
    assert!(unneeded.contains("days left, more than 30 days; nothing to do"), "{unneeded}");
    assert_eq!(bench.ok(&["cert", "renew", "--dry-run"]).lines().count(), 1);
    assert_eq!((settings(&bench), files(&bench, "my-certificate").len(), keys(&bench)), (before.clone(), 1, 1));

    let said = bench.ok(&["cert", "renew", "--at", "366d", "--yes"]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("New key pair  my-certificate.20"), "{said}");
    assert!(lines[1].contains("uploaded to process-mining (2 keys now)"), "{said}");
    assert!(lines[2].starts_with("Tested        signed in with the new key"), "{said}");
    let next = files(&bench, "my-certificate.2").pop().unwrap();
    assert_eq!(mode(&bench.path(&next)), 0o600);
    assert_eq!(settings(&bench), before.replace("my-certificate.pem", &next), "nothing else changes");
    assert_eq!(files(&bench, "server-settings.json.").len(), 1, "the old version is kept");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
    // The last line removes the former key and no other: the one before it signs in no more.
    let remove = said.lines().last().unwrap().split_once("credstore ").unwrap().1;
    bench.ok(&[&remove.split(' ').collect::<Vec<_>>()[..], &["--yes"]].concat());
    assert_eq!((keys(&bench), bench.ok(&["get", "SmtpRelay"])), (1, "in;the{vault}".to_owned()));
    std::fs::write(bench.path("server-settings.json"), before).unwrap();
    assert!(bench.fails(4, &["get", "SmtpRelay"]).contains("CS3102"));
}

#[test]
fn a_renewal_that_was_cut_short_is_taken_up_with_the_same_pair() {
    let bench = Bench::with_vault();
    let before = settings(&bench);
    let refused = bench.fails(2, &["cert", "renew"]);
    assert!(refused.contains("CS0104"), "{refused}");
    assert_eq!((keys(&bench), settings(&bench)), (2, before.clone()), "registered, and nothing uses it yet");
    let pair = files(&bench, "my-certificate.2");
    // What is not a pair, and one that is older, are no such thing.
    std::fs::write(bench.path("my-certificate.2026-01-01.pem"), "half").unwrap();
    let said = bench.ok(&RENEW);
    assert!(said.contains("found, goes on") && said.contains("is on process-mining (2 keys now)"), "{said}");
    assert!(settings(&bench).contains(&pair[0]));
    assert_eq!(keys(&bench), 2);
    // Once more, on the same day: another pair with a name of its own.
    let said = bench.ok(&RENEW);
    assert!(said.contains("-2.pem   RSA 2048") && said.contains("(3 keys now)"), "{said}");
}

#[test]
fn the_five_steps_stay_done_after_a_renewal() {
    let bench = Bench::new();
    let setup = ["setup", "embedded", "--vault-name", "acme-pm-kv", "--secret", "SmtpRelay", "--yes"];
    let settings_here = ["--settings", "server-settings.json"];
    assert!(bench.fed(&[&setup[..], &settings_here].concat(), b"one").status.success());
    bench.ok(&RENEW);
    let renewed = settings(&bench);
    assert!(!renewed.contains("\"my-certificate.pem\""));
    let status = bench.ok(&["setup", "status"]);
    assert!(status.contains("my-certificate.20"), "{status}");
    bench.ok(&setup);
    assert_eq!((settings(&bench), keys(&bench)), (renewed, 2), "the former file does not come back");
}

#[test]
fn a_file_is_exchanged_in_its_place_and_the_former_content_kept() {
    let bench = Bench::with_vault();
    let (before, former) = (settings(&bench), std::fs::read(bench.path("my-certificate.pem")).unwrap());
    std::fs::set_permissions(bench.path("my-certificate.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o640))
        .unwrap();
    let said = bench.ok(&[&RENEW[..], &["--in-place"]].concat());
    assert!(said.lines().last().unwrap().starts_with("Exchanged. "), "{said}");
    assert_eq!(settings(&bench), before);
    let kept = files(&bench, "my-certificate");
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(std::fs::read(bench.path(&kept[1])).unwrap(), former);
    assert_ne!(std::fs::read(bench.path("my-certificate.pem")).unwrap(), former);
    assert_eq!(
        (mode(&bench.path("my-certificate.pem")), mode(&bench.path(&kept[1]))),
        (0o640, 0o600),
        "its group reads on"
    );
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
    bench.openssl("pkcs12 -export -in my-certificate.pem -out pm.pfx -passout pass:");
    std::fs::write(bench.path("server-settings.json"), before.replace("my-certificate.pem", "pm.pfx")).unwrap();
    let refused = bench.fails(2, &[&RENEW[..], &["--in-place"]].concat());
    assert!(refused.contains("CS1214") && refused.contains("the new pair is PEM, and the name says PFX"), "{refused}");
    bench.ok(&RENEW);
    assert!(settings(&bench).contains("\"CertificateFile\": \"pm.20"), "{}", settings(&bench));
}

#[test]
fn an_app_without_the_operator_uploads_its_own_key_or_says_who_has_to() {
    let bench = Bench::with_vault();
    let serving = Served::with_settings(&bench);
    let object = bench.ok(&["app", "show", "--id", "process-mining", "--query", "id", "-o", "tsv"]);
    let waits = bench.fails(7, &elsewhere(&RENEW));
    for part in ["CS1217", "azure-cert.20", "Certificates & secrets", "--app-object-id", "the present one works on"] {
        assert!(waits.contains(part), "{part} in {waits}");
    }
    // A wrong object id proves nothing.
    let other = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1";
    let waits = bench.fails(7, &elsewhere(&[&RENEW[..], &["--app-object-id", other]].concat()));
    assert!(waits.contains("CS1217") && waits.contains("CS3202"), "{waits}");
    assert_eq!(keys(&bench), 1);
    // The app itself, which may read and change nothing in the directory.
    let own = elsewhere(&[&RENEW[..], &["--in-place", "--app-object-id", object.trim()]].concat());
    let said = bench.ok(&own);
    assert!(said.contains("found, goes on") && said.contains("uploaded by the app itself"), "{said}");
    assert_eq!(keys(&bench), 2);
    assert_eq!(bench.ok(&elsewhere(&["get", "SmtpRelay"])), "in;the{vault}");
    // A person: the command goes on with what was uploaded.
    bench.fails(7, &elsewhere(&RENEW));
    let public = files(&bench, "azure-cert.2").pop().unwrap();
    bench.ok(&["app", "credential", "add", "--id", "process-mining", "--cert", &public]);
    let said = bench.ok(&elsewhere(&RENEW));
    assert!(said.contains("found, goes on") && said.contains("is registered"), "{said}");
    assert_eq!(bench.ok(&elsewhere(&["get", "SmtpRelay"])), "in;the{vault}");
    assert_eq!(serving.stop(), Some(0));
}

/// A sign-in certificate that comes from the authority inside the vault and is renewed there.
#[test]
fn a_certificate_of_the_vault_signs_in_and_its_next_version_follows() {
    let bench = Bench::with_vault();
    let issuer = ["vault", "certificate", "issuer", "create", "--issuer-name", "corp-ca"];
    bench.ok(&issuer);
    let create = ["vault", "certificate", "create", "--name", "sign-in", "--issuer", "corp-ca"];
    bench.ok(&[&create[..], &["--content-type", "pem"]].concat());
    let from_vault = [&RENEW[..], &["--from-vault", "sign-in", "--in-place"]].concat();
    let said = bench.ok(&from_vault);
    assert!(said.contains("from the vault") && said.contains("uploaded to process-mining"), "{said}");
    let again = bench.ok(&from_vault);
    assert!(again.contains("the vault has no other version; nothing to do"), "{again}");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
    let first = bench.openssl("x509 -in my-certificate.pem -noout -fingerprint");
    // Its next version, as the renewal inside the vault makes it.
    bench.ok(&[&create[..], &["--content-type", "pem"]].concat());
    bench.ok(&from_vault);
    assert_ne!(bench.openssl("x509 -in my-certificate.pem -noout -fingerprint"), first);
    assert_eq!((keys(&bench), bench.ok(&["get", "SmtpRelay"])), (3, "in;the{vault}".to_owned()));
    // A PFX file stays one.
    bench.ok(&["vault", "certificate", "create", "--name", "sign-in-pfx", "--issuer", "corp-ca"]);
    let said = bench.ok(&[&RENEW[..], &["--from-vault", "sign-in-pfx"]].concat());
    assert!(said.lines().next().unwrap().contains(".pfx   RSA 2048"), "{said}");
    assert!(settings(&bench).contains(".pfx\""));
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
    assert!(bench.fails(6, &[&RENEW[..], &["--from-vault", "other"]].concat()).contains("other"));
    assert!(!text(&bench.run(&from_vault).stdout).contains("PRIVATE"));
}

#[test]
fn a_store_without_a_certificate_has_none_to_renew() {
    let bench = Bench::new();
    std::fs::write(bench.path("server-settings.json"), r#"{"CredentialStore": {"Type": "File"}}"#).unwrap();
    assert!(bench.fails(2, &RENEW).contains("CS1218"));
}
