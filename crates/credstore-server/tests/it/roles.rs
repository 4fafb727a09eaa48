//! Role definitions and assignments over ARM, and what they mean at the data plane. Contract sections 5 and 15.

use serde_json::{Value, json};

use crate::world::{GRAPH, Session, World};

const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const SECRETS_OFFICER: &str = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";
const ID: &str = "10000000-0000-4000-8000-000000000001";
const SUBSCRIPTION: &str = "/subscriptions/{s}";
const GROUP: &str = "/subscriptions/{s}/resourceGroups/credstore";
const VAULT: &str = "/subscriptions/{s}/resourceGroups/credstore/providers/Microsoft.KeyVault/vaults/acme";

/// Id, name and data actions without their common beginning. Source: Azure built-in roles for Security, 2026-02-23.
const ROLES: [(&str, &str, &str); 10] = [
    ("00482a5a-887f-4fb3-b363-3b7fe8e74483", "Administrator", "*"),
    (
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
        "Certificate User",
        "certificates/read secrets/getSecret/action secrets/readMetadata/action keys/read",
    ),
    (
        "a4417e6f-fecd-4de8-b567-7b0420556985",
        "Certificates Officer",
        "certificatecas/* certificates/* certificatecontacts/write",
    ),
    ("14b46e9e-c2b7-41b4-b07b-48a6ebf60603", "Crypto Officer", "keys/* keyrotationpolicies/*"),
    (
        "e147488a-f6f5-4113-8e2d-b22465e65bf6",
        "Crypto Service Encryption User",
        "keys/read keys/wrap/action keys/unwrap/action",
    ),
    ("08bbd89e-9f13-488c-ac41-acfcb10c90ab", "Crypto Service Release User", "keys/release/action"),
    (
        "12338af0-0e69-4776-bea7-57ae8d297424",
        "Crypto User",
        "keys/read keys/update/action keys/backup/action keys/encrypt/action keys/decrypt/action keys/wrap/action keys/unwrap/action keys/sign/action keys/verify/action",
    ),
    ("21090545-7ca7-4776-b22c-e363652d74d2", "Reader", "*/read secrets/readMetadata/action"),
    ("b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "Secrets Officer", "secrets/*"),
    ("4633458b-17de-408a-b874-0445c86b69e6", "Secrets User", "secrets/getSecret/action secrets/readMetadata/action"),
];

fn definitions(scope: &str, rest: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleDefinitions{rest}")
}

fn assignments(scope: &str, rest: &str) -> String {
    let separator = if rest.contains('?') { "&" } else { "?" };
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments{rest}{separator}api-version=2022-04-01")
}

fn body(world: &World, role: &str, principal: &str) -> Value {
    let id = definitions(&format!("/subscriptions/{}", world.tenant), &format!("/{role}"));
    json!({"properties": {"roleDefinitionId": id, "principalId": principal, "principalType": "ServicePrincipal"}})
}

/// With the vault `acme` that uses roles and has one secret, which its maker may not read any more.
async fn with_roles() -> World {
    let world = World::with_vault().await;
    world.vault().await.set("db", "v").await;
    let change = json!({"properties": {"enableRbacAuthorization": true}});
    world.management().await.patch(&world.vault_path("acme"), &change).await.expect(200);
    world
}

async fn reads(app: &Session<'_>) -> (u16, u16) {
    (app.get("/secrets/db").await.status.as_u16(), app.get("/secrets").await.status.as_u16())
}

#[tokio::test]
async fn a_role_opens_the_vault_at_every_scope_and_closes_it_when_it_goes() {
    let world = with_roles().await;
    let (_, client, object) = world.application("reader").await;
    let app = world.session(crate::world::VAULT, &world.token(&client, "vault").await);
    let management = world.management().await;
    let (secret, other) = (format!("{VAULT}/secrets/DB"), format!("{VAULT}/secrets/other"));
    for (scope, expected) in [
        (SUBSCRIPTION, (200, 200)),
        (GROUP, (200, 200)),
        (VAULT, (200, 200)),
        (&secret, (200, 403)),
        (&other, (403, 403)),
    ] {
        assert_eq!(reads(&app).await, (403, 403), "before {scope}");
        let path = assignments(scope, &format!("/{ID}"));
        let made = management.put(&path, &body(&world, SECRETS_USER, &object)).await.expect(201);
        assert_eq!(management.put(&path, &body(&world, SECRETS_USER, &object)).await.expect(200), made, "{scope}");
        assert_eq!(management.get(&path).await.expect(200), made, "{scope}");
        let real = scope.replace("{s}", &world.tenant);
        assert_eq!(made["properties"]["scope"], json!(real));
        assert_eq!(made["id"], json!(format!("{real}/providers/Microsoft.Authorization/roleAssignments/{ID}")));
        assert_eq!(reads(&app).await, expected, "{scope}");
        assert_eq!(app.put("/secrets/db", &json!({"value": "w"})).await.status, 403, "reading is not writing");
        let mut described = body(&world, SECRETS_USER, &object);
        described["properties"]["description"] = json!("for the reports");
        let described = management.put(&path, &described).await.expect(200);
        assert_eq!(described["properties"]["description"], "for the reports");
        assert_eq!(management.delete(&path).await.expect(200), described, "{scope}");
        management.delete(&path).await.expect(204);
    }
    assert_eq!(reads(&app).await, (403, 403));
}

#[tokio::test]
async fn both_models_are_kept_beside_each_other_and_one_decides() {
    let world = with_roles().await;
    let (_, client, object) = world.application("reader").await;
    let app = world.session(crate::world::VAULT, &world.token(&client, "vault").await);
    let management = world.management().await;
    let path = assignments(VAULT, &format!("/{ID}"));
    management.put(&path, &body(&world, SECRETS_OFFICER, &object)).await.expect(201);
    app.set("mine", "v").await;
    let model = async |roles: bool| {
        let change = json!({"properties": {"enableRbacAuthorization": roles}});
        management.patch(&world.vault_path("acme"), &change).await.expect(200);
    };
    model(false).await;
    assert_eq!(app.get("/secrets/mine").await.error().2, "ForbiddenByPolicy");
    assert_eq!(world.vault().await.get("/secrets/mine").await.expect(200)["value"], "v", "the maker's policy is kept");
    model(true).await;
    assert_eq!(app.get("/secrets/mine").await.expect(200)["value"], "v");
    assert_eq!(world.vault().await.get("/secrets/mine").await.error().2, "ForbiddenByRbac");
}

#[tokio::test]
async fn the_role_definitions_have_the_ids_and_data_actions_of_azure() {
    let world = World::empty();
    let management = world.management().await;
    let list = definitions(SUBSCRIPTION, "?api-version=2022-05-01-preview");
    let listed = management.get(&list).await.expect(200);
    let shown: Vec<&Value> = listed["value"].as_array().unwrap().iter().collect();
    assert_eq!(shown.len(), ROLES.len());
    for (definition, (id, name, actions)) in shown.into_iter().zip(ROLES) {
        let actions: Vec<_> = actions.split(' ').map(|rest| format!("Microsoft.KeyVault/vaults/{rest}")).collect();
        assert_eq!(definition["name"], id);
        assert_eq!(definition["properties"]["roleName"], json!(format!("Key Vault {name}")));
        assert_eq!(definition["properties"]["type"], "BuiltInRole");
        let permissions = json!([{"actions": [], "notActions": [], "dataActions": actions, "notDataActions": []}]);
        assert_eq!(definition["properties"]["permissions"], permissions, "{name}");
    }
    let filter = "roleName%20eq%20'Key%20Vault%20Secrets%20User'";
    let one = management.get(&format!("{list}&$filter={filter}")).await.expect(200);
    assert_eq!(one["value"].as_array().unwrap().len(), 1);
    let by_id = definitions("", &format!("/{SECRETS_USER}?api-version=2022-04-01"));
    assert_eq!(management.get(&by_id).await.expect(200), one["value"][0]);
    let bad = management.get(&format!("{list}&$filter=roleName%20ne%20'x'")).await.error();
    assert_eq!((bad.0, bad.1.as_str()), (400, "BadRequest"));
}

#[tokio::test]
async fn a_list_has_what_holds_at_a_scope_and_what_lies_below_it() {
    let world = with_roles().await;
    let (_, _, one) = world.application("one").await;
    let (_, _, two) = world.application("two").await;
    let management = world.management().await;
    for (at, (scope, principal)) in [(SUBSCRIPTION, &one), (GROUP, &two), (VAULT, &one)].into_iter().enumerate() {
        let path = assignments(scope, &format!("/10000000-0000-4000-8000-00000000000{at}"));
        management.put(&path, &body(&world, SECRETS_USER, principal)).await.expect(201);
    }
    let count = async |scope: &str, filter: &str| {
        let list = management.get(&assignments(scope, filter)).await.expect(200);
        list["value"].as_array().unwrap().len()
    };
    assert_eq!(count(SUBSCRIPTION, "").await, 3);
    assert_eq!(count(SUBSCRIPTION, "?$filter=atScope()").await, 1);
    assert_eq!(count(VAULT, "?$filter=atScope()").await, 3, "what is around it holds there");
    assert_eq!(count(SUBSCRIPTION, &format!("?$filter=principalId%20eq%20'{one}'")).await, 2);
    assert_eq!(count(GROUP, &format!("?$filter=atScope()%20and%20assignedTo('{two}')")).await, 1);
    let bad = management.get(&assignments(GROUP, "?$filter=everything")).await.error();
    assert_eq!((bad.0, bad.1.as_str()), (400, "BadRequest"));
}

#[tokio::test]
async fn what_cannot_be_assigned_is_refused_with_azures_codes() {
    let world = with_roles().await;
    let (application, client, object) = world.application("reader").await;
    let management = world.management().await;
    let good = body(&world, SECRETS_USER, &object);
    let with = |member: &str, value: &str| {
        let mut changed = good.clone();
        changed["properties"][member] = json!(value);
        changed
    };
    let absent_vault = VAULT.replace("acme", "none");
    let other_group = VAULT.replace("/credstore/", "/other/");
    let other = "/subscriptions/{s}/resourcegroups/other?api-version=2024-11-01";
    management.put(other, &json!({"location": "local"})).await.expect(201);
    for (scope, id, body, status, code) in [
        (VAULT, "not-a-guid", good.clone(), 400, "InvalidRoleAssignmentId"),
        (
            VAULT,
            ID,
            with("roleDefinitionId", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
            404,
            "RoleDefinitionDoesNotExist",
        ),
        (VAULT, ID, with("principalId", &client), 400, "PrincipalNotFound"),
        (VAULT, ID, with("principalId", &application), 400, "PrincipalNotFound"),
        (VAULT, ID, with("principalType", "User"), 400, "UnmatchedPrincipalType"),
        (VAULT, ID, with("condition", "@Resource[x] StringEquals 'y'"), 400, "BadRequest"),
        (&absent_vault, ID, good.clone(), 404, "ResourceNotFound"),
        (&other_group, ID, good.clone(), 404, "ResourceNotFound"),
        (&format!("{VAULT}/storage/x"), ID, good.clone(), 404, "ResourceNotFound"),
        (&VAULT.replace("/credstore/", "/none/"), ID, good.clone(), 404, "ResourceGroupNotFound"),
        ("/subscriptions/other", ID, good.clone(), 404, "SubscriptionNotFound"),
    ] {
        let error = management.put(&assignments(scope, &format!("/{id}")), &body).await.error();
        assert_eq!((error.0, error.1.as_str()), (status, code), "{scope} {body}");
    }
    assert_eq!(management.get(&assignments(VAULT, &format!("/{ID}"))).await.error().1, "RoleAssignmentNotFound");
    management.put(&assignments(VAULT, &format!("/{ID}")), &good).await.expect(201);
    let changed = management.put(&assignments(VAULT, &format!("/{ID}")), &body(&world, SECRETS_OFFICER, &object)).await;
    assert_eq!((changed.error().0, changed.error().1.as_str()), (400, "RoleAssignmentUpdateNotPermitted"));
    assert_eq!(changed.error().3, "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.");
    let twin = management.put(&assignments(VAULT, "/10000000-0000-4000-8000-000000000002"), &good).await.error();
    assert_eq!((twin.0, twin.1.as_str()), (409, "RoleAssignmentExists"));
    assert!(twin.3.ends_with("The ID of the existing role assignment is 10000000000040008000000000000001."));
    let app = world.session(crate::world::MANAGEMENT, &world.token(&client, "management").await);
    let denied = app.put(&assignments(VAULT, &format!("/{ID}")), &good).await.error();
    assert_eq!((denied.0, denied.1.as_str()), (403, "AuthorizationFailed"), "who has a role does not give roles");
}

#[tokio::test]
async fn graph_names_the_principals_of_assignments() {
    let world = World::empty();
    let (_, client, object) = world.application("reader").await;
    let graph = world.session(GRAPH, &world.operator_token("graph").await);
    let asked = json!({"ids": [object, ID], "types": ["user", "group", "servicePrincipal"]});
    let found = graph.post("/v1.0/directoryObjects/getByIds", &asked).await.expect(200);
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    let principal = &found["value"][0];
    assert_eq!(principal["@odata.type"], "#microsoft.graph.servicePrincipal");
    assert_eq!((&principal["id"], &principal["appId"]), (&json!(object), &json!(client)));
}
