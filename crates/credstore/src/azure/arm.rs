//! Azure Resource Manager as a client: vaults and their access policies.
//!
//! Source: contract section 15. `enableRbacAuthorization` is always written out: what its absence means differs
//! between api-versions. Azure finishes some changes later; those are waited for within the time given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use credstore_protocol::arm::{
    AccessPolicyEntry, AccessPolicyList, AccessPolicyParameters, ResourceList, RoleAssignmentProperties,
    RoleAssignmentResource, VaultProperties, VaultResource, VaultUpdate,
};
use credstore_protocol::{ObjectId, VaultName};
use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::address::ServiceAddress;
use super::door::{Ask, Door, Paged};
use super::error::{AzureError, Service};
use super::retry::When;
use super::token::TokenSource;
use crate::transport::Transport;

/// The version of `Microsoft.KeyVault` we speak: stable, and before the one that turns roles on by itself.
pub const API_VERSION: &str = "2024-11-01";
/// The version of resource groups we speak.
const GROUPS_API_VERSION: &str = "2024-11-01";
/// The version of role assignments we speak.
const ROLES_API_VERSION: &str = "2022-04-01";
/// Pause between two looks at a change that Azure finishes later. Source: Azure CLI polls every few seconds.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What to do with an entry of the access policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicyChange {
    /// Adds its permissions to those that the principal has.
    Add,
    /// Puts it in place of what the principal has.
    Replace,
    /// Takes its permissions away.
    Remove,
}

impl AccessPolicyChange {
    fn segment(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

/// A deleted vault that can still be recovered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeletedVault {
    /// Its resource id as a deleted vault.
    #[serde(default)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// What is known of it.
    pub properties: DeletedVaultProperties,
}

/// What is known of a deleted vault.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeletedVaultProperties {
    /// The vault's resource id.
    pub vault_id: String,
    /// Region.
    pub location: String,
    /// Tags of the vault.
    pub tags: BTreeMap<String, String>,
    /// Whether nobody may purge it.
    pub purge_protection_enabled: bool,
    /// When it was deleted, RFC 3339.
    pub deletion_date: String,
    /// When it will be purged, RFC 3339.
    pub scheduled_purge_date: String,
}

impl<T: DeserializeOwned> Paged for ResourceList<T> {
    type Item = T;
    fn take(self) -> (Vec<T>, Option<String>) {
        (self.value, self.next_link)
    }
}

/// One resource group of one subscription.
pub struct ArmClient {
    door: Door,
    subscription: String,
    group: String,
}

impl ArmClient {
    /// A client for the resource group `group` of `subscription` at `address`, for example
    /// `https://management.azure.com`.
    pub fn new(
        transport: Arc<dyn Transport>,
        tokens: Arc<TokenSource>,
        address: ServiceAddress,
        subscription: impl Into<String>,
        group: impl Into<String>,
    ) -> Self {
        let scope = format!("{}/.default", address.as_str());
        let service = Service::ResourceManager;
        let door = Door { transport, tokens, address, scope, service, vault: String::new() };
        Self { door, subscription: subscription.into(), group: group.into() }
    }

    fn group_path(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{}", segment(&self.subscription), segment(&self.group))
    }

    fn vault_path(&self, name: &VaultName, rest: &str) -> String {
        let group = self.group_path();
        format!("{group}/providers/Microsoft.KeyVault/vaults/{name}{rest}?api-version={API_VERSION}")
    }

    fn deleted_path(&self, location: &str, name: &VaultName, rest: &str) -> String {
        let (subscription, location) = (segment(&self.subscription), segment(location));
        format!(
            "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}{rest}\
             ?api-version={API_VERSION}"
        )
    }

    fn about(method: Method, path: String, name: &VaultName) -> Ask<'static> {
        Ask::new(method, path, "").about(format!("vault {name}"))
    }

    /// Makes the resource group when it is not there.
    pub async fn ensure_group(&self, location: &str, when: When) -> Result<(), AzureError> {
        let path = format!("{}?api-version={GROUPS_API_VERSION}", self.group_path());
        let ask = |method| Ask::new(method, path.clone(), "").about(format!("resource group {}", self.group));
        // A group that is there may be at another location, where it has to stay.
        match self.door.nothing(ask(Method::GET), when).await {
            Err(error) if error.is_not_found() => {
                self.door.nothing(ask(Method::PUT).with_json(&json!({ "location": location })), when).await
            }
            other => other,
        }
    }

    /// One vault.
    pub async fn vault(&self, name: &VaultName, when: When) -> Result<VaultResource, AzureError> {
        self.door.json(Self::about(Method::GET, self.vault_path(name, ""), name), when).await
    }

    /// Every vault of the subscription.
    pub async fn vaults(&self, when: When) -> Result<Vec<VaultResource>, AzureError> {
        let subscription = segment(&self.subscription);
        let path =
            format!("/subscriptions/{subscription}/providers/Microsoft.KeyVault/vaults?api-version={API_VERSION}");
        self.door.list::<ResourceList<VaultResource>>(Ask::new(Method::GET, path, ""), when).await
    }

    /// Makes a vault, or changes one, and waits until Azure has finished it.
    ///
    /// Without a choice in `resource` the vault uses access policies, not roles.
    pub async fn put_vault(
        &self,
        name: &VaultName,
        mut resource: VaultResource,
        when: When,
    ) -> Result<VaultResource, AzureError> {
        resource.properties.enable_rbac_authorization.get_or_insert(false);
        let ask = Self::about(Method::PUT, self.vault_path(name, ""), name).with_json(&resource);
        let made = self.door.json(ask, when).await?;
        self.finished(name, made, when).await
    }

    /// Changes what `update` names, and waits until Azure has finished it. The access policies stay as they are, also
    /// when somebody changes them at the same time.
    pub async fn update_vault(
        &self,
        name: &VaultName,
        update: &VaultUpdate,
        when: When,
    ) -> Result<VaultResource, AzureError> {
        let ask = Self::about(Method::PATCH, self.vault_path(name, ""), name).with_json(update);
        let changed = self.door.json(ask, when).await?;
        self.finished(name, changed, when).await
    }

    /// Looks until the vault is finished, or the time is up; then it is given as it is.
    async fn finished(
        &self,
        name: &VaultName,
        mut vault: VaultResource,
        when: When,
    ) -> Result<VaultResource, AzureError> {
        let done = |vault: &VaultResource| {
            vault.properties.provisioning_state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("Succeeded"))
        };
        while !done(&vault) && when.remaining() > LOOK_EVERY {
            tokio::time::sleep(LOOK_EVERY).await;
            vault = self.vault(name, when).await?;
        }
        Ok(vault)
    }

    /// Deletes a vault; it can be recovered until purged.
    pub async fn delete_vault(&self, name: &VaultName, when: When) -> Result<(), AzureError> {
        self.door.nothing(Self::about(Method::DELETE, self.vault_path(name, ""), name), when).await
    }

    /// Every deleted vault of the subscription.
    pub async fn deleted_vaults(&self, when: When) -> Result<Vec<DeletedVault>, AzureError> {
        let subscription = segment(&self.subscription);
        let path = format!(
            "/subscriptions/{subscription}/providers/Microsoft.KeyVault/deletedVaults?api-version={API_VERSION}"
        );
        self.door.list::<ResourceList<DeletedVault>>(Ask::new(Method::GET, path, ""), when).await
    }

    /// Brings a deleted vault back, with its secrets and access policies.
    pub async fn recover_vault(
        &self,
        name: &VaultName,
        location: &str,
        tenant: &str,
        when: When,
    ) -> Result<VaultResource, AzureError> {
        let resource = VaultResource {
            location: location.to_owned(),
            properties: VaultProperties {
                tenant_id: tenant.to_owned(),
                create_mode: Some("recover".to_owned()),
                ..VaultProperties::default()
            },
            ..VaultResource::default()
        };
        let ask = Self::about(Method::PUT, self.vault_path(name, ""), name).with_json(&resource);
        let recovered = self.door.json(ask, when).await?;
        self.finished(name, recovered, when).await
    }

    /// Destroys a deleted vault for good. Azure finishes that some time after its answer.
    pub async fn purge_vault(&self, name: &VaultName, location: &str, when: When) -> Result<(), AzureError> {
        let path = self.deleted_path(location, name, "/purge");
        self.door.nothing(Self::about(Method::POST, path, name), when).await
    }

    /// Changes the access policy of one principal, whose object id is the service principal's.
    ///
    /// # Errors
    /// [`AzureError::VaultUsesRoles`] when the vault uses roles: the policy would have no effect.
    pub async fn change_access_policy(
        &self,
        name: &VaultName,
        change: AccessPolicyChange,
        entry: AccessPolicyEntry,
        when: When,
    ) -> Result<AccessPolicyList, AzureError> {
        let vault = self.vault(name, when).await?;
        if vault.properties.enable_rbac_authorization == Some(true) {
            return Err(AzureError::VaultUsesRoles { vault: name.to_string() });
        }
        let parameters = AccessPolicyParameters { properties: AccessPolicyList { access_policies: vec![entry] } };
        let path = self.vault_path(name, &format!("/accessPolicies/{}", change.segment()));
        let ask = Self::about(Method::PUT, path, name).with_json(&parameters);
        let answer: AccessPolicyParameters = self.door.json(ask, when).await?;
        Ok(answer.properties)
    }

    fn assignments_path(&self, name: &VaultName, rest: &str) -> String {
        let group = self.group_path();
        format!(
            "{group}/providers/Microsoft.KeyVault/vaults/{name}/providers/Microsoft.Authorization/roleAssignments{rest}\
             ?api-version={ROLES_API_VERSION}"
        )
    }

    /// The roles that `principal` has in the vault: those given there, and those given around it.
    pub async fn role_assignments(
        &self,
        name: &VaultName,
        principal: &ObjectId,
        when: When,
    ) -> Result<Vec<RoleAssignmentResource>, AzureError> {
        let filter = segment(&format!("atScope() and assignedTo('{principal}')"));
        let path = format!("{}&$filter={filter}", self.assignments_path(name, ""));
        self.door.list::<ResourceList<RoleAssignmentResource>>(Self::about(Method::GET, path, name), when).await
    }

    /// Gives the role with the GUID `role` to a service principal, in the vault.
    pub async fn assign_role(
        &self,
        name: &VaultName,
        role: &str,
        principal: &ObjectId,
        when: When,
    ) -> Result<RoleAssignmentResource, AzureError> {
        let subscription = segment(&self.subscription);
        let properties = RoleAssignmentProperties {
            role_definition_id: format!(
                "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
            ),
            principal_id: principal.to_string(),
            principal_type: Some("ServicePrincipal".to_owned()),
        };
        let path = self.assignments_path(name, &format!("/{}", uuid::Uuid::new_v4()));
        let ask = Self::about(Method::PUT, path, name).with_json(&RoleAssignmentResource { properties });
        self.door.json(ask, when).await
    }
}

/// A vault to be made: access policies, soft delete, open to all networks, as the set-up guide makes it.
pub fn new_vault(
    location: &str,
    tenant: &str,
    policies: Vec<AccessPolicyEntry>,
    tags: BTreeMap<String, String>,
) -> VaultResource {
    let network = json!({ "bypass": "AzureServices", "defaultAction": "Allow" });
    let kept: BTreeMap<String, Value> = [("networkAcls".to_owned(), network)].into();
    VaultResource {
        location: location.to_owned(),
        tags,
        properties: VaultProperties {
            tenant_id: tenant.to_owned(),
            access_policies: policies,
            enable_rbac_authorization: Some(false),
            enable_soft_delete: Some(true),
            soft_delete_retention_in_days: Some(90),
            kept,
            ..VaultProperties::default()
        },
        ..VaultResource::default()
    }
}

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, SEGMENT).to_string()
}

/// All but the unreserved characters of RFC 3986 section 2.3.
pub(super) const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
