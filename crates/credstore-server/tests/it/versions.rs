//! Every operation on secrets in every stable version of the interface, contract sections 1 and 6.

use serde_json::{Value, json};

use crate::world::{NOW, Session, World};

/// Contract section 1.
const STABLE: [&str; 11] =
    ["2015-06-01", "2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];
const BASE: &str = "https://acme.vault.localhost:8443";

/// Names of the members of an object, in the order of the alphabet.
fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

struct Versioned<'w> {
    vault: &'w Session<'w>,
    version: &'static str,
}

impl Versioned<'_> {
    /// Asks `method path` in this version and expects `status`.
    async fn ask(&self, request: &str, body: Value, status: u16) -> Value {
        let (method, path) = request.split_once(' ').unwrap();
        self.vault.send(method, &format!("{path}?api-version={}", self.version), &body).await.expect(status)
    }
}

#[tokio::test]
async fn every_operation_answers_the_same_in_every_stable_version() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let attributes = json!({"enabled": true, "created": NOW.0, "updated": NOW.0,
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90});
    for version in STABLE {
        let ask = Versioned { vault: &vault, version };
        let set = ask.ask("PUT /secrets/db", json!({"value": "v"}), 200).await;
        let id = set["id"].as_str().unwrap().to_owned();
        let number = id.strip_prefix(&format!("{BASE}/secrets/db/")).unwrap();
        assert!(number.len() == 32 && number.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert_eq!(set, json!({"id": id, "value": "v", "attributes": attributes}), "{version}");
        for path in ["/secrets/db", "/secrets/db/", &format!("/secrets/db/{number}")] {
            assert_eq!(ask.ask(&format!("GET {path}"), Value::Null, 200).await, set, "{version} {path}");
        }
        let patched = ask.ask(&format!("PATCH /secrets/db/{number}"), json!({"contentType": "t"}), 200).await;
        assert_eq!(members(&patched), ["attributes", "contentType", "id"], "{version}");
        let changed = json!({"enabled": true, "created": NOW.0, "updated": NOW.0 + 1,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90});
        assert_eq!(patched["attributes"], changed, "a change moves the time of the last change by a second");
        let item = json!({"id": format!("{BASE}/secrets/db"), "contentType": "t", "attributes": changed});
        let page = |item: &Value| json!({"value": [item], "nextLink": null});
        assert_eq!(ask.ask("GET /secrets", Value::Null, 200).await, page(&item), "{version}");
        let listed = json!({"id": id, "contentType": "t", "attributes": changed});
        assert_eq!(ask.ask("GET /secrets/db/versions", Value::Null, 200).await, page(&listed), "{version}");
        let blob = ask.ask("POST /secrets/db/backup", Value::Null, 200).await;
        assert_eq!(members(&blob), ["value"], "{version}");
        let url = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        assert!(blob["value"].as_str().unwrap().bytes().all(url), "base64url without padding");
        let deleted = ask.ask("DELETE /secrets/db", Value::Null, 200).await;
        let gone = json!({"id": id, "contentType": "t", "attributes": changed,
            "recoveryId": format!("{BASE}/deletedsecrets/db"), "deletedDate": NOW.0,
            "scheduledPurgeDate": NOW.0 + 7_776_000});
        assert_eq!(deleted, gone, "{version}");
        assert_eq!(ask.ask("GET /deletedsecrets/db", Value::Null, 200).await, gone, "{version}");
        let mut gone_item = gone.clone();
        gone_item["id"] = json!(format!("{BASE}/secrets/db"));
        assert_eq!(ask.ask("GET /deletedsecrets", Value::Null, 200).await, page(&gone_item), "{version}");
        let recovered = ask.ask("POST /deletedsecrets/db/recover", Value::Null, 200).await;
        assert_eq!(recovered, listed, "{version}: neither time moves, and there is no value");
        ask.ask("DELETE /secrets/db", Value::Null, 200).await;
        assert_eq!(ask.ask("DELETE /deletedsecrets/db", Value::Null, 204).await, Value::Null, "{version}");
        assert_eq!(ask.ask("POST /secrets/restore", blob, 200).await, listed, "{version}");
        ask.ask("DELETE /secrets/db", Value::Null, 200).await;
        ask.ask("DELETE /deletedsecrets/db", Value::Null, 204).await;
    }
}

#[tokio::test]
async fn every_operation_wants_a_version_that_exists() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    for request in [
        "PUT /secrets/db",
        "GET /secrets/db",
        "GET /secrets/db/00000000000000000000000000000001",
        "PATCH /secrets/db",
        "DELETE /secrets/db",
        "GET /secrets",
        "GET /secrets/db/versions",
        "POST /secrets/db/backup",
        "POST /secrets/restore",
        "GET /deletedsecrets",
        "GET /deletedsecrets/db",
        "DELETE /deletedsecrets/db",
        "POST /deletedsecrets/db/recover",
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        for (query, text) in [
            ("api-version=", "api-version must be specified"),
            (
                "api-version=7.7",
                "The specified version (7.7) is not recognized. Consider using the latest supported version \
                 (2026-04-01).",
            ),
        ] {
            let error = vault.send(method, &format!("{path}?{query}"), &json!({"value": "v"})).await.error();
            assert_eq!((error.0, error.1.as_str(), error.3.as_str()), (400, "BadParameter", text), "{request}");
        }
    }
}

#[tokio::test]
async fn the_form_of_a_certificate_is_asked_for_from_2025_07_01_on_and_ignored_before() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let set = vault.set("db", "v").await;
    for (version, form, status) in [
        ("2025-07-01", "PFX", 200),
        ("2025-07-01", "PEM", 200),
        ("2026-04-01", "PEM", 200),
        ("2025-07-01", "DER", 400),
        ("2026-04-01", "pem", 400),
        ("7.6", "DER", 200),
        ("7.0", "DER", 200),
    ] {
        let answer = vault.get(&format!("/secrets/db?api-version={version}&outContentType={form}")).await;
        assert_eq!(answer.status, status, "{version} {form}");
        if status == 200 {
            assert_eq!(answer.json(), set, "a plain secret comes back unchanged");
        }
    }
}

#[tokio::test]
async fn members_of_newer_versions_are_ignored_by_older_ones() {
    // Contract section 1: older versions must ignore them, not reject them.
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let body = json!({"value": "v", "previousVersion": "x", "managed": true, "kid": "https://elsewhere/keys/k",
        "attributes": {"created": 1, "updated": 2, "recoveryLevel": "Purgeable", "recoverableDays": 7, "new": {}}});
    for version in STABLE {
        let set = vault.put(&format!("/secrets/db?api-version={version}"), &body).await.expect(200);
        assert_eq!(members(&set), ["attributes", "id", "value"], "{version}");
        assert_eq!(
            set["attributes"]["created"], NOW.0,
            "{version}: what only answers have is not taken from a request"
        );
        assert_eq!(set["attributes"]["recoverableDays"], 90, "{version}");
    }
}
