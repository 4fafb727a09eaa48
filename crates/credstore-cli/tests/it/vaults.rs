//! The administration: every verb once, with its output and what it changed.

use crate::bench::{Bench, mode, text};

fn secret<'a>(verb: &[&'a str]) -> Vec<&'a str> {
    [&["vault", "secret"], verb].concat()
}

#[test]
fn a_secret_goes_through_all_its_verbs() {
    let bench = Bench::with_vault();
    let set = bench.fed(&secret(&["set", "-n", "SmtpRelay", "--keep-newline"]), b"second\n");
    // Sample 8: a second version.
    let said = text(&set.stdout);
    assert!(said.starts_with("SmtpRelay  new version ") && said.contains("…  enabled, never expires"), "{said}");
    assert!(said.ends_with("   (previous version stays readable by its ID)\n"), "{said}");
    let shown = bench.ok(&secret(&["show", "-n", "SmtpRelay"]));
    assert!(!shown.contains("second"), "{shown}");
    let query = ["show", "-n", "SmtpRelay", "--reveal", "--query", "value", "-o", "json"];
    assert_eq!(bench.ok(&secret(&query)), "\"second\\n\"\n");
    let versions = bench.ok(&secret(&["list-versions", "-n", "SmtpRelay", "--query", "[].version", "-o", "tsv"]));
    assert_eq!(versions.lines().count(), 2);
    let old = versions.lines().find(|version| bench.ok(&["get", "SmtpRelay", "--version", version]) == "in;the{vault}");
    assert!(old.is_some(), "{versions}");

    bench.ok(&secret(&["backup", "-n", "SmtpRelay", "--file", "backup"]));
    assert_eq!(mode(&bench.path("backup")), 0o600);
    bench.ok(&secret(&["download", "-n", "SmtpRelay", "--file", "value"]));
    assert_eq!(std::fs::read(bench.path("value")).unwrap(), b"second\n");

    let deleted = bench.ok(&secret(&["delete", "-n", "SmtpRelay", "--yes"]));
    assert!(deleted.starts_with("SmtpRelay  deleted, recoverable until "), "{deleted}");
    assert!(bench.ok(&secret(&["list-deleted"])).contains("SmtpRelay"));
    assert!(bench.ok(&secret(&["show-deleted", "-n", "SmtpRelay"])).contains("recoverable"));
    assert_eq!(bench.fed(&secret(&["set", "-n", "SmtpRelay"]), b"x").status.code(), Some(9));
    bench.ok(&secret(&["recover", "-n", "SmtpRelay"]));
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "second\n");
    bench.ok(&secret(&["delete", "-n", "SmtpRelay", "--yes"]));
    bench.ok(&secret(&["purge", "-n", "SmtpRelay", "--yes", "--confirm", "SmtpRelay"]));
    bench.ok(&secret(&["restore", "--file", "backup"]));
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "second\n");
}

/// Command line specification, section 4.4: deleted and recoverable is 7, not found is 6.
#[test]
fn a_deleted_secret_is_told_apart_from_one_that_never_was() {
    let bench = Bench::with_vault();
    let versions = ["vault", "secret", "list-versions", "-n", "SmtpRelay", "--query", "[].version", "-o", "tsv"];
    let version = bench.ok(&versions).trim().to_owned();
    bench.ok(&["vault", "secret", "delete", "-n", "SmtpRelay", "--yes"]);
    let dsn = "DSN=a; mv-credential-Pass=SmtpRelay;";
    for (exit, arguments) in [
        (7, &["get", "SmtpRelay"][..]),
        (7, &["get", "smtprelay", "--version", &version]),
        (7, &["get", "SmtpRelay", "--allow-empty"]),
        (7, &["expand", "--reveal", dsn]),
        (125, &["run", "-e", "PASS=SmtpRelay", "--", "true"]),
    ] {
        let errors = bench.fails(exit, arguments);
        assert!(errors.starts_with("error[CS4029]: "), "{arguments:?}: {errors}");
        let fix = "  fix    credstore vault secret recover --vault-name acme-pm-kv --name ";
        assert!(errors.contains(fix), "{arguments:?}: {errors}");
    }
    assert!(bench.fails(6, &["get", "SmtpRelai"]).starts_with("error[CS2004]: "));
    bench.ok(&["vault", "secret", "purge", "-n", "SmtpRelay", "--yes", "--confirm", "SmtpRelay"]);
    assert!(bench.fails(6, &["get", "SmtpRelay"]).starts_with("error[CS2004]: "));
}

#[test]
fn vaults_apps_and_policies_are_listed_shown_and_deleted() {
    let bench = Bench::with_vault();
    assert!(bench.fails(9, &["vault", "create", "--name", "acme-pm-kv"]).starts_with("error[CS4102]"));
    assert_eq!(bench.ok(&["vault", "list", "--query", "[].name", "-o", "tsv"]), "acme-pm-kv\n");
    let uri = bench.ok(&["vault", "show", "--name", "acme-pm-kv", "--query", "properties.vaultUri", "-o", "tsv"]);
    assert_eq!(uri, "https://acme-pm-kv.vault.localhost:8443/\n");
    let again = bench.ok(&["app", "create", "--display-name", "process-mining"]);
    assert!(again.starts_with("process-mining  already there   client ID "), "{again}");
    let policies = bench.ok(&["vault", "access-policy", "list", "--name", "acme-pm-kv"]);
    assert!(policies.contains("process-mining") && policies.contains("secrets get"), "{policies}");

    let app = bench.ok(&["app", "show", "--id", "process-mining", "--query", "appId", "-o", "tsv"]);
    bench.ok(&["vault", "delete-policy", "--name", "acme-pm-kv", "--spn", app.trim(), "--yes"]);
    assert!(bench.fails(5, &["get", "SmtpRelay"]).starts_with("error[CS4003]"));
    bench.ok(&[
        "vault",
        "set-policy",
        "--name",
        "acme-pm-kv",
        "--spn",
        app.trim(),
        "--secret-permissions",
        "get",
        "list",
    ]);
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");

    let key = ["app", "credential", "list", "--id", app.trim(), "--query", "[0].keyId", "-o", "tsv"];
    let key = bench.ok(&key);
    bench.ok(&["app", "credential", "delete", "--id", app.trim(), "--key-id", key.trim(), "--yes"]);
    let refused = bench.fails(4, &["get", "SmtpRelay"]);
    assert!(refused.starts_with("error[CS3102]") && refused.contains("AADSTS700027"), "{refused}");
    bench.ok(&["app", "delete", "--id", app.trim(), "--yes"]);
    assert!(bench.fails(4, &["get", "SmtpRelay"]).starts_with("error[CS3101]"));
    bench.ok(&["vault", "delete", "--name", "acme-pm-kv", "--yes", "--confirm", "acme-pm-kv"]);
    assert_eq!(bench.ok(&["vault", "list", "--query", "[].name", "-o", "tsv"]), "");
}

#[test]
fn a_deleted_vault_is_listed_recovered_and_purged() {
    let bench = Bench::with_vault();
    assert_eq!(bench.ok(&["vault", "list-deleted", "-o", "json"]), "[]\n");
    let deleted = bench.ok(&["vault", "delete", "--name", "acme-pm-kv", "--yes", "--confirm", "acme-pm-kv"]);
    assert_eq!(deleted, "acme-pm-kv  deleted; credstore vault recover --name acme-pm-kv brings it back\n");
    let table = bench.ok(&["vault", "list-deleted"]);
    assert!(table.starts_with("NAME") && table.lines().count() == 2, "{table}");
    assert!(table.contains("acme-pm-kv") && table.trim_end().ends_with("yes"), "{table}");
    let listed = bench.ok(&["vault", "list-deleted", "--query", "[0].properties", "-o", "json"]);
    let properties: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(properties["location"], "local");
    assert_eq!(properties["purgeProtectionEnabled"], false);
    assert!(properties["vaultId"].as_str().unwrap().ends_with("/vaults/acme-pm-kv"), "{properties}");
    assert!(properties["scheduledPurgeDate"].as_str() > properties["deletionDate"].as_str(), "{properties}");
    assert!(bench.fails(6, &["get", "SmtpRelay"]).starts_with("error[CS4028]"));

    let said = bench.ok(&["vault", "recover", "--name", "acme-pm-kv", "--dry-run"]);
    assert_eq!(said, "would recover the vault acme-pm-kv; nothing was changed\n");
    let recovered = bench.ok(&["vault", "recover", "--name", "ACME-pm-kv"]);
    assert_eq!(recovered, "acme-pm-kv  recovered   https://acme-pm-kv.vault.localhost:8443/\n");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}", "secrets and access policies came back");
    assert!(bench.fails(6, &["vault", "recover", "--name", "acme-pm-kv"]).starts_with("error[CS4107]"));
    let purge = ["vault", "purge", "--name", "acme-pm-kv", "--yes", "--confirm", "acme-pm-kv"];
    assert!(bench.fails(6, &purge).contains("credstore vault list-deleted"), "a live vault is not purged");

    bench.ok(&["vault", "delete", "--name", "acme-pm-kv", "--yes", "--confirm", "acme-pm-kv"]);
    let said = bench.ok(&["vault", "purge", "--name", "acme-pm-kv", "--dry-run", "-o", "json"]);
    assert!(said.contains("\"would\": \"purge the vault acme-pm-kv\""), "{said}");
    assert_eq!(bench.ok(&purge), "acme-pm-kv  purged\n");
    assert_eq!(bench.ok(&["vault", "list-deleted", "-o", "tsv"]), "");
    bench.ok(&["vault", "create", "--name", "acme-pm-kv"]);
    assert_eq!(bench.ok(&["vault", "secret", "list", "-o", "json"]), "[]\n", "nothing of the old one is left");
}

#[test]
fn a_vault_is_updated_and_says_what_changed() {
    let bench = Bench::with_vault();
    let update = |rest: &[&'static str]| [&["vault", "update", "--name", "acme-pm-kv"], rest].concat();
    let changed = bench.ok(&update(&["--tags", "owner=finance", "team=pm"]));
    assert_eq!(changed, "acme-pm-kv  changed   tags: - -> owner=finance team=pm\n");
    assert!(bench.ok(&["vault", "show", "--name", "acme-pm-kv"]).contains("owner=finance team=pm\n"));
    assert_eq!(
        bench.ok(&update(&["--tags", "team=pm", "owner=finance", "--dry-run"])),
        "acme-pm-kv  already so; nothing was changed\n"
    );
    let said = bench.ok(&update(&["--tags", "--dry-run"]));
    assert_eq!(said, "would change the vault acme-pm-kv, tags: owner=finance team=pm -> -; nothing was changed\n");
    assert_eq!(bench.ok(&update(&["--tags", "--query", "tags", "-o", "json"])), "{}\n");

    let asked = bench.fails(2, &update(&["--enable-purge-protection"]));
    let question = "Change acme-pm-kv, purge protection: no -> yes? Purge protection stays for ever.";
    assert!(asked.starts_with("error[CS0104]") && asked.contains(question), "{asked}");
    let query = ["--yes", "--query", "properties.enablePurgeProtection", "-o", "tsv"];
    assert_eq!(bench.ok(&update(&[&["--enable-purge-protection"], &query[..]].concat())), "true\n");
    assert!(bench.ok(&update(&["--enable-purge-protection"])).contains("already so"), "nothing to ask for");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}", "secrets and access policies stay");
}

#[test]
fn a_vault_is_switched_to_roles_and_back() {
    let bench = Bench::with_vault();
    let switch =
        |to: &'static str| ["vault", "update", "--name", "acme-pm-kv", "--enable-rbac-authorization", to, "--yes"];
    let switched = bench.ok(&switch("true"));
    assert_eq!(switched, "acme-pm-kv  changed   decides by: access policies -> roles\n");
    assert!(bench.ok(&["vault", "list"]).trim_end().ends_with("roles"));
    assert!(bench.ok(&["vault", "show", "--name", "acme-pm-kv"]).contains("Decides by        roles\n"));
    let denied = bench.fails(5, &["get", "SmtpRelay"]);
    assert!(denied.starts_with("error[CS4004]") && denied.contains("Key Vault Secrets User"), "{denied}");
    let app = bench.ok(&["app", "show", "--id", "process-mining", "--query", "appId", "-o", "tsv"]);
    let policy = ["vault", "set-policy", "--name", "acme-pm-kv", "--secret-permissions", "get", "--spn", app.trim()];
    let refused = bench.fails(9, &policy);
    let fix = "credstore vault update --name acme-pm-kv --enable-rbac-authorization false\n";
    assert!(refused.starts_with("error[CS4108]") && refused.contains(fix), "{refused}");
    bench.ok(&["vault", "delete", "--name", "acme-pm-kv", "--yes", "--confirm", "acme-pm-kv"]);
    let recovered = bench.run(&["vault", "recover", "--name", "acme-pm-kv"]);
    assert!(text(&recovered.stderr).contains("have to be assigned again"), "{}", text(&recovered.stderr));
    bench.ok(&switch("false"));
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}", "the access policies were kept");
}

#[test]
fn an_app_is_renamed_and_stays_what_it_is() {
    let bench = Bench::with_vault();
    let rename = |id: &'static str, to: &'static str| ["app", "update", "--id", id, "--display-name", to];
    let said = bench.ok(&[&rename("process-mining", "billing")[..], &["--dry-run"]].concat());
    assert_eq!(said, "would rename the app process-mining to billing; nothing was changed\n");
    let before = bench.ok(&["app", "show", "--id", "process-mining", "--query", "[id, appId]", "-o", "json"]);
    assert_eq!(bench.ok(&rename("process-mining", "billing")), "billing  renamed   was process-mining\n");
    assert_eq!(bench.ok(&["app", "show", "--id", "billing", "--query", "[id, appId]", "-o", "json"]), before);
    assert!(bench.fails(6, &["app", "show", "--id", "process-mining"]).starts_with("error[CS3201]"));
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}", "keys and permissions stay");
    assert!(bench.ok(&["vault", "access-policy", "list", "--name", "acme-pm-kv"]).contains("billing"));
    assert_eq!(bench.ok(&rename("billing", "billing")), "billing  already so; nothing was changed\n");

    bench.ok(&["app", "create", "--display-name", "other"]);
    let taken = bench.fails(9, &rename("other", "billing"));
    assert!(taken.starts_with("error[CS3204]: another app is called billing\n"), "{taken}");
    let with_quote = [&rename("other", "O'Neill \u{e4}")[..], &["--query", "displayName", "-o", "tsv"]].concat();
    assert_eq!(bench.ok(&with_quote), "O'Neill \u{e4}\n");
    assert!(bench.fails(2, &rename("billing", "")).starts_with("error[CS3203]"));
    assert!(bench.fails(5, &rename("credstore-operator", "operator")).starts_with("error[CS3202]"));
}

#[test]
fn a_protected_vault_is_not_purged_and_says_so() {
    let bench = Bench::new();
    bench.ok(&["vault", "create", "--name", "kept-kv", "--enable-purge-protection", "--retention-days", "7"]);
    bench.ok(&["vault", "delete", "--name", "kept-kv", "--yes", "--confirm", "kept-kv"]);
    assert!(bench.ok(&["vault", "list-deleted"]).trim_end().ends_with("no"));
    let refused = bench.fails(5, &["vault", "purge", "--name", "kept-kv", "--yes", "--confirm", "kept-kv"]);
    assert!(refused.starts_with("error[CS4111]: vault kept-kv is protected against purging\n"), "{refused}");
    bench.ok(&["vault", "recover", "--name", "kept-kv"]);
}

#[test]
fn hosts_lines_are_written_between_marks_and_only_once() {
    let bench = Bench::with_vault();
    let lines = bench.ok(&["directory", "hosts"]);
    assert!(lines.contains("127.0.0.1 acme-pm-kv.vault.localhost\n") && lines.contains("127.0.0.1 login.localhost\n"));
    std::fs::write(bench.path("hosts"), "127.0.0.1 localhost\n").unwrap();
    bench.ok(&["directory", "hosts", "--apply", "--file", "hosts"]);
    let once = std::fs::read_to_string(bench.path("hosts")).unwrap();
    bench.ok(&["directory", "hosts", "--apply", "--file", "hosts"]);
    assert_eq!(std::fs::read_to_string(bench.path("hosts")).unwrap(), once);
    assert_eq!(once, format!("127.0.0.1 localhost\n# begin credstore\n{lines}# end credstore\n"));
}

#[test]
fn certificates_are_made_shown_and_verified() {
    let bench = Bench::new();
    let made = bench.ok(&["cert", "new", "--out", "k.pem"]);
    assert!(made.starts_with("New key pair  k.pem   RSA 2048, until ") && made.contains("   mode 0600\n"), "{made}");
    assert_eq!(mode(&bench.path("k.pem")), 0o600);
    let before = std::fs::read(bench.path("k.pem")).unwrap();
    assert!(bench.fails(9, &["cert", "new", "--out", "k.pem"]).starts_with("error[CS0108]"));
    assert_eq!(std::fs::read(bench.path("k.pem")).unwrap(), before);
    assert!(bench.ok(&["cert", "verify", "k.pem"]).starts_with("k.pem  key and certificate belong together, until "));
    bench.ok(&["cert", "export-public", "k.pem", "--out", "k.cer"]);
    let thumbprint = |file: &str| bench.ok(&["cert", "show", file, "--query", "thumbprint", "-o", "tsv"]);
    assert_eq!(thumbprint("k.pem"), thumbprint("k.cer"));
    bench.ok(&["cert", "new", "--out", "short.pem", "--days", "10"]);
    let soon = bench.run(&["cert", "verify", "short.pem"]);
    assert!(soon.status.success() && text(&soon.stderr).starts_with("warning[CS1204]: short.pem expires in "));
    assert_eq!(bench.run(&["cert", "verify", "short.pem", "--strict"]).status.code(), Some(10));
}

#[test]
fn manual_pages_and_completions_are_made_for_every_command() {
    let bench = Bench::new();
    bench.ok(&["man", "--dir", "pages"]);
    for page in ["credstore.1", "credstore-get.1", "credstore-vault-secret-set.1"] {
        assert!(bench.path("pages").join(page).exists(), "{page}");
    }
    assert!(!bench.path("pages").join("credstore-identity-endpoint.1").exists());
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.ok(&["completions", shell]);
        assert!(script.contains("list-versions") && script.contains("passphrase-file"), "{shell}");
        assert!(!script.contains("identity-endpoint"), "{shell}");
    }
}
