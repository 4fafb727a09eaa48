//! Contract section 9: the keys of a vault, operation by operation.

use std::collections::HashSet;

use credstore_protocol::key_vault::keys::{
    CreateKey, Curve, EncryptionAlgorithm, ImportKey, KeyAttributes, KeyOperation, KeyType, LifetimeAction,
    RotationPolicy, SignatureAlgorithm, UpdateKey,
};
use credstore_protocol::{ObjectVersion, Timestamp};
use credstore_vault::access::ObjectKind;
use credstore_vault::keys::{KeyAt, KeyError, KeyMaterial, KeyShape};
use credstore_vault::vaults::VaultSpec;
use credstore_vault::{Installation, KeyRecord, KeyRefusal, Keys, Retention, Secrets, VaultError};
use serde_json::{Value, json};

use crate::world::{DAY, NOW, World, later, name, vault_name};

pub(crate) fn ec() -> CreateKey {
    serde_json::from_value(json!({"kty": "EC"})).unwrap()
}

fn asked(body: Value) -> CreateKey {
    serde_json::from_value(body).unwrap()
}

fn update(body: Value) -> UpdateKey {
    serde_json::from_value(body).unwrap()
}

fn policy(body: Value) -> RotationPolicy {
    serde_json::from_value(body).unwrap()
}

fn at(name: &credstore_protocol::ObjectName) -> KeyAt<'_> {
    KeyAt { name, version: None }
}

impl World {
    fn create(&self, called: &str, create: CreateKey, now: Timestamp) -> KeyRecord {
        self.vault.create_key(&self.operator(), &name(called), create, now).unwrap()
    }

    fn key(&self, called: &str) -> KeyRecord {
        self.vault.key(&self.operator(), &name(called), None).unwrap()
    }

    /// Signs a digest of zeros with the current version, and says which version it was.
    fn sign(&self, called: &str, now: Timestamp) -> Result<(ObjectVersion, Vec<u8>), VaultError> {
        let signed = self.vault.sign(&self.operator(), at(&name(called)), SignatureAlgorithm::Es256, &[0; 32], now)?;
        Ok((signed.version, signed.result))
    }
}

#[test]
fn a_new_key_has_the_defaults_of_the_contract() {
    let world = World::new();
    let made = world.create("Sign-Key", ec(), NOW);
    assert_eq!((made.content.key.kty, made.content.key.crv), (KeyType::Ec, Some(Curve::P256)));
    assert_eq!(made.content.key_ops, [KeyOperation::Sign, KeyOperation::Verify]);
    assert!(made.enabled);
    assert_eq!((made.created, made.updated, made.nbf, made.exp), (NOW, NOW, None, None));
    assert_eq!(made.retention, Retention { level: "Recoverable+Purgeable", days: 90 });
    let rsa = world.create("rsa", asked(json!({"kty": "RSA"})), NOW);
    // 2,048 bits are 256 bytes, 342 characters of base64url.
    assert_eq!(rsa.content.key.n.as_deref().map(str::len), Some(342));
    assert_eq!(rsa.content.key.e.as_deref(), Some("AQAB"));
    let six = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"];
    assert_eq!(rsa.content.key_ops.iter().map(|it| it.as_str()).collect::<Vec<_>>(), six);
    assert_eq!(world.key("sign-KEY"), made, "names are one name in every case");
}

#[test]
fn every_kind_and_size_of_a_standard_vault_is_made_and_every_other_is_refused() {
    let world = World::new();
    for curve in Curve::ALL {
        let made = world.create("ec", asked(json!({"kty": "EC", "crv": curve})), NOW);
        assert_eq!(made.content.key.crv, Some(*curve));
    }
    let create = |body: Value| {
        world.vault.create_key(&world.operator(), &name("refused"), asked(body), NOW).map(|_| ()).unwrap_err()
    };
    let key = |error| VaultError::Key { name: name("refused"), version: None, error };
    for kty in [KeyType::RsaHsm, KeyType::EcHsm, KeyType::Oct, KeyType::OctHsm] {
        assert_eq!(create(json!({"kty": kty})), key(KeyError::Kind(kty)));
    }
    for bits in [0, 1024, 2047, 8192, u32::MAX] {
        assert_eq!(create(json!({"kty": "RSA", "key_size": bits})), key(KeyError::Size { bits: bits as usize }));
    }
    for body in [
        json!({"kty": "EC", "key_ops": ["encrypt"]}),
        json!({"kty": "RSA", "key_ops": ["import"]}),
        json!({"kty": "EC", "key_ops": ["export"]}),
        json!({"kty": "EC", "attributes": {"exportable": true}}),
        json!({"kty": "EC", "release_policy": {"data": "e30"}}),
        json!({"kty": "RSA", "public_exponent": 3}),
        json!({"kty": "EC", "attributes": {"exp": -1}}),
        json!({"kty": "EC", "tags": {"long": "v".repeat(513)}}),
    ] {
        assert!(matches!(create(body.clone()), VaultError::BadParameter { .. }), "{body}");
    }
    assert!(world.vault.list::<Keys>(&world.operator(), None, 25).unwrap().0.len() == 1, "nothing was left behind");
}

#[test]
fn versions_of_a_key_are_other_keys_and_each_goes_on_working() {
    let world = World::new();
    let operator = world.operator();
    let first = world.create("k", ec(), NOW);
    let second = world.create("k", ec(), later(1));
    assert_ne!(first.content.key, second.content.key);
    let k = name("k");
    let (version, signature) = world.sign("k", NOW).unwrap();
    assert_eq!(version, second.version, "the current version signs when none is named");
    let verify = |version| {
        let at = KeyAt { name: &k, version };
        world.vault.verify(&operator, at, SignatureAlgorithm::Es256, (&[0; 32], &signature), NOW).unwrap()
    };
    let by_current = verify(None);
    assert_eq!((by_current.version, by_current.result), (second.version, true));
    let by_first = verify(Some(&first.version));
    assert_eq!((by_first.version, by_first.result), (first.version, false));
    assert_eq!(world.vault.key(&operator, &k, Some(&first.version)).unwrap(), first);
    let versions: HashSet<_> =
        world.vault.versions::<Keys>(&operator, &k, None, 25).unwrap().0.iter().map(|it| it.version).collect();
    assert_eq!(versions, HashSet::from([first.version, second.version]));
}

#[test]
fn what_is_encrypted_or_wrapped_comes_back() {
    let world = World::new();
    let operator = world.operator();
    world.create("rsa", asked(json!({"kty": "RSA"})), NOW);
    let (key, oaep) = (name("rsa"), EncryptionAlgorithm::RsaOaep256);
    let sealed = world.vault.encrypt(&operator, at(&key), oaep, b"a text", NOW).unwrap();
    let opened = world.vault.decrypt(&operator, at(&key), oaep, &sealed.result, NOW).unwrap();
    assert_eq!((opened.version, opened.result.as_slice()), (sealed.version, b"a text".as_slice()));
    let wrapped = world.vault.wrap_key(&operator, at(&key), oaep, &[7; 32], NOW).unwrap();
    let unwrapped = world.vault.unwrap_key(&operator, at(&key), oaep, &wrapped.result, NOW).unwrap();
    assert_eq!(unwrapped.result.as_slice(), [7; 32]);
    let foreign = world.vault.decrypt(&operator, at(&key), oaep, &[1; 256], NOW).map(|_| ()).unwrap_err();
    let error = KeyError::Undecryptable { algorithm: "RSA-OAEP-256" };
    assert_eq!(foreign, VaultError::Key { name: key, version: Some(sealed.version), error });
}

#[test]
fn an_imported_key_is_the_clients() {
    let world = World::new();
    let operator = world.operator();
    // RFC 7517 appendix A.2, the EC key.
    let key = json!({"kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE", "key_ops": ["sign"]});
    let import = |body: Value| {
        let import: ImportKey = serde_json::from_value(body).unwrap();
        world.vault.import_key(&operator, &name("mine"), import, NOW)
    };
    let made = import(json!({"key": key, "tags": {"a": "b"}})).unwrap();
    assert_eq!(made.content.key.x.as_deref(), Some("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"));
    assert_eq!(made.content.key_ops, [KeyOperation::Sign]);
    let (_, signature) = world.sign("mine", NOW).unwrap();
    let outside = KeyMaterial::import(&serde_json::from_value(key.clone()).unwrap()).unwrap();
    assert!(outside.verify(SignatureAlgorithm::Es256, &[0; 32], &signature).unwrap());
    let mut hollow = key.clone();
    hollow["d"] = Value::Null;
    let error = import(json!({"key": hollow})).map(|_| ()).unwrap_err();
    let missing = KeyError::Member { member: "d" };
    assert_eq!(error, VaultError::Key { name: name("mine"), version: None, error: missing });
    let hsm = import(json!({"Hsm": true, "key": key})).map(|_| ()).unwrap_err();
    assert_eq!(hsm, VaultError::Key { name: name("mine"), version: None, error: KeyError::Kind(KeyType::RsaHsm) });
}

#[test]
fn a_key_does_what_its_state_dates_and_operations_allow() {
    let world = World::new();
    let operator = world.operator();
    world.create("k", ec(), NOW);
    let k = name("k");
    let change = |body: Value| world.vault.update::<Keys>(&operator, &k, None, update(body), NOW).unwrap();
    let refused = |refusal| Err(VaultError::KeyRefused { operation: KeyOperation::Sign, refusal });
    change(json!({"attributes": {"enabled": false}}));
    assert_eq!(world.sign("k", NOW), refused(KeyRefusal::Disabled));
    assert!(!world.key("k").enabled, "a disabled key is shown all the same");
    change(json!({"attributes": {"enabled": true, "nbf": NOW.0 + 10, "exp": NOW.0 + 20}}));
    assert_eq!(world.sign("k", later(9)), refused(KeyRefusal::NotYetValid));
    assert!(world.sign("k", later(10)).is_ok());
    assert_eq!(world.sign("k", later(20)), refused(KeyRefusal::Expired));
    let changed = change(json!({"key_ops": ["verify", "verify"], "tags": {"a": "b"}}));
    assert_eq!(changed.content.key_ops, [KeyOperation::Verify]);
    assert_eq!(changed.exp, Some(later(20)), "what is not named stays");
    assert_eq!(world.sign("k", later(10)), refused(KeyRefusal::Operation));
    for never in ["encrypt", "wrapKey", "import", "export"] {
        let change = update(json!({"key_ops": ["verify", never]}));
        let change = world.vault.update::<Keys>(&operator, &k, None, change, NOW);
        assert!(matches!(change, Err(VaultError::BadParameter { .. })), "an EC key does not {never}");
    }
    assert_eq!(world.key("k").content.key_ops, [KeyOperation::Verify]);
}

#[test]
fn a_deleted_key_does_nothing_until_it_is_recovered_and_a_purged_one_never_again() {
    let world = World::new();
    let operator = world.operator();
    let made = world.create("k", ec(), NOW);
    world.create("k", ec(), NOW);
    let (k, vault) = (name("k"), &world.vault);
    let gone = vault.delete::<Keys>(&operator, &k, later(5)).unwrap();
    assert_eq!((gone.deleted, gone.scheduled_purge), (later(5), later(5 + 90 * DAY)));
    let missing = VaultError::ObjectNotFound { kind: ObjectKind::Keys, name: k.clone(), version: None };
    assert_eq!(world.sign("k", NOW), Err(missing.clone()));
    let taken = VaultError::DeletedButRecoverable { kind: ObjectKind::Keys, name: k.clone() };
    assert_eq!(vault.create_key(&operator, &k, ec(), NOW).map(|_| ()), Err(taken));
    vault.set_secret(&operator, &k, crate::world::set("x"), NOW).expect("a secret may be called like a deleted key");
    assert_eq!(vault.list_deleted::<Keys>(&operator, None, 25, NOW).unwrap().0.len(), 1);
    assert!(vault.list_deleted::<Secrets>(&operator, None, 25, NOW).unwrap().0.is_empty());
    vault.recover::<Keys>(&operator, &k, NOW).unwrap();
    assert!(world.sign("k", NOW).is_ok());
    assert_eq!(vault.key(&operator, &k, Some(&made.version)).unwrap().content, made.content);
    vault.delete::<Keys>(&operator, &k, NOW).unwrap();
    vault.purge::<Keys>(&operator, &k, NOW).unwrap();
    assert_eq!(vault.recover::<Keys>(&operator, &k, NOW).map(|_| ()).err(), {
        Some(VaultError::DeletedObjectNotFound { kind: ObjectKind::Keys, name: k.clone() })
    });
    assert_eq!(world.get("k", NOW), Ok("x".to_owned()), "the secret of that name is another thing");
    world.create("k", ec(), NOW);
    vault.delete::<Keys>(&operator, &k, NOW).unwrap();
    assert_eq!(world.installation.vaults().purge_expired(later(90 * DAY)), Ok(1), "retention purges keys too");
}

#[test]
fn a_backup_brings_every_version_back_into_another_vault_and_is_no_backup_of_a_secret() {
    let world = World::new();
    let operator = world.operator();
    let k = name("k");
    world.create("k", ec(), NOW);
    let (first, signature) = world.sign("k", NOW).unwrap();
    let second = world.create("k", ec(), later(1));
    let backup = world.vault.backup::<Keys>(&operator, &k).unwrap();
    assert!(matches!(
        world.vault.restore::<Keys>(&operator, &backup, NOW),
        Err(VaultError::RestoreConflict { kind: ObjectKind::Keys, .. })
    ));
    assert!(matches!(world.vault.restore::<Secrets>(&operator, &backup, NOW), Err(VaultError::MalformedBackup)));
    let vaults = world.installation.vaults();
    let access_policies = Some(vaults.record(&operator, &vault_name("acme-kv")).unwrap().access_policies);
    vaults
        .create_or_update(
            &operator,
            &vault_name("other-kv"),
            VaultSpec { access_policies, ..VaultSpec::default() },
            NOW,
        )
        .unwrap();
    let other = vaults.open(&vault_name("other-kv")).unwrap();
    assert_eq!(other.restore::<Keys>(&operator, &backup, NOW).unwrap().version, second.version);
    let at = KeyAt { name: &k, version: Some(&first) };
    let verified = other.verify(&operator, at, SignatureAlgorithm::Es256, (&[0; 32], &signature), NOW).unwrap();
    assert!(verified.result);
}

#[test]
fn a_key_survives_a_restart_and_its_private_half_is_in_no_row() {
    let world = World::new();
    // The private number of RFC 7517 appendix A.2.
    let d = credstore_protocol::encoding::base64_any("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE").unwrap();
    let import: ImportKey = serde_json::from_value(json!({"key": {"kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}}))
    .unwrap();
    world.vault.import_key(&world.operator(), &name("planted"), import, NOW).unwrap();
    for (key, row) in world.storage.scan(&[], None, usize::MAX).unwrap() {
        for bytes in [key.as_slice(), &*row.value] {
            assert!(!bytes.windows(d.len()).any(|window| window == d.as_slice()));
            assert!(!bytes.windows(7).any(|window| window == b"planted"), "not even the name");
        }
    }
    let (version, signature) = world.sign("planted", NOW).unwrap();
    let again = Installation::over(std::sync::Arc::clone(&world.storage), &world.root_key, NOW).unwrap();
    let vault = again.vaults().open(&vault_name("acme-kv")).unwrap();
    let planted = name("planted");
    let at = KeyAt { name: &planted, version: Some(&version) };
    let verified = vault.verify(&world.operator(), at, SignatureAlgorithm::Es256, (&[0; 32], &signature), NOW).unwrap();
    assert!(verified.result);
}

#[test]
fn purging_a_vault_leaves_no_row_of_its_keys() {
    let world = World::new();
    let (operator, vaults) = (world.operator(), world.installation.vaults());
    let before = world.storage.scan(&[], None, usize::MAX).unwrap().len();
    vaults.create_or_update(&operator, &vault_name("short-kv"), VaultSpec::default(), NOW).unwrap();
    let spec = VaultSpec {
        access_policies: Some(vaults.record(&operator, &vault_name("acme-kv")).unwrap().access_policies),
        ..VaultSpec::default()
    };
    vaults.create_or_update(&operator, &vault_name("short-kv"), spec, NOW).unwrap();
    let vault = vaults.open(&vault_name("short-kv")).unwrap();
    vault.create_key(&operator, &name("k"), ec(), NOW).unwrap();
    vault.create_key(&operator, &name("k"), ec(), NOW).unwrap();
    vault.create_key(&operator, &name("gone"), ec(), NOW).unwrap();
    vault.delete::<Keys>(&operator, &name("gone"), NOW).unwrap();
    vaults.delete(&operator, &vault_name("short-kv"), NOW).unwrap();
    vaults.purge(&operator, &vault_name("short-kv"), NOW).unwrap();
    assert_eq!(world.storage.scan(&[], None, usize::MAX).unwrap().len(), before);
}

#[test]
fn rotating_makes_another_key_of_the_same_kind() {
    let world = World::new();
    let operator = world.operator();
    let mut create = asked(json!({"kty": "EC", "crv": "P-384", "key_ops": ["sign"], "tags": {"a": "b"}}));
    create.attributes = Some(KeyAttributes { exp: Some(later(50)), ..KeyAttributes::default() });
    let first = world.create("k", create, NOW);
    let rotated = world.vault.rotate_key(&operator, &name("k"), later(9)).unwrap();
    assert_ne!((rotated.version, &rotated.content.key.x), (first.version, &first.content.key.x));
    assert_eq!((rotated.content.key.crv, rotated.content.key_ops), (Some(Curve::P384), first.content.key_ops));
    assert_eq!((rotated.tags, rotated.created, rotated.exp), (first.tags, later(9), None));
    let missing = world.vault.rotate_key(&operator, &name("other"), NOW).map(|_| ());
    let expected = VaultError::ObjectNotFound { kind: ObjectKind::Keys, name: name("other"), version: None };
    assert_eq!(missing, Err(expected));
}

#[test]
fn a_rotation_policy_is_completed_kept_and_given_back() {
    let world = World::new();
    let operator = world.operator();
    world.create("k", ec(), NOW);
    let k = name("k");
    // Contract section 9: what a key without a policy answers, and what is appended to one without Notify.
    let notify: LifetimeAction =
        serde_json::from_value(json!({"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}})).unwrap();
    let default = world.vault.rotation_policy(&operator, &k).unwrap();
    assert_eq!(default.lifetime_actions, std::slice::from_ref(&notify));
    assert_eq!(default.attributes, policy(json!({})).attributes);
    let wanted = policy(json!({
        "id": "what a client got before",
        "lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P2Y", "created": 1, "updated": 1}}));
    let set = world.vault.set_rotation_policy(&operator, &k, wanted.clone(), NOW).unwrap();
    assert_eq!(set.lifetime_actions, [wanted.lifetime_actions[0].clone(), notify]);
    assert_eq!((set.attributes.created, set.attributes.updated), (Some(NOW), Some(NOW)));
    assert_eq!(world.vault.rotation_policy(&operator, &k).unwrap(), set);
    let again = world.vault.set_rotation_policy(&operator, &k, wanted, NOW).unwrap();
    assert_eq!((again.attributes.created, again.attributes.updated), (Some(NOW), Some(later(1))));
    let second = world.create("k", ec(), NOW);
    // Two years after 2027-01-15, 2028 being a leap year.
    assert_eq!(second.exp, Some(later((365 + 366) * DAY)), "the policy dates new versions");
    assert_eq!(world.vault.rotation_policy(&operator, &k).unwrap(), again, "a new version leaves it");
}

#[test]
fn a_policy_that_cannot_be_followed_is_refused() {
    let world = World::new();
    world.create("k", ec(), NOW);
    let rotate = |trigger: Value| json!({"trigger": trigger, "action": {"type": "Rotate"}});
    let notify = |trigger: Value| json!({"trigger": trigger, "action": {"type": "Notify"}});
    let expiring =
        |expiry: &str, action: Value| json!({"lifetimeActions": [action], "attributes": {"expiryTime": expiry}});
    for (body, accepted) in [
        (expiring("P28D", notify(json!({"timeBeforeExpiry": "P7D"}))), true),
        (expiring("P27D", notify(json!({"timeBeforeExpiry": "P7D"}))), false),
        (expiring("P90D", rotate(json!({"timeBeforeExpiry": "P83D"}))), true),
        (expiring("P90D", rotate(json!({"timeBeforeExpiry": "P84D"}))), false),
        (expiring("P90D", rotate(json!({"timeBeforeExpiry": "P6D"}))), false),
        (json!({"lifetimeActions": [rotate(json!({"timeBeforeExpiry": "P30D"}))]}), false),
        (json!({"lifetimeActions": [rotate(json!({"timeAfterCreate": "P7D"}))]}), true),
        (json!({"lifetimeActions": [rotate(json!({"timeAfterCreate": "P6D"}))]}), false),
        (json!({"lifetimeActions": [rotate(json!({"timeAfterCreate": "soon"}))]}), false),
        (json!({"lifetimeActions": [rotate(json!({}))]}), false),
        (json!({"lifetimeActions": [rotate(json!({"timeAfterCreate": "P30D", "timeBeforeExpiry": "P30D"}))]}), false),
        (json!({"lifetimeActions": [notify(json!({"timeAfterCreate": "P30D"}))]}), false),
        (
            json!({"lifetimeActions": [rotate(json!({"timeAfterCreate": "P30D"})), rotate(json!({"timeAfterCreate": "P30D"}))]}),
            false,
        ),
        (json!({"lifetimeActions": []}), true),
    ] {
        let set = world.vault.set_rotation_policy(&world.operator(), &name("k"), policy(body.clone()), NOW);
        assert_eq!(set.is_ok(), accepted, "{body}: {set:?}");
        assert!(set.is_ok() || matches!(set, Err(VaultError::BadParameter { .. })));
    }
}

#[test]
fn a_policy_rotates_when_its_time_has_come_and_not_before() {
    let world = World::new();
    let (operator, vaults) = (world.operator(), world.installation.vaults());
    let set = |called: &str, body: Value| {
        world.create(called, ec(), NOW);
        world.vault.set_rotation_policy(&operator, &name(called), policy(body), NOW).unwrap();
    };
    let after = json!({"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}});
    let before = json!({"trigger": {"timeBeforeExpiry": "P10D"}, "action": {"type": "Rotate"}});
    set("after", json!({"lifetimeActions": [after], "attributes": {"expiryTime": "P60D"}}));
    set("before", json!({"lifetimeActions": [before], "attributes": {"expiryTime": "P50D"}}));
    set("never", json!({"lifetimeActions": []}));
    set("disabled", json!({"lifetimeActions": [after]}));
    let off = update(json!({"attributes": {"enabled": false}}));
    world.vault.update::<Keys>(&operator, &name("disabled"), None, off, NOW).unwrap();
    // The version of `before` was made when there was no policy, so it has no end yet.
    world.create("before", ec(), NOW);
    let versions = || ["after", "before", "never", "disabled"].map(|called| world.key(called).version);
    let start = versions();
    assert_eq!(vaults.rotate_due_keys(later(30 * DAY - 1)), Ok(0));
    assert_eq!(vaults.rotate_due_keys(later(30 * DAY)), Ok(1));
    let after_30 = versions();
    assert_ne!(after_30[0], start[0]);
    assert_eq!(after_30[1..], start[1..]);
    let rotated = world.key("after");
    assert_eq!((rotated.created, rotated.exp), (later(30 * DAY), Some(later(90 * DAY))));
    assert_eq!(vaults.rotate_due_keys(later(30 * DAY)), Ok(0), "once");
    assert_eq!(vaults.rotate_due_keys(later(40 * DAY)), Ok(1));
    assert_ne!(versions()[1], start[1], "fifty days less ten");
    assert_eq!(versions()[2..], start[2..]);
    assert!(world.sign("after", later(40 * DAY)).is_ok());
}

#[test]
fn every_curve_and_size_opens_again_from_its_row() {
    let world = World::new();
    let operator = world.operator();
    for (shape, body) in [
        (KeyShape::Ec(Curve::P521), json!({"kty": "EC", "crv": "P-521"})),
        (KeyShape::Ec(Curve::P256K), json!({"kty": "EC", "crv": "P-256K"})),
        (KeyShape::Rsa(credstore_vault::keys::RsaSize::Bits3072), json!({"kty": "RSA", "key_size": 3072})),
    ] {
        world.create("k", asked(body), NOW);
        assert_eq!(KeyShape::of_public(&world.key("k").content.key), Some(shape));
        let (algorithm, length) = match shape {
            KeyShape::Ec(Curve::P521) => (SignatureAlgorithm::Es512, 64),
            KeyShape::Ec(_) => (SignatureAlgorithm::Es256K, 32),
            KeyShape::Rsa(_) => (SignatureAlgorithm::Ps384, 48),
        };
        let (digest, k) = (vec![3; length], name("k"));
        let signed = world.vault.sign(&operator, at(&k), algorithm, &digest, NOW).unwrap();
        let verified = world.vault.verify(&operator, at(&k), algorithm, (&digest, &signed.result), NOW).unwrap();
        assert!(verified.result);
    }
}
