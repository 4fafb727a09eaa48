//! Certificates that people bring, and assertions that clients sign.

use std::sync::OnceLock;

use credstore::azure::SigningCertificate;
use credstore::azure::certificate::{export_public, public_certificate};
use credstore_protocol::Secret;

use crate::world::World;

/// PEM, DER and PFX, with and without a password. What can sign gives its public half.
pub(crate) fn certificate(bytes: &[u8]) {
    static PASSWORD: OnceLock<Secret> = OnceLock::new();
    let password = PASSWORD.get_or_init(|| Secret::from("password".to_owned()));
    let _ = public_certificate(bytes);
    for password in [None, Some(password)] {
        let signing = SigningCertificate::load(bytes, password);
        let public = export_public(bytes, password);
        if let Ok(signing) = signing {
            assert_eq!(public.expect("what signs has a public half").der, signing.public().der);
        }
    }
}

/// Header and claims, separated by a line break, signed well: so the checks behind the signature are reached.
pub(crate) fn assertion(bytes: &[u8]) {
    let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    World::with(|world| {
        let assertion = world.signed(&bytes[..at], &bytes[at + 1..]);
        let form = world.form(&assertion);
        world.answered(&world.token_request(&form));
    });
}
