//! Every operation with every permission, alone and in the wrong hands.

use credstore_protocol::SecretVersion;
use credstore_protocol::key_vault::SecretProperties;
use credstore_protocol::key_vault::certificates::{CertificatePolicy, UpdateCertificate};
use credstore_protocol::key_vault::keys::{EncryptionAlgorithm, RotationPolicy, SignatureAlgorithm, UpdateKey};
use credstore_vault::access::{
    Caller, CertificatePermission, Granted, KeyPermission, ObjectKind, ObjectOperation, Operation, Permission,
    PermissionKind, PermissionModel, PermissionSet, SecretPermission, StoragePermission,
};
use credstore_vault::certificates::IssuerWrite;
use credstore_vault::keys::KeyAt;
use credstore_vault::objects::{Change, ObjectType};
use credstore_vault::vaults::PolicyChange;
use credstore_vault::{Certificates, Keys, Secrets, Vault, VaultError};
use serde_json::json;

use crate::stored_keys::ec;
use crate::world::{NOW, World, name, policy, set};

const OAEP: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep;
const ES256: SignatureAlgorithm = SignatureAlgorithm::Es256;

const LIST: Operation = Operation::Object(ObjectKind::Secrets, ObjectOperation::List);

/// Does `operation` on a name that does not exist, and gives the error if there is one.
pub(crate) fn attempt(world: &World, caller: &Caller, operation: Operation) -> Option<VaultError> {
    let vault = &world.vault;
    let at = name("nothing-here");
    let version = SecretVersion::from_bytes([0; 16]);
    let key = KeyAt { name: &at, version: None };
    match operation {
        Operation::SetSecret => vault.set_secret(caller, &name("made"), set("x"), NOW).err(),
        Operation::Object(ObjectKind::Secrets, ObjectOperation::Get) => {
            vault.secret(caller, &at, Some(&version), NOW).err()
        }
        Operation::Object(ObjectKind::Secrets, operation) => {
            attempt_on::<Secrets>(vault, caller, operation, SecretProperties::default())
        }
        Operation::Object(ObjectKind::Keys, ObjectOperation::Get) => vault.key(caller, &at, Some(&version)).err(),
        Operation::Object(ObjectKind::Keys, operation) => {
            attempt_on::<Keys>(vault, caller, operation, UpdateKey::default())
        }
        Operation::Object(ObjectKind::Certificates, ObjectOperation::Get) => {
            vault.certificate(caller, &at, Some(&version)).err()
        }
        Operation::Object(ObjectKind::Certificates, operation) => {
            attempt_on::<Certificates>(vault, caller, operation, UpdateCertificate::default())
        }
        Operation::CreateKey => vault.create_key(caller, &name("made"), ec(), NOW).err(),
        Operation::ImportKey => {
            let import = serde_json::from_value(json!({"key": {"kty": "EC"}})).unwrap();
            vault.import_key(caller, &at, import, NOW).err()
        }
        Operation::RotateKey => vault.rotate_key(caller, &at, NOW).err(),
        Operation::GetRotationPolicy => vault.rotation_policy(caller, &at).err(),
        Operation::SetRotationPolicy => vault.set_rotation_policy(caller, &at, RotationPolicy::default(), NOW).err(),
        Operation::Encrypt => vault.encrypt(caller, key, OAEP, b"", NOW).err(),
        Operation::Decrypt => vault.decrypt(caller, key, OAEP, b"", NOW).err(),
        Operation::WrapKey => vault.wrap_key(caller, key, OAEP, b"", NOW).err(),
        Operation::UnwrapKey => vault.unwrap_key(caller, key, OAEP, b"", NOW).err(),
        Operation::Sign => vault.sign(caller, key, ES256, b"", NOW).err(),
        Operation::Verify => vault.verify(caller, key, ES256, (b"", b""), NOW).err(),
        Operation::CreateCertificate => vault.create_certificate(caller, &at, body(json!({})), NOW).err(),
        Operation::ImportCertificate => {
            vault.import_certificate(caller, &at, body(json!({"value": "AAAA"})), NOW).err()
        }
        Operation::MergeCertificate => vault.merge_certificate(caller, &at, body(json!({"x5c": []})), NOW).err(),
        Operation::GetCertificateOperation => vault.certificate_creation(caller, &at, None).err(),
        Operation::UpdateCertificateOperation => vault.cancel_certificate_creation(caller, &at, (None, true)).err(),
        Operation::DeleteCertificateOperation => vault.delete_certificate_creation(caller, &at, None).err(),
        Operation::GetCertificatePolicy => vault.certificate_policy(caller, &at).err(),
        Operation::UpdateCertificatePolicy => {
            vault.update_certificate_policy(caller, &at, &CertificatePolicy::default(), NOW).err()
        }
        Operation::GetContacts => vault.contacts(caller).err(),
        Operation::SetContacts => vault.set_contacts(caller, body(json!({"contacts": []}))).err(),
        Operation::DeleteContacts => vault.delete_contacts(caller).err(),
        Operation::ListIssuers => vault.issuers(caller, None, 25).err(),
        Operation::GetIssuer => vault.issuer(caller, &at).err(),
        Operation::SetIssuer => vault.set_issuer(caller, &at, (IssuerWrite::Set, body(json!({}))), NOW).err(),
        Operation::UpdateIssuer => vault.set_issuer(caller, &at, (IssuerWrite::Update, body(json!({}))), NOW).err(),
        Operation::DeleteIssuer => vault.delete_issuer(caller, &at).err(),
    }
}

fn body<T: serde::de::DeserializeOwned>(body: serde_json::Value) -> T {
    serde_json::from_value(body).unwrap()
}

fn attempt_on<K: ObjectType>(
    vault: &Vault,
    caller: &Caller,
    operation: ObjectOperation,
    change: impl Into<Change<K>>,
) -> Option<VaultError> {
    let at = name("nothing-here");
    match operation {
        ObjectOperation::Get => panic!("each kind has its own"),
        ObjectOperation::Update => vault.update::<K>(caller, &at, None, change, NOW).err(),
        ObjectOperation::Delete => vault.delete::<K>(caller, &at, NOW).err(),
        ObjectOperation::List => vault.list::<K>(caller, None, 25).err(),
        ObjectOperation::ListVersions => vault.versions::<K>(caller, &at, None, 25).err(),
        ObjectOperation::Backup => vault.backup::<K>(caller, &at).err(),
        ObjectOperation::Restore => vault.restore::<K>(caller, "AAAA", NOW).err(),
        ObjectOperation::ListDeleted => vault.list_deleted::<K>(caller, None, 25, NOW).err(),
        ObjectOperation::GetDeleted => vault.deleted::<K>(caller, &at, NOW).err(),
        ObjectOperation::Recover => vault.recover::<K>(caller, &at, NOW).err(),
        ObjectOperation::Purge => vault.purge::<K>(caller, &at, NOW).err(),
    }
}

pub(crate) fn is_denied(error: Option<&VaultError>) -> bool {
    matches!(error, Some(VaultError::Denied { .. }))
}

/// Contract section 10, written out once more by hand.
fn needed(operation: Operation) -> Permission {
    use ObjectOperation as O;
    let key = match operation {
        Operation::SetSecret => return Permission::Secret(SecretPermission::Set),
        Operation::Object(ObjectKind::Secrets, operation) => {
            return Permission::Secret(match operation {
                O::Get | O::GetDeleted => SecretPermission::Get,
                O::List | O::ListVersions | O::ListDeleted => SecretPermission::List,
                O::Update => SecretPermission::Set,
                O::Delete => SecretPermission::Delete,
                O::Backup => SecretPermission::Backup,
                O::Restore => SecretPermission::Restore,
                O::Recover => SecretPermission::Recover,
                O::Purge => SecretPermission::Purge,
            });
        }
        Operation::Object(ObjectKind::Certificates, operation) => {
            return Permission::Certificate(match operation {
                O::Get | O::GetDeleted => CertificatePermission::Get,
                O::List | O::ListVersions | O::ListDeleted => CertificatePermission::List,
                O::Update => CertificatePermission::Update,
                O::Delete => CertificatePermission::Delete,
                O::Backup => CertificatePermission::Backup,
                O::Restore => CertificatePermission::Restore,
                O::Recover => CertificatePermission::Recover,
                O::Purge => CertificatePermission::Purge,
            });
        }
        Operation::Object(ObjectKind::Keys, operation) => match operation {
            O::Get | O::GetDeleted => KeyPermission::Get,
            O::List | O::ListVersions | O::ListDeleted => KeyPermission::List,
            O::Update => KeyPermission::Update,
            O::Delete => KeyPermission::Delete,
            O::Backup => KeyPermission::Backup,
            O::Restore => KeyPermission::Restore,
            O::Recover => KeyPermission::Recover,
            O::Purge => KeyPermission::Purge,
        },
        Operation::CreateKey => KeyPermission::Create,
        Operation::ImportKey => KeyPermission::Import,
        Operation::RotateKey => KeyPermission::Rotate,
        Operation::GetRotationPolicy => KeyPermission::GetRotationPolicy,
        Operation::SetRotationPolicy => KeyPermission::SetRotationPolicy,
        Operation::Encrypt => KeyPermission::Encrypt,
        Operation::Decrypt => KeyPermission::Decrypt,
        Operation::WrapKey => KeyPermission::WrapKey,
        Operation::UnwrapKey => KeyPermission::UnwrapKey,
        Operation::Sign => KeyPermission::Sign,
        Operation::Verify => KeyPermission::Verify,
        Operation::CreateCertificate | Operation::MergeCertificate => {
            return Permission::Certificate(CertificatePermission::Create);
        }
        Operation::ImportCertificate => return Permission::Certificate(CertificatePermission::Import),
        Operation::GetCertificateOperation | Operation::GetCertificatePolicy => {
            return Permission::Certificate(CertificatePermission::Get);
        }
        Operation::UpdateCertificateOperation | Operation::UpdateCertificatePolicy => {
            return Permission::Certificate(CertificatePermission::Update);
        }
        Operation::DeleteCertificateOperation => return Permission::Certificate(CertificatePermission::Delete),
        Operation::GetContacts | Operation::SetContacts | Operation::DeleteContacts => {
            return Permission::Certificate(CertificatePermission::ManageContacts);
        }
        Operation::ListIssuers => return Permission::Certificate(CertificatePermission::ListIssuers),
        Operation::GetIssuer => return Permission::Certificate(CertificatePermission::GetIssuers),
        Operation::SetIssuer | Operation::UpdateIssuer => {
            return Permission::Certificate(CertificatePermission::SetIssuers);
        }
        Operation::DeleteIssuer => return Permission::Certificate(CertificatePermission::DeleteIssuers),
    };
    Permission::Key(key)
}

/// Whether holding `permission` is enough for an operation that needs `needed`.
fn covers(permission: Permission, needed: Permission) -> bool {
    let all = matches!(
        (permission, needed),
        (Permission::Secret(SecretPermission::All), Permission::Secret(_))
            | (Permission::Key(KeyPermission::All), Permission::Key(_))
            | (Permission::Certificate(CertificatePermission::All), Permission::Certificate(_))
    );
    // The descriptions of the operations on issuers name both permissions.
    let issuers = [
        CertificatePermission::GetIssuers,
        CertificatePermission::ListIssuers,
        CertificatePermission::SetIssuers,
        CertificatePermission::DeleteIssuers,
    ];
    let manages = permission == Permission::Certificate(CertificatePermission::ManageIssuers)
        && issuers.into_iter().any(|issuers| needed == Permission::Certificate(issuers));
    all || manages || permission == needed
}

#[test]
fn each_permission_opens_exactly_its_operations() {
    let world = World::new();
    let secrets = SecretPermission::VALUES.iter().map(|&permission| {
        let set = PermissionSet { secrets: Granted::of(&[permission]), ..PermissionSet::default() };
        (Permission::Secret(permission), set)
    });
    let keys = KeyPermission::VALUES.iter().map(|&permission| {
        let set = PermissionSet { keys: Granted::of(&[permission]), ..PermissionSet::default() };
        (Permission::Key(permission), set)
    });
    let certificates = CertificatePermission::VALUES.iter().map(|&permission| {
        let set = PermissionSet { certificates: Granted::of(&[permission]), ..PermissionSet::default() };
        (Permission::Certificate(permission), set)
    });
    let caller = world.caller_with(&[]);
    for (permission, set) in secrets.chain(keys).chain(certificates) {
        let change = PolicyChange::Replace(vec![policy(&caller, set)]);
        world.installation.vaults().set_access_policies(&world.operator(), &world.vault.name(), change, NOW).unwrap();
        for operation in Operation::every() {
            let error = attempt(&world, &caller, operation);
            let allowed = covers(permission, needed(operation));
            assert_eq!(!is_denied(error.as_ref()), allowed, "{operation:?} with {permission}: {error:?}");
        }
    }
}

#[test]
fn without_a_permission_every_operation_is_denied_before_anything_else_is_looked_at() {
    let world = World::new();
    world.set("nothing-here", "x", NOW);
    let caller = world.caller_with(&[]);
    for operation in Operation::every() {
        match attempt(&world, &caller, operation) {
            Some(VaultError::Denied { caller: who, operation: what, vault, place, model }) => {
                assert_eq!((who, what, vault), (caller.clone(), operation, world.vault.name()));
                assert_eq!((place.group.as_str(), model), ("credstore", PermissionModel::AccessPolicies));
            }
            other => panic!("{operation:?}: {other:?}"),
        }
    }
}

#[test]
fn a_policy_holds_for_its_object_tenant_and_application_only() {
    let world = World::new();
    let caller = world.caller_with(&[SecretPermission::All]);
    let other: credstore_protocol::ObjectId = "00000000-0000-4000-8000-0000000000ff".parse().unwrap();
    let strangers = [
        Caller { object_id: other.clone(), ..caller.clone() },
        Caller { tenant: other.as_str().parse().unwrap(), ..caller.clone() },
        // The client id in place of the object id: the usual mistake, and no way in.
        Caller { object_id: caller.app_id.as_str().parse().unwrap(), ..caller.clone() },
    ];
    for stranger in strangers {
        for operation in Operation::every() {
            assert!(is_denied(attempt(&world, &stranger, operation).as_ref()), "{stranger:?} {operation:?}");
        }
    }
    let mut bound = policy(&caller, PermissionSet::all());
    bound.application_id = Some(other.as_str().parse().unwrap());
    let change = PolicyChange::Remove(vec![caller.object_id.clone()]);
    let vaults = world.installation.vaults();
    vaults.set_access_policies(&world.operator(), &world.vault.name(), change, NOW).unwrap();
    vaults.set_access_policies(&world.operator(), &world.vault.name(), PolicyChange::Add(vec![bound]), NOW).unwrap();
    assert!(is_denied(attempt(&world, &caller, LIST).as_ref()));
    let through = Caller { app_id: other.as_str().parse().unwrap(), ..caller };
    assert!(!is_denied(attempt(&world, &through, LIST).as_ref()));
}

#[test]
fn taking_a_permission_away_is_effective_at_once() {
    let world = World::new();
    let caller = world.caller_with(&[SecretPermission::List]);
    assert_eq!(attempt(&world, &caller, LIST), None);
    let change = PolicyChange::Remove(vec![caller.object_id.clone()]);
    world.installation.vaults().set_access_policies(&world.operator(), &world.vault.name(), change, NOW).unwrap();
    assert!(is_denied(attempt(&world, &caller, LIST).as_ref()));
}

#[test]
fn permissions_on_one_kind_open_no_other() {
    let world = World::new();
    let caller = world.caller_with(&[]);
    let without_secrets = PermissionSet { secrets: Granted::none(), ..PermissionSet::all() };
    let without_keys = PermissionSet { keys: Granted::none(), ..PermissionSet::all() };
    for (permissions, closed) in [(without_secrets, ObjectKind::Secrets), (without_keys, ObjectKind::Keys)] {
        let change = PolicyChange::Replace(vec![policy(&caller, permissions)]);
        world.installation.vaults().set_access_policies(&world.operator(), &world.vault.name(), change, NOW).unwrap();
        for operation in Operation::every() {
            let denied = is_denied(attempt(&world, &caller, operation).as_ref());
            assert_eq!(denied, operation.kind() == closed, "{operation:?}");
        }
    }
}

#[test]
fn the_names_of_permissions_are_those_of_the_contract_in_any_case() {
    fn names<P: PermissionKind>() -> String {
        P::VALUES.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(", ")
    }
    // Contract section 10.
    assert_eq!(
        names::<KeyPermission>(),
        "all, encrypt, decrypt, wrapKey, unwrapKey, sign, verify, get, list, create, update, import, delete, backup, \
         restore, recover, purge, release, rotate, getrotationpolicy, setrotationpolicy"
    );
    assert_eq!(names::<SecretPermission>(), "all, get, list, set, delete, backup, restore, recover, purge");
    assert_eq!(
        names::<CertificatePermission>(),
        "all, get, list, delete, create, import, update, managecontacts, getissuers, listissuers, setissuers, \
         deleteissuers, manageissuers, recover, purge, backup, restore"
    );
    assert_eq!(
        names::<StoragePermission>(),
        "all, get, list, delete, set, update, regeneratekey, recover, purge, backup, restore, setsas, listsas, \
         getsas, deletesas"
    );
    let granted = Granted::<SecretPermission>::from_names(&["GET".to_owned(), "List".to_owned()]).unwrap();
    assert_eq!(granted.to_names(), ["get", "list"]);
    assert!(Granted::<SecretPermission>::from_names(&["read".to_owned()]).is_err());
    assert_eq!(Permission::Secret(SecretPermission::Get).to_string(), "secrets get");
}

#[test]
fn every_operation_is_in_the_list_of_operations_once() {
    for operation in Operation::every() {
        assert_eq!(Operation::every().filter(|other| *other == operation).count(), 1, "{operation:?}");
    }
}
