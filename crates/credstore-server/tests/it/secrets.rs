//! The data plane as contract sections 2 to 7 write it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{NOW, VAULT, World, ask};

const V: &str = "api-version=7.4";

async fn set(world: &World, token: &str, name: &str, value: &str) -> Value {
    let path = format!("/secrets/{name}?{V}");
    ask("PUT", VAULT, &path).token(token).json(&json!({"value": value})).of(&world.app).await.expect(200)
}

#[tokio::test]
async fn the_first_answer_is_the_challenge_whatever_is_asked() {
    let world = World::with_vault().await;
    let challenge = format!(
        r#"Bearer authorization="https://login.localhost:8443/{}", resource="https://vault.localhost:8443""#,
        world.tenant
    );
    for (method, host, path) in [
        ("GET", VAULT, "/secrets/db/"),
        ("PUT", VAULT, "//secrets/d_b?api-version=nonsense"),
        ("DELETE", VAULT, "/"),
        ("OPTIONS", VAULT, "/secrets"),
        ("GET", "unknown.vault.localhost:8443", "/secrets/db"),
    ] {
        let answer = ask(method, host, path).text("{{{").of(&world.app).await;
        assert_eq!(answer.header("www-authenticate"), challenge);
        assert_eq!(
            answer.expect(401),
            json!({"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer or PoP token."}})
        );
    }
}

#[tokio::test]
async fn the_headers_are_those_of_azure() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let request = ask("GET", VAULT, "/secrets?api-version=7.4").token(&token);
    let request = request.header("x-ms-client-request-id", "mine").header("x-ms-return-client-request-id", "true");
    let answer = request.of(&world.app).await;
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("pragma", "no-cache"),
        ("expires", "-1"),
        ("content-type", "application/json; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("x-ms-client-request-id", "mine"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let again = ask("GET", VAULT, "/secrets?api-version=7.4").token(&token).of(&world.app).await;
    assert_eq!(again.header("x-ms-client-request-id"), "");
    assert_eq!(again.header("x-ms-request-id").len(), 36);
    assert_ne!(again.header("x-ms-request-id"), answer.header("x-ms-request-id"));
}

#[tokio::test]
async fn the_api_version_is_mandatory_and_known() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let unknown =
        "The specified version (9.9) is not recognized. Consider using the latest supported version (2026-04-01).";
    for (query, text) in [("", "api-version must be specified"), ("?api-version=9.9", unknown)] {
        let path = format!("/secrets{query}");
        let error = ask("GET", VAULT, &path).token(&token).of(&world.app).await.error();
        assert_eq!((error.0, error.1.as_str(), error.3.as_str()), (400, "BadParameter", text));
    }
    for version in ["7.0", "7.6-preview.2", "2025-07-01", "2026-04-01"] {
        let path = format!("/secrets?api-version={version}");
        ask("GET", VAULT, &path).token(&token).of(&world.app).await.expect(200);
    }
}

#[tokio::test]
async fn a_secret_is_set_read_changed_listed_and_versioned() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let body = json!({"value": "s3cret", "contentType": "text/plain", "tags": {"a": "b"},
        "attributes": {"enabled": true, "nbf": 1_700_000_000, "exp": 1_900_000_000}});
    let path = format!("/secrets/Db?{V}");
    let first = ask("PUT", VAULT, &path).token(&token).json(&body).of(&world.app).await.expect(200);
    let id = first["id"].as_str().unwrap().to_owned();
    let version = id.strip_prefix("https://acme.vault.localhost:8443/secrets/Db/").expect("the port is in the id");
    assert_eq!(version.len(), 32);
    let expected = json!({"value": "s3cret", "id": id, "contentType": "text/plain", "tags": {"a": "b"},
        "attributes": {"enabled": true, "nbf": 1_700_000_000, "exp": 1_900_000_000, "created": NOW.0, "updated": NOW.0,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}});
    assert_eq!(first, expected);
    for path in ["/secrets/db/", "//secrets/DB", "/SECRETS/db", &format!("/secrets/db/{version}")] {
        let path = format!("{path}?{V}");
        assert_eq!(ask("GET", VAULT, &path).token(&token).of(&world.app).await.expect(200), expected, "{path}");
    }
    world.clock.advance(Duration::from_secs(2));
    let path = format!("/secrets/db/{version}?{V}");
    let change = json!({"contentType": "x", "tags": {}});
    let changed = ask("PATCH", VAULT, &path).token(&token).json(&change).of(&world.app).await.expect(200);
    assert_eq!((changed.get("value"), &changed["contentType"]), (None, &json!("x")));
    assert_eq!(changed["attributes"]["updated"], NOW.0 + 2);
    let second = set(&world, &token, "db", "").await;
    assert_eq!(second["value"], "");
    let path = format!("/secrets?{V}");
    let list = ask("GET", VAULT, &path).token(&token).of(&world.app).await.expect(200);
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    assert_eq!(list["value"][0]["id"], "https://acme.vault.localhost:8443/secrets/Db");
    assert_eq!((list["value"][0].get("value"), &list["nextLink"]), (None, &Value::Null));
    let path = format!("/secrets/db/versions?{V}");
    let versions = ask("GET", VAULT, &path).token(&token).of(&world.app).await.expect(200);
    let ids: Vec<&Value> = versions["value"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert!(ids.len() == 2 && ids.contains(&&json!(id)) && ids.contains(&&second["id"]));
    let path = format!("/secrets/unknown/versions?{V}");
    let none = ask("GET", VAULT, &path).token(&token).of(&world.app).await.expect(200);
    assert_eq!(none, json!({"value": [], "nextLink": null}));
}

#[tokio::test]
async fn a_secret_is_deleted_recovered_and_purged() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    set(&world, &token, "db", "v").await;
    let at = |path: &str| format!("{path}?{V}");
    let call = |method: &'static str, path: String| {
        let (world, token) = (&world, &token);
        async move { ask(method, VAULT, &path).token(token).of(&world.app).await }
    };
    let deleted = call("DELETE", at("/secrets/db")).await.expect(200);
    assert_eq!(deleted["recoveryId"], "https://acme.vault.localhost:8443/deletedsecrets/db");
    assert_eq!(deleted["deletedDate"], NOW.0);
    assert_eq!(deleted["scheduledPurgeDate"], NOW.0 + 7_776_000);
    assert_eq!(deleted.get("value"), None);
    let missing = call("GET", at("/secrets/db/")).await.error();
    assert_eq!((missing.0, missing.1.as_str()), (404, "SecretNotFound"));
    assert!(missing.3.starts_with("A secret with (name/id) db was not found in this key vault."));
    let path = at("/secrets/db");
    let conflict = ask("PUT", VAULT, &path).token(&token).json(&json!({"value": "w"})).of(&world.app).await.error();
    assert_eq!(
        (conflict.0, conflict.1.as_str(), conflict.2.as_str()),
        (409, "Conflict", "ObjectIsDeletedButRecoverable")
    );
    assert_eq!(
        conflict.3,
        "Secret db is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the \
         secret can only be recovered or purged."
    );
    let list = call("GET", at("/deletedsecrets")).await.expect(200);
    assert_eq!(list["value"][0]["id"], "https://acme.vault.localhost:8443/secrets/db");
    call("GET", at("/deletedsecrets/db")).await.expect(200);
    let recovered = call("POST", at("/deletedsecrets/db/recover")).await.expect(200);
    assert_eq!((recovered.get("value"), &recovered["attributes"]["created"]), (None, &json!(NOW.0)));
    assert_eq!(call("GET", at("/secrets/db")).await.expect(200)["value"], "v");
    call("DELETE", at("/secrets/db")).await.expect(200);
    assert_eq!(call("DELETE", at("/deletedsecrets/db")).await.expect(204), Value::Null);
    let gone = call("GET", at("/deletedsecrets/db")).await.error();
    assert_eq!((gone.0, gone.1.as_str(), gone.3.as_str()), (404, "SecretNotFound", "Deleted Secret not found: db"));
}

#[tokio::test]
async fn a_backup_is_restored_only_where_the_name_is_free() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let first = set(&world, &token, "db", "v").await;
    let path = format!("/secrets/db/backup?{V}");
    let blob = ask("POST", VAULT, &path).token(&token).of(&world.app).await.expect(200);
    let path = format!("/secrets/restore?{V}");
    let conflict = ask("POST", VAULT, &path).token(&token).json(&blob).of(&world.app).await.error();
    assert_eq!((conflict.0, conflict.1.as_str(), conflict.2.as_str()), (409, "Conflict", ""));
    let start = format!("There was a conflict restoring the secret '{}'.", first["id"].as_str().unwrap());
    assert!(conflict.3.starts_with(&start), "{}", conflict.3);
    for (method, path) in [("DELETE", format!("/secrets/db?{V}")), ("DELETE", format!("/deletedsecrets/db?{V}"))] {
        ask(method, VAULT, &path).token(&token).of(&world.app).await;
    }
    let restored = ask("POST", VAULT, &path).token(&token).json(&blob).of(&world.app).await.expect(200);
    assert_eq!((restored.get("value"), &restored["id"]), (None, &first["id"]));
    let bad = ask("POST", VAULT, &path).token(&token).json(&json!({"value": "AAAA"})).of(&world.app).await.error();
    assert_eq!((bad.0, bad.1.as_str()), (400, "Malformed backup blob"));
    assert_eq!(bad.3, "Backup blob contains invalid or corrupt version.");
}

#[tokio::test]
async fn pages_are_followed_to_the_end_by_their_links() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    for n in 0..7 {
        set(&world, &token, &format!("s{n}"), "v").await;
    }
    let mut next = Some(format!("https://{VAULT}/secrets?{V}&maxresults=3"));
    let mut ids = Vec::new();
    while let Some(link) = next {
        let path = link.strip_prefix(&format!("https://{VAULT}")).expect("the port is in the link").to_owned();
        let page = ask("GET", VAULT, &path).token(&token).of(&world.app).await.expect(200);
        ids.extend(page["value"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        next = page["nextLink"].as_str().map(str::to_owned);
        if let Some(next) = &next {
            assert!(next.contains("$skiptoken=") && next.contains("maxresults=3") && next.contains(V), "{next}");
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7);
    for (query, status) in [
        ("maxresults=1", 200),
        ("maxresults=25", 200),
        ("maxresults=0", 400),
        ("maxresults=26", 400),
        ("maxresults=-1", 400),
        ("maxresults=x", 400),
        ("$skiptoken=x", 400),
    ] {
        let path = format!("/secrets?{V}&{query}");
        assert_eq!(ask("GET", VAULT, &path).token(&token).of(&world.app).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn who_has_only_get_reads_and_is_denied_the_rest_in_azures_words() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    set(&world, &token, "db", "v").await;
    let (_, client, object) = world.application("reader").await;
    world.grant(&object, "get").await;
    let reader = world.token(&client, "vault").await;
    let path = format!("/secrets/db?{V}");
    assert_eq!(ask("GET", VAULT, &path).token(&reader).of(&world.app).await.expect(200)["value"], "v");
    for (method, path, permission) in [
        ("GET", format!("/secrets?{V}"), "list"),
        ("PUT", path.clone(), "set"),
        ("PUT", format!("/secrets/d_b?{V}"), "set"),
        ("DELETE", path, "delete"),
    ] {
        let error = ask(method, VAULT, &path).token(&reader).text("not JSON").of(&world.app).await.error();
        let text = format!(
            "The user, group or application 'appid={client};oid={object};numgroups=0;iss=https://login.localhost:8443/{}/' \
             does not have secrets {permission} permission on key vault 'acme;location=local'. For help resolving this \
             issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
            world.tenant
        );
        assert_eq!(error, (403, "Forbidden".to_owned(), "ForbiddenByPolicy".to_owned(), text));
    }
}

#[tokio::test]
async fn bad_names_versions_and_bodies_are_refused_without_an_echo_of_values() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    set(&world, &token, "db", "v").await;
    for name in ["my_secret", "..", "%2e%2e", "a%2Fb", "a%00b", "%E2%80%AE", &"n".repeat(128)] {
        let path = format!("/secrets/{name}?{V}");
        let answer = ask("PUT", VAULT, &path).token(&token).json(&json!({"value": "planted"})).of(&world.app).await;
        let error = answer.error();
        assert_eq!((error.0, error.1.as_str()), (400, "BadParameter"), "{name}");
        assert!(error.3.starts_with("The request URI contains an invalid name: "), "{}", error.3);
    }
    let path = format!("/secrets/db/nonsense?{V}");
    assert_eq!(ask("GET", VAULT, &path).token(&token).of(&world.app).await.error().1, "SecretNotFound");
    for body in [
        "",
        "[]",
        r#"{"value":"planted","value":"planted"}"#,
        r#"{"value":"planted","tags":{"a":"b","a":"c"}}"#,
        r#"{"value":["planted"]}"#,
        r#"{"value":"\ud800planted"}"#,
        r#"{"value":"planted","attributes":{"exp":-1}}"#,
    ] {
        let path = format!("/secrets/other?{V}");
        let answer = ask("PUT", VAULT, &path).token(&token).text(body).of(&world.app).await;
        assert_eq!(answer.error().0, 400, "{body}");
        assert!(!answer.text.contains("planted"), "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_disabled_secret_and_an_unknown_vault_have_their_own_errors() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let path = format!("/secrets/db?{V}");
    let body = json!({"value": "v", "attributes": {"enabled": false}});
    ask("PUT", VAULT, &path).token(&token).json(&body).of(&world.app).await.expect(200);
    let error = ask("GET", VAULT, &path).token(&token).of(&world.app).await.error();
    assert_eq!((error.0, error.1.as_str(), error.2.as_str()), (403, "Forbidden", "SecretDisabled"));
    assert_eq!(error.3, "Operation get is not allowed on a disabled secret.");
    let error = ask("GET", "other.vault.localhost:8443", &path).token(&token).of(&world.app).await.error();
    assert_eq!((error.0, error.1.as_str()), (404, "VaultNotFound"));
}

#[tokio::test]
async fn a_deleted_application_is_out_within_five_seconds_and_an_expired_token_at_once() {
    let world = World::with_vault().await;
    let (id, client, object) = world.application("reader").await;
    world.grant(&object, "list").await;
    let reader = world.token(&client, "vault").await;
    let path = format!("/secrets?{V}");
    ask("GET", VAULT, &path).token(&reader).of(&world.app).await.expect(200);
    let graph = world.operator_token("graph").await;
    let app = format!("/v1.0/applications/{id}");
    ask("DELETE", crate::world::GRAPH, &app).token(&graph).of(&world.app).await.expect(204);
    world.clock.advance(Duration::from_secs(5));
    ask("GET", VAULT, &path).token(&reader).of(&world.app).await.expect(401);
    let token = world.operator_token("vault").await;
    ask("GET", VAULT, &path).token(&token).of(&world.app).await.expect(200);
    world.clock.advance(Duration::from_secs(3598));
    ask("GET", VAULT, &path).token(&token).of(&world.app).await.expect(200);
    world.clock.advance(Duration::from_secs(1));
    let expired = ask("GET", VAULT, &path).token(&token).of(&world.app).await.error();
    assert_eq!((expired.0, expired.3.as_str()), (401, "[TokenExpired] Error validating token."));
}

#[tokio::test]
async fn a_token_for_another_resource_is_named_in_the_refusal() {
    let world = World::with_vault().await;
    let token = world.operator_token("management").await;
    let error = ask("GET", VAULT, "/secrets").token(&token).of(&world.app).await.error();
    assert_eq!(
        error.3,
        "AKV10022: Invalid audience. Expected https://vault.localhost:8443, found: https://management.localhost:8443."
    );
}

#[tokio::test]
async fn only_our_host_names_are_answered() {
    let world = World::with_vault().await;
    for (host, status) in [
        ("evil.example:8443", 421),
        ("acme.vault.localhost", 421),
        ("vault.localhost:8443", 421),
        ("127.0.0.1:8443", 421),
        ("user@acme.vault.localhost:8443", 400),
    ] {
        let answer = ask("GET", host, "/secrets").of(&world.app).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, ""), "{host}");
    }
    let two = ask("GET", VAULT, "/secrets").header("host", VAULT).header("host", VAULT).of(&world.app).await;
    assert_eq!(two.status, 400);
    let other = ask("GET", VAULT, "/secrets").header("host", "graph.localhost:8443").of(&world.app).await;
    assert_eq!(other.status, 400);
}
