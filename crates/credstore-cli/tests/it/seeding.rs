//! `serve --seed`: what the file says is there when the server answers, however often it is applied.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;

use credstore_testing::canary::Canary;
use serde_json::{Value, json};

use crate::bench::{Bench, mode, text};
use crate::serving::{SERVE, Served};

/// The value in the seed file, and the ones that it names.
const VALUES: [&str; 3] = ["in the seed", "in a file\n", "in a variable"];

/// A vault with access policies, one with roles, and an app for each.
fn seed() -> Value {
    json!({
        "apps": [
            {"name": "process-mining", "certificate": {"make": "process-mining.pem"}},
            {"name": "platform", "certificate": {"file": "platform.cer"}},
        ],
        "vaults": [
            {
                "name": "acme-pm-kv",
                "access": [{"app": "process-mining", "secrets": ["get"]}],
                "secrets": [
                    {"name": "SmtpRelay", "value": VALUES[0]},
                    {"name": "SqlServer", "value": {"file": "sql.txt"}, "contentType": "text/plain"},
                ],
            },
            {
                "name": "acme-dp-kv",
                "roles": [{"app": "platform", "role": "Key Vault Secrets User"}],
                "secrets": [{"name": "Warehouse", "value": {"env": "WAREHOUSE"}}],
            },
        ],
    })
}

#[test]
fn a_sealed_value_comes_from_the_encrypted_file_beside_the_seed() {
    let bench = bench();
    let settings = ["--settings", "seed/server-settings.json"];
    std::fs::write(bench.path("seed/server-settings.json"), r#"{"CredentialStore": {"Type": "EncryptedFile"}}"#)
        .unwrap();
    bench.ok(&[&["file", "init"][..], &settings].concat());
    assert!(
        bench.fed(&[&["file", "set", "--name", "Billing"][..], &settings].concat(), b"sealed;value").status.success()
    );
    let sealed = json!({"name": "Billing", "value": {"sealed": "credential_store.json"}});
    let only = |secret: &Value| json!({"vaults": [{"name": "acme-pm-kv", "secrets": [secret]}]});
    write(&bench, &only(&sealed));
    // No value stands in it: others may read it.
    std::fs::set_permissions(bench.path("seed/seed.json"), Permissions::from_mode(0o644)).unwrap();
    let (served, _) = served(&bench);
    let show = ["vault", "secret", "show", "--vault-name", "acme-pm-kv", "--name", "Billing", "--reveal"];
    assert!(bench.ok(&show).contains("sealed;value"));
    assert_eq!(served.stop(), Some(0));
    let serve = [&SERVE[..], &["--seed", "seed/seed.json"]].concat();
    write(&bench, &only(&json!({"name": "Other", "value": {"sealed": "credential_store.json"}})));
    assert!(bench.fails(3, &serve).contains("CS6032"));
    std::fs::remove_file(bench.path("seed/credential_store.key")).unwrap();
    assert!(bench.fails(3, &serve).contains("CS1401"));
}

/// A bench with the seed and the files that it names, in a folder beside the data folder.
fn bench() -> Bench {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("seed")).unwrap();
    bench.ok(&["cert", "new", "--out", "platform.pem"]);
    bench.ok(&["cert", "export-public", "platform.pem", "--out", "seed/platform.cer"]);
    std::fs::write(bench.path("seed/sql.txt"), VALUES[1]).unwrap();
    write(&bench, &seed());
    bench
}

fn write(bench: &Bench, seed: &Value) {
    let file = bench.path("seed/seed.json");
    std::fs::write(&file, format!("{seed:#}")).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
}

/// A server with the seed, and what it says about it.
fn served(bench: &Bench) -> (Served, Value) {
    let said = bench.path("served.json");
    let mut command = bench.command(&[&SERVE[..], &["--seed", "seed/seed.json", "-o", "json"]].concat());
    command.env("WAREHOUSE", VALUES[2]).stdout(File::create(&said).unwrap());
    let served = Served::by(bench, &mut command);
    let said: Value = serde_json::from_slice(&std::fs::read(said).unwrap()).unwrap();
    (served, said["seed"].clone())
}

/// Settings with which `app` reads in `vault` with its own certificate, on the port of this server.
fn settings(bench: &Bench, app: &str, vault: &str, certificate: &str) {
    let shown = |arguments: &[&str]| bench.ok(arguments).trim().to_owned();
    let settings = json!({"CredentialStore": {
        "Type": "AzureKeyVault",
        "TenantId": shown(&["directory", "show", "--query", "tenantId", "-o", "tsv"]),
        "ClientId": shown(&["app", "show", "--id", app, "--query", "appId", "-o", "tsv"]),
        "VaultName": vault,
        "CertificateFile": bench.path(certificate),
        "AuthorityHost": shown(&["directory", "show", "--query", "vaultResource", "-o", "tsv"]).replace("vault.", "login."),
        "VaultDnsSuffix": shown(&["directory", "show", "--query", "vaultResource", "-o", "tsv"]).replace("https://", ""),
        "CaFile": bench.path("data/ca.pem"),
    }});
    std::fs::write(bench.path("server-settings.json"), settings.to_string()).unwrap();
}

fn versions(bench: &Bench, name: &str) -> usize {
    let list = ["vault", "secret", "list-versions", "--vault-name", "acme-pm-kv", "--name", name, "-o", "json"];
    serde_json::from_str::<Vec<Value>>(&bench.ok(&list)).unwrap().len()
}

#[test]
fn a_seed_is_there_before_the_first_answer_and_changes_nothing_the_second_time() {
    let bench = bench();
    let (server, said) = served(&bench);
    // Two apps and their keys, two vaults, a policy, a role, three secrets.
    assert_eq!(said, json!({"made": 11, "alreadyThere": 0}));
    let key = std::fs::read(bench.path("seed/process-mining.pem")).unwrap();
    assert_eq!(mode(&bench.path("seed/process-mining.pem")), 0o600);
    settings(&bench, "process-mining", "acme-pm-kv", "seed/process-mining.pem");
    assert_eq!(
        (bench.ok(&["get", "SmtpRelay"]), bench.ok(&["get", "SqlServer"])),
        (VALUES[0].into(), VALUES[1].into())
    );
    settings(&bench, "platform", "acme-dp-kv", "platform.pem");
    assert_eq!(bench.ok(&["get", "Warehouse"]), VALUES[2]);
    let content_type = ["vault", "secret", "show", "--vault-name", "acme-pm-kv", "--name", "SqlServer"];
    assert_eq!(bench.ok(&[&content_type[..], &["--query", "contentType", "-o", "tsv"]].concat()), "text/plain\n");
    assert_eq!(server.stop(), Some(0));

    let (server, said) = served(&bench);
    assert_eq!(said, json!({"made": 0, "alreadyThere": 11}));
    assert_eq!(std::fs::read(bench.path("seed/process-mining.pem")).unwrap(), key);
    assert_eq!((versions(&bench, "SmtpRelay"), versions(&bench, "SqlServer")), (1, 1));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_changed_seed_changes_what_it_names_and_leaves_the_rest() {
    let bench = bench();
    served(&bench).0.stop();
    bench.set("Other", "not in the seed");
    let mut changed = seed();
    let vault = &mut changed["vaults"][0];
    vault["secrets"][0]["value"] = json!("a second value");
    vault["secrets"][1]["contentType"] = json!("text/x-password");
    vault["access"][0]["secrets"] = json!(["get", "list"]);
    write(&bench, &changed);
    let (server, said) = served(&bench);
    assert_eq!(said, json!({"made": 3, "alreadyThere": 8}));
    assert_eq!((versions(&bench, "SmtpRelay"), versions(&bench, "SqlServer"), versions(&bench, "Other")), (2, 2, 1));
    settings(&bench, "process-mining", "acme-pm-kv", "seed/process-mining.pem");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "a second value");
    assert_eq!(bench.ok(&["get", "Other"]), "not in the seed");
    server.stop();
    // A vault that is said to have roles decides by them from now on.
    changed["vaults"][0].as_object_mut().unwrap().remove("access");
    changed["vaults"][0]["roles"] = json!([{"app": "process-mining", "role": "Key Vault Reader"}]);
    write(&bench, &changed);
    let (server, said) = served(&bench);
    assert_eq!(said, json!({"made": 2, "alreadyThere": 10}));
    settings(&bench, "process-mining", "acme-pm-kv", "seed/process-mining.pem");
    let refused = bench.fails(5, &["get", "SmtpRelay"]);
    assert!(refused.starts_with("error[CS4"), "{refused}");
    server.stop();
}

#[test]
fn a_seed_that_cannot_be_used_is_refused_before_anything_is_made() {
    let bench = bench();
    let misspelt = format!("{:#}", seed()).replace("\"secrets\": [\n        {", "\"secret\": [\n        {");
    let without = |pointer: &str, value: Value| {
        let mut seed = seed();
        *seed.pointer_mut(pointer).unwrap() = value;
        seed.to_string()
    };
    for (seed, mode, exit, told) in [
        (misspelt, 0o600, 3, "error[CS6030]: seed/seed.json is not a seed"),
        ("{\n  \"app\": []\n}".to_owned(), 0o600, 3, "where  seed/seed.json line 2 column 7\n"),
        (
            seed().to_string(),
            0o644,
            5,
            "error[CS6031]: seed/seed.json holds passwords and others can read it (mode 0644)",
        ),
        (seed().to_string(), 0o600, 3, "error[CS6032]: the variable WAREHOUSE is not set"),
        (without("/vaults/0/secrets/1/value/file", json!("nowhere.txt")), 0o600, 3, "cannot read seed/nowhere.txt"),
        (without("/vaults/0/access/0/secrets", json!(["gets"])), 0o600, 3, "gets is not a permission on secrets"),
    ] {
        std::fs::write(bench.path("seed/seed.json"), seed).unwrap();
        std::fs::set_permissions(bench.path("seed/seed.json"), Permissions::from_mode(mode)).unwrap();
        let errors = bench.fails(exit, &[&SERVE[..], &["--seed", "seed/seed.json", "-q"]].concat());
        assert!(errors.contains(told) && !errors.contains(VALUES[0]), "{told}: {errors}");
        assert!(!bench.path("data").exists() && !bench.path("ready").exists(), "{told}");
        assert!(!bench.path("seed/process-mining.pem").exists(), "{told}");
    }
}

#[test]
fn a_value_of_a_seed_is_sealed_and_in_nothing_that_is_written() {
    let bench = bench();
    let planted = "planted-7f3c9a51-by-the-seed";
    let vault = json!({"name": "acme-pm-kv", "secrets": [{"name": "A", "value": {"env": "WAREHOUSE"}}]});
    write(&bench, &json!({ "vaults": [vault] }));
    let mut command = bench.command(&[&SERVE[..], &["--seed", "seed/seed.json", "--debug"]].concat());
    command.env("WAREHOUSE", planted).stdout(File::create(bench.path("stdout")).unwrap());
    let log = File::create(bench.path("stderr")).unwrap();
    let served = Served::telling(&bench, command.stderr(log));
    assert_eq!(
        bench
            .ok(&[
                "vault",
                "secret",
                "show",
                "--vault-name",
                "acme-pm-kv",
                "--name",
                "A",
                "--reveal",
                "--query",
                "value",
                "-o",
                "tsv"
            ])
            .trim(),
        planted
    );
    served.stop();
    assert!(!std::fs::read(bench.path("stderr")).unwrap().is_empty(), "the log was looked at");
    assert_eq!(Canary::new(planted).in_folder(&bench.path("")).unwrap(), []);
}

#[test]
fn who_can_read_the_seed_matters_only_when_values_stand_in_it() {
    let bench = bench();
    let mut elsewhere = seed();
    elsewhere["vaults"][0]["secrets"][0]["value"] = json!({"file": "sql.txt"});
    write(&bench, &elsewhere);
    std::fs::set_permissions(bench.path("seed/seed.json"), Permissions::from_mode(0o644)).unwrap();
    let (server, said) = served(&bench);
    assert_eq!(said, json!({"made": 11, "alreadyThere": 0}));
    server.stop();
}

#[test]
fn an_access_of_an_app_that_nobody_knows_stops_the_server_before_it_listens() {
    let bench = bench();
    write(&bench, &json!({"vaults": [{"name": "acme-pm-kv", "access": [{"app": "nobody", "secrets": ["get"]}]}]}));
    let done = bench.run(&[&SERVE[..], &["--seed", "seed/seed.json", "-q"]].concat());
    assert_eq!(done.status.code(), Some(6), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("there is no app nobody"), "{}", text(&done.stderr));
    assert!(!bench.path("ready").exists());
}
