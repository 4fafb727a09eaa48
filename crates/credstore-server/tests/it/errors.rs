//! The error table of contract section 5, row by row: status, code, inner code and exact text.

use std::sync::Arc;

use credstore_server::{App, Site};
use credstore_testing::failing_storage::{FailingStorage, Fault};
use credstore_vault::Installation;
use credstore_vault::seal::RootKey;
use credstore_vault::storage::MemoryStorage;
use serde_json::{Value, json};

use crate::certificates::create;
use crate::world::{Answer, NOW, Session, VAULT, World, ask};

const MORE: &str = "If you recently deleted this secret you may be able to recover it using the correct recovery command. \
                    For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182";

#[track_caller]
fn is(answer: &Answer, status: u16, code: &str, inner: &str, text: &str) {
    assert_eq!(answer.error(), (status, code.to_owned(), inner.to_owned(), text.to_owned()));
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "nothing beside 'error'");
    assert_eq!(body["error"].get("innererror").is_some(), !inner.is_empty(), "no empty inner error");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named_with_its_version() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    let unknown = "0123456789abcdef0123456789abcdef";
    for (method, path, shown) in [
        ("GET", "/secrets/none".to_owned(), "none".to_owned()),
        ("GET", "/secrets/none/".to_owned(), "none".to_owned()),
        ("PATCH", "/secrets/none".to_owned(), "none".to_owned()),
        ("DELETE", "/secrets/none".to_owned(), "none".to_owned()),
        ("POST", "/secrets/none/backup".to_owned(), "none".to_owned()),
        ("GET", format!("/secrets/none/{unknown}"), format!("none/{unknown}")),
        ("GET", format!("/secrets/db/{unknown}"), format!("db/{unknown}")),
        ("PATCH", format!("/secrets/db/{unknown}"), format!("db/{unknown}")),
        ("GET", "/secrets/db/short".to_owned(), "db/short".to_owned()),
        ("GET", format!("/secrets/db/{}", unknown.to_uppercase()), format!("db/{}", unknown.to_uppercase())),
    ] {
        let answer = vault.send(method, &path, &json!({})).await;
        let text = answer.error().3.to_lowercase();
        assert!(text.starts_with(&format!("a secret with (name/id) {} was", shown.to_lowercase())), "{path}: {text}");
        let text = answer.error().3.replace(&unknown.to_uppercase(), unknown);
        let expected = format!("A secret with (name/id) {shown} was not found in this key vault. {MORE}");
        assert_eq!(text, expected.replace(&unknown.to_uppercase(), unknown));
        assert_eq!((answer.error().0, answer.error().1.as_str()), (404, "SecretNotFound"));
    }
    for (method, path) in [
        ("GET", "/deletedsecrets/none"),
        ("DELETE", "/deletedsecrets/none"),
        ("POST", "/deletedsecrets/none/recover"),
        ("GET", "/deletedsecrets/db"),
    ] {
        let name = if path.ends_with("db") { "db" } else { "none" };
        let answer = vault.send(method, path, &Value::Null).await;
        is(&answer, 404, "SecretNotFound", "", &format!("Deleted Secret not found: {name}"));
    }
}

#[tokio::test]
async fn a_disabled_secret_is_not_given_out_in_any_version() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let set = vault.put("/secrets/db", &json!({"value": "v", "attributes": {"enabled": false}})).await.expect(200);
    let version = set["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for path in ["/secrets/db", "/secrets/db/", &format!("/secrets/db/{version}")] {
        let text = "Operation get is not allowed on a disabled secret.";
        is(&vault.get(path).await, 403, "Forbidden", "SecretDisabled", text);
    }
    assert_eq!(vault.ids("/secrets").await.len(), 1, "it is listed, and can be changed, backed up and deleted");
    vault.post("/secrets/db/backup", &Value::Null).await.expect(200);
    vault.delete("/secrets/db").await.expect(200);
}

#[tokio::test]
async fn a_vault_that_is_not_there_or_deleted_is_not_found_by_who_has_a_token() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let gone = world.make_vault("gone", json!({})).await;
    gone.set("db", "v").await;
    world.management().await.delete(&world.vault_path("gone")).await.expect(200);
    let absent = Session { host: "absent.vault.localhost:8443".to_owned(), token: vault.token.clone(), world: &world };
    for (session, name) in [(&gone, "gone"), (&absent, "absent")] {
        for path in ["/secrets", "/secrets/db", "/deletedsecrets"] {
            let text = format!("The vault {name} was not found.");
            is(&session.get(path).await, 404, "VaultNotFound", "", &text);
        }
    }
}

#[tokio::test]
async fn a_purge_of_a_protected_vault_is_refused() {
    let world = World::with_vault().await;
    let vault = world.make_vault("kept", json!({"enablePurgeProtection": true, "softDeleteRetentionInDays": 7})).await;
    vault.set("db", "v").await;
    vault.delete("/secrets/db").await.expect(200);
    let text = "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service \
                will automatically purge it after the retention period has passed.";
    is(&vault.delete("/deletedsecrets/db").await, 403, "Forbidden", "", text);
    vault.post("/deletedsecrets/db/recover", &Value::Null).await.expect(200);
}

#[tokio::test]
async fn a_vault_with_roles_denies_with_the_action_that_is_missing() {
    let world = World::with_vault().await;
    let vault = world.make_vault("roles", json!({"enableRbacAuthorization": true})).await;
    let caller = format!(
        "appid={};oid={};iss=https://login.localhost:8443/{}/",
        world.operator,
        world.operator_object(),
        world.tenant
    );
    let tenant = &world.tenant;
    let resource =
        format!("/subscriptions/{tenant}/resourcegroups/credstore/providers/microsoft.keyvault/vaults/roles");
    for (method, path, action, object) in [
        ("PUT", "/secrets/db", "secrets/setSecret/action", "/secrets/db"),
        ("GET", "/secrets/DB", "secrets/getSecret/action", "/secrets/db"),
        ("PATCH", "/secrets/db", "secrets/update/action", "/secrets/db"),
        ("DELETE", "/secrets/db", "secrets/delete", "/secrets/db"),
        ("GET", "/secrets", "secrets/readMetadata/action", ""),
        ("GET", "/secrets/db/versions", "secrets/readMetadata/action", "/secrets/db"),
        ("POST", "/secrets/db/backup", "secrets/backup/action", "/secrets/db"),
        ("POST", "/secrets/restore", "secrets/restore/action", ""),
        ("GET", "/deletedsecrets", "secrets/readMetadata/action", ""),
        ("GET", "/deletedsecrets/db", "secrets/readMetadata/action", "/secrets/db"),
        ("POST", "/deletedsecrets/db/recover", "secrets/recover/action", "/secrets/db"),
        ("DELETE", "/deletedsecrets/db", "secrets/purge/action", "/secrets/db"),
    ] {
        let text = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
             definitions were changed recently, please observe propagation time.\r\nCaller: {caller}\r\nAction: \
             'Microsoft.KeyVault/vaults/{action}'\r\nResource: '{resource}{object}'\r\nAssignment: (not found)\r\nDenyAssignmentId: \
             null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: roles;location=local\r\n"
        );
        is(&vault.send(method, path, &Value::Null).await, 403, "Forbidden", "ForbiddenByRbac", &text);
    }
}

#[tokio::test]
async fn what_this_vault_does_not_hold_is_refused_and_not_called_absent() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let text = "This vault holds secrets, keys and certificates; it has no storage accounts.";
    for path in ["/storage", "/Storage/s/", "/deletedstorage"] {
        is(&vault.get(path).await, 400, "BadParameter", "", text);
    }
    let text = "Hardware key operation not allowed on standard vault";
    for (method, path) in [
        ("POST", "/rng"),
        ("GET", "/keys/k/0123456789abcdef0123456789abcdef/attestation"),
        ("GET", "/keys/k//attestation"),
        ("POST", "/keys/k/0123456789abcdef0123456789abcdef/release"),
        ("POST", "/keys/k//release"),
    ] {
        is(&vault.send(method, path, &json!({})).await, 400, "BadParameter", "", text);
    }
    for name in ["attestation", "release", "rng"] {
        vault.post(&format!("/keys/{name}/create"), &json!({"kty": "EC"})).await.expect(200);
        let found = vault.get(&format!("/keys/{name}")).await.expect(200);
        assert_eq!(vault.get(&format!("/keys/{name}/")).await.expect(200), found, "a key may have this name");
    }
    let text = "The request URI names no operation of this vault.";
    for path in ["/", "/secret", "/secrets/db/1/2", "/deletedsecrets/db/versions", "/healthz"] {
        is(&vault.get(path).await, 404, "NotFound", "", text);
    }
    let text = "The method is not allowed for the request URI.";
    for (method, path, allowed) in [
        ("POST", "/secrets", "GET"),
        ("GET", "/secrets/db/backup/", ""),
        ("PUT", "/deletedsecrets/db", "GET, DELETE"),
        ("GET", "/deletedsecrets/db/recover", "POST"),
        ("HEAD", "/secrets/db", "GET, PUT, PATCH, DELETE"),
        ("DELETE", "/secrets/db/0123456789abcdef0123456789abcdef", "GET, PATCH"),
    ] {
        let answer = vault.send(method, path, &Value::Null).await;
        if allowed.is_empty() {
            assert_eq!(answer.error().1, "SecretNotFound", "'backup' is read as a version, which cannot exist");
        } else {
            is(&answer, 405, "MethodNotAllowed", "", text);
            assert_eq!(answer.header("allow"), allowed, "{path}");
        }
    }
}

#[tokio::test]
async fn a_method_is_what_it_is_and_no_header_or_parameter_changes_it() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    for header in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let request = ask("GET", VAULT, "/secrets/db?api-version=7.4&_method=DELETE").token(&vault.token);
        let answer = request.header(header, "DELETE").of(&world.app).await;
        assert_eq!(answer.expect(200)["value"], "v", "{header}");
    }
}

#[tokio::test]
async fn bad_tokens_have_azures_texts() {
    let world = World::with_vault().await;
    let good = world.operator_token("vault").await;
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = head.split_once('.').unwrap();
    let strange = World::with_vault().await.operator_token("vault").await;
    let (first, rest) = signature.split_at(1);
    let flipped = format!("{head}.{}{rest}", if first == "A" { "B" } else { "A" });
    let management = world.operator_token("management").await;
    let audience =
        "AKV10022: Invalid audience. Expected https://vault.localhost:8443, found: https://management.localhost:8443.";
    for (token, text) in [
        (management.as_str(), audience),
        (&strange, "AKV10046: Unable to resolve the key used for signature validation."),
        (&flipped, "[TokenInvalid] Error validating token."),
        (&format!("{header}.{claims}."), "[BearerReadAccessTokenFailed] Error validating token."),
        (&format!("{header}.{claims}"), "[BearerReadAccessTokenFailed] Error validating token."),
        (&format!("eyJhbGciOiJub25lIn0.{claims}.AAAA"), "[BearerReadAccessTokenFailed] Error validating token."),
        (&format!("{header}=.{claims}.{signature}"), "[BearerReadAccessTokenFailed] Error validating token."),
        ("x", "[BearerReadAccessTokenFailed] Error validating token."),
    ] {
        let answer = ask("GET", VAULT, "/secrets?api-version=7.4").token(token).of(&world.app).await;
        is(&answer, 401, "Unauthorized", "", text);
        assert!(answer.header("www-authenticate").contains("resource=\"https://vault.localhost:8443\""), "{text}");
    }
}

#[tokio::test]
async fn a_token_of_the_same_directory_at_another_address_has_another_issuer() {
    let (storage, root_key) = (Arc::new(MemoryStorage::new()), RootKey::random());
    let world = World::of(Installation::over(storage.clone(), &root_key, NOW).unwrap()).await;
    let again = Arc::new(Installation::over(storage, &root_key, NOW).unwrap());
    let elsewhere = App::new(again, Site { zone: "localhost".to_owned(), port: 9443 }, world.clock.clone());
    let token = world.operator_token("vault").await;
    let answer = ask("GET", "acme.vault.localhost:9443", "/secrets?api-version=7.4").token(&token).of(&elsewhere).await;
    let issuer = |port: u16| format!("https://login.localhost:{port}/{}/", world.tenant);
    let text = format!("AKV10032: Invalid issuer. Expected one of {}, found {}.", issuer(9443), issuer(8443));
    is(&answer, 401, "Unauthorized", "", &text);
}

#[tokio::test]
async fn a_certificate_that_is_not_there_or_deleted_is_named() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.post("/certificates/app/create", &create("Self")).await.expect(202);
    let unknown = "0123456789abcdef0123456789abcdef";
    let versioned = format!("/certificates/app/{unknown}");
    let more = MORE.replace("secret", "certificate");
    for (method, path, shown) in [
        ("GET", "/certificates/none", "none".to_owned()),
        ("PATCH", "/certificates/none", "none".to_owned()),
        ("DELETE", "/certificates/none", "none".to_owned()),
        ("POST", "/certificates/none/backup", "none".to_owned()),
        ("GET", versioned.as_str(), format!("app/{unknown}")),
    ] {
        let text = format!("A certificate with (name/id) {shown} was not found in this key vault. {more}");
        is(&vault.send(method, path, &json!({})).await, 404, "CertificateNotFound", "", &text);
    }
    for (method, path) in [
        ("GET", "/deletedcertificates/app"),
        ("DELETE", "/deletedcertificates/app"),
        ("POST", "/deletedcertificates/app/recover"),
    ] {
        let answer = vault.send(method, path, &Value::Null).await;
        is(&answer, 404, "CertificateNotFound", "", "Deleted Certificate not found: app");
    }
}

#[tokio::test]
async fn a_disabled_certificate_is_shown_and_its_secret_is_not_given_out() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.post("/certificates/app/create", &create("Self")).await.expect(202);
    vault.get("/certificates/app/pending").await.expect(200);
    vault.patch("/certificates/app", &json!({"attributes": {"enabled": false}})).await.expect(200);
    assert_eq!(vault.get("/certificates/app").await.expect(200)["attributes"]["enabled"], false);
    let text = "Operation get is not allowed on a disabled secret.";
    is(&vault.get("/secrets/app").await, 403, "Forbidden", "SecretDisabled", text);
}

#[tokio::test]
async fn a_store_that_takes_no_writes_is_unavailable_and_still_reads() {
    let storage = Arc::new(FailingStorage::around(Arc::new(MemoryStorage::new()), Fault::Full));
    let root_key = RootKey::random();
    let world = World::of(Installation::over(storage.clone(), &root_key, NOW).unwrap()).await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    storage.fail_next(u64::MAX / 2);
    for (method, path) in [("PUT", "/secrets/db"), ("PATCH", "/secrets/db"), ("DELETE", "/secrets/db")] {
        let answer = vault.send(method, path, &json!({"value": "w"})).await;
        is(&answer, 503, "ServiceUnavailable", "", "The vault takes no writes at the moment.");
    }
    assert_eq!(vault.get("/secrets/db").await.expect(200)["value"], "v");
    let management = world.management().await;
    let error = management.delete(&world.vault_path("acme")).await.error();
    assert_eq!((error.0, error.1.as_str()), (503, "ServiceUnavailable"));
    let graph = world.session(crate::world::GRAPH, &world.operator_token("graph").await);
    let error = graph.post("/v1.0/applications", &json!({"displayName": "x"})).await.error();
    assert_eq!((error.0, error.1.as_str()), (503, "ServiceUnavailable"));
}

#[tokio::test]
async fn a_name_that_others_keep_writing_is_throttled_with_a_time_to_come_back() {
    let storage = Arc::new(FailingStorage::around(Arc::new(MemoryStorage::new()), Fault::Conflict));
    let root_key = RootKey::random();
    let world = World::of(Installation::over(storage.clone(), &root_key, NOW).unwrap()).await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    storage.fail_next(u64::MAX / 2);
    let answer = vault.patch("/secrets/db", &json!({"value": "v"})).await;
    let text =
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached";
    is(&answer, 429, "Throttled", "", text);
    assert_eq!(answer.header("retry-after"), "1");
}

#[test]
fn the_page_names_tests_that_exist() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/key-vault.md")).unwrap();
    let (_, table) = page.split_once("## Which test holds each refusal").unwrap();
    let named: Vec<(&str, &str)> = table.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 25, "{named:?}");
    for (module, test) in named {
        let source = std::fs::read_to_string(format!("{here}/{module}.rs")).unwrap();
        assert!(source.contains(&format!("fn {test}()")), "{module}::{test}");
    }
}
