//! A policy with exactly one permission allows exactly the operations of that permission, contract section 10.

use serde_json::{Value, json};

use crate::world::{Session, World};

const PERMISSIONS: [&str; 8] = ["get", "list", "set", "delete", "backup", "restore", "recover", "purge"];

/// Method, path and the permission that it takes. The paths name a live, a deleted and a purgeable secret.
const OPERATIONS: [(&str, &str, &str); 13] = [
    ("GET", "/secrets/live", "get"),
    ("GET", "/secrets", "list"),
    ("GET", "/secrets/live/versions", "list"),
    ("GET", "/deletedsecrets", "list"),
    ("GET", "/deletedsecrets/gone", "get"),
    ("PUT", "/secrets/new", "set"),
    ("PATCH", "/secrets/live", "set"),
    ("POST", "/secrets/live/backup", "backup"),
    ("POST", "/secrets/restore", "restore"),
    ("POST", "/deletedsecrets/gone/recover", "recover"),
    ("DELETE", "/secrets/live", "delete"),
    ("DELETE", "/deletedsecrets/purgeable", "purge"),
    ("GET", "/secrets/live/00000000000000000000000000000001", "get"),
];

/// A vault with a live secret, two deleted ones, and the backup of one that was purged.
async fn prepared(vault: &Session<'_>) -> Value {
    for name in ["live", "gone", "purgeable", "backedup"] {
        vault.set(name, "v").await;
    }
    let blob = vault.post("/secrets/backedup/backup", &Value::Null).await.expect(200);
    for name in ["gone", "purgeable", "backedup"] {
        vault.delete(&format!("/secrets/{name}")).await.expect(200);
    }
    vault.delete("/deletedsecrets/backedup").await.expect(204);
    blob
}

#[tokio::test]
async fn each_permission_alone_allows_its_operations_and_no_other() {
    let world = World::with_vault().await;
    let (_, client, object) = world.application("one").await;
    let management = world.management().await;
    for permission in PERMISSIONS {
        let owner = world.make_vault(&format!("v-{permission}"), json!({})).await;
        let blob = prepared(&owner).await;
        let path = world.vault_path(&format!("v-{permission}")).replace('?', "/accessPolicies/add?");
        let policies = json!({"properties": {"accessPolicies": [world.policy(&object, permission)]}});
        management.put(&path, &policies).await.expect(200);
        let app = world.session(&owner.host, &world.token(&client, "vault").await);
        for (method, path, needed) in OPERATIONS {
            let body = if method == "POST" { blob.clone() } else { json!({"value": "v"}) };
            let answer = app.send(method, path, &body).await;
            if needed == permission {
                assert_ne!(answer.status, 403, "{permission}: {method} {path} {}", answer.text);
                let unknown = path.ends_with("01");
                assert!(answer.status.is_success() != unknown, "{permission}: {method} {path} {}", answer.text);
            } else {
                let error = answer.error();
                assert_eq!((error.0, error.2.as_str()), (403, "ForbiddenByPolicy"), "{permission}: {method} {path}");
                assert!(error.3.contains(&format!("does not have secrets {needed} permission")), "{}", error.3);
            }
        }
    }
}

#[tokio::test]
async fn all_is_every_permission_and_case_is_no_matter() {
    let world = World::with_vault().await;
    for (name, permissions) in [
        ("all", json!(["all"])),
        ("loud", json!(["ALL"])),
        ("each", json!(["Get", "LIST", "set", "Delete", "backup", "restore", "recover", "Purge"])),
    ] {
        let (_, client, object) = world.application(name).await;
        let owner = world.make_vault(&format!("v-{name}"), json!({})).await;
        let blob = prepared(&owner).await;
        let mut policy = world.policy(&object, "get");
        policy["permissions"]["secrets"] = permissions;
        let path = world.vault_path(&format!("v-{name}")).replace('?', "/accessPolicies/add?");
        let body = json!({"properties": {"accessPolicies": [policy]}});
        world.management().await.put(&path, &body).await.expect(200);
        let app = world.session(&owner.host, &world.token(&client, "vault").await);
        for (method, path, _) in OPERATIONS {
            let body = if method == "POST" { blob.clone() } else { json!({"value": "v"}) };
            let answer = app.send(method, path, &body).await;
            assert_ne!(answer.status, 403, "{name}: {method} {path} {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_policy_is_for_the_service_principal_and_neither_for_app_id_nor_application() {
    // Contract section 19, 14.
    let world = World::with_vault().await;
    let (application, client, object) = world.application("reader").await;
    let (_, other, _) = world.application("other").await;
    let (reader, stranger) = (world.token(&client, "vault").await, world.token(&other, "vault").await);
    let status = async |token: &str| world.session(crate::world::VAULT, token).get("/secrets").await.status.as_u16();
    for id in [&application, &client] {
        world.grant(id, "all").await;
        assert_eq!(status(&reader).await, 403, "{id}");
    }
    world.grant(&object, "list").await;
    assert_eq!((status(&reader).await, status(&stranger).await), (200, 403));
    let path = world.vault_path("acme").replace('?', "/accessPolicies/remove?");
    let body = json!({"properties": {"accessPolicies": [world.policy(&object, "list")]}});
    world.management().await.put(&path, &body).await.expect(200);
    assert_eq!(status(&reader).await, 403, "what is taken away is gone at once");
}

#[tokio::test]
async fn a_permission_in_one_vault_is_none_in_another() {
    let world = World::with_vault().await;
    let other = world.make_vault("other", json!({})).await;
    other.set("db", "v").await;
    let (_, client, object) = world.application("reader").await;
    world.grant(&object, "all").await;
    let token = world.token(&client, "vault").await;
    world.session(crate::world::VAULT, &token).get("/secrets").await.expect(200);
    for (method, path, _) in OPERATIONS {
        let answer = world.session(&other.host, &token).send(method, path, &json!({"value": "v"})).await;
        assert_eq!(answer.error().2, "ForbiddenByPolicy", "{method} {path}");
    }
}
