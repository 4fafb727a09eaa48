//! ARM as contract sections 14 and 15 write it.

use serde_json::{Value, json};

use crate::world::{MANAGEMENT, World, ask};

#[tokio::test]
async fn az_registers_the_cloud_without_a_token() {
    let world = World::empty();
    let body = ask("GET", MANAGEMENT, "/metadata/endpoints?api-version=2022-09-01").of(&world.app).await.expect(200);
    assert_eq!(body["authentication"]["loginEndpoint"], "https://login.localhost:8443");
    assert_eq!(body["resourceManager"], "https://management.localhost:8443");
    assert_eq!(body["microsoftGraphResourceId"], "https://graph.localhost:8443/");
    assert_eq!(body["suffixes"]["keyVaultDns"], "vault.localhost:8443");
}

struct Arm {
    world: World,
    token: String,
}

impl Arm {
    async fn new() -> Self {
        let world = World::with_vault().await;
        let token = world.operator_token("management").await;
        Self { world, token }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> crate::world::Answer {
        let path = path.replace("{s}", &self.world.tenant);
        let request = ask(method, MANAGEMENT, &path).token(&self.token);
        let request = if body.is_null() { request } else { request.json(&body) };
        request.of(&self.world.app).await
    }

    async fn get(&self, path: &str) -> crate::world::Answer {
        self.call("GET", path, Value::Null).await
    }
}

#[tokio::test]
async fn both_spellings_of_the_audience_are_accepted() {
    let arm = Arm::new().await;
    arm.get("/subscriptions?api-version=2022-12-01").await.expect(200);
    let assertion = arm.world.assertion(&crate::world::claims(&arm.world, &arm.world.operator));
    let form = World::form(&arm.world.operator, "https://management.localhost:8443//.default", &assertion);
    let path = format!("/{}/oauth2/v2.0/token", arm.world.tenant);
    let answer = ask("POST", crate::world::LOGIN, &path).text(&form).of(&arm.world.app).await.expect(200);
    let token = answer["access_token"].as_str().unwrap();
    let list = ask("GET", MANAGEMENT, "/subscriptions?api-version=2022-12-01").token(token).of(&arm.world.app).await;
    assert_eq!(list.expect(200)["value"][0]["subscriptionId"], json!(arm.world.tenant));
}

#[tokio::test]
async fn a_vault_is_a_resource_with_everything_az_reads() {
    let arm = Arm::new().await;
    let vault = arm.get(&arm.world.vault_path("ACME").replace("resourceGroups", "resourcegroups")).await.expect(200);
    let tenant = &arm.world.tenant;
    assert_eq!(
        vault["id"],
        format!("/subscriptions/{tenant}/resourceGroups/credstore/providers/Microsoft.KeyVault/vaults/acme")
    );
    assert_eq!((&vault["type"], &vault["location"]), (&json!("Microsoft.KeyVault/vaults"), &json!("local")));
    let properties = &vault["properties"];
    for (name, value) in [
        ("vaultUri", json!("https://acme.vault.localhost:8443/")),
        ("provisioningState", json!("Succeeded")),
        ("enableRbacAuthorization", json!(false)),
        ("enableSoftDelete", json!(true)),
        ("softDeleteRetentionInDays", json!(90)),
        ("sku", json!({"family": "A", "name": "standard"})),
        ("tenantId", json!(tenant)),
    ] {
        assert_eq!(properties[name], value, "{name}");
    }
    assert_eq!(properties["accessPolicies"][0]["permissions"]["secrets"], json!(["all"]));
    assert_eq!(vault["systemData"]["createdAt"], "2027-01-15T08:00:00Z");
}

#[tokio::test]
async fn a_whole_vault_can_be_put_back_as_it_was_read() {
    let arm = Arm::new().await;
    let path = arm.world.vault_path("acme");
    let mut vault = arm.get(&path).await.expect(200);
    vault["location"] = json!("elsewhere");
    vault["properties"]["networkAcls"] = json!({"bypass": "AzureServices", "defaultAction": "Allow"});
    let put = arm.call("PUT", &path, vault.clone()).await.expect(200);
    assert_eq!(put, vault);
    let patched = arm.call("PATCH", &path, json!({"tags": {"a": "b"}})).await.expect(200);
    assert_eq!((&patched["tags"], &patched["location"]), (&json!({"a": "b"}), &json!("elsewhere")));
    assert_eq!(patched["properties"], vault["properties"]);
}

#[tokio::test]
async fn roles_are_the_default_from_2026_02_01_on() {
    let arm = Arm::new().await;
    for (name, version, expected) in
        [("roles", "2026-02-01", true), ("policies", "2025-05-01", false), ("later", "2026-09-01", true)]
    {
        let path = arm.world.vault_path(name).replace("2023-07-01", version);
        let body = json!({"location": "local", "properties": {"tenantId": arm.world.tenant, "accessPolicies": []}});
        let vault = arm.call("PUT", &path, body.clone()).await.expect(201);
        assert_eq!(vault["properties"]["enableRbacAuthorization"], expected, "{name}");
        let again = arm.call("PUT", &path.replace(version, "2026-02-01"), body).await.expect(200);
        assert_eq!(again["properties"]["enableRbacAuthorization"], expected, "an update keeps it");
    }
}

#[tokio::test]
async fn access_policies_are_added_replaced_and_removed() {
    let arm = Arm::new().await;
    let object = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1";
    let path = |kind: &str| arm.world.vault_path("acme").replace('?', &format!("/accessPolicies/{kind}?"));
    for (kind, permission, expected) in [
        ("add", "Get", json!(["get"])),
        ("add", "list", json!(["get", "list"])),
        ("replace", "set", json!(["set"])),
        ("remove", "set", Value::Null),
    ] {
        let body = json!({"properties": {"accessPolicies": [arm.world.policy(object, permission)]}});
        let answer = arm.call("PUT", &path(kind), body).await.expect(200);
        let entries = answer["properties"]["accessPolicies"].as_array().unwrap().clone();
        let found = entries.iter().find(|entry| entry["objectId"] == object);
        let permissions = found.map_or(Value::Null, |entry| entry["permissions"]["secrets"].clone());
        assert_eq!(permissions, expected, "{kind} {permission}");
    }
    let body = json!({"properties": {"accessPolicies": [arm.world.policy(object, "everything")]}});
    assert_eq!(arm.call("PUT", &path("add"), body).await.error().0, 400);
    let body = json!({"properties": {"accessPolicies": []}});
    assert_eq!(arm.call("PUT", &path("sideways"), body).await.error().0, 400);
}

#[tokio::test]
async fn a_vault_is_deleted_found_recovered_and_purged() {
    let arm = Arm::new().await;
    let vault = arm.world.vault_path("acme");
    let deleted = "/subscriptions/{s}/providers/Microsoft.KeyVault/locations/local/deletedVaults/acme";
    let version = "?api-version=2023-07-01";
    arm.call("DELETE", &vault, Value::Null).await.expect(200);
    arm.call("DELETE", &vault, Value::Null).await.expect(204);
    assert_eq!(arm.get(&vault).await.error().1, "ResourceNotFound");
    let shown = arm.get(&format!("{deleted}{version}")).await.expect(200);
    assert_eq!(shown["properties"]["scheduledPurgeDate"], "2027-04-15T08:00:00Z");
    let body = json!({"location": "local", "properties": {"tenantId": arm.world.tenant, "accessPolicies": []}});
    let taken = arm.call("PUT", &vault, body).await.error();
    assert_eq!((taken.0, taken.1.as_str()), (409, "ConflictError"));
    let body = json!({"location": "local", "properties": {"tenantId": arm.world.tenant, "createMode": "recover"}});
    arm.call("PUT", &vault, body.clone()).await.expect(200);
    let none = arm.call("PUT", &arm.world.vault_path("none"), body).await.error();
    assert_eq!((none.0, none.1.as_str()), (404, "SoftDeletedVaultDoesNotExist"));
    assert_eq!(none.3, "A soft deleted vault with the name 'none' does not exist.");
    arm.call("DELETE", &vault, Value::Null).await.expect(200);
    arm.call("POST", &format!("{deleted}/purge{version}"), Value::Null).await.expect(200);
    assert_eq!(arm.get(&format!("{deleted}{version}")).await.error().0, 404);
    let list = arm.get(&format!("/subscriptions/{{s}}/providers/Microsoft.KeyVault/deletedVaults{version}")).await;
    assert_eq!(list.expect(200)["value"], json!([]));
}

#[tokio::test]
async fn look_ups_and_questions_are_answered() {
    let arm = Arm::new().await;
    let filter = "%24filter=resourceType%20eq%20%27Microsoft.KeyVault%2Fvaults%27%20and%20name%20eq%20%27acme%27";
    let path = format!("/subscriptions/{{s}}/resources?{filter}&api-version=2015-11-01");
    assert_eq!(arm.get(&path).await.expect(200)["value"][0]["name"], "acme");
    let none = arm.get(&path.replace("acme", "other")).await.expect(200);
    assert_eq!(none["value"], json!([]));
    let path = "/subscriptions/{s}/providers/Microsoft.KeyVault/checkNameAvailability?api-version=2023-07-01";
    for (name, expected) in
        [("free", Value::Null), ("ACME", json!("AlreadyExists")), ("1x", json!("AccountNameInvalid"))]
    {
        let body = json!({"name": name, "type": "Microsoft.KeyVault/vaults"});
        let answer = arm.call("POST", path, body).await.expect(200);
        assert_eq!((&answer["nameAvailable"], &answer["reason"]), (&json!(expected.is_null()), &expected), "{name}");
    }
}

#[tokio::test]
async fn errors_have_azures_codes() {
    let arm = Arm::new().await;
    let vaults = "/subscriptions/{s}/resourceGroups/g/providers/Microsoft.KeyVault/vaults";
    let group = "/subscriptions/{s}/resourceGroups/g?api-version=2024-11-01";
    arm.call("PUT", group, json!({"location": "local"})).await.expect(201);
    for (method, path, status, code) in [
        ("GET", format!("{vaults}/none?api-version=2026-02-01"), 404, "ResourceNotFound"),
        ("GET", format!("{vaults}/acme?api-version=2026-02-01"), 404, "ResourceNotFound"),
        ("PUT", format!("{vaults}/acme?api-version=2026-02-01"), 409, "VaultAlreadyExists"),
        ("PUT", format!("{vaults}/a--b?api-version=2026-02-01"), 400, "VaultNameNotValid"),
        ("GET", format!("{vaults}?api-version=7.4"), 400, "InvalidApiVersionParameter"),
        ("GET", vaults.to_owned(), 400, "MissingApiVersionParameter"),
        ("GET", "/subscriptions/other?api-version=2022-12-01".to_owned(), 404, "SubscriptionNotFound"),
        ("GET", "/providers?api-version=2022-12-01".to_owned(), 404, "InvalidResourceType"),
        ("TRACE", "/subscriptions?api-version=2022-12-01".to_owned(), 405, "MethodNotAllowed"),
    ] {
        let body = json!({"location": "local", "properties": {"tenantId": arm.world.tenant, "accessPolicies": []}});
        let error = arm.call(method, &path, body).await.error();
        assert_eq!((error.0, error.1.as_str()), (status, code), "{method} {path}");
    }
    let error = arm.get(&format!("{vaults}/none?api-version=2026-02-01")).await.error();
    assert_eq!(
        error.3,
        "The Resource 'Microsoft.KeyVault/vaults/none' under resource group 'g' was not found. For more details please \
         go to https://aka.ms/ARMResourceNotFoundFix"
    );
}

#[tokio::test]
async fn errors_have_azures_texts_as_far_as_they_are_known() {
    let arm = Arm::new().await;
    let body = json!({"location": "local", "properties": {"tenantId": arm.world.tenant, "accessPolicies": []}});
    let group = "/subscriptions/{s}/resourceGroups/g?api-version=2024-11-01";
    arm.call("PUT", group, json!({"location": "local"})).await.expect(201);
    arm.call("PUT", &arm.world.vault_path("gone"), body.clone()).await.expect(201);
    arm.call("DELETE", &arm.world.vault_path("gone"), Value::Null).await.expect(200);
    let elsewhere = arm.world.vault_path("acme").replace("/credstore/", "/g/");
    for (method, path, text) in [
        (
            "PUT",
            elsewhere,
            "The vault name 'acme' is already in use. Vault names are globaly unique so it is possible that the name \
             is already taken.",
        ),
        (
            "PUT",
            arm.world.vault_path("gone"),
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing \
             key vault.",
        ),
        (
            "GET",
            arm.world.vault_path("acme").replace("2023-07-01", "7.4"),
            "The api-version '7.4' is invalid. The supported",
        ),
        ("GET", "/subscriptions/x?api-version=2022-12-01".to_owned(), "The subscription 'x' could not be found."),
        (
            "PUT",
            arm.world.vault_path("a--b"),
            "The vault name 'a--b' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must \
             begin with a letter, end with a letter or digit, and not contain consecutive hyphens.",
        ),
    ] {
        let error = arm.call(method, &path, body.clone()).await.error();
        assert!(error.3.starts_with(text), "{method} {path}: {}", error.3);
    }
}

#[tokio::test]
async fn the_vaults_of_a_group_are_listed_and_there_are_no_hsms() {
    let arm = Arm::new().await;
    let group = "/subscriptions/{s}/resourceGroups/g?api-version=2024-11-01";
    arm.call("PUT", group, json!({"location": "local"})).await.expect(201);
    for (scope, expected) in [
        ("/subscriptions/{s}", json!(["acme"])),
        ("/subscriptions/{s}/resourceGroups/credstore", json!(["acme"])),
        ("/subscriptions/{s}/resourceGroups/g", json!([])),
    ] {
        let list = |kind: &str| format!("{scope}/providers/Microsoft.KeyVault/{kind}?api-version=2026-02-01");
        let vaults = arm.get(&list("vaults")).await.expect(200);
        let names: Vec<_> = vaults["value"].as_array().unwrap().iter().map(|vault| vault["name"].clone()).collect();
        assert_eq!(json!(names), expected, "{scope}");
        assert_eq!(arm.get(&list("managedHSMs")).await.expect(200), json!({"value": []}), "{scope}");
    }
}

#[tokio::test]
async fn without_a_good_token_arm_says_no_more_than_that() {
    let arm = Arm::new().await;
    for token in [None, Some("garbage")] {
        let mut request = ask("GET", MANAGEMENT, "/subscriptions/x?api-version=7.4");
        request.token = token;
        let answer = request.of(&arm.world.app).await;
        assert_eq!((answer.error().0, answer.error().1.as_str()), (401, "AuthenticationFailed"));
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{token:?}");
    }
}
