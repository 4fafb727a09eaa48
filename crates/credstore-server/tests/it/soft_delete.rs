//! What a deleted secret is, what may be done with it, and when it goes, contract section 7.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{NOW, World};

const DAY: u64 = 86_400;

#[tokio::test]
async fn the_attributes_tell_what_deletion_means_in_the_vault() {
    let world = World::with_vault().await;
    for (name, properties, level, days) in [
        ("plain", json!({}), "Recoverable+Purgeable", 90),
        ("week", json!({"softDeleteRetentionInDays": 7}), "CustomizedRecoverable+Purgeable", 7),
        ("almost", json!({"softDeleteRetentionInDays": 89}), "CustomizedRecoverable+Purgeable", 89),
        ("kept", json!({"enablePurgeProtection": true}), "Recoverable", 90),
        (
            "kept-week",
            json!({"enablePurgeProtection": true, "softDeleteRetentionInDays": 7}),
            "CustomizedRecoverable",
            7,
        ),
    ] {
        let vault = world.make_vault(name, properties).await;
        let set = vault.set("db", "v").await;
        assert_eq!(set["attributes"]["recoveryLevel"], level, "{name}");
        assert_eq!(set["attributes"]["recoverableDays"], days, "{name}");
        let deleted = vault.delete("/secrets/db").await.expect(200);
        assert_eq!(deleted["scheduledPurgeDate"], NOW.0 + days * 86_400, "{name}");
        assert_eq!(deleted["attributes"], set["attributes"], "{name}: deletion changes none of them");
    }
}

#[tokio::test]
async fn a_deleted_name_answers_each_request_as_azure_does() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let set = vault.set("db", "v").await;
    let version = set["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let blob = vault.post("/secrets/db/backup", &Value::Null).await.expect(200);
    vault.delete("/secrets/db").await.expect(200);
    for (method, path, status, code, inner) in [
        ("GET", "/secrets/db".to_owned(), 404, "SecretNotFound", ""),
        ("GET", format!("/secrets/db/{version}"), 404, "SecretNotFound", ""),
        ("PATCH", "/secrets/db".to_owned(), 404, "SecretNotFound", ""),
        ("PATCH", format!("/secrets/db/{version}"), 404, "SecretNotFound", ""),
        ("DELETE", "/secrets/db".to_owned(), 404, "SecretNotFound", ""),
        ("POST", "/secrets/db/backup".to_owned(), 404, "SecretNotFound", ""),
        ("PUT", "/secrets/db".to_owned(), 409, "Conflict", "ObjectIsDeletedButRecoverable"),
        ("PUT", "/secrets/DB".to_owned(), 409, "Conflict", "ObjectIsDeletedButRecoverable"),
        ("POST", "/secrets/restore".to_owned(), 409, "Conflict", "ObjectIsDeletedButRecoverable"),
    ] {
        let error = vault.send(method, &path, &blob).await.error();
        assert_eq!((error.0, error.1.as_str(), error.2.as_str()), (status, code, inner), "{method} {path}");
    }
    assert_eq!(vault.ids("/secrets").await.len() + vault.ids("/secrets/db/versions").await.len(), 0);
    assert_eq!(vault.ids("/deletedsecrets").await.len(), 1);
}

#[tokio::test]
async fn a_recovered_secret_is_as_it_was_with_every_version() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    for value in ["1", "2", "3"] {
        vault.set("db", value).await;
    }
    let mut before = vault.ids("/secrets/db/versions").await;
    vault.delete("/secrets/db").await.expect(200);
    world.clock.advance(Duration::from_secs(80 * DAY));
    let vault = world.vault().await;
    vault.post("/deletedsecrets/db/recover", &Value::Null).await.expect(200);
    let mut after = vault.ids("/secrets/db/versions").await;
    before.sort();
    after.sort();
    assert_eq!(after, before);
    let mut values = Vec::new();
    for id in &after {
        let path = id.strip_prefix("https://acme.vault.localhost:8443").unwrap();
        values.push(vault.get(path).await.expect(200)["value"].as_str().unwrap().to_owned());
    }
    values.sort();
    assert_eq!(values, ["1", "2", "3"]);
    assert_eq!(vault.post("/deletedsecrets/db/recover", &Value::Null).await.error().0, 404, "once");
    vault.delete("/secrets/db").await.expect(200);
}

#[tokio::test]
async fn a_purged_or_expired_name_is_free_and_nothing_of_it_comes_back() {
    let world = World::with_vault().await;
    let vault = world.make_vault("week", json!({"softDeleteRetentionInDays": 7})).await;
    for (way, seconds) in [("purged", 0), ("expired", 7 * DAY)] {
        let old = vault.set("db", "old").await["id"].as_str().unwrap().to_owned();
        vault.delete("/secrets/db").await.expect(200);
        if seconds == 0 {
            vault.delete("/deletedsecrets/db").await.expect(204);
        }
        world.clock.advance(Duration::from_secs(seconds));
        let again = world.session(&vault.host, &world.operator_token("vault").await);
        assert_eq!(again.ids("/deletedsecrets").await.len(), 0, "{way}");
        for (method, path) in
            [("GET", "/deletedsecrets/db"), ("POST", "/deletedsecrets/db/recover"), ("DELETE", "/deletedsecrets/db")]
        {
            assert_eq!(again.send(method, path, &Value::Null).await.error().0, 404, "{way} {method}");
        }
        again.set("db", "new").await;
        let path = old.strip_prefix(&format!("https://{}", vault.host)).unwrap();
        assert_eq!(again.get(path).await.error().1, "SecretNotFound", "{way}");
        assert_eq!(again.ids("/secrets/db/versions").await.len(), 1, "{way}");
        again.delete("/secrets/db").await.expect(200);
        again.delete("/deletedsecrets/db").await.expect(204);
    }
}

#[tokio::test]
async fn a_deleted_secret_stays_to_the_last_second_of_its_days() {
    let world = World::with_vault().await;
    let vault = world.make_vault("week", json!({"softDeleteRetentionInDays": 7})).await;
    vault.set("db", "v").await;
    vault.delete("/secrets/db").await.expect(200);
    world.clock.advance(Duration::from_secs(7 * DAY - 1));
    let later = world.session(&vault.host, &world.operator_token("vault").await);
    later.get("/deletedsecrets/db").await.expect(200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(later.get("/deletedsecrets/db").await.error().0, 404);
}
