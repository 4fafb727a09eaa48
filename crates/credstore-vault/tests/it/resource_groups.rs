//! Resource groups: how they come, what goes with them, and what an older store has of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use credstore_protocol::ObjectId;
use credstore_vault::access::{Role, Scope, VaultScope};
use credstore_vault::vaults::{NewRoleAssignment, VaultSpec};
use credstore_vault::{GroupError, Installation, VaultError};

use crate::permissions::is_denied;
use crate::world::{DAY, NOW, World, later, name, vault_name};

fn in_group(group: &str) -> VaultSpec {
    VaultSpec { resource_group: Some(group.to_owned()), rbac: Some(true), ..VaultSpec::default() }
}

fn missing<T: std::fmt::Debug>(result: Result<T, VaultError>) -> bool {
    matches!(result, Err(VaultError::Group(GroupError::NotFound(_))))
}

fn names(installation: &Installation, world: &World) -> Vec<String> {
    installation.vaults().groups(&world.operator()).unwrap().into_iter().map(|group| group.name).collect()
}

#[test]
fn a_vault_is_made_in_a_group_that_is_there() {
    let world = World::new();
    let (vaults, operator) = (world.installation.vaults(), world.operator());
    assert!(missing(vaults.create_or_update(&operator, &vault_name("new-kv"), in_group("rg-1"), NOW)));
    let (made, is_new) = vaults.put_group(&operator, "rg-1", "local", None, NOW).unwrap();
    assert!(is_new && made.tags.is_empty() && made.created == NOW);
    vaults.create_or_update(&operator, &vault_name("new-kv"), in_group("RG-1"), NOW).unwrap();
    assert_eq!(vaults.group(&operator, "Rg-1"), Ok(made));
    let stranger = world.caller_with(&[]);
    assert_eq!(vaults.group(&stranger, "rg-1"), Err(VaultError::NotOperator));
    assert_eq!(vaults.groups(&stranger), Err(VaultError::NotOperator));
    assert_eq!(vaults.put_group(&stranger, "x", "local", None, NOW), Err(VaultError::NotOperator));
    assert_eq!(vaults.delete_group(&stranger, "rg-1", NOW), Err(VaultError::NotOperator));
}

#[test]
fn a_group_keeps_its_place_and_changes_its_tags_and_survives_a_restart() {
    let world = World::new();
    let (vaults, operator) = (world.installation.vaults(), world.operator());
    let tags: BTreeMap<_, _> = [("a".to_owned(), "b".to_owned())].into();
    vaults.put_group(&operator, "rg-1", "local", Some(tags.clone()), NOW).unwrap();
    let (same, is_new) = vaults.put_group(&operator, "RG-1", "LOCAL", None, later(1)).unwrap();
    assert_eq!((same.name.as_str(), &same.tags, same.created, is_new), ("rg-1", &tags, NOW, false));
    assert_eq!(
        vaults.put_group(&operator, "rg-1", "elsewhere", None, NOW),
        Err(GroupError::Elsewhere {
            name: "rg-1".to_owned(),
            location: "local".to_owned(),
            wanted: "elsewhere".to_owned()
        }
        .into())
    );
    for (count, good) in [(15, true), (16, false)] {
        let many = (0..count).map(|at| (format!("t{at}"), String::new())).collect();
        assert_eq!(vaults.put_group(&operator, "rg-2", "local", Some(many), NOW).is_ok(), good, "{count} tags");
    }
    for (length, good) in [(512, true), (513, false)] {
        let long = vaults.put_group(&operator, &format!("rg-{length}"), &"x".repeat(length), None, NOW);
        assert_eq!(long.is_ok(), good, "{length} characters");
    }
    let again = Installation::over(Arc::clone(&world.storage), &world.root_key, NOW).unwrap();
    assert_eq!(again.vaults().group(&operator, "rg-1"), Ok(same));
    assert_eq!(names(&again, &world), ["credstore", "rg-1", "rg-2", "rg-512"]);
    again.vaults().delete_group(&operator, "rg-1", NOW).unwrap();
    let again = Installation::over(Arc::clone(&world.storage), &world.root_key, NOW).unwrap();
    assert!(missing(again.vaults().group(&operator, "rg-1")), "gone from the disk too");
}

/// The world's vault was made without a row for its group, as every vault was before there were rows.
#[test]
fn the_group_of_a_vault_is_there_without_a_row() {
    let world = World::new();
    let (vaults, operator) = (world.installation.vaults(), world.operator());
    assert_eq!(names(&world.installation, &world), ["credstore"]);
    assert_eq!(vaults.group(&operator, "CREDSTORE").unwrap().location, "local");
    vaults.create_or_update(&operator, &vault_name("new-kv"), in_group("credstore"), NOW).unwrap();
    let (kept, is_new) = vaults.put_group(&operator, "Credstore", "local", None, later(1)).unwrap();
    assert_eq!((kept.name.as_str(), kept.created, is_new), ("credstore", NOW, false));
    vaults.delete_group(&operator, "credstore", NOW).unwrap();
    assert!(missing(vaults.group(&operator, "credstore")));
    assert!(missing(vaults.delete_group(&operator, "credstore", NOW)));
}

#[test]
fn a_deleted_group_takes_vaults_and_roles_and_nothing_of_other_groups() {
    let world = World::new();
    let (vaults, operator, caller) = (world.installation.vaults(), world.operator(), world.caller_with(&[]));
    vaults.put_group(&operator, "rg-1", "local", None, NOW).unwrap();
    for vault in ["one-kv", "two-kv"] {
        vaults.create_or_update(&operator, &vault_name(vault), in_group("rg-1"), NOW).unwrap();
    }
    let open = vaults.open(&vault_name("one-kv")).unwrap();
    let one = || VaultScope { group: "RG-1".to_owned(), vault: "one-kv".to_owned() };
    for (at, scope) in [
        Scope::Subscription,
        Scope::Group("Rg-1".to_owned()),
        Scope::Group("credstore".to_owned()),
        Scope::Vault(one()),
        Scope::Vault(VaultScope { vault: "never-kv".to_owned(), ..one() }),
    ]
    .into_iter()
    .enumerate()
    {
        let id: ObjectId = format!("10000000-0000-4000-8000-00000000000{at}").parse().unwrap();
        let (principal, description) = (caller.object_id.clone(), None);
        let new = NewRoleAssignment { id, scope, role: Role::SecretsUser, principal, description };
        vaults.assign_role(&operator, new, NOW).unwrap();
    }
    vaults.delete_group(&operator, "RG-1", NOW).unwrap();
    assert!(matches!(open.secret(&caller, &name("db"), None, NOW), Err(VaultError::VaultNotFound(_))));
    let deleted = vaults.deleted(&operator, NOW).unwrap();
    assert_eq!(deleted.len(), 2);
    let left: Vec<_> = vaults.role_assignments(&operator).unwrap().iter().map(|one| one.scope.clone()).collect();
    assert_eq!(left, [Scope::Subscription, Scope::Group("credstore".to_owned())]);
    assert_eq!(vaults.list(&operator).unwrap().len(), 1, "the vault of the other group");

    vaults.recover(&operator, &vault_name("one-kv"), later(DAY)).unwrap();
    assert_eq!(names(&world.installation, &world), ["credstore", "rg-1"], "a vault brings its group back");
    let again = vaults.open(&vault_name("one-kv")).unwrap();
    let found = again.secret(&caller, &name("db"), None, NOW);
    assert!(!is_denied(found.err().as_ref()), "what is assigned on the subscription holds");
}
