//! Vault resources.

use std::collections::BTreeMap;

use credstore_protocol::{ObjectId, TenantId, Timestamp, VaultName};
use serde_json::Value;

use crate::access::{AccessPolicy, Caller};
use crate::error::VaultError;

/// Shortest and longest retention of deleted objects, in days. Source: Key Vault, soft delete.
pub const RETENTION_DAYS: std::ops::RangeInclusive<u16> = 7..=90;

/// Every vault of the installation.
pub struct Vaults {}

/// One vault, for the data plane. Cheap to clone.
#[derive(Clone)]
pub struct Vault {}

/// What a vault is to be. Absent members keep their value, or take the default on creation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VaultSpec {
    /// The tenant; absent means the installation's, another one is refused.
    pub tenant: Option<TenantId>,
    /// Resource group. Default `credstore`.
    pub resource_group: Option<String>,
    /// Location. Default `local`.
    pub location: Option<String>,
    /// Tags of the resource.
    pub tags: Option<BTreeMap<String, String>>,
    /// The whole list of policies.
    pub access_policies: Option<Vec<AccessPolicy>>,
    /// Roles instead of access policies. Default false; the server decides by ARM's api-version.
    pub rbac: Option<bool>,
    /// 7 to 90, default 90, fixed on creation.
    pub retention_days: Option<u16>,
    /// Default false; cannot be switched off.
    pub purge_protection: Option<bool>,
    /// Members that are kept and given back.
    pub kept: Option<BTreeMap<String, Value>>,
}

/// A vault resource.
#[derive(Clone, Debug, PartialEq)]
pub struct VaultRecord {
    /// Name as it was created.
    pub name: VaultName,
    /// The tenant whose tokens open it.
    pub tenant: TenantId,
    /// Resource group.
    pub resource_group: String,
    /// Location.
    pub location: String,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
    /// Who may do what.
    pub access_policies: Vec<AccessPolicy>,
    /// Roles instead of access policies.
    pub rbac: bool,
    /// Days that deleted secrets, and the deleted vault, are kept.
    pub retention_days: u16,
    /// Whether nobody may purge.
    pub purge_protection: bool,
    /// When it was created.
    pub created: Timestamp,
    /// Members that are kept and given back.
    pub kept: BTreeMap<String, Value>,
}

/// A deleted vault.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletedVault {
    /// As it was.
    pub record: VaultRecord,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// When it will be purged.
    pub scheduled_purge: Timestamp,
}

/// How a list of access policies changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// Adds permissions to those that the principals have.
    Add(Vec<AccessPolicy>),
    /// Replaces the permissions of these principals; others stay.
    Replace(Vec<AccessPolicy>),
    /// Takes every permission from these principals.
    Remove(Vec<ObjectId>),
}

impl Vaults {
    /// Creates a vault, or changes it when it exists.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn create_or_update(
        &self,
        _caller: &Caller,
        _name: &VaultName,
        _spec: VaultSpec,
        _now: Timestamp,
    ) -> Result<VaultRecord, VaultError> {
        unimplemented!()
    }

    /// One vault.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn record(&self, _caller: &Caller, _name: &VaultName) -> Result<VaultRecord, VaultError> {
        unimplemented!()
    }

    /// Every vault.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn list(&self, _caller: &Caller) -> Result<Vec<VaultRecord>, VaultError> {
        unimplemented!()
    }

    /// Changes who may do what.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn set_access_policies(
        &self,
        _caller: &Caller,
        _name: &VaultName,
        _change: PolicyChange,
        _now: Timestamp,
    ) -> Result<VaultRecord, VaultError> {
        unimplemented!()
    }

    /// Deletes a vault; it can be recovered until its retention has passed.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn delete(&self, _caller: &Caller, _name: &VaultName, _now: Timestamp) -> Result<(), VaultError> {
        unimplemented!()
    }

    /// Every deleted vault.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn deleted(&self, _caller: &Caller, _now: Timestamp) -> Result<Vec<DeletedVault>, VaultError> {
        unimplemented!()
    }

    /// Brings a deleted vault back.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn recover(&self, _caller: &Caller, _name: &VaultName, _now: Timestamp) -> Result<VaultRecord, VaultError> {
        unimplemented!()
    }

    /// Destroys a deleted vault.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn purge(&self, _caller: &Caller, _name: &VaultName, _now: Timestamp) -> Result<(), VaultError> {
        unimplemented!()
    }

    /// Purges every deleted secret and vault whose retention has passed. For a background loop; returns how many.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn purge_expired(&self, _now: Timestamp) -> Result<usize, VaultError> {
        unimplemented!()
    }

    /// The vault for the data plane.
    ///
    /// # Errors
    /// [`VaultError::VaultNotFound`].
    pub fn open(&self, _name: &VaultName) -> Result<Vault, VaultError> {
        unimplemented!()
    }
}
