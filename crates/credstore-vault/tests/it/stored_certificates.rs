//! Contract section 8: the certificates of a vault with their keys and secrets, operation by operation.

use credstore_protocol::encoding::{base64_any, base64_standard};
use credstore_protocol::key_vault::certificates::{OperationStatus, PROVIDER_INSIDE};
use credstore_protocol::key_vault::keys::SignatureAlgorithm;
use credstore_protocol::{ObjectName, Timestamp};
use credstore_vault::access::{ObjectKind, Operation};
use credstore_vault::certificates::{
    ADMINISTRATORS_MAX, CONTACTS_MAX, CertificateError, ISSUER_TEXT_MAX, ISSUERS_MAX, IssuerWrite,
};
use credstore_vault::keys::KeyAt;
use credstore_vault::objects::ObjectType;
use credstore_vault::vaults::VaultSpec;
use credstore_vault::{
    CertificateRecord, Certificates, Keys, ObjectRecord, OpenSecret, PendingRefusal, Secrets, Vault, VaultError,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::openssl::Bench;
use crate::world::{DAY, NOW, World, later, name, set, vault_name};

fn body<T: DeserializeOwned>(body: Value) -> T {
    serde_json::from_value(body).unwrap()
}

/// A policy with an EC key, which is made at once.
fn policy(issuer: &str, more: &Value) -> Value {
    let mut policy = json!({"key_props": {"kty": "EC", "crv": "P-256", "exportable": true},
        "x509_props": {"subject": "CN=app"}, "issuer": {"name": issuer},
        "secret_props": {"contentType": "application/x-pem-file"}});
    policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    policy
}

impl World {
    fn try_create_certificate(&self, at: &str, asked: Value, now: Timestamp) -> Result<(), VaultError> {
        self.vault.create_certificate(&self.operator(), &name(at), body(json!({"policy": asked})), now).map(drop)
    }

    fn create_certificate(&self, at: &str, issuer: &str, now: Timestamp) -> CertificateRecord {
        self.try_create_certificate(at, policy(issuer, &json!({})), now).unwrap();
        self.certificate(at)
    }

    fn certificate(&self, at: &str) -> CertificateRecord {
        self.vault.certificate(&self.operator(), &name(at), None).unwrap()
    }

    fn secret_of(&self, at: &str) -> Result<OpenSecret, VaultError> {
        self.vault.secret(&self.operator(), &name(at), None, NOW)
    }

    fn key_of(&self, at: &str) -> Result<ObjectRecord<Keys>, VaultError> {
        self.vault.key(&self.operator(), &name(at), None)
    }

    fn csr(&self, at: &str) -> Vec<u8> {
        let creation = self.vault.certificate_creation(&self.operator(), &name(at), None).unwrap();
        base64_any(&creation.pending.csr).unwrap()
    }

    fn status(&self, at: &str) -> Result<OperationStatus, VaultError> {
        Ok(self.vault.certificate_creation(&self.operator(), &name(at), None)?.pending.status)
    }

    fn merge(&self, at: &str, x5c: &[Vec<u8>]) -> Result<CertificateRecord, VaultError> {
        let x5c: Vec<_> = x5c.iter().map(|der| base64_standard(der)).collect();
        self.vault.merge_certificate(&self.operator(), &name(at), body(json!({"x5c": x5c})), later(60))
    }

    fn set_issuer(&self, at: &str, write: IssuerWrite, issuer: Value) -> Result<(), VaultError> {
        self.vault.set_issuer(&self.operator(), &name(at), (write, body(issuer)), NOW).map(drop)
    }

    /// Names of the live and the deleted objects of a kind.
    fn names<K: ObjectType>(&self) -> (Vec<String>, Vec<String>) {
        let operator = self.operator();
        let live = self.vault.list::<K>(&operator, None, 25).unwrap().0;
        let deleted = self.vault.list_deleted::<K>(&operator, None, 25, NOW).unwrap().0;
        let text = |name: &ObjectName| name.as_str().to_owned();
        (
            live.iter().map(|record| text(&record.name)).collect(),
            deleted.iter().map(|record| text(&record.object.name)).collect(),
        )
    }

    /// The same about certificates, keys and secrets, which must agree.
    fn names_of_all(&self) -> (Vec<String>, Vec<String>) {
        let names = self.names::<Certificates>();
        assert_eq!(self.names::<Keys>(), names, "keys go with certificates");
        assert_eq!(self.names::<Secrets>(), names, "secrets go with certificates");
        names
    }
}

/// Has the request signed by an authority that `openssl` makes; leaf and authority in DER.
fn signed_outside(bench: &Bench, csr: &[u8]) -> Vec<Vec<u8>> {
    bench.write("request.der", csr);
    bench.openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30");
    bench.openssl("req -inform der -in request.der -out request.pem");
    bench.openssl("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -days 20 -outform der -out leaf.der");
    bench.openssl("x509 -in ca.pem -outform der -out ca.der");
    vec![bench.read("leaf.der"), bench.read("ca.der")]
}

#[test]
fn a_certificate_that_signs_itself_comes_with_its_key_and_its_secret() {
    let (world, bench) = (World::new(), Bench::new());
    let made = world.create_certificate("App", "Self", NOW);
    let (key, secret) = (world.key_of("app").unwrap(), world.secret_of("app").unwrap());
    assert_eq!((key.version, secret.record.version), (made.version, made.version), "one version for all three");
    assert_eq!((key.managed, secret.record.managed, made.managed), (true, true, false));
    assert_eq!(secret.record.content.content_type.as_deref(), Some("application/x-pem-file"));
    // Contract section 8: ten minutes before, twelve months after; NOW is 2027-01-15.
    let times = (Some(Timestamp(NOW.0 - 600)), Some(Timestamp(NOW.0 + 365 * DAY)));
    assert_eq!((made.nbf, made.exp), times);
    assert_eq!((key.nbf, key.exp), times);
    assert_eq!((secret.record.nbf, secret.record.exp), times);
    bench.write("leaf.der", &base64_any(made.content.cer.as_deref().unwrap()).unwrap());
    bench.write("secret.pem", secret.value.expose_secret().as_bytes());
    let public = bench.openssl("pkey -in secret.pem -pubout");
    assert_eq!(bench.openssl("x509 -in leaf.der -noout -pubkey"), public, "the secret has the certificate's key");
    assert_eq!(bench.openssl("x509 -in secret.pem -outform pem"), bench.openssl("x509 -in leaf.der -outform pem"));
    // The key signs for the certificate.
    let at = KeyAt { name: &name("app"), version: None };
    assert!(world.vault.sign(&world.operator(), at, SignatureAlgorithm::Es256, &[0; 32], NOW).is_ok());
    assert_eq!(world.status("app"), Ok(OperationStatus::Completed));
    assert_eq!(made.standing.policy.as_ref().unwrap().issuer.as_ref().unwrap().name.as_deref(), Some("Self"));
}

#[test]
fn versions_of_certificate_key_and_secret_go_on_together_and_old_ones_stay() {
    let world = World::new();
    let first = world.create_certificate("app", "Self", NOW);
    let old_secret = world.secret_of("app").unwrap();
    let second = world.create_certificate("app", "Self", later(60));
    assert_ne!(first.version, second.version);
    assert_eq!(world.key_of("app").unwrap().version, second.version);
    let operator = world.operator();
    let again = world.vault.certificate(&operator, &name("app"), Some(&first.version)).unwrap();
    assert_eq!((again.content, again.exp), (first.content.clone(), first.exp));
    let secret = world.vault.secret(&operator, &name("app"), Some(&first.version), NOW).unwrap();
    assert_eq!(secret.value.expose_secret(), old_secret.value.expose_secret());
    assert!(world.vault.key(&operator, &name("app"), Some(&first.version)).is_ok());
    assert_eq!(world.vault.versions::<Certificates>(&operator, &name("app"), None, 25).unwrap().0.len(), 2);
    // A creation without a policy goes by the one there is.
    world.vault.create_certificate(&operator, &name("app"), body(json!({})), later(120)).unwrap();
    let third = world.certificate("app");
    assert_eq!((third.content.form, third.content.cer.is_some()), (first.content.form, true));
    let missing = world.vault.create_certificate(&operator, &name("new"), body(json!({})), NOW).map(drop);
    assert!(matches!(missing, Err(VaultError::BadParameter { .. })));
}

#[test]
fn a_key_is_kept_when_the_policy_says_so_and_the_secret_without_the_key_when_it_may_not_leave() {
    let (world, bench) = (World::new(), Bench::new());
    let reuse = json!({"key_props": {"kty": "EC", "crv": "P-256", "reuse_key": true, "exportable": false}});
    let create = |more: &Value, now| world.try_create_certificate("app", policy("Self", more), now).unwrap();
    create(&reuse, NOW);
    let key = world.key_of("app").unwrap().content.key;
    create(&reuse, later(1));
    assert_eq!(world.key_of("app").unwrap().content.key, key);
    let secret = world.secret_of("app").unwrap();
    assert!(!secret.value.expose_secret().contains("PRIVATE KEY"));
    bench.write("secret.pem", secret.value.expose_secret().as_bytes());
    assert!(bench.openssl("x509 -in secret.pem -noout -subject").contains("CN = app"));
    // Of another shape it cannot be the same key.
    create(&json!({"key_props": {"kty": "EC", "crv": "P-384", "reuse_key": true}}), later(2));
    assert_ne!(world.key_of("app").unwrap().content.key, key);
    create(&json!({"key_props": {"kty": "EC", "crv": "P-384", "reuse_key": false}}), later(3));
    assert_ne!(world.key_of("app").unwrap().content.key.crv, key.crv);
}

#[test]
fn key_and_secret_of_a_certificate_cannot_be_touched_alone() {
    let world = World::new();
    world.create_certificate("app", "Self", NOW);
    let (operator, vault, app) = (world.operator(), &world.vault, name("app"));
    let managed = |result: Result<(), VaultError>, kind, operation: Operation| {
        assert_eq!(result, Err(VaultError::Managed { kind, operation }));
    };
    let of = |kind, operation| Operation::Object(kind, operation);
    use credstore_vault::access::ObjectOperation as O;
    let secrets = ObjectKind::Secrets;
    let keys = ObjectKind::Keys;
    managed(vault.set_secret(&operator, &app, set("x"), NOW).map(drop), secrets, Operation::SetSecret);
    managed(vault.delete::<Secrets>(&operator, &app, NOW).map(drop), secrets, of(secrets, O::Delete));
    managed(vault.delete::<Keys>(&operator, &app, NOW).map(drop), keys, of(keys, O::Delete));
    managed(vault.backup::<Secrets>(&operator, &app).map(drop), secrets, of(secrets, O::Backup));
    managed(vault.backup::<Keys>(&operator, &app).map(drop), keys, of(keys, O::Backup));
    let change = || body::<credstore_protocol::key_vault::SecretProperties>(json!({"contentType": "x"}));
    managed(vault.update::<Secrets>(&operator, &app, None, change(), NOW).map(drop), secrets, of(secrets, O::Update));
    managed(vault.rotate_key(&operator, &app, NOW).map(drop), keys, Operation::RotateKey);
    managed(vault.create_key(&operator, &app, body(json!({"kty": "EC"})), NOW).map(drop), keys, Operation::CreateKey);
    managed(
        vault.set_rotation_policy(&operator, &app, body(json!({"lifetimeActions": []})), NOW).map(drop),
        keys,
        Operation::SetRotationPolicy,
    );
    vault.delete::<Certificates>(&operator, &app, NOW).unwrap();
    managed(vault.recover::<Secrets>(&operator, &app, NOW).map(drop), secrets, of(secrets, O::Recover));
    managed(vault.purge::<Keys>(&operator, &app, NOW), keys, of(keys, O::Purge));
    let deleted = VaultError::DeletedButRecoverable { kind: secrets, name: app.clone() };
    assert_eq!(vault.set_secret(&operator, &app, set("x"), NOW).map(drop), Err(deleted));
}

#[test]
fn a_certificate_takes_its_key_and_secret_along_when_it_is_deleted_recovered_and_purged() {
    let world = World::new();
    world.create_certificate("app", "Self", NOW);
    let before = world.secret_of("app").unwrap();
    world.create_certificate("app", "Self", later(1));
    let (operator, app) = (world.operator(), name("app"));
    let deleted = world.vault.delete::<Certificates>(&operator, &app, NOW).unwrap();
    assert!(deleted.object.standing.policy.is_some(), "the policy is shown with a deleted certificate");
    assert_eq!(world.names_of_all(), (vec![], vec!["app".to_owned()]));
    assert!(matches!(world.secret_of("app"), Err(VaultError::ObjectNotFound { kind: ObjectKind::Secrets, .. })));
    assert!(matches!(world.key_of("app"), Err(VaultError::ObjectNotFound { kind: ObjectKind::Keys, .. })));
    world.vault.recover::<Certificates>(&operator, &app, NOW).unwrap();
    assert_eq!(world.names_of_all(), (vec!["app".to_owned()], vec![]));
    let version = Some(&before.record.version);
    let again = world.vault.secret(&operator, &app, version, NOW).unwrap();
    assert_eq!(again.value.expose_secret(), before.value.expose_secret());

    let empty = rows(&World::new());
    world.vault.delete::<Certificates>(&operator, &app, NOW).unwrap();
    world.vault.purge::<Certificates>(&operator, &app, NOW).unwrap();
    assert_eq!(world.names_of_all(), (vec![], vec![]));
    assert_eq!(rows(&world), empty, "no row is left of the certificate");
    world.set("app", "free again", NOW);
}

/// How many rows there are besides those of an installation with a vault.
fn rows(world: &World) -> usize {
    world.storage.scan(&[], None, usize::MAX).unwrap().len()
}

#[test]
fn what_has_outlived_its_retention_goes_with_its_certificate() {
    let world = World::new();
    world.create_certificate("app", "Self", NOW);
    world.vault.delete::<Certificates>(&world.operator(), &name("app"), NOW).unwrap();
    let vaults = world.installation.vaults();
    assert_eq!(vaults.purge_expired(later(90 * DAY - 1)), Ok(0));
    assert_eq!(vaults.purge_expired(later(90 * DAY)), Ok(1), "one object, of which three have rows");
    assert_eq!(rows(&world), rows(&World::new()));
    // Without the upkeep the name is free all the same.
    world.create_certificate("app", "Self", NOW);
    world.vault.delete::<Certificates>(&world.operator(), &name("app"), NOW).unwrap();
    world.create_certificate("app", "Self", later(90 * DAY));
    assert_eq!(world.names::<Certificates>().0, ["app"]);
}

#[test]
fn a_certificate_takes_no_name_that_belongs_to_something_else() {
    let world = World::new();
    world.set("taken", "a password", NOW);
    let create = |at: &str| world.try_create_certificate(at, policy("Self", &json!({})), NOW);
    let taken = |kind| Err(VaultError::NameTaken { kind, name: name("taken") });
    assert_eq!(create("taken"), taken(ObjectKind::Secrets));
    assert_eq!(world.get("taken", NOW).unwrap(), "a password");
    world.vault.delete::<Secrets>(&world.operator(), &name("taken"), NOW).unwrap();
    let deleted = VaultError::DeletedButRecoverable { kind: ObjectKind::Secrets, name: name("taken") };
    assert_eq!(create("taken"), Err(deleted));
    world.vault.purge::<Secrets>(&world.operator(), &name("taken"), NOW).unwrap();
    world.vault.create_key(&world.operator(), &name("taken"), body(json!({"kty": "EC"})), NOW).unwrap();
    assert_eq!(create("taken"), taken(ObjectKind::Keys));
    assert_eq!(world.names::<Certificates>(), (vec![], vec![]));
}

#[test]
fn state_and_tags_of_a_certificate_are_those_of_its_key_and_secret() {
    let world = World::new();
    let first = world.create_certificate("app", "Self", NOW);
    world.create_certificate("app", "Self", later(1));
    let update = |version, change: Value| {
        let change = body::<credstore_protocol::key_vault::certificates::UpdateCertificate>(change);
        world.vault.update::<Certificates>(&world.operator(), &name("app"), version, change, later(9))
    };
    let off = json!({"attributes": {"enabled": false, "exp": 5}, "tags": {"a": "b"}});
    let updated = update(None, off.clone()).unwrap();
    assert_eq!((updated.enabled, updated.exp), (false, Some(Timestamp(later(1).0 + 365 * DAY))), "times are its own");
    assert_eq!(world.secret_of("app").map(drop), Err(VaultError::SecretDisabled(name("app"))));
    assert!(!world.key_of("app").unwrap().enabled);
    assert_eq!(world.key_of("app").unwrap().tags, updated.tags);
    let old = world.vault.secret(&world.operator(), &name("app"), Some(&first.version), NOW);
    assert!(old.is_ok(), "another version is another matter");
    update(Some(&first.version), off).unwrap();
    let old = world.vault.secret(&world.operator(), &name("app"), Some(&first.version), NOW);
    assert_eq!(old.map(drop), Err(VaultError::SecretDisabled(name("app"))));
    // The policy is the certificate's, not a version's.
    let months = json!({"policy": {"x509_props": {"subject": "CN=other", "validity_months": 3}}});
    assert!(matches!(update(Some(&first.version), months.clone()), Err(VaultError::BadParameter { .. })));
    let policy = update(None, months).unwrap().standing.policy.unwrap();
    assert_eq!(policy.x509_props.unwrap().validity_months, Some(3));
    assert_eq!(policy.attributes.unwrap().created, Some(NOW));
}

#[test]
fn what_somebody_outside_signs_completes_a_creation() {
    let (world, bench) = (World::new(), Bench::new());
    let asked = world.create_certificate("app", "Unknown", NOW);
    assert_eq!((asked.enabled, asked.content.cer.clone(), asked.nbf), (false, None, None));
    assert_eq!(world.status("app"), Ok(OperationStatus::InProgress));
    assert_eq!(world.secret_of("app").map(drop), Err(VaultError::SecretDisabled(name("app"))));
    // While it is under way nothing else makes a version.
    let under_way = Err(VaultError::Pending(PendingRefusal::UnderWay));
    assert_eq!(world.try_create_certificate("app", policy("Self", &json!({})), NOW), under_way);
    let on = body::<credstore_protocol::key_vault::certificates::UpdateCertificate>(
        json!({"attributes": {"enabled": true}}),
    );
    let enabled = world.vault.update::<Certificates>(&world.operator(), &name("app"), None, on, NOW).map(drop);
    assert!(matches!(enabled, Err(VaultError::BadParameter { .. })), "{enabled:?}");
    assert!(matches!(
        world.vault.backup::<Certificates>(&world.operator(), &name("app")),
        Err(VaultError::BadParameter { .. })
    ));

    let chain = signed_outside(&bench, &world.csr("app"));
    let other = Err(VaultError::Certificate(CertificateError::OtherKey));
    assert_eq!(world.merge("app", &chain[1..]).map(drop), other, "the authority's certificate is another key's");
    let merged = world.merge("app", &chain).unwrap();
    assert_eq!((merged.version, merged.enabled), (asked.version, true));
    assert_eq!(base64_any(merged.content.cer.as_deref().unwrap()).unwrap(), chain[0]);
    assert_eq!(world.status("app"), Ok(OperationStatus::Completed));
    bench.write("secret.pem", world.secret_of("app").unwrap().value.expose_secret().as_bytes());
    assert_eq!(bench.openssl("pkey -in secret.pem -pubout"), bench.openssl("x509 -in leaf.der -noout -pubkey"));
    bench.openssl("verify -CAfile ca.pem secret.pem");
    assert_eq!(world.key_of("app").unwrap().exp, merged.exp);
    let refused = Err(VaultError::Pending(PendingRefusal::Merge { issuer: "Unknown".to_owned() }));
    assert_eq!(world.merge("app", &chain).map(drop), refused, "once");
    assert_eq!(world.vault.versions::<Certificates>(&world.operator(), &name("app"), None, 25).unwrap().0.len(), 1);
}

#[test]
fn the_current_version_stays_until_the_next_one_is_merged() {
    let (world, bench) = (World::new(), Bench::new());
    let first = world.create_certificate("app", "Self", NOW);
    world.try_create_certificate("app", policy("Unknown", &json!({})), later(1)).unwrap();
    assert_eq!(world.certificate("app").version, first.version);
    assert!(world.secret_of("app").is_ok());
    let merged = world.merge("app", &signed_outside(&bench, &world.csr("app"))).unwrap();
    assert_ne!(merged.version, first.version);
    assert_eq!(world.secret_of("app").unwrap().record.version, merged.version);
    let versions = |kind: usize| match kind {
        0 => world.vault.versions::<Certificates>(&world.operator(), &name("app"), None, 25).unwrap().0.len(),
        1 => world.vault.versions::<Keys>(&world.operator(), &name("app"), None, 25).unwrap().0.len(),
        _ => world.vault.versions::<Secrets>(&world.operator(), &name("app"), None, 25).unwrap().0.len(),
    };
    assert_eq!([0, 1, 2].map(versions), [2, 2, 2]);
}

#[test]
fn a_creation_is_cancelled_merged_after_all_forgotten_and_made_anew() {
    let (world, bench) = (World::new(), Bench::new());
    let (operator, app) = (world.operator(), name("app"));
    let cancel = |id, cancel| world.vault.cancel_certificate_creation(&operator, &app, (id, cancel));
    let not_found = || VaultError::PendingNotFound(name("app"));
    assert_eq!(cancel(None, true).map(drop), Err(not_found()));
    world.create_certificate("app", "Unknown", NOW);
    let id = world.vault.certificate_creation(&operator, &app, None).unwrap().pending.request_id;
    assert_eq!(id.len(), 32);
    let other = "0".repeat(32);
    assert_eq!(cancel(Some(&other), true).map(drop), Err(not_found()));
    assert_eq!(world.vault.certificate_creation(&operator, &app, Some(&other)).map(drop), Err(not_found()));
    assert!(!cancel(Some(&id), false).unwrap().pending.cancellation_requested);
    assert_eq!(world.status("app"), Ok(OperationStatus::InProgress));
    let answered = cancel(Some(&id), true).unwrap().pending;
    assert_eq!((answered.cancellation_requested, answered.status), (true, OperationStatus::InProgress));
    assert_eq!(world.status("app"), Ok(OperationStatus::Cancelled));
    assert_eq!(cancel(None, true).map(drop), Err(VaultError::Pending(PendingRefusal::Ended)));
    // "If the request fails or cancels, and a certificate can be retrieved by other means, a merge completes it."
    let chain = signed_outside(&bench, &world.csr("app"));
    assert!(world.merge("app", &chain).unwrap().enabled);

    world.create_certificate("other", "Unknown", NOW);
    let other = name("other");
    world.vault.delete_certificate_creation(&operator, &other, None).unwrap();
    assert!(matches!(world.status("other"), Err(VaultError::PendingNotFound(_))));
    assert!(!world.certificate("other").enabled);
    let made = world.create_certificate("other", "Self", NOW);
    assert!(made.enabled);
    assert_eq!(world.vault.versions::<Certificates>(&operator, &other, None, 25).unwrap().0.len(), 1);
    assert_eq!(world.vault.versions::<Secrets>(&operator, &other, None, 25).unwrap().0.len(), 1);
    world.vault.delete_certificate_creation(&operator, &other, None).unwrap();
    assert!(world.secret_of("other").is_ok(), "a completed creation is forgotten, its certificate stays");
}

#[test]
fn no_key_is_left_of_creations_that_came_to_nothing() {
    let world = World::new();
    let operator = world.operator();
    world.create_certificate("app", "Self", NOW);
    let settled = rows(&world);
    for forget in [true, false] {
        world.try_create_certificate("app", policy("Unknown", &json!({})), NOW).unwrap();
        assert_eq!(rows(&world), settled + 1, "one key that waits");
        if !forget {
            world.vault.cancel_certificate_creation(&operator, &name("app"), (None, true)).unwrap();
            world.try_create_certificate("app", policy("Unknown", &json!({})), NOW).unwrap();
            assert_eq!(rows(&world), settled + 1, "the cancelled one's key has gone");
        }
        world.vault.delete_certificate_creation(&operator, &name("app"), None).unwrap();
        assert_eq!(rows(&world), settled);
    }
    world.create_certificate("new", "Unknown", NOW);
    world.vault.delete_certificate_creation(&operator, &name("new"), None).unwrap();
    world.create_certificate("new", "Self", NOW);
    assert_eq!(rows(&world), 2 * settled - rows(&World::new()), "as many as the other certificate has");
    world.vault.delete::<Certificates>(&operator, &name("new"), NOW).unwrap();
    world.vault.purge::<Certificates>(&operator, &name("new"), NOW).unwrap();
    world.create_certificate("new", "Unknown", NOW);
    world.vault.delete::<Certificates>(&operator, &name("new"), NOW).unwrap();
    world.vault.purge::<Certificates>(&operator, &name("new"), NOW).unwrap();
    assert_eq!(rows(&world), settled);
}

#[test]
fn an_import_brings_a_certificate_with_its_key() {
    let (world, bench) = (World::new(), Bench::new());
    bench.openssl("req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=imported -days 30");
    let pem = [bench.read("cert.pem"), bench.read("key.pem")].concat();
    let pem = String::from_utf8(pem).unwrap();
    let import =
        |at: &str, request: Value| world.vault.import_certificate(&world.operator(), &name(at), body(request), NOW);
    let imported = import("app", json!({"value": pem, "tags": {"a": "b"}})).unwrap();
    assert_eq!(imported.content.form.as_str(), "application/x-pem-file");
    assert_eq!(imported.standing.pending, None);
    bench.write("secret.pem", world.secret_of("app").unwrap().value.expose_secret().as_bytes());
    assert_eq!(bench.openssl("pkey -in secret.pem -pubout"), bench.openssl("pkey -in key.pem -pubout"));
    let value = "no certificate at all";
    assert!(matches!(import("bad", json!({"value": value})), Err(VaultError::Certificate(_))));
    assert_eq!(world.names::<Certificates>().0, ["app"], "nothing is left of what could not be read");
    // One more version of the same, and a creation after it.
    import("app", json!({"value": pem})).unwrap();
    world.create_certificate("app", "Self", NOW);
    assert_eq!(world.vault.versions::<Certificates>(&world.operator(), &name("app"), None, 25).unwrap().0.len(), 3);
    world.try_create_certificate("app", policy("Unknown", &json!({})), NOW).unwrap();
    let under_way = Err(VaultError::Pending(PendingRefusal::UnderWay));
    assert_eq!(import("app", json!({"value": pem})).map(drop), under_way);
}

fn other_vault(world: &World) -> Vault {
    let (vaults, operator) = (world.installation.vaults(), world.operator());
    let policies = vaults.record(&operator, &vault_name("acme-kv")).unwrap().access_policies;
    let spec = VaultSpec { access_policies: Some(policies), ..VaultSpec::default() };
    vaults.create_or_update(&operator, &vault_name("other-kv"), spec, NOW).unwrap();
    vaults.open(&vault_name("other-kv")).unwrap()
}

#[test]
fn a_backup_has_every_version_with_key_secret_and_policy() {
    let world = World::new();
    let operator = world.operator();
    let first = world.create_certificate("app", "Self", NOW);
    world.create_certificate("app", "Self", later(1));
    world.try_create_certificate("app", policy("Unknown", &json!({})), later(2)).unwrap();
    let before = world.certificate("app");
    let value = world.secret_of("app").unwrap();
    let backup = world.vault.backup::<Certificates>(&operator, &name("app")).unwrap();
    let conflict = world.vault.restore::<Certificates>(&operator, &backup, NOW).map(drop);
    assert!(matches!(conflict, Err(VaultError::RestoreConflict { kind: ObjectKind::Certificates, .. })));

    let other = other_vault(&world);
    let restored = other.restore::<Certificates>(&operator, &backup, NOW).unwrap();
    assert_eq!((&restored.content, restored.version), (&before.content, before.version));
    assert_eq!(restored.standing.policy, before.standing.policy);
    assert_eq!(restored.standing.pending, None, "what is under way is not in a backup");
    let secret = other.secret(&operator, &name("app"), None, NOW).unwrap();
    assert_eq!(secret.value.expose_secret(), value.value.expose_secret());
    assert!(secret.record.managed);
    let at = KeyAt { name: &name("app"), version: Some(&first.version) };
    assert!(other.sign(&operator, at, SignatureAlgorithm::Es256, &[0; 32], NOW).is_ok());
    other.delete::<Certificates>(&operator, &name("app"), NOW).unwrap();
    let deleted = other.restore::<Certificates>(&operator, &backup, NOW).map(drop);
    assert!(matches!(deleted, Err(VaultError::DeletedButRecoverable { .. })));
    other.purge::<Certificates>(&operator, &name("app"), NOW).unwrap();
    // A backup is of one kind, and a name that something else has is not taken.
    assert_eq!(other.restore::<Secrets>(&operator, &backup, NOW).map(drop), Err(VaultError::MalformedBackup));
    other.set_secret(&operator, &name("app"), set("x"), NOW).unwrap();
    let taken = other.restore::<Certificates>(&operator, &backup, NOW).map(drop);
    assert!(matches!(taken, Err(VaultError::RestoreConflict { kind: ObjectKind::Secrets, .. })));
    let cut = world.vault.restore::<Certificates>(&operator, &backup[..backup.len() / 2], NOW).map(drop);
    assert_eq!(cut, Err(VaultError::MalformedBackup));
}

#[test]
fn an_issuer_inside_signs_what_names_it_and_its_certificate_comes_along() {
    let (world, bench) = (World::new(), Bench::new());
    let create = |now| world.try_create_certificate("app", policy("corp-ca", &json!({})), now);
    let told = |result: Result<(), VaultError>| match result {
        Err(VaultError::BadParameter { message }) => message,
        other => panic!("{other:?}"),
    };
    assert!(told(create(NOW)).contains("'corp-ca' was not found"));
    world.set_issuer("corp-ca", IssuerWrite::Set, json!({"provider": "DigiCert"})).unwrap();
    assert!(told(create(NOW)).contains("of provider 'DigiCert'"));
    world.set_issuer("corp-ca", IssuerWrite::Update, json!({"provider": PROVIDER_INSIDE})).unwrap();
    create(NOW).unwrap();
    let write = |file: &str| bench.write(file, world.secret_of("app").unwrap().value.expose_secret().as_bytes());
    let split = |file: &str| {
        let pem = String::from_utf8(bench.read(file)).unwrap();
        let at = pem.rfind("-----BEGIN CERTIFICATE").unwrap();
        bench.write("ca.pem", &pem.as_bytes()[at..]);
    };
    write("first.pem");
    split("first.pem");
    assert!(bench.openssl("x509 -in ca.pem -noout -subject").contains("CN = corp-ca of acme-kv"));
    // The test's clock stands in 2027.
    bench.openssl("verify -no_check_time -CAfile ca.pem first.pem");
    // The same authority signs on, whatever is changed about the issuer, until the issuer is deleted.
    world
        .set_issuer("corp-ca", IssuerWrite::Set, json!({"provider": PROVIDER_INSIDE, "org_details": {"id": "7"}}))
        .unwrap();
    create(later(1)).unwrap();
    write("second.pem");
    bench.openssl("verify -no_check_time -CAfile ca.pem second.pem");
    world.set_issuer("corp-ca", IssuerWrite::Update, json!({"attributes": {"enabled": false}})).unwrap();
    assert!(told(create(later(2))).contains("'corp-ca' is disabled"));
    world.vault.delete_issuer(&world.operator(), &name("corp-ca")).unwrap();
    assert_eq!(world.vault.issuer(&world.operator(), &name("corp-ca")), Err(VaultError::IssuerNotFound));
    assert!(world.secret_of("app").is_ok(), "what it has signed stays");
    world.set_issuer("corp-ca", IssuerWrite::Set, json!({"provider": PROVIDER_INSIDE})).unwrap();
    create(later(3)).unwrap();
    write("third.pem");
    assert!(!bench.run("verify -no_check_time -CAfile ca.pem third.pem").status.success(), "another authority");
}

#[test]
fn a_policy_renews_a_certificate_when_its_time_has_come_and_not_before() {
    let world = World::new();
    let (operator, vaults) = (world.operator(), world.installation.vaults());
    world.set_issuer("corp-ca", IssuerWrite::Set, json!({"provider": PROVIDER_INSIDE})).unwrap();
    let actions = |trigger: Value, action: &str| {
        json!({"x509_props": {"subject": "CN=app", "validity_months": 1},
        "lifetime_actions": [{"trigger": trigger, "action": {"action_type": action}}]})
    };
    let create = |at: &str, issuer: &str, more: &Value| {
        world.try_create_certificate(at, policy(issuer, more), NOW).unwrap();
    };
    create("part", "Self", &actions(json!({"lifetime_percentage": 50}), "AutoRenew"));
    create("days", "corp-ca", &actions(json!({"days_before_expiry": 10}), "AutoRenew"));
    create("mail", "Self", &actions(json!({"lifetime_percentage": 50}), "EmailContacts"));
    create("off", "Self", &actions(json!({"lifetime_percentage": 50}), "AutoRenew"));
    let off = body::<credstore_protocol::key_vault::certificates::UpdateCertificate>(
        json!({"attributes": {"enabled": false}}),
    );
    world.vault.update::<Certificates>(&operator, &name("off"), None, off, NOW).unwrap();
    let versions = || ["part", "days", "mail", "off"].map(|at| world.certificate(at).version);
    let start = versions();
    // A month from 15 January is 31 days, and it begins ten minutes earlier: half of it.
    let half = (31 * DAY + 600) / 2 - 600;
    assert_eq!(vaults.renew_due_certificates(later(half - 1)), Ok(0));
    assert_eq!(vaults.renew_due_certificates(later(half)), Ok(1));
    assert_eq!(vaults.renew_due_certificates(later(half)), Ok(0), "once");
    let renewed = world.certificate("part");
    assert_ne!(renewed.version, start[0]);
    assert_eq!(renewed.nbf, Some(later(half - 600)));
    assert_eq!(world.secret_of("part").unwrap().record.version, renewed.version);
    assert_eq!(vaults.renew_due_certificates(later(21 * DAY - 1)), Ok(0));
    assert_eq!(vaults.renew_due_certificates(later(21 * DAY)), Ok(1));
    assert_ne!(versions()[1], start[1], "31 days less ten");
    assert_eq!(versions()[2..], start[2..]);
    // An issuer that has gone hinders nobody else.
    world.vault.delete_issuer(&operator, &name("corp-ca")).unwrap();
    assert_eq!(vaults.renew_due_certificates(later(60 * DAY)), Ok(1));
}

#[test]
fn contacts_are_kept_replaced_and_taken_away() {
    let world = World::new();
    let (operator, vault) = (world.operator(), &world.vault);
    assert_eq!(vault.contacts(&operator), Err(VaultError::ContactsNotFound));
    let set = |contacts: Value| vault.set_contacts(&operator, body(json!({"contacts": contacts})));
    let one = |at: usize| json!({"email": format!("{at}@corp.example"), "name": "N", "phone": "1"});
    assert_eq!(set(json!([one(1), one(2)])).unwrap().len(), 2);
    assert_eq!(set(json!([one(3)])).unwrap(), vault.contacts(&operator).unwrap());
    let many = |count| Value::Array((0..count).map(one).collect());
    assert!(set(many(CONTACTS_MAX)).is_ok());
    let long = |length| json!([{"email": "e".repeat(length)}]);
    assert!(set(long(ISSUER_TEXT_MAX)).is_ok());
    for refused in [json!([]), many(CONTACTS_MAX + 1), json!([{"name": "without"}]), long(ISSUER_TEXT_MAX + 1)] {
        assert!(matches!(set(refused), Err(VaultError::BadParameter { .. })));
    }
    assert_eq!(vault.delete_contacts(&operator).unwrap().len(), 1);
    assert_eq!(vault.delete_contacts(&operator), Err(VaultError::ContactsNotFound));
}

#[test]
fn issuers_are_kept_without_the_password_and_have_limits() {
    let world = World::new();
    let operator = world.operator();
    let administrators = |count: usize| {
        let one = json!({"first_name": "J", "last_name": "D", "email": "j@d", "phone": "1"});
        json!({"provider": "Test", "org_details": {"admin_details": vec![one; count]}})
    };
    let with = json!({"provider": "Test", "credentials": {"account_id": "user", "pwd": "planted-password"},
        "org_details": {"id": "9", "zip": 98052}});
    world.set_issuer("one", IssuerWrite::Set, with).unwrap();
    let issuer = world.vault.issuer(&operator, &name("ONE")).unwrap();
    assert_eq!((issuer.name.as_str(), issuer.account_id.as_deref(), issuer.enabled), ("one", Some("user"), true));
    world.set_issuer("one", IssuerWrite::Update, json!({"attributes": {"enabled": false}})).unwrap();
    let updated = world.vault.issuer(&operator, &name("one")).unwrap();
    assert_eq!((updated.organization, updated.enabled), (issuer.organization, false));
    assert_eq!((updated.created, updated.updated), (NOW, later(1)));
    assert!(world.set_issuer("two", IssuerWrite::Set, administrators(ADMINISTRATORS_MAX)).is_ok());
    for refused in [
        json!({}),
        json!({"provider": ""}),
        json!({"provider": "p".repeat(ISSUER_TEXT_MAX + 1)}),
        administrators(ADMINISTRATORS_MAX + 1),
    ] {
        let set = world.set_issuer("refused", IssuerWrite::Set, refused);
        assert!(matches!(set, Err(VaultError::BadParameter { .. })), "{set:?}");
    }
    let unknown = world.set_issuer("unknown", IssuerWrite::Update, json!({"provider": "Test"}));
    assert_eq!(unknown, Err(VaultError::IssuerNotFound));
    for at in 2..ISSUERS_MAX {
        world.set_issuer(&format!("n{at}"), IssuerWrite::Set, json!({"provider": "Test"})).unwrap();
    }
    let full = world.set_issuer("full", IssuerWrite::Set, json!({"provider": "Test"}));
    assert!(matches!(full, Err(VaultError::BadParameter { .. })));
    let (page, next) = world.vault.issuers(&operator, None, 25).unwrap();
    assert_eq!(page.len(), 25);
    assert_eq!(world.vault.issuers(&operator, next.as_ref(), 1000).unwrap().0.len(), ISSUERS_MAX - 25);
}

#[test]
fn a_purged_vault_leaves_no_certificate_issuer_or_contact() {
    let world = World::new();
    let (operator, vaults) = (world.operator(), world.installation.vaults());
    world.set_issuer("corp-ca", IssuerWrite::Set, json!({"provider": PROVIDER_INSIDE})).unwrap();
    world.create_certificate("app", "corp-ca", NOW);
    world.vault.set_contacts(&operator, body(json!({"contacts": [{"email": "a@b"}]}))).unwrap();
    vaults.delete(&operator, &vault_name("acme-kv"), NOW).unwrap();
    vaults.purge(&operator, &vault_name("acme-kv"), NOW).unwrap();
    let without = World::new();
    let operator = without.operator();
    without.installation.vaults().delete(&operator, &vault_name("acme-kv"), NOW).unwrap();
    without.installation.vaults().purge(&operator, &vault_name("acme-kv"), NOW).unwrap();
    assert_eq!(rows(&world), rows(&without));
}

#[test]
fn certificate_key_and_secret_agree_after_many_hands_have_been_at_them_at_once() {
    let world = World::new();
    let operator = world.operator();
    let app = name("app");
    let expected = |error: &VaultError| {
        matches!(
            error,
            VaultError::ObjectNotFound { .. }
                | VaultError::DeletedObjectNotFound { .. }
                | VaultError::DeletedButRecoverable { .. }
                | VaultError::Busy
        )
    };
    std::thread::scope(|scope| {
        for hand in 0..4 {
            let (world, operator, app) = (&world, &operator, &app);
            scope.spawn(move || {
                for round in 0..12 {
                    let done = match (hand + round) % 4 {
                        0 | 1 => world.try_create_certificate("app", policy("Self", &json!({})), NOW),
                        2 => world.vault.delete::<Certificates>(operator, app, NOW).map(drop),
                        _ => world.vault.recover::<Certificates>(operator, app, NOW).map(drop),
                    };
                    assert!(done.as_ref().err().is_none_or(expected), "{done:?}");
                    let off = body::<credstore_protocol::key_vault::certificates::UpdateCertificate>(
                        json!({"attributes": {"enabled": round % 2 == 0}}),
                    );
                    let done = world.vault.update::<Certificates>(operator, app, None, off, NOW).map(drop);
                    assert!(done.as_ref().err().is_none_or(expected), "{done:?}");
                }
            });
        }
    });
    if world.names_of_all().0.is_empty() {
        world.vault.recover::<Certificates>(&operator, &app, NOW).unwrap();
    }
    let certificates = world.vault.versions::<Certificates>(&operator, &app, None, 1000).unwrap().0;
    assert!(!certificates.is_empty());
    for record in certificates {
        let key = world.vault.key(&operator, &app, Some(&record.version)).unwrap();
        assert_eq!((key.enabled, key.exp), (record.enabled, record.exp));
        let secret = world.vault.secret(&operator, &app, Some(&record.version), NOW);
        assert_eq!(secret.is_ok(), record.enabled, "{secret:?}");
    }
}
