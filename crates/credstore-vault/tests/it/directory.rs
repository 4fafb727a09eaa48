//! App registrations: who may, which certificates, and what a change does.

use std::process::Command;
use std::sync::Arc;

use credstore_protocol::{ClientId, ObjectId, Timestamp};
use credstore_vault::directory::certificate::CERTIFICATE_MAX;
use credstore_vault::directory::{KEYS_MAX, KeyCredentialChange, NewKeyCredential};
use credstore_vault::{Directory, DirectoryError, Installation};

use crate::folder::Folder;
use crate::tokens::Client;
use crate::world::{NOW, World, later};

fn new_key(certificate_der: Vec<u8>) -> NewKeyCredential {
    NewKeyCredential { certificate_der, ..NewKeyCredential::default() }
}

#[test]
fn only_the_operator_sees_or_changes_registrations() {
    let world = World::new();
    let (directory, stranger) = (world.installation.directory(), world.caller_with(&[]));
    let id: ObjectId = "00000000-0000-4000-8000-000000000003".parse().unwrap();
    let client: ClientId = "00000000-0000-4000-8000-000000000003".parse().unwrap();
    let denied = DirectoryError::Denied;
    assert_eq!(directory.create_application(&stranger, "app", vec![], NOW).err(), Some(denied.clone()));
    assert_eq!(directory.applications(&stranger).err(), Some(denied.clone()));
    assert_eq!(directory.application(&stranger, &id).err(), Some(denied.clone()));
    assert_eq!(directory.update_application(&stranger, &id, None, None, NOW).err(), Some(denied.clone()));
    assert_eq!(directory.delete_application(&stranger, &id, NOW).err(), Some(denied.clone()));
    assert_eq!(directory.create_service_principal(&stranger, &client, NOW).err(), Some(denied.clone()));
    assert_eq!(directory.service_principals(&stranger).err(), Some(denied));
}

#[test]
fn an_application_and_its_service_principal_have_three_different_ids() {
    let world = World::new();
    let (directory, operator) = (world.installation.directory(), world.operator());
    let application = directory.create_application(&operator, "app", vec![], NOW).unwrap();
    let principal = directory.create_service_principal(&operator, &application.app_id, NOW).unwrap();
    assert_ne!(application.id.as_str(), application.app_id.as_str());
    assert_ne!(application.id, principal.id);
    assert_ne!(principal.id.as_str(), application.app_id.as_str());
    assert_eq!((principal.app_id.clone(), principal.enabled), (application.app_id.clone(), true));
    let again = directory.create_service_principal(&operator, &application.app_id, NOW);
    assert_eq!(again.err(), Some(DirectoryError::ServicePrincipalExists));
    assert_eq!(directory.application(&operator, &application.id).unwrap(), application);
    directory.delete_application(&operator, &application.id, NOW).unwrap();
    assert_eq!(directory.application(&operator, &application.id).err(), Some(DirectoryError::NotFound));
    assert_eq!(directory.service_principals(&operator).unwrap().len(), 1, "the operator's stays");
}

#[test]
fn the_operators_registration_is_protected() {
    let world = World::new();
    let (directory, operator) = (world.installation.directory(), world.operator());
    let own = directory.applications(&operator).unwrap().remove(0);
    assert_eq!(own.display_name, "credstore-operator");
    let protected = Some(DirectoryError::Protected);
    assert_eq!(directory.delete_application(&operator, &own.id, NOW).err(), protected);
    assert_eq!(directory.update_application(&operator, &own.id, Some("x".to_owned()), None, NOW).err(), protected);
    assert_eq!(directory.update_application(&operator, &own.id, None, Some(vec![]), NOW).err(), protected);
    let principal = &operator.object_id;
    assert_eq!(directory.delete_service_principal(&operator, principal, NOW).err(), protected);
    assert_eq!(directory.enable_service_principal(&operator, principal, false, NOW).err(), protected);
}

#[test]
fn a_service_principal_is_disabled_enabled_and_deleted_and_its_application_stays() {
    let world = World::new();
    let (directory, operator) = (world.installation.directory(), world.operator());
    let application = directory.create_application(&operator, "pm", vec![], NOW).unwrap();
    let made = directory.create_service_principal(&operator, &application.app_id, NOW).unwrap();
    let found = |directory: &Directory| {
        let mut every = directory.service_principals(&operator).unwrap().into_iter();
        every.find(|principal| principal.app_id == application.app_id)
    };
    for enabled in [false, true, true] {
        directory.enable_service_principal(&operator, &made.id, enabled, NOW).unwrap();
        assert_eq!(
            found(directory).map(|principal| (principal.id, principal.enabled)),
            Some((made.id.clone(), enabled))
        );
    }
    let gone = Some(DirectoryError::NotFound);
    assert_eq!(directory.delete_service_principal(&operator, &application.id, NOW).err(), gone, "an application's id");
    directory.delete_service_principal(&operator, &made.id, NOW).unwrap();
    assert_eq!(directory.delete_service_principal(&operator, &made.id, NOW).err(), gone);
    assert_eq!(directory.enable_service_principal(&operator, &made.id, true, NOW).err(), gone);
    assert_eq!(directory.application(&operator, &application.id), Ok(application.clone()));
    let again = Installation::over(Arc::clone(&world.storage), &world.root_key, NOW).unwrap();
    assert_eq!(found(again.directory()), None, "gone from the disk too");
    let other = again.directory().create_service_principal(&operator, &application.app_id, NOW).unwrap();
    assert_ne!(other.id, made.id, "what the old one was granted is over");
    let stranger = world.caller_with(&[]);
    assert_eq!(directory.delete_service_principal(&stranger, &other.id, NOW).err(), Some(DirectoryError::Denied));
    assert_eq!(directory.enable_service_principal(&stranger, &other.id, true, NOW).err(), Some(DirectoryError::Denied));
}

#[test]
fn a_certificate_gives_thumbprints_and_validity() {
    let world = World::new();
    let client = Client::new(&world, later(-100), later(1000));
    let (directory, operator) = (world.installation.directory(), world.operator());
    let application = directory.application(&operator, &client.application).unwrap();
    let key = &application.keys[0];
    let folder = Folder::new();
    let file = folder.path().join("c.der");
    std::fs::write(&file, &client.certificate_der).unwrap();
    let fingerprint = |algorithm| {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(["x509", "-inform", "der", "-noout", "-fingerprint", algorithm, "-in"]).arg(&file);
        let text = String::from_utf8(output.output().expect("openssl is installed").stdout).unwrap();
        text.trim().rsplit_once('=').unwrap().1.replace(':', "")
    };
    assert_eq!(credstore_protocol::encoding::hex_upper(&key.thumbprint_sha1), fingerprint("-sha1"));
    assert_eq!(credstore_protocol::encoding::hex_upper(&key.thumbprint_sha256), fingerprint("-sha256"));
    assert_eq!((key.start, key.end), (later(-100), later(1000)));
}

#[test]
fn only_rsa_certificates_of_2048_bits_and_more_are_registered() {
    let world = World::new();
    let (directory, operator) = (world.installation.directory(), world.operator());
    let folder = Folder::new();
    let made = |arguments: &[&str]| {
        let (key, certificate) = (folder.path().join("k"), folder.path().join("c"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-nodes", "-days", "365", "-subj", "/CN=x", "-outform", "der", "-newkey"]);
        let output = openssl.args(arguments).arg("-keyout").arg(&key).arg("-out").arg(&certificate).output();
        assert!(output.expect("openssl is installed").status.success());
        std::fs::read(certificate).unwrap()
    };
    let refused = |der: Vec<u8>| match directory.create_application(&operator, "app", vec![new_key(der)], NOW) {
        Err(DirectoryError::BadCertificate { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let good = made(&["rsa:2048"]);
    assert!(directory.create_application(&operator, "app", vec![new_key(good.clone())], NOW).is_ok());
    assert_eq!(refused(made(&["rsa:1024"])), "an RSA key must have from 2048 to 8192 bits");
    assert_eq!(refused(made(&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])), "only RSA keys can be registered");
    assert_eq!(refused(b"-----BEGIN CERTIFICATE-----".to_vec()), "not an X.509 certificate in DER");
    assert_eq!(refused([good.as_slice(), &good].concat()), "more than one certificate");
    assert_eq!(refused(good[..good.len() - 1].to_vec()), "not an X.509 certificate in DER");
    let mut long = good;
    long.resize(CERTIFICATE_MAX + 1, 0);
    assert_eq!(refused(long.clone()), "larger than 16 KiB");
    long.truncate(CERTIFICATE_MAX);
    assert_eq!(refused(long), "more than one certificate");
}

#[test]
fn a_list_of_keys_replaces_the_list_and_keeps_what_it_names() {
    let world = World::new();
    let client = Client::new(&world, NOW, later(1000));
    let (directory, operator) = (world.installation.directory(), world.operator());
    let update = |keys| directory.update_application(&operator, &client.application, None, Some(keys), NOW);
    let keys = || directory.application(&operator, &client.application).unwrap().keys;
    let first = keys().remove(0);
    let add = |name: &str| {
        let key = NewKeyCredential { display_name: Some(name.to_owned()), ..new_key(client.certificate_der.clone()) };
        KeyCredentialChange::Add(key)
    };
    update(vec![KeyCredentialChange::Keep(first.key_id.to_uppercase()), add(&"n".repeat(91))]).unwrap();
    assert_eq!(keys()[0], first);
    assert_eq!(keys()[1].display_name.as_ref().map(String::len), Some(90));
    let unknown = KeyCredentialChange::Keep("00000000-0000-4000-8000-000000000003".to_owned());
    assert!(matches!(update(vec![unknown]), Err(DirectoryError::BadParameter { .. })));
    let twice = vec![KeyCredentialChange::Keep(first.key_id.clone()), KeyCredentialChange::Keep(first.key_id.clone())];
    assert!(matches!(update(twice), Err(DirectoryError::BadParameter { .. })));
    assert!(update((0..KEYS_MAX).map(|_| add("n")).collect()).is_ok());
    assert!(matches!(update((0..=KEYS_MAX).map(|_| add("n")).collect()), Err(DirectoryError::BadParameter { .. })));
    assert_eq!(keys().len(), KEYS_MAX, "a refused list changes nothing");
    update(vec![]).unwrap();
    assert!(keys().is_empty());
}

#[test]
fn a_credential_may_be_narrower_than_its_certificate_and_never_wider() {
    let world = World::new();
    let client = Client::new(&world, later(0), later(1000));
    let (directory, operator) = (world.installation.directory(), world.operator());
    let with = |start: i64, end: i64| {
        let key = new_key(client.certificate_der.clone());
        let key = NewKeyCredential { start: Some(later(start)), end: Some(later(end)), ..key };
        directory.create_application(&operator, "app", vec![key], NOW).map(|app| (app.keys[0].start, app.keys[0].end))
    };
    assert_eq!(with(10, 20), Ok((later(10), later(20))));
    assert_eq!(with(-10, 2000), Ok((later(0), later(1000))));
    assert!(with(20, 10).is_err());
    assert!(matches!(with(0, -5), Err(DirectoryError::BadParameter { .. })));
}

#[test]
fn a_name_has_1_to_256_characters() {
    let world = World::new();
    let (directory, operator) = (world.installation.directory(), world.operator());
    let create = |name: &str| directory.create_application(&operator, name, vec![], NOW).is_ok();
    assert!(create("a") && create(&"é".repeat(256)));
    assert!(!create("") && !create(&"a".repeat(257)) && !create("a\nb"));
}

#[test]
fn registrations_survive_and_are_listed_oldest_first() {
    let world = World::new();
    let (directory, operator) = (world.installation.directory(), world.operator());
    for (name, at) in [("second", 20), ("first", 10), ("third", 30)] {
        directory.create_application(&operator, name, vec![], later(at)).unwrap();
    }
    let storage = std::sync::Arc::clone(&world.storage);
    let again = credstore_vault::Installation::over(storage, &world.root_key, Timestamp(0)).unwrap();
    let names: Vec<_> =
        again.directory().applications(&operator).unwrap().into_iter().map(|a| a.display_name).collect();
    assert_eq!(names, ["credstore-operator", "first", "second", "third"]);
}
