//! What OpenSSL says about the CA and its leaves.

use std::process::Command;

use credstore_protocol::Timestamp;
use credstore_vault::Installation;

use crate::folder::Folder;
use crate::world::NOW;

fn pem(der: &[u8]) -> String {
    let text = credstore_protocol::encoding::base64_standard(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[test]
fn openssl_accepts_a_leaf_for_its_names_as_a_server_and_for_nothing_else() {
    let installation = Installation::in_memory(NOW);
    let names = ["localhost", "*.vault.localhost", "login.localhost"].map(str::to_owned);
    let leaf = installation.authority().issue_leaf(&names, NOW).unwrap();
    let folder = Folder::new();
    let (ca, file) = (folder.path().join("ca.pem"), folder.path().join("leaf.pem"));
    std::fs::write(&ca, installation.authority().certificate_pem()).unwrap();
    std::fs::write(&file, pem(&leaf.chain_der[0])).unwrap();
    assert_eq!(
        pem(&leaf.chain_der[1]).replace('\n', ""),
        installation.authority().certificate_pem().replace(['\r', '\n'], "")
    );
    let verify = |at: Timestamp, purpose: &str, host: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-attime", &at.0.to_string(), "-purpose", purpose]);
        openssl.args(["-verify_hostname", host, "-CAfile"]).arg(&ca).arg(&file);
        let output = openssl.output().expect("openssl is installed");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for host in ["localhost", "acme-kv.vault.localhost", "login.localhost"] {
        let (ok, text) = verify(NOW, "sslserver", host);
        assert!(ok, "{host}: {text}");
    }
    for host in ["example.com", "a.b.vault.localhost", "management.localhost"] {
        assert!(!verify(NOW, "sslserver", host).0, "{host}");
    }
    assert!(!verify(NOW, "sslclient", "localhost").0);
    assert!(verify(Timestamp(NOW.0 - 600), "sslserver", "localhost").0);
    assert!(!verify(Timestamp(NOW.0 - 601), "sslserver", "localhost").0);
    assert!(verify(Timestamp(leaf.not_after.0 - 1), "sslserver", "localhost").0);
    assert!(!verify(Timestamp(leaf.not_after.0 + 1), "sslserver", "localhost").0);
    assert_eq!(leaf.not_after, Timestamp(NOW.0 + 90 * 86_400));
}
