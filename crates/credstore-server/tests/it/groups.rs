//! Resource groups over ARM. Contract section 15.

use serde_json::{Value, json};

use crate::world::{Answer, MANAGEMENT, Session, World, ask};

const GROUP: &str = "/subscriptions/{s}/resourcegroups/rg-1?api-version=2024-11-01";
const GROUPS: &str = "/subscriptions/{s}/resourcegroups?api-version=2024-11-01";

fn vault(group: &str, name: &str) -> String {
    let group = format!("/subscriptions/{{s}}/resourceGroups/{group}");
    format!("{group}/providers/Microsoft.KeyVault/vaults/{name}?api-version=2023-07-01")
}

fn body(world: &World) -> Value {
    json!({"location": "local", "properties": {"tenantId": world.tenant, "accessPolicies": []}})
}

async fn names(management: &Session<'_>) -> Vec<String> {
    let listed = management.get(GROUPS).await.expect(200);
    listed["value"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

async fn head(world: &World, path: &str) -> Answer {
    let token = world.operator_token("management").await;
    ask("HEAD", MANAGEMENT, &path.replace("{s}", &world.tenant)).token(&token).of(&world.app).await
}

#[tokio::test]
async fn a_group_is_there_from_its_put_to_its_delete() {
    let world = World::empty();
    let management = world.management().await;
    let missing = management.get(GROUP).await.error();
    assert_eq!((missing.0, missing.1.as_str()), (404, "ResourceGroupNotFound"));
    assert_eq!(missing.3, "Resource group 'rg-1' could not be found.");
    assert_eq!(head(&world, GROUP).await.status, 404);
    let made = management.put(GROUP, &json!({"location": "westeurope", "tags": {"a": "b"}})).await.expect(201);
    assert_eq!(
        made,
        json!({"id": format!("/subscriptions/{}/resourceGroups/rg-1", world.tenant), "name": "rg-1",
            "type": "Microsoft.Resources/resourceGroups", "location": "westeurope", "tags": {"a": "b"},
            "properties": {"provisioningState": "Succeeded"}})
    );
    let loud = GROUP.replace("rg-1", "RG-1");
    assert_eq!(management.get(&loud).await.expect(200), made, "names compare in any case");
    assert_eq!(head(&world, &loud).await.status, 204);
    assert_eq!(management.put(&loud, &json!({"location": "WestEurope"})).await.expect(200), made);
    let retagged = management.put(GROUP, &json!({"location": "westeurope", "tags": {}})).await.expect(200);
    assert_eq!(retagged["tags"], json!({}));
    let moved = management.put(GROUP, &json!({"location": "local"})).await.error();
    assert_eq!((moved.0, moved.1.as_str()), (409, "InvalidResourceGroupLocation"));
    let text = "Invalid resource group location 'local'. The Resource group already exists in location 'westeurope'.";
    assert_eq!(moved.3, text);
    assert_eq!(management.put(GROUP, &json!({"tags": {}})).await.error().0, 400, "a location is needed");
    assert_eq!(names(&management).await, ["credstore", "rg-1"]);
    management.delete(&loud).await.expect(200);
    assert_eq!(management.delete(GROUP).await.error().1, "ResourceGroupNotFound");
    assert_eq!(names(&management).await, ["credstore"]);
}

#[tokio::test]
async fn what_is_in_a_group_that_is_not_there_is_not_there_either() {
    let world = World::with_vault().await;
    let management = world.management().await;
    let role = "/subscriptions/{s}/resourceGroups/rg-1/providers/Microsoft.Authorization/roleAssignments";
    let role = format!("{role}/10000000-0000-4000-8000-000000000001?api-version=2022-04-01");
    for answer in [
        management.put(&vault("rg-1", "new-kv"), &body(&world)).await,
        management.get(&vault("rg-1", "acme")).await,
        management.patch(&vault("rg-1", "acme"), &json!({"tags": {}})).await,
        management.delete(&vault("rg-1", "acme")).await,
        management.get(&vault("rg-1", "acme").replace("/acme?", "?")).await,
        management.get(&role).await,
    ] {
        let error = answer.error();
        assert_eq!((error.0, error.1.as_str()), (404, "ResourceGroupNotFound"));
    }
    management.put(GROUP, &json!({"location": "local"})).await.expect(201);
    management.put(&vault("RG-1", "new-kv"), &body(&world)).await.expect(201);
}

#[tokio::test]
async fn a_deleted_group_takes_its_vaults_along_and_a_recovered_vault_brings_it_back() {
    let world = World::with_vault().await;
    let management = world.management().await;
    management.put(GROUP, &json!({"location": "local"})).await.expect(201);
    for name in ["one-kv", "two-kv"] {
        management.put(&vault("rg-1", name), &body(&world)).await.expect(201);
    }
    management.delete(GROUP).await.expect(200);
    let deleted = "/subscriptions/{s}/providers/Microsoft.KeyVault/deletedVaults?api-version=2023-07-01";
    let deleted = management.get(deleted).await.expect(200);
    let mut gone: Vec<_> = deleted["value"].as_array().unwrap().iter().map(|vault| vault["name"].to_string()).collect();
    gone.sort();
    assert_eq!(gone, ["\"one-kv\"", "\"two-kv\""]);
    management.get(&world.vault_path("acme")).await.expect(200);
    let recover = json!({"location": "local", "properties": {"tenantId": world.tenant, "createMode": "recover"}});
    management.put(&vault("rg-1", "one-kv"), &recover).await.expect(200);
    management.get(&vault("rg-1", "one-kv")).await.expect(200);
    assert_eq!(names(&management).await, ["credstore", "rg-1"]);
}
