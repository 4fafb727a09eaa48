//! What a vault resource is, for callers and in the storage.

use std::collections::BTreeMap;

use credstore_protocol::{ObjectId, TenantId, Timestamp, VaultName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DEFAULT_GROUP;
use crate::access::AccessPolicy;
use crate::error::{StoreFailure, VaultError};
use crate::seal::hex16;

/// Shortest and longest retention of deleted objects, in days. Source: Key Vault, soft delete.
pub const RETENTION_DAYS: std::ops::RangeInclusive<u16> = 7..=90;
/// Most access policies of one vault. Source: Key Vault, "Assign an access policy": 1024 entries.
pub const ACCESS_POLICIES_MAX: usize = 1024;
/// Most tags of one vault. Source: ARM `Microsoft.KeyVault/vaults`, 15 tags.
pub const VAULT_TAGS_MAX: usize = 15;
/// Longest name and value of a tag, and of a resource group or location, in characters. Source: ARM tags.
pub const VAULT_TEXT_MAX: usize = 512;
/// Most bytes of members that are only kept. Ours: `networkAcls` with all its rules fits.
pub const KEPT_MAX: usize = 64 * 1024;

const SECONDS_A_DAY: i64 = 86_400;

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

/// When something was deleted and when it will be purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deletion {
    pub(crate) at: Timestamp,
    pub(crate) purge: Timestamp,
}

impl Deletion {
    /// Deleted `now`, to be purged when `days` have passed. Source: contract section 7.
    pub(crate) fn new(now: Timestamp, days: u16) -> Self {
        Self { at: now, purge: Timestamp(now.0.saturating_add(i64::from(days) * SECONDS_A_DAY)) }
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.purge
    }
}

/// A vault as it lies in the storage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredVault {
    #[serde(with = "hex16")]
    pub(crate) id: [u8; 16],
    pub(crate) name: String,
    tenant: TenantId,
    resource_group: String,
    location: String,
    tags: BTreeMap<String, String>,
    access_policies: Vec<AccessPolicy>,
    rbac: bool,
    retention_days: u16,
    purge_protection: bool,
    created: Timestamp,
    kept: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deletion: Option<Deletion>,
}

impl StoredVault {
    pub(crate) fn of(id: [u8; 16], record: &VaultRecord, deletion: Option<Deletion>) -> Self {
        let record = record.clone();
        Self {
            id,
            name: record.name.as_str().to_owned(),
            tenant: record.tenant,
            resource_group: record.resource_group,
            location: record.location,
            tags: record.tags,
            access_policies: record.access_policies,
            rbac: record.rbac,
            retention_days: record.retention_days,
            purge_protection: record.purge_protection,
            created: record.created,
            kept: record.kept,
            deletion,
        }
    }

    pub(crate) fn record(self) -> Result<VaultRecord, VaultError> {
        let damaged = || StoreFailure::damaged("the name of a vault");
        Ok(VaultRecord {
            name: self.name.parse().map_err(|_| damaged())?,
            tenant: self.tenant,
            resource_group: self.resource_group,
            location: self.location,
            tags: self.tags,
            access_policies: self.access_policies,
            rbac: self.rbac,
            retention_days: self.retention_days,
            purge_protection: self.purge_protection,
            created: self.created,
            kept: self.kept,
        })
    }
}

fn bad(message: impl Into<String>) -> VaultError {
    VaultError::BadParameter { message: message.into() }
}

/// A new vault as `spec` wants it.
pub(crate) fn created(
    name: &VaultName,
    tenant: &TenantId,
    spec: VaultSpec,
    now: Timestamp,
) -> Result<VaultRecord, VaultError> {
    let record = VaultRecord {
        name: name.clone(),
        tenant: spec.tenant.unwrap_or_else(|| tenant.clone()),
        resource_group: spec.resource_group.unwrap_or_else(|| DEFAULT_GROUP.to_owned()),
        location: spec.location.unwrap_or_else(|| "local".to_owned()),
        tags: spec.tags.unwrap_or_default(),
        access_policies: merged(Vec::new(), spec.access_policies.unwrap_or_default()),
        rbac: spec.rbac.unwrap_or(false),
        retention_days: spec.retention_days.unwrap_or(*RETENTION_DAYS.end()),
        purge_protection: spec.purge_protection.unwrap_or(false),
        created: now,
        kept: spec.kept.unwrap_or_default(),
    };
    check(&record, tenant)?;
    Ok(record)
}

/// `record` with what `spec` changes. Retention is fixed and purge protection cannot be switched off.
pub(crate) fn updated(record: &VaultRecord, tenant: &TenantId, spec: VaultSpec) -> Result<VaultRecord, VaultError> {
    if spec.retention_days.is_some_and(|days| days != record.retention_days) {
        return Err(bad("The property \"softDeleteRetentionInDays\" has been set already and it can't be modified."));
    }
    if record.purge_protection && spec.purge_protection == Some(false) {
        return Err(bad(
            "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault \
             is an irreversible action.",
        ));
    }
    let record = VaultRecord {
        name: record.name.clone(),
        tenant: spec.tenant.unwrap_or_else(|| record.tenant.clone()),
        resource_group: spec.resource_group.unwrap_or_else(|| record.resource_group.clone()),
        location: spec.location.unwrap_or_else(|| record.location.clone()),
        tags: spec.tags.unwrap_or_else(|| record.tags.clone()),
        access_policies: match spec.access_policies {
            Some(policies) => merged(Vec::new(), policies),
            None => record.access_policies.clone(),
        },
        rbac: spec.rbac.unwrap_or(record.rbac),
        retention_days: record.retention_days,
        purge_protection: record.purge_protection || spec.purge_protection.unwrap_or(false),
        created: record.created,
        kept: spec.kept.unwrap_or_else(|| record.kept.clone()),
    };
    check(&record, tenant)?;
    Ok(record)
}

/// The policies after `change`.
pub(crate) fn changed_policies(policies: Vec<AccessPolicy>, change: PolicyChange) -> Vec<AccessPolicy> {
    match change {
        PolicyChange::Add(added) => merged(policies, added),
        PolicyChange::Replace(replaced) => {
            let named = |policy: &AccessPolicy| replaced.iter().any(|new| same_principal(new, policy));
            let kept = policies.into_iter().filter(|policy| !named(policy)).collect();
            merged(kept, replaced.clone())
        }
        PolicyChange::Remove(principals) => {
            policies.into_iter().filter(|policy| !principals.contains(&policy.object_id)).collect()
        }
    }
}

fn same_principal(one: &AccessPolicy, other: &AccessPolicy) -> bool {
    one.object_id == other.object_id && one.tenant == other.tenant && one.application_id == other.application_id
}

/// One policy for each principal, with everything that its entries grant.
fn merged(mut policies: Vec<AccessPolicy>, added: Vec<AccessPolicy>) -> Vec<AccessPolicy> {
    for policy in added {
        match policies.iter_mut().find(|known| same_principal(known, &policy)) {
            Some(known) => known.permissions = known.permissions.union(&policy.permissions),
            None => policies.push(policy),
        }
    }
    policies
}

/// Everything that must hold of a vault, however it came about.
pub(crate) fn check(record: &VaultRecord, tenant: &TenantId) -> Result<(), VaultError> {
    let too_long = |text: &String| text.chars().count() > VAULT_TEXT_MAX;
    if record.tenant != *tenant || record.access_policies.iter().any(|policy| policy.tenant != *tenant) {
        return Err(bad(format!("tenantId must be {tenant}, the tenant of this installation.")));
    }
    if !RETENTION_DAYS.contains(&record.retention_days) {
        return Err(bad("softDeleteRetentionInDays must be from 7 to 90."));
    }
    if record.access_policies.len() > ACCESS_POLICIES_MAX {
        return Err(bad(format!("accessPolicies must not have more than {ACCESS_POLICIES_MAX} entries.")));
    }
    if record.tags.len() > VAULT_TAGS_MAX || record.tags.iter().any(|(name, value)| too_long(name) || too_long(value)) {
        return Err(bad(format!("At most {VAULT_TAGS_MAX} tags of {VAULT_TEXT_MAX} characters each.")));
    }
    if too_long(&record.resource_group) || too_long(&record.location) {
        return Err(bad(format!("Resource group and location must not exceed {VAULT_TEXT_MAX} characters.")));
    }
    let kept = serde_json::to_vec(&record.kept).map_or(usize::MAX, |text| text.len());
    if kept > KEPT_MAX {
        return Err(bad(format!("The other properties must not exceed {KEPT_MAX} bytes.")));
    }
    Ok(())
}
