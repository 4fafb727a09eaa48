//! What somebody imports into a vault, and what an issuer outside is said to have signed.

use std::sync::LazyLock;

use credstore_protocol::Secret;
use credstore_protocol::encoding::base64_standard;
use credstore_protocol::key_vault::certificates::{CertificateForm, ImportCertificate};
use credstore_protocol::key_vault::keys::Curve;
use credstore_vault::certificates::{CertificateError, Chain, converted, secret_value};
use credstore_vault::keys::{KeyMaterial, KeyShape};

fn request(value: Secret) -> ImportCertificate {
    let pwd = Some(Secret::from("password".to_owned()));
    ImportCertificate { value, pwd, policy: None, attributes: None, tags: None, preserve_order: None }
}

/// A PFX, or a PEM. What is taken comes out again in both forms, and is taken again as the same key and certificate.
pub(crate) fn import(bytes: &[u8]) {
    let value = match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN ") => text.to_owned(),
        Ok(_) | Err(_) => base64_standard(bytes),
    };
    let Ok(imported) = credstore_vault::certificates::import(&request(Secret::from(value))) else { return };
    for form in CertificateForm::ALL {
        let written = match secret_value(*form, Some(&imported.key), &imported.chain) {
            Ok(written) => written,
            Err(CertificateError::TooLarge { .. }) => continue,
            Err(error) => panic!("what was taken cannot be written as {form}: {error}"),
        };
        for other in CertificateForm::ALL {
            match converted(&written, *other) {
                Ok(again) => assert!(!again.expose_secret().is_empty()),
                Err(error) => assert!(matches!(error, CertificateError::TooLarge { .. }), "{form} as {other}: {error}"),
            }
        }
    }
    assert!(imported.chain.is_of(&imported.key).is_ok_and(|same| same), "the first certificate is the key's");
}

/// `x5c` of a merge: lines of text. Only what is the key's is taken.
pub(crate) fn merge(bytes: &[u8]) {
    static KEY: LazyLock<KeyMaterial> =
        LazyLock::new(|| KeyMaterial::generate(KeyShape::Ec(Curve::P256)).expect("a key is made"));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let x5c: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Ok(chain) = Chain::merge(&KEY, &x5c) {
        assert!(chain.is_of(&KEY).is_ok_and(|same| same), "a certificate of another key was merged");
    }
}
