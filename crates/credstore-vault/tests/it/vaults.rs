//! Vault resources: who may, what may change, and what happens to their contents.

use credstore_protocol::Timestamp;
use credstore_vault::access::{PermissionSet, SecretPermission};
use credstore_vault::vaults::{PolicyChange, VaultSpec};
use credstore_vault::{Secrets, VaultError};

use crate::world::{DAY, NOW, World, later, name, policy, set, vault_name};

#[test]
fn only_the_operator_sees_or_changes_vaults() {
    let world = World::new();
    let caller = world.caller_with(&[SecretPermission::All]);
    let (vaults, at) = (world.installation.vaults(), world.vault.name());
    let denied = Err(VaultError::NotOperator);
    assert_eq!(vaults.create_or_update(&caller, &at, VaultSpec::default(), NOW).map(|_| ()), denied);
    assert_eq!(vaults.record(&caller, &at).map(|_| ()), denied);
    assert_eq!(vaults.list(&caller).map(|_| ()), denied);
    assert_eq!(vaults.set_access_policies(&caller, &at, PolicyChange::Add(vec![]), NOW).map(|_| ()), denied);
    assert_eq!(vaults.delete(&caller, &at, NOW), denied);
    assert_eq!(vaults.deleted(&caller, NOW).map(|_| ()), denied);
    assert_eq!(vaults.recover(&caller, &at, NOW).map(|_| ()), denied);
    assert_eq!(vaults.purge(&caller, &at, NOW), denied);
    let mut elsewhere = world.operator();
    elsewhere.tenant = "00000000-0000-4000-8000-000000000009".parse().unwrap();
    assert_eq!(vaults.list(&elsewhere).map(|_| ()), denied);
}

#[test]
fn a_vault_has_the_defaults_and_the_limits_of_the_contract() {
    let world = World::new();
    let (vaults, operator) = (world.installation.vaults(), world.operator());
    let record = vaults.create_or_update(&operator, &vault_name("Other-Kv"), VaultSpec::default(), NOW).unwrap();
    assert_eq!((record.retention_days, record.purge_protection, record.rbac), (90, false, false));
    assert_eq!(record.name.as_str(), "Other-Kv");
    assert_eq!(vaults.record(&operator, &vault_name("other-kv")).unwrap(), record);
    for (days, good) in [(6, false), (7, true), (90, true), (91, false)] {
        let spec = VaultSpec { retention_days: Some(days), ..VaultSpec::default() };
        let made = vaults.create_or_update(&operator, &vault_name(&format!("kv-{days}")), spec, NOW);
        assert_eq!(made.is_ok(), good, "{days}");
    }
    let foreign = "00000000-0000-4000-8000-000000000009".parse().unwrap();
    let spec = VaultSpec { tenant: Some(foreign), ..VaultSpec::default() };
    assert!(vaults.create_or_update(&operator, &vault_name("kv-foreign"), spec, NOW).is_err());
}

#[test]
fn retention_and_purge_protection_cannot_be_weakened() {
    let world = World::new();
    let (vaults, operator, at) = (world.installation.vaults(), world.operator(), world.vault.name());
    let update = |spec| vaults.create_or_update(&operator, &at, spec, NOW);
    let days = |days| VaultSpec { retention_days: Some(days), ..VaultSpec::default() };
    assert!(matches!(update(days(7)), Err(VaultError::BadParameter { .. })));
    assert!(update(days(90)).is_ok(), "the same again is no change");
    let protected = |on| VaultSpec { purge_protection: Some(on), ..VaultSpec::default() };
    assert!(update(protected(true)).unwrap().purge_protection);
    assert!(matches!(update(protected(false)), Err(VaultError::BadParameter { .. })));
    assert!(update(VaultSpec::default()).unwrap().purge_protection, "absent keeps it");
}

#[test]
fn policies_are_added_replaced_and_removed_by_principal() {
    let world = World::new();
    let (vaults, operator, at) = (world.installation.vaults(), world.operator(), world.vault.name());
    let caller = world.caller_with(&[SecretPermission::Get]);
    let with = |permissions: &[SecretPermission]| {
        let secrets = credstore_vault::access::Granted::of(permissions);
        vec![policy(&caller, PermissionSet { secrets, ..PermissionSet::default() })]
    };
    let change = |change| {
        let record = vaults.set_access_policies(&operator, &at, change, NOW).unwrap();
        let found = record.access_policies.into_iter().find(|policy| policy.object_id == caller.object_id);
        found.map(|policy| policy.permissions.secrets.to_names().join(" "))
    };
    assert_eq!(change(PolicyChange::Add(with(&[SecretPermission::List]))).as_deref(), Some("get list"));
    assert_eq!(change(PolicyChange::Replace(with(&[SecretPermission::Set]))).as_deref(), Some("set"));
    assert_eq!(change(PolicyChange::Remove(vec![caller.object_id.clone()])), None);
    assert_eq!(vaults.record(&operator, &at).unwrap().access_policies.len(), 1, "the operator's stays");
}

#[test]
fn a_deleted_vault_answers_nothing_and_comes_back_whole() {
    let world = World::new();
    let (vaults, operator, at) = (world.installation.vaults(), world.operator(), world.vault.name());
    world.set("db", "one", NOW);
    vaults.delete(&operator, &at, NOW).unwrap();
    let gone = Err(VaultError::VaultNotFound(at.clone()));
    assert_eq!(world.get("db", NOW), Err(VaultError::VaultNotFound(at.clone())), "an open handle ends too");
    assert_eq!(vaults.open(&at).map(|_| ()), gone);
    assert_eq!(vaults.record(&operator, &at).map(|_| ()), gone);
    let taken = vaults.create_or_update(&operator, &at, VaultSpec::default(), NOW).map(|_| ());
    assert_eq!(taken, Err(VaultError::VaultDeleted(at.clone())));
    let deleted = vaults.deleted(&operator, NOW).unwrap();
    assert_eq!((deleted[0].deleted, deleted[0].scheduled_purge), (NOW, later(90 * DAY)));
    vaults.recover(&operator, &at, NOW).unwrap();
    let vault = vaults.open(&at).unwrap();
    let secret = vault.secret(&operator, &name("db"), None, NOW).unwrap();
    assert_eq!(secret.value.expose_secret(), "one");
}

#[test]
fn a_purged_vault_leaves_no_row_and_its_name_is_free() {
    let world = World::new();
    let (vaults, operator) = (world.installation.vaults(), world.operator());
    let before = world.storage.scan(&[], None, usize::MAX).unwrap().len();
    let spec =
        || VaultSpec { access_policies: Some(vec![policy(&operator, PermissionSet::all())]), ..VaultSpec::default() };
    let at = vault_name("short-lived");
    for round in 0..2 {
        vaults.create_or_update(&operator, &at, spec(), NOW).unwrap();
        let vault = vaults.open(&at).unwrap();
        for n in 0..5 {
            vault.set_secret(&operator, &name(&format!("s-{n}")), set("x"), NOW).unwrap();
            vault.set_secret(&operator, &name("twice"), set("x"), NOW).unwrap();
        }
        vault.delete::<Secrets>(&operator, &name("s-0"), NOW).unwrap();
        vaults.delete(&operator, &at, NOW).unwrap();
        assert!(vault.set_secret(&operator, &name("late"), set("x"), NOW).is_err());
        if round == 0 {
            vaults.purge(&operator, &at, NOW).unwrap();
        } else {
            assert_eq!(vaults.purge_expired(later(90 * DAY - 1)), Ok(0));
            assert_eq!(vaults.purge_expired(later(90 * DAY)), Ok(1));
        }
        assert_eq!(world.storage.scan(&[], None, usize::MAX).unwrap().len(), before, "round {round}");
    }
}

#[test]
fn purge_protection_covers_the_vault_itself() {
    let world = World::new();
    let (vaults, operator, at) = (world.installation.vaults(), world.operator(), world.vault.name());
    let spec = VaultSpec { purge_protection: Some(true), ..VaultSpec::default() };
    vaults.create_or_update(&operator, &at, spec, NOW).unwrap();
    vaults.delete(&operator, &at, NOW).unwrap();
    assert_eq!(vaults.purge(&operator, &at, Timestamp(NOW.0 + 90 * DAY - 1)), Err(VaultError::PurgeProtected));
}
