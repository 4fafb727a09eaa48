//! Every command with input that it cannot use: the code, the exit, nothing on standard output, nothing changed.

use crate::bench::{Bench, text};

/// Arguments, exit, code.
type Case = (&'static [&'static str], i32, &'static str);

/// All of them at once: the test says everything that is different.
fn refused(bench: &Bench, cases: &[Case]) {
    let different: Vec<String> = cases
        .iter()
        .filter_map(|(arguments, exit, code)| {
            let done = bench.run(arguments);
            let errors = text(&done.stderr);
            let as_told = done.status.code() == Some(*exit) && errors.starts_with(&format!("error[{code}]: "));
            let silent = done.stdout.is_empty();
            (!as_told || !silent).then(|| format!("{arguments:?} {:?}: {errors}", done.status.code()))
        })
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_command_line_that_is_not_understood_exits_2() {
    refused(
        &Bench::new(),
        &[
            (&["get"], 2, "CS0101"),
            (&["get", "A", "B"], 2, "CS0101"),
            (&["gett", "A"], 2, "CS0101"),
            (&["get", "A", "--nonesuch"], 2, "CS0101"),
            (&["list", "--status", "odd"], 2, "CS0101"),
            (&["list", "--expiring", "soon"], 2, "CS0101"),
            (&["run", "-e", "A=B"], 2, "CS0101"),
            (&["run", "-e", "A", "--", "true"], 2, "CS0101"),
            (&["run", "-e", "1A=B", "--", "true"], 2, "CS0101"),
            (&["run", "--if-missing", "perhaps", "--", "true"], 2, "CS0101"),
            (&["expand", "--keyword-style", "jdbc", "A=B;"], 2, "CS0101"),
            (&["version", "-o", "yaml"], 2, "CS0101"),
            (&["version", "--query", "[?"], 2, "CS0105"),
            (&["version", "--timeout", "0s"], 2, "CS0101"),
            (&["version", "--timeout", "1 fortnight"], 2, "CS0101"),
            (&["version", "--color", "mauve"], 2, "CS0101"),
            (&["vault", "list", "--root-key-file", "a", "--passphrase-file", "b"], 2, "CS0101"),
            (&["vault", "update", "--name", "acme-pm-kv"], 2, "CS0101"),
            (&["app", "update", "--id", "process-mining"], 2, "CS0101"),
            (&["vault", "update", "--name", "acme-pm-kv", "--enable-rbac-authorization"], 2, "CS0101"),
            (&["vault", "update", "--name", "acme-pm-kv", "--enable-rbac-authorization", "perhaps"], 2, "CS0101"),
            (&["vault", "update", "--name", "acme-pm-kv", "--tags", "=x"], 2, "CS0110"),
            (&["vault", "secret", "set", "-n", "A", "--stdin", "--file", "f"], 2, "CS0101"),
            (&["vault", "secret", "set-attributes", "-n", "A", "--enabled", "maybe"], 2, "CS0101"),
            (&["completions", "tcsh"], 2, "CS0101"),
            (&["cert", "new", "--out", "k.pem", "--days", "many"], 2, "CS0101"),
            (&["serve", "--tls-cert", "c.pem"], 2, "CS0101"),
            (&["serve", "--listen", "nowhere"], 2, "CS6011"),
            (&["serve", "--listen", "192.0.2.1:0"], 2, "CS6011"),
        ],
    );
}

#[test]
fn names_and_dates_are_checked_before_anything_is_opened() {
    let bench = Bench::new();
    refused(
        &bench,
        &[
            (&["vault", "create", "--name", "ab"], 2, "CS0110"),
            (&["vault", "create", "--name", "-abc"], 2, "CS0101"),
            (&["vault", "create", "--name", "acme--kv"], 2, "CS0110"),
            (&["vault", "create", "--name", "acme_pm_kv"], 2, "CS0110"),
            (&["vault", "create", "--name", "a-name-of-more-than-24-chars"], 2, "CS0110"),
            (&["vault", "recover", "--name", "acme_pm_kv"], 2, "CS0110"),
            (&["vault", "purge", "--name", "acme_pm_kv", "--yes", "--confirm", "acme_pm_kv"], 2, "CS0110"),
            (&["vault", "secret", "delete", "-n", "with blank", "--yes"], 2, "CS0110"),
            (&["vault", "secret", "delete", "-n", "with/slash", "--yes"], 2, "CS0110"),
            (&["vault", "secret", "set", "-n", "A", "--value", "x"], 2, "CS0102"),
            (&["vault", "secret", "set", "-n", "A", "--value=x"], 2, "CS0102"),
            (&["vault", "secret", "set-attributes", "-n", "A", "--expires", "tomorrow"], 2, "CS0101"),
            (&["vault", "secret", "set-attributes", "-n", "A", "--expires", "2026-02-30"], 2, "CS0101"),
            (&["explain", "CS0000"], 6, "CS0112"),
            (&["explain", "nonsense"], 6, "CS0112"),
        ],
    );
    assert!(!bench.path("data").exists());
}

#[test]
fn what_is_not_in_the_vault_or_the_directory_exits_6() {
    let bench = Bench::with_vault();
    const NOBODY: &str = "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44";
    refused(
        &bench,
        &[
            (&["get", "Nope"], 6, "CS2004"),
            (&["get", "SmtpRelay", "--version", "0123456789abcdef0123456789abcdef"], 6, "CS2004"),
            (&["vault", "secret", "show", "-n", "Nope"], 6, "CS2004"),
            (&["vault", "secret", "show", "-n", "SmtpRelay", "--vault-name", "acme-other-kv"], 6, "CS4028"),
            (&["vault", "secret", "delete", "-n", "Nope", "--yes"], 6, "CS2004"),
            (&["vault", "secret", "recover", "-n", "Nope"], 6, "CS2004"),
            (&["vault", "secret", "purge", "-n", "Nope", "--yes", "--confirm", "Nope"], 6, "CS2004"),
            (&["vault", "secret", "show-deleted", "-n", "Nope"], 6, "CS2004"),
            (&["vault", "secret", "backup", "-n", "Nope", "--file", "b"], 6, "CS2004"),
            (&["vault", "secret", "download", "-n", "Nope", "--file", "d"], 6, "CS2004"),
            (&["vault", "secret", "set-attributes", "-n", "Nope", "--enabled", "true"], 6, "CS2004"),
            (&["vault", "show", "--name", "acme-other-kv"], 6, "CS4101"),
            (&["vault", "delete", "--name", "acme-other-kv", "--yes", "--confirm", "acme-other-kv"], 6, "CS4101"),
            (&["vault", "recover", "--name", "acme-other-kv"], 6, "CS4107"),
            (&["vault", "update", "--name", "acme-other-kv", "--tags", "a=b"], 6, "CS4101"),
            (&["vault", "purge", "--name", "acme-other-kv", "--yes", "--confirm", "acme-other-kv"], 6, "CS4107"),
            (&["vault", "access-policy", "list", "--name", "acme-other-kv"], 6, "CS4101"),
            (&["app", "show", "--id", NOBODY], 6, "CS3201"),
            (&["app", "update", "--id", NOBODY, "--display-name", "a"], 6, "CS3201"),
            (&["app", "delete", "--id", NOBODY, "--yes"], 6, "CS3201"),
            (&["app", "credential", "list", "--id", NOBODY], 6, "CS3201"),
            (&["app", "credential", "delete", "--id", "process-mining", "--key-id", NOBODY, "--yes"], 6, "CS3201"),
        ],
    );
    let version = bench.fails(6, &["get", "SmtpRelay", "--version", "0123456789abcdef0123456789abcdef"]);
    assert!(version.contains(": there is no version 0123456789abcdef0123456789abcdef of SmtpRelay\n"), "{version}");
    assert!(!bench.path("b").exists() && !bench.path("d").exists());
    let versions = bench.ok(&["vault", "secret", "list-versions", "-n", "Nope", "-o", "json"]);
    assert_eq!(versions, "[]\n");
}

#[test]
fn files_that_are_not_there_not_writable_or_not_what_they_should_be() {
    let bench = Bench::with_vault();
    std::fs::write(bench.path("text"), "not a certificate\n").unwrap();
    std::fs::write(bench.path("latin1"), b"caf\xe9").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(bench.path("text"), private).unwrap();
    refused(
        &bench,
        &[
            (&["cert", "show", "nowhere.pem"], 3, "CS0106"),
            (&["cert", "show", "text"], 3, "CS1209"),
            (&["cert", "verify", "text"], 3, "CS1209"),
            (&["cert", "verify", "azure-cert.cer"], 3, "CS1209"),
            (&["cert", "export-public", "text", "--out", "x.cer"], 3, "CS1209"),
            (&["cert", "new", "--out", "no/such/folder/k.pem"], 3, "CS0107"),
            (&["cert", "new", "--out", "k.pem", "--days", "0"], 2, "CS1214"),
            (&["app", "credential", "add", "--id", "process-mining", "--cert", "nowhere.cer"], 3, "CS0106"),
            (&["app", "credential", "add", "--id", "process-mining", "--cert", "text"], 3, "CS1209"),
            (&["vault", "secret", "set", "-n", "A", "--file", "nowhere"], 3, "CS0106"),
            (&["vault", "secret", "set", "-n", "A", "--file", "latin1"], 3, "CS0109"),
            (&["vault", "secret", "restore", "--file", "nowhere"], 3, "CS0106"),
            (&["vault", "secret", "restore", "--file", "text"], 12, "CS4025"),
            (&["get", "SmtpRelay", "--out", "no/such/folder/value"], 3, "CS0107"),
            (&["get", "SmtpRelay", "--settings", "nowhere.json"], 3, "CS1001"),
            (&["check", "nowhere.json"], 3, "CS1001"),
            (&["run", "--env-file", "nowhere", "--", "true"], 125, "CS0106"),
            (&["vault", "list", "--root-key-file", "nowhere"], 6, "CS6004"),
            (&["vault", "list", "--root-key-file", "text"], 12, "CS6003"),
        ],
    );
    assert_eq!(bench.run(&["check", "latin1"]).status.code(), Some(10));
}

#[test]
fn what_is_there_already_or_was_deleted_exits_9() {
    let bench = Bench::with_vault();
    bench.ok(&["vault", "secret", "delete", "-n", "SmtpRelay", "--yes"]);
    let again = bench.fed(&["vault", "secret", "set", "-n", "SmtpRelay"], b"x");
    assert_eq!(again.status.code(), Some(9));
    assert!(text(&again.stderr).starts_with("error[CS4007]: "));
    bench.ok(&["vault", "delete", "--name", "acme-pm-kv", "--yes", "--confirm", "acme-pm-kv"]);
    refused(&bench, &[(&["vault", "create", "--name", "acme-pm-kv"], 9, "CS4103")]);
}

#[test]
fn a_value_of_the_largest_size_is_kept_and_one_byte_more_is_refused() {
    let bench = Bench::with_vault();
    let largest = "x".repeat(25_600);
    bench.set("Largest", &largest);
    assert_eq!(bench.ok(&["get", "Largest"]), largest);
    let more = bench.fed(&["vault", "secret", "set", "-n", "More"], format!("{largest}y").as_bytes());
    assert_eq!(more.status.code(), Some(2), "{}", text(&more.stderr));
    assert!(text(&more.stderr).starts_with("error[CS4021]: "), "{}", text(&more.stderr));
    bench.fails(6, &["get", "More"]);
}

#[test]
fn a_final_act_needs_its_name_beside_yes() {
    let bench = Bench::with_vault();
    bench.ok(&["vault", "secret", "delete", "-n", "SmtpRelay", "--yes"]);
    refused(
        &bench,
        &[
            (&["vault", "secret", "purge", "-n", "SmtpRelay", "--yes"], 2, "CS0104"),
            (&["vault", "secret", "purge", "-n", "SmtpRelay", "--confirm", "SmtpRelay"], 2, "CS0104"),
            (&["vault", "secret", "purge", "-n", "SmtpRelay", "--yes", "--confirm", "smtprelay"], 2, "CS0104"),
            (&["vault", "delete", "--name", "acme-pm-kv", "--yes"], 2, "CS0104"),
            (&["vault", "purge", "--name", "acme-pm-kv", "--yes"], 2, "CS0104"),
            (&["vault", "purge", "--name", "acme-pm-kv", "--confirm", "acme-pm-kv"], 2, "CS0104"),
            (&["vault", "purge", "--name", "acme-pm-kv", "--yes", "--confirm", "ACME-pm-kv"], 2, "CS0104"),
        ],
    );
    assert!(bench.ok(&["vault", "secret", "list-deleted"]).contains("SmtpRelay"));
}
