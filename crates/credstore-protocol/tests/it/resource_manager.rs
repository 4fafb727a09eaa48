//! Vaults in ARM.

use credstore_protocol::arm::{AccessPolicyParameters, ResourceList, VaultResource};
use serde_json::{Value, json};

/// The body that `az keyvault create` sends. Contract section 15.
fn created_by_az() -> Value {
    json!({"location": "local", "tags": {}, "properties": {"tenantId": "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44",
        "sku": {"name": "standard", "family": "A"}, "accessPolicies": [{
            "tenantId": "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44", "objectId": "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1",
            "permissions": {"keys": ["all"], "secrets": ["all"], "certificates": ["all"], "storage": ["all"]}}],
        "enableRbacAuthorization": false, "enableSoftDelete": true, "softDeleteRetentionInDays": 90,
        "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"}}})
}

#[test]
fn what_az_sends_is_given_back_with_every_member() {
    let vault: VaultResource = serde_json::from_value(created_by_az()).unwrap();
    assert_eq!(vault.properties.enable_rbac_authorization, Some(false));
    assert_eq!(vault.properties.access_policies[0].permissions.secrets, ["all"]);
    assert_eq!(serde_json::to_value(&vault).unwrap(), created_by_az());
}

#[test]
fn a_member_that_we_do_not_act_on_is_kept() {
    let vault: VaultResource = serde_json::from_value(created_by_az()).unwrap();
    assert_eq!(vault.properties.kept["networkAcls"]["defaultAction"], "Allow");
}

#[test]
fn absent_and_false_are_told_apart() {
    // From ARM 2026-02-01 on an absent enableRbacAuthorization means true on creation.
    let mut body = created_by_az();
    body["properties"].as_object_mut().unwrap().remove("enableRbacAuthorization");
    let vault: VaultResource = serde_json::from_value(body).unwrap();
    assert_eq!(vault.properties.enable_rbac_authorization, None);
}

#[test]
fn policies_to_add_are_read_with_the_kinds_that_are_named() {
    let body = json!({"properties": {"accessPolicies": [{"tenantId": "t", "objectId": "o",
        "permissions": {"secrets": ["Get"]}}]}});
    let parameters: AccessPolicyParameters = serde_json::from_value(body).unwrap();
    let permissions = &parameters.properties.access_policies[0].permissions;
    assert_eq!((permissions.secrets.len(), permissions.keys.len()), (1, 0));
}

#[test]
fn a_list_of_resources_ends_without_a_link() {
    let list = ResourceList::<VaultResource> { value: Vec::new(), next_link: None };
    assert_eq!(serde_json::to_value(&list).unwrap(), json!({"value": []}));
}
