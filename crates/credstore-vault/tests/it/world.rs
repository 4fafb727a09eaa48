//! An installation with a vault, and callers with permissions.

use std::sync::Arc;

use credstore_protocol::key_vault::{SecretAttributes, SetSecret};
use credstore_protocol::{Secret, SecretName, Timestamp, VaultName};
use credstore_vault::access::{AccessPolicy, Caller, Granted, PermissionSet, SecretPermission};
use credstore_vault::seal::RootKey;
use credstore_vault::storage::{MemoryStorage, Storage};
use credstore_vault::vaults::{PolicyChange, Vault, VaultSpec};
use credstore_vault::{Installation, VaultError};

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000);
pub(crate) const DAY: i64 = 86_400;

pub(crate) struct World {
    pub(crate) installation: Installation,
    pub(crate) vault: Vault,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) root_key: RootKey,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryStorage::new()), VaultSpec::default())
    }

    pub(crate) fn over(storage: Arc<dyn Storage>, spec: VaultSpec) -> Self {
        let root_key = RootKey::random();
        let installation = Installation::over(Arc::clone(&storage), &root_key, NOW).unwrap();
        let operator = operator(&installation);
        let policy = policy(&operator, PermissionSet::all());
        let spec = VaultSpec { access_policies: Some(vec![policy]), ..spec };
        installation.vaults().create_or_update(&operator, &vault_name("acme-kv"), spec, NOW).unwrap();
        let vault = installation.vaults().open(&vault_name("acme-kv")).unwrap();
        Self { installation, vault, storage, root_key }
    }

    pub(crate) fn operator(&self) -> Caller {
        operator(&self.installation)
    }

    /// A caller that has exactly these permissions on secrets.
    pub(crate) fn caller_with(&self, permissions: &[SecretPermission]) -> Caller {
        let caller = Caller {
            tenant: self.installation.tenant().clone(),
            object_id: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
            app_id: "00000000-0000-4000-8000-000000000002".parse().unwrap(),
        };
        let permissions = PermissionSet { secrets: Granted::of(permissions), ..PermissionSet::default() };
        let change = PolicyChange::Replace(vec![policy(&caller, permissions)]);
        let vaults = self.installation.vaults();
        vaults.set_access_policies(&self.operator(), &self.vault.name(), change, NOW).unwrap();
        caller
    }

    pub(crate) fn set(&self, at: &str, value: &str, now: Timestamp) -> credstore_vault::SecretRecord {
        self.vault.set_secret(&self.operator(), &name(at), set(value), now).unwrap().record
    }

    pub(crate) fn get(&self, at: &str, now: Timestamp) -> Result<String, VaultError> {
        let secret = self.vault.secret(&self.operator(), &name(at), None, now)?;
        Ok(secret.value.expose_secret().to_owned())
    }
}

pub(crate) fn operator(installation: &Installation) -> Caller {
    installation.operator_caller()
}

pub(crate) fn policy(caller: &Caller, permissions: PermissionSet) -> AccessPolicy {
    AccessPolicy {
        tenant: caller.tenant.clone(),
        object_id: caller.object_id.clone(),
        application_id: None,
        permissions,
    }
}

pub(crate) fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub(crate) fn vault_name(text: &str) -> VaultName {
    text.parse().unwrap()
}

pub(crate) fn set(value: &str) -> SetSecret {
    SetSecret { value: Secret::from(value.to_owned()), content_type: None, attributes: None, tags: None }
}

pub(crate) fn enabled(enabled: bool) -> Option<SecretAttributes> {
    Some(SecretAttributes { enabled: Some(enabled), ..SecretAttributes::default() })
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds)
}
