//! Injected faults: off by default, the operator's alone, and as the plan says.

use serde_json::{Value, json};

use crate::world::{MANAGEMENT, NOW, VAULT, World, ask};

const PATH: &str = "/credstore/faults?api-version=2023-07-01";

async fn world_with_faults(plan: &Value) -> World {
    let world = World::with_vault().await;
    world.app.allow_faults();
    world.management().await.put(PATH, plan).await.expect(200);
    world
}

#[tokio::test]
async fn a_server_that_was_not_started_with_faults_has_none() {
    let world = World::with_vault().await;
    let management = world.management().await;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = management.send(method, PATH, &json!({"clockOffsetSeconds": 1})).await;
        assert_eq!(answer.status, 404, "{method} {}", answer.text);
    }
}

#[tokio::test]
async fn only_the_operator_reads_and_replaces_the_plan() {
    let rule = json!({"host": "vault", "path": "/secrets/*", "times": 1, "fault": {"kind": "drop"}});
    let world = world_with_faults(&json!({"rules": [rule]})).await;
    let (_, client, _) = world.application("other").await;
    let token = world.token(&client, "management").await;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = ask(method, MANAGEMENT, PATH).token(&token).json(&json!({})).of(&world.app).await;
        assert_eq!(answer.status, 403, "{method} {}", answer.text);
        assert_eq!(ask(method, MANAGEMENT, PATH).of(&world.app).await.status, 401, "{method}");
    }
    let management = world.management().await;
    let plan = management.get(PATH).await.expect(200);
    assert_eq!(plan["rules"][0]["asked"], 0, "{plan}");
    management.delete(PATH).await.expect(204);
    assert_eq!(management.get(PATH).await.expect(200), json!({"clockOffsetSeconds": 0, "rules": []}));
}

#[tokio::test]
async fn an_injected_status_comes_as_often_as_it_was_asked_for() {
    let fault = json!({"kind": "status", "status": 429, "retryAfterSeconds": 7});
    let rule = json!({"host": "vault", "method": "GET", "times": 2, "fault": fault});
    let world = world_with_faults(&json!({"rules": [rule]})).await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    for _ in 0..2 {
        let refused = vault.get("/secrets/db").await;
        assert_eq!(refused.header("retry-after"), "7");
        assert_eq!(refused.error().1, "Throttled");
        assert_eq!(refused.status, 429);
    }
    assert_eq!(vault.get("/secrets/db").await.expect(200)["value"], "v");
    let plan = world.management().await.get(PATH).await.expect(200);
    assert_eq!(plan["rules"][0]["asked"], 3);
}

#[tokio::test]
async fn an_injected_failure_has_the_code_of_its_status() {
    for (status, code) in [(429, "Throttled"), (500, "InternalServerError"), (503, "ServiceUnavailable")] {
        let rule = json!({"host": "vault", "fault": {"kind": "status", "status": status}});
        let world = world_with_faults(&json!({"rules": [rule]})).await;
        let text = "The fault plan of this server asks for this answer.".to_owned();
        let error = world.vault().await.get("/secrets/db").await.error();
        assert_eq!(error, (status, code.to_owned(), String::new(), text));
    }
}

#[tokio::test]
async fn an_injected_expiry_is_answered_as_a_real_one() {
    let rule = json!({"host": "vault", "times": 1, "fault": {"kind": "expiredToken"}});
    let world = world_with_faults(&json!({"rules": [rule]})).await;
    let vault = world.vault().await;
    let refused = vault.get("/secrets").await;
    assert!(refused.header("www-authenticate").starts_with("Bearer authorization="), "{}", refused.text);
    assert_eq!(refused.error().3, "[TokenExpired] Error validating token.");
    vault.get("/secrets").await.expect(200);
}

#[tokio::test]
async fn the_clock_is_where_the_plan_puts_it() {
    let world = world_with_faults(&json!({})).await;
    let token = world.operator_token("vault").await;
    let management = world.management().await;
    management.put(PATH, &json!({"clockOffsetSeconds": 30 * 86_400})).await.expect(200);
    let vault = || ask("GET", VAULT, "/secrets?api-version=7.4").token(&token);
    assert_eq!(vault().of(&world.app).await.status, 401, "a token of today is old in a month");
    management.put(PATH, &json!({"clockOffsetSeconds": 0})).await.expect(200);
    assert_eq!(vault().of(&world.app).await.status, 200, "and the plan can be taken back with it");
}

#[tokio::test]
async fn a_wrong_plan_is_refused_and_the_old_one_stays() {
    let world = world_with_faults(&json!({"clockOffsetSeconds": 5})).await;
    let management = world.management().await;
    for plan in [
        json!({"rules": [{"host": "moon", "fault": {"kind": "drop"}}]}),
        json!({"rules": [{"host": "vault", "fault": {"kind": "flood"}}]}),
        json!({"rules": [{"host": "vault", "fault": {"kind": "status", "status": 200}}]}),
        json!({"rule": []}),
    ] {
        assert_eq!(management.put(PATH, &plan).await.status, 400, "{plan}");
    }
    assert_eq!(management.get(PATH).await.expect(200)["clockOffsetSeconds"], 5);
    let made = world.vault().await.set("db", "v").await;
    assert_eq!(made["attributes"]["created"], NOW.0 + 5);
}
