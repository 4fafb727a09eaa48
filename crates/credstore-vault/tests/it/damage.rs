//! Records that were changed, swapped or cut in the storage are noticed, never served.

use std::sync::Arc;

use credstore_testing::canary::Canary;
use credstore_vault::access::PermissionSet;
use credstore_vault::storage::{Batch, Rows, Storage};
use credstore_vault::vaults::VaultSpec;
use credstore_vault::{Installation, OpenError, Secrets, StoreFailure, VaultError};

use crate::world::{NOW, World, name, set, vault_name};

const VALUE: &str = "planted-value-0123456789";
/// Kinds of rows.
const SECRET: u8 = 9;
const VERSION: u8 = 11;
const LONG_VALUE: u8 = 12;

/// A value that is too long to lie in the first row of its secret.
fn long_value() -> String {
    VALUE.repeat(30)
}

fn rows(storage: &dyn Storage) -> Rows {
    storage.scan(&[], None, usize::MAX).unwrap()
}

fn put(storage: &dyn Storage, key: &[u8], value: Vec<u8>) {
    storage.commit(Batch { puts: vec![(key.to_vec(), value)], ..Batch::default() }).unwrap();
}

fn world() -> World {
    let world = World::new();
    world.set("alpha", &long_value(), NOW);
    world.set("alpha", VALUE, NOW);
    world.set("alpha", &"second".repeat(100), NOW);
    world.set("alpha", "third", NOW);
    world.set("beta", "other", NOW);
    world.vault.delete::<Secrets>(&world.operator(), &name("beta"), NOW).unwrap();
    world
}

/// Opens everything anew and reads every record. `Ok` means that nothing was noticed and all values are right.
fn verify(world: &World) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Debug| format!("{error:?}");
    let installation =
        Installation::over(Arc::clone(&world.storage), &world.root_key, NOW).map_err(|error| text(&error))?;
    let operator = world.operator();
    let vault = installation.vaults().open(&vault_name("acme-kv")).map_err(|error| text(&error))?;
    let secrets = vault.list::<Secrets>(&operator, None, 25).map_err(|error| text(&error))?.0;
    if secrets.len() != 1 {
        return Err("a secret is missing".to_owned());
    }
    let versions = vault.versions::<Secrets>(&operator, &name("alpha"), None, 25).map_err(|error| text(&error))?.0;
    let mut values = Vec::new();
    for version in &versions {
        let secret = vault.secret(&operator, &name("alpha"), Some(&version.version), NOW).map_err(|e| text(&e))?;
        values.push(secret.value.expose_secret().to_owned());
    }
    values.sort();
    vault.recover::<Secrets>(&operator, &name("beta"), NOW).map_err(|error| text(&error))?;
    let beta = vault.secret(&operator, &name("beta"), None, NOW).map_err(|error| text(&error))?;
    vault.delete::<Secrets>(&operator, &name("beta"), NOW).map_err(|error| text(&error))?;
    assert_eq!(beta.value.expose_secret(), "other", "a wrong value was served");
    if values != [VALUE, &long_value(), &"second".repeat(100), "third"] {
        return Err("a version is missing".to_owned());
    }
    Ok(())
}

#[test]
fn the_store_reads_back_whole() {
    assert_eq!(verify(&world()), Ok(()));
}

#[test]
fn a_changed_byte_of_any_record_is_noticed() {
    let world = world();
    for (key, row) in rows(&*world.storage) {
        // Every byte of small records, and a spread of long ones, in two bits.
        let step = (row.value.len() / 48).max(1);
        for at in (0..row.value.len()).step_by(step) {
            for bit in [0x01, 0x80] {
                let mut changed = row.value.to_vec();
                changed[at] ^= bit;
                put(&*world.storage, &key, changed);
                assert!(verify_ends(&world), "kind {} byte {at} bit {bit:#x}", key[0]);
            }
        }
        put(&*world.storage, &key, row.value.to_vec());
    }
    assert_eq!(verify(&world), Ok(()));
}

/// Like [`verify`], for a store that is broken on purpose: cheaper, and true when something was noticed.
fn verify_ends(world: &World) -> bool {
    read_only_check(world).is_err()
}

/// Reads every record, and looks at nothing but errors.
fn read_only_check(world: &World) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Debug| format!("{error:?}");
    let installation =
        Installation::over(Arc::clone(&world.storage), &world.root_key, NOW).map_err(|error| text(&error))?;
    let operator = world.operator();
    let vault = installation.vaults().open(&vault_name("acme-kv")).map_err(|error| text(&error))?;
    vault.list::<Secrets>(&operator, None, 25).map_err(|error| text(&error))?;
    vault.list_deleted::<Secrets>(&operator, None, 25, NOW).map_err(|error| text(&error))?;
    let versions = vault.versions::<Secrets>(&operator, &name("alpha"), None, 25).map_err(|error| text(&error))?.0;
    for version in &versions {
        vault.secret(&operator, &name("alpha"), Some(&version.version), NOW).map_err(|error| text(&error))?;
    }
    // The value of a deleted secret is read when it comes back.
    vault.recover::<Secrets>(&operator, &name("beta"), NOW).map_err(|error| text(&error))?;
    let beta = vault.secret(&operator, &name("beta"), None, NOW).map(|_| ()).map_err(|error| text(&error));
    vault.delete::<Secrets>(&operator, &name("beta"), NOW).map_err(|error| text(&error))?;
    beta
}

#[test]
fn a_cut_record_is_noticed() {
    let world = world();
    for (key, row) in rows(&*world.storage) {
        for length in [0, 1, 13, row.value.len() - 1] {
            put(&*world.storage, &key, row.value[..length].to_vec());
            assert!(verify_ends(&world), "kind {} cut to {length}", key[0]);
        }
        put(&*world.storage, &key, row.value.to_vec());
    }
    assert_eq!(verify(&world), Ok(()));
}

#[test]
fn two_swapped_records_are_noticed() {
    let world = world();
    let rows = rows(&*world.storage);
    for (at, (one, first)) in rows.iter().enumerate() {
        for (other, second) in &rows[at + 1..] {
            put(&*world.storage, one, second.value.to_vec());
            put(&*world.storage, other, first.value.to_vec());
            assert!(verify_ends(&world), "kinds {} and {}", one[0], other[0]);
            put(&*world.storage, one, first.value.to_vec());
            put(&*world.storage, other, second.value.to_vec());
        }
    }
    assert_eq!(verify(&world), Ok(()));
}

#[test]
fn a_missing_value_is_damage_and_not_an_unknown_secret() {
    let world = World::new();
    world.set("alpha", &long_value(), NOW);
    let (key, _) = world.storage.scan(&[LONG_VALUE], None, 1).unwrap().remove(0);
    world.storage.commit(Batch { deletes: vec![key], ..Batch::default() }).unwrap();
    assert!(matches!(world.get("alpha", NOW), Err(VaultError::Store(StoreFailure::DamagedValue { .. }))));
    // A short one is the end of the first row: cut it off, down to nothing.
    world.set("beta", VALUE, NOW);
    let (key, row) = world.storage.scan(&[SECRET], None, 9).unwrap().into_iter().find(|it| it.1.value[0] == 2).unwrap();
    let sealed = 30 + VALUE.len();
    for cut in [1, sealed - 1, sealed] {
        put(&*world.storage, &key, row.value[..row.value.len() - cut].to_vec());
        let read = world.get("beta", NOW);
        assert!(matches!(read, Err(VaultError::Store(StoreFailure::DamagedValue { .. }))), "{cut}: {read:?}");
    }
}

/// Changes the last byte of the first row of `kind`.
fn spoil(world: &World, kind: u8) {
    let (key, row) = world.storage.scan(&[kind], None, 1).unwrap().remove(0);
    let mut changed = row.value.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    put(&*world.storage, &key, changed);
}

#[test]
fn the_operator_is_told_which_record_is_damaged_and_never_a_value() {
    // The last byte of a short value is that of the first row.
    told_of_damage(VALUE, SECRET);
    told_of_damage(&long_value(), LONG_VALUE);
}

fn told_of_damage(value: &str, row_of_value: u8) {
    let world = World::new();
    let version = world.set("alpha", value, NOW).version.to_string();
    let get = || world.vault.secret(&world.operator(), &name("alpha"), None, NOW).map(|_| ());
    let told = |error: VaultError, parts: &[&str]| {
        let text = format!("{error} {error:?}");
        assert!(parts.iter().all(|part| text.contains(part)), "{parts:?}: {text}");
        assert!(!text.contains(VALUE), "{text}");
    };
    spoil(&world, row_of_value);
    let damaged = get().unwrap_err();
    assert!(matches!(damaged, VaultError::Store(StoreFailure::DamagedValue { .. })), "{damaged:?}");
    told(damaged, &["the value of version", &version, "secret alpha", "vault acme-kv"]);
    // What mends a value that does not open.
    world.set("alpha", "again", NOW);
    assert_eq!(world.get("alpha", NOW), Ok("again".to_owned()));
    spoil(&world, VERSION);
    let older = world.vault.versions::<Secrets>(&world.operator(), &name("alpha"), None, 25).unwrap_err();
    told(older, &["version", &version, "secret alpha", "vault acme-kv"]);
    let (key, row) = world.storage.scan(&[SECRET], None, 1).unwrap().remove(0);
    put(&*world.storage, &key, row.value[..20].to_vec());
    told(get().unwrap_err(), &["the first record of secret alpha", "vault acme-kv"]);
    let listed = world.vault.list::<Secrets>(&world.operator(), None, 25).unwrap_err();
    told(listed, &["the first record of a secret in vault acme-kv"]);
}

#[test]
fn a_changed_header_and_another_root_key_are_told_apart_where_the_bytes_allow_it() {
    let world = World::new();
    let original = |kind: u8| world.storage.get(&[kind]).unwrap().unwrap().value.to_vec();
    let (header, check) = (original(0), original(1));
    let opened = |key: &credstore_vault::seal::RootKey| {
        Installation::over(Arc::clone(&world.storage), key, NOW).map(|_| ()).unwrap_err()
    };
    let other = credstore_vault::seal::RootKey::random();
    let text = String::from_utf8(header.clone()).unwrap();
    // Bytes that are no part of the store's id: the right key still opens its data key.
    for changed in [text.replace("{", "{ "), text.replace("{", r#"{"more":1,"#)] {
        put(&*world.storage, &[0], changed.into_bytes());
        assert!(matches!(opened(&world.root_key), OpenError::Damaged { .. }));
        assert!(matches!(opened(&other), OpenError::WrongRootKey));
    }
    put(&*world.storage, &[0], header);
    let mut flipped = check.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (changed, with_other) in [(flipped, false), (check[1..].to_vec(), true), (Vec::new(), true)] {
        put(&*world.storage, &[1], changed);
        assert!(matches!(opened(&world.root_key), OpenError::Damaged { .. }));
        let refused = opened(&other);
        assert_eq!(matches!(refused, OpenError::Damaged { .. }), with_other, "{refused:?}");
    }
    put(&*world.storage, &[1], check);
    assert!(matches!(opened(&other), OpenError::WrongRootKey));
    assert!(Installation::over(Arc::clone(&world.storage), &world.root_key, NOW).is_ok());
}

#[test]
fn a_value_moved_to_the_same_name_in_another_vault_is_noticed() {
    let world = World::new();
    world.set("alpha", &long_value(), NOW);
    let value_rows = || world.storage.scan(&[LONG_VALUE], None, 9).unwrap();
    let first = value_rows().remove(0);
    let policies = vec![crate::world::policy(&world.operator(), PermissionSet::all())];
    let spec = VaultSpec { access_policies: Some(policies), ..VaultSpec::default() };
    let vaults = world.installation.vaults();
    vaults.create_or_update(&world.operator(), &vault_name("other-kv"), spec, NOW).unwrap();
    let other = vaults.open(&vault_name("other-kv")).unwrap();
    other.set_secret(&world.operator(), &name("alpha"), set(&"another".repeat(100)), NOW).unwrap();
    let second = value_rows().into_iter().find(|(key, _)| *key != first.0).unwrap();
    put(&*world.storage, &first.0, second.1.value.to_vec());
    put(&*world.storage, &second.0, first.1.value.to_vec());
    for vault in [&world.vault, &other] {
        let read = vault.secret(&world.operator(), &name("alpha"), None, NOW).map(|_| ());
        assert!(matches!(read, Err(VaultError::Store(StoreFailure::DamagedValue { .. }))), "{read:?}");
    }
}

#[test]
fn another_root_key_opens_nothing() {
    let world = world();
    let other = credstore_vault::seal::RootKey::random();
    let opened = Installation::over(Arc::clone(&world.storage), &other, NOW).map(|_| ());
    assert!(matches!(opened, Err(OpenError::WrongRootKey)));
}

#[test]
fn no_name_and_no_value_lies_in_the_storage() {
    let world = World::new();
    let planted = ["planted-secret-name", "planted-secret-value", "planted-content-type", "planted-tag-value"];
    let mut secret = set(planted[1]);
    secret.content_type = Some(planted[2].to_owned());
    secret.tags = Some([("t".to_owned(), planted[3].to_owned())].into());
    world.vault.set_secret(&world.operator(), &name(planted[0]), secret, NOW).unwrap();
    world.set(planted[0], planted[1], NOW);
    for canary in planted.map(Canary::new).iter().chain([Canary::new("credstore-operator")].iter()) {
        for (key, row) in rows(&*world.storage) {
            assert_eq!(canary.in_bytes(&key), []);
            assert_eq!(canary.in_bytes(&row.value), []);
        }
    }
}
