//! What is sent to Resource Manager and Graph, against sections 15 and 16 of the contract, and what comes back.

use std::collections::BTreeMap;

use credstore::azure::arm::{AccessPolicyChange, ArmClient, new_vault};
use credstore::azure::graph::ApplicationFilter;
use credstore::azure::{AzureError, ServiceAddress};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::ObjectId;
use credstore::protocol::arm::{AccessPolicyEntry, Permissions, VaultUpdate, VaultUpdateProperties};
use credstore::protocol::graph::ApplicationParameters;
use serde_json::{Value, json};

use crate::azure_support::{
    CLIENT, Fake, Reply, TENANT, arm, client_id, generated, graph, now, reply, tokens, vault_error, vault_name,
};

const OBJECT: &str = "99999999-2222-3333-4444-555555555555";

fn object() -> ObjectId {
    OBJECT.parse().unwrap()
}

fn vault_resource() -> Value {
    json!({"location": "westeurope", "properties": {"tenantId": TENANT, "provisioningState": "Succeeded"}})
}

/// A cloud that gives every question an answer of the right shape.
fn cloud() -> std::sync::Arc<Fake> {
    Fake::signed_in(|seen, _| {
        let application = json!({"id": OBJECT, "appId": CLIENT, "displayName": "process-mining",
            "createdDateTime": "2026-11-23T10:02:07Z", "keyCredentials": []});
        let principal = json!({"id": OBJECT, "appId": CLIENT, "displayName": "process-mining"});
        if seen.method == "GET" && seen.path.contains("/resourceGroups/credstore?") {
            return vault_error(404, "ResourceGroupNotFound", None, "Resource group 'credstore' could not be found.");
        }
        let is_list = |end: &str| seen.path.split('?').next().unwrap().ends_with(end);
        let body = match seen.method.as_str() {
            "PATCH" if seen.path.contains("/vaults/") => vault_resource(),
            "DELETE" | "PATCH" => return reply(204, &[], ""),
            _ if seen.path.contains("/accessPolicies/") => seen.json(),
            "GET" if is_list("applications") => json!({"@odata.context": "c", "value": [application]}),
            "GET" if is_list("servicePrincipals") => json!({"@odata.context": "c", "value": [principal]}),
            "GET" if is_list("vaults") || is_list("deletedVaults") => json!({ "value": [] }),
            _ if seen.path.contains("servicePrincipals") => principal,
            _ if seen.path.contains("applications") => application,
            _ => vault_resource(),
        };
        reply(200, &[], &body.to_string())
    })
}

fn lines(fake: &Fake) -> Vec<String> {
    fake.asked().iter().map(|seen| seen.line().replace("?api-version=2024-11-01", "")).collect()
}

#[tokio::test]
async fn every_question_to_arm_has_the_method_path_and_version_of_the_contract() {
    let fake = cloud();
    let (arm, name) = (arm(&fake), vault_name());
    arm.ensure_group("westeurope", now()).await.unwrap();
    arm.vault(&name, now()).await.unwrap();
    arm.vaults(now()).await.unwrap();
    arm.put_vault(&name, new_vault("westeurope", TENANT, Vec::new(), BTreeMap::new()), now()).await.unwrap();
    arm.update_vault(&name, &VaultUpdate::default(), now()).await.unwrap();
    arm.delete_vault(&name, now()).await.unwrap();
    arm.deleted_vaults(now()).await.unwrap();
    arm.recover_vault(&name, "westeurope", TENANT, now()).await.unwrap();
    arm.purge_vault(&name, "westeurope", now()).await.unwrap();
    let group = format!("/subscriptions/{TENANT}/resourceGroups/credstore");
    let vault = format!("{group}/providers/Microsoft.KeyVault/vaults/acme-kv");
    let provider = format!("/subscriptions/{TENANT}/providers/Microsoft.KeyVault");
    assert_eq!(
        lines(&fake),
        [
            format!("GET {group}"),
            format!("PUT {group}"),
            format!("GET {vault}"),
            format!("GET {provider}/vaults"),
            format!("PUT {vault}"),
            format!("PATCH {vault}"),
            format!("DELETE {vault}"),
            format!("GET {provider}/deletedVaults"),
            format!("PUT {vault}"),
            format!("POST {provider}/locations/westeurope/deletedVaults/acme-kv/purge"),
        ]
    );
    assert!(fake.asked().iter().all(|seen| seen.path.ends_with("?api-version=2024-11-01")));
    assert!(fake.asked().iter().all(|seen| seen.host == "management.azure.com"));
    assert_eq!(fake.tokens_asked(), 1);
}

#[tokio::test]
async fn the_bodies_for_arm_are_those_of_the_contract() {
    let fake = cloud();
    let arm = arm(&fake);
    arm.ensure_group("westeurope", now()).await.unwrap();
    let entry = AccessPolicyEntry {
        tenant_id: TENANT.to_owned(),
        object_id: OBJECT.to_owned(),
        application_id: None,
        permissions: Permissions { secrets: vec!["get".to_owned()], ..Permissions::default() },
    };
    let tags: BTreeMap<_, _> = [("team".to_owned(), "pm".to_owned())].into();
    arm.put_vault(&vault_name(), new_vault("westeurope", TENANT, vec![entry], tags), now()).await.unwrap();
    arm.recover_vault(&vault_name(), "westeurope", TENANT, now()).await.unwrap();
    let properties = VaultUpdateProperties { enable_purge_protection: Some(true), ..VaultUpdateProperties::default() };
    arm.update_vault(&vault_name(), &VaultUpdate { tags: None, properties }, now()).await.unwrap();
    let sent = fake.asked();
    let bodies: Vec<_> = sent.iter().filter(|seen| seen.method != "GET").map(|seen| seen.json()).collect();
    let policy = json!({"tenantId": TENANT, "objectId": OBJECT,
        "permissions": {"keys": [], "secrets": ["get"], "certificates": [], "storage": []}});
    assert_eq!(bodies[0], json!({"location": "westeurope"}));
    assert_eq!(
        bodies[1],
        json!({"location": "westeurope", "tags": {"team": "pm"}, "properties": {"tenantId": TENANT,
            "sku": {"family": "A", "name": "standard"}, "accessPolicies": [policy],
            "enableRbacAuthorization": false, "enableSoftDelete": true, "softDeleteRetentionInDays": 90,
            "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"}}})
    );
    assert_eq!(bodies[2]["properties"]["createMode"], "recover");
    assert_eq!(bodies[2]["properties"]["tenantId"], TENANT);
    assert_eq!(bodies[2]["properties"].get("enableRbacAuthorization"), None, "what the vault had must come back");
    assert_eq!(bodies[3], json!({"properties": {"enablePurgeProtection": true}}), "what is not named is not sent");
    let with_body = |seen: &&crate::azure_support::Seen| seen.method != "GET";
    assert!(sent.iter().filter(with_body).all(|seen| seen.header("content-type") == "application/json"));
}

#[tokio::test]
async fn a_role_is_looked_up_and_given_in_the_scope_of_the_vault() {
    // Source: learn.microsoft.com "Role Assignments", Create and List For Resource (REST, 2022-04-01).
    const ROLE: &str = "4633458b-17de-408a-b874-0445c86b69e6";
    let role = format!("/subscriptions/{TENANT}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}");
    let assignment = json!({"id": "x", "name": OBJECT, "type": "Microsoft.Authorization/roleAssignments", "properties": {
        "roleDefinitionId": role, "principalId": OBJECT, "principalType": "ServicePrincipal", "scope": "/", "condition": null}});
    let fake = Fake::signed_in(move |seen, _| match seen.method.as_str() {
        "GET" => reply(200, &[], &json!({ "value": [assignment] }).to_string()),
        _ => reply(201, &[], &assignment.to_string()),
    });
    let (arm, name) = (arm(&fake), vault_name());
    let found = arm.role_assignments(&name, &object(), now()).await.unwrap();
    assert_eq!(found.iter().map(|one| one.properties.role()).collect::<Vec<_>>(), [ROLE]);
    arm.assign_role(&name, ROLE, &object(), now()).await.unwrap();
    let asked = fake.asked();
    let scope = format!("/subscriptions/{TENANT}/resourceGroups/credstore/providers/Microsoft.KeyVault/vaults/acme-kv");
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
    let filter = format!("atScope%28%29%20and%20assignedTo%28%27{OBJECT}%27%29");
    assert_eq!(asked[0].line(), format!("GET {path}?api-version=2022-04-01&$filter={filter}"));
    let id = asked[1].path.strip_prefix(&format!("{path}/")).unwrap().strip_suffix("?api-version=2022-04-01").unwrap();
    assert!(id.parse::<ObjectId>().is_ok() && asked[1].method == "PUT", "{id}");
    let body =
        json!({"properties": {"roleDefinitionId": role, "principalId": OBJECT, "principalType": "ServicePrincipal"}});
    assert_eq!(asked[1].json(), body);
}

#[tokio::test]
async fn access_policies_are_added_replaced_and_removed_under_their_own_paths() {
    for (change, segment) in [
        (AccessPolicyChange::Add, "add"),
        (AccessPolicyChange::Replace, "replace"),
        (AccessPolicyChange::Remove, "remove"),
    ] {
        let fake = cloud();
        let entry = AccessPolicyEntry {
            tenant_id: TENANT.to_owned(),
            object_id: OBJECT.to_owned(),
            application_id: None,
            permissions: Permissions::default(),
        };
        arm(&fake).change_access_policy(&vault_name(), change, entry, now()).await.unwrap();
        assert!(lines(&fake)[1].ends_with(&format!("/vaults/acme-kv/accessPolicies/{segment}")), "{segment}");
        assert_eq!(fake.asked()[1].json()["properties"]["accessPolicies"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn names_of_groups_and_places_cannot_leave_their_segment() {
    for (text, segment) in [
        ("a/../b", "a%2F..%2Fb"),
        ("a?b=c", "a%3Fb%3Dc"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        ("grün", "gr%C3%BCn"),
        ("a%2fb", "a%252fb"),
        ("a\r\nb", "a%0D%0Ab"),
        ("rg_1.x-y~z", "rg_1.x-y~z"),
    ] {
        let fake = cloud();
        let address = ServiceAddress::new("https://management.azure.com").unwrap();
        let arm = ArmClient::new(fake.clone(), tokens(&fake), address, text, text);
        arm.vault(&vault_name(), now()).await.unwrap();
        arm.purge_vault(&vault_name(), text, now()).await.unwrap();
        let lines = lines(&fake);
        assert!(
            lines[0].starts_with(&format!("GET /subscriptions/{segment}/resourceGroups/{segment}/")),
            "{}",
            lines[0]
        );
        assert!(lines[1].contains(&format!("/locations/{segment}/deletedVaults/")), "{}", lines[1]);
    }
}

#[tokio::test]
async fn every_question_to_graph_has_the_method_and_path_of_the_contract() {
    let fake = cloud();
    let graph = graph(&fake);
    graph.create_application("process-mining", now()).await.unwrap();
    graph.application(&object(), now()).await.unwrap();
    for filter in [
        ApplicationFilter::All,
        ApplicationFilter::Named("O'Brien & Söhne".to_owned()),
        ApplicationFilter::Client(client_id()),
    ] {
        assert_eq!(graph.applications(&filter, now()).await.unwrap().len(), 1);
    }
    graph.update_application(&object(), &ApplicationParameters::default(), now()).await.unwrap();
    graph.create_service_principal(&client_id(), now()).await.unwrap();
    assert!(graph.service_principal(&client_id(), now()).await.unwrap().is_some());
    graph.service_principals(now()).await.unwrap();
    graph.delete_application(&object(), now()).await.unwrap();
    assert_eq!(
        lines(&fake),
        [
            "POST /v1.0/applications".to_owned(),
            format!("GET /v1.0/applications/{OBJECT}"),
            "GET /v1.0/applications".to_owned(),
            "GET /v1.0/applications?$filter=displayName%20eq%20%27O%27%27Brien%20%26%20S%C3%B6hne%27".to_owned(),
            format!("GET /v1.0/applications?$filter=appId%20eq%20%27{CLIENT}%27"),
            format!("PATCH /v1.0/applications/{OBJECT}"),
            "POST /v1.0/servicePrincipals".to_owned(),
            format!("GET /v1.0/servicePrincipals?$filter=servicePrincipalNames%2Fany%28c%3Ac%20eq%20%27{CLIENT}%27%29"),
            "GET /v1.0/servicePrincipals".to_owned(),
            format!("DELETE /v1.0/applications/{OBJECT}"),
        ]
    );
    let asked = fake.asked();
    assert_eq!(asked[0].json(), json!({"displayName": "process-mining", "keyCredentials": []}));
    assert_eq!(asked[5].json(), json!({}), "what is not given stays");
    assert_eq!(asked[6].json(), json!({"appId": CLIENT, "accountEnabled": true}));
    assert!(asked.iter().all(|seen| seen.host == "graph.microsoft.com"));
    assert!(fake.all()[0].body.contains("scope=https%3A%2F%2Fgraph%2Emicrosoft%2Ecom%2F%2Edefault"));
}

#[tokio::test]
async fn an_uploaded_key_is_the_public_certificate_and_its_name_is_cut() {
    let fake = cloud();
    graph(&fake).add_key(&object(), &generated().public, Some(&"ä".repeat(91)), now()).await.unwrap();
    let key = &fake.asked()[1].json()["keyCredentials"][0];
    let standard = credstore::protocol::encoding::base64_standard(&generated().public.der);
    assert_eq!(key["key"], standard);
    assert_eq!(key["displayName"].as_str().unwrap().chars().count(), 90);
    assert_eq!(key["customKeyIdentifier"], generated().public.thumbprint());
    assert_eq!(key["startDateTime"].as_str().unwrap().len(), "2026-11-23T09:52:07Z".len());
    let sent: String = fake.all().iter().map(|seen| seen.body.as_str()).collect();
    assert!(!sent.contains("PRIVATE") && !sent.contains("BEGIN"));
}

#[tokio::test(start_paused = true)]
async fn every_refusal_of_arm_and_graph_has_its_code_exit_cause_and_fix() {
    for (status, code, of_arm, of_graph) in [
        (400, "Request_BadRequest", ("CS4105", 2), ("CS3203", 2)),
        (400, "InvalidApiVersionParameter", ("CS4105", 2), ("CS3203", 2)),
        (403, "Authorization_RequestDenied", ("CS4104", 5), ("CS3202", 5)),
        (404, "Request_ResourceNotFound", ("CS4101", 6), ("CS3201", 6)),
        (404, "SubscriptionNotFound", ("CS4106", 6), ("CS4106", 6)),
        (404, "SoftDeletedVaultDoesNotExist", ("CS4107", 6), ("CS4107", 6)),
        (403, "MethodNotAllowed", ("CS4111", 5), ("CS4111", 5)),
        (404, "", ("CS4101", 6), ("CS3201", 6)),
        (409, "Unheard", ("CS4109", 9), ("CS3204", 9)),
        (412, "", ("CS4109", 9), ("CS3204", 9)),
        (418, "", ("CS4105", 2), ("CS3203", 2)),
        (429, "TooManyRequests", ("CS4110", 8), ("CS4110", 8)),
        (503, "", ("CS4110", 8), ("CS4110", 8)),
    ] {
        let answering = move |_: &_, _| -> Reply { vault_error(status, code, None, "why") };
        let fake = Fake::signed_in(answering);
        let arm = arm(&fake).vault(&vault_name(), now()).await.unwrap_err();
        let graph = graph(&fake).application(&object(), now()).await.unwrap_err();
        for (error, expected) in [(arm, of_arm), (graph, of_graph)] {
            let diagnosis = Diagnosis::from(error);
            assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), expected, "{status} {code}");
            let said = if code.is_empty() { format!("why (HTTP {status})") } else { format!("why ({code})") };
            assert_eq!(diagnosis.cause.as_deref(), Some(said.as_str()));
            assert_eq!(diagnosis.fix.len(), 1, "{status} {code}");
            assert!(diagnosis.message.contains("acme-kv") || diagnosis.message.contains(OBJECT) || expected.1 != 2);
        }
    }
}

#[tokio::test]
async fn a_token_that_arm_refuses_is_told_and_its_challenge_sends_nothing_elsewhere() {
    let challenge = r#"Bearer authorization_uri="https://evil.example/t", error="invalid_token""#;
    let fake = Fake::signed_in(move |_, _| reply(401, &[("www-authenticate", challenge)], ""));
    let error = arm(&fake).vault(&vault_name(), now()).await.unwrap_err();
    assert!(matches!(error, AzureError::TokenRefused(_)), "{error:?}");
    let diagnosis = Diagnosis::from(error);
    assert_eq!(
        (diagnosis.code.id, diagnosis.message.as_str()),
        ("CS4001", "the resource manager refused the access token")
    );
    assert!(fake.all().iter().all(|seen| !seen.host.contains("evil")));
}
