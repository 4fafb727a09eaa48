//! Backups: what they carry, where they can be restored, and that the largest one can, contract section 6.

use credstore_protocol::key_vault::{BACKUP_TEXT_MAX, BACKUP_VERSION_MAX, BACKUP_VERSIONS_MAX};
use credstore_server::limits::RESTORE_BODY_MAX;
use serde_json::{Value, json};

use crate::world::{Session, World};

async fn backup(vault: &Session<'_>, name: &str) -> Value {
    vault.post(&format!("/secrets/{name}/backup"), &Value::Null).await.expect(200)
}

#[tokio::test]
async fn a_backup_goes_into_another_vault_with_every_version_and_property() {
    let world = World::with_vault().await;
    let (here, there) = (world.vault().await, world.make_vault("other", json!({})).await);
    let first = json!({"value": "1", "contentType": "t", "tags": {"a": "b"}, "attributes": {"nbf": 1, "exp": 2}});
    here.put("/secrets/Db", &first).await.expect(200);
    here.put("/secrets/db", &json!({"value": "2", "attributes": {"enabled": false}})).await.expect(200);
    let restored = there.post("/secrets/restore", &backup(&here, "db").await).await.expect(200);
    let moved = |id: &str| id.replace("//acme.", "//other.");
    let mut expected: Vec<String> = here.ids("/secrets/db/versions").await.iter().map(|id| moved(id)).collect();
    let mut found = there.ids("/secrets/db/versions").await;
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "the versions keep their names");
    assert_eq!(there.ids("/secrets").await, ["https://other.vault.localhost:8443/secrets/Db"], "and the name its case");
    assert!(restored["id"].as_str().unwrap().starts_with("https://other.vault.localhost:8443/secrets/Db/"));
    assert_eq!((restored.get("value"), &restored["attributes"]["enabled"]), (None, &json!(false)));
    for id in &expected {
        let path = id.strip_prefix("https://other.vault.localhost:8443").unwrap();
        let (mut old, mut new) = (here.get(path).await.json(), there.get(path).await.json());
        (old["id"], new["id"]) = (Value::Null, Value::Null);
        assert_eq!(old, new, "{path}");
    }
}

#[tokio::test]
async fn a_restore_is_refused_where_the_name_is_live_or_deleted() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    let blob = backup(&vault, "db").await;
    let restore = || vault.post("/secrets/restore", &blob);
    let live = restore().await.error();
    assert_eq!((live.0, live.1.as_str(), live.2.as_str()), (409, "Conflict", ""));
    vault.delete("/secrets/db").await.expect(200);
    let deleted = restore().await.error();
    assert_eq!((deleted.0, deleted.1.as_str(), deleted.2.as_str()), (409, "Conflict", "ObjectIsDeletedButRecoverable"));
    vault.delete("/deletedsecrets/db").await.expect(204);
    restore().await.expect(200);
    vault.set("db", "w").await;
    assert_eq!(vault.ids("/secrets/db/versions").await.len(), 2, "it goes on from where it was");
}

#[tokio::test]
async fn a_backup_that_was_touched_or_comes_from_elsewhere_is_malformed() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("db", "planted").await;
    let blob = backup(&vault, "db").await;
    let good = blob["value"].as_str().unwrap().to_owned();
    vault.delete("/secrets/db").await.expect(200);
    vault.delete("/deletedsecrets/db").await.expect(204);
    let strange = World::with_vault().await;
    let foreign = {
        let vault = strange.vault().await;
        vault.set("db", "v").await;
        backup(&vault, "db").await["value"].as_str().unwrap().to_owned()
    };
    let flipped = |at: usize| {
        let mut text = good.clone().into_bytes();
        text[at] = if text[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(text).unwrap()
    };
    for (what, value) in [
        ("of another installation", foreign),
        ("with its first byte changed", flipped(0)),
        ("with a byte in the middle changed", flipped(good.len() / 2)),
        ("without its end", good[..good.len() - 4].to_owned()),
        ("with more at its end", format!("{good}AAAA")),
        ("empty", String::new()),
        ("no base64", "not base64!".to_owned()),
    ] {
        let answer = vault.post("/secrets/restore", &json!({"value": value})).await;
        let error = answer.error();
        assert_eq!((error.0, error.1.as_str()), (400, "Malformed backup blob"), "{what}");
        assert_eq!(error.3, "Backup blob contains invalid or corrupt version.", "{what}");
    }
    for (what, body) in [("nothing", json!({})), ("a number", json!({"value": 1})), ("null", json!({"value": null}))] {
        let error = vault.post("/secrets/restore", &body).await.error();
        assert_eq!((error.0, error.1.as_str()), (400, "BadParameter"), "{what}");
    }
    let padding = "=".repeat((4 - good.len() % 4) % 4);
    vault.post("/secrets/restore", &json!({"value": good + &padding})).await.expect(200);
}

#[tokio::test]
async fn the_largest_version_is_no_larger_in_a_backup_than_the_limit_reckons() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    // A control character takes the most room in the properties, which are JSON; the value is written as it is.
    let text = |length: usize, n: u8| format!("{}{}", "\u{1}".repeat(length - 1), char::from(n + 1));
    let tags: Value = (0..15).map(|n| (text(512, n), json!(text(512, n)))).collect();
    let attributes = json!({"enabled": false, "nbf": 253_402_300_799_i64, "exp": 253_402_300_799_i64});
    let body =
        json!({"value": "v".repeat(25_600), "contentType": text(255, 0), "tags": tags, "attributes": attributes});
    let name = "n".repeat(127);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        vault.put(&format!("/secrets/{name}"), &body).await.expect(200);
        lengths.push(backup(&vault, &name).await["value"].as_str().unwrap().len());
    }
    let step = lengths[2] - lengths[1];
    assert!(step <= BACKUP_VERSION_MAX.div_ceil(3) * 4, "{step}");
    assert!(step * 100 > BACKUP_VERSION_MAX / 3 * 4 * 99, "the limit is no larger than it must be: {step}");
    let largest = lengths[0] + (BACKUP_VERSIONS_MAX - 1) * (step + 4);
    assert!(largest <= BACKUP_TEXT_MAX, "500 such versions would be {largest}");
    assert!(BACKUP_TEXT_MAX + r#"{"value":""}"#.len() <= RESTORE_BODY_MAX);
    let blob = backup(&vault, &name).await;
    vault.delete(&format!("/secrets/{name}")).await.expect(200);
    vault.delete(&format!("/deletedsecrets/{name}")).await.expect(204);
    vault.post("/secrets/restore", &blob).await.expect(200);
    assert_eq!(vault.ids(&format!("/secrets/{name}/versions")).await.len(), 3);
}
