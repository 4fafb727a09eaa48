//! `file`: the credential file in clear and sealed, its key, and everything that may happen in between.

use crate::bench::{Bench, mode, text};

const SEALED: &str = r#"{"CredentialStore": {"Type": "EncryptedFile"}, "mail": {"credential": "Smtp"}}"#;

fn bench() -> Bench {
    let bench = Bench::new();
    std::fs::write(bench.path("server-settings.json"), SEALED).unwrap();
    bench
}

fn sealed() -> Bench {
    let bench = bench();
    bench.ok(&["file", "init"]);
    set(&bench, "Smtp", "pl\"ant;ed");
    bench
}

fn set(bench: &Bench, name: &str, value: &str) -> String {
    let done = bench.fed(&["file", "set", "--name", name], value.as_bytes());
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stdout)
}

fn bytes(bench: &Bench, name: &str) -> Vec<u8> {
    std::fs::read(bench.path(name)).unwrap()
}

#[test]
fn a_sealed_file_is_made_filled_listed_used_and_emptied() {
    let bench = sealed();
    for file in ["credential_store.json", "credential_store.key"] {
        assert_eq!(mode(&bench.path(file)), 0o600);
        assert!(!bytes(&bench, file).windows(5).any(|part| part == b"pl\"an" || part == b"Smtp\""), "{file}");
    }
    assert_eq!(set(&bench, "Smtp", "pl\"ant;ed"), "Smtp  is so already   credential_store.json, sealed\n");
    let before = bytes(&bench, "credential_store.json");
    assert_eq!(set(&bench, "Db", "x"), "Db  added   credential_store.json, sealed\n");
    assert_ne!(bytes(&bench, "credential_store.json"), before);
    assert_eq!(bench.ok(&["get", "Smtp"]), "pl\"ant;ed");
    assert_eq!(bench.ok(&["expand", "--reveal", "DSN=x;mv-credential-Pass=Smtp;"]), "DSN=x;Pass={pl\"ant;ed};");
    assert_eq!(bench.ok(&["file", "list"]), "NAME\nDb\nSmtp\n");
    let listed = bench.ok(&["list"]);
    assert!(listed.contains("\nDb ") && listed.contains("\nSmtp "), "{listed}");
    assert_eq!(bench.ok(&["check"]), "server-settings.json  no errors, no warnings\n");
    assert!(bench.fails(2, &["file", "remove", "-n", "Db"]).contains("CS0104"));
    assert!(bench.fails(6, &["file", "remove", "-n", "Dc", "--yes"]).contains("CS2004"));
    bench.ok(&["file", "remove", "-n", "Db", "--yes"]);
    assert_eq!(bench.ok(&["file", "list"]), "NAME\nSmtp\n");
    assert!(bench.fails(9, &["file", "init"]).contains("CS0108"), "nothing is overwritten");
    let empty = bench.fed(&["file", "set", "-n", "Smtp"], b"\n");
    assert!(
        text(&empty.stderr).contains("CS2008") || text(&empty.stderr).contains("is empty"),
        "{}",
        text(&empty.stderr)
    );
    assert!(bench.fails(2, &["file", "set", "-n", "Smtp", "--value", "planted"]).contains("CS0102"));
}

#[test]
fn the_set_up_of_a_file_is_done_once() {
    let bench = Bench::new();
    let setup = ["setup", "file", "--secret", "Smtp", "--settings", "server-settings.json"];
    assert!(bench.fails(2, &setup).contains("CS0116"), "no value came");
    assert!(!bench.path("credential_store.json").exists() && !bench.path("credential_store.key").exists());
    let done = bench.fed(&setup, b"first");
    let said = text(&done.stdout);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for part in [
        "  1  Credential file  credential_store.json",
        "  2  Secret           Smtp",
        "  3  Server Settings",
        "tested: Smtp",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(bench.ok(&["get", "Smtp"]), "first");
    let before = (bytes(&bench, "server-settings.json"), bytes(&bench, "credential_store.json"));
    let again = bench.ok(&setup);
    assert_eq!(again.matches("already there").count(), 3, "{again}");
    assert_eq!((bytes(&bench, "server-settings.json"), bytes(&bench, "credential_store.json")), before);
    // Cut short after the file: the next run goes on.
    std::fs::remove_file(bench.path("server-settings.json")).unwrap();
    bench.ok(&setup);
    assert_eq!((bytes(&bench, "server-settings.json"), bytes(&bench, "credential_store.json")), before);
    // Another store is replaced on yes only.
    std::fs::write(bench.path("server-settings.json"), r#"{"CredentialStore": {"Type": "File"}}"#).unwrap();
    assert!(bench.fails(2, &setup).contains("CS0104"));
    bench.ok(&[&setup[..], &["--yes"]].concat());
    assert_eq!(bench.ok(&["get", "Smtp"]), "first");
    std::fs::write(bench.path("credential_store.json"), "{}").unwrap();
    assert!(bench.fails(3, &setup).contains("credstore file encrypt"));
}

#[test]
fn a_plain_file_is_sealed_and_opened_again_with_the_settings() {
    let bench = bench();
    std::fs::write(bench.path("server-settings.json"), SEALED.replace("EncryptedFile", "File")).unwrap();
    std::fs::write(bench.path("credential_store.json"), "{\n\t\"Smtp\" : \"one\",\n\t\"Two\": \"2\"\n}\n").unwrap();
    std::fs::set_permissions(bench.path("credential_store.json"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    // In clear the file may be changed too, and keeps its layout.
    assert_eq!(set(&bench, "Three", "3"), "Three  added   credential_store.json, in clear\n");
    let plain = "{\n\t\"Smtp\" : \"one\",\n\t\"Two\": \"2\",\n\t\"Three\": \"3\"\n}\n";
    assert_eq!(bytes(&bench, "credential_store.json"), plain.as_bytes());
    let said = bench.ok(&["file", "encrypt"]);
    assert!(said.starts_with("Sealed          credential_store.json   3 passwords\n"), "{said}");
    let settings = || String::from_utf8(bytes(&bench, "server-settings.json")).unwrap();
    assert_eq!(settings(), SEALED);
    assert_eq!(bench.ok(&["get", "Two"]), "2");
    // A run that was cut short between file and settings is finished by the next.
    std::fs::write(bench.path("server-settings.json"), SEALED.replace("EncryptedFile", "File")).unwrap();
    assert!(bench.fails(3, &["get", "Two"]).contains("CS1406"));
    bench.ok(&["file", "encrypt"]);
    assert_eq!((settings(), bench.ok(&["get", "Two"])), (SEALED.to_owned(), "2".to_owned()));
    assert!(bench.fails(2, &["file", "decrypt"]).contains("CS0104"));
    bench.ok(&["file", "decrypt", "--yes"]);
    assert_eq!(bytes(&bench, "credential_store.json"), plain.as_bytes());
    assert_eq!(settings(), SEALED.replace("EncryptedFile", "File"));
    assert_eq!(bench.ok(&["get", "Two"]), "2");
}

#[test]
fn a_new_key_takes_the_place_of_the_former_also_after_a_kill() {
    let bench = sealed();
    let (file, key) = (bytes(&bench, "credential_store.json"), bytes(&bench, "credential_store.key"));
    bench.ok(&["file", "rekey"]);
    assert_ne!(bytes(&bench, "credential_store.key"), key);
    assert_eq!(bench.ok(&["get", "Smtp"]), "pl\"ant;ed");
    assert!(!bench.path("credential_store.key.next").exists());
    // Killed after the file was sealed anew, before the key file followed.
    std::fs::rename(bench.path("credential_store.key"), bench.path("credential_store.key.next")).unwrap();
    std::fs::write(bench.path("credential_store.key"), &key).unwrap();
    std::fs::set_permissions(bench.path("credential_store.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    assert_eq!(bench.ok(&["get", "Smtp"]), "pl\"ant;ed");
    bench.ok(&["file", "rekey"]);
    assert_eq!(bench.ok(&["get", "Smtp"]), "pl\"ant;ed");
    assert!(!bench.path("credential_store.key.next").exists());
    // Killed before the file was sealed anew: a key that opens nothing yet.
    let present = bytes(&bench, "credential_store.key");
    std::fs::write(bench.path("credential_store.key.next"), &key).unwrap();
    assert_eq!(bench.ok(&["get", "Smtp"]), "pl\"ant;ed");
    bench.ok(&["file", "rekey"]);
    assert_ne!(bytes(&bench, "credential_store.key"), present);
    assert_eq!(bench.ok(&["get", "Smtp"]), "pl\"ant;ed");
    // The former file opens with the former key alone.
    std::fs::write(bench.path("credential_store.json"), file).unwrap();
    assert!(bench.fails(12, &["get", "Smtp"]).contains("CS1402"));
}

#[test]
fn an_older_version_is_told_until_the_next_change() {
    let bench = sealed();
    let old = bytes(&bench, "credential_store.json");
    set(&bench, "Smtp", "new");
    std::fs::write(bench.path("credential_store.json"), &old).unwrap();
    for _ in 0..2 {
        let done = bench.run(&["get", "Smtp"]);
        assert_eq!(text(&done.stdout), "pl\"ant;ed");
        assert!(text(&done.stderr).contains("warning[CS1407]"), "{}", text(&done.stderr));
    }
    set(&bench, "Other", "x");
    let done = bench.run(&["get", "Smtp"]);
    assert_eq!((text(&done.stdout), text(&done.stderr)), ("pl\"ant;ed".to_owned(), String::new()));
    // A witness that cannot be kept keeps no file closed.
    std::fs::remove_dir_all(bench.path(".local")).unwrap();
    std::fs::write(bench.path(".local"), "").unwrap();
    assert_eq!(bench.ok(&["get", "Smtp"]), "pl\"ant;ed");
}

#[test]
fn two_commands_at_once_lose_no_password() {
    let bench = sealed();
    let names: Vec<String> = (0..8).map(|number| format!("N{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| set(&bench, name, name));
        }
    });
    let listed = bench.ok(&["file", "list", "--query", "[].name", "-o", "tsv"]);
    assert_eq!(listed.lines().count(), 9, "{listed}");
    for name in &names {
        assert_eq!(&bench.ok(&["get", name]), name);
    }
}

#[test]
fn a_passphrase_in_a_file_opens_what_was_sealed_with_it() {
    let bench = bench();
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/vectors/encrypted-file");
    std::fs::copy(format!("{vectors}/passphrase.sealed"), bench.path("credential_store.json")).unwrap();
    assert!(bench.fails(3, &["get", "Smtp"]).contains("CS1401"));
    std::fs::create_dir(bench.path("keys")).unwrap();
    std::fs::copy(format!("{vectors}/passphrase.key"), bench.path("keys/passphrase")).unwrap();
    std::fs::set_permissions(bench.path("keys/passphrase"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let with_key = SEALED.replace("\"EncryptedFile\"", "\"EncryptedFile\", \"KeyFile\": \"keys/passphrase\"");
    std::fs::write(bench.path("server-settings.json"), with_key).unwrap();
    set(&bench, "Smtp", "by passphrase");
    assert_eq!(bench.ok(&["get", "Smtp"]), "by passphrase");
    assert!(bench.fails(2, &["file", "rekey"]).contains("CS0103"), "nobody can be asked for another");
    // As systemd gives it to a service.
    std::fs::rename(bench.path("keys/passphrase"), bench.path("keys/credstore-file-key")).unwrap();
    std::fs::write(bench.path("server-settings.json"), SEALED).unwrap();
    let got = bench.command(&["get", "Smtp"]).env("CREDENTIALS_DIRECTORY", bench.path("keys")).output().unwrap();
    assert_eq!(text(&got.stdout), "by passphrase", "{}", text(&got.stderr));
}

#[test]
fn a_vault_is_no_file() {
    let bench = Bench::with_vault();
    for verb in [&["file", "list"][..], &["file", "encrypt"], &["file", "decrypt", "--yes"]] {
        assert!(bench.fails(2, verb).contains("CS1219"), "{verb:?}");
    }
    let rekey = bench.fails(3, &["file", "rekey"]);
    assert!(rekey.contains("CS1405"), "{rekey}");
}
