//! What a secret carries beside its value: defaults, changes and limits, contract section 6.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{NOW, Session, World};

async fn version_of(vault: &Session<'_>, body: Value) -> String {
    let set = vault.put("/secrets/db", &body).await.expect(200);
    set["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_not_given_is_absent_and_a_secret_is_enabled() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    for (given, present) in [
        (json!({}), json!({})),
        (json!({"attributes": {}}), json!({})),
        (json!({"contentType": ""}), json!({"contentType": ""})),
        (json!({"tags": {}}), json!({"tags": {}})),
        (json!({"tags": {"": ""}}), json!({"tags": {"": ""}})),
        (json!({"contentType": null, "tags": null, "attributes": null}), json!({})),
        (json!({"attributes": {"enabled": null, "nbf": null, "exp": null}}), json!({})),
    ] {
        let mut body = given.clone();
        body["value"] = json!("");
        let mut set = vault.put("/secrets/db", &body).await.expect(200);
        let attributes = set["attributes"].take();
        assert_eq!(attributes["enabled"], true, "{given}");
        assert_eq!((attributes.get("nbf"), attributes.get("exp")), (None, None), "{given}");
        let members = set.as_object_mut().unwrap();
        members.retain(|name, _| !["id", "attributes"].contains(&name.as_str()));
        let mut expected = present;
        expected["value"] = json!("");
        assert_eq!(set, expected, "{given}");
    }
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_replaces_all_tags() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let full = json!({"value": "v", "contentType": "t", "tags": {"a": "1", "b": "2"},
        "attributes": {"enabled": true, "nbf": 1, "exp": 2}});
    for (change, member, expected) in [
        (json!({}), "/tags", json!({"a": "1", "b": "2"})),
        (json!({"tags": {"c": "3"}}), "/tags", json!({"c": "3"})),
        (json!({"tags": {}}), "/tags", json!({})),
        (json!({"tags": {"c": "3"}}), "/contentType", json!("t")),
        (json!({"contentType": ""}), "/contentType", json!("")),
        (json!({"contentType": "u"}), "/tags", json!({"a": "1", "b": "2"})),
        (json!({"attributes": {"exp": 9}}), "/attributes/nbf", json!(1)),
        (json!({"attributes": {"exp": 9}}), "/attributes/exp", json!(9)),
        (json!({"attributes": {"exp": 9}}), "/attributes/enabled", json!(true)),
        (json!({"attributes": {"enabled": false}}), "/attributes/exp", json!(2)),
        (json!({"attributes": {"enabled": false}}), "/attributes/enabled", json!(false)),
        (json!({"attributes": {"created": 5}}), "/attributes/created", json!(NOW.0)),
        (json!({"value": "w"}), "/attributes/enabled", json!(true)),
    ] {
        let version = version_of(&vault, full.clone()).await;
        let path = format!("/secrets/db/{version}");
        let patched = vault.patch(&path, &change).await.expect(200);
        assert_eq!(patched.pointer(member), Some(&expected), "{change}");
        assert_eq!(patched.get("value"), None, "{change}");
        vault.patch(&path, &json!({"attributes": {"enabled": true}})).await.expect(200);
        let read = vault.get(&path).await.expect(200);
        assert_eq!(read["value"], "v", "{change}: the value cannot be changed");
    }
}

#[tokio::test]
async fn a_change_without_a_version_is_of_the_current_one_only() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let first = version_of(&vault, json!({"value": "1", "contentType": "first"})).await;
    let second = version_of(&vault, json!({"value": "2"})).await;
    for path in ["/secrets/db", "/secrets/db/"] {
        let patched = vault.patch(path, &json!({"contentType": path})).await.expect(200);
        assert!(patched["id"].as_str().unwrap().ends_with(&second), "{path}");
        assert_eq!(patched["contentType"], path);
    }
    let old = vault.patch(&format!("/secrets/db/{first}"), &json!({"tags": {"old": "yes"}})).await.expect(200);
    assert_eq!((&old["contentType"], &old["tags"]), (&json!("first"), &json!({"old": "yes"})));
    let current = vault.get("/secrets/db").await.expect(200);
    assert_eq!((&current["value"], current.get("tags")), (&json!("2"), None), "the older version alone has changed");
}

#[tokio::test]
async fn every_set_starts_anew_and_the_newest_is_current_even_when_disabled() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let first = version_of(&vault, json!({"value": "1", "contentType": "t", "tags": {"a": "b"}})).await;
    world.clock.advance(Duration::from_secs(10));
    let second = vault.put("/secrets/db", &json!({"value": "2", "attributes": {"enabled": false}})).await.expect(200);
    assert_eq!((second.get("contentType"), second.get("tags")), (None, None), "nothing is carried over");
    assert_eq!(second["attributes"]["created"], NOW.0 + 10);
    assert_eq!(vault.get("/secrets/db").await.error().2, "SecretDisabled");
    let old = vault.get(&format!("/secrets/db/{first}")).await.expect(200);
    assert_eq!((&old["value"], &old["attributes"]["created"]), (&json!("1"), &json!(NOW.0)));
    vault.patch("/secrets/db", &json!({"attributes": {"enabled": true}})).await.expect(200);
    assert_eq!(vault.get("/secrets/db").await.expect(200)["value"], "2");
}

#[tokio::test]
async fn the_dates_inform_and_do_not_block() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    for (nbf, exp) in [(NOW.0 + 1000, NOW.0 + 2000), (1, 2), (2, 1), (0, 253_402_300_799)] {
        let body = json!({"value": "v", "attributes": {"nbf": nbf, "exp": exp}});
        vault.put("/secrets/db", &body).await.expect(200);
        let read = vault.get("/secrets/db").await.expect(200);
        assert_eq!((&read["attributes"]["nbf"], &read["attributes"]["exp"]), (&json!(nbf), &json!(exp)));
    }
}

#[tokio::test]
async fn set_and_change_have_the_same_limits() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    let tags = |count: usize| (0..count).map(|n| (format!("t{n}"), json!(""))).collect::<Value>();
    let tag = |name: usize, value: usize| json!({"n".repeat(name): "v".repeat(value)});
    for (what, good, bad) in [
        ("content type", json!({"contentType": "é".repeat(255)}), json!({"contentType": "x".repeat(256)})),
        ("tags", json!({"tags": tags(15)}), json!({"tags": tags(16)})),
        ("name of a tag", json!({"tags": tag(512, 0)}), json!({"tags": tag(513, 0)})),
        ("value of a tag", json!({"tags": tag(1, 512)}), json!({"tags": tag(1, 513)})),
        // The JavaScript client sends a date after 2038 as a negative number (contract section 19).
        ("exp", json!({"attributes": {"exp": 0}}), json!({"attributes": {"exp": -1}})),
        ("nbf", json!({"attributes": {"nbf": 0}}), json!({"attributes": {"nbf": -2_147_483_648_i64}})),
        (
            "end of time",
            json!({"attributes": {"exp": 253_402_300_799_i64}}),
            json!({"attributes": {"exp": 253_402_300_800_i64}}),
        ),
    ] {
        for method in ["PUT", "PATCH"] {
            let with_value = |body: &Value| {
                let mut body = body.clone();
                body["value"] = json!("v");
                body
            };
            vault.send(method, "/secrets/db", &with_value(&good)).await.expect(200);
            let error = vault.send(method, "/secrets/db", &with_value(&bad)).await.error();
            assert_eq!((error.0, error.1.as_str()), (400, "BadParameter"), "{method} {what}");
        }
    }
}

#[tokio::test]
async fn the_time_of_the_last_change_moves_with_every_change() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    let mut last = NOW.0;
    for n in 0..5 {
        let patched = vault.patch("/secrets/db", &json!({"contentType": n.to_string()})).await.expect(200);
        let updated = patched["attributes"]["updated"].as_i64().unwrap();
        assert!(updated > last, "the clock stands still, and it moves all the same");
        last = updated;
    }
    vault.get("/secrets/db").await.expect(200);
    vault.delete("/secrets/db").await.expect(200);
    let recovered = vault.post("/deletedsecrets/db/recover", &Value::Null).await.expect(200);
    assert_eq!(recovered["attributes"]["updated"], last, "reading, deleting and recovering are no changes");
    assert_eq!(recovered["attributes"]["created"], NOW.0);
}
