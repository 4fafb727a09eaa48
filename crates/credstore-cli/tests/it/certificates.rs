//! `vault certificate`: every verb, with openssl reading what comes out, and the second way of the set-up guide.

use crate::bench::{Bench, mode, text};

fn certificate<'a>(verb: &[&'a str]) -> Vec<&'a str> {
    [&["vault", "certificate"], verb].concat()
}

/// Set-up guide, second way: make the certificate in the vault, download it with its key and its public part, delete it.
#[test]
fn a_certificate_made_in_the_vault_signs_an_app_in_and_is_deleted_from_the_vault() {
    let bench = Bench::with_vault();
    let made = bench.ok(&certificate(&["create", "-n", "sign-in", "--content-type", "pem"]));
    assert!(made.starts_with("sign-in  created, version ") && made.contains("…  enabled, expires "), "{made}");
    bench.ok(&certificate(&["download", "-n", "sign-in", "--with-key", "--file", "from-vault.pem"]));
    assert_eq!(mode(&bench.path("from-vault.pem")), 0o600);
    bench.ok(&certificate(&["download", "-n", "sign-in", "--file", "from-vault.cer"]));
    assert_eq!(
        bench.openssl("x509 -in from-vault.cer -noout -pubkey"),
        bench.openssl("pkey -in from-vault.pem -pubout"),
        "the file with the key is the certificate's"
    );
    bench.ok(&certificate(&["delete", "-n", "sign-in", "--yes"]));
    bench.ok(&certificate(&["purge", "-n", "sign-in", "--yes", "--confirm", "sign-in"]));

    let app = bench.ok(&["app", "show", "--id", "process-mining", "--query", "appId", "-o", "tsv"]);
    bench.ok(&["app", "credential", "add", "--id", app.trim(), "--cert", "from-vault.cer"]);
    let settings = std::fs::read_to_string(bench.path("server-settings.json")).unwrap();
    let settings = settings.replace("my-certificate.pem", "from-vault.pem");
    std::fs::write(bench.path("server-settings.json"), settings).unwrap();
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
}

#[test]
fn a_certificate_goes_through_all_its_verbs() {
    let bench = Bench::with_vault();
    let create =
        ["create", "-n", "Portal", "--key", "p256", "--dns", "a.corp.example", "b.corp.example", "--tags", "a=b"];
    bench.ok(&certificate(&create));
    let shown = bench.ok(&certificate(&["show", "-n", "Portal"]));
    for part in ["Subject       CN=Portal\n", "Issuer        Self\n", "application/x-pkcs12", "Tags          a=b\n"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    bench.ok(&certificate(&["download", "-n", "Portal", "--file", "portal.der", "--encoding", "der"]));
    let fingerprint = bench.openssl("x509 -inform der -in portal.der -noout -fingerprint -sha1").replace(':', "");
    let query = ["show", "-n", "Portal", "--query", "x509Thumbprint", "-o", "tsv"];
    let thumbprint = bench.ok(&certificate(&query));
    assert!(fingerprint.trim_end().ends_with(thumbprint.trim_end()), "{fingerprint} {thumbprint}");
    let names = bench.openssl("x509 -inform der -in portal.der -noout -ext subjectAltName");
    assert!(names.contains("DNS:a.corp.example, DNS:b.corp.example"), "{names}");
    bench.ok(&certificate(&["download", "-n", "Portal", "--with-key", "--file", "portal.pfx"]));
    bench.openssl("pkcs12 -in portal.pfx -passin pass: -nodes -out portal.pem");
    assert!(bench.fails(9, &certificate(&["download", "-n", "Portal", "--file", "portal.der"])).contains("CS0108"));

    // A policy as it is shown is one to make another by.
    let policy = bench.ok(&certificate(&["show", "-n", "Portal", "--query", "policy", "-o", "json"]));
    std::fs::write(bench.path("policy.json"), policy).unwrap();
    bench.ok(&certificate(&["create", "-n", "Portal", "--policy", "policy.json"]));
    let versions = bench.ok(&certificate(&["list-versions", "-n", "Portal", "--query", "[].version", "-o", "tsv"]));
    assert_eq!(versions.lines().count(), 2);
    assert!(bench.ok(&certificate(&["list"])).contains("Portal"));

    let off = bench.ok(&certificate(&["set-attributes", "-n", "Portal", "--enabled", "false"]));
    assert!(off.starts_with("Portal  disabled, expires "), "{off}");
    let refused = bench.fails(7, &certificate(&["download", "-n", "Portal", "--with-key", "--file", "no.pfx"]));
    assert!(refused.contains("Portal is disabled"), "{refused}");
    bench.ok(&certificate(&["set-attributes", "-n", "Portal", "--enabled", "true"]));

    bench.ok(&certificate(&["backup", "-n", "Portal", "--file", "portal.backup"]));
    assert_eq!(mode(&bench.path("portal.backup")), 0o600);
    let deleted = bench.ok(&certificate(&["delete", "-n", "Portal", "--yes"]));
    assert!(deleted.starts_with("Portal  deleted, recoverable until "), "{deleted}");
    assert!(bench.ok(&certificate(&["list-deleted"])).contains("Portal"));
    assert!(bench.ok(&certificate(&["show-deleted", "-n", "Portal"])).contains("recoverable"));
    let taken = bench.fails(9, &certificate(&create));
    assert!(taken.contains("credstore vault certificate recover --vault-name acme-pm-kv --name Portal"), "{taken}");
    bench.ok(&certificate(&["recover", "-n", "Portal"]));
    bench.ok(&certificate(&["delete", "-n", "Portal", "--yes"]));
    bench.ok(&certificate(&["purge", "-n", "Portal", "--yes", "--confirm", "Portal"]));
    bench.ok(&certificate(&["restore", "--file", "portal.backup"]));
    assert_eq!(bench.ok(&certificate(&query)).len(), 41, "40 digits and a line end");
}

#[test]
fn what_an_issuer_outside_signs_is_merged() {
    let bench = Bench::with_vault();
    let waits = bench.ok(&certificate(&["create", "-n", "portal", "--issuer", "Unknown", "--csr", "request.pem"]));
    let next = "waits for a signature; have request.pem signed\n";
    assert!(waits.contains(next) && waits.contains("certificate merge -n portal --file SIGNED.pem"), "{waits}");
    let early = bench.fails(6, &certificate(&["download", "-n", "portal", "--file", "early.cer"]));
    assert!(early.contains("portal is not signed yet"), "{early}");
    assert!(bench.ok(&certificate(&["show", "-n", "portal", "--csr", "again.pem"])).contains("not signed yet"));
    assert_eq!(std::fs::read(bench.path("request.pem")).unwrap(), std::fs::read(bench.path("again.pem")).unwrap());
    bench.openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30");
    bench.openssl("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -days 20 -out signed.pem");
    let other = bench.fails(2, &certificate(&["merge", "-n", "portal", "--file", "ca.pem"]));
    assert!(other.contains("does not match the key"), "{other}");
    assert!(
        bench.fails(2, &certificate(&["merge", "-n", "portal", "--file", "ca.key"])).contains("holds no certificate")
    );
    let chain = [std::fs::read(bench.path("signed.pem")).unwrap(), std::fs::read(bench.path("ca.pem")).unwrap()];
    std::fs::write(bench.path("chain.pem"), chain.concat()).unwrap();
    assert!(bench.ok(&certificate(&["merge", "-n", "portal", "--file", "chain.pem"])).contains("completed, version"));
    bench.ok(&certificate(&["download", "-n", "portal", "--with-key", "--file", "portal.pfx"]));
    bench.openssl("pkcs12 -in portal.pfx -passin pass: -nodes -out portal.pem");
    bench.openssl("verify -CAfile ca.pem portal.pem");
}

#[test]
fn files_with_a_key_are_imported_and_their_password_is_no_argument() {
    let bench = Bench::with_vault();
    bench.openssl("req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=portal -days 30");
    bench.openssl("pkcs12 -export -in cert.pem -inkey key.pem -passout pass:planted-password -out portal.pfx");
    std::fs::write(bench.path("password.txt"), "planted-password\n").unwrap();
    let import = ["import", "-n", "portal", "--file", "portal.pfx"];
    let with = |more: &[&'static str]| certificate(&[&import[..], more].concat());
    assert!(bench.ok(&with(&["--password-file", "password.txt"])).contains("imported, version"));
    let without = bench.fails(2, &with(&[]));
    assert!(without.contains("can not be read"), "{without}");
    let typed = bench.fails(2, &with(&["--password", "planted-password"]));
    assert!(typed.starts_with("error[CS0102]") && !typed.contains("planted-password"), "{typed}");
    let pem = [std::fs::read(bench.path("cert.pem")).unwrap(), std::fs::read(bench.path("key.pem")).unwrap()];
    std::fs::write(bench.path("both.pem"), pem.concat()).unwrap();
    bench.ok(&certificate(&["import", "-n", "from-pem", "--file", "both.pem", "--not-exportable"]));
    bench.ok(&certificate(&["download", "-n", "from-pem", "--with-key", "--file", "out.pem"]));
    let out = std::fs::read_to_string(bench.path("out.pem")).unwrap();
    assert!(out.contains("BEGIN CERTIFICATE") && !out.contains("PRIVATE KEY"), "the key does not leave");
}

#[test]
fn the_secret_of_a_certificate_is_no_identifier() {
    let bench = Bench::with_vault();
    bench.ok(&certificate(&["create", "-n", "SmtpRelays", "--key", "p256"]));
    assert_eq!(bench.ok(&["list", "--query", "[].identifier", "-o", "tsv"]), "SmtpRelay\n");
    let refused = bench.fails(7, &["get", "SmtpRelays"]);
    assert!(refused.starts_with("error[CS4016]: SmtpRelays is not a password\n"), "{refused}");
    bench.ok(&certificate(&["delete", "-n", "SmtpRelays", "--yes"]));
    let deleted = bench.fails(7, &["get", "SmtpRelays"]);
    assert!(deleted.contains("credstore vault certificate recover --vault-name acme-pm-kv --name "), "{deleted}");
}

#[test]
fn mistakes_with_certificates_say_what_to_do() {
    let bench = Bench::with_vault();
    let missing = bench.fails(6, &certificate(&["show", "-n", "nothing"]));
    assert!(missing.starts_with("error[CS4027]: there is no certificate nothing in vault acme-pm-kv\n"), "{missing}");
    assert!(missing.contains("  fix    list what is there: credstore vault certificate list"), "{missing}");
    let version = bench.fails(2, &certificate(&["show", "-n", "nothing", "--version", "x"]));
    assert!(version.contains("credstore vault certificate list-versions"), "{version}");
    let subject = bench.fails(2, &certificate(&["create", "-n", "bad", "--subject", "no name"]));
    assert!(subject.contains("Invalid X.500 distinguished name"), "{subject}");
    std::fs::write(bench.path("policy.json"), "{\n  \"issuer\": 1}").unwrap();
    let policy = bench.fails(2, &certificate(&["create", "-n", "bad", "--policy", "policy.json"]));
    assert!(policy.contains("policy.json is no policy of a certificate") && policy.contains("line 2"), "{policy}");
    bench.ok(&certificate(&["create", "-n", "made", "--key", "p256"]));
    let alone = bench.fed(&["vault", "secret", "set", "-n", "made"], b"x");
    assert_eq!(alone.status.code(), Some(7));
    assert!(text(&alone.stderr).contains("made belongs to a certificate"), "{}", text(&alone.stderr));
    let dry = bench.ok(&certificate(&["create", "-n", "dry", "--dry-run"]));
    assert!(dry.contains("create the certificate dry"), "{dry}");
    assert!(!bench.ok(&certificate(&["list"])).contains("dry"));
}

#[test]
fn what_an_authority_inside_the_vault_signs_is_trusted_with_its_certificate() {
    let bench = Bench::with_vault();
    let made = bench.ok(&certificate(&["issuer", "create", "--issuer-name", "corp-ca"]));
    assert_eq!(made, "corp-ca  created   Credstore   enabled\n");
    bench.ok(&certificate(&["create", "-n", "portal", "--issuer", "corp-ca", "--key", "p256"]));
    bench.ok(&certificate(&["download", "-n", "portal", "--file", "portal.cer"]));
    let written = bench.ok(&certificate(&["issuer", "download", "-n", "corp-ca", "--file", "corp-ca.pem"]));
    assert_eq!(written, "corp-ca  certificate in corp-ca.pem\n");
    assert_eq!(bench.openssl("verify -CAfile corp-ca.pem portal.cer"), "portal.cer: OK\n");
    let printed = bench.ok(&certificate(&["issuer", "download", "-n", "corp-ca", "--file", "-"]));
    assert_eq!(printed, std::fs::read_to_string(bench.path("corp-ca.pem")).unwrap());

    let other = ["issuer", "create", "--name", "digicert", "--provider-name", "DigiCert", "--account-id", "user"];
    let made = bench.ok(&certificate(&[&other[..], &["--organization-id", "9", "--disabled"]].concat()));
    assert_eq!(made, "digicert  created   DigiCert   disabled\n");
    let shown = bench.ok(&certificate(&["issuer", "show", "-n", "digicert"]));
    for line in ["Provider      DigiCert\n", "State         disabled\n", "Account       user\n", "Organization  9\n"] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let listed = bench.ok(&certificate(&["issuer", "list", "--query", "[].[name, provider]", "-o", "tsv"]));
    let mut listed: Vec<_> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, ["corp-ca\tCredstore", "digicert\tDigiCert"]);
    let without = bench.fails(6, &certificate(&["issuer", "download", "-n", "digicert", "--file", "never"]));
    assert!(without.contains("digicert has no certificate") && !bench.path("never").exists(), "{without}");

    let delete = ["issuer", "delete", "-n", "corp-ca", "--yes"];
    bench.fails(2, &certificate(&delete));
    assert_eq!(bench.ok(&certificate(&[&delete[..], &["--confirm", "corp-ca"]].concat())), "corp-ca  deleted\n");
    let missing = bench.fails(6, &certificate(&["issuer", "show", "-n", "corp-ca"]));
    assert!(missing.starts_with("error[CS4027]: there is no issuer corp-ca in vault acme-pm-kv\n"), "{missing}");
    assert!(missing.contains("credstore vault certificate issuer list --vault-name acme-pm-kv"), "{missing}");
}

#[test]
fn contacts_are_added_listed_and_deleted_one_by_one() {
    let bench = Bench::with_vault();
    let contact = |verb: &[&'static str]| certificate(&[&["contact"], verb].concat());
    assert_eq!(bench.ok(&contact(&["list", "-o", "json"])), "[]\n");
    let add = ["add", "--email", "pki@acme.example", "--name", "PKI", "--phone", "1"];
    assert_eq!(bench.ok(&contact(&add)), "pki@acme.example  added\n");
    bench.ok(&contact(&["add", "--email", "b@acme.example"]));
    let twice = bench.fails(9, &contact(&["add", "--email", "PKI@acme.example"]));
    assert!(twice.contains("PKI@acme.example is a contact already"), "{twice}");
    let listed = bench.ok(&contact(&["list", "--query", "[].[email, name, phone]", "-o", "json"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed, serde_json::json!([["pki@acme.example", "PKI", "1"], ["b@acme.example", null, null]]));
    let delete = |email| contact(&["delete", "--email", email, "--yes"]);
    assert!(bench.fails(6, &delete("c@acme.example")).contains("c@acme.example is no contact"));
    bench.ok(&delete("PKI@acme.example"));
    assert!(bench.ok(&contact(&["list"])).contains("b@acme.example"));
    bench.ok(&delete("b@acme.example"));
    assert_eq!(bench.ok(&contact(&["list", "-o", "json"])), "[]\n");
}
