//! The readings of what the documentation leaves open (product behaviour, section 9), as far as the text tells.

use std::path::Path;

use credstore::settings;

fn codes(members: &str) -> Vec<&'static str> {
    let text = format!(
        r#"{{"CredentialStore": {{"Type": "AzureKeyVault", "CertificateFile": "c.pem", {members}}}, "m": {{"credential": "A"}}}}"#
    );
    of(&text)
}

fn of(text: &str) -> Vec<&'static str> {
    settings::parse(text, Path::new("s.json")).findings.iter().map(|finding| finding.code.id).collect()
}

const IDS: &str =
    r#""TenantId": "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44", "ClientId": "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1""#;

#[test]
fn row_15_a_tenant_may_be_a_domain_and_a_client_may_not() {
    let domain = r#""TenantId": "contoso.onmicrosoft.com", "VaultName": "acme-kv", "ClientId": "#;
    assert!(codes(&format!("{domain}\"5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1\"")).is_empty());
    assert_eq!(codes(&format!("{domain}\"contoso.onmicrosoft.com\"")), ["CS1107"]);
}

#[test]
fn row_16_a_vault_name_is_bare() {
    assert!(codes(&format!(r#"{IDS}, "VaultName": "acme-kv""#)).is_empty());
    assert_eq!(codes(&format!(r#"{IDS}, "VaultName": "https://acme-kv.vault.azure.net/""#)), ["CS1108"]);
}

#[test]
fn rows_17_to_23_have_their_codes() {
    for (row, text, code) in [
        (17, r#"{"CredentialStore": {"Type": "file"}}"#, "CS1103"),
        (18, r#"{"CredentialStore": {"Type": "File"}, "CredentialStore": {"Type": "File"}}"#, "CS1012"),
        (19, r#"{"CredentialStore": {"Type": "File", "CertificateFile": "c.pem"}}"#, "CS1110"),
        (20, r#"{"m": {"credential": "A"}}"#, "CS1117"),
        (22, r#"{"CredentialStore": {"Type": "File"}, "m": {"credential": "A", "b": 1}}"#, "CS1114"),
        (23, r#"{"CredentialStore": {"Type": {"credential": "A"}}}"#, "CS1113"),
    ] {
        assert_eq!(of(text), [code], "row {row}");
    }
}
