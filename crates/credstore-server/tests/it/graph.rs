//! Graph as contract section 16 writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::world::{Answer, GRAPH, NOW, World, ask};

async fn call(world: &World, method: &str, path: &str, body: Value) -> Answer {
    let token = world.operator_token("graph").await;
    let request = ask(method, GRAPH, path).token(&token);
    let request = if body.is_null() { request } else { request.json(&body) };
    request.of(&world.app).await
}

#[tokio::test]
async fn an_application_is_found_by_each_filter() {
    let world = World::empty();
    let (id, client, object) = world.application("pm-server").await;
    for filter in ["startswith(displayName,'pm')", "displayName eq 'pm-server'", &format!("appId eq '{client}'")] {
        let path = format!("/v1.0/applications?$filter={}", filter.replace(' ', "%20").replace('\'', "%27"));
        let found = call(&world, "GET", &path, Value::Null).await.expect(200);
        let value = found["value"].as_array().unwrap();
        assert_eq!((value.len(), &value[0]["id"]), (1, &json!(id)), "{filter}");
    }
    let path = format!("/v1.0/servicePrincipals?%24filter=servicePrincipalNames%2Fany(c%3Ac+eq+%27{client}%27)");
    let found = call(&world, "GET", &path, Value::Null).await.expect(200);
    assert_eq!(found["value"][0]["id"], json!(object));
    assert_eq!(found["value"][0]["servicePrincipalNames"], json!([client]));
    assert!(id != client && client != object && id != object);
    let none = call(&world, "GET", "/v1.0/applications?$filter=appId%20eq%20'none'", Value::Null).await.expect(200);
    assert_eq!(none["value"], json!([]));
    let bad = call(&world, "GET", "/v1.0/applications?$filter=x%20gt%201", Value::Null).await.error();
    assert_eq!((bad.0, bad.1.as_str()), (400, "Request_BadRequest"));
}

#[tokio::test]
async fn a_patch_of_key_credentials_replaces_the_list() {
    let world = World::empty();
    let (id, ..) = world.application("pm").await;
    let path = format!("/v1.0/applications/{id}");
    let shown = call(&world, "GET", &path, Value::Null).await.expect(200);
    let key = shown["keyCredentials"][0].clone();
    assert_eq!(
        (&key["key"], &key["type"], &key["usage"]),
        (&Value::Null, &json!("AsymmetricX509Cert"), &json!("Verify"))
    );
    assert_eq!(key["customKeyIdentifier"].as_str().unwrap().len(), 40);
    // As az sends it: what was read, and the new key with line breaks inside.
    call(&world, "PATCH", &path, json!({"keyCredentials": [key]})).await.expect(204);
    let kept = call(&world, "GET", &path, Value::Null).await.expect(200);
    assert_eq!(kept["keyCredentials"][0]["keyId"], key["keyId"]);
    call(&world, "PATCH", &path, json!({"keyCredentials": []})).await.expect(204);
    let none = call(&world, "GET", &path, Value::Null).await.expect(200);
    assert_eq!(none["keyCredentials"], json!([]));
    let text = STANDARD.encode(&world.certificate);
    let broken: Vec<String> =
        text.as_bytes().chunks(76).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    let new = json!({"@odata.type": "#microsoft.graph.keyCredential", "displayName": null, "type": "AsymmetricX509Cert",
        "usage": "Verify", "keyId": "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1", "key": broken.join("\n")});
    call(&world, "PATCH", &path, json!({"keyCredentials": [new]})).await.expect(204);
    let with_key = call(&world, "GET", &format!("{path}?$select=keyCredentials"), Value::Null).await.expect(200);
    assert_eq!(with_key["keyCredentials"][0]["key"], json!(text));
}

#[tokio::test]
async fn objects_have_every_member_that_azs_recordings_have() {
    let world = World::empty();
    let (id, client, principal) = world.application("pm").await;
    let mut shown = call(&world, "GET", &format!("/v1.0/applications/{id}"), Value::Null).await.expect(200);
    let keys = shown["keyCredentials"].take();
    assert_eq!(
        shown,
        json!({"id": id, "appId": client, "displayName": "pm", "identifierUris": [], "signInAudience": "AzureADMyOrg",
            "createdDateTime": "2027-01-15T08:00:00Z", "publisherDomain": null, "keyCredentials": null,
            "passwordCredentials": [], "requiredResourceAccess": [], "api": {}, "appRoles": [], "web": {}})
    );
    let sha1 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &world.certificate);
    let thumbprint: String = sha1.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(keys[0]["customKeyIdentifier"], json!(thumbprint));
    let shown = call(&world, "GET", &format!("/v1.0/servicePrincipals/{principal}"), Value::Null).await.expect(200);
    assert_eq!(
        shown,
        json!({"id": principal, "appId": client, "appDisplayName": "pm", "displayName": "pm",
            "servicePrincipalNames": [client], "servicePrincipalType": "Application", "accountEnabled": true,
            "appOwnerOrganizationId": world.tenant})
    );
    for kind in ["applications", "servicePrincipals"] {
        let list = call(&world, "GET", &format!("/v1.0/{kind}"), Value::Null).await.expect(200);
        assert_eq!(list["@odata.context"], json!(format!("https://graph.localhost:8443/v1.0/$metadata#{kind}")));
        assert_eq!(list.get("@odata.nextLink"), None, "it is all there");
    }
    let list = call(&world, "GET", "/v1.0/applications?$select=keyCredentials", Value::Null).await.expect(200);
    let keys = list["value"].as_array().unwrap().iter().flat_map(|app| app["keyCredentials"].as_array().unwrap());
    assert!(keys.into_iter().all(|key| key["key"].is_null()), "only a single object shows its keys");
}

#[tokio::test]
async fn the_name_of_a_key_is_cut_at_90_characters() {
    let world = World::empty();
    let (id, ..) = world.application("pm").await;
    let path = format!("/v1.0/applications/{id}");
    for (length, kept) in [(90, 90), (91, 90)] {
        let key = json!({"type": "AsymmetricX509Cert", "usage": "Verify", "displayName": "ä".repeat(length),
            "key": STANDARD.encode(&world.certificate)});
        call(&world, "PATCH", &path, json!({"keyCredentials": [key]})).await.expect(204);
        let shown = call(&world, "GET", &path, Value::Null).await.expect(200);
        assert_eq!(shown["keyCredentials"][0]["displayName"], json!("ä".repeat(kept)), "{length}");
    }
}

#[tokio::test]
async fn an_error_says_when_and_has_an_id() {
    let world = World::empty();
    let unknown = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1";
    let answer = call(&world, "GET", &format!("/v1.0/applications/{unknown}"), Value::Null).await;
    let text = format!(
        "Resource '{unknown}' does not exist or one of its queried reference-property objects are not present."
    );
    assert_eq!(answer.error().3, text);
    let inner = answer.json()["error"]["innerError"].clone();
    assert_eq!(inner["date"], "2027-01-15T08:00:00Z");
    for member in ["request-id", "client-request-id"] {
        assert_eq!(inner[member].as_str().unwrap().len(), unknown.len(), "{member}");
    }
    for token in [None, Some("garbage")] {
        let mut request = ask("GET", GRAPH, "/v1.0/applications");
        request.token = token;
        let answer = request.of(&world.app).await;
        assert_eq!((answer.error().0, answer.error().1.as_str()), (401, "InvalidAuthenticationToken"));
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{token:?}");
    }
}

#[tokio::test]
async fn errors_have_graphs_codes() {
    let world = World::empty();
    let (_, client, _) = world.application("pm").await;
    let unknown = "/v1.0/applications/5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1";
    for (method, path, body, status, code) in [
        ("GET", "/v1.0/me", Value::Null, 400, "BadRequest"),
        ("GET", unknown, Value::Null, 404, "Request_ResourceNotFound"),
        ("DELETE", unknown, Value::Null, 404, "Request_ResourceNotFound"),
        ("GET", "/v1.0/applications/x", Value::Null, 404, "Request_ResourceNotFound"),
        ("POST", "/v1.0/applications", json!({}), 400, "Request_BadRequest"),
        ("POST", "/v1.0/servicePrincipals", json!({"appId": client}), 409, "Request_MultipleObjectsWithSameKeyValue"),
        ("PUT", "/v1.0/me", Value::Null, 405, "Request_BadRequest"),
        ("GET", "/v1.0/users", Value::Null, 400, "BadRequest"),
    ] {
        let error = call(&world, method, path, body).await.error();
        assert_eq!((error.0, error.1.as_str()), (status, code), "{method} {path}");
    }
}

async fn sign_in(world: &World, client: &str) -> Answer {
    let assertion = world.assertion(&crate::world::claims(world, client));
    let form = World::form(client, "https://vault.localhost:8443/.default", &assertion);
    ask("POST", crate::world::LOGIN, &format!("/{}/oauth2/v2.0/token", world.tenant)).text(&form).of(&world.app).await
}

#[tokio::test]
async fn a_service_principal_that_is_disabled_or_deleted_lets_nobody_in() {
    let world = World::with_vault().await;
    let (_, client, principal) = world.application("pm").await;
    world.grant(&principal, "list").await;
    let app = world.session(crate::world::VAULT, &world.token(&client, "vault").await);
    let path = format!("/v1.0/servicePrincipals/{principal}");
    let enable = async |enabled: bool| {
        call(&world, "PATCH", &path, json!({ "accountEnabled": enabled })).await.expect(204);
        call(&world, "GET", &path, Value::Null).await.expect(200)["accountEnabled"] == json!(enabled)
    };
    app.get("/secrets").await.expect(200);
    assert!(enable(false).await);
    assert_eq!(app.get("/secrets").await.status, 401, "the token that it has is refused at once");
    // AADSTS7000112: the application is disabled.
    assert_eq!(sign_in(&world, &client).await.expect(400)["error_codes"], json!([7_000_112]));
    assert!(enable(true).await);
    app.get("/secrets").await.expect(200);
    for (body, status) in [
        (json!({}), 400),
        (json!({"accountEnabled": "no"}), 400),
        (json!({"accountEnabled": false, "displayName": "x"}), 400),
    ] {
        assert_eq!(call(&world, "PATCH", &path, body.clone()).await.error().0, status, "{body}");
    }
    app.get("/secrets").await.expect(200);
    call(&world, "DELETE", &path, Value::Null).await.expect(204);
    assert_eq!(app.get("/secrets").await.status, 401);
    assert_eq!(sign_in(&world, &client).await.expect(400)["error_codes"], json!([700_016]));
    for method in ["GET", "DELETE", "PATCH"] {
        let body = if method == "PATCH" { json!({"accountEnabled": true}) } else { Value::Null };
        let error = call(&world, method, &path, body).await.error();
        assert_eq!((error.0, error.1.as_str()), (404, "Request_ResourceNotFound"), "{method}");
    }
    let own = format!("/v1.0/servicePrincipals/{}", world.operator_object());
    assert_eq!(call(&world, "DELETE", &own, Value::Null).await.error().0, 403);
    assert_eq!(call(&world, "PATCH", &own, json!({"accountEnabled": false})).await.error().0, 403);
}

#[tokio::test]
async fn a_deleted_application_cannot_sign_in_and_the_operator_cannot_be_deleted() {
    let world = World::empty();
    let (id, client, _) = world.application("pm").await;
    call(&world, "DELETE", &format!("/v1.0/applications/{id}"), Value::Null).await.expect(204);
    let assertion = world.assertion(&crate::world::claims(&world, &client));
    let form = World::form(&client, "https://vault.localhost:8443/.default", &assertion);
    let path = format!("/{}/oauth2/v2.0/token", world.tenant);
    let refused = ask("POST", crate::world::LOGIN, &path).text(&form).of(&world.app).await.expect(400);
    assert_eq!(refused["error_codes"], json!([700_016]));
    let list = call(&world, "GET", "/v1.0/applications", Value::Null).await.expect(200);
    let operator = list["value"].as_array().unwrap().iter().find(|app| app["appId"] == json!(world.operator)).cloned();
    let operator = operator.expect("the operator is an application like any other");
    let path = format!("/v1.0/applications/{}", operator["id"].as_str().unwrap());
    assert_eq!(call(&world, "DELETE", &path, Value::Null).await.error().0, 403);
}

const ADD_KEY_AUDIENCE: &str = "00000002-0000-0000-c000-000000000000";

fn proof(world: &World, object: &str, changed: Value) -> String {
    let mut claims = json!({"aud": ADD_KEY_AUDIENCE, "iss": object, "nbf": NOW.0, "exp": NOW.0 + 600});
    claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    world.assertion(&claims)
}

fn new_key() -> Value {
    let made = credstore::azure::certificate::generate("CN=pm", 2048, 365, NOW).unwrap();
    json!({"type": "AsymmetricX509Cert", "usage": "Verify", "key": STANDARD.encode(&made.public.der)})
}

#[tokio::test]
async fn an_application_exchanges_its_keys_with_a_proof_and_without_a_permission() {
    let world = World::empty();
    let (id, client, _) = world.application("pm").await;
    let token = world.token(&client, "graph").await;
    let key = new_key();
    let by_client = format!("/v1.0/applications(appId='{client}')");
    for path in [format!("/v1.0/applications/{id}"), by_client.clone()] {
        let refused = ask("GET", GRAPH, &path).token(&token).of(&world.app).await.error();
        assert_eq!((refused.0, refused.1.as_str()), (403, "Authorization_RequestDenied"), "it reads nothing: {path}");
    }
    let body = json!({"keyCredential": key, "passwordCredential": null, "proof": proof(&world, &id, json!({}))});
    let added = ask("POST", GRAPH, &format!("{by_client}/addKey")).token(&token).json(&body).of(&world.app).await;
    let added = added.expect(200);
    assert_eq!((&added["type"], &added["usage"], &added["key"]), (&key["type"], &key["usage"], &Value::Null));
    let shown = call(&world, "GET", &format!("/v1.0/applications/{id}"), Value::Null).await.expect(200);
    let keys = shown["keyCredentials"].as_array().unwrap();
    assert_eq!((keys.len(), &keys[1]["keyId"]), (2, &added["keyId"]));
    // The former goes; it is the one that signs the proof.
    let body = json!({"keyId": keys[0]["keyId"], "proof": proof(&world, &id, json!({}))});
    let path = format!("/v1.0/applications/{id}/removeKey");
    ask("POST", GRAPH, &path).token(&token).json(&body).of(&world.app).await.expect(204);
    let shown = call(&world, "GET", &format!("/v1.0/applications(appId='{client}')"), Value::Null).await.expect(200);
    assert_eq!(shown["keyCredentials"].as_array().unwrap().len(), 1);
    let again = ask("POST", GRAPH, &path).token(&token).json(&body).of(&world.app).await.error();
    assert_eq!((again.0, again.1.as_str()), (401, "Authentication_MissingOrMalformed"), "the proof's key is gone");
}

#[tokio::test]
async fn a_proof_that_lacks_anything_exchanges_nothing() {
    let world = World::empty();
    let (id, client, principal) = world.application("pm").await;
    let (other, other_client, _) = world.application("other").await;
    let token = world.token(&client, "graph").await;
    let key = new_key();
    let post = async |id: &str, token: &str, proof: String| {
        let body = json!({"keyCredential": key, "proof": proof});
        ask("POST", GRAPH, &format!("/v1.0/applications/{id}/addKey")).token(token).json(&body).of(&world.app).await
    };
    for (what, changed) in [
        ("issuer is the client id", json!({"iss": client})),
        ("issuer is the service principal", json!({"iss": principal})),
        ("issuer is another application", json!({"iss": other})),
        ("audience is the token endpoint", json!({"aud": "https://login.localhost:8443/t/oauth2/v2.0/token"})),
        ("no audience", json!({"aud": null})),
        ("expired", json!({"nbf": NOW.0 - 1000, "exp": NOW.0 - 400})),
        ("not yet valid", json!({"nbf": NOW.0 + 400, "exp": NOW.0 + 500})),
        ("lives eleven minutes", json!({"exp": NOW.0 + 601})),
        ("has no start", json!({"nbf": null})),
        ("has no end", json!({"exp": null})),
    ] {
        let error = post(&id, &token, proof(&world, &id, changed)).await.error();
        assert_eq!((error.0, error.1.as_str()), (401, "Authentication_MissingOrMalformed"), "{what}");
        assert_eq!(error.3, "Access Token missing or malformed.", "{what}");
    }
    let good = proof(&world, &id, json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    for forged in
        [format!("{signed}.{}", STANDARD.encode([0; 256])), format!("{signed}."), "x".to_owned(), String::new()]
    {
        assert_eq!(post(&id, &token, forged).await.error().0, 401);
    }
    // Somebody else's token, and one's own for somebody else.
    let stranger = world.token(&other_client, "graph").await;
    for (id, token) in [(&id, &stranger), (&other, &token)] {
        let error = post(id, token, proof(&world, id, json!({}))).await.error();
        assert_eq!((error.0, error.1.as_str()), (403, "Authorization_RequestDenied"));
    }
    for id in [&id, &other] {
        let shown = call(&world, "GET", &format!("/v1.0/applications/{id}"), Value::Null).await.expect(200);
        assert_eq!(shown["keyCredentials"].as_array().unwrap().len(), 1, "nothing changed");
    }
    assert_eq!(post(&id, &token, good).await.status, 200);
}
