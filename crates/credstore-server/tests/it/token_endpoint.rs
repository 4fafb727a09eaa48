//! The token endpoint: both forms, the answer as clients read it, and the table of errors of contract section 13.

use serde_json::{Value, json};

use crate::world::{LOGIN, NOW, World, ask, claims};

const V2: &str = "oauth2/v2.0/token";
const V1: &str = "oauth2/token";
const SCOPE: &str = "https://vault.localhost:8443/.default";
const UNKNOWN: &str = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f9";

fn good_form(world: &World, endpoint: &str) -> String {
    let form = World::form(&world.operator, SCOPE, &world.assertion(&claims(world, &world.operator)));
    match endpoint {
        V1 => form.replace("scope=", "resource=").replace("%2F.default", ""),
        _ => form,
    }
}

/// `form` without the parameter `name`.
fn without(form: &str, name: &str) -> String {
    let kept: Vec<&str> = form.split('&').filter(|pair| pair.split('=').next() != Some(name)).collect();
    kept.join("&")
}

/// `form` with another value of the parameter `name`.
fn with(form: &str, name: &str, value: &str) -> String {
    format!("{}&{name}={value}", without(form, name))
}

fn is_guid(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]))
}

#[tokio::test]
async fn both_endpoints_give_the_same_answer_and_nobody_may_store_it() {
    let world = World::empty();
    for endpoint in [V2, V1] {
        let answer = world.ask_token(endpoint, &good_form(&world, endpoint)).await;
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        assert!(answer.header("content-type").starts_with("application/json"));
        let body = answer.expect(200);
        let names: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["access_token", "expires_in", "ext_expires_in", "token_type"], "{endpoint}");
        assert_eq!((body["expires_in"].as_u64(), body["ext_expires_in"].as_u64()), (Some(3599), Some(3599)));
        let token = body["access_token"].as_str().unwrap();
        let claims = credstore_protocol::encoding::base64_any(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        for (name, value) in [
            ("aud", json!("https://vault.localhost:8443")),
            ("iss", json!(format!("https://{LOGIN}/{}/", world.tenant))),
            ("exp", json!(NOW.0 + 3599)),
            ("nbf", json!(NOW.0)),
            ("appidacr", json!("2")),
            ("oid", json!(world.operator_object())),
            ("sub", json!(world.operator_object())),
            ("tid", json!(world.tenant)),
            ("ver", json!("1.0")),
        ] {
            assert_eq!(claims[name], value, "{endpoint} {name}");
        }
    }
}

#[tokio::test]
async fn a_form_is_read_as_clients_write_it() {
    let world = World::empty();
    let form = good_form(&world, V2);
    let mut reversed: Vec<&str> = form.split('&').collect();
    reversed.reverse();
    let claims = "%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22CP1%22%5D%7D%7D%7D";
    for (what, form) in [
        ("in another order", reversed.join("&")),
        ("with the claims of MSAL", format!("{form}&claims={claims}")),
        ("with the scopes of OpenID", form.replace("%2F.default", "%2F.default+openid+offline_access+profile")),
        ("with an empty parameter", format!("{form}&x=")),
        ("with an ampersand at its end", format!("{form}&")),
        ("for the resource in capitals", form.replace("vault.localhost", "VAULT.LocalHost")),
        ("with the client id in capitals", with(&form, "client_id", &world.operator.to_uppercase())),
    ] {
        let answer = world.ask_token(V2, &form).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text);
    }
    let path = format!("/{}/{V2}", world.tenant.to_uppercase());
    ask("POST", LOGIN, &path).text(&form).of(&world.app).await.expect(200);
}

/// The rows whose text is known. `{t}` is the tenant, `{c}` the client, `{x}` the thumbprint.
#[tokio::test]
async fn every_row_of_the_table_has_its_status_error_code_and_text() {
    let world = World::empty();
    let strange = World::empty();
    let good = good_form(&world, V2);
    let signed = |name: &str, value: Value| {
        let mut claims = claims(&world, &world.operator);
        claims[name] = value;
        with(&good, "client_assertion", &world.assertion(&claims))
    };
    let own = good.split("client_assertion=").nth(1).unwrap();
    let foreign = strange.assertion(&claims(&world, &world.operator));
    let thumbprint = credstore_protocol::encoding::hex_upper(&strange.thumbprint());
    let not_found = "Check to make sure you have the correct tenant ID and are signing into the correct cloud.";
    let not_in_directory =
        "This can happen if the application has not been installed by the administrator of the tenant";
    let missing = |name: &str| format!("The request body must contain the following parameter: '{name}'.");
    let late =
        "Client assertion is not within its valid time range. Current time: 2027-01-15 08:00:00Z, assertion valid from";
    for (tenant, form, status, error, code, text) in [
        (UNKNOWN, good.clone(), 400, "invalid_request", 90002, format!("Tenant '{UNKNOWN}' not found. {not_found}")),
        (
            "nobody.example",
            good.clone(),
            400,
            "invalid_request",
            90002,
            format!("Tenant 'nobody.example' not found. {not_found}"),
        ),
        ("common", good.clone(), 400, "invalid_request", 90002, format!("Tenant 'common' not found. {not_found}")),
        (
            "no_tenant",
            good.clone(),
            400,
            "invalid_request",
            900_023,
            "Specified tenant identifier 'no_tenant' is neither a valid DNS name, nor a valid external domain."
                .to_owned(),
        ),
        (
            "{t}",
            with(&good, "client_id", UNKNOWN),
            400,
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{UNKNOWN}' was not found in the directory '{{t}}'. {not_in_directory}"
            ),
        ),
        (
            "{t}",
            with(&good, "client_id", "no-guid"),
            400,
            "unauthorized_client",
            700_016,
            format!("Application with identifier 'no-guid' was not found in the directory '{{t}}'. {not_in_directory}"),
        ),
        (
            "{t}",
            with(&good, "client_assertion", &foreign),
            401,
            "invalid_client",
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. [Reason \
             - The key was not found., Thumbprint of key used by client: '{thumbprint}'"
            ),
        ),
        (
            "{t}",
            with(&good, "client_assertion", &own.replacen(own.rsplit('.').next().unwrap(), &"A".repeat(342), 1)),
            401,
            "invalid_client",
            700_027,
            "Client assertion contains an invalid signature. [Reason - The key was found, but use \
             of the key to verify the signature failed., Thumbprint of key used by client: '"
                .to_owned(),
        ),
        ("{t}", signed("exp", json!(NOW.0 - 400)), 401, "invalid_client", 700_024, late.to_owned()),
        (
            "{t}",
            signed("sub", json!(UNKNOWN)),
            401,
            "invalid_client",
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.".to_owned(),
        ),
        (
            "{t}",
            signed("aud", json!("https://x")),
            401,
            "invalid_client",
            700_023,
            "Client assertion audience claim does not match Realm issuer. Audience found: 'https://x'.".to_owned(),
        ),
        (
            "{t}",
            with(&good, "client_assertion", "x"),
            400,
            "invalid_request",
            50027,
            "JWT token is invalid or malformed.".to_owned(),
        ),
        (
            "{t}",
            without(&good, "client_assertion"),
            401,
            "invalid_client",
            7_000_218,
            missing("client_assertion' or 'client_secret"),
        ),
        (
            "{t}",
            with(&without(&good, "client_assertion"), "client_secret", "planted"),
            401,
            "invalid_client",
            7_000_215,
            "Invalid client secret provided.".to_owned(),
        ),
        ("{t}", without(&good, "grant_type"), 400, "invalid_request", 900_144, missing("grant_type")),
        ("{t}", without(&good, "client_id"), 400, "invalid_request", 900_144, missing("client_id")),
        ("{t}", without(&good, "scope"), 400, "invalid_request", 900_144, missing("scope")),
        (
            "{t}",
            without(&good, "client_assertion_type"),
            400,
            "invalid_request",
            900_144,
            missing("client_assertion_type"),
        ),
        ("{t}", String::new(), 400, "invalid_request", 900_144, missing("grant_type")),
        (
            "{t}",
            with(&good, "scope", "https%3A%2F%2Fx%2F.default"),
            400,
            "invalid_resource",
            500_011,
            "The resource principal named https://x was not found in the tenant named {t}.".to_owned(),
        ),
        (
            "{t}",
            with(&good, "scope", "https%3A%2F%2Fvault.localhost%3A8443"),
            400,
            "invalid_scope",
            1_002_012,
            "The provided value for scope https://vault.localhost:8443 is not valid.".to_owned(),
        ),
        (
            "{t}",
            with(&good, "scope", "a%2F.default+b%2F.default"),
            400,
            "invalid_scope",
            1_002_012,
            "The provided value for scope a/.default b/.default is not valid.".to_owned(),
        ),
        (
            "{t}",
            with(&good, "grant_type", "password"),
            400,
            "unsupported_grant_type",
            70003,
            "The app requested an unsupported grant type.".to_owned(),
        ),
        (
            "{t}",
            with(&good, "grant_type", "refresh_token"),
            400,
            "unsupported_grant_type",
            70003,
            "The app requested an unsupported grant type.".to_owned(),
        ),
        (
            "{t}",
            "%ff=%ff".to_owned(),
            400,
            "invalid_request",
            90014,
            "The request body is not a valid form.".to_owned(),
        ),
    ] {
        let path = format!("/{}/{V2}", tenant.replace("{t}", &world.tenant));
        let answer = ask("POST", LOGIN, &path).text(&form).header("client-request-id", UNKNOWN).of(&world.app).await;
        assert!(!answer.text.contains("planted"), "a secret is not repeated");
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.expect(status);
        let text = text.replace("{t}", &world.tenant);
        assert_eq!((&body["error"], &body["error_codes"]), (&json!(error), &json!([code])), "{text}");
        let said = body["error_description"].as_str().unwrap();
        assert!(said.starts_with(&format!("AADSTS{code}: {text}")), "{said}");
        assert_eq!((&body["correlation_id"], &body["timestamp"]), (&json!(UNKNOWN), &json!("2027-01-15 08:00:00Z")));
        assert!(is_guid(&body["trace_id"]), "{body}");
        let trace = body["trace_id"].as_str().unwrap();
        let end = format!(" Trace ID: {trace} Correlation ID: {UNKNOWN} Timestamp: 2027-01-15 08:00:00Z");
        assert!(said.ends_with(&end), "{said}");
        assert_eq!(body["error_uri"], format!("https://{LOGIN}/error?code={code}"));
    }
}

/// Contract section 13: ids and time follow the text after a space in v2, after CR LF in v1.
#[tokio::test]
async fn ids_in_a_description_stand_on_lines_of_their_own_at_the_old_endpoint() {
    let world = World::empty();
    let no_credential = "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or \
                         'client_secret'.";
    let no_tenant = format!("AADSTS90002: Tenant '{UNKNOWN}' not found.");
    for (endpoint, between) in [(V1, "\r\n"), (V2, " ")] {
        let form = without(&good_form(&world, endpoint), "client_assertion");
        for (tenant, begins) in [(world.tenant.as_str(), no_credential), (UNKNOWN, no_tenant.as_str())] {
            let path = format!("/{tenant}/{endpoint}");
            let answer = ask("POST", LOGIN, &path).text(&form).header("client-request-id", UNKNOWN);
            let body: Value = serde_json::from_str(&answer.of(&world.app).await.text).unwrap();
            let said = body["error_description"].as_str().unwrap();
            let trace = body["trace_id"].as_str().unwrap();
            let end = format!(
                ".{between}Trace ID: {trace}{between}Correlation ID: {UNKNOWN}{between}Timestamp: 2027-01-15 08:00:00Z"
            );
            assert!(said.starts_with(begins) && said.ends_with(&end), "{endpoint} {said:?}");
            assert_eq!(said.matches("\r\n").count(), if endpoint == V1 { 3 } else { 0 }, "{said:?}");
        }
    }
}

#[tokio::test]
async fn the_old_endpoint_wants_a_resource_and_the_new_one_a_scope() {
    let world = World::empty();
    for (endpoint, form, status, code) in [
        (V1, good_form(&world, V1), 200, Value::Null),
        (V1, good_form(&world, V2), 400, json!([900_144])),
        (V2, good_form(&world, V1), 400, json!([900_144])),
        (V1, with(&good_form(&world, V1), "resource", "https%3A%2F%2Fvault.localhost%3A8443%2F"), 200, Value::Null),
        (V1, with(&good_form(&world, V1), "resource", "https%3A%2F%2Fvault.azure.net"), 400, json!([500_011])),
    ] {
        let body = world.ask_token(endpoint, &form).await.expect(status);
        assert_eq!(body["error_codes"], code, "{endpoint} {form:.80}");
    }
}

#[tokio::test]
async fn a_key_out_of_its_dates_does_not_sign_in() {
    let world = World::empty();
    let (id, client, _) = world.application("pm").await;
    let graph = world.session(crate::world::GRAPH, &world.operator_token("graph").await);
    let path = format!("/v1.0/applications/{id}?$select=keyCredentials");
    let key = graph.get(&path).await.expect(200)["keyCredentials"][0]["key"].clone();
    for (start, end, status) in [
        ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00Z", 200),
        ("2027-01-14T08:00:00Z", "2027-01-15T07:59:59Z", 401),
        ("2027-01-15T08:00:01Z", "2027-02-01T00:00:00Z", 401),
    ] {
        let new = json!({"type": "AsymmetricX509Cert", "usage": "Verify", "key": key, "startDateTime": start,
            "endDateTime": end});
        let changed = graph.patch(path.split('?').next().unwrap(), &json!({"keyCredentials": [new]})).await;
        assert_eq!(changed.status, 204, "{start} {end} {}", changed.text);
        let form = World::form(&client, SCOPE, &world.assertion(&claims(&world, &client)));
        let body = world.ask_token(V2, &form).await.expect(status);
        if status == 401 {
            let said = body["error_description"].as_str().unwrap();
            assert!(said.starts_with("AADSTS700027: Client assertion contains an invalid signature. [Reason - The key used is expired., Thumbprint"), "{said}");
            assert!(
                said.contains(&format!("Found key 'Start={}, End={}'", start.replace('T', " "), end.replace('T', " "))),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn metadata_has_what_msal_for_node_checks() {
    let world = World::empty();
    let authority = format!("https://{LOGIN}");
    for path in ["v2.0/.well-known/openid-configuration", ".well-known/openid-configuration"] {
        let body = ask("GET", LOGIN, &format!("/{}/{path}", world.tenant)).of(&world.app).await.expect(200);
        for member in
            ["issuer", "token_endpoint", "authorization_endpoint", "jwks_uri", "device_authorization_endpoint"]
        {
            // Scheme, host and port of each must be those of the authority: issuer_validation_failed otherwise.
            let url = body[member].as_str().unwrap();
            assert!(url.starts_with(&format!("{authority}/{}/", world.tenant)), "{member}: {url}");
        }
        for (member, needed) in [
            ("response_types_supported", "code"),
            ("id_token_signing_alg_values_supported", "RS256"),
            ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        ] {
            assert!(body[member].as_array().unwrap().contains(&json!(needed)), "{member}");
        }
        let keys = body["jwks_uri"].as_str().unwrap().strip_prefix(&authority).unwrap().to_owned();
        let keys = ask("GET", LOGIN, &keys).of(&world.app).await.expect(200);
        let key = &keys["keys"][0];
        assert_eq!((&key["kty"], &key["use"], &key["e"]), (&json!("RSA"), &json!("sig"), &json!("AQAB")));
        for secret in ["d", "p", "q", "dp", "dq", "qi"] {
            assert_eq!(key.get(secret), None, "a public key");
        }
        let endpoint = body["token_endpoint"].as_str().unwrap().strip_prefix(&authority).unwrap().to_owned();
        ask("POST", LOGIN, &endpoint).text(&good_form(&world, V2)).of(&world.app).await.expect(200);
    }
    let unknown = ask("GET", LOGIN, &format!("/{UNKNOWN}/v2.0/.well-known/openid-configuration")).of(&world.app).await;
    assert_eq!(unknown.expect(400)["error"], "invalid_tenant", "here Entra names it so");
    let instance = "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://elsewhere/x/authorize";
    let body = ask("GET", LOGIN, instance).of(&world.app).await.expect(200);
    let found = body["tenant_discovery_endpoint"].as_str().unwrap();
    assert!(found.starts_with(&authority) && found.ends_with("/v2.0/.well-known/openid-configuration"), "{found}");
}
