//! Roles: which operations each opens, where an assignment holds, and what becomes of it.

use std::sync::Arc;

use credstore_protocol::ObjectId;
use credstore_vault::access::{
    Caller, ObjectKind, ObjectOperation, Operation, PermissionModel, Role, Scope, SecretPermission, VaultScope,
};
use credstore_vault::vaults::{NewRoleAssignment, ROLE_DESCRIPTION_MAX, VaultSpec};
use credstore_vault::{Installation, RoleAssignmentError, Secrets, VaultError};

use crate::permissions::{attempt, is_denied};
use crate::world::{DAY, NOW, World, later, name, set, vault_name};

const ID: &str = "10000000-0000-4000-8000-000000000001";

/// A vault with roles, and a caller whom its access policies would allow everything.
fn with_roles() -> (World, Caller) {
    let world = World::new();
    let caller = world.caller_with(&[SecretPermission::All]);
    let spec = VaultSpec { rbac: Some(true), ..VaultSpec::default() };
    world.installation.vaults().create_or_update(&world.operator(), &world.vault.name(), spec, NOW).unwrap();
    (world, caller)
}

fn here() -> VaultScope {
    VaultScope { group: "credstore".to_owned(), vault: "acme-kv".to_owned() }
}

fn new(caller: &Caller, role: Role, scope: Scope) -> NewRoleAssignment {
    NewRoleAssignment { id: ID.parse().unwrap(), scope, role, principal: caller.object_id.clone(), description: None }
}

fn assign(world: &World, caller: &Caller, role: Role, scope: Scope) {
    let made = world.installation.vaults().assign_role(&world.operator(), new(caller, role, scope), NOW).unwrap();
    assert!(made.1, "it is new");
}

fn unassign(world: &World, scope: &Scope) -> bool {
    let vaults = world.installation.vaults();
    vaults.unassign_role(&world.operator(), scope, &ID.parse().unwrap()).unwrap().is_some()
}

/// The operations on secrets that the role's data actions name, by hand from Azure's list of built-in roles.
fn opened_by(role: Role) -> Vec<Operation> {
    use ObjectOperation as O;
    let on_secrets = |operation| Operation::Object(ObjectKind::Secrets, operation);
    let metadata = [O::List, O::ListVersions, O::ListDeleted, O::GetDeleted].map(on_secrets);
    let on_keys = |operation| Operation::Object(ObjectKind::Keys, operation);
    let key_metadata = [O::Get, O::List, O::ListVersions, O::ListDeleted, O::GetDeleted].map(on_keys);
    let on_certificates = |operation| Operation::Object(ObjectKind::Certificates, operation);
    let mut certificates =
        [O::Get, O::List, O::ListVersions, O::ListDeleted, O::GetDeleted].map(on_certificates).to_vec();
    certificates.extend([Operation::GetCertificateOperation, Operation::GetCertificatePolicy]);
    let of_kind = |kind| Operation::every().filter(move |it| it.kind() == kind).collect::<Vec<_>>();
    // Microsoft's page of 2026-02-23, role by role.
    match role {
        Role::Administrator => Operation::every().collect(),
        Role::SecretsOfficer => of_kind(ObjectKind::Secrets),
        Role::SecretsUser => [&metadata[..], &[on_secrets(O::Get)]].concat(),
        Role::CertificateUser => [&metadata[..], &[on_secrets(O::Get)], &key_metadata, &certificates].concat(),
        Role::Reader => {
            let rest = [Operation::GetRotationPolicy, Operation::GetIssuer, Operation::ListIssuers];
            [&metadata[..], &key_metadata, &certificates, &rest].concat()
        }
        Role::CryptoOfficer => of_kind(ObjectKind::Keys),
        Role::CryptoUser => {
            let uses = [Operation::Encrypt, Operation::Decrypt, Operation::WrapKey, Operation::UnwrapKey];
            let rest = [on_keys(O::Update), on_keys(O::Backup), Operation::Sign, Operation::Verify];
            [&key_metadata[..], &uses, &rest].concat()
        }
        Role::CryptoServiceEncryptionUser => [&key_metadata[..], &[Operation::WrapKey, Operation::UnwrapKey]].concat(),
        Role::CertificatesOfficer => of_kind(ObjectKind::Certificates),
        Role::CryptoServiceReleaseUser => Vec::new(),
    }
}

#[test]
fn a_vault_with_roles_denies_everybody_without_one_whatever_its_policies_say() {
    let (world, caller) = with_roles();
    for who in [world.operator(), caller] {
        for operation in Operation::every() {
            match attempt(&world, &who, operation) {
                Some(VaultError::Denied { model, .. }) => assert_eq!(model, PermissionModel::Roles),
                other => panic!("{operation:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn each_role_opens_exactly_the_operations_of_its_data_actions() {
    for role in Role::EVERY {
        let (world, caller) = with_roles();
        assign(&world, &caller, role, Scope::Vault(here()));
        for operation in Operation::every() {
            let error = attempt(&world, &caller, operation);
            let opens = opened_by(role).contains(&operation);
            assert_eq!(!is_denied(error.as_ref()), opens, "{role:?} {operation:?}: {error:?}");
            let stranger = Caller { object_id: caller.app_id.as_str().parse().unwrap(), ..caller.clone() };
            assert!(is_denied(attempt(&world, &stranger, operation).as_ref()), "the object id counts");
            let elsewhere = Caller { tenant: ID.parse().unwrap(), ..caller.clone() };
            assert!(is_denied(attempt(&world, &elsewhere, operation).as_ref()), "the tenant counts");
        }
    }
}

#[test]
fn an_assignment_holds_at_its_scope_and_below_at_once_and_no_longer_than_it_lasts() {
    let (world, caller) = with_roles();
    world
        .installation
        .vaults()
        .create_or_update(
            &world.operator(),
            &world.vault.name(),
            VaultSpec { rbac: Some(false), ..VaultSpec::default() },
            NOW,
        )
        .unwrap();
    world.set("db", "v", NOW);
    let spec = VaultSpec { rbac: Some(true), ..VaultSpec::default() };
    world.installation.vaults().create_or_update(&world.operator(), &world.vault.name(), spec, NOW).unwrap();
    let loud = VaultScope { group: "CREDSTORE".to_owned(), vault: "ACME-KV".to_owned() };
    let other = VaultScope { vault: "other-kv".to_owned(), ..here() };
    let object = |vault: VaultScope, kind, name: &str| Scope::Object(vault, kind, name.to_owned());
    for (scope, reads, lists) in [
        (Scope::Subscription, true, true),
        (Scope::Group("CredStore".to_owned()), true, true),
        (Scope::Group("credstore2".to_owned()), false, false),
        (Scope::Vault(loud.clone()), true, true),
        (Scope::Vault(other.clone()), false, false),
        (Scope::Vault(VaultScope { group: "other".to_owned(), ..here() }), false, false),
        (object(loud, ObjectKind::Secrets, "DB"), true, false),
        (object(here(), ObjectKind::Secrets, "db2"), false, false),
        (object(here(), ObjectKind::Keys, "db"), false, false),
        (object(other, ObjectKind::Secrets, "db"), false, false),
    ] {
        let read = || world.vault.secret(&caller, &name("db"), None, NOW).is_ok();
        let list = || world.vault.list::<Secrets>(&caller, None, 25).is_ok();
        assert!(!read(), "before");
        assign(&world, &caller, Role::SecretsUser, scope.clone());
        assert_eq!((read(), list()), (reads, lists), "{scope:?}");
        assert!(!unassign(&world, &Scope::Group("elsewhere".to_owned())), "another scope is another assignment");
        assert!(unassign(&world, &scope));
        assert!(!read() && !list(), "after {scope:?}");
    }
}

#[test]
fn an_assignment_survives_a_restart_and_a_vault_made_later_is_covered() {
    let (world, caller) = with_roles();
    assign(&world, &caller, Role::SecretsOfficer, Scope::Group("credstore".to_owned()));
    let again = Installation::over(Arc::clone(&world.storage), &world.root_key, NOW).unwrap();
    let (vaults, operator) = (again.vaults(), world.operator());
    assert_eq!(vaults.role_assignments(&operator).unwrap().len(), 1);
    let spec = VaultSpec { rbac: Some(true), ..VaultSpec::default() };
    vaults.create_or_update(&operator, &vault_name("later-kv"), spec, NOW).unwrap();
    let vault = vaults.open(&vault_name("later-kv")).unwrap();
    vault.set_secret(&caller, &name("db"), set("v"), NOW).unwrap();
}

#[test]
fn the_assignments_of_a_vault_go_with_it_and_do_not_come_back() {
    let (world, caller) = with_roles();
    let (vaults, operator, at) = (world.installation.vaults(), world.operator(), world.vault.name());
    assign(&world, &caller, Role::SecretsUser, Scope::Vault(here()));
    let around = NewRoleAssignment {
        id: "10000000-0000-4000-8000-000000000002".parse().unwrap(),
        ..new(&caller, Role::Reader, Scope::Subscription)
    };
    vaults.assign_role(&operator, around, NOW).unwrap();
    vaults.delete(&operator, &at, NOW).unwrap();
    vaults.recover(&operator, &at, later(DAY)).unwrap();
    let left = vaults.role_assignments(&operator).unwrap();
    assert_eq!(left.iter().map(|assignment| assignment.role).collect::<Vec<_>>(), [Role::Reader]);
    let vault = vaults.open(&at).unwrap();
    assert!(is_denied(vault.secret(&caller, &name("db"), None, NOW).err().as_ref()));
    assert!(vault.list::<Secrets>(&caller, None, 25).is_ok(), "what is assigned around it holds");
}

#[test]
fn an_assignment_is_made_once_and_only_its_description_changes() {
    let (world, caller) = with_roles();
    let (vaults, operator) = (world.installation.vaults(), world.operator());
    let first = new(&caller, Role::Reader, Scope::Vault(here()));
    let made = vaults.assign_role(&operator, first.clone(), NOW).unwrap();
    let loud = VaultScope { group: "CREDSTORE".to_owned(), vault: "ACME-KV".to_owned() };
    let again = NewRoleAssignment { scope: Scope::Vault(loud), ..first.clone() };
    assert_eq!(vaults.assign_role(&operator, again.clone(), later(1)), Ok((made.0.clone(), false)));
    let description = Some("for the reports".to_owned());
    let described = vaults.assign_role(&operator, NewRoleAssignment { description, ..again }, later(2)).unwrap();
    assert_eq!(described.0.description.as_deref(), Some("for the reports"));
    assert_eq!((described.0.created, described.0.updated, described.1), (NOW, later(2), false));
    assert_eq!(*vaults.role_assignments(&operator).unwrap(), std::slice::from_ref(&described.0));
    let again = Installation::over(Arc::clone(&world.storage), &world.root_key, NOW).unwrap();
    assert_eq!(*again.vaults().role_assignments(&operator).unwrap(), [described.0], "on disk too");
    let other = NewRoleAssignment { role: Role::SecretsUser, ..first.clone() };
    assert_eq!(vaults.assign_role(&operator, other, NOW), Err(VaultError::RoleAssignment(RoleAssignmentError::Fixed)));
    let id: ObjectId = "10000000-0000-4000-8000-000000000003".parse().unwrap();
    let twin = NewRoleAssignment { id: id.clone(), ..first.clone() };
    assert_eq!(
        vaults.assign_role(&operator, twin, NOW),
        Err(VaultError::RoleAssignment(RoleAssignmentError::Exists(ID.parse().unwrap())))
    );
    for (length, good) in [(ROLE_DESCRIPTION_MAX, true), (ROLE_DESCRIPTION_MAX + 1, false)] {
        let scope = Scope::Group(format!("g{length}"));
        let id = format!("10000000-0000-4000-8000-00000000{length:04}").parse().unwrap();
        let long = NewRoleAssignment { id, scope, description: Some("x".repeat(length)), ..first.clone() };
        assert_eq!(vaults.assign_role(&operator, long, NOW).is_ok(), good, "{length}");
    }
    assert_eq!(vaults.assign_role(&caller, first, NOW), Err(VaultError::NotOperator));
    assert_eq!(vaults.role_assignments(&caller), Err(VaultError::NotOperator));
    assert_eq!(vaults.unassign_role(&caller, &Scope::Subscription, &id), Err(VaultError::NotOperator));
}
