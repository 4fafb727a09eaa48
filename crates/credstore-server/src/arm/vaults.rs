//! `Microsoft.KeyVault/vaults`: requests into specifications, records into resources.

use std::collections::BTreeMap;

use credstore_protocol::VaultName;
use credstore_protocol::arm::{
    AccessPolicyEntry, AccessPolicyParameters, Permissions, ResourceList, Sku, VaultProperties, VaultResource,
};
use credstore_vault::access::{AccessPolicy, Granted, PermissionSet};
use credstore_vault::vaults::{DeletedVault, PolicyChange};
use credstore_vault::{VaultError, VaultRecord, VaultSpec};
use http::{Response, StatusCode};
use hyper::body::{Body, Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::{Problem, ResourceProblem};
use super::{Answer, Call};
use crate::app::Incoming;
use crate::body::Content;
use crate::graph::rfc3339;
use crate::outcome::{empty_answer, json_answer};

/// From this version on a new vault uses roles unless it says otherwise. Source: contract section 15.
const ROLES_BY_DEFAULT_FROM: &str = "2026-02-01";
/// The type of a vault, as ARM writes it.
const TYPE: &str = "Microsoft.KeyVault/vaults";
/// Under this name the tier is kept; the domain has no use for it.
const SKU: &str = "sku";

/// Body of PUT and PATCH. Members that only answers have are read and dropped: clients echo them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    sku: Option<Sku>,
    #[serde(default)]
    access_policies: Option<Vec<AccessPolicyEntry>>,
    #[serde(default)]
    enable_rbac_authorization: Option<bool>,
    #[serde(default)]
    enable_soft_delete: Option<bool>,
    #[serde(default)]
    soft_delete_retention_in_days: Option<u16>,
    #[serde(default)]
    enable_purge_protection: Option<bool>,
    #[serde(default)]
    create_mode: Option<String>,
    #[serde(default, rename = "vaultUri")]
    _vault_uri: Option<Value>,
    #[serde(default, rename = "provisioningState")]
    _provisioning_state: Option<Value>,
    #[serde(flatten)]
    kept: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct NameQuestion {
    name: String,
}

impl Call<'_> {
    fn vault_name(&self) -> Result<VaultName, Problem> {
        let text = self.path.text("n");
        text.parse().map_err(|_| ResourceProblem::VaultNameInvalid(text.to_owned()).into())
    }

    /// What is said when the vault of the path is not in the group of the path.
    pub(super) fn no_vault(&self) -> Problem {
        let (name, group) = (self.path.text("n").to_owned(), self.path.text("g").to_owned());
        ResourceProblem::VaultNotFound { name, group }.into()
    }

    /// The vault of the path, when it is in the group of the path.
    pub(super) fn vault_here(&self) -> Result<VaultRecord, Problem> {
        let group = self.path.text("g");
        self.vaults().group(&self.caller, group)?;
        // A name that cannot be one is absent for who only asks; who creates it is told.
        let name = self.path.text("n").parse::<VaultName>().map_err(|_| self.no_vault())?;
        match self.vaults().record(&self.caller, &name) {
            Ok(record) if record.resource_group.eq_ignore_ascii_case(group) => Ok(record),
            Ok(_) | Err(VaultError::VaultNotFound(_) | VaultError::VaultDeleted(_)) => Err(self.no_vault()),
            Err(error) => Err(error.into()),
        }
    }

    fn vault_shown(&self, status: StatusCode, record: VaultRecord) -> Response<Content> {
        json_answer(status, &self.vault_resource(record))
    }

    pub(super) fn get_vault(&self) -> Answer {
        Ok(self.vault_shown(StatusCode::OK, self.vault_here()?))
    }

    pub(super) fn list_vaults(&self) -> Answer {
        let group = self.path.get("g");
        group.map(|group| self.vaults().group(&self.caller, group)).transpose()?;
        let records = self.vaults().list(&self.caller)?.into_iter();
        let here = records.filter(|record| group.is_none_or(|group| record.resource_group.eq_ignore_ascii_case(group)));
        let value = here.map(|record| self.vault_resource(record)).collect();
        Ok(json_answer(StatusCode::OK, &ResourceList::<Value> { value, next_link: None }))
    }

    /// `GET …/resources?$filter=resourceType eq '…' and name eq '…'`
    pub(super) fn list_resources(&self, filter: Option<&str>) -> Answer {
        let conditions = filter.map_or(Some(Vec::new()), conditions).ok_or_else(Problem::unknown_filter)?;
        let fits = |record: &VaultRecord| {
            conditions.iter().all(|(member, value)| match *member {
                "resourceType" => value.eq_ignore_ascii_case(TYPE),
                "name" => value.eq_ignore_ascii_case(record.name.as_str()),
                _ => false,
            })
        };
        let value = self.vaults().list(&self.caller)?.into_iter().filter(fits).map(|record| {
            json!({"id": self.vault_id(&record), "name": record.name.as_str(), "type": TYPE, "location": record.location,
                "tags": record.tags})
        });
        let value: Vec<Value> = value.collect();
        Ok(json_answer(StatusCode::OK, &json!({"value": value})))
    }

    pub(super) async fn put_vault<B: Body<Data = Bytes>>(&self, body: Incoming<B>, api_version: &str) -> Answer {
        let name = self.vault_name()?;
        let request: Request = self.read(body).await?;
        if request.properties.create_mode.as_deref().is_some_and(|mode| mode.eq_ignore_ascii_case("recover")) {
            let record = self.write(move |vaults, caller, now| vaults.recover(caller, &name, now)).await?;
            return Ok(self.vault_shown(StatusCode::OK, record));
        }
        let existing = match self.vaults().record(&self.caller, &name) {
            Ok(record) => Some(record),
            Err(VaultError::VaultNotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let group = self.path.text("g");
        if existing.as_ref().is_some_and(|record| !record.resource_group.eq_ignore_ascii_case(group)) {
            return Err(ResourceProblem::VaultExists(name.to_string()).into());
        }
        let mut spec = specification(request)?;
        if existing.is_none() {
            spec.resource_group = Some(group.to_owned());
            spec.rbac = spec.rbac.or(Some(api_version >= ROLES_BY_DEFAULT_FROM));
        }
        let record = self.write(move |vaults, caller, now| vaults.create_or_update(caller, &name, spec, now)).await?;
        Ok(self.vault_shown(if existing.is_some() { StatusCode::OK } else { StatusCode::CREATED }, record))
    }

    pub(super) async fn patch_vault<B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Answer {
        let request: Request = self.read(body).await?;
        let existing = self.vault_here()?;
        let mut spec = specification(request)?;
        if let Some(kept) = &mut spec.kept {
            for (member, value) in existing.kept {
                kept.entry(member).or_insert(value);
            }
        }
        let name = existing.name;
        let record = self.write(move |vaults, caller, now| vaults.create_or_update(caller, &name, spec, now)).await?;
        Ok(self.vault_shown(StatusCode::OK, record))
    }

    pub(super) async fn delete_vault(&self) -> Answer {
        let name = match self.vault_here() {
            Ok(record) => record.name,
            // ARM: deleting what is not there is done already.
            Err(Problem::Resource(ResourceProblem::VaultNotFound { .. })) => {
                return Ok(empty_answer(StatusCode::NO_CONTENT));
            }
            Err(problem) => return Err(problem),
        };
        self.write(move |vaults, caller, now| vaults.delete(caller, &name, now)).await?;
        Ok(empty_answer(StatusCode::OK))
    }

    pub(super) async fn change_policies<B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Answer {
        let request: AccessPolicyParameters = self.read(body).await?;
        let policies = policies(request.properties.access_policies)?;
        let kind = self.path.text("change").to_ascii_lowercase();
        let change = match kind.as_str() {
            "add" => PolicyChange::Add(policies),
            "replace" => PolicyChange::Replace(policies),
            "remove" => PolicyChange::Remove(policies.into_iter().map(|policy| policy.object_id).collect()),
            _ => return Err(Problem::BadRequest("The operation kind is 'add', 'replace' or 'remove'.".to_owned())),
        };
        let name = self.vault_here()?.name;
        let record =
            self.write(move |vaults, caller, now| vaults.set_access_policies(caller, &name, change, now)).await?;
        let body = json!({
            "id": format!("{}/accessPolicies/", self.vault_id(&record)),
            "type": "Microsoft.KeyVault/vaults/accessPolicies",
            "location": record.location,
            "properties": {"accessPolicies": entries(&record.access_policies)},
        });
        Ok(json_answer(StatusCode::OK, &body))
    }

    pub(super) async fn check_name<B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Answer {
        let asked: NameQuestion = self.read(body).await?;
        let refused =
            |reason: &str, message: String| json!({"nameAvailable": false, "reason": reason, "message": message});
        let body = match asked.name.parse::<VaultName>() {
            Err(why) => refused("AccountNameInvalid", format!("The vault name is invalid: {why}.")),
            Ok(name) => {
                let deleted = self.vaults().deleted(&self.caller, self.now)?;
                let taken = self.vaults().list(&self.caller)?.iter().any(|record| record.name == name)
                    || deleted.iter().any(|vault| vault.record.name == name);
                if taken {
                    refused("AlreadyExists", format!("The vault name '{name}' is already in use."))
                } else {
                    json!({"nameAvailable": true})
                }
            }
        };
        Ok(json_answer(StatusCode::OK, &body))
    }

    pub(super) fn list_deleted_vaults(&self) -> Answer {
        let vaults = self.vaults().deleted(&self.caller, self.now)?;
        let value: Vec<Value> = vaults.iter().map(|vault| self.deleted_vault_resource(vault)).collect();
        Ok(json_answer(StatusCode::OK, &json!({"value": value})))
    }

    fn deleted_vault(&self) -> Result<DeletedVault, Problem> {
        let (name, location) = (self.path.text("n"), self.path.text("l"));
        let mut vaults = self.vaults().deleted(&self.caller, self.now)?.into_iter();
        let found = vaults.find(|vault| {
            vault.record.name.as_str().eq_ignore_ascii_case(name)
                && vault.record.location.eq_ignore_ascii_case(location)
        });
        found.ok_or_else(|| ResourceProblem::DeletedVaultNotFound(name.to_owned()).into())
    }

    pub(super) fn get_deleted_vault(&self) -> Answer {
        Ok(json_answer(StatusCode::OK, &self.deleted_vault_resource(&self.deleted_vault()?)))
    }

    pub(super) async fn purge_vault(&self) -> Answer {
        let name = self.deleted_vault()?.record.name;
        self.write(move |vaults, caller, now| vaults.purge(caller, &name, now)).await?;
        Ok(empty_answer(StatusCode::OK))
    }

    fn vault_id(&self, record: &VaultRecord) -> String {
        let (subscription, group, name) = (&self.app.names().tenant, &record.resource_group, &record.name);
        format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{TYPE}/{name}")
    }

    fn vault_resource(&self, record: VaultRecord) -> Value {
        let created = rfc3339(record.created);
        let mut kept = record.kept.clone();
        let sku = kept.remove(SKU).and_then(|sku| serde_json::from_value(sku).ok()).unwrap_or_default();
        let resource = VaultResource {
            id: self.vault_id(&record),
            name: record.name.to_string(),
            type_: TYPE.to_owned(),
            location: record.location,
            tags: record.tags,
            properties: VaultProperties {
                tenant_id: record.tenant.to_string(),
                sku,
                access_policies: entries(&record.access_policies),
                enable_rbac_authorization: Some(record.rbac),
                enable_soft_delete: Some(true),
                soft_delete_retention_in_days: Some(record.retention_days),
                enable_purge_protection: record.purge_protection.then_some(true),
                vault_uri: Some(format!("https://{}/", self.app.site().vault_host(&record.name))),
                provisioning_state: Some("Succeeded".to_owned()),
                create_mode: None,
                kept,
            },
        };
        // Every member is a string, number, list or map with string keys: there is nothing that cannot be JSON.
        let mut value = serde_json::to_value(resource).unwrap_or_default();
        value["systemData"] = json!({"createdAt": created, "createdByType": "Application"});
        value
    }

    fn deleted_vault_resource(&self, vault: &DeletedVault) -> Value {
        let (record, subscription) = (&vault.record, &self.app.names().tenant);
        let (location, name) = (&record.location, &record.name);
        json!({
            "id": format!(
                "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}"
            ),
            "name": name.as_str(),
            "type": "Microsoft.KeyVault/deletedVaults",
            "properties": {
                "vaultId": self.vault_id(record),
                "location": location,
                "tags": record.tags,
                "deletionDate": rfc3339(vault.deleted),
                "scheduledPurgeDate": rfc3339(vault.scheduled_purge),
                "purgeProtectionEnabled": record.purge_protection,
            },
        })
    }
}

/// `member eq 'value' and member eq 'value'`. `None`: it is something else.
fn conditions(filter: &str) -> Option<Vec<(&str, &str)>> {
    let one = |text| {
        let (member, value) = str::trim(text).split_once(" eq ")?;
        Some((member.trim(), value.trim().strip_prefix('\'')?.strip_suffix('\'')?))
    };
    filter.split(" and ").map(one).collect()
}

fn specification(request: Request) -> Result<VaultSpec, Problem> {
    let properties = request.properties;
    if properties.enable_soft_delete == Some(false) {
        return Err(Problem::BadRequest(
            "The property \"enableSoftDelete\" cannot be set to false: every vault has soft delete.".to_owned(),
        ));
    }
    let tenant = properties.tenant_id.map(|tenant| {
        tenant.parse().map_err(|_| Problem::BadRequest("The property \"tenantId\" is not a GUID.".to_owned()))
    });
    let mut kept = properties.kept;
    if let Some(sku) = properties.sku {
        kept.insert(SKU.to_owned(), json!(sku));
    }
    Ok(VaultSpec {
        tenant: tenant.transpose()?,
        resource_group: None,
        location: request.location.filter(|location| !location.is_empty()),
        tags: request.tags,
        access_policies: properties.access_policies.map(policies).transpose()?,
        rbac: properties.enable_rbac_authorization,
        retention_days: properties.soft_delete_retention_in_days,
        purge_protection: properties.enable_purge_protection,
        kept: Some(kept),
    })
}

fn policies(entries: Vec<AccessPolicyEntry>) -> Result<Vec<AccessPolicy>, Problem> {
    entries.into_iter().map(policy).collect()
}

fn policy(entry: AccessPolicyEntry) -> Result<AccessPolicy, Problem> {
    let bad = |member: &str| Problem::BadRequest(format!("The access policy's \"{member}\" is not a GUID."));
    let unknown = |why: credstore_vault::access::UnknownPermission| {
        let text: String = why.text.chars().take(64).collect();
        Problem::BadRequest(format!("'{text}' is not a permission on {}.", why.kind))
    };
    let application_id = entry.application_id.filter(|id| !id.is_empty()).map(|id| id.parse());
    Ok(AccessPolicy {
        tenant: entry.tenant_id.parse().map_err(|_| bad("tenantId"))?,
        object_id: entry.object_id.parse().map_err(|_| bad("objectId"))?,
        application_id: application_id.transpose().map_err(|_| bad("applicationId"))?,
        permissions: PermissionSet {
            keys: Granted::from_names(&entry.permissions.keys).map_err(unknown)?,
            secrets: Granted::from_names(&entry.permissions.secrets).map_err(unknown)?,
            certificates: Granted::from_names(&entry.permissions.certificates).map_err(unknown)?,
            storage: Granted::from_names(&entry.permissions.storage).map_err(unknown)?,
        },
    })
}

fn entries(policies: &[AccessPolicy]) -> Vec<AccessPolicyEntry> {
    let entry = |policy: &AccessPolicy| AccessPolicyEntry {
        tenant_id: policy.tenant.to_string(),
        object_id: policy.object_id.to_string(),
        application_id: policy.application_id.as_ref().map(ToString::to_string),
        permissions: Permissions {
            keys: policy.permissions.keys.to_names(),
            secrets: policy.permissions.secrets.to_names(),
            certificates: policy.permissions.certificates.to_names(),
            storage: policy.permissions.storage.to_names(),
        },
    };
    policies.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_the_two_known_members_is_read() {
        assert_eq!(
            conditions("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'acme'"),
            Some(vec![("resourceType", TYPE), ("name", "acme")])
        );
        assert_eq!(conditions("name ne 'acme'"), None);
        assert_eq!(conditions("name eq acme"), None);
    }

    #[test]
    fn an_unknown_permission_is_named_and_refused() {
        let entry = AccessPolicyEntry {
            tenant_id: "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1".to_owned(),
            object_id: "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f2".to_owned(),
            application_id: None,
            permissions: Permissions { secrets: vec!["GET".to_owned(), "gets".to_owned()], ..Default::default() },
        };
        let Err(Problem::BadRequest(text)) = policy(entry) else { panic!("it was accepted") };
        assert_eq!(text, "'gets' is not a permission on secrets.");
    }
}
