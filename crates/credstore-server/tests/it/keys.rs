//! Keys on the wire, as contract section 9 and the texts of section 5 write them.

use credstore_protocol::encoding::{base64_any, base64url};
use serde_json::{Value, json};

use crate::world::{NOW, VAULT, World};

#[tokio::test]
async fn a_key_is_answered_as_the_contract_shows_it() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let made = vault.post("/keys/k/create", &json!({"kty": "EC", "tags": {"a": "b"}})).await.expect(200);
    let kid = made["key"]["kid"].as_str().unwrap().to_owned();
    let (base, version) = kid.rsplit_once('/').unwrap();
    assert_eq!((base, version.len()), (format!("https://{VAULT}/keys/k").as_str(), 32));
    let (x, y) = (&made["key"]["x"], &made["key"]["y"]);
    assert_eq!(base64_any(x.as_str().unwrap()).unwrap().len(), 32, "the length of the curve's field");
    let attributes = json!({"enabled": true, "created": NOW.0, "updated": NOW.0, "exportable": false, "hsmPlatform": "0",
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90});
    let key = json!({"kid": kid, "kty": "EC", "key_ops": ["sign", "verify"], "crv": "P-256", "x": x, "y": y});
    let bundle = json!({"key": key, "attributes": attributes, "tags": {"a": "b"}});
    assert_eq!(made, bundle);
    for path in ["/keys/k", "/keys/k/", &format!("/keys/k/{version}"), "/KEYS/K"] {
        assert_eq!(vault.get(path).await.expect(200), bundle, "{path}");
    }
    let item = json!({"kid": base, "attributes": attributes, "tags": {"a": "b"}});
    assert_eq!(vault.get("/keys").await.expect(200)["value"], json!([item]));
    let versioned = json!({"kid": kid, "attributes": attributes, "tags": {"a": "b"}});
    assert_eq!(vault.get("/keys/k/versions").await.expect(200)["value"], json!([versioned]));

    let deleted = vault.delete("/keys/k").await.expect(200);
    let recovery = json!({"recoveryId": format!("https://{VAULT}/deletedkeys/k"), "deletedDate": NOW.0,
        "scheduledPurgeDate": NOW.0 + 7_776_000});
    let with = |mut body: Value| {
        body.as_object_mut().unwrap().extend(recovery.as_object().unwrap().clone());
        body
    };
    assert_eq!(deleted, with(bundle.clone()));
    assert_eq!(vault.get("/deletedkeys/k").await.expect(200), deleted);
    assert_eq!(vault.get("/deletedkeys").await.expect(200)["value"], json!([with(item)]));
    assert_eq!(vault.post("/deletedkeys/k/recover", &Value::Null).await.expect(200), bundle);
    vault.delete("/keys/k").await.expect(200);
    vault.delete("/deletedkeys/k").await.expect(204);
    vault.get("/deletedkeys/k").await.expect(404);
}

#[tokio::test]
async fn the_answer_of_an_operation_names_the_version_that_was_used() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let made = vault.post("/keys/rsa/create", &json!({"kty": "RSA"})).await.expect(200);
    let kid = made["key"]["kid"].as_str().unwrap();
    let version = kid.rsplit('/').next().unwrap();
    let digest = base64url(&[1; 32]);
    for at in ["", &format!("/{version}")] {
        let path = |operation: &str| format!("/keys/rsa{at}/{operation}");
        let signed = vault.post(&path("sign"), &json!({"alg": "PS256", "value": digest})).await.expect(200);
        assert_eq!(signed["kid"], kid);
        let verify = |digest: String| json!({"alg": "PS256", "digest": digest, "value": signed["value"]});
        let verified = vault.post(&path("verify"), &verify(digest.clone())).await.expect(200);
        assert_eq!(verified, json!({"value": true}));
        let other = vault.post(&path("verify"), &verify(base64url(&[2; 32]))).await.expect(200);
        assert_eq!(other, json!({"value": false}));
        for (there, back) in [("encrypt", "decrypt"), ("wrapkey", "unwrapkey")] {
            let text = base64url(b"some bytes");
            let sealed = vault.post(&path(there), &json!({"alg": "RSA-OAEP", "value": text})).await.expect(200);
            assert_eq!(sealed["kid"], kid);
            let opened =
                vault.post(&path(back), &json!({"alg": "RSA-OAEP", "value": sealed["value"]})).await.expect(200);
            assert_eq!(opened, json!({"kid": kid, "value": text}));
        }
    }
}

#[tokio::test]
async fn refusals_have_the_texts_of_azure() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let ec = vault.post("/keys/ec/create", &json!({"kty": "EC"})).await.expect(200);
    let kid = ec["key"]["kid"].as_str().unwrap();
    vault.post("/keys/rsa/create", &json!({"kty": "RSA", "key_ops": ["sign"]})).await.expect(200);
    vault.post("/keys/off/create", &json!({"kty": "EC", "attributes": {"enabled": false}})).await.expect(200);
    vault.post("/keys/old/create", &json!({"kty": "EC", "attributes": {"exp": NOW.0}})).await.expect(200);
    vault.post("/keys/new/create", &json!({"kty": "EC", "attributes": {"nbf": NOW.0 + 1}})).await.expect(200);
    vault.post("/keys/gone/create", &json!({"kty": "EC"})).await.expect(200);
    vault.delete("/keys/gone").await.expect(200);
    let sign = |alg: &str, bytes: usize| json!({"alg": alg, "value": base64url(&vec![0; bytes])});
    let hardware = "Hardware key operation not allowed on standard vault";
    for (path, body, status, code, inner, message) in [
        ("/keys/x/create", json!({"kty": "RSA-HSM"}), 400, "BadParameter", "", hardware.to_owned()),
        ("/keys/x/create", json!({"kty": "EC-HSM"}), 400, "BadParameter", "", hardware.to_owned()),
        ("/keys/x/create", json!({"kty": "oct"}), 400, "BadParameter", "KeyTypeNotSupported", "Invalid kty value: oct".to_owned()),
        ("/keys/ec/release", json!({"target": "x"}), 400, "BadParameter", "", hardware.to_owned()),
        ("/rng", json!({"count": 8}), 400, "BadParameter", "", hardware.to_owned()),
        ("/keys/off/sign", sign("ES256", 32), 403, "Forbidden", "KeyDisabled",
            "Operation sign is not allowed on a disabled key.".to_owned()),
        ("/keys/old/sign", sign("ES256", 32), 403, "Forbidden", "KeyExpired",
            "Operation sign is not allowed on an expired key.".to_owned()),
        ("/keys/new/sign", sign("ES256", 32), 403, "Forbidden", "KeyNotYetValid",
            "Operation sign is not allowed on a key that is not yet valid.".to_owned()),
        ("/keys/rsa/decrypt", json!({"alg": "RSA1_5", "value": "AAAA"}), 403, "Forbidden", "KeyOperationForbidden",
            "Operation decrypt is not permitted on this key.".to_owned()),
        ("/keys/ec/sign", sign("ES256", 43), 400, "BadParameter", "",
            "Invalid length of 'value': 43 bytes. ES256 requires 32 bytes, encoded with base64url.".to_owned()),
        ("/keys/ec/sign", sign("ES256K", 32), 400, "BadParameter", "", format!(
            "Key and signing algorithm are incompatible. Key {kid} uses curve 'P-256', and algorithm 'ES256K' can only be used \
             with curve 'P-256K'.")),
        ("/keys/nothing/sign", sign("ES256", 32), 404, "KeyNotFound", "",
            "A key with (name/id) nothing was not found in this key vault. If you recently deleted this key you may be able to \
             recover it using the correct recovery command. For help resolving this issue, please see \
             https://go.microsoft.com/fwlink/?linkid=2125182".to_owned()),
        ("/keys/gone/create", json!({"kty": "EC"}), 409, "Conflict", "ObjectIsDeletedButRecoverable",
            "Key gone is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key \
             can only be recovered or purged.".to_owned()),
        ("/deletedkeys/other/recover", Value::Null, 404, "KeyNotFound", "", "Deleted Key not found: other".to_owned()),
    ] {
        let answer = vault.post(path, &body).await;
        assert_eq!(answer.error(), (status, code.to_owned(), inner.to_owned(), message), "{path} {body}");
    }
    let unknown = vault.get("/keys/ec/00000000000000000000000000000000").await.error();
    assert_eq!((unknown.0, unknown.1.as_str()), (404, "KeyNotFound"));
    assert!(unknown.3.contains("(name/id) ec/00000000000000000000000000000000 was"), "{}", unknown.3);
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_and_repeat_nothing_of_a_key() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.post("/keys/ec/create", &json!({"kty": "EC"})).await.expect(200);
    const D: &str = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE";
    let ec = |d: Value| json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA", "d": d});
    for (method, path, body) in [
        ("POST", "/keys/x/create", json!({})),
        ("POST", "/keys/x/create", json!({"kty": "RSA", "key_size": 1024})),
        ("POST", "/keys/x/create", json!({"kty": "EC", "crv": "P-192"})),
        ("POST", "/keys/x/create", json!({"kty": "EC", "key_ops": ["fly"]})),
        ("PUT", "/keys/x", json!({"key": ec(json!(D))})),
        ("PUT", "/keys/x", json!({"key": ec(json!(format!("{D}!")))})),
        ("PUT", "/keys/x", json!({"key": ec(json!(7))})),
        ("PUT", "/keys/x", json!({"key": ec(json!(D)), "Hsm": true})),
        ("POST", "/keys/ec/sign", json!({"alg": "ES256", "value": "*"})),
        ("POST", "/keys/ec/sign", json!({"alg": "none", "value": "AAAA"})),
        ("POST", "/keys/ec/encrypt", json!({"alg": "A256GCM", "value": "AAAA"})),
        ("POST", "/keys/ec/verify", json!({"alg": "ES256", "digest": "*", "value": "AAAA"})),
        ("PUT", "/keys/ec/rotationpolicy", json!({"attributes": {"expiryTime": "soon"}})),
        ("POST", "/keys/restore", json!({"value": "AAAA"})),
    ] {
        let answer = vault.send(method, path, &body).await;
        assert_eq!(answer.status, 400, "{method} {path} {body}: {}", answer.text);
        assert!(!answer.text.contains("870MB6"), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_import_a_backup_and_a_rotation_policy_go_round() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    // RFC 7517 appendix A.2.
    let key = json!({"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"});
    let made = vault.put("/keys/mine", &json!({"Hsm": false, "key": key})).await.expect(200);
    assert_eq!(made["key"]["x"], key["x"]);
    assert!(made["key"].get("d").is_none(), "the private half stays");
    let blob = vault.post("/keys/mine/backup", &Value::Null).await.expect(200);
    let live = vault.post("/keys/restore", &blob).await.error();
    assert_eq!((live.0, live.1.as_str()), (409, "Conflict"));
    assert!(live.3.starts_with("There was a conflict restoring the key 'https://"), "{}", live.3);
    let foreign = vault.post("/secrets/restore", &blob).await.error();
    assert_eq!((foreign.0, foreign.1.as_str()), (400, "Malformed backup blob"));
    vault.delete("/keys/mine").await.expect(200);
    vault.delete("/deletedkeys/mine").await.expect(204);
    assert_eq!(vault.post("/keys/restore", &blob).await.expect(200)["key"], made["key"]);

    let id = format!("https://{VAULT}/keys/mine/rotationpolicy");
    let notify = json!({"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}});
    let default = vault.get("/keys/mine/rotationpolicy").await.expect(200);
    assert_eq!(default, json!({"id": id, "lifetimeActions": [notify], "attributes": {}}));
    let rotate = json!({"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}});
    let wanted = json!({"lifetimeActions": [rotate], "attributes": {"expiryTime": "P120D"}});
    let set = vault.put("/keys/mine/rotationpolicy", &wanted).await.expect(200);
    let attributes = json!({"expiryTime": "P120D", "created": NOW.0, "updated": NOW.0});
    assert_eq!(set, json!({"id": id, "lifetimeActions": [rotate, notify], "attributes": attributes}));
    assert_eq!(vault.get("/keys/mine/rotationpolicy").await.expect(200), set);
    let rotated = vault.post("/keys/mine/rotate", &Value::Null).await.expect(200);
    assert_ne!(rotated["key"]["kid"], made["key"]["kid"]);
    assert_eq!(rotated["attributes"]["exp"], NOW.0 + 120 * 86_400);
    assert_eq!(vault.get("/keys/mine/versions").await.expect(200)["value"].as_array().unwrap().len(), 2);
    let changed = vault.patch("/keys/mine", &json!({"key_ops": ["verify"]})).await.expect(200);
    assert_eq!(changed["key"]["key_ops"], json!(["verify"]));
}

#[tokio::test]
async fn a_permission_on_secrets_opens_no_key_and_one_on_keys_only_its_own() {
    let world = World::with_vault().await;
    let (_, client, object) = world.application("one").await;
    world.grant(&object, "get").await;
    let owner = world.vault().await;
    owner.post("/keys/k/create", &json!({"kty": "EC"})).await.expect(200);
    let app = world.session(VAULT, &world.token(&client, "vault").await);
    let denied = app.get("/keys/k").await.error();
    assert_eq!((denied.0, denied.2.as_str()), (403, "ForbiddenByPolicy"));
    assert!(denied.3.contains("does not have keys get permission"), "{}", denied.3);
    let mut policy = world.policy(&object, "get");
    policy["permissions"]["keys"] = json!(["sign"]);
    let path = world.vault_path("acme").replace('?', "/accessPolicies/add?");
    let management = world.management().await;
    management.put(&path, &json!({"properties": {"accessPolicies": [policy]}})).await.expect(200);
    app.post("/keys/k/sign", &json!({"alg": "ES256", "value": base64url(&[0; 32])})).await.expect(200);
    assert_eq!(app.get("/keys/k").await.status, 403);
    let create = app.post("/keys/k/create", &json!({"kty": "nonsense"})).await.error();
    assert!(create.3.contains("does not have keys create permission"), "before the body is looked at: {}", create.3);
}
