//! get, list, expand, run, check: what developers do.

use serde_json::Value;

use crate::bench::{Bench, mode, text};
use crate::serving::Served;

#[test]
fn get_prints_the_value_and_nothing_else() {
    let bench = Bench::with_vault();
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
    assert_eq!(bench.ok(&["get", "SmtpRelay", "-o", "json", "--query", "value"]), "\"in;the{vault}\"\n");
    let written = bench.ok(&["get", "SmtpRelay", "--out", "password.txt"]);
    assert!(!written.contains("vault}"), "{written}");
    assert_eq!(std::fs::read_to_string(bench.path("password.txt")).unwrap(), "in;the{vault}");
    assert_eq!(mode(&bench.path("password.txt")), 0o600);
    assert!(bench.fails(9, &["get", "SmtpRelay", "--out", "password.txt"]).contains("CS0108"));
}

#[test]
fn a_misspelt_identifier_gets_a_suggestion() {
    let bench = Bench::with_vault();
    // Sample 4. The app has Get only: who may read the data folder is the operator, and lists.
    let expected = "error[CS2004]: there is no identifier SmtpRely\n  \
         cause  not in vault acme-pm-kv (1 identifier looked at)\n  \
         where  asked for on the command line\n  \
         fix    did you mean SmtpRelay?   list all: credstore list\n  \
         more   credstore explain CS2004\n";
    assert_eq!(bench.fails(6, &["get", "SmtpRely"]), expected);
    let served = Served::with_settings(&bench);
    assert_eq!(bench.fails(6, &["get", "SmtpRely"]), expected);
    // A vault that is not this installation's own.
    let foreign = ["get", "SmtpRely", "--data-dir", "elsewhere"];
    let without = bench.fails(6, &foreign);
    assert!(without.contains("a suggestion needs the permission List"), "{without}");
    bench.permit("get,list");
    assert_eq!(bench.fails(6, &foreign), expected);
    served.stop();
}

#[test]
fn list_shows_state_dates_and_last_use_through_the_operator() {
    let bench = Bench::with_vault();
    let change = ["vault", "secret", "set-attributes", "-n", "SmtpRelay", "--expires", "2020-01-01"];
    bench.ok(&[&change[..], &["--tags", "description=Outgoing mail", "owner=it"]].concat());
    bench.set("Locked", "x");
    bench.ok(&["vault", "secret", "set-attributes", "-n", "Locked", "--enabled", "false"]);
    // In a pipe, dates are RFC 3339.
    assert_eq!(
        bench.ok(&["list"]),
        "IDENTIFIER  STATUS     EXPIRES               LAST USED   DESCRIPTION\n\
         Locked      disabled   never                 -\n\
         SmtpRelay   expired    2020-01-01T00:00:00Z  -           Outgoing mail\n"
    );
    assert_eq!(bench.ok(&["list", "--status", "expired", "--query", "[].identifier", "-o", "tsv"]), "SmtpRelay\n");
    assert_eq!(bench.ok(&["list", "--owner", "IT", "--query", "length(@)", "-o", "tsv"]), "1\n");
    let expiring = |span: &str| bench.ok(&["list", "--expiring", span, "--query", "length(@)", "-o", "tsv"]);
    assert_eq!((expiring("0s").as_str(), expiring("30d").as_str()), ("1\n", "1\n"));
}

#[test]
fn only_a_value_that_was_given_to_an_app_counts_as_used() {
    let bench = Bench::with_vault();
    let last_used = || bench.ok(&["list", "--query", "[0].lastUsed", "-o", "tsv"]);
    let look_at_it = || {
        let shown = ["vault", "secret", "show", "-n", "SmtpRelay"];
        bench.ok(&shown);
        bench.ok(&[&shown[..], &["--reveal"]].concat());
        bench.ok(&["vault", "secret", "list"]);
    };
    look_at_it();
    assert_eq!(last_used(), "\n");
    let served = Served::with_settings(&bench);
    look_at_it();
    assert_eq!(last_used(), "\n");
    bench.ok(&["get", "SmtpRelay"]);
    let used = last_used();
    assert!(used.len() == "2026-11-23T10:42:07Z\n".len() && used.ends_with("Z\n"), "{used}");
    // The stop writes the time down.
    assert_eq!(served.stop(), Some(0));
    assert_eq!(last_used(), used);
}

#[test]
fn list_without_permission_falls_back_to_the_settings() {
    let bench = Bench::with_vault();
    let served = Served::with_settings(&bench);
    let foreign = bench.run(&["list", "--data-dir", "elsewhere"]);
    assert_eq!(
        text(&foreign.stdout),
        "IDENTIFIER  STATUS     EXPIRES       LAST USED   DESCRIPTION\nSmtpRelay   -          -             -\n"
    );
    assert!(text(&foreign.stderr).contains("the app has Get and not List"), "{}", text(&foreign.stderr));
    bench.permit("get,list");
    assert!(bench.ok(&["list", "--data-dir", "elsewhere"]).contains("SmtpRelay   ready"));
    served.stop();
}

#[test]
fn expand_masks_and_reveals() {
    let bench = Bench::with_vault();
    let string = "DSN=P2P; User=pm_reader; mv-credential-Pass=SmtpRelay;";
    assert_eq!(bench.ok(&["expand", string]), "DSN=P2P; User=pm_reader; Pass=********;\n");
    assert_eq!(bench.ok(&["expand", "--reveal", string]), "DSN=P2P; User=pm_reader; Pass={in;the{vault}}};");
    let piped = bench.fed(&["expand", "--reveal", "-"], format!("{string}\n").as_bytes());
    assert_eq!(text(&piped.stdout), "DSN=P2P; User=pm_reader; Pass={in;the{vault}}};");
    let uri = bench.ok(&["expand", "--reveal", "--keyword-style", "uri", string]);
    assert_eq!(uri, "DSN=P2P; User=pm_reader; Pass=in%3Bthe%7Bvault%7D;");
    let off = "mv-enable=False; mv-credential-Pass=Nope;";
    assert_eq!(bench.ok(&["expand", off]), format!("{off}\n"));
}

#[test]
fn run_becomes_the_command_with_the_value_in_its_environment() {
    let bench = Bench::with_vault();
    let done =
        bench.run(&["run", "--no-masking", "-e", "PASS=SmtpRelay", "--", "sh", "-c", "printf %s \"$PASS\"; exit 7"]);
    assert_eq!((done.status.code(), text(&done.stdout).as_str()), (Some(7), "in;the{vault}"));
    assert_eq!(text(&done.stderr), "values in the output are not masked: --no-masking\n");

    std::fs::write(bench.path("names"), "# ours\n\nA=SmtpRelay\nB=SmtpRelay\n").unwrap();
    let done = bench.run(&[
        "run",
        "--no-masking",
        "--env-file",
        "names",
        "--",
        "sh",
        "-c",
        "test \"$A\" = \"$B\" && printf %s \"$A\"",
    ]);
    assert_eq!(text(&done.stdout), "in;the{vault}");

    let killed = bench.run(&["run", "-e", "PASS=SmtpRelay", "--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed.status), Some(15));
}

#[test]
fn run_starts_nothing_when_a_credential_is_missing() {
    let bench = Bench::with_vault();
    bench.permit("get,list");
    // Sample 7.
    assert_eq!(
        bench.fails(125, &["run", "-e", "PASS=Nope", "--", "./load.sh"]),
        "error[CS2004]: there is no identifier Nope\n  cause  ./load.sh was not started\n  fix    credstore list\n"
    );
    assert!(bench.fails(127, &["run", "--", "./no-such-file"]).contains("was not found"));
    assert!(bench.fails(126, &["run", "--", "/etc/passwd"]).contains("cannot be executed"));
    let warned = bench.run(&["run", "-e", "PASS=Nope", "--if-missing", "warn", "--", "sh", "-c", "test -z \"$PASS\""]);
    assert!(warned.status.success());
    assert!(text(&warned.stderr).contains("warning[CS2004]"), "{}", text(&warned.stderr));
    let ignored = bench.run(&["run", "-e", "PASS=Nope", "--if-missing", "ignore", "--", "true"]);
    assert!(ignored.status.success() && ignored.stderr.is_empty());
}

#[test]
fn a_disabled_secret_exits_7() {
    let bench = Bench::with_vault();
    bench.ok(&["vault", "secret", "set-attributes", "-n", "SmtpRelay", "--enabled", "false"]);
    assert!(bench.fails(7, &["get", "SmtpRelay"]).starts_with("error[CS4006]"));
}

const MISSING_COMMA: &str = r#"{
    "Name": "x",
    "a1": 1,
    "a2": 2,
    "a3": 3,
    "a4": 4,
    "a5": 5,
    "a6": 6,
  "CredentialStore": {
    "Type": "AzureKeyVault",

    "TenantId": "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44",
    "ClientId": "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1",
    "VaultName": "acme-pm-kv"
    "CertificateFile": "my-certificate.pem"
  }
}
"#;

#[test]
fn check_shows_the_missing_comma_and_repairs_exactly_it() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.ok(&["cert", "new", "--out", "my-certificate.pem"]);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(bench.path("my-certificate.pem"), open).unwrap();
    std::fs::write(bench.path("server-settings.json"), MISSING_COMMA).unwrap();
    let done = bench.run(&["check", "server-settings.json"]);
    assert_eq!(done.status.code(), Some(10), "{}", text(&done.stderr));
    // Sample 3.
    assert_eq!(
        text(&done.stdout),
        r#"error[CS1003]: a comma is missing
   server-settings.json:14:30
 13 |     "ClientId": "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1",
 14 |     "VaultName": "acme-pm-kv"
    |                              ^ add , here
  fix    credstore check --fix server-settings.json   (changes this one character)

warning[CS1207]: my-certificate.pem holds the private key and others can read it (mode 0644)
  fix    chmod 600 my-certificate.pem

1 error, 1 warning
"#
    );
    // Any other command that meets the file says the same and exits 3.
    assert!(
        bench
            .fails(3, &["get", "SmtpRelay"])
            .starts_with("error[CS1003]: a comma is missing\n   server-settings.json:14:30\n")
    );

    let fixed = bench.run(&["check", "--fix", "server-settings.json"]);
    assert_eq!(fixed.status.code(), Some(0), "{}", text(&fixed.stdout));
    let expected = MISSING_COMMA.replace("\"acme-pm-kv\"\n", "\"acme-pm-kv\",\n");
    assert_eq!(std::fs::read_to_string(bench.path("server-settings.json")).unwrap(), expected);
    assert_eq!(bench.run(&["check", "--strict"]).status.code(), Some(10));
}

#[test]
fn check_reads_standard_input_and_writes_json() {
    let bench = Bench::new();
    let done = bench.fed(&["check", "-", "-o", "json"], MISSING_COMMA.as_bytes());
    assert_eq!(done.status.code(), Some(10));
    let value: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(value["findings"][0]["code"], "CS1003");
    assert_eq!(
        (&value["findings"][0]["where"]["line"], &value["findings"][0]["where"]["column"]),
        (&14.into(), &30.into())
    );
    assert_eq!(value["findings"][0]["exit"], 10);
}
