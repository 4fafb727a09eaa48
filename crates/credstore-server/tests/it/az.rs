//! Whole commands of `az`, request by request in its order, contract sections 14 to 17.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::world::{GRAPH, MANAGEMENT, Session, VAULT, World, ask};

const NONE: &Value = &Value::Null;
const VAULTS: &str = "Microsoft.KeyVault/vaults";

async fn graph_of(world: &World) -> Session<'_> {
    world.session(GRAPH, &world.operator_token("graph").await)
}

fn encoded(filter: &str) -> String {
    ["%20", "%27", "%28", "%29", "%2C", "%2F", "%3A"]
        .iter()
        .zip([" ", "'", "(", ")", ",", "/", ":"])
        .fold(filter.to_owned(), |text, (code, plain)| text.replace(plain, code))
}

/// How az finds a vault whose group it was not told.
async fn looked_up(management: &Session<'_>, name: &str) -> Value {
    let filter = encoded(&format!("resourceType eq '{VAULTS}' and name eq '{name}'"));
    let path = format!("/subscriptions/{{s}}/resources?$filter={filter}&api-version=2015-11-01");
    management.get(&path).await.expect(200)["value"].clone()
}

/// `id` of the only object that `filter` finds.
async fn only(graph: &Session<'_>, kind: &str, filter: &str) -> Option<Value> {
    let list = graph.get(&format!("/v1.0/{kind}?$filter={}", encoded(filter))).await.expect(200);
    assert_eq!(list["@odata.context"], format!("https://{GRAPH}/v1.0/$metadata#{kind}"));
    let value = list["value"].as_array().unwrap();
    assert!(value.len() < 2, "{filter}");
    value.first().cloned()
}

/// `az keyvault create`: the body that it puts.
fn creation(world: &World) -> Value {
    let all = json!({"keys": ["all"], "secrets": ["all"], "certificates": ["all"], "storage": ["all"]});
    json!({"location": "local", "tags": {}, "properties": {
        "tenantId": world.tenant,
        "sku": {"name": "standard", "family": "A"},
        "accessPolicies": [{"tenantId": world.tenant, "objectId": world.operator_object(), "permissions": all}],
        "enableRbacAuthorization": false, "enableSoftDelete": true, "softDeleteRetentionInDays": 90,
        "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"},
    }})
}

#[tokio::test]
async fn az_keyvault_create_finds_nothing_puts_the_vault_and_reads_it_back() {
    let world = World::empty();
    let (management, graph) = (world.management().await, graph_of(&world).await);
    let group = "/subscriptions/{s}/resourcegroups/credstore?api-version=2024-11-01";
    management.delete(group).await.expect(200);
    let made = management.put(group, &json!({"location": "local"})).await.expect(201);
    assert_eq!((&made["name"], &made["properties"]["provisioningState"]), (&json!("credstore"), &json!("Succeeded")));
    let path = world.vault_path("acme").replace("2023-07-01", "2026-02-01");
    let absent = management.get(&path).await.error();
    assert_eq!((absent.0, absent.1.as_str()), (404, "ResourceNotFound"));
    let me = graph.get("/v1.0/me").await;
    assert!(me.status.is_client_error(), "a service principal has no /me: {}", me.text);
    let filter = format!("servicePrincipalNames/any(c:c eq '{}')", world.operator);
    let principal = only(&graph, "servicePrincipals", &filter).await.expect("the operator");
    assert_eq!(principal["id"], world.operator_object());
    let created = management.put(&path, &creation(&world)).await.expect(201);
    let read = management.get(&path).await.expect(200);
    assert_eq!(read, created);
    assert_eq!(read["properties"]["provisioningState"], "Succeeded");
    assert_eq!(read["properties"]["vaultUri"], format!("https://{VAULT}/"), "with a slash at the end");
    for (member, value) in creation(&world)["properties"].as_object().unwrap() {
        assert_eq!(&read["properties"][member], value, "{member}");
    }
    world.vault().await.set("db", "v").await;
}

#[tokio::test]
async fn az_keyvault_set_policy_looks_up_reads_and_puts_the_whole_vault_back() {
    let world = World::with_vault().await;
    let (management, graph) = (world.management().await, graph_of(&world).await);
    let (_, client, object) = world.application("pm").await;
    let found = looked_up(&management, "acme").await;
    assert_eq!((found.as_array().unwrap().len(), &found[0]["type"]), (1, &json!(VAULTS)));
    let path = format!("{}?api-version=2026-02-01", found[0]["id"].as_str().unwrap());
    let filter = format!("servicePrincipalNames/any(c:c eq '{client}')");
    let principal = only(&graph, "servicePrincipals", &filter).await.expect("the application");
    let mut vault = management.get(&path).await.expect(200);
    let policy = json!({"tenantId": world.tenant, "objectId": principal["id"], "permissions": {"secrets": ["get"]}});
    vault["properties"]["accessPolicies"].as_array_mut().unwrap().push(policy);
    let put = management.put(&path, &vault).await.expect(200);
    let policies = put["properties"]["accessPolicies"].as_array().unwrap();
    assert_eq!((policies.len(), &policies[1]["objectId"]), (2, &json!(object)));
    assert_eq!(put["properties"]["enableRbacAuthorization"], false, "an update keeps the model");
    world.vault().await.set("db", "v").await;
    let app = world.session(VAULT, &world.token(&client, "vault").await);
    assert_eq!(app.get("/secrets/db/").await.expect(200)["value"], "v");
    assert_eq!(app.get("/secrets").await.error().0, 403);
}

#[tokio::test]
async fn az_keyvault_delete_shows_recovers_and_purges_the_vault_with_its_secrets() {
    let world = World::with_vault().await;
    let management = world.management().await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    let list = "/subscriptions/{s}/providers/Microsoft.KeyVault/deletedVaults?api-version=2026-02-01";
    let one =
        "/subscriptions/{s}/providers/Microsoft.KeyVault/locations/local/deletedVaults/acme?api-version=2026-02-01";
    let path = world.vault_path("acme");
    assert_eq!(management.get(list).await.expect(200)["value"], json!([]));
    management.delete(&path).await.expect(200);
    assert_eq!(looked_up(&management, "acme").await, json!([]), "it is no resource any more");
    let deleted = management.get(one).await.expect(200);
    assert_eq!(management.get(list).await.expect(200)["value"], json!([deleted]));
    assert_eq!((&deleted["name"], &deleted["properties"]["location"]), (&json!("acme"), &json!("local")));
    assert_eq!(deleted["properties"]["vaultId"], path.split('?').next().unwrap());
    let taken = management.put(&path, &creation(&world)).await.error();
    assert_eq!((taken.0, taken.1.as_str()), (409, "ConflictError"));
    assert!(taken.3.starts_with("A vault with the same name already exists in deleted state."), "{}", taken.3);
    let recover = json!({"location": "local", "properties": {"tenantId": world.tenant, "createMode": "recover",
        "sku": {"name": "standard", "family": "A"}}});
    let recovered = management.put(&path, &recover).await.expect(200);
    assert_eq!(recovered["properties"]["accessPolicies"].as_array().unwrap().len(), 1, "with its policies");
    assert_eq!(vault.get("/secrets/db").await.expect(200)["value"], "v", "and its secrets");
    management.delete(&path).await.expect(200);
    let purge = one.replace("?", "/purge?");
    let purged = management.post(&purge, NONE).await;
    assert!([200, 202].contains(&purged.status.as_u16()), "{}", purged.text);
    assert_eq!(management.get(one).await.error().0, 404);
    assert_eq!(management.post(&purge, NONE).await.error().0, 404);
    management.put(&path, &creation(&world)).await.expect(201);
    assert_eq!(vault.ids("/secrets").await.len() + vault.ids("/deletedsecrets").await.len(), 0, "a new, empty vault");
}

#[tokio::test]
async fn az_ad_app_and_sp_make_an_application_that_signs_in() {
    let world = World::with_vault().await;
    let graph = graph_of(&world).await;
    assert_eq!(only(&graph, "applications", "startswith(displayName,'pm-server')").await, None);
    let body = json!({"displayName": "pm-server", "keyCredentials": []});
    let app = graph.post("/v1.0/applications", &body).await.expect(201);
    let client = app["appId"].as_str().unwrap().to_owned();
    for (member, value) in [
        ("displayName", json!("pm-server")),
        ("signInAudience", json!("AzureADMyOrg")),
        ("keyCredentials", json!([])),
        ("passwordCredentials", json!([])),
        ("identifierUris", json!([])),
        ("requiredResourceAccess", json!([])),
    ] {
        assert_eq!(app[member], value, "{member}");
    }
    let by_app_id = format!("appId eq '{client}'");
    assert_eq!(only(&graph, "applications", &by_app_id).await.unwrap()["id"], app["id"]);
    let body = json!({"appId": client, "accountEnabled": true});
    let principal = graph.post("/v1.0/servicePrincipals", &body).await.expect(201);
    for (member, value) in [
        ("appId", json!(client)),
        ("servicePrincipalNames", json!([client])),
        ("servicePrincipalType", json!("Application")),
        ("accountEnabled", json!(true)),
        ("displayName", json!("pm-server")),
    ] {
        assert_eq!(principal[member], value, "{member}");
    }
    // az ad app credential reset --cert: two look-ups, then the whole list with line breaks in the key.
    let path = format!("/v1.0/applications/{}", app["id"].as_str().unwrap());
    graph.get(&path).await.expect(200);
    let key = STANDARD.encode(&world.certificate);
    let lines: Vec<&str> = key.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let credential = json!({"@odata.type": "#microsoft.graph.keyCredential", "displayName": null,
        "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2028-01-01T00:00:00Z",
        "keyId": "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1", "type": "AsymmetricX509Cert", "usage": "Verify",
        "key": lines.join("\n") + "\n"});
    graph.patch(&path, &json!({"keyCredentials": [credential]})).await.expect(204);
    world.grant(principal["id"].as_str().unwrap(), "get").await;
    let token = world.token(&client, "vault").await;
    assert_eq!(world.session(VAULT, &token).get("/secrets/none").await.error().1, "SecretNotFound");
    graph.delete(&path).await.expect(204);
    assert_eq!(only(&graph, "applications", &by_app_id).await, None);
    assert_eq!(only(&graph, "servicePrincipals", &by_app_id).await, None, "its service principal goes with it");
}

#[tokio::test]
async fn graph_has_no_passwords_to_give_out() {
    let world = World::empty();
    let graph = graph_of(&world).await;
    let (id, ..) = world.application("pm").await;
    for operation in ["addPassword", "removePassword"] {
        let path = format!("/v1.0/applications/{id}/{operation}");
        let error = graph.post(&path, &json!({"passwordCredential": {"displayName": "x"}})).await.error();
        assert_eq!((error.0, error.1.as_str()), (400, "Request_BadRequest"), "{operation}");
    }
}

#[tokio::test]
async fn az_login_lists_the_one_subscription_for_the_operator_and_none_for_others() {
    let world = World::empty();
    let path = "/subscriptions?api-version=2022-12-01";
    let list = world.management().await.get(path).await.expect(200);
    let one = &list["value"][0];
    assert_eq!((&one["subscriptionId"], &one["tenantId"]), (&json!(world.tenant), &json!(world.tenant)));
    assert_eq!((&one["state"], &one["authorizationSource"]), (&json!("Enabled"), &json!("RoleBased")));
    let (_, client, _) = world.application("pm").await;
    let other = world.session(MANAGEMENT, &world.token(&client, "management").await);
    assert_eq!(other.get(path).await.expect(200)["value"], json!([]));
    let denied = other.get("/subscriptions/{s}?api-version=2022-12-01").await.error();
    assert_eq!((denied.0, denied.1.as_str()), (403, "AuthorizationFailed"));
}

#[tokio::test]
async fn ids_and_paths_of_arm_are_one_in_any_case() {
    let world = World::with_vault().await;
    let management = world.management().await;
    let path = world.vault_path("acme");
    let vault = management.get(&path).await.expect(200);
    for other in [
        path.replace("resourceGroups", "resourcegroups"),
        path.replace("/credstore/", "/CredStore/"),
        path.replace("vaults/acme", "VAULTS/ACME"),
        path.replace("Microsoft.KeyVault", "microsoft.keyvault"),
        path.replace(&world.tenant, &world.tenant.to_uppercase()),
        path.replace("/subscriptions", "//subscriptions"),
    ] {
        assert_eq!(management.get(&other).await.expect(200), vault, "{other}");
    }
    assert_eq!(looked_up(&management, "ACME").await[0]["id"], vault["id"]);
}

#[tokio::test]
async fn what_a_vault_fixed_cannot_be_changed_and_unknown_members_are_kept() {
    let world = World::with_vault().await;
    let management = world.management().await;
    let path = world.vault_path("acme");
    for (properties, text) in [
        (json!({"softDeleteRetentionInDays": 7}), "softDeleteRetentionInDays"),
        (json!({"enableSoftDelete": false}), "enableSoftDelete"),
        (json!({"tenantId": "not a GUID"}), "tenantId"),
        (json!({"tenantId": "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1"}), "tenantId"),
        (json!({"accessPolicies": [{"tenantId": "x", "objectId": "y", "permissions": {}}]}), "tenantId"),
    ] {
        let error = management.patch(&path, &json!({"properties": properties})).await.error();
        assert_eq!((error.0, error.1.as_str()), (400, "BadRequest"), "{properties}");
        assert!(error.3.contains(text), "{}", error.3);
    }
    let kept = json!({"properties": {"networkAcls": {"defaultAction": "Deny"}, "publicNetworkAccess": "Enabled"}});
    management.patch(&path, &kept).await.expect(200);
    management.patch(&path, &json!({"properties": {"enablePurgeProtection": true}})).await.expect(200);
    let read = management.get(&path).await.expect(200);
    assert_eq!(read["properties"]["networkAcls"], json!({"defaultAction": "Deny"}));
    assert_eq!(read["properties"]["publicNetworkAccess"], "Enabled");
    let back = management.patch(&path, &json!({"properties": {"enablePurgeProtection": false}})).await.error();
    assert_eq!(back.0, 400, "purge protection stays on");
    management.delete(&path).await.expect(200);
    let purge = "/subscriptions/{s}/providers/Microsoft.KeyVault/locations/local/deletedVaults/acme/purge";
    let error = management.post(&format!("{purge}?api-version=2023-07-01"), NONE).await.error();
    assert_eq!((error.0, error.1.as_str()), (403, "MethodNotAllowed"));
}

#[tokio::test]
async fn the_cloud_is_registered_from_one_answer() {
    let world = World::empty();
    let path = "/metadata/endpoints?api-version=2022-09-01";
    let cloud = ask("GET", MANAGEMENT, path).of(&world.app).await.expect(200);
    for (pointer, value) in [
        ("/authentication/loginEndpoint", "https://login.localhost:8443"),
        ("/authentication/identityProvider", "AAD"),
        ("/authentication/tenant", "common"),
        ("/resourceManager", "https://management.localhost:8443"),
        ("/microsoftGraphResourceId", "https://graph.localhost:8443/"),
        ("/suffixes/keyVaultDns", "vault.localhost:8443"),
    ] {
        assert_eq!(cloud.pointer(pointer), Some(&json!(value)), "{pointer}");
    }
    // az asks for a token of the first audience, whose slash at the end doubles the one of the scope.
    let audience = cloud["authentication"]["audiences"][0].as_str().unwrap();
    let assertion = world.assertion(&crate::world::claims(&world, &world.operator));
    let form = World::form(&world.operator, &format!("{audience}/.default"), &assertion);
    let token = world.ask_token("oauth2/v2.0/token", &form).await.expect(200);
    let token = token["access_token"].as_str().unwrap();
    world.session(MANAGEMENT, token).get("/subscriptions?api-version=2022-12-01").await.expect(200);
}

#[tokio::test]
async fn az_group_list_and_az_keyvault_list_deleted_have_an_answer() {
    let world = World::with_vault().await;
    let management = world.management().await;
    let path = world.vault_path("second").replace("/credstore/", "/CredStore/");
    management.put(&path, &creation(&world)).await.expect(201);
    let apps = "/subscriptions/{s}/resourcegroups/apps?api-version=2024-11-01";
    management.put(apps, &json!({"location": "local"})).await.expect(201);
    let path = world.vault_path("third").replace("/credstore/", "/apps/");
    management.put(&path, &creation(&world)).await.expect(201);
    let groups = management.get("/subscriptions/{s}/resourcegroups?api-version=2024-11-01").await.expect(200);
    let names: Vec<_> = groups["value"].as_array().unwrap().iter().map(|group| group["name"].clone()).collect();
    assert_eq!((names.len(), &names[0]), (2, &json!("apps")), "a group is one in any case: {names:?}");
    let path = "/subscriptions/{s}/providers/Microsoft.KeyVault/deletedManagedHSMs?api-version=2026-02-01";
    assert_eq!(management.get(path).await.expect(200)["value"], json!([]));
}
