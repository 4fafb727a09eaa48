//! Messages of Azure Resource Manager, as far as the five steps need them.
//!
//! Source: ARM `Microsoft.KeyVault/vaults`; contract sections 10 and 15.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A vault as ARM describes it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultResource {
    /// `/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Name of the vault.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `Microsoft.KeyVault/vaults`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// Region; ours is the machine itself.
    pub location: String,
    /// Tags of the resource.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What makes it a vault.
    pub properties: VaultProperties,
}

/// The properties of a vault.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultProperties {
    /// The tenant whose tokens open it.
    pub tenant_id: String,
    /// `standard`.
    #[serde(default)]
    pub sku: Sku,
    /// Who may do what, when the vault does not use roles.
    #[serde(default)]
    pub access_policies: Vec<AccessPolicyEntry>,
    /// Roles instead of access policies. Absent on create means true from ARM 2026-02-01 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_rbac_authorization: Option<bool>,
    /// Always true; Azure no longer makes vaults without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_soft_delete: Option<bool>,
    /// 7 to 90, fixed on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_delete_retention_in_days: Option<u16>,
    /// When true nobody can purge, and nobody can switch it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_purge_protection: Option<bool>,
    /// `https://{name}.vault.…/`, with a slash at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_uri: Option<String>,
    /// `Succeeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// `recover` brings a deleted vault back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_mode: Option<String>,
    /// Members that we keep and give back without acting on them, such as `networkAcls`.
    #[serde(flatten)]
    pub kept: BTreeMap<String, Value>,
}

/// Body of `PATCH …/vaults/{n}`: what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultUpdate {
    /// Every tag that the vault has from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// What else changes.
    pub properties: VaultUpdateProperties,
}

/// The properties of a vault that a [`VaultUpdate`] of ours changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultUpdateProperties {
    /// Roles instead of access policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_rbac_authorization: Option<bool>,
    /// `true` is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_purge_protection: Option<bool>,
}

/// Family and tier of a vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sku {
    /// `A`.
    pub family: String,
    /// `standard` or `premium`.
    pub name: String,
}

impl Default for Sku {
    fn default() -> Self {
        Self { family: "A".to_owned(), name: "standard".to_owned() }
    }
}

/// One principal's permissions on a vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicyEntry {
    /// The tenant of the principal.
    pub tenant_id: String,
    /// Object id of the service principal; not of the application, and not the client id.
    pub object_id: String,
    /// Only for compound identities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// What it may do.
    pub permissions: Permissions,
}

/// Permissions by kind of object. Values compare without case; `all` means each of that kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// On keys.
    #[serde(default)]
    pub keys: Vec<String>,
    /// On secrets.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// On certificates.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// On managed storage accounts.
    #[serde(default)]
    pub storage: Vec<String>,
}

/// Body of `PUT …/vaults/{n}/accessPolicies/{add|replace|remove}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessPolicyParameters {
    /// The entries.
    pub properties: AccessPolicyList,
}

/// The entries of [`AccessPolicyParameters`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicyList {
    /// One entry per principal.
    pub access_policies: Vec<AccessPolicyEntry>,
}

/// A role of a principal, as `roleAssignments` shows it and as `PUT …/roleAssignments/{id}` takes it. Members that only
/// Azure sets are left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoleAssignmentResource {
    /// What is assigned, and to whom.
    pub properties: RoleAssignmentProperties,
}

/// The properties of [`RoleAssignmentResource`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleAssignmentProperties {
    /// `/subscriptions/{s}/providers/Microsoft.Authorization/roleDefinitions/{guid}`.
    pub role_definition_id: String,
    /// Object id of the principal.
    pub principal_id: String,
    /// `ServicePrincipal`; Azure looks it up when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_type: Option<String>,
}

impl RoleAssignmentProperties {
    /// The GUID of the role.
    pub fn role(&self) -> &str {
        self.role_definition_id.rsplit('/').next().unwrap_or_default()
    }
}

/// A list of resources.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceList<T> {
    /// The resources.
    pub value: Vec<T>,
    /// Absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
}
