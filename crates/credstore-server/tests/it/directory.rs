//! The directory as contract sections 11 to 13 write it.

use serde_json::{Value, json};

use crate::world::{LOGIN, NOW, World, ask, claims};

fn spoiled(world: &World, spoil: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(world, &world.operator);
    spoil(&mut claims);
    world.assertion(&claims)
}

const SCOPE: &str = "https://vault.localhost:8443/.default";

async fn token_error(world: &World, tenant: &str, form: &str) -> (u16, String, u64, String) {
    let path = format!("/{tenant}/oauth2/v2.0/token");
    let id = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1";
    let answer = ask("POST", LOGIN, &path).text(form).header("client-request-id", id).of(&world.app).await;
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let (description, stamp) = (text("error_description"), text("timestamp"));
    assert_eq!(stamp, "2027-01-15 08:00:00Z");
    assert_eq!(text("correlation_id"), id);
    let code = body["error_codes"][0].as_u64().unwrap();
    let end = format!(" Trace ID: {} Correlation ID: {id} Timestamp: {stamp}", text("trace_id"));
    assert!(description.ends_with(&end), "{description}");
    assert!(text("error_uri").ends_with(&format!("/error?code={code}")));
    assert_eq!(answer.header("cache-control"), "no-store");
    let start = format!("AADSTS{code}: ");
    let said = description.strip_prefix(&start).unwrap().strip_suffix(&end).unwrap().to_owned();
    (answer.status.as_u16(), text("error"), code, said)
}

#[tokio::test]
async fn metadata_names_our_own_host_everywhere() {
    let world = World::empty();
    let tenant = &world.tenant;
    for path in [format!("/{tenant}/v2.0/"), format!("/{tenant}/"), "/common/v2.0/".to_owned()] {
        let path = format!("{path}.well-known/openid-configuration");
        let body = ask("GET", LOGIN, &path).of(&world.app).await.expect(200);
        assert_eq!(body["issuer"], format!("https://login.localhost:8443/{tenant}/v2.0"));
        assert_eq!(body["token_endpoint"], format!("https://login.localhost:8443/{tenant}/oauth2/v2.0/token"));
        assert_eq!(body["jwks_uri"], format!("https://login.localhost:8443/{tenant}/discovery/v2.0/keys"));
    }
    let path = "/common/discovery/instance?authorization_endpoint=https%3A%2F%2Fx&api-version=1.1";
    let body = ask("GET", LOGIN, path).of(&world.app).await.expect(200);
    assert_eq!(body["metadata"][0]["aliases"], json!(["login.localhost:8443"]));
    let path = format!("/{tenant}/discovery/v2.0/keys");
    let keys = ask("GET", LOGIN, &path).of(&world.app).await.expect(200);
    assert_eq!((&keys["keys"][0]["kty"], keys["keys"][0].get("d")), (&json!("RSA"), None));
}

#[tokio::test]
async fn a_good_assertion_gets_a_token_for_each_resource_in_both_spellings() {
    let world = World::empty();
    for (scope, audience) in [
        (SCOPE, "https://vault.localhost:8443"),
        ("https://management.localhost:8443/.default", "https://management.localhost:8443"),
        ("https://management.localhost:8443//.default", "https://management.localhost:8443/"),
        ("https://graph.localhost:8443/.default", "https://graph.localhost:8443"),
    ] {
        let assertion = spoiled(&world, |_| ());
        let path = format!("/{}/oauth2/v2.0/token", world.tenant);
        let form = World::form(&world.operator, scope, &assertion);
        let body = ask("POST", LOGIN, &path).text(&form).of(&world.app).await.expect(200);
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3599)));
        let token = body["access_token"].as_str().unwrap();
        let claims = credstore_protocol::encoding::base64_any(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], audience);
        assert_eq!(claims["iss"], format!("https://login.localhost:8443/{}/", world.tenant));
        assert_eq!((&claims["iat"], &claims["appid"]), (&json!(NOW.0), &json!(world.operator)));
    }
    let form = World::form(&world.operator, "", &spoiled(&world, |_| ()));
    let form = form.replace("scope=", "resource=https%3A%2F%2Fvault.localhost%3A8443");
    let path = format!("/{}/oauth2/token", world.tenant);
    ask("POST", LOGIN, &path).text(&form).of(&world.app).await.expect(200);
}

#[tokio::test]
async fn the_audiences_that_entra_accepts_are_accepted() {
    let world = World::empty();
    let base = format!("https://{LOGIN}/{}", world.tenant);
    for audience in ["/oauth2/v2.0/token", "/oauth2/token", "/v2.0"] {
        let assertion = spoiled(&world, |claims| claims["aud"] = json!(format!("{base}{audience}")));
        let path = format!("/{}/oauth2/v2.0/token", world.tenant);
        let form = World::form(&world.operator, SCOPE, &assertion);
        ask("POST", LOGIN, &path).text(&form).of(&world.app).await.expect(200);
    }
}

#[tokio::test]
async fn each_spoiled_assertion_has_its_code() {
    let world = World::empty();
    let now = NOW.0;
    let good = spoiled(&world, |_| ());
    let mut forged = good.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    let (_, other, _) = {
        let (id, client, object) = world.application("other").await;
        (id, client, object)
    };
    for (assertion, status, error, code) in [
        (spoiled(&world, |claims| claims["exp"] = json!(now - 301)), 401, "invalid_client", 700_024),
        (spoiled(&world, |claims| claims["nbf"] = json!(now + 301)), 401, "invalid_client", 700_024),
        (spoiled(&world, |claims| claims["sub"] = json!(other)), 401, "invalid_client", 700_021),
        (spoiled(&world, |claims| claims["iss"] = json!(other)), 401, "invalid_client", 700_021),
        (spoiled(&world, |claims| claims["aud"] = json!("https://elsewhere")), 401, "invalid_client", 700_023),
        (forged, 401, "invalid_client", 700_027),
        ("garbage".to_owned(), 400, "invalid_request", 50027),
    ] {
        let form = World::form(&world.operator, SCOPE, &assertion);
        let (found, kind, number, text) = token_error(&world, &world.tenant, &form).await;
        assert_eq!((found, kind.as_str(), number), (status, error, code), "{text}");
    }
}

#[tokio::test]
async fn each_bad_request_has_its_code() {
    let world = World::empty();
    let assertion = spoiled(&world, |_| ());
    let good = World::form(&world.operator, SCOPE, &assertion);
    let unknown = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f9";
    let without = |name: &str| {
        good.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect::<Vec<_>>().join("&")
    };
    let unknown_client = good.replace(&format!("client_id={}", world.operator), &format!("client_id={unknown}"));
    let tenant = world.tenant.clone();
    for (tenant, form, status, error, code) in [
        (unknown, good.clone(), 400, "invalid_request", 90002),
        ("contoso.example", good.clone(), 400, "invalid_request", 90002),
        ("not_a_tenant", good.clone(), 400, "invalid_request", 900_023),
        (&tenant, without("grant_type"), 400, "invalid_request", 900_144),
        (&tenant, without("client_id"), 400, "invalid_request", 900_144),
        (&tenant, without("scope"), 400, "invalid_request", 900_144),
        (&tenant, good.replace("client_credentials", "password"), 400, "unsupported_grant_type", 70003),
        (&tenant, good.replace(".default", "user"), 400, "invalid_scope", 1_002_012),
        (&tenant, good.replace("vault.localhost", "vault.example"), 400, "invalid_resource", 500_011),
        (&tenant, without("client_assertion"), 401, "invalid_client", 7_000_218),
        (&tenant, without("client_assertion") + "&client_secret=planted", 401, "invalid_client", 7_000_215),
        (&tenant, unknown_client, 400, "unauthorized_client", 700_016),
        (&tenant, good.clone() + "&client_id=twice", 400, "invalid_request", 90014),
    ] {
        let (found, kind, number, text) = token_error(&world, tenant, &form).await;
        assert_eq!((found, kind.as_str(), number), (status, error, code), "{text}");
        assert!(!text.contains("planted"));
    }
    let path = format!("/{unknown}/v2.0/.well-known/openid-configuration");
    let body = ask("GET", LOGIN, &path).of(&world.app).await.expect(400);
    assert_eq!((&body["error"], &body["error_codes"]), (&json!("invalid_tenant"), &json!([90002])));
}

#[tokio::test]
async fn the_texts_that_people_read_are_entras() {
    let world = World::empty();
    let form = World::form(&world.operator, SCOPE, &spoiled(&world, |claims| claims["exp"] = json!(NOW.0 - 400)));
    let (.., text) = token_error(&world, &world.tenant, &form).await;
    assert_eq!(
        text,
        "Client assertion is not within its valid time range. Current time: 2027-01-15 08:00:00Z, assertion valid from \
         2027-01-15 08:00:00Z, expiry time of assertion 2027-01-15 07:53:20Z."
    );
    let (.., text) = token_error(&world, &world.tenant, "scope=x").await;
    assert_eq!(text, "The request body must contain the following parameter: 'grant_type'.");
}
